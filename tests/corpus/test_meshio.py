"""Reading meshes of others: every format, and every way to be broken."""

import io
import json

import numpy as np
import pytest
import trimesh
from PIL import Image

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.meshio import load_mesh


def box():
    return trimesh.creation.box((1, 2, 3))


def textured():
    mesh = box()
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=picture, name="wood")
    mesh.visual = trimesh.visual.TextureVisuals(uv=mesh.vertices[:, :2], material=material)
    return mesh


def saved(folder, name, scene):
    path = folder / name
    scene.export(path)
    return path


@pytest.mark.parametrize("suffix", ["glb", "gltf", "obj", "ply", "stl", "off"])
def test_every_format(tmp_path, suffix):
    path = tmp_path / f"box.{suffix.upper() if suffix == 'stl' else suffix}"
    if suffix == "gltf":
        for name, data in trimesh.exchange.gltf.export_gltf(trimesh.Scene(box())).items():
            (tmp_path / ("box.gltf" if name.endswith(".gltf") else name)).write_bytes(data)
    else:
        data = box().export(file_type=suffix)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    mesh = load_mesh(path)
    assert len(mesh.surface.faces) == 12
    assert mesh.surface.areas().sum() == pytest.approx(22)
    assert list(mesh.blocks.values()) == [slice(0, 12)]


def test_hierarchy_transforms_and_textures(tmp_path):
    scene = trimesh.Scene()
    turn = trimesh.transformations.rotation_matrix(0.3, [0, 1, 0], [1, 2, 3])
    scene.add_geometry(textured(), node_name="a", transform=turn)
    scene.add_geometry(box(), node_name="b", parent_node_name="a", transform=turn)
    mesh = load_mesh(saved(tmp_path, "two.glb", scene))
    assert [block.stop - block.start for block in mesh.blocks.values()] == [12, 12]
    corners = np.concatenate(
        [box().apply_transform(turn).vertices, box().apply_transform(turn @ turn).vertices]
    )
    assert np.allclose(sorted(mesh.surface.vertices.tolist()), sorted(corners.tolist()), atol=1e-5)
    assert any(image is not None for image in mesh.surface.textures)
    materials = [getattr(one.visual, "material", None) for one in mesh.scene.geometry.values()]
    assert "wood" in [getattr(material, "name", None) for material in materials]


def test_face_order_is_the_files(tmp_path):
    mesh = box()
    order = np.random.default_rng(0).permutation(12)
    path = tmp_path / "box.ply"
    path.write_bytes(trimesh.Trimesh(mesh.vertices, mesh.faces[order], process=False).export(file_type="ply"))
    read = load_mesh(path).surface
    assert np.allclose(read.vertices[read.faces], mesh.vertices[mesh.faces[order]])


def glb():
    return trimesh.Scene(box()).export(file_type="glb")


BROKEN = {
    "missing.glb": (None, "no such file"),
    "zero.glb": (b"", "empty"),
    "blank.obj": (b" \n", "empty"),
    "short.glb": (glb()[:200], "truncated"),
    "head.glb": (glb()[:14], "truncated"),
    "noise.glb": (b"glTF" + bytes(range(200)), "truncated"),
    "text.gltf": (b"not json", "not a glTF"),
    "noise.stl": (b"solid nothing", "readable|triangle|refers"),
    "noise.ply": (b"ply\nformat ascii 1.0\nend_header\n", "readable|triangle|refers"),
    "short.ply": (box().export(file_type="ply")[:-40], "readable|triangle|refers"),
    "short.stl": (box().export(file_type="stl")[:-40], "readable|triangle|refers"),
    "short.off": (box().export(file_type="off").encode()[:120], "readable|triangle|refers"),
    "bad_index.obj": (b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "readable|triangle|refers"),
    "comment.obj": (b"# nothing here\n", "readable|triangle|refers"),
    "nan.obj": (b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
    "inf.off": (b"OFF\n3 1 0\ninf 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "not finite"),
    "flat.obj": (b"v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "degenerate"),
    "points.ply": (
        b"ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\n"
        b"end_header\n0 0 0\n1 1 1\n",
        "points",
    ),
    "mesh.fbx": (b"x", "not read"),
    "mesh": (b"x", "no suffix"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_one_clear_line(tmp_path, name, capfd):
    data, part = BROKEN[name]
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(AlignPartsError, match=part) as caught:
        load_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_folder_is_no_mesh(tmp_path):
    with pytest.raises(AlignPartsError, match="is a folder"):
        load_mesh(tmp_path)


def test_draco_is_said_so(tmp_path):
    header = {"asset": {"version": "2.0"}, "extensionsRequired": ["KHR_draco_mesh_compression"]}
    path = tmp_path / "packed.gltf"
    path.write_text(json.dumps(header))
    with pytest.raises(AlignPartsError, match="compressed"):
        load_mesh(path)


def test_a_gltf_may_not_reach_outside_its_folder(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    files = trimesh.exchange.gltf.export_gltf(trimesh.Scene(box()))
    for name, data in files.items():
        if name.endswith(".gltf"):
            tree = json.loads(data)
            tree["buffers"][0]["uri"] = "../secret.bin"
            (inner / "model.gltf").write_text(json.dumps(tree))
        else:
            (tmp_path / "secret.bin").write_bytes(data)
    with pytest.raises(AlignPartsError, match="outside"):
        load_mesh(inner / "model.gltf")


def test_an_obj_without_its_materials_is_gray(tmp_path):
    path = tmp_path / "lost.obj"
    path.write_bytes(b"mtllib lost.mtl\nusemtl wood\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert len(load_mesh(path).surface.faces) == 1


def test_an_obj_finds_images_beside_its_folder(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "objs").mkdir()
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (250, 10, 10)).save(stream, "PNG")
    (tmp_path / "images" / "t.png").write_bytes(stream.getvalue())
    (tmp_path / "objs" / "a.mtl").write_text("newmtl m\nKd 0 0 0\nmap_Kd ../images/t.png\n")
    path = tmp_path / "objs" / "a.obj"
    path.write_text(
        "mtllib a.mtl\nusemtl m\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
    )
    surface = load_mesh(path).surface
    color = surface.color_at(np.array([0]), np.array([[0.3, 0.3, 0.4]]))
    assert np.allclose(color[0, :3], [250 / 255, 10 / 255, 10 / 255], atol=0.01)
