"""Load the meshes of the objects: areas and normals of faces, and a part's pieces."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int, Int32
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from alignparts.core.errors import AlignPartsError
from texparts.annotation.annotation import Annotation
from texparts.annotation.edits import Split, runs_of
from texparts.annotation.objects import OBJECT_ID, ObjectFolder

MOST_GROUPS = 1000
"""New parts of one split; smaller pieces stay with the part."""


@dataclass(frozen=True)
class Shape:
    """An object's mesh, without its textures."""

    folder: ObjectFolder
    vertices: Float32[np.ndarray, "vertices 3"]
    faces: Int32[np.ndarray, "faces 3"]

    @cached_property
    def areas(self) -> Float32[np.ndarray, " faces"]:
        """Return the area of every face, in squared units of the file."""
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        return (np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2).astype(np.float32)

    @cached_property
    def normals(self) -> Float64[np.ndarray, "faces 3"]:
        """Return the unit normal per face; 0 for a face without area."""
        a, b, c = (self.vertices[self.faces[:, corner]].astype(np.float64) for corner in range(3))
        normals = np.cross(b - a, c - a)
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)

    @cached_property
    def title(self) -> str:
        """Return the author's title of the object, "" if there is none."""
        return self.folder.about().title

    @cached_property
    def welded(self) -> Int32[np.ndarray, "faces 3"]:
        """Return the faces over positions: vertices that differ in texture coordinates alone are one."""
        _, number = np.unique(self.vertices, axis=0, return_inverse=True)
        return number.reshape(-1)[self.faces].astype(np.int32)

    @cached_property
    def clusters(self) -> dict[int, Int32[np.ndarray, " faces"]]:
        """Return the clusters of the geometry field, by their number."""
        return self.folder.clusters()

    def components(self, chosen: Int[np.ndarray, " n"]) -> Int32[np.ndarray, " n"]:
        """Return the connected piece that each of the chosen faces is in; faces that share a corner touch."""
        corners, inside = np.unique(self.welded[chosen], return_inverse=True)
        columns = inside.reshape(-1)
        rows = np.repeat(np.arange(len(chosen)), 3)
        # Faces and corners as the two sides of one graph: far smaller than all pairs of touching faces.
        size = len(chosen) + len(corners)
        links = coo_matrix((np.ones(len(rows), np.int8), (rows, len(chosen) + columns)), shape=(size, size))
        return connected_components(links, directed=False)[1][: len(chosen)].astype(np.int32)

    def split(self, annotation: Annotation, part_id: int, by: str, clusters: int) -> Split:
        """Return the edit that cuts a part into its connected pieces, or along the geometry field's clusters.

        The largest piece stays the part.

        Args:
            annotation: annotation that holds the part.
            part_id: id of the part to cut.
            by: "component" for connected pieces, "cluster" for clusters.
            clusters: number of clusters.

        Raises:
            AlignPartsError: the part is in one piece, or there are no clusters of this number.
        """
        name = annotation.part(part_id).name
        chosen = np.flatnonzero(annotation.face_part == part_id)
        if not len(chosen):
            raise AlignPartsError(f"split: '{name}' has no face")
        if by == "cluster" and clusters not in self.clusters:
            known = ", ".join(map(str, self.clusters)) or "none"
            raise AlignPartsError(f"clusters: there are none of {clusters}; expected one of {known}")
        label = self.components(chosen) if by == "component" else self.clusters[clusters][chosen]
        kinds, counts = np.unique(label, return_counts=True)
        if len(kinds) < 2:
            fault = "is in one piece" if by == "component" else f"lies in one of the {clusters} clusters"
            raise AlignPartsError(f"split: '{name}' {fault}; try finer clusters, or paint the new part")
        ordered = kinds[np.argsort(-counts, kind="stable")][1 : MOST_GROUPS + 1]
        return Split(part=part_id, groups=tuple(runs_of(chosen[label == kind]) for kind in ordered.tolist()))


class Shapes:
    """Meshes under ``root / "objects"``, the latest used ``size`` of them in memory."""

    def __init__(self, root: Path, size: int = 32) -> None:
        self.root = root
        self._shape = lru_cache(size)(self._load)

    def folder(self, object_id: str) -> ObjectFolder:
        """Return the folder of an object; raises AlignPartsError for a name that no folder has."""
        if not re.fullmatch(OBJECT_ID, object_id):
            raise AlignPartsError(
                f"object '{object_id[:40]}': expected 1 to 100 letters, digits, dots, dashes"
            )
        return ObjectFolder(self.root / "objects" / object_id)

    def shape(self, object_id: str) -> Shape:
        """Return an object's mesh; raises AlignPartsError if it cannot be read."""
        return self._shape(object_id)

    def _load(self, object_id: str) -> Shape:
        folder = self.folder(object_id)
        surface = folder.mesh().surface
        return Shape(folder, surface.vertices.astype(np.float32), surface.faces.astype(np.int32))
