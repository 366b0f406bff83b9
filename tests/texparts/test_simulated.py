"""A simulated annotator on meshes with known answers, and its arithmetic against naive counts."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from annotators import annotation, boxes, shape_of, strip, truth
from review_store import Review, on_sqlite  # noqa: F401

from alignparts.core.config import load_params
from alignparts.core.errors import AlignPartsError
from texparts.annotation.annotation import Annotation, History
from texparts.annotation.edits import Accept, Delete, Merge, Paint, Rename, Split
from texparts.annotation.geometry import Shape
from texparts.annotation.picking import Picker
from texparts.review.models import QueueEntry
from texparts.simulation import moves
from texparts.simulation.cost import CostModel, Hands, Tally
from texparts.simulation.desk import Desk, Step
from texparts.simulation.moves import Move
from texparts.simulation.simulated import SimulatedAnnotator
from texparts.simulation.situation import Scene, Situation
from texparts.simulation.truth import Truth, from_clusters, judge, scratch, without_names

COST = CostModel(**load_params().texparts.effort.model_dump())
NONE = {2: [0, 1] * 12}


def work(
    shape: Shape, start: Annotation, right: Truth, tools: tuple = ("brush", "component", "cluster")
) -> Desk:
    desk = SimulatedAnnotator(COST).work(shape, start, right, tools)
    assert judge(desk.annotation, right, shape.areas).right(COST.quality)
    return desk


def kinds(steps: list[Step]) -> list[str]:
    return [step.action for step in steps]


def test_a_right_prediction_costs_a_look_and_a_key_a_part(tmp_path: Path) -> None:
    labels = [0] * 12 + [1] * 12
    shape, right = shape_of(tmp_path, boxes(2), NONE), truth("box", labels, ["lid", "body"])
    steps = work(shape, annotation("box", labels, ["lid", "body"]), right).steps
    assert [step.edit for step in steps] == [Accept(parts=(0,)), Accept(parts=(1,))]
    one = COST.look(1).plus(COST.press())
    assert [step.tally for step in steps] == [one, one]
    assert not work(shape, annotation("box", labels, ["lid", "body"], accepted=True), right).steps


def test_a_wrong_name_costs_one_rename(tmp_path: Path) -> None:
    labels = [0] * 12 + [1] * 12
    shape, right = shape_of(tmp_path, boxes(2), NONE), truth("box", labels, ["lid", "body"])
    steps = work(shape, annotation("box", labels, ["lid", "leg"], accepted=True), right).steps
    assert [step.edit for step in steps] == [Rename(part=1, name="body")]
    assert steps[0].tally == COST.decide().plus(COST.click(), COST.press(), COST.name())
    # Two clicks on pieces would be quicker still.
    swapped = work(shape, annotation("box", labels, ["body", "lid"], accepted=True), right, ("brush",)).steps
    assert sorted(step.edit.name for step in swapped if isinstance(step.edit, Rename)) == ["body", "lid"]
    assert len(swapped) == 2


def test_a_wrong_category_is_typed_in_full(tmp_path: Path) -> None:
    labels = [0] * 12
    shape, right = shape_of(tmp_path, boxes(1), {}), truth("toolbox", labels, ["body"])
    (step,) = work(shape, annotation("chest", labels, ["body"], accepted=True), right).steps
    assert step.action == "category" and step.keys == len("toolbox") + 4 and not step.clicks


def test_fragments_of_one_part_are_merged_at_once(tmp_path: Path) -> None:
    labels = np.array([0] * 12 + [1] * 4 + [2] * 4 + [3] * 4)
    shape = shape_of(tmp_path, boxes(2), NONE)
    right = truth("box", np.minimum(labels, 1), ["lid", "body"])
    (step,) = work(shape, annotation("box", labels, ["lid", "body", "a", "b"], accepted=True), right).steps
    assert isinstance(step.edit, Merge) and set(step.edit.parts) == {1, 2, 3} and step.edit.into == 1


def test_a_part_in_two_places_is_split_into_its_pieces(tmp_path: Path) -> None:
    mesh = strip(12, 4)  # connected: the piece tool cannot tell the ends apart
    column = np.arange(96) // 8
    ends = np.where((column < 5) | (column > 6), 0, 1)
    shape = shape_of(tmp_path, mesh, {2: np.arange(96) % 2})
    right = truth("bar", np.where(column > 6, 2, ends), ["left", "middle", "right"])
    steps = work(shape, annotation("bar", ends, ["left", "middle"], accepted=True), right).steps
    assert kinds(steps) == ["split", "rename"]
    assert isinstance(steps[0].edit, Split) and steps[0].edit.part == 0


def test_a_border_along_a_cluster_takes_one_click(tmp_path: Path) -> None:
    column = np.arange(96) // 8
    half = (column > 5).astype(int)
    shape = shape_of(tmp_path, strip(12, 4), {8: half})
    right = truth("bar", half, ["left", "right"])
    start = annotation("bar", (column > 8).astype(int), ["left", "right"], accepted=True)
    (step,) = work(shape, start, right).steps
    assert step.action == "paint by cluster"
    assert isinstance(step.edit, Paint) and step.edit.part == 1 and step.edit.faces == (48, 48)
    assert step.tally == COST.decide().plus(COST.click(), COST.press(), COST.click())


def test_what_is_to_be_unlabeled_is_deleted_or_erased(tmp_path: Path) -> None:
    shape = shape_of(tmp_path, boxes(2), NONE)
    right = truth("box", [0] * 12 + [-1] * 12, ["body"])
    (step,) = work(shape, annotation("box", [0] * 12 + [1] * 12, ["body", "x"], accepted=True), right).steps
    assert step.edit == Delete(part=1)
    (step,) = work(shape, annotation("box", [0] * 24, ["body"], accepted=True), right).steps
    assert step.edit == Paint(part=-1, faces=(12, 12)) and step.keys == 2  # C and E


def test_surplus_parts_go_and_a_range_of_the_list_takes_two_clicks(tmp_path: Path) -> None:
    shape, right = shape_of(tmp_path, boxes(1), {}), truth("box", [0] * 12, ["body"])
    start = annotation("box", [0] * 12, ["body", *"abcde"], accepted=True)
    steps = work(shape, start, right).steps
    assert kinds(steps) == ["delete"] * 5
    assert sum(step.clicks for step in steps) == 2


def test_selecting_costs_what_the_list_asks_for() -> None:
    listed = (4, 7, 1, 2, 9)
    hands = Hands()
    for parts, clicks, keys in [
        ((4,), 1, 0),
        ((4, 1), 2, 1),
        ((4, 7, 1), 2, 1),  # Shift alone
        ((9, 2, 1, 7), 2, 1),
        ((7, 1, 2, 4), 3, 2),  # Shift for three, Ctrl for the fourth
        ((4, 1, 9), 3, 1),
    ]:
        tally, after = hands.select(COST, parts, listed)
        assert (tally.clicks, tally.keys) == (clicks, keys), parts
        assert after.selected == parts and after.select(COST, parts, listed)[0] == Tally()


def test_tools_cost_the_keys_that_lead_to_them() -> None:
    hands = Hands()
    took, brush = hands.take(COST, "brush", 0.05, False)
    assert took == COST.press() and brush.take(COST, "brush", 0.05, False)[0] == Tally()
    assert brush.take(COST, "brush", 0.2, False)[0].clicks == 1
    erasing = brush.take(COST, "brush", 0.05, True)[1]
    assert erasing.erase and erasing.take(COST, "brush", 0.05, False)[0] == COST.press()
    assert hands.take(COST, "cluster", 32.0, False)[0] == COST.press().plus(COST.click(2))
    assert COST.stroke(2, 0.5).seconds == pytest.approx(1.3 + 2 * 0.9 + 0.16 * 20 * 0.5)


def noisy(mesh_faces: int, seed: int, parts: int) -> Annotation:
    """Parts at random: some have true names, some do not."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(-1, parts, mesh_faces // 4 + 1), 4)[:mesh_faces]
    names = ["lid", "body", "leg", "x", "y", "z"]
    chosen = [names[index] for index in rng.permutation(len(names))[:parts]]
    return annotation("box" if seed % 2 else "chair", labels, chosen, accepted=bool(seed % 3))


def random_case(root: Path, seed: int) -> tuple[Shape, Annotation, Truth]:
    rng = np.random.default_rng(100 + seed)
    mesh = boxes(3).subdivide() if seed % 2 else strip(14, 4)
    faces = len(mesh.faces)
    near = np.abs(mesh.triangles_center[:, None] - mesh.triangles_center[rng.choice(faces, 4)]).sum(axis=2)
    right = truth("box", near.argmin(axis=1) - 1, ["lid", "body", "leg"])
    clusters = {3: rng.integers(0, 3, faces), 6: near.argmin(axis=1) + 4 * (mesh.triangles_center[:, 1] > 0)}
    return shape_of(root, mesh, clusters), noisy(faces, seed, 1 + seed % 6), right


@pytest.mark.parametrize("seed", range(8))
def test_any_start_comes_to_the_truth_by_edits_that_a_history_takes(tmp_path: Path, seed: int) -> None:
    shape, start, right = random_case(tmp_path, seed)
    for begun in (start, without_names(start), scratch(shape), from_clusters(shape, 6)):
        desk = work(shape, begun, right)
        history = History(begun)
        for step in desk.steps:
            history.append(step.edit)
        assert history.present.parts == desk.annotation.parts
        assert (history.present.face_part == desk.annotation.face_part).all()
        assert all(part.accepted for part in desk.annotation.parts)
        again = SimulatedAnnotator(COST).steps(shape, begun, right)
        assert again == desk.steps


@pytest.mark.parametrize("seed", range(4))
def test_the_brush_alone_gets_there(tmp_path: Path, seed: int) -> None:
    shape, start, right = random_case(tmp_path, seed)
    for begun in (start, scratch(shape)):
        steps = work(shape, begun, right, ("brush",)).steps
        assert not {"split", "paint by piece", "paint by cluster"} & set(kinds(steps))
    assert kinds(steps).count("add") == len(right.names)


def correct_area(made: Annotation, right: Truth, shape: Shape) -> float:
    """Naively: faces that have the name they should have, of the best part of each name."""
    total, best = 0.0, dict.fromkeys(right.names, 0.0)
    names = {part.id: part.name for part in made.parts}
    share: dict[int, float] = {}
    for area, a, b in zip(
        shape.areas.tolist(), made.face_part.tolist(), right.face_part.tolist(), strict=True
    ):
        if a == b == -1:
            total += area
        elif a >= 0 and b >= 0 and names[a] == right.names[b]:
            share[a] = share.get(a, 0.0) + area
    for part, area in share.items():
        best[names[part]] = max(best[names[part]], area)
    return (total + sum(best.values())) / float(shape.areas.sum())


def all_moves(here: Situation) -> Iterator[Move]:
    yield from moves.renames(here)
    yield from moves.merges(here)
    for count in (0, 3, 6):
        yield from moves.clicks(here, "cluster" if count else "component", count)
        yield from moves.splits(here, count, 0.0)


@pytest.mark.parametrize("seed", [2, 3, 4, 5])
def test_gains_and_seconds_are_what_a_naive_count_says(tmp_path: Path, seed: int) -> None:
    shape, start, right = random_case(tmp_path, seed)
    start = annotation(start.category, start.face_part, [p.name for p in start.parts], accepted=True)
    scene = Scene(shape, COST)

    def fresh() -> Situation:
        return Situation(Desk(COST, shape, start), scene, right)

    before = correct_area(start, right, shape)
    # Only wrong faces of parts that are not good enough count; with a noisy start all parts are among them.
    present = np.unique(right.face_part[right.face_part >= 0])
    assert fresh().failing[present].all()
    checked = 0
    worth = [index for index, move in enumerate(all_moves(fresh())) if move.gain > 0]
    for index in worth[:: 1 + len(worth) // 12]:
        here = fresh()
        move = list(all_moves(here))[index]
        move.do()
        checked += 1
        after = correct_area(here.desk.annotation, right, shape)
        unlabeled = scene.area[(start.face_part >= 0) & (right.face_part < 0)].sum()
        # Faces that are to be unlabeled count where they are in the way of a part.
        assert move.gain - 1e-6 <= after - before <= move.gain + unlabeled + 1e-6
        if right.face_part.min() >= 0:
            assert after - before == pytest.approx(move.gain, abs=1e-6)
        more = sum(step.seconds for step in here.desk.steps) - move.seconds
        turned = more / COST.click().seconds
        if here.desk.steps[0].action == "split":
            assert turned <= 1e-6  # neighbors in the list may be selected together
        else:
            assert turned == pytest.approx(round(turned), abs=1e-6) and turned > -1e-6
    assert checked >= 3


@pytest.mark.parametrize("seed", [1, 2])
def test_strokes_are_discs_of_the_real_brush(tmp_path: Path, seed: int) -> None:
    shape, _, _ = random_case(tmp_path, seed)
    brush = Scene(shape, COST).brush
    brush.consider(np.arange(len(shape.faces)), 40)
    low, high = shape.vertices.min(axis=0), shape.vertices.max(axis=0)
    drawn = (shape.vertices.astype(float) - (low + high) / 2) * 2 / (high - low).max()
    picker = Picker(shape, drawn)
    rng = np.random.default_rng(seed)
    gain = rng.normal(size=len(shape.faces))
    for radius in COST.radii:
        discs = [
            picker.disc(int(face), drawn[shape.faces[face]].mean(axis=0), 2 * radius)
            for face in brush.centers
        ]
        center, found = brush.best(gain, radius)
        assert found == pytest.approx(gain[discs[center]].sum())
        faces, segments, length = brush.stroke(gain, radius, center)
        used = [disc for disc in discs if np.isin(disc, faces).all()]
        assert set(faces) == set(np.concatenate(used)) and set(discs[center]) <= set(faces)
        assert (segments == 0) == (length == 0) and segments <= COST.stroke_discs - 1
        assert gain[faces].sum() >= found - 1e-9


def test_a_better_start_never_costs_more(tmp_path: Path) -> None:
    labels = np.repeat([0, 1, 2], 12)
    shape = shape_of(tmp_path, boxes(3), {})
    right = truth("box", labels, ["lid", "body", "leg"])
    worse = np.minimum(labels, 1)
    starts = [
        annotation("box", labels, ["lid", "body", "leg"], accepted=True),
        annotation("box", labels, ["lid", "body", "x"], accepted=True),
        annotation("box", worse, ["lid", "x"], accepted=True),
        annotation("chair", worse, ["y", "x"], accepted=True),
        scratch(shape),
    ]
    seconds = [sum(step.seconds for step in work(shape, start, right).steps) for start in starts]
    assert seconds == sorted(seconds) and len(set(seconds)) == len(seconds)


def test_the_review_takes_every_step(tmp_path: Path, on_sqlite: Review) -> None:
    shape, start, right = random_case(tmp_path / "source", 5)
    mesh = shape.folder.mesh().surface
    clusters = shape.clusters
    shape = shape_of(on_sqlite.root, _mesh(mesh), clusters, start)
    begun = shape.folder.prediction()
    desk = work(shape, begun, right)
    on_sqlite.store.queue.load([QueueEntry(object_id="thing", rank=1)])
    who = on_sqlite.annotator("someone")
    task = on_sqlite.store.leases.take_next(who)
    assert task is not None
    for seq, step in enumerate(desk.steps):
        on_sqlite.clock.forward(step.seconds)
        on_sqlite.store.events.append(who, task.id, str(uuid.uuid4()), seq, step.edit)
    state = on_sqlite.store.events.state(who, task.id)
    assert state.annotation.parts == desk.annotation.parts
    assert (state.annotation.face_part == desk.annotation.face_part).all()


def test_labels_of_another_mesh_are_refused(tmp_path: Path) -> None:
    shape = shape_of(tmp_path, boxes(1), {})
    with pytest.raises(AlignPartsError, match="12 faces"):
        SimulatedAnnotator(COST).steps(shape, scratch(shape), truth("box", [0] * 24, ["body"]))


def _mesh(surface):  # type: ignore[no-untyped-def]
    import trimesh

    return trimesh.Trimesh(surface.vertices, surface.faces, process=False)
