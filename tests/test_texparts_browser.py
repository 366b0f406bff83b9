"""An annotator's work in a real browser: the real server, database, mesh and 3D view.

Set ALIGNPARTS_SCREENSHOTS to a folder to keep pictures.
"""

import io
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh
import uvicorn
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright
from review_store import vocabulary

from alignparts.texparts.export import export_dataset
from alignparts.texparts.gateway import mount_view
from alignparts.texparts.objects import About, PartRecord, write_object
from alignparts.texparts.records import QueueEntry
from alignparts.texparts.server import create_app
from alignparts.texparts.store import ReviewStore

CHROMIUM = next(
    (path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path (apt-get install chromium)")
WEBGL = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
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
    store.load_queue(
        QueueEntry(object_id=f"lamp-{number}", rank=number, category="lamp", confidence=0.5)
        for number in range(2)
    )
    token = store.add_annotator("reviewer")
    app = create_app(store, mount_view=mount_view)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield store, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", token
    server.should_exit = True
    thread.join()


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=WEBGL)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(30_000)
        yield page
        browser.close()


def picture(page: Page, name: str) -> None:
    folder = os.environ.get("ALIGNPARTS_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait; a browser that draws without a graphics card takes its time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def drawn(page: Page) -> bool:
    """Whether the 3D view shows something coloured in its middle."""
    image = np.asarray(Image.open(io.BytesIO(page.locator("#view").screenshot())).convert("RGB")).astype(int)
    height, width = image.shape[0] // 4, image.shape[1] // 3
    return bool((np.ptp(image[height:-height, width:-width], axis=2) > 25).mean() > 0.01)


def faces_of_part(store: ReviewStore, token: str, name: str) -> int:
    """Faces of a part of the object that the annotator has open."""
    annotator = store.annotator_of(token)
    assert annotator is not None
    task = store.take_next(annotator)
    assert task is not None
    annotation = store.state(annotator, task.id).annotation
    return sum(int((annotation.face_part == part.id).sum()) for part in annotation.parts if part.name == name)


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
    picture(page, "check")

    select(page, "lamp_cover")
    press(page, "s")
    assert names(page).count("lamp_cover") == 2
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

    select(page, "foot")
    with page.expect_response("**/api/view/tool"):
        page.keyboard.press("b")
    page.wait_for_timeout(500)
    assert store.progress().open == 1
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
    before = int((store.shapes.folder("lamp-0").prediction().face_part == 0).sum())
    until(lambda: faces_of_part(store, token, "foot") > before)
    picture(page, "painted")
    annotator = store.annotator_of(token)
    assert annotator is not None
    task = store.take_next(annotator)
    assert task is not None
    painted = store.state(annotator, task.id).annotation
    brushed = faces_of_part(store, token, "foot") - before
    assert 0 < brushed < 1500
    page.keyboard.press("o")

    page.keyboard.press("x")
    expect(page.locator("#parts .name:text-is('foot')")).to_have_count(0)
    press(page, "Control+z")
    assert "foot" in names(page)
    page.keyboard.press("?")
    page.wait_for_selector("dialog kbd")
    picture(page, "keys")
    page.keyboard.press("Escape")
    page.keyboard.press("h")
    page.wait_for_selector("dialog table")
    picture(page, "history")
    page.keyboard.press("Escape")

    with page.expect_response("**/submit"):
        page.keyboard.press("Control+Enter")
    expect(page.locator("#object")).to_have_text("lamp-1")
    handed = next(iter(store.submitted()))
    final = handed.annotation
    assert handed.object_id == "lamp-0" and handed.seconds > 0
    assert sorted(part.name for part in final.parts) == ["foot", "lamp_cover", "pole"]
    assert final.face_part.tolist() == painted.face_part.tolist()
    assert all(part.accepted for part in final.parts)
    assert page.evaluate("window.hacked") is None
    assert not errors

    done = export_dataset(store.submitted(), tmp_path, tmp_path / "out")
    scene = trimesh.load_scene(done.folder / done.index["glb"][0], process=False)
    exported = {name: len(scene.geometry[name].faces) for name in scene.geometry}
    assert set(scene.graph.nodes_geometry) == {"foot", "lamp_cover", "pole"}
    assert sorted(exported.values()) == sorted(np.unique(final.face_part, return_counts=True)[1].tolist())


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
    expect(page.locator("#saved")).to_have_text("saved")
    annotator = store.annotator_of(token)
    assert annotator is not None
    task = store.take_next(annotator)
    assert task is not None and task.seq == 1
    assert [one.edit.kind for one in store.history("lamp-0")] == ["delete"]
