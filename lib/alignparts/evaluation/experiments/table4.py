"""Table 4: the value of knowing the number of parts (section 11)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.clustering import cluster_points
from alignparts.evaluation.comparison import (
    Bootstrap,
    Claim,
    arranged,
    readable,
    score_table,
    set_order,
)
from alignparts.evaluation.ground_truth import HELDOUT, SEEN, labeled_shapes
from alignparts.evaluation.scoring import frame, score, score_rows, similarity_of
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.naming.inference import (
    category_candidates,
    forward,
    name_parts,
    open_vocabulary,
    part_cosines,
)
from alignparts.naming.prediction import Candidate, Encode, Partlets, Prediction
from alignparts.ontology.vocabulary import Vocabulary

CLUSTERS = "Clustering + part number"
NUMBER = "+ part number"
NONE = "No part number"
METRICS = ("mIoU", "LA-mIoU")
CLAIMS = [Claim(NUMBER, NONE, "miou"), Claim(NONE, CLUSTERS, "miou"), Claim(NUMBER, CLUSTERS, "miou")]
"""The order of the paper's Table 4."""


def most_salient(partlets: Partlets, parts: int) -> Partlets:
    """Return as many partlets as there are parts, the most salient first (section 11).

    Salience is partness times the mean mask probability. All count as active: where the number of parts is
    known, partness chooses by rank alone. Fewer come out where the model has fewer.

    Raises:
        AlignPartsError: fewer than one part.
    """
    if parts < 1:
        raise AlignPartsError(f"number of parts: expected at least 1, got {parts}")
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
) -> Prediction:
    """Segment a shape into a known number of parts: the most salient masks share out all points.

    Args:
        partlets: the model's output for the shape.
        parts: true number of parts.
        encode: the text encoder's ``encode``.
        candidates: names to choose from.
        category: category of the candidates.
        once: give each name once, by exact assignment on Eq. 17, so that masks beyond the names stay without
            one (""); else each mask takes the nearest name (Eq. 19).

    Raises:
        AlignPartsError: fewer than one part, or no candidates.
    """
    kept = most_salient(partlets, parts)
    point_part = kept.mask.argmax(axis=0).astype(np.int64)
    cosines = part_cosines(kept, np.arange(len(kept.embeddings)), encode, candidates)
    rows, columns = np.arange(len(cosines)), cosines.argmax(axis=1)
    if once:
        rows, columns = linear_sum_assignment(1 - cosines)
    names = [""] * len(cosines)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        names[row] = candidates[column].name
    return Prediction.of_names(point_part, names, category)


def evaluate_part_number(
    store: FeatureStore,
    model: AlignParts,
    encode: Encode,
    vocabulary: Vocabulary,
    *,
    points: int = 2048,
    seed: int = 0,
    splits: Sequence[str] = ("test", "heldout"),
) -> pd.DataFrame:
    """Return the scores of the three rows of Table 4 on a feature store.

    Names come from the closed vocabulary of the predicted category (Eq. 16); for held-out categories from
    the open vocabulary of the shape's own part names.

    Args:
        store: features and ground truth of every shape.
        model: the trained model.
        encode: the text encoder's ``encode``.
        vocabulary: the unified vocabulary.
        points: most points per shape.
        seed: seed of the subset of points and of k-means.
        splits: names of the splits to evaluate on.

    Raises:
        AlignPartsError: no shape of these splits has a labeled point.
    """
    rows, similarity = [], similarity_of(encode)
    for shape in labeled_shapes(store, splits, points, seed):
        parts = len(np.unique(shape.truth[shape.truth >= 0]))
        partlets = forward(model, shape.arrays)
        category, candidates = "", [Candidate(name) for name in shape.present]
        if shape.heldout:
            ours = open_vocabulary(partlets, encode, candidates)
        else:
            ours = name_parts(partlets, encode, vocabulary)
            category, candidates = ours.category, category_candidates(vocabulary, ours.category)
        predictions = {
            CLUSTERS: Prediction.unnamed(cluster_points(partlets.fused, parts, seed=seed)),
            NUMBER: with_part_number(
                partlets, parts, encode, candidates, category=category, once=not shape.heldout
            ),
            NONE: ours,
        }
        for method, prediction in predictions.items():
            rows += score_rows(shape, method, score(prediction, shape, similarity), seed)
    return frame(rows)


def table4(scores: pd.DataFrame, **bootstrap: Unpack[Bootstrap]) -> pd.DataFrame:
    """Return the long table of Table 4's metrics; the test set "seen" pools all but held-out shapes."""
    seen = scores[scores.test_set != HELDOUT].assign(test_set=SEEN)
    table = pd.concat([score_table(scores, **bootstrap), score_table(seen, sets=(), **bootstrap)])
    *sets, heldout = set_order(scores)
    return arranged(
        readable(table), method=(CLUSTERS, NUMBER, NONE), metric=METRICS, test_set=[*sets, SEEN, heldout]
    )
