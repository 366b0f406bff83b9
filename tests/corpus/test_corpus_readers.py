"""Readers on tiny trees written by hand from the formats' descriptions, traps included."""

import base64
import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh
from areas import instance_areas
from PIL import Image

from alignparts.core.errors import AlignPartsError
from alignparts.corpus import readers
from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.mesh.surface import GRAY
from alignparts.corpus.readers import find3d
from alignparts.corpus.readers.named_glb import strip_counter

SQUARE = "v 0 0 {z}\nv 1 0 {z}\nv 1 1 {z}\nv 0 1 {z}\nf 1 2 3 4\n"
TRIANGLE = "v 0 0 {z}\nv 1 0 {z}\nv 0 1 {z}\nf 1 2 3\n"


def only(folder: Path):
    """The one shape under a folder."""
    ((kind, locator),) = readers.detect(folder)
    return kind, readers.read(kind, locator)


def colors_of(shape, part: str):
    """Mean color of a part's samples."""
    sample = sample_surface(shape.surface, 2000, 0)
    named = np.array([*shape.instances, ""])
    return sample.colors[named[sample.instance] == part].mean(axis=0)


# --- PartNet ---------------------------------------------------------------------------------------------


def partnet(root: Path, key: str = "77", model: str = "m") -> Path:
    folder = root / "data" / key
    (folder / "objs").mkdir(parents=True)
    (folder / "meta.json").write_text(
        json.dumps({"model_id": model, "anno_id": key, "model_cat": "StorageFurniture"})
    )
    leaf = {
        "seat": ["original-1"], "leg": ["new-2"], "leg_": ["new-3", "gone-4"], "empty": ["original-5"],
        "other": ["original-6"], "lost": ["gone-7"],
    }  # fmt: skip
    children = [
        {"id": 10 + i, "name": name.rstrip("_"), "text": name, "objs": objs}
        for i, (name, objs) in enumerate(leaf.items())
    ]
    tree = [
        {
            "id": 0,
            "name": "chair",
            "text": "Chair",
            "children": [{"id": 1, "name": "base", "text": "", "children": children}],
        }
    ]
    (folder / "result.json").write_text(json.dumps(tree))
    (folder / "result_after_merging.json").write_text("[]")
    (folder / "objs/original-1.obj").write_text(SQUARE.format(z=0))
    (folder / "objs/new-2.obj").write_text(TRIANGLE.format(z=1))
    (folder / "objs/new-3.obj").write_text(
        TRIANGLE.format(z=2).replace("f 1 2 3", "f 1//1 2//2 3//3\nf -3 -2 -1")
    )
    (folder / "objs/original-5.obj").write_text("v 0 0 0\n")
    (folder / "objs/original-6.obj").write_text(SQUARE.format(z=3))
    (folder / "objs/unreferenced.obj").write_text(SQUARE.format(z=9))
    return folder


def painted(folder: Path) -> None:
    """Red seat, blue first leg, and stray green points of the seat's plane labeled as leg 12."""
    (folder / "point_sample").mkdir()
    rng = np.random.default_rng(0)
    lines, labels = [], []
    for label, z, rgb in ((10, 0, "255 0 0"), (11, 1, "0 0 255"), (12, 2, "0 255 0"), (12, 0, "0 255 0")):
        for x, y in rng.random((60, 2)):
            lines.append(f"{x:.6f} {y:.6f} {z} 0 0 1 {rgb} 1.0")
            labels.append(str(label))
    (folder / "point_sample/sample-points-all-pts-nor-rgba-10000.txt").write_text("\n".join(lines) + "\n")
    (folder / "point_sample/sample-points-all-label-10000.txt").write_text("\n".join(labels) + "\n")


def test_partnet_leaves_are_instances_and_other_is_unlabeled(tmp_path):
    partnet(tmp_path)
    kind, shape = only(tmp_path)
    assert kind == "partnet" and shape.shape_id == "partnet_77"
    assert shape.category == "StorageFurniture"
    assert shape.instances == ["seat", "leg", "leg"]
    assert instance_areas(shape) == pytest.approx([1.0, 0.5, 1.0])
    assert np.bincount(shape.surface.face_part + 1).tolist() == [2, 2, 1, 2]
    assert shape.surface.vertices[:, 2].max() == 3  # neither the unreferenced file nor the lost ones


def test_partnet_takes_colors_from_points_of_the_same_leaf(tmp_path):
    painted(partnet(tmp_path))
    _, shape = only(tmp_path)
    assert colors_of(shape, "seat") == pytest.approx([1, 0, 0], abs=0.02)
    first_leg = sample_surface(shape.surface, 500, 0)
    assert first_leg.colors[first_leg.instance == 1].mean(axis=0) == pytest.approx([0, 0, 1], abs=0.02)


def test_partnet_without_result_or_mesh_is_one_clear_error(tmp_path):
    folder = partnet(tmp_path)
    for file in (folder / "objs").iterdir():
        file.unlink()
    with pytest.raises(AlignPartsError, match=r"no leaf of result.json has a mesh; missing: original-1"):
        only(tmp_path)
    (folder / "result.json").write_text("{")
    with pytest.raises(AlignPartsError, match=r"result\.json: not JSON"):
        only(tmp_path)


def test_partnet_annotations_that_are_not_valid_are_listed_with_a_reason(tmp_path):
    partnet(tmp_path, "77")
    partnet(tmp_path, "78")
    (tmp_path / "stats").mkdir()
    (tmp_path / "stats/all_valid_anno_info.txt").write_text("77 1 StorageFurniture m someone\n")
    found = {locator.path.name: (kind, locator.reason) for kind, locator in readers.detect(tmp_path)}
    assert found["77"] == ("partnet", "")
    assert found["78"] == ("unknown", "not listed in stats/all_valid_anno_info.txt")


def test_broken_obj_is_one_clear_error(tmp_path):
    folder = partnet(tmp_path)
    (folder / "objs/new-2.obj").write_text("v 0 0 0\nf 1 2 3\n")
    with pytest.raises(AlignPartsError, match=r"new-2\.obj: a face refers to a vertex that is not there"):
        only(tmp_path)


# --- PartNet-Mobility -------------------------------------------------------------------------------------


def mobility(root: Path, texture: str = "../images/t.png") -> Path:
    folder = root / "100015"
    for name in ("textured_objs", "images"):
        (folder / name).mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"anno_id": "15", "model_cat": "Pot", "model_id": "x"}))
    leaves = [
        {"id": 1, "name": "lid", "text": "", "objs": ["a"]},
        {"id": 2, "name": "glass", "text": "", "objs": ["b"]},
    ]
    (folder / "result.json").write_text(
        json.dumps([{"id": 0, "name": "pot", "text": "", "children": leaves}])
    )
    Image.new("RGB", (4, 4), (0, 255, 0)).save(folder / "images/t.png")
    Image.new("RGB", (4, 4), (255, 0, 0)).save(root / "secret.png")
    body = SQUARE.format(z=0).replace(
        "f 1 2 3 4", "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nusemtl m\nf 1/1 2/2 3/3 4/4"
    )
    (folder / "textured_objs/a.obj").write_text("mtllib a.mtl\n" + body)
    (folder / "textured_objs/a.mtl").write_text(f"newmtl m\nKd 0 0 0\nd 1\nmap_Kd {texture}\n")
    (folder / "textured_objs/b.obj").write_text("mtllib b.mtl\nusemtl g\n" + SQUARE.format(z=1))
    (folder / "textured_objs/b.mtl").write_text("newmtl g\nKd 0 0 1\nd 0.25\n")
    (folder / "textured_objs/c.obj").write_text(SQUARE.format(z=5))
    return folder


def test_a_mobility_folder_without_names_is_one_shape_left_out(tmp_path):
    folder = mobility(tmp_path)
    (folder / "result.json").unlink()
    (folder / "mobility.urdf").write_text("<robot/>")
    ((kind, locator),) = [pair for pair in readers.detect(tmp_path) if pair[1].path.name != "secret.png"]
    assert (kind, locator.path) == ("unknown", folder)
    assert "no result.json" in locator.reason


def test_mobility_reads_leaves_only_with_textures_of_the_images_folder(tmp_path):
    mobility(tmp_path)
    found = [pair for pair in readers.detect(tmp_path) if pair[0] != "unknown"]
    assert [(kind, locator.shape_id) for kind, locator in found] == [
        ("partnet_mobility", "partnet_mobility_100015")
    ]
    shape = readers.read(*found[0])
    assert shape.instances == ["lid", "glass"] and shape.category == "Pot"
    assert instance_areas(shape) == pytest.approx([1, 1])
    assert colors_of(shape, "lid") == pytest.approx([0, 1, 0], abs=1e-3)
    assert colors_of(shape, "glass") == pytest.approx([0, 0, 1], abs=1e-3)
    glass = np.flatnonzero(shape.surface.face_part == 1)[:1]
    assert shape.surface.color_at(glass, np.full((1, 3), 1 / 3))[0, 3] == pytest.approx(0.25, abs=0.01)


def test_mobility_does_not_read_textures_outside_the_objects_folder(tmp_path):
    folder = mobility(tmp_path, texture="../../secret.png")
    shape = readers.read(*next(pair for pair in readers.detect(tmp_path) if pair[1].path == folder))
    red = colors_of(shape, "lid")
    assert not np.allclose(red, [1, 0, 0], atol=0.2)
    assert all(image is None for image in shape.surface.textures)


# --- 3DCoMPaT++ -------------------------------------------------------------------------------------------


def gltf(names: list[str], placeholder: list[str] | None = None, mesh_names: list[str] | None = None) -> dict:
    """One unit square a node, at z = its index."""
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], "<f4").tobytes()
    uv = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], "<f4").tobytes()
    index = np.array([0, 1, 2, 0, 2, 3], "<u2").tobytes()
    data = points + uv + index
    tree = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": list(range(len(names)))}],
        "nodes": [{"name": n, "mesh": i, "translation": [0, 0, i]} for i, n in enumerate(names)],
        "meshes": [],
        "buffers": [{"byteLength": len(data), "uri": "data:;base64," + base64.b64encode(data).decode()}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 48},
            {"buffer": 0, "byteOffset": 48, "byteLength": 32},
            {"buffer": 0, "byteOffset": 80, "byteLength": 12},
        ],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": 5126,
                "count": 4,
                "type": "VEC3",
                "min": [0, 0, 0],
                "max": [1, 1, 0],
            },
            {"bufferView": 1, "componentType": 5126, "count": 4, "type": "VEC2"},
            {"bufferView": 2, "componentType": 5123, "count": 6, "type": "SCALAR"},
        ],
    }
    for i, name in enumerate(mesh_names or names):
        primitive = {"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2}
        if placeholder:
            primitive["material"] = i
        tree["meshes"].append({"name": name, "primitives": [primitive]})
    for part in placeholder or []:
        first = len(tree.setdefault("images", []))
        tree["images"] += [
            {"name": part, "uri": kind, "mimeType": "type_placeholder"} for kind in ("normal", "diffuse")
        ]
        tree.setdefault("textures", []).extend([{"source": first}, {"source": first + 1}])
        tree.setdefault("materials", []).append(
            {
                "normalTexture": {"index": first},
                "pbrMetallicRoughness": {"baseColorTexture": {"index": first + 1}},
            }
        )
    return tree


def compat(root: Path) -> Path:
    for name in ("models", "styles/train", "styles/valid", "metadata", "tex"):
        (root / name).mkdir(parents=True)
    names, parts = ["leg_01", "leg_02", "seat_ad_01", "unknown_01"], ["leg", "leg", "seat_ad", "unknown"]
    (root / "models/01_02c.gltf").write_text(json.dumps(gltf(names, parts)))
    (root / "models/00_001.gltf").write_text(json.dumps(gltf(names)))
    (root / "styles/train/comp_fine_0.json").write_text(
        json.dumps({"01_02c__5": {"leg": "wood_1", "seat_ad": "wood_2"}})
    )
    (root / "styles/train/comp_fine_1.json").write_text(
        json.dumps({"01_02c__6": {"leg": "wood_2", "seat_ad": "wood_2"}})
    )
    (root / "styles/valid/comp_coarse_0.json").write_text("{}")
    maps = {"wood_1": {"diffuse": ["tex/a.png", ".png"]}, "wood_2": {"diffuse": ["tex/b.png", ".png"]}}
    (root / "textures_map.json").write_text(json.dumps(maps))
    Image.new("RGB", (4, 4), (255, 0, 0)).save(root / "tex/a.png")
    Image.new("RGB", (4, 4), (0, 0, 255)).save(root / "tex/b.png")
    (root / "metadata/classes.json").write_text('["table", "chair"]')
    (root / "metadata/parts_fine.json").write_text('["leg", "seat_ad"]')
    (root / "metadata/split.json").write_text('{"train": ["01_02c"], "valid": [], "test": ["00_001"]}')
    return root


def check_compat(found):
    by_id = {locator.shape_id: (kind, locator) for kind, locator in found}
    assert by_id["compat_00_001"][0] == "unknown" and "official test" in by_id["compat_00_001"][1].reason
    shape = readers.read(*by_id["compat_01_02c"])
    assert shape.category == "chair"
    assert shape.instances == ["leg", "leg", "seat_ad"]
    assert instance_areas(shape) == pytest.approx([1, 1, 1])
    assert (shape.surface.face_part == -1).sum() == 2
    assert colors_of(shape, "leg") == pytest.approx([1, 0, 0], abs=0.01)
    assert colors_of(shape, "seat_ad") == pytest.approx([0, 0, 1], abs=0.01)


@pytest.mark.parametrize("zipped", [False, True])
def test_compat_is_dressed_by_its_first_fine_composition_in_a_zip_too(tmp_path, zipped):
    root = compat(tmp_path / "c")
    if zipped:
        root = Path(shutil.make_archive(str(tmp_path / "all"), "zip", root))
    check_compat(readers.detect(root))


def test_compat_loose_file_without_materials_or_with_placeholders(tmp_path):
    (tmp_path / "0c_02c.gltf").write_text(json.dumps(gltf(["leg_01", "leg_02"])))
    (tmp_path / "0c_02d.gltf").write_text(json.dumps(gltf(["leg_01"], ["leg"])))
    (tmp_path / "manifest.csv").write_text("path,category,license\n0c_02c.gltf,chair,CC0\n")
    one, two = (readers.read(*pair) for pair in readers.detect(tmp_path))
    assert (one.category, one.license, one.instances) == ("chair", "CC0", ["leg", "leg"])
    assert two.part_names == ["leg"] and all(image is None for image in two.surface.textures)


def test_compat_style_with_a_missing_texture_is_gray(tmp_path):
    root = compat(tmp_path / "c")
    (root / "tex/a.png").unlink()
    shape = readers.read(*next(pair for pair in readers.detect(root) if pair[0] == "compat"))
    assert colors_of(shape, "leg") == pytest.approx(GRAY[:3], abs=0.01)
    assert colors_of(shape, "seat_ad") == pytest.approx([0, 0, 1], abs=0.01)


# --- Find3D -----------------------------------------------------------------------------------------------


def cloud(root: Path, folder: str = "coffee_maker_0123abcd") -> Path:
    target = root / "seenclass" / folder
    target.mkdir(parents=True)
    xyz = np.stack(np.meshgrid(np.arange(4.0), np.arange(3.0), [0.0]), axis=-1).reshape(-1, 3)
    rgb = (255 << 16 | 128 << 8 | 7) * np.ones(12, np.uint32)
    lines = [f"{x} {y} {z} {int(c)} 0 0 1" for (x, y, z), c in zip(xyz, rgb, strict=True)]
    head = (
        "# comment\nVERSION 0.7\nFIELDS x y z rgb normal_x normal_y normal_z\nSIZE 4 4 4 4 4 4 4\n"
        "TYPE F F F U F F F\nCOUNT 1 1 1 1 1 1 1\nWIDTH 12\nHEIGHT 1\nPOINTS 12\nDATA ascii\n"
    )
    (target / "points5000.pcd").write_text(head + "\n".join(lines) + "\n")
    np.save(target / "labels.npy", np.array([0, 1, 1, 1, 2, 2, 0, 2, 2, 2, 2, 2]))
    (target / "label_map.json").write_text('{"1": "pot", "2": "body", "3": "absent"}')
    return target


def test_find3d_labels_are_one_based_and_classes_lose_their_uid(tmp_path):
    cloud(tmp_path)
    kind, shape = only(tmp_path)
    assert kind == "find3d" and shape.category == "coffee maker"
    assert shape.instances == ["pot", "body"] and shape.surface.is_cloud
    assert shape.cloud.instance.tolist() == [-1, 0, 0, 0, 1, 1, -1, 1, 1, 1, 1, 1]
    assert shape.cloud.colors[0].tolist() == [255, 128, 7]
    assert instance_areas(shape) / instance_areas(shape).sum() == pytest.approx([0.3, 0.7])
    assert np.allclose(shape.surface.normals(), [0, 0, 1])


def test_find3d_label_without_name_and_lengths_that_differ_are_clear_errors(tmp_path):
    target = cloud(tmp_path)
    (target / "label_map.json").write_text('{"1": "pot"}')
    with pytest.raises(AlignPartsError, match=r"labels\.npy: label 2 is not in label_map\.json"):
        only(tmp_path)
    np.save(target / "labels.npy", np.zeros(5, int))
    with pytest.raises(AlignPartsError, match="12 points but 5 labels"):
        only(tmp_path)


def test_pcd_binary_and_compressed_hold_the_same(tmp_path):
    rows = np.arange(12, dtype="<f4").reshape(4, 3)
    head = "VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 4\nHEIGHT 1\nPOINTS 4\nDATA "
    (tmp_path / "b.pcd").write_bytes((head + "binary\n").encode() + rows.tobytes())
    flat = rows.T.tobytes()
    stored = b"".join(bytes([len(chunk) - 1]) + chunk for chunk in (flat[:32], flat[32:]))
    packed = struct.pack("<II", len(stored), len(flat)) + stored
    (tmp_path / "c.pcd").write_bytes((head + "binary_compressed\n").encode() + packed)
    for name in ("b.pcd", "c.pcd"):
        fields = find3d.read_pcd(tmp_path / name)
        assert np.stack([fields[axis] for axis in "xyz"], axis=1).tolist() == rows.tolist()
    (tmp_path / "d.pcd").write_bytes((head + "binary\n").encode() + rows.tobytes()[:8])
    with pytest.raises(AlignPartsError, match=r"d\.pcd: not a PCD file"):
        find3d.read_pcd(tmp_path / "d.pcd")


# --- named GLB --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("leg", "leg"), ("leg.001", "leg"), ("leg_02", "leg"), ("Leg 3", "Leg"), ("leg_1_0", "leg"),
        ("wheel-front-left", "wheel-front-left"), ("mp3", "mp3"), ("12", "12"), ("leg_1a2b3c", "leg"),
        ("front_facade", "front_facade"), ("H2O_tank.012", "H2O_tank"),
    ],
)  # fmt: skip
def test_running_numbers_are_stripped(name, short):
    assert strip_counter(name) == short


def test_named_glb_repeated_names_stay_apart_and_mesh_names_step_in(tmp_path):
    tree = gltf(["leg", "leg", "Object_7", ""], mesh_names=["m", "m", "Cube.003", "seat.001"])
    del tree["nodes"][3]["name"]
    (tmp_path / "chair_2.gltf").write_text(json.dumps(tree))
    kind, shape = only(tmp_path)
    assert kind == "named_glb" and shape.category == "chair"
    assert shape.instances == ["leg", "leg", "seat"]
    assert instance_areas(shape) == pytest.approx([1, 1, 1])
    assert (shape.surface.face_part == -1).sum() == 2
    assert sorted(set(shape.surface.vertices[:, 2])) == [0, 1, 2, 3]


def test_named_glb_primitives_of_one_mesh_are_one_part_and_extensions_are_tolerated(tmp_path):
    tree = gltf(["lid", "pot"])
    primitive = tree["meshes"][0]["primitives"][0]
    tree["materials"] = [
        {
            "pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1]},
            "extensions": {"KHR_materials_unlit": {}},
        },
        {
            "pbrMetallicRoughness": {"baseColorFactor": [0, 0, 1, 1]},
            "extensions": {"KHR_materials_clearcoat": {}},
        },
    ]
    tree["extensionsUsed"] = ["KHR_materials_unlit", "KHR_materials_clearcoat"]
    tree["meshes"][0]["primitives"] = [{**primitive, "material": 0}, {**primitive, "material": 1}]
    tree["nodes"][1]["camera"] = 0
    tree["cameras"] = [{"type": "perspective", "perspective": {"yfov": 1, "znear": 0.1}}]
    (tmp_path / "a.gltf").write_text(json.dumps(tree))
    _, shape = only(tmp_path)
    assert shape.instances == ["lid", "pot"]
    assert instance_areas(shape) == pytest.approx([2, 1])
    assert colors_of(shape, "lid") == pytest.approx([0.5, 0, 0.5], abs=0.05)


def test_named_glb_external_texture_with_transform(tmp_path):
    (tmp_path / "Textures").mkdir()
    image = np.zeros((2, 2, 3), np.uint8)
    image[0, 0] = (255, 0, 0)
    Image.fromarray(image).resize((64, 64), Image.Resampling.NEAREST).save(tmp_path / "Textures/map.png")
    tree = gltf(["lid"])
    tree["images"] = [{"uri": "Textures/map.png"}]
    tree["textures"] = [{"source": 0}]
    half = {"scale": [0.5, 0.5], "offset": [0, 0]}
    texture = {"index": 0, "extensions": {"KHR_texture_transform": half}}
    tree["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": texture}}]
    tree["meshes"][0]["primitives"][0]["material"] = 0
    (tmp_path / "a.gltf").write_text(json.dumps(tree))
    _, shape = only(tmp_path)
    assert colors_of(shape, "lid") == pytest.approx([1, 0, 0], abs=0.05)


def test_named_glb_that_cannot_be_read_is_one_clear_error(tmp_path):
    (tmp_path / "bad.glb").write_bytes(b"glTF\2\0\0\0")
    with pytest.raises(AlignPartsError, match=r"bad\.glb: not a glTF file"):
        only(tmp_path)
    (tmp_path / "bad.glb").unlink()
    tree = gltf(["lid"])
    tree["buffers"][0]["uri"] = "gone.bin"
    (tmp_path / "a.gltf").write_text(json.dumps(tree))
    with pytest.raises(AlignPartsError, match=r"gone\.bin, which does not exist"):
        only(tmp_path)
    tree["extensionsRequired"] = ["EXT_meshopt_compression"]
    (tmp_path / "a.gltf").write_text(json.dumps(tree))
    with pytest.raises(AlignPartsError, match="compressed with EXT_meshopt_compression"):
        only(tmp_path)


# --- detection --------------------------------------------------------------------------------------------


def test_a_folder_that_mixes_everything(tmp_path):
    partnet(tmp_path / "pn")
    mobility(tmp_path / "pm")
    compat(tmp_path / "co")
    cloud(tmp_path / "f3")
    trimesh.Scene([trimesh.creation.box()]).export(tmp_path / "thing.glb")
    (tmp_path / "scan.ply").write_text("ply")
    (tmp_path / "notes.docx").write_text("")
    (tmp_path / "README.md").write_text("")
    kinds = sorted(kind for kind, _ in readers.detect(tmp_path))
    assert kinds == [
        "compat", "find3d", "named_glb", "partnet", "partnet_mobility", "unknown", "unknown", "unknown",
    ]  # fmt: skip
    reasons = {
        locator.path.name: locator.reason for kind, locator in readers.detect(tmp_path) if kind == "unknown"
    }
    assert reasons["scan.ply"] == "a mesh without part names"
    assert reasons["notes.docx"] == "no known format"


def test_reading_an_unknown_kind_or_a_missing_folder_is_one_clear_error(tmp_path):
    (tmp_path / "scan.ply").write_text("ply")
    with pytest.raises(AlignPartsError, match="a mesh without part names"):
        readers.read(*readers.detect(tmp_path)[0])
    with pytest.raises(AlignPartsError, match="no such folder"):
        readers.detect(tmp_path / "nowhere")
