"""The page of a named mesh: all in one file, nothing from anywhere else, and what a user does with it."""

import html
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh
from named_result import MARKUP, PARTS, write_result
from PIL import Image
from playwright.sync_api import Page, expect
from screenshot import browser_page, find_chromium

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import split_container
from alignparts.view import page as view_page
from alignparts.view.page import write_page
from alignparts.view.result import read_results

expect.set_options(timeout=60_000)  # it draws in software, beside other tests
in_a_browser = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium on the path (apt-get install chromium)"
)
LEG_1, LEG_2, EVIL, SEAT, REST = range(1, 6)
"""Rows of the list that have a mesh."""
PLACE = """(row) => {
  const pane = document.querySelector(".pane[data-show=parts]").getBoundingClientRect();
  const box = new THREE.Box3().setFromObject(stage.leaves.get(row).twin);
  const at = box.getCenter(new THREE.Vector3()).project(stage.camera);
  return [pane.left + ((at.x + 1) / 2) * pane.width, pane.top + ((1 - at.y) / 2) * pane.height];
}"""


TAP = """([x, y]) => {
  const about = {pointerType: "touch", pointerId: 1, isPrimary: true, clientX: x, clientY: y, bubbles: true};
  for (const kind of ["pointerdown", "pointerup", "pointerleave"])
    document.elementFromPoint(x, y).dispatchEvent(new PointerEvent(kind, about));
}"""
"""The events of a tap; those that a browser makes of touches depend on how busy it is."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_result(tmp_path / "named")


@pytest.fixture
def file(folder: Path) -> Path:
    write_page(folder / "page.html", read_results(folder))
    return folder / "page.html"


@pytest.fixture
def page(file: Path) -> Iterator[Page]:
    with browser_page() as page:
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: problems.extend(elsewhere(request.url)))
        page.goto(file.as_uri())
        expect(page.locator("body[data-shown='0']")).to_be_attached()
        yield page
        assert problems == []


def elsewhere(url: str) -> list[str]:
    """The address, unless it is that of the page or of something in it."""
    return [] if url.startswith(("file:", "blob:")) else [url]


def place(page: Page, row: int) -> tuple[float, float]:
    """Where the middle of a part is drawn, in pixels of the window."""
    x, y = page.evaluate(PLACE, row)
    return x, y


def color(page: Page, at: tuple[float, float]) -> np.ndarray:
    """Color of the window at a place, when what was asked for is drawn."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    x, y = at
    shot = page.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), np.int64)[0, 0]


def export(page: Page, *rows: int) -> bytes:
    for row in rows:
        page.locator("#list input").nth(row).check()
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == "chair.selection.glb"
    return Path(download.value.path()).read_bytes()


def test_page_holds_all_parts_and_little_else(file, folder):
    text = file.read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
    assert [row["name"] for row in data[0]["rows"]] == ["leg", "leg_1", "leg_2", MARKUP, "seat", "unlabeled"]
    assert len(text) < (folder / "chair.parts.glb").stat().st_size + 2**20
    head, *scripts = text.split("<script")
    assert not re.search(r"<link|@import|url\(|src=|href=", head)
    assert not any(" src=" in script.partition(">")[0] for script in scripts)
    assert "<img" not in text
    assert "default-src 'none'" in html.unescape(head) and "unsafe" not in head
    assert text.count("http://") + text.count("https://") == 1, (
        "XHTML's name in three.js, which is no address"
    )


def test_too_much_for_a_page_is_an_error(folder, monkeypatch):
    monkeypatch.setattr(view_page, "MOST", 10)
    with pytest.raises(AlignPartsError, match="page.html: .* a page holds"):
        write_page(folder / "page.html", read_results(folder))


def test_page_that_cannot_be_written_is_an_error(folder):
    with pytest.raises(AlignPartsError, match=r"labels.json/page.html: cannot be written: .*--out"):
        write_page(folder / "labels.json" / "page.html", read_results(folder))


@in_a_browser
def test_list_shows_names_as_text_with_confidence_area_and_review(page):
    rows = page.locator("#list li")
    assert page.locator("#list strong").all_text_contents() == [
        "leg",
        "leg_1",
        "leg_2",
        MARKUP,
        "seat",
        "unlabeled",
    ]
    expect(rows.nth(0)).to_contain_text("0.90")
    expect(rows.nth(0)).to_contain_text("40%")
    expect(rows.nth(SEAT)).to_contain_text("needs review")
    assert page.locator(".review").count() == 1
    assert page.locator("img").count() == 0
    assert page.evaluate("window.hacked") is None


@in_a_browser
def test_hover_joins_the_3d_view_and_the_list(page):
    page.mouse.move(*place(page, EVIL))
    expect(page.locator("#tip")).to_have_text(f"{MARKUP} · 0.70")
    expect(page.locator("#list li.lit strong")).to_have_text(MARKUP)
    at = place(page, LEG_2)
    page.mouse.move(*at)
    expect(page.locator("#tip")).to_have_text(re.compile(r"leg_2 \((left|right)\) · 0\.90"))
    page.mouse.move(5, 5)
    expect(page.locator("#tip")).to_be_hidden()
    expect(page.locator("#list li.lit")).to_have_count(0)
    plain = color(page, at)
    page.locator("#list li").nth(SEAT).hover()
    faded = color(page, at)
    page.locator("#list li").nth(0).hover()  # both legs
    assert np.ptp(faded) < np.ptp(plain) / 2
    assert np.abs(color(page, at) - plain).max() <= 2
    # The input is whole and can be pointed at as well.
    x, y = place(page, SEAT)
    page.mouse.move(x - page.locator(".pane").first.bounding_box()["width"], y)
    expect(page.locator("#tip")).to_have_text("seat · 0.30 · needs review")


@in_a_browser
def test_click_isolates_and_escape_shows_all(page):
    places = {row: place(page, row) for row in (EVIL, SEAT)}
    empty = color(page, (place(page, REST)[0], page.locator("#stage").bounding_box()["y"] + 5))
    page.mouse.click(*places[SEAT])
    page.mouse.move(5, 5)
    expect(page.locator("#list li.alone strong")).to_have_text("seat")
    assert np.array_equal(color(page, places[EVIL]), empty)
    assert not np.array_equal(color(page, places[SEAT]), empty)
    page.keyboard.press("Escape")
    expect(page.locator("#list li.alone")).to_have_count(0)
    assert not np.array_equal(color(page, places[EVIL]), empty)
    page.locator("#list button").nth(0).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#list li.alone strong")).to_have_text("leg")
    assert page.evaluate("[...stage.leaves].filter(([, leaf]) => leaf.twin.visible).map(([row]) => row)") == [
        LEG_1,
        LEG_2,
    ]


@in_a_browser
def test_tap_names_and_isolates(page):
    x, y = place(page, SEAT)
    page.evaluate(TAP, [x, y])
    expect(page.locator("#list li.alone strong")).to_have_text("seat")
    expect(page.locator("#tip")).to_have_text("seat · 0.30 · needs review")
    page.click("#all")
    expect(page.locator("#tip")).to_be_hidden()
    expect(page.locator("#list li.alone")).to_have_count(0)


@in_a_browser
def test_explode_moves_every_part_away_from_the_center(page):
    def centers() -> np.ndarray:
        middle = (
            "(leaf) => new THREE.Box3().setFromObject(leaf.twin).getCenter(new THREE.Vector3()).toArray()"
        )
        return np.array(page.evaluate(f"[...stage.leaves.values()].map({middle})"))

    before = centers()
    page.locator("#explode").focus()
    page.keyboard.press("End")
    assert np.allclose(centers(), 2 * before, atol=1e-5)
    page.keyboard.press("Home")
    assert np.allclose(centers(), before, atol=1e-5)


@in_a_browser
def test_keyboard_turns_and_zooms_the_view(page):
    def eye() -> np.ndarray:
        return np.array(page.evaluate("stage.camera.position.toArray()"))

    start = eye()
    page.locator("#stage").focus()
    page.keyboard.press("ArrowLeft")
    turned = eye()
    assert np.linalg.norm(turned) == pytest.approx(np.linalg.norm(start)) and turned[1] == pytest.approx(
        start[1]
    )
    assert np.linalg.norm(turned - start) > 0.1
    page.keyboard.press("+")
    assert np.linalg.norm(eye()) < np.linalg.norm(start)
    page.keyboard.press("0")
    assert np.allclose(eye(), start)


@in_a_browser
def test_export_has_exactly_the_selected_nodes_as_they_were(page, folder):
    expect(page.locator("#export")).to_be_disabled()
    given, blob = split_container((folder / "chair.parts.glb").read_bytes(), "given")
    data = export(page, LEG_2, EVIL)
    header, binary = split_container(data, "export")
    assert [node["name"] for node in header["nodes"]] == ["leg", "leg_2", MARKUP]
    original = {node["name"]: node for node in given["nodes"]}
    assert all(node["extras"] == original[node["name"]]["extras"] for node in header["nodes"])

    def image(tree: dict, chunk: bytes) -> bytes:
        view = tree["bufferViews"][tree["images"][0]["bufferView"]]
        return chunk[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]

    assert image(header, binary) == image(given, blob)
    whole = trimesh.load_scene(folder / "chair.parts.glb", process=False)
    scene = trimesh.load_scene(io.BytesIO(data), file_type="glb", process=False)
    assert sorted(scene.graph.nodes_geometry) == sorted(["leg_2", MARKUP])
    for name in ("leg_2", MARKUP):
        one, same = scene.geometry[name], whole.geometry[name]
        assert np.array_equal(one.vertices, same.vertices) and np.array_equal(one.faces, same.faces)
        assert np.array_equal(one.visual.uv, same.visual.uv)
        assert np.array_equal(scene.graph[name][0], whole.graph[name][0])


@in_a_browser
def test_everything_selected_is_the_whole_result(page, folder):
    page.check("#every")
    header, _ = split_container(export(page), "export")
    given, _ = split_container((folder / "chair.parts.glb").read_bytes(), "given")
    for key in ("nodes", "meshes", "accessors", "materials", "images", "textures"):
        assert len(header[key]) == len(given[key])
    page.locator("#list input").nth(0).uncheck()  # both legs
    expect(page.locator("#export")).to_have_text("Export selection (3)")
    assert page.evaluate("document.getElementById('every').indeterminate")


@in_a_browser
def test_policy_stops_scripts_and_requests_that_are_not_the_pages_own(page):
    refused = page.evaluate("""async () => {
      document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.hacked=1'>");
      const script = document.createElement("script");
      script.textContent = "window.hacked = 2";
      document.body.append(script);
      await new Promise((done) => setTimeout(done, 300));
      return fetch("http://127.0.0.1:9/").then(() => false, () => true);
    }""")
    assert refused
    assert page.evaluate("window.hacked") is None


@in_a_browser
@pytest.mark.parametrize("width", [390, 1440])
def test_page_fits_its_window(file, width):
    with browser_page(width, 844) as page:
        page.goto(file.as_uri())
        expect(page.locator("body[data-shown='0']")).to_be_attached()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        expect(page.locator("#export")).to_be_in_viewport()
        assert page.locator(".pane:visible").count() == (1 if width < 760 else 2)


@in_a_browser
def test_several_results_are_chosen_from_a_list(folder, tmp_path):
    write_result(folder.parent / "stool", "stool", instances=False)
    write_page(tmp_path / "all.html", read_results(folder.parent))
    with browser_page() as page:
        page.goto((tmp_path / "all.html").as_uri())
        expect(page.locator("body[data-shown='0']")).to_be_attached()
        assert page.locator("#object option").all_text_contents() == ["named", "stool"]
        page.select_option("#object", "1")
        expect(page.locator("body[data-shown='1']")).to_be_attached()
        assert page.locator("#list strong").all_text_contents() == [*PARTS, "unlabeled"]
        page.mouse.click(*place(page, 2))
        expect(page.locator("#list li.alone strong")).to_have_text("seat")
