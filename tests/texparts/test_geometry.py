"""Areas and pieces of meshes with known answers."""

from pathlib import Path

import numpy as np
import pytest
import trimesh
from review_store import write_box

from alignparts.core.errors import AlignPartsError
from texparts.annotation.annotation import Annotation, Part, apply
from texparts.annotation.geometry import Shapes
from texparts.annotation.objects import About, PartRecord, write_object


def two_balls(root: Path) -> tuple[Shapes, Annotation, int]:
    """One part of a small ball, a large one and a box, every vertex of its own as behind texture seams."""
    small, large = trimesh.creation.icosphere(1), trimesh.creation.icosphere(2)
    large.apply_translation([5, 0, 0])
    box = trimesh.creation.box()
    box.apply_translation([0, 5, 0])
    mesh = trimesh.util.concatenate([small, large, box])
    mesh.unmerge_vertices()
    faces = len(mesh.faces)
    about = About(
        object_id="balls",
        faces=faces,
        parts=(PartRecord(name="ball", confidence=1, soft=1, mask_confidence=1),),
    )
    labels = np.zeros(faces, int)
    glb = trimesh.Scene(mesh).export(file_type="glb")
    write_object(root, about, glb, labels, {3: np.arange(faces) % 3}, b"")
    return Shapes(root), Annotation("", labels.astype(np.int32), (Part(0, "ball"),), 1), len(small.faces)


def test_a_part_falls_into_its_pieces(tmp_path: Path) -> None:
    shapes, annotation, small = two_balls(tmp_path)
    shape = shapes.shape("balls")
    assert shapes.shape("balls") is shape
    result = apply(annotation, shape.split(annotation, 0, "component", 0))
    counts = np.bincount(result.face_part)
    assert counts.tolist() == [320, 80, 12]  # the largest piece stays the part
    assert (result.face_part[:small] == 1).all()
    assert shape.areas.sum() == pytest.approx(6 + 4 * np.pi * 2, rel=0.1)
    with pytest.raises(AlignPartsError, match="in one piece"):
        shape.split(result, 1, "component", 0)
    by_cluster = apply(annotation, shape.split(annotation, 0, "cluster", 3))
    assert sorted(np.bincount(by_cluster.face_part).tolist()) == [137, 137, 138]
    with pytest.raises(AlignPartsError, match="expected one of 3"):
        shape.split(annotation, 0, "cluster", 5)


def test_what_cannot_be_split(tmp_path: Path) -> None:
    write_box(tmp_path, "box")
    shape = Shapes(tmp_path).shape("box")
    assert shape.areas.tolist() == [0.5] * 12
    annotation = Annotation("", np.zeros(12, np.int32), (Part(0, "all"), Part(1, "none")), 2)
    with pytest.raises(AlignPartsError, match="'none' has no face"):
        shape.split(annotation, 1, "component", 0)
    with pytest.raises(AlignPartsError, match="part 9"):
        shape.split(annotation, 9, "component", 0)


def test_only_the_latest_meshes_stay_in_memory(tmp_path: Path) -> None:
    for number in range(3):
        write_box(tmp_path, f"box{number}")
    shapes = Shapes(tmp_path, size=2)
    first, second = shapes.shape("box0"), shapes.shape("box1")
    assert shapes.shape("box0") is first
    shapes.shape("box2")
    assert shapes.shape("box0") is first and shapes.shape("box1") is not second
    with pytest.raises(AlignPartsError, match="no such file"):
        shapes.shape("box9")
