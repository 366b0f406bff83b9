"""Seconds of every stage, end to end, at the same number of points. Never part of a result table."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch

from alignparts.corpus.mesh.faces import face_labels
from alignparts.corpus.mesh.render import render_views
from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.shape import LabeledShape
from alignparts.evaluation.baselines.clustering import cluster_points
from alignparts.evaluation.methods import OURS, PARTFIELD, Given, Method
from alignparts.features.extract import geometry_of
from alignparts.features.lift import lift
from alignparts.naming.inference import forward, open_vocabulary
from alignparts.naming.pipeline import NamedPartsPipeline
from alignparts.naming.prediction import Candidate

COLUMNS = ["method", "stage", "seconds", "ratio", "points", "device"]
"""``ratio``: of a stage to the decoder, in the same run."""
DECODER, K_MEANS = "decoder", "k-means"
FEATURES = ("sampling", "rendering", "DINOv2", "lifting", "PartField")
NEEDS = {PARTFIELD: ("sampling", "PartField"), "Find3D": ("sampling",), "PartField+MPNet": FEATURES}
"""What a method needs before its decoder, of the stages of ALIGN-Parts."""


def time_stages(
    pipeline: NamedPartsPipeline,
    shapes: Sequence[LabeledShape],
    *,
    points: int = 2048,
    repetitions: int = 5,
    others: Sequence[Method] = (),
) -> pd.DataFrame:
    """Median seconds a shape of every stage, over shapes and repetitions.

    Decoder is everything after fusion in the model's pass, and of another method all that it does with stored
    features; k-means runs once, at each shape's true number of parts, on as many points. Everything takes as
    many threads as torch is allowed.

    Args:
        pipeline: the trained model and its encoders.
        shapes: what to time on.
        points: surface samples a shape.
        repetitions: of each shape, after one that does not count.
        others: methods that are given each shape's part names.
    """
    runs: dict[tuple[str, str], list[float]] = {}
    device = next(pipeline.model.parameters()).device
    for shape in shapes:
        for repetition in range(repetitions + 1):
            record: dict[tuple[str, str], float] = {}
            _run(pipeline, shape, points, record, device, others)
            if repetition:
                for stage, seconds in record.items():
                    runs.setdefault(stage, []).append(seconds)
    median = {stage: float(np.median(values)) for stage, values in runs.items()}
    decoder = max(median[OURS, DECODER], 1e-9)
    rows = [(*stage, seconds, seconds / decoder, points, str(device)) for stage, seconds in median.items()]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.round({"seconds": 5, "ratio": 3})


def by_method(stages: pd.DataFrame) -> pd.DataFrame:
    """Seconds of Table 2: the decoder alone, as the paper counts, and end to end from a mesh to named points.

    Args:
        stages: of :func:`time_stages`.

    Returns:
        One row a method: ``decoder`` and ``end_to_end`` in seconds, and both as ratios to those of
        ALIGN-Parts. What a method needs is that of `NEEDS`.
    """
    own = stages.set_index(["method", "stage"]).seconds
    rows = []
    for method in dict.fromkeys(stages.method):
        mine = own[method].drop("model", errors="ignore")
        decoder = float(mine[[DECODER if DECODER in mine else K_MEANS]].sum())
        before = own[OURS][list(NEEDS.get(method, FEATURES))].sum() if method != OURS else 0.0
        rows.append((method, decoder, float(mine.drop("face labels", errors="ignore").sum() + before)))
    table = pd.DataFrame(rows, columns=["method", "decoder", "end_to_end"])
    first = table.set_index("method").loc[OURS]
    table["decoder_ratio"] = table.decoder / first.decoder
    table["end_to_end_ratio"] = table.end_to_end / first.end_to_end
    return table.round({"decoder": 5, "end_to_end": 5, "decoder_ratio": 3, "end_to_end_ratio": 3})


def _run(
    pipeline: NamedPartsPipeline,
    shape: LabeledShape,
    points: int,
    record: dict[tuple[str, str], float],
    device: torch.device,
    others: Sequence[Method],
) -> None:
    @contextmanager
    def stage(name: str, method: str = OURS) -> Iterator[None]:
        start = time.perf_counter()
        yield
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        record[method, name] = time.perf_counter() - start

    manifest, encoders = pipeline.manifest, pipeline.encoders
    with stage("sampling"):
        sample = sample_surface(shape.surface, points, 0)
    with stage("rendering"):
        views = render_views(shape.surface, manifest.views, manifest.resolution)
    with stage("DINOv2"):
        maps = encoders.appearance.encode(views.color)
    with stage("lifting"):
        appearance = lift(maps, views, sample.points, sample.normals)
    with stage("PartField"):
        geometry = geometry_of(shape.surface, sample, encoders.geometry)
    features = {"points": sample.points, "geometry": geometry, "appearance": appearance}
    inside: dict[str, float] = {}
    with stage("model"), _clock(pipeline.model, "fusion", inside, device):
        partlets = forward(pipeline.model, features)
    record[OURS, "fusion"] = inside.get("fusion", 0.0)
    record[OURS, DECODER] = record[OURS, "model"] - record[OURS, "fusion"]
    names = [Candidate(name) for name in shape.part_names]
    pipeline.text.encode([name.text for name in names])
    with stage("assignment"):
        found = open_vocabulary(partlets, pipeline.text.encode, names)
    with stage("face labels"):
        face_labels(shape.surface, sample, found.point_part, len(found.parts))
    clusters = max(len(names), 1)
    with stage(K_MEANS, PARTFIELD):
        cluster_points(geometry, clusters, restarts=1, threads=torch.get_num_threads())
    features |= {"normals": sample.normals, "colors": sample.colors}
    given = Given(names=tuple(shape.part_names))
    for other in others:
        with stage(DECODER, other.label):
            other.predict(features, given)


@contextmanager
def _clock(model: torch.nn.Module, name: str, into: dict[str, float], device: torch.device) -> Iterator[None]:
    """Seconds that a child module takes while the block runs."""
    child: torch.nn.Module | None = getattr(model, name, None)
    if child is None:
        yield
        return
    started = [0.0]

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    def begin(*_: object) -> None:
        started[0] = now()

    def end(*_: object) -> None:
        into[name] = into.get(name, 0.0) + now() - started[0]

    handles = [child.register_forward_pre_hook(begin), child.register_forward_hook(end)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
