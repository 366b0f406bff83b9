"""Small pictures of objects by ray casting, which needs no graphics driver."""

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int
from PIL import Image

from alignparts.corpus.mesh.render import Lighting, render_views
from alignparts.corpus.mesh.surface import Surface
from alignparts.pictures.palette import colors_of, palette

_TURN = np.radians(150)
"""A single camera stands behind: the shape is turned to it about the up axis, and lit from there."""
_LIGHT = Lighting(ambient=0.4, head=0.5, key=0.15, fill=0.1)


def thumbnail(surface: Surface, side: int) -> bytes:
    """Draw an object with area as a PNG in its own colors, from the front right and above."""
    cos, sin = np.cos(_TURN), np.sin(_TURN)
    turned = surface.vertices @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    pixels = render_views(replace(surface, vertices=turned), 1, 2 * side, _LIGHT).color[0]
    picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX)
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def part_thumbnail(
    surface: Surface, face_part: Int[np.ndarray, " faces"], names: Sequence[str], side: int
) -> bytes:
    """Draw an object with area as a PNG in the colors of its parts' names, gray without."""
    color = np.ones((len(surface.faces), 4), np.float32)
    color[:, :3] = colors_of(face_part, names, palette(names))
    corners, material = np.repeat(color[:, None], 3, axis=1), np.zeros(len(surface.faces), np.int32)
    plain = replace(surface, corner_color=corners, face_material=material, textures=(None,))
    return thumbnail(plain, side)
