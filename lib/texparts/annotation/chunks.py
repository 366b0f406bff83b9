"""Cut an object's faces into spatial chunks, so that an edit sends only changed ones.

A chunk's faces of one part are one patch; a patch is drawn as one mesh.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, Int32

MOST_FACES = 8192
"""Faces of a chunk: about 100 kB over the wire."""

Patch = tuple[int, int]
"""(chunk, part id); part -1 holds the unlabeled faces."""


def chunks_of(centers: Float[np.ndarray, "faces 3"], most: int = MOST_FACES) -> list[Int[np.ndarray, " n"]]:
    """Return faces in boxes of at most ``most``, halved at the median of their longest side; each ascends."""
    result: list[np.ndarray] = []
    pending = [np.arange(len(centers))]
    while pending:
        faces = pending.pop()
        if len(faces) <= most:
            result.append(np.sort(faces))
            continue
        points = centers[faces]
        axis = int(np.ptp(points, axis=0).argmax())
        order = np.argpartition(points[:, axis], len(faces) // 2)
        pending += [faces[order[len(faces) // 2 :]], faces[order[: len(faces) // 2]]]
    return result


@dataclass(frozen=True)
class PatchMesh:
    """A patch as a separate mesh."""

    vertices: Float32[np.ndarray, "v 3"]
    faces: Int32[np.ndarray, "f 3"]


class Chunks:
    """A mesh as it is drawn, in chunks of at most ``most`` faces."""

    def __init__(
        self, vertices: Float32[np.ndarray, "v 3"], faces: Int32[np.ndarray, "f 3"], most: int = MOST_FACES
    ) -> None:
        self._vertices, self._faces = vertices, faces
        self.chunks = chunks_of(vertices[faces].mean(axis=1), most)
        self._chunk_of = np.empty(len(faces), np.int32)
        for number, chosen in enumerate(self.chunks):
            self._chunk_of[chosen] = number

    def patches(
        self, face_part: Int32[np.ndarray, " f"], chunks: Int[np.ndarray, " n"] | None = None
    ) -> Iterator[tuple[Patch, PatchMesh]]:
        """Yield the patches of these chunks, by default of all."""
        for number in range(len(self.chunks)) if chunks is None else chunks.tolist():
            chosen = self.chunks[number]
            labels = face_part[chosen]
            for part in np.unique(labels).tolist():
                yield (number, part), self.cut(chosen[labels == part])

    def cut(self, chosen: Int[np.ndarray, " n"]) -> PatchMesh:
        """Return faces as a separate mesh."""
        used, corners = np.unique(self._faces[chosen], return_inverse=True)
        return PatchMesh(self._vertices[used], corners.reshape(-1, 3).astype(np.int32))

    def touched(
        self, before: Int32[np.ndarray, " f"], after: Int32[np.ndarray, " f"]
    ) -> Int[np.ndarray, " n"]:
        """Return the chunks in which a face has changed its part."""
        return np.unique(self._chunk_of[before != after])
