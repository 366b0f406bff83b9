"""Accuracy against a setting, beyond the paper: points of a shape, or what a model was trained with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from scipy.spatial import cKDTree

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import COLUMNS, SETS, score_table
from alignparts.evaluation.ground_truth import Labeled, labeled_shapes
from alignparts.evaluation.methods import Segments
from alignparts.evaluation.scoring import OURS, similarity_of, subset
from alignparts.evaluation.scoring_methods import score
from alignparts.features.store import FeatureStore
from alignparts.naming.prediction import Encode, Prediction

Finder = Callable[[Labeled], Mapping[str, Segments | Prediction]]
"""What methods make of a shape, by what tables call them."""


def points_scores(
    store: FeatureStore,
    find: Finder,
    encode: Encode,
    *,
    points: Sequence[int] = (256, 512, 1024, 2048, 4096),
    splits: Sequence[str] = ("test", "heldout"),
    ids: Sequence[str] | None = None,
    scored: int = 4096,
    seed: int = 0,
) -> pd.DataFrame:
    """Scores of methods that see fewer and fewer points of a shape, all scored on the same points.

    Labels go from the points that a method sees to those that it is scored on by the nearest one. Scored on
    the seen points alone, small parts without a point would drop out of the truth and few points look better
    than they are. Fewer points are a subset of more (:func:`alignparts.evaluation.scoring.subset`).

    Args:
        store: features and ground truth of every shape.
        find: what methods make of a shape; ``present`` names the parts of the points scored, at all numbers.
        encode: the text encoder's ``encode``, for rLA-mIoU.
        points: how many points the methods see.
        splits: which shapes.
        ids: of these, those to take; all by default.
        scored: points a shape that scores are taken on, at most as many as are stored.
        seed: of the subsets; also what the scores are marked with.

    Returns:
        :data:`alignparts.evaluation.comparison.COLUMNS` and ``points``.

    Raises:
        AlignPartsError: no shape of these splits, more points seen than scored, or what a method raises.
    """
    if not points or min(points) < 1 or max(points) > scored:
        raise AlignPartsError(f"points: expected numbers from 1 to {scored}, got {list(points)}")
    body, similarity = [], similarity_of(encode)
    for shape in labeled_shapes(store, splits, scored, seed, ids):
        for count in points:
            seen = at_points(shape, count, seed)
            nearest = cKDTree(seen.arrays["points"]).query(shape.arrays["points"])[1]
            for method, found in find(seen).items():
                values = score(replace(found, point_part=found.point_part[nearest]), shape, similarity)
                body += [
                    (method, seed, shape.shape_id, shape.test_set, shape.category, metric, value, count)
                    for metric, value in values.items()
                ]
    return pd.DataFrame(body, columns=[*COLUMNS, "points"])


def at_points(shape: Labeled, points: int, seed: int = 0) -> Labeled:
    """The same shape at fewer of its points, its part names unchanged."""
    arrays = subset({**shape.arrays, "part": shape.truth}, points, shape.shape_id, seed)
    return replace(shape, arrays=arrays, truth=arrays["part"])


def setting_table(
    scores: pd.DataFrame,
    setting: str,
    settings: Mapping[str, int | float] | None = None,
    *,
    method: str = OURS,
    sets: Sequence[str] = SETS,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Accuracy against a setting: the long table of every value, with a column for it.

    Args:
        scores: of :func:`points_scores`, which has the column already; or of variants of one method
            (:data:`alignparts.evaluation.comparison.COLUMNS`), every one with its own seeds.
        setting: what the column is called.
        settings: value by what the scores call the variant; others are left out.
        method: what the variants are called as one curve.
        sets: that the average is over.
        resamples: bootstrap samples.
        confidence: of the intervals.
        seed: of the resampling.

    Raises:
        AlignPartsError: a variant without scores, no such column, or as
            :func:`alignparts.evaluation.comparison.over_seeds`.
    """
    if settings is not None:
        missing = [name for name in settings if name not in set(scores.method)]
        if missing:
            raise AlignPartsError(f"{setting}: no scores of '{missing[0]}'; train it, or leave it out")
        scores = scores[scores.method.isin(list(settings))]
        scores = scores.assign(**{setting: scores.method.map(dict(settings))}).assign(method=method)
    if setting not in scores or not len(scores):
        raise AlignPartsError(f"scores: no column '{setting}', or nothing in it; name the variants' values")
    options: dict[str, Any] = {
        "sets": sets, "resamples": resamples, "confidence": confidence, "seed": seed,
    }  # fmt: skip
    tables = [
        score_table(group.drop(columns=setting), **options).assign(**{setting: value})
        for value, group in scores.groupby(setting)
    ]
    return pd.concat(tables, ignore_index=True)
