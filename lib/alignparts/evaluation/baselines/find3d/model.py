"""Find3D's network: Point Transformer V3 in plain torch, and a map of its features into the space of texts.

Departures from PTv3, whose kernels need a GPU: the position is encoded by a depthwise 3 x 3 x 3 convolution
and a linear map instead of a full convolution; cells are pooled by their mean; the last patch of a shape is
masked instead of filled with points of the one before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from alignparts.core.checkpoint import PretrainedModel
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.find3d.levels import Level, finest
from alignparts.evaluation.baselines.find3d.serialization import ORDERS

HEAD = 16
"""Width of an attention head."""
INPUTS = 9
"""Coordinates, normal, color."""


@dataclass(frozen=True)
class Find3DConfig:
    """Sizes of the network; the defaults are Find3D's.

    Attributes:
        d_t: width of the text encoder's embeddings.
        channels: widths from fine to coarse, multiples of 16.
        depths: blocks of each.
        up_channels: widths on the way back, one fewer, from fine to coarse.
        up_depths: blocks of each.
        patch: points that attend to each other.
        grid: width of the finest cells, in the model frame.
        points: of a shape in training; the convolution and the pooling know no other density.

    Raises:
        AlignPartsError: widths and depths that do not fit each other, or heads that do not fit a width.
    """

    d_t: int = 768
    channels: Sequence[int] = (32, 64, 128, 256, 512)
    depths: Sequence[int] = (2, 2, 2, 6, 2)
    up_channels: Sequence[int] = (64, 64, 128, 256)
    up_depths: Sequence[int] = (2, 2, 2, 2)
    patch: int = 1024
    grid: float = 0.02
    points: int = 5000

    def __post_init__(self) -> None:
        for field in fields(self):
            if isinstance(value := getattr(self, field.name), list):  # as JSON has it
                object.__setattr__(self, field.name, tuple(value))
        lengths = [len(one) for one in (self.channels, self.depths, self.up_channels, self.up_depths)]
        if lengths != [lengths[0], lengths[0], lengths[0] - 1, lengths[0] - 1] or not lengths[0]:
            raise AlignPartsError(
                f"Find3D: {lengths[0]} channels, {lengths[1]} depths, {lengths[2]} up_channels, "
                f"{lengths[3]} up_depths; expected n, n, n - 1, n - 1"
            )
        for width in (*self.channels, *self.up_channels):
            if width < HEAD or width % HEAD:
                raise AlignPartsError(f"Find3D: a width of {width}: expected a multiple of {HEAD}")
        if min(self.d_t, self.patch, self.points, *self.depths) < 1 or self.grid <= 0:
            raise AlignPartsError("Find3D: d_t, patch, grid, points and depths: expected numbers above 0")


class Attention(nn.Module):
    """Self-attention within patches of a curve."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.heads, self.patch = width // HEAD, patch
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "v c"], level: Level, order: int) -> Float[Tensor, "v c"]:
        """What the cells of a patch say to each other; patches are cut along the curve of number `order`."""
        table = level.patches(order, self.patch)
        there = table >= 0
        gathered = self.qkv(x).index_select(0, table.clamp(min=0).view(-1))
        q, k, v = gathered.view(*table.shape, 3, self.heads, HEAD).permute(2, 0, 3, 1, 4)
        mask = None if bool(there.all()) else there[:, None, None, :]
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        slot = there.view(-1).nonzero()[:, 0]
        back = torch.empty_like(slot)
        back[table.view(-1)[slot]] = slot
        return self.out(found.transpose(1, 2).reshape(-1, x.shape[1]).index_select(0, back))


class Position(nn.Module):
    """What lies around a cell: a depthwise 3 x 3 x 3 convolution over the cells that there are."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(27, width) / 27**0.5)
        self.mix, self.norm = nn.Linear(width, width), nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "v c"], level: Level) -> Float[Tensor, "v c"]:
        """The convolution, mixed and normed."""
        cell, near, where = level.neighbors
        # Rows by index_select: its gradient is summed faster than that of an index.
        said = x.index_select(0, near) * self.weight.index_select(0, where)
        around = torch.zeros_like(x).index_add(0, cell, said)
        return self.norm(self.mix(around))


class Block(nn.Module):
    """Position, attention and a network of four times the width, each added to what came in."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.position = Position(width)
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, patch)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Float[Tensor, "v c"], level: Level, order: int) -> Float[Tensor, "v c"]:
        """Features of the cells after the block."""
        x = x + self.position(x, level)
        x = x + self.attention(self.norm_attention(x), level, order)
        return x + self.mlp(self.norm_mlp(x))


class Find3DModel(PretrainedModel):
    """Points to unit vectors in the space of texts.

    Args:
        config: sizes.
    """

    def __init__(self, config: Find3DConfig) -> None:
        super().__init__()
        self.config = c = config
        self.stem = nn.Sequential(nn.Linear(INPUTS, c.channels[0]), nn.LayerNorm(c.channels[0]), nn.GELU())
        self.down = nn.ModuleList(
            nn.ModuleList(Block(width, c.patch) for _ in range(depth))
            for width, depth in zip(c.channels, c.depths, strict=True)
        )
        self.pool = nn.ModuleList(nn.Linear(a, b) for a, b in zip(c.channels, c.channels[1:], strict=False))
        self.pooled = nn.ModuleList(nn.LayerNorm(width) for width in c.channels[1:])
        above = [*c.up_channels[1:], c.channels[-1]]
        self.lift = nn.ModuleList(nn.Linear(a, b) for a, b in zip(above, c.up_channels, strict=True))
        self.skip = nn.ModuleList(nn.Linear(a, b) for a, b in zip(c.channels, c.up_channels, strict=False))
        self.up = nn.ModuleList(
            nn.ModuleList(Block(width, c.patch) for _ in range(depth))
            for width, depth in zip(c.up_channels, c.up_depths, strict=True)
        )
        last = c.up_channels[0] if c.up_channels else c.channels[0]
        self.own = nn.Linear(c.channels[0], last)
        self.head = nn.Sequential(nn.LayerNorm(last), nn.Linear(last, 4 * last), nn.GELU())
        self.text = nn.Linear(4 * last, c.d_t)
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
        """Unit vectors of the points of several shapes, one after another.

        Args:
            points: in the model frame.
            normals: unit vectors.
            colors: 0..1.
            shape: number of every point's shape, 0..
            orders: the curves that the blocks take in turn; training shuffles them.
        """
        own = self.stem(torch.cat([points, normals, 2 * colors - 1], dim=1))
        levels = [finest(points, shape, self.config.grid)]
        x = _mean(own, levels[0])
        turn = 0
        kept = []
        for number, blocks in enumerate(self.down):
            if number:
                kept.append(x)
                levels.append(levels[-1].coarser())
                x = F.gelu(self.pooled[number - 1](_mean(self.pool[number - 1](x), levels[-1])))
            for block in cast(nn.ModuleList, blocks):
                x, turn = block(x, levels[-1], orders[turn % len(orders)]), turn + 1
        for number in reversed(range(len(self.up))):
            lifted = self.lift[number](x).index_select(0, levels[number + 1].inside)
            x = F.gelu(lifted + self.skip[number](kept[number]))
            for block in cast(nn.ModuleList, self.up[number]):
                x, turn = block(x, levels[number], orders[turn % len(orders)]), turn + 1
        x = x.index_select(0, levels[0].inside) + self.own(own)
        return F.normalize(self.text(self.head(x)), dim=-1)


def _mean(x: Float[Tensor, "finer c"], level: Level) -> Float[Tensor, "v c"]:
    """Mean over what a cell holds."""
    total = x.new_zeros(len(level.cells), x.shape[1]).index_add(0, level.inside, x)
    return total / torch.bincount(level.inside, minlength=len(level.cells)).unsqueeze(1)
