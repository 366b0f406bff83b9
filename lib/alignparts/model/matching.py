"""Match partlets to ground-truth parts: log-domain Sinkhorn on Eq. 8, rounded to an assignment."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from alignparts.core.errors import AlignPartsError
from alignparts.model.alignparts import AlignPartsOutput

TEMPERATURE = 0.05  # of the transport plan, in units of the cost (which lies in [0, 3])
ITERATIONS = 60
"""Number of Sinkhorn iterations; the temperature falls to its value over the first half."""
TINY = 1e-300  # lower bound of the sum of a row or column, which may have no mass


@dataclass(frozen=True)
class Targets:
    """Ground truth of a batch of shapes; all texts are embeddings.

    Without any `classes` (c = 0) Eq. 14 is as printed, without any `negatives` (v = 0) Eq. 9.
    """

    part: Int64[Tensor, "b n"]  # ground-truth part of every point, a row of text; -1 unlabeled or padding
    text: Float[Tensor, "b a d_t"]  # descriptions of the parts
    parts: Bool[Tensor, "b a"]  # true where a row of text is a part, false where it is padding
    category: Int64[Tensor, " b"]  # number of every shape's category
    class_text: Float[Tensor, "b d_t"]  # description of the category
    classes: Float[Tensor, "c d_t"]  # all categories, in the order of category's numbers
    negatives: Float[Tensor, "b v d_t"]  # other parts of the category
    negative_parts: Bool[Tensor, "b v"]  # true where a row of negatives is a part

    @property
    def labeled(self) -> Bool[Tensor, "b n"]:
        """Return true where a point has a label."""
        return self.part >= 0

    @property
    def masks(self) -> Float[Tensor, "b a n"]:
        """Return the ground-truth masks, 0 or 1."""
        number = torch.arange(self.text.shape[1], device=self.part.device).view(1, -1, 1)
        return (self.part.unsqueeze(1) == number).to(self.text.dtype)


def dice(
    probability: Float[Tensor, "*shape k n"], masks: Float[Tensor, "*shape a n"]
) -> Float[Tensor, "*shape k a"]:
    """Return the Dice coefficient of every predicted and true mask: 2 Σ pg / (Σ p + Σ g)."""
    shared = probability @ masks.transpose(-1, -2)
    size = probability.sum(-1).unsqueeze(-1) + masks.sum(-1).unsqueeze(-2)
    return 2 * shared / size.clamp(min=1e-6)


def cost_matrix(
    mask_logits: Float[Tensor, "b k n"],
    partlets: Float[Tensor, "b k d_t"],
    masks: Float[Tensor, "b a n"],
    labeled: Bool[Tensor, "b n"],
    text: Float[Tensor, "b a d_t"],
) -> Float[Tensor, "b k a"]:
    """Return the cost of Eq. 8: (1 - Dice) + (1 - cosine); points without a label do not count."""
    probability = mask_logits.sigmoid() * labeled.unsqueeze(1)
    cosine = F.normalize(partlets, dim=-1) @ F.normalize(text, dim=-1).transpose(1, 2)
    return (1 - dice(probability, masks)) + (1 - cosine)


def sinkhorn(
    cost: Float[Tensor, "b k a"],
    parts: Bool[Tensor, "b a"],
    temperature: float = TEMPERATURE,
    iterations: int = ITERATIONS,
) -> Float[Tensor, "b k a"]:
    """Return the entropic transport plan P between partlets and parts, differentiable in the cost.

    Every partlet and every part has mass 1. A dustbin without cost takes the surplus of the longer side, so
    the plan is balanced: with at least as many partlets as parts, every part's column adds up to 1, and the
    plan of lowest cost is an assignment. To get near it in few iterations, the temperature falls from 1.

    Args:
        cost: Eq. 8.
        parts: true where a column is a part, false where it is padding.
        temperature: weight of the entropy, in units of the cost.
        iterations: number of row and column scalings.

    Raises:
        AlignPartsError: a cost that is not finite.
    """
    if not bool(torch.isfinite(cost).all()):
        raise AlignPartsError("matching: a cost is not finite; the model diverged, try a lower lr")
    batch, k, _ = cost.shape
    cost = F.pad(cost.double(), (0, 1, 0, 1))
    count = parts.sum(dim=1)
    rows = torch.cat([cost.new_ones(batch, k), (count - k).clamp(min=0).unsqueeze(1)], dim=1).log()
    columns = torch.cat([parts.double(), (k - count).clamp(min=0).unsqueeze(1)], dim=1).log()
    row, column = torch.zeros_like(rows), torch.where(columns > -torch.inf, 0.0, columns)
    steps = np.geomspace(max(1.0, temperature), temperature, max(iterations // 2, 1)).tolist()
    for annealed in steps:
        row = annealed * (rows - ((column.unsqueeze(1) - cost) / annealed).logsumexp(2))
        column = annealed * (columns - ((row.unsqueeze(2) - cost) / annealed).logsumexp(1))
    # Once the potentials are near, the plan itself can be scaled: a fifth of the work.
    plan = ((row.unsqueeze(2) + column.unsqueeze(1) - cost) / temperature).exp()
    mass, part = rows.exp().unsqueeze(2), columns.exp().unsqueeze(1)
    for _ in range(iterations - len(steps)):
        plan = plan * (mass / plan.sum(2, keepdim=True).clamp(min=TINY))
        plan = plan * (part / plan.sum(1, keepdim=True).clamp(min=TINY))
    return plan[:, :k, :-1].float()


def assign(plan: Float[Tensor, "b k a"], parts: Bool[Tensor, "b a"]) -> Int64[Tensor, "b k"]:
    """Return the part pi of every partlet, -1 for none: the one-to-one assignment with the largest sum of P.

    Unlike a threshold it gives every part exactly one partlet, as far as there are partlets.
    """
    assignment = np.full(plan.shape[:2], -1, dtype=np.int64)
    values = plan.detach().double().cpu().numpy()
    for shape, valid in enumerate(parts.cpu().numpy()):
        columns = np.flatnonzero(valid)
        if len(columns):
            row, chosen = linear_sum_assignment(values[shape][:, columns], maximize=True)
            assignment[shape, row] = columns[chosen]
    return torch.from_numpy(assignment).to(plan.device)


@torch.no_grad()
def match(output: AlignPartsOutput, targets: Targets) -> Int64[Tensor, "b k"]:
    """Return pi given the model's predictions (section 3.2); -1 where a partlet has no part.

    The losses of Eqs. 9-13 see the plan only through its rounding, so nothing flows back through it.
    """
    masks, labeled, text = targets.masks, targets.labeled, targets.text
    cost = cost_matrix(output.mask_logits, output.partlets, masks, labeled, text)
    return assign(sinkhorn(cost, targets.parts), targets.parts)
