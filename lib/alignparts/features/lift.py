"""From pictures to points: patch features of views, averaged on the points they show (section 3.1)."""

import numpy as np
from jaxtyping import Float, Float32
from scipy.spatial import cKDTree

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.render import Views, camera_positions

TOLERANCE = 0.015
"""Largest distance of a visible point from the surface of its pixel, in units of the model frame."""
GRAZING = 0.1
"""Smallest cosine between normal and line of sight at which a view counts."""
NEIGHBORS = 3
"""Number of seen points whose mean a point takes that no view sees."""


def visibility(
    views: Views, points: Float[np.ndarray, "N 3"], normals: Float[np.ndarray, "N 3"]
) -> Float32[np.ndarray, "V N"]:
    """Return the cosine |n·v| of every view and point, and 0 where the view does not see the point.

    A point is seen where it falls into the picture, at no grazing angle, and its pixel shows the very sheet
    it lies on. That is so when the plane through the point, followed along the ray of the pixel's center,
    lies within `TOLERANCE` of the depth there (no slope of the surface widens the tolerance), and when the
    pixel shows the same side of the winding as the point does. The latter tells the two faces of a thin
    board apart, whichever way its triangles wind. Points are in the model frame, with unit normals.
    """
    pixel, depth = views.project(points)
    count, height, width = views.face.shape
    column, row = np.floor(pixel[:, :, 0]), np.floor(pixel[:, :, 1])
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height) & (depth > 0)
    x, y = (np.where(inside, index, 0).astype(np.int64) for index in (column, row))
    view = np.arange(count)[:, None]

    normals = normals.astype(np.float64)
    sight = camera_positions(views.cameras)[:, None, :] - points.astype(np.float64)
    sight /= np.maximum(np.linalg.norm(sight, axis=2, keepdims=True), 1e-12)
    cosine = np.einsum("vnc,nc->vn", sight, normals)

    camera_normal = normals @ views.cameras[:, :, :3].transpose(0, 2, 1)
    center = np.array([width / 2, height / 2])

    def slope(at: np.ndarray) -> np.ndarray:
        """Return normal times ray of positions in the picture."""
        ray = (at - center) / views.focal
        return np.einsum("vnc,vnc->vn", camera_normal[:, :, :2], ray) + camera_normal[:, :, 2]

    along = slope(np.stack([x, y], axis=2) + 0.5)
    flat = np.abs(along) > 1e-6
    expected = np.where(flat, depth * slope(pixel) / np.where(flat, along, 1), np.inf)
    with np.errstate(invalid="ignore"):
        near = np.abs(expected - views.depth[view, y, x]) <= TOLERANCE
    same_side = views.front[view, y, x] == (cosine > 0)
    seen = inside & near & same_side & (np.abs(cosine) >= GRAZING)
    return np.where(seen, np.abs(cosine), 0).astype(np.float32)


def lift(
    patch_maps: Float[np.ndarray, "V h w d"],
    views: Views,
    points: Float[np.ndarray, "N 3"],
    normals: Float[np.ndarray, "N 3"],
    weights: Float32[np.ndarray, "V N"] | None = None,
) -> Float32[np.ndarray, "N d"]:
    """Return features of points: the mean over the views that see them, weighted by |n·v|.

    Patch maps are read bilinearly at the projected pixel, patch centers at the centers of their squares. A
    point that no view sees takes the mean of its `NEIGHBORS` nearest seen points. If no point is seen at
    all, every feature is zero; `visibility(...).any(axis=0)` tells seen points from others.

    Args:
        patch_maps: features of the patches of every view.
        views: the pictures they were made from.
        points: coordinates in the model frame.
        normals: unit normals by winding.
        weights: `visibility` of the points, when already known.

    Raises:
        AlignPartsError: the maps are not of these views.
    """
    count, rows, columns, channels = patch_maps.shape
    if count != len(views):
        raise AlignPartsError(f"lift: expected patch maps of {len(views)} views, got {count}")
    weight = visibility(views, points, normals) if weights is None else weights
    pixel, _ = views.project(points)
    height, width = views.face.shape[1:]
    total = np.zeros((len(points), channels), np.float32)
    # One view at a time and only what it sees: V x N x d floats would not fit for large encoders.
    for view in range(count):
        seen = np.flatnonzero(weight[view] > 0)
        x = pixel[view, seen, 0] * (columns / width) - 0.5
        y = pixel[view, seen, 1] * (rows / height) - 0.5
        total[seen] += weight[view, seen, None] * _bilinear(patch_maps[view], x, y)
    weight_sum = weight.sum(axis=0)
    seen, unseen = np.flatnonzero(weight_sum > 0), np.flatnonzero(weight_sum == 0)
    total[seen] /= weight_sum[seen, None]
    if len(seen) and len(unseen):
        near = cKDTree(points[seen]).query(points[unseen], k=range(1, min(NEIGHBORS, len(seen)) + 1))[1]
        total[unseen] = total[seen[near]].mean(axis=1)
    return total


def _bilinear(
    grid: Float[np.ndarray, "h w d"], x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]
) -> Float32[np.ndarray, "n d"]:
    """Return bilinear values of a grid; beyond the border the border's value."""
    height, width = grid.shape[:2]
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    along = (x - left).astype(np.float32)[:, None]
    down = (y - top).astype(np.float32)[:, None]
    upper = grid[top, left] * (1 - along) + grid[top, right] * along
    lower = grid[bottom, left] * (1 - along) + grid[bottom, right] * along
    return (upper * (1 - down) + lower * down).astype(np.float32)
