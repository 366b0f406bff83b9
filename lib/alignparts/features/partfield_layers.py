"""The blocks of PartField: point-voxel convolution, plane scatter, U-Net and triplane transformer.

Written from the equations of the published encoder (Liu et al. 2025, "PartField"). Modules have the names of
its state dict, so that converted weights load. Three oddities of the published network are part of the
meaning of its weights and are kept: the voxel grid is read with its axes reversed (`PointVoxelConv`), the
three planes are convolved as one tall image (`PlaneUNet`), and the cross-plane pooling follows array axes,
not geometric ones (`CrossPlane`).
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

PLANE_AXES: tuple[tuple[int, int], ...] = ((0, 1), (1, 2), (0, 2))
"""Axes (column, row) of each plane: (x, y), (y, z), (x, z)."""


def named(**modules: nn.Module) -> nn.Sequential:
    """Return a sequence of modules under the names of the published state dict."""
    return nn.Sequential(OrderedDict(modules))


def scatter_mean(
    values: Float[Tensor, "batch n channels"], cells: Int[Tensor, "batch n"], count: int
) -> Float[Tensor, "batch count channels"]:
    """Return the mean of the values that share a cell, 0 for empty cells; deterministic on the CPU."""
    batch, n, channels = values.shape
    offset = torch.arange(batch, device=cells.device).unsqueeze(1) * count
    flat = (cells + offset).reshape(-1)
    total = values.new_zeros(batch * count, channels).index_add_(0, flat, values.reshape(-1, channels))
    hits = values.new_zeros(batch * count).index_add_(0, flat, values.new_ones(batch * n))
    return (total / hits.clamp(min=1).unsqueeze(1)).view(batch, count, channels)


def scatter_planes(
    points: Float[Tensor, "batch n 3"], values: Float[Tensor, "batch n channels"], resolution: int
) -> Float[Tensor, "batch channels rows columns"]:
    """Return mean point values on the three planes, stacked into a tall image of rows = 3 * resolution."""
    images = []
    for axes in PLANE_AXES:
        unit = (points[..., list(axes)] / 2 / (1 + 1e-5) + 0.5).clamp(min=0)
        unit = torch.where(unit >= 1, torch.full_like(unit, 1 - 1e-5), unit)
        column, row = (unit * resolution).floor().long().unbind(dim=-1)
        images.append(scatter_mean(values, column + resolution * row, resolution**2))
    tall = torch.cat(images, dim=1).view(len(points), 3 * resolution, resolution, values.shape[-1])
    # Contiguous: group norm on the channels-last layout loses three digits in float32 on the CPU.
    return tall.permute(0, 3, 1, 2).contiguous()


def query_planes(
    planes: Float[Tensor, "batch 3 channels rows columns"], positions: Float[Tensor, "batch m 3"]
) -> Float[Tensor, "batch m channels"]:
    """Return the sum of the bilinear samples of the three planes (corners at ±1, border padding)."""
    total = planes.new_zeros(())
    for plane, axes in zip(planes.unbind(dim=1), PLANE_AXES, strict=True):
        at = positions[..., list(axes)].unsqueeze(2)
        total = total + F.grid_sample(plane, at, padding_mode="border", align_corners=True)
    return total.squeeze(3).transpose(1, 2)


class PointVoxelConv(nn.Module):
    """Point-voxel convolution: a coarse voxel grid for context plus a branch for each point.

    The channels of a point are its position, twice its position and two zeros. The grid is indexed
    [x, y, z], but read with (x, y, z) as (last, middle, first) axis: the point (x, y, z) receives
    what is stored around the voxel (z, y, x). Published weights depend on it.
    """

    inputs = 8

    def __init__(self, width: int, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        self.voxel_layers = nn.Sequential()
        for inputs in (self.inputs, width):
            norm = nn.InstanceNorm3d(width, eps=1e-4)
            self.voxel_layers.extend([nn.Conv3d(inputs, width, 3, padding=1), norm, nn.LeakyReLU(0.1)])
        layers = nn.Sequential(nn.Conv1d(self.inputs, width, 1), nn.InstanceNorm1d(width), nn.ReLU())
        self.point_features = named(layers=layers)

    def forward(self, points: Float[Tensor, "batch n 3"]) -> Float[Tensor, "batch n width"]:
        size = self.resolution
        channels = torch.cat([points, 2 * points, torch.zeros_like(points[..., :2])], dim=-1)
        at = ((points + 1) / 2 * size).clamp(0, size - 1)
        voxel = at.round().long()
        cells = (voxel[..., 0] * size + voxel[..., 1]) * size + voxel[..., 2]
        grid = scatter_mean(channels, cells, size**3).mT.unflatten(2, (size, size, size))
        where = ((2 * at + 1) / size - 1)[:, :, None, None, :]
        read = F.grid_sample(self.voxel_layers(grid), where, padding_mode="border", align_corners=False)
        return (read.flatten(2) + self.point_features(channels.mT)).mT


class CrossPlane(nn.Module):
    """A 1x1 convolution of each plane with the pooled rows and columns of the two others."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.plane_convs = nn.ModuleList(nn.Conv2d(3 * width, width, 1) for _ in range(3))

    def forward(self, tall: Float[Tensor, "batch width rows size"]) -> Float[Tensor, "batch width rows size"]:
        first, second, third = tall.unflatten(2, (3, -1)).unbind(dim=2)
        planes = [first, second, third.mT]
        outputs = []
        for i, layer in enumerate(self.plane_convs):
            assert isinstance(layer, nn.Conv2d)
            along_columns, along_rows = planes[(i + 1) % 3].mean(dim=3), planes[(i + 2) % 3].mean(dim=2)
            # The pooled parts are constant along one axis: convolve the vectors, not their expansions.
            itself, columns, rows = layer.weight[:, :, 0, 0].split(tall.shape[1], dim=1)
            outputs.append(
                F.conv2d(planes[i], itself[:, :, None, None], layer.bias)
                + (columns @ along_columns).unsqueeze(2)
                + (rows @ along_rows).unsqueeze(3)
            )
        return torch.cat([*outputs[:2], outputs[2].mT], dim=2)


def group_norm(width: int) -> nn.GroupNorm:
    """Return a group norm with 32 groups, or as many as divide a narrower width."""
    return nn.GroupNorm(math.gcd(32, width), width, eps=1e-6)


class ResBlock(nn.Module):
    """Residual block on the tall image: convolution, cross-plane mixing, convolution."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.norm1 = group_norm(inputs)
        self.conv1 = nn.Conv2d(inputs, width, 3, padding=1)
        self.norm_mid = group_norm(width)
        self.conv_3daware = CrossPlane(width)
        self.norm2 = group_norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.nin_shortcut: nn.Module = nn.Identity() if inputs == width else nn.Conv2d(inputs, width, 1)

    def forward(self, x: Float[Tensor, "batch inputs rows size"]) -> Float[Tensor, "batch width rows size"]:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv_3daware(F.silu(self.norm_mid(h)))
        h = self.conv2(F.silu(self.norm2(h)))
        return self.nin_shortcut(x) + h


class PlaneUNet(nn.Module):
    """U-Net on the three planes stacked into one tall image; 3x3 convolutions cross the seams."""

    def __init__(self, width: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.down_convs = nn.ModuleList(named(block=ResBlock(a, b)) for a, b in pairwise([width, *widths]))
        self.up_convs = nn.ModuleList(
            named(norm1=group_norm(below + skip), block=ResBlock(below + skip, skip))
            for below, skip in pairwise(widths[::-1])
        )
        self.norm_out = group_norm(widths[0])
        self.conv_final = nn.Conv2d(widths[0], width, 1)

    def forward(self, tall: Float[Tensor, "batch width rows size"]) -> Float[Tensor, "batch width rows size"]:
        skips: list[Tensor] = []
        x = tall
        for level, down in enumerate(self.down_convs):
            x = down(F.avg_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for up in self.up_convs:
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0), skips.pop()], dim=1))
        return self.conv_final(F.silu(self.norm_out(x)))


class PlaneEncoder(nn.Module):
    """Points to planes: point-voxel convolution, scatter, U-Net.

    The published weights hold three more point-voxel convolutions, whose output nothing reads.
    """

    def __init__(self, width: int, widths: Sequence[int], voxels: int, resolution: int) -> None:
        super().__init__()
        self.resolution = resolution
        self.pc_encoder = named(encoder=nn.Sequential(PointVoxelConv(width, voxels)))
        self.unet_encoder = PlaneUNet(width, widths)

    def forward(self, points: Float[Tensor, "batch n 3"]) -> Float[Tensor, "batch 3 width size size"]:
        tall = self.unet_encoder(scatter_planes(points, self.pc_encoder(points), self.resolution))
        return tall.unflatten(2, (3, self.resolution)).transpose(1, 2)


class SelfAttention(nn.Module):
    """Multi-head self-attention without biases; queries, keys and values in one projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        nn.init.xavier_uniform_(self.in_proj_weight)
        self.out_proj = nn.Linear(width, width, bias=False)

    def forward(self, x: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        packed = F.linear(x, self.in_proj_weight).unflatten(2, (3, self.heads, -1))
        q, k, v = packed.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class TransformerBlock(nn.Module):
    """Pre-norm transformer block; the MLP is four times as wide as the tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.self_attn = SelfAttention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        # The identity stands where the published network has dropout, so that the second layer is number 3.
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Identity(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        x = x + self.self_attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TriplaneTransformer(nn.Module):
    """Attention over the patches of all three planes, added to a per-pixel MLP.

    Planes have a side of ``resolution`` pixels and ``resolution / downsample`` tokens of ``width`` channels;
    ``downsample`` is a power of two, with one convolution and one max pooling per factor of two.
    """

    def __init__(
        self, inputs: int, outputs: int, width: int, layers: int, heads: int, resolution: int, downsample: int
    ) -> None:
        super().__init__()
        self.side = resolution // downsample
        self.pos_embed = nn.Parameter(torch.empty(1, 3 * self.side**2, width))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        blocks = nn.Sequential(*(TransformerBlock(width, heads) for _ in range(layers)))
        self.transformer = named(layers=blocks, norm=nn.LayerNorm(width, eps=1e-6))
        self.downsampler = nn.Sequential()
        for step in range(downsample.bit_length() - 1):
            conv = nn.Conv2d(width if step else inputs, width, 3, padding=1)
            self.downsampler.extend([conv, nn.ReLU(), nn.MaxPool2d(2)])
        self.upsampler = nn.ConvTranspose2d(width, outputs, downsample, stride=downsample)
        self.mlp = nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Linear(outputs, outputs))

    def forward(
        self, planes: Float[Tensor, "batch 3 inputs size size"]
    ) -> Float[Tensor, "batch 3 outputs size size"]:
        flat, batch = planes.flatten(0, 1), len(planes)
        tokens = self.downsampler(flat).flatten(2).mT.reshape(batch, 3 * self.side**2, -1)
        tokens = self.transformer(tokens + self.pos_embed)
        maps = tokens.view(3 * batch, self.side**2, -1).mT.unflatten(2, (self.side, self.side))
        out = self.upsampler(maps) + self.mlp(flat.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return out.unflatten(0, (batch, 3))
