"""Speed of the model beside a straight transcription of its equations, and beside PartField's path.

All in one run, so that ratios mean something. The machine's rate of matrix products is measured too: a bound
that no implementation with the same products can beat.
"""

import copy
import ctypes
import gc
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
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
from alignparts.evaluation.baselines.clustering import cluster_points, directions
from alignparts.evaluation.speed import transcription
from alignparts.evaluation.speed.timing import clock
from alignparts.features.appearance import AppearanceEncoder, small_config
from alignparts.features.extract import Encoders
from alignparts.features.partfield import PartField, PartFieldConfig
from alignparts.model.alignparts import AlignParts, AlignPartsConfig
from alignparts.model.graph import nearest_neighbors
from alignparts.naming.pipeline import Manifest, NamedPartsPipeline
from alignparts.ontology.text import TextEncoder

CPU = torch.device("cpu")
OURS, STRAIGHT, PEER = "ALIGN-Parts", "transcription", "PartField"
COLUMNS = ["method", "stage", "points", "parts", "batch", "seconds", "memory_mb", "device"]


def network_sizes(settings: BenchParams) -> tuple[AlignPartsConfig, PartFieldConfig, Dinov2Config]:
    """Return the sizes of ALIGN-Parts, PartField and DINOv2: the paper's, or small ones (milliseconds)."""
    if settings.networks == "small":
        ours = AlignPartsConfig(d_g=64, d_a=96, d_m=64, d_f=32, d_t=48, K=8, k=8, layers=2)
        return ours, PartFieldConfig.small(), small_config(settings.resolution)
    return AlignPartsConfig(), PartFieldConfig(), Dinov2Config(image_size=518, patch_size=14)


def inputs(config: AlignPartsConfig, points: int, batch: int, device: torch.device) -> dict[str, Tensor]:
    """Return arguments of a forward pass: random features of points on a sphere, with their neighbors."""
    generator = torch.Generator().manual_seed(0)
    given = {"points": _sphere(batch, points, generator)}
    for name, width in (("geometry", config.d_g), ("appearance", config.d_a)):
        given[name] = torch.randn(batch, points, width, generator=generator)
    given["neighbors"] = nearest_neighbors(given["points"], config.k)
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
    """Return the peak memory of a call in MB beyond the memory in use before; NaN where it is unknown."""
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

    def kilobytes(key: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(key))

    before = kilobytes("VmRSS")
    run()
    return (kilobytes("VmHWM") - before) / 1024


def product_rate(device: torch.device, repetitions: int = 7) -> float:
    """Return the FLOP per second of this machine in a product of the model's most common size."""
    left, right = torch.randn(10_000, 768, device=device), torch.randn(768, 768, device=device)
    return 2 * 10_000 * 768 * 768 / seconds(lambda: left @ right, repetitions, device)


def product_flops(model: AlignParts, given: dict[str, Tensor]) -> int:
    """Count the FLOP of all matrix products in one forward pass.

    It runs a copy in half precision, which gathers edges: the counter takes a sparse matrix for a full one.
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

    The neighbor graph is made beforehand for both implementations and timed as a stage of its own. The
    transcription is left out where it would need more than ``memory_mb``.
    """
    device, k = next(model.parameters()).device, model.config.k
    sizes = [(n, 1) for n in points] + [(batch_points, batch) for batch in batches if batch > 1]
    rows = []
    for n, batch in tqdm(sizes, desc="forward", leave=False, mininterval=2.0):
        given = inputs(model.config, n, batch, device)
        with torch.inference_mode():
            fused = model.fusion(**given)
            runs: dict[tuple[str, str], Callable[[], Any]] = {
                (OURS, "forward"): partial(model, **given),
                (OURS, "fusion"): partial(model.fusion, **given),
                (OURS, "decoder"): partial(model.decoder, fused),
                (OURS, "neighbors"): partial(nearest_neighbors, given["points"], k),
            }
            # At its peak, the transcription holds six tensors (points, neighbors, d_m) of 4-byte floats.
            if n * batch * k * model.config.d_m * 4 * 6 / 2**20 <= memory_mb:
                runs[STRAIGHT, "forward"] = partial(transcription.forward, model, **given)
            for (method, stage), run in runs.items():
                memory = peak_memory(run, device)
                rows.append((method, stage, n, 0, batch, seconds(run, repetitions, device), memory))
    return _table(rows, device)


def peer_rows(
    points: Sequence[int], parts: Sequence[int], *, config: PartFieldConfig, device: torch.device = CPU
) -> pd.DataFrame:
    """Time PartField's path: its planes, its field at our points, k-means at every number of parts.

    K-means takes as many threads as torch: the fastest that this path can be.
    """
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    field = PartField(config).eval().to(device)
    dense = _sphere(1, field.config.input_points, generator).to(device)
    rows: list[tuple[Any, ...]] = []

    def add(stage: str, n: int, count: int, run: Callable[[], Any]) -> None:
        rows.append((PEER, stage, n, count, 1, seconds(run, 1, device), np.nan))

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
    field = PartField(geometry).eval().to(device)
    images = AppearanceEncoder(Dinov2Model(appearance)).to(device)
    manifest = Manifest(views=settings.views, resolution=settings.resolution, points=settings.stage_points)

    def encode(texts: Sequence[str]) -> np.ndarray:
        rows = [np.random.default_rng(seed_of(text, 0)).standard_normal(model.config.d_t) for text in texts]
        return directions(np.stack(rows))

    text = cast(TextEncoder, SimpleNamespace(encode=encode))
    return NamedPartsPipeline(model, Encoders(field, images), text, manifest=manifest)


def growth(table: pd.DataFrame, method: str, stage: str, low: int = 0, high: int = 10**9) -> float:
    """Fit the exponent of seconds in points by least squares on a log-log scale; one shape at a time."""
    rows = table.query("method == @method and stage == @stage and batch == 1 and @low <= points <= @high")
    enough = rows.points.nunique() > 1
    return float(np.polyfit(np.log(rows.points), np.log(rows.seconds), 1)[0]) if enough else float("nan")


def value(table: pd.DataFrame, method: str, stage: str, points: int, parts: int = 0) -> float:
    """Look up the seconds of one row with one shape; NaN where there is none."""
    rows = table[table.batch == 1].groupby(["method", "stage", "points", "parts"]).seconds.first()
    return float(rows.get((method, stage, points, parts), np.nan))


def bounds(ours: pd.DataFrame, peer: pd.DataFrame, points: int, product_seconds: float) -> pd.Series:
    """Return the times of :func:`forward_rows` and :func:`peer_rows` at ``points`` points as ratios.

    The matrix products of one forward pass take ``product_seconds`` alone.
    """
    forward, decoder = (value(ours, OURS, stage, points) for stage in ("forward", "decoder"))
    alone = ours.query("stage == 'forward' and points == @points and batch == 1")
    memory = alone.set_index("method").memory_mb
    ratios = {
        "forward / its matrix products alone": forward / product_seconds,
        "transcription / ours": value(ours, STRAIGHT, "forward", points) / forward,
        "extra memory, ours (MB)": memory.get(OURS),
        "extra memory, transcription (MB)": memory.get(STRAIGHT),
        "exponent of seconds in points, 4 k to 64 k": growth(ours, OURS, "forward", 4000, 66_000),
    }
    for parts in peer.parts[peer.stage == "k-means"].unique():
        k_means = value(peer, PEER, "k-means", points, parts=parts)
        ratios[f"k-means at {parts} parts / decoder"] = k_means / decoder
    return pd.Series(ratios)


def summary(table: pd.DataFrame, stages: pd.DataFrame, bounds: pd.Series, points: int) -> pd.DataFrame:
    """Join all in the columns of a table of times; ``ratio`` is to our forward pass at ``points`` points."""
    parts = table.parts.map(lambda count: f", {count} parts" if count else "")
    shapes = table.batch.map(lambda count: f", {count} shapes" if count > 1 else "")
    ends = stages.assign(stage="end to end: " + stages.stage)
    timed = pd.concat([table.assign(stage=table.stage + parts + shapes), ends])
    timed["ratio"] = timed.seconds / value(table, OURS, "forward", points)
    ratios = bounds.rename_axis("stage").reset_index(name="ratio").assign(method=OURS, points=points)
    joined = pd.concat([timed, ratios], ignore_index=True).assign(device=table.device.iloc[0])
    columns = ["method", "stage", "seconds", "ratio", "points", "memory_mb", "device"]
    return joined[columns].round({"seconds": 5, "ratio": 3, "memory_mb": 1})


def _sphere(batch: int, points: int, generator: torch.Generator) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(batch, points, 3, generator=generator), dim=-1)


def _table(rows: list[tuple[Any, ...]], device: torch.device) -> pd.DataFrame:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return pd.DataFrame(rows, columns=COLUMNS[:-1]).assign(device=name)
