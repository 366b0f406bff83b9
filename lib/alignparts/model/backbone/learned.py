"""ALIGN-Parts with a backbone that learns: points, normals and colors in, no frozen encoder.

The paper names a geometry encoder trained end to end as future work. A point transformer takes the place of
the two encoders and their fusion; partlets, matching and losses stay as they are.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from alignparts.core.checkpoint import PretrainedModel
from alignparts.core.errors import AlignPartsError
from alignparts.model.alignparts import AlignParts, AlignPartsOutput
from alignparts.model.backbone.grid import ORDERS
from alignparts.model.backbone.point_transformer import (
    PointTransformer,
    PointTransformerConfig,
    mean_over,
)
from alignparts.model.partlets import PartletDecoder


@dataclass(frozen=True)
class LearnedConfig(PointTransformerConfig):
    """Sizes of the model.

    Attributes:
        d_f: width of the features of the points.
        d_t: width of the partlets, that of the text encoder, a multiple of ``decoder_heads``.
        K: number of partlets.
        decoder_heads: number of attention heads of the decoder.
        layers: number of layers of the decoder.

    Raises:
        AlignPartsError: as :class:`PointTransformerConfig`; heads that do not divide their width.
    """

    channels: Sequence[int] = (32, 64, 128, 192)
    depths: Sequence[int] = (1, 1, 1, 1)
    up_channels: Sequence[int] = (48, 64, 128)
    up_depths: Sequence[int] = (1, 1, 1)
    patch: int = 128
    grid: float = 0.05
    d_f: int = 128
    d_t: int = 384
    K: int = 24
    decoder_heads: int = 6
    layers: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.d_t % self.decoder_heads:
            raise AlignPartsError(
                f"model: decoder_heads = {self.decoder_heads} does not divide d_t = {self.d_t}"
            )


class LearnedAlignParts(PretrainedModel):
    """Point transformer, decoder, global head, and a map of every point into the space of texts."""

    inputs: ClassVar[Mapping[str, int]] = {"points": 3, "normals": 3, "colors": 3}
    """Widths of the arrays of a shape that the model reads, by name."""

    def __init__(self, config: LearnedConfig) -> None:
        super().__init__()
        self.config = c = config
        self.backbone = PointTransformer(c)
        width = self.backbone.width
        self.fuse = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, c.d_f), nn.GELU())
        self.decoder = PartletDecoder(c.d_f, c.d_t, c.K, c.layers, c.decoder_heads)
        pooled = 2 * (c.channels[-1] + c.d_f)
        self.global_head = nn.Sequential(
            nn.LayerNorm(pooled), nn.Linear(pooled, c.d_t), nn.GELU(), nn.Linear(c.d_t, c.d_t)
        )
        self.text = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, c.d_t)
        )
        self.scale = nn.Parameter(torch.tensor(-math.log(0.07)))
        """Logarithm of the inverse temperature of the contrast between points and texts."""

    def forward(
        self,
        points: Float[Tensor, "b n 3"],
        normals: Float[Tensor, "b n 3"],
        colors: Float[Tensor, "b n 3"],
        orders: Sequence[int] = tuple(range(len(ORDERS))),
    ) -> AlignPartsOutput:
        """Predict the parts of shapes with equal numbers of points; arguments as those of the backbone."""
        batch, n, _ = points.shape
        shape = torch.arange(batch, device=points.device).repeat_interleave(n)
        flat = (values.flatten(0, 1) for values in (points, normals, colors))
        own, cells, cell_shape = self.backbone(*flat, shape, orders)
        fused = self.fuse(own).view(batch, n, -1)
        masks, partness, partlets = self.decoder(fused)
        index = cell_shape.unsqueeze(1).expand_as(cells)
        peak = cells.new_zeros(batch, cells.shape[1]).scatter_reduce(
            0, index, cells, "amax", include_self=False
        )
        mean = mean_over(cells, cell_shape, batch)
        whole = self.global_head(torch.cat([mean, peak, fused.mean(1), fused.amax(1)], dim=1))
        text = (self.scale.exp() * F.normalize(self.text(own), dim=-1)).view(batch, n, -1)
        return AlignPartsOutput(masks, partness, partlets, whole, fused, text)


Model = AlignParts | LearnedAlignParts
"""ALIGN-Parts with the paper's frozen encoders, or with a backbone of its own."""


def load_model(folder: Path | str) -> Model:
    """Load either kind of model; errors are those of :meth:`PretrainedModel.from_pretrained`."""
    path = Path(folder) / "config.json"
    learned = path.is_file() and "channels" in json.loads(path.read_text(encoding="utf-8"))
    return (LearnedAlignParts if learned else AlignParts).from_pretrained(str(folder)).eval()
