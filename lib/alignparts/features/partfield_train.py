"""Contrastive training of a `PartField` on the part instances of training shapes.

PartField (Liu et al. 2025) learns from triplets: two points of one part proposal and a third outside
of it, with a softmax cross-entropy over the cosine similarities, taken from both points of the pair:

    L = -1/2 [ log e^{s_ab} / (e^{s_ab} + e^{s_ac}) + log e^{s_ab} / (e^{s_ab} + e^{s_bc}) ],   s = cos / tau

Here every pair of one instance among the sampled points is a pair (a, b), in both orders, and all
sampled points of the shape's other instances stand in the denominator at once, so that hard negatives
weigh most by themselves. Simplified: masks are the labeled part instances only, not the nested
proposals of an image segmenter; the temperature is fixed instead of learned; and nothing supervises
a signed distance.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int, Int32
from torch import Tensor

from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import Row, Trainer, adamw, seeded
from alignparts.features.partfield import FRAME, PartField, PartFieldConfig

Drawn = tuple[Float[Tensor, "batch n 3"], Float[Tensor, "batch m 3"], Int[Tensor, "batch m"]]
"""Input points and query positions in PartField's frame, and the part instances of the latter."""


@dataclass(frozen=True)
class PartMasks:
    """One training shape: points in the model frame [-1, 1] and their part instances, -1 unlabeled."""

    points: Float32[np.ndarray, "n 3"]
    instance: Int32[np.ndarray, " n"]


@dataclass(frozen=True)
class PartFieldTraining:
    """Optimization of `train_partfield`.

    Attributes:
        epochs: number of passes over the shapes.
        batch_size: number of shapes per step.
        lr, lr_min: learning rates at the peak and at the end of a cosine decay.
        weight_decay: weight decay of AdamW, which spares vectors and the position table.
        warmup: share of the steps in which the rate rises linearly.
        clip: largest norm of the gradient.
        temperature: tau of the similarities.
        queries: number of points per shape at which the field is compared.
        stretch: largest relative change of each axis.
        yaw: largest turn about the up axis in degrees.
        jitter: standard deviation of the noise on the encoder's input points, in the model frame.
    """

    epochs: int = 4
    batch_size: int = 4
    lr: float = 1e-3
    lr_min: float = 1e-5
    weight_decay: float = 1e-2
    warmup: float = 0.05
    clip: float = 1.0
    temperature: float = 0.1
    queries: int = 256
    stretch: float = 0.2
    yaw: float = 10.0
    jitter: float = 0.003


def contrastive_loss(
    features: Float[Tensor, "batch m channels"], instance: Int[Tensor, "batch m"], temperature: float
) -> Float[Tensor, ""]:
    """Return the mean over anchors, then over the anchor's pairs, of -log e^s_pos / (e^s_pos + sum e^s_neg).

    Unlabeled points (-1) and anchors without a partner or a negative do not count; the loss is 0 if no anchor
    is left.
    """
    unit = F.normalize(features, dim=-1)
    similarity = unit @ unit.transpose(1, 2) / temperature
    a, b = instance.unsqueeze(1), instance.unsqueeze(2)
    both = (a >= 0) & (b >= 0)
    positive = both & (a == b) & ~torch.eye(instance.shape[1], dtype=torch.bool, device=instance.device)
    negative = both & (a != b)
    against = similarity.masked_fill(~negative, -1e4).logsumexp(dim=2, keepdim=True)
    pairs = positive.sum(dim=2)
    terms = (F.softplus(against - similarity) * positive).sum(dim=2) / pairs.clamp(min=1)
    counted = (pairs > 0) & negative.any(dim=2)
    return (terms * counted).sum() / counted.sum().clamp(min=1)


def train_partfield(
    shapes: Sequence[PartMasks],
    config: PartFieldConfig,
    training: PartFieldTraining,
    seed: int,
    *,
    checkpoint: Path | None = None,
) -> tuple[PartField, list[Row]]:
    """Train a `PartField`; return it in evaluation mode, with the loss ("total") of every step.

    Weights, order and augmentation depend on the seed; the progress is written to ``checkpoint`` after every
    epoch.

    Raises:
        AlignPartsError: no shape with two labeled instances, or a loss that is not finite.
    """
    if not any(len(np.unique(shape.instance[shape.instance >= 0])) > 1 for shape in shapes):
        raise AlignPartsError(f"PartField training: no shape of {len(shapes)} has two labeled parts")
    model = seeded(seed, lambda: PartField(config))
    spared = [name for name, _ in model.named_parameters() if name.endswith("pos_embed")]
    optimizer = adamw(model, training.lr, training.weight_decay, spared)
    sums = [(*shape.points.sum(axis=0, dtype=np.float64), int(shape.instance.sum())) for shape in shapes]
    trainer = Trainer(
        "PartField training", model, optimizer, checkpoint, epochs=training.epochs, per_step=True,
        identity=[asdict(config), asdict(training), seed, sums],
    )  # fmt: skip
    per_epoch = math.ceil(len(shapes) / training.batch_size)

    def batches(epoch: int) -> Iterator[Drawn]:
        order = np.random.default_rng([seed, 0, epoch]).permutation(len(shapes))
        for number in range(per_epoch):
            rng = np.random.default_rng([seed, 1, epoch * per_epoch + number + 1])
            batch = [shapes[index] for index in order[number * training.batch_size :][: training.batch_size]]
            yield _batch(batch, config.input_points, training, rng)

    def loss(field: torch.nn.Module, drawn: Drawn) -> dict[str, Tensor]:
        points, positions, instance = drawn
        return {"total": contrastive_loss(field(points, positions), instance, training.temperature)}

    steps = per_epoch * training.epochs
    trainer.fit(batches, loss, lambda step: _rate(step + 1, steps, training), steps=steps, clip=training.clip)
    return model.eval(), trainer.history


def _batch(
    shapes: Sequence[PartMasks], size: int, training: PartFieldTraining, rng: np.random.Generator
) -> Drawn:
    """Return augmented input points and labeled query positions of a batch."""
    clouds, positions, labels = [], [], []
    for shape in shapes:
        instance = shape.instance
        points = augment(shape.points.astype(np.float64), training, rng)
        at = rng.choice(len(points), size, replace=len(points) < size)
        noise = rng.normal(scale=training.jitter, size=(size, 3)) if training.jitter else 0.0
        clouds.append(points[at] + noise)
        # Between uniform by area and uniform by instance, so that small parts are seen.
        _, which, counts = np.unique(instance, return_inverse=True, return_counts=True)
        weight = np.where(instance >= 0, 1 / np.sqrt(counts[which]), 0.0)
        if not weight.any():
            weight = np.ones(len(points))
        few = bool(np.count_nonzero(weight) < training.queries)
        at = rng.choice(len(points), training.queries, replace=few, p=weight / weight.sum())
        positions.append(points[at])
        labels.append(instance[at])
    inputs, queries = (torch.from_numpy(FRAME * np.stack(places)).float() for places in (clouds, positions))
    return inputs, queries, torch.from_numpy(np.stack(labels)).long()


def augment(
    points: Float[np.ndarray, "n 3"], training: PartFieldTraining, rng: np.random.Generator
) -> Float[np.ndarray, "n 3"]:
    """Mirror, stretch and turn a shape about the up axis (y), then bring it back to the model frame."""
    factors = rng.uniform(1 - training.stretch, 1 + training.stretch, size=3)
    factors[0] *= rng.choice([-1, 1])
    angle = np.radians(rng.uniform(-training.yaw, training.yaw))
    cos, sin = np.cos(angle), np.sin(angle)
    turned = (points * factors) @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    low, high = turned.min(axis=0), turned.max(axis=0)
    return (turned - (low + high) / 2) / max((high - low).max() / 2, 1e-12)


def _rate(step: int, total: int, training: PartFieldTraining) -> float:
    """Return the learning rate of a step: a linear rise, then a cosine decay."""
    warm = training.warmup * total
    if step < warm:
        return training.lr * step / warm
    progress = (step - warm) / max(total - warm, 1)
    floor = min(training.lr_min, training.lr)
    return floor + (training.lr - floor) * (1 + math.cos(math.pi * progress)) / 2
