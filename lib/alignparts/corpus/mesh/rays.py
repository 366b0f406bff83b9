"""First hits of rays: by embree, or by trimesh's own search where embree has no wheel (Linux on aarch64)."""

from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float, Float32, Int
from trimesh.ray.ray_triangle import RayMeshIntersector

try:
    from embreex import rtcore_scene
    from embreex.mesh_construction import TriangleMesh
except ModuleNotFoundError:
    rtcore_scene = None


class Hits(NamedTuple):
    """First hit of every ray: its face, -1 without any, weights u and v of corners 2 and 3, and distance."""

    face: Int[np.ndarray, " n"]
    u: Float[np.ndarray, " n"]
    v: Float[np.ndarray, " n"]
    distance: Float[np.ndarray, " n"]


class Rays:
    """Triangles that rays are cast at; the same with and without embree, but for rounding and time."""

    def __init__(self, vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> None:
        if rtcore_scene is None:
            self._mesh = trimesh.Trimesh(vertices, faces, process=False)
            return
        self._scene = rtcore_scene.EmbreeScene()
        TriangleMesh(
            self._scene, np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.int32)
        )

    def first(self, origin: Float32[np.ndarray, "n 3"], direction: Float32[np.ndarray, "n 3"]) -> Hits:
        """Return the first hits of rays whose directions have length 1."""
        if rtcore_scene is None:
            return self._searched(origin, direction)
        hit = self._scene.run(origin, direction, output=1)
        return Hits(hit["primID"], hit["u"], hit["v"], hit["tfar"])

    def _searched(self, origin: Float32[np.ndarray, "n 3"], direction: Float32[np.ndarray, "n 3"]) -> Hits:
        face, count = np.full(len(origin), -1), len(origin)
        u, v, distance = np.zeros(count), np.zeros(count), np.full(count, np.inf)
        struck, ray, at = RayMeshIntersector(self._mesh).intersects_id(
            origin, direction, multiple_hits=False, return_locations=True
        )
        if len(ray):
            weights = trimesh.triangles.points_to_barycentric(self._mesh.triangles[struck], at)
            face[ray], u[ray], v[ray] = struck, weights[:, 1], weights[:, 2]
            distance[ray] = np.einsum("ni,ni->n", at - origin[ray], direction[ray])
        return Hits(face, u, v, distance)
