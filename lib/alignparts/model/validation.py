"""Validation after every epoch, and statistics of features and of classes (section 9.1)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from safetensors.numpy import save as to_bytes
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from alignparts.core.atomic import write_atomically, write_text
from alignparts.core.config.params import LossParams
from alignparts.model.alignparts import AlignParts, AlignPartsOutput
from alignparts.model.dataset import Batch, PartDataset, batches, moved
from alignparts.model.losses import alignment_losses
from alignparts.model.matching import match
from alignparts.model.metrics import shape_metrics
from alignparts.model.texts import TextTable

MEASURED = 128
"""Number of shapes that the features' mean and standard deviation are taken from."""


def in_order(count: int, batch_size: int) -> list[list[int]]:
    """Return the indices of every batch, without shuffling."""
    return [list(range(start, min(start + batch_size, count))) for start in range(0, count, batch_size)]


@torch.no_grad()
def validate(
    model: AlignParts,
    dataset: PartDataset,
    batch_size: int,
    weights: LossParams,
    device: torch.device,
) -> dict[str, float]:
    """Return losses and metrics of a data set, means over its shapes.

    Returns:
        Every term of the loss, ``miou`` and ``la_miou`` given the category (Eqs. 17 and 22), and
        ``category``, the share of shapes whose category Eq. 16 finds; empty for an empty data set.
    """
    model.eval()
    sums: dict[str, float] = {}
    for batch in batches(dataset, in_order(len(dataset), batch_size)):
        on_device = moved(batch, device)
        output = model(**on_device.inputs())
        losses = alignment_losses(output, on_device.targets, weights)
        size = len(batch.shape_ids)
        rows = [{name: value.item() * size for name, value in losses.items()}]
        rows += [_scores(output, batch, row, dataset.table) for row in range(size)]
        for scores in rows:
            for name, value in scores.items():
                sums[name] = sums.get(name, 0.0) + value
    return {name: value / len(dataset) for name, value in sums.items()}


def _scores(output: AlignPartsOutput, batch: Batch, row: int, table: TextTable) -> dict[str, float]:
    category = batch.categories[row]
    texts = np.stack([table.category(name) for name in table.categories])
    shape = F.normalize(output.global_embedding[row].float(), dim=0).cpu().numpy()
    scores = {"category": float(table.categories[int((texts @ shape).argmax())] == category)}
    truth = batch.targets.part[row].numpy()
    segments, names = named_points(
        output.mask_logits[row].sigmoid().float().cpu().numpy(),
        output.partness[row].sigmoid().float().cpu().numpy(),
        F.normalize(output.partlets[row].float(), dim=-1).cpu().numpy(),
        table.parts(category),
        table.names[category],
    )
    if not (truth >= 0).any():
        return scores | {"miou": 0.0, "la_miou": 0.0}
    metrics = shape_metrics(segments, names, truth, batch.names[row])
    return scores | {name: metrics[name] for name in ("miou", "la_miou")}


def named_points(
    mask: Float[np.ndarray, "k n"],
    partness: Float[np.ndarray, " k"],
    prototypes: Float[np.ndarray, "k d_t"],
    text: Float[np.ndarray, "a d_t"],
    names: Sequence[str],
) -> tuple[Int64[np.ndarray, " n"], list[str]]:
    """Return the segment of every point (-1 unlabeled) and the segments' names, by Eqs. 17 and 22."""
    active = np.flatnonzero(partness > 0.5)
    if not len(active):
        active = np.array([int(partness.argmax())])
    rows, columns = linear_sum_assignment(1 - prototypes[active] @ text.T)
    chosen = mask[active[rows]]
    segments = np.where(chosen.max(axis=0) >= 0.5, chosen.argmax(axis=0), -1)
    return segments.astype(np.int64), [names[column] for column in columns]


def channel_statistics(dataset: PartDataset) -> dict[str, tuple[Float[Tensor, " d"], Float[Tensor, " d"]]]:
    """Return mean and standard deviation of every channel of "geometry" and "appearance".

    They are taken over all stored points of up to `MEASURED` shapes, spread evenly over the data set.
    """
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(len(dataset), MEASURED)).round().astype(int))
    sums: dict[str, list[Any]] = {name: [0, 0.0, 0.0] for name in ("geometry", "appearance")}
    for index in chosen.tolist():
        arrays, _ = dataset.store.load(dataset.ids[index], tuple(sums))
        for name, running in sums.items():
            values = arrays[name].astype(np.float64)
            running[0] += len(values)
            running[1] = running[1] + values.sum(axis=0)
            running[2] = running[2] + np.square(values).sum(axis=0)
    statistics = {}
    for name, (count, total, squares) in sums.items():
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - np.square(mean), 0))
        statistics[name] = (torch.from_numpy(mean).float(), torch.from_numpy(std).float())
    return statistics


@torch.no_grad()
def class_statistics(
    model: AlignParts, dataset: PartDataset, batch_size: int, device: torch.device
) -> tuple[list[tuple[str, str]], dict[str, np.ndarray]]:
    """Return the statistics of Eqs. 38 and 39 over the matched partlets of a data set.

    Returns:
        The labels (category, part), and ``mean`` (labels, d_t) with ``count`` (labels,) in that order beside
        the ``covariance`` (d_t, d_t) of all of them, without the ridge that its inversion adds.
    """
    model.eval()
    d_t = model.config.d_t
    sums: dict[tuple[str, str], tuple[int, np.ndarray]] = {}
    total, squares = np.zeros(d_t), np.zeros((d_t, d_t))
    for batch in batches(dataset, in_order(len(dataset), batch_size)):
        on_device = moved(batch, device)
        output, targets = model(**on_device.inputs()), on_device.targets
        assignment = match(
            output.mask_logits, output.partlets, targets.masks, targets.labeled, targets.text, targets.parts
        )
        matched = (assignment >= 0).nonzero().tolist()
        for row, partlet in matched:
            label = (batch.categories[row], batch.names[row][int(assignment[row, partlet])])
            count, running = sums.get(label, (0, np.zeros(d_t)))
            vector = output.partlets[row, partlet].double().cpu().numpy()
            sums[label] = count + 1, running + vector
            total += vector
        flat = output.partlets[assignment >= 0].double().cpu().numpy()
        squares += flat.T @ flat
    labels = sorted(sums)
    counts = np.array([sums[label][0] for label in labels], dtype=np.int64)
    mean = np.array([sums[label][1] / sums[label][0] for label in labels]).reshape(len(labels), d_t)
    number = max(int(counts.sum()), 1)
    center = total / number
    covariance = squares / number - np.outer(center, center)
    return labels, {
        "mean": mean.astype(np.float32),
        "count": counts,
        "covariance": ((covariance + covariance.T) / 2).astype(np.float32),
    }


def save_statistics(folder: Path, labels: Sequence[tuple[str, str]], tensors: dict[str, np.ndarray]) -> None:
    """Write ``statistics.safetensors`` and, with its labels, ``statistics.json``."""
    content = to_bytes(tensors)
    write_atomically(folder / "statistics.safetensors", lambda path: path.write_bytes(content))
    write_text(
        folder / "statistics.json", json.dumps({"labels": [list(label) for label in labels]}, indent=1) + "\n"
    )
