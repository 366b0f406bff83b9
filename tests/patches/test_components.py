"""Connected components as parts: known answers on boxes, whatever the order of vertices and faces."""

import numpy as np
import pytest
import trimesh

from alignparts.corpus.mesh.surface import Surface, make_surface
from alignparts.patches import components
from alignparts.patches.components import component_parts


def boxes(*placed: tuple[float, tuple[float, float, float]]) -> Surface:
    """Cubes by side and center, 12 faces each, no two of which share a vertex in the file."""
    corners = [trimesh.creation.box((side,) * 3).triangles + np.array(at) for side, at in placed]
    return make_surface(np.concatenate(corners).reshape(-1, 3), np.arange(36 * len(placed)).reshape(-1, 3))


STACK = boxes((0.05, (0.3, 1.525, 0.2)), (1, (0, 0, 0)), (1, (0.3, 1, 0.2)))
"""A cube on another, and a tiny one on top, the first in the file."""


def test_cubes_that_touch_are_two_parts_and_a_tiny_one_joins_the_one_that_it_lies_on():
    parts = component_parts(STACK)
    assert parts.face_part.tolist() == [0] * 12 + [1] * 12 + [0] * 12


def test_the_order_of_faces_changes_numbers_alone():
    order = np.random.default_rng(0).permutation(36)
    expected = component_parts(STACK).face_part[order]
    found = component_parts(STACK.subset(order)).face_part
    assert (found == found[0]).tolist() == (expected == expected[0]).tolist() and found[0] == 0


def test_cubes_with_a_common_edge_are_one_part():
    joined = boxes((1, (0, 0, 0)), (1, (1, 1, 0)), (1, (4, 0, 0)))
    assert component_parts(joined).face_part.tolist() == [0] * 24 + [1] * 12


@pytest.mark.parametrize(("count", "is_kept"), [(1, False), (2, True), (50, True), (51, False)])
def test_shapes_of_one_part_or_of_very_many_are_refused(count, is_kept):
    parts = component_parts(boxes(*((1, (2 * number, 0, 0)) for number in range(count))))
    assert (parts is not None) == is_kept
    assert parts is None or len(set(parts.face_part.tolist())) == count


def test_shapes_of_crumbs_and_of_too_many_faces_are_refused(monkeypatch):
    assert component_parts(boxes(*((1, (2 * number, 0, 0)) for number in range(120)))) is None
    monkeypatch.setattr(components, "FACES", 35)
    assert component_parts(STACK) is None
