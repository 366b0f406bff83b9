"""Modes of inference: the number of parts known (Table 4, section 11), parts found by a query (section 12.3).

Retrieval is scored by Find3D's metric and with Find3D's queries.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Unpack

import numpy as np
import pandas as pd
from jaxtyping import Bool
from scipy.optimize import linear_sum_assignment

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.clustering import cluster_points
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.comparison import Claim, arranged, readable, score_table, set_order
from alignparts.evaluation.ground_truth import HELDOUT, SEEN, Labeled, labeled_shapes
from alignparts.evaluation.intervals import Bootstrap
from alignparts.evaluation.methods import FIND3D, Given, Method
from alignparts.evaluation.scoring import frame, score, score_rows, similarity_of
from alignparts.features.store import FeatureStore
from alignparts.naming import inference
from alignparts.naming.prediction import Candidate, Encode, Partlets, Prediction
from alignparts.naming.segments import part_cosines
from alignparts.ontology.vocabulary import Vocabulary, words

CLUSTERS = "Clustering + part number"
NUMBER = "+ part number"
NONE = "No part number"
METRICS = ("mIoU", "LA-mIoU")
NUMBER_CLAIMS = [Claim(NUMBER, NONE, "miou"), Claim(NONE, CLUSTERS, "miou"), Claim(NUMBER, CLUSTERS, "miou")]
"""The order of the paper's Table 4."""

CONSTRAINED = "ALIGN-Parts, constrained"
QUERIED = "ALIGN-Parts, by query"
NAME = "{part}"
NAME_OF_OBJECT = "{part} of a {object}"
DESCRIPTION = "description"
"""The vocabulary's affordance description; the name where it has none."""
QUERIES = (DESCRIPTION, NAME, NAME_OF_OBJECT)
QUERY_CLAIMS = [Claim(ours, FIND3D, query) for ours in (CONSTRAINED, QUERIED) for query in QUERIES]
"""Section 12.3."""

Masks = Bool[np.ndarray, "q n"]


def most_salient(partlets: Partlets, parts: int) -> Partlets:
    """Return as many partlets as there are parts, the most salient first (section 11).

    Salience is partness times the mean mask probability. All count as active: where the number of parts is
    known, partness chooses by rank alone. Fewer come out where the model has fewer.
    """
    salience = partlets.partness * partlets.mask.mean(axis=1)
    chosen = np.argsort(-salience, kind="stable")[:parts]
    return replace(
        partlets, mask=partlets.mask[chosen], partness=np.ones(len(chosen), np.float32),
        embeddings=partlets.embeddings[chosen],
    )  # fmt: skip


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

    ``once`` gives each of the category's candidates once, by exact assignment on Eq. 17, so that masks beyond
    the names stay without one (""); else each mask takes the nearest name (Eq. 19).
    """
    salient = most_salient(partlets, parts)
    cosines = part_cosines(salient.embeddings, encode, candidates)
    chosen = cosines.argmax(axis=1)
    if once:
        rows, columns = linear_sum_assignment(1 - cosines)
        chosen = np.full(len(cosines), len(candidates))
        chosen[rows] = columns
    names = [*(candidate.name for candidate in candidates), ""]
    point_part = salient.mask.argmax(axis=0).astype(np.int64)
    return Prediction.of_names(point_part, [names[index] for index in chosen.tolist()], category)


def evaluate_part_number(
    store: FeatureStore,
    ours: Ours,
    *,
    points: int = 2048,
    seed: int = 0,
    splits: Sequence[str] = ("test", "heldout"),
) -> pd.DataFrame:
    """Return the scores of the three rows of Table 4 on :func:`ground_truth.labeled_shapes`.

    Names come from the closed vocabulary of the predicted category (Eq. 16); for held-out categories from the
    open vocabulary of the shape's own part names. ``seed`` is also that of k-means. Raises AlignPartsError if
    no shape of these splits has a labeled point.
    """
    rows, encode, vocabulary = [], ours.encode, ours.vocabulary
    similarity = similarity_of(encode)
    for shape in labeled_shapes(store, splits, points, seed):
        parts, partlets = (
            len(np.unique(shape.truth[shape.truth >= 0])),
            inference.forward(ours.model, shape.arrays),
        )
        category, candidates = "", [Candidate(name) for name in shape.present]
        if shape.heldout:
            plain = inference.open_vocabulary(partlets, encode, candidates)
        else:
            plain = inference.name_parts(partlets, encode, vocabulary)
            category, candidates = plain.category, inference.category_candidates(vocabulary, plain.category)
        predictions = {
            CLUSTERS: Prediction.unnamed(cluster_points(partlets.fused, parts, seed=seed)),
            NUMBER: with_part_number(
                partlets, parts, encode, candidates, category=category, once=not shape.heldout
            ),
            NONE: plain,
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


def query_text(query: str, vocabulary: Vocabulary, category: str, part: str) -> str:
    """Return the text of a query for a part: a phrase with its placeholders filled, or the description."""
    if query != DESCRIPTION:
        return query.format(part=words(part), object=words(category))
    return vocabulary.description(category, part) if vocabulary.has(category, part) else words(part)


def constrained(partlets: Partlets, encode: Encode, candidates: Sequence[Candidate]) -> Prediction:
    """Name the most salient partlets, as many as there are names, each with one of them (section 12.3)."""
    return inference.closed_vocabulary(most_salient(partlets, len(candidates)), encode, candidates)


def masks_of(prediction: Prediction, names: Sequence[str]) -> Masks:
    """Return the points of all segments of every name; AlignPartsError if the segments have no names."""
    if not prediction.named:
        raise AlignPartsError("retrieval: segments without names answer no query")
    equal = np.array([[name == other for other in (*prediction.names, None)] for name in names])
    return equal[:, np.where(prediction.point_part < 0, -1, prediction.point_part)]


def query_iou(returned: Masks, truth: Masks, counted: Bool[np.ndarray, " n"] | None = None) -> float:
    """Return Find3D's metric of one shape: mean IoU, over the queries, of the returned points with the part.

    Queries may return overlapping points; only ``counted`` points count, by default all. A query with an
    empty union is left out; the result is 0 where all are.
    """
    if counted is not None:
        returned, truth = returned[:, counted], truth[:, counted]
    union = (returned | truth).sum(axis=1)
    iou = (returned & truth).sum(axis=1)[union > 0] / union[union > 0]
    return float(iou.mean()) if len(iou) else 0.0


def evaluate_retrieval(
    store: FeatureStore,
    ours: Ours,
    methods: Sequence[Method] = (),
    *,
    queries: Sequence[str] = QUERIES,
    background: bool = False,
    points: int = 2048,
    seed: int = 0,
    splits: Sequence[str] = ("test", "heldout"),
) -> pd.DataFrame:
    """Query every part that is present on :func:`ground_truth.labeled_shapes`, one query per part.

    ALIGN-Parts answers all queries of a shape together (:func:`constrained`), and each alone (mode 3,
    :func:`inference.retrieval`). Other methods are given the queries as names, and their number, but no
    category: a query names the object itself or does without. The kinds of ``queries`` (:func:`query_text`)
    are the metrics of the scores. With ``background``, points without a ground-truth label belong to no part,
    as in Find3D's benchmark; else they count on neither side, as in the other tables.
    """
    rows = []
    for shape in labeled_shapes(store, splits, points, seed):
        truth = masks_of(Prediction.of_names(shape.truth, shape.names), shape.present)
        counted = None if background else shape.truth >= 0
        asked = {
            query: [query_text(query, ours.vocabulary, shape.category, name) for name in shape.present]
            for query in queries
        }
        for label, answer in answerers(shape, ours, methods).items():
            values = {query: query_iou(answer(texts), truth, counted) for query, texts in asked.items()}
            rows += score_rows(shape, label, values, seed)
    return frame(rows)


def retrieval_table(scores: pd.DataFrame, **bootstrap: Unpack[Bootstrap]) -> pd.DataFrame:
    """Return the long table: a metric is "IoU, " and the query; test sets are as in Table 2."""
    orders = {name: list(dict.fromkeys(scores[name])) for name in ("method", "metric")}
    table = arranged(score_table(scores, **bootstrap), **orders, test_set=set_order(scores))
    return table.assign(metric="IoU, " + table.metric)


def answerers(
    shape: Labeled, ours: Ours, methods: Sequence[Method]
) -> dict[str, Callable[[Sequence[str]], Masks]]:
    """Return every method as a function from all query texts of a shape to the points of each query."""
    partlets, encode = inference.forward(ours.model, shape.arrays), ours.encode

    def together(texts: Sequence[str]) -> Masks:
        # A partlet takes a candidate, so that two parts of one text must stay two candidates.
        names = [str(number) for number in range(len(texts))]
        candidates = [Candidate(name, text) for name, text in zip(names, texts, strict=True)]
        return masks_of(constrained(partlets, encode, candidates), names)

    def one_by_one(texts: Sequence[str]) -> Masks:
        alone = [inference.retrieval(partlets, encode, Candidate(text, text)) for text in texts]
        return np.stack([prediction.point_part >= 0 for prediction in alone])

    def asked(method: Method) -> Callable[[Sequence[str]], Masks]:
        return lambda texts: masks_of(
            method.predict(shape.arrays, Given(names=tuple(dict.fromkeys(texts)), parts=len(texts))), texts
        )

    return {CONSTRAINED: together, QUERIED: one_by_one} | {method.label: asked(method) for method in methods}
