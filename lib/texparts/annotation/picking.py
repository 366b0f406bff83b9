"""Find the faces under a pointer: the first one, the disc of a brush, a piece, a cluster."""

from functools import cached_property
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from trimesh import ray

from texparts.annotation.geometry import Shape

MOST_STEPS = 64
"""Most rays between two positions of the pointer."""


class Picker:
    """Answers for one shape, in the frame of ``vertices``, in which it is drawn."""

    def __init__(self, shape: Shape, vertices: Float[np.ndarray, "v 3"]) -> None:
        self._shape = shape
        self._vertices = vertices

    @cached_property
    def _rays(self) -> Any:
        mesh = trimesh.Trimesh(self._vertices, self._shape.faces, process=False)
        # Linux on aarch64 has no embree: trimesh's own search, slower.
        return ray.ray_pyembree.RayMeshIntersector(mesh, scale_to_box=False) if ray.has_embree else mesh.ray

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self._vertices[self._shape.faces].mean(axis=1))

    def prepare(self) -> None:
        """Build the structures for which the first stroke would wait."""
        _ = self._tree, self._shape.normals
        self.hits(np.zeros(3), np.array([[0.0, 0.0, 1.0]]))

    def hits(
        self, origin: Float[np.ndarray, " 3"], directions: Float[np.ndarray, "n 3"]
    ) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, "k 3"]]:
        """Return the faces and points that rays from one point meet first; rays that miss are left out."""
        origins = np.broadcast_to(origin, directions.shape)
        faces, rays, points = self._rays.intersects_id(
            origins, directions, multiple_hits=False, return_locations=True
        )
        order = np.argsort(rays, kind="stable")
        return np.asarray(faces, np.int64)[order], np.asarray(points).reshape(-1, 3)[order]

    def disc(self, face: int, point: Float[np.ndarray, " 3"], radius: float) -> Int[np.ndarray, " n"]:
        """Return a face and those around it: center within ``radius``, on the same side, connected."""
        near = np.asarray(self._tree.query_ball_point(point, radius), np.int64)
        near = near[self._shape.normals[near] @ self._shape.normals[face] > 0]
        near = np.union1d(near, [face])
        piece = self._shape.components(near)
        return near[piece == piece[np.searchsorted(near, face)]]

    def stroke(
        self,
        eye: Float[np.ndarray, " 3"],
        start: Float[np.ndarray, " 3"],
        end: Float[np.ndarray, " 3"],
        radius: float,
    ) -> Int[np.ndarray, " n"]:
        """Return the faces under a brush that moves between two points of a plane before the eye."""
        steps = int(np.clip(np.ceil(np.linalg.norm(end - start) / max(radius, 1e-6) * 2), 1, MOST_STEPS))
        points = start + (end - start) * np.linspace(0, 1, steps + 1)[:, None]
        faces, places = self.hits(eye, points - eye)
        discs = [self.disc(face, place, radius) for face, place in zip(faces.tolist(), places, strict=True)]
        return np.unique(np.concatenate(discs)) if discs else np.zeros(0, np.int64)

    def component(self, face: int) -> Int[np.ndarray, " n"]:
        """Return the connected piece of a face."""
        piece = self._shape.components(np.arange(len(self._shape.faces)))
        return np.flatnonzero(piece == piece[face])

    def cluster(self, face: int, clusters: int) -> Int[np.ndarray, " n"]:
        """Return the faces of a face's cluster of the geometry field; none if the number is unknown."""
        label = self._shape.clusters.get(clusters)
        return np.zeros(0, np.int64) if label is None else np.flatnonzero(label == label[face])
