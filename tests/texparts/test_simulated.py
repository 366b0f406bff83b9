"""A simulated annotator on meshes with known answers; its edits against the review's own history."""

from pathlib import Path

import numpy as np
import pytest
from annotators import annotation, boxes, shape_of, strip, truth

from alignparts.core.config import load_params
from alignparts.core.errors import AlignPartsError
from texparts.annotation.annotation import Annotation, History
from texparts.annotation.edits import Accept, Delete, Merge, Paint, Rename
from texparts.annotation.geometry import Shape
from texparts.simulation.annotator import ALL_TOOLS, SimulatedAnnotator, Step
from texparts.simulation.cost import CostModel, Tally
from texparts.simulation.truth import Truth, from_clusters, judge, scratch

COST = CostModel(**dict(load_params().texparts.effort))
NONE = {2: [0, 1] * 12}


def work(shape: Shape, start: Annotation, right: Truth, tools: tuple = ALL_TOOLS) -> list[Step]:
    """Steps to the truth, which a history of the review takes one by one."""
    done = SimulatedAnnotator(COST, shape, start, right, tools).work()
    assert judge(done.annotation, right, shape.areas).right(COST.quality)
    assert all(part.accepted for part in done.annotation.parts)
    history = History(start)
    for step in done.steps:
        history.append(step.edit)
    assert history.present.parts == done.annotation.parts
    assert (history.present.face_part == done.annotation.face_part).all()
    return done.steps


def seconds(steps: list[Step]) -> float:
    return sum(step.tally.seconds for step in steps)


def test_a_right_prediction_costs_a_look_and_a_key_per_part(tmp_path: Path) -> None:
    labels = [0] * 12 + [1] * 12
    shape, right = shape_of(tmp_path, boxes(2), NONE), truth("box", labels, ["lid", "body"])
    steps = work(shape, annotation("box", labels, ["lid", "body"]), right)
    assert [step.edit for step in steps] == [Accept(parts=(0,)), Accept(parts=(1,))]
    assert [step.tally for step in steps] == [COST.look(1).plus(COST.press())] * 2
    assert not work(shape, annotation("box", labels, ["lid", "body"], accepted=True), right)


def test_names_cost_a_search_each_and_a_category_is_typed_in_full(tmp_path: Path) -> None:
    labels = [0] * 12 + [1] * 12
    shape, right = shape_of(tmp_path, boxes(2), NONE), truth("toolbox", labels, ["lid", "body"])
    category, rename = work(shape, annotation("chest", labels, ["lid", "leg"], accepted=True), right)
    assert category.tally.keys == len("toolbox") + 4 and not category.tally.clicks
    assert rename.edit == Rename(part=1, name="body")
    assert rename.tally == COST.decide().plus(COST.click(), COST.name())
    swapped = work(shape, annotation("toolbox", labels, ["body", "lid"], accepted=True), right)
    assert [step.edit for step in swapped] == [Rename(part=0, name="lid"), Rename(part=1, name="body")]


def test_fragments_are_merged_and_strangers_deleted_or_erased(tmp_path: Path) -> None:
    labels = np.array([0] * 12 + [1] * 4 + [2] * 4 + [3] * 4)
    shape = shape_of(tmp_path, boxes(2), NONE)
    start = annotation("box", labels, ["lid", "a", "b", "body"], accepted=True)
    (step,) = work(shape, start, truth("box", np.minimum(labels, 1), ["lid", "body"]))
    assert step.edit == Merge(parts=(3, 1, 2), into=3)  # the part that has the name already
    right = truth("box", [0] * 12 + [-1] * 12, ["body"])
    (step,) = work(shape, annotation("box", [0] * 12 + [1] * 12, ["body", "x"], accepted=True), right)
    assert step.edit == Delete(part=1)
    (step,) = work(shape, annotation("box", [0] * 24, ["body"], accepted=True), right)
    assert step.edit == Paint(part=-1, faces=(12, 12)) and step.tally.keys == 2  # the tool, and erasing


def test_a_border_along_a_cluster_takes_one_click(tmp_path: Path) -> None:
    column = np.arange(96) // 8
    half = (column > 5).astype(int)
    shape, right = shape_of(tmp_path, strip(12, 4), {8: half}), truth("bar", half, ["left", "right"])
    start = annotation("bar", (column > 8).astype(int), ["left", "right"], accepted=True)
    (step,) = work(shape, start, right)
    assert step.edit == Paint(part=1, faces=(48, 48)) and not step.tally.strokes
    brushed = work(shape, start, right, ("brush",))
    assert all(step.tally.strokes for step in brushed) and seconds(brushed) > step.tally.seconds


def test_a_brush_draws_strokes_as_wide_as_fits(tmp_path: Path) -> None:
    """A strip of 40 x 4 squares whose left half lacks its label: few wide strokes."""
    half = (np.arange(320) // 8 > 19).astype(int)
    shape, right = shape_of(tmp_path, strip(40, 4), {}), truth("bar", half, ["left", "right"])
    start = annotation(
        "bar", np.where(half == 1, 1, -1 + (np.arange(320) < 4)), ["left", "right"], accepted=True
    )
    steps = work(shape, start, right, ("brush",))
    assert 1 <= len(steps) < 8 and all(step.tally.strokes == 1 for step in steps)
    assert steps[0].tally.seconds > COST.stroke(1, 0.1).seconds == pytest.approx(1.3 + 0.9 + 0.16 * 20 * 0.1)


def random_case(root: Path, seed: int) -> tuple[Shape, Annotation, Truth]:
    """A mesh whose true parts are near random centers, and parts at random, some with true names."""
    rng = np.random.default_rng(100 + seed)
    mesh = boxes(3).subdivide() if seed % 2 else strip(14, 4)
    faces, parts = len(mesh.faces), 1 + seed % 6
    near = np.abs(mesh.triangles_center[:, None] - mesh.triangles_center[rng.choice(faces, 4)]).sum(axis=2)
    right = truth("box", near.argmin(axis=1) - 1, ["lid", "body", "leg"])
    clusters = {3: rng.integers(0, 3, faces), 6: near.argmin(axis=1) + 4 * (mesh.triangles_center[:, 1] > 0)}
    labels = np.repeat(rng.integers(-1, parts, faces // 4 + 1), 4)[:faces]
    names = rng.permutation(["lid", "body", "leg", "x", "y", "z"])[:parts].tolist()
    start = annotation("box" if seed % 2 else "chair", labels, names, accepted=bool(seed % 3))
    return shape_of(root, mesh, clusters), start, right


@pytest.mark.parametrize("seed", range(8))
def test_any_start_comes_to_the_truth(tmp_path: Path, seed: int) -> None:
    shape, start, right = random_case(tmp_path, seed)
    for begun in (start, scratch(shape), from_clusters(shape, 6)):
        for tools in (ALL_TOOLS, ("brush",)):
            steps = work(shape, begun, right, tools)
            assert steps == work(shape, begun, right, tools)
    named = [step for step in steps if step.edit.kind in ("rename", "add")]
    assert len(named) == right.face_part.max() + 1  # from clusters, which have no names


def test_a_better_start_never_costs_more(tmp_path: Path) -> None:
    labels = np.repeat([0, 1, 2], 12)
    shape, right = shape_of(tmp_path, boxes(3), {}), truth("box", labels, ["lid", "body", "leg"])
    starts = [
        annotation("box", labels, ["lid", "body", "leg"], accepted=True),
        annotation("box", labels, ["lid", "body", "x"], accepted=True),
        annotation("box", np.minimum(labels, 1), ["lid", "x"], accepted=True),
        annotation("chair", np.minimum(labels, 1), ["y", "x"], accepted=True),
        scratch(shape),
    ]
    costs = [seconds(work(shape, start, right)) for start in starts]
    assert costs == sorted(costs) and len(set(costs)) == len(costs)


def test_labels_of_another_mesh_are_refused(tmp_path: Path) -> None:
    shape = shape_of(tmp_path, boxes(1), {})
    with pytest.raises(AlignPartsError, match="12 faces"):
        SimulatedAnnotator(COST, shape, scratch(shape), truth("box", [0] * 24, ["body"]))
    assert Tally(clicks=1).plus(Tally(keys=2), Tally(seconds=3.0)) == Tally(1, 2, 0, 3.0, 0.0)
