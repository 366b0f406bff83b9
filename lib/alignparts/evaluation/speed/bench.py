"""Speed of the model beside a straight transcription of its equations, and beside PartField's path.

All in one run, so that ratios mean something. The machine's rate of matrix products is measured too: a bound
that no implementation with the same products can beat.
"""

import copy
import ctypes
import gc
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from tqdm.auto import tqdm
from transformers import Dinov2Config, Dinov2Model

from alignparts.core.config.params import BenchParams
from alignparts.corpus.mesh.sampling import seed_of
from alignparts.evaluation.baselines.clustering import cluster_points
from alignparts.evaluation.speed import transcription
from alignparts.evaluation.speed.timing import clock
from alignparts.features.appearance import AppearanceEncoder, small_config
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


SMALL = AlignPartsConfig(d_g=64, d_a=96, d_m=64, d_f=32, d_t=48, K=8, k=8, layers=2)
"""Sizes that fit the small encoders and take milliseconds."""


def network_sizes(settings: BenchParams) -> tuple[AlignPartsConfig, PartFieldConfig, Dinov2Config]:
    """Return the sizes of ALIGN-Parts, PartField and DINOv2: the paper's, or small ones."""
    if settings.networks == "small":
        return SMALL, PartFieldConfig.small(), small_config(settings.resolution)
    return AlignPartsConfig(), PartFieldConfig(), Dinov2Config(image_size=518, patch_size=14)


def inputs(config: AlignPartsConfig, points: int, batch: int, device: torch.device) -> dict[str, Tensor]:
    """Return arguments of a forward pass: random features of points on a sphere, with their neighbors."""
    generator = torch.Generator().manual_seed(0)
    sphere = _sphere(batch, points, generator)
    given = {"points": sphere}
    for name, width in (("geometry", config.d_g), ("appearance", config.d_a)):
        given[name] = torch.randn(batch, points, width, generator=generator)
    given["neighbors"] = nearest_neighbors(sphere, config.k)
    return {name: tensor.to(device) for name, tensor in given.items()}


def seconds(run: Callable[[], Any], repetitions: int, device: torch.device) -> float:
    """Return the median seconds of a call, after one that does not count."""
    times = []
    for _ in range(repetitions + 1):
        start = clock(device)
        run()
        times.append(clock(device) - start)
    return float(np.median(times[1:]))


def peak_memory(run: Callable[[], Any], device: torch.device) -> float:
    """Return the peak memory of a call in MB beyond what is held before; NaN if the system does not tell."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak, VmHWM
    except (OSError, AttributeError):
        return float("nan")
    before = _status("VmRSS")
    run()
    return (_status("VmHWM") - before) / 1024


def product_rate(device: torch.device, dtype: torch.dtype = torch.float32, repetitions: int = 7) -> float:
    """Return the FLOP per second of this machine in a product of the model's most common size."""
    left, right = torch.randn(10_000, 768).to(device, dtype), torch.randn(768, 768).to(device, dtype)
    return 2 * 10_000 * 768 * 768 / seconds(lambda: left @ right, repetitions, device)


def product_flops(model: AlignParts, given: dict[str, Tensor]) -> int:
    """Count the FLOP of all matrix products in one forward pass.

    On a copy in half precision, where edges are gathered: the counter takes a sparse matrix for a full one.
    """
    half = copy.deepcopy(model).bfloat16()
    halved = {name: tensor.bfloat16() for name, tensor in given.items() if tensor.is_floating_point()}
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        half(**(given | halved))
    return int(counter.get_total_flops())


def forward_rows(
    model: AlignParts,
    points: Sequence[int],
    batches: Sequence[int],
    batch_points: int,
    *,
    repetitions: int,
    memory_mb: float = 6000.0,
) -> pd.DataFrame:
    """Time fusion, decoder and all against points (one shape) and against shapes (of ``batch_points``).

    The neighbor graph is found beforehand for both implementations and timed as a stage of its own. The
    transcription is left out where it would need more than ``memory_mb``.
    """
    device = next(model.parameters()).device
    sizes = [(n, 1) for n in points] + [(batch_points, batch) for batch in batches if batch > 1]
    rows = []
    for n, batch in tqdm(sizes, desc="forward", leave=False, mininterval=2.0):
        for method, stage, run in _runs(model, inputs(model.config, n, batch, device), memory_mb):
            with torch.inference_mode():
                memory = peak_memory(run, device)
                rows.append((method, stage, n, 0, batch, seconds(run, repetitions, device), memory))
    return _table(rows, device)


def _runs(
    model: AlignParts, given: dict[str, Tensor], memory_mb: float
) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    yield OURS, "forward", partial(model, **given)
    with torch.inference_mode():
        fused = model.fusion(**given)
    yield OURS, "fusion", partial(model.fusion, **given)
    yield OURS, "decoder", partial(model.decoder, fused)
    yield OURS, "neighbors", partial(nearest_neighbors, given["points"], model.config.k)
    if given["neighbors"].numel() * model.config.d_m * 4 * EDGE_COPIES / 2**20 <= memory_mb:
        yield STRAIGHT, "forward", partial(transcription.forward, model, **given)


def peer_rows(
    points: Sequence[int],
    parts: Sequence[int],
    *,
    config: PartFieldConfig | None = None,
    repetitions: int = 1,
    device: torch.device | None = None,
) -> pd.DataFrame:
    """Time PartField's path: its planes, its field at our points, k-means at every number of parts.

    One run of k-means on as many threads as torch has: the fastest that this path can be.
    """
    device = device or torch.device("cpu")
    torch.manual_seed(0)
    field = PartField(config).eval().to(device)
    generator = torch.Generator().manual_seed(0)
    dense = _sphere(1, field.config.input_points, generator).to(device)
    rows: list[tuple[Any, ...]] = []

    def add(stage: str, n: int, count: int, run: Callable[[], Any]) -> None:
        rows.append((PEER, stage, n, count, 1, seconds(run, repetitions, device), float("nan")))

    with torch.inference_mode():
        add("planes", field.config.input_points, 0, partial(field.encode, dense))
        planes = field.encode(dense)
        for n in tqdm(points, desc="PartField", leave=False, mininterval=2.0):
            at = _sphere(1, n, generator).to(device)
            add("query", n, 0, partial(field.query, planes, at))
            features = field.query(planes, at)[0].float().cpu().numpy()
            cluster = partial(cluster_points, features, threads=torch.get_num_threads())
            for count in parts:
                add("k-means", n, count, partial(cluster, clusters=count))
    return _table(rows, device)


def random_pipeline(
    model: AlignParts, geometry: PartFieldConfig, appearance: Dinov2Config, settings: BenchParams
) -> NamedPartsPipeline:
    """Return the whole system with random weights, which take as long as trained ones.

    Random vectors stand in for the text encoder, which embeds each text only once and is not timed.
    """
    device = next(model.parameters()).device
    encoders = Encoders(
        PartField(geometry).eval().to(device), AppearanceEncoder(Dinov2Model(appearance)).to(device)
    )
    text = cast(TextEncoder, _RandomText(model.config.d_t))
    manifest = Manifest(views=settings.views, resolution=settings.resolution, points=settings.stage_points)
    return NamedPartsPipeline(model, encoders, text, manifest=manifest)


class _RandomText:
    def __init__(self, width: int) -> None:
        self.width = width

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        vectors = [np.random.default_rng(seed_of(text, 0)).standard_normal(self.width) for text in texts]
        return np.stack([vector / np.linalg.norm(vector) for vector in vectors]).astype(np.float32)


def growth(table: pd.DataFrame, method: str, stage: str, low: int = 0, high: int = 10**9) -> float:
    """Fit the exponent of seconds in points by least squares on a log-log scale; one shape at a time."""
    rows = table[(table.method == method) & (table.stage == stage) & (table.batch == 1)]
    rows = rows[rows.points.between(low, high)]
    if rows.points.nunique() < 2:
        return float("nan")
    return float(np.polyfit(np.log(rows.points), np.log(rows.seconds), 1)[0])


def value(table: pd.DataFrame, method: str, stage: str, points: int, parts: int = 0) -> float:
    """Look up the seconds of one row with one shape; NaN where there is none."""
    keys = {"method": method, "stage": stage, "points": points, "parts": parts, "batch": 1}
    rows = table[(table[list(keys)] == list(keys.values())).all(axis=1)]
    return float(rows.seconds.iloc[0]) if len(rows) else float("nan")


def bounds(ours: pd.DataFrame, peer: pd.DataFrame, points: int, product_seconds: float) -> pd.Series:
    """Return what the times mean, as ratios: to the bound, to the transcription, to the peer's k-means.

    Args:
        ours: Table of :func:`forward_rows`.
        peer: Table of :func:`peer_rows`.
        points: Number of points at which times are compared.
        product_seconds: Seconds that the matrix products of one forward pass take alone.
    """
    forward, decoder = (value(ours, OURS, stage, points) for stage in ("forward", "decoder"))
    once = ours[(ours.stage == "forward") & (ours.points == points) & (ours.batch == 1)]
    memory = once.set_index("method").memory_mb
    k_means = {
        f"k-means at {parts} parts / decoder": value(peer, PEER, "k-means", points, parts=parts) / decoder
        for parts in dict.fromkeys(peer.parts[peer.stage == "k-means"])
    }
    return pd.Series(
        {
            "forward / its matrix products alone": forward / product_seconds,
            "transcription / ours": value(ours, STRAIGHT, "forward", points) / forward,
            "extra memory, ours (MB)": memory.get(OURS),
            "extra memory, transcription (MB)": memory.get(STRAIGHT),
            "exponent of seconds in points, 4 k to 64 k": growth(ours, OURS, "forward", 4000, 66_000),
            **k_means,
        }
    )


def summary(table: pd.DataFrame, stages: pd.DataFrame, bounds: pd.Series, points: int) -> pd.DataFrame:
    """Join all in the columns of a table of times; ``ratio`` is to our forward pass at ``points`` points."""
    parts = table.parts.map(lambda count: f", {count} parts" if count else "")
    shapes = table.batch.map(lambda count: f", {count} shapes" if count > 1 else "")
    ends = stages.assign(stage="end to end: " + stages.stage)
    timed = pd.concat([table.assign(stage=table.stage + parts + shapes), ends])
    timed["ratio"] = timed.seconds / value(table, OURS, "forward", points)
    bound = pd.DataFrame(
        {"method": OURS, "stage": bounds.index, "ratio": bounds.to_numpy(), "points": points}
    )
    joined = pd.concat([timed, bound], ignore_index=True).assign(device=table.device.iloc[0])
    columns = ["method", "stage", "seconds", "ratio", "points", "memory_mb", "device"]
    return joined[columns].round({"seconds": 5, "ratio": 3, "memory_mb": 1})


def _sphere(batch: int, points: int, generator: torch.Generator) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(batch, points, 3, generator=generator), dim=-1)


def _table(rows: list[tuple[Any, ...]], device: torch.device) -> pd.DataFrame:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return pd.DataFrame([(*row, name) for row in rows], columns=COLUMNS)


def _status(key: str) -> int:
    """Return a field of /proc/self/status in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))
