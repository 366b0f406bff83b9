"""Disturbed surfaces: what must change, and what must not."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.distance import pdist

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.perturb import DISTURBANCES, LEAST, SHELL_FACES, STRENGTH, disturbed
from alignparts.corpus.mesh.surface import GRAY, Surface, join_surfaces, make_surface, surface_from_cloud

RED, BLUE = (1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)


def ball(subdivisions: int = 3) -> Surface:
    """A sphere of triangles that share no vertex; the upper half is part 1 and red, the lower 0 and blue."""
    mesh = trimesh.creation.icosphere(subdivisions)
    upper = mesh.triangles_center[:, 2] > 0
    return make_surface(
        mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3),
        face_part=upper.astype(np.int32), color=np.where(upper[:, None], RED, BLUE),
    )  # fmt: skip


def cloud() -> Surface:
    points = np.random.default_rng(0).normal(size=(60, 3))
    return surface_from_cloud(points, points, np.full((60, 3), 200, np.uint8), np.arange(60) % 2)


@pytest.mark.parametrize("kind", DISTURBANCES)
def test_no_strength_no_change_and_equal_seeds_equal_surfaces(kind):
    assert kind in STRENGTH
    plain = disturbed(ball(), kind, 0.0)
    assert np.array_equal(plain.vertices, ball().vertices) and np.array_equal(plain.faces, ball().faces)
    first, second, other = (disturbed(ball(), kind, 0.5, seed) for seed in (3, 3, 4))
    assert np.array_equal(first.vertices, second.vertices) and np.array_equal(first.faces, second.faces)
    if kind in ("rotation", "noise"):
        assert not np.allclose(first.vertices, other.vertices)


def test_rotation_turns_by_its_angle_and_keeps_distances():
    before, after = ball(1), disturbed(ball(1), "rotation", 40.0, 1)
    assert np.allclose(pdist(before.vertices), pdist(after.vertices))
    cosine = (before.vertices * after.vertices).sum(axis=1).min()  # the farthest lie on the great circle
    assert np.degrees(np.arccos(cosine)) == pytest.approx(40, abs=1.0)


def test_noise_has_its_size_and_leaves_no_crack():
    surface = ball()
    moved = disturbed(surface, "noise", 0.02, 5)
    step = moved.vertices - surface.vertices
    places, index = np.unique(surface.vertices, axis=0, return_inverse=True)
    assert len(np.unique(moved.vertices, axis=0)) == len(places)
    assert np.std(step[np.unique(index.ravel(), return_index=True)[1]]) == pytest.approx(0.02, rel=0.1)


def test_decimation_keeps_parts_colors_and_form():
    surface = ball()
    coarse = disturbed(surface, "decimation", 0.8)
    assert len(coarse.faces) == pytest.approx(0.2 * len(surface.faces), rel=0.15)
    upper = coarse.vertices[coarse.faces].mean(axis=1)[:, 2] > 0
    assert ((coarse.face_part == 1) == upper).mean() > 0.97
    middle = coarse.color_at(np.arange(len(coarse.faces)), np.full((len(coarse.faces), 3), 1 / 3))
    assert np.allclose(middle[coarse.face_part == 1], RED) and np.allclose(
        middle[coarse.face_part == 0], BLUE
    )
    assert coarse.areas().sum() == pytest.approx(surface.areas().sum(), rel=0.06)


def test_a_part_of_few_triangles_is_not_lost():
    box = trimesh.creation.box()
    surface = make_surface(box.vertices, box.faces, face_part=np.arange(12) // 2)
    coarse = disturbed(surface, "decimation", 0.95)
    assert set(coarse.face_part) == set(range(6)) and coarse.areas().sum() == pytest.approx(6)
    assert len(disturbed(ball(), "decimation", 0.9999).faces) >= 2 * LEAST


def test_a_cloud_loses_points_and_keeps_its_surfels():
    surface = cloud()
    half = disturbed(surface, "decimation", 0.5, 1)
    assert half.is_cloud and len(half.faces) == 60
    assert np.array_equal(half.faces[::2, 0], half.faces[1::2, 0])
    moved = disturbed(surface, "noise", 0.1, 1)
    assert np.allclose(moved.areas(), surface.areas()) and not np.allclose(moved.vertices, surface.vertices)


def test_without_color_everything_is_gray():
    texture = np.random.default_rng(0).integers(0, 255, (4, 4, 4)).astype(np.uint8)
    surface = make_surface(np.eye(3), np.array([[0, 1, 2]]), uv=np.eye(3)[:, :2], color=RED, texture=texture)
    gray = disturbed(surface, "texture", 1.0)
    assert np.allclose(
        gray.color_at(np.zeros(5, np.int64), np.random.default_rng(1).dirichlet([1] * 3, 5)), GRAY
    )


def test_what_is_wrong_is_said():
    with pytest.raises(AlignPartsError, match="expected one of rotation"):
        disturbed(ball(), "melting", 1.0)
    with pytest.raises(AlignPartsError, match="from 0 to below 1"):
        disturbed(ball(), "decimation", 1.0)


def test_a_shell_is_closed_has_the_form_and_color_and_hides_what_is_inside():
    inner = trimesh.creation.icosphere(2, 0.3).triangles.reshape(-1, 3)
    hidden = make_surface(inner, np.arange(len(inner)).reshape(-1, 3), face_part=np.full(len(inner) // 3, 2))
    shell = disturbed(join_surfaces([ball(), hidden]), "shell", 0.05)
    mesh = trimesh.Trimesh(shell.vertices, shell.faces, process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.body_count == 1
    assert mesh.volume == pytest.approx(4 / 3 * np.pi, rel=0.15)
    centers = mesh.triangles_center
    clear = np.abs(centers[:, 2]) > 0.1
    assert np.array_equal(shell.face_part[clear], (centers[clear, 2] > 0).astype(np.int32))
    red = shell.corner_color[clear, 0, 0] > 0.5
    assert np.array_equal(red, centers[clear, 2] > 0)
    assert len(disturbed(ball(4), "shell", 0.015).faces) <= SHELL_FACES
    with pytest.raises(AlignPartsError, match="shell"):
        disturbed(ball(), "shell", 1.5)
