"""Points drawn from a surface, the same ones for the same shape id (section 3.1), and labels carried back."""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int, Int32, Int64
from scipy.spatial import cKDTree

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.surface import Surface

_NEIGHBORS = 8
_CHUNK = 65_536
"""Faces that are looked up at once: bounds memory on meshes of any size."""


@dataclass(frozen=True)
class Sample:
    """Surface samples in the model frame.

    Attributes:
        points: positions in [-1, 1]: bounding-box center at 0, longest half side 1; PartField's frame is
            ``0.9 * points``.
        face: triangle that a point lies on.
        bary: barycentric coordinates in that triangle.
        normals: unit normals, by winding.
        colors: RGB in 0..1.
        instance: part instance, -1 where unlabeled.
        center: origin of the model frame: model = (x - center) * scale.
        scale: see ``center``.
    """

    points: Float32[np.ndarray, "N 3"]
    face: Int64[np.ndarray, " N"]
    bary: Float32[np.ndarray, "N 3"]
    normals: Float32[np.ndarray, "N 3"]
    colors: Float32[np.ndarray, "N 3"]
    instance: Int32[np.ndarray, " N"]
    center: Float64[np.ndarray, " 3"]
    scale: float


def sample_surface(surface: Surface, n: int, seed: int) -> Sample:
    """Draw ``n`` >= 1 points with a density proportional to area; equal seeds give equal points."""
    if n < 1:
        raise AlignPartsError(f"points to sample: expected at least 1, got {n}")
    center, scale = surface.frame()
    rng = np.random.default_rng(seed)
    areas = surface.areas()
    drawn = np.flatnonzero(areas > 0)
    edges = np.cumsum(areas[drawn])
    at = np.searchsorted(edges, rng.random(n) * edges[-1], side="right")
    face = drawn[np.minimum(at, len(drawn) - 1)]
    root, second = np.sqrt(rng.random(n)), rng.random(n)
    bary = np.stack([1 - root, root * (1 - second), root * second], axis=1)
    position = (surface.vertices[surface.faces[face]] * bary[:, :, None]).sum(axis=1)
    return Sample(
        points=np.clip((position - center) * scale, -1, 1).astype(np.float32),
        face=face.astype(np.int64),
        bary=bary.astype(np.float32),
        normals=surface.normals()[face].astype(np.float32),
        colors=surface.color_at(face, bary)[:, :3],
        instance=surface.face_part[face],
        center=center,
        scale=scale,
    )


def seed_of(shape_id: str, seed: int) -> int:
    """Return a seed that depends on the shape's id and the run's seed only, equal on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{shape_id}".encode()).digest()[:8], "little") >> 1


def face_labels(
    surface: Surface, sample: Sample, point_part: Int[np.ndarray, " n"], parts: int, *, fill: bool = False
) -> Int32[np.ndarray, " faces"]:
    """Return the part of every face, -1 unlabeled.

    A face on which samples lie takes the label of most of them. Any other takes the vote of the samples
    nearest to its center, weighted by nearness and by the agreement of the normals (either side, since real
    meshes mix their winding). "Unlabeled" votes like a part. The lowest part wins a tie.

    Args:
        surface: mesh whose faces are labeled.
        sample: points on the mesh, in the model frame.
        point_part: part of every sample, -1 unlabeled.
        parts: number of parts.
        fill: let faces that come out unlabeled take the best part all the same, where there is any part.
    """
    part_of = np.full(len(surface.faces), -1, np.int32)
    voters = np.flatnonzero(point_part >= 0) if fill else np.arange(len(point_part))
    if parts == 0 or not len(voters):
        return part_of
    column = np.where(point_part < 0, parts, point_part)[voters]
    sampled, majority = _majority(sample.face[voters], column, parts + 1)
    part_of[sampled] = majority
    rest = np.setdiff1d(np.arange(len(part_of)), sampled, assume_unique=True)
    points, normals = sample.points[voters].astype(np.float64), sample.normals[voters].astype(np.float64)
    tree, face_normals = cKDTree(points), surface.normals()
    near_count = min(_NEIGHBORS, tree.n)
    for start in range(0, len(rest), _CHUNK):
        faces = rest[start : start + _CHUNK]
        centers = (surface.vertices[surface.faces[faces]].mean(axis=1) - sample.center) * sample.scale
        distance, near = (array.reshape(-1, near_count) for array in tree.query(centers, k=near_count))
        agreement = np.abs(np.einsum("mkd,md->mk", normals[near], face_normals[faces]))
        weight = (0.1 + agreement) / (0.05 + distance / (distance[:, -1:] + 1e-9))
        votes = np.zeros((len(faces), parts + 1))
        np.add.at(votes, (np.arange(len(faces))[:, None], column[near]), weight)
        part_of[faces] = votes.argmax(axis=1)
    part_of[part_of == parts] = -1
    return part_of


def _majority(
    face: Int[np.ndarray, " n"], column: Int[np.ndarray, " n"], columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the faces with a sample, and the label of most of their samples."""
    pairs, votes = np.unique(face.astype(np.int64) * columns + column, return_counts=True)
    faces, labels = pairs // columns, pairs % columns
    # By face, then most votes, then lowest label; the first of every face wins.
    order = np.lexsort((labels, -votes, faces))
    hit, first = np.unique(faces[order], return_index=True)
    return hit, labels[order][first]
