"""The table of features keeps its word: commands run, or are looked up where they need more than the core."""

import contextlib
import csv
import io
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from typer.main import get_command

from alignparts.cli import app
from alignparts.core import paths
from alignparts.core.errors import AlignPartsError
from alignparts.naming.pipeline import NamedPartsPipeline
from texparts.cli import app as texparts

ROWS = {row["feature"]: row for row in csv.DictReader((paths.RESOURCES / "features.csv").open())}
APPS = {"alignparts": get_command(app.app), "texparts": get_command(texparts.app)}
CHAIR = paths.DEMO / "chair.glb"
ADDON = paths.ROOT / "lib" / "alignparts" / "integrations" / "blender_alignparts.py"


@dataclass
class Ran:
    """What a command left: the folder of its results, its lines, and how often it called the model."""

    named: Path
    said: str
    calls: int

    def labels(self, name: str = "") -> dict[str, Any]:
        return json.loads((self.named / name / "labels.json").read_text())

    def parts(self, name: str = "") -> list[str]:
        return [part["name"] for part in self.labels(name)["parts"]]

    def array(self, name: str) -> np.ndarray:
        return np.load(self.named / f"{name}.npy", allow_pickle=False)

    @property
    def glb(self) -> Path:
        return self.named / "chair.parts.glb"

    def nodes(self) -> set[str]:
        data = self.glb.read_bytes()
        header = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
        return {node["name"] for node in header["nodes"]}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs a line once, in a folder with the samples, or in that of another line; loads the model once."""
    pipeline, calls, done = NamedPartsPipeline.from_pretrained(paths.RELEASE), [], {}
    pipeline.model.register_forward_hook(lambda *_: calls.append(1))

    def no_pictures():
        raise AlignPartsError("no picture is asked for")

    def command(line: str, after: str = "") -> Ran:
        if line not in done:
            folder = command(after).named.parent if after else tmp_path_factory.mktemp("feature")
            shutil.copytree(paths.DEMO, folder, dirs_exist_ok=True)
            calls.clear()
            with patch.context() as inside, contextlib.redirect_stdout(io.StringIO()) as said:
                inside.chdir(folder)
                inside.setattr(sys, "argv", shlex.split(line))
                if sys.argv[0] == "python":
                    exec(sys.argv[2], {})
                else:
                    with pytest.raises(SystemExit) as stopped:
                        app.main()
                    assert not stopped.value.code
            done[line] = Ran(folder / "named", said.getvalue(), len(calls))
        return done[line]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NamedPartsPipeline, "from_pretrained", classmethod(lambda *_, **__: pipeline))
        patch.setattr("alignparts.pictures.figures.offscreen", no_pictures)
        patch.setattr("webbrowser.open", lambda address: True)
        yield command


@pytest.fixture
def ran(run, request) -> Ran:
    """What the command of a test's feature left."""
    line = ROWS[request.param]["command"]
    return run(line, "alignparts name chair.glb --out named" if line.startswith("alignparts view") else "")


def proves(*features: str) -> Callable:
    """Mark a test that runs the command of each feature."""
    return pytest.mark.parametrize("ran", features, indirect=True)


@proves("mesh in", "per-face file", "CPU without compiled CUDA")
def test_every_face_has_a_label(ran):
    faces = sum(len(mesh.faces) for mesh in trimesh.load_scene(CHAIR).geometry.values())
    labels, of_face = ran.labels(), ran.array("face_labels")
    assert labels["faces"] == len(of_face) == sum(node["faces"] for node in labels["nodes"]) == faces
    assert of_face.dtype == np.int32
    assert set(of_face.tolist()) <= {-1, *range(len(labels["parts"]))}


def test_the_package_has_no_compiled_code():
    assert not {".c", ".cpp", ".cu", ".pyx", ".so"} & {
        path.suffix for path in (paths.ROOT / "lib").rglob("*")
    }


@proves("part names out", "calibrated confidence")
def test_parts_have_names_and_confidences(ran):
    assert ran.labels()["category"] == "chair"
    assert {"leg", "seat"} <= set(ran.parts())
    for part in ran.labels()["parts"]:
        assert part["description"] and 0 < part["confidence"] < 1 and isinstance(part["needs_review"], bool)


@proves("number of parts automatic", "weights in the package", "one-minute start")
def test_the_samples_are_named(ran):
    counts = {name: len(ran.parts(name)) for name in ("chair", "lamp", "mug")}
    assert len(set(counts.values())) == 3 and 0 not in counts.values()
    assert len(list(ran.named.glob("*/*.parts.glb"))) == 3


def test_the_weights_fit_their_checksums():
    lines = (paths.RELEASE / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in map(str.split, lines)}
    assert "model.safetensors" in sums
    assert sums == {name: sha256((paths.RELEASE / name).read_bytes()).hexdigest() for name in sums}


@proves("one forward pass")
def test_the_model_is_called_once(ran):
    assert ran.calls == 1


@proves("granularity")
def test_detail_changes_the_parts(ran, run):
    base = run("alignparts name chair.glb --out named")
    assert any(re.search(r"/\d+$", node) for node in ran.nodes())
    assert len(ran.array("face_pieces")) == ran.labels()["faces"]
    coarse = run("alignparts name chair.glb --out named --detail coarse")
    assert set(coarse.parts()) <= set(base.parts())


@proves("instances")
def test_instances_have_nodes_and_positions(ran):
    assert {"leg_1", "leg_2"} <= ran.nodes()
    legs = next(part for part in ran.labels()["parts"] if part["name"] == "leg")["children"]
    assert any(leg["position"] for leg in legs)
    assert ran.array("face_instances").max() >= len(legs)


@proves("GLB with one named node per part")
def test_nodes_are_the_parts(ran):
    assert ran.nodes() == set(ran.parts())


@proves("frame and texture kept")
def test_shape_and_textures_are_those_of_the_input(ran):
    before, after = trimesh.load_scene(CHAIR), trimesh.load_scene(ran.glb)
    np.testing.assert_allclose(after.bounds, before.bounds, atol=1e-5)
    np.testing.assert_allclose(after.area, before.area, rtol=1e-5)
    given, kept = textures(before), textures(after)
    # JPEGs are compressed once more: 5 of 255 is far below what tells these textures apart.
    distances = np.array([[np.abs(one - other).mean() for other in given] for one in kept])
    assert (distances.min(axis=1) < 5).all() and (distances.min(axis=0) < 5).all()
    assert np.sort(distances)[:, 1].min() > 15


def textures(scene: trimesh.Scene) -> list[np.ndarray]:
    """Return the textures of a scene, (h, w, 3) in 0 to 255."""
    images = [mesh.visual.material.baseColorTexture for mesh in scene.geometry.values()]
    return [np.asarray(image.convert("RGB"), np.float64) for image in images]


@proves("command line with output path and batch")
def test_a_batch_has_a_folder_per_mesh(ran):
    assert {path.name for path in ran.named.iterdir() if path.is_dir()} == {"chair", "mug"}


@proves("look at it in the browser")
def test_the_page_stands_alone(ran):
    page = (ran.named / "chair.parts.html").read_text()
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert "chair.glb" in page


@proves("Python API")
def test_the_api_says_what_was_found(ran):
    assert re.match(r"chair\.glb: chair: .*leg 0\.\d+", ran.said)


LOOKED_UP = {
    "names proposed", "open-vocabulary query", "annotation and correction UI", "training code and evaluation",
    "ONNX", "demo app",
}  # fmt: skip
"""Features whose commands need an extra, as their rows say."""


@pytest.mark.parametrize("feature", sorted(LOOKED_UP))
def test_a_command_with_an_extra_has_its_options(feature):
    assert re.search(r"\bextras? \w+", ROWS[feature]["shows"])
    program, name, *words = shlex.split(ROWS[feature]["command"])
    options = {option for parameter in APPS[program].commands[name].params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_the_add_on_is_where_the_table_says():
    row = ROWS["Blender add-on"]
    assert f"filepath='./{ADDON.name}'" in row["command"]
    assert str(ADDON.relative_to(paths.ROOT)) in row["shows"] and ADDON.is_file()


def test_every_feature_is_proved():
    proved = {
        feature
        for test in globals().values()
        for mark in getattr(test, "pytestmark", ())
        if mark.args[0] == "ran"
        for feature in mark.args[1]
    }
    assert proved | LOOKED_UP | {"Blender add-on"} == ROWS.keys()
