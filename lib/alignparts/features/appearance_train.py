"""Training of the small appearance encoder on renders of training shapes, without labels."""

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor, nn
from torch.nn.functional import max_pool2d
from tqdm.auto import tqdm

from alignparts.core.checkpoint import load_state, save_state
from alignparts.core.errors import AlignPartsError
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.appearance_losses import Learner, Recipe
from alignparts.features.augment import crops
from alignparts.features.store import fingerprint_of


def train_appearance(
    images: UInt8[np.ndarray, "n h w 3"],
    recipe: Recipe,
    *,
    encoder: AppearanceEncoder | None = None,
    checkpoint: Path | None = None,
    save_every: int = 100,
) -> tuple[AppearanceEncoder, list[dict[str, float]]]:
    """Train an appearance encoder on pictures, without labels.

    Args:
        images: square renders of training shapes.
        recipe: sizes, steps and seed.
        encoder: where to start; the small network of this resolution when None.
        checkpoint: file to go on from and to write to; a run that was killed ends with the same weights as
            one that was not. It is left in place, and ignored by a run of another recipe or other pictures.
        save_every: steps between two checkpoints.

    Returns:
        The teacher, and the losses of every step by name.

    Raises:
        AlignPartsError: fewer than two pictures, not square, or no multiple of the patch.
    """
    if len(images) < 2 or images.shape[1] != images.shape[2]:
        raise AlignPartsError(f"train_appearance: expected at least two square pictures, got {images.shape}")
    start = encoder or AppearanceEncoder.small(images.shape[1], recipe.seed)
    start.check_resolution(images.shape[1])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        learner = Learner(start, min(recipe.prototypes, 4 * len(images)))
    optimizer = torch.optim.AdamW(_groups(learner.student, recipe.weight_decay), lr=recipe.lr)
    identity = fingerprint_of(
        asdict(recipe), images.shape, _digest(images), str(start.model.config.to_dict())
    )
    found = load_state(checkpoint, identity, learner, optimizer) if checkpoint is not None else None
    history: list[dict[str, float]] = found["history"] if found else []
    pictures = torch.from_numpy(images)
    progress = tqdm(
        total=recipe.steps, initial=len(history), desc="appearance", unit="step", mininterval=2.0, leave=False
    )
    with progress:
        for step in range(len(history), recipe.steps):
            history.append(_step(learner, optimizer, pictures, recipe, step, start.patch))
            progress.set_postfix(loss=f"{history[-1]['loss']:.3f}", refresh=False)
            progress.update()
            if checkpoint is not None and ((step + 1) % save_every == 0 or step + 1 == recipe.steps):
                save_state(checkpoint, identity, {"history": history}, learner, optimizer)
    return AppearanceEncoder(learner.teacher.backbone), history


def _step(
    learner: Learner,
    optimizer: torch.optim.Optimizer,
    pictures: UInt8[Tensor, "n h w 3"],
    recipe: Recipe,
    step: int,
    patch: int,
) -> dict[str, float]:
    """One optimizer step; its chance depends on seed and step alone, so that a resumed run is the same."""
    rng = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    chosen = _pick(len(pictures), recipe, step)
    batch = pictures[chosen]
    side = pictures.shape[1]
    large_side = max(patch * 2, round(side * recipe.large / patch) * patch)
    small_side = max(patch, round(side * recipe.small / patch) * patch)
    large = [crops(batch, large_side, recipe.large_area, rng) for _ in range(2)]
    small = [crops(batch, small_side, recipe.small_area, rng) for _ in range(2)]
    content = torch.cat([crop.content for crop in large]).float()
    hidden = _hidden(max_pool2d(content, patch).flatten(1) > 0, recipe.hidden_share, rng)
    for group in optimizer.param_groups:
        group["lr"] = recipe.lr * _schedule(step, recipe.steps)
    parts = learner.losses(large, small, hidden, recipe)
    weights = {"dino": recipe.pictures, "ibot": recipe.patches, "koleo": recipe.koleo, "place": recipe.place}
    loss = torch.stack([weight * parts[name] for name, weight in weights.items()]).sum()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(learner.student.parameters(), 3.0)
    optimizer.step()
    rise = (1 - math.cos(math.pi * step / recipe.steps)) / 2
    learner.move_teacher(recipe.momentum + (1 - recipe.momentum) * rise)
    return {"loss": loss.item(), **{name: value.item() for name, value in parts.items()}}


def _pick(count: int, recipe: Recipe, step: int) -> Int64[Tensor, " b"]:
    """The pictures of a step: every one comes once before any comes again."""
    at = np.arange(step * recipe.batch_size, (step + 1) * recipe.batch_size)
    orders = {
        epoch: np.random.default_rng([recipe.seed, int(epoch)]).permutation(count)
        for epoch in np.unique(at // count)
    }
    return torch.tensor([orders[i // count][i % count] for i in at])


def _hidden(
    content: Bool[Tensor, "b patches"], share: float, rng: torch.Generator
) -> Bool[Tensor, "b patches"]:
    """A share of the patches that show the object, in every other crop (as in DINOv2, half stay whole).

    Background is not hidden: its patches are all alike, and balanced targets would tell them apart by force.
    """
    hidden = content & (torch.rand(content.shape, generator=rng) < share)
    hidden[::2] = False
    if hidden.sum() < 2:  # batch norm needs two
        hidden[1, 0] = hidden[1, 1] = True
    return hidden


def _schedule(step: int, steps: int) -> float:
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.02 + 0.98 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) / 2


def _groups(module: nn.Module, weight_decay: float) -> list[dict]:
    """Biases, norms and scales are not decayed."""
    matrices = [value for value in module.parameters() if value.ndim > 1]
    others = [value for value in module.parameters() if value.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _digest(images: np.ndarray) -> list[int]:
    """Enough of the pictures to tell sets apart: sums of each, mixed with their order."""
    sums = images.reshape(len(images), -1).sum(axis=1, dtype=np.int64)
    return [int(sums.sum()), int((sums * np.arange(1, len(sums) + 1)).sum() % (1 << 61))]
