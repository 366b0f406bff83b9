"""Bring an object into the form in which the 3D view draws it."""

from functools import lru_cache

import numpy as np
from jaxtyping import Int

from alignparts.core.errors import AlignPartsError
from alignparts.pictures.palette import palette
from texparts.annotation.chunks import Chunks, PatchMesh
from texparts.annotation.geometry import Shape
from texparts.annotation.picking import Picker

LIFT = 0.003
"""Distance of a stroke under way from the surface, in units of the view (longest side 2)."""
object_colors = lru_cache(maxsize=512)(palette)
"""Returns a color for every part name of a frozen set; no two are alike."""


class Drawn:
    """An object in the frame of the view: center at 0, longest side 2, within a sphere of ``radius``.

    ``center``, of its box in the frame of the file, and the factor ``scale`` lead there from the file.
    """

    def __init__(self, shape: Shape) -> None:
        used = shape.vertices[np.unique(shape.faces)].astype(np.float64)
        low, high = used.min(axis=0), used.max(axis=0)
        self.shape = shape
        self.center = (low + high) / 2
        self.scale = 2 / max(float((high - low).max()), 1e-30)
        self.radius = float(np.linalg.norm(used - self.center, axis=1).max()) * self.scale
        self._vertices = ((shape.vertices - self.center) * self.scale).astype(np.float32)
        self.chunks = Chunks(self._vertices, shape.faces)
        self.picker = Picker(shape, self._vertices.astype(np.float64))

    def glb(self) -> bytes:
        """Return the bytes of the object's file."""
        path = self.shape.folder.path / "mesh.glb"
        try:
            return path.read_bytes()
        except OSError as error:
            raise AlignPartsError(f"{path}: cannot be read: {error.strerror}") from None

    def lifted(self, faces: Int[np.ndarray, " n"]) -> PatchMesh:
        """Return faces as a mesh of separate triangles on both sides of the surface."""
        corners = self._vertices[self.shape.faces[faces]]
        lift = LIFT * self.shape.normals[faces, None]
        both = np.concatenate([corners + lift, corners - lift])
        vertices = both.reshape(-1, 3).astype(np.float32)
        return PatchMesh(vertices, np.arange(len(vertices), dtype=np.int32).reshape(-1, 3))
