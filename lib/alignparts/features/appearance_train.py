"""Self-supervised training of the small appearance encoder on renders of training shapes.

What DINOv2 does (Oquab et al. 2023, section 4), at a small size: a student matches a slowly moving teacher
on whole pictures seen through different crops (DINO) and on patches that are hidden from the student (iBOT);
centring of the teacher (Sinkhorn-Knopp) and a term that spreads pictures apart (KoLeo) keep it from collapse.
"""

import math
import os
import tempfile
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import log_softmax, max_pool2d, normalize
from tqdm.auto import tqdm
from transformers import PreTrainedModel

from alignparts.errors import AlignPartsError
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.augment import crops
from alignparts.features.store import fingerprint_of


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are what 600 steps need to give features that tell parts apart.

    Attributes:
        steps: optimiser steps.
        batch_size: pictures a step; each gives two large and two small crops.
        lr: peak learning rate, after a warm-up over a tenth of the steps, with cosine decay.
        seed: equal seeds and pictures give equal weights.
        weight_decay: of AdamW.
        large: side of the large crops relative to the pictures.
        small: side of the small crops relative to the pictures.
        hidden_share: share of the patches of a large crop that the student does not see, for half of them.
        prototypes: classes that student and teacher sort pictures and patches into.
        momentum: of the teacher at the start; it rises to 1.
        teacher_temperature: sharpness of the teacher.
        student_temperature: sharpness of the student.
        koleo: weight of the spreading term.
        pictures: weight of the loss on whole pictures; that on hidden patches has 1.
        large_area: least and largest share of a picture that a large crop takes.
        small_area: the same of a small crop.
    """

    steps: int = 600
    batch_size: int = 16
    lr: float = 5e-4
    seed: int = 0
    weight_decay: float = 0.04
    large: float = 0.72
    small: float = 0.43
    hidden_share: float = 0.4
    prototypes: int = 512
    momentum: float = 0.98
    teacher_temperature: float = 0.05
    student_temperature: float = 0.1
    koleo: float = 0.1
    pictures: float = 1.0
    large_area: tuple[float, float] = (0.4, 1.0)
    small_area: tuple[float, float] = (0.1, 0.4)


class Head(nn.Module):
    """Projection to prototypes: a small MLP, unit length, and unit prototypes (DINO's head).

    Batch norm (over the tokens at hand, for the teacher too) sets apart what random weights hardly tell
    apart; without it a short training ends where every token belongs to every prototype alike.
    """

    def __init__(self, width: int, prototypes: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width, bias=False),
            nn.BatchNorm1d(2 * width, track_running_stats=False),
            nn.GELU(),
            nn.Linear(2 * width, width // 2, bias=False),
            nn.BatchNorm1d(width // 2, track_running_stats=False, affine=False),
        )
        self.prototypes = nn.Parameter(torch.randn(prototypes, width // 2))

    def forward(self, tokens: Float[Tensor, "n width"]) -> Float[Tensor, "n prototypes"]:
        return normalize(self.mlp(tokens), dim=1) @ normalize(self.prototypes, dim=1).T


class Branch(nn.Module):
    """A transformer with a head for whole pictures and one for patches."""

    def __init__(self, encoder: AppearanceEncoder, prototypes: int) -> None:
        super().__init__()
        self.backbone: PreTrainedModel = deepcopy(encoder.model)
        self.picture = Head(encoder.d_a, prototypes)
        self.patch = Head(encoder.d_a, prototypes)


class Learner(nn.Module):
    """Student and teacher."""

    def __init__(self, encoder: AppearanceEncoder, prototypes: int) -> None:
        super().__init__()
        self.student = Branch(encoder, prototypes).requires_grad_(True).train()
        self.teacher = deepcopy(self.student).requires_grad_(False).eval()

    def losses(
        self,
        large: Float[Tensor, "two_b 3 h w"],
        small: Float[Tensor, "some_b 3 s s"],
        hidden: Bool[Tensor, "two_b patches"],
        recipe: Recipe,
    ) -> dict[str, Float[Tensor, ""]]:
        """DINO, iBOT and KoLeo losses of crops.

        The crops of one picture are one batch apart.
        """
        batch = len(large) // 2
        with torch.no_grad():
            seen = self.teacher.backbone(large).last_hidden_state
            target = sinkhorn(self.teacher.picture(seen[:, 0]), recipe.teacher_temperature)
            patch_target = sinkhorn(self.teacher.patch(seen[:, 1:][hidden]), recipe.teacher_temperature)
        guess = self.student.backbone(large, bool_masked_pos=hidden).last_hidden_state
        local = self.student.backbone(small).last_hidden_state[:, 0]
        views = torch.cat([guess[:, 0], local])
        scores = log_softmax(self.student.picture(views) / recipe.student_temperature, dim=1)
        terms = [
            -(target[t * batch : (t + 1) * batch] * scores[s * batch : (s + 1) * batch]).sum(dim=1).mean()
            for t in range(2)
            for s in range(len(views) // batch)
            if s != t
        ]
        patch_scores = log_softmax(
            self.student.patch(guess[:, 1:][hidden]) / recipe.student_temperature, dim=1
        )
        return {
            "dino": torch.stack(terms).mean(),
            "ibot": -(patch_target * patch_scores).sum(dim=1).mean(),
            "koleo": (_koleo(guess[:batch, 0]) + _koleo(guess[batch:, 0])) / 2,
        }

    @torch.no_grad()
    def move_teacher(self, momentum: float) -> None:
        """The teacher follows the student."""
        pairs = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
        for slow, fast in pairs:
            slow.mul_(momentum).add_(fast, alpha=1 - momentum)


def sinkhorn(
    scores: Float[Tensor, "n prototypes"], temperature: float, rounds: int = 3
) -> Float[Tensor, "n prototypes"]:
    """The teacher's targets: soft assignments in which every prototype is used alike (SwAV, DINOv2).

    Args:
        scores: cosines to the prototypes.
        temperature: the smaller, the harder the assignments.
        rounds: of making columns and rows equal in turn.

    Returns:
        Rows that add up to 1.
    """
    count, prototypes = scores.shape
    share = ((scores - scores.max()) / temperature).exp()
    for _ in range(rounds):
        share = share / (share.sum(dim=0, keepdim=True) * prototypes).clamp(min=1e-12)
        share = share / (share.sum(dim=1, keepdim=True) * count).clamp(min=1e-12)
    return share * count


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
        The teacher, and the losses of every step by name (of the steps made here, when resumed: all of them).

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
    history = _resume(checkpoint, learner, optimizer, identity)
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
                _save(checkpoint, learner, optimizer, history, identity)
    return AppearanceEncoder(learner.teacher.backbone), history


def _step(
    learner: Learner,
    optimizer: torch.optim.Optimizer,
    pictures: UInt8[Tensor, "n h w 3"],
    recipe: Recipe,
    step: int,
    patch: int,
) -> dict[str, float]:
    """One optimiser step; its chance depends on seed and step alone, so that a resumed run is the same."""
    rng = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    chosen = _pick(len(pictures), recipe, step)
    batch = pictures[chosen]
    side = pictures.shape[1]
    large_side = max(patch * 2, round(side * recipe.large / patch) * patch)
    small_side = max(patch, round(side * recipe.small / patch) * patch)
    pairs = [crops(batch, large_side, recipe.large_area, rng) for _ in range(2)]
    large = torch.cat([crop for crop, _ in pairs])
    content = torch.cat([shown for _, shown in pairs]).float()
    small = torch.cat([crops(batch, small_side, recipe.small_area, rng)[0] for _ in range(2)])
    hidden = _hidden(max_pool2d(content, patch).flatten(1) > 0, recipe.hidden_share, rng)
    for group in optimizer.param_groups:
        group["lr"] = recipe.lr * _schedule(step, recipe.steps)
    parts = learner.losses(large, small, hidden, recipe)
    loss = recipe.pictures * parts["dino"] + parts["ibot"] + recipe.koleo * parts["koleo"]
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


def _koleo(tokens: Float[Tensor, "b width"]) -> Float[Tensor, ""]:
    """Minus the mean log distance of every picture to its nearest (DINOv2, section 4)."""
    unit = normalize(tokens, dim=1)
    with torch.no_grad():
        nearest = (unit @ unit.T).fill_diagonal_(-2).argmax(dim=1)
    return -torch.log((unit - unit[nearest]).norm(dim=1) + 1e-6).mean()


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


def _save(
    path: Path,
    learner: Learner,
    optimizer: torch.optim.Optimizer,
    history: list[dict[str, float]],
    identity: str,
) -> None:
    tensors = {f"learner.{name}": value.contiguous() for name, value in learner.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value.contiguous() for name, value in state.items()}
    names = list(history[0])
    tensors["history"] = torch.tensor([[row[name] for name in names] for row in history], dtype=torch.float64)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    save_file(tensors, temporary, metadata={"identity": identity, "losses": ",".join(names)})
    os.replace(temporary, path)


def _resume(
    path: Path | None, learner: Learner, optimizer: torch.optim.Optimizer, identity: str
) -> list[dict[str, float]]:
    """Bring learner and optimizer to where a checkpoint of the same run left them; the losses so far."""
    if path is None or not path.is_file():
        return []
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("identity") != identity:
                return []
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise AlignPartsError(f"{path}: not a checkpoint of this training ({error}); delete it") from None
    prefix = "learner."
    learner.load_state_dict({n[len(prefix) :]: v for n, v in tensors.items() if n.startswith(prefix)})
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".")
            state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    losses = metadata["losses"].split(",")
    return [dict(zip(losses, row, strict=True)) for row in tensors["history"].tolist()]
