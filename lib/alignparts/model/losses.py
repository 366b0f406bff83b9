"""The training objective, term by term (section 3.2, Eqs. 9-15).

Every term is a mean over the partlets or points of a shape, then over the shapes of the batch. A shape
without labeled parts adds 0 to the terms over matched partlets. Points without a label (-1), padding among
them, carry no supervision: they are left out of BCE, Dice, coverage and overlap, and N is the number of
labeled points.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from alignparts.core.config.params import LossParams
from alignparts.core.errors import AlignPartsError
from alignparts.model.alignparts import AlignPartsOutput
from alignparts.model.matching import Targets, match


@dataclass(frozen=True)
class Pairs:
    """Matched partlets of a batch, flat: indices of the shape, the partlet k and the part pi(k).

    `weight` is 1 / (matched partlets of the shape x shapes), so that a weighted sum is the mean of means.
    """

    shape: Int64[Tensor, " m"]
    partlet: Int64[Tensor, " m"]
    part: Int64[Tensor, " m"]
    weight: Float[Tensor, " m"]


def pairs_of(assignment: Int64[Tensor, "b k"], dtype: torch.dtype = torch.float32) -> Pairs:
    """Return the matched partlets M of an assignment (-1: unmatched)."""
    shape, partlet = (assignment >= 0).nonzero(as_tuple=True)
    count = (assignment >= 0).sum(dim=1).to(dtype)
    return Pairs(shape, partlet, assignment[shape, partlet], 1 / (count[shape] * len(assignment)))


def mask_loss(
    logits: Float[Tensor, "b k n"], masks: Float[Tensor, "b a n"], labeled: Bool[Tensor, "b n"], pairs: Pairs
) -> Float[Tensor, ""]:
    """Return Eq. 10: BCE, a mean over points, plus 1 - Dice."""
    logits, truth, counted, number = _matched(logits, masks, labeled, pairs)
    bce = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    bce = (bce * counted).sum(1) / number
    probability = logits.sigmoid() * counted
    size = probability.sum(1) + truth.sum(1)
    dice = 2 * (probability * truth).sum(1) / size.clamp(min=1e-6)
    return ((bce + 1 - dice) * pairs.weight).sum()


def partness_loss(partness: Float[Tensor, "b k"], assignment: Int64[Tensor, "b k"]) -> Float[Tensor, ""]:
    """Return Eq. 11: BCE of the partness of all K partlets, 1 where they are matched."""
    return F.binary_cross_entropy_with_logits(partness, (assignment >= 0).to(partness.dtype))


def text_loss(
    partlets: Float[Tensor, "b k d_t"], targets: Targets, pairs: Pairs, tau: float
) -> Float[Tensor, ""]:
    """Return Eq. 9: InfoNCE of matched partlets against the shape's texts and any `targets.negatives`."""
    text = F.normalize(torch.cat([targets.text, targets.negatives], dim=1), dim=-1)
    valid = torch.cat([targets.parts, targets.negative_parts], dim=1)
    prototype = F.normalize(partlets[pairs.shape, pairs.partlet], dim=-1)
    scores = (text[pairs.shape] @ prototype.unsqueeze(-1)).squeeze(-1) / tau
    scores = scores.masked_fill(~valid[pairs.shape], -torch.inf)
    return (F.cross_entropy(scores, pairs.part, reduction="none") * pairs.weight).sum()


def point_loss(text: Float[Tensor, "b n d_t"], targets: Targets) -> Float[Tensor, ""]:
    """Return the contrast of every labeled point with the texts of the category's parts.

    It is not the paper's: a learned backbone gets more from a target at every point than partlets pass on. A
    point of a part of n points weighs n^-1/2, so that small parts count. Products of ``text`` with texts are
    logits.
    """
    texts = F.normalize(torch.cat([targets.text, targets.negatives], dim=1), dim=-1)
    valid = torch.cat([targets.parts, targets.negative_parts], dim=1)
    scores = (text @ texts.transpose(1, 2)).masked_fill(~valid.unsqueeze(1), -torch.inf)
    size = targets.masks.sum(2).clamp(min=1)
    weight = size.pow(-0.5).gather(1, targets.part.clamp(min=0)) * targets.labeled
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1e-9)
    wrong = F.cross_entropy(scores.flatten(0, 1), targets.part.clamp(min=0).flatten(), reduction="none")
    return (wrong.view_as(weight) * weight).sum(1).mean()


def coverage_loss(
    logits: Float[Tensor, "b k n"], masks: Float[Tensor, "b a n"], labeled: Bool[Tensor, "b n"], pairs: Pairs
) -> Float[Tensor, ""]:
    """Return Eq. 12: difference of predicted and true mask size, as a share of the labeled points."""
    logits, truth, counted, number = _matched(logits, masks, labeled, pairs)
    size = (logits.sigmoid() * counted).sum(1) - truth.sum(1)
    return ((size / number).abs() * pairs.weight).sum()


def overlap_loss(mask_logits: Float[Tensor, "b k n"], labeled: Bool[Tensor, "b n"]) -> Float[Tensor, ""]:
    """Return Eq. 13: a labeled point belongs to one partlet, over all K of them."""
    excess = (mask_logits.sigmoid().sum(1) - 1).square() * labeled
    return (excess.sum(1) / labeled.sum(1).clamp(min=1)).mean()


def global_loss(
    embedding: Float[Tensor, "b d_t"],
    class_text: Float[Tensor, "b d_t"],
    category: Int64[Tensor, " b"],
    classes: Float[Tensor, "c d_t"],
    tau: float,
) -> Float[Tensor, ""]:
    """Return Eq. 14: symmetric InfoNCE of shapes and category texts.

    If shapes of a batch share a category, each of their texts is right for each of them: the loss is -log of
    the total probability of the right ones, and Eq. 14 itself if all categories differ. With `classes`, a
    shape is contrasted with the texts of all categories instead of those in the batch.
    """
    shape, text = F.normalize(embedding, dim=-1), F.normalize(class_text, dim=-1)
    scores = shape @ text.T / tau
    right = scores.masked_fill(category.unsqueeze(0) != category.unsqueeze(1), -torch.inf)
    columns = scores.logsumexp(0) - right.logsumexp(0)
    if len(classes):
        column = category.unsqueeze(1)
        against = shape @ F.normalize(classes, dim=-1).T / tau
        rows = F.cross_entropy(against.scatter(1, column, scores.diagonal().unsqueeze(1)), category)
    else:
        rows = (scores.logsumexp(1) - right.logsumexp(1)).mean()
    return (rows + columns.mean()) / 2


def alignment_losses(
    output: AlignPartsOutput,
    targets: Targets,
    params: LossParams,
    assignment: Int64[Tensor, "b k"] | None = None,
    gather: Callable[[Tensor], Tensor] = lambda tensor: tensor,
) -> dict[str, Float[Tensor, ""]]:
    """Return all terms by name, and their weighted sum (Eq. 15) as "total".

    Args:
        output: output of the model.
        targets: ground truth of the same shapes.
        params: weights lambda of all terms, and the temperature of Eqs. 9 and 14.
        assignment: part pi of every partlet, if known; else it is matched first.
        gather: returns the rows of all processes, since Eq. 14 contrasts all shapes of a batch.

    Raises:
        AlignPartsError: a term without a weight.
    """
    logits, partlets, tau = output.mask_logits, output.partlets, params.tau
    masks, labeled = targets.masks, targets.labeled
    if assignment is None:
        assignment = match(output, targets)
    pairs = pairs_of(assignment, logits.dtype)
    shapes = gather(output.global_embedding), gather(targets.class_text), gather(targets.category)
    terms = {
        "mask": mask_loss(logits, masks, labeled, pairs),
        "part": partness_loss(output.partness, assignment),
        "text": text_loss(partlets, targets, pairs, tau),
        "cov": coverage_loss(logits, masks, labeled, pairs),
        "overlap": overlap_loss(logits, labeled),
        "global": global_loss(*shapes, targets.classes, tau),
    }
    return {**terms, "total": weighted_sum(terms, params.model_dump(exclude={"tau"}, by_alias=True))}


def weighted_sum(terms: Mapping[str, Float[Tensor, ""]], weights: Mapping[str, float]) -> Float[Tensor, ""]:
    """Return the sum of all terms, each times its weight.

    Raises:
        AlignPartsError: a term without a weight, or a weight without a term.
    """
    if unmatched := sorted(terms.keys() ^ weights.keys()):
        known = ", ".join(terms)
        raise AlignPartsError(f"loss: '{unmatched[0]}': expected one weight for each of the terms {known}")
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


def _matched(logits: Tensor, masks: Tensor, labeled: Tensor, pairs: Pairs) -> tuple[Tensor, ...]:
    """Return logits and truth of every pair, 1 where a point is labeled, and the number of those points."""
    counted = labeled[pairs.shape].to(logits.dtype)
    number = counted.sum(1).clamp(min=1)
    return logits[pairs.shape, pairs.partlet], masks[pairs.shape, pairs.part], counted, number
