"""Fit the confidence to names known to be right or wrong, and promise an error rate of accepted names.

The parameters (Eqs. 20, 39 and 40) are fitted by the log loss. A promise accepts names above a confidence
with a stated error rate by Learn then Test (Angelopoulos et al., 2021): every threshold of a fixed sequence,
from the strictest down, is tested against the hypothesis "of the accepted parts of a shape, more than
``error`` have a wrong name, on average over the shapes with an accepted part", until one test fails. The unit
is the shape: its parts share the category that the model chose, so they are not independent. The p-values are
those of betting: they assume no distribution at any sample size, and need far fewer shapes than
Hoeffding-Bentkus ones, which know the mean alone. The sequence and the calibration come from other shapes
than the test.
"""

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float64
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.clustering import limited
from alignparts.evaluation.reliability import Confidences
from alignparts.evaluation.scored_parts import RIDGES, ScoredParts
from alignparts.naming.confidence import PAPER, PREDICTORS, Calibration, EvidenceWeights, Promise

TAUS = (0.005, 2.0)
"""Bounds of both temperatures."""
BETAS = (0.0, 40.0)
STARTS = (PAPER.beta, 10.0)
"""Slopes that the search starts from: the paper's, and one at which Eq. 40 tells distances 0 and 1 apart."""
BASE = Calibration(tau_category=PAPER.tau)
"""Temperatures behind the evidence: the paper's value, for the category too."""
SMALLEST = 1e-6
"""Distance of a confidence from 0 and 1 in the loss, so that one wrong name cannot cost infinitely much."""
NO_NAME = -1e4
"""Cosine in place of -inf, whose gradient is not a number."""
QUANTILES = 50
"""Maximum number of thresholds in a sequence."""


def fit(parts: ScoredParts, *, category: bool = False, ridges: Iterable[float] = RIDGES) -> Calibration:
    """Fit temperature, alpha, beta and ridge by the log loss on parts of shapes that training did not see.

    At every ridge (of :data:`RIDGES`) the other values are found by L-BFGS-B from fixed starts; they are
    rounded to 5 digits. ``category`` also fits ``tau_category``, which the paper does not have.
    """
    # The matrices of the search are of four rows; threads would only wait for each other.
    with limited():
        fits = [_fit(parts, beta, ridge, category) for ridge in ridges for beta in STARTS]
    return min(fits, key=lambda fit: fit[0])[1]


def fit_evidence(calibration: Calibration, parts: ScoredParts) -> Calibration:
    """Add a logistic regression to a calibration, fitted by the log loss and rounded to 5 digits.

    The parts may be of training shapes, so that the shapes of a promise stay fresh. Where all names are
    right, or all wrong, all weights are 0.
    """
    weights, bias = np.zeros(len(PREDICTORS)), 5.0 if parts.right[0] else -5.0
    if parts.right.any() and not parts.right.all():
        values = parts.evidence(calibration).predictors()
        mean, spread = values.mean(axis=0), values.std(axis=0)
        scale = np.where(spread > 1e-6, spread, np.inf)  # a constant predictor gets no weight
        model = LogisticRegression().fit((values - mean) / scale, parts.right)
        weights = model.coef_[0] / scale
        bias = model.intercept_[0] - weights @ mean
    *rounded, last = _rounded([*weights, bias])
    return calibration.model_copy(update={"evidence": EvidenceWeights(weights=tuple(rounded), bias=last)})


def log_loss(
    x: Tensor, cosines: Tensor, mahalanobis: Tensor, right: Tensor, categories: Tensor | None = None
) -> Tensor:
    """Return the mean log loss of Eq. 40 at log tau, alpha, beta and, with categories, log tau_category.

    The columns of ``cosines`` (parts, candidates) and ``categories`` begin with the chosen one;
    ``mahalanobis`` is NaN for a label without training partlets; ``right`` is 1 or 0.
    """
    known = ~mahalanobis.isnan()
    near = torch.sigmoid(x[2] * (mahalanobis.nan_to_num(0.5) - 0.5))
    soft = (cosines / x[0].exp()).softmax(dim=1)[:, 0]
    confidence = torch.where(known, x[1] * soft + (1 - x[1]) * near, soft)
    if categories is not None:
        confidence = confidence * (categories / x[3].exp()).softmax(dim=1)[:, 0]
    return F.binary_cross_entropy(confidence.clamp(SMALLEST, 1 - SMALLEST), right)


def _fit(parts: ScoredParts, beta: float, ridge: float, category: bool) -> tuple[float, Calibration]:
    """Return the smallest loss at a ridge, and its calibration."""
    loss = partial(
        log_loss,
        cosines=torch.tensor(np.maximum(parts.matrix("cosines"), NO_NAME)),
        mahalanobis=torch.tensor(parts.mahalanobis(ridge)),
        right=torch.tensor(parts.right, dtype=torch.float64),
        categories=torch.tensor(parts.matrix("categories")) if category else None,
    )

    def with_gradient(x: Float64[np.ndarray, " values"]) -> tuple[float, Float64[np.ndarray, " values"]]:
        at = torch.tensor(x, requires_grad=True)
        value = loss(at)
        value.backward()
        assert at.grad is not None
        return value.item(), at.grad.numpy()

    start, bounds = [np.log(PAPER.tau), PAPER.alpha, beta], [np.log(TAUS), (0, 1), BETAS]
    if category:
        start, bounds = [*start, start[0]], [*bounds, bounds[0]]
    best = minimize(with_gradient, np.array(start), jac=True, method="L-BFGS-B", bounds=bounds)
    values = _rounded([np.exp(best.x[0]), *best.x[1:3], *np.exp(best.x[3:])])
    names = ("tau", "alpha", "beta", "tau_category")
    return float(best.fun), Calibration(ridge=ridge, **dict(zip(names, values, strict=False)))


def _rounded(values: Iterable[float]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


def errors_above(
    named: Confidences, thresholds: Float64[np.ndarray, " thresholds"]
) -> Float64[np.ndarray, "shapes thresholds"]:
    """Return the share of wrong names among the accepted parts of every shape; NaN where none is accepted."""
    order = np.argsort(named.shape, kind="stable")
    first = np.unique(named.shape[order], return_index=True)[1]
    accepted = named.confidence[order, None] > thresholds
    number = np.add.reduceat(accepted, first, axis=0, dtype=np.float64)
    wrong = np.add.reduceat(accepted & ~named.right[order, None], first, axis=0, dtype=np.float64)
    return np.where(number > 0, wrong / np.maximum(number, 1), np.nan)


def p_value(errors: Float64[np.ndarray, " shapes"], promised: float, level: float) -> float:
    """Return the p-value of "the mean error exceeds the promise" (Waudby-Smith and Ramdas, 2024, section 4).

    Capital grows with every shape whose error is smaller than promised; if the mean were larger, it would
    reach 1 / p with a probability of at most p. Stakes depend on earlier shapes alone; they are optimal for
    the significance ``level``. ``errors`` are of shapes in random order, 0..1; NaN is left out.
    """
    known = errors[~np.isnan(errors)]
    if not len(known):
        return 1.0
    count = np.arange(len(known)) + 2
    mean = (promised + np.cumsum(known)) / count
    variance = (promised * (1 - promised) + np.cumsum((known - mean) ** 2)) / count
    before = np.concatenate([[promised * (1 - promised)], variance[:-1]])
    stake = np.minimum(np.sqrt(2 * np.log(1 / level) / (len(known) * before)), 1.0)
    capital = np.exp(np.cumsum(np.log1p(stake * (promised - known))).max())
    return float(min(1 / capital, 1.0))


def sequence(known: Confidences, error: float) -> Float64[np.ndarray, " thresholds"]:
    """Return thresholds in the order of the tests: falling quantiles of the confidence.

    The first is the one at which betting on the known parts would win most. Stricter thresholds accept too
    few shapes to show anything, and a test that fails ends the sequence.
    """
    grid = np.unique(np.quantile(known.confidence, np.linspace(0, 1, QUANTILES + 1)))[::-1]
    won = np.nansum(np.log1p(error - errors_above(known, grid)), axis=0)
    return grid[int(won.argmax()) :]


def promise(
    fresh: Confidences,
    thresholds: Float64[np.ndarray, " thresholds"],
    *,
    error: float,
    certainty: float,
    seed: int = 0,
) -> Promise:
    """Return the lowest threshold of a :func:`sequence` whose promise holds, or 1, which accepts nothing.

    The ``fresh`` parts are of other shapes than the calibration and the thresholds; ``certainty`` is over
    draws of them, ``error`` the error to promise, ``seed`` that of the order of the shapes.
    """
    errors = np.random.default_rng(seed).permutation(errors_above(fresh, thresholds))
    level, above = 1 - certainty, 1.0
    for threshold, column in zip(thresholds.tolist(), errors.T, strict=True):
        if p_value(column, error, level) > level:
            break
        above = float(np.clip(threshold, 0, 1))
    return Promise(above=above, error=error, certainty=certainty, shapes=fresh.shapes)


def split(shapes: Sequence[str], share: float, seed: int | Sequence[int]) -> tuple[list[str], list[str]]:
    """Split shapes at random into a share and the rest; AlignPartsError for fewer than two."""
    if len(shapes) < 2:
        raise AlignPartsError(f"promise: expected at least 2 shapes to split, got {len(shapes)}")
    order = np.random.default_rng(seed).permutation(sorted(shapes)).tolist()
    first = min(max(round(share * len(order)), 1), len(order) - 1)
    return order[:first], order[first:]


def calibrate(
    training: ScoredParts, fresh: ScoredParts, *, errors: Sequence[float], certainty: float, seed: int = 0
) -> tuple[Calibration, list[Promise]]:
    """Fit evidence and thresholds to training shapes, and make a promise per error on fresh shapes."""
    calibration = fit_evidence(BASE, training)
    known, tested = (Confidences.of(parts, parts.confidence(calibration)) for parts in (training, fresh))
    return calibration, [
        promise(tested, sequence(known, error), error=error, certainty=certainty, seed=seed)
        for error in errors
    ]


def outcome(parts: ScoredParts, calibration: Calibration, made: Promise) -> dict[str, float | int | bool]:
    """Return the outcome of a promise on other shapes.

    Returns ``error``: mean over shapes of the share of wrong names among the accepted, 0 where nothing is;
    ``kept``: True within the promise; ``accepted``: share of the parts; ``shapes`` with an accepted part,
    ``of`` so many.
    """
    named = Confidences.of(parts, parts.confidence(calibration))
    errors = errors_above(named, np.array([made.above]))[:, 0]
    shapes = int((~np.isnan(errors)).sum())
    error = float(np.nansum(errors) / max(shapes, 1))
    accepted = float((named.confidence > made.above).mean())
    kept = error <= made.error
    return {"error": error, "kept": kept, "accepted": accepted, "shapes": shapes, "of": named.shapes}


def check(
    training: ScoredParts,
    fresh: ScoredParts,
    *,
    errors: Sequence[float],
    certainty: float,
    splits: int,
    seed: int = 0,
) -> pd.DataFrame:
    """Try promises of random halves of shapes on the other halves: rows of split, error and outcome."""
    rows = []
    for number in range(splits):
        some, others = (fresh.of(ids) for ids in split(fresh.shapes, 0.5, [seed, number]))
        calibration, promises = calibrate(training, some, errors=errors, certainty=certainty, seed=number)
        for made in promises:
            about = {"split": number, "promised": made.error, "above": made.above}
            rows.append(about | outcome(others, calibration, made))
    return pd.DataFrame(rows)
