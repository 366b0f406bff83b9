"""Data sets of Objaverse and Sketchfab assets, on folders written by hand from their formats."""

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import trimesh
from areas import instance_areas

from alignparts.core.errors import AlignPartsError
from alignparts.corpus import readers
from alignparts.corpus.readers import BrokenLabels, find3d, partobjaverse, texverse
from alignparts.corpus.readers.common import Locator
from alignparts.corpus.shape import tidy

UID, OTHER = "0" * 31 + "a", "f" * 32


def boxes(count: int = 3) -> trimesh.Scene:
    """Boxes on a diagonal; box i has sides i + 1."""
    scene = trimesh.Scene()
    for i in range(count):
        box = trimesh.creation.box((i + 1,) * 3).apply_translation([5 * i] * 3)
        scene.add_geometry(box, node_name=f"Object_{count - i}")
    return scene


def located(module, root: Path) -> dict:
    return {locator.shape_id: locator for locator in module.locate(root)}


# --- Find3D ------------------------------------------------------------------------------------------------


def cloud(folder: Path, fields: list[tuple], labels=None, names=None) -> Path:
    """A folder of Find3D's benchmark; every field is (name, letter, values)."""
    folder.mkdir(parents=True)
    count = len(fields[0][2])
    layout = np.dtype([(name, "<u4" if kind == "U" else "<f4") for name, kind, _ in fields])
    rows = np.zeros(count, layout)
    for name, _, values in fields:
        rows[name] = values
    head = (
        "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\n"
        f"FIELDS {' '.join(name for name, _, _ in fields)}\nSIZE {' '.join('4' for _ in fields)}\n"
        f"TYPE {' '.join(kind for _, kind, _ in fields)}\nCOUNT {' '.join('1' for _ in fields)}\n"
        f"WIDTH {count}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {count}\nDATA binary\n"
    )
    (folder / "points5000.pcd").write_bytes(head.encode() + rows.tobytes())
    np.save(folder / "labels.npy", np.arange(count) % 3 if labels is None else labels)
    (folder / "label_map.json").write_text(json.dumps(names or {"1": "ear", "2": "paw"}))
    return folder


def open3d(count: int = 9) -> list[tuple]:
    """Fields in the order and types in which Open3D writes them: the color is a float's bits."""
    x, y = np.arange(count) % 3, np.arange(count) // 3
    packed = np.full(count, (200 << 16) | (100 << 8) | 50, np.uint32).view(np.float32)
    up = [
        ("normal_x", "F", np.zeros(count)),
        ("normal_y", "F", np.ones(count)),
        ("normal_z", "F", np.zeros(count)),
    ]
    return [("x", "F", x), ("y", "F", np.zeros(count)), ("z", "F", y), *up, ("rgb", "F", packed)]


@pytest.mark.parametrize("kind", ["seenclass", "seen", "unseen", "shapenetpart"])
def test_find3d_reads_what_open3d_writes_in_every_folder(tmp_path, kind):
    cloud(tmp_path / kind / f"teddy_bear_{UID}", open3d())
    ((found, locator),) = readers.detect(tmp_path)
    shape = readers.read(found, locator)
    assert (found, shape.category, shape.instances) == ("find3d", "teddy bear", ["ear", "paw"])
    assert shape.cloud.instance.tolist() == [-1, 0, 1] * 3
    assert shape.cloud.colors.tolist() == [[200, 100, 50]] * 9
    assert np.allclose(shape.cloud.normals, [0, 1, 0])


def test_find3d_without_normals_fits_them(tmp_path):
    fields = [field for field in open3d(25) if not field[0].startswith("normal")]
    folder = cloud(tmp_path / "unseen" / f"cup_{UID}", fields)
    shape = find3d.read(Locator(folder, tmp_path, "x"))
    assert np.abs(shape.cloud.normals[:, 1]) == pytest.approx(1)


def test_find3d_points_that_are_not_finite_go_with_all_they_have(tmp_path):
    fields = open3d()
    fields[0] = ("x", "F", np.where(np.arange(9) == 4, np.nan, fields[0][2]))
    folder = cloud(tmp_path / "unseen" / f"cup_{UID}", fields)
    shape = find3d.read(Locator(folder, tmp_path, "x"))
    assert shape.cloud.instance.tolist() == [-1, 0, 1, -1, 1, -1, 0, 1]
    assert len(shape.cloud.normals) == len(shape.cloud.colors) == 8


def test_find3d_a_name_for_label_0_names_nothing(tmp_path):
    names = {"0": "background", "1": "ear", "2": "paw"}
    folder = cloud(tmp_path / "unseen" / f"cup_{UID}", open3d(), names=names)
    shape = find3d.read(Locator(folder, tmp_path, "x"))
    assert shape.instances == ["ear", "paw"] and shape.cloud.instance.tolist() == [-1, 0, 1] * 3


@pytest.mark.parametrize("names", [["ear", "paw"], {"ear": 1, "paw": 2}])
def test_find3d_label_map_of_another_form_is_a_clear_error(tmp_path, names):
    folder = cloud(tmp_path / "unseen" / f"cup_{UID}", open3d(), names=names)
    with pytest.raises(AlignPartsError, match=r'label_map\.json: (ear: )?expected \{"1": "name"'):
        find3d.read(Locator(folder, tmp_path, "x"))


def test_pcd_text_with_a_field_of_several_values(tmp_path):
    head = "FIELDS x n y\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 3 1\nWIDTH 2\nPOINTS 2\nDATA ascii\n"
    text = f"{head}1 2 3 4 5\n6 7 8 9 10\n"
    (tmp_path / "a.pcd").write_text(text)
    fields = find3d.read_pcd(tmp_path / "a.pcd")
    assert fields["y"].tolist() == [5, 10]


# --- PartObjaverse-Tiny ------------------------------------------------------------------------------------

NAMES = ["Body", "Arm", "Knife"]
SEMANTIC = np.repeat([1, -1, 0], 12)
INSTANCE = np.concatenate([np.repeat([0, 1], 6), np.full(12, -1), np.full(12, 7)])


def tiny(root: Path, zipped: bool = False, prefix: str = "") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    table = {"Animals": {UID: NAMES}, "Food": {OTHER: ["Bread"]}}
    (root / "PartObjaverse-Tiny_semantic.json").write_text(json.dumps(table))
    glb = boxes().export(file_type="glb")
    files = {"mesh": (f"{UID}.glb", glb)}
    for kind, values in (("semantic_gt", SEMANTIC), ("instance_gt", INSTANCE)):
        stream = io.BytesIO()
        np.save(stream, values)
        files[kind] = (f"{UID}.npy", stream.getvalue())
    for kind, (name, data) in files.items():
        top = f"PartObjaverse-Tiny_{kind}"
        if zipped:
            with zipfile.ZipFile(root / f"{top}.zip", "w") as archive:
                archive.writestr(f"__MACOSX/{top}/._{name}", b"junk")
                archive.writestr(f"{prefix}{name}", data)
        else:
            (root / top).mkdir()
            (root / top / name).write_bytes(data)
    return root


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("prefix", ["", "PartObjaverse-Tiny_x/"])
def test_partobjaverse_labels_are_those_of_trimesh_faces(tmp_path, zipped, prefix):
    root = tiny(tmp_path / "t", zipped, prefix)
    found = located(partobjaverse, root)
    assert "no mesh" in found[f"partobjaverse_{OTHER}"].reason
    shape = partobjaverse.read(found[f"partobjaverse_{UID}"])
    named = np.array([*shape.instances, ""])[shape.surface.face_part]
    assert named.tolist() == np.array([*NAMES, ""])[SEMANTIC].tolist()
    assert (shape.category, len(shape.instances)) == ("Animals", 3)
    # What the data set's own documentation says to do: the faces of the scene as one mesh.
    mesh = trimesh.load_scene(io.BytesIO(boxes().export(file_type="glb")), file_type="glb").to_mesh()
    assert shape.surface.vertices[shape.surface.faces] == pytest.approx(mesh.vertices[mesh.faces])
    # trimesh walks the nodes of a file from the last one: the two arms are the halves of the third box.
    assert dict(zip(shape.instances, instance_areas(shape), strict=True)) == pytest.approx(
        {"Arm": 27, "Body": 6}
    )


def test_partobjaverse_without_instances_has_one_a_name(tmp_path):
    root = tiny(tmp_path)
    (root / "PartObjaverse-Tiny_instance_gt" / f"{UID}.npy").unlink()
    shape = partobjaverse.read(located(partobjaverse, root)[f"partobjaverse_{UID}"])
    assert shape.instances == ["Body", "Arm"]


def test_partobjaverse_an_instance_of_two_names_is_two(tmp_path):
    root = tiny(tmp_path)
    np.save(root / "PartObjaverse-Tiny_instance_gt" / f"{UID}.npy", np.zeros(36, int))
    shape = partobjaverse.read(located(partobjaverse, root)[f"partobjaverse_{UID}"])
    assert sorted(shape.instances) == ["Arm", "Body"]


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("semantic_gt", SEMANTIC[:-1], r"36 triangles, but .*35 labels"),
        ("instance_gt", np.append(INSTANCE, 0), r"36 triangles, but .*37 labels"),
        ("semantic_gt", np.where(SEMANTIC == 0, 3, SEMANTIC), "label 3 is not in .* has 3 names"),
        ("semantic_gt", np.where(SEMANTIC == 0, -2, SEMANTIC), "label -2"),
        ("semantic_gt", SEMANTIC + 0.5, "entry 0 is 1.5; expected whole numbers"),
        ("semantic_gt", SEMANTIC.astype(object), "not an array"),
    ],
)
def test_partobjaverse_labels_that_do_not_fit_are_clear_errors(tmp_path, kind, values, message):
    root = tiny(tmp_path)
    np.save(root / f"PartObjaverse-Tiny_{kind}" / f"{UID}.npy", values, allow_pickle=True)
    with pytest.raises(AlignPartsError, match=message) as error:
        partobjaverse.read(located(partobjaverse, root)[f"partobjaverse_{UID}"])
    assert UID in str(error.value) and "\n" not in str(error.value)


def test_partobjaverse_missing_or_broken_names_stop_everything(tmp_path):
    root = tiny(tmp_path)
    path = root / "PartObjaverse-Tiny_semantic.json"
    path.write_text('{"Animals": {"a": "Body"}}')
    with pytest.raises(BrokenLabels, match=r"semantic\.json: Animals: a: expected"):
        list(partobjaverse.locate(root))
    path.unlink()
    with pytest.raises(BrokenLabels, match=r"semantic\.json: no such file; expected"):
        list(partobjaverse.locate(root))


# --- TexVerse ----------------------------------------------------------------------------------------------


def texture_set(root: Path, files: list[tuple[str, str, int]], metadata=None) -> Path:
    sides = {1024: "1k", 2048: "2k", 4096: "4k", 8192: "8k"}
    for bucket, uid, side in files:
        folder = root / "glbs" / f"glbs_{sides[side]}" / bucket
        folder.mkdir(parents=True, exist_ok=True)
        boxes(1).export(folder / f"{uid}_{side}.glb")
    if metadata is not None:
        (root / "metadata.json").write_text(json.dumps(metadata))
    return root


def test_texverse_takes_the_lowest_resolution_and_the_license_of_each(tmp_path):
    files = [("000-001", UID, 2048), ("000-000", UID, 1024), ("000-000", OTHER, 4096)]
    about = {UID: {"license": "CC Attribution-NoDerivs", "glb_paths": []}, OTHER: {"name": "cup"}}
    root = texture_set(tmp_path / "t", files, about)
    (root / "glbs/glbs_1k/000-000/readme.txt").write_text("")
    found = list(texverse.locate(root))
    assert [locator.path.name for locator in found] == [f"{UID}_1024.glb", f"{OTHER}_4096.glb"]
    shape = texverse.read(found[0])
    assert (shape.license, shape.instances, shape.category) == ("CC Attribution-NoDerivs", [], "")
    assert shape.surface.face_part.tolist() == [-1] * 12
    assert "not stated" in texverse.read(found[1]).license
    with pytest.raises(AlignPartsError, match="no part with a name"):
        tidy(shape)


def test_texverse_needs_no_metadata_and_is_read_unlabeled(tmp_path):
    texture_set(tmp_path, [("000-000", UID, 8192)])
    ((kind, locator),) = readers.detect(tmp_path)
    assert kind == "texverse" and readers.read(kind, locator).instances == []


def test_texverse_metadata_is_that_of_the_whole_file(tmp_path):
    table = {
        UID: {"name": "é", "number": 1.5, "tags": ["a", None]},
        OTHER: {"license": "B"},
        "text": "no entry",
    }
    (tmp_path / "metadata.json").write_text(json.dumps(table), encoding="utf-8-sig")
    assert texverse.metadata(tmp_path, {UID, "text"}) == {UID: table[UID]}


def test_texverse_metadata_is_read_once_until_it_changes(tmp_path):
    root = texture_set(tmp_path, [("000-000", UID, 1024)], {UID: {"license": "A"}})
    (one,) = texverse.locate(root)
    before = texverse._licenses.cache_info().hits
    (again,) = texverse.locate(root)
    assert again == one and texverse._licenses.cache_info().hits == before + 1
    (root / "metadata.json").write_text(json.dumps({UID: {"license": "B"}}))
    os.utime(root / "metadata.json", ns=(1, 1))
    assert next(texverse.locate(root)).license == "B"


def test_texverse_broken_glb_names_the_file(tmp_path):
    root = texture_set(tmp_path, [("000-000", UID, 1024)])
    (one,) = texverse.locate(root)
    one.path.write_bytes(b"glTF")
    with pytest.raises(AlignPartsError, match=f"{UID}_1024.glb: not a glTF file"):
        texverse.read(one)


@pytest.mark.parametrize(
    "text", ["[1]", '{"a": {"license": "x"}', '{"a": {"license"', '{"a" {}}', "", '{"a": nan?}', '{"a": 1} 2']
)
def test_texverse_broken_metadata_stops_everything(tmp_path, text):
    root = texture_set(tmp_path, [("000-000", UID, 1024)])
    (root / "metadata.json").write_text(text)
    with pytest.raises(BrokenLabels, match=r"metadata\.json: "):
        list(texverse.locate(root))
