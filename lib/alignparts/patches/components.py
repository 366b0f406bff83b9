"""Connected components of a surface as parts that nobody named.

The recipe is that of P3-SAM (Ma et al. 2025): small components join what is next to them, and a shape of one
piece, or of very many, tells nothing.
"""

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.mesh.surface import Surface
from alignparts.patches.adjacency import adjacency, connected

LEAST = 0.01
"""Share of the area that a part has at least."""
FEWEST, MOST = 2, 50
"""Smallest and largest number of parts."""
FACES = 100_000
"""Largest number of triangles."""
SAMPLES = 16_384
"""Points that stand for the surface where the nearest part is looked up."""


def component_parts(surface: Surface) -> Surface | None:
    """Return a surface whose part instances are its connected components; None where they are no parts.

    Faces are connected that share an edge by position. A component below `LEAST` of the area belongs to the
    part that comes nearest to it. Parts are numbered by their lowest face.
    """
    count = len(surface.faces)
    if count > FACES:
        return None
    pairs = adjacency(surface)
    component = connected(count, pairs.first, pairs.second)
    area = np.bincount(component, surface.areas())
    large = area >= LEAST * area.sum()
    if not FEWEST <= large.sum() <= MOST:
        return None
    if not large.all():
        sample = sample_surface(replace(surface, face_part=component.astype(np.int32)), SAMPLES, 0)
        kept = large[sample.instance]
        rest = np.flatnonzero(~large[component])
        centers = (surface.vertices[surface.faces[rest]].mean(axis=1) - sample.center) * sample.scale
        distance, near = cKDTree(sample.points[kept]).query(centers)
        # The nearest face of a component decides for all of it.
        order = np.lexsort((distance, component[rest]))
        owners, first = np.unique(component[rest][order], return_index=True)
        joined = np.arange(len(area))
        joined[owners] = sample.instance[kept][near[order][first]]
        component = joined[component]
    _, first, part = np.unique(component, return_index=True, return_inverse=True)
    return replace(surface, face_part=np.argsort(np.argsort(first))[part].astype(np.int32))
