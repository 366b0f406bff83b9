"""What the order of the queue does: how soon objects are done when the confident ones come first."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy import stats

from alignparts.core.config.texparts import Order
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.intervals import Interval
from texparts.queue.rank import sort_queue
from texparts.simulation.effort import OURS

ORDERS: tuple[Order, ...] = ("confident", "uncertain")
RANDOM = "random"


def order_curves(
    objects: pd.DataFrame, start: str = OURS, *, shuffles: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Seconds until so many objects, and so many of their parts, are done, for every order of the queue.

    Args:
        objects: of :class:`texparts.simulation.effort.Effort`.
        start: what the work begins from.
        shuffles: of the random order.
        seed: of the shuffles.

    Returns:
        ``order``, ``done`` (objects, from 0), ``parts``, ``seconds``, ``low``, ``high``. For "random" means
        over the shuffles, and the range of their middle 95 %; else both bounds are ``seconds``.

    Raises:
        AlignPartsError: no object was begun from this.
    """
    own = _of(objects, start)
    frames = []
    for order in ORDERS:
        queue = sort_queue(own, order)
        seconds = _sums(queue.seconds.to_numpy(np.float64))
        frames.append(_curve(order, _sums(queue.parts.to_numpy(np.float64)), seconds, seconds, seconds))
    rng = np.random.default_rng(seed)
    mixed = [rng.permutation(len(own)) for _ in range(shuffles)]
    seconds = np.array([_sums(own.seconds.to_numpy(np.float64)[one]) for one in mixed])
    parts = np.array([_sums(own.parts.to_numpy(np.float64)[one]) for one in mixed])
    low, high = np.percentile(seconds, [2.5, 97.5], axis=0)
    frames.append(_curve(RANDOM, parts.mean(axis=0), seconds.mean(axis=0), low, high))
    return pd.concat(frames, ignore_index=True)


def order_table(
    objects: pd.DataFrame,
    start: str = OURS,
    share: float = 0.5,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Seconds until a share of the objects is done, as a share of what a random order takes on average.

    Args:
        objects: of :class:`texparts.simulation.effort.Effort`.
        start: what the work begins from.
        share: of the objects.
        resamples: bootstrap samples of the objects.
        seed: of the resampling.

    Returns:
        ``order``, ``value``, ``low``, ``high``, ``n``; below 1 the order is the quicker one so far. All
        orders take equally long in the end.

    Raises:
        AlignPartsError: no object was begun from this.
    """
    own = _of(objects, start)
    seconds = own.seconds.to_numpy(np.float64)
    count = max(1, round(share * len(own)))
    rows = []
    for order in ORDERS:
        key = -own.confidence if order == "confident" else -own.uncertainty

        def relative(taken: np.ndarray, by: np.ndarray, axis: int = -1) -> Any:
            first = np.argsort(by, axis=axis, kind="stable")
            ordered = np.take_along_axis(taken, first, axis=axis)
            return ordered[..., :count].mean(axis=axis) / taken.mean(axis=axis)

        one = _interval(seconds, key.to_numpy(np.float64), relative, resamples, seed)
        rows.append({"order": order, **asdict(one)})
    return pd.DataFrame(rows)


def confidence_and_effort(
    objects: pd.DataFrame, start: str = OURS, *, resamples: int = 1000, seed: int = 0
) -> Interval:
    """Spearman's correlation over objects of the confidence with the seconds a true part.

    Raises:
        AlignPartsError: no object was begun from this.
    """
    own = _of(objects, start)
    effort = (own.seconds / own.parts).to_numpy(np.float64)

    def correlation(first: np.ndarray, second: np.ndarray, axis: int = -1) -> Any:
        ranks = [stats.rankdata(values, axis=axis) for values in (first, second)]
        a, b = (one - one.mean(axis=axis, keepdims=True) for one in ranks)
        spread = np.sqrt((a**2).sum(axis=axis) * (b**2).sum(axis=axis))
        return (a * b).sum(axis=axis) / np.maximum(spread, 1e-12)

    return _interval(own.confidence.to_numpy(np.float64), effort, correlation, resamples, seed)


def _of(objects: pd.DataFrame, start: str) -> pd.DataFrame:
    own = objects[objects.start == start].sort_values("object_id", ignore_index=True)
    if own.empty:
        raise AlignPartsError(f"effort: no object from '{start}'; expected some of its rows")
    return own


def _sums(values: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n_plus_1"]:
    return np.concatenate([[0.0], np.cumsum(values)])


def _curve(order: str, parts: Any, seconds: Any, low: Any, high: Any) -> pd.DataFrame:
    done: Sequence[int] = range(len(seconds))
    columns = {"done": done, "parts": parts, "seconds": seconds, "low": low, "high": high}
    return pd.DataFrame({"order": order, **columns})


def _interval(
    first: Float64[np.ndarray, " n"],
    second: Float64[np.ndarray, " n"],
    statistic: Any,
    resamples: int,
    seed: int,
) -> Interval:
    """Over objects resampled in pairs; of a single one there is nothing to resample."""
    value, n = float(statistic(first, second)), len(first)
    if n < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return Interval(value, value, value, n)
    found = stats.bootstrap(
        (first, second), statistic, n_resamples=resamples, method="percentile", paired=True, vectorized=True,
        rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return Interval(value, float(found.low), float(found.high), n)
