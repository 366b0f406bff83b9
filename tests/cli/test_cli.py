"""The commands, as a user runs them."""

import json
import sys
import webbrowser

import numpy as np
import pytest
import trimesh

from alignparts.cli import app
from alignparts.core.errors import AlignPartsError
from alignparts.naming.candidates import read_vocabulary, write_vocabulary
from alignparts.naming.prediction import Candidate


def test_name_writes_all_and_says_one_line(run, ball, tmp_path):
    code, out, err = run("name", ball, "--out", tmp_path / "out", "--no-picture")
    assert (code, err) == (0, "")
    assert out.startswith("ball.glb: mug: ")
    assert out.count("\n") == 1
    assert "top" in out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "ball.parts.glb",
        "labels.json",
        "face_labels.npy",
    }


def test_view_shows_what_name_wrote(run, ball, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    run("name", ball, "--out", tmp_path / "out", "--no-picture")
    assert run("view", tmp_path / "out") == (0, f"ball.glb -> {tmp_path}/out/ball.parts.html\n", "")
    assert opened == [f"file://{tmp_path}/out/ball.parts.html"]
    page = tmp_path / "pages" / "page.html"
    assert run("view", tmp_path, "--out", page, "--no-open")[0] == 0
    assert len(opened) == 1
    assert page.read_bytes() == (tmp_path / "out" / "ball.parts.html").read_bytes()


def test_view_names_a_plain_mesh_first(run, ball, tmp_path):
    code, out, err = run("view", ball, "--no-open")
    assert (code, err) == (0, "")
    assert out.startswith("ball.glb: mug: ") and out.endswith(f"ball.glb -> {tmp_path}/ball.parts.html\n")
    assert {path.name for path in tmp_path.iterdir()} == {"ball.glb", "ball.parts.html"}


def test_view_of_several_names_the_page_after_the_folder(run, ball, tmp_path, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    other = tmp_path / "ball.stl"
    trimesh.creation.box().export(other)
    run("name", ball, other, "--out", tmp_path / "out", "--no-picture")
    code, out, err = run("view", tmp_path / "out")
    assert (code, out) == (0, f"ball.glb, ball.stl -> {tmp_path}/out/out.parts.html\n")
    assert "open the page" in err


@pytest.mark.parametrize("given", ["", "labels.json", "ball.parts.glb", "missing.stl"])
def test_view_of_what_is_no_result_is_one_line(run, tmp_path, given):
    code, out, err = run("view", tmp_path / given)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {tmp_path}")
    assert list(tmp_path.iterdir()) == []


def test_name_with_instances_and_detail(run, tmp_path):
    balls = [trimesh.creation.icosphere(2), trimesh.creation.icosphere(2)]
    balls[1].apply_translation((0, 5, 0))
    trimesh.util.concatenate(balls).export(tmp_path / "balls.glb")
    options = ("--out", tmp_path / "out", "--no-picture", "--instances", "--query", "top", "--detail", "fine")
    assert run("name", tmp_path / "balls.glb", *options)[0] == 0
    arrays = {path.name for path in (tmp_path / "out").glob("*.npy")}
    assert arrays == {"face_labels.npy", "face_instances.npy", "face_pieces.npy"}
    code, _, err = run("name", tmp_path / "balls.glb", "--out", tmp_path / "out", "--detail", "much")
    assert code == 2 and "coarse" in err


def test_name_with_own_words(run, ball, tmp_path):
    names = tmp_path / "names.yaml"
    names.write_text("deckel: top\nboden: bottom\n")
    _, out, _ = run("name", ball, "--out", tmp_path / "out", "--no-picture", "--vocabulary", names)
    assert "deckel" in out
    assert "boden" in out
    _, out, _ = run("name", ball, "--out", tmp_path / "out", "--no-picture", "--query", "bottom")
    assert "top" not in out
    labels = np.load(tmp_path / "out" / "face_labels.npy", allow_pickle=False)
    assert set(labels.tolist()) == {-1, 0}


def test_name_with_the_category_given(run, ball, tmp_path):
    _, out, _ = run("name", ball, "--out", tmp_path / "out", "--no-picture", "--category", "chair")
    assert out.startswith("ball.glb: chair: top")
    code, _, err = run("name", ball, "--out", tmp_path / "out", "--category", "zebra")
    assert code == 2
    assert "zebra" in err


def test_several_meshes_get_a_folder_each_and_one_bad_one_stops_none(run, ball, tmp_path):
    empty = tmp_path / "empty.obj"
    empty.write_text("")
    other = tmp_path / "ball.stl"
    trimesh.creation.box().export(other)
    code, out, err = run("name", ball, empty, other, "--out", tmp_path / "out", "--no-picture")
    assert code == 1
    assert out.count("\n") == 3 and out.endswith("1 of 3 meshes failed: empty.obj\n")
    assert err.count("\n") == 1
    assert str(empty) in err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"ball", "ball_2"}


@pytest.mark.parametrize(("mesh", "expected"), [("missing.glb", 2), ("empty.glb", 1)])
def test_bad_mesh_is_one_line_and_no_output(run, tmp_path, mesh, expected):
    (tmp_path / "empty.glb").write_bytes(b"")
    code, out, err = run("name", tmp_path / mesh, "--out", tmp_path / "out")
    assert code == expected
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


VOCABULARIES = {
    "": "empty",
    "[]": "empty",
    "{}": "empty",
    "- leg\n- leg\n": "'leg' is listed twice",
    "leg: a\nleg: b\n": "'leg' is listed twice",
    "- 3\n": "entry 1",
    "- ''\n": "entry 1",
    "- [a]\n": "entry 1",
    "leg: 3\n": "leg: expected a description",
    "just words": "got 'just words'",
    "a: [": "not valid YAML",
}


@pytest.mark.parametrize("text", VOCABULARIES)
def test_bad_vocabulary_names_file_and_key(run, ball, tmp_path, text):
    names = tmp_path / "names.yaml"
    names.write_text(text)
    code, _, err = run("name", ball, "--out", tmp_path / "out", "--vocabulary", names)
    assert code == 2
    assert str(names) in err
    assert VOCABULARIES[text] in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_vocabulary_forms(tmp_path):
    names = tmp_path / "names.yaml"
    names.write_text("leg: holds it up\nseat:\n")
    assert [(one.name, one.text) for one in read_vocabulary(names)] == [
        ("leg", "holds it up"),
        ("seat", "seat"),
    ]
    with pytest.raises(AlignPartsError, match="no such file"):
        read_vocabulary(tmp_path / "other.yaml")


@pytest.mark.parametrize("name", ["leg", "no", "1", "a: b", "# c", "Größe"])
def test_a_vocabulary_comes_back_as_it_was_written(tmp_path, name):
    candidates = [Candidate(name, "what it is: for 'this' and \"that\""), Candidate("other")]
    write_vocabulary(tmp_path / "vocabulary.yaml", candidates)
    assert read_vocabulary(tmp_path / "vocabulary.yaml") == candidates


def test_a_language_model_lists_the_parts(run, ball, tmp_path):
    code, out, err = run("name", ball, "--out", tmp_path / "out", "--no-picture", "--propose", "Teapot")
    assert (code, err) == (0, "")
    proposed = read_vocabulary(tmp_path / "out" / "vocabulary.yaml")
    assert out.startswith(f"Teapot: {len(proposed)} parts to look for")
    assert {"spout", "lid", "handle"} <= {one.name for one in proposed}
    labels = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert labels["mode"] == "open"
    assert {part["name"] for part in labels["parts"]} <= {one.name for one in proposed}


def test_nothing_is_proposed_without_a_reply(run, ball, tmp_path):
    code, _, err = run("name", ball, "--out", tmp_path / "out", "--propose", "gramophone of glass")
    assert code == 2
    assert "no recorded reply" in err and "ontology.llm" in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_options_that_exclude_each_other(run, ball, tmp_path):
    code, _, err = run("name", ball, "--out", tmp_path / "out", "--query", "a", "--category", "mug")
    assert code == 2
    assert "exclude" in err
    code, _, err = run("name", ball, "--out", tmp_path / "out", "--query", " ")
    assert "name of a part is empty" in err


def test_samples_or_meshes_and_not_both(run, ball, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (["--demo", ball], []):
        code, _, err = run("name", *arguments)
        assert code == 2 and "--demo" in err and err.count("\n") == 1
    code, out, err = run("name", "--demo", "--no-picture")
    assert (code, err) == (0, "")
    assert {path.name for path in (tmp_path / "named").iterdir()} == {"chair", "lamp", "mug"}
    assert out.splitlines()[-1].startswith("To look at them: alignparts view named.")


def test_without_pictures_all_else_is_written(run, ball, tmp_path, monkeypatch):
    def offscreen():
        raise AlignPartsError("no driver")

    monkeypatch.setattr("alignparts.pictures.figures.offscreen", offscreen)
    code, out, err = run("name", ball, "--out", tmp_path / "out")
    assert (code, err) == (0, "no pictures: no driver\n") and out.startswith("ball.glb: mug")
    assert (tmp_path / "out" / "ball.parts.glb").is_file()


def test_a_missing_model_is_said(monkeypatch, capsys, ball, tmp_path):
    monkeypatch.setattr(sys, "argv", ["alignparts", "name", str(ball), "--out", str(tmp_path / "o"),
                                      "--model", str(tmp_path / "none")])  # fmt: skip
    with pytest.raises(SystemExit) as stopped:
        app.main()
    assert stopped.value.code == 2
    assert "no trained model" in capsys.readouterr().err


def test_a_profile_becomes_params(run, tmp_path, monkeypatch):
    from alignparts.core import paths

    (tmp_path / "profiles").mkdir()
    text = "# mine\n" + (paths.ROOT / "params.yaml").read_text()
    (tmp_path / "profiles" / "mine.yaml").write_text(text)
    (tmp_path / "profiles" / "wrong.yaml").write_text(text.replace("  seed:", "  sed: 3\n  seed:", 1))
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    assert run("profile", "mine")[0] == 0
    assert (tmp_path / "params.yaml").read_text() == text
    code, _, err = run("profile", "other")
    assert code == 2 and "expected one of mine, wrong" in err
    code, _, err = run("profile", "wrong")
    assert code == 2 and "unknown key 'base.sed'" in err
    assert (tmp_path / "params.yaml").read_text() == text


def test_a_checkpoint_that_is_none_is_one_line(run, tmp_path):
    code, _, err = run("convert-partfield", tmp_path / "none.ckpt", "--out", tmp_path / "out")
    assert code == 2 and "none.ckpt: no such file" in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def two_halves(path):
    scene = trimesh.Scene()
    for name, height in (("top", 0.5), ("bottom", -0.5)):
        mesh = trimesh.creation.box((1, 0.8, 1))
        mesh.apply_translation([0, height, 0])
        scene.add_geometry(mesh, node_name=name, geom_name=name)
    scene.export(path)


def test_evaluate_a_folder(run, tmp_path):
    folder = tmp_path / "shapes"
    folder.mkdir()
    two_halves(folder / "one.glb")
    two_halves(folder / "two.glb")
    (folder / "broken.glb").write_bytes(b"glTF")
    code, out, err = run("evaluate", folder, "--out", tmp_path / "out", "--bootstrap", "20")
    assert code == 0
    assert "2 shapes evaluated, 1 failed" in out
    assert "LA-mIoU" in out
    assert "broken" in err
    table = (tmp_path / "out" / "shapes.csv").read_text().splitlines()
    assert len(table) == 4
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"shapes.csv", "table.csv", "table.md"}


def test_evaluate_nothing_is_an_error(run, tmp_path):
    assert run("evaluate", tmp_path / "none")[0] == 2
    (tmp_path / "void").mkdir()
    code, _, err = run("evaluate", tmp_path / "void")
    assert code == 2
    assert err.count("\n") == 1


def test_demo_without_gradio_says_which_extra_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert run("demo") == (
        2,
        "",
        "error: gradio is not installed; run: pip install 'alignparts[demo]'\n",
    )
