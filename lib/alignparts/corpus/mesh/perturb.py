"""Disturbed surfaces: turned, noisy, with fewer triangles, without color. Parts keep their instances."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import trimesh
from jaxtyping import Int
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.surface import GRAY, Surface, join_surfaces, make_surface

LEAST = 4
"""Triangles that a part keeps at least: a tetrahedron."""
STRENGTH = {
    "rotation": "degrees about a random axis",
    "noise": "noise of vertices, share of the longest half side",
    "decimation": "share of triangles removed",
    "texture": "without color and texture",
}
"""Meaning of the strength of every disturbance."""


def disturbed(surface: Surface, kind: str, strength: float, seed: int = 0) -> Surface:
    """Return a surface after one of `DISTURBANCES`; strength 0 leaves it as it is."""
    if kind not in DISTURBANCES:
        raise AlignPartsError(f"disturbance '{kind}': expected one of {', '.join(DISTURBANCES)}")
    return surface if strength == 0 else DISTURBANCES[kind](surface, strength, seed)


def rotated(surface: Surface, degrees: float, seed: int) -> Surface:
    """Turn by an angle about a random axis."""
    axis = np.random.default_rng(seed).normal(size=3)
    turn = Rotation.from_rotvec(np.radians(degrees) * axis / np.linalg.norm(axis))
    return replace(surface, vertices=turn.apply(surface.vertices))


def noisy(surface: Surface, share: float, seed: int) -> Surface:
    """Move every vertex by normal noise whose standard deviation is a share of the longest half side.

    Vertices at one place move together, and the corners of a surfel, so that no crack opens.
    """
    if surface.is_cloud:
        groups = np.zeros(len(surface.vertices), np.int64)
        groups[surface.faces.ravel()] = np.repeat(np.arange(len(surface.faces)) // 2, 3)
    else:
        groups = np.unique(surface.vertices, axis=0, return_inverse=True)[1].ravel()
    scale = surface.frame()[1]
    moves = np.random.default_rng(seed).normal(size=(int(groups.max()) + 1, 3)) * (share / scale)
    return replace(surface, vertices=surface.vertices + moves[groups])


def decimated(surface: Surface, removed: float, seed: int) -> Surface:
    """Reduce triangles by quadric edge collapse within each part; a cloud loses points at random.

    A new triangle has the mean color of the old one of its part whose center is nearest. Textures are gone.
    ``removed`` is the share (0 to below 1) of the triangles that go; a part keeps `LEAST` of them.
    """
    if not 0 <= removed < 1:
        raise AlignPartsError(f"decimation: expected a share of triangles from 0 to below 1, got {removed}")
    if surface.is_cloud:
        points = len(surface.faces) // 2
        stay = np.random.default_rng(seed).permutation(points)[: max(round((1 - removed) * points), LEAST)]
        return surface.subset(np.sort(np.concatenate([2 * stay, 2 * stay + 1])))
    solid = surface.areas() > 0
    parts = [np.flatnonzero((surface.face_part == part) & solid) for part in np.unique(surface.face_part)]
    return join_surfaces([_simplified(surface, faces, removed) for faces in parts if len(faces)])


def colorless(surface: Surface, strength: float, seed: int) -> Surface:
    """Make everything gray, without texture and color, whatever the strength."""
    gray = np.broadcast_to(np.array(GRAY, np.float32), surface.corner_color.shape)
    return replace(surface, corner_color=gray.copy(), textures=(None,) * len(surface.textures))


DISTURBANCES: Mapping[str, Callable[[Surface, float, int], Surface]] = {
    "rotation": rotated, "noise": noisy, "decimation": decimated, "texture": colorless,
}  # fmt: skip
"""Functions of a surface, a strength and a seed."""


def _simplified(surface: Surface, faces: Int[np.ndarray, " f"], removed: float) -> Surface:
    """Return some faces of a surface, all of one part, with fewer triangles."""
    mesh = trimesh.Trimesh(surface.vertices, surface.faces[faces], process=False)
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    aim = max(round((1 - removed) * len(faces)), LEAST)
    simple = mesh.simplify_quadric_decimation(face_count=aim) if aim < len(faces) else mesh
    if not len(simple.faces) or not simple.area > 0:
        simple = mesh
    centers = surface.vertices[surface.faces[faces]].mean(axis=1)
    nearest = faces[cKDTree(centers).query(simple.triangles_center)[1]]
    color = surface.color_at(nearest, np.full((len(nearest), 3), 1 / 3))
    part = np.full(len(simple.faces), surface.face_part[faces[0]], np.int32)
    return make_surface(simple.vertices, simple.faces, face_part=part, color=color)
