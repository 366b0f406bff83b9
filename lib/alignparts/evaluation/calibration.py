"""Fit the parameters of the confidence (Eqs. 20, 39 and 40) to names known to be right or wrong."""

from collections.abc import Iterable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float64
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import Tensor

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.scored_parts import RIDGES, ScoredParts
from alignparts.naming.confidence import PAPER, PREDICTORS, Calibration, EvidenceWeights

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


def fit(parts: ScoredParts, *, category: bool = False, ridges: Iterable[float] = RIDGES) -> Calibration:
    """Fit temperature, alpha, beta and ridge by the log loss; equal parts give equal values.

    At every ridge the other values are found by L-BFGS-B from fixed starts; they are rounded to 5 digits.

    Args:
        parts: parts of shapes that training did not see.
        category: also fit ``tau_category``; otherwise it stays None, as in the paper.
        ridges: epsilons to choose from, of :data:`alignparts.evaluation.scored_parts.RIDGES`.

    Raises:
        AlignPartsError: no part to fit to.
    """
    if not len(parts.table):
        raise AlignPartsError("calibration: no scored part to fit to; expected some of a validation split")
    # The matrices of the search are of four rows; threads would only wait for each other.
    with threadpool_limits(1):
        fits = [_fit(parts, beta, ridge, category) for ridge in ridges for beta in STARTS]
    return min(fits, key=lambda fit: fit[0])[1]


def fit_evidence(calibration: Calibration, parts: ScoredParts) -> Calibration:
    """Add a logistic regression to a calibration, fitted by the log loss and rounded to 5 digits.

    The parts may be of training shapes, so that the shapes of a promise stay fresh. Where all names are
    right, or all wrong, all weights are 0.

    Raises:
        AlignPartsError: no part to fit to.
    """
    if not len(parts.table):
        raise AlignPartsError("evidence: no scored part to fit to; expected some of training shapes")
    weights, bias = np.zeros(len(PREDICTORS)), 5.0 if parts.right[0] else -5.0
    if len(set(parts.right.tolist())) == 2:
        values = parts.evidence(calibration).predictors()
        mean, spread = values.mean(axis=0), values.std(axis=0)
        scale = np.where(spread > 1e-6, spread, np.inf)  # a constant predictor gets no weight
        model = LogisticRegression().fit((values - mean) / scale, parts.right)
        weights = model.coef_[0] / scale
        bias = model.intercept_[0] - weights @ mean
    evidence = EvidenceWeights(weights=tuple(_rounded(weights)), bias=_rounded([bias])[0])
    return calibration.model_copy(update={"evidence": evidence})


def log_loss(
    x: Tensor, cosines: Tensor, mahalanobis: Tensor, right: Tensor, categories: Tensor | None = None
) -> Tensor:
    """Return the mean log loss of Eq. 40.

    Args:
        x: log tau, alpha, beta and, with ``categories``, log tau_category.
        cosines: (parts, candidates), the given name first.
        mahalanobis: (parts), NaN for a label without training partlets.
        right: (parts), 1 where the name is right, else 0.
        categories: (parts, categories), the chosen one first; None leaves the category out.
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
    tau, alpha, slope, *rest = _rounded([np.exp(best.x[0]), *best.x[1:3], *np.exp(best.x[3:])])
    tau_category = rest[0] if rest else None
    return float(best.fun), Calibration(
        tau=tau, alpha=alpha, beta=slope, ridge=ridge, tau_category=tau_category
    )


def _rounded(values: Iterable[float]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
