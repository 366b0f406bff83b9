"""Labels of sampled points, carried to every face of the mesh."""

import numpy as np
from jaxtyping import Float, Int, Int32
from scipy.spatial import cKDTree

from alignparts.corpus.mesh.sampling import Sample
from alignparts.corpus.mesh.surface import Surface

NEIGHBORS = 8
CHUNK = 65_536
"""Faces that are looked up at once: bounds memory on meshes of any size."""


def face_labels(
    surface: Surface, sample: Sample, point_part: Int[np.ndarray, " n"], parts: int, *, fill: bool = False
) -> Int32[np.ndarray, " faces"]:
    """Return the part of every face, -1 unlabeled.

    A face on which samples lie takes the label of most of them. Any other takes the vote of the samples
    nearest to its center, weighted by nearness and by how well the normals agree (either side, since real
    meshes mix their winding). "Unlabeled" votes like a part. Ties: the lowest part.

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
    tree = cKDTree(points)
    face_normals = surface.normals()
    for start in range(0, len(rest), CHUNK):
        faces = rest[start : start + CHUNK]
        centers = (surface.vertices[surface.faces[faces]].mean(axis=1) - sample.center) * sample.scale
        part_of[faces] = _vote(tree, normals, column, centers, face_normals[faces], parts + 1)
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


def _vote(
    tree: cKDTree,
    normals: Float[np.ndarray, "n 3"],
    column: Int[np.ndarray, " n"],
    centers: Float[np.ndarray, "m 3"],
    face_normals: Float[np.ndarray, "m 3"],
    columns: int,
) -> Int[np.ndarray, " m"]:
    """Return the label with most weight among the samples nearest to every center."""
    count = min(NEIGHBORS, tree.n)
    distance, near = (array.reshape(-1, count) for array in tree.query(centers, k=count))
    agreement = np.abs(np.einsum("mkd,md->mk", normals[near], face_normals))
    weight = (0.1 + agreement) / (0.05 + distance / (distance[:, -1:] + 1e-9))
    votes = np.zeros((len(centers), columns))
    np.add.at(votes, (np.arange(len(centers))[:, None], column[near]), weight)
    return votes.argmax(axis=1)
