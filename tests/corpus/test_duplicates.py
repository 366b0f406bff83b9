"""Copies are found whatever was done to their files; other shapes are none."""

import numpy as np
import pandas as pd
import pytest
import trimesh
from scipy.integrate import dblquad

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.duplicates import (
    MOMENTS,
    TOLERANCE,
    describe_points,
    describe_triangles,
    find_groups,
    geometry_hash,
    identities,
    resolve_leaks,
)
from alignparts.corpus.index import describe_file, write_shape
from alignparts.corpus.mesh.surface import make_surface, surface_from_cloud
from alignparts.corpus.shape import Cloud, LabeledShape


def chair(seed: int = 0) -> trimesh.Trimesh:
    """A seat, a back and four legs of sizes that depend on the seed."""
    rng = np.random.default_rng(seed)
    width, depth, height, leg = rng.uniform([0.5, 0.5, 0.4, 0.03], [1.0, 1.0, 0.9, 0.1])
    boxes = [trimesh.creation.box((width, 0.08, depth)), trimesh.creation.box((width, 0.7, 0.06))]
    boxes[1].apply_translation([0, 0.4, -depth / 2])
    for x in (-1, 1):
        for z in (-1, 1):
            made = trimesh.creation.box((leg, height, leg))
            boxes.append(made.apply_translation([x * width / 2.2, -height / 2, z * depth / 2.2]))
    return trimesh.util.concatenate(boxes)


def described(mesh: trimesh.Trimesh) -> np.ndarray:
    return describe_triangles(np.asarray(mesh.triangles))


def shuffled(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    rng = np.random.default_rng(1)
    order = rng.permutation(len(mesh.vertices))
    faces = np.argsort(order)[mesh.faces][rng.permutation(len(mesh.faces))]
    return trimesh.Trimesh(mesh.vertices[order], np.roll(faces, 1, axis=1), process=False)


def soup(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Every triangle with vertices of its own."""
    return trimesh.Trimesh(mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3),
                           process=False)  # fmt: skip


def doubled(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, np.concatenate([mesh.faces, mesh.faces[:, ::-1]]), process=False)


def slivers(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """With triangles that have no area, far away."""
    vertices = np.concatenate([mesh.vertices, [[50.0, 0, 0]]])
    last = len(vertices) - 1
    return trimesh.Trimesh(vertices, np.concatenate([mesh.faces, [[last, last, 0]]]), process=False)


COPIES = {
    "order": shuffled,
    "duplicate vertices": soup,
    "front and back": doubled,
    "subdivided": lambda mesh: mesh.subdivide(),
    "no area": slivers,
    "scaled": lambda mesh: mesh.copy().apply_scale(254.0),
    "moved": lambda mesh: mesh.copy().apply_translation([30, -20, 10]),
    "three digits": lambda mesh: trimesh.Trimesh(np.round(mesh.vertices, 3), mesh.faces, process=False),
    "float32": lambda mesh: trimesh.Trimesh(mesh.vertices.astype(np.float32), mesh.faces, process=False),
}


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("seed", range(3))
def test_copies_have_the_same_descriptor(name, seed):
    mesh = chair(seed)
    assert np.abs(described(COPIES[name](mesh)) - described(mesh)).max() < TOLERANCE


OTHERS = {
    "another chair": lambda mesh: chair(77),
    "stretched": lambda mesh: mesh.copy().apply_transform(np.diag([1, 1.1, 1, 1])),
    "turned": lambda mesh: mesh.copy().apply_transform(trimesh.transformations.rotation_matrix(1, [0, 1, 0])),
    "mirrored": lambda mesh: mesh.copy().apply_transform(np.diag([1, 1, -1, 1])),
    "without a leg": lambda mesh: trimesh.Trimesh(mesh.vertices, mesh.faces[:-12], process=False),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_shapes_are_told_apart(name):
    mesh = chair(0)
    assert np.abs(described(OTHERS[name](mesh)) - described(mesh)).max() > 2 * TOLERANCE


def test_moments_are_integrals_over_the_surface():
    corners = np.array([[[0.0, 0, 0], [2, 0, 0], [0, 1, 0]]])
    area = 1.0
    center = corners[0].mean(axis=0)

    def mean(function):
        return dblquad(lambda y, x: function(x - center[0], y - center[1]), 0, 2, 0, lambda x: 1 - x / 2)[0]

    radius = np.sqrt(mean(lambda x, y: x * x + y * y) / area)
    found = dict(zip(MOMENTS, describe_triangles(corners), strict=True))
    for i, j in ((2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (0, 3), (4, 0), (2, 2), (1, 3)):
        expected = mean(lambda x, y, i=i, j=j: (x / radius) ** i * (y / radius) ** j)
        assert found[f"m{i}{j}0"] == pytest.approx(expected, abs=1e-5)
    assert found["m200"] + found["m020"] + found["m002"] == pytest.approx(1, abs=1e-5)
    assert found["m102"] == 0


def test_large_meshes_are_summed_in_chunks(monkeypatch):
    mesh = chair(0).subdivide().subdivide()
    whole = described(mesh)
    monkeypatch.setattr("alignparts.corpus.duplicates._CHUNK", 100)
    assert described(mesh) == pytest.approx(whole, abs=2e-6)


def test_what_has_no_extent_is_one_clear_error():
    with pytest.raises(AlignPartsError, match="no triangle with an area"):
        describe_triangles(np.zeros((2, 3, 3)))
    with pytest.raises(AlignPartsError, match="coincide"):
        describe_points(np.ones((5, 3)))


def test_the_descriptor_of_a_file_is_that_of_its_shape(tmp_path):
    mesh = chair(0)
    surface = make_surface(
        mesh.vertices + np.array([1e4, 0, 0]), mesh.faces, face_part=np.zeros(len(mesh.faces), np.int32)
    )
    path = write_shape(tmp_path, LabeledShape("a", "d", "c", "", "s", ["seat"], surface))
    assert describe_file(path) == pytest.approx(described(mesh), abs=1e-4)
    whole = path.read_bytes()
    for missing in (50, len(whole) - 30):
        path.write_bytes(whole[:-missing])
        with pytest.raises(AlignPartsError, match=r"a\.glb: not a (shape of a corpus|glTF file)"):
            describe_file(path)


def test_clouds_are_described_by_their_points(tmp_path):
    points = np.asarray(chair(0).sample(500, seed=0))
    order = np.random.default_rng(0).permutation(500)
    assert describe_points(points[order] * 3 + 1) == pytest.approx(describe_points(points), abs=1e-5)
    instance = np.zeros(500, np.int32)
    cloud = Cloud(points, np.tile([0.0, 1, 0], (500, 1)), np.zeros((500, 3), np.uint8), instance)
    surface = surface_from_cloud(cloud.points, cloud.normals, cloud.colors, cloud.instance)
    path = write_shape(tmp_path, LabeledShape("a", "find3d", "c", "", "s", ["seat"], surface, cloud))
    assert describe_file(path) == pytest.approx(describe_points(points), abs=1e-5)


def index(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    columns = ["shape_id", "dataset", "split", "source", "model"]
    return pd.DataFrame(rows, columns=columns).assign(raw_category="Chair")


def test_groups_within_and_across_data_sets_and_why():
    shapes = [chair(0), COPIES["three digits"](chair(0)), chair(1), chair(2), chair(3), chair(4), chair(5)]
    table = index(
        ("compat_b", "compat", "train", "c/models/00_001.gltf", ""),
        ("find3d_a", "find3d", "test", "f/seenclass/chair_x", ""),
        ("partnet_1", "partnet", "train", "p/data/1", "m1"),
        ("partnet_2", "partnet", "train", "p/data/2", "m1"),
        ("partnet_mobility_1", "partnet_mobility", "test", "q/1", ""),
        ("partnet_mobility_100001", "partnet_mobility", "test", "q/100001", "m9"),
        ("partnet_5", "partnet", "train", "p/data/5", "m5"),
    )
    groups = find_groups(table, np.stack([described(mesh) for mesh in shapes]))
    found = {
        number: list(zip(rows["shape_id"], rows["why"], strict=True))
        for number, rows in groups.groupby("group")
    }
    assert found == {
        1: [("compat_b", "geometry"), ("find3d_a", "geometry")],
        2: [
            ("partnet_1", "annotation+model"),
            ("partnet_2", "model"),
            ("partnet_mobility_1", "annotation"),
        ],
    }
    order = np.random.default_rng(0).permutation(len(table))
    again = find_groups(
        table.iloc[order].reset_index(drop=True), np.stack([described(shapes[i]) for i in order])
    )
    pd.testing.assert_frame_equal(again, groups)


def test_a_thousand_copies_are_one_group_and_none_is_no_group():
    count = 3000
    table = index(*((f"s{i:04d}", "compat", "train", f"{i}", "") for i in range(count)))
    one = described(chair(0))
    assert find_groups(table, np.repeat(one[None], count, axis=0))["group"].tolist() == [1] * count
    apart = one + np.arange(count)[:, None].astype(np.float32)
    assert find_groups(table, apart).empty


@pytest.mark.parametrize(
    ("dataset", "source", "model", "names"),
    [
        ("partnet", "p/data/46627", "abc", ["model:abc", "annotation:46627"]),
        ("partnet_mobility", "46627", "abc", ["model:abc", "annotation:46627"]),
        ("partnet_mobility", "100015", "abc", ["model:abc"]),
        ("find3d", f"f/unseen/tea_pot_{'0a' * 16}", "", [f"asset:{'0a' * 16}"]),
        ("texverse", f"t/glbs/glbs_1k/000-001/{'0a' * 16}_1024.glb", "", [f"asset:{'0a' * 16}"]),
        ("compat", "c/models/0c_02c.gltf", "", ["key:0c_02c"]),
        ("named_glb", "cars/car_2.glb", "", []),
    ],
)
def test_what_else_knows_a_shape(dataset, source, model, names):
    assert list(identities(dataset, source, model)) == names


def grouped(*splits: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "group": 1, "shape_id": [f"s{i}" for i in range(len(splits))], "dataset": "d",
            "raw_category": "c", "split": splits, "why": "geometry",
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["train", "test"], ["duplicate", "test"]),
        (["train", "validation", "train"], ["duplicate", "validation", "duplicate"]),
        (["validation", "heldout"], ["duplicate", "heldout"]),
        (["train", "validation", "test"], ["duplicate", "duplicate", "test"]),
        (["test", "heldout"], ["test", "heldout"]),
        (["train", "train"], []),
        (["test", "test"], []),
        (["unlabeled", "test"], []),
    ],
)
def test_copies_of_tested_shapes_leave_training(before, after):
    leaks = resolve_leaks(grouped(*before))
    assert leaks["split"].tolist() == after
    assert leaks["drawn"].tolist() == (before if after else [])
    kept = resolve_leaks(grouped(*before), keep=True)
    assert kept["split"].tolist() == kept["drawn"].tolist()


def test_the_hash_is_the_same_for_copies_and_differs_for_others():
    hashes = {geometry_hash(described(chair(seed))) for seed in range(20)}
    assert len(hashes) == 20
    assert geometry_hash(described(shuffled(chair(3)))) in hashes
