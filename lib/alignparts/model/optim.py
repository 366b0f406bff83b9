"""AdamW, its schedule and its clipped step (sections 3.4 and 9)."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from alignparts.core.config import TrainParams
from alignparts.model.alignparts import AlignParts

WARMUP = 0.03
"""Share of the steps in which the learning rate rises."""
CLIP = 1.0
"""Largest norm of the gradient."""


def learning_rate(step: int, total: int, peak: float, floor: float, warmup: float = WARMUP) -> float:
    """Rate of a step (from 0): a short rise, then a cosine from `peak` that ends at `floor`."""
    rising = max(1, round(warmup * total))
    if step < rising:
        return peak * (step + 1) / rising
    progress = (step - rising) / max(total - 1 - rising, 1)
    return floor + (peak - floor) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def adamw(model: AlignParts, params: TrainParams) -> torch.optim.AdamW:
    """AdamW; biases, norms and the learned partlets are not decayed."""
    spared = [p for name, p in model.named_parameters() if p.ndim < 2 or name == "decoder.partlets"]
    known = {id(p) for p in spared}
    decayed = [p for p in model.parameters() if id(p) not in known]
    groups: Sequence[dict[str, Any]] = [
        {"params": decayed, "weight_decay": params.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=params.lr, fused=True)
    optimizer.found_inf = torch.zeros(())  # type: ignore[attr-defined]  # its kernel wants it beside a scale
    return optimizer


def clipped_step(optimizer: torch.optim.AdamW, parameters: Iterable[torch.nn.Parameter]) -> None:
    """A step along the gradients of the parameters, scaled to a norm of at most `CLIP`."""
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    # The kernel divides by the scale as it reads: one pass over the gradients less.
    optimizer.grad_scale = (norm / CLIP).clamp(min=1)  # type: ignore[attr-defined]
    optimizer.step()
