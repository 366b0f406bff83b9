"""Learn then Test (Angelopoulos et al., 2021): accept names above a confidence, with a stated error rate.

Every threshold of a fixed sequence, from the strictest down, is tested against the hypothesis "of the
accepted parts of a shape, more than ``error`` have a wrong name, on average over the shapes with an accepted
part", until one test fails. The unit is the shape: its parts share the category that the model chose, so they
are not independent. The p-values are those of betting: they assume no distribution at any sample size, and
need far fewer shapes than Hoeffding-Bentkus ones, which know the mean alone. The sequence and the calibration
come from other shapes than the test.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.calibration import BASE, fit_evidence
from alignparts.evaluation.reliability import Confidences
from alignparts.evaluation.scored_parts import ScoredParts
from alignparts.naming.confidence import Calibration, Promise

QUANTILES = 50
"""Maximum number of thresholds in a sequence."""


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
    reach 1 / p with a probability of at most p. Stakes depend on earlier shapes alone.

    Args:
        errors: errors of shapes in random order, 0..1; NaN is left out.
        promised: promised error.
        level: significance level of the test, for which the stakes are optimal.
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

    Raises:
        AlignPartsError: no part.
    """
    if not len(known.right):
        raise AlignPartsError("promise: no scored part to choose thresholds by")
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
    """Return the lowest threshold whose promise holds, or 1, which accepts nothing.

    Args:
        fresh: parts to test on, of other shapes than the calibration and the thresholds.
        thresholds: a :func:`sequence`.
        error: error to promise.
        certainty: certainty of the promise, over draws of ``fresh``.
        seed: seed of the order of the shapes.

    Raises:
        AlignPartsError: no part.
    """
    if not len(fresh.right):
        raise AlignPartsError("promise: no scored part to test thresholds on")
    errors = np.random.default_rng(seed).permutation(errors_above(fresh, thresholds))
    above = 1.0
    for threshold, column in zip(thresholds.tolist(), errors.T, strict=True):
        if p_value(column, error, 1 - certainty) > 1 - certainty:
            break
        above = float(np.clip(threshold, 0, 1))
    return Promise(above=above, error=error, certainty=certainty, shapes=fresh.shapes)


def split(shapes: Sequence[str], share: float, seed: int | Sequence[int]) -> tuple[list[str], list[str]]:
    """Split shapes at random into a share and the rest.

    Raises:
        AlignPartsError: fewer than two shapes.
    """
    if len(shapes) < 2:
        raise AlignPartsError(f"promise: expected at least 2 shapes to split, got {len(shapes)}")
    order = np.random.default_rng(seed).permutation(sorted(shapes)).tolist()
    first = min(max(round(share * len(order)), 1), len(order) - 1)
    return order[:first], order[first:]


def calibrate(
    training: ScoredParts, fresh: ScoredParts, *, errors: Sequence[float], certainty: float, seed: int = 0
) -> tuple[Calibration, list[Promise]]:
    """Fit evidence and thresholds to training shapes, and make a promise per error on fresh shapes.

    Raises:
        AlignPartsError: no parts.
    """
    calibration = fit_evidence(BASE, training)
    known, tested = (Confidences.of(parts, parts.confidence(calibration)) for parts in (training, fresh))
    return calibration, [
        promise(tested, sequence(known, error), error=error, certainty=certainty, seed=seed)
        for error in errors
    ]


def outcome(parts: ScoredParts, calibration: Calibration, made: Promise) -> dict[str, float | int | bool]:
    """Return the outcome of a promise on other shapes.

    Returns:
        ``error``: mean over shapes of the share of wrong names among the accepted, 0 where nothing is;
        ``kept``: whether that is within the promise; ``accepted``: share of the parts; ``shapes`` with an
        accepted part, ``of`` so many.
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
    """Make promises on random halves of some shapes, and try them on the other halves.

    Returns:
        A row per split and error: ``split``, ``promised``, ``above``, and the :func:`outcome`.
    """
    calibration = fit_evidence(BASE, training)
    known = Confidences.of(training, training.confidence(calibration))
    sequences = {error: sequence(known, error) for error in errors}
    rows = []
    for number in range(splits):
        some, others = (fresh.of(ids) for ids in split(fresh.shapes, 0.5, [seed, number]))
        tested = Confidences.of(some, some.confidence(calibration))
        for error, thresholds in sequences.items():
            made = promise(tested, thresholds, error=error, certainty=certainty, seed=number)
            about = {"split": number, "promised": error, "above": made.above}
            rows.append(about | outcome(others, calibration, made))
    return pd.DataFrame(rows)
