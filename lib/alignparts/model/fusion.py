"""BiCo fusion: geometry and appearance attend to each other on a nearest-neighbor graph (section 8.1)."""

from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from alignparts.model.graph import Graph, SparseAttention, gather_attention, nearest_neighbors

EDGES = 16384
"""Edges whose positional bias is computed at once."""

FUSIONS = ("bico", "concat", "geometry", "points")
"""BiCo fusion (section 8.1), "Feature Concat", the base model's PartField alone, "Geo Input Only"."""

ROWS = 4096
"""Points that attend at once on a CPU where no gradient is wanted. Their rows stay below the 32 MB from which
the C library maps, faults in and unmaps memory at every operation: time would grow faster than the points."""


def fourier_features(offset: Float[Tensor, "3 edges"], count: int) -> Float[Tensor, "width edges"]:
    """Return offsets beside their sines and cosines at 1, 2, 4, … 2^(count-1) times the offset (Eqs. 24-26).

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


class _Direction(nn.Module):
    """Attention of one modality to the other (Eqs. 27-36)."""

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
        graph: Graph,
    ) -> Float[Tensor, "m d_own"]:
        key, value = (part(other).view(len(other), self.heads, -1) for part in (self.key, self.value))
        chunks = _row_chunks(own)
        if len(chunks) == 1:
            return self._attend(own, key, value, bias, graph)
        out = torch.empty_like(own)
        for some in chunks:
            out[some] = self._attend(own[some], key, value, bias[some], graph.part(some))
        return out

    def _attend(self, own: Tensor, key: Tensor, value: Tensor, bias: Tensor, graph: Graph) -> Tensor:
        query = self.query(own).view(len(own), self.heads, -1)
        attend = SparseAttention.apply if graph.sparse(query) else gather_attention
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
        """Return fused features h_i.

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
        graph = Graph.of(neighbors, self.heads)
        bias = self._bias(points.reshape(-1, 3).T.contiguous(), graph)
        own, other = geometry.reshape(batch * n, -1), appearance.reshape(batch * n, -1)
        both = [self.geometry(own, other, bias, graph), self.appearance(other, own, bias, graph)]
        chunks = _row_chunks(own)
        parts = [both] if len(chunks) == 1 else [[side[some] for side in both] for some in chunks]
        fused = torch.cat([self.project(self.norm(torch.cat(part, dim=-1))) for part in parts])
        fused = fused.view(batch, n, -1)
        return fused if padding_mask is None else fused.masked_fill(padding_mask.unsqueeze(-1), 0)

    def _bias(self, points: Float[Tensor, "3 m"], graph: Graph) -> Float[Tensor, "m h k"]:
        """Return the positional bias of Eqs. 23-26."""
        inner, outer = cast(nn.Linear, self.position[0]), cast(nn.Linear, self.position[2])
        ends = points.index_select(1, graph.near.flatten()).view(3, -1, graph.k)
        offset = (ends - points.unsqueeze(-1)).view(3, -1)
        weights = (inner.weight, inner.bias, outer.weight, outer.bias)
        with torch.autocast(points.device.type, enabled=False):
            found: Tensor = _PositionalBias.apply(offset, *weights, self.fourier, graph.k)
        return found


class PointwiseFusion(nn.Module):
    """Eq. 37 on the two features side by side: no point sees another, no feature the other.

    Args:
        d_g: width of the geometry features.
        d_a: width of the appearance features.
        d_f: width of the fused features.
    """

    def __init__(self, d_g: int, d_a: int, d_f: int) -> None:
        super().__init__()
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
        """Return fused features h_i; coordinates and neighbors are not read."""
        fused = self.project(self.norm(torch.cat([geometry, appearance], dim=-1)))
        return fused if padding_mask is None else fused.masked_fill(padding_mask.unsqueeze(-1), 0)


def raw_geometry(points: Float[Tensor, "b n 3"], width: int, count: int) -> Float[Tensor, "b n width"]:
    """Return coordinates with their sines and cosines (Eq. 24), cut or filled with zeros to a width."""
    batch, n, _ = points.shape
    waves = fourier_features(points.reshape(-1, 3).T.contiguous(), count).T[:, :width]
    return F.pad(waves, (0, width - waves.shape[1])).view(batch, n, width)
