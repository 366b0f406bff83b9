"""Finish a shape: proportions, the mess of real assets, texture coordinates, pose."""

import numpy as np
from trimesh import remesh

from procparts.kit.mesh import Mesh, Piece, Scalar, rotate, scale

TEN_DEGREES = np.pi / 18
UP = np.array([0.0, 1.0, -0.02])
"""Direction of a picture's top; backwards where the picture lies flat."""
FRONT = np.diag([0.0, 0.0, 0.1])
"""Added to the covariance of normals, so that a label all round a body faces the front."""


def finish(pieces: list[Piece], rng: np.random.Generator, free_yaw: Scalar) -> list[Piece]:
    """Return the pieces with jittered proportions, some mess, texture coordinates and a pose.

    Tiling textures repeat about twice over the longest side of the shape whatever its size; pictures
    (screens, labels) are stretched once over their piece. A share `free_yaw` of the shapes is turned freely
    about the up axis.
    """
    stretch = np.exp(rng.normal(0, 0.07, 3))
    yaw = rng.uniform(-np.pi, np.pi) if rng.random() < free_yaw else rng.uniform(-TEN_DEGREES, TEN_DEGREES)
    messy = rng.random() < 0.5
    meshes = []
    for piece in pieces:
        mesh = _mess(piece.mesh, rng) if messy and rng.random() < 0.4 else piece.mesh
        meshes.append(scale(mesh, stretch))
    corners = np.array([corner for mesh in meshes for corner in mesh.bounds()])
    tile = rng.uniform(1.5, 3.0) / max(float(np.ptp(corners, axis=0).max()), 1e-9)
    shift = rng.random((len(pieces), 2))
    done = []
    for piece, mesh, offset in zip(pieces, meshes, shift, strict=True):
        if piece.material.tiled:
            mesh, uv = _triplanar(mesh)
            uv = uv * tile + offset
        else:
            mesh, uv = _planar(mesh)
        done.append(Piece(piece.part, rotate(mesh, "y", yaw), piece.material, uv))
    return done


def _split(mesh: Mesh, group: np.ndarray) -> tuple[Mesh, np.ndarray]:
    """Return the mesh with vertices split between faces of different groups (F,), and the group of each."""
    groups = int(group.max()) + 1
    corner = mesh.faces * groups + group[:, None]
    used = np.zeros(len(mesh.vertices) * groups, dtype=bool)
    used[corner] = True
    key = np.flatnonzero(used)
    return Mesh(mesh.vertices[key // groups], (np.cumsum(used) - 1)[corner]), key % groups


def _triplanar(mesh: Mesh) -> tuple[Mesh, np.ndarray]:
    """Return the mesh, split where its plane changes, and uv in meters, each face seen along its main axis.

    v runs up, or along the piece's length where it is a bar, so that wood grain does.
    """
    # The bias keeps both triangles of a quad at 45 degrees in one plane.
    mesh, axis = _split(mesh, (np.abs(mesh.cross()) * [1.0, 1.02, 1.01]).argmax(axis=1))
    size = np.ptp(mesh.vertices, axis=0)
    first = size.argmax() if size.max() > 2 * np.sort(size)[1] else 1
    order = np.array([first, *(k for k in (1, 2, 0) if k != first)])
    planes = np.array([order[order != k][::-1] for k in range(3)])
    return mesh, np.take_along_axis(mesh.vertices, planes[axis], axis=1)


def _planar(mesh: Mesh) -> tuple[Mesh, np.ndarray]:
    """Return the mesh and uv that spread a picture once over the side it shows most, and over its back.

    The picture stands upright and is not mirrored seen from outside.
    """
    normal = mesh.cross()
    size = np.linalg.norm(normal, axis=1).sum()
    spread = normal.T @ (normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-15)) / size
    facing = np.linalg.eigh(spread + FRONT)[1][:, -1]
    mesh, back = _split(mesh, (normal @ facing < 0).astype(np.int64))
    up = UP - (UP @ facing) * facing
    uv = mesh.vertices @ np.stack([np.cross(up, facing), up], axis=1)
    uv = (uv - uv.min(axis=0)) / np.maximum(np.ptp(uv, axis=0), 1e-9)
    return mesh, np.column_stack([np.where(back, 1 - uv[:, 0], uv[:, 0]), uv[:, 1]])


def _mess(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Return the mesh with one or two of the faults that modeled assets have."""
    faults = (_unweld, _flip, _open_bottom, _split_some, _quarter, _repeat_faces)
    for k in rng.choice(len(faults), size=int(rng.integers(1, 3)), replace=False):
        mesh = faults[k](mesh, rng)
    return mesh


def _unweld(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Give every face vertices of its own."""
    return Mesh(mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(mesh.faces.size).reshape(-1, 3))


def _flip(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Turn all faces round, or a random third of them."""
    everything = rng.random() < 0.5
    turned = np.ones(len(mesh.faces), bool) if everything else rng.random(len(mesh.faces)) < 0.33
    return Mesh(mesh.vertices, np.where(turned[:, None], mesh.faces[:, ::-1], mesh.faces))


def _open_bottom(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Drop the faces that are out of sight: those looking down, or those looking back."""
    normal = mesh.cross()
    size = np.linalg.norm(normal, axis=1)
    keep = normal[:, 1 if rng.random() < 0.6 else 2] > -0.9 * np.maximum(size, 1e-15)
    return Mesh(mesh.vertices, mesh.faces[keep]) if size[keep].sum() >= 0.4 * size.sum() else mesh


def _split_some(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Cut a random fifth of the faces in four, twice; the others keep T-junctions."""
    for _ in range(2):
        if len(mesh.faces) < 600:
            chosen = np.flatnonzero(rng.random(len(mesh.faces)) < 0.2)
            mesh = Mesh(*remesh.subdivide(mesh.vertices, mesh.faces, face_index=chosen))
    return mesh


def _quarter(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Cut all faces in four, twice, so that one part is far denser than its neighbors."""
    for _ in range(2):
        if len(mesh.faces) < 200:
            mesh = Mesh(*remesh.subdivide(mesh.vertices, mesh.faces))
    return mesh


def _repeat_faces(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Repeat a tenth of the faces, which makes their edges non-manifold."""
    again = mesh.faces[rng.random(len(mesh.faces)) < 0.1]
    return Mesh(mesh.vertices, np.concatenate([mesh.faces, again]))
