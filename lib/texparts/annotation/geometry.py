"""What the server needs of an object's mesh: areas of faces, and a part's pieces."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int, Int32
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from alignparts.core.errors import AlignPartsError
from texparts.annotation.annotation import Annotation
from texparts.annotation.edits import Split, runs_of
from texparts.annotation.objects import ObjectFolder

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
        """Area of every face."""
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        return (np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2).astype(np.float32)

    @cached_property
    def title(self) -> str:
        """The author's name of the object, "" where there is none."""
        return self.folder.about().title

    @cached_property
    def welded(self) -> Int32[np.ndarray, "faces 3"]:
        """Faces over positions: vertices that differ in texture coordinates alone are one."""
        _, number = np.unique(self.vertices, axis=0, return_inverse=True)
        return number.reshape(-1)[self.faces].astype(np.int32)

    @cached_property
    def clusters(self) -> dict[int, Int32[np.ndarray, " faces"]]:
        """Clusters of the geometry field by their number."""
        return self.folder.clusters()

    def components(self, chosen: Int[np.ndarray, " n"]) -> Int32[np.ndarray, " n"]:
        """Which connected piece of the chosen faces each of them is in; faces that share a corner touch."""
        corners, inside = np.unique(self.welded[chosen], return_inverse=True)
        columns = inside.reshape(-1)
        rows = np.repeat(np.arange(len(chosen)), 3)
        # Faces and corners as the two sides of one graph: far smaller than all pairs of touching faces.
        size = len(chosen) + len(corners)
        links = coo_matrix((np.ones(len(rows), np.int8), (rows, len(chosen) + columns)), shape=(size, size))
        return connected_components(links, directed=False)[1][: len(chosen)].astype(np.int32)

    def split(self, annotation: Annotation, part_id: int, by: str, clusters: int) -> Split:
        """The edit that cuts a part into its connected pieces, or along the clusters of the geometry field.

        The largest piece stays the part.

        Raises:
            AlignPartsError: the part is in one piece; or there are no clusters of this number.
        """
        name = annotation.part(part_id).name
        chosen = np.flatnonzero(annotation.face_part == part_id)
        if not len(chosen):
            raise AlignPartsError(f"split: '{name}' has no face")
        if by == "component":
            label = self.components(chosen)
        else:
            if clusters not in self.clusters:
                known = ", ".join(map(str, self.clusters)) or "none"
                raise AlignPartsError(f"clusters: there are none of {clusters}; expected one of {known}")
            label = self.clusters[clusters][chosen]
        kinds, counts = np.unique(label, return_counts=True)
        if len(kinds) < 2:
            what = "is in one piece" if by == "component" else f"lies in one of the {clusters} clusters"
            raise AlignPartsError(f"split: '{name}' {what}; try finer clusters, or paint the new part")
        ordered = kinds[np.argsort(-counts, kind="stable")][1 : MOST_GROUPS + 1]
        return Split(part=part_id, groups=tuple(runs_of(chosen[label == kind]) for kind in ordered.tolist()))


class Shapes:
    """Meshes, the latest used ones in memory."""

    def __init__(self, root: Path, kept: int = 32) -> None:
        self._root = root
        self._kept = kept
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, Shape] = OrderedDict()

    def folder(self, object_id: str) -> ObjectFolder:
        """The folder of an object."""
        return ObjectFolder(self._root / "objects" / object_id)

    def shape(self, object_id: str) -> Shape:
        """An object's mesh.

        Raises:
            AlignPartsError: it cannot be read.
        """
        with self._lock:
            found = self._loaded.get(object_id)
            if found is not None:
                self._loaded.move_to_end(object_id)
                return found
        folder = self.folder(object_id)
        surface = folder.mesh().surface
        shape = Shape(folder, surface.vertices.astype(np.float32), surface.faces.astype(np.int32))
        with self._lock:
            self._loaded[object_id] = shape
            while len(self._loaded) > self._kept:
                self._loaded.popitem(last=False)
        return shape
