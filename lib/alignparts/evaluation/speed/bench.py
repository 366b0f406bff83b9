"""How fast the model is: beside a straight transcription of its equations, and beside the peer's path.

Everything in one run, so that ratios mean something; the machine's own rate of matrix products is measured
beside it, as the bound that no implementation of the same products can beat.
"""

import copy
import ctypes
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from tqdm.auto import tqdm
from transformers import Dinov2Config, Dinov2Model

from alignparts.corpus.mesh.sampling import seed_of
from alignparts.evaluation.baselines import transcription
from alignparts.evaluation.baselines.clustering import cluster_points
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.extract import Encoders
from alignparts.features.partfield import PartField, PartFieldConfig
from alignparts.model.alignparts import AlignParts, AlignPartsConfig
from alignparts.model.graph import nearest_neighbors
from alignparts.naming.pipeline import Manifest, NamedPartsPipeline
from alignparts.ontology.text import TextEncoder

OURS, STRAIGHT, PEER = "ALIGN-Parts", "transcription", "PartField"
COLUMNS = ["method", "stage", "points", "parts", "batch", "seconds", "memory_mb", "device"]
EDGE_COPIES = 6
"""Tensors of points x neighbors x d_m floats that the transcription holds at its peak."""


@dataclass(frozen=True)
class Inputs:
    """What one forward pass reads."""

    points: torch.Tensor
    geometry: torch.Tensor
    appearance: torch.Tensor
    neighbors: torch.Tensor

    def arguments(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """In the order of :meth:`AlignParts.forward`, with no padding."""
        return self.points, self.geometry, self.appearance


def inputs(config: AlignPartsConfig, points: int, batch: int, device: torch.device, seed: int = 0) -> Inputs:
    """Random features of points on a sphere: no value changes how long a product takes."""
    generator = torch.Generator().manual_seed(seed)
    on_sphere = torch.nn.functional.normalize(torch.randn(batch, points, 3, generator=generator), dim=-1)
    features = [torch.randn(batch, points, width, generator=generator) for width in (config.d_g, config.d_a)]
    found = nearest_neighbors(on_sphere, config.k)
    return Inputs(on_sphere.to(device), features[0].to(device), features[1].to(device), found.to(device))


def seconds(run: Callable[[], Any], repetitions: int, device: torch.device) -> float:
    """Median seconds of a call, after one that does not count."""
    times = []
    for _ in range(repetitions + 1):
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))


def peak_memory(run: Callable[[], Any], device: torch.device) -> float:
    """MB that a call needs at its peak beyond what is there before; NaN where the system does not say."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # forget the highest mark so far
    except (OSError, AttributeError):
        return float("nan")
    before = _status("VmRSS")
    run()
    return (_status("VmHWM") - before) / 1024


def product_rate(device: torch.device, dtype: torch.dtype = torch.float32, repetitions: int = 7) -> float:
    """FLOP a second that this machine reaches in a product of the model's most common size."""
    left, right = torch.randn(10_000, 768).to(device, dtype), torch.randn(768, 768).to(device, dtype)
    return 2 * 10_000 * 768 * 768 / seconds(lambda: left @ right, repetitions, device)


def product_flops(model: AlignParts, given: Inputs) -> int:
    """FLOP of all matrix products in one forward pass.

    Counted on a copy in half precision, where edges are gathered: the counter takes a sparse matrix for full.
    """
    half = copy.deepcopy(model).bfloat16()
    points, geometry, appearance = (one.bfloat16() for one in given.arguments())
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        half(points, geometry, appearance, neighbors=given.neighbors)
    return int(counter.get_total_flops())


def forward_rows(
    model: AlignParts,
    points: Sequence[int],
    batches: Sequence[int],
    batch_points: int,
    *,
    repetitions: int,
    memory_mb: float = 6000.0,
    autocast: bool = False,
) -> pd.DataFrame:
    """Fusion, decoder and heads against points (one shape) and against batch (at ``batch_points`` points).

    The neighbor graph is found beforehand for both implementations and timed as a stage of its own. The
    transcription is left out where it would need more than ``memory_mb``.
    """
    device = next(model.parameters()).device
    sizes = [(n, 1) for n in points] + [(batch_points, batch) for batch in batches if batch > 1]
    rows = []
    for n, batch in tqdm(sizes, desc="forward", leave=False, mininterval=2.0):
        given = inputs(model.config, n, batch, device)
        for method, stage, run in _runs(model, given, memory_mb):
            with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=autocast):
                memory = peak_memory(run, device)
                rows.append([method, stage, n, 0, batch, seconds(run, repetitions, device), memory])
    return _table(rows, device)


def _runs(model: AlignParts, given: Inputs, memory_mb: float) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    arguments, near, config = given.arguments(), given.neighbors, model.config
    yield OURS, "forward", lambda: model(*arguments, neighbors=near)
    with torch.inference_mode():
        fused = model.fusion(*arguments, None, near)
    yield OURS, "fusion", lambda: model.fusion(*arguments, None, near)
    yield OURS, "decoder", lambda: model.decoder(fused)
    yield OURS, "neighbors", lambda: nearest_neighbors(given.points, config.k)
    if near.numel() * config.d_m * 4 * EDGE_COPIES / 2**20 <= memory_mb:
        yield STRAIGHT, "forward", lambda: transcription.forward(model, *arguments, neighbors=near)


def peer_rows(
    points: Sequence[int],
    parts: Sequence[int],
    *,
    config: PartFieldConfig | None = None,
    repetitions: int = 1,
    device: torch.device | None = None,
) -> pd.DataFrame:
    """PartField's path: its planes from its own points, the field at ours, k-means at every part number.

    One run of k-means on as many threads as torch has: the fastest that the peer can be had.
    """
    device = device or torch.device("cpu")
    torch.manual_seed(0)
    field = PartField(config).eval().to(device)
    generator = torch.Generator().manual_seed(0)

    def sphere(n: int) -> torch.Tensor:
        return torch.nn.functional.normalize(torch.randn(1, n, 3, generator=generator), dim=-1).to(device)

    def once(features: np.ndarray, count: int) -> np.ndarray:
        return cluster_points(features, count, restarts=1, threads=torch.get_num_threads())

    rows: list[list[Any]] = []
    dense = sphere(field.config.input_points)
    with torch.inference_mode():
        taken = seconds(lambda: field.encode(dense), repetitions, device)
        planes = field.encode(dense)
        rows.append([PEER, "planes", field.config.input_points, 0, 1, taken, float("nan")])
        for n in tqdm(points, desc="PartField", leave=False, mininterval=2.0):
            at = sphere(n)
            taken = seconds(lambda at=at: field.query(planes, at), repetitions, device)  # type: ignore[misc]
            rows.append([PEER, "query", n, 0, 1, taken, float("nan")])
            features = field.query(planes, at)[0].float().cpu().numpy()
            for count in parts:
                taken = seconds(
                    lambda x=features, k=count: once(x, k),  # type: ignore[misc]
                    repetitions,
                    device,
                )
                rows.append([PEER, "k-means", n, count, 1, taken, float("nan")])
    return _table(rows, device)


def paper_pipeline(
    model: AlignParts,
    *,
    geometry: PartFieldConfig | None = None,
    appearance: Dinov2Config | None = None,
    manifest: Manifest | None = None,
) -> NamedPartsPipeline:
    """The whole system at the paper's sizes with random weights, which take as long as trained ones.

    Texts are embedded once and kept, so their encoder is not timed; random vectors stand in for it.
    """
    device = next(model.parameters()).device
    encoders = Encoders(
        PartField(geometry).eval().to(device),
        AppearanceEncoder(Dinov2Model(appearance or Dinov2Config(image_size=518, patch_size=14))).to(device),
    )
    text = cast(TextEncoder, _RandomText(model.config.d_t))
    return NamedPartsPipeline(
        model, encoders, text, manifest=manifest or Manifest(resolution=224, points=10_000)
    )


class _RandomText:
    def __init__(self, width: int) -> None:
        self.width = width

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        vectors = [np.random.default_rng(seed_of(text, 0)).standard_normal(self.width) for text in texts]
        return np.stack([vector / np.linalg.norm(vector) for vector in vectors]).astype(np.float32)


def growth(table: pd.DataFrame, method: str, stage: str, low: int = 0, high: int = 10**9) -> float:
    """Exponent of seconds against points, fitted by least squares on a log-log scale; one shape."""
    kept = table[(table.method == method) & (table.stage == stage) & (table.batch == 1)]
    kept = kept[kept.points.between(low, high)]
    if kept.points.nunique() < 2:
        return float("nan")
    return float(np.polyfit(np.log(kept.points), np.log(kept.seconds), 1)[0])


def value(table: pd.DataFrame, method: str, stage: str, points: int, **where: int) -> float:
    """Seconds of one row; NaN where it is not there."""
    kept = table[(table.method == method) & (table.stage == stage) & (table.points == points)]
    for column, wanted in ({"batch": 1, "parts": 0} | where).items():
        kept = kept[kept[column] == wanted]
    return float(kept.seconds.iloc[0]) if len(kept) else float("nan")


def end_to_end(stages: pd.DataFrame) -> float:
    """Time of the peer's whole path by that of ours: samples, planes and field, k-means, face labels.

    Args:
        stages: of `alignparts.evaluation.speed.timing.time_stages`; what both need is timed once.
    """
    seconds = stages.set_index("stage").seconds
    ours = stages[(stages.method == OURS) & (stages.stage != "model")].seconds.sum()
    return float(seconds[["sampling", "PartField", "k-means", "face labels"]].sum() / ours)


def summary(table: pd.DataFrame, stages: pd.DataFrame, bounds: pd.Series, points: int) -> pd.DataFrame:
    """All in the columns of a table of times; ``ratio`` is to our forward pass at ``points`` points."""
    forward = value(table, OURS, "forward", points)
    parts = table.parts.map(lambda count: f", {count} parts" if count else "")
    shapes = table.batch.map(lambda count: f", {count} shapes" if count > 1 else "")
    rows = table.assign(stage=table.stage + parts + shapes, ratio=table.seconds / forward)
    device = table.device.iloc[0]
    ends = stages.assign(stage="end to end: " + stages.stage, ratio=stages.seconds / forward, device=device)
    found = pd.DataFrame(
        {"method": OURS, "stage": bounds.index, "ratio": bounds.to_numpy(), "points": points}
    )
    columns = ["method", "stage", "seconds", "ratio", "points", "memory_mb", "device"]
    joined = pd.concat([rows, ends, found.assign(device=device)], ignore_index=True)[columns]
    return joined.round({"seconds": 5, "ratio": 3, "memory_mb": 1})


def _table(rows: list[list[Any]], device: torch.device) -> pd.DataFrame:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return pd.DataFrame([[*row, name] for row in rows], columns=COLUMNS)


def _status(key: str) -> int:
    """kB of a line of this process's status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise OSError(f"/proc/self/status has no {key}")
