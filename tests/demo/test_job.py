"""A job of the demo: the form's options, the files that come out, what a user is told."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import trimesh
from named_parts import pipeline

from alignparts.core.errors import AlignPartsError
from alignparts.demo.job import STEPS, Options, name_upload
from alignparts.naming.prediction import Candidate


@pytest.fixture
def ball(tmp_path: Path) -> Path:
    trimesh.creation.icosphere(2).export(tmp_path / "ball.glb")
    return tmp_path / "ball.glb"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def test_job_makes_page_table_and_archive_and_tells_its_steps(ball, work):
    told: list[int] = []
    done = name_upload(pipeline(), ball, Options(instances=True), work, told.append)
    assert told == list(range(len(STEPS)))
    assert done.summary.startswith("ball.glb: mug: ")
    assert "ball.glb" in done.page.read_text()
    with zipfile.ZipFile(done.archive) as packed:
        faces = {"face_labels.npy", "face_instances.npy"}
        assert set(packed.namelist()) == {"ball.parts.glb", "labels.json", *faces}
        parts = json.loads(packed.read("labels.json"))["parts"]
        with packed.open("face_labels.npy") as file:
            assert np.unique(np.load(file)).tolist() == [part["index"] for part in parts]
    assert [row[0] for row in done.rows] == [part["name"] for part in parts]
    assert [row[1] for row in done.rows] == [f"{part['confidence']:.2f}" for part in parts]
    assert [row[2] for row in done.rows] == [f"{part['area']:.1%}" for part in parts]
    assert [row[3] == "needed" for row in done.rows] == [part["needs_review"] for part in parts]


def test_names_are_lines_with_descriptions_after_a_colon():
    given = Options(names="handle\n\n seat : where one sits: on top \n").arguments()["candidates"]
    assert given == [Candidate("handle"), Candidate("seat", "where one sits: on top")]
    empty = Options(names=" \n", query=" ", category="").arguments()
    assert empty["candidates"] is empty["query"] is empty["category"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(names="top", query="handle"), "exclude each other"),
        (Options(category="mug", query="handle"), "exclude each other"),
        (Options(names="top\nlid\ntop "), "listed twice: top"),
        (Options(names=":"), "name of a part is empty"),
        (Options(category="spaceship"), "spaceship"),
    ],
)
def test_options_that_do_not_fit_are_errors(ball, work, options, message):
    with pytest.raises(AlignPartsError, match=message):
        name_upload(pipeline(), ball, options, work)


def test_errors_name_the_file_without_the_servers_folders(tmp_path, work):
    broken = tmp_path / "broken.glb"
    broken.write_bytes(b"glTF and no more")
    with pytest.raises(AlignPartsError) as raised:
        name_upload(pipeline(), broken, Options(), work)
    assert str(raised.value).startswith("broken.glb: ") and str(tmp_path) not in str(raised.value)


def test_mesh_cannot_refer_to_the_files_beside_it(tmp_path, work):
    (tmp_path / "other.bin").write_bytes(bytes(36))
    view = {"buffer": 0, "byteLength": 36}
    accessor = {"bufferView": 0, "componentType": 5126, "type": "VEC3", "count": 3}
    tree = {
        "asset": {"version": "2.0"},
        "buffers": [{"uri": "other.bin", "byteLength": 36}],
        "bufferViews": [view],
        "accessors": [accessor],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
    }
    (tmp_path / "mesh.gltf").write_text(json.dumps(tree))
    with pytest.raises(AlignPartsError, match=r"^mesh.gltf: .*other.bin"):
        name_upload(pipeline(), tmp_path / "mesh.gltf", Options(), work)
