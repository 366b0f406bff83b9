"""Accuracy on disturbed inputs, and with fewer points than are scored.

Disturbances are end to end: the surface is disturbed, then sampled, rendered and encoded.
"""

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.spatial import cKDTree

from alignparts.core.config import Params
from alignparts.core.errors import AlignPartsError
from alignparts.core.parallel import map_shapes
from alignparts.corpus.index import Corpus
from alignparts.corpus.mesh.perturb import DISTURBANCES, disturbed
from alignparts.corpus.mesh.sampling import sample_surface, seed_of
from alignparts.corpus.shape import LabeledShape
from alignparts.evaluation.experiments.table2 import entrants
from alignparts.evaluation.ground_truth import SEEN, Labeled, labeled_shapes, present_names, subset
from alignparts.evaluation.methods import Entrant, answers
from alignparts.evaluation.scoring import frame, score, score_rows, similarity_of
from alignparts.features.extract import Encoders, extract, labels_of
from alignparts.features.store import FeatureStore
from alignparts.model.stage import Stage
from alignparts.naming.prediction import Encode, Prediction
from alignparts.ontology.vocabulary import Vocabulary

Cell = tuple[str, float]
"""A disturbance and its strength."""
Predict = Callable[[Labeled], Mapping[str, Prediction]]
"""Predictions of methods for a shape, by label."""


def cells(params: Params) -> list[Cell]:
    """Return every disturbance at every strength of params.yaml, and once no disturbance at all."""
    wanted = [(kind, value) for kind in DISTURBANCES for value in getattr(params.generalization, kind)]
    return [("", 0.0), *wanted]


def robustness_scores(
    ids: Sequence[str], params: Params, data: Path, models: Path, workers: int = 1
) -> pd.DataFrame:
    """Score every method of Table 2, under its setting there, on disturbed shapes.

    The disturbance is in all that the methods see: points, normals, renders, features. Ground truth goes with
    the surface.

    Args:
        ids: ids of test shapes of seen categories.
        params: all of params.yaml.
        data: folder with the corpus and the vocabulary.
        models: folder with the encoders and all trained methods.
        workers: number of processes.

    Returns:
        :data:`comparison.COLUMNS` with the test set "seen", and ``disturbance`` and ``strength``;
        the undisturbed shapes are repeated under every disturbance, with strength 0.
    """
    settings = pickle.dumps(params)
    tasks = [_Task(shape_id, settings, str(data), str(models)) for shape_id in ids]
    scores = map_shapes(_judge, tasks, workers=workers, description="disturbed shapes")
    table = pd.concat(list(scores), ignore_index=True)
    kinds = [kind for kind in DISTURBANCES if getattr(params.generalization, kind)]
    plain = table[table.strength == 0]
    return pd.concat([*(plain.assign(disturbance=kind) for kind in kinds), table[table.strength != 0]])


@dataclass(frozen=True)
class Known:
    """Inputs of scoring besides the shape.

    Attributes:
        params: all of params.yaml.
        corpus: corpus of the shapes.
        vocabulary: the unified vocabulary.
        encode: the text encoder's ``encode``.
        encoders: the geometry and the appearance encoder.
        methods: entrants to score.
    """

    params: Params
    corpus: Corpus
    vocabulary: Vocabulary
    encode: Encode
    encoders: Encoders
    methods: list[Entrant]


def disturbed_shape(
    shape: LabeledShape, cell: Cell, params: Params, vocabulary: Vocabulary, encoders: Encoders
) -> Labeled:
    """Return a disturbed shape as the feature store would hold it; its test set is "seen".

    Raises:
        AlignPartsError: no point of the disturbed shape is labeled.
    """
    kind, strength = cell
    features = params.features
    seed = seed_of(shape.shape_id, params.base.seed)
    surface = disturbed(shape.surface, kind, strength, seed) if kind else shape.surface
    sample = sample_surface(surface, params.evaluate.points, seed)
    part, category, names = labels_of(shape, sample, vocabulary)
    arrays = extract(surface, sample, encoders, features.views, features.resolution, seed=seed + 1)
    truth = part.astype(np.int64)
    present = present_names(truth, names)
    if not present:
        raise AlignPartsError(f"{shape.shape_id}, {kind} {strength:g}: no point has a ground-truth label")
    return Labeled(shape.shape_id, SEEN, category, arrays, truth, names, present)


def judged(shape: LabeledShape, cell: Cell, known: Known) -> pd.DataFrame:
    """Return the scores of all methods on one shape under one disturbance.

    Raises:
        AlignPartsError: no point of the disturbed shape is labeled.
    """
    (kind, strength), params = cell, known.params
    labeled = disturbed_shape(shape, cell, params, known.vocabulary, known.encoders)
    rows = []
    for label, prediction in answers(known.methods, labeled).items():
        values = score(prediction, labeled, similarity_of(known.encode))
        rows += score_rows(labeled, label, values, params.base.seed, disturbance=kind, strength=strength)
    return frame(rows, "disturbance", "strength")


def points_scores(
    store: FeatureStore,
    predict: Predict,
    encode: Encode,
    *,
    points: Sequence[int] = (256, 512, 1024, 2048, 4096),
    splits: Sequence[str] = ("test", "heldout"),
    ids: Sequence[str] | None = None,
    scored: int = 4096,
    seed: int = 0,
) -> pd.DataFrame:
    """Score methods that see fewer and fewer points of a shape, all on the same points.

    Each scored point takes the label of the nearest point that the method saw. Scored on the seen points
    alone, small parts without a point would drop out of the truth and few points look better than they are.
    Fewer points are a subset of more (:func:`ground_truth.subset`).

    Args:
        store: features and ground truth of every shape.
        predict: predictions of the methods; the shape's ``present`` names the parts of the scored points.
        encode: the text encoder's ``encode``, for rLA-mIoU.
        points: numbers of points that the methods see.
        splits: names of the splits to evaluate on.
        ids: ids to choose from; all of the store by default.
        scored: most points per shape to score on.
        seed: seed of the subsets, and value of the column ``seed``.

    Returns:
        Scores (:data:`comparison.COLUMNS`) and ``points``.

    Raises:
        AlignPartsError: no shape of these splits, more points seen than scored, or a method raises.
    """
    if not points or min(points) < 1 or max(points) > scored:
        raise AlignPartsError(f"points: expected numbers from 1 to {scored}, got {list(points)}")
    rows, similarity = [], similarity_of(encode)
    for shape in labeled_shapes(store, splits, scored, seed, ids):
        for count in points:
            seen = at_points(shape, count, seed)
            nearest = cKDTree(seen.arrays["points"]).query(shape.arrays["points"])[1]
            for method, found in predict(seen).items():
                values = score(replace(found, point_part=found.point_part[nearest]), shape, similarity)
                rows += score_rows(shape, method, values, seed, points=count)
    return frame(rows, "points")


def at_points(shape: Labeled, points: int, seed: int = 0) -> Labeled:
    """Return a shape at fewer of its points, with the same part names."""
    arrays = subset({**shape.arrays, "part": shape.truth}, points, shape.shape_id, seed)
    return replace(shape, arrays=arrays, truth=arrays["part"])


@dataclass(frozen=True)
class _Task:
    shape_id: str
    params: bytes
    data: str
    models: str


def _judge(task: _Task) -> pd.DataFrame:
    known = _loaded(task.params, task.data, task.models)
    shape = known.corpus.load(task.shape_id)
    threads = torch.get_num_threads()
    # One thread a process: the processes share the cores, and the sums do not depend on their number.
    torch.set_num_threads(1)
    try:
        return pd.concat([judged(shape, cell, known) for cell in cells(known.params)], ignore_index=True)
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _loaded(settings: bytes, data: str, models: str) -> Known:
    stage = Stage(pickle.loads(settings), Path(data), Path(models))
    return Known(
        stage.params, Corpus(stage.data / "corpus"), stage.vocabulary, stage.encode,
        Encoders.from_params(stage.params.features, stage.models), entrants(stage),
    )  # fmt: skip
