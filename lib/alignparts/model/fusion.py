"""BiCo fusion: geometry and appearance attend to each other on a nearest-neighbor graph (section 8.1)."""

from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from alignparts.model.graph import Graph, SparseAttention, gather_attention, nearest_neighbors

EDGES = 16384
"""Number of edges whose positional bias is computed at once on a CPU."""

FUSIONS = ("bico", "concat", "geometry", "points")
"""BiCo fusion (section 8.1), "Feature Concat", the base model's PartField alone, "Geo Input Only"."""

ROWS = 4096
"""Number of points that attend at once on a CPU without gradients: their rows stay below the 32 MB from which
the C library maps, faults in and unmaps memory at every operation."""


def fourier_features(offset: Float[Tensor, "3 edges"], count: int) -> Float[Tensor, "width edges"]:
    """Return offsets with their sines and cosines at 1, 2, 4, … 2^(count-1) times the offset (Eqs. 24-26).

    The 3 + 6 count rows are the offset, the sines from the lowest frequency on, the cosines likewise.
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
    """Eqs. 24-26 for offsets, which have no gradient, a chunk of edges at a time, which stays in the cache.

    The backward pass computes the hidden units again: cheaper than storing them for every edge.
    """

    @staticmethod
    def forward(
        ctx: Any, offset: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, count: int, k: int
    ) -> Tensor:
        ctx.save_for_backward(offset, w1, b1, w2)
        ctx.count, ctx.k = count, k
        bias = []
        for edges in offset.split(_at_once(offset, k), dim=1):
            by_head = torch.mm(w2, _hidden(fourier_features(edges, count), w1, b1)).add_(b2.unsqueeze(1))
            bias.append(by_head.view(len(w2), -1, k).transpose(0, 1))
        return torch.cat(bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        offset, w1, b1, w2 = ctx.saved_tensors
        by_w1, by_b1, by_w2 = torch.zeros_like(w1), torch.zeros_like(b1), torch.zeros_like(w2)
        by_b2 = w2.new_zeros(len(w2))
        step = _at_once(offset, ctx.k)
        for edges, by_bias in zip(offset.split(step, 1), gradients[0].split(step // ctx.k), strict=True):
            features, upstream = fourier_features(edges, ctx.count), by_bias.transpose(0, 1).flatten(1)
            hidden = _hidden(features, w1, b1)
            by_w2.addmm_(upstream, hidden.T)
            by_b2 += upstream.sum(1)
            by_hidden = torch.ops.aten.threshold_backward(w2.T.contiguous() @ upstream, hidden, 0)
            by_w1.addmm_(by_hidden, features.T)
            by_b1 += by_hidden.sum(1)
        return None, by_w1, by_b1, by_w2, by_b2, None, None


def _at_once(offset: Tensor, k: int) -> int:
    return max(EDGES // k, 1) * k if offset.device.type == "cpu" else offset.shape[1]


def _hidden(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.mm(weight, features).add_(bias.unsqueeze(1)).relu_()


class _Direction(nn.Module):
    """Attention of one modality, the target, to the other, the source (Eqs. 27-36)."""

    def __init__(self, d_target: int, d_source: int, d_m: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(d_target, d_m)
        self.key = nn.Linear(d_source, d_m)
        self.value = nn.Linear(d_source, d_m)
        self.out = nn.Linear(d_m, d_target)
        self.gate = nn.Linear(2 * d_target, d_target)
        self.norm = nn.LayerNorm(d_target)

    def forward(
        self,
        target: Float[Tensor, "m d_target"],
        source: Float[Tensor, "m d_source"],
        bias: Float[Tensor, "m h k"],
        graph: Graph,
    ) -> Float[Tensor, "m d_target"]:
        key, value = (part(source).view(len(source), self.heads, -1) for part in (self.key, self.value))
        rows = _rows_at_once(target)
        parts = zip(target.split(rows), bias.split(rows), graph.split(rows), strict=True)
        return torch.cat([self._attend(part, key, value, *edges) for part, *edges in parts])

    def _attend(self, target: Tensor, key: Tensor, value: Tensor, bias: Tensor, graph: Graph) -> Tensor:
        query = self.query(target).view(len(target), self.heads, -1)
        attend = SparseAttention.apply if graph.sparse(query) else gather_attention
        received = self.out(attend(query, key, value, bias, graph).flatten(1))
        gate = self.gate(torch.cat([target, received], dim=-1)).sigmoid()
        return self.norm(target + gate * received)


def _rows_at_once(rows: Tensor) -> int:
    return ROWS if rows.device.type == "cpu" and not torch.is_grad_enabled() else max(len(rows), 1)


class BiCoFusion(nn.Module):
    """Bi-directional co-attention of geometry and appearance (section 8.1, Eqs. 23-37).

    Every linear map has a bias, and both directions share one positional bias: that makes the paper's
    5.7 M parameters at its sizes, the fields of :class:`alignparts.model.alignparts.AlignPartsConfig`.
    Without `attend` it is Eq. 37 on the two features side by side: no point sees another.
    """

    def __init__(
        self, d_g: int, d_a: int, d_m: int, d_f: int, heads: int, k: int, fourier: int, attend: bool = True
    ) -> None:
        super().__init__()
        self.k, self.fourier, self.heads, self.attend = k, fourier, heads, attend
        if attend:
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
        """Return fused features h_i, 0 at padding; arguments and errors are those of :class:`AlignParts`."""
        f_g, f_a = geometry.flatten(0, 1), appearance.flatten(0, 1)
        if self.attend and len(f_g):
            near = nearest_neighbors(points, self.k, padding_mask) if neighbors is None else neighbors
            graph = Graph.of(near, self.heads)
            bias = self._bias(points.reshape(-1, 3).T.contiguous(), graph)
            f_g, f_a = self.geometry(f_g, f_a, bias, graph), self.appearance(f_a, f_g, bias, graph)
        parts = zip(f_g.split(_rows_at_once(f_g)), f_a.split(_rows_at_once(f_g)), strict=True)
        fused = torch.cat([self.project(self.norm(torch.cat(part, dim=-1))) for part in parts])
        fused = fused.view(*points.shape[:2], fused.shape[-1])
        return fused if padding_mask is None else fused.masked_fill(padding_mask.unsqueeze(-1), 0)

    def _bias(self, points: Float[Tensor, "3 m"], graph: Graph) -> Float[Tensor, "m h k"]:
        """Return the positional bias of Eqs. 23-26."""
        inner, outer = cast(nn.Linear, self.position[0]), cast(nn.Linear, self.position[2])
        ends = points.index_select(1, graph.near.flatten()).view(3, -1, graph.k)
        offset = (ends - points.unsqueeze(-1)).view(3, -1)
        weights = (inner.weight, inner.bias, outer.weight, outer.bias)
        with torch.autocast(points.device.type, enabled=False):
            return _PositionalBias.apply(offset, *weights, self.fourier, graph.k)


def raw_geometry(points: Float[Tensor, "b n 3"], width: int, count: int) -> Float[Tensor, "b n width"]:
    """Return coordinates with their sines and cosines (Eq. 24), cut or filled with zeros to a width."""
    batch, n, _ = points.shape
    waves = fourier_features(points.reshape(-1, 3).T.contiguous(), count).T[:, :width]
    return F.pad(waves, (0, width - waves.shape[1])).view(batch, n, width)
