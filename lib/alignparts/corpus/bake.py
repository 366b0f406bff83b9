"""Colours of a mesh that has none, from coloured points of the same surface."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from alignparts.corpus.surface import Surface, rgba_float

_LARGEST = 32


def bake_points(
    surface: Surface,
    points: Float[np.ndarray, "n 3"],
    colors: Float[np.ndarray, "n 4"],
    label: Int[np.ndarray, " n"],
    part_label: Int[np.ndarray, " parts"],
) -> Surface:
    """Give every triangle a patch of texture whose texels take the colour of the nearest point of its part.

    Args:
        surface: without textures.
        points: positions in the surface's frame.
        colors: RGBA in 0..1.
        label: part label of every point.
        part_label: label of every part instance of the surface; a part no point belongs to takes the nearest
            point of any.

    The patch of a triangle is a square of r × r texels, its corners at texel centres, so that bilinear look-up
    stays within it; r grows with the longest edge over the points' spacing.
    """
    count = len(surface.faces)
    if not count or not len(points):
        return surface
    corners = surface.vertices[surface.faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    spacing = max(np.sqrt(surface.areas().sum() / len(points)), 1e-12)
    wanted = np.clip(np.ceil(np.log2(longest / spacing + 2)), 1, np.log2(_LARGEST)).astype(int)
    side = 2**wanted
    origin, width, height = _pack(side)
    image = np.zeros((height, width, 4), np.uint8)
    image[..., 3] = 255
    want = np.full(count, -1, np.int64)
    labelled = surface.face_part >= 0
    want[labelled] = np.asarray(part_label, np.int64)[surface.face_part[labelled]]
    picked, at = _texels(corners, side, origin)
    # Far apart along a fourth axis: the nearest point is one of the same label.
    apart = 8 * float(np.ptp(surface.vertices, axis=0).max() + np.ptp(points, axis=0).max())
    tree = cKDTree(np.c_[points, label * apart])
    known = np.isin(want, label)
    shift = np.where(known, want, 0) * apart
    nearest = np.empty(len(picked), np.int64)
    sure = known[at[:, 0]]
    if sure.any():
        nearest[sure] = tree.query(np.c_[picked[sure], shift[at[sure, 0]]])[1]
    if not sure.all():
        nearest[~sure] = cKDTree(points).query(picked[~sure])[1]
    image[at[:, 2], at[:, 1]] = np.round(rgba_float(colors)[nearest] * 255).astype(np.uint8)
    return replace(
        surface,
        uv=_corner_uv(side, origin, width, height),
        corner_color=np.ones((count, 3, 4), np.float32),
        face_material=np.zeros(count, np.int32),
        textures=(image,),
    )


def _pack(side: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Upper left texel of every patch, and the size of the image: rows of equal patches, largest first."""
    width = int(2 ** np.ceil(np.log2(max(np.sqrt((side**2).sum()), _LARGEST))))
    origin = np.zeros((len(side), 2), np.int64)
    top = 0
    for size in sorted(set(side.tolist()), reverse=True):
        members = np.flatnonzero(side == size)
        a_row = width // size
        place = np.arange(len(members))
        origin[members, 0] = (place % a_row) * size
        origin[members, 1] = top + (place // a_row) * size
        top += -(-len(members) // a_row) * size
    return origin, width, top


def _texels(corners: np.ndarray, side: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position of every texel that look-up can reach, and its (face, x, y)."""
    positions, places = [], []
    for size in sorted(set(side.tolist())):
        members = np.flatnonzero(side == size)
        x, y = (grid.reshape(-1) for grid in np.meshgrid(np.arange(size), np.arange(size)))
        reached = x + y <= size
        x, y = x[reached], y[reached]
        a, b = x / (size - 1), y / (size - 1)
        over = np.maximum(a + b, 1)
        weight = np.stack([1 - (a + b) / over, a / over, b / over], axis=1)
        positions.append(np.einsum("kc,fcd->fkd", weight, corners[members]).reshape(-1, 3))
        face = np.repeat(members, len(x))
        left = np.tile(x, len(members)) + origin[face, 0]
        top = np.tile(y, len(members)) + origin[face, 1]
        places.append(np.stack([face, left, top], axis=1))
    return np.concatenate(positions), np.concatenate(places)


def _corner_uv(side: np.ndarray, origin: np.ndarray, width: int, height: int) -> np.ndarray:
    corner = np.array([[0, 0], [1, 0], [0, 1]])
    texel = origin[:, None, :] + corner[None] * (side - 1)[:, None, None] + 0.5
    return np.stack([texel[..., 0] / width, 1 - texel[..., 1] / height], axis=2).astype(np.float32)
