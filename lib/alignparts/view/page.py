"""One page with all that it needs in it: meshes, lists of parts, scripts. It may load nothing else."""

import base64
import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import jinja2
from markupsafe import Markup

from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError
from alignparts.view.result import Result

WEB = Path(__file__).resolve().parent / "web"
SCRIPTS = ("glb.js", "stage.js", "page.js")
MOST = 250 * 2**20
"""Most bytes of the meshes of one page; browsers give up on much larger files."""


def write_page(path: Path, results: Sequence[Result]) -> None:
    """Write the page of some named meshes; the first is shown, a list leads to the others.

    Its policy lets a browser run the page's own scripts, by their checksums, and nothing else: whatever a
    name or a mesh holds, nothing is loaded from or sent to anywhere.

    Raises:
        AlignPartsError: the meshes are too large for one page, or it cannot be written.
    """
    total = sum(len(result.glb) for result in results)
    if total > MOST:
        size = f"{total / 2**20:.0f} MB of meshes; a page holds {MOST / 2**20:.0f}"
        raise AlignPartsError(f"{path}: {size}; give fewer results, or simplify the mesh")
    style, library = _text("page.css"), _text("three.min.js")
    script = "".join(_text(name) for name in SCRIPTS)
    run = " ".join(_checksum(one) for one in (library, script))
    # Textures become blobs: the one thing that the page reads beside itself.
    local = "img-src blob:; connect-src blob:; base-uri 'none'; form-action 'none'"
    titles = [result.input if len(results) == 1 else result.folder.resolve().name for result in results]
    page = jinja2.Environment(autoescape=True).from_string(_text("page.html"))
    text = page.render(
        title=titles[0] if len(results) == 1 else f"{len(results)} named meshes",
        policy=f"default-src 'none'; script-src {run}; style-src {_checksum(style)}; {local}",
        style=Markup(style),
        library=Markup(library),
        script=Markup(script),
        data=[
            {
                "name": result.name,
                "title": title,
                "category": result.category,
                "rows": [asdict(row) for row in result.rows],
            }
            for title, result in zip(titles, results, strict=True)
        ],
        glbs=[base64.b64encode(gzip.compress(result.glb, 1, mtime=0)).decode() for result in results],
    )
    try:
        write_atomically(path, lambda temporary: temporary.write_bytes(text.encode()))
    except OSError as error:
        raise AlignPartsError(f"{path}: cannot be written: {error.strerror}; choose --out") from None


def _text(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def _checksum(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
