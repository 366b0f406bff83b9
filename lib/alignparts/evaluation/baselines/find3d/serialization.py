"""Cells of a grid in a row: z-order and Hilbert's curve, each with the axes exchanged, as in PTv3."""

import torch
from jaxtyping import Int64
from torch import Tensor

ORDERS = ("z", "z-trans", "hilbert", "hilbert-trans")
DEPTH = 10
"""Bits of a coordinate; three of them, and the shape's number, fit into 63."""


def interleaved(cells: Int64[Tensor, "n 3"], depth: int = DEPTH) -> Int64[Tensor, " n"]:
    """Bits of the coordinates in turn, x's first: the place on the z-order curve."""
    code = torch.zeros_like(cells[:, 0])
    for bit in range(depth):
        for axis in range(3):
            code |= ((cells[:, axis] >> bit) & 1) << (3 * bit + 2 - axis)
    return code


def hilbert(cells: Int64[Tensor, "n 3"], depth: int = DEPTH) -> Int64[Tensor, " n"]:
    """The place on Hilbert's curve (Skilling, 2004): places that follow each other are neighboring cells."""
    x = cells.clone()
    bit = 1 << (depth - 1)
    while bit > 1:
        low = bit - 1
        for axis in range(3):
            set_ = (x[:, axis] & bit) > 0
            # Invert the low bits of x's first axis, or exchange them with this one's.
            swapped = (x[:, 0] ^ x[:, axis]) & low
            first = torch.where(set_, x[:, 0] ^ low, x[:, 0] ^ swapped)
            if axis:
                x[:, axis] = torch.where(set_, x[:, axis], x[:, axis] ^ swapped)
            x[:, 0] = first
        bit >>= 1
    for axis in (1, 2):  # Gray code
        x[:, axis] ^= x[:, axis - 1]
    turn = torch.zeros_like(x[:, 0])
    bit = 1 << (depth - 1)
    while bit > 1:
        turn = torch.where((x[:, 2] & bit) > 0, turn ^ (bit - 1), turn)
        bit >>= 1
    return interleaved(x ^ turn.unsqueeze(1), depth)


def place(cells: Int64[Tensor, "n 3"], order: str, depth: int = DEPTH) -> Int64[Tensor, " n"]:
    """The place of every cell on one of the curves of `ORDERS`."""
    if order.endswith("-trans"):
        cells = cells[:, [1, 0, 2]]
    return interleaved(cells, depth) if order.startswith("z") else hilbert(cells, depth)


def patches(
    shape: Int64[Tensor, " n"], places: Int64[Tensor, " n"], size: int
) -> Int64[Tensor, "patches size"]:
    """Points of a curve cut into patches, shape by shape; -1 fills the last patch of a shape.

    Args:
        shape: number of the shape of every point, 0..
        places: of the points, which differ within a shape.
        size: most points of a patch; patches are smaller where no shape has so many points.
    """
    order = torch.argsort((shape << (3 * DEPTH)) | places)
    counts = torch.bincount(shape)
    size = min(size, int(counts.max()))
    needed = (counts + size - 1) // size
    first = (needed.cumsum(0) - needed) * size - (counts.cumsum(0) - counts)
    table = torch.full((int(needed.sum()) * size,), -1, dtype=torch.int64)
    table[torch.arange(len(order)) + first[shape[order]]] = order.cpu()
    return table.view(-1, size).to(shape.device)
