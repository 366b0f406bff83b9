"""The mesh of one part and the transforms of it.

Up is +y, the front is +z, lengths are meters. Texture coordinates are meters too, so a texture tiles at
the same size over all parts of a shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from procparts.kit.materials import Material, Scalar

Vector = Sequence[Any] | np.ndarray
AXES = {"x": 0, "y": 1, "z": 2}


@dataclass
class Mesh:
    """Triangles with texture coordinates: vertices (V, 3) float64, faces (F, 3) int64, uv (V, 2) float64."""

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray

    def copy(self) -> "Mesh":
        """A mesh that shares nothing with this one."""
        return Mesh(self.vertices.copy(), self.faces.copy(), self.uv.copy())

    def bounds(self) -> np.ndarray:
        """The lowest and the highest corner, (2, 3)."""
        return np.array([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    def cross(self) -> np.ndarray:
        """Face normals times twice the area, (F, 3)."""
        a, b, c = (self.vertices[self.faces[:, k]] for k in range(3))
        return np.cross(b - a, c - a)

    def area(self) -> float:
        """Surface area."""
        return float(np.linalg.norm(self.cross(), axis=1).sum() / 2)

    def volume(self) -> float:
        """Signed volume; positive where the faces of a closed mesh look outwards."""
        corner = self.vertices[self.faces[:, 0]] - self.vertices.mean(axis=0)
        return float((corner * self.cross()).sum() / 6)

    def flipped(self) -> "Mesh":
        """The same surface, facing the other way."""
        return Mesh(self.vertices.copy(), self.faces[:, ::-1].copy(), self.uv.copy())


@dataclass
class Piece:
    """One instance of a part: its key in the generator's category, its mesh, its material."""

    part: str
    mesh: Mesh
    material: Material


def move(mesh: Mesh, xyz: Vector) -> Mesh:
    """The mesh moved by `xyz`."""
    return Mesh(mesh.vertices + np.asarray(xyz, dtype=float), mesh.faces.copy(), mesh.uv.copy())


def rotation(axis: str | Vector, angle: Scalar) -> np.ndarray:
    """Rotation matrix (3, 3), right-handed about `axis` ("x", "y", "z" or a vector), in radians."""
    if isinstance(axis, str):
        direction = np.eye(3)[AXES[axis]]
    else:
        direction = np.asarray(axis, dtype=float)
        direction = direction / np.linalg.norm(direction)
    x, y, z = direction
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)


def rotate(mesh: Mesh, axis: str | Vector, angle: Scalar, point: Vector = (0, 0, 0)) -> Mesh:
    """The mesh turned about the line through `point` along `axis`, by `angle` radians."""
    origin = np.asarray(point, dtype=float)
    turned = (mesh.vertices - origin) @ rotation(axis, angle).T + origin
    return Mesh(turned, mesh.faces.copy(), mesh.uv.copy())


def scale(mesh: Mesh, s: Scalar | Vector) -> Mesh:
    """The mesh scaled about the origin by one factor or by one an axis; faces keep looking outwards."""
    factors = np.broadcast_to(np.asarray(s, dtype=float), (3,))
    faces = mesh.faces[:, ::-1] if np.prod(np.sign(factors)) < 0 else mesh.faces
    return Mesh(mesh.vertices * factors, faces.copy(), mesh.uv * np.abs(factors).mean())


def mirror(mesh: Mesh, axis: str) -> Mesh:
    """The mesh reflected in the plane through the origin across `axis`; faces keep looking outwards."""
    vertices = mesh.vertices.copy()
    vertices[:, AXES[axis]] *= -1
    return Mesh(vertices, mesh.faces[:, ::-1].copy(), mesh.uv.copy())


def bend(mesh: Mesh, axis: str, angle: Scalar) -> Mesh:
    """The mesh rolled along its length `axis` over `angle` radians, its two ends lifted.

    Lengths on the middle line are kept. The ends move towards +z (towards +y when the length is z); the
    middle of the length stays where it is.
    """
    if abs(float(angle)) < 1e-6:
        return mesh.copy()
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
    return Mesh(vertices, mesh.faces.copy(), mesh.uv.copy())


def taper(mesh: Mesh, axis: str, amount: Scalar) -> Mesh:
    """The mesh with its cross-section shrunk linearly along `axis`, from 1 to 1 - amount."""
    along = AXES[axis]
    low, high = mesh.bounds()
    t = (mesh.vertices[:, along] - low[along]) / max(high[along] - low[along], 1e-9)
    middle = (low + high) / 2
    vertices = mesh.vertices.copy()
    for k in range(3):
        if k != along:
            vertices[:, k] = middle[k] + (vertices[:, k] - middle[k]) * (1 - float(amount) * t)
    return Mesh(vertices, mesh.faces.copy(), mesh.uv.copy())


def merge(*meshes: Mesh) -> Mesh:
    """One mesh holding all of `meshes`; an empty mesh when there are none."""
    if not meshes:
        return Mesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64), np.zeros((0, 2)))
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]),
        np.concatenate([mesh.uv for mesh in meshes]),
    )


def place(mesh: Mesh, start: Vector, end: Vector) -> Mesh:
    """A mesh made along +y from 0 to 1, turned and stretched so that it runs from `start` to `end`."""
    a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    length = max(float(np.linalg.norm(b - a)), 1e-9)
    direction = (b - a) / length
    stretched = Mesh(mesh.vertices * [1, length, 1], mesh.faces.copy(), mesh.uv * [1, length])
    axis = np.cross([0.0, 1.0, 0.0], direction)
    if np.linalg.norm(axis) > 1e-9:
        stretched = rotate(stretched, axis, float(np.arccos(np.clip(direction[1], -1, 1))))
    elif direction[1] < 0:
        stretched = rotate(stretched, "x", np.pi)
    return move(stretched, a)
