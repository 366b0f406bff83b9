"""Errors of named segmentation: small parts, wrong names, hard categories.

Tables on parts start from one row per method, seed, shape and ground-truth part (`PART_COLUMNS`); the
leaderboard starts from scores (:data:`alignparts.evaluation.comparison.COLUMNS`).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, product
from typing import Any, Unpack

import numpy as np
import pandas as pd
from jaxtyping import Float

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import arranged, over_seeds
from alignparts.evaluation.ground_truth import HELDOUT, SEEN, Labeled
from alignparts.evaluation.intervals import Bootstrap, Interval, interval, relative_gain
from alignparts.evaluation.tables import COLUMNS, DIGITS, row
from alignparts.model.metrics import confusion, iou_matrix
from alignparts.naming.prediction import Prediction

PART_COLUMNS = [
    "method", "seed", "shape_id", "test_set", "category", "part", "share", "iou", "given", "right",
]  # fmt: skip
EDGES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Sizes of parts, as shares of a shape, between which the bins lie."""
NONE = "(none)"
"""Given name of a part that no segment overlaps, or only one without a name."""
ALL = "all"
METRICS = ("miou", "la_miou")
BEST, AS_GOOD, BELOW = "best", "as good", "below"
"""Standings of a method in a category."""


def part_rows(
    method: str,
    shape: Labeled,
    prediction: Prediction,
    *,
    seed: int = 0,
    weight: Float[np.ndarray, " n"] | None = None,
) -> pd.DataFrame:
    """Return the result for every ground-truth part of one shape that holds a point.

    The segment is chosen as in :func:`metrics.shape_metrics`, so that the mean of ``iou`` is the shape's mIoU
    and that of ``iou * right`` its LA-mIoU.

    Args:
        method: name in tables.
        shape: the shape with its ground truth.
        prediction: prediction for the shape's points.
        seed: seed of the method's training.
        weight: weight of every point (such as the area of its face), for ``share`` alone; equal by default.

    Returns:
        One row per part, of :data:`PART_COLUMNS`: ``share`` of the labeled points, best ``iou``, the name
        ``given`` to that segment (:data:`NONE`: there is none) and whether it is ``right``. Both are missing
        where the method does not name parts.

    Raises:
        AlignPartsError: no point is labeled, or prediction or weights are not of the shape's points.
    """
    counts = confusion(prediction.point_part, shape.truth, len(prediction.parts), len(shape.names))
    present = np.flatnonzero(counts.sum(axis=1))
    if not len(present):
        raise AlignPartsError(f"{shape.shape_id}: no point has a ground-truth label")
    iou = iou_matrix(counts)[present] if prediction.parts else np.zeros((len(present), 1))
    best, parts = iou.max(axis=1), [shape.names[index] for index in present.tolist()]
    given: list[str | None] = [None] * len(parts)
    right: list[bool | None] = [None] * len(parts)
    if prediction.named:
        names = [*(part.name or NONE for part in prediction.parts), NONE]
        given = [names[index] for index in np.where(best > 0, iou.argmax(axis=1), -1).tolist()]
        right = [name == part for name, part in zip(given, parts, strict=True)]
    return pd.DataFrame({
        "method": method, "seed": seed, "shape_id": shape.shape_id, "test_set": shape.test_set,
        "category": shape.category, "part": parts, "share": _shares(shape, weight)[present], "iou": best,
        "given": pd.array(given, dtype="string"), "right": pd.array(right, dtype="boolean"),
    })  # fmt: skip


def rows_of_methods(
    predictions: Mapping[str, Mapping[str, Prediction]], shapes: Iterable[Labeled]
) -> pd.DataFrame:
    """Return :func:`part_rows` of every shape and method.

    ``predictions`` are by method and shape id; every method has all the shapes.
    """
    tables = [
        part_rows(method, shape, by_shape[shape.shape_id])
        for shape in shapes
        for method, by_shape in predictions.items()
    ]
    return pd.concat(tables, ignore_index=True)


def size_table(
    rows: pd.DataFrame, *, edges: Sequence[float] = EDGES, **bootstrap: Unpack[Bootstrap]
) -> pd.DataFrame:
    """Return mIoU and LA-mIoU by the size of the part, as means over parts; shapes are resampled.

    Means over parts weigh shapes with many parts more than the mIoU of a shape does: the means of the bins,
    weighted by ``parts``, give the mean over all parts.

    Args:
        rows: rows of :func:`part_rows`.
        edges: rising edges between the bins; a bin holds its upper edge.
        bootstrap: settings of the intervals.

    Returns:
        Columns of :data:`tables.COLUMNS`, where the test set is "seen" or "heldout" and ``n``
        counts shapes; the bin ``size`` and its lower end ``above``; ``parts`` counted over one seed.

    Raises:
        AlignPartsError: edges that do not rise, or a method's seeds see different parts.
    """
    limits = np.asarray(edges, np.float64)
    if (np.diff(limits) <= 0).any():
        raise AlignPartsError(f"part sizes: expected rising edges, got {', '.join(map(str, edges))}")
    scored = rows.assign(
        miou=rows.iou,
        la_miou=rows.iou * rows.right.astype("boolean").astype("Float64"),
        bin=np.searchsorted(limits, rows.share.to_numpy(np.float64)),
        test_set=np.where(rows.test_set == HELDOUT, HELDOUT, SEEN),
    )
    labels, body = size_labels(edges), []
    for method, test_set, metric in product(dict.fromkeys(rows.method), (SEEN, HELDOUT), METRICS):
        chosen = scored[(scored.method == method) & (scored.test_set == test_set) & scored[metric].notna()]
        for place, group in chosen.groupby("bin"):
            seeds = group.seed.nunique()
            if len(group) % seeds:
                raise AlignPartsError(f"part sizes: the seeds of {method} have different parts")
            mean = _part_mean(group[metric], group.shape_id, **bootstrap)
            body.append({
                **row(method, test_set, metric, mean, seeds), "size": labels[place],
                "above": (0.0, *edges)[place], "parts": len(group) // seeds,
            })  # fmt: skip
    return pd.DataFrame(body, columns=[*COLUMNS, "size", "above", "parts"])


def size_labels(edges: Sequence[float]) -> list[str]:
    """Return the names of the bins, from the smallest parts to the largest."""
    percent = [f"{100 * edge:g}" for edge in edges]
    if not percent:
        return ["any size"]
    between = [f"{low}–{high} %" for low, high in pairwise(percent)]
    return [f"≤ {percent[0]} %", *between, f"> {percent[-1]} %"]


def confusions(rows: pd.DataFrame, *, top: int | None = 10) -> pd.DataFrame:
    """Return the wrong names that parts are given most often, by category and over all of them ("all").

    Args:
        rows: rows of :func:`part_rows`; those of methods without names are left out.
        top: number of wrong names per method and category; None: all.

    Returns:
        One row per method, category, ``part`` and wrong name ``given``, the most frequent first: ``count``,
        its ``share`` of the ``n`` parts of that name, and ``right``, the share of these that are named right.
    """
    named = _named(rows)
    every = pd.concat([named.assign(category=ALL), named], ignore_index=True)
    key = ["method", "category", "part"]
    whole = every.groupby(key).agg(n=("right", "size"), right=("right", "mean"))
    wrong = every[~every.right].groupby([*key, "given"]).size().rename("count").reset_index()
    table = wrong.join(whole, on=key).sort_values("count", ascending=False, kind="stable")
    table = table.assign(share=(table["count"] / table.n).round(DIGITS), right=table.right.round(DIGITS))
    categories = [ALL, *sorted({*named.category})]
    table = arranged(table, method=list(dict.fromkeys(named.method)), category=categories)
    if top is not None:
        table = table.groupby(["method", "category"], sort=False).head(top)
    return table[[*key, "given", "count", "share", "right", "n"]].reset_index(drop=True)


def most_confused(rows: pd.DataFrame) -> str:
    """Return the category with the most wrong names; of several, the first in the alphabet."""
    named = _named(rows)
    return str((~named.right).groupby(named.category).sum().idxmax())


def confusion_matrix(rows: pd.DataFrame, category: str, method: str | None = None) -> pd.DataFrame:
    """Count how often parts of a category (rows) are given a name (columns).

    The category's own parts come first in both, the most frequent ahead; then the other names that were
    given, in the same order; `NONE` is last.

    Args:
        rows: rows of :func:`part_rows`.
        category: category to look at.
        method: method to look at; needed where there are several.

    Raises:
        AlignPartsError: several methods and none is chosen, or no named part of the category.
    """
    named = _named(rows)
    chosen = named[(named.category == category) & (named.method.isin([method]) if method else True)]
    methods = list(dict.fromkeys(chosen.method))
    if len(methods) > 1:
        raise AlignPartsError(f"confusion: of which method? expected one of {', '.join(methods)}")
    if not len(chosen):
        known = ", ".join(sorted(set(named.category)))
        raise AlignPartsError(f"confusion: no named parts of '{category}'; there are {known}")
    parts = _frequent(chosen.part)
    others = [name for name in _frequent(chosen.given) if name not in {*parts, NONE}]
    counts = pd.crosstab(chosen.part, chosen.given)
    columns = [*parts, *others, *([NONE] if NONE in counts else [])]
    return counts.reindex(index=parts, columns=columns, fill_value=0)


def leaderboard(
    scores: pd.DataFrame, *, metrics: Sequence[str] = METRICS, **bootstrap: Unpack[Bootstrap]
) -> pd.DataFrame:
    """Rank methods by category; categories come in the order of the best value of the first metric.

    A method is "as good" as the best where the interval of their difference over common shapes holds 0, or
    where there are fewer than two such shapes. Intervals over few shapes are too narrow: read ``n`` too.

    Args:
        scores: scores of several methods and seeds (:data:`alignparts.evaluation.comparison.COLUMNS`).
        metrics: metrics to rank by; the first one orders the categories.
        bootstrap: settings of the intervals.

    Returns:
        ``category, method, metric, value, low, high, n, seeds, rank, standing``; equal values (to 4 digits)
        share a rank, and all of rank 1 are "best".

    Raises:
        AlignPartsError: as :func:`alignparts.evaluation.comparison.over_seeds`.
    """
    boards, measured = [], [name for name in COLUMNS if name != "test_set"]
    columns = ["category", *measured, "rank", "standing"]
    means = over_seeds(scores[scores.metric.isin(metrics)])
    for (category, metric), group in means.groupby(["category", "metric"]):
        values = group.pivot(index="shape_id", columns="method", values="value")
        seeds = group.groupby("method").seeds.first().to_dict()
        means_of = {str(name): interval(values[name].dropna().to_numpy(), **bootstrap) for name in values}
        lines = [row(name, "", str(metric), mean, seeds[name]) for name, mean in means_of.items()]
        board = pd.DataFrame(lines).assign(category=str(category))
        board["rank"] = board.value.rank(method="min", ascending=False).astype(int)
        board = board.sort_values(["rank", "method"])
        leader = values[board.method.iloc[0]]
        behind = {name: (leader - values[name]).dropna().to_numpy() for name in board.method}
        below = [len(gap) > 1 and interval(gap, **bootstrap).low > 0 for gap in behind.values()]
        board["standing"] = np.where(board["rank"] == 1, BEST, np.where(below, BELOW, AS_GOOD))
        boards.append(board)
    if not boards:
        return pd.DataFrame(columns=columns)
    table = pd.concat(boards)[columns]
    best = table[table.metric == metrics[0]].groupby("category").value.max()
    best = best.reindex(sorted({*table.category})).sort_values(ascending=False, kind="stable")
    return arranged(table, category=list(best.index), metric=metrics)


def _shares(shape: Labeled, weight: Float[np.ndarray, " n"] | None) -> Float[np.ndarray, " parts"]:
    """Return every part's share of the labeled points, or of their weights."""
    labeled = shape.truth >= 0
    if weight is not None and len(weight) != len(shape.truth):
        raise AlignPartsError(f"{shape.shape_id}: {len(weight)} weights for {len(shape.truth)} points")
    weights = None if weight is None else weight[labeled].astype(np.float64)
    sums = np.bincount(shape.truth[labeled], weights=weights, minlength=len(shape.names)).astype(np.float64)
    total = sums.sum()
    if not total > 0:
        raise AlignPartsError(f"{shape.shape_id}: the weights of the labeled points add up to {total:g}")
    return sums / total


def _part_mean(values: pd.Series, shapes: pd.Series, **bootstrap: Any) -> Interval:
    """Return the mean over parts, whole shapes resampled: sum over count, as one more than a gain."""
    by_shape = values.astype(np.float64).groupby(shapes)
    gain = relative_gain(by_shape.sum().to_numpy(), by_shape.size().to_numpy(np.float64), **bootstrap)
    return Interval(gain.value + 1, gain.low + 1, gain.high + 1, gain.n)


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    named = rows[rows.given.notna()]
    return named.assign(given=named.given.astype(str), right=named.right.astype(bool))


def _frequent(names: pd.Series) -> list[str]:
    """Return the different names, the most frequent first, ties in alphabetical order."""
    return list(names.value_counts().sort_index().sort_values(ascending=False, kind="stable").index)
