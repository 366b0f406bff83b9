"""What the prediction stage writes, what it does again, and in which order people get to see it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import smoke
import trimesh
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from named_parts import pipeline
from PIL import Image

from alignparts.core.config.texparts import TexPartsParams
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import split_container
from alignparts.corpus.mesh.meshio import load_mesh
from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.mesh.surface import make_surface
from alignparts.naming.pipeline import NamedPartsPipeline
from alignparts.ontology.llm.client import LanguageModel
from texparts.annotation.objects import About, PartRecord, object_folders
from texparts.cli import app
from texparts.filter.filter import filter_folder
from texparts.queue import predict as stage
from texparts.queue.predict import COLUMNS, digest_of, field_clusters, predict, self_contained_glb
from texparts.queue.rank import rank, sort_queue, uncertainty

PARAMS = smoke.block("texparts", points=None, thumbnail=32, clusters=(2, 4, 8))


@pytest.fixture(autouse=True)
def hand_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NamedPartsPipeline, "from_pretrained", classmethod(lambda *_, **__: pipeline()))
    stage._loaded.cache_clear()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def meshes(tmp_path: Path) -> Path:
    """A tall textured box as OBJ with its image beside it, a colored ball as GLB, and a broken file."""
    folder = tmp_path / "meshes"
    folder.mkdir()
    box = trimesh.creation.box((1, 2, 0.7)).subdivide().subdivide()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8))
    box.visual = trimesh.visual.TextureVisuals(uv=np.asarray(box.vertices)[:, :2], image=image)
    box.export(folder / "box.obj")
    ball = trimesh.creation.icosphere(3)
    ball.visual.vertex_colors = np.random.default_rng(1).integers(0, 255, (len(ball.vertices), 4), np.uint8)
    ball.export(folder / "ball.glb")
    (folder / "broken.glb").write_bytes(b"glTF")
    return folder


@pytest.fixture
def root(meshes: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out"
    filter_folder(meshes, out, PARAMS)
    return out


def test_object_folders_hold_what_the_review_needs(root: Path, model: Path, meshes: Path) -> None:
    table = predict(root, model, PARAMS)
    assert tuple(table.columns) == COLUMNS
    assert table["object_id"].tolist() == ["ball", "box"] and table["done"].all()
    pd.testing.assert_frame_equal(pd.read_csv(root / "predicted.csv", keep_default_na=False), table)
    for folder in object_folders(root):
        about, mesh = folder.about(), folder.mesh()
        assert about.category == "mug" and about.title == folder.object_id
        assert about.model == f"tiny@{digest_of(model)[:16]}"
        assert {part.name for part in about.parts} == {"top", "bottom"}
        assert all(part.mask_confidence > 0.5 and 0 <= part.soft <= 1 for part in about.parts)
        assert not any(part.auto_accepted for part in about.parts)
        prediction = folder.prediction()
        assert len(prediction.face_part) == len(mesh.surface.faces) == about.faces
        # The model names the upper half top: labels are in the order of the mesh that is stored.
        height = mesh.surface.vertices[mesh.surface.faces].mean(axis=1)[:, 1]
        names = np.array([part.name for part in about.parts] + [""])[prediction.face_part]
        assert (names[height > 0.4] == "top").all() and (names[height < -0.4] == "bottom").all()
        clusters = folder.clusters()
        assert sorted(clusters) == [2, 4, 8]
        assert all(len(labels) == about.faces for labels in clusters.values())
        with Image.open(folder.thumbnail) as picture:
            assert picture.size == (32, 32) and len(picture.convert("RGB").getcolors(1024) or []) > 4
    assert (root / "objects" / "ball" / "mesh.glb").read_bytes() == (meshes / "ball.glb").read_bytes()


def test_a_mesh_with_files_beside_it_is_stored_with_them(meshes: Path, tmp_path: Path) -> None:
    data = self_contained_glb(meshes / "box.obj")
    header, _ = split_container(data, "box")
    assert not any("uri" in one for key in ("buffers", "images") for one in header[key])
    (tmp_path / "box.glb").write_bytes(data)
    before, after = load_mesh(meshes / "box.obj").surface, load_mesh(tmp_path / "box.glb").surface
    np.testing.assert_allclose(
        after.vertices[after.faces].mean(axis=1), before.vertices[before.faces].mean(axis=1), atol=1e-5
    )
    faces, bary = np.arange(len(before.faces)), np.full((len(before.faces), 3), 1 / 3)
    np.testing.assert_allclose(after.color_at(faces, bary), before.color_at(faces, bary), atol=0.02)


def test_nothing_is_done_twice_unless_something_has_changed(
    root: Path, model: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    one = stage._predict
    monkeypatch.setattr(stage, "_predict", lambda job: done.append(job.about["object_id"]) or one(job))

    def run(params: TexPartsParams = PARAMS) -> list[str]:
        done.clear()
        predict(root, model, params)
        return sorted(done)

    assert run() == ["ball", "box"]
    assert run() == []
    (root / "objects" / "box" / "made.json").unlink()
    assert run() == ["box"]
    assert run(PARAMS.model_copy(update={"clusters": (3,)})) == ["ball", "box"]
    (model / "model.safetensors").write_bytes(b"other weights")
    assert run() == ["ball", "box"]
    ball = trimesh.creation.icosphere(2)
    ball.visual.vertex_colors = np.random.default_rng(2).integers(0, 255, (len(ball.vertices), 4), np.uint8)
    ball.export(meshes / "ball.glb")
    filter_folder(meshes, root, PARAMS)
    assert run() == ["ball"]
    assert object_folders(root)[0].about().faces == len(ball.faces)


def test_one_odd_file_stops_nothing(
    root: Path, model: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (meshes / "ball.glb").write_bytes(b"glTF and nothing more")
    table = predict(root, model, PARAMS).set_index("object_id")
    assert table["done"].to_dict() == {"ball": False, "box": True}
    assert "ball.glb" in table.loc["ball", "reason"] and str(meshes) not in table.loc["ball", "reason"]
    monkeypatch.setattr(stage, "part_thumbnail", lambda *_: 1 / 0)
    (root / "objects" / "box" / "made.json").unlink()
    assert "ZeroDivisionError" in predict(root, model, PARAMS).set_index("object_id").loc["box", "reason"]


def test_no_room_to_write_stops_the_stage(root: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(AlignPartsError, match="No space left"):
        predict(root, model, PARAMS)
    monkeypatch.undo()
    assert not list((root / "objects").glob("*"))


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from named_parts import pipeline
from alignparts.naming.pipeline import NamedPartsPipeline
from texparts.queue import predict as stage
import smoke
NamedPartsPipeline.from_pretrained = classmethod(lambda *_, **__: pipeline())
write = stage.write_object
def slow(*arguments):
    folder = write(*arguments)
    time.sleep(30 if folder.object_id == "box" else 0)
    return folder
stage.write_object = slow
params = smoke.block("texparts", points=None, thumbnail=32, clusters=(2, 4, 8))
stage.predict(Path({root!r}), Path({model!r}), params)
"""


def test_a_killed_run_goes_on(root: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = KILLED.format(tests=str(Path(__file__).parents[1]), root=str(root), model=str(model))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.DEVNULL, start_new_session=True
    )
    for _ in range(1500):
        if (root / "objects" / "box").is_dir():
            break
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert (root / "objects" / "ball" / "made.json").is_file() and not (root / "predicted.csv").exists()
    done: list[str] = []
    one = stage._predict
    monkeypatch.setattr(stage, "_predict", lambda job: done.append(job.about["object_id"]) or one(job))
    assert predict(root, model, PARAMS)["done"].all()
    assert done == ["box"]


def test_another_model_lists_the_parts_of_what_the_vocabulary_lacks(
    root: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_csv(root / "filtered.csv", keep_default_na=False)
    table.loc[table["object_id"] == "box", "category"] = "teapot"
    table.loc[table["object_id"] == "ball", "category"] = "chair"
    table.to_csv(root / "filtered.csv", index=False)
    predict(root, model, PARAMS, llm=LanguageModel())
    ball, box = (folder.about() for folder in object_folders(root))
    # What it knows, it finds itself; what it does not know is named from the recorded list.
    assert ball.category == "mug" and {part.name for part in ball.parts} == {"top", "bottom"}
    assert box.category == "teapot" and box.parts
    assert {part.name for part in box.parts}.isdisjoint({"top", "bottom"})
    assert all(part.mahalanobis is None for part in box.parts)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(2, 40), min_size=1, max_size=4, unique=True))
def test_coarser_clusters_are_unions_of_finer_ones(seed: int, counts: list[int]) -> None:
    ball = trimesh.creation.icosphere(2)
    surface = make_surface(ball.vertices, ball.faces)
    sample = sample_surface(surface, 200, seed)
    features = {"geometry": np.random.default_rng(seed).normal(size=(200, 5)), "points": sample.points}
    clusters = field_clusters(surface, sample, features, counts)
    assert list(clusters) == counts
    for count, labels in clusters.items():
        assert labels.shape == (len(ball.faces),) and labels.min() >= 0 and labels.max() < count
    for coarse, fine in zip(sorted(counts), sorted(counts)[1:], strict=False):
        pairs = {tuple(pair) for pair in np.stack([clusters[fine], clusters[coarse]], axis=1).tolist()}
        assert len(pairs) == len(np.unique(clusters[fine]))


def test_clusters_follow_the_field() -> None:
    box = trimesh.creation.box().subdivide().subdivide()
    surface = make_surface(box.vertices, box.faces)
    sample = sample_surface(surface, 500, 0)
    side = (sample.points[:, 1] > 0).astype(float)
    features = {"geometry": np.stack([side, 1 - side], axis=1), "points": sample.points}
    found = field_clusters(surface, sample, features, [2])[2]
    upper = box.triangles_center[:, 1] > 0
    assert len(np.unique(found[upper])) == len(np.unique(found[~upper])) == 1
    assert found[upper][0] != found[~upper][0]


def about(confidences: list[float]) -> About:
    parts = tuple(
        PartRecord(name=f"p{i}", confidence=value, soft=value, mask_confidence=1.0)
        for i, value in enumerate(confidences)
    )
    return About(object_id="x", faces=1, parts=parts)


def test_uncertainty_is_the_entropy_of_all_names() -> None:
    assert uncertainty(about([])) == uncertainty(about([1.0, 0.0])) == 0
    assert uncertainty(about([0.5])) == pytest.approx(1)
    assert uncertainty(about([0.5, 0.5, 1.0])) == pytest.approx(2)
    assert (
        uncertainty(about([0.9]))
        == pytest.approx(uncertainty(about([0.1])))
        == pytest.approx(0.469, abs=1e-3)
    )


ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 0.5, 0.75]), st.sampled_from([0.0, 1.0, 2.5])),
    max_size=12,
)


@given(ROWS, st.randoms())
def test_orders(rows: list[tuple[str, float, float]], chance: Any) -> None:
    table = pd.DataFrame(
        [(f"id{i:02d}", *row) for i, row in enumerate(rows)],
        columns=["object_id", "category", "confidence", "uncertainty"],
    )
    mixed = list(table.index)
    chance.shuffle(mixed)
    for order in ("confident", "uncertain", "diverse"):
        found = sort_queue(table, order)
        # The same whatever order the objects were found in, ties included.
        pd.testing.assert_frame_equal(found, sort_queue(table.loc[mixed].reset_index(drop=True), order))
        assert sorted(found["object_id"]) == sorted(table["object_id"])
    assert sort_queue(table, "confident")["confidence"].is_monotonic_decreasing
    assert sort_queue(table, "uncertain")["uncertainty"].is_monotonic_decreasing
    diverse = sort_queue(table, "diverse")
    kinds = table["category"].nunique()
    assert diverse["category"].head(kinds).nunique() == kinds
    for _, group in diverse.groupby("category"):
        assert group["uncertainty"].is_monotonic_decreasing


def test_the_queue_holds_what_is_kept(root: Path, model: Path) -> None:
    with pytest.raises(AlignPartsError, match="texparts predict"):
        rank(root)
    predict(root, model, PARAMS)
    queue = rank(root)
    pd.testing.assert_frame_equal(pd.read_parquet(root / "queue.parquet"), queue)
    assert queue["rank"].tolist() == [1, 2]
    for row in queue.itertuples():
        said = json.loads((root / "objects" / str(row.object_id) / "about.json").read_text())
        assert row.confidence == pytest.approx(np.mean([part["confidence"] for part in said["parts"]]))
        assert row.parts == len(said["parts"]) and row.auto_accepted == 0
    table = pd.read_csv(root / "filtered.csv", keep_default_na=False)
    table.loc[table["object_id"] == "box", "kept"] = False
    table.to_csv(root / "filtered.csv", index=False)
    assert rank(root)["object_id"].tolist() == ["ball"]


def command(monkeypatch: pytest.MonkeyPatch, capsys: Any, *arguments: Any) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["texparts", *map(str, arguments)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        app.main()
    out = capsys.readouterr()
    lines = [line for line in out.err.splitlines() if line.startswith("error")]
    return int(stopped.value.code or 0), out.out, "\n".join(lines)


def test_the_commands_one_after_the_other(
    meshes: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    params, out = tmp_path / "params.yaml", tmp_path / "root"
    changes = {"thumbnail": 32, "clusters": [2, 4], "points": None, "order": "uncertain"}
    params.write_text(yaml.safe_dump(smoke.blocks(texparts=changes)))

    def run(*arguments: Any) -> tuple[int, str, str]:
        return command(monkeypatch, capsys, *arguments, "--params", params)

    code, said, error = run("predict", out, "--model", model)
    assert code == 2 and error.count("error:") == 1 and "texparts filter" in error
    code, said, error = run("filter", meshes, "--out", out)
    assert (code, error) == (0, "") and said.count("\n") == 1
    assert "2 of 3 objects kept; 1 left out (unreadable 1)" in said
    code, said, error = run("rank", out)
    assert code == 2 and "texparts predict" in error
    code, said, error = run("predict", out, "--model", model)
    assert (code, error) == (0, "") and said.startswith("2 objects, 4 parts") and said.count("\n") == 1
    code, said, error = run("rank", out)
    assert code == 0 and said.startswith("2 objects, uncertain first")
    assert run("rank", out, "--order", "random")[0] == 2
    (meshes / "ball.glb").write_bytes(b"gone")
    (out / "objects" / "ball" / "made.json").unlink()
    code, said, error = run("predict", out, "--model", model)
    assert code == 2 and error.startswith("error: ball: ") and said.startswith("1 objects")


def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, meshes: Path
) -> None:
    params = tmp_path / "params.yaml"
    params.write_text(yaml.safe_dump(smoke.blocks(texparts={"filter": {"faces": [20, 10]}})))
    cases = [
        (["filter", tmp_path / "none", "--out", tmp_path / "o"], "no such folder"),
        (["filter", meshes, "--out", tmp_path / "o", "--params", params], "texparts.filter"),
        (["filter", meshes, "--out", tmp_path / "o", "--params", tmp_path / "p.yaml"], "no such file"),
        (["filter", meshes, "--out", tmp_path / "o", "--llm", "somewhere"], "base URL"),
        (["filter", meshes, "--out", tmp_path / "o", "--llm", "recorded"], "no recorded reply"),
        (["rank", tmp_path / "o2"], "texparts filter"),
    ]
    for arguments, expected in cases:
        code, said, error = command(monkeypatch, capsys, *arguments)
        assert (code, said) == (2, "") and expected in error and error.count("\n") == 0
    for path in list(meshes.iterdir()):
        path.unlink()
    (meshes / "a.glb").write_bytes(b"")
    code, said, error = command(monkeypatch, capsys, "filter", meshes, "--out", tmp_path / "o")
    assert code == 2 and "no object was kept" in error and "unreadable 1" in said
