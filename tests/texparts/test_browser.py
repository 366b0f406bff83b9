"""An annotator's work in a real browser: the real server, database, mesh and 3D view.

Set ALIGNPARTS_SCREENSHOTS to a folder to keep a record: a numbered picture after every step.
"""

import io
import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from playwright.sync_api import Page, expect
from review_store import vocabulary
from screenshot import browser_page, dismiss, find_chromium, serving
from sqlalchemy import update
from typer.testing import CliRunner

from alignparts.corpus.mesh.glb import split_container
from texparts.annotation.annotation import Annotation
from texparts.annotation.objects import About, PartRecord, write_object
from texparts.cli.app import app
from texparts.review.models import QueueEntry
from texparts.review.store import ReviewStore
from texparts.review.tables import tasks

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium on the path (apt-get install chromium)"
)
MARKUP = "<img src=x onerror=window.hacked=1>"


def write_lamp(root: Path, object_id: str) -> None:
    """A foot, a pole of two pieces taken for the shade, and a shade whose name is markup."""
    foot = trimesh.creation.cylinder(radius=0.6, height=0.1, sections=48)
    pieces = [trimesh.creation.cylinder(radius=0.06, height=0.4, sections=24) for _ in range(2)]
    shade = trimesh.creation.uv_sphere(radius=0.5, count=[48, 48])
    for mesh, z in zip([foot, *pieces, shade], (0.05, 0.35, 0.8, 1.5), strict=True):
        mesh.apply_translation([0, 0, z])
    turn = trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0])
    whole = trimesh.util.concatenate([foot, *pieces, shade]).apply_transform(turn)
    labels = np.repeat([0, 1, 1, 2], [len(mesh.faces) for mesh in (foot, *pieces, shade)])
    parts = tuple(
        PartRecord(name=name, confidence=confidence, soft=confidence, mask_confidence=0.8)
        for name, confidence in (("foot", 0.9), ("lamp_cover", 0.3), (MARKUP, 0.6))
    )
    about = About(object_id=object_id, category="lamp", faces=len(labels), parts=parts)
    clusters = {4: labels, 8: labels}
    write_object(root, about, whole.export(file_type="glb"), labels, clusters, b"")


@pytest.fixture
def review(tmp_path: Path) -> Iterator[tuple[ReviewStore, str, str]]:
    """The store, the address and a token."""
    for number in range(2):
        write_lamp(tmp_path, f"lamp-{number}")
    store = ReviewStore(f"sqlite:///{tmp_path / 'review.sqlite'}", tmp_path, vocabulary=vocabulary())
    store.queue.load(
        QueueEntry(object_id=f"lamp-{number}", rank=number, category="lamp", confidence=0.5)
        for number in range(2)
    )
    token = store.tokens.add("reviewer")
    with serving(store) as url:
        yield store, url, token
    store.close()


@pytest.fixture
def page() -> Iterator[Page]:
    with browser_page() as page:
        yield page


def picture(page: Page, name: str) -> None:
    folder = os.environ.get("ALIGNPARTS_SCREENSHOTS")
    if folder:
        page.wait_for_timeout(1500)  # drawn in software
        number = len(list(Path(folder).glob("*.png"))) + 1
        page.screenshot(path=Path(folder) / f"{number:02d}_{name}.png")


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait; a browser that draws without a graphics card takes its time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def drawn(page: Page) -> bool:
    """Whether the 3D view shows something colored in its middle."""
    image = np.asarray(Image.open(io.BytesIO(page.locator("#view").screenshot())).convert("RGB")).astype(int)
    height, width = image.shape[0] // 4, image.shape[1] // 3
    return bool((np.ptp(image[height:-height, width:-width], axis=2) > 25).mean() > 0.01)


def stored(store: ReviewStore, token: str) -> Annotation:
    """What the database has of the object that the annotator has open."""
    annotator = store.tokens.annotator_of(token)
    assert annotator is not None
    task = store.leases.take_next(annotator)
    assert task is not None
    return store.events.state(annotator, task.id).annotation


def faces_of(annotation: Annotation, name: str) -> np.ndarray:
    """Faces of the parts of this name."""
    ids = [part.id for part in annotation.parts if part.name == name]
    return np.flatnonzero(np.isin(annotation.face_part, ids))


def names(page: Page) -> list[str]:
    return page.locator("#parts .name").all_text_contents()


def press(page: Page, key: str) -> None:
    """A key that makes an edit, and the server's answer to it."""
    with page.expect_response(
        lambda answer: answer.request.method == "POST" and "/tasks/" in answer.url
    ) as answer:
        page.keyboard.press(key)
    assert answer.value.ok, answer.value.text()
    expect(page.locator("#saved")).to_have_text("saved")


def select(page: Page, name: str, modifier: str | None = None) -> None:
    row = page.locator("#parts li", has=page.locator(f".name:text-is('{name}')")).first
    row.click(modifiers=[modifier] if modifier else None)  # type: ignore[list-item]


def test_an_object_from_log_in_to_export(
    review: tuple[ReviewStore, str, str], page: Page, tmp_path: Path
) -> None:
    store, url, token = review
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    assert page.url.endswith("/login")
    picture(page, "login")
    page.fill("#token", "wrong")
    page.click("button")
    assert "not known" in (page.text_content(".error") or "")
    page.fill("#token", token)
    page.click("button")
    page.wait_for_selector("#parts li")
    assert names(page) == ["lamp_cover", MARKUP, "foot"]  # low confidence first; markup is text
    canvas = page.frame_locator("#view").locator("canvas").first
    canvas.wait_for()
    until(lambda: drawn(page))
    dismiss(page)
    picture(page, "check")

    select(page, "lamp_cover")
    press(page, "s")
    assert names(page).count("lamp_cover") == 2
    picture(page, "split")
    select(page, MARKUP)
    page.keyboard.press("r")
    page.wait_for_selector("dialog li")
    page.keyboard.type("shade")
    page.wait_for_selector("dialog li:has-text('(shade)')")
    picture(page, "rename")
    press(page, "Enter")
    assert names(page).count("lamp_cover") == 3 and MARKUP not in names(page)

    press(page, "Shift+A")
    covers = page.locator("#parts li", has=page.locator(".name:text-is('lamp_cover')"))
    small = [
        row for row in covers.all() if float((row.locator(".area").text_content() or "0").split()[0]) < 20
    ]
    small[0].click()
    small[1].click(modifiers=["Control"])
    press(page, "m")
    assert names(page).count("lamp_cover") == 2
    page.keyboard.press("r")
    page.wait_for_selector("dialog li")
    page.fill("dialog input", "pole")
    page.locator("dialog button", has_text="Add").click()
    page.fill("dialog textarea", "carries the shade")
    with page.expect_response("**/events"):
        page.locator("dialog button.primary").click()
    page.wait_for_selector("#parts .name:text-is('pole')")
    picture(page, "merged")

    select(page, "foot")
    with page.expect_response("**/api/view/tool"):
        page.keyboard.press("b")
    page.wait_for_timeout(500)
    assert store.submissions.progress().open == 1
    box = page.locator("#view").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.36
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(8):
        page.mouse.move(x + 5 * step, y + 3 * step)
        page.wait_for_timeout(60)
    picture(page, "stroke")
    page.mouse.up()
    predicted = store.shapes.folder("lamp-0").prediction()
    before = len(faces_of(predicted, "foot"))
    until(lambda: len(faces_of(stored(store, token), "foot")) > before)
    picture(page, "painted")
    painted = stored(store, token)
    brushed = np.setdiff1d(faces_of(painted, "foot"), faces_of(predicted, "foot"))
    assert 0 < len(brushed) < 1500 and np.isin(brushed, faces_of(predicted, MARKUP)).all()
    page.keyboard.press("o")

    page.keyboard.press("x")
    expect(page.locator("#parts .name:text-is('foot')")).to_have_count(0)
    press(page, "Control+z")
    assert "foot" in names(page)
    picture(page, "undone")
    page.keyboard.press("?")
    page.wait_for_selector("dialog kbd")
    picture(page, "keys")
    page.keyboard.press("Escape")
    page.keyboard.press("h")
    page.wait_for_selector("dialog table")
    assert "rename lamp_cover to pole" in (page.text_content("dialog table") or "")
    picture(page, "history")
    page.keyboard.press("Escape")

    with page.expect_response("**/submit"):
        page.keyboard.press("Control+Enter")
    expect(page.locator("#object")).to_have_text("lamp-1")
    handed = next(iter(store.submissions.submitted()))
    final = handed.annotation
    assert handed.object_id == "lamp-0" and handed.seconds > 0
    assert sorted(part.name for part in final.parts) == ["foot", "lamp_cover", "pole"]
    assert final.face_part.tolist() == painted.face_part.tolist()
    assert all(part.accepted for part in final.parts)
    assert page.evaluate("window.hacked") is None
    assert not errors

    page.keyboard.press("g")
    select(page, "foot")
    page.wait_for_timeout(500)
    page.mouse.click(box["x"] + box["width"] / 2, y)  # the shade's cluster
    until(lambda: not len(faces_of(stored(store, token), MARKUP)))
    picture(page, "cluster")
    page.keyboard.press("h")
    page.locator("dialog tr", has_text="as the model predicted it").locator("button").click()
    until(lambda: len(faces_of(stored(store, token), MARKUP)) > 0)
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator("#saved")).to_have_text("saved")
    page.keyboard.press("j")
    page.fill("dialog textarea", MARKUP)
    picture(page, "reject")
    with page.expect_response("**/submit"):
        page.locator("dialog button.primary").click()
    page.wait_for_selector("#empty:not([hidden])", timeout=30_000)
    page.keyboard.press("w")
    page.wait_for_selector("dialog table")
    picture(page, "finished")
    assert "1 done, 1 rejected" in (page.text_content("dialog p") or "")
    assert page.evaluate("window.hacked") is None and not errors

    command = ["export", str(tmp_path), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*command, "--database", store.database.shown])
    assert result.exit_code == 0, result.output
    glb = tmp_path / "out" / "objects" / "lamp-0" / "lamp-0.parts.glb"
    header, _ = split_container(glb.read_bytes(), "lamp-0")
    extras = {node["name"]: node["extras"] for node in header["nodes"] if "mesh" in node}
    assert set(extras) == {"foot", "lamp_cover", "pole"}
    assert extras["pole"]["description"] == "carries the shade"
    scene = trimesh.load_scene(glb, process=False)
    surface = store.shapes.folder("lamp-0").mesh().surface
    centers = surface.vertices[surface.faces].mean(axis=1).round(4)
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        here = trimesh.transform_points(scene.geometry[name].triangles_center, transform).round(4)
        assert sorted(map(tuple, here)) == sorted(map(tuple, centers[faces_of(final, node)]))
    assert json.loads((glb.parent / "labels.json").read_text())["review"]["edits"] > 5


def test_edits_made_while_the_server_is_away_are_sent_once(
    review: tuple[ReviewStore, str, str], page: Page
) -> None:
    store, url, token = review
    page.goto(url)
    page.fill("#token", token)
    page.click("button")
    page.wait_for_selector("#parts li")
    expect(page.locator("#saved")).to_have_text("saved")
    page.route("**/api/tasks/*/events", lambda route: route.abort())
    select(page, "foot")
    page.keyboard.press("x")
    page.wait_for_selector("#saved.off")
    assert "1 edit kept" in (page.text_content("#saved") or "")
    page.reload()  # even a new page still has it
    page.wait_for_selector("#saved.off")
    picture(page, "offline")
    page.unroute("**/api/tasks/*/events")
    expect(page.locator("#saved")).to_have_text("saved", timeout=30_000)  # it tries every 8 s
    annotator = store.tokens.annotator_of(token)
    assert annotator is not None
    task = store.leases.take_next(annotator)
    assert task is not None and task.seq == 1
    assert [one.edit.kind for one in store.events.history("lamp-0")] == ["delete"]

    with store.database.write() as connection:  # the lease runs out, and somebody else comes
        connection.execute(update(tasks).values(lease_until=datetime(2020, 1, 1, tzinfo=UTC)))
    other = store.tokens.annotator_of(store.tokens.add("other"))
    assert other is not None and store.leases.take(other, "lamp-0").seq == 0
    page.wait_for_selector("dialog h2:text-is('Somebody else has this object now')")
    picture(page, "lease_lost")
    page.locator("dialog button.primary").click()
    expect(page.locator("#object")).to_have_text("lamp-1")
    (handed,) = store.submissions.submitted()
    assert handed.opinions[0].second_opinion and handed.opinions[0].edits == 1
