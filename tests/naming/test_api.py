"""The library, as a user imports it."""

import ast
import subprocess
import sys

import numpy as np
import pytest
import trimesh
from named_parts import pipeline

import alignparts
from alignparts import api, name
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.meshio import load_mesh


@pytest.fixture
def ball(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "_pipeline", lambda *_: pipeline())
    trimesh.creation.icosphere(2).export(tmp_path / "ball.glb")
    return str(tmp_path / "ball.glb")


def test_parts_of_a_mesh_are_arrays_and_bytes(ball, tmp_path):
    parts = name(ball)
    assert parts.names == ["top", "bottom"]
    assert parts.faces.shape == (320,) and parts.faces.dtype == np.int32
    assert parts.confidence.shape == (2,) and ((parts.confidence >= 0) & (parts.confidence <= 1)).all()
    (tmp_path / "parts.glb").write_bytes(parts.to_glb())
    assert {*load_mesh(tmp_path / "parts.glb").blocks} == {"top", "bottom"}
    files = parts.save(str(tmp_path / "out"), picture=False)
    assert files.glb.read_bytes() == parts.to_glb()
    assert np.array_equal(np.load(files.faces, allow_pickle=False), parts.faces)


def test_names_may_be_plain_text(ball):
    assert name(ball, candidates=["bottom"]).names == ["bottom"]
    assert name(ball, query="top").names == ["top"]
    assert name(ball, candidates=("top", "handle")).names[0] == "top"
    with pytest.raises(AlignPartsError, match="list of names, got 'top'"):
        name(ball, candidates="top")
    with pytest.raises(AlignPartsError, match="exclude each other"):
        name(ball, candidates=["top"], category="mug")


def test_a_model_is_loaded_once(monkeypatch, tmp_path):
    loaded = []

    def load(*given):
        loaded.append(given)
        return pipeline()

    monkeypatch.setattr(api.NamedPartsPipeline, "from_pretrained", load)
    api._pipeline.cache_clear()
    for device in ("cpu", "cpu", "cuda"):
        api._pipeline(tmp_path, device)
    api._pipeline.cache_clear()
    assert loaded == [(tmp_path, "cpu"), (tmp_path, "cuda")]


def test_importing_the_package_imports_nothing_else():
    code = (
        "import sys; before = {*sys.modules}; import alignparts"
        "; print({*sys.modules} - before)"
        "; from alignparts import name; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new, torch = done.stdout.splitlines()
    inside = {one for one in ast.literal_eval(new) if one.partition(".")[0] not in sys.stdlib_module_names}
    assert (inside, torch) == ({"alignparts"}, "True")
    with pytest.raises(AttributeError, match="no attribute 'nam'"):
        _ = alignparts.nam
