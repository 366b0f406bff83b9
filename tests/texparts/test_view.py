"""The 3D view: chunks, picking, strokes; a browser sees it in test_texparts_browser."""

import asyncio
import os
from pathlib import Path

import msgspec.msgpack
import numpy as np
import pytest
import trimesh
import viser._viser
from doors import listening
from hypothesis import given
from hypothesis import strategies as st
from viser import _messages as messages
from websockets.asyncio.client import unix_connect

from texparts.annotation.annotation import apply
from texparts.annotation.chunks import Chunks, chunks_of
from texparts.annotation.edits import Paint, runs_of
from texparts.annotation.geometry import Shape, Shapes
from texparts.annotation.objects import About, ObjectFolder, PartRecord, write_object
from texparts.annotation.picking import Picker
from texparts.app.upstream import passes
from texparts.app.view import ObjectView, Tool


def two_balls(root: Path) -> ObjectFolder:
    """Two spheres that do not touch, left and right of the middle, as two parts."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
    left, right = (ball.copy().apply_translation([x, 0, 0]) for x in (-1.0, 1.0))
    mesh = trimesh.util.concatenate([left, right])
    labels = np.repeat([0, 1], len(ball.faces))
    parts = tuple(
        PartRecord(name=name, confidence=0.5, soft=0.5, mask_confidence=0.5) for name in ("left", "right")
    )
    about = About(object_id="balls", faces=len(labels), parts=parts)
    height = (mesh.triangles_center[:, 1] > 0).astype(int)
    return write_object(root, about, mesh.export(file_type="glb"), labels, {2: height}, b"")


@pytest.fixture
def shape(tmp_path: Path) -> Shape:
    two_balls(tmp_path)
    return Shapes(tmp_path).shape("balls")


@given(st.integers(1, 300), st.integers(1, 40))
def test_chunks_hold_every_face_once_and_no_more_than_asked(faces: int, most: int) -> None:
    centers = np.random.default_rng(faces).normal(size=(faces, 3))
    chunks = chunks_of(centers, most)
    assert sorted(np.concatenate(chunks).tolist()) == list(range(faces))
    assert max(map(len, chunks)) <= most


def test_patches_make_up_the_mesh_and_only_touched_chunks_are_named(shape: Shape) -> None:
    chunks = Chunks(shape.vertices, shape.faces, most=100)
    before = np.repeat([0, 1], len(shape.faces) // 2).astype(np.int32)
    patches = dict(chunks.patches(before))
    assert sum(len(mesh.faces) for mesh in patches.values()) == len(shape.faces)
    area = sum(trimesh.Trimesh(mesh.vertices, mesh.faces).area for mesh in patches.values())
    assert area == pytest.approx(float(shape.areas.sum()), rel=1e-4)
    after = before.copy()
    after[[3, 4]] = -1
    touched = chunks.touched(before, after)
    assert {
        number for number in range(len(chunks.chunks)) if np.isin([3, 4], chunks.chunks[number]).any()
    } == set(touched.tolist())
    assert len(chunks.touched(before, before)) == 0


def test_a_ray_meets_what_a_naive_loop_finds(shape: Shape) -> None:
    picker = Picker(shape, shape.vertices.astype(np.float64))
    origin, direction = np.array([-1.0, 0.1, 3.0]), np.array([0.01, -0.02, -1.0])
    triangles = shape.vertices[shape.faces].astype(np.float64)
    a, e1, e2 = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    p = np.cross(direction, e2)
    det = np.einsum("fd,fd->f", e1, p)
    u = np.einsum("fd,fd->f", origin - a, p) / det
    q = np.cross(origin - a, e1)
    v, t = q @ direction / det, np.einsum("fd,fd->f", e2, q) / det
    inside = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
    nearest = int(np.flatnonzero(inside)[t[inside].argmin()])
    assert picker.hits(origin, direction[None])[0].tolist() == [nearest]
    assert not len(picker.hits(np.array([0.0, 3.0, 0.0]), np.array([[0.0, 0.0, 1.0]]))[0])


def test_a_brush_stays_on_its_side_and_on_its_piece(shape: Shape) -> None:
    picker = Picker(shape, shape.vertices.astype(np.float64))
    half = len(shape.faces) // 2
    centers = shape.vertices[shape.faces].mean(axis=1)
    front = int(np.argmax(centers[:half, 2]))
    small, large = (picker.disc(front, centers[front], radius) for radius in (0.2, 5.0))
    assert front in small and set(small.tolist()) < set(large.tolist())
    assert np.linalg.norm(centers[small] - centers[front], axis=1).max() <= 0.2
    assert large.max() < half  # the other ball is within the radius, but not connected
    assert centers[large][:, 2].min() > -0.2  # nor does a brush reach around to the back


def test_pieces_and_clusters(shape: Shape) -> None:
    picker = Picker(shape, shape.vertices.astype(np.float64))
    half = len(shape.faces) // 2
    assert picker.component(3).tolist() == list(range(half))
    assert picker.component(half + 3).tolist() == list(range(half, 2 * half))
    upper = picker.cluster(int(shape.clusters[2].argmax()), 2)
    assert upper.tolist() == np.flatnonzero(shape.clusters[2] == 1).tolist()
    assert not len(picker.cluster(0, 99))


def test_a_stroke_covers_the_way_between_two_points(shape: Shape) -> None:
    picker = Picker(shape, shape.vertices.astype(np.float64))
    eye = np.array([-1.0, 0.0, 4.0])
    faces = picker.stroke(eye, np.array([-1.3, 0.0, 0.5]), np.array([-0.7, 0.0, 0.5]), 0.08)
    centers = shape.vertices[shape.faces[faces]].mean(axis=1)
    assert centers[:, 0].min() < -1.2 and centers[:, 0].max() > -0.8
    assert np.abs(centers[:, 1]).max() < 0.2 and (centers[:, 2] > 0).all()


def test_strokes_and_clicks_reach_the_review(shape: Shape, tmp_path: Path) -> None:
    strokes: list[tuple[np.ndarray, int]] = []
    picked: list[int] = []
    view = ObjectView(lambda faces, part: strokes.append((faces, part)), picked.append)
    try:
        annotation = ObjectFolder(tmp_path / "objects" / "balls").prediction()
        view.show(shape, annotation)
        toward = np.array([0.0, 0.0, -1.0])
        # The scene is 3 long and is drawn 2 long.
        view.click(np.array([2 / 3, 0.0, 3.0]), toward)
        view.click(np.array([0.0, 0.0, 3.0]), toward)
        assert picked == [1] and not strokes
        view.tool(Tool("component", part=0))
        view.click(np.array([2 / 3, 0.0, 3.0]), toward)
        assert strokes[0][1] == 0 and len(strokes[0][0]) == len(shape.faces) // 2
        view.tool(Tool("brush", part=1, radius=0.05))
        eye = np.array([-2 / 3, 0.0, 3.0])
        for phase, x in (("start", -0.7), ("update", -0.65), ("end", -0.6)):
            view.drag(phase, eye, np.array([x, 0.0, 0.0]))  # type: ignore[arg-type]
        faces, part = strokes[1]
        assert part == 1 and 0 < len(faces) < len(shape.faces) // 4
        later = apply(annotation, Paint(part=1, faces=runs_of(faces)))
        assert view.update(later) == 1
        assert view.update(later) == 0
        view.select([1])
        view.isolate(1)
        view.mode("texture")
    finally:
        view.close()


PLACE = (0.0, 0.0, 1.0)
CAMERA = messages.ViewerCameraMessage((1.0, 0.0, 0.0, 0.0), PLACE, 0.7, 0.1, 9.0, 480, 640, PLACE, PLACE)


def sent(message: messages.Message) -> bytes:
    return msgspec.msgpack.encode(message.as_serializable_dict([]))


def test_a_view_opens_no_port_and_no_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    tunnels: list[object] = []
    monkeypatch.setattr(viser._viser, "ViserTunnel", lambda *where: tunnels.append(where))
    before = listening(os.getpid())
    view = ObjectView(lambda faces, part: None, lambda part: None)
    folder = Path(view.socket).parent

    async def ask() -> None:
        protocol = f"viser-v{viser.__version__}"
        async with unix_connect(view.socket, subprotocols=[protocol], max_size=None) as socket:
            for message in (messages.ShareUrlRequest(), messages.ShareUrlDisconnect(), CAMERA):
                await socket.send(sent(message))
            while not view._server.get_clients():  # since the camera is known
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)

    try:
        assert listening(os.getpid()) == before
        assert folder.stat().st_mode & 0o777 == 0o700 and os.listdir(folder) == ["view"]
        asyncio.run(asyncio.wait_for(ask(), 30))
        assert not tunnels
    finally:
        view.close()
    assert not folder.exists()


def test_only_what_the_view_reacts_to_passes_the_proxy() -> None:
    passed = [
        messages.ScenePointerMessage("click", PLACE, PLACE, ((0.5, 0.5),), None),
        CAMERA,
        messages.SceneNodeDragMessage(
            "start", "/object", None, PLACE, (0.5, 0.5), PLACE, (0.5, 0.5), "left", None
        ),
    ]
    refused = [
        messages.ShareUrlRequest(), messages.ShareUrlDisconnect(),
        messages.FileTransferStartUpload("a", "b", "c", "text/plain", 1, 1 << 40),
        messages.GuiUpdateMessage("a", {"value": 1}), messages.LocalStorageClearMessage(),
    ]  # fmt: skip
    assert all(passes(sent(message)) for message in passed)
    assert not any(passes(sent(message)) for message in refused)
    strange = msgspec.msgpack.encode({"type": "Nothing"})
    assert not any(
        passes(noise) for noise in (b"", b"\xc1", b"\x80", sent(passed[0])[:-9], strange, "text", None)
    )
