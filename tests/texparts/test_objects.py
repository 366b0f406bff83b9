"""Object folders come back as they were written."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from alignparts.core.errors import AlignPartsError
from texparts.annotation.objects import About, ObjectFolder, PartRecord, object_folders, write_object


def write_box(root: Path, object_id: str = "box") -> ObjectFolder:
    """A box of two parts: its first face pair is the lid."""
    mesh = trimesh.creation.box()
    labels = np.r_[[0, 0], np.ones(10, int)]
    parts = (
        PartRecord(name="lid", confidence=0.9, soft=0.8, mask_confidence=0.7),
        PartRecord(name="body", confidence=0.3, soft=0.2, mahalanobis=0.1, mask_confidence=0.6),
    )
    about = About(object_id=object_id, category="box", faces=12, parts=parts)
    glb = trimesh.Scene(mesh).export(file_type="glb")
    return write_object(root, about, glb, labels, {2: labels, 4: np.arange(12) % 4}, b"png")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    folder = write_box(tmp_path)
    prediction = folder.prediction()
    assert [part.name for part in prediction.parts] == ["lid", "body"]
    assert prediction.face_part.tolist() == [0, 0] + [1] * 10
    assert folder.clusters()[4].tolist() == (np.arange(12) % 4).tolist()
    assert len(folder.mesh().surface.faces) == 12
    assert folder.about().confidence == pytest.approx(0.6)
    write_box(tmp_path)
    assert [one.object_id for one in object_folders(tmp_path)] == ["box"]


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    folder = write_box(tmp_path)
    np.save(folder.path / "face_labels.npy", np.full(12, 7))
    with pytest.raises(AlignPartsError, match=r"face_labels\.npy"):
        folder.prediction()
    (folder.path / "about.json").write_text('{"object_id": "../x", "faces": 12}')
    with pytest.raises(AlignPartsError, match="object_id"):
        folder.about()
    with pytest.raises(AlignPartsError, match="texparts predict"):
        object_folders(tmp_path / "nothing")


def test_arrays_that_are_not_what_was_written_are_named(tmp_path: Path) -> None:
    folder = write_box(tmp_path)
    labels = np.zeros(12, int)
    for broken in (labels.astype(object), labels - 2, labels.astype(float), labels[:3], labels[None]):
        np.save(folder.path / "face_labels.npy", broken, allow_pickle=True)
        with pytest.raises(AlignPartsError, match=r"face_labels\.npy: cannot be read"):
            folder.prediction()
        for arrays in ({"4": broken}, {"four": labels}):
            np.savez(folder.path / "clusters.npz", **arrays)
            with pytest.raises(AlignPartsError, match=r"clusters\.npz: cannot be read"):
                folder.clusters()
    vast = {"descr": "<i8", "fortran_order": False, "shape": (10**11,)}
    with (folder.path / "face_labels.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, vast)
    (folder.path / "clusters.npz").write_bytes(b"PK\3\4 and no more")
    for read in (folder.prediction, folder.clusters):
        with pytest.raises(AlignPartsError, match="cannot be read"):
            read()
