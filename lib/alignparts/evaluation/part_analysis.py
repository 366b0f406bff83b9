"""Where named segmentation goes wrong: small parts, wrong names, hard categories.

Everything on parts starts from one row a method, seed, shape and ground-truth part (`PART_COLUMNS`); the
leaderboard starts from scores (:data:`alignparts.evaluation.comparison.COLUMNS`).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise, product
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import over_seeds
from alignparts.evaluation.ground_truth import Labeled
from alignparts.evaluation.methods import Segments
from alignparts.evaluation.tables import COLUMNS, DIGITS, row
from alignparts.model.metrics import Interval, confusion, interval, iou_matrix, relative_gain
from alignparts.naming.prediction import Prediction

PART_COLUMNS = [
    "method", "seed", "shape_id", "test_set", "category", "part", "share", "iou", "given", "right",
]  # fmt: skip
EDGES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Sizes of parts, as shares of a shape, between which the bins lie."""
NONE = "(none)"
"""What a part is called that no segment overlaps, or only one without a name."""
SEEN, HELDOUT, ALL = "seen", "heldout", "all"
METRICS = ("miou", "la_miou")
BEST, AS_GOOD, BELOW = "best", "as good", "below"
"""Where a method stands in a category."""
Mean = Callable[[np.ndarray], Interval]


def part_rows(
    method: str,
    shape: Labeled,
    found: Segments | Prediction,
    *,
    seed: int = 0,
    weight: Float[np.ndarray, " n"] | None = None,
) -> pd.DataFrame:
    """What became of every ground-truth part of one shape that holds a point.

    The segment is chosen as in :func:`metrics.shape_metrics`, so that the mean of ``iou`` is the
    shape's mIoU and that of ``iou * right`` its LA-mIoU.

    Args:
        method: as tables call it.
        shape: with its ground truth.
        found: segments of the shape's points.
        seed: of the method's training.
        weight: of every point (such as the area of its face), for ``share`` alone; all equal by default.

    Returns:
        One row a part, of `PART_COLUMNS`: ``share`` of the labeled points, best ``iou``, the name ``given``
        to that segment (`NONE`: there is none) and whether it is ``right``. Both are missing where the
        method does not name parts.

    Raises:
        AlignPartsError: no point is labeled, or segments or weights are not those of the shape's points.
    """
    names = found.names
    segments = len(names) if names is not None else int(found.point_part.max(initial=-1)) + 1
    counts = confusion(found.point_part, shape.truth, segments, len(shape.names))
    present = np.flatnonzero(counts.sum(axis=1))
    if not len(present):
        raise AlignPartsError(f"{shape.shape_id}: no point has a ground-truth label")
    iou = iou_matrix(counts)[present] if segments else np.zeros((len(present), 1))
    chosen = iou.argmax(axis=1)
    best = iou[np.arange(len(present)), chosen]
    parts = [shape.names[index] for index in present.tolist()]
    given: list[str | None] = [None] * len(parts)
    if names is not None:
        pairs = zip(chosen.tolist(), best.tolist(), strict=True)
        given = [(names[index] or NONE) if value > 0 else NONE for index, value in pairs]
    right = None if names is None else [name == own for name, own in zip(given, parts, strict=True)]
    return pd.DataFrame({
        "method": method, "seed": seed, "shape_id": shape.shape_id, "test_set": shape.test_set,
        "category": shape.category, "part": parts, "share": _shares(shape, weight)[present], "iou": best,
        "given": pd.array(given, dtype="string"),
        "right": pd.array(right if right is not None else [None] * len(parts), dtype="boolean"),
    }, columns=PART_COLUMNS)  # fmt: skip


def size_table(
    rows: pd.DataFrame, *, edges: Sequence[float] = EDGES, resamples: int = 1000, confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """mIoU and LA-mIoU by the size of the part, as means over parts; shapes are resampled.

    Means over parts weigh shapes with many parts more than the mIoU of a shape does: the means of the bins,
    weighted by ``parts``, give the mean over all parts.

    Args:
        rows: of :func:`part_rows`.
        edges: between the bins, rising; a bin holds its upper edge.
        resamples: bootstrap samples.
        confidence: of the interval.
        seed: of the resampling.

    Returns:
        Columns of :data:`tables.COLUMNS`, where the test set is "seen" or "heldout" and ``n``
        counts shapes; the bin ``size`` and its lower end ``above``; ``parts`` counted over one seed.

    Raises:
        AlignPartsError: edges that do not rise, or a method's seeds see different parts.
    """
    limits = np.asarray(edges, np.float64)
    if (np.diff(limits) <= 0).any():
        raise AlignPartsError(f"part sizes: expected rising edges, got {', '.join(map(str, edges))}")
    options = {"resamples": resamples, "confidence": confidence, "seed": seed}
    scored = rows.assign(miou=rows.iou, la_miou=rows.iou * rows.right.astype("boolean").astype("Float64"))
    scored["bin"] = np.searchsorted(limits, rows.share.to_numpy(np.float64))
    scored["test_set"] = np.where(rows.test_set == HELDOUT, HELDOUT, SEEN)
    body = []
    for method, test_set, metric in product(dict.fromkeys(rows.method), (SEEN, HELDOUT), METRICS):
        own = scored[(scored.method == method) & (scored.test_set == test_set) & scored[metric].notna()]
        for number, group in own.groupby("bin"):
            seeds, place = group.seed.nunique(), int(str(number))
            if len(group) % seeds:
                raise AlignPartsError(f"part sizes: the seeds of {method} have different parts")
            found = _part_mean(group[metric], group.shape_id, **options)
            body.append({
                **row(method, test_set, metric, found, seeds), "size": size_labels(edges)[place],
                "above": (0.0, *edges)[place], "parts": len(group) // seeds,
            })  # fmt: skip
    return pd.DataFrame(body, columns=[*COLUMNS, "size", "above", "parts"])


def size_labels(edges: Sequence[float]) -> list[str]:
    """What the bins are called, from the smallest parts to the largest."""
    said = [f"{100 * edge:g}" for edge in edges]
    if not said:
        return ["any size"]
    between = [f"{low}–{high} %" for low, high in pairwise(said)]
    return [f"≤ {said[0]} %", *between, f"> {said[-1]} %"]


def confusions(rows: pd.DataFrame, *, top: int | None = 10) -> pd.DataFrame:
    """The wrong names that parts are given most often, by category and over all of them ("all").

    Args:
        rows: of :func:`part_rows`; those of methods without names are left out.
        top: wrong names a method and category; None: every one.

    Returns:
        One row a method, category, ``part`` and wrong name ``given``, the most frequent first: ``count``,
        its ``share`` of the ``n`` parts of that name, and ``right``, the share of these that are named right.
    """
    named = _named(rows)
    every = pd.concat([named.assign(category=ALL), named], ignore_index=True)
    key = ["method", "category", "part"]
    whole = every.groupby(key, sort=False).agg(n=("right", "size"), right=("right", "mean"))
    wrong = every[~every.right].groupby([*key, "given"], sort=False).size().rename("count").reset_index()
    found = wrong.join(whole, on=key)
    found["share"] = (found["count"] / found.n).round(DIGITS)
    found["right"] = found.right.astype(np.float64).round(DIGITS)
    place = {name: index for index, name in enumerate(dict.fromkeys(every.method))}
    keys = found.assign(order=found.method.map(place), own=found.category != ALL, minus=-found["count"])
    found = found.loc[keys.sort_values(["order", "own", "category", "minus", "part", "given"]).index]
    if top is not None:
        found = found.groupby(["method", "category"], sort=False).head(top)
    return found[[*key, "given", "count", "share", "right", "n"]].reset_index(drop=True)


def confusion_matrix(rows: pd.DataFrame, category: str, method: str | None = None) -> pd.DataFrame:
    """How often parts of a category (rows) are given a name (columns).

    The category's own parts come first in both, the most frequent ahead; then the other names that were
    given, in the same order; `NONE` is last.

    Args:
        rows: of :func:`part_rows`.
        category: to look at.
        method: to look at; may be left out where there is one alone.

    Raises:
        AlignPartsError: several methods and none is chosen, or no named part of the category.
    """
    own = _named(rows[rows.category == category])
    own = own if method is None else own[own.method == method]
    methods = list(dict.fromkeys(own.method))
    if len(methods) > 1:
        raise AlignPartsError(f"confusion: of which method? expected one of {', '.join(methods)}")
    if not len(own):
        known = ", ".join(sorted(set(_named(rows).category)))
        raise AlignPartsError(f"confusion: no named parts of '{category}'; there are {known}")
    parts = _frequent(own.part)
    others = [name for name in _frequent(own.given) if name not in {*parts, NONE}]
    counts = own.groupby(["part", "given"]).size().unstack(fill_value=0)
    columns = [*parts, *others, *([NONE] if NONE in counts else [])]
    return counts.reindex(index=parts, columns=columns, fill_value=0).rename_axis(columns="given")


def leaderboard(
    scores: pd.DataFrame, *, metrics: Sequence[str] = METRICS, resamples: int = 1000,
    confidence: float = 0.95, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Methods by category, the best first; categories in the order of the best value of the first metric.

    A method is "as good" as the best where the interval of their difference over common shapes holds 0, or
    where there are fewer than two such shapes. Intervals over few shapes are too narrow: read ``n`` too.

    Args:
        scores: of several methods and seeds (:data:`alignparts.evaluation.comparison.COLUMNS`).
        metrics: which, the first one gives the order of the categories.
        resamples: bootstrap samples.
        confidence: of the intervals.
        seed: of the resampling.

    Returns:
        ``category, method, metric, value, low, high, n, seeds, rank, standing``; equal values (to 4 digits)
        share a rank, and all of rank 1 are "best".

    Raises:
        AlignPartsError: as :func:`alignparts.evaluation.comparison.over_seeds`.
    """
    means = over_seeds(scores[scores.metric.isin(metrics)])
    mean: Mean = partial(interval, resamples=resamples, confidence=confidence, seed=seed)
    found = []
    for (category, metric), group in means.groupby(["category", "metric"], sort=False):
        values = {str(name): one.set_index("shape_id").value for name, one in group.groupby("method")}
        seeds = group.groupby("method").seeds.first()
        body = pd.DataFrame([
            {"category": category, **row(name, "", str(metric), mean(_array(one)), int(seeds[name]))}
            for name, one in values.items()
        ])  # fmt: skip
        body["rank"] = body.value.rank(method="min", ascending=False).astype(int)
        body = body.sort_values(["rank", "method"])
        leader = values[str(body.method.iloc[0])]
        body["standing"] = [
            BEST if rank == 1 else _standing(leader, values[name], mean)
            for rank, name in zip(body["rank"], body.method, strict=True)
        ]
        found.append(body)
    columns = ["category", "method", "metric", "value", "low", "high", "n", "seeds", "rank", "standing"]
    if not found:
        return pd.DataFrame(columns=columns)
    table = pd.concat(found, ignore_index=True)
    first = table[table.metric == metrics[0]].groupby("category").value.max()
    place = {name: index for index, name in enumerate(metrics)}
    keys = table.assign(top=-table.category.map(first), place=table.metric.map(place))
    order = keys.sort_values(["top", "category", "place", "rank", "method"]).index
    return table.loc[order, columns].reset_index(drop=True)


def _shares(shape: Labeled, weight: Float[np.ndarray, " n"] | None) -> Float[np.ndarray, " parts"]:
    labeled = shape.truth >= 0
    if weight is not None and len(weight) != len(shape.truth):
        raise AlignPartsError(f"{shape.shape_id}: {len(weight)} weights for {len(shape.truth)} points")
    own = None if weight is None else weight[labeled].astype(np.float64)
    sums = np.bincount(shape.truth[labeled], weights=own, minlength=len(shape.names)).astype(np.float64)
    total = sums.sum()
    if not total > 0:
        raise AlignPartsError(f"{shape.shape_id}: the weights of the labeled points add up to {total:g}")
    return sums / total


def _part_mean(values: pd.Series, shapes: pd.Series, **options: Any) -> Interval:
    """Mean over parts, whole shapes resampled: sum over count, as one more than a relative gain."""
    of_shape = values.astype(np.float64).groupby(shapes)
    gain = relative_gain(_array(of_shape.sum()), _array(of_shape.size()), **options)
    return Interval(gain.value + 1, gain.low + 1, gain.high + 1, gain.n)


def _standing(leader: pd.Series, other: pd.Series, mean: Mean) -> str:
    common = leader.index.intersection(other.index, sort=True)
    if len(common) < 2:
        return AS_GOOD
    return BELOW if mean(_array(leader[common] - other[common])).low > 0 else AS_GOOD


def _array(values: pd.Series) -> Float[np.ndarray, " n"]:
    return values.sort_index().to_numpy(np.float64)


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    named = rows[rows.given.notna()]
    return named.assign(given=named.given.astype(str), right=named.right.astype(bool))


def _frequent(names: Iterable[str]) -> list[str]:
    counts = pd.Series(list(names), dtype=object).value_counts()
    return sorted(map(str, counts.index), key=lambda name: (-int(counts[name]), name))
