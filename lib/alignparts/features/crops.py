"""Random crops with flips and color jitter, in plain torch."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn.functional import grid_sample

from alignparts.features.appearance import normalized

JITTER = 0.3
"""Brightness, contrast and saturation vary by factors of 1 ± this. Hue stays: material tells parts apart."""
BLANK = 250
"""Pixels with every channel above this are background."""


class Crops(NamedTuple):
    """Crops of a batch of pictures, and their places in them.

    Attributes:
        pixels: colors, normalized as DINOv2 expects.
        content: pixels that show the object.
        center: center of the crop in its picture, x right and y down, both in -1..1.
        half: half sides in the same units; negative across where the crop is flipped.
    """

    pixels: Float[Tensor, "b 3 side side"]
    content: Bool[Tensor, "b side side"]
    center: Float[Tensor, "b 2"]
    half: Float[Tensor, "b 2"]


def crops(
    images: UInt8[Tensor, "b h w 3"], side: int, area: tuple[float, float], rng: torch.Generator
) -> Crops:
    """Return one random crop of every picture, resized, flipped by chance and jittered.

    A crop is centered on a random pixel of the object, as far as it then lies in the picture: most of a
    render is background, and crops of that teach nothing.

    Args:
        images: RGB pictures on white.
        side: side of the crops in pixels.
        area: smallest and largest share of the picture that a crop takes.
        rng: random generator.
    """
    count, height, width = images.shape[:3]
    draw = torch.rand(6, count, generator=rng)
    share = area[0] + (area[1] - area[0]) * draw[0]
    stretch = torch.exp((draw[1] * 2 - 1) * math.log(4 / 3) / 2)
    size = torch.stack([share.sqrt() * stretch, share.sqrt() / stretch], dim=1).clamp(max=1)
    shown = (images.amin(dim=3) <= BLANK).flatten(1).float() + 1e-6
    pixel = torch.multinomial(shown, 1, generator=rng)[:, 0]
    x, y = (pixel % width + 0.5) / width * 2 - 1, (pixel // width + 0.5) / height * 2 - 1
    center = torch.stack([x, y], dim=1).clamp(size - 1, 1 - size)
    half = size * torch.stack([torch.where(draw[2] < 0.5, -1.0, 1.0), torch.ones(count)], dim=1)
    grid = half[:, None, None] * _lattice(side) + center[:, None, None]
    pixels = images.permute(0, 3, 1, 2).float()
    crop = grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)
    content = crop.amin(dim=1) <= BLANK

    brightness, contrast, saturation = (1 + JITTER * (2 * draw[3:] - 1))[:, :, None, None, None]
    crop = crop * brightness
    mean = crop.mean(dim=(1, 2, 3), keepdim=True)
    crop = (crop - mean) * contrast + mean
    gray = crop.mean(dim=1, keepdim=True)
    crop = (crop - gray) * saturation + gray
    colors = normalized(crop.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1))
    return Crops(colors, content, center, half)


def places(
    at: Crops, other: Crops, rows: int
) -> tuple[Float[Tensor, "b rows rows 2"], Bool[Tensor, "b rows rows"]]:
    """Return the positions of the patch centers of crops in other crops of the same pictures.

    Coordinates are x right, y down, -1..1 across the other crop; a mask tells which lie within it.
    """
    picture = at.center[:, None, None] + at.half[:, None, None] * _lattice(rows)
    there = (picture - other.center[:, None, None]) / other.half[:, None, None]
    return there, (there.abs() < 1).all(dim=3)


def _lattice(side: int) -> Float[Tensor, "side side 2"]:
    """Return the centers (x, y) of a lattice of cells over -1..1."""
    line = (torch.arange(side) + 0.5) / side * 2 - 1
    return torch.stack([line[None, :].expand(side, -1), line[:, None].expand(-1, side)], dim=2)
