"""Faces that meet at an edge, by position alone.

Vertices are welded first. Otherwise the way in which a file groups its faces, which may be the ground truth
itself, would decide which of them meet.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from alignparts.corpus.mesh.surface import Surface

WELD = 2.0**-16
"""Vertices this close to each other are one; in the model frame, whose longest half side is 1."""


@dataclass(frozen=True)
class Adjacency:
    """Pairs of faces that share an edge; of more than two at one edge, a chain by their third corners.

    Attributes:
        first, second: the faces.
        length: length of the edge in the model frame.
        angle: angle in degrees between the normals, 0 where flat, whichever way the faces are wound.
    """

    first: Int64[np.ndarray, " pairs"]
    second: Int64[np.ndarray, " pairs"]
    length: Float64[np.ndarray, " pairs"]
    angle: Float64[np.ndarray, " pairs"]


def weld(surface: Surface) -> Int64[np.ndarray, " V"]:
    """Return a number per vertex, equal for vertices at one position."""
    center, scale = surface.frame()
    cell = np.round((surface.vertices - center) * (scale / WELD)).clip(-(2**20), 2**20 - 1).astype(np.int64)
    key = ((cell[:, 0] + 2**20) << 42) | ((cell[:, 1] + 2**20) << 21) | (cell[:, 2] + 2**20)
    return np.unique(key, return_inverse=True)[1].astype(np.int64)


def adjacency(surface: Surface) -> Adjacency:
    """Return the pairs of faces that meet at an edge."""
    corners = weld(surface)[surface.faces]
    start, end = corners.ravel(), corners[:, [1, 2, 0]].ravel()
    solid = start != end
    face = np.repeat(np.arange(len(corners)), 3)[solid]
    start, end = start[solid], end[solid]
    key = np.minimum(start, end) * (corners.max(initial=0) + 1) + np.maximum(start, end)
    order = np.lexsort((corners[:, [2, 0, 1]].ravel()[solid], key))  # whatever the order in the file
    meet = np.flatnonzero(key[order][1:] == key[order][:-1])
    one, other = order[meet], order[meet + 1]
    apart = face[one] != face[other]
    one, other = one[apart], other[apart]
    first, second = face[one], face[other]
    # Two faces that are wound alike run along their edge in opposite directions.
    alike = np.where(start[one] != start[other], 1.0, -1.0)
    normals = surface.normals()
    cosine = np.einsum("pi,pi->p", normals[first], normals[second]) * alike
    places = np.flatnonzero(solid)[one]
    ends = surface.vertices[surface.faces]
    side = ends.reshape(-1, 3)[places] - ends[:, [1, 2, 0]].reshape(-1, 3)[places]
    length = np.linalg.norm(side, axis=1) * surface.frame()[1]
    return Adjacency(first, second, length, np.degrees(np.arccos(cosine.clip(-1, 1))))


def connected(
    count: int, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]
) -> Int64[np.ndarray, " count"]:
    """Return the connected component of each of ``count`` items, by pairs of connected ones."""
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)
