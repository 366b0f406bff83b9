"""Disturbed surfaces: turned, noisy, coarser, without color, as one shell. Parts keep their instances."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import trimesh
from jaxtyping import Bool, Float64, Int, Int64
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.mesh.surface import GRAY, Surface, join_surfaces, make_surface

LEAST = 4
"""Triangles that a part keeps at least: a tetrahedron."""
SHELL_FACES = 20_000
"""Maximum number of triangles of a shell."""
STRENGTH = {
    "rotation": "degrees about a random axis",
    "noise": "noise of vertices, share of the longest half side",
    "decimation": "share of triangles removed",
    "texture": "without color and texture",
    "shell": "one welded shell; side of a cell, share of the longest half side",
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


def rewound(surface: Surface) -> Surface:
    """Reverse the winding of all faces."""
    return replace(
        surface,
        faces=surface.faces[:, ::-1].copy(),
        uv=surface.uv[:, ::-1].copy(),
        corner_color=surface.corner_color[:, ::-1].copy(),
    )


def shelled(surface: Surface, cell: float, seed: int) -> Surface:
    """Replace all by one smooth shell around it, without inner faces, as generators of meshes make them.

    The shell is the border of the filled cells of a grid, smoothed, of at most `SHELL_FACES` triangles. Color
    and part are those of the nearest of many samples. ``cell`` is the side of a cell, as a share (0 to 1) of
    the longest half side.
    """
    if not 0 < cell <= 1:
        raise AlignPartsError(f"shell: expected a share of the longest half side from 0 to 1, got {cell}")
    sample = sample_surface(surface, round(48 * (2 / cell) ** 2), seed)
    at = np.floor((sample.points.astype(np.float64) + 1) / cell).astype(np.int64) + 1
    grid = np.zeros((int(2 / cell) + 4,) * 3, bool)
    grid[tuple(at.T)] = True
    corners, faces = _border(ndimage.binary_fill_holes(grid))
    mesh = trimesh.Trimesh((corners - 1) * cell - 1, faces, process=False)
    trimesh.smoothing.filter_taubin(mesh)
    if len(mesh.faces) > SHELL_FACES:
        mesh = mesh.simplify_quadric_decimation(face_count=SHELL_FACES)
    near = cKDTree(sample.points).query(mesh.triangles_center)[1]
    color = np.concatenate([sample.colors[near], np.ones((len(near), 1), np.float32)], axis=1)
    vertices = mesh.vertices / sample.scale + sample.center
    return make_surface(vertices, mesh.faces, face_part=sample.instance[near], color=color)


def _border(
    filled: Bool[np.ndarray, "x y z"],
) -> tuple[Float64[np.ndarray, "V 3"], Int64[np.ndarray, "F 3"]]:
    """Return corners and outward triangles of the border of filled cells, none of them at the edge."""
    quads = []
    for axis in range(3):
        step, first, second = np.roll(np.eye(3, dtype=np.int64), -axis, axis=0)
        for side in (0, 1):
            at = np.argwhere(filled & ~np.roll(filled, 1 - 2 * side, axis=axis)) + side * step
            quad = np.stack([at, at + first, at + first + second, at + second], axis=1)
            quads.append(quad if side else quad[:, ::-1])
    corners = np.concatenate(quads)
    places, index = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    index = index.reshape(-1, 4)
    return places.astype(np.float64), np.concatenate([index[:, [0, 1, 2]], index[:, [0, 2, 3]]])


DISTURBANCES: Mapping[str, Callable[[Surface, float, int], Surface]] = {
    "rotation": rotated, "noise": noisy, "decimation": decimated, "texture": colorless, "shell": shelled,
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
