"""Random changes to training shapes: what real meshes do that generated ones do not.

Turns about the up axis and normals inside out are not among them: poses undo them.

Every change comes with the share of the shapes that it is applied to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32, Float64, Int
from scipy.spatial.transform import Rotation

from alignparts.corpus.mesh.perturb import colorless, decimated, rewound, shelled
from alignparts.corpus.mesh.surface import GRAY as SHADE
from alignparts.corpus.mesh.surface import Surface

MISSING, GRAY, COARSER, SHELL = 0.15, 0.25, 0.1, 0.2
"""A named part is absent; without colors; fewer triangles; one welded shell without inner faces."""
TILTED, MIRRORED = 0.2, 0.5
"""Tilted by some degrees; left and right exchanged."""
STRETCH = 0.12
"""Standard deviation of the logarithm of the scale of every axis."""
CELL = 0.06
"""Side of a cell of a shell's grid, share of the longest half side."""
FACES = 20_000
"""Largest number of triangles that are decimated: the rest would take too long."""
SPLIT, ROUGH, RECOLORED, LIT = 0.2, 0.3, 0.25, 0.4
"""Normals of some parts inside out; noise; colors of a palette per part; other light."""


def changed_surface(surface: Surface, names: Sequence[str], rng: np.random.Generator) -> Surface:
    """Return a surface after some of the changes; ``names`` are those of its part instances."""
    present = sorted(set(names) - {""})
    if rng.random() < MISSING and len(present) > 2:
        gone = present[rng.integers(len(present))]
        keep = np.array([*(name != gone for name in names), True])[surface.face_part]
        if surface.areas()[keep].sum() > 0:
            surface = surface.subset(keep)
    if rng.random() < GRAY:
        surface = colorless(surface, 1.0, 0)
    if rng.random() < COARSER and len(surface.faces) <= FACES:
        surface = decimated(surface, rng.uniform(0.3, 0.8), 0)
    matrix = drawn_matrix(rng)
    surface = replace(surface, vertices=surface.vertices @ matrix.T)
    if np.linalg.det(matrix) < 0:  # so that normals still point outward
        surface = rewound(surface)
    return shelled(surface, CELL, int(rng.integers(2**31))) if rng.random() < SHELL else surface


def changed_samples(
    arrays: Mapping[str, Float32[np.ndarray, "n 3"]],
    instance: Int[np.ndarray, " n"],
    rng: np.random.Generator,
) -> dict[str, Float32[np.ndarray, "n 3"]]:
    """Return samples of a shape without its surface after the changes that they allow, in the model frame.

    Arguments are those of :func:`changed_points`.
    """
    matrix = drawn_matrix(rng)
    points, normals = arrays["points"] @ matrix.T, arrays["normals"] @ np.linalg.inv(matrix)
    low, high = points.min(axis=0), points.max(axis=0)
    changed = {
        "points": (points - (low + high) / 2) * (2 / max((high - low).max(), 1e-9)),
        "normals": normals / np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-6),
        "colors": np.full_like(points, SHADE[0]) if rng.random() < GRAY else arrays["colors"],
    }
    return changed_points(
        {name: values.astype(np.float32) for name, values in changed.items()}, instance, rng
    )


def drawn_matrix(rng: np.random.Generator) -> Float64[np.ndarray, "3 3"]:
    """Return a random stretch, turn, tilt and mirroring; where it mirrors its determinant is negative."""
    matrix = np.diag(np.exp(rng.normal(0, STRETCH, 3)))
    if rng.random() < TILTED:
        matrix = Rotation.from_rotvec(rng.normal(0, 0.1, 3)).as_matrix() @ matrix
    return matrix @ np.diag([1 - 2 * (rng.random() < MIRRORED), 1, 1])


def changed_points(
    arrays: Mapping[str, Float32[np.ndarray, "n 3"]],
    instance: Int[np.ndarray, " n"],
    rng: np.random.Generator,
) -> dict[str, Float32[np.ndarray, "n 3"]]:
    """Return the points, normals and colors of samples after some of the changes.

    ``instance`` is the part instance of every point.
    """
    points, normals, colors = (arrays[name] for name in ("points", "normals", "colors"))
    groups = np.unique(instance, return_inverse=True)[1]
    if rng.random() < SPLIT:
        normals = normals * np.where(rng.random(groups.max() + 1) < 0.3, -1, 1)[groups][:, None]
    if rng.random() < ROUGH:
        points = points + rng.normal(0, 0.004, points.shape)
        normals = normals + rng.normal(0, 0.1, normals.shape)
        normals = normals / np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-6)
    if rng.random() < RECOLORED:
        palette = rng.random((rng.integers(1, 6), 3))
        colors = palette[rng.integers(len(palette), size=groups.max() + 1)][groups]
    if rng.random() < LIT:
        colors = colors * rng.uniform(0.6, 1.3, 3) + rng.normal(0, 0.08, 3)
    if rng.random() < ROUGH:
        points = points * rng.uniform(0.85, 1.0)
    changed = {"points": points, "normals": normals, "colors": np.clip(colors, 0, 1)}
    return {name: values.astype(np.float32) for name, values in changed.items()}
