"""Rules by which the shapes of a figure are chosen, without looking at them."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.sampling import seed_of
from alignparts.evaluation.ground_truth import Labeled
from alignparts.evaluation.scoring import OURS


def choose_rows(
    scores: pd.DataFrame,
    *,
    method: str = OURS,
    metric: str = "miou",
    quantiles: Sequence[float] = (0.9, 0.5, 0.1),
    test_sets: Sequence[str] | None = None,
    seed: int = 0,
) -> list[str]:
    """Shapes to show, chosen by their scores alone.

    For every quantile in turn the shape whose score, mean over seeds, is nearest to it, among those of the
    categories that no earlier quantile took. Ties fall by a seeded draw.

    Args:
        scores: the long frame of :data:`alignparts.evaluation.comparison.COLUMNS`.
        method: whose scores.
        metric: its key in the frame.
        quantiles: of the scores of all these shapes, in the order of the rows.
        test_sets: only shapes of these; None: all but "heldout".
        seed: of the draw.

    Returns:
        Ids; fewer than quantiles where there are fewer categories.

    Raises:
        AlignPartsError: no such score.
    """
    kept = scores[(scores["method"] == method) & (scores["metric"] == metric)]
    kept = kept[kept["test_set"].isin(test_sets) if test_sets is not None else kept["test_set"] != "heldout"]
    if kept.empty:
        raise AlignPartsError(f"no score '{metric}' of '{method}' to choose shapes by")
    means = kept.groupby(["shape_id", "category"], sort=True)["value"].mean().reset_index()
    draw = {shape_id: seed_of(str(shape_id), seed) for shape_id in means["shape_id"]}
    chosen: list[str] = []
    taken: set[str] = set()
    for quantile in quantiles:
        aim = float(np.quantile(means["value"], quantile))
        left = [row for row in means.itertuples() if row.category not in taken]
        if not left:
            break
        best = min(left, key=lambda row: (abs(float(row.value) - aim), draw[row.shape_id]))  # type: ignore[arg-type]
        chosen.append(str(best.shape_id))
        taken.add(str(best.category))
    return chosen


def choose_fine(shapes: Iterable[Labeled], count: int = 3, least: int = 10) -> list[str]:
    """Shapes with the smallest smallest part, of different categories (Figure 6).

    Args:
        shapes: to choose from.
        count: how many.
        least: points that the part has at least: fewer are not worth a picture.

    Returns:
        Ids, the smallest part first (by share of labeled points; ties by id).
    """
    found = []
    for shape in shapes:
        _, points, labeled = smallest_part(shape)
        if points >= least:
            found.append((points / labeled, shape.shape_id, shape.category))
    first: dict[str, str] = {}
    for _, shape_id, category in sorted(found):
        first.setdefault(category, shape_id)
    return list(first.values())[:count]


def smallest_part(shape: Labeled) -> tuple[int, int, int]:
    """Index and points of the smallest ground-truth part, and all labeled points.

    Raises:
        AlignPartsError: no point is labeled.
    """
    parts, counts = np.unique(shape.truth[shape.truth >= 0], return_counts=True)
    if not len(parts):
        raise AlignPartsError(f"{shape.shape_id}: no labeled point")
    smallest = int(counts.argmin())
    return int(parts[smallest]), int(counts[smallest]), int(counts.sum())
