"""Meshes with known parts, and what a simulated annotator begins from."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import trimesh

from texparts.annotation.annotation import Annotation, Part
from texparts.annotation.geometry import Shape, Shapes
from texparts.annotation.objects import About, PartRecord, write_object
from texparts.simulation.truth import Truth


def boxes(count: int) -> trimesh.Trimesh:
    """Boxes of 12 faces each, side by side and apart."""
    made = [trimesh.creation.box() for _ in range(count)]
    for index, box in enumerate(made):
        box.apply_translation([2.0 * index, 0, 0])
    return trimesh.util.concatenate(made)


def strip(columns: int, rows: int = 4) -> trimesh.Trimesh:
    """A flat connected strip of squares, two faces each, column by column."""
    x, y = np.meshgrid(np.arange(columns + 1), np.arange(rows + 1), indexing="ij")
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    corner = (np.arange(columns)[:, None] * (rows + 1) + np.arange(rows)).ravel()
    squares = np.stack([corner, corner + rows + 1, corner + rows + 2, corner + 1], axis=1)
    return trimesh.Trimesh(vertices, squares[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3), process=False)


def shape_of(
    root: Path,
    mesh: trimesh.Trimesh,
    clusters: Mapping[int, Sequence[int] | np.ndarray],
    prediction: Annotation | None = None,
    object_id: str = "thing",
) -> Shape:
    """The mesh as an object's folder, with a prediction."""
    prediction = prediction or annotation("", [-1] * len(mesh.faces), [])
    parts = tuple(
        PartRecord(
            name=part.name,
            confidence=part.confidence,
            soft=part.confidence,
            mask_confidence=1,
            auto_accepted=part.accepted,
        )
        for part in prediction.parts
    )
    about = About(object_id=object_id, category=prediction.category, faces=len(mesh.faces), parts=parts)
    glb = trimesh.Scene(mesh).export(file_type="glb")
    kept = {count: np.asarray(labels) for count, labels in clusters.items()}
    write_object(root, about, glb, prediction.face_part, kept, b"")
    shape = Shapes(root).shape(object_id)
    assert np.allclose(shape.vertices[shape.faces], mesh.vertices[mesh.faces], atol=1e-5)
    return shape


def annotation(
    category: str, labels: Sequence[int] | np.ndarray, names: Sequence[str], accepted: bool = False
) -> Annotation:
    """Parts in the order of their confidence, lowest first."""
    parts = tuple(Part(i, name, confidence=0.1 + 0.01 * i, accepted=accepted) for i, name in enumerate(names))
    return Annotation(category, np.asarray(labels, np.int32), parts, len(parts))


def truth(category: str, labels: Sequence[int] | np.ndarray, names: Sequence[str]) -> Truth:
    return Truth(category, tuple(names), np.asarray(labels, np.int32))
