"""3DCoMPaT++: levels, splits, compositions and point clouds, on folders written by hand from the format."""

import base64
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from areas import instance_areas
from PIL import Image

from alignparts.core.errors import AlignPartsError
from alignparts.corpus import readers
from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.readers import BrokenLabels, ReadOptions, compat, compat_hdf5

COARSE = ReadOptions(granularity="coarse")
FINE_NAMES = ["leg", "seat", "cat_bed", "lid"]
COARSE_NAMES = ["support", "body"]
HIER = {"00": {"leg": "support"}, "c7": {"leg": "support", "seat": "body", "cat_bed": "body"}}


def gltf(names: list[str], images: bool = True) -> dict:
    """A square a node, of area (i + 1) squared, under the placeholder images of the data set."""
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], "<f4").tobytes()
    uv, index = np.zeros((4, 2), "<f4").tobytes(), np.array([0, 1, 2, 0, 2, 3], "<u2").tobytes()
    data = points + uv + index
    tree = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": list(range(len(names)))}],
        "nodes": [{"name": n, "mesh": i, "scale": [i + 1, i + 1, 1]} for i, n in enumerate(names)],
        "meshes": [],
        "buffers": [{"byteLength": len(data), "uri": "data:;base64," + base64.b64encode(data).decode()}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": at, "byteLength": size} for at, size in ((0, 48), (48, 32), (80, 12))
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3",
             "min": [0, 0, 0], "max": [1, 1, 0]},
            {"bufferView": 1, "componentType": 5126, "count": 4, "type": "VEC2"},
            {"bufferView": 2, "componentType": 5123, "count": 6, "type": "SCALAR"},
        ],
        "images": [], "textures": [], "materials": [],
    }  # fmt: skip
    for i, name in enumerate(names):
        primitive = {"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2}
        if images:
            part = name.rsplit("_", 1)[0]
            tree["images"] += [
                {"name": part, "uri": kind, "mimeType": "type_placeholder"} for kind in ("normal", "diffuse")
            ]
            tree["textures"] += [{"source": 2 * i}, {"source": 2 * i + 1}]
            tree["materials"].append(
                {
                    "normalTexture": {"index": 2 * i},
                    "pbrMetallicRoughness": {"baseColorTexture": {"index": 2 * i + 1}},
                }
            )
            primitive["material"] = i
        tree["meshes"].append({"name": "mesh", "primitives": [primitive]})
    return tree


def write(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def metadata(folder: Path) -> Path:
    write(folder / "metadata/classes.json", [f"class {i:02x}" for i in range(200)])
    write(folder / "metadata/parts_fine.json", FINE_NAMES)
    write(folder / "metadata/parts_coarse.json", COARSE_NAMES)
    write(folder / "metadata/hier_coarse.json", HIER)
    split = {"train": ["c7_00a"], "valid": ["c7_00b"], "test": ["00_001"]}
    write(folder / "metadata/split.json", split)
    return folder


def tree(root: Path) -> Path:
    for key in ("c7_00a", "c7_00b", "00_001", "c7_fff"):
        write(root / f"models/{key}.gltf", gltf(["leg_01", "leg_02", "cat_bed_01"]))
    for number, color in ((0, "red"), (10, "blue"), (9, "green")):
        styles = {f"c7_00a__{number}": {"leg": color, "cat_bed": color}}
        write(root / f"styles/train/comp_fine_{number}.json", styles)
    write(root / "styles/valid/comp_fine_7.json", {"c7_00b__3": {"leg": "blue", "cat_bed": "red"}})
    write(root / "styles/valid/comp_coarse_0.json", {"c7_00b__3": {"support": "green"}})
    colors = {"red": (255, 0, 0), "blue": (0, 0, 255), "green": (0, 255, 0), "placeholder": (255, 255, 0)}
    for name, color in colors.items():
        Image.new("RGB", (2, 2), color).save(root / f"{name}.png")
    write(root / "textures_map.json", {name: {"diffuse": [f"{name}.png", ".png"]} for name in colors})
    return root


def located(root: Path, module=compat) -> dict:
    return {locator.shape_id: locator for locator in module.locate(root)}


def color_of(shape, part: int):
    sample = sample_surface(shape.surface, 500, 0)
    return sample.colors[sample.instance == part].mean(axis=0)


# --- meshes ------------------------------------------------------------------------------------------------


def test_official_splits_are_told_and_the_test_split_is_left_out(tmp_path):
    found = located(metadata(tree(tmp_path / "c")))
    assert {key: (one.split, bool(one.reason)) for key, one in found.items()} == {
        "compat_00_001": ("test", True),
        "compat_c7_00a": ("train", False),
        "compat_c7_00b": ("validation", False),
        "compat_c7_fff": ("", False),
    }
    assert list(found) == sorted(found)


@pytest.mark.parametrize("where", ["c", ".", ".."])
def test_metadata_is_found_in_the_tree_beside_it_and_further_up(tmp_path, where):
    root = tree(tmp_path / "download" / "c")
    metadata(root if where == "c" else root.parent if where == "." else tmp_path)
    found = located(root)["compat_c7_00a"]
    shape = compat.read(found)
    assert (shape.category, found.split) == ("class c7", "train")
    assert compat.read(replace(found, options=COARSE)).instances == ["support", "support", "body"]


def test_the_official_zip_has_its_metadata_beside_it(tmp_path):
    root = tree(tmp_path / "c")
    with zipfile.ZipFile(tmp_path / "3DCoMPaT_ZIP.zip", "w") as archive:
        for file in root.rglob("*"):
            archive.write(file, file.relative_to(root))
    metadata(tmp_path)
    found = located(tmp_path / "3DCoMPaT_ZIP.zip")["compat_c7_00b"]
    shape = compat.read(replace(found, options=COARSE))
    assert (shape.category, found.split, shape.part_names) == ("class c7", "validation", ["support", "body"])
    assert color_of(shape, 0) == pytest.approx([0, 0, 1], abs=0.02)


def test_coarse_parts_keep_the_instances_of_the_nodes(tmp_path):
    found = located(metadata(tree(tmp_path / "c")))["compat_c7_00a"]
    fine, coarse = compat.read(found), compat.read(replace(found, options=COARSE))
    assert fine.instances == ["leg", "leg", "cat_bed"]
    assert coarse.instances == ["support", "support", "body"]
    assert instance_areas(coarse) == pytest.approx([1, 4, 9])
    assert np.array_equal(fine.surface.face_part, coarse.surface.face_part)


def test_a_part_without_coarse_name_is_an_error_that_names_it(tmp_path):
    root = metadata(tree(tmp_path / "c"))
    found = replace(located(root)["compat_00_001"], options=COARSE)
    with pytest.raises(
        AlignPartsError, match=r"hier_coarse\.json: shape 00_001: class 00 has no part 'cat_bed'"
    ):
        compat.read(found)
    compat.metadata.cache_clear()
    (root / "metadata/hier_coarse.json").unlink()
    with pytest.raises(AlignPartsError, match=r"no metadata/hier_coarse\.json"):
        compat.read(found)


def test_broken_metadata_stops_everything(tmp_path):
    root = metadata(tree(tmp_path / "c"))
    (root / "metadata/split.json").write_text('{"train": ["c7_00a"')
    with pytest.raises(BrokenLabels, match=r"split\.json: not JSON"):
        list(compat.locate(root))
    write(root / "metadata/parts_fine.json", {"leg": 0})
    with pytest.raises(BrokenLabels, match=r"parts_fine\.json: expected a list"):
        compat.vocabulary(root, "fine")


@pytest.mark.parametrize(
    ("node", "part"),
    [
        ("leg_01", "leg"), ("leg", "leg"), ("leg_01.001", "leg"), ("leg.003", "leg"), ("cat_bed", "cat_bed"),
        ("cat_bed_12", "cat_bed"), ("leg_1a2b3c", ""), ("tail_01", ""), ("", ""),
    ],
)  # fmt: skip
def test_part_of_a_node(node, part):
    assert compat._part(node, frozenset(FINE_NAMES)) == part


def test_a_number_that_belongs_to_a_known_name_stays():
    assert compat._part("door_2", frozenset({"door_2"})) == "door_2"
    assert compat._part("door_2_01", frozenset({"door_2"})) == "door_2"


def test_composition_with_the_lowest_number_dresses_and_placeholders_dress_the_rest(tmp_path):
    found = located(metadata(tree(tmp_path / "c")))
    assert color_of(compat.read(found["compat_c7_00a"]), 0) == pytest.approx([1, 0, 0], abs=0.02)
    mixed = compat.read(found["compat_c7_00b"])
    assert color_of(mixed, 0) == pytest.approx([0, 0, 1], abs=0.02)
    assert color_of(mixed, 2) == pytest.approx([1, 0, 0], abs=0.02)
    assert color_of(compat.read(found["compat_c7_fff"]), 0) == pytest.approx([1, 1, 0], abs=0.02)


def test_compositions_after_the_one_that_has_the_shape_are_not_read(tmp_path):
    root = metadata(tree(tmp_path / "c"))
    (root / "styles/train/comp_fine_9.json").write_text("broken")
    found = located(root)
    assert color_of(compat.read(found["compat_c7_00a"]), 0) == pytest.approx([1, 0, 0], abs=0.02)
    with pytest.raises(BrokenLabels, match=r"comp_fine_9\.json: not JSON"):
        compat.read(found["compat_c7_fff"])


def test_points_of_a_mesh_are_refused_with_the_way_out(tmp_path):
    found = located(metadata(tree(tmp_path / "c")))["compat_c7_00a"]
    with pytest.raises(AlignPartsError, match=r"<split>_<level>\.hdf5"):
        compat.read(replace(found, options=ReadOptions(geometry="points")))


# --- clouds ------------------------------------------------------------------------------------------------


def clouds(folder: Path, name: str = "train_fine.hdf5", rows: int = 2, **changes) -> np.ndarray:
    """Rows of 64 points, written as the official code does; the points with y up are returned."""
    random = np.random.default_rng(0)
    upright = random.uniform(-1, 1, (rows, 64, 3)).astype(np.float32)
    turned = upright.copy()
    turned[:, :, [2, 1]] = turned[:, :, [1, 2]]
    turned[:, :, 1] *= -1
    color = np.tile(np.array([255.0, 128.0, 0.0], np.float32), (rows, 64, 1))
    labels = np.tile(np.repeat([2, 0, 1, 2], 16), (rows, 1)).astype(np.uint16)
    data = {
        "points": np.concatenate([turned, color], axis=2),
        "points_part_labels": labels if "fine" in name else np.minimum(labels, 1),
        "points_mat_labels": np.zeros((rows, 64), np.uint8),
        "shape_id": np.array([f"c7_{i:03x}".encode() for i in range(rows)], "S6"),
        "style_id": np.array([f"{i + 7}".encode() for i in range(rows)], "S6"),
        "shape_label": np.full(rows, 0xC7, np.uint8),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / name, "w") as file:
        for key, value in (data | changes).items():
            if value is not None:
                file[key] = value
    return upright


def test_rows_are_shapes_turned_upright_with_names_by_global_id(tmp_path):
    upright = clouds(metadata(tmp_path))
    assert compat_hdf5.is_root(tmp_path, {"a", "train_fine.hdf5"}) and not compat_hdf5.is_root(
        tmp_path, {"a"}
    )
    found = located(tmp_path, compat_hdf5)
    assert list(found) == ["compat_points_c7_000__7", "compat_points_c7_001__8"]
    one = found["compat_points_c7_001__8"]
    assert (one.split, one.model, one.reason) == ("train", "c7_001", "")
    shape = compat_hdf5.read(one)
    assert shape.cloud.points == pytest.approx(upright[1])
    assert shape.cloud.colors.tolist() == [[255, 128, 0]] * 64
    named = np.array(shape.instances)[shape.cloud.instance]
    assert named.tolist() == np.repeat(["cat_bed", "leg", "seat", "cat_bed"], 16).tolist()
    assert (shape.category, shape.surface.is_cloud) == ("class c7", True)
    assert np.linalg.norm(shape.cloud.normals, axis=1) == pytest.approx(1)


def test_coarse_names_come_from_the_fine_file(tmp_path):
    clouds(metadata(tmp_path))
    clouds(tmp_path, "train_coarse.hdf5")
    clouds(tmp_path, "valid_coarse.hdf5", rows=1)
    found = located(tmp_path, compat_hdf5)
    assert "same shapes" in found["compat_points_train_coarse"].reason
    shape = compat_hdf5.read(replace(found["compat_points_c7_001__8"], options=COARSE))
    assert set(np.array(shape.instances)[shape.cloud.instance][16:32]) == {"support"}
    assert set(np.array(shape.instances)[shape.cloud.instance][32:]) == {"body"}
    (alone,) = (one for one in compat_hdf5.locate(tmp_path) if one.split == "validation")
    assert compat_hdf5.read(replace(alone, options=COARSE)).part_names == ["support", "body"]
    with pytest.raises(AlignPartsError, match="has coarse parts"):
        compat_hdf5.read(alone)


def test_files_without_labels_and_the_test_split_are_left_out_with_the_reason(tmp_path):
    clouds(tmp_path, "test_fine_no_gt.hdf5", points_part_labels=None)
    clouds(tmp_path, "test_fine.hdf5", rows=1)
    clouds(tmp_path, "train_fine.hdf5", points_part_labels=None)
    (tmp_path / "valid_fine.hdf5").write_bytes(b"no")
    found = located(tmp_path, compat_hdf5)
    assert "no_gt" in found["compat_points_test_fine_no_gt"].reason
    assert "official test split" in found["compat_points_c7_000__7"].reason
    assert "no dataset 'points_part_labels'" in found["compat_points_train_fine"].reason
    assert "not a readable HDF5" in found["compat_points_valid_fine"].reason
    assert len(found) == 4


def test_a_file_without_names_or_with_labels_beyond_them_is_a_clear_error(tmp_path):
    clouds(tmp_path / "a" / "b" / "c")
    (one, _) = compat_hdf5.locate(tmp_path / "a" / "b" / "c")
    with pytest.raises(AlignPartsError, match=r"no metadata/parts_fine\.json"):
        compat_hdf5.read(one)
    folder = metadata(tmp_path / "z")
    clouds(folder, points_part_labels=np.full((2, 64), 4, np.uint16))
    with pytest.raises(AlignPartsError, match=r"label 4 is not in parts_fine\.json, which has 4 names"):
        compat_hdf5.read(next(compat_hdf5.locate(folder)))
    clouds(folder, "valid_fine.hdf5", shape_label=np.full(2, 3, np.uint8))
    with pytest.raises(AlignPartsError, match="shape_label 3; expected c7"):
        compat_hdf5.read(list(compat_hdf5.locate(folder))[-1])


def test_points_that_are_not_finite_go_with_their_labels(tmp_path):
    clouds(metadata(tmp_path))
    with h5py.File(tmp_path / "train_fine.hdf5", "r+") as file:
        points = file["points"][0]
        points[:16] = np.nan
        file["points"][0] = points
    shape = compat_hdf5.read(next(compat_hdf5.locate(tmp_path)))
    named = np.array(shape.instances)[shape.cloud.instance]
    assert named.tolist() == np.repeat(["leg", "seat", "cat_bed"], 16).tolist()


def test_both_kinds_are_found_in_a_folder(tmp_path):
    metadata(tmp_path)
    tree(tmp_path / "meshes")
    clouds(tmp_path / "clouds")
    kinds = [kind for kind, _ in readers.detect(tmp_path)]
    assert kinds == ["compat_hdf5"] * 2 + ["unknown"] + ["compat"] * 3


@pytest.mark.parametrize("kind", ["external", "link", "outside", "virtual", "group", "scalar"])
def test_numbers_of_other_files_are_not_read(tmp_path, kind):
    clouds(tmp_path)
    (tmp_path / "private").write_bytes(b"a secret of sixteen bytes...".ljust(64))
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["shape_id"] = np.array([b"a secret"] * 2)
    with h5py.File(tmp_path / "train_fine.hdf5", "a") as file:
        file.move("shape_id", "kept")
        if kind == "external":
            storage = [(str(tmp_path / "private"), 0, 32)]
            file.create_dataset("shape_id", (2,), "S16", external=storage)
        elif kind == "link":
            file["shape_id"] = h5py.SoftLink("/kept")
        elif kind == "outside":
            file["shape_id"] = h5py.ExternalLink("other.h5", "/shape_id")
        elif kind == "virtual":
            layout = h5py.VirtualLayout((2,), "S8")
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "shape_id", (2,))
            file.create_virtual_dataset("shape_id", layout)
        elif kind == "group":
            file.create_group("shape_id")
        else:
            file["shape_id"] = 3
    (found,) = compat_hdf5.locate(tmp_path)
    assert found.reason.endswith("not a link, an external or a virtual one; copy it with its data (h5repack)")
    assert "secret" not in repr(found)
