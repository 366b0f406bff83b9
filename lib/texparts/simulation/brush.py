"""Where a brush helps most: its discs on one object, and strokes made of them."""

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int
from scipy import sparse
from scipy.spatial import cKDTree

from texparts.annotation.geometry import Shape
from texparts.annotation.picking import Picker
from texparts.simulation.cost import CostModel

WORTH_IT = 0.5
"""A stroke goes on while the next disc gains this share of the first."""


class Brush:
    """The brush of the review on one object, tried at a few places.

    What a disc covers is what :meth:`texparts.annotation.picking.Picker.disc` says. A stroke is a series of
    discs, each no further from the last than the radius, on faces that can be seen together.
    """

    def __init__(self, cost: CostModel, shape: Shape, piece: Int[np.ndarray, " faces"]) -> None:
        """Get ready for an object; ``piece`` says in which connected piece of the mesh every face is."""
        self._cost, self._shape, self._piece = cost, shape, piece
        used = shape.vertices[np.unique(shape.faces)].astype(np.float64)
        low, high = used.min(axis=0), used.max(axis=0)
        scale = 2 / max(float((high - low).max()), 1e-30)  # as the view draws it: the longest side is 2
        corners = (shape.vertices[shape.faces].astype(np.float64) - (low + high) / 2) * scale
        self._picker = Picker(shape, (shape.vertices - (low + high) / 2) * scale)
        self._middle = corners.mean(axis=1)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self.normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
        self.centers = np.zeros(0, np.int64)
        self._known = np.zeros(len(shape.faces), bool)
        empty = sparse.csr_matrix((0, len(shape.faces)))
        self._covers = {radius: empty for radius in cost.radii}
        self._exact: dict[float, Bool[np.ndarray, " c"]] = {
            radius: np.zeros(0, bool) for radius in cost.radii
        }

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self._middle)

    def consider(self, faces: Int[np.ndarray, " n"], most: int) -> None:
        """Try the brush on some of these faces, too, spread evenly over their area."""
        total = np.cumsum(self._shape.areas[faces].astype(np.float64))
        if len(faces) > most and total[-1] > 0:
            at = np.searchsorted(total, total[-1] * (np.arange(most) + 0.5) / most)
            faces = faces[np.unique(np.minimum(at, len(faces) - 1))]
        new = faces[~self._known[faces]]
        if not len(new):
            return
        self._known[new] = True
        self.centers = np.concatenate([self.centers, new])
        for radius in self._cost.radii:
            # Faces near by on the same side of the same piece: a disc, unless they are not connected.
            near = self._tree.query_ball_point(self._middle[new], 2 * radius)
            rows = np.repeat(np.arange(len(new)), [len(one) for one in near])
            columns = np.concatenate([np.asarray(one, np.int64) for one in near])
            seen = (self.normals[columns] * self.normals[new][rows]).sum(axis=1) > 0
            seen &= self._piece[columns] == self._piece[new][rows]
            seen |= columns == new[rows]
            size = (len(new), len(self._shape.faces))
            more = sparse.csr_matrix((np.ones(int(seen.sum())), (rows[seen], columns[seen])), shape=size)
            self._covers[radius] = sparse.vstack([self._covers[radius], more], format="csr")
            self._exact[radius] = np.concatenate([self._exact[radius], np.zeros(len(new), bool)])

    def disc(self, index: int, radius: float) -> Int[np.ndarray, " n"]:
        """Faces of the disc around a center."""
        covers = self._covers[radius]
        own = slice(covers.indptr[index], covers.indptr[index + 1])
        if not self._exact[radius][index]:
            face = int(self.centers[index])
            disc = self._picker.disc(face, self._middle[face], 2 * radius)
            covers.data[own] = np.isin(covers.indices[own], disc)
            self._exact[radius][index] = True
        return covers.indices[own][covers.data[own] > 0].astype(np.int64)

    def best(self, gain: Float64[np.ndarray, " faces"], radius: float) -> tuple[int, float]:
        """The center whose disc gains most, and how much."""
        return self._best(gain, radius, None)

    def stroke(
        self, gain: Float64[np.ndarray, " faces"], radius: float, first: int
    ) -> tuple[Int[np.ndarray, " n"], int, float]:
        """A stroke that begins at a center.

        Returns:
            its faces, its straight pieces, and its length in the object's longest sides.
        """
        left, at = gain.copy(), first
        faces = [self.disc(first, radius)]
        threshold = WORTH_IT * float(left[faces[0]].sum())
        left[faces[0]] = 0
        places, normals = self._middle[self.centers], self.normals[self.centers]
        segments, length, before = 0, 0.0, np.zeros(3)
        while len(faces) < self._cost.stroke_discs:
            far = np.linalg.norm(places - places[at], axis=1)
            near = np.flatnonzero((far <= 2 * radius) & (normals @ normals[first] > 0))
            near = near[near != at]
            index, more = self._best(left, radius, near)
            if index < 0 or more < threshold or more <= 0:
                break
            step = (places[index] - places[at]) / max(float(far[index]), 1e-30)
            segments += int(step @ before < 0.8)
            length += float(far[index]) / 2
            faces.append(self.disc(index, radius))
            left[faces[-1]] = 0
            at, before = index, step
        return np.unique(np.concatenate(faces)), segments, length

    def _best(
        self, gain: Float64[np.ndarray, " faces"], radius: float, among: Int[np.ndarray, " k"] | None
    ) -> tuple[int, float]:
        """The best center, of all or of some; what looks best is made exact until the best one is."""
        covers = self._covers[radius] if among is None else self._covers[radius][among]
        index = np.arange(len(self.centers)) if among is None else among
        if not len(index):
            return -1, 0.0
        found, exact = covers @ gain, self._exact[radius][index]
        while True:
            best = int(found.argmax())
            if exact[best]:
                return int(index[best]), float(found[best])
            found[best] = gain[self.disc(int(index[best]), radius)].sum()
            exact[best] = True
