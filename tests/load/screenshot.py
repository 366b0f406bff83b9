"""Draw the review app with a real object: ``python tests/load/screenshot.py ROOT OUT.png``.

The real server and page, a database of its own that is thrown away, a headless Chromium.
"""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import uvicorn

from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError
from texparts.app.opening import read_queue
from texparts.app.server import create_app
from texparts.review.store import ReviewStore

if TYPE_CHECKING:
    from playwright.sync_api import Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WEBGL = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""3D without a graphics card, also for root."""
SETTLE = 2.0
"""Seconds for a scene to arrive and be drawn in software."""


def find_chromium() -> str | None:
    """Path of an installed Chromium."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


@contextmanager
def browser_page(width: int = 1280, height: int = 800) -> "Iterator[Page]":
    """An empty page of a headless Chromium.

    Raises:
        AlignPartsError: no Chromium, or no playwright.
    """
    chromium = find_chromium()
    if chromium is None:
        raise AlignPartsError("no Chromium on the path; on Debian: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise AlignPartsError("playwright is not installed: pip install 'alignparts[dev]'") from None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(WEBGL))
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(180_000)
        yield page
        browser.close()


@contextmanager
def serving(store: ReviewStore) -> Iterator[str]:
    """The review app on a free port of the loopback address; gives its URL."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(store), port=0, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise AlignPartsError("the review server does not start")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def open_review(page: "Page", url: str, token: str) -> None:
    """Log in, and wait until the object is drawn."""
    page.goto(url)
    page.fill("#token", token)
    page.click("button")
    page.wait_for_selector("#parts li")
    page.frame_locator("#view").locator("canvas").first.wait_for()
    dismiss(page)


def dismiss(page: "Page") -> None:
    """Close viser's notice that there is no graphics card."""
    page.wait_for_timeout(1000 * SETTLE)
    notice = page.frame_locator("#view").locator(".mantine-Notification-closeButton")
    if notice.count():
        notice.first.click()
    page.wait_for_timeout(1000 * SETTLE)


def steady(page: "Page") -> None:
    """Wait until the 3D view no longer changes."""
    before = b""
    for _ in range(20):
        page.wait_for_timeout(1000 * SETTLE)
        after = page.locator("#view").screenshot()
        if after == before:
            return
        before = after


def main(
    root: Annotated[Path, typer.Argument(help="Folder of objects/ and queue.parquet.")],
    out: Annotated[Path, typer.Argument(help="PNG.")],
    object_id: Annotated[
        str | None, typer.Option("--object", help="Default: the first of the queue.")
    ] = None,
    texture: Annotated[bool, typer.Option(help="The object as it came, not its parts.")] = False,
) -> None:
    """Draw the app as an annotator sees it."""
    queue = read_queue(root)
    chosen = [one for one in queue if object_id in (None, one.object_id)]
    if not chosen:
        raise AlignPartsError(f"{root / 'queue.parquet'}: no object '{object_id}'")
    with tempfile.TemporaryDirectory() as folder:
        store = ReviewStore(f"sqlite:///{folder}/review.db", root)
        store.queue.load(queue)
        token = store.tokens.add("annotator")
        who = store.tokens.annotator_of(token)
        assert who is not None
        store.leases.take(who, chosen[0].object_id)
        with serving(store) as url, browser_page() as page:
            open_review(page, url, token)
            with page.expect_response("**/api/view/select"):
                page.keyboard.press("Escape")
            if texture:
                with page.expect_response("**/api/view/mode"):
                    page.keyboard.press("t")
            steady(page)
            write_atomically(out, lambda path: page.screenshot(path=path, type="png"))
        store.close()
    typer.echo(f"{chosen[0].object_id} -> {out}")


if __name__ == "__main__":
    typer.run(main)
