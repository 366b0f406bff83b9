"""Instances, positions and levels of detail: known answers on furniture of boxes, and what always holds."""

import json

import numpy as np
import pytest
import trimesh
from named_parts import pipeline
from scipy.spatial.transform import Rotation

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import split_container
from alignparts.corpus.mesh.meshio import load_mesh
from alignparts.corpus.mesh.surface import Surface, make_surface
from alignparts.naming.export import export_named
from alignparts.naming.granularity import COARSE, coarse, levels
from alignparts.naming.positions import places
from alignparts.naming.prediction import PredictedPart

TOP, LEG = 0, 1
PARTS = [PredictedPart("top", "", 0.9), PredictedPart("leg", "", 0.8)]
CORNERS = {"front left": (1, 1), "front right": (-1, 1), "back left": (1, -1), "back right": (-1, -1)}
"""x and z; left is the table's own, as of a car."""


def box(at, size) -> trimesh.Trimesh:
    mesh = trimesh.creation.box(size).subdivide()
    mesh.apply_translation(at)
    return mesh


def table() -> tuple[trimesh.Trimesh, np.ndarray]:
    """A table and the part of every face; the legs come from back to front."""
    bodies = [box((0, 1, 0), (2.2, 0.1, 2.2))]
    bodies += [box((x, 0.45, z), (0.1, 0.9, 0.1)) for x, z in reversed(CORNERS.values())]
    part = np.repeat([TOP, LEG, LEG, LEG, LEG], [len(body.faces) for body in bodies])
    return trimesh.util.concatenate(bodies), part.astype(np.int32)


def surface_of(mesh: trimesh.Trimesh) -> Surface:
    return make_surface(mesh.vertices, mesh.faces)


def instances(surface: Surface, part: np.ndarray):
    (level,) = levels(surface, part, None, True)
    return level


def test_the_legs_of_a_table_are_four_instances_by_position():
    mesh, part = table()
    level = instances(surface_of(mesh), part)
    assert [level.positions[LEG, number] for number in range(1, 5)] == list(CORNERS)
    assert (level.of_face[part == TOP] == 1).all() and (TOP, 1) not in level.positions
    for number, (x, z) in enumerate(CORNERS.values(), 1):
        centers = mesh.triangles_center[(part == LEG) & (level.of_face == number)]
        assert len(centers) == 48 and np.allclose(centers[:, [0, 2]].mean(axis=0), (x, z), atol=0.05)


def test_a_half_turn_exchanges_front_and_back_left_and_right():
    mesh, part = table()
    before = instances(surface_of(mesh), part)
    mesh.apply_transform(np.diag([-1.0, 1, -1, 1]))
    after = instances(surface_of(mesh), part)
    legs = np.flatnonzero(part == LEG)
    for face in legs.tolist():
        first = before.positions[LEG, int(before.of_face[face])]
        second = after.positions[LEG, int(after.of_face[face])]
        one, other = (word.split() for word in (first, second))
        assert {one[0], other[0]} == {"front", "back"} and {one[1], other[1]} == {"left", "right"}


@pytest.mark.parametrize("detail", ["instances", "pieces"])
def test_vertices_and_the_order_of_faces_do_not_matter(detail):
    mesh, part = table()
    partlet = (mesh.triangles_center[:, 1] > 0.45).astype(np.int32)
    chosen = (None, True) if detail == "instances" else (partlet, False)
    (level,) = levels(surface_of(mesh), part, *chosen)
    order = np.random.default_rng(0).permutation(len(part))
    split = make_surface(mesh.triangles[order].reshape(-1, 3), np.arange(3 * len(part)).reshape(-1, 3))
    chosen = (None, True) if detail == "instances" else (partlet[order], False)
    (again,) = levels(split, part[order], *chosen)
    assert np.array_equal(again.of_face, level.of_face[order])
    assert again.positions == level.positions


def test_crumbs_and_what_lies_inside_belong_to_the_instance_beside_them():
    hub = box((1, 0, 0.02), (0.2, 0.2, 0.14))
    wheels = [trimesh.creation.annulus(0.3, 0.5, 0.1), trimesh.creation.annulus(0.3, 0.5, 0.1)]
    wheels[0].apply_translation((1, 0, 0))
    wheels[1].apply_translation((-1, 0, 0))
    crumb = box((-1.6, 0, 0), (0.01, 0.01, 0.01))  # outside of the box of its wheel
    bodies = [*wheels, hub, crumb]
    mesh = trimesh.util.concatenate(bodies)
    level = instances(surface_of(mesh), np.zeros(len(mesh.faces), np.int32))
    of_body = np.split(level.of_face, np.cumsum([len(body.faces) for body in bodies])[:-1])
    assert [set(numbers.tolist()) for numbers in of_body] == [{1}, {2}, {1}, {2}]
    assert level.positions == {(0, 1): "left", (0, 2): "right"}


def test_a_word_is_said_only_where_it_tells_one_from_all_others():
    def words(*centers):
        order, said = places(np.array(centers, float))
        return [said[index] for index in order]

    assert words((0, 0, 0)) == [""]
    assert words((-0.3, 0, 0), (0.3, 0, 0)) == ["left", "right"]
    assert words((0, 0.3, 0), (0, 0, 0), (0, -0.3, 0)) == ["top", "middle", "bottom"]
    assert words(*((x, 0, 0) for x in (0, 1, 2, 3))) == ["left", "", "", "right"]
    assert words((0, 0, 0), (0, 0, 0), (0, 0, 1)) == ["front", "", ""]
    assert words((0, 0, 0), (0.001, 0, 0)) == ["", ""]
    assert words((0, 0, 0), (0, 0, 1), (1, 0, 0), (-1, 0, 0), (0, 0, -1)) == [
        "front", "left", "middle", "right", "back",
    ]  # fmt: skip
    # Hind legs that are longer are not on top, and a slight turn does not change the words.
    legs = [(x, 0.1 * (z < 0), z) for x, z in CORNERS.values()]
    assert words(*legs) == words(*Rotation.from_euler("y", 12, degrees=True).apply(legs)) == list(CORNERS)


def test_a_part_becomes_coarse_by_its_longest_border_or_else_by_nearness():
    plank = box((0, 0, 0), (8, 1, 1)).subdivide().subdivide()
    x, y = plank.triangles_center[:, 0], plank.triangles_center[:, 1]
    part = np.where(x < 0, 0, 1)
    part[(x > 0) & (x < 1) & (y > 0.25)] = 2  # touches both, the second along more of its rim
    beside = (part == 1) & ((x < 1) | (x < 2) & (y > 0.25))
    loose = box((-6, 0, 0), (0.3, 0.3, 0.3))
    mesh = trimesh.util.concatenate([plank, loose])
    part = np.append(part, np.full(len(loose.faces), 3)).astype(np.int32)
    assert coarse(surface_of(mesh), part, 4).tolist() == [0, 1, 1, 0]
    part[: len(beside)][beside] = -1  # what has no name takes nobody in
    assert coarse(surface_of(mesh), part, 4).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("seed", range(8))
def test_coarse_joins_whole_parts_until_none_is_small_and_fine_refines_them(seed):
    rng = np.random.default_rng(seed)
    mesh = trimesh.util.concatenate([trimesh.creation.icosphere(3), box((3, 0, 0), (0.5, 0.5, 0.5))])
    centers = mesh.triangles_center
    seeds = centers[rng.integers(0, len(centers), 40)]
    part = np.linalg.norm(centers[:, None] - seeds, axis=2).argmin(axis=1) % 15 - 1
    surface, part = surface_of(mesh), part.astype(np.int32)
    becomes = coarse(surface, part, 14)
    assert np.array_equal(becomes[becomes], becomes)
    share = np.bincount(becomes[part[part >= 0]], surface.areas()[part >= 0])
    share = share[share > 0] / share.sum()
    assert len(share) == 1 or share.min() >= COARSE
    partlet = rng.integers(0, 3, len(part)).astype(np.int32)
    instance, piece = levels(surface, part, partlet, True)
    assert np.array_equal(instance.of_face > 0, part >= 0) and np.array_equal(piece.of_face > 0, part >= 0)
    rows = np.stack([part, instance.of_face, piece.of_face, partlet])[:, part >= 0]
    # One partlet per piece, and numbers that count from 1 without a gap.
    assert len(np.unique(rows, axis=1).T) == len(np.unique(rows[:3], axis=1).T)
    for index in range(2):
        for above in np.unique(rows[: index + 1], axis=1).T:
            numbers = np.unique(rows[index + 1, (above == rows[: index + 1].T).all(axis=1)])
            assert np.array_equal(numbers, np.arange(1, len(numbers) + 1))


def test_the_glb_has_parents_with_children_and_the_same_triangles(tmp_path):
    mesh, part = table()
    mesh.export(tmp_path / "table.glb")
    loaded = load_mesh(tmp_path / "table.glb")
    part[:5] = -1
    partlet = (mesh.triangles_center[:, 1] > 0.45).astype(np.int32)
    below = levels(loaded.surface, part, partlet, True)
    files = export_named(loaded, part, PARTS, tmp_path / "out", levels=below, picture=False)
    header, _ = split_container(files.glb.read_bytes(), "out")
    nodes = {node["name"]: node for node in header["nodes"]}
    roots = [header["nodes"][index]["name"] for index in header["scenes"][0]["nodes"]]
    assert roots == ["top", "leg", "unlabeled"] and "mesh" not in nodes["leg"]
    assert nodes["leg_1"]["extras"] == {
        "name": "leg", "description": "", "confidence": 0.8, "needs_review": False,
        "instance": 1, "position": "front left",
    }  # fmt: skip
    assert nodes["leg_1/1"]["extras"]["position"] == "top" and "mesh" in nodes["leg_1/1"]
    scene = trimesh.load_scene(files.glb)
    graph = scene.graph.transforms
    assert set(graph.children["leg"]) == {f"leg_{number}" for number in range(1, 5)}
    assert set(graph.children["leg_3"]) == {"leg_3/1", "leg_3/2"} and "top" not in graph.children
    again = load_mesh(files.glb)
    for name in ("leg_2/1", "leg_4/2", "top", "unlabeled"):
        number, piece = (int(name[4]), int(name[6])) if "_" in name else (1, 1)
        index = {"top": 0, "unlabeled": -1}.get(name, 1)
        chosen = (part == index) & ((index < 0) | (below[0].of_face == number))
        chosen &= (index != 1) | (below[1].of_face == piece)
        given = mesh.triangles_center[chosen]
        found = again.surface.vertices[again.surface.faces[again.blocks[name]]].mean(axis=1)
        assert np.allclose(np.sort(given, axis=0), np.sort(found, axis=0), atol=1e-5)
    assert len(again.surface.faces) == len(part)


def test_labels_list_children_and_arrays_hold_their_numbers(tmp_path):
    mesh, part = table()
    mesh.export(tmp_path / "table.ply")
    loaded = load_mesh(tmp_path / "table.ply")
    below = levels(loaded.surface, part, None, True)
    files = export_named(loaded, part, PARTS, tmp_path / "out", levels=below, picture=False)
    top, leg = json.loads(files.labels.read_text())["parts"]
    assert "children" not in top
    assert [child["name"] for child in leg["children"]] == ["leg_1", "leg_2", "leg_3", "leg_4"]
    assert [child["position"] for child in leg["children"]] == list(CORNERS)
    assert sum(child["faces"] for child in leg["children"]) == leg["faces"]
    (path,) = files.levels
    assert path.name == "face_instances.npy"
    assert np.array_equal(np.load(path, allow_pickle=False), below[0].of_face)
    assert np.array_equal(np.load(files.faces, allow_pickle=False), part)


def test_a_shape_without_a_part_has_nothing_below():
    mesh, part = table()
    nothing = np.full_like(part, -1)
    assert coarse(surface_of(mesh), nothing, 0).tolist() == []
    for level in levels(surface_of(mesh), nothing, nothing, True):
        assert not level.of_face.any() and level.positions == {}


def columns(tmp_path):
    """Four columns, each of two bodies that meet at half of the height."""
    bodies = [box((x, y, z), (0.4, 1, 0.4)) for x, z in CORNERS.values() for y in (0.5, -0.5)]
    trimesh.util.concatenate(bodies).export(tmp_path / "columns.stl")
    return tmp_path / "columns.stl"


def test_every_face_keeps_its_name_whatever_is_asked_for(tmp_path):
    path = columns(tmp_path)
    plain = pipeline().name(path)
    assert plain.levels == ()
    named = pipeline().name(path, detail="fine", instances=True)
    assert np.array_equal(named.face_part, plain.face_part)
    assert [part.name for part in named.prediction.parts] == ["top", "bottom"]
    assert [level.kind for level in named.levels] == ["instance", "piece"]
    assert named.summary.count(" ×4") == 2
    queried = pipeline().name(path, query="top", instances=True)
    assert queried.levels[0].of_face.max() > 1
    assert np.array_equal(queried.levels[0].of_face > 0, queried.face_part == 0)


def test_partlets_of_one_name_are_pieces_of_its_part(tmp_path):
    mesh = trimesh.creation.revolve([(0, -1), (1, -1), (0.4, 0), (1, 1), (0, 1)])
    mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))  # up is y
    mesh.export(tmp_path / "hourglass.stl")
    (level,) = pipeline().name(tmp_path / "hourglass.stl", candidates=["top"], detail="fine").levels
    assert level.positions == {(0, 1): "top", (0, 2): "bottom"}
    assert np.array_equal(level.of_face, np.where(mesh.triangles_center[:, 1] > 0, 1, 2))


def test_a_small_part_leaves_the_prediction(tmp_path):
    mesh = trimesh.util.concatenate([box((0, -0.5, 0), (1, 1, 1)), box((0, 0.6, 0), (0.05, 1.2, 0.05))])
    mesh.export(tmp_path / "spike.stl")
    named = pipeline().name(tmp_path / "spike.stl", points=4096)
    assert named.prediction.names == ["top", "bottom"]
    joined = pipeline().name(tmp_path / "spike.stl", points=4096, detail="coarse")
    assert joined.prediction.names == ["bottom"]
    assert set(joined.face_part.tolist()) == set(joined.prediction.point_part.tolist()) == {0}


def test_a_cloud_has_no_faces_to_connect(tmp_path):
    trimesh.PointCloud(np.random.default_rng(0).random((50, 3))).export(tmp_path / "cloud.ply")
    with pytest.raises(AlignPartsError, match="only 50 points"):
        pipeline().name(tmp_path / "cloud.ply", instances=True)
