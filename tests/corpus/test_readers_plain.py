"""The plain kinds for users: named nodes, and meshes with a label file beside them."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from areas import instance_areas

from alignparts.core.errors import AlignPartsError
from alignparts.corpus import readers
from alignparts.corpus.mesh.meshio import load_mesh
from alignparts.corpus.readers import labeled_mesh, named_glb
from alignparts.corpus.readers.common import Locator
from alignparts.corpus.shape import tidy
from alignparts.naming.export import PredictedPart, export_named


def boxes(*sides: float) -> trimesh.Scene:
    scene = trimesh.Scene()
    for i, side in enumerate(sides):
        box = trimesh.creation.box((side,) * 3).apply_translation([10 * i, 0, 0])
        scene.add_geometry(box, node_name=f"Object_{i}")
    return scene


def box(side: float = 1.0) -> trimesh.Trimesh:
    return trimesh.creation.box((side,) * 3)


def labeled(folder: Path, stem: str, mesh, labels, names, suffix: str = "ply", own: bool = False) -> Path:
    """A mesh with its label files, in either layout."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.{suffix}"
    mesh.export(path)
    start = "" if own else f"{stem}."
    np.save(folder / f"{start}face_labels.npy", labels)
    (folder / f"{start}names.json").write_text(json.dumps(names))
    return path


def only(folder: Path):
    ((kind, locator),) = readers.detect(folder)
    return kind, locator


SIDES = np.repeat([0, 1, 2, -1], 3)


# --- labeled meshes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["glb", "obj", "ply", "stl", "off"])
@pytest.mark.parametrize("own", [False, True])
def test_every_format_in_both_layouts(tmp_path, suffix, own):
    labeled(tmp_path / "chair_3", "chair_3", box(), SIDES, ["seat", "leg", ""], suffix, own)
    kind, locator = only(tmp_path)
    shape = readers.read(kind, locator)
    assert (kind, shape.category, shape.instances) == ("labeled_mesh", "chair", ["seat", "leg"])
    assert shape.surface.face_part.tolist() == [0] * 3 + [1] * 3 + [-1] * 6
    assert shape.surface.vertices[shape.surface.faces] == pytest.approx(box().triangles)


def test_names_by_label_and_labels_without_name(tmp_path):
    path = labeled(tmp_path, "a", box(), np.repeat([40, 7, -5, 9], 3), {"7": "leg", "40": "seat", "9": None})
    shape = labeled_mesh.read(Locator(path, tmp_path, "a"))
    named = np.array([*shape.instances, ""])[shape.surface.face_part]
    assert named.tolist() == ["seat"] * 3 + ["leg"] * 3 + [""] * 6


def test_labels_follow_the_nodes_of_a_glb_as_they_are_read(tmp_path):
    path = labeled(tmp_path, "a", boxes(1, 2), np.repeat([0, 1], 12), ["first", "second"], "glb")
    shape = labeled_mesh.read(Locator(path, tmp_path, "a"))
    triangles = trimesh.load_scene(path).to_mesh().triangles
    for part in (0, 1):
        mine = shape.surface.vertices[shape.surface.faces[shape.surface.face_part == part]]
        assert mine == pytest.approx(triangles[12 * part : 12 * part + 12])


def test_a_quad_is_two_triangles_and_other_numbers_are_refused_with_both_counts(tmp_path):
    (tmp_path / "q.obj").write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n")
    (tmp_path / "q.names.json").write_text('["top"]')
    np.save(tmp_path / "q.face_labels.npy", [0, 0])
    kind, locator = only(tmp_path)
    assert instance_areas(readers.read(kind, locator)) == pytest.approx([1])
    np.save(tmp_path / "q.face_labels.npy", [0])
    with pytest.raises(AlignPartsError, match=r"q\.obj: 2 triangles, but .*q\.face_labels\.npy: 1 labels"):
        readers.read(kind, locator)


def test_what_alignparts_wrote_is_read_beside_its_input(tmp_path):
    mesh = load_mesh(labeled(tmp_path / "in", "mug", box(), SIDES, []))
    parts = [PredictedPart("handle", "", 0.9, 0.9, 0), PredictedPart("body", "", 0.8, 0.8, 1)]
    out = tmp_path / "out"
    export_named(
        mesh, np.where(SIDES > 1, -1, SIDES).astype(np.int32), parts, out, category="cup", picture=False
    )
    # Without its input, the GLB of the parts is what can be read; its rest is no part.
    kind, locator = next(pair for pair in readers.detect(out) if pair[0] != "unknown")
    assert kind == "named_glb" and sorted(readers.read(kind, locator).instances) == ["body", "handle"]
    mesh.path.rename(out / "mug.ply")
    kind, locator = only(out)
    shape = readers.read(kind, locator)
    assert (kind, shape.category, shape.instances) == ("labeled_mesh", "cup", ["handle", "body"])
    assert shape.surface.face_part.tolist() == [0] * 3 + [1] * 3 + [-1] * 6


def test_meshes_and_labels_that_belong_to_nothing_are_left_out_with_the_reason(tmp_path):
    labeled(tmp_path, "a", box(), SIDES, ["x"])
    box().export(tmp_path / "b.stl")
    (tmp_path / "c.face_labels.npy").write_bytes(b"")
    labeled(tmp_path / "two", "d", box(), SIDES, ["x"], own=True)
    box().export(tmp_path / "two" / "e.ply")
    labeled(tmp_path / "below", "f", box(), SIDES, ["x"], own=True)
    found = {
        str(locator.path.relative_to(tmp_path)): locator.reason for locator in labeled_mesh.locate(tmp_path)
    }
    assert list(found) == ["a.ply", "b.stl", "c.face_labels.npy", "below/f.ply", "two/d.ply", "two/e.ply"]
    assert found["a.ply"] == found["below/f.ply"] == ""
    assert "no b.face_labels.npy" in found["b.stl"] and "no mesh c.*" in found["c.face_labels.npy"]
    assert found["two/d.ply"] == found["two/e.ply"] == "2 meshes beside face_labels.npy; expected one"


def test_labels_json_of_another_mesh_is_not_taken(tmp_path):
    labeled(tmp_path, "d", box(), SIDES, [], own=True)
    (tmp_path / "names.json").unlink()
    (tmp_path / "labels.json").write_text('{"input": "e.ply", "parts": []}')
    assert next(labeled_mesh.locate(tmp_path)).reason == "labels.json beside it is of e.ply"
    (tmp_path / "labels.json").write_text("{")
    assert "not JSON" in next(labeled_mesh.locate(tmp_path)).reason


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"leg": 0}, r"names\.json: ([\w ]+: )?expected a list of names"),
        ({"leg": "0"}, r"names\.json: ([\w ]+: )?expected a list of names"),
        ([1, 2], r"names\.json: ([\w ]+: )?expected a list of names"),
        ("leg", r"names\.json: ([\w ]+: )?expected a list of names"),
        ([], "no part with a name"),
    ],
)
def test_names_of_another_form_are_a_clear_error(tmp_path, names, message):
    path = labeled(tmp_path, "a", box(), SIDES, names)
    with pytest.raises(AlignPartsError, match=message):
        tidy(labeled_mesh.read(Locator(path, tmp_path, "a")))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((3, 4)), r"expected whole numbers \(n,\)"),
        (np.array(["a"] * 12), r"expected whole numbers \(n,\)"),
        (np.full(12, np.nan), "entry 0 is nan"),
        (np.array([None] * 12, object), "not an array"),
    ],
)
def test_labels_of_another_form_are_a_clear_error(tmp_path, labels, message):
    path = labeled(tmp_path, "a", box(), labels, ["x"])
    with pytest.raises(AlignPartsError, match=message) as error:
        labeled_mesh.read(Locator(path, tmp_path, "a"))
    assert "a.face_labels.npy" in str(error.value)


def test_missing_names_are_a_clear_error(tmp_path):
    path = labeled(tmp_path, "a", box(), SIDES, ["x"])
    (tmp_path / "a.names.json").unlink()
    with pytest.raises(AlignPartsError, match=r"a\.names\.json: no such file"):
        labeled_mesh.read(Locator(path, tmp_path, "a"))


def test_float_columns_of_whole_numbers_are_labels(tmp_path):
    path = labeled(tmp_path, "a", box(), SIDES[:, None].astype(np.float32), ["x", "y", "z"])
    shape = labeled_mesh.read(Locator(path, tmp_path, "a"))
    assert shape.surface.face_part.tolist() == SIDES.tolist()


# --- named nodes -------------------------------------------------------------------------------------------


def test_points_alone_are_an_error_that_names_the_file(tmp_path):
    trimesh.Scene([trimesh.PointCloud(np.eye(3))]).export(tmp_path / "dots.glb")
    with pytest.raises(AlignPartsError, match=r"dots\.glb: .*no triangle mesh"):
        named_glb.read(Locator(tmp_path / "dots.glb", tmp_path, "x"))


@pytest.mark.parametrize("name", ["unlabeled", "Unlabeled", "unlabeled_2", "Object_3", "Cube.001", ""])
def test_names_that_say_nothing_name_nothing(tmp_path, name):
    scene = trimesh.Scene()
    scene.add_geometry(box(), node_name=name or "x", geom_name=name or "x")
    scene.add_geometry(box().apply_translation([3, 0, 0]), node_name="lid", geom_name="mesh")
    data = scene.export(file_type="gltf")
    tree = json.loads(data["model.gltf"])
    for node in tree["nodes"]:
        if not name and node.get("name") == "x":
            del node["name"], tree["meshes"][node["mesh"]]["name"]
    for file, content in data.items():
        (tmp_path / file).write_bytes(content)
    (tmp_path / "model.gltf").write_text(json.dumps(tree))
    shape = tidy(named_glb.read(Locator(tmp_path / "model.gltf", tmp_path, "x")))
    assert shape.instances == ["lid"] and (shape.surface.face_part == -1).sum() == 12
