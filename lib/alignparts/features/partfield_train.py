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

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from alignparts.core.checkpoint import load_state, save_state
from alignparts.core.errors import AlignPartsError
from alignparts.features.partfield import FRAME, PartField, PartFieldConfig


@runtime_checkable
class TrainingShape(Protocol):
    """A shape to learn from: points in the model frame [-1, 1] and their part instances (-1 unlabeled)."""

    @property
    def points(self) -> Float[np.ndarray, "n 3"]: ...

    @property
    def instance(self) -> Int[np.ndarray, " n"]: ...


@dataclass(frozen=True)
class PartFieldTraining:
    """Optimization of `train_partfield`.

    Attributes:
        epochs, batch_size, lr, weight_decay: as usual; weight decay spares vectors and the position table.
        warmup: share of the steps in which the rate rises linearly; a cosine to ``lr_min`` follows.
        clip: largest norm of the gradient.
        temperature: tau of the similarities.
        queries: points a shape at which the field is compared.
        stretch: largest relative change of each axis; yaw: largest turn about the up axis, degrees;
        jitter: standard deviation of the encoder's input points, in the model frame.
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

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "queries"):
            if (value := getattr(self, name)) < 1:
                raise AlignPartsError(f"PartFieldTraining: {name}: expected at least 1, got {value}")
        for name in ("lr", "temperature", "clip"):
            if not (value := getattr(self, name)) > 0:
                raise AlignPartsError(f"PartFieldTraining: {name}: expected more than 0, got {value}")
        for name in ("warmup", "stretch"):
            if not 0 <= (value := getattr(self, name)) < 1:
                raise AlignPartsError(f"PartFieldTraining: {name}: expected [0, 1), got {value}")


def contrastive_loss(
    features: Float[Tensor, "batch m channels"], instance: Int[Tensor, "batch m"], temperature: float
) -> Float[Tensor, ""]:
    """Mean over anchors, then over the anchor's pairs, of -log e^s_pos / (e^s_pos + sum e^s_neg).

    Unlabeled points (-1) and anchors without a partner or a negative do not count; 0 if none is left.
    """
    unit = F.normalize(features, dim=-1)
    similarity = unit @ unit.transpose(1, 2) / temperature
    labeled = instance >= 0
    both = labeled.unsqueeze(1) & labeled.unsqueeze(2)
    same = instance.unsqueeze(1) == instance.unsqueeze(2)
    positive = both & same & ~torch.eye(instance.shape[1], dtype=torch.bool, device=instance.device)
    negative = both & ~same
    against = similarity.masked_fill(~negative, -1e4).logsumexp(dim=2, keepdim=True)
    pairs = positive.sum(dim=2)
    terms = (F.softplus(against - similarity) * positive).sum(dim=2) / pairs.clamp(min=1)
    counted = (pairs > 0) & negative.any(dim=2)
    return (terms * counted).sum() / counted.sum().clamp(min=1)


def train_partfield(
    shapes: Sequence[TrainingShape],
    config: PartFieldConfig,
    training: PartFieldTraining,
    seed: int,
    *,
    checkpoint: Path | None = None,
) -> tuple[PartField, list[dict[str, float]]]:
    """Train a `PartField`.

    Every random choice of a step depends on the seed and the step's number alone, so that a run that was
    interrupted continues, at the last finished epoch, to the very weights of an uninterrupted one.

    Args:
        shapes: training shapes; read at every epoch, so keep them in memory or make reading cheap.
        config: sizes of the network.
        training: optimization.
        seed: of the weights, the order and the augmentation.
        checkpoint: file to go on from and to write to at every epoch. It is left in place, and ignored by a
            run of other sizes, settings or shapes.

    Returns:
        The field, and ``loss``, ``lr`` and ``gradient_norm`` of every step.

    Raises:
        AlignPartsError: no shape with two labeled instances; arrays of a wrong shape; a loss that is not
            finite.
    """
    _check(shapes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = PartField(config)
    optimizer = _optimizer(model, training)
    per_epoch = math.ceil(len(shapes) / training.batch_size)
    total = per_epoch * training.epochs
    identity = _identity(shapes, config, training, seed)
    found = load_state(checkpoint, identity, model, optimizer) if checkpoint is not None else None
    history: list[dict[str, float]] = found["history"] if found else []
    done = len(history)

    model.train()
    bar = tqdm(total=total, initial=done, desc="PartField", unit="step", disable=None)
    for epoch in range(done // per_epoch, training.epochs):
        order = np.random.default_rng([seed, 0, epoch]).permutation(len(shapes))
        for start in range(0, len(shapes), training.batch_size):
            done += 1
            rng = np.random.default_rng([seed, 1, done])
            chosen = [shapes[int(index)] for index in order[start : start + training.batch_size]]
            points, positions, instance = _batch(chosen, config.input_points, training, rng)
            rate = _rate(done, total, training)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            loss = contrastive_loss(model(points, positions), instance, training.temperature)
            if not torch.isfinite(loss):
                raise AlignPartsError(
                    f"PartField training: the loss is {loss.item()} at step {done}; "
                    f"try a lower lr than {training.lr}"
                )
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), training.clip)
            optimizer.step()
            bar.update()
            bar.set_postfix(loss=f"{loss.item():.3f}")
            history.append({"loss": loss.item(), "lr": rate, "gradient_norm": norm.item()})
        if checkpoint is not None:
            save_state(checkpoint, identity, {"history": history}, model, optimizer)
    bar.close()
    return model.eval(), history


def _check(shapes: Sequence[TrainingShape]) -> None:
    usable = False
    for index in range(len(shapes)):
        shape = shapes[index]
        points, instance = np.asarray(shape.points), np.asarray(shape.instance)
        if points.ndim != 2 or points.shape[1] != 3 or instance.shape != points.shape[:1] or len(points) < 2:
            raise AlignPartsError(
                f"training shape {index}: expected points (n, 3) and instance (n,), n > 1, "
                f"got {points.shape} and {instance.shape}"
            )
        if not np.isfinite(points).all():
            raise AlignPartsError(f"training shape {index}: points: expected finite coordinates")
        usable = usable or len(np.unique(instance[instance >= 0])) > 1
    if not usable:
        raise AlignPartsError(f"PartField training: no shape of {len(shapes)} has two labeled parts")


def _batch(
    shapes: Sequence[TrainingShape], inputs: int, training: PartFieldTraining, rng: np.random.Generator
) -> tuple[Float[Tensor, "batch n 3"], Float[Tensor, "batch m 3"], Int[Tensor, "batch m"]]:
    """Augmented input points and labeled query positions of a batch, in PartField's frame."""
    clouds, positions, labels = [], [], []
    for shape in shapes:
        instance = np.asarray(shape.instance)
        points = augment(np.asarray(shape.points, dtype=np.float64), training, rng)
        at = rng.choice(len(points), inputs, replace=len(points) < inputs)
        noise = rng.normal(scale=training.jitter, size=(inputs, 3)) if training.jitter else 0.0
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
    return (
        torch.from_numpy((FRAME * np.stack(clouds)).astype(np.float32)),
        torch.from_numpy((FRAME * np.stack(positions)).astype(np.float32)),
        torch.from_numpy(np.stack(labels).astype(np.int64)),
    )


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
    warm = training.warmup * total
    if step < warm:
        return training.lr * step / warm
    progress = (step - warm) / max(total - warm, 1)
    floor = min(training.lr_min, training.lr)
    return floor + (training.lr - floor) * (1 + math.cos(math.pi * progress)) / 2


def _optimizer(model: PartField, training: PartFieldTraining) -> torch.optim.AdamW:
    plain = [p for name, p in model.named_parameters() if p.ndim < 2 or name.endswith("pos_embed")]
    spared = {id(p) for p in plain}
    groups = [
        {
            "params": [p for p in model.parameters() if id(p) not in spared],
            "weight_decay": training.weight_decay,
        },
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=training.lr)


def _identity(
    shapes: Sequence[TrainingShape], config: PartFieldConfig, training: PartFieldTraining, seed: int
) -> str:
    digest = hashlib.sha256(json.dumps([asdict(config), asdict(training), seed, len(shapes)]).encode())
    for index in range(len(shapes)):
        digest.update(np.asarray(shapes[index].points, dtype=np.float64).sum(axis=0).tobytes())
        digest.update(np.asarray(shapes[index].instance, dtype=np.int64).sum().tobytes())
    return digest.hexdigest()
