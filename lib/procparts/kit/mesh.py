"""Define the mesh of one part and its transforms. Up is +y, the front is +z, lengths are meters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from trimesh import transformations, triangles, util

from procparts.kit.materials import Material, Scalar

Vector = Sequence[Any] | np.ndarray
AXES = {"x": 0, "y": 1, "z": 2}


@dataclass
class Mesh:
    """Hold triangles: vertices (V, 3) float64 in meters, faces (F, 3) int64; transforms share the faces."""

    vertices: np.ndarray
    faces: np.ndarray

    def bounds(self) -> np.ndarray:
        """Return the lowest and the highest corner, (2, 3) in meters."""
        return np.array([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    def cross(self) -> np.ndarray:
        """Return the face normals times twice the area, (F, 3)."""
        return triangles.cross(self.vertices[self.faces])

    def area(self) -> float:
        """Return the surface area in square meters."""
        return float(np.linalg.norm(self.cross(), axis=1).sum() / 2)

    def volume(self) -> float:
        """Return the signed volume; it is positive where the faces of a closed mesh look outwards."""
        corner = self.vertices[self.faces[:, 0]] - self.vertices.mean(axis=0)
        return float((corner * self.cross()).sum() / 6)

    def flipped(self) -> "Mesh":
        """Return the same surface, facing the other way."""
        return Mesh(self.vertices, self.faces[:, ::-1])


@dataclass
class Piece:
    """Hold one instance of a part.

    Attributes:
        part: key of the part in the generator's category.
        mesh: surface of the part.
        material: material of the part.
        uv: texture coordinates (V, 2) of the vertices, origin at the lower left; `finish` sets them.
    """

    part: str
    mesh: Mesh
    material: Material
    uv: np.ndarray | None = None


def move(mesh: Mesh, xyz: Vector) -> Mesh:
    """Return the mesh moved by `xyz` meters."""
    return Mesh(mesh.vertices + np.asarray(xyz, dtype=float), mesh.faces)


def rotate(mesh: Mesh, axis: str | Vector, angle: Scalar, point: Vector = (0, 0, 0)) -> Mesh:
    """Return the mesh turned right-handed about the line through `point` along `axis`, by `angle` radians.

    `axis` is "x", "y", "z" or a vector.
    """
    direction = np.eye(3)[AXES[axis]] if isinstance(axis, str) else axis
    turn = transformations.rotation_matrix(angle, direction, point)
    return Mesh(mesh.vertices @ turn[:3, :3].T + turn[:3, 3], mesh.faces)


def scale(mesh: Mesh, s: Scalar | Vector) -> Mesh:
    """Return the mesh scaled about the origin by one factor or one per axis; faces keep looking outwards."""
    factors = np.broadcast_to(np.asarray(s, dtype=float), (3,))
    return Mesh(mesh.vertices * factors, mesh.faces[:, ::-1] if np.prod(factors) < 0 else mesh.faces)


def mirror(mesh: Mesh, axis: str) -> Mesh:
    """Return the mesh reflected across `axis` at the origin; faces keep looking outwards."""
    return scale(mesh, np.where(np.arange(3) == AXES[axis], -1.0, 1.0))


def bend(mesh: Mesh, axis: str, angle: Scalar) -> Mesh:
    """Return the mesh rolled along its length `axis` over `angle` radians, its two ends lifted.

    Lengths on the middle line are kept. The ends move towards +z (towards +y when the length is z); the
    middle of the length stays where it is.
    """
    if abs(float(angle)) < 1e-6:
        return mesh
    along, lift = AXES[axis], 1 if axis == "z" else 2
    low, high = mesh.bounds()
    middle, length = (low[along] + high[along]) / 2, max(high[along] - low[along], 1e-9)
    base = (low[lift] + high[lift]) / 2
    radius = length / float(angle)
    turn = (mesh.vertices[:, along] - middle) / radius
    arm = radius - (mesh.vertices[:, lift] - base)
    vertices = mesh.vertices.copy()
    vertices[:, along] = middle + np.sin(turn) * arm
    vertices[:, lift] = base + radius - np.cos(turn) * arm
    return Mesh(vertices, mesh.faces)


def taper(mesh: Mesh, axis: str, amount: Scalar) -> Mesh:
    """Return the mesh with its cross-section shrunk linearly along `axis`, from 1 to 1 - `amount`."""
    along = AXES[axis]
    low, high = mesh.bounds()
    t = (mesh.vertices[:, along] - low[along]) / max(high[along] - low[along], 1e-9)
    middle = (low + high) / 2
    vertices = middle + (mesh.vertices - middle) * (1 - float(amount) * t[:, None])
    vertices[:, along] = mesh.vertices[:, along]
    return Mesh(vertices, mesh.faces)


def merge(*meshes: Mesh) -> Mesh:
    """Return one mesh that holds all of `meshes`; it is empty when there are none."""
    return Mesh(*util.append_faces([mesh.vertices for mesh in meshes], [mesh.faces for mesh in meshes]))


def place(mesh: Mesh, start: Vector, end: Vector) -> Mesh:
    """Return a mesh made along +y from 0 to 1, turned and stretched to run from `start` to `end`."""
    a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    length = max(float(np.linalg.norm(b - a)), 1e-9)
    direction = (b - a) / length
    stretched = scale(mesh, (1, length, 1))
    axis = np.cross([0.0, 1.0, 0.0], direction)
    if np.linalg.norm(axis) > 1e-9:
        stretched = rotate(stretched, axis, float(np.arccos(np.clip(direction[1], -1, 1))))
    elif direction[1] < 0:
        stretched = rotate(stretched, "x", np.pi)
    return move(stretched, a)
