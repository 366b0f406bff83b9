"""Many meshes in one command: which, where to, what is said, and what the exit code means."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trimesh

from alignparts.cli.batch import Places, expand, has_result
from alignparts.core.errors import AlignPartsError
from alignparts.naming.pipeline import NamedPartsPipeline


@pytest.fixture
def tree(tmp_path):
    """Makes a folder of meshes, with what is none of them."""
    paths = [
        "a/chair.glb",
        "b/chair.glb",
        "b/deep/er/Mug.STL",
        "b/chair.parts.glb",
        ".git/x.glb",
        "notes.txt",
    ]
    for number, path in enumerate(paths):
        (tmp_path / "in" / path).parent.mkdir(parents=True, exist_ok=True)
        kind = path.rpartition(".")[2].lower().replace("txt", "obj")
        trimesh.creation.box((1, 1, 1 + number)).export(tmp_path / "in" / path, file_type=kind)
    return tmp_path / "in"


def names(tree, given):
    return [os.path.relpath(path, tree) for path in expand([str(one) for one in given])]


def test_a_folder_is_all_meshes_below_it(tree):
    below = ["a/chair.glb", "b/chair.glb", "b/deep/er/Mug.STL"]
    assert names(tree, [tree]) == below
    assert names(tree, [tree / "b" / "chair.glb", tree]) == [below[1], below[0], below[2]]


def test_a_pattern_and_a_list_on_stdin(tree, monkeypatch):
    assert names(tree, [tree / "*" / "chair*"]) == ["a/chair.glb", "b/chair.glb"]
    assert names(tree, [tree / "**"]) == names(tree, [tree])
    lines = f"{tree}/b/chair.glb\r\n\n{tree}/a\n{tree}/none [1].glb\n".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    assert names(tree, ["-"]) == ["b/chair.glb", "a/chair.glb", "none [1].glb"]


def test_brackets_in_the_name_of_a_file_are_no_pattern(tree):
    (tree / "a" / "chair.glb").rename(tree / "chair [1].glb")
    assert names(tree, [tree / "chair [1].glb"]) == ["chair [1].glb"]


@pytest.mark.parametrize("given", ["none", "none/*.glb", "in/*.txt", "void", "-"])
def test_nothing_to_name_is_an_error(tree, given, monkeypatch):
    monkeypatch.chdir(tree.parent)
    (tree.parent / "void").mkdir()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    with pytest.raises(AlignPartsError, match=f"^{given.replace('*', '.')}: "):
        expand([given])


def test_results_that_collide_get_folders_of_their_own(run, tree, tmp_path):
    out = tmp_path / "out"
    code, text, _ = run("name", tree, "-o", out, "--no-picture")
    assert code == 0 and f"-> {out}/chair_2, from {tree}/b/chair.glb\n" in text
    assert {path.name for path in out.iterdir()} == {"chair", "chair_2", "Mug"}
    assert has_result(out / "chair", tree / "a/chair.glb")
    assert has_result(out / "chair_2", tree / "b/chair.glb")


def test_a_later_mesh_replaces_no_other_one(run, tree, tmp_path):
    out, first, second = tmp_path / "out", tree / "a/chair.glb", tree / "b/chair.glb"
    for mesh in (first, second, first):
        assert run("name", mesh, "-o", out, "--no-picture")[0] == 0
    assert has_result(out, first) and has_result(out / "chair", second)
    assert not (out / "chair_2").exists()
    assert run("name", second, "-o", out, "--no-picture", "--overwrite")[0] == 0
    assert has_result(out, second)


def test_a_mesh_that_changed_keeps_its_folder(run, tree, tmp_path):
    mesh, out = tree / "a/chair.glb", tmp_path / "out"
    run("name", mesh, "-o", out, "--no-picture")
    trimesh.creation.icosphere(2).export(mesh)
    assert not has_result(out, mesh)
    run("name", mesh, "-o", out, "--no-picture", "--resume")
    assert has_result(out, mesh) and not (out / "chair").exists()


def test_resume_names_what_is_not_whole_alone(run, tree, tmp_path):
    out, asked = tmp_path / "out", ("--no-picture", "--resume", "--json")
    assert run("name", tree, "-o", out, "--no-picture")[0] == 0
    (out / "chair_2" / "face_labels.npy").unlink()
    (out / "Mug" / "labels.json").write_text('{"schema"')
    moved = shutil.move(out, tmp_path / "moved")
    code, text, err = run("name", tree, "-o", moved, *asked)
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [os.path.relpath(one["mesh"], tree) for one in lines] == names(tree, [tree])
    assert [one["status"] for one in lines] == ["kept", "named", "named"]
    assert lines[0]["parts"] == json.loads((moved / "chair" / "labels.json").read_text())["parts"]
    assert [
        json.loads(line)["status"] for line in run("name", tree, "-o", moved, *asked)[1].splitlines()
    ] == (["kept"] * 3)


def test_folders_that_differ_in_capitals_alone_are_one():
    places, meshes = Places(Path("none")), ("Mug.glb", "a/mug.glb", "mug_2.glb")
    assert [places.claim(Path(mesh)).name for mesh in meshes] == ["Mug", "mug_2", "mug_2_2"]


def test_any_exception_stops_one_mesh_alone(run, tree, tmp_path, monkeypatch):
    saved = NamedPartsPipeline.name

    def name(self, mesh, **options):
        print("a library says something")
        if mesh.name == "Mug.STL":
            raise RuntimeError("two\nlines")
        return saved(self, mesh, **options)

    monkeypatch.setattr(NamedPartsPipeline, "name", name)
    code, text, err = run("name", tree, tree / "notes.txt", "-o", tmp_path / "out", "--no-picture", "--json")
    lines = [json.loads(line) for line in text.splitlines()]
    assert code == 1
    assert [one["status"] for one in lines] == ["named", "named", "failed", "failed"]
    assert lines[2]["error"] == f"{tree}/b/deep/er/Mug.STL: RuntimeError: two lines"
    assert [part["name"] for part in lines[0]["parts"]] == ["top", "bottom"]
    assert "a library says something" in err and f"error: {lines[2]['error']}\n" in err
    assert err.endswith("2 of 4 meshes failed: Mug.STL, notes.txt\n")


def test_quiet_says_errors_alone(run, tree, tmp_path):
    (tree / "broken.glb").write_bytes(b"glTF")
    code, out, err = run("name", tree, "-o", tmp_path / "out", "--no-picture", "-q")
    assert (code, out, err.count("\n")) == (1, "", 1) and "broken.glb" in err
    assert run("name", tree / "a", "-o", tmp_path / "out", "--no-picture", "-q") == (0, "", "")


def test_what_is_wrong_for_every_mesh_is_said_once(run, tree, tmp_path):
    code, out, err = run("name", tree, "-o", tmp_path / "out", "--category", "zebra")
    assert (code, out, err.count("\n")) == (2, "", 1) and "zebra" in err
    assert run("name", tree, "-o", tmp_path / "out", "--resume", "--overwrite")[0] == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", ["out", "model", "mesh"])
def test_wrong_use_is_said_before_anything_heavy_is_imported(tree, tmp_path, wrong):
    (tmp_path / "file").write_text("")
    line = {
        "out": ["name", tree, "-o", tmp_path / "file"],
        "model": ["name", tree, "--model", tmp_path],
        "mesh": ["name", tmp_path / "none.glb"],
    }[wrong]
    code = """
import sys
from alignparts.cli.app import main
try:
    main()
finally:
    print("heavy:", {"torch", "scipy", "trimesh", "huggingface_hub"} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code, *map(str, line)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "heavy: set()\n")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [[], ["name"], ["evaluate"], ["view"], ["ingest"]])
def test_help_has_a_short_name(run, command):
    short, long = (run(*command, asked) for asked in ("-h", "--help"))
    assert short == long and short[0] == 0 and "Usage" in short[1]


def test_the_version_is_that_of_the_package(run):
    from importlib.metadata import version

    assert run("--version") == (0, f"alignparts {version('alignparts')}\n", "")
