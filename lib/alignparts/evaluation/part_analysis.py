"""Errors of named segmentation: small parts, wrong names, hard categories.

Tables on parts start from one row per method, seed, shape and ground-truth part (`PART_COLUMNS`); the
leaderboard starts from scores (:data:`alignparts.evaluation.comparison.COLUMNS`).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, product
from typing import Unpack

import numpy as np
import pandas as pd

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
"""Sizes of parts, as shares of a shape, between which the bins lie; a bin holds its upper edge."""
SIZES = [
    f"≤ {100 * EDGES[0]:g} %",
    *(f"{100 * low:g}–{100 * high:g} %" for low, high in pairwise(EDGES)),
    f"> {100 * EDGES[-1]:g} %",
]
"""Names of the bins, from the smallest parts to the largest."""
NONE = "(none)"
"""Given name of a part that no segment overlaps, or only one without a name."""
ALL = "all"
METRICS = ("miou", "la_miou")
BEST, AS_GOOD, BELOW = "best", "as good", "below"
"""Standings of a method in a category."""


def part_rows(method: str, shape: Labeled, prediction: Prediction, *, seed: int = 0) -> pd.DataFrame:
    """Return the result for every ground-truth part of one shape that holds a point (:data:`PART_COLUMNS`).

    The segment is chosen as in :func:`metrics.shape_metrics`, so that the mean of ``iou`` is the shape's mIoU
    and that of ``iou * right`` its LA-mIoU. A part has its ``share`` of the labeled points, its best ``iou``,
    the name ``given`` to that segment (:data:`NONE`: there is none) and whether it is ``right``; both are
    missing where the method does not name parts. ``seed`` is that of the method's training.
    """
    counts = confusion(prediction.point_part, shape.truth, len(prediction.parts), len(shape.names))
    sizes = counts.sum(axis=1)
    present = np.flatnonzero(sizes)
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
        "category": shape.category, "part": parts, "share": sizes[present] / sizes.sum(), "iou": best,
        "given": pd.array(given, dtype="string"), "right": pd.array(right, dtype="boolean"),
    })  # fmt: skip


def rows_of_methods(
    predictions: Mapping[str, Mapping[str, Prediction]], shapes: Iterable[Labeled]
) -> pd.DataFrame:
    """Return :func:`part_rows` of every shape and method; ``predictions`` are by method and shape id."""
    pairs = product(shapes, predictions.items())
    tables = [part_rows(method, shape, by_id[shape.shape_id]) for shape, (method, by_id) in pairs]
    return pd.concat(tables, ignore_index=True)


def size_table(rows: pd.DataFrame, **bootstrap: Unpack[Bootstrap]) -> pd.DataFrame:
    """Return mIoU and LA-mIoU by the size of the part, as means over parts; shapes are resampled.

    Means over parts weigh shapes with many parts more than the mIoU of a shape does: the means of the bins,
    weighted by ``parts``, give the mean over all parts. The result of :func:`part_rows` becomes a long table
    in which the test set is "seen" or "heldout" and ``n`` counts shapes, with the bin ``size`` and its lower
    end ``above``; ``parts`` are counted over one seed. Raises AlignPartsError if a method's seeds see
    different parts.
    """
    scored = rows.assign(
        miou=rows.iou,
        la_miou=rows.iou * rows.right.astype("boolean").astype("Float64"),
        bin=np.searchsorted(EDGES, rows.share.to_numpy(np.float64)),
        test_set=np.where(rows.test_set == HELDOUT, HELDOUT, SEEN),
    )
    body = []
    for method, test_set, metric in product(dict.fromkeys(rows.method), (SEEN, HELDOUT), METRICS):
        chosen = scored[(scored.method == method) & (scored.test_set == test_set) & scored[metric].notna()]
        for place, group in chosen.groupby("bin"):
            seeds = group.seed.nunique()
            if len(group) % seeds:
                raise AlignPartsError(f"part sizes: the seeds of {method} have different parts")
            by_shape = group[metric].astype(np.float64).groupby(group.shape_id)
            count = by_shape.size().to_numpy(np.float64)
            # The mean over parts, whole shapes resampled, is a sum over a count: one more than a gain.
            gain = relative_gain(by_shape.sum().to_numpy(), count, **bootstrap)
            mean = Interval(gain.value + 1, gain.low + 1, gain.high + 1, gain.n)
            body.append({
                **row(method, test_set, metric, mean, seeds), "size": SIZES[place],
                "above": (0.0, *EDGES)[place], "parts": len(group) // seeds,
            })  # fmt: skip
    return pd.DataFrame(body, columns=[*COLUMNS, "size", "above", "parts"])


def confusions(rows: pd.DataFrame, *, top: int | None = 10) -> pd.DataFrame:
    """Return the wrong names that parts are given most often, by category and over all of them ("all").

    At most ``top`` rows per method and category, the most frequent first: ``part``, wrong name ``given``,
    ``count``, its ``share`` of the ``n`` parts of that name, and ``right``, the share of these that are named
    right. Methods without names are left out of ``rows`` (of :func:`part_rows`).
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
    """Count how often parts of a category (rows) are given a name (columns), from :func:`part_rows`.

    The category's own parts come first in both, the most frequent ahead; then the other names that were
    given, in the same order; :data:`NONE` is last. Raises AlignPartsError if there are several methods and
    none is chosen, or no named part of the category.
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
    Equal values (to 4 digits) share a rank, and all of rank 1 are "best". Raises AlignPartsError as
    :func:`over_seeds`.
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


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    named = rows[rows.given.notna()]
    return named.assign(given=named.given.astype(str), right=named.right.astype(bool))


def _frequent(names: pd.Series) -> list[str]:
    """Return the different names, the most frequent first, ties in alphabetical order."""
    return list(names.value_counts().sort_index().sort_values(ascending=False, kind="stable").index)
