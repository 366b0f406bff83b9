"""Nearest-neighbor graph of points, and attention along its edges (section 8.1, Eqs. 30-31)."""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32, Int64
from scipy.spatial import cKDTree
from torch import Tensor

from alignparts.core.errors import AlignPartsError


def nearest(points: Float[np.ndarray, "n 3"], k: int) -> Int64[np.ndarray, "n k"]:
    """Return the k nearest points of every point, itself among them; -1 if there are fewer than k points.

    Raises:
        AlignPartsError: a coordinate is not finite.
    """
    if not np.isfinite(points).all():
        raise AlignPartsError("points: expected finite coordinates; drop or repair the shape")
    index = cKDTree(points).query(points, range(1, k + 1))[1]
    return np.where(index < len(points), index, -1)


def nearest_neighbors(
    points: Float[Tensor, "b n 3"], k: int, padding_mask: Bool[Tensor, "b n"] | None = None
) -> Int64[Tensor, "b n k"]:
    """Return :func:`nearest` of every shape of a batch; a padding point's only neighbor is itself.

    `padding_mask` is true where a point is padding.
    """
    batch, n, _ = points.shape
    neighbors = np.full((batch, n, k), -1, dtype=np.int64)
    neighbors[:, :, 0] = np.arange(n)
    coordinates = points.detach().float().cpu().numpy()
    valid = np.ones((batch, n), bool) if padding_mask is None else ~padding_mask.cpu().numpy()
    for shape in range(batch):
        index = np.append(np.flatnonzero(valid[shape]), -1)  # -1 stays -1
        neighbors[shape, index[:-1]] = index[nearest(coordinates[shape, index[:-1]], k)]
    return torch.from_numpy(neighbors).to(points.device)


class Graph:
    """Edges of all points of a batch in one index space, for every head.

    ``near`` holds the ends of every row's edges among ``points`` points, ``missing`` is true at edges that do
    not exist; in the shapes below r is the number of rows, m that of points. For products with sparse
    matrices every head of a point is a row, ``point * heads + head``, so that queries, keys and values can
    stay as the linear maps leave them.
    """

    def __init__(
        self, near: Int64[Tensor, "r k"], missing: Bool[Tensor, "r 1 k"] | None, points: int, heads: int
    ) -> None:
        self.near, self.missing, self.points, self.heads = near, missing, points, heads
        self.rows, self.k = near.shape

    @classmethod
    def of(cls, neighbors: Int64[Tensor, "b n k"], heads: int) -> "Graph":
        """Return the graph of a batch."""
        batch, n, k = neighbors.shape
        shift = torch.arange(batch, device=neighbors.device).mul(n).view(batch, 1, 1)
        missing = (neighbors < 0).view(-1, 1, k) if bool((neighbors < 0).any()) else None
        return cls((neighbors.clamp(min=0) + shift).view(-1, k), missing, batch * n, heads)

    def split(self, rows: int) -> list["Graph"]:
        """Return the edges that begin at `rows` points at a time; only a whole graph has a transpose."""
        if rows >= self.rows:
            return [self]
        near = self.near.split(rows)
        missing = [None] * len(near) if self.missing is None else self.missing.split(rows)
        return [Graph(*part, self.points, self.heads) for part in zip(near, missing, strict=True)]

    def sparse(self, query: Tensor) -> bool:
        """Return whether sparse products apply: no edge is missing, a CPU computes in full precision."""
        precise = query.dtype in (torch.float32, torch.float64)
        return query.device.type == "cpu" and precise and self.missing is None

    @cached_property
    def columns(self) -> Int32[Tensor, " r_h_k"]:
        """Return the column of every edge and head in :meth:`matrix`, whose rows have k edges each."""
        head = torch.arange(self.heads, dtype=torch.int32).view(1, -1, 1)
        return ((self.near.to(torch.int32) * self.heads).unsqueeze(1) + head).flatten()

    def matrix(self, values: Float[Tensor, "r h k"], transpose: bool = False) -> Tensor:
        """Return the sparse matrix with a value at every edge and head, or its transpose."""
        start, columns = torch.arange(0, values.numel() + 1, self.k, dtype=torch.int32), self.columns
        values = values.flatten()
        if transpose:
            start, columns, order = self._transpose
            values = values.index_select(0, order)
        size = (len(start) - 1, self.points * self.heads)
        return torch.sparse_csr_tensor(start, columns, values, size, check_invariants=False)

    def products(self, left: Float[Tensor, "r h d"], right: Float[Tensor, "m h d"]) -> Float[Tensor, "r h k"]:
        """Return the dot product of both ends of every edge."""
        pattern = self.matrix(left.new_zeros(self.rows, self.heads, self.k))
        dots = torch.sparse.sampled_addmm(pattern, left.flatten(0, 1), right.flatten(0, 1).T, beta=0.0)
        return dots.values().view(self.rows, self.heads, self.k)

    def sums(
        self, weight: Float[Tensor, "r h k"], value: Float[Tensor, "m h d"], transpose: bool = False
    ) -> Float[Tensor, "_ h d"]:
        """Return weighted sums over every row's neighbors, or over the rows that a point is a neighbor of."""
        return (self.matrix(weight, transpose) @ value.flatten(0, 1)).unflatten(0, (-1, self.heads))

    @cached_property
    def _transpose(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the transpose's row starts and columns, and the edge that is at each of its places."""
        order = torch.argsort(self.columns, stable=True)
        count = torch.bincount(self.columns, minlength=self.points * self.heads)
        start = torch.cat([count.new_zeros(1), count.cumsum(0)])
        return start.to(torch.int32), (order // self.k).to(torch.int32), order


class SparseAttention(torch.autograd.Function):
    """Eqs. 30-31 without a copy of keys and values for every edge: several times faster on a CPU."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, graph: Graph) -> Tensor:
        weight = (graph.products(query * query.shape[-1] ** -0.5, key).add_(bias)).softmax(-1)
        ctx.save_for_backward(query, key, value, weight)
        ctx.graph = graph
        return graph.sums(weight, value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        query, key, value, weight = ctx.saved_tensors
        graph: Graph = ctx.graph
        upstream = gradients[0].contiguous()
        by_score = torch._softmax_backward_data(graph.products(upstream, value), weight, -1, weight.dtype)
        scale = query.shape[-1] ** -0.5
        by_query, by_key = graph.sums(by_score, key) * scale, graph.sums(by_score, query, True) * scale
        return by_query, by_key, graph.sums(weight, upstream, True), by_score, None


def gather_attention(
    query: Float[Tensor, "r h d"],
    key: Float[Tensor, "m h d"],
    value: Float[Tensor, "m h d"],
    bias: Float[Tensor, "r h k"],
    graph: Graph,
) -> Float[Tensor, "r h d"]:
    """Return Eqs. 30-31 with the neighbors' keys and values copied: for accelerators and missing edges."""
    near_key, near_value = key[graph.near], value[graph.near]
    scores = torch.einsum("rhd,rkhd->rhk", query, near_key) * query.shape[-1] ** -0.5 + bias
    if graph.missing is not None:
        scores = scores.masked_fill(graph.missing, -torch.inf)
    return torch.einsum("rhk,rkhd->rhd", scores.softmax(-1).to(value.dtype), near_value)
