"""Parts found by a query in words (section 12.3), by Find3D's metric and with Find3D's queries."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation import tables
from alignparts.evaluation.comparison import Claim
from alignparts.evaluation.experiments.table4 import most_salient
from alignparts.evaluation.ground_truth import Labeled, labeled_shapes
from alignparts.evaluation.methods import Given, Method, Segments
from alignparts.evaluation.scoring import SETS, Evaluation, Score
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.model.metrics import interval
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
CLAIMS = [Claim(ours, "Find3D", query) for ours in (CONSTRAINED, QUERIED) for query in QUERIES]
"""Section 12.3."""

Masks = Bool[np.ndarray, "q n"]


def query_text(query: str, vocabulary: Vocabulary, category: str, part: str) -> str:
    """What a query for a part says.

    Args:
        query: "description", or a phrase with ``{part}`` and ``{object}`` in it.
        vocabulary: where descriptions come from.
        category: what the object is.
        part: name of the part.
    """
    if query != DESCRIPTION:
        return query.format(part=words(part), object=words(category))
    return vocabulary.description(category, part) if vocabulary.has(category, part) else words(part)


def constrained(partlets: Partlets, encode: Encode, candidates: Sequence[Candidate]) -> Prediction:
    """Retrieval as section 12.3 sets it up: the names are those of the parts present, and so is their number.

    As many of the most salient partlets as there are names are active, and each takes one name.
    """
    return closed_vocabulary(most_salient(partlets, len(candidates)), encode, candidates)


def masks_of(found: Segments | Prediction, names: Sequence[str]) -> Masks:
    """Points of every name: those of all segments that are called so.

    Raises:
        AlignPartsError: the segments have no names.
    """
    if found.names is None:
        raise AlignPartsError("retrieval: segments without names answer no query")
    called = np.array([[name == one for one in (*found.names, None)] for name in names])
    return called[:, np.where(found.point_part < 0, -1, found.point_part)]


def query_iou(
    found: Masks, truth: Bool[np.ndarray, "p m"], counted: Bool[np.ndarray, " m"] | None = None
) -> float:
    """Find3D's metric of one shape: IoU of what a query returns with its part, mean over the queries.

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
) -> Evaluation:
    """Ask for every part that is present, one query a part.

    Ours: constrained (:func:`constrained`), and mode 3, a query at a time without knowing the others
    (:func:`inference.retrieval`). The other methods are given the queries as names and their
    number, but no category: a query names the object itself or does without.

    Args:
        store: features and ground truth of every shape.
        model: the trained model.
        encode: the text encoder's ``encode``.
        vocabulary: where descriptions come from.
        methods: others that name parts.
        queries: see :func:`query_text`.
        background: count points without a ground-truth label as belonging to no part, as Find3D's benchmark
            does; else they count on neither side, as in the other tables.
        points: points a shape.
        seed: of the subset.
        splits: which shapes.

    Returns:
        One score a shape and method, with one value a query.

    Raises:
        AlignPartsError: no shape of these splits, or none with a labeled point.
    """
    result = Evaluation()
    for shape in labeled_shapes(store, splits, points, seed):
        partlets = forward(model, shape.arrays)
        truth = masks_of(Segments(shape.truth, shape.names), shape.present)
        counted = None if background else shape.truth >= 0
        answers = answerers(shape, partlets, encode, methods)
        values: dict[str, dict[str, float]] = {label: {} for label in answers}
        for query in queries:
            texts = [query_text(query, vocabulary, shape.category, name) for name in shape.present]
            for label, answer in answers.items():
                values[label][query] = query_iou(answer(texts), truth, counted)
        result.scores += [
            Score(shape.shape_id, shape.test_set, shape.category, label, found)
            for label, found in values.items()
        ]
    if not result.scores:
        raise AlignPartsError(f"no shape of {' or '.join(splits)} has a labeled point")
    return result


def retrieval_table(
    evaluation: Evaluation,
    *,
    queries: Sequence[str] = QUERIES,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """The long table: a metric is "IoU, " and the query; test sets and their average are as in Table 2."""
    here = list(dict.fromkeys(score.test_set for score in evaluation.scores))
    groups: Mapping[str, list[str]] = {
        **{name: [name] for name in (*SETS, *sorted({*here} - {*SETS, "heldout"})) if name in here},
        "average": [name for name in SETS if name in here],
        **{name: [name] for name in ("heldout",) if name in here},
    }
    rows = []
    for method in evaluation.methods:
        for query in queries:
            for test_set, sets in groups.items():
                values = [evaluation.values(method, query, [name]) for name in sets]
                if values and all(len(one) for one in values):
                    found = interval(values, resamples=resamples, confidence=confidence, seed=seed)
                    rows.append(tables.row(method, test_set, f"IoU, {query}", found))
    return tables.long_table(rows)


def answerers(
    shape: Labeled, partlets: Partlets, encode: Encode, methods: Sequence[Method]
) -> dict[str, Callable[[Sequence[str]], Masks]]:
    """Every method as a function of all query texts of a shape, to the points that answer each of them."""

    def together(texts: Sequence[str]) -> Masks:
        # A partlet takes a candidate, so that two parts of one text must stay two candidates.
        names = [str(number) for number in range(len(texts))]
        candidates = [Candidate(name, text) for name, text in zip(names, texts, strict=True)]
        return masks_of(constrained(partlets, encode, candidates), names)

    def one_by_one(texts: Sequence[str]) -> Masks:
        found = [retrieval(partlets, encode, Candidate(text, text)) for text in texts]
        return np.stack([one.point_part >= 0 for one in found])

    def asked(method: Method) -> Callable[[Sequence[str]], Masks]:
        def answer(texts: Sequence[str]) -> Masks:
            given = Given(names=tuple(dict.fromkeys(texts)), parts=len(texts))
            return masks_of(method.predict(shape.arrays, given), texts)

        return answer

    ours = {CONSTRAINED: together, QUERIED: one_by_one}
    return ours | {method.label: asked(method) for method in methods}
