"""Validate after every epoch; measure statistics of features and of classes (section 9.1)."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.numpy import save as to_bytes
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from alignparts.core.atomic import write_atomically, write_text
from alignparts.core.config.params import LossParams
from alignparts.model.alignparts import AlignParts, AlignPartsOutput
from alignparts.model.dataset import Batch, PartDataset, batches, moved
from alignparts.model.losses import alignment_losses, pairs_of
from alignparts.model.matching import match
from alignparts.model.metrics import shape_metrics
from alignparts.model.texts import TextTable

MEASURED = 128
"""Number of shapes that give the mean and standard deviation of the features."""


def in_order(count: int, batch_size: int) -> list[list[int]]:
    """Return the indices of every batch, without shuffling."""
    return [list(range(start, min(start + batch_size, count))) for start in range(0, count, batch_size)]


@torch.no_grad()
def validate(
    model: AlignParts, dataset: PartDataset, batch_size: int, weights: LossParams, device: torch.device
) -> dict[str, float]:
    """Return losses and metrics of a data set, means over its shapes; nothing for an empty one.

    They are every term of the loss, ``miou`` and ``la_miou`` given the category (Eqs. 17 and 22), and
    ``category``, the share of shapes whose category Eq. 16 finds.
    """
    model.eval()
    sums: defaultdict[str, float] = defaultdict(float)
    for batch in batches(dataset, in_order(len(dataset), batch_size)):
        on_device = moved(batch, device)
        output = model(**on_device.inputs())
        losses = alignment_losses(output, on_device.targets, weights)
        rows = [{name: value.item() * len(batch) for name, value in losses.items()}]
        rows += [_scores(output, batch, shape, dataset.table) for shape in range(len(batch))]
        for name, value in chain.from_iterable(row.items() for row in rows):
            sums[name] += value
    return {name: value / len(dataset) for name, value in sums.items()}


def _scores(output: AlignPartsOutput, batch: Batch, shape: int, table: TextTable) -> dict[str, float]:
    """Return the metrics of a shape of a batch, with categories by Eq. 16 and parts by Eqs. 17 and 22."""
    category, truth = batch.categories[shape], batch.targets.part[shape].numpy()
    values = (output.mask_logits, output.partness, output.partlets, output.global_embedding)
    logits, partness, partlets, whole = (value[shape].float().cpu() for value in values)
    texts = np.stack([table.category(name) for name in table.categories])
    nearest = int((texts @ F.normalize(whole, dim=0).numpy()).argmax())
    scores = {"category": float(table.categories[nearest] == category)}
    if not (truth >= 0).any():
        return scores | {"miou": 0.0, "la_miou": 0.0}
    active = np.flatnonzero(partness.sigmoid().numpy() > 0.5)
    if not len(active):
        active = np.array([int(partness.argmax())])
    prototypes = F.normalize(partlets, dim=-1).numpy()[active]
    rows, columns = linear_sum_assignment(1 - prototypes @ table.parts(category).T)
    mask = logits.sigmoid().numpy()[active[rows]]
    segments = np.where(mask.max(axis=0) >= 0.5, mask.argmax(axis=0), -1)
    names = [table.names[category][column] for column in columns]
    metrics = shape_metrics(segments, names, truth, batch.names[shape])
    return scores | {name: metrics[name] for name in ("miou", "la_miou")}


def channel_statistics(dataset: PartDataset) -> dict[str, tuple[Float[Tensor, " d"], Float[Tensor, " d"]]]:
    """Return mean and standard deviation of every channel of "geometry" and "appearance".

    They are taken over all stored points of up to `MEASURED` shapes, spread evenly over the data set.
    """
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(len(dataset), MEASURED)).round().astype(int))
    moments: dict[str, Any] = {"geometry": 0.0, "appearance": 0.0}
    for index in chosen.tolist():
        arrays, _ = dataset.store.load(dataset.ids[index], tuple(moments))
        for name in moments:
            values = arrays[name].astype(np.float64)
            powers = (np.ones_like(values), values, np.square(values))
            moments[name] = moments[name] + np.stack([power.sum(axis=0) for power in powers])
    statistics = {}
    for name, (count, total, squares) in moments.items():
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - np.square(mean), 0))
        statistics[name] = (torch.from_numpy(mean).float(), torch.from_numpy(std).float())
    return statistics


@torch.no_grad()
def class_statistics(
    model: AlignParts, dataset: PartDataset, batch_size: int, device: torch.device
) -> tuple[list[tuple[str, str]], dict[str, np.ndarray]]:
    """Return the statistics of Eqs. 38 and 39 over the matched partlets of a data set.

    They are the labels (category, part), and ``mean`` (labels, d_t) with ``count`` (labels,) in that order
    beside the ``covariance`` (d_t, d_t) of all of them, without the ridge that its inversion adds.
    """
    model.eval()
    d_t = model.config.d_t
    counts: Counter[tuple[str, str]] = Counter()
    sums: defaultdict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(d_t))
    total, squares = np.zeros(d_t), np.zeros((d_t, d_t))
    for batch in batches(dataset, in_order(len(dataset), batch_size)):
        on_device = moved(batch, device)
        output = model(**on_device.inputs())
        pairs = pairs_of(match(output, on_device.targets))
        vectors = output.partlets[pairs.shape, pairs.partlet].double().cpu().numpy()
        for shape, part, vector in zip(pairs.shape.tolist(), pairs.part.tolist(), vectors, strict=True):
            label = (batch.categories[shape], batch.names[shape][part])
            counts[label] += 1
            sums[label] += vector
            total += vector
        squares += vectors.T @ vectors
    labels = sorted(sums)
    mean = np.array([sums[label] / counts[label] for label in labels]).reshape(len(labels), d_t)
    number = max(counts.total(), 1)
    covariance = squares / number - np.outer(total / number, total / number)
    return labels, {
        "mean": mean.astype(np.float32),
        "count": np.array([counts[label] for label in labels], dtype=np.int64),
        "covariance": ((covariance + covariance.T) / 2).astype(np.float32),
    }


def save_statistics(folder: Path, labels: Sequence[tuple[str, str]], tensors: dict[str, np.ndarray]) -> None:
    """Write ``statistics.safetensors``, and its labels as ``statistics.json``."""
    content, listed = to_bytes(tensors), {"labels": [list(label) for label in labels]}
    write_atomically(folder / "statistics.safetensors", lambda path: path.write_bytes(content))
    write_text(folder / "statistics.json", json.dumps(listed, indent=1) + "\n")
