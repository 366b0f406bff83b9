"""The open test set: manifest, fetching by git at a commit, and the reader."""

import csv
import hashlib
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import trimesh
from smoke import block

from alignparts.cli import app
from alignparts.core.errors import AlignPartsError
from alignparts.corpus import readers, repositories
from alignparts.corpus.ingest import ingest
from alignparts.corpus.open_set import OpenShape, fetch, read_manifest

OBJ = """mtllib two.mtl
v 0 0 0
v 1 0 0
v 0 1 0
v 0 0 1
o lid
usemtl red
f 1 2 3
o pot
usemtl blue
f 1 2 4
f 1 3 4
"""


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, "-C", str(folder), *arguments], capture_output=True, check=True)
    return done.stdout.decode().strip()


def pot(seat: str = "lid") -> bytes:
    """A glTF of two nodes, each of its own material."""
    scene = trimesh.Scene()
    for number, name in enumerate((seat, "pot")):
        box = trimesh.creation.box((1, 1 + number, 1)).apply_translation([0, 3 * number, 0])
        paint = trimesh.visual.material.PBRMaterial(name=f"paint_{name}")
        box.visual = trimesh.visual.TextureVisuals(uv=np.zeros((len(box.vertices), 2)), material=paint)
        scene.add_geometry(box, node_name=name, geom_name=name)
    return bytes(scene.export(file_type="glb"))


FILES = {
    "packs/pot.glb": pot(),
    "two.obj": OBJ.encode(),
    "two.mtl": b"newmtl red\nKd 1 0 0\nnewmtl blue\nKd 0 0 1\n",
}


def digest(path: str) -> str:
    return hashlib.sha256(FILES[path]).hexdigest()


def row(number: int, commit: str, path: str, by: str, parts: str, **changes: str) -> dict[str, str]:
    return {
        "id": f"shape{number}", "repository": "ada/things", "commit": commit, "path": path,
        "sha256": digest(path), "license": "CC0-1.0", "attribution": "Ada", "category": "pot", "pack": "ada",
        "by": by, "parts": parts, "files": "", **changes,
    }  # fmt: skip


@pytest.fixture
def remote(tmp_path):
    """A repository that serves any commit and partial clones; its address, and its commit."""
    folder = tmp_path / "remote/ada/things"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    for key in ("allowFilter", "allowAnySHA1InWant"):
        git(folder, "config", f"uploadpack.{key}", "true")
    for path, data in FILES.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(data)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "things")
    commit = git(folder, "rev-parse", "HEAD")
    for path in FILES:
        (folder / path).write_bytes(b"changed later")
    git(folder, "commit", "--quiet", "--all", "--message", "other things")
    return f"file://{tmp_path}/remote/{{}}", commit


def manifest(folder: Path, *rows: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "manifest.csv"


def whole(folder: Path, commit: str) -> Path:
    return manifest(
        folder,
        row(1, commit, "packs/pot.glb", "node", "lid=cover|pot=body"),
        row(2, commit, "packs/pot.glb", "material", "paint_pot=body|paint_lid=cover"),
        row(3, commit, "two.obj", "node", "lid=cover", files=f"two.mtl {digest('two.mtl')}"),
        row(4, commit, "two.obj", "material", "red=cover|blue=body", files=f"two.mtl {digest('two.mtl')}"),
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted((folder / "files").rglob("*.*"))}


def test_files_come_at_their_commit_from_the_network_or_a_mirror_and_are_kept(tmp_path, remote, monkeypatch):
    address, commit = remote
    first = whole(tmp_path / "a", commit)
    assert astuple(fetch(first, address=address)) == (0, 3, [])
    assert contents(tmp_path / "a") == {f"files/ada+things/{path}": data for path, data in FILES.items()}
    for name, bare in (("b", ["--bare"]), ("c", [])):
        clone = tmp_path / f"mirror-{name}/ada+things"
        git(tmp_path, "clone", "--quiet", *bare, address.format("ada/things"), str(clone))
        again = whole(tmp_path / name, commit)
        assert fetch(again, clone.parent).failures == []
        assert contents(tmp_path / name) == contents(tmp_path / "a")
    (tmp_path / "a/files/ada+things/two.obj").write_bytes(b"cut o")
    monkeypatch.setattr(repositories, "_pull", None)  # no network
    assert astuple(fetch(first, tmp_path / "mirror-b")) == (2, 1, [])
    assert astuple(fetch(first, tmp_path / "nowhere")) == (3, 0, [])


def test_the_manifest_maps_nodes_materials_and_objects_to_parts(tmp_path, remote):
    address, commit = remote
    fetch(whole(tmp_path / "open", commit), address=address)
    shapes = {
        locator.shape_id: readers.read(kind, locator) for kind, locator in readers.scan(tmp_path / "open")
    }
    area = {"cover": 6.0, "body": 10.0}
    for number in (1, 2):
        shape = shapes[f"open_shape{number}"]
        assert (shape.dataset, shape.category, shape.license) == ("open", "pot", "CC0-1.0")
        part = np.array([*shape.instances, ""])[shape.surface.face_part]
        assert {name: shape.surface.areas()[part == name].sum() for name in area} == pytest.approx(area)
    assert sorted(np.bincount(shapes["open_shape4"].surface.face_part)) == [1, 2]
    assert shapes["open_shape3"].instances == ["cover"]
    assert (shapes["open_shape3"].surface.face_part == -1).sum() == 2
    index = ingest([tmp_path / "open"], tmp_path / "corpus", block("corpus", heldout=[])).corpus.index
    assert set(index["pack"]) == {"ada"} and len(index) == 4


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"license": "CC-BY-NC-4.0"}, "manifest.csv:2: license: Input should be 'CC0-1.0'"),
        ({"sha256": "abc"}, "manifest.csv:2: sha256: String should match"),
        ({"commit": "main"}, "manifest.csv:2: commit: String should match"),
        ({"path": "../../etc/passwd"}, "manifest.csv:2: path: Value error, expected a path within"),
        ({"parts": "lid"}, "manifest.csv:2: parts: String should match"),
        ({"by": "object"}, "manifest.csv:2: by: Input should be 'node' or 'material'"),
        ({"files": "two.mtl"}, "manifest.csv:2: files: String should match"),
        ({"files": f"../two.mtl {'0' * 64}"}, "manifest.csv:2: files: Value error, expected a path within"),
        ({"parts": "lid=a|lid=b"}, "manifest.csv:2: parts: Value error, expected every name once; lid is"),
    ],
)
def test_a_wrong_row_is_named_by_line_and_column(tmp_path, changes, expected):
    path = manifest(tmp_path, {**row(1, "0" * 40, "two.obj", "node", "lid=cover"), **changes})
    with pytest.raises(AlignPartsError) as error:
        read_manifest(path)
    assert expected in str(error.value)


def test_an_id_twice_and_no_manifest_are_refused(tmp_path):
    same = row(1, "0" * 40, "two.obj", "node", "lid=cover")
    with pytest.raises(AlignPartsError, match="id 'shape1' is there twice"):
        read_manifest(manifest(tmp_path, same, same))
    with pytest.raises(AlignPartsError, match="no such file; expected the manifest"):
        read_manifest(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sha256": "0" * 64}, "two.obj: SHA-256 is "),
        ({"commit": "0" * 40}, "ada/things@00000000: the repository does not have it any more"),
        ({"path": "three.obj"}, "three.obj: no file of this name"),
        ({"repository": "ada/gone"}, "check the network, or give --mirror a folder of clones"),
    ],
)
def test_what_cannot_be_had_is_a_line_and_the_rest_comes(tmp_path, remote, monkeypatch, changes, expected):
    address, commit = remote
    monkeypatch.setattr(repositories._pull.retry, "sleep", lambda seconds: None)
    good = row(1, commit, "packs/pot.glb", "node", "lid=cover", repository="ada/things")
    path = manifest(tmp_path / "open", {**row(2, commit, "two.obj", "node", "lid=cover"), **changes}, good)
    done = fetch(path, address=address)
    assert len(done.failures) == 1 and expected in done.failures[0]
    there = {Path(name).name for name in contents(tmp_path / "open")}
    assert there == {"pot.glb"}


def test_a_mirror_without_the_repository_or_the_commit(tmp_path, remote):
    address, _ = remote
    path = manifest(tmp_path / "open", row(1, "0" * 40, "two.obj", "node", "lid=cover"))
    assert "expected a git clone of ada/things" in fetch(path, tmp_path).failures[0]
    git(tmp_path, "clone", "--quiet", "--bare", address.format("ada/things"), str(tmp_path / "ada+things"))
    assert f"commit {'0' * 40} is not in {tmp_path}" in fetch(path, tmp_path).failures[0]
    assert not (tmp_path / "open/files").exists()


def test_a_blob_that_a_mirror_lacks_costs_its_own_shape_alone(tmp_path, remote):
    _, commit = remote
    git(tmp_path, "clone", "--quiet", "--bare", str(tmp_path / "remote/ada/things"), "ada+things")
    blob = git(tmp_path / "ada+things", "rev-parse", f"{commit}:packs/pot.glb")
    (tmp_path / f"ada+things/objects/{blob[:2]}/{blob[2:]}").unlink()
    done = fetch(whole(tmp_path / "open", commit), tmp_path)
    assert len(done.failures) == 1 and "packs/pot.glb: not in" in done.failures[0]
    assert {Path(name).name for name in contents(tmp_path / "open")} == {"two.obj", "two.mtl"}


def test_materials_of_one_part_are_one_instance_and_names_are_not_prefixes(tmp_path):
    rows = (
        row(1, "0" * 40, "two.obj", "material", "red=pot|blue=pot"),
        row(2, "0" * 40, "two.obj", "node", "pot=body"),
    )
    place = manifest(tmp_path, *rows).parent / "files/ada+things"
    place.mkdir(parents=True)
    (place / "two.obj").write_text(OBJ.replace("o lid", "o pot_2"))
    (place / "two.mtl").write_bytes(FILES["two.mtl"])
    one, named = (readers.read(kind, locator) for kind, locator in readers.scan(tmp_path))
    assert one.instances == ["pot"] and (one.surface.face_part == 0).all()
    assert named.instances == ["body"] and (named.surface.face_part == 0).sum() == 2


def test_the_command_says_what_it_did(tmp_path, remote, monkeypatch, capsys):
    address, commit = remote
    path = whole(tmp_path / "open", commit)
    git(tmp_path, "clone", "--quiet", address.format("ada/things"), str(tmp_path / "m/ada/things"))
    for mirror, code, words in (
        ("m", 0, "3 files fetched, 0 were there"),
        ("n", 0, "0 files fetched, 3 were"),
    ):
        given = ["alignparts", "fetch", "open", "--manifest", str(path), "--mirror", str(tmp_path / mirror)]
        monkeypatch.setattr(sys, "argv", given)
        with pytest.raises(SystemExit) as stopped:
            app.main()
        assert (stopped.value.code or 0) == code and words in capsys.readouterr().out


def test_shapes_that_are_not_fetched_or_do_not_match_have_a_reason(tmp_path, remote):
    address, commit = remote
    path = manifest(tmp_path / "open", row(1, commit, "packs/pot.glb", "node", "top=cover"))
    ((kind, locator),) = readers.scan(tmp_path / "open")
    assert kind == "unknown" and "not there; run: alignparts fetch open" in locator.reason
    fetch(path, address=address)
    ((kind, locator),) = readers.scan(tmp_path / "open")
    with pytest.raises(AlignPartsError, match="names node 'top', which the file lacks; it has lid, pot"):
        readers.read(kind, locator)


def test_the_shipped_manifest_is_sound():
    from alignparts.core import paths

    shapes = read_manifest(paths.DATA / "open/manifest.csv")
    assert len(shapes) >= 150 and all(isinstance(shape, OpenShape) for shape in shapes)
    assert all(len(set(shape.part_of.values())) > 1 for shape in shapes)
    assert len({shape.pack for shape in shapes}) >= 8
