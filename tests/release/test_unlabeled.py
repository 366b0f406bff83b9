"""Unlabeled shapes: samples made once, drawn by their number, changed as surfaces are."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.embedded import surface_of
from alignparts.corpus.geometry import checksum
from alignparts.corpus.mesh.perturb import rewound
from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.readers import scan
from alignparts.release import changes
from alignparts.release.changes import changed_samples, drawn_matrix
from alignparts.release.unlabeled import SAMPLES, Unlabeled, prepared
from procparts import generate


def table(legs: int, height: float) -> bytes:
    boxes = [trimesh.creation.box((2, 0.2, 2))]
    for number in range(legs):
        leg = trimesh.creation.box((0.1, height, 0.1))
        boxes.append(leg.apply_translation([0.5 * number - 0.6, -0.15 - height / 2, 0.3]))
    return bytes(trimesh.util.concatenate(boxes).export(file_type="glb"))


def geometry(folder: Path, meshes: dict[str, bytes]) -> Path:
    """Write meshes and the manifest that lists them as they lie."""
    top = folder / "geometry/ada+things"
    for name, data in meshes.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    files = sorted(top.glob("*.glb"))
    row = {
        "repository": "ada/things", "commit": "0" * 40, "files": "*.glb", "license": "CC0-1.0",
        "attribution": "Ada", "count": len(files), "sha256": checksum(top, files),
    }  # fmt: skip
    with (folder / "geometry.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    return folder / "geometry.csv"


TABLES = {"a.glb": table(3, 1.0), "b.glb": table(4, 0.5)}


def unlabeled(folder: Path, seed: int = 0) -> Unlabeled:
    return Unlabeled(prepared(geometry(folder, TABLES), {}), seed)


def test_a_shape_depends_on_seed_and_number_alone(tmp_path):
    first, other = unlabeled(tmp_path, 3), unlabeled(tmp_path, 4)
    first.shape(0, 64)
    one, same = first.shape(5, 64), unlabeled(tmp_path, 3).shape(5, 64)
    for name in ("points", "normals", "colors", "part"):
        assert np.array_equal(getattr(one, name), getattr(same, name))
    assert not np.array_equal(one.points, first.shape(6, 64).points)
    assert not np.array_equal(one.points, other.shape(5, 64).points)


def test_numbers_that_follow_each_other_are_draws_of_one_shape(tmp_path):
    shapes = unlabeled(tmp_path)
    kinds = [int(shapes.shape(number, SAMPLES).part.max()) for number in range(40)]
    assert kinds[::2] == kinds[1::2] and len(set(kinds)) == 2
    assert not np.array_equal(shapes.shape(4, 64).points, shapes.shape(5, 64).points)


def test_points_have_their_component_and_lie_in_the_frame(tmp_path):
    shapes = unlabeled(tmp_path)
    most = set()
    for number in range(40):
        shape = shapes.shape(number, 256)
        most.add(int(shape.part.max()) + 1)
        assert shape.points.dtype == np.float32 and np.linalg.norm(shape.points, axis=1).max() < 1.9
        assert np.allclose(np.linalg.norm(shape.normals, axis=1), 1, atol=1e-3)
        assert shape.colors.min() >= 0 and shape.colors.max() <= 1
    assert most == {4, 5}
    assert len(shapes.shape(0, SAMPLES).part) == SAMPLES


def test_samples_are_made_once_and_anew_where_the_manifest_changed(tmp_path):
    path = prepared(geometry(tmp_path, TABLES), {})
    stamp, digest = path.stat().st_mtime_ns, Unlabeled(path).digest
    assert prepared(tmp_path / "geometry.csv", {}).stat().st_mtime_ns == stamp
    again = prepared(geometry(tmp_path, {"c.glb": table(2, 0.8)}), {})
    assert Unlabeled(again).count == 3 and Unlabeled(again).digest != digest
    assert list(path.parent.glob("*.safetensors")) == [path]


def test_copies_broken_files_single_pieces_and_tested_shapes_are_left_out(tmp_path):
    twin = trimesh.load_scene(trimesh.util.wrap_as_stream(TABLES["a.glb"]), file_type="glb")
    twin.apply_transform(np.diag([3.0, 3.0, 3.0, 1.0]))
    more = {"copy.glb": bytes(twin.export(file_type="glb")), "cut.glb": TABLES["a.glb"][:300]}
    more |= {"one.glb": bytes(trimesh.creation.box().export(file_type="glb"))}
    manifest = geometry(tmp_path, {**TABLES, **more})
    assert Unlabeled(prepared(manifest, {})).count == 2
    (tmp_path / "tested").mkdir()
    named = trimesh.Scene()
    for number, piece in enumerate(
        trimesh.load(trimesh.util.wrap_as_stream(TABLES["b.glb"]), file_type="glb", force="mesh").split()
    ):
        named.add_geometry(piece, node_name=f"part_{number}")
    named.export(tmp_path / "tested/b.glb")
    tested = {locator.shape_id: (kind, locator) for kind, locator in scan(tmp_path / "tested")}
    assert len(tested) == 1 and Unlabeled(prepared(manifest, tested)).count == 1
    with pytest.raises(AlignPartsError, match="no shape of 2 to 50 connected components"):
        prepared(geometry(tmp_path / "none", {"one.glb": more["one.glb"]}), {})


def test_samples_change_as_their_surface_does(monkeypatch):
    for name in ("SPLIT", "ROUGH", "RECOLORED", "LIT", "GRAY"):
        monkeypatch.setattr(changes, name, 0.0)
    surface = surface_of(generate("chair", np.random.default_rng(0)))
    sample = sample_surface(surface, 4000, 0)
    arrays = {name: getattr(sample, name) for name in ("points", "normals", "colors")}
    for seed in range(8):
        matrix = drawn_matrix(np.random.default_rng(seed))
        turned = replace(surface, vertices=surface.vertices @ matrix.T)
        if np.linalg.det(matrix) < 0:
            turned = rewound(turned)
        found = changed_samples(arrays, sample.instance, np.random.default_rng(seed))
        assert np.allclose(found["normals"], turned.normals()[sample.face], atol=1e-4)
        assert np.allclose(np.abs(found["points"]).max(), 1, atol=1e-5)
        assert np.array_equal(found["colors"], arrays["colors"])
        center, scale = turned.frame()
        corners = turned.vertices[surface.faces[sample.face]]
        expected = ((corners * sample.bary[:, :, None]).sum(axis=1) - center) * scale
        assert np.allclose(found["points"], expected, atol=0.02)
