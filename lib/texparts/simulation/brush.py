"""Brush of a simulated annotator: discs on one object, and strokes made of them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy import sparse
from scipy.spatial import cKDTree

from texparts.annotation.geometry import Shape

WORTH_IT = 0.5
"""A stroke goes on while the next disc gains this share of the first."""


class Brush:
    """Brush on one object, tried at a growing number of places.

    A disc covers the faces around a face that lie within the radius, on the same side, in the same piece. A
    stroke is a series of discs, each no further from the last than the radius and visible with the first.

    Args:
        shape: mesh of the object.
        radii: radii of the brush, as shares of the object's longest side.

    Attributes:
        normals: unit normal per face.
        places: faces at which the brush is tried.
    """

    def __init__(self, shape: Shape, radii: Sequence[float]) -> None:
        corners = shape.vertices[shape.faces].astype(np.float64)
        corners /= max(float(np.ptp(corners.reshape(-1, 3), axis=0).max()), 1e-30)
        self._middle: Float64[np.ndarray, "faces 3"] = corners.mean(axis=1)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self.normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
        self._piece = shape.components(np.arange(len(corners)))
        self._tree = cKDTree(self._middle)
        self.places = np.zeros(0, np.int64)
        self._covers = {radius: sparse.csr_matrix((0, len(corners))) for radius in radii}

    def try_at(self, faces: Int[np.ndarray, " n"]) -> None:
        """Add places."""
        new = np.setdiff1d(faces, self.places)
        self.places = np.concatenate([self.places, new])
        for radius, covers in self._covers.items():
            near = self._tree.query_ball_point(self._middle[new], radius)
            rows = np.repeat(np.arange(len(new)), [len(one) for one in near])
            columns = np.concatenate([np.zeros(0, np.int64), *near]).astype(np.int64)
            inside = (self.normals[columns] * self.normals[new][rows]).sum(axis=1) > 0
            inside &= self._piece[columns] == self._piece[new][rows]
            inside |= columns == new[rows]  # of a face without area, too
            place = (rows[inside], columns[inside])
            more = sparse.csr_matrix((np.ones(len(place[0])), place), shape=(len(new), len(self._piece)))
            self._covers[radius] = sparse.vstack([covers, more], format="csr")

    def gains(self, worth: Float[np.ndarray, " faces"], radius: float) -> Float64[np.ndarray, " places"]:
        """Return the summed worth of the faces under a disc at every place."""
        return np.asarray(self._covers[radius] @ worth, np.float64)

    def stroke(
        self, worth: Float64[np.ndarray, " faces"], radius: float, discs: int
    ) -> tuple[Int[np.ndarray, " n"], int, float]:
        """Draw the stroke that begins with the best disc.

        Args:
            worth: gain per painted face; negative for faces that are right.
            radius: of the brush.
            discs: most discs of the stroke.

        Returns:
            Its faces, its number of straight pieces, and its length in units of the object's longest side.
        """
        left, middle, normals = worth.copy(), self._middle[self.places], self.normals[self.places]
        gains = self.gains(left, radius)
        first = at = int(gains.argmax())
        least = max(WORTH_IT * float(gains[first]), 0.0)
        covers, path = self._covers[radius], [at]
        segments, length, before = 0, 0.0, np.zeros(3)
        while len(path) < discs:
            left[covers[at].indices] = 0
            far = np.linalg.norm(middle - middle[at], axis=1)
            near = (far > 0) & (far <= radius) & (normals @ normals[first] > 0)
            gains = np.where(near, self.gains(left, radius), -1)
            if gains.max() <= least:
                break
            following = int(gains.argmax())
            step = (middle[following] - middle[at]) / far[following]
            segments, length = segments + int(step @ before < 0.8), length + float(far[following])
            at, before = following, step
            path.append(at)
        return np.unique(covers[path].indices).astype(np.int64), segments, length
