"""Training of the small appearance encoder on renders of training shapes, without labels."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor
from torch.nn.functional import max_pool2d

from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import Row, Trainer, adamw, seeded
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.appearance_losses import Learner, Recipe
from alignparts.features.crops import Crops, crops

CLIP = 3.0
"""Largest norm of the gradient."""
Drawn = tuple[list[Crops], list[Crops], Bool[Tensor, "two_b patches"]]
"""Large and small crops of a batch, and the hidden patches of the large ones."""


def train_appearance(
    images: UInt8[np.ndarray, "n h w 3"],
    recipe: Recipe,
    *,
    checkpoint: Path | None = None,
    save_every: int = 100,
) -> tuple[AppearanceEncoder, list[Row]]:
    """Train the small appearance encoder on pictures, without labels.

    Args:
        images: square renders of training shapes, RGB on white.
        recipe: sizes, steps and seed.
        checkpoint: file of the progress, written after every ``save_every`` steps.
        save_every: number of steps between two checkpoints.

    Returns:
        The teacher, and the losses of every step by name, "total" among them.

    Raises:
        AlignPartsError: fewer than two pictures, not square, or no multiple of the patch.
    """
    if len(images) < 2 or images.shape[1] != images.shape[2]:
        raise AlignPartsError(f"train_appearance: expected at least two square pictures, got {images.shape}")
    start = AppearanceEncoder.small(images.shape[1], recipe.seed)
    start.check_resolution(images.shape[1])
    learner = seeded(recipe.seed, lambda: Learner(start, min(recipe.prototypes, 4 * len(images))))
    sums = images.reshape(len(images), -1).sum(axis=1, dtype=np.int64)
    trainer = Trainer(
        "appearance", learner, adamw(learner.student, recipe.lr, recipe.weight_decay), checkpoint,
        epochs=math.ceil(recipe.steps / save_every), per_step=True,
        identity=[asdict(recipe), save_every, images.shape, sums.tolist()],
    )  # fmt: skip
    pictures = torch.from_numpy(images)

    def batches(epoch: int) -> Iterator[Drawn]:
        for step in range(epoch * save_every, min((epoch + 1) * save_every, recipe.steps)):
            yield _draw(pictures, recipe, step, start.patch)

    def loss(model: Any, drawn: Drawn) -> dict[str, Tensor]:
        return model.losses(*drawn, recipe)

    def after_step(step: int) -> None:
        rise = (1 - math.cos(math.pi * step / recipe.steps)) / 2
        learner.move_teacher(recipe.momentum + (1 - recipe.momentum) * rise)

    trainer.fit(
        batches, loss, lambda step: recipe.lr * _schedule(step, recipe.steps), steps=recipe.steps, clip=CLIP,
        after_step=after_step,
    )  # fmt: skip
    return AppearanceEncoder(learner.teacher.backbone), trainer.history


def _draw(pictures: UInt8[Tensor, "n h w 3"], recipe: Recipe, step: int, patch: int) -> Drawn:
    """Return the crops of a step; they depend on seed and step alone.

    A share of the patches that show the object is hidden in every other large crop (as in DINOv2, half stay
    whole). Background is not hidden: its patches are all alike, and balanced targets would tell them apart by
    force.
    """
    rng = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    batch = pictures[_pick(len(pictures), recipe, step)]
    large_side, small_side = (
        max(patch * least, round(pictures.shape[1] * share / patch) * patch)
        for least, share in ((2, recipe.large), (1, recipe.small))
    )
    large = [crops(batch, large_side, recipe.large_area, rng) for _ in range(2)]
    small = [crops(batch, small_side, recipe.small_area, rng) for _ in range(2)]
    hidden = max_pool2d(torch.cat([crop.content for crop in large]).float(), patch).flatten(1) > 0
    hidden &= torch.rand(hidden.shape, generator=rng) < recipe.hidden_share
    hidden[::2] = False
    if hidden.sum() < 2:  # batch norm needs two
        hidden[1, :2] = True
    return large, small, hidden


def _pick(count: int, recipe: Recipe, step: int) -> Int64[Tensor, " b"]:
    """Return the pictures of a step: all of them come once before any comes again."""
    at = np.arange(step * recipe.batch_size, (step + 1) * recipe.batch_size)
    orders = {
        epoch: np.random.default_rng([recipe.seed, int(epoch)]).permutation(count)
        for epoch in np.unique(at // count)
    }
    return torch.tensor([orders[i // count][i % count] for i in at])


def _schedule(step: int, steps: int) -> float:
    """Return the share of the peak learning rate: a rise over a tenth of the steps, then a cosine to 0.02."""
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.02 + 0.98 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) / 2
