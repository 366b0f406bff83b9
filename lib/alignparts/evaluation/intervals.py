"""Percentile bootstrap intervals of means over shapes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import numpy as np
import scipy
from jaxtyping import Float

from alignparts.core.errors import AlignPartsError


class Bootstrap(TypedDict, total=False):
    """Settings of an interval: number of resamples, confidence level, seed."""

    resamples: int
    confidence: float
    seed: int


DEFAULT: Bootstrap = {"resamples": 1000, "confidence": 0.95, "seed": 0}


@dataclass(frozen=True)
class Interval:
    """A mean and its bootstrap interval over ``n`` shapes."""

    value: float
    low: float
    high: float
    n: int


def interval(
    groups: Sequence[Float[np.ndarray, " _"]] | Float[np.ndarray, " _"], **bootstrap: Unpack[Bootstrap]
) -> Interval:
    """Return the mean over shapes with its interval.

    ``groups`` holds one value per shape; or several such arrays, for the unweighted mean of their means,
    resampled within each. Raises AlignPartsError if a group is empty.
    """
    arrays = [groups] if isinstance(groups, np.ndarray) else list(groups)
    arrays = [np.asarray(values, np.float64) for values in arrays]
    if not arrays or any(not len(values) for values in arrays):
        raise AlignPartsError("bootstrap: no shape to resample")

    def mean(*samples: np.ndarray, axis: int = -1) -> Any:
        return np.mean([sample.mean(axis=axis) for sample in samples], axis=0)

    return _bootstrap(arrays, mean, paired=False, **bootstrap)


def relative_gain(
    ours: Float[np.ndarray, " n"], theirs: Float[np.ndarray, " n"], **bootstrap: Unpack[Bootstrap]
) -> Interval:
    """Return ``mean(ours) / mean(theirs) - 1``, resampled in pairs; AlignPartsError for a baseline of 0."""
    first, second = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if not len(second) or second.mean() <= 0:
        raise AlignPartsError("relative gain: no shape, or the baseline's mean is 0")

    def gain(a: np.ndarray, b: np.ndarray, axis: int = -1) -> Any:
        return a.mean(axis=axis) / np.maximum(b.mean(axis=axis), 1e-12) - 1

    return _bootstrap([first, second], gain, paired=True, **bootstrap)


def _bootstrap(
    arrays: list[np.ndarray], statistic: Any, *, paired: bool, **bootstrap: Unpack[Bootstrap]
) -> Interval:
    settings = DEFAULT | bootstrap
    n = len(arrays[0]) if paired else sum(map(len, arrays))
    value = float(statistic(*arrays))
    if any(len(values) < 2 for values in arrays) or all(np.ptp(values) == 0 for values in arrays):
        return Interval(value, value, value, n)
    bounds = scipy.stats.bootstrap(
        arrays, statistic, n_resamples=settings["resamples"], confidence_level=settings["confidence"],
        method="percentile", paired=paired, vectorized=True, rng=np.random.default_rng(settings["seed"]),
    ).confidence_interval  # fmt: skip
    return Interval(value, float(bounds.low), float(bounds.high), n)
