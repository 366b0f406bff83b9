"""Rules that choose the shapes of a figure by numbers alone."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.sampling import seed_of
from alignparts.evaluation.ground_truth import Labeled
from alignparts.evaluation.methods import OURS


def choose_rows(
    scores: pd.DataFrame,
    *,
    method: str = OURS,
    metric: str = "miou",
    quantiles: Sequence[float] = (0.9, 0.5, 0.1),
    test_sets: Sequence[str] | None = None,
    seed: int = 0,
) -> list[str]:
    """Choose shapes by their scores: for every quantile the shape nearest to it, each of a new category.

    Args:
        scores: Long frame of :data:`alignparts.evaluation.comparison.COLUMNS`; means over seeds count.
        method: Method whose scores count.
        metric: Key of the metric in the frame.
        quantiles: Quantiles of the scores of all these shapes, in the order of the rows.
        test_sets: Test sets to choose from; None for all but "heldout".
        seed: Seed of the draw that decides ties.

    Returns:
        Ids; fewer than quantiles where there are fewer categories.

    Raises:
        AlignPartsError: The frame has no such score.
    """
    wanted = scores.test_set != "heldout" if test_sets is None else scores.test_set.isin(test_sets)
    left = scores[wanted & (scores.method == method) & (scores.metric == metric)]
    if left.empty:
        raise AlignPartsError(f"no score '{metric}' of '{method}' to choose shapes by")
    left = left.groupby(["shape_id", "category"], sort=True).value.mean().reset_index()
    left["draw"] = [seed_of(str(shape_id), seed) for shape_id in left.shape_id]
    chosen: list[str] = []
    for aim in np.quantile(left.value, quantiles):
        if len(left):
            ranked = left.assign(distance=(left.value - aim).abs()).sort_values(["distance", "draw"])
            chosen.append(str(ranked.shape_id.iloc[0]))
            left = left[left.category != ranked.category.iloc[0]]
    return chosen


def choose_fine(shapes: Iterable[Labeled], count: int = 3, least: int = 10) -> list[str]:
    """Choose the shapes with the smallest parts, each of another category (Figure 6).

    Args:
        shapes: Shapes to choose from.
        count: Number of shapes.
        least: Fewest points that the part must have.

    Returns:
        Ids, the smallest part first (by share of labeled points; ties by id).
    """
    ranked = []
    for shape in shapes:
        _, points, labeled = smallest_part(shape)
        if points >= least:
            ranked.append((points / labeled, shape.shape_id, shape.category))
    first: dict[str, str] = {}
    for _, shape_id, category in sorted(ranked):
        first.setdefault(category, shape_id)
    return list(first.values())[:count]


def smallest_part(shape: Labeled) -> tuple[int, int, int]:
    """Return index and number of points of the smallest ground-truth part, and the number of labeled points.

    Raises:
        AlignPartsError: No point is labeled.
    """
    parts, counts = np.unique(shape.truth[shape.truth >= 0], return_counts=True)
    if not len(parts):
        raise AlignPartsError(f"{shape.shape_id}: no labeled point")
    smallest = int(counts.argmin())
    return int(parts[smallest]), int(counts[smallest]), int(counts.sum())
