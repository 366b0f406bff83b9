"""The equations of the model one by one, with every tensor that they name built in full.

What one would write first from sections 3.1 and 8.1. It shares the weights of an `AlignParts`, so that tests
can hold the fast code against it and benchmarks can say what the fast code is worth. Keys and values are
projected once a point, not once an edge (Eqs. 28 and 29 do not depend on i).
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from alignparts.model.alignparts import AlignParts, AlignPartsOutput
from alignparts.model.fusion import BiCoFusion
from alignparts.model.graph import nearest_neighbors
from alignparts.model.partlets import CrossAttention, PartletDecoder, SelfAttention


def forward(
    model: AlignParts,
    points: Float[Tensor, "b n 3"],
    geometry: Float[Tensor, "b n d_g"],
    appearance: Float[Tensor, "b n d_a"],
    neighbors: Int64[Tensor, "b n k"] | None = None,
) -> AlignPartsOutput:
    """What the model itself gives, for shapes without padding that have k points or more."""
    geometry = (geometry - model.get_buffer("geometry_mean")) / model.get_buffer("geometry_std")
    appearance = (appearance - model.get_buffer("appearance_mean")) / model.get_buffer("appearance_std")
    if neighbors is None:
        neighbors = nearest_neighbors(points, model.fusion.k)
    fused = fuse(model.fusion, points, geometry, appearance, neighbors)
    mask_logits, partness, partlets = decode(model.decoder, fused)
    pooled = torch.cat([geometry.mean(1), appearance.mean(1)], dim=-1)
    return AlignPartsOutput(mask_logits, partness, partlets, model.global_head.project(pooled), fused)


def fuse(
    model: BiCoFusion,
    points: Float[Tensor, "b n 3"],
    geometry: Float[Tensor, "b n d_g"],
    appearance: Float[Tensor, "b n d_a"],
    neighbors: Int64[Tensor, "b n k"],
) -> Float[Tensor, "b n d_f"]:
    """Eqs. 23-37."""
    batch, n, k = neighbors.shape
    shape = torch.arange(batch, device=points.device).view(-1, 1, 1)
    offset = points[shape, neighbors] - points.unsqueeze(2)
    frequency = 2.0 ** torch.arange(model.fourier, device=points.device, dtype=points.dtype)
    angle = offset.unsqueeze(-2) * frequency.unsqueeze(-1)
    waves = torch.cat([angle.sin().flatten(-2), angle.cos().flatten(-2)], dim=-1)
    bias = model.position(torch.cat([offset, waves], dim=-1))

    def direction(side: Any, own: Tensor, other: Tensor) -> Tensor:
        query = side.query(own).view(batch, n, 1, model.heads, -1)
        key = side.key(other)[shape, neighbors].view(batch, n, k, model.heads, -1)
        value = side.value(other)[shape, neighbors].view(batch, n, k, model.heads, -1)
        attention = ((query * key).sum(-1) * query.shape[-1] ** -0.5 + bias).softmax(dim=2)
        received = side.out((attention.unsqueeze(-1) * value).sum(2).flatten(-2))
        gate = side.gate(torch.cat([own, received], dim=-1)).sigmoid()
        return side.norm(own + gate * received)

    both = [
        direction(model.geometry, geometry, appearance),
        direction(model.appearance, appearance, geometry),
    ]
    return model.project(model.norm(torch.cat(both, dim=-1)))


def decode(
    model: PartletDecoder, fused: Float[Tensor, "b n d_f"]
) -> tuple[Float[Tensor, "b k n"], Float[Tensor, "b k"], Float[Tensor, "b k d_t"]]:
    """Eqs. 2-6."""
    partlets = model.partlets.expand(len(fused), -1, -1)
    layers: Any = model.layers
    for layer in layers:
        partlets = partlets + _self_attention(layer.attend_partlets, layer.norm_self(partlets))
        partlets = partlets + _cross_attention(layer.attend_points, layer.norm_cross(partlets), fused)
        partlets = partlets + layer.mlp(layer.norm_mlp(partlets))
    query, key = model.mask_query(partlets), model.mask_key(fused)
    mask_logits = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
    return mask_logits, model.partness(partlets).squeeze(-1), partlets


def _self_attention(layer: SelfAttention, partlets: Tensor) -> Tensor:
    query, key, value = layer.project(partlets).chunk(3, dim=-1)
    return layer.out(_attention(query, key, value, layer.heads))


def _cross_attention(layer: CrossAttention, partlets: Tensor, fused: Tensor) -> Tensor:
    query, key, value = layer.query(partlets), layer.key(fused), layer.value(fused)
    return layer.out(_attention(query, key, value, layer.heads))


def _attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    weight = F.softmax(query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5, dim=-1)
    return (weight @ value).transpose(1, 2).flatten(-2)
