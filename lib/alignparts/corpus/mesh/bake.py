"""Colors of a mesh that has none, from colored points of the same surface."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from alignparts.corpus.mesh.surface import Surface, rgba_float

_LARGEST = 64


def bake_points(
    surface: Surface,
    points: Float[np.ndarray, "n 3"],
    colors: Float[np.ndarray, "n 4"],
    label: Int[np.ndarray, " n"],
    part_label: Int[np.ndarray, " parts"],
) -> Surface:
    """Give every triangle a patch of texture whose texels take the color of the nearest point of its part.

    The patch of a triangle spans its two shorter edges, at texel centers, so that bilinear look-up stays
    within it; its sides are powers of two, by the edges' lengths over the points' spacing. Colors are RGBA in
    0..1. ``label`` is the part label of every point, ``part_label`` that of every part instance of the
    surface; a part without points takes the nearest point of any.
    """
    count = len(surface.faces)
    if not count or not len(points):
        return surface
    corners = surface.vertices[surface.faces]
    # Edge k lies opposite corner k; the patch starts at the corner opposite the longest.
    edge = np.linalg.norm(np.roll(corners, -1, axis=1) - np.roll(corners, 1, axis=1), axis=2)
    turn = (edge.argmax(axis=1)[:, None] + np.arange(3)) % 3
    corners = np.take_along_axis(corners, turn[:, :, None], axis=1)
    edge = np.take_along_axis(edge, turn, axis=1)
    spacing = max(1.5 * np.sqrt(surface.areas().sum() / len(points)), 1e-12)
    power = np.clip(np.rint(np.log2(edge[:, [2, 1]] / spacing + 1.5)), 1, np.log2(_LARGEST))
    side = (2**power).astype(np.int64)
    origin, width, height = _pack(side)
    image = np.tile(np.array([0, 0, 0, 255], np.uint8), (height, width, 1))
    want = np.append(part_label, -1)[surface.face_part]
    picked, at = _texels(corners, side, origin)
    # Far apart along a fourth axis: the nearest point is one of the same label.
    apart = 8 * float(np.ptp(surface.vertices, axis=0).max() + np.ptp(points, axis=0).max())
    tree = cKDTree(np.c_[points, label * apart])
    known = np.isin(want, label)
    shift = np.where(known, want, 0) * apart
    nearest = np.empty(len(picked), np.int64)
    sure = known[at[:, 0]]
    nearest[sure] = tree.query(np.c_[picked[sure], shift[at[sure, 0]]])[1]
    nearest[~sure] = cKDTree(points).query(picked[~sure])[1]
    image[at[:, 2], at[:, 1]] = np.round(rgba_float(colors)[nearest] * 255).astype(np.uint8)
    texel = origin[:, None] + np.array([[0, 0], [1, 0], [0, 1]]) * (side - 1)[:, None] + 0.5
    corner_uv = np.stack([texel[..., 0] / width, 1 - texel[..., 1] / height], axis=2)
    uv = np.empty((count, 3, 2), np.float32)
    np.put_along_axis(uv, turn[:, :, None], corner_uv.astype(np.float32), axis=1)
    white, material = np.ones((count, 3, 4), np.float32), np.zeros(count, np.int32)
    return replace(surface, uv=uv, corner_color=white, face_material=material, textures=(image,))


def _pack(side: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Return the upper left texel (x, y) of every patch, and the size of the image."""
    # Rows have one height, widest patch first, so that powers of two fill a row without a gap.
    width = int(2 ** np.ceil(np.log2(max(np.sqrt(side.prod(axis=1).sum()), _LARGEST))))
    origin = np.zeros_like(side)
    top = 0
    for height in np.unique(side[:, 1])[::-1].tolist():
        members = np.flatnonzero(side[:, 1] == height)
        members = members[np.argsort(-side[members, 0], kind="stable")]
        end = np.cumsum(side[members, 0])
        start = end - side[members, 0]
        origin[members, 0] = start % width
        origin[members, 1] = top + start // width * height
        top += -(-int(end[-1]) // width) * height
    return origin, width, top


def _texels(corners: np.ndarray, side: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the position of every texel that look-up can reach, and its (face, x, y)."""
    positions, places = [], []
    for wide, high in np.unique(side, axis=0).tolist():
        members = np.flatnonzero((side[:, 0] == wide) & (side[:, 1] == high))
        x, y = (grid.reshape(-1) for grid in np.meshgrid(np.arange(wide), np.arange(high)))
        a, b = x / (wide - 1), y / (high - 1)
        reached = a + b <= 1 + 1 / (wide - 1) + 1 / (high - 1)
        x, y, a, b = x[reached], y[reached], a[reached], b[reached]
        over = np.maximum(a + b, 1)
        weight = np.stack([1 - (a + b) / over, a / over, b / over], axis=1)
        # (texels, 3) @ (faces, 3, xyz)
        positions.append((weight @ corners[members]).reshape(-1, 3))
        face = np.repeat(members, len(x))
        left = np.tile(x, len(members)) + origin[face, 0]
        top = np.tile(y, len(members)) + origin[face, 1]
        places.append(np.stack([face, left, top], axis=1))
    return np.concatenate(positions), np.concatenate(places)
