"""Grids of a batch of shapes, from fine to coarse, serialized along space-filling curves as in PTv3."""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import torch
from jaxtyping import Float, Int64
from torch import Tensor

ORDERS = ("z", "z-trans", "hilbert", "hilbert-trans")
"""The z-order curve and Hilbert's curve; "-trans" exchanges the first two axes."""
DEPTH = 10
"""Bits per coordinate; three of them, and the number of the shape, fit into 63."""
SPREAD = ((16, 0x30000FF), (8, 0x300F00F), (4, 0x30C30C3), (2, 0x9249249))
"""Shifts and masks that move bit i of a number of `DEPTH` bits to bit 3 i."""
OFFSETS = torch.tensor(list(product((-1, 0, 1), repeat=3)))
"""A cell and its 26 neighbors."""


def z_order(cells: Int64[Tensor, "n 3"]) -> Int64[Tensor, " n"]:
    """Return the position of cells on the z-order curve: the bits of x, y and z in turn."""
    spread = cells
    for shift, mask in SPREAD:
        spread = (spread | spread << shift) & mask
    return spread[:, 0] << 2 | spread[:, 1] << 1 | spread[:, 2]


def hilbert(cells: Int64[Tensor, "n 3"], depth: int = DEPTH) -> Int64[Tensor, " n"]:
    """Return the position of cells on Hilbert's curve, where consecutive cells touch (Skilling, 2004)."""
    x = cells.clone()
    for shift, axis in product(range(depth - 1, 0, -1), range(3)):
        # Invert the low bits of the first axis, or exchange them with those of this axis.
        low = (1 << shift) - 1
        invert = ((x[:, axis] >> shift) & 1).bool()
        exchange = torch.where(invert, 0, (x[:, 0] ^ x[:, axis]) & low)
        x[:, axis] ^= exchange
        x[:, 0] ^= torch.where(invert, low, exchange)
    for axis in (1, 2):  # Gray code
        x[:, axis] ^= x[:, axis - 1]
    turn = torch.zeros_like(x[:, 0])
    for shift in range(depth - 1, 0, -1):
        turn ^= ((x[:, 2] >> shift) & 1) * ((1 << shift) - 1)
    return z_order(x ^ turn.unsqueeze(1))


def position(cells: Int64[Tensor, "n 3"], order: str, depth: int = DEPTH) -> Int64[Tensor, " n"]:
    """Return the position of every cell on one of the curves of `ORDERS`."""
    if order.endswith("-trans"):
        cells = cells[:, [1, 0, 2]]
    return z_order(cells) if order.startswith("z") else hilbert(cells, depth)


def patches(
    shape: Int64[Tensor, " n"], positions: Int64[Tensor, " n"], size: int
) -> Int64[Tensor, "patches size"]:
    """Cut a curve into patches, shape by shape; -1 fills the last patch of a shape.

    Args:
        shape: number of every cell's shape, from 0.
        positions: positions of the cells on the curve, which differ within a shape.
        size: maximum number of cells per patch; patches are smaller where no shape has so many.
    """
    order = torch.argsort((shape << (3 * DEPTH)) | positions)
    counts = torch.bincount(shape)
    size = min(size, int(counts.max()))
    needed = (counts + size - 1) // size
    first = (needed.cumsum(0) - needed) * size - (counts.cumsum(0) - counts)
    table = torch.full((int(needed.sum()) * size,), -1, dtype=torch.int64)
    table[torch.arange(len(order)) + first[shape[order]]] = order.cpu()
    return table.view(-1, size).to(shape.device)


@dataclass
class Level:
    """The occupied cells of a batch at one width.

    Attributes:
        cells: grid coordinates, shape by shape and in z-order.
        shape: number of the shape of every cell.
        inverse: cell of everything one level finer (of points, at the finest level).
    """

    cells: Int64[Tensor, "v 3"]
    shape: Int64[Tensor, " v"]
    inverse: Int64[Tensor, " finer"]
    _patches: dict[tuple[int, int], Tensor] = field(default_factory=dict, repr=False)

    @cached_property
    def neighbors(self) -> tuple[Int64[Tensor, " e"], Int64[Tensor, " e"], Int64[Tensor, " e"]]:
        """Return all pairs of a cell and a neighbor, itself among them, and which of `OFFSETS` leads there.

        Most of the 27 places around a cell of a surface are empty: pairs are fewer than places.
        """
        keys = _key(self.cells, self.shape)
        around = self.cells.unsqueeze(1) + OFFSETS.to(self.cells.device)
        inside = ((around >= 0) & (around < 1 << DEPTH)).all(-1)
        flat = around.clamp(0, (1 << DEPTH) - 1).view(-1, 3)
        wanted = _key(flat, self.shape.repeat_interleave(27)).view(-1, 27)
        at = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
        cell, offset = ((keys[at] == wanted) & inside).nonzero(as_tuple=True)
        return cell, at[cell, offset], offset

    def patches(self, order: int, size: int) -> Int64[Tensor, "patches size"]:
        """Return the cells in patches along the curve of a number (of `ORDERS`); -1 for none."""
        if (order, size) not in self._patches:
            self._patches[order, size] = patches(self.shape, position(self.cells, ORDERS[order]), size)
        return self._patches[order, size]

    def coarser(self) -> "Level":
        """Return the level of cells twice as wide."""
        return _level(self.cells >> 1, self.shape)


def finest(points: Float[Tensor, "n 3"], shape: Int64[Tensor, " n"], grid: float) -> Level:
    """Return the cells of width `grid` that hold points; coordinates start at each shape's lowest corner."""
    low = points.new_full((int(shape.max()) + 1, 3), torch.inf)
    low = low.scatter_reduce(0, shape.unsqueeze(1).expand(-1, 3), points, "amin")
    cells = ((points - low[shape]) / grid).floor().long().clamp(0, (1 << DEPTH) - 1)
    return _level(cells, shape)


def _level(cells: Tensor, shape: Tensor) -> Level:
    """Return the level of all distinct cells."""
    keys, inverse = torch.unique(_key(cells, shape), return_inverse=True)
    some = torch.empty_like(keys).scatter_(0, inverse, torch.arange(len(cells), device=keys.device))
    return Level(cells[some], shape[some], inverse)


def _key(cells: Tensor, shape: Tensor) -> Tensor:
    """Return a number per cell that sorts by shape, then in z-order."""
    return (shape << (3 * DEPTH)) | z_order(cells)
