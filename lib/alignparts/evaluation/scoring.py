"""ALIGN-Parts on the test shapes of a feature store, and tables of such scores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.sampling import seed_of
from alignparts.evaluation import tables
from alignparts.evaluation.baselines.partfield_clustering import PARTFIELD
from alignparts.evaluation.comparison import COLUMNS
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.model.metrics import Interval, TextSimilarity, interval, relative_gain, shape_metrics
from alignparts.naming.confidence import Statistics
from alignparts.naming.inference import forward, name_parts, open_vocabulary
from alignparts.naming.prediction import Candidate, Encode, Prediction
from alignparts.ontology.vocabulary import Vocabulary, words

OURS = "ALIGN-Parts"
GIVEN = "ALIGN-Parts, category given"
DESCRIBED = "ALIGN-Parts, descriptions given"
FILLED = "ALIGN-Parts, every point labeled"
CLUSTERING = PARTFIELD
SETS = ("compat", "find3d", "partnet")
"""The paper's test sets, in its order."""
LABELS = {
    "miou": "mIoU",
    "la_miou": "LA-mIoU",
    "rla_miou": "rLA-mIoU",
    "label_iou": "label IoU",
    "category": "category accuracy",
    "miou_best_over_k": "mIoU, best over k",
}
"""What tables call the metrics."""


@dataclass(frozen=True)
class Score:
    """Metrics of one method on one shape.

    Attributes:
        shape_id: the shape.
        test_set: its data set, or "heldout".
        category: canonical.
        method: as tables call it.
        values: ``miou`` and, where the method names parts, ``la_miou``, ``rla_miou``, ``label_iou``.
    """

    shape_id: str
    test_set: str
    category: str
    method: str
    values: dict[str, float]


@dataclass
class Evaluation:
    """Every score, and ALIGN-Parts' own predictions behind them, by shape."""

    scores: list[Score] = field(default_factory=list)
    predictions: dict[str, Prediction] = field(default_factory=dict)

    def values(self, method: str, metric: str, sets: Iterable[str]) -> np.ndarray:
        """One value a shape, in the order of evaluation."""
        chosen = set(sets)
        found = [
            score.values[metric]
            for score in self.scores
            if score.method == method and score.test_set in chosen and metric in score.values
        ]
        return np.array(found, dtype=np.float64)

    @property
    def methods(self) -> list[str]:
        """Methods, in the order of evaluation."""
        return list(dict.fromkeys(score.method for score in self.scores))


def similarity_of(encode: Encode) -> TextSimilarity:
    """Cosines of names as the text encoder sees them, for rLA-mIoU."""

    def similarity(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
        return encode([words(name) for name in first]) @ encode([words(name) for name in second]).T

    return similarity


def subset(arrays: Mapping[str, np.ndarray], points: int, key: str, seed: int = 0) -> dict[str, np.ndarray]:
    """At most ``points`` of a stored shape's points; equal keys choose equal ones."""
    stored = len(arrays["points"])
    if stored <= points:
        return dict(arrays)
    chosen = np.sort(np.random.default_rng(seed_of(key, seed)).permutation(stored)[:points])
    return {name: values[chosen] for name, values in arrays.items()}


def evaluate_corpus(
    store: FeatureStore,
    model: AlignParts,
    encode: Encode,
    vocabulary: Vocabulary,
    *,
    statistics: Statistics | None = None,
    points: int = 2048,
    seed: int = 0,
    splits: Sequence[str] = ("test", "heldout"),
    ids: Sequence[str] | None = None,
) -> Evaluation:
    """Run ALIGN-Parts on the test shapes of a feature store.

    Seen categories: the closed vocabulary, with the category found (Eq. 16) and with it given. Held-out
    categories: the open vocabulary, with the shape's own part names and, where the vocabulary describes
    them, with descriptions.

    Args:
        store: features and ground truth of every shape.
        model: the trained model.
        encode: the text encoder's ``encode``.
        vocabulary: the unified vocabulary.
        statistics: for the confidence; no metric depends on it.
        points: points a shape.
        seed: of the subset.
        splits: which shapes.
        ids: of these, those to take; all by default.

    Raises:
        AlignPartsError: no shape of these splits.
    """
    result = Evaluation()
    similarity = similarity_of(encode)
    among = store.ids() if ids is None else ids
    wanted = sorted(shape_id for shape_id in among if store.meta(shape_id)["split"] in splits)
    for shape_id in tqdm(wanted, desc="evaluate", mininterval=2.0, leave=False):
        arrays, meta = store.load(shape_id)
        chosen = subset(arrays, points, shape_id, seed)
        truth, names = chosen["part"].astype(np.int64), list(meta["part_names"])
        present = np.unique(truth[truth >= 0])
        if not len(present):
            continue
        heldout = meta["split"] == "heldout"
        test_set, category = "heldout" if heldout else str(meta["dataset"]), str(meta["category"])
        partlets = forward(model, chosen)
        predictions: dict[str, Prediction] = {}
        if heldout:
            own = [names[index] for index in present.tolist()]
            predictions[OURS] = open_vocabulary(partlets, encode, [Candidate(name) for name in own])
            if all(vocabulary.has(category, name) for name in own):
                described = [Candidate(name, vocabulary.description(category, name)) for name in own]
                predictions[DESCRIBED] = open_vocabulary(partlets, encode, described)
        else:
            for method, given in ((OURS, None), (GIVEN, category)):
                predictions[method] = name_parts(
                    partlets, encode, vocabulary, category=given, statistics=statistics
                )
        for method, prediction in predictions.items():
            values = shape_metrics(prediction.point_part, prediction.names, truth, names, similarity)
            if method == OURS and not heldout:
                values["category"] = float(prediction.category == vocabulary.resolve_category(category))
            result.scores.append(Score(shape_id, test_set, category, method, values))
        result.predictions[shape_id] = predictions[OURS]
    if not result.scores:
        raise AlignPartsError(
            f"no shape of {' or '.join(splits)} in the feature store; run: dvc repro features"
        )
    return result


def frame(scores: Iterable[Score], seed: int = 0) -> pd.DataFrame:
    """Scores as :mod:`alignparts.evaluation.comparison` wants them, with the seed of the training."""
    rows = [
        {"method": one.method, "seed": seed, "shape_id": one.shape_id, "test_set": one.test_set,
         "category": one.category, "metric": metric, "value": value}
        for one in scores for metric, value in one.values.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with metrics by the names that people know."""
    return table.assign(metric=[LABELS.get(one, one) for one in table.metric])


def table2(
    evaluation: Evaluation, *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """The long table: every method, test set and metric, with bootstrap intervals over shapes.

    "average" is the unweighted mean over the paper's three test sets, "seen" pools their shapes, "heldout"
    holds categories that were never trained on.
    """
    rows = []
    present = [name for name in SETS if any(score.test_set == name for score in evaluation.scores)]
    extra = sorted({score.test_set for score in evaluation.scores} - {*SETS, "heldout"})
    for method in evaluation.methods:
        for metric, label in LABELS.items():
            groups: dict[str, list[np.ndarray]] = {
                name: [evaluation.values(method, metric, [name])] for name in [*present, *extra]
            }
            groups["average"] = [evaluation.values(method, metric, [name]) for name in present]
            groups["seen"] = [evaluation.values(method, metric, [*present, *extra])]
            groups["heldout"] = [evaluation.values(method, metric, ["heldout"])]
            for test_set, values in groups.items():
                if not values or any(not len(one) for one in values):
                    continue
                found = interval(values, resamples=resamples, confidence=confidence, seed=seed)
                rows.append(tables.row(method, test_set, label, found))
    return tables.long_table(rows)


def gain_over_clustering(
    evaluation: Evaluation,
    sets: Iterable[str] | None = None,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Relative gain in mIoU of ALIGN-Parts over PartField clustering; by default on all seen categories."""
    chosen = list(sets) if sets is not None else sorted({s.test_set for s in evaluation.scores} - {"heldout"})
    ours, theirs = (evaluation.values(method, "miou", chosen) for method in (OURS, CLUSTERING))
    return relative_gain(ours, theirs, resamples=resamples, confidence=confidence, seed=seed)


def category_table(
    evaluation: Evaluation, *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """The long table with categories as test sets, for ALIGN-Parts and PartField clustering."""
    rows = []
    for category in sorted({score.category for score in evaluation.scores}):
        for method in (OURS, CLUSTERING):
            for metric, label in LABELS.items():
                values = [
                    score.values[metric]
                    for score in evaluation.scores
                    if score.category == category and score.method == method and metric in score.values
                ]
                if values:
                    found = interval(np.array(values), resamples=resamples, confidence=confidence, seed=seed)
                    rows.append(tables.row(method, category, label, found))
    return tables.long_table(rows)
