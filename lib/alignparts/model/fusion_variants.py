"""What Table 3 puts in the place of BiCo fusion."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from alignparts.model.fusion import fourier_features

FUSIONS = ("bico", "concat", "geometry", "points")
"""BiCo fusion (section 8.1), "Feature Concat", the base model's PartField alone, "Geo Input Only"."""


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
        """Fused features h_i; coordinates and neighbors are not looked at."""
        fused = self.project(self.norm(torch.cat([geometry, appearance], dim=-1)))
        return fused if padding_mask is None else fused.masked_fill(padding_mask.unsqueeze(-1), 0)


def raw_geometry(points: Float[Tensor, "b n 3"], width: int, count: int) -> Float[Tensor, "b n width"]:
    """Coordinates with their sines and cosines (Eq. 24), cut or filled with zeros to a width."""
    batch, n, _ = points.shape
    waves = fourier_features(points.reshape(-1, 3).T.contiguous(), count).T[:, :width]
    return F.pad(waves, (0, width - waves.shape[1])).view(batch, n, width)
