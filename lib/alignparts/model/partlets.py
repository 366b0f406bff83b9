"""Partlet decoder and global head (section 3.1, Eqs. 1-7).

Keys and values of the points are never computed. The key map is applied to a partlet's query instead, and the
value map to the attended points: the same function for a quarter of the work, as there are far fewer partlets
than points.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Attention of partlets to each other (Eq. 2)."""

    def __init__(self, d_t: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(d_t, 3 * d_t)
        self.out = nn.Linear(d_t, d_t)

    def forward(self, partlets: Float[Tensor, "b k d_t"]) -> Float[Tensor, "b k d_t"]:
        """Return the update of the partlets."""
        batch, k, _ = partlets.shape
        query, key, value = self.project(partlets).view(batch, k, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.out(attended.transpose(1, 2).reshape(batch, k, -1))


class CrossAttention(nn.Module):
    """Attention of partlets to points (Eq. 3); keys and values are linear maps of the points."""

    def __init__(self, d_t: int, d_f: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(d_t, d_t)
        self.key = nn.Linear(d_f, d_t)
        self.value = nn.Linear(d_f, d_t)
        self.out = nn.Linear(d_t, d_t)

    def forward(
        self,
        partlets: Float[Tensor, "c k d_t"],
        fused: Float[Tensor, "b n d_f"],
        attend: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b k d_t"]:
        """Return the update of the partlets; ``attend`` is true where a point counts, at least one per shape.

        Partlets with c = 1 are those of every shape.
        """
        _, k, d_t = partlets.shape
        batch, _, d_f = fused.shape
        width = d_t // self.heads
        query = self.query(partlets).view(-1, k, self.heads, width)
        # The key's bias adds the same to every score of a query: softmax does not see it.
        at_points = torch.einsum("bkhd,hdf->bkhf", query, self.key.weight.view(self.heads, width, d_f))
        points = fused.unsqueeze(1)
        context = F.scaled_dot_product_attention(
            at_points.reshape(-1, 1, k * self.heads, d_f).expand(batch, -1, -1, -1).to(fused.dtype),
            points,
            points,
            attn_mask=None if attend is None else attend.view(batch, 1, 1, -1),
            scale=width**-0.5,
        ).view(batch, k, self.heads, d_f)
        attended = torch.einsum("bkhf,hdf->bkhd", context, self.value.weight.view(self.heads, width, d_f))
        return self.out(attended.reshape(batch, k, d_t) + self.value.bias)


class PartletLayer(nn.Module):
    """One pre-norm refinement layer: Eqs. 2, 3 and 4."""

    def __init__(self, d_t: int, d_f: int, heads: int) -> None:
        super().__init__()
        self.norm_self, self.norm_cross, self.norm_mlp = (nn.LayerNorm(d_t) for _ in range(3))
        self.attend_partlets = SelfAttention(d_t, heads)
        self.attend_points = CrossAttention(d_t, d_f, heads)
        self.mlp = nn.Sequential(nn.Linear(d_t, 4 * d_t), nn.GELU(), nn.Linear(4 * d_t, d_t))

    def forward(
        self,
        partlets: Float[Tensor, "c k d_t"],
        fused: Float[Tensor, "b n d_f"],
        attend: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b k d_t"]:
        """Return refined partlets; with c = 1 they are those of every shape."""
        partlets = partlets + self.attend_partlets(self.norm_self(partlets))
        if fused.shape[1]:
            partlets = partlets + self.attend_points(self.norm_cross(partlets), fused, attend)
        else:
            partlets = partlets.expand(len(fused), -1, -1)
        return partlets + self.mlp(self.norm_mlp(partlets))


class PartletDecoder(nn.Module):
    """K learned partlets, adapted to a shape in L layers, with a mask and a partness each (Eqs. 1-6)."""

    def __init__(self, d_f: int, d_t: int, partlets: int, layers: int, heads: int) -> None:
        super().__init__()
        self.partlets = nn.Parameter(torch.randn(partlets, d_t))
        self.layers = nn.ModuleList(PartletLayer(d_t, d_f, heads) for _ in range(layers))
        self.mask_query = nn.Linear(d_t, d_t)
        self.mask_key = nn.Linear(d_f, d_t)
        self.partness = nn.Linear(d_t, 1)

    def forward(
        self, fused: Float[Tensor, "b n d_f"], padding_mask: Bool[Tensor, "b n"] | None = None
    ) -> tuple[Float[Tensor, "b k n"], Float[Tensor, "b k"], Float[Tensor, "b k d_t"]]:
        """Return mask logits m (Eq. 5), partness logits (Eq. 6) and refined partlets s of every shape."""
        n = fused.shape[1]
        attend = None
        if padding_mask is not None and n:
            # A shape without points attends to zeros: a softmax over nothing is not a number.
            attend = ~padding_mask | padding_mask.all(dim=1, keepdim=True)
        partlets = self.partlets.unsqueeze(0)
        for layer in self.layers:
            partlets = layer(partlets, fused, attend)
        query = self.mask_query(partlets)
        at_points = query @ self.mask_key.weight
        offset = query @ self.mask_key.bias
        logits = (at_points @ fused.transpose(1, 2) + offset.unsqueeze(-1)) * query.shape[-1] ** -0.5
        return logits, self.partness(partlets).squeeze(-1), partlets


class GlobalHead(nn.Module):
    """Embedding of a whole shape in the text encoder's space: mean-pooled [f_g; f_a] through two layers."""

    def __init__(self, d_g: int, d_a: int, d_t: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(d_g + d_a, d_t), nn.GELU(), nn.Linear(d_t, d_t))

    def forward(
        self,
        geometry: Float[Tensor, "b n d_g"],
        appearance: Float[Tensor, "b n d_a"],
        padding_mask: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b d_t"]:
        """Return global embeddings; a shape without points counts as zeros."""
        if padding_mask is None:
            padding_mask = torch.zeros(geometry.shape[:2], dtype=torch.bool, device=geometry.device)
        counted = (~padding_mask).to(geometry.dtype).unsqueeze(-1)
        count = counted.sum(dim=1).clamp(min=1)
        mean = [(feature * counted).sum(dim=1) / count for feature in (geometry, appearance)]
        return self.project(torch.cat(mean, dim=-1))
