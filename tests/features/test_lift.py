"""Lifting against a loop that does the same slowly, and against shapes whose answer is known."""

import numpy as np
import pytest

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.render import Lighting, Views, camera_positions, render_views
from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.mesh.surface import Surface, make_surface
from alignparts.features.lift import GRAZING, lift, visibility

FLAT = Lighting(ambient=1.0, head=0.0, key=0.0, fill=0.0, sheen=0.0)

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
SIDES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


def box(size: tuple[float, float, float], colored: int = -1) -> Surface:
    color = np.tile(np.array([0, 0, 0, 1], np.float32), (12, 1))
    if colored >= 0:
        color[2 * colored : 2 * colored + 2, 0] = 1
    return make_surface(CORNERS * np.array(size), SIDES, color=color)


def color_maps(views: Views, patch: int) -> np.ndarray:
    """The mean color of every patch stands for its features."""
    count, height, width = views.face.shape
    grid = views.color.reshape(count, height // patch, patch, width // patch, patch, 3)
    return (grid.mean(axis=(2, 4)) / 255).astype(np.float32)


def lift_slowly(maps: np.ndarray, views: Views, points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    result = np.zeros((len(points), maps.shape[3]))
    rows, columns = maps.shape[1:3]
    height, width = views.face.shape[1:]
    for index, point in enumerate(points.astype(float)):
        total = 0.0
        for view in range(len(views)):
            weight = weights[view, index]
            if weight == 0:
                continue
            camera = views.cameras[view, :, :3] @ point + views.cameras[view, :, 3]
            x = (camera[0] / camera[2] * views.focal + width / 2) * columns / width - 0.5
            y = (camera[1] / camera[2] * views.focal + height / 2) * rows / height - 0.5
            x, y = min(max(x, 0), columns - 1), min(max(y, 0), rows - 1)
            value = np.zeros(maps.shape[3])
            for row in range(rows):
                for column in range(columns):
                    value += max(0, 1 - abs(x - column)) * max(0, 1 - abs(y - row)) * maps[view, row, column]
            result[index] += weight * value
            total += weight
        if total > 0:
            result[index] /= total
    seen = weights.sum(axis=0) > 0
    for index in np.flatnonzero(~seen):
        far = np.linalg.norm(points[seen] - points[index], axis=1)
        result[index] = result[seen][np.argsort(far, kind="stable")[:3]].mean(axis=0)
    return result


def test_equals_the_loop() -> None:
    surface = box((1, 0.4, 0.2))
    views = render_views(surface, views=5, resolution=32)
    sample = sample_surface(surface, 60, seed=3)
    maps = np.random.default_rng(0).normal(size=(5, 4, 4, 6)).astype(np.float32)
    weights = visibility(views, sample.points, sample.normals)
    weights[:, :5] = 0
    slow = lift_slowly(maps, views, sample.points, weights)
    fast = lift(maps, views, sample.points, sample.normals, weights)
    np.testing.assert_allclose(fast, slow, atol=1e-5)


@pytest.mark.parametrize("colored", range(6))
def test_points_of_a_colored_side_get_its_patches(colored: int) -> None:
    surface = box((1, 1, 1), colored)
    views = render_views(surface, views=8, resolution=112, lighting=FLAT)
    sample = sample_surface(surface, 2000, seed=1)
    on = sample.face // 2 == colored
    # Away from edges by more than a pixel, however slanted, when a pixel is a patch.
    inner = np.sort(np.abs(sample.points), axis=1)[:, 1] < 0.75
    sharp = lift(color_maps(views, 1), views, sample.points, sample.normals)[:, 0]
    assert (sharp[on & inner] > 0.97).all()
    assert (sharp[~on & inner] < 0.03).all()
    # Larger patches mix with the neighbors and the white background, but only near the edges.
    coarse = lift(color_maps(views, 4), views, sample.points, sample.normals)[:, 0]
    assert np.median(coarse[on]) > 0.97
    assert np.median(coarse[~on]) < 0.05


def test_visibility_of_a_cube_is_that_of_its_sides() -> None:
    surface = box((1, 1, 1))
    views = render_views(surface, views=8, resolution=112)
    sample = sample_surface(surface, 3000, seed=0)
    weight = visibility(views, sample.points, sample.normals)
    sight = camera_positions(views.cameras)[:, None] - sample.points
    cosine = np.einsum("vnc,nc->vn", sight / np.linalg.norm(sight, axis=2, keepdims=True), sample.normals)
    # A convex shape: a point is seen exactly where its side faces the camera.
    assert not (weight > 0)[cosine < 0].any()
    assert (weight > 0)[cosine > GRAZING + 1e-6].mean() > 0.97
    np.testing.assert_allclose(weight[weight > 0], cosine[weight > 0], atol=1e-5)


@pytest.mark.parametrize("thickness", [0.02, 0.005, 0.0005])
@pytest.mark.parametrize("turned", [False, True])
def test_the_back_of_a_thin_board_never_sees_the_front(thickness: float, turned: bool) -> None:
    surface = box((1, 1, thickness), 5)  # +z is red
    if turned:
        surface = make_surface(surface.vertices, surface.faces[:, ::-1], color=surface.corner_color)
    views = render_views(surface, views=8, resolution=112, lighting=FLAT)
    sample = sample_surface(surface, 1500, seed=2)
    red = lift(color_maps(views, 4), views, sample.points, sample.normals)[:, 0]
    inner = np.abs(sample.points[:, :2]).max(axis=1) < 0.85
    front, back = sample.face // 2 == 5, sample.face // 2 == 4
    assert (red[front & inner] > 0.9).all()
    assert (red[back & inner] < 0.1).all()


def test_hidden_points_take_the_mean_of_their_nearest_seen_points() -> None:
    outside, inside = box((1, 1, 1)), box((0.5, 0.5, 0.5))
    surface = make_surface(
        np.concatenate([outside.vertices, inside.vertices]), np.concatenate([outside.faces, inside.faces + 8])
    )
    views = render_views(surface, views=6, resolution=56)
    sample = sample_surface(surface, 800, seed=0)
    weights = visibility(views, sample.points, sample.normals)
    hidden = sample.face >= 12
    assert hidden.any() and not weights[:, hidden].any()
    maps = np.random.default_rng(1).normal(size=(6, 7, 7, 4)).astype(np.float32)
    features = lift(maps, views, sample.points, sample.normals)
    seen = np.flatnonzero(weights.any(axis=0))
    for index in np.flatnonzero(hidden)[:20]:
        near = seen[np.linalg.norm(sample.points[seen] - sample.points[index], axis=1).argsort()[:3]]
        np.testing.assert_allclose(features[index], features[near].mean(axis=0), atol=1e-5)


def test_no_seen_point_gives_zeros() -> None:
    views = render_views(box((1, 1, 1)), views=2, resolution=16)
    points = np.zeros((4, 3), np.float32)
    normals = np.tile(np.array([0, 1, 0], np.float32), (4, 1))
    assert not visibility(views, points, normals).any()
    features = lift(np.ones((2, 2, 2, 3), np.float32), views, points, normals)
    np.testing.assert_array_equal(features, 0)


def test_constant_maps_stay_constant() -> None:
    surface = box((1, 0.3, 0.6))
    views = render_views(surface, views=3, resolution=24)
    sample = sample_surface(surface, 200, seed=5)
    features = lift(np.full((3, 3, 3, 2), 7.0, np.float32), views, sample.points, sample.normals)
    np.testing.assert_allclose(features, 7, rtol=1e-5)


def test_maps_of_other_views_are_refused() -> None:
    views = render_views(box((1, 1, 1)), views=2, resolution=16)
    points = np.zeros((1, 3), np.float32)
    with pytest.raises(AlignPartsError, match="2 views, got 3"):
        lift(np.zeros((3, 2, 2, 1), np.float32), views, points, points)
