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
    """Choose the ids of shapes by their scores: per quantile the nearest shape, each of a new category.

    The scores are a long frame of :data:`alignparts.evaluation.comparison.COLUMNS`, of which means over seeds
    count, and the test sets all but "heldout" by default. The ids come in the order of the quantiles, fewer
    where there are fewer categories; a draw by the seed decides ties.

    Raises:
        AlignPartsError: the frame has no such score.
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
    """Choose the ids of shapes with the smallest parts, each of another category (Figure 6).

    A part has at least ``least`` points. The smallest by share of the labeled points comes first; ties by id.
    """
    rows = [(*smallest_part(shape)[1:], shape.shape_id, shape.category) for shape in shapes]
    table = pd.DataFrame(rows, columns=["points", "labeled", "shape_id", "category"])
    table = table[table.points >= least].assign(share=table.points / table.labeled)
    ranked = table.sort_values(["share", "shape_id"]).drop_duplicates("category")
    return ranked.shape_id.head(count).tolist()


def smallest_part(shape: Labeled) -> tuple[int, int, int]:
    """Return index and number of points of the smallest ground-truth part, and that of labeled points."""
    parts, counts = np.unique(shape.truth[shape.truth >= 0], return_counts=True)
    smallest = int(counts.argmin())
    return int(parts[smallest]), int(counts[smallest]), int(counts.sum())
