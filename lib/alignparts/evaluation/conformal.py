"""From which confidence on names are accepted without a person, with a stated error rate.

Learn then Test (Angelopoulos et al., 2021): every threshold of a fixed sequence is tested against "of the
accepted parts of a shape more than ``error`` have a wrong name, on average over the shapes that have one",
from the strictest down, until one is not rejected. The unit is the shape: its parts share the category that
the model took, so they are not independent. The p-values are those of betting, which assume no distribution
at any sample size and see how errors are spread; Hoeffding-Bentkus ones, which know the mean alone, need
several times the shapes. The sequence and the calibration come from other shapes than the test.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.calibration import BASE, with_evidence
from alignparts.evaluation.reliability import Named
from alignparts.evaluation.scored_parts import Judged
from alignparts.naming.confidence import Calibration, Promise

QUANTILES = 50
"""Thresholds in a sequence, at most."""


def errors_above(
    named: Named, thresholds: Float64[np.ndarray, " thresholds"]
) -> Float64[np.ndarray, "shapes thresholds"]:
    """Share of wrong names among the accepted parts of every shape; NaN where a shape has none."""
    order = np.argsort(named.shape, kind="stable")
    first = np.unique(named.shape[order], return_index=True)[1]
    accepted = named.confidence[order, None] > thresholds
    number = np.add.reduceat(accepted, first, axis=0, dtype=np.float64)
    wrong = np.add.reduceat(accepted & ~named.right[order, None], first, axis=0, dtype=np.float64)
    return np.where(number > 0, wrong / np.maximum(number, 1), np.nan)


def p_value(errors: Float64[np.ndarray, " shapes"], promised: float, level: float) -> float:
    """p of "the mean is above what is promised", by betting (Waudby-Smith and Ramdas, 2024, section 4).

    Capital grows with every shape whose error is smaller than promised; were the mean larger, it would reach
    1 / p with a probability of at most p. Stakes depend on earlier shapes alone. Nothing is assumed of the
    errors but that they lie in 0..1.

    Args:
        errors: of shapes, in random order; NaN is left out.
        promised: error.
        level: at which p will be tested; the stakes are the best ones for it.
    """
    known = errors[~np.isnan(errors)]
    n = len(known)
    if not n:
        return 1.0
    seen = np.arange(1, n + 1) + 1
    mean = (promised + np.cumsum(known)) / seen
    variance = (promised * (1 - promised) + np.cumsum((known - mean) ** 2)) / seen
    before = np.concatenate([[promised * (1 - promised)], variance[:-1]])
    stake = np.minimum(np.sqrt(2 * np.log(1 / level) / (n * before)), 1.0)
    capital = np.exp(np.cumsum(np.log1p(stake * (promised - known))).max())
    return float(min(1 / capital, 1.0))


def sequence(known: Named, error: float) -> Float64[np.ndarray, " thresholds"]:
    """Thresholds in the order of the tests: quantiles of confidence, falling.

    It starts where betting on the known parts would win most. Stricter thresholds accept too few shapes to
    show anything, and a test that fails ends the sequence.
    """
    grid = np.unique(np.quantile(known.confidence, np.linspace(0, 1, QUANTILES + 1)))[::-1]
    won = np.nansum(np.log1p(error - errors_above(known, grid)), axis=0)
    return grid[int(won.argmax()) :]


def promise(known: Named, fresh: Named, *, error: float, certainty: float, seed: int = 0) -> Promise:
    """The lowest threshold whose promise holds; 1, which accepts nothing, where none does.

    Args:
        known: parts that the calibration was fitted to; the sequence of thresholds is theirs.
        fresh: parts of other shapes; the tests are on these.
        error: to promise.
        certainty: of the promise, over draws of ``fresh``.
        seed: of the order of the shapes.

    Raises:
        AlignPartsError: no part in either.
    """
    if not len(known.right) or not len(fresh.right):
        raise AlignPartsError("promise: no judged part; expected some to fit and some to promise on")
    return tested(fresh, sequence(known, error), error=error, certainty=certainty, seed=seed)


def tested(
    fresh: Named, thresholds: Float64[np.ndarray, " thresholds"], *, error: float, certainty: float, seed: int
) -> Promise:
    """:func:`promise` for a given sequence of thresholds."""
    errors = np.random.default_rng(seed).permutation(errors_above(fresh, thresholds))
    above = 1.0
    for threshold, own in zip(thresholds.tolist(), errors.T, strict=True):
        if p_value(own, error, 1 - certainty) > 1 - certainty:
            break
        above = float(np.clip(threshold, 0, 1))
    return Promise(above=above, error=error, certainty=certainty, shapes=fresh.shapes)


def split(shapes: Sequence[str], share: float, seed: int | Sequence[int]) -> tuple[list[str], list[str]]:
    """A random share of some shapes, and the others.

    Raises:
        AlignPartsError: fewer than two shapes.
    """
    if len(shapes) < 2:
        raise AlignPartsError(f"promise: expected at least 2 shapes to split, got {len(shapes)}")
    order = [sorted(shapes)[index] for index in np.random.default_rng(seed).permutation(len(shapes))]
    first = min(max(round(share * len(order)), 1), len(order) - 1)
    return order[:first], order[first:]


def calibrate(
    training: Judged, judged: Judged, *, errors: Sequence[float], certainty: float, seed: int = 0
) -> tuple[Calibration, list[Promise]]:
    """Evidence from training shapes, and a promise for every error on shapes that nothing was fitted to.

    Args:
        training: parts of training shapes; the evidence is fitted to them, the sequences are theirs.
        judged: parts of shapes that training did not see.
        errors: to promise.
        certainty: of the promises.
        seed: of the order of the shapes.

    Raises:
        AlignPartsError: no parts, or not both right and wrong names to fit to.
    """
    calibration = with_evidence(BASE, training)
    known, fresh = (Named.of(one, one.confidence(calibration)) for one in (training, judged))
    return calibration, [promise(known, fresh, error=one, certainty=certainty, seed=seed) for one in errors]


def outcome(judged: Judged, calibration: Calibration, made: Promise) -> dict[str, float | int | bool]:
    """What comes of a promise on other shapes.

    Returns:
        ``error``: mean over shapes of the share of wrong names among the accepted, 0 where nothing is;
        ``kept``: whether that is within the promise; ``accepted``: share of the parts; ``shapes`` with an
        accepted part, ``of`` so many.
    """
    named = Named.of(judged, judged.confidence(calibration))
    errors = errors_above(named, np.array([made.above]))[:, 0]
    shapes = int((~np.isnan(errors)).sum())
    error = float(np.nansum(errors) / max(shapes, 1))
    return {
        "error": error, "kept": error <= made.error,
        "accepted": float((named.confidence > made.above).mean()), "shapes": shapes, "of": named.shapes,
    }  # fmt: skip


def check(
    training: Judged, judged: Judged, *, errors: Sequence[float], certainty: float, splits: int, seed: int = 0
) -> pd.DataFrame:
    """Promises made on random halves of some shapes; the other halves try them.

    Returns:
        A row a split and error: ``split``, ``promised``, ``above``, and :func:`outcome` on the held-out half.
    """
    calibration = with_evidence(BASE, training)
    known = Named.of(training, training.confidence(calibration))
    sequences = {error: sequence(known, error) for error in errors}
    rows = []
    for number in range(splits):
        some, others = (judged.of(ids) for ids in split(judged.shapes, 0.5, [seed, number]))
        fresh = Named.of(some, some.confidence(calibration))
        for error, thresholds in sequences.items():
            made = tested(fresh, thresholds, error=error, certainty=certainty, seed=number)
            about = {"split": number, "promised": error, "above": made.above}
            rows.append(about | outcome(others, calibration, made))
    return pd.DataFrame(rows)
