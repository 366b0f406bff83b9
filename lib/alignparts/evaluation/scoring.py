"""Scores of methods on the test shapes of a feature store: one engine for every table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alignparts.evaluation.comparison import COLUMNS
from alignparts.evaluation.ground_truth import Labeled, labeled_shapes
from alignparts.evaluation.methods import Entrant
from alignparts.features.store import FeatureStore
from alignparts.model.metrics import TextSimilarity, shape_metrics
from alignparts.naming.prediction import Encode, Prediction
from alignparts.ontology.vocabulary import words


@dataclass(frozen=True)
class Evaluation:
    """Scores of several entrants (:data:`comparison.COLUMNS`); predictions by label and shape."""

    scores: pd.DataFrame
    predictions: dict[str, dict[str, Prediction]]


def similarity_of(encode: Encode) -> TextSimilarity:
    """Return the cosines of names in the text encoder's space, for rLA-mIoU."""

    def similarity(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
        return encode([words(name) for name in first]) @ encode([words(name) for name in second]).T

    return similarity


def score(
    prediction: Prediction, shape: Labeled, similarity: TextSimilarity | None = None
) -> dict[str, float]:
    """Return :func:`metrics.shape_metrics` of a prediction; without names those of its segments alone."""
    names = prediction.names if prediction.named else len(prediction.parts)
    return shape_metrics(prediction.point_part, names, shape.truth, shape.names, similarity)


def score_rows(
    shape: Labeled, method: str, values: Mapping[str, float], seed: int = 0, **columns: Any
) -> list[dict[str, Any]]:
    """Return the scores of one shape, a row per metric; ``columns`` are further ones or overwrite these."""
    return [
        {"method": method, "seed": seed, "shape_id": shape.shape_id, "test_set": shape.test_set,
         "category": shape.category, "metric": metric, "value": value, **columns}
        for metric, value in values.items()
    ]  # fmt: skip


def frame(rows: Iterable[Mapping[str, Any]], *columns: str) -> pd.DataFrame:
    """Return rows of :func:`score_rows` as a table of :data:`comparison.COLUMNS` and further columns."""
    return pd.DataFrame(list(rows), columns=[*COLUMNS, *columns])


def evaluate(
    store: FeatureStore,
    entrants: Sequence[Entrant],
    encode: Encode,
    *,
    points: int = 2048,
    seed: int = 0,
    splits: Sequence[str] = ("test", "heldout"),
    ids: Sequence[str] | None = None,
    training_seed: int | None = None,
) -> Evaluation:
    """Score every entrant on the same points of the same shapes (:func:`ground_truth.labeled_shapes`).

    The entrants have different labels; ``encode`` is the text encoder's, for rLA-mIoU. ``training_seed`` is
    that of the methods' training, for the column ``seed``; ``seed``, that of the points, by default.
    """
    rows, predictions = [], dict[str, dict[str, Prediction]]()
    similarity = similarity_of(encode)
    for shape in labeled_shapes(store, splits, points, seed, ids):
        for entrant in entrants:
            if entrant.eligible is not None and not entrant.eligible(shape):
                continue
            prediction = entrant.predict(shape)
            values = score(prediction, shape, similarity)
            if entrant.finds_category and not shape.heldout:
                values["category"] = float(prediction.category == shape.category)
            rows += score_rows(shape, entrant.label, values, seed if training_seed is None else training_seed)
            predictions.setdefault(entrant.label, {})[shape.shape_id] = prediction
    return Evaluation(frame(rows), predictions)
