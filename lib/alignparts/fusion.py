"""BiCo fusion: geometry and appearance attend to each other on a nearest-neighbour graph (section 8.1)."""

import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from scipy.spatial import cKDTree
from torch import Tensor, nn

from alignparts.errors import AlignPartsError

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")

EDGES = 16384
"""Edges whose positional bias is computed at once."""


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


def neighbours(
    points: Float[Tensor, "b n 3"], k: int, padding_mask: Bool[Tensor, "b n"] | None = None
) -> Int64[Tensor, "b n k"]:
    """The k nearest neighbours in every shape of a batch; padding is nobody's neighbour but its own.

    Args:
        points: coordinates.
        k: neighbours of a point, itself among them.
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


class _Graph:
    """Edges of all points in one index space, in the two orders that products with sparse matrices need."""

    def __init__(self, neighbors: Int64[Tensor, "b n k"]) -> None:
        batch, n, k = neighbors.shape
        self.points, self.k = batch * n, k
        shift = torch.arange(batch, device=neighbors.device).mul(n).view(batch, 1, 1)
        self.missing = (neighbors < 0).view(self.points, k) if bool((neighbors < 0).any()) else None
        self.column = (neighbors.clamp(min=0) + shift).reshape(-1)
        self.row_start = torch.arange(0, self.points * k + 1, max(k, 1), device=neighbors.device)
        self._reverse: tuple[Tensor, Tensor, Tensor] | None = None

    def matrix(self, values: Float[Tensor, " edges"]) -> Tensor:
        """Sparse (points, points) matrix with a value at every edge."""
        size = (self.points, self.points)
        return torch.sparse_csr_tensor(self.row_start, self.column, values, size, check_invariants=False)

    def transposed(self, values: Float[Tensor, " edges"]) -> Tensor:
        """Its transpose."""
        if self._reverse is None:
            order = torch.argsort(self.column, stable=True)
            counts = torch.bincount(self.column, minlength=self.points)
            start = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
            self._reverse = start, order // self.k, order
        start, row, order = self._reverse
        size = (self.points, self.points)
        return torch.sparse_csr_tensor(start, row, values[order], size, check_invariants=False)

    def products(self, left: Float[Tensor, "h m d"], right: Float[Tensor, "h m d"]) -> Float[Tensor, "h m k"]:
        """Dot product of both ends of every edge."""
        pattern = self.matrix(left.new_zeros(len(self.column)))
        values = [
            torch.sparse.sampled_addmm(pattern, a, b.T, beta=0.0).values()
            for a, b in zip(left, right, strict=True)
        ]
        return torch.stack(values).view(len(left), self.points, self.k)

    def gathered(self, weight: Float[Tensor, "h m k"], value: Float[Tensor, "h m d"]) -> Float[Tensor, "h m d"]:
        """Weighted sum over the neighbours of every point."""
        pairs = zip(weight.flatten(1), value, strict=True)
        return torch.stack([self.matrix(w) @ v for w, v in pairs])

    def scattered(self, weight: Float[Tensor, "h m k"], value: Float[Tensor, "h m d"]) -> Float[Tensor, "h m d"]:
        """Weighted sum over the points that have this one as a neighbour."""
        pairs = zip(weight.flatten(1), value, strict=True)
        return torch.stack([self.transposed(w) @ v for w, v in pairs])


class _SparseAttention(torch.autograd.Function):
    """Eqs. 30-31 without a copy of keys and values for every edge: five times faster on a CPU."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, graph: _Graph) -> Tensor:
        scores = graph.products(query * query.shape[-1] ** -0.5, key) + bias
        if graph.missing is not None:
            scores = scores.masked_fill(graph.missing, -torch.inf)
        weight = scores.softmax(-1)
        ctx.save_for_backward(query, key, value, weight)
        ctx.graph = graph
        return graph.gathered(weight, value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        query, key, value, weight = ctx.saved_tensors
        graph: _Graph = ctx.graph
        upstream = gradients[0].contiguous()
        by_weight = graph.products(upstream, value)
        by_score = weight * (by_weight - (weight * by_weight).sum(-1, keepdim=True))
        scaled = by_score * query.shape[-1] ** -0.5
        by_query, by_key = graph.gathered(scaled, key), graph.scattered(scaled, query)
        return by_query, by_key, graph.scattered(weight, upstream), by_score, None


def _gather_attention(
    query: Float[Tensor, "h m d"],
    key: Float[Tensor, "h m d"],
    value: Float[Tensor, "h m d"],
    bias: Float[Tensor, "h m k"],
    graph: _Graph,
) -> Float[Tensor, "h m d"]:
    """Eqs. 30-31 with neighbours' keys and values side by side: for accelerators."""
    heads, points, width = query.shape
    near = torch.cat([key, value], dim=-1)[:, graph.column].view(heads, points, graph.k, 2 * width)
    scores = (near[..., :width] @ query.unsqueeze(-1)).squeeze(-1) * width**-0.5 + bias
    if graph.missing is not None:
        scores = scores.masked_fill(graph.missing, -torch.inf)
    return (scores.softmax(-1).to(value.dtype).unsqueeze(-2) @ near[..., width:]).squeeze(-2)


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
        self, own: Float[Tensor, "m d_own"], other: Float[Tensor, "m d_other"], bias: Tensor, graph: _Graph
    ) -> Float[Tensor, "m d_own"]:
        def by_head(x: Tensor) -> Tensor:
            return x.view(len(x), self.heads, -1).transpose(0, 1).contiguous()

        query, key, value = by_head(self.query(own)), by_head(self.key(other)), by_head(self.value(other))
        sparse = own.device.type == "cpu" and query.dtype in (torch.float32, torch.float64)
        attend = _SparseAttention.apply if sparse else _gather_attention
        heard = attend(query, key, value, bias, graph)
        received = self.out(heard.transpose(0, 1).reshape(len(own), -1))
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
        k: neighbours of a point, itself among them.
        fourier: frequencies of the positional bias.
    """

    def __init__(self, d_g: int, d_a: int, d_m: int, d_f: int, heads: int, k: int, fourier: int = 6) -> None:
        super().__init__()
        self.k, self.fourier, self.d_f = k, fourier, d_f
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
            neighbors: as :func:`neighbours` finds them, if that is already done.

        Raises:
            AlignPartsError: a coordinate is not finite.
        """
        batch, n, _ = points.shape
        if n == 0:
            return geometry.new_zeros(batch, 0, self.d_f)
        if neighbors is None:
            neighbors = neighbours(points, self.k, padding_mask)
        graph = _Graph(neighbors)
        bias = self._bias(points.reshape(-1, 3).T.contiguous(), graph)
        own, other = geometry.reshape(batch * n, -1), appearance.reshape(batch * n, -1)
        both = [self.geometry(own, other, bias, graph), self.appearance(other, own, bias, graph)]
        fused = self.project(self.norm(torch.cat(both, dim=-1))).view(batch, n, -1)
        return fused if padding_mask is None else fused.masked_fill(padding_mask.unsqueeze(-1), 0)

    def _bias(self, points: Float[Tensor, "3 m"], graph: _Graph) -> Float[Tensor, "h m k"]:
        """Eqs. 23-26; some edges at a time, so that what they pass through stays in the cache."""
        inner, outer = self.position[0], self.position[2]
        ends = points.index_select(1, graph.column).view(3, -1, graph.k)
        offset = (ends - points.unsqueeze(-1)).view(3, -1)
        parts = []
        for some in offset.split(EDGES, dim=1):
            features = fourier_features(some, self.fourier)
            hidden = torch.addmm(inner.bias.unsqueeze(1), inner.weight, features).relu()
            parts.append(torch.addmm(outer.bias.unsqueeze(1), outer.weight, hidden))
        return torch.cat(parts, dim=1).view(-1, graph.points, graph.k)
