"""Strangers' meshes: three image formats, no helper program, and one line for what makes no sense."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import check_tree, join_container, split_container
from alignparts.corpus.mesh.images import FORMATS, open_image
from alignparts.corpus.mesh.meshio import load_mesh

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n%%EOF\n"
GREEN = (10, 200, 30)
started: list[str] = []
sys.addaudithook(lambda event, _: started.append(event) if event in STARTS else None)
STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"}


def image(kind: str) -> bytes:
    if kind == "EPS":
        return EPS
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), GREEN).save(stream, kind)
    return stream.getvalue()


def textured(path: Path, data: bytes) -> Path:
    """A triangle whose texture is called a PNG, as a GLB, or as an OBJ or a PLY with a file beside it."""
    if path.suffix == ".obj":
        (path.parent / "skin.png").write_bytes(data)
        (path.parent / "a.mtl").write_text("newmtl m\nmap_Kd skin.png\n")
        corners = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
        path.write_text(f"mtllib a.mtl\nusemtl m\n{corners}")
        return path
    mesh = trimesh.Trimesh(np.eye(3), [[0, 1, 2]], process=False)
    mesh.visual = trimesh.visual.TextureVisuals(np.eye(3)[:, :2], image=Image.new("RGB", (8, 8)))
    header, binary = split_container(mesh.export(file_type="glb"), "made")
    binary = (binary or b"") + data + bytes(-len(data) % 4)
    view = {"buffer": 0, "byteOffset": header["buffers"][0]["byteLength"], "byteLength": len(data)}
    header["bufferViews"].append(view)
    header["images"] = [{"bufferView": len(header["bufferViews"]) - 1, "mimeType": "image/png"}]
    header["buffers"][0]["byteLength"] = len(binary)
    path.write_bytes(join_container(header, binary))
    return path


@pytest.mark.parametrize("suffix", ["glb", "obj"])
@pytest.mark.parametrize("kind", [*FORMATS, "EPS", "TIFF", "BMP", "GIF", "PPM", "ICO"])
def test_three_formats_are_opened_whatever_a_file_calls_itself(
    kind: str, suffix: str, tmp_path: Path
) -> None:
    started.clear()
    path = textured(tmp_path / f"a.{suffix}", image(kind))
    (texture,) = load_mesh(path).surface.textures
    assert (texture is not None) == (kind in FORMATS)
    if texture is not None:
        assert np.abs(texture[..., :3].astype(int) - GREEN).max() < 12
    assert not started


def test_other_images_of_this_process_are_as_before() -> None:
    for kind in ("BMP", "TIFF"):
        assert Image.open(io.BytesIO(image(kind))).format == kind
        with pytest.raises(OSError, match="cannot identify"):
            open_image(image(kind))


def tree(*children: list[int], roots: list[int] | None = None) -> dict[str, Any]:
    return {"nodes": [{"children": below} for below in children], "scenes": [{"nodes": roots or [0]}]}


def test_trees_pass_and_circles_do_not() -> None:
    check_tree(tree([1, 2], [3], [], []))
    check_tree(tree([], [0], [1], roots=[2]))
    check_tree({})
    for header, problem in (
        (tree([1], [0]), "two parents"), (tree([0]), "two parents"), (tree([1, 1], []), "two parents"),
        (tree([], [2], [1]), "below itself"), (tree([], [1]), "below itself"), (tree([7]), "does not exist"),
    ):  # fmt: skip
        with pytest.raises(AlignPartsError, match=problem):
            check_tree(header)


@pytest.mark.parametrize(
    "header", ['"nodes":"x"', '"nodes":[{"mesh":9}]', '"nodes":[1]', '"scenes":[{"nodes":[4]}]']
)
def test_a_header_without_sense_is_one_line(header: str, tmp_path: Path) -> None:
    path = tmp_path / "a.gltf"
    path.write_text(f'{{"asset":{{"version":"2.0"}},{header}}}')
    with pytest.raises(AlignPartsError, match=r"^[^\n]*a\.gltf: [^\n]+$"):
        load_mesh(path)


def test_depth_and_what_has_no_end_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "deep.gltf").write_text('{"asset":' + "[" * 100_000 + "]" * 100_000 + "}")
    os.mkfifo(tmp_path / "pipe.obj")
    (tmp_path / "zero.obj").symlink_to("/dev/zero")
    for name, problem in (
        ("deep.gltf", "not a glTF"),
        ("pipe.obj", "no regular file"),
        ("zero.obj", "no regular"),
    ):
        with pytest.raises(AlignPartsError, match=f"{name}: .*{problem}"):
            load_mesh(tmp_path / name)
