"""Accuracy on disturbed inputs, and with fewer points than are scored.

Disturbances are end to end: the surface is disturbed, then sampled, rendered and encoded.
"""

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TypeVar, cast

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
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.experiments.table2 import entrants
from alignparts.evaluation.ground_truth import SEEN, Labeled, labeled_shapes, present_names, subset
from alignparts.evaluation.methods import Entrant, answers
from alignparts.evaluation.released import released
from alignparts.evaluation.scored_parts import PartScorer
from alignparts.evaluation.scoring import frame, score, score_rows, similarity_of
from alignparts.features.extract import Encoders, extract, labels_of
from alignparts.features.store import FeatureStore
from alignparts.model.stage import Stage
from alignparts.naming.prediction import Encode, Prediction

R = TypeVar("R")
Cell = tuple[str, float]
"""A disturbance and its strength."""
Predict = Callable[[Labeled], Mapping[str, Prediction]]
"""Predictions of methods for a shape, by label."""


class Bench(Stage):
    """Inputs of scoring disturbed shapes, loaded once per process."""

    @cached_property
    def corpus(self) -> Corpus:
        """Return the corpus of the shapes."""
        return Corpus(self.data / "corpus")

    @cached_property
    def encoders(self) -> Encoders:
        """Return the geometry and the appearance encoder."""
        return Encoders.from_params(self.params.features, self.models)

    @cached_property
    def entrants(self) -> list[Entrant]:
        """Return the methods of Table 2, and beyond the paper mesh-aware labels and the release model."""
        every = entrants(self)
        ours = cast(Ours, every[-1].method)
        return [*every, Entrant(ours.by("patches"), finds_category=True), *released(self)]

    @cached_property
    def scorer(self) -> PartScorer:
        """Return the scorer of the model's parts."""
        return PartScorer.load(
            self.models / "alignparts", self.encode, self.vocabulary, self.params.confidence.labels
        )


def cells(params: Params) -> list[Cell]:
    """Return every disturbance at every strength of params.yaml, and once no disturbance at all."""
    wanted = [(kind, value) for kind in DISTURBANCES for value in getattr(params.generalization, kind)]
    return [("", 0.0), *wanted]


def robustness_scores(ids: Sequence[str], stage: Stage) -> pd.DataFrame:
    """Score every method of Table 2, under its setting there, on disturbed test shapes of seen categories.

    The disturbance is in all that the methods see: points, normals, renders, features. Ground truth goes with
    the surface. Returns :data:`comparison.COLUMNS` with the test set "seen", and ``disturbance`` and
    ``strength``; the undisturbed shapes are repeated under every disturbance, with strength 0.
    """
    scored = over_disturbances(judged, ids, cells(stage.params), stage)
    table = pd.concat([scores for of_shape in scored for scores in of_shape], ignore_index=True)
    kinds = [kind for kind in DISTURBANCES if getattr(stage.params.generalization, kind)]
    plain = table[table.strength == 0]
    return pd.concat([*(plain.assign(disturbance=kind) for kind in kinds), table[table.strength != 0]])


def over_disturbances(
    function: Callable[[Labeled, Cell, Bench], R], ids: Sequence[str], cells: Sequence[Cell], stage: Stage
) -> list[list[R]]:
    """Call a picklable function on shapes under disturbances; return a list per shape, a result per cell.

    Raises AlignPartsError if no point of a disturbed shape is labeled.
    """
    # Settings travel as bytes, which a process can remember its bench by.
    task = partial(_over_cells, function, cells, (pickle.dumps(stage.params), stage.data, stage.models))
    return list(map_shapes(task, ids, workers=stage.params.base.workers, description="disturbed shapes"))


def _over_cells(
    function: Callable[[Labeled, Cell, Bench], R],
    cells: Sequence[Cell],
    inputs: tuple[bytes, Path, Path],
    shape_id: str,
) -> list[R]:
    bench, threads = _bench(*inputs), torch.get_num_threads()
    shape = bench.corpus.load(shape_id)
    # One thread per process: the processes share the cores, and the sums do not depend on their number.
    torch.set_num_threads(1)
    try:
        return [function(disturbed_shape(shape, cell, bench), cell, bench) for cell in cells]
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _bench(settings: bytes, data: Path, models: Path) -> Bench:
    return Bench(pickle.loads(settings), data, models)


def disturbed_shape(shape: LabeledShape, cell: Cell, bench: Bench) -> Labeled:
    """Return a disturbed shape as the store would hold it; AlignPartsError without a labeled point."""
    (kind, strength), params, features = cell, bench.params, bench.params.features
    seed = seed_of(shape.shape_id, params.base.seed)
    surface = disturbed(shape.surface, kind, strength, seed) if kind else shape.surface
    sample = sample_surface(surface, params.evaluate.points, seed)
    part, category, names = labels_of(shape, sample, bench.vocabulary)
    arrays = extract(surface, sample, bench.encoders, features.views, features.resolution, seed=seed + 1)
    truth = part.astype(np.int64)
    present = present_names(truth, names)
    if not present:
        raise AlignPartsError(f"{shape.shape_id}, {kind} {strength:g}: no point has a ground-truth label")
    return Labeled(shape.shape_id, SEEN, category, arrays, truth, names, present)


def judged(shape: Labeled, cell: Cell, bench: Bench) -> pd.DataFrame:
    """Return the scores of all methods on a disturbed shape."""
    rows, similarity = [], similarity_of(bench.encode)
    about = dict(zip(("disturbance", "strength"), cell, strict=True))
    for label, prediction in answers(bench.entrants, shape).items():
        values = score(prediction, shape, similarity)
        rows += score_rows(shape, label, values, bench.params.base.seed, **about)
    return frame(rows, "disturbance", "strength")


def points_scores(
    store: FeatureStore,
    predict: Predict,
    encode: Encode,
    *,
    points: Sequence[int] = (256, 1024, 4096),
    splits: Sequence[str] = ("test", "heldout"),
    ids: Sequence[str] | None = None,
    scored: int = 4096,
    seed: int = 0,
) -> pd.DataFrame:
    """Score methods that see fewer and fewer points of a shape, all on the same points.

    Each scored point takes the label of the nearest point that the method saw. Scored on the seen points
    alone, small parts without a point would drop out of the truth and few points look better than they are.
    Fewer points are a subset of more (:func:`ground_truth.subset`). ``splits``, ``ids`` and ``seed`` are as
    for :func:`ground_truth.labeled_shapes`, ``scored`` is its number of points. ``predict`` sees the name of
    every scored part in the shape's ``present``; ``encode`` is for rLA-mIoU. Raises AlignPartsError if there
    is no such shape, or more points are seen than scored.
    """
    if not points or min(points) < 1 or max(points) > scored:
        raise AlignPartsError(f"points: expected numbers from 1 to {scored}, got {list(points)}")
    rows, similarity = [], similarity_of(encode)
    for shape in labeled_shapes(store, splits, scored, seed, ids):
        for count in points:
            seen = at_points(shape, count, seed)
            nearest = cKDTree(seen.arrays["points"]).query(shape.arrays["points"])[1]
            for method, prediction in predict(seen).items():
                carried = replace(prediction, point_part=prediction.point_part[nearest])
                values = score(carried, shape, similarity)
                rows += score_rows(shape, method, values, seed, points=count)
    return frame(rows, "points")


def at_points(shape: Labeled, points: int, seed: int = 0) -> Labeled:
    """Return a shape at fewer of its points, with the same part names."""
    arrays = subset({**shape.arrays, "part": shape.truth}, points, shape.shape_id, seed)
    return replace(shape, arrays=arrays, truth=arrays["part"])
