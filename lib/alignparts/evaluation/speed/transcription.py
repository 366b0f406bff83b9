"""Transcription of the model's equations one by one, with every tensor that they name built in full.

It follows sections 3.1 and 8.1 literally, with the weights of an `AlignParts`: the oracle of tests and the
baseline of benchmarks. Keys and values are projected once per point, not once per edge (Eqs. 28 and 29 do
not depend on i).
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from alignparts.model.alignparts import AlignParts, AlignPartsOutput
from alignparts.model.fusion import BiCoFusion
from alignparts.model.graph import nearest_neighbors
from alignparts.model.partlets import PartletDecoder


def forward(
    model: AlignParts,
    points: Float[Tensor, "b n 3"],
    geometry: Float[Tensor, "b n d_g"],
    appearance: Float[Tensor, "b n d_a"],
    neighbors: Int64[Tensor, "b n k"] | None = None,
) -> AlignPartsOutput:
    """Return the output of the model, for shapes of at least k points without padding."""
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
    """Fuse both kinds of features (Eqs. 23-37)."""
    batch, n, k = neighbors.shape
    shape = torch.arange(batch, device=points.device).view(-1, 1, 1)
    offset = points[shape, neighbors] - points.unsqueeze(2)
    frequency = 2.0 ** torch.arange(model.fourier, device=points.device, dtype=points.dtype)
    angle = offset.unsqueeze(-2) * frequency.unsqueeze(-1)
    waves = torch.cat([angle.sin().flatten(-2), angle.cos().flatten(-2)], dim=-1)
    bias = model.position(torch.cat([offset, waves], dim=-1))

    def direction(side: Any, x: Tensor, other: Tensor) -> Tensor:
        query = side.query(x).view(batch, n, 1, model.heads, -1)
        key = side.key(other)[shape, neighbors].view(batch, n, k, model.heads, -1)
        value = side.value(other)[shape, neighbors].view(batch, n, k, model.heads, -1)
        attention = ((query * key).sum(-1) * query.shape[-1] ** -0.5 + bias).softmax(dim=2)
        received = side.out((attention.unsqueeze(-1) * value).sum(2).flatten(-2))
        gate = side.gate(torch.cat([x, received], dim=-1)).sigmoid()
        return side.norm(x + gate * received)

    first = direction(model.geometry, geometry, appearance)
    second = direction(model.appearance, appearance, geometry)
    return model.project(model.norm(torch.cat([first, second], dim=-1)))


def decode(
    model: PartletDecoder, fused: Float[Tensor, "b n d_f"]
) -> tuple[Float[Tensor, "b k n"], Float[Tensor, "b k"], Float[Tensor, "b k d_t"]]:
    """Return mask logits, partness logits and partlets (Eqs. 2-6)."""
    partlets = model.partlets.expand(len(fused), -1, -1)
    for layer in cast(Any, model.layers):
        inner, outer = layer.attend_partlets, layer.attend_points
        query, key, value = inner.project(layer.norm_self(partlets)).chunk(3, dim=-1)
        partlets = partlets + inner.out(_attention(query, key, value, inner.heads))
        query = outer.query(layer.norm_cross(partlets))
        partlets = partlets + outer.out(_attention(query, outer.key(fused), outer.value(fused), outer.heads))
        partlets = partlets + layer.mlp(layer.norm_mlp(partlets))
    query, key = model.mask_query(partlets), model.mask_key(fused)
    mask_logits = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
    return mask_logits, model.partness(partlets).squeeze(-1), partlets


def _attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    weight = F.softmax(query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5, dim=-1)
    return (weight @ value).transpose(1, 2).flatten(-2)
