"""Point Transformer V3 (Wu et al., 2024) in plain torch: a U-Net over the points of a batch of shapes.

Departures from PTv3, whose kernels need a GPU: a depthwise 3 x 3 x 3 convolution and a linear map encode the
position instead of a full convolution; cells are pooled by their mean; the last patch of a shape is masked
instead of filled with points of the one before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from alignparts.core.errors import AlignPartsError
from alignparts.model.backbone.grid import ORDERS, Level, finest

HEAD = 16
"""Width of an attention head."""


@dataclass(frozen=True)
class PointTransformerConfig:
    """Sizes of the network.

    Attributes:
        channels: widths from fine to coarse, multiples of 16.
        depths: number of blocks per width.
        up_channels: widths on the way back, one fewer, from fine to coarse.
        up_depths: number of blocks per width on the way back.
        patch: number of points that attend to each other.
        grid: width of the finest cells, in the model frame.

    Raises:
        AlignPartsError: widths and depths that do not fit each other, or a width that heads do not divide.
    """

    channels: Sequence[int] = (32, 64, 128, 256, 512)
    depths: Sequence[int] = (2, 2, 2, 6, 2)
    up_channels: Sequence[int] = (64, 64, 128, 256)
    up_depths: Sequence[int] = (2, 2, 2, 2)
    patch: int = 1024
    grid: float = 0.02

    def __post_init__(self) -> None:
        names = ("channels", "depths", "up_channels", "up_depths")
        for name in names:  # lists, as JSON has them
            object.__setattr__(self, name, tuple(getattr(self, name)))
        n = len(self.channels)
        lengths = [len(getattr(self, name)) for name in names]
        if n < 2 or lengths != [n, n, n - 1, n - 1]:
            listed = ", ".join(f"{length} {name}" for length, name in zip(lengths, names, strict=True))
            raise AlignPartsError(f"point transformer: {listed}; expected n, n, n - 1, n - 1 with n > 1")
        for width in (*self.channels, *self.up_channels):
            if width < HEAD or width % HEAD:
                raise AlignPartsError(f"point transformer: a width of {width}: expected a multiple of {HEAD}")


class Attention(nn.Module):
    """Self-attention within patches of a curve."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.heads, self.patch = width // HEAD, patch
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "v c"], level: Level, order: int) -> Float[Tensor, "v c"]:
        """Attend within patches along the curve of number `order`."""
        table = level.patches(order, self.patch)
        present = table >= 0
        gathered = self.qkv(x).index_select(0, table.clamp(min=0).view(-1))
        q, k, v = gathered.view(*table.shape, 3, self.heads, HEAD).permute(2, 0, 3, 1, 4)
        mask = None if bool(present.all()) else present[:, None, None, :]
        received = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        slot = present.view(-1).nonzero()[:, 0]
        back = torch.empty_like(slot)
        back[table.view(-1)[slot]] = slot
        return self.out(received.transpose(1, 2).reshape(-1, x.shape[1]).index_select(0, back))


class Position(nn.Module):
    """Depthwise 3 x 3 x 3 convolution over the occupied cells."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(27, width) / 27**0.5)
        self.mix, self.norm = nn.Linear(width, width), nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "v c"], level: Level) -> Float[Tensor, "v c"]:
        """Convolve, mix and norm."""
        cell, near, offset = level.neighbors
        # Rows by index_select: its gradient is summed faster than that of an index.
        weighted = x.index_select(0, near) * self.weight.index_select(0, offset)
        return self.norm(self.mix(torch.zeros_like(x).index_add(0, cell, weighted)))


class Block(nn.Module):
    """Position, attention and a network of four times the width, each added to its input."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.position = Position(width)
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, patch)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Float[Tensor, "v c"], level: Level, order: int) -> Float[Tensor, "v c"]:
        """Return the features of the cells after the block."""
        x = x + self.position(x, level)
        x = x + self.attention(self.norm_attention(x), level, order)
        return x + self.mlp(self.norm_mlp(x))


class PointTransformer(nn.Module):
    """U-Net of blocks from points to a feature per point; ``width`` is its number of channels."""

    def __init__(self, config: PointTransformerConfig) -> None:
        super().__init__()
        c, self.grid = config, config.grid
        # Coordinates, normal and color.
        self.stem = nn.Sequential(nn.Linear(9, c.channels[0]), nn.LayerNorm(c.channels[0]), nn.GELU())
        self.down = _stages(c.channels, c.depths, c.patch)
        self.pool = nn.ModuleList(nn.Linear(a, b) for a, b in zip(c.channels, c.channels[1:], strict=False))
        self.pooled = nn.ModuleList(nn.LayerNorm(width) for width in c.channels[1:])
        above = [*c.up_channels[1:], c.channels[-1]]
        self.lift = nn.ModuleList(nn.Linear(a, b) for a, b in zip(above, c.up_channels, strict=True))
        self.skip = nn.ModuleList(nn.Linear(a, b) for a, b in zip(c.channels, c.up_channels, strict=False))
        self.up = _stages(c.up_channels, c.up_depths, c.patch)
        self.width = c.up_channels[0]
        self.own = nn.Linear(c.channels[0], self.width)

    def forward(
        self,
        points: Float[Tensor, "n 3"],
        normals: Float[Tensor, "n 3"],
        colors: Float[Tensor, "n 3"],
        shape: Int64[Tensor, " n"],
        orders: Sequence[int] = tuple(range(len(ORDERS))),
    ) -> tuple[Float[Tensor, "n c"], Float[Tensor, "v d"], Int64[Tensor, " v"]]:
        """Return the features of the points of several shapes, one after another; and the coarsest cells'.

        Args:
            points: coordinates in the model frame.
            normals: unit vectors.
            colors: RGB in 0..1.
            shape: number of every point's shape, from 0.
            orders: the curves that the blocks take in turn; training shuffles them.

        Returns:
            Features of the points, those of the coarsest cells, and the shape of every such cell.
        """
        stem = self.stem(torch.cat([points, normals, 2 * colors - 1], dim=1))
        levels = [finest(points, shape, self.grid)]
        x = mean_over(stem, levels[0].inverse, len(levels[0].cells))
        turns, skipped = cycle(orders), []
        for number, blocks in enumerate(self.down):
            if number:
                skipped.append(x)
                levels.append(coarse := levels[-1].coarser())
                mean = mean_over(self.pool[number - 1](x), coarse.inverse, len(coarse.cells))
                x = F.gelu(self.pooled[number - 1](mean))
            for block in cast(nn.ModuleList, blocks):
                x = block(x, levels[-1], next(turns))
        deepest = x
        for number in reversed(range(len(self.up))):
            lifted = self.lift[number](x).index_select(0, levels[number + 1].inverse)
            x = F.gelu(lifted + self.skip[number](skipped[number]))
            for block in cast(nn.ModuleList, self.up[number]):
                x = block(x, levels[number], next(turns))
        return x.index_select(0, levels[0].inverse) + self.own(stem), deepest, levels[-1].shape


def _stages(widths: Sequence[int], depths: Sequence[int], patch: int) -> nn.ModuleList:
    """Return the blocks of every width."""
    return nn.ModuleList(
        nn.ModuleList(Block(width, patch) for _ in range(depth))
        for width, depth in zip(widths, depths, strict=True)
    )


def mean_over(x: Float[Tensor, "n c"], group: Int64[Tensor, " n"], groups: int) -> Float[Tensor, "groups c"]:
    """Return the mean of the rows of every group, none of which is empty."""
    total = x.new_zeros(groups, x.shape[1]).index_add(0, group, x)
    return total / torch.bincount(group, minlength=groups).unsqueeze(1)
