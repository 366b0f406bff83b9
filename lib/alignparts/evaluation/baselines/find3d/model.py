"""Find3D's network: Point Transformer V3, and a map of its features into the space of texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from alignparts.core.checkpoint import PretrainedModel
from alignparts.model.backbone.grid import ORDERS
from alignparts.model.backbone.point_transformer import PointTransformer, PointTransformerConfig


@dataclass(frozen=True)
class Find3DConfig(PointTransformerConfig):
    """Sizes of the network; the defaults are Find3D's.

    Attributes:
        d_t: width of the text encoder's embeddings.
        points: points per shape in training; the convolution and the pooling know no other density.
    """

    d_t: int = 768
    points: int = 5000


class Find3DModel(PretrainedModel):
    """Point transformer from points to unit vectors in the space of texts."""

    def __init__(self, config: Find3DConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = PointTransformer(config)
        width = self.backbone.width
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU())
        self.text = nn.Linear(4 * width, config.d_t)
        self.scale = nn.Parameter(torch.tensor(0.0))
        """Logarithm of the inverse temperature of the loss."""

    def forward(
        self,
        points: Float[Tensor, "n 3"],
        normals: Float[Tensor, "n 3"],
        colors: Float[Tensor, "n 3"],
        shape: Int64[Tensor, " n"],
        orders: Sequence[int] = tuple(range(len(ORDERS))),
    ) -> Float[Tensor, "n d_t"]:
        """Return unit vectors of points; arguments as those of :meth:`PointTransformer.forward`."""
        features, _, _ = self.backbone(points, normals, colors, shape, orders)
        return F.normalize(self.text(self.head(features)), dim=-1)
