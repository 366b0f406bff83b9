"""Pictures against shapes whose look is known."""

import numpy as np
import pytest

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.render import ELEVATIONS, Lighting, camera_positions, render_views, ring_cameras
from alignparts.corpus.mesh.surface import Surface, make_surface

FLAT = Lighting(ambient=1.0, head=0.0, key=0.0, fill=0.0, sheen=0.0)

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
# Two triangles a side, counter-clockwise from outside: -x, +x, -y, +y, -z, +z.
SIDES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip
SIDE_COLORS = np.array(
    [[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 0, 1], [0, 1, 1, 1], [1, 0, 1, 1]], np.float32
)


def cube(size: float = 1.0, shift: tuple[float, float, float] = (0, 0, 0)) -> Surface:
    return make_surface(CORNERS * size + np.array(shift), SIDES, color=SIDE_COLORS.repeat(2, axis=0))


def test_cameras_are_rotations_that_look_at_the_origin_upright() -> None:
    cameras = ring_cameras(8, 3.0)
    rotation = cameras[:, :, :3]
    np.testing.assert_allclose(
        rotation @ rotation.transpose(0, 2, 1), np.tile(np.eye(3), (8, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    eyes = -np.einsum("vij,vi->vj", rotation, cameras[:, :, 3])
    np.testing.assert_allclose(np.linalg.norm(eyes, axis=1), 3)
    np.testing.assert_allclose(np.degrees(np.arcsin(eyes[:, 1] / 3)), np.resize(ELEVATIONS, 8))
    # Up on the picture (-y) is up in the world, and a camera on +z has +x to its right.
    assert (rotation[:, 1, 1] < 0).all()
    front = np.abs(np.degrees(np.arctan2(eyes[:, 0], eyes[:, 2]))).argmin()
    assert rotation[front, 0, 0] > 0


def test_views_spread_evenly_around() -> None:
    eyes = camera_positions(render_views(cube(), views=6, resolution=4).cameras)
    turn = np.sort(np.degrees(np.arctan2(eyes[:, 0], eyes[:, 2])))
    np.testing.assert_allclose(np.diff(turn), 60)


def test_every_pixel_has_the_color_of_its_face() -> None:
    views = render_views(cube(), views=8, resolution=48, lighting=FLAT)
    shown = views.face >= 0
    assert 0.2 < shown.mean() < 0.7
    np.testing.assert_array_equal(
        views.color[shown], (SIDE_COLORS[views.face[shown] // 2, :3] * 255).astype(int)
    )
    assert (views.color[~shown] == 255).all()
    assert np.isinf(views.depth[~shown]).all()
    # Every side is seen, the bottom too, and from outside.
    assert set(np.unique(views.face[shown] // 2)) == set(range(6))
    assert views.front[shown].all()


def test_the_picture_does_not_depend_on_place_and_size() -> None:
    here = render_views(cube(), views=3, resolution=32)
    there = render_views(cube(250.0, (1000, -3, 7)), views=3, resolution=32)
    assert (here.face == there.face).mean() > 0.999
    np.testing.assert_array_equal(here.cameras, there.cameras)


def test_depth_and_projection_agree_with_the_geometry() -> None:
    views = render_views(cube(), views=5, resolution=40)
    pixel, depth = views.project(CORNERS)
    assert (pixel >= -1e-6).all() and (pixel <= 40 + 1e-6).all()
    # The point under a pixel's center, from its depth, lies on the cube and projects back.
    view, row, column = (index[::37] for index in np.nonzero(views.face >= 0))
    ray = np.stack(
        [(column + 0.5 - 20) / views.focal, (row + 0.5 - 20) / views.focal, np.ones(len(row))], axis=1
    )
    camera = ray * views.depth[view, row, column, None]
    world = np.einsum("nji,nj->ni", views.cameras[view, :, :3], camera - views.cameras[view, :, 3])
    np.testing.assert_allclose(np.abs(world).max(axis=1), 1, atol=1e-4)
    again, far = views.project(world)
    np.testing.assert_allclose(
        again[view, np.arange(len(view))], np.stack([column, row], axis=1) + 0.5, atol=1e-3
    )
    np.testing.assert_allclose(far[view, np.arange(len(view))], views.depth[view, row, column], atol=1e-4)
    assert depth.min() > 0


def test_light_is_the_same_on_both_sides_of_a_sheet() -> None:
    sheet = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    one = render_views(make_surface(sheet, faces), views=4, resolution=24)
    other = render_views(make_surface(sheet, faces[:, ::-1]), views=4, resolution=24)
    np.testing.assert_array_equal(one.color, other.color)
    shown = one.face >= 0
    np.testing.assert_array_equal(one.front[shown], ~other.front[shown])
    assert one.front[shown].any() and not one.front[shown].all()


def test_glass_shows_what_is_behind_it() -> None:
    inner = cube(0.5)
    outer = make_surface(CORNERS, SIDES, color=(0.0, 0.0, 0.0, 0.3))
    both = make_surface(
        np.concatenate([CORNERS, CORNERS * 0.5]),
        np.concatenate([SIDES, SIDES + 8]),
        color=np.concatenate([outer.corner_color, inner.corner_color]),
    )
    views = render_views(both, views=2, resolution=33, lighting=FLAT)
    middle = views.color[0, 16, 16] / 255
    behind = render_views(both.subset(np.arange(12, 24)), views=2, resolution=33, lighting=FLAT)
    assert behind.face[0, 16, 16] >= 0
    side = SIDE_COLORS[behind.face[0, 16, 16] // 2, :3]
    # One pane of alpha 0.3 in front of an opaque face.
    np.testing.assert_allclose(middle, 0.7 * side, atol=0.01)
    assert (views.face[0] < 12).all() and views.face[0, 16, 16] >= 0
    # Two panes in front of white.
    only_glass = (views.face[0] >= 0) & (np.abs(views.color[0] / 255.0 - 0.49).max(axis=2) < 0.01)
    assert only_glass.mean() > 0.05


def test_what_is_invisible_leaves_face_and_depth_to_what_is_behind() -> None:
    hidden = make_surface(
        np.concatenate([CORNERS, CORNERS * 0.5]),
        np.concatenate([SIDES, SIDES + 8]),
        color=np.repeat(np.array([[1, 1, 1, 0], [0, 0, 0, 1]], np.float32), 12, axis=0),
    )
    views = render_views(hidden, views=3, resolution=32)
    shown = views.face >= 0
    assert shown.any() and (views.face[shown] >= 12).all()
    assert (views.color[~shown] == 255).all()


def test_a_texture_lands_where_the_uv_says() -> None:
    picture = np.full((2, 2, 4), 255, np.uint8)
    picture[:, 0, 1:3] = 0  # left half red
    picture[:, 1, :2] = 0  # right half blue
    picture = picture.repeat(32, axis=0).repeat(32, axis=1)
    sheet = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float)
    surface = make_surface(
        sheet,
        np.array([[0, 1, 2], [0, 2, 3]]),
        uv=(sheet[:, :2] + 1) / 2,
        color=(1, 1, 1, 1),
        texture=picture,
    )
    views = render_views(surface, views=4, resolution=64, lighting=FLAT)
    pixel, _ = views.project(np.array([[-0.5, 0, 0], [0.5, 0, 0]]))
    column, row = np.floor(pixel).astype(int).transpose(2, 0, 1)
    index = np.arange(4)
    np.testing.assert_array_equal(views.color[index, row[:, 0], column[:, 0]], np.tile([255, 0, 0], (4, 1)))
    np.testing.assert_array_equal(views.color[index, row[:, 1], column[:, 1]], np.tile([0, 0, 255], (4, 1)))


def test_degenerate_triangles_do_not_matter() -> None:
    whole = cube()
    broken = make_surface(
        np.concatenate([CORNERS, [[50.0, 50, 50]]]),
        np.concatenate([SIDES, [[8, 8, 8]]]),
        color=np.concatenate([whole.corner_color, whole.corner_color[:1]]),
    )
    np.testing.assert_array_equal(render_views(whole, 2, 16).color, render_views(broken, 2, 16).color)


def test_bad_input_is_said_in_one_line() -> None:
    with pytest.raises(AlignPartsError, match="at least 1 view"):
        render_views(cube(), views=0)
    with pytest.raises(AlignPartsError, match="area"):
        render_views(make_surface(np.zeros((3, 3)), np.array([[0, 1, 2]])))
