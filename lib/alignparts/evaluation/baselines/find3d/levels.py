"""Grids of a batch of shapes, from fine to coarse: cells that hold something, and who lies beside whom."""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from alignparts.evaluation.baselines.find3d.serialization import DEPTH, ORDERS, interleaved, patches, place

OFFSETS = torch.tensor(list(product((-1, 0, 1), repeat=3)))
"""A cell and its 26 neighbors."""


@dataclass
class Level:
    """The cells of a batch that hold something.

    Attributes:
        cells: grid coordinates, shape by shape and in z-order.
        shape: number of the shape of every cell.
        inside: of everything one level finer (points, below the finest level), its cell here.
    """

    cells: Int64[Tensor, "v 3"]
    shape: Int64[Tensor, " v"]
    inside: Int64[Tensor, " finer"]
    _patches: dict[tuple[int, int], Tensor] = field(default_factory=dict, repr=False)

    @cached_property
    def neighbors(self) -> tuple[Int64[Tensor, " e"], Int64[Tensor, " e"], Int64[Tensor, " e"]]:
        """Every pair of neighboring cells, a cell and itself among them: whose it is, who it is, and where.

        Most of the 27 places around a cell of a surface are empty: pairs are fewer than places.
        """
        keys = _key(self.cells, self.shape)
        around = self.cells.unsqueeze(1) + OFFSETS.to(self.cells.device)
        inside = ((around >= 0) & (around < 1 << DEPTH)).all(-1)
        flat = around.clamp(0, (1 << DEPTH) - 1).view(-1, 3)
        wanted = _key(flat, self.shape.repeat_interleave(27)).view(-1, 27)
        at = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
        cell, where = ((keys[at] == wanted) & inside).nonzero(as_tuple=True)
        return cell, at[cell, where], where

    def patches(self, order: int, size: int) -> Int64[Tensor, "patches size"]:
        """Cells cut into patches along the curve of a number (of `ORDERS`); -1 for none."""
        if (order, size) not in self._patches:
            self._patches[order, size] = patches(self.shape, place(self.cells, ORDERS[order]), size)
        return self._patches[order, size]

    def coarser(self) -> "Level":
        """The level of cells twice as wide."""
        return _level(self.cells >> 1, self.shape)


def finest(points: Float[Tensor, "n 3"], shape: Int64[Tensor, " n"], grid: float) -> Level:
    """Cells of a width of `grid` that hold points; coordinates start at the lowest corner of each shape."""
    count = int(shape.max()) + 1
    low = points.new_full((count, 3), torch.inf)
    low = low.scatter_reduce(0, shape.unsqueeze(1).expand(-1, 3), points, "amin")
    cells = ((points - low[shape]) / grid).floor().long().clamp(0, (1 << DEPTH) - 1)
    return _level(cells, shape)


def _level(cells: Tensor, shape: Tensor) -> Level:
    keys, inside = torch.unique(_key(cells, shape), return_inverse=True)
    first = torch.full((len(keys),), len(cells), device=keys.device)
    first = first.scatter_reduce(0, inside, torch.arange(len(cells), device=keys.device), "amin")
    return Level(cells[first], shape[first], inside)


def _key(cells: Tensor, shape: Tensor) -> Tensor:
    return (shape << (3 * DEPTH)) | interleaved(cells)
