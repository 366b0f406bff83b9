"""Find3D's contrastive loss: the mean feature of a part against the texts of all parts of the batch."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

ALIKE = 1 - 1e-4
"""Cosine from which two texts say the same: such a part is no negative of the other."""


def part_contrast(
    features: Float[Tensor, "n d_t"],
    row: Int64[Tensor, " n"],
    shape: Int64[Tensor, " n"],
    texts: Float[Tensor, "rows d_t"],
    scale: Float[Tensor, ""] | float,
) -> Float[Tensor, ""]:
    """Cross-entropy of every part of every shape, mean over the parts.

    Args:
        features: unit vectors of points.
        row: of every point's part in `texts`, -1 unlabeled.
        shape: number of every point's shape.
        texts: unit vectors of all parts' texts.
        scale: inverse temperature.

    Returns:
        0 where no point is labeled.
    """
    labeled = row >= 0
    keys = shape[labeled] * len(texts) + row[labeled]
    parts, inside = torch.unique(keys, return_inverse=True)
    if not len(parts):
        return features.sum() * 0
    total = features.new_zeros(len(parts), features.shape[1]).index_add(0, inside, features[labeled])
    pooled = F.normalize(total, dim=-1)
    here, target = torch.unique(parts % len(texts), return_inverse=True)
    said = texts[here]
    alike = (said @ said.T > ALIKE)[target]
    alike[torch.arange(len(target)), target] = False
    logits = (scale * pooled @ said.T).masked_fill(alike, -torch.inf)
    return F.cross_entropy(logits, target)
