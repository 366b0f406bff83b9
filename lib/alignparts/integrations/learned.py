"""The learned backbone with arrays whose sizes depend on the number of points alone, as exporters ask for.

Every level has a row per point, and more to fill whole patches; in a coarse level most rows are vacant.
Tables of all places of the grid find cells, neighbors and positions on curves.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from alignparts.model.backbone.grid import DEPTH, OFFSETS, ORDERS, position
from alignparts.model.backbone.learned import LearnedAlignParts
from alignparts.model.backbone.point_transformer import HEAD, Attention, Block, Position

REACH = 2 * 3**0.5
"""Longest side of what lies in the model frame, [-1, 1]³, however it is turned."""


@dataclass(frozen=True)
class Rows:
    """The cells at one width, then vacant rows; number r, one beyond the rows, stands for no row.

    Attributes:
        cells: grid coordinates.
        filled: true where a row is a cell.
        place: number of the cell's place in the grid.
        inverse: row of everything one level finer.
        near: rows of a cell and its 26 neighbors, in the order of `OFFSETS`.
    """

    cells: Int64[Tensor, "r 3"]
    filled: Bool[Tensor, " r"]
    place: Int64[Tensor, " r"]
    inverse: Int64[Tensor, " finer"]
    near: Int64[Tensor, "r 27"]

    @classmethod
    def of(
        cls, cells: Int64[Tensor, "finer 3"], filled: Bool[Tensor, " finer"], side: int, rows: int
    ) -> "Rows":
        """Return the distinct cells among those that are filled, all below `side`."""
        nowhere = side**3
        place = torch.where(filled, _place(cells, side), nowhere)
        taken = torch.zeros(nowhere + 1, dtype=torch.int64).scatter(0, place, torch.ones_like(place))
        taken = torch.cat([taken[:-1], taken.new_zeros(1)])
        row = torch.where(taken > 0, taken.cumsum(0) - 1, rows)
        inverse = row[place]
        own = cells.new_zeros(rows + 1, 3).scatter(0, inverse.unsqueeze(1).expand(-1, 3), cells)[:rows]
        present = torch.arange(rows) < taken.sum()
        around = own.unsqueeze(1) + OFFSETS
        inside = ((around >= 0) & (around < side)).all(-1) & present.unsqueeze(1)
        return cls(
            own, present, _place(own, side), inverse, row[torch.where(inside, _place(around, side), nowhere)]
        )

    def mean(self, x: Float[Tensor, "finer c"]) -> Float[Tensor, "r c"]:
        """Return the mean of everything one level finer per cell, 0 at vacant rows."""
        rows, width = self.cells.shape[0], x.shape[1]
        total = x.new_zeros(rows + 1, width).scatter_add(0, self.inverse.unsqueeze(1).expand(-1, width), x)
        count = x.new_zeros(rows + 1).scatter_add(0, self.inverse, torch.ones_like(x[:, 0]))
        return total[:rows] / count[:rows].clamp(min=1).unsqueeze(1)


class PortableLearned(nn.Module):
    """A :class:`LearnedAlignParts` for one shape in the model frame, in any pose."""

    def __init__(self, model: LearnedAlignParts) -> None:
        super().__init__()
        self.model, c = model, model.config
        self.sides = [math.ceil(REACH / c.grid) + 1]
        while len(self.sides) < len(c.channels):
            self.sides.append((self.sides[-1] + 1) // 2)
        levels = np.repeat(np.arange(len(c.depths)), c.depths).tolist()
        levels += np.repeat(np.arange(len(c.up_depths)), c.up_depths)[::-1].tolist()
        for level, order in zip(levels, cycle(range(len(ORDERS))), strict=False):
            side = torch.arange(self.sides[level])
            places = torch.stack(torch.meshgrid(side, side, side, indexing="ij"), dim=-1).view(-1, 3)
            self.register_buffer(f"curve_{level}_{order}", position(places, ORDERS[order]).int())

    def forward(
        self, points: Float[Tensor, "1 n 3"], normals: Float[Tensor, "1 n 3"], colors: Float[Tensor, "1 n 3"]
    ) -> tuple[Tensor, ...]:
        """Return the fields of :class:`alignparts.model.alignparts.AlignPartsOutput`."""
        model, net = self.model, self.model.backbone
        patch, n = model.config.patch, points.shape[1]
        rows = (n // patch + 2) * patch  # two patches at least: exporters take one for a constant
        stem = net.stem(torch.cat([points[0], normals[0], 2 * colors[0] - 1], dim=1))
        cells = ((points[0] - points[0].amin(0)) / net.grid).floor().long().clamp(0, self.sides[0] - 1)
        levels = [Rows.of(cells, torch.ones(n, dtype=torch.bool), self.sides[0], rows)]
        x, skipped, turns = levels[0].mean(stem), [], cycle(range(len(ORDERS)))
        for number, blocks in enumerate(net.down):
            if number:
                skipped.append(x)
                fine = levels[-1]
                levels.append(Rows.of(fine.cells // 2, fine.filled, self.sides[number], rows))
                x = F.gelu(net.pooled[number - 1](levels[-1].mean(net.pool[number - 1](x))))
            for block in cast(nn.ModuleList, blocks):
                x = self._block(cast(Block, block), x, levels, number, next(turns))
        deepest, filled = x, levels[-1].filled.unsqueeze(1)
        for number in reversed(range(len(net.up))):
            lifted = _beyond(net.lift[number](x))[levels[number + 1].inverse]
            x = F.gelu(lifted + net.skip[number](skipped[number]))
            for block in cast(nn.ModuleList, net.up[number]):
                x = self._block(cast(Block, block), x, levels, number, next(turns))
        own = x[levels[0].inverse] + net.own(stem)
        fused = model.fuse(own).unsqueeze(0)
        mean = (deepest * filled).sum(0, keepdim=True) / filled.sum()
        peak = deepest.masked_fill(~filled, -torch.inf).amax(0, keepdim=True)
        whole = model.global_head(torch.cat([mean, peak, fused.mean(1), fused.amax(1)], dim=1))
        text = (model.scale.exp() * F.normalize(model.text(own), dim=-1)).unsqueeze(0)
        return *model.decoder(fused), whole, fused, text

    def _block(self, block: Block, x: Tensor, levels: Sequence[Rows], number: int, order: int) -> Tensor:
        level, curve = levels[number], self.get_buffer(f"curve_{number}_{order}")
        along = torch.where(level.filled, curve[level.place].long(), 1 << (3 * DEPTH)).argsort()
        x = x + _convolve(block.position, x, level)
        x = x + _attend(block.attention, block.norm_attention(x), level.filled, along)
        return x + block.mlp(block.norm_mlp(x))


def _place(cells: Int64[Tensor, "*n 3"], side: int) -> Int64[Tensor, "*n"]:
    return (cells[..., 0] * side + cells[..., 1]) * side + cells[..., 2]


def _beyond(x: Float[Tensor, "r c"]) -> Float[Tensor, "r+1 c"]:
    """Append zeros: what number r reads."""
    return torch.cat([x, x.new_zeros(1, x.shape[1])])


def _convolve(conv: Position, x: Float[Tensor, "r c"], level: Rows) -> Float[Tensor, "r c"]:
    return conv.norm(conv.mix((_beyond(x)[level.near] * conv.weight).sum(1)))


def _attend(
    attention: Attention, x: Float[Tensor, "r c"], filled: Bool[Tensor, " r"], along: Int64[Tensor, " r"]
) -> Float[Tensor, "r c"]:
    """Attend within patches; vacant rows come last, and attend to each other in patches of their own."""
    table = (along.shape[0] // attention.patch, attention.patch)
    seen = filled[along].view(table)
    seen = seen | ~seen[:, :1]
    gathered = attention.qkv(x)[along].view(*table, 3, attention.heads, HEAD)
    q, k, v = gathered.permute(2, 0, 3, 1, 4)
    received = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None, :])
    back = torch.zeros_like(along).scatter(0, along, torch.arange(along.shape[0]))
    return attention.out(received.transpose(1, 2).flatten(2).flatten(0, 1)[back])
