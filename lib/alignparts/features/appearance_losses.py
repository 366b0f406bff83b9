"""Self-supervised losses of the small appearance encoder.

What DINOv2 does (Oquab et al. 2023, section 4), at a small size: a student matches a slowly moving teacher
on whole pictures seen through different crops (DINO) and on patches that are hidden from the student (iBOT);
centering of the teacher (Sinkhorn-Knopp) and a term that spreads pictures apart (KoLeo) avoid collapse.
One term DINOv2 has not is added, because hundreds of steps must do here what hundreds of thousands do there:
a patch finds its place in another crop among all places of the batch (InfoNCE; DenseCL, Wang et al. 2021).
"""

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, grid_sample, log_softmax, max_pool2d, normalize
from transformers import PreTrainedModel

from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.crops import Crops, places


@dataclass(frozen=True)
class Recipe:
    """Settings of the training.

    Attributes:
        steps: number of optimizer steps.
        batch_size: number of pictures per step; each gives two large and two small crops.
        lr: peak learning rate, after a warm-up over a tenth of the steps, with cosine decay.
        seed: seed of all random choices.
        weight_decay: weight decay of AdamW.
        large, small: sides of the large and small crops relative to the pictures.
        large_area, small_area: least and largest share of a picture that such a crop takes.
        hidden_share: share of the patches of a large crop that the student does not see, for half of them.
        prototypes: number of classes that student and teacher sort pictures and patches into.
        momentum: momentum of the teacher at the start; it rises to 1.
        teacher_temperature, student_temperature: temperatures of the softmax over prototypes.
        koleo, pictures, patches, place: weights of the terms: spread, whole pictures, hidden patches, places.
    """

    steps: int = 600
    batch_size: int = 16
    lr: float = 1e-3
    seed: int = 0
    weight_decay: float = 0.04
    large: float = 0.57
    small: float = 0.43
    large_area: tuple[float, float] = (0.4, 1.0)
    small_area: tuple[float, float] = (0.1, 0.4)
    hidden_share: float = 0.4
    prototypes: int = 256
    momentum: float = 0.98
    teacher_temperature: float = 0.05
    student_temperature: float = 0.1
    koleo: float = 0.02
    pictures: float = 0.1
    patches: float = 0.1
    place: float = 1.0


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
        return self.project(tokens) @ normalize(self.prototypes, dim=1).T

    def project(self, tokens: Float[Tensor, "n width"]) -> Float[Tensor, "n half"]:
        """Return unit vectors, before the prototypes."""
        return normalize(self.mlp(tokens), dim=1)


class Branch(nn.Module):
    """A transformer with heads for whole pictures, for hidden patches and for places."""

    def __init__(self, encoder: AppearanceEncoder, prototypes: int) -> None:
        super().__init__()
        self.backbone: PreTrainedModel = deepcopy(encoder.model)
        self.picture = Head(encoder.d_a, prototypes)
        self.patch = Head(encoder.d_a, prototypes)
        self.place = Head(encoder.d_a, 1)


class Learner(nn.Module):
    """Student and teacher."""

    def __init__(self, encoder: AppearanceEncoder, prototypes: int) -> None:
        super().__init__()
        self.student = Branch(encoder, prototypes).requires_grad_(True).train()
        self.teacher = deepcopy(self.student).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Learner":
        """Set the mode of the student; the teacher stays in evaluation mode."""
        self.student.train(mode)
        return self

    def losses(
        self,
        large: Sequence[Crops],
        small: Sequence[Crops],
        hidden: Bool[Tensor, "two_b patches"],
        recipe: Recipe,
    ) -> dict[str, Float[Tensor, ""]]:
        """Return the losses by name, and their weighted sum as "total".

        Args:
            large: two large crops of every picture of a batch.
            small: two small ones.
            hidden: patches of the large crops that the student does not see.
            recipe: temperatures and weights.
        """
        wide = torch.cat([crop.pixels for crop in large])
        with torch.no_grad():
            context = self.teacher.backbone(wide).last_hidden_state
            target = sinkhorn(self.teacher.picture(context[:, 0]), recipe.teacher_temperature)
            patch_target = sinkhorn(self.teacher.patch(context[:, 1:][hidden]), recipe.teacher_temperature)
        guess = self.student.backbone(wide, bool_masked_pos=hidden).last_hidden_state
        local = self.student.backbone(torch.cat([crop.pixels for crop in small])).last_hidden_state[:, 0]
        scores = self.student.picture(torch.cat([guess[:, 0], local])) / recipe.student_temperature
        batch = len(wide) // 2
        views = log_softmax(scores, dim=1).split(batch)
        terms = [
            -(truth * view).sum(dim=1).mean()
            for t, truth in enumerate(target.split(batch))
            for s, view in enumerate(views)
            if s != t
        ]
        patch_scores = self.student.patch(guess[:, 1:][hidden]) / recipe.student_temperature
        students, teachers = guess[:, 1:].split(batch), context[:, 1:].split(batch)
        place_terms = [
            self._place(large[a], large[1 - a], students[a], teachers[1 - a], recipe) for a in (0, 1)
        ]
        losses = {
            "dino": torch.stack(terms).mean(),
            "ibot": -(patch_target * log_softmax(patch_scores, dim=1)).sum(dim=1).mean(),
            "koleo": (_koleo(guess[:batch, 0]) + _koleo(guess[batch:, 0])) / 2,
            "place": torch.stack(place_terms).mean(),
        }
        weights = (recipe.pictures, recipe.patches, recipe.koleo, recipe.place)
        total = torch.stack([w * term for w, term in zip(weights, losses.values(), strict=True)]).sum()
        return {"total": total, **losses}

    def _place(
        self,
        crop: Crops,
        other: Crops,
        student: Float[Tensor, "b patches width"],
        teacher: Float[Tensor, "b patches width"],
        recipe: Recipe,
    ) -> Float[Tensor, ""]:
        """Return the InfoNCE of student patches and teacher patches at the same places of another crop."""
        rows = math.isqrt(student.shape[1])
        at, within = places(crop, other, rows)
        shown = max_pool2d(crop.content.float(), crop.content.shape[1] // rows) > 0
        chosen = (within & shown).flatten(1)
        if chosen.sum() < 2:
            return student.sum() * 0
        maps = teacher.transpose(1, 2).unflatten(2, (rows, rows))
        sampled = grid_sample(maps, at, mode="bilinear", padding_mode="border", align_corners=False)
        key = self.teacher.place.project(sampled.flatten(2).transpose(1, 2)[chosen])
        query = self.student.place.project(student[chosen])
        return cross_entropy(query @ key.T / recipe.student_temperature, torch.arange(len(key)))

    @torch.no_grad()
    def move_teacher(self, momentum: float) -> None:
        """Move the teacher towards the student."""
        for slow, fast in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            slow.mul_(momentum).add_(fast, alpha=1 - momentum)


def sinkhorn(
    scores: Float[Tensor, "n prototypes"], temperature: float, rounds: int = 3
) -> Float[Tensor, "n prototypes"]:
    """Return the teacher's targets: soft assignments that use all prototypes alike (SwAV, DINOv2).

    Columns and rows of the cosines are made equal in turn, ``rounds`` times; the rows then add up to 1.
    """
    count, prototypes = scores.shape
    share = ((scores - scores.max()) / temperature).exp()
    for _ in range(rounds):
        share = share / (share.sum(dim=0, keepdim=True) * prototypes).clamp(min=1e-12)
        share = share / (share.sum(dim=1, keepdim=True) * count).clamp(min=1e-12)
    return share * count


def _koleo(tokens: Float[Tensor, "b width"]) -> Float[Tensor, ""]:
    """Return minus the mean log distance of every picture to its nearest (DINOv2, section 4)."""
    unit = normalize(tokens, dim=1)
    with torch.no_grad():
        nearest = (unit @ unit.T).fill_diagonal_(-2).argmax(dim=1)
    return -torch.log((unit - unit[nearest]).norm(dim=1) + 1e-6).mean()
