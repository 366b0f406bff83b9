"""Labels of a shape's points painted on its mesh, for :mod:`alignparts.pictures.gallery`."""

import numpy as np
import pandas as pd
from jaxtyping import Float32, Int, Int64
from scipy.spatial import cKDTree

from alignparts.corpus.mesh.sampling import Sample, face_labels
from alignparts.corpus.mesh.surface import Surface, make_surface
from alignparts.evaluation.ground_truth import Labeled

FINE_EDGE = 0.03
"""Longest edge of a colored triangle in the model frame: less than the points' distance."""
MOST_FACES = 12_000
"""Largest number of triangles that cutting may lead to."""

Around = tuple[np.ndarray, float]
"""Center and radius of a sphere in the model frame."""


class Canvas:
    """The mesh or points of a shape, which take on labels of its points.

    Without a mesh, and for surfels, the points themselves are drawn. ``around``, a sphere in the model frame,
    bounds what is drawn.

    Attributes:
        body: triangles of the mesh, cut finer (F, 3, 3), or points (n, 3).
    """

    def __init__(self, shape: Labeled, surface: Surface | None = None, around: Around | None = None) -> None:
        self._shape = shape
        points = shape.arrays["points"].astype(np.float32)
        self._fine: Surface | None = None
        if surface is None or surface.is_cloud:
            self._near = _near(points, around)
            self.body: np.ndarray = points[self._near]
            return
        self.body, face = fine_triangles(surface, around)
        faces = np.arange(3 * len(self.body)).reshape(-1, 3)
        self._fine = make_surface(self.body.reshape(-1, 3), faces, face_part=surface.face_part[face])
        count = len(points)
        self._sample = Sample(
            points=points,
            face=cKDTree(self.body.mean(axis=1)).query(points)[1].astype(np.int64),
            bary=np.full((count, 3), 1 / 3, np.float32),
            normals=shape.arrays["normals"].astype(np.float32),
            colors=np.zeros((count, 3), np.float32),
            instance=np.full(count, -1, np.int32),
            center=np.zeros(3),
            scale=1.0,
        )

    def carry(self, part: Int[np.ndarray, " n"], parts: int) -> Int[np.ndarray, " m"]:
        """Return the part of every triangle or point of the body, by :func:`faces.face_labels`."""
        if self._fine is None:
            return part[self._near]
        return face_labels(self._fine, self._sample, part, parts)

    def truth(self) -> Int[np.ndarray, " m"]:
        """Return the ground truth of the body; exact on a mesh where any point of an instance is known."""
        carried = self.carry(self._shape.truth, len(self._shape.names)).astype(np.int64)
        if self._fine is None or "instance" not in self._shape.arrays:
            return carried
        part_of = dict(zip(self._shape.arrays["instance"].tolist(), self._shape.truth.tolist(), strict=True))
        part_of[-1] = -1  # without a name in the source
        exact = pd.Series(self._fine.face_part).map(part_of)
        return exact.fillna(pd.Series(carried)).to_numpy(np.int64)


def fine_triangles(
    surface: Surface, around: Around | None = None
) -> tuple[Float32[np.ndarray, "F 3 3"], Int64[np.ndarray, " F"]]:
    """Cut the large triangles of a surface, which may be larger than the parts that a method finds on them.

    Return the corners of the triangles in the model frame, and the face of the surface that each lies in;
    with ``around`` only those in that sphere, cut finer by its radius.
    """
    center, scale = surface.frame()
    face = np.flatnonzero(surface.areas() > 0)
    corners = (surface.vertices[surface.faces[face]] - center) * scale
    edge = FINE_EDGE
    if around is not None:
        # Large triangles may reach into the sphere from outside: cut first, then choose.
        corners, face = _bisected(corners, face, around[1] / 2)
        near = _near(corners, around)
        corners, face = corners[near], face[near]
        edge *= min(around[1], 1.0)
    while edge < 2:
        cut, cut_face = _bisected(corners, face, edge)
        if len(cut) <= MOST_FACES:
            return cut.astype(np.float32), cut_face
        edge *= 1.25
    return corners.astype(np.float32), face


def _near(things: np.ndarray, around: Around | None) -> np.ndarray:
    """Return the points, or triangles by their centers, that lie in a sphere; all of them without one."""
    if around is None:
        return np.ones(len(things), bool)
    places = things.reshape(len(things), -1, 3).mean(axis=1)
    return np.linalg.norm(places - around[0], axis=1) < around[1]


def _bisected(corners: np.ndarray, face: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Halve triangles at their longest edges until none is longer than `edge`, or there are far too many."""
    done: list[tuple[np.ndarray, np.ndarray]] = []
    most = len(corners) + 4 * MOST_FACES
    while len(corners):
        lengths = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
        long = lengths.max(axis=1) > edge
        long &= sum(len(part) for part, _ in done) + 2 * len(corners) < most
        done.append((corners[~long], face[~long]))
        corners, face, first = corners[long], face[long], lengths[long].argmax(axis=1)
        a, b, c = (corners[np.arange(len(corners)), (first + corner) % 3] for corner in range(3))
        middle = (a + b) / 2
        corners = np.concatenate([np.stack([a, middle, c], axis=1), np.stack([middle, b, c], axis=1)])
        face = np.concatenate([face, face])
    return np.concatenate([part for part, _ in done]), np.concatenate([part for _, part in done])
