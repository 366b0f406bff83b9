"""What PartField+MPNet is trained for: parts by texts, shapes by classes, their counts (section 12.1)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from alignparts.evaluation.baselines.partfield_mpnet.model import PartFieldMPNetOutput


@dataclass(frozen=True)
class PartTargets:
    """What is known about m parts of b shapes.

    Attributes:
        label: number of every part's name in its category, to tell equal ones.
        text: projected text of every part.
        category: number of every shape's category.
        class_text: projected text of it.
        parts: number of parts of every shape.
    """

    label: Int64[Tensor, " m"]
    text: Float[Tensor, "m latent"]
    category: Int64[Tensor, " b"]
    class_text: Float[Tensor, "b latent"]
    parts: Int64[Tensor, " b"]


def symmetric_info_nce(
    first: Float[Tensor, "m d"], second: Float[Tensor, "m d"], label: Int64[Tensor, " m"], tau: float
) -> Float[Tensor, ""]:
    """InfoNCE of two lists of vectors that belong together row by row, from both sides.

    Rows of one label are right for each other: the loss is -log of the total probability of the right ones,
    which is InfoNCE as it is usually printed where labels differ.
    """
    scores = F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).T / tau
    right = scores.masked_fill(label.unsqueeze(0) != label.unsqueeze(1), -torch.inf)
    rows = scores.logsumexp(1) - right.logsumexp(1)
    columns = scores.logsumexp(0) - right.logsumexp(0)
    return (rows.mean() + columns.mean()) / 2


def count_loss(logits: Float[Tensor, "b max_parts"], parts: Int64[Tensor, " b"]) -> Float[Tensor, ""]:
    """Cross-entropy of the number of parts; more than the head can say count as the most it can."""
    return F.cross_entropy(logits, parts.clamp(1, logits.shape[1]) - 1)


def part_losses(
    output: PartFieldMPNetOutput, targets: PartTargets, tau: float
) -> dict[str, Float[Tensor, ""]]:
    """Return all terms by name, and their sum as "total"; parts weigh alike, whatever their shape."""
    terms = {
        "local": symmetric_info_nce(output.parts, targets.text, targets.label, tau),
        "global": symmetric_info_nce(output.shapes, targets.class_text, targets.category, tau),
        "count": count_loss(output.count, targets.parts),
    }
    return {**terms, "total": torch.stack(list(terms.values())).sum()}
