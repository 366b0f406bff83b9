"""First hits of rays, with embree and without it."""

import numpy as np
import pytest
import trimesh
from trimesh.ray import ray_triangle

from alignparts.corpus.mesh import rays
from alignparts.corpus.mesh.rays import Rays
from alignparts.corpus.mesh.render import render_views
from alignparts.corpus.mesh.surface import make_surface
from texparts.annotation.geometry import Shape
from texparts.annotation.objects import ObjectFolder
from texparts.annotation.picking import Picker

BALL = trimesh.creation.icosphere(2, radius=2.0)


@pytest.fixture(params=["embree", "hidden"])
def engine(request, monkeypatch):
    if request.param == "hidden":
        monkeypatch.setattr(rays, "rtcore_scene", None)
        monkeypatch.setattr(trimesh.ray, "has_embree", False)
    return request.param


def test_rays_meet_the_near_side_of_a_ball_or_nothing(engine):
    direction = np.random.default_rng(0).normal(size=(200, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    start = -5 * direction
    start[::4] += 100  # these miss
    hits = Rays(BALL.vertices, BALL.faces).first(start.astype(np.float32), direction.astype(np.float32))
    met = np.arange(200) % 4 > 0
    np.testing.assert_array_equal(hits.face >= 0, met)
    face, u, v, distance = (values[met] for values in hits)
    corners = BALL.triangles[face]
    weights = np.stack([1 - u - v, u, v], axis=1)
    at = start[met] + distance[:, None] * direction[met]
    np.testing.assert_allclose(np.einsum("nk,nkd->nd", weights, corners), at, atol=1e-4)
    assert (weights > -1e-4).all()
    assert (np.abs(distance - 3) < 0.1).all()  # the far side is at 7
    assert not (
        Rays(BALL.vertices, BALL.faces).first(*(np.ones((2, 3), np.float32) * 9,) * 2).face >= 0
    ).any()


def test_pictures_do_not_depend_on_the_engine(monkeypatch):
    color = np.random.default_rng(1).uniform(0.2, 1, (len(BALL.faces), 4)).astype(np.float32)
    color[:, 3] = np.where(color[:, 3] < 0.4, 0.05, 1)  # some faces are looked through
    surface = make_surface(BALL.vertices, BALL.faces, color=color)
    fast = render_views(surface, views=2, resolution=24)
    monkeypatch.setattr(rays, "rtcore_scene", None)
    slow = render_views(surface, views=2, resolution=24)
    same = fast.face == slow.face
    assert same.mean() > 0.99  # an edge may go either way
    np.testing.assert_allclose(fast.depth[same], slow.depth[same], atol=1e-4)
    assert (np.abs(fast.color[same].astype(int) - slow.color[same]).max(axis=1) <= 1).mean() > 0.99


def test_a_pointer_finds_the_face_below_it(engine, tmp_path):
    picker = Picker(
        Shape(ObjectFolder(tmp_path), BALL.vertices.astype(np.float32), BALL.faces.astype(np.int32)),
        BALL.vertices,
    )
    faces, points = picker.hits(np.array([0.0, 0, 9]), np.array([[0.01, 0.02, -1.0], [0, 0, 1.0]]))
    assert len(faces) == 1 and points[0, 2] > 1.8
    np.testing.assert_allclose(BALL.triangles_center[faces[0]], points[0], atol=0.5)
    assert isinstance(picker._rays, ray_triangle.RayMeshIntersector) is (engine == "hidden")
