"""The exported data set: whole, equal for equal input, and read again as it was written."""

import csv
import errno
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import mlcroissant as mlc
import numpy as np
import pandas as pd
import pytest
import smoke
import trimesh
from review_store import replay, write_box
from typer.testing import CliRunner

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.ingest import ingest
from alignparts.corpus.mesh.glb import split_container
from alignparts.corpus.readers import read, scan
from texparts.annotation.edits import Add, Delete, Paint, Rename
from texparts.cli.app import app
from texparts.export.export import COLUMNS, export_dataset
from texparts.review.models import Opinion, QueueEntry, Status, Submitted
from texparts.review.store import ReviewStore

MARKUP = "<script>alert(1)</script> | *x*"


def submitted(root: Path, object_id: str, *edits: object, status: Status = "done") -> Submitted:
    annotation = replay(write_box(root, object_id).prediction(), edits)  # type: ignore[arg-type]
    at = datetime(2026, 3, 1, tzinfo=UTC)
    opinion = Opinion("Ada", status, "", 30.0, len(edits), False, at)
    return Submitted(object_id, "box", annotation, ("Ada",), 30.0, status, "", None, (opinion,))


def review(root: Path) -> list[Submitted]:
    return [
        submitted(root, "b", Rename(part=0, name=MARKUP), Add(name="handle", faces=(10, 1))),
        submitted(root, "a", Paint(part=0, faces=(4, 2)), Delete(part=1), Add(name="empty")),
        submitted(root, "c", status="rejected"),
    ]


def test_no_note_is_a_formula(tmp_path: Path) -> None:
    notes = ["=1+1", "+1", "-1", "@A1", "\t=1", "two = 2"]
    work = [submitted(tmp_path, "a")]
    for number, note in enumerate(notes):
        work.append(replace(submitted(tmp_path, f"r{number}", status="rejected"), note=note))
    export_dataset(work, tmp_path, tmp_path / "out")
    with (tmp_path / "out/rejected.csv").open(newline="") as file:
        written = [row[1] for row in csv.reader(file)][1:]
    assert written == [f"'{note}" for note in notes[:-1]] + notes[-1:]


def test_the_glb_carries_the_edits(tmp_path: Path) -> None:
    done = export_dataset(review(tmp_path), tmp_path, tmp_path / "out")
    assert done.index["object_id"].tolist() == ["a", "b"] and tuple(done.index.columns) == COLUMNS
    assert done.rejected["object_id"].tolist() == ["c"] and not len(done.failed)
    header, _ = split_container((tmp_path / "out/objects/b/b.parts.glb").read_bytes(), "b")
    assert [node["extras"]["name"] for node in header["nodes"]] == [MARKUP, "body", "handle", "unlabeled"]
    scene = trimesh.load_scene(tmp_path / "out/objects/b/b.parts.glb", process=False)
    assert sum(len(mesh.faces) for mesh in scene.geometry.values()) == 12
    labels = json.loads((tmp_path / "out/objects/a/labels.json").read_text())
    assert [part["name"] for part in labels["parts"]] == ["lid"]
    assert labels["review"]["annotators"] == ["annotator-1"] and labels["mode"] == "reviewed"
    faces = np.load(tmp_path / "out/objects/a/face_labels.npy")
    assert faces.tolist() == [0, 0, -1, -1, 0, 0, -1, -1, -1, -1, -1, -1]


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        export_dataset(review(tmp_path), tmp_path, tmp_path / name)
    files = sorted(
        path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()
    )
    assert len(files) > 10
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), path


def test_croissant_reads_the_index(tmp_path: Path) -> None:
    export_dataset(review(tmp_path), tmp_path, tmp_path / "out", title="Boxes")
    dataset = mlc.Dataset(jsonld=str(tmp_path / "out" / "croissant.json"))
    assert dataset.metadata.name == "Boxes" and not dataset.metadata.ctx.issues.errors
    records = list(dataset.records("objects"))
    assert [record["objects/object_id"] for record in records] == [b"a", b"b"]
    assert {field.name for field in dataset.metadata.record_sets[0].fields} == set(COLUMNS)
    with pytest.raises(AlignPartsError, match=r"croissant\.json"):
        export_dataset(review(tmp_path), tmp_path, tmp_path / "bad", version="one point o")
    assert not (tmp_path / "bad").exists()


def test_names_stay_text_in_the_card(tmp_path: Path) -> None:
    export_dataset(review(tmp_path), tmp_path, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "<script" not in card and r"&lt;script&gt;alert(1)&lt;/script&gt; \| \*x\*" in card
    assert "Ada" not in card


def test_what_was_exported_is_ingested_without_loss(tmp_path: Path) -> None:
    export_dataset(review(tmp_path), tmp_path, tmp_path / "out")
    found = dict(map(reversed, ((kind, one.path.name) for kind, one in scan(tmp_path / "out"))))
    assert {"a.glb", "b.glb"} <= set(found)
    for locator in [one for kind, one in scan(tmp_path / "out") if kind == "labeled_mesh"]:
        shape = read("labeled_mesh", locator)
        faces = np.load(locator.path.with_name("face_labels.npy"))
        names = [
            part["name"] for part in json.loads(locator.path.with_name("labels.json").read_text())["parts"]
        ]
        given = [names[label] if label >= 0 else "" for label in faces.tolist()]
        assert [shape.instances[i] if i >= 0 else "" for i in shape.surface.face_part.tolist()] == given
        assert shape.category == "box"
    ingest([tmp_path / "out"], tmp_path / "corpus", smoke.block("corpus"), keep_duplicates=True)
    index = pd.read_parquet(tmp_path / "corpus" / "index.parquet")
    assert len(index) == 2


def test_one_broken_object_does_not_stop_the_rest(tmp_path: Path) -> None:
    objects = review(tmp_path)
    (tmp_path / "objects/a/mesh.glb").write_bytes(b"glTF")
    done = export_dataset(objects, tmp_path, tmp_path / "out")
    assert done.index["object_id"].tolist() == ["b"]
    assert done.failed["object_id"].tolist() == ["a"] and "truncated" in done.failed["reason"][0]


def test_a_full_disk_leaves_the_earlier_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = review(tmp_path)
    export_dataset(objects, tmp_path, tmp_path / "out", title="Before")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("shutil.copyfile", "pandas.DataFrame.to_parquet"):
        with monkeypatch.context() as patch:
            patch.setattr(name, full)
            with pytest.raises(AlignPartsError, match="out: cannot be written: No space left"):
                export_dataset(objects, tmp_path, tmp_path / "out", title="After")
    assert "# Before" in (tmp_path / "out" / "README.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["objects", "out"]


def test_what_is_not_an_export_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(AlignPartsError, match="not an earlier export"):
        export_dataset(review(tmp_path), tmp_path, tmp_path / "out")
    with pytest.raises(AlignPartsError, match="texparts review"):
        export_dataset([], tmp_path, tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["objects", "out"]


def test_the_command(tmp_path: Path) -> None:
    write_box(tmp_path, "box000")
    database = f"sqlite:///{tmp_path / 'review.db'}"
    store = ReviewStore(database, tmp_path)
    store.queue.load([QueueEntry(object_id="box000", rank=0, category="box", confidence=0.5)])
    annotator = store.tokens.annotator_of(store.tokens.add("Ada"))
    assert annotator is not None
    task = store.leases.take_next(annotator)
    assert task is not None
    store.submissions.submit(annotator, task.id, "done")
    store.close()
    result = CliRunner().invoke(
        app, ["export", str(tmp_path), "--out", str(tmp_path / "out"), "--database", database]
    )
    assert result.exit_code == 0, result.output
    assert "1 objects, 2 parts" in result.output and (tmp_path / "out/objects/box000/labels.json").is_file()
