"""Mesh-aware labels step by step, on validation shapes: each step's gain over Eq. 22.

The numbers in :mod:`alignparts.patches` were chosen by such tables.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from alignparts.corpus.index import Corpus
from alignparts.corpus.mesh.sampling import sample_surface, seed_of
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.ground_truth import Labeled, chosen_rows, labeled_shapes
from alignparts.evaluation.methods import Entrant
from alignparts.evaluation.scoring import frame, score, score_rows
from alignparts.model.stage import Stage
from alignparts.naming.prediction import Labels
from alignparts.patches.patches import surface_patches

WHOLE: Mapping[str, float] = {"crease": 360.0, "split": np.inf}
STEPS: Mapping[str, tuple[Mapping[str, float], bool]] = {
    "connected components": (WHOLE, False),
    "patches between creases": ({"split": np.inf}, False),
    "large ones split": ({}, False),
    "neighbors held together": ({}, True),
}
"""Settings of :func:`surface_patches` by step, each on top of the one before; whether patches have bonds."""


def step_scores(stage: Stage, corpus: Corpus, method: Ours, split: str = "validation") -> pd.DataFrame:
    """Score the labels of a model after every step; ``method`` is one with mesh-aware labels.

    Point clouds, which have no patches, are left out. Returns :data:`comparison.COLUMNS`, the step as method.
    """
    points, seed = stage.params.evaluate.points, stage.params.base.seed
    rules: Mapping[str, Labels] = {"Eq. 22": "points", "every point labeled": "filled"}
    plain = {step: Entrant(method.by(rule)) for step, rule in rules.items()}
    rows: list[dict[str, Any]] = []
    for shape in labeled_shapes(stage.store, [split], points, seed):
        if "patch" not in shape.arrays:
            continue
        for step, entrant in plain.items():
            rows += score_rows(shape, step, score(entrant.predict(shape), shape), seed)
        for step, arrays in _variants(shape, stage, corpus):
            prediction = Entrant(method).predict(replace(shape, arrays=arrays))
            rows += score_rows(shape, step, score(prediction, shape), seed)
    return frame(rows)


def _variants(shape: Labeled, stage: Stage, corpus: Corpus) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield a shape's arrays with the patches of every step."""
    surface, seed = corpus.load(shape.shape_id).surface, stage.params.base.seed
    field = stage.store.load(shape.shape_id, ["geometry"])[0]["geometry"]
    sample = sample_surface(surface, len(field), seed_of(shape.shape_id, seed))
    rows = chosen_rows(len(field), stage.params.evaluate.points, shape.shape_id, seed)
    for step, (settings, bonded) in STEPS.items():
        patches = surface_patches(surface, sample, field, **settings).arrays(sample)
        patches["patch"] = patches["patch"][rows]
        patches["patch_bonds"] = patches["patch_bonds"] * np.float32(bonded)
        yield step, {**shape.arrays, **patches}
