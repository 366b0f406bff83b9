"""Interactive twins of :mod:`alignparts.pictures.gallery`: pages that open from disk, without a network."""

import base64
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from jaxtyping import Int, Int16
from markupsafe import Markup

from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError
from alignparts.pictures import figures
from alignparts.pictures.gallery import Panel, Row, legend_of, looks, palette_of
from alignparts.pictures.palette import Color

LIBRARY = "plotly.min.js"
"""What plotly's script is called, beside the pages."""
MOST_FACES, MOST_POINTS = 20_000, 2048
"""A panel shows at most so many triangles (whose corners are numbered in 16 bits), or points."""
UNIT = 1000
"""Places are whole numbers of this part of the model frame's unit."""
REACH, CLOSE_REACH = 1.02, 1.6
"""Half side of what a view shows, in the model frame; that of a close-up."""
DISTANCE = 1.6
"""Of the camera, in sides of what a view shows."""


def write_scene(
    path: Path,
    title: str,
    rows: Sequence[Row],
    colors: Mapping[str, Color] | None = None,
    *,
    note: str = "",
) -> Path:
    """A page with the rows of a figure in 3D: one view a panel, all turned together, one row at a time.

    Hovering shows the part's name, a click on the legend hides the part in all views. The same rows give the
    same bytes. Plotly's script is written beside the page unless it is there already. Meshes of more than
    :data:`MOST_FACES` triangles are shown as points.

    Args:
        path: of the page, ``.html``; its folder is made.
        title: of the page.
        rows: as for :func:`alignparts.pictures.gallery.panel_grid`.
        colors: of names; by default :func:`alignparts.pictures.gallery.palette_of` the rows.
        note: a sentence under the title.

    Returns:
        ``path``.

    Raises:
        AlignPartsError: nothing to show, or a name without a color.
    """
    if not rows or not all(row.panels for row in rows):
        raise AlignPartsError(f"{path}: a page without rows, or a row without panels")
    text = page(title, rows, palette_of(rows) if colors is None else colors, note)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_library(path.parent)
    write_atomically(path, lambda temporary: temporary.write_bytes(text.encode()))
    return path


def write_library(folder: Path) -> None:
    """Write plotly's script into a folder of pages, unless it is there."""
    library, script = folder / LIBRARY, _plotly()
    if not library.is_file() or library.stat().st_size != len(script):
        write_atomically(library, lambda temporary: temporary.write_bytes(script))


def page(title: str, rows: Sequence[Row], colors: Mapping[str, Color], note: str = "") -> str:
    """The page's HTML. Whatever comes from data is escaped: text for HTML, the rest as JSON in a script."""
    bodies: dict[str, int] = {}
    shown = [_row(row, colors, bodies) for row in rows]
    camera = np.array(figures.CAMERA) / np.linalg.norm(figures.CAMERA) * DISTANCE
    data = {
        "camera": camera.round(3).tolist(),
        "bodies": [json.loads(body) for body in bodies],
        "rows": shown,
    }
    folder = resources.files("alignparts") / "resources"
    template = jinja2.Environment(autoescape=True).from_string((folder / "scene3d.html").read_text())
    return template.render(
        title=title,
        note=note,
        library=LIBRARY,
        data=Markup(_safe_json(data)),
        script=Markup((folder / "scene3d.js").read_text()),
    )


def _row(row: Row, colors: Mapping[str, Color], bodies: dict[str, int]) -> dict[str, Any]:
    legend = [
        {"key": look.key, "label": look.label, "color": _css(look.color)}
        for look in legend_of(row, colors).values()
    ]
    return {
        "title": row.title,
        "legend": legend,
        "panels": [_panel(panel, colors, bodies) for panel in row.panels],
    }


def _panel(panel: Panel, colors: Mapping[str, Color], bodies: dict[str, int]) -> dict[str, Any]:
    body, part = panel.body, panel.part
    if body.ndim == 2 or len(body) > MOST_FACES:
        kept = _some(body)
        body, part = body[kept].reshape(len(kept), -1, 3).mean(axis=1), part[kept]
    described = json.dumps(_body(body))
    present = set(part.tolist())
    return {
        "title": panel.title,
        "note": panel.note,
        "reach": round(UNIT * (REACH if panel.zoom == 1 else CLOSE_REACH)),
        # Bodies that several panels share are written once.
        "body": bodies.setdefault(described, len(bodies)),
        "part": _base64(part.astype("<i2")),
        "looks": [
            {"part": one, "key": look.key, "label": look.label, "color": _css(look.color)}
            for one, look in looks(panel, colors).items()
            if one in present
        ],
    }


def _body(body: np.ndarray) -> dict[str, str]:
    """Places, and the corners of triangles as numbers of places."""
    if body.ndim == 2:
        return _places(_thousandths(body))
    places, corners = np.unique(_thousandths(body.reshape(-1, 3)), axis=0, return_inverse=True)
    return {**_places(places), "faces": _base64(corners.reshape(-1).astype("<u2"))}


def _places(places: Int16[np.ndarray, "n 3"]) -> dict[str, str]:
    return {axis: _base64(values) for axis, values in zip("xyz", places.T, strict=True)}


def _thousandths(points: np.ndarray) -> Int16[np.ndarray, "n 3"]:
    limit = np.iinfo(np.int16).max
    return np.clip(np.rint(points.astype(np.float64) * UNIT), -limit, limit).astype("<i2")


def _some(body: np.ndarray) -> Int[np.ndarray, " kept"]:
    """At most so many points, or triangles by area, seeded: the first ones may all lie in one place."""
    weight = np.ones(len(body))
    if body.ndim == 3:
        weight = np.linalg.norm(np.cross(body[:, 1] - body[:, 0], body[:, 2] - body[:, 0]), axis=1)
    most = min(MOST_POINTS, int((weight > 0).sum()))
    if most == len(body):
        return np.arange(most)
    return np.sort(np.random.default_rng(0).choice(len(body), most, replace=False, p=weight / weight.sum()))


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _css(color: Color) -> str:
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in color)


def _safe_json(value: Any) -> str:
    """JSON that ends no script element, whatever is in it."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _plotly() -> bytes:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs().encode()
