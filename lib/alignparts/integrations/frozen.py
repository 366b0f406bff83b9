"""ALIGN-Parts without sparse products, chunks and k-d trees, which exporters do not know."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from alignparts.model.alignparts import AlignParts
from alignparts.model.fusion import BiCoFusion
from alignparts.model.graph import Graph, gather_attention


class PortableFrozen(nn.Module):
    """An :class:`AlignParts` for one shape, whose neighbors are an input."""

    def __init__(self, model: AlignParts) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        points: Float[Tensor, "1 n 3"],
        geometry: Float[Tensor, "1 n d_g"],
        appearance: Float[Tensor, "1 n d_a"],
        neighbors: Int64[Tensor, "1 n k"] | None = None,
    ) -> tuple[Tensor, ...]:
        """Return the fields of :class:`alignparts.model.alignparts.AlignPartsOutput` but the text's.

        The neighbors are those of :func:`alignparts.model.graph.nearest`, needed by BiCo fusion alone.
        """
        model, kind = self.model, self.model.config.fusion
        geometry = (geometry - model.get_buffer("geometry_mean")) / model.get_buffer("geometry_std")
        appearance = (appearance - model.get_buffer("appearance_mean")) / model.get_buffer("appearance_std")
        if kind == "points":
            waves, width = _waves(points, model.config.fourier), model.config.d_g
            geometry = F.pad(waves[..., :width], (0, max(width - waves.shape[-1], 0)))
        if kind in ("points", "geometry"):
            appearance = torch.zeros_like(appearance)
        fusion, f_g, f_a = model.fusion, geometry[0], appearance[0]
        if neighbors is not None:
            near = neighbors[0].clamp(min=0)
            graph = Graph(near, (neighbors[0] < 0).unsqueeze(1), points.shape[1], fusion.heads)
            bias = self._bias(fusion, points[0], near)
            f_g, f_a = (
                _receive(fusion.geometry, f_g, f_a, bias, graph),
                _receive(fusion.appearance, f_a, f_g, bias, graph),
            )
        fused = fusion.project(fusion.norm(torch.cat([f_g, f_a], dim=-1))).unsqueeze(0)
        return *model.decoder(fused), model.global_head(geometry, appearance), fused

    @staticmethod
    def _bias(
        fusion: BiCoFusion, points: Float[Tensor, "n 3"], near: Int64[Tensor, "n k"]
    ) -> Float[Tensor, "n h k"]:
        """Return the positional bias of Eqs. 23-26."""
        offset = points[near] - points.unsqueeze(1)
        return fusion.position(_waves(offset, fusion.fourier)).transpose(1, 2)


def _receive(direction: Any, target: Tensor, source: Tensor, bias: Tensor, graph: Graph) -> Tensor:
    """Return Eqs. 27-36 for all points at once."""
    ends = ((direction.query, target), (direction.key, source), (direction.value, source))
    query, key, value = (part(end).unflatten(1, (direction.heads, -1)) for part, end in ends)
    received = direction.out(gather_attention(query, key, value, bias, graph).flatten(1))
    gate = direction.gate(torch.cat([target, received], dim=-1)).sigmoid()
    return direction.norm(target + gate * received)


def _waves(x: Float[Tensor, "*n 3"], count: int) -> Float[Tensor, "*n width"]:
    """Return :func:`alignparts.model.fusion.fourier_features` as columns, without double angles."""
    angles = torch.cat([x * 2**i for i in range(count)], dim=-1)
    return torch.cat([x, angles.sin(), angles.cos()], dim=-1)
