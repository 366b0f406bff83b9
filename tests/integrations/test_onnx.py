"""Models as ONNX: the formulation for exporters, and the file in onnxruntime."""

import json
import math
import os
import subprocess
import sys
from dataclasses import fields
from types import SimpleNamespace

import pytest
import torch
from toy import WIDTH

from alignparts.core import paths
from alignparts.core.checkpoint import save_model
from alignparts.core.errors import AlignPartsError
from alignparts.integrations import onnx
from alignparts.integrations.frozen import PortableFrozen
from alignparts.integrations.learned import PortableLearned
from alignparts.integrations.onnx import example
from alignparts.model.alignparts import AlignParts, AlignPartsConfig, AlignPartsOutput
from alignparts.model.backbone.learned import LearnedAlignParts, LearnedConfig, Model
from alignparts.model.fusion import FUSIONS

SMALL = LearnedConfig(
    channels=(16, 32), depths=(2, 1), up_channels=(16,), up_depths=(1,), patch=8, grid=0.3, d_f=16, d_t=WIDTH,
    K=5, decoder_heads=2, layers=1,
)  # fmt: skip
NAMES = [field.name for field in fields(AlignPartsOutput)]


def learned() -> LearnedAlignParts:
    torch.manual_seed(0)
    return LearnedAlignParts(SMALL).eval()


def frozen(fusion: str = "bico") -> AlignParts:
    torch.manual_seed(0)
    sizes = {"d_g": 6, "d_a": 5, "d_m": 16, "d_f": 16, "d_t": WIDTH, "K": 4, "k": 4, "fourier": 2}
    model = AlignParts(AlignPartsConfig(**sizes, heads=2, decoder_heads=2, layers=1, fusion=fusion)).eval()
    model.standardize((torch.randn(6), torch.rand(6) + 0.5), (torch.randn(5), torch.rand(5) + 0.5))
    return model


def assert_equal(model: Model, portable: torch.nn.Module, given: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        expected, found = model(**given), portable(**given)
    for name, value in zip(NAMES, found, strict=False):
        torch.testing.assert_close(value, getattr(expected, name), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("points", [16, 40, 300])
def test_fixed_sizes_give_the_same_numbers(points):
    model = learned()
    given = example(model, points)
    assert_equal(model, PortableLearned(model), given)
    turned = given | {"points": given["points"] @ torch.linalg.qr(torch.randn(3, 3)).Q}
    assert_equal(model, PortableLearned(model), turned)
    assert_equal(model, PortableLearned(model), given | {"points": torch.zeros(1, points, 3)})


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_gives_the_same_numbers(fusion):
    model = frozen(fusion)
    given = example(model, 40)
    assert ("neighbors" in given) == (fusion == "bico")
    assert_equal(model, PortableFrozen(model), given)
    if fusion == "bico":
        given["neighbors"][0, :7, 2:] = -1
        assert_equal(model, PortableFrozen(model), given)


@pytest.mark.parametrize("make", [learned, frozen])
def test_the_command_writes_what_onnxruntime_computes_alike(make, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model, out = make(), tmp_path / "out" / "model.onnx"
    save_model(model, tmp_path / "model")
    command = [sys.executable, "-m", "alignparts.cli.app", "export-onnx", "--model", tmp_path / "model"]
    lib = str(paths.RESOURCES.parents[1])
    path = os.pathsep.join([lib, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [*command, "--out", out], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"-> {out}" in done.stdout and [path.name for path in out.parent.iterdir()] == ["model.onnx"]
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    assert about["kind"] == type(model).__name__ and about["text_encoder"] == "all-minilm-l6-v2"
    assert json.loads(about["config"])["d_t"] == WIDTH
    for points in (16, 57):
        given = example(model, points)
        assert [value.name for value in session.get_inputs()] == list(given)
        with torch.no_grad():
            expected = model(**given)
        names = [value.name for value in session.get_outputs()]
        assert names == [name for name in NAMES if getattr(expected, name) is not None]
        found = session.run(names, {name: value.numpy() for name, value in given.items()})
        for name, value in zip(names, found, strict=True):
            torch.testing.assert_close(
                torch.from_numpy(value), getattr(expected, name), atol=1e-4, rtol=1e-3, msg=name
            )


def test_missing_packages_are_an_error_that_names_them(monkeypatch, tmp_path):
    monkeypatch.setattr(onnx, "find_spec", lambda _: None)
    with pytest.raises(AlignPartsError, match=r"onnx, onnxscript, onnxruntime.*alignparts\[onnx\]"):
        onnx.export_onnx(learned(), tmp_path / "model.onnx", {})


@pytest.mark.parametrize("difference", [1e-3, math.nan])
def test_a_file_that_differs_is_not_written(monkeypatch, tmp_path, difference):
    made = SimpleNamespace(
        model=SimpleNamespace(metadata_props={}), save=lambda path, external_data: path.write_bytes(b"model")
    )
    monkeypatch.setattr(onnx, "find_spec", lambda name: name)
    monkeypatch.setattr(torch.export, "export", lambda *_, **__: None)
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: made)
    monkeypatch.setattr(onnx, "_difference", lambda *_: difference)
    out = tmp_path / "model.onnx"
    out.write_bytes(b"before")
    with pytest.raises(AlignPartsError, match="not written: outputs differ"):
        onnx.export_onnx(learned(), out, {})
    assert out.read_bytes() == b"before" and list(tmp_path.iterdir()) == [out]
