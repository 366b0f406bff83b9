"""Steadiness: does a shape keep its names where nothing about it has changed that a name depends on?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from tqdm.auto import tqdm

from alignparts.corpus.mesh.perturb import decimated, rewound
from alignparts.corpus.mesh.surface import Surface
from alignparts.naming.pipeline import NamedPartsPipeline

DRAWS = 5
COLUMNS = ["shape", "change", "area", "category"]


def turned(surface: Surface) -> Surface:
    """Turn by 50 degrees about the upright axis y."""
    return replace(surface, vertices=Rotation.from_euler("y", 50, degrees=True).apply(surface.vertices))


def mirrored(surface: Surface) -> Surface:
    """Mirror left and right; the winding follows, so that normals still point outward."""
    return rewound(replace(surface, vertices=surface.vertices * [-1.0, 1.0, 1.0]))


def moved(surface: Surface) -> Surface:
    """Scale by 37 and move."""
    return replace(surface, vertices=surface.vertices * 37.0 + [4.0, -5.0, 6.0])


CHANGES: Mapping[str, Callable[[Surface], Surface]] = {
    "turned about the upright axis": turned,
    "mirrored": mirrored,
    "scaled and moved": moved,
    "other winding": rewound,
    "half of the triangles": lambda surface: decimated(surface, 0.5, 0),
}


def steadiness(
    surfaces: Mapping[str, Surface], pipeline: NamedPartsPipeline, draws: int = DRAWS
) -> pd.DataFrame:
    """Name shapes by the closed vocabulary, and again after changes that should not matter.

    Returns a row of :data:`COLUMNS` per shape and change, another draw of the samples being the first of them
    (``draws`` in all): the share of the area that keeps its name, and 1 where the category stays.
    """
    rows = []
    for shape, surface in tqdm(surfaces.items(), desc="steadiness", mininterval=2.0, leave=False):
        names, category = pipeline.face_names(surface)
        share = surface.areas() / surface.areas().sum()
        again = [("another draw", surface, seed) for seed in range(1, draws)]
        for change, other, seed in [*again, *((name, do(surface), 0) for name, do in CHANGES.items())]:
            found, found_category = pipeline.face_names(other, seed=seed)
            kept = share[names == found[_same_faces(surface, other)]].sum()
            rows.append((shape, change, float(kept), float(category == found_category)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _same_faces(surface: Surface, other: Surface) -> Sequence[int] | np.ndarray:
    """Return the face of the changed surface for each of the original; the nearest where some are gone."""
    if len(other.faces) == len(surface.faces):
        return np.arange(len(surface.faces))
    centers = (one.vertices[one.faces].mean(axis=1) for one in (other, surface))
    return cKDTree(next(centers)).query(next(centers))[1]
