"""Seconds of every stage, end to end, at the same number of points; never part of a result table."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.render import render_views
from alignparts.corpus.mesh.sampling import face_labels, sample_surface
from alignparts.corpus.shape import LabeledShape
from alignparts.evaluation.baselines.clustering import cluster_points
from alignparts.evaluation.methods import OURS, PARTFIELD, Given, Method
from alignparts.features.extract import geometry_of
from alignparts.features.lift import lift
from alignparts.model.alignparts import AlignParts
from alignparts.naming.inference import forward, open_vocabulary
from alignparts.naming.pipeline import NamedPartsPipeline
from alignparts.naming.prediction import Candidate

COLUMNS = ["method", "stage", "seconds", "ratio", "points", "device"]
"""Columns of the stages; ``ratio`` is a stage's seconds by those of the decoder in the same run."""
DECODER, K_MEANS = "decoder", "k-means"
FEATURES = ("sampling", "rendering", "DINOv2", "lifting", "PartField")
NEEDS = {PARTFIELD: ("sampling", "PartField"), "Find3D": ("sampling",), "PartField+MPNet": FEATURES}
"""Stages of ALIGN-Parts that a method needs before its decoder; others need all of `FEATURES`."""


def clock(device: torch.device) -> float:
    """Return the time in seconds once the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def time_stages(
    pipeline: NamedPartsPipeline,
    shapes: Sequence[LabeledShape],
    *,
    points: int = 2048,
    repetitions: int = 5,
    others: Sequence[Method] = (),
) -> pd.DataFrame:
    """Measure the median seconds per shape of every stage, over shapes and repetitions.

    The decoder is all after fusion in the model's pass, and of another method all that it does with stored
    features and the part names; k-means runs at each shape's true number of parts. All take as many threads
    as torch. One run more per shape does not count.
    """
    runs: list[dict[tuple[str, str], float]] = []
    for shape in shapes:
        runs += [_seconds(pipeline, shape, points, others) for _ in range(repetitions + 1)][1:]
    median = {stage: float(np.median([run[stage] for run in runs])) for stage in runs[0]}
    decoder, device = max(median[OURS, DECODER], 1e-9), str(next(pipeline.model.parameters()).device)
    rows = [(*stage, seconds, seconds / decoder, points, device) for stage, seconds in median.items()]
    return pd.DataFrame(rows, columns=COLUMNS).round({"seconds": 5, "ratio": 3})


def by_method(stages: pd.DataFrame) -> pd.DataFrame:
    """Return the seconds of Table 2: the decoder alone, as in the paper, and from a mesh to named points.

    One row per method: ``decoder`` and ``end_to_end``, with the stages of :data:`NEEDS`, and both as ratios
    to those of ALIGN-Parts.
    """
    seconds = stages.set_index(["method", "stage"]).seconds
    rows = []
    for method in stages.method.unique():
        times = seconds[method].drop(["model", "face labels"], errors="ignore")
        before = 0.0 if method == OURS else seconds[OURS][list(NEEDS.get(method, FEATURES))].sum()
        decoder = times[DECODER if DECODER in times else K_MEANS]
        rows.append({"method": method, "decoder": decoder, "end_to_end": times.sum() + before})
    table = pd.DataFrame(rows).set_index("method")
    ratios = (table / table.loc[OURS]).round(3).add_suffix("_ratio")
    return table.round(5).join(ratios).reset_index()


def _seconds(
    pipeline: NamedPartsPipeline, shape: LabeledShape, points: int, others: Sequence[Method]
) -> dict[tuple[str, str], float]:
    """Return the seconds of every method and stage on a shape, once."""
    device = next(pipeline.model.parameters()).device
    seconds: dict[tuple[str, str], float] = {}

    def timed(stage: str, run: Callable[..., Any], *given: Any, method: str = OURS) -> Any:
        start = clock(device)
        result = run(*given)
        seconds[method, stage] = clock(device) - start
        return result

    manifest, encoders, names = pipeline.manifest, pipeline.encoders, list(shape.part_names)
    if encoders is None or not isinstance(pipeline.model, AlignParts):
        raise AlignPartsError("timing by stage: expected a model with the paper's encoders and fusion")
    sample = timed("sampling", sample_surface, shape.surface, points, 0)
    views = timed("rendering", render_views, shape.surface, manifest.views, manifest.resolution)
    maps = timed("DINOv2", encoders.appearance.encode, views.color)
    appearance = timed("lifting", lift, maps, views, sample.points, sample.normals)
    geometry = timed("PartField", geometry_of, shape.surface, sample, encoders.geometry)
    features = {"points": sample.points, "geometry": geometry, "appearance": appearance}
    marks: list[float] = []
    fusion = pipeline.model.fusion
    registers = (fusion.register_forward_pre_hook, fusion.register_forward_hook)
    hooks = [register(lambda *_: marks.append(clock(device))) for register in registers]
    partlets = timed("model", forward, pipeline.model, features)
    for hook in hooks:
        hook.remove()
    seconds[OURS, "fusion"] = marks[1] - marks[0]
    seconds[OURS, DECODER] = seconds[OURS, "model"] - seconds[OURS, "fusion"]
    candidates = [Candidate(name) for name in names]
    pipeline.text.encode([candidate.text for candidate in candidates])  # embedded once, then remembered
    prediction = timed("assignment", open_vocabulary, partlets, pipeline.text.encode, candidates)
    timed("face labels", face_labels, shape.surface, sample, prediction.point_part, len(prediction.parts))
    cluster = partial(cluster_points, threads=torch.get_num_threads())
    timed(K_MEANS, cluster, geometry, max(len(names), 1), method=PARTFIELD)
    features |= {"normals": sample.normals, "colors": sample.colors}
    for other in others:
        timed(DECODER, other.predict, features, Given(names=tuple(names)), method=other.label)
    return seconds
