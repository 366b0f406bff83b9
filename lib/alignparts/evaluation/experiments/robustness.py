"""Accuracy on disturbed inputs, end to end: the surface is disturbed, then sampled, rendered and encoded."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from alignparts.core.config import Params, parse_params
from alignparts.core.errors import AlignPartsError
from alignparts.core.parallel import map_shapes
from alignparts.corpus.index import Corpus
from alignparts.corpus.mesh.perturb import DISTURBANCES, disturbed
from alignparts.corpus.mesh.sampling import sample_surface, seed_of
from alignparts.corpus.shape import LabeledShape
from alignparts.evaluation.comparison import COLUMNS
from alignparts.evaluation.experiments.table2 import entrants
from alignparts.evaluation.ground_truth import Labeled
from alignparts.evaluation.part_analysis import SEEN
from alignparts.evaluation.scoring import similarity_of
from alignparts.evaluation.scoring_methods import Entrant, answers, score
from alignparts.features.extract import Encoders, extract, labels_of
from alignparts.naming.prediction import Encode
from alignparts.ontology.text import TextEncoder
from alignparts.ontology.vocabulary import Vocabulary

Cell = tuple[str, float]
"""A disturbance and its strength."""


def cells(params: Params) -> list[Cell]:
    """Every disturbance at every strength of params.yaml, and once no disturbance at all."""
    wanted = [(kind, value) for kind in DISTURBANCES for value in getattr(params.generalization, kind)]
    return [("", 0.0), *wanted]


def robustness_scores(
    ids: Sequence[str], params: Params, data: Path, models: Path, workers: int = 1
) -> pd.DataFrame:
    """Every method of Table 2 on disturbed shapes, told what it is told there.

    The methods meet the disturbance in everything that they see: points, normals, renders, features. Ground
    truth goes with the surface.

    Args:
        ids: test shapes of seen categories.
        params: all of params.yaml.
        data: with the corpus and the vocabulary.
        models: with the encoders and all trained methods.
        workers: processes.

    Returns:
        :data:`comparison.COLUMNS` with the test set "seen", and ``disturbance`` and ``strength``;
        the undisturbed shapes stand under every disturbance, with strength 0.
    """
    settings = params.model_dump_json(by_alias=True)
    tasks = [_Task(shape_id, settings, str(data), str(models)) for shape_id in ids]
    found = list(map_shapes(_judge, tasks, workers=workers, description="disturbed shapes"))
    table = pd.concat(found, ignore_index=True)
    kinds = [kind for kind in DISTURBANCES if getattr(params.generalization, kind)]
    plain = table[table.strength == 0]
    return pd.concat([*(plain.assign(disturbance=kind) for kind in kinds), table[table.strength != 0]])


@dataclass(frozen=True)
class Known:
    """What scoring a shape needs besides the shape.

    Attributes:
        params: all of params.yaml.
        corpus: of the shapes.
        vocabulary: makes names canonical.
        encode: the text encoder's ``encode``.
        encoders: both encoders.
        methods: to score.
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
    """A shape under one disturbance, as the feature store would hold it; its test set is "seen".

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
    present = list(dict.fromkeys(names[index] for index in np.unique(truth[truth >= 0]).tolist()))
    if not present:
        raise AlignPartsError(f"{shape.shape_id}, {kind} {strength:g}: no point has a ground-truth label")
    return Labeled(shape.shape_id, SEEN, category, arrays, truth, names, present)


def judged(shape: LabeledShape, cell: Cell, known: Known) -> pd.DataFrame:
    """Scores of all methods on one shape under one disturbance.

    Raises:
        AlignPartsError: no point of the disturbed shape is labeled.
    """
    (kind, strength), params = cell, known.params
    labeled = disturbed_shape(shape, cell, params, known.vocabulary, known.encoders)
    rows = []
    for label, found in answers(known.methods, labeled).items():
        values = score(found, labeled, similarity_of(known.encode))
        rows += [
            (label, params.base.seed, shape.shape_id, SEEN, labeled.category, metric, value, kind, strength)
            for metric, value in values.items()
        ]
    return pd.DataFrame(rows, columns=[*COLUMNS, "disturbance", "strength"])


@dataclass(frozen=True)
class _Task:
    shape_id: str
    params: str
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
def _loaded(settings: str, data: str, models: str) -> Known:
    params = parse_params(json.loads(settings))
    vocabulary = Vocabulary.load(Path(data) / "ontology" / "vocabulary.json")
    encode = TextEncoder.from_name(params.ontology.text_encoder).encode
    return Known(
        params, Corpus(Path(data) / "corpus"), vocabulary, encode,
        Encoders.from_params(params.features, Path(models)),
        entrants(params, Path(models), vocabulary, encode),
    )  # fmt: skip
