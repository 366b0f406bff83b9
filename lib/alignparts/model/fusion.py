"""BiCo fusion: geometry and appearance attend to each other on a nearest-neighbor graph (section 8.1)."""

from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from scipy.spatial import cKDTree
from torch import Tensor, nn

from alignparts.core.errors import AlignPartsError

EDGES = 16384
"""Edges whose positional bias is computed at once."""

ROWS = 4096
"""Points that attend at once on a CPU where no gradient is wanted. Their rows stay below the 32 MB from which
the C library maps, faults in and unmaps memory at every operation: time would grow faster than the points."""


def nearest(points: Float[np.ndarray, "n 3"], k: int) -> Int64[np.ndarray, "n k"]:
    """The k nearest points of every point, itself among them; -1 where there are fewer than k points.

    Raises:
        AlignPartsError: a coordinate is not finite.
    """
    if not np.isfinite(points).all():
        raise AlignPartsError("points: expected finite coordinates; drop or repair the shape")
    found = np.full((len(points), k), -1, dtype=np.int64)
    width = min(k, len(points))
    if width:
        index = cKDTree(points).query(points, width)[1]
        found[:, :width] = np.asarray(index).reshape(len(points), width)
    return found


def nearest_neighbors(
    points: Float[Tensor, "b n 3"], k: int, padding_mask: Bool[Tensor, "b n"] | None = None
) -> Int64[Tensor, "b n k"]:
    """The k nearest neighbors in every shape of a batch; padding is nobody's neighbor but its own.

    Args:
        points: coordinates.
        k: neighbors of a point, itself among them.
        padding_mask: true where a point is padding.

    Returns:
        Indices into the shape's points, -1 where a shape has fewer than k points.
    """
    batch, n, _ = points.shape
    found = np.full((batch, n, k), -1, dtype=np.int64)
    found[:, :, 0] = np.arange(n)
    coordinates = points.detach().float().cpu().numpy()
    valid = np.ones((batch, n), bool) if padding_mask is None else ~padding_mask.cpu().numpy()
    for shape in range(batch):
        kept = np.flatnonzero(valid[shape])
        if len(kept):
            local = nearest(coordinates[shape, kept], k)
            found[shape, kept] = np.where(local < 0, -1, kept[local])
    return torch.from_numpy(found).to(points.device)


def fourier_features(offset: Float[Tensor, "3 edges"], count: int) -> Float[Tensor, "width edges"]:
    """Eqs. 24-26: offsets beside their sines and cosines at 1, 2, 4, … 2^(count-1) times the offset.

    Returns:
        3 + 6 count rows: the offset, the sines from the lowest frequency on, the cosines likewise.
    """
    out = offset.new_empty(3 + 6 * count, offset.shape[1])
    out[:3] = offset
    sine, cosine = out[3 : 3 + 3 * count].split(3), out[3 + 3 * count :].split(3)
    torch.sin(offset, out=sine[0])
    torch.cos(offset, out=cosine[0])
    for i in range(1, count):  # double angles: cheaper than another sine, and exact to 1e-6
        torch.mul(sine[i - 1], cosine[i - 1], out=sine[i]).mul_(2)
        torch.mul(sine[i - 1], sine[i - 1], out=cosine[i]).mul_(-2).add_(1)
    return out


class _PositionalBias(torch.autograd.Function):
    """Eqs. 24-26 for offsets, which have no gradient: some edges at a time, so that they stay in the cache.

    The backward pass computes hidden units again: cheaper than keeping them for every edge.
    """

    @staticmethod
    def forward(
        ctx: Any, offset: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, count: int, k: int
    ) -> Tensor:
        ctx.save_for_backward(offset, w1, b1, w2)
        ctx.count, ctx.k = count, k
        bias = offset.new_empty(offset.shape[1] // k, len(w2), k)
        for some in _edge_chunks(offset, k):
            hidden = _hidden(fourier_features(offset[:, some], count), w1, b1)
            found = torch.mm(w2, hidden).add_(b2.unsqueeze(1))
            bias[some.start // k : some.stop // k] = found.view(len(w2), -1, k).transpose(0, 1)
        return bias

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        offset, w1, b1, w2 = ctx.saved_tensors
        by_w1, by_b1, by_w2 = torch.zeros_like(w1), torch.zeros_like(b1), torch.zeros_like(w2)
        by_b2 = w2.new_zeros(len(w2))
        for some in _edge_chunks(offset, ctx.k):
            features = fourier_features(offset[:, some], ctx.count)
            hidden = _hidden(features, w1, b1)
            upstream = gradients[0][some.start // ctx.k : some.stop // ctx.k].transpose(0, 1).flatten(1)
            by_w2.addmm_(upstream, hidden.T)
            by_b2 += upstream.sum(1)
            by_hidden = torch.ops.aten.threshold_backward(w2.T.contiguous() @ upstream, hidden, 0)
            by_w1.addmm_(by_hidden, features.T)
            by_b1 += by_hidden.sum(1)
        return None, by_w1, by_b1, by_w2, by_b2, None, None


def _edge_chunks(offset: Tensor, k: int) -> list[slice]:
    edges = offset.shape[1]
    step = max(EDGES // k, 1) * k if offset.device.type == "cpu" else max(edges, 1)
    return [slice(start, min(start + step, edges)) for start in range(0, edges, step)]


def _row_chunks(rows: Tensor) -> list[slice]:
    step = ROWS if rows.device.type == "cpu" and not torch.is_grad_enabled() else max(len(rows), 1)
    return [slice(start, min(start + step, len(rows))) for start in range(0, len(rows), step)]


def _hidden(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.mm(weight, features).add_(bias.unsqueeze(1)).relu_()


class _Graph:
    """Edges of all points of a batch in one index space, for every head.

    ``near`` holds the ends of every row's edges among ``points`` points, ``missing`` says which there are
    not; in the shapes below r is the rows, m the points. For products with sparse matrices a head of a point
    is a row of its own, ``point * heads + head``, so that queries, keys and values serve as the linear maps
    leave them.
    """

    def __init__(
        self, near: Int64[Tensor, "r k"], missing: Bool[Tensor, "r 1 k"] | None, points: int, heads: int
    ) -> None:
        self.near, self.missing, self.points, self.heads = near, missing, points, heads
        self.rows, self.k = near.shape
        self._forward: tuple[Tensor, Tensor] | None = None
        self._backward: tuple[Tensor, Tensor, Tensor] | None = None

    @classmethod
    def of(cls, neighbors: Int64[Tensor, "b n k"], heads: int) -> "_Graph":
        """The graph of a batch."""
        batch, n, k = neighbors.shape
        shift = torch.arange(batch, device=neighbors.device).mul(n).view(batch, 1, 1)
        missing = (neighbors < 0).view(-1, 1, k) if bool((neighbors < 0).any()) else None
        return cls((neighbors.clamp(min=0) + shift).view(-1, k), missing, batch * n, heads)

    def part(self, some: slice) -> "_Graph":
        """The edges of some points alone; they still end anywhere. It has no transpose."""
        missing = None if self.missing is None else self.missing[some]
        return _Graph(self.near[some], missing, self.points, self.heads)

    def sparse(self, query: Tensor) -> bool:
        """Whether sparse products can serve: every edge is there, and a CPU computes in full precision."""
        precise = query.dtype in (torch.float32, torch.float64)
        return query.device.type == "cpu" and precise and self.missing is None

    def matrix(self, values: Float[Tensor, "r h k"]) -> Tensor:
        """Sparse matrix with a value at every edge and head."""
        if self._forward is None:
            head = torch.arange(self.heads, dtype=torch.int32).view(1, -1, 1)
            column = (self.near.to(torch.int32) * self.heads).unsqueeze(1) + head
            start = torch.arange(0, column.numel() + 1, self.k, dtype=torch.int32)
            self._forward = start, column.flatten()
        return self._csr(*self._forward, values.flatten())

    def transposed(self, values: Float[Tensor, "m h k"]) -> Tensor:
        """Its transpose."""
        if self._backward is None:
            column = self.near.flatten()
            order = torch.argsort(column, stable=True)
            count = torch.bincount(column, minlength=self.points)
            first = count.cumsum(0) - count
            sorted_column, point, slot = column[order], order // self.k, order % self.k
            # A point's edges come head by head: where each goes, and where its value is.
            within = torch.arange(len(order)) - first[sorted_column]
            head = torch.arange(self.heads).unsqueeze(1)
            place = (first[sorted_column] * self.heads + within) + head * count[sorted_column]
            row = point * self.heads + head
            rows, origin = (
                torch.empty(place.numel(), dtype=torch.int32),
                torch.empty(place.numel(), dtype=torch.int64),
            )
            rows[place.flatten()] = row.to(torch.int32).flatten()
            origin[place.flatten()] = (row * self.k + slot).flatten()
            start = torch.zeros(self.points * self.heads + 1, dtype=torch.int32)
            start[1:] = count.repeat_interleave(self.heads).cumsum(0)
            self._backward = start, rows, origin
        start, rows, origin = self._backward
        return self._csr(start, rows, values.flatten().index_select(0, origin))

    def products(self, left: Float[Tensor, "r h d"], right: Float[Tensor, "m h d"]) -> Float[Tensor, "r h k"]:
        """Dot product of both ends of every edge."""
        pattern = self.matrix(left.new_zeros(self.rows, self.heads, self.k))
        found = torch.sparse.sampled_addmm(pattern, left.flatten(0, 1), right.flatten(0, 1).T, beta=0.0)
        return found.values().view(self.rows, self.heads, self.k)

    def gathered(
        self, weight: Float[Tensor, "r h k"], value: Float[Tensor, "m h d"]
    ) -> Float[Tensor, "r h d"]:
        """Weighted sum over the neighbors of every point."""
        return (self.matrix(weight) @ value.flatten(0, 1)).view(self.rows, self.heads, -1)

    def scattered(
        self, weight: Float[Tensor, "m h k"], value: Float[Tensor, "m h d"]
    ) -> Float[Tensor, "m h d"]:
        """Weighted sum over the points that have this one as a neighbor."""
        return (self.transposed(weight) @ value.flatten(0, 1)).view_as(value)

    def _csr(self, start: Tensor, column: Tensor, values: Tensor) -> Tensor:
        size = (len(start) - 1, self.points * self.heads)
        return torch.sparse_csr_tensor(start, column, values, size, check_invariants=False)


class _SparseAttention(torch.autograd.Function):
    """Eqs. 30-31 without a copy of keys and values for every edge: several times faster on a CPU."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, graph: _Graph) -> Tensor:
        weight = (graph.products(query * query.shape[-1] ** -0.5, key).add_(bias)).softmax(-1)
        ctx.save_for_backward(query, key, value, weight)
        ctx.graph = graph
        return graph.gathered(weight, value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        query, key, value, weight = ctx.saved_tensors
        graph: _Graph = ctx.graph
        upstream = gradients[0].contiguous()
        by_score = torch._softmax_backward_data(graph.products(upstream, value), weight, -1, weight.dtype)
        scale = query.shape[-1] ** -0.5
        by_query, by_key = graph.gathered(by_score, key) * scale, graph.scattered(by_score, query) * scale
        return by_query, by_key, graph.scattered(weight, upstream), by_score, None


def _gather_attention(
    query: Float[Tensor, "r h d"],
    key: Float[Tensor, "m h d"],
    value: Float[Tensor, "m h d"],
    bias: Float[Tensor, "r h k"],
    graph: _Graph,
) -> Float[Tensor, "r h d"]:
    """Eqs. 30-31 with neighbors' keys and values side by side: for accelerators and missing edges."""
    near_key, near_value = key[graph.near], value[graph.near]
    scores = torch.einsum("rhd,rkhd->rhk", query, near_key) * query.shape[-1] ** -0.5 + bias
    if graph.missing is not None:
        scores = scores.masked_fill(graph.missing, -torch.inf)
    return torch.einsum("rhk,rkhd->rhd", scores.softmax(-1).to(value.dtype), near_value)


class _Direction(nn.Module):
    """One modality asks, the other answers (Eqs. 27-36)."""

    def __init__(self, d_own: int, d_other: int, d_m: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(d_own, d_m)
        self.key = nn.Linear(d_other, d_m)
        self.value = nn.Linear(d_other, d_m)
        self.out = nn.Linear(d_m, d_own)
        self.gate = nn.Linear(2 * d_own, d_own)
        self.norm = nn.LayerNorm(d_own)

    def forward(
        self,
        own: Float[Tensor, "m d_own"],
        other: Float[Tensor, "m d_other"],
        bias: Float[Tensor, "m h k"],
        graph: _Graph,
    ) -> Float[Tensor, "m d_own"]:
        key, value = (part(other).view(len(other), self.heads, -1) for part in (self.key, self.value))
        chunks = _row_chunks(own)
        if len(chunks) == 1:
            return self._ask(own, key, value, bias, graph)
        out = torch.empty_like(own)
        for some in chunks:
            out[some] = self._ask(own[some], key, value, bias[some], graph.part(some))
        return out

    def _ask(self, own: Tensor, key: Tensor, value: Tensor, bias: Tensor, graph: _Graph) -> Tensor:
        query = self.query(own).view(len(own), self.heads, -1)
        attend = _SparseAttention.apply if graph.sparse(query) else _gather_attention
        received = self.out(attend(query, key, value, bias, graph).flatten(1))
        gate = self.gate(torch.cat([own, received], dim=-1)).sigmoid()
        return self.norm(own + gate * received)


class BiCoFusion(nn.Module):
    """Bi-directional co-attention of geometry and appearance (section 8.1, Eqs. 23-37).

    Every linear map has a bias, and both directions share one positional bias: that makes the paper's
    5.7 M parameters at its sizes.

    Args:
        d_g: width of the geometry features.
        d_a: width of the appearance features.
        d_m: width of the attention, a multiple of `heads`.
        d_f: width of the fused features.
        heads: attention heads.
        k: neighbors of a point, itself among them.
        fourier: frequencies of the positional bias.
    """

    def __init__(self, d_g: int, d_a: int, d_m: int, d_f: int, heads: int, k: int, fourier: int = 6) -> None:
        super().__init__()
        self.k, self.fourier, self.d_f, self.heads = k, fourier, d_f, heads
        self.position = nn.Sequential(nn.Linear(3 + 6 * fourier, 64), nn.ReLU(), nn.Linear(64, heads))
        self.geometry = _Direction(d_g, d_a, d_m, heads)
        self.appearance = _Direction(d_a, d_g, d_m, heads)
        self.norm = nn.LayerNorm(d_g + d_a)
        self.project = nn.Sequential(nn.Linear(d_g + d_a, d_f), nn.GELU(), nn.Linear(d_f, d_f))

    def forward(
        self,
        points: Float[Tensor, "b n 3"],
        geometry: Float[Tensor, "b n d_g"],
        appearance: Float[Tensor, "b n d_a"],
        padding_mask: Bool[Tensor, "b n"] | None = None,
        neighbors: Int64[Tensor, "b n k"] | None = None,
    ) -> Float[Tensor, "b n d_f"]:
        """Fused features h_i.

        Args:
            points: coordinates in the model frame, [-1, 1].
            geometry: geometry features.
            appearance: appearance features.
            padding_mask: true where a point is padding; its feature is 0.
            neighbors: as :func:`nearest_neighbors` finds them, if that is already done.

        Raises:
            AlignPartsError: a coordinate is not finite.
        """
        batch, n, _ = points.shape
        if n == 0:
            return geometry.new_zeros(batch, 0, self.d_f)
        if neighbors is None:
            neighbors = nearest_neighbors(points, self.k, padding_mask)
        graph = _Graph.of(neighbors, self.heads)
        bias = self._bias(points.reshape(-1, 3).T.contiguous(), graph)
        own, other = geometry.reshape(batch * n, -1), appearance.reshape(batch * n, -1)
        both = [self.geometry(own, other, bias, graph), self.appearance(other, own, bias, graph)]
        chunks = _row_chunks(own)
        parts = [both] if len(chunks) == 1 else [[side[some] for side in both] for some in chunks]
        fused = torch.cat([self.project(self.norm(torch.cat(part, dim=-1))) for part in parts])
        fused = fused.view(batch, n, -1)
        return fused if padding_mask is None else fused.masked_fill(padding_mask.unsqueeze(-1), 0)

    def _bias(self, points: Float[Tensor, "3 m"], graph: _Graph) -> Float[Tensor, "m h k"]:
        """Eqs. 23-26."""
        inner, outer = cast(nn.Linear, self.position[0]), cast(nn.Linear, self.position[2])
        ends = points.index_select(1, graph.near.flatten()).view(3, -1, graph.k)
        offset = (ends - points.unsqueeze(-1)).view(3, -1)
        weights = (inner.weight, inner.bias, outer.weight, outer.bias)
        with torch.autocast(points.device.type, enabled=False):
            found: Tensor = _PositionalBias.apply(offset, *weights, self.fourier, graph.k)
        return found
