"""Retrieval of parts by a query in words (section 12.3), by Find3D's metric and with Find3D's queries."""

from collections.abc import Callable, Sequence
from typing import Unpack

import numpy as np
import pandas as pd
from jaxtyping import Bool

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import Bootstrap, Claim, arranged, score_table, set_order
from alignparts.evaluation.experiments.table4 import most_salient
from alignparts.evaluation.ground_truth import Labeled, labeled_shapes
from alignparts.evaluation.methods import FIND3D, Given, Method
from alignparts.evaluation.scoring import frame, score_rows
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.naming.inference import closed_vocabulary, forward, retrieval
from alignparts.naming.prediction import Candidate, Encode, Partlets, Prediction
from alignparts.ontology.vocabulary import Vocabulary, words

CONSTRAINED = "ALIGN-Parts, constrained"
QUERIED = "ALIGN-Parts, by query"
NAME = "{part}"
NAME_OF_OBJECT = "{part} of a {object}"
DESCRIPTION = "description"
"""The vocabulary's affordance description; the name where it has none."""
QUERIES = (DESCRIPTION, NAME, NAME_OF_OBJECT)
CLAIMS = [Claim(ours, FIND3D, query) for ours in (CONSTRAINED, QUERIED) for query in QUERIES]
"""Section 12.3."""

Masks = Bool[np.ndarray, "q n"]


def query_text(query: str, vocabulary: Vocabulary, category: str, part: str) -> str:
    """Return the text of a query for a part.

    Args:
        query: "description", or a phrase with ``{part}`` and ``{object}`` in it.
        vocabulary: names and descriptions.
        category: category of the object.
        part: name of the part.
    """
    if query != DESCRIPTION:
        return query.format(part=words(part), object=words(category))
    return vocabulary.description(category, part) if vocabulary.has(category, part) else words(part)


def constrained(partlets: Partlets, encode: Encode, candidates: Sequence[Candidate]) -> Prediction:
    """Name the parts of a shape as section 12.3 does: their names, and so their number, are given.

    As many of the most salient partlets as there are names are active, and each takes one name.
    """
    return closed_vocabulary(most_salient(partlets, len(candidates)), encode, candidates)


def masks_of(prediction: Prediction, names: Sequence[str]) -> Masks:
    """Return the points of every name: those of all segments of that name.

    Raises:
        AlignPartsError: the segments have no names.
    """
    if not prediction.named:
        raise AlignPartsError("retrieval: segments without names answer no query")
    called = np.array([[name == other for other in (*prediction.names, None)] for name in names])
    return called[:, np.where(prediction.point_part < 0, -1, prediction.point_part)]


def query_iou(
    found: Masks, truth: Bool[np.ndarray, "p m"], counted: Bool[np.ndarray, " m"] | None = None
) -> float:
    """Return Find3D's metric of one shape: mean IoU, over the queries, of the returned points with the part.

    Args:
        found: points that every query returns; they may overlap.
        truth: points of every query's part.
        counted: points that count; None: all.

    Returns:
        The mean over the queries with a non-empty union; 0 where there is none.

    Raises:
        AlignPartsError: the two are not of one shape.
    """
    if found.shape != truth.shape:
        raise AlignPartsError(f"retrieval: answers are {found.shape}, parts {truth.shape}")
    if counted is not None:
        found, truth = found[:, counted], truth[:, counted]
    inside = np.logical_and(found, truth).sum(axis=1)
    union = np.logical_or(found, truth).sum(axis=1)
    iou = inside[union > 0] / union[union > 0]
    return float(iou.mean()) if len(iou) else 0.0


def evaluate_retrieval(
    store: FeatureStore,
    model: AlignParts,
    encode: Encode,
    vocabulary: Vocabulary,
    methods: Sequence[Method] = (),
    *,
    queries: Sequence[str] = QUERIES,
    background: bool = False,
    points: int = 2048,
    seed: int = 0,
    splits: Sequence[str] = ("test", "heldout"),
) -> pd.DataFrame:
    """Query every part that is present, one query per part.

    ALIGN-Parts answers all queries of a shape together (:func:`constrained`), and each alone (mode 3,
    :func:`inference.retrieval`). Other methods are given the queries as names, and their number, but no
    category: a query names the object itself or does without.

    Args:
        store: features and ground truth of every shape.
        model: the trained model.
        encode: the text encoder's ``encode``.
        vocabulary: names and descriptions.
        methods: other methods that name parts.
        queries: kinds of queries, see :func:`query_text`.
        background: count points without a ground-truth label as belonging to no part, as Find3D's benchmark
            does; else they count on neither side, as in the other tables.
        points: most points per shape.
        seed: seed of the subset of points.
        splits: names of the splits to evaluate on.

    Returns:
        Scores (:data:`comparison.COLUMNS`); the metric is the kind of query.

    Raises:
        AlignPartsError: no shape of these splits has a labeled point.
    """
    rows = []
    for shape in labeled_shapes(store, splits, points, seed):
        partlets = forward(model, shape.arrays)
        truth = masks_of(Prediction.of_names(shape.truth, shape.names), shape.present)
        counted = None if background else shape.truth >= 0
        texts = {
            query: [query_text(query, vocabulary, shape.category, name) for name in shape.present]
            for query in queries
        }
        for label, answer in answerers(shape, partlets, encode, methods).items():
            values = {query: query_iou(answer(said), truth, counted) for query, said in texts.items()}
            rows += score_rows(shape, label, values, seed)
    return frame(rows)


def retrieval_table(scores: pd.DataFrame, **bootstrap: Unpack[Bootstrap]) -> pd.DataFrame:
    """Return the long table: a metric is "IoU, " and the query; test sets are as in Table 2."""
    table = arranged(
        score_table(scores, **bootstrap),
        method=list(dict.fromkeys(scores.method)),
        metric=list(dict.fromkeys(scores.metric)),
        test_set=set_order(scores),
    )
    return table.assign(metric="IoU, " + table.metric)


def answerers(
    shape: Labeled, partlets: Partlets, encode: Encode, methods: Sequence[Method]
) -> dict[str, Callable[[Sequence[str]], Masks]]:
    """Return every method as a function from all query texts of a shape to the points of each query."""

    def together(texts: Sequence[str]) -> Masks:
        # A partlet takes a candidate, so that two parts of one text must stay two candidates.
        names = [str(number) for number in range(len(texts))]
        candidates = [Candidate(name, text) for name, text in zip(names, texts, strict=True)]
        return masks_of(constrained(partlets, encode, candidates), names)

    def one_by_one(texts: Sequence[str]) -> Masks:
        return np.stack([
            retrieval(partlets, encode, Candidate(text, text)).point_part >= 0 for text in texts
        ])  # fmt: skip

    def asked(method: Method) -> Callable[[Sequence[str]], Masks]:
        return lambda texts: masks_of(
            method.predict(shape.arrays, Given(names=tuple(dict.fromkeys(texts)), parts=len(texts))), texts
        )

    ours = {CONSTRAINED: together, QUERIED: one_by_one}
    return ours | {method.label: asked(method) for method in methods}
