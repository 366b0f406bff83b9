"""The demo as a user meets it: the real gradio behind the guard, in a browser."""

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trimesh
import uvicorn
from named_parts import pipeline
from screenshot import browser_page, find_chromium

from alignparts.core.http import listening

pytest.importorskip("gradio", reason="needs the extra demo")
app = pytest.importorskip("alignparts.demo.app")
in_a_browser = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium on the path (apt-get install chromium)"
)
TOKEN = "the-token"


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")  # put back afterwards
    (tmp_path / "served").mkdir()
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        where = {"host": "127.0.0.1", "port": port, "max_upload": 1 << 20}
        served = app.create_app(pipeline(), TOKEN, tmp_path / "served", **where)
        server = uvicorn.Server(uvicorn.Config(served, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/?token={TOKEN}"
        server.should_exit = True
        thread.join()


@in_a_browser
@pytest.mark.parametrize("width", [390, 1440])
def test_mesh_goes_in_and_named_parts_come_out(address, tmp_path, width):
    from playwright.sync_api import expect

    trimesh.creation.icosphere(2).export(tmp_path / "ball.glb")
    (tmp_path / "broken.glb").write_bytes(b"glTF and no more")
    with browser_page(width, 1200) as page:
        others: list[str] = []
        own = re.compile(r"(http://127\.0\.0\.1:\d+/|data:|blob:)")
        page.on("request", lambda request: None if own.match(request.url) else others.append(request.url))
        page.goto(address)
        assert TOKEN not in page.url
        page.set_input_files("input[type=file]", tmp_path / "ball.glb")
        expect(page.get_by_text("ball.glb")).to_be_visible()
        page.get_by_role("button", name="Name the parts").click()
        frame = page.frame_locator("iframe")
        expect(frame.locator("body[data-shown='0']")).to_be_attached(timeout=60_000)
        assert frame.locator("#list strong").all_text_contents() == ["top", "bottom"]
        assert page.locator("iframe").get_attribute("sandbox") == "allow-scripts allow-downloads"
        assert page.evaluate("document.documentElement.scrollWidth") == width
        save = page.locator("button", has_text="Download")
        save.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        with page.expect_download() as download:
            save.click()
        assert download.value.suggested_filename == "ball.parts.zip"
        assert list((tmp_path / "served" / "jobs").iterdir()) == []
        page.get_by_label("Only one part").fill("handle")
        page.get_by_label("Names to look for").fill("top")
        page.get_by_role("button", name="Name the parts").click()
        expect(page.get_by_text("exclude each other")).to_be_visible(timeout=60_000)
        assert others == []
