"""Check a built site: ``python tests/load/check_site.py build/site``; exits with 1 where anything is wrong.

Links, pictures and their texts, sizes, nothing from elsewhere, and every page in a headless Chromium as wide
as a phone and as a desk.
"""

from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from screenshot import browser_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIZES = ((390, 844), (1280, 800))
"""Windows in CSS pixels: a phone and a desk."""
MOST, MOST_PICTURE = 2_000_000, 1_000_000
"""Bytes of a page with its styles and scripts, and of a picture."""
ALIVE = """async () => {
  const broken = [];
  for (const image of document.images) {
    image.loading = "eager";
    await image.decode().catch(() => broken.push(image.getAttribute("src")));
  }
  return broken;
}"""
"""Names pictures that are not drawn."""
DRAWN = """[...document.querySelectorAll("canvas")].every((canvas) =>
  canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value))"""


class Links(HTMLParser):
    """Links of a page by tag, ids, and the pictures without a text in their place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.ids: Counter[str] = Counter()
        self.mute: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links += [(tag, found[key] or "") for key in ("href", "src") if key in found]
        self.ids.update(found["id"] or "" for key in found if key == "id")
        if tag == "img" and not found.get("alt"):
            self.mute.append(found.get("src") or "")


def on_disk(site: Path) -> list[str]:
    """Return what is wrong in the files of a site."""
    wrong, linked = [], {site / "index.html"}
    pages = {path: Links(path.read_text()) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        size = path.stat().st_size
        wrong += [f"{path.name}: picture {name} has no text" for name in page.mute]
        wrong += [f"{path.name}: id {name} twice" for name, count in page.ids.items() if count > 1]
        for tag, link in page.links:
            if link.startswith("data:") or (tag == "a" and link.startswith("https://")):
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            if not target.is_relative_to(site) or not target.is_file():
                wrong.append(f"{path.name}: {link} leads to nothing in the site")
                continue
            linked.add(target)
            size += target.stat().st_size if tag in ("link", "script") else 0
            if anchor and anchor not in pages[target].ids:
                wrong.append(f"{path.name}: {link} has no such place")
        wrong += [f"{path.name}: {size:,} bytes with its scripts"] if size > MOST else []
    files = {path for path in site.rglob("*") if path.is_file()}
    wrong += [f"{path.name}: no page links to it" for path in sorted(files - linked)]
    large = [
        path
        for path in sorted(files)
        if path.suffix in (".webp", ".png", ".svg") and path.stat().st_size > MOST_PICTURE
    ]
    return wrong + [f"{path.name}: {path.stat().st_size:,} bytes" for path in large]


def in_a_browser(site: Path) -> list[str]:
    """Return what is wrong in the pages of a site as a browser shows them."""
    wrong = []
    with browser_page() as page:
        heard: list[str] = []
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("console", lambda line: heard.extend([line.text] if line.type == "error" else []))
        page.on("request", lambda request: heard.extend(_elsewhere(request.url, site)))
        for path in sorted(site.rglob("*.html")):
            heard.clear()
            page.goto(path.as_uri())
            found = [f"picture {name} is not drawn" for name in page.evaluate(ALIVE)]
            for width, height in SIZES:
                page.set_viewport_size({"width": width, "height": height})
                found += _shown(page, width)
            wrong += [f"{path.name}: {text}" for text in [*found, *heard]]
    return wrong


def _elsewhere(url: str, site: Path) -> list[str]:
    return [] if url.startswith((f"{site.as_uri()}/", "data:", "blob:")) else [f"asks for {url}"]


def _shown(page: "Page", width: int) -> list[str]:
    wrong = []
    if page.locator("#panels").count():
        page.wait_for_selector("#panels[data-drawn]")
        wrong += [] if page.evaluate(DRAWN) else ["a view is empty"]
    wide = page.evaluate("document.documentElement.scrollWidth")
    return wrong + ([f"{wide} pixels wide in a window of {width}"] if wide > width else [])


def problems(site: Path) -> list[str]:
    """Return all that is wrong with a site, a line each."""
    return on_disk(site.resolve()) + in_a_browser(site.resolve())


def main(site: Annotated[Path, typer.Argument(help="Folder of a built site.")]) -> None:
    """Say what is wrong with a site."""
    found = problems(site)
    typer.echo("\n".join(found) or f"{site}: {len(list(site.rglob('*.html')))} pages are right")
    raise typer.Exit(bool(found))


if __name__ == "__main__":
    typer.run(main)
