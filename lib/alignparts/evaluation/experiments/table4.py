"""Table 4: what knowing the number of parts is worth (section 11)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.clustering import cluster_points
from alignparts.evaluation.comparison import Claim
from alignparts.evaluation.ground_truth import labeled_shapes
from alignparts.evaluation.methods import Segments
from alignparts.evaluation.scoring import Evaluation, Score, similarity_of, table2
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.model.metrics import shape_metrics
from alignparts.naming.inference import (
    category_candidates,
    forward,
    given_number,
    name_parts,
    open_vocabulary,
)
from alignparts.naming.prediction import Candidate, Encode, Partlets
from alignparts.ontology.vocabulary import Vocabulary

CLUSTERS = "Clustering + part number"
NUMBER = "+ part number"
NONE = "No part number"
METRICS = ("mIoU", "LA-mIoU")
CLAIMS = [Claim(NUMBER, NONE, "miou"), Claim(NONE, CLUSTERS, "miou"), Claim(NUMBER, CLUSTERS, "miou")]
"""The order of the paper's Table 4."""


def most_salient(partlets: Partlets, parts: int) -> Partlets:
    """The partlets that :func:`alignparts.naming.inference.given_number` keeps, the most salient first.

    All of them count as active: where the number of parts is known, partness chooses by rank alone.
    """
    salience = partlets.partness * partlets.mask.mean(axis=1)
    kept = np.argsort(-salience, kind="stable")[:parts]
    return replace(
        partlets,
        mask=partlets.mask[kept],
        partness=np.ones(len(kept), np.float32),
        embeddings=partlets.embeddings[kept],
    )


def with_part_number(
    partlets: Partlets,
    parts: int,
    encode: Encode,
    candidates: Sequence[Candidate],
    *,
    category: str = "",
    once: bool = True,
) -> Segments:
    """Names for a known number of parts: the most salient masks share out all points, each gets a name.

    Args:
        partlets: what the model says about the shape.
        parts: the true number of parts.
        encode: the text encoder's ``encode``.
        candidates: the names to choose from.
        category: what the shape was taken for.
        once: a name is given once, by exact assignment on Eq. 17, and masks beyond the names stay without
            one (""); else each takes the nearest name (Eq. 19).

    Raises:
        AlignPartsError: fewer than one part.
    """
    point_part = given_number(partlets, parts)
    kept = most_salient(partlets, parts)
    cosines = _unit(kept.embeddings) @ np.asarray(encode([one.text for one in candidates])).T
    names = [""] * len(cosines)
    rows, columns = linear_sum_assignment(1 - cosines)
    if not once:
        rows, columns = np.arange(len(cosines)), cosines.argmax(axis=1)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        names[row] = candidates[column].name
    return Segments(point_part, names, category)


def evaluate_part_number(
    store: FeatureStore,
    model: AlignParts,
    encode: Encode,
    vocabulary: Vocabulary,
    *,
    points: int = 2048,
    seed: int = 0,
    splits: Sequence[str] = ("test", "heldout"),
) -> Evaluation:
    """The three rows of Table 4 on a feature store.

    Names come from the closed vocabulary of the category that is found (Eq. 16); for held-out categories from
    the open vocabulary of the shape's own part names.

    Args:
        store: features and ground truth of every shape.
        model: the trained model.
        encode: the text encoder's ``encode``.
        vocabulary: the unified vocabulary.
        points: points a shape.
        seed: of the subset and of k-means.
        splits: which shapes.

    Raises:
        AlignPartsError: no shape of these splits, or none with a labeled point.
    """
    result, similarity = Evaluation(), similarity_of(encode)
    for shape in labeled_shapes(store, splits, points, seed):
        parts = len(np.unique(shape.truth[shape.truth >= 0]))
        partlets = forward(model, shape.arrays)
        category, candidates = "", [Candidate(name) for name in shape.present]
        if shape.heldout:
            ours = open_vocabulary(partlets, encode, candidates)
        else:
            ours = name_parts(partlets, encode, vocabulary)
            category, candidates = ours.category, category_candidates(vocabulary, ours.category)
        known = with_part_number(
            partlets, parts, encode, candidates, category=category, once=not shape.heldout
        )
        found: dict[str, tuple[np.ndarray, list[str] | int]] = {
            CLUSTERS: (cluster_points(partlets.fused, parts, seed=seed), parts),
            NUMBER: (known.point_part, known.names or []),
            NONE: (ours.point_part, ours.names),
        }
        for method, (point_part, names) in found.items():
            values = shape_metrics(point_part, names, shape.truth, shape.names, similarity)
            result.scores.append(Score(shape.shape_id, shape.test_set, shape.category, method, values))
    if not result.scores:
        raise AlignPartsError(f"no shape of {' or '.join(splits)} has a labeled point")
    return result


def table4(
    evaluation: Evaluation, *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """The long table of Table 4's metrics; its test sets are those of :func:`scoring.table2`."""
    table = table2(evaluation, resamples=resamples, confidence=confidence, seed=seed)
    return table[table.metric.isin(METRICS)].reset_index(drop=True)


def _unit(vectors: Float[np.ndarray, "k d"]) -> Float[np.ndarray, "k d"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
