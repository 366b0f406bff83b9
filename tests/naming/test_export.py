"""The files of ``alignparts name``: valid, complete, in the input's frame, or not there at all."""

import json
import os

import numpy as np
import pytest
import trimesh
from named_parts import pipeline
from PIL import Image
from scipy.spatial import cKDTree

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import split_container
from alignparts.corpus.mesh.meshio import load_mesh
from alignparts.naming.export import export_named
from alignparts.naming.prediction import PredictedPart

PARTS = [PredictedPart("top", "what lies up", 0.9, 0.8, 3), PredictedPart("leg", "", 0.3, 0.7, 1)]


def box(size=(1, 1, 1), subdivide=True):
    mesh = trimesh.creation.box(size)
    return mesh.subdivide() if subdivide else mesh


def textured():
    mesh = box()
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8))
    rough = Image.fromarray(np.full((4, 4, 3), 77, np.uint8))
    material = trimesh.visual.material.PBRMaterial(
        name="wood",
        baseColorTexture=picture,
        metallicRoughnessTexture=rough,
        roughnessFactor=0.4,
        doubleSided=True,
    )
    uv = np.random.default_rng(1).uniform(-1, 2, (len(mesh.vertices), 2))
    mesh.visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    return mesh


def written(tmp_path, scene, name="in.glb", **keys):
    source = tmp_path / name
    scene.export(source)
    mesh = load_mesh(source)
    labels = (np.arange(len(mesh.surface.faces)) % 3 - 1).astype(np.int32)
    return mesh, labels, export_named(mesh, labels, PARTS, tmp_path / "out", picture=False, **keys)


def same_triangles(first, chosen, second, others):
    """Same centers, areas and sides, in any order."""

    def rows(surface, keep):
        at = np.flatnonzero(keep)
        center = surface.vertices[surface.faces[at]].mean(axis=1)
        return np.hstack([center, surface.areas()[at, None], surface.normals()[at]])

    one, two = rows(first, chosen), rows(second, others)
    distance, index = cKDTree(two).query(one)
    return len(one) == len(two) == len(set(index.tolist())) and distance.max() < 1e-4


def two_boxes():
    scene = trimesh.Scene()
    move = trimesh.transformations.compose_matrix(scale=[2, 1, 0.5], angles=[0.3, 1, 2], translate=[5, 6, 7])
    scene.add_geometry(textured(), node_name="a", transform=move)
    flip = np.diag([-1.0, 1, 1, 1])
    scene.add_geometry(box((3, 1, 1)), node_name="b", parent_node_name="a", transform=flip)
    return scene


def test_one_node_a_part_and_the_frame_is_kept(tmp_path):
    mesh, labels, files = written(tmp_path, two_boxes())
    header, _ = split_container(files.glb.read_bytes(), "out")
    assert [node["name"] for node in header["nodes"]] == ["top", "leg", "unlabeled"]
    assert header["nodes"][1]["extras"] == {
        "name": "leg", "description": "", "confidence": 0.3, "needs_review": True,
    }  # fmt: skip
    assert header["scenes"] == [{"nodes": [0, 1, 2]}]
    again = load_mesh(files.glb)
    owner = np.concatenate(
        [
            np.full(faces.stop - faces.start, ["top", "leg", "unlabeled"].index(node.split("_")[0]))
            for node, faces in again.blocks.items()
        ]
    )
    for index, label in enumerate((0, 1, -1)):
        assert same_triangles(again.surface, owner == index, mesh.surface, labels == label)


def test_textures_and_materials_survive(tmp_path):
    source = trimesh.Scene(textured())
    mesh, _, files = written(tmp_path, source)
    header, _ = split_container(files.glb.read_bytes(), "out")
    assert {material["name"] for material in header["materials"]} == {"wood"}
    assert header["materials"][0]["pbrMetallicRoughness"]["roughnessFactor"] == pytest.approx(0.4)
    assert "metallicRoughnessTexture" in header["materials"][0]["pbrMetallicRoughness"]
    assert len(header["images"]) == 2
    again = load_mesh(files.glb).surface
    middle = np.full((len(again.faces), 3), 1 / 3)

    def colored(surface):
        color = surface.color_at(np.arange(len(surface.faces)), middle)
        center = surface.vertices[surface.faces].mean(axis=1)
        return np.array(sorted(np.round(np.hstack([center, color]), 3).tolist()))

    assert np.allclose(colored(again), colored(mesh.surface), atol=0.01)


@pytest.mark.parametrize("kind", ["vertex", "face", "none"])
def test_colors_without_texture_survive(tmp_path, kind):
    mesh = box()
    rng = np.random.default_rng(0)
    if kind == "vertex":
        mesh.visual.vertex_colors = rng.integers(0, 255, (len(mesh.vertices), 4), dtype=np.uint8)
    elif kind == "face":
        mesh.visual.face_colors = rng.integers(0, 255, (len(mesh.faces), 4), dtype=np.uint8)
    loaded, _, files = written(tmp_path, mesh, "in.ply")
    again = load_mesh(files.glb).surface
    assert len(again.faces) == len(loaded.surface.faces)
    if kind != "none":
        first = sorted(np.round(loaded.surface.corner_color[:, :, :3].mean(axis=1), 2).tolist())
        second = sorted(np.round(again.corner_color[:, :, :3].mean(axis=1), 2).tolist())
        assert np.allclose(first, second, atol=0.02)


def test_glb_is_well_formed(tmp_path):
    _, _, files = written(tmp_path, two_boxes())
    data = files.glb.read_bytes()
    header, binary = split_container(data, "out")
    assert int.from_bytes(data[8:12], "little") == len(data)
    assert len(data) % 4 == 0
    assert header["asset"]["version"] == "2.0"
    assert header["buffers"][0]["byteLength"] <= len(binary)
    for view in header["bufferViews"]:
        assert view["byteOffset"] + view["byteLength"] <= len(binary)
    for mesh in header["meshes"]:
        for primitive in mesh["primitives"]:
            count = header["accessors"][primitive["attributes"]["POSITION"]]["count"]
            assert all(header["accessors"][i]["count"] == count for i in primitive["attributes"].values())
            assert header["accessors"][primitive["indices"]]["count"] % 3 == 0


def test_labels_say_what_the_array_means(tmp_path):
    _, labels, files = written(tmp_path, two_boxes(), category="table", mode="closed")
    content = json.loads(files.labels.read_text())
    array = np.load(files.faces, allow_pickle=False)
    assert array.dtype == np.int32
    assert np.array_equal(array, labels)
    assert content["schema"] == "alignparts/labels/1"
    assert [part["faces"] for part in content["parts"]] == [int((labels == i).sum()) for i in range(2)]
    assert content["faces"] == len(array) == sum(node["faces"] for node in content["nodes"])
    assert content["nodes"][1]["first_face"] == content["nodes"][0]["faces"]
    assert content["unlabeled_faces"] == int((labels < 0).sum())
    assert content["category"] == "table"


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    mesh = load_mesh(_saved(tmp_path))
    labels = np.zeros(len(mesh.surface.faces), np.int32)
    monkeypatch.setattr(np, "save", _fail)
    with pytest.raises(AlignPartsError, match="No space"):
        export_named(mesh, labels, PARTS, tmp_path / "out", picture=False)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_cannot_be_written_is_said(tmp_path):
    mesh = load_mesh(_saved(tmp_path))
    labels = np.zeros(len(mesh.surface.faces), np.int32)
    (tmp_path / "file").write_text("")
    with pytest.raises(AlignPartsError, match="cannot be written"):
        export_named(mesh, labels, PARTS, tmp_path / "file", picture=False)
    with pytest.raises(AlignPartsError, match="labels for"):
        export_named(mesh, labels[1:], PARTS, tmp_path / "out", picture=False)
    with pytest.raises(AlignPartsError, match="beyond"):
        export_named(mesh, labels + 2, PARTS, tmp_path / "out", picture=False)


def test_pipeline_names_every_face(tmp_path):
    mesh = trimesh.creation.icosphere(3)
    source = tmp_path / "ball.stl"
    mesh.export(source)
    named = pipeline().name(source, labels="points")
    assert named.prediction.category == "mug"
    centers = mesh.triangles_center[:, 1]
    names = np.array([*named.prediction.names, "unlabeled"])[named.face_part]
    assert (names[centers > 0.3] == "top").all()
    assert (names[centers < -0.3] == "bottom").all()
    assert (names[np.abs(centers) < 0.02] == "unlabeled").mean() > 0.5
    assert "mug: " in named.summary
    assert (pipeline().name(source, labels="filled").face_part >= 0).all()


def test_mesh_aware_names_follow_the_mesh_whatever_the_file_is_called_and_how_it_groups_faces(tmp_path):
    ends = [trimesh.creation.cylinder(1, 1, transform=np.diag([1, 1, 1, 1])) for _ in range(2)]
    ends[1].apply_translation((0, 0, 5))
    whole = trimesh.util.concatenate(ends)
    whole.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))  # up is y
    whole.export(tmp_path / "whole.stl")
    named = pipeline().name(tmp_path / "whole.stl")
    upper = whole.triangles_center[:, 1] > 2.5
    names = np.array(named.prediction.names)[named.face_part]
    assert (names[upper] == "top").all() and (names[~upper] == "bottom").all()
    whole.export(tmp_path / "other name.stl")
    assert np.array_equal(pipeline().name(tmp_path / "other name.stl").face_part, named.face_part)
    scene = trimesh.Scene()
    group = np.random.default_rng(0).integers(0, 4, len(whole.faces))
    for number in range(4):
        scene.add_geometry(
            whole.submesh([np.flatnonzero(group == number)], append=True), node_name=str(number)
        )
    scene.export(tmp_path / "torn.glb")
    torn = pipeline().name(tmp_path / "torn.glb")
    centers = torn.mesh.surface.vertices[torn.mesh.surface.faces].mean(axis=1)
    names = np.array(torn.prediction.names)[torn.face_part]
    assert (names == np.where(centers[:, 1] > 2.5, "top", "bottom")).all()


def test_picture_is_written_with_the_rest(tmp_path):
    named = pipeline().name(_saved(tmp_path))
    files = named.save(tmp_path / "out")
    assert Image.open(files.picture).width > 300
    assert sorted(os.listdir(tmp_path / "out")) == [
        "face_labels.npy",
        "in.parts.glb",
        "in.parts.png",
        "labels.json",
    ]


def _saved(tmp_path):
    box().export(tmp_path / "in.glb")
    return tmp_path / "in.glb"


def _fail(*_, **__):
    raise OSError(28, "No space left on device")
