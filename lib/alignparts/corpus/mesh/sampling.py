"""Points drawn from a surface by area, the same ones for the same shape id (section 3.1)."""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.surface import Surface


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
