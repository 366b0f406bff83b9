"""Interactive twins of :mod:`alignparts.pictures.gallery`: pages that open from disk, without a network."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from jaxtyping import Int
from markupsafe import Markup
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from plotly.offline import get_plotlyjs

from alignparts.core.atomic import write_text
from alignparts.core.paths import RESOURCES
from alignparts.core.run import Run
from alignparts.pictures import figures
from alignparts.pictures.gallery import Look, Panel, Row, legend_of, looks, palette_of, panel_grid
from alignparts.pictures.palette import Color

LIBRARY = "plotly.min.js"
"""Name of plotly's script beside the pages."""
MOST_FACES, MOST_POINTS = 20_000, 2048
"""Largest number of triangles of a panel (their corners are numbered in 16 bits), and of points."""
UNIT = 1000
"""Coordinates are stored as whole thousandths of the model frame's unit."""
REACH, CLOSE_REACH = 1.02, 1.6
"""Half side of the cube that a view shows, in the model frame; that of a close-up."""
DISTANCE = 1.6
"""Distance of the camera from the center, in sides of that cube."""


def save_gallery(run: Run, name: str, title: str, rows: Sequence[Row]) -> Figure:
    """Draw rows as ``reports/<stage>/<name>.png``, and titled in 3D as ``reports/3d/<stage>/<name>.html``."""
    figure = panel_grid(rows)
    run.figure(figure, name)
    write_scene(run.reports / "3d" / run.stage / f"{name}.html", title, rows)
    return figure


def write_scene(path: Path, title: str, rows: Sequence[Row]) -> Path:
    """Write a page with rows in 3D: one view per panel, all turned together, one row at a time.

    Hovering shows the part's name; a click on the legend hides the part in all views. The same rows give the
    same bytes. Plotly's script is written beside the page unless it is there already. Meshes of more than
    :data:`MOST_FACES` triangles are shown as points.
    """
    colors = palette_of(rows)
    bodies: dict[str, int] = {}
    shown = [
        {
            "title": row.title,
            "legend": [_look(look) for look in legend_of(row, colors).values()],
            "panels": [_panel(panel, colors, bodies) for panel in row.panels],
        }
        for row in rows
    ]
    camera = (np.array(figures.EYE) / np.linalg.norm(figures.EYE) * DISTANCE).round(3).tolist()
    data = {"camera": camera, "bodies": [json.loads(body) for body in bodies], "rows": shown}
    environment = jinja2.Environment(autoescape=True)
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    template = environment.from_string((RESOURCES / "scene3d.html").read_text())
    script = Markup((RESOURCES / "scene3d.js").read_text())
    write_text(path, template.render(title=title, library=LIBRARY, data=data, script=script))
    write_library(path.parent)
    return path


def write_library(folder: Path) -> None:
    """Write plotly's script into a folder of pages, unless it is there whole."""
    library, script = folder / LIBRARY, get_plotlyjs()
    if not library.is_file() or library.stat().st_size != len(script.encode()):
        write_text(library, script)


def _panel(panel: Panel, colors: Mapping[str, Color], bodies: dict[str, int]) -> dict[str, Any]:
    body, part = panel.body, panel.part
    if body.ndim == 2 or len(body) > MOST_FACES:
        chosen = _some(body)
        body, part = body[chosen].reshape(len(chosen), -1, 3).mean(axis=1), part[chosen]
    described, present = json.dumps(_body(body)), set(part.tolist())
    shown = {number: look for number, look in looks(panel, colors).items() if number in present}
    return {
        "title": panel.title,
        "note": panel.note,
        "reach": round(UNIT * (REACH if panel.zoom == 1 else CLOSE_REACH)),
        # Bodies that several panels share are written once.
        "body": bodies.setdefault(described, len(bodies)),
        "part": _base64(part, "<i2"),
        "looks": [{"part": number, **_look(look)} for number, look in shown.items()],
    }


def _look(look: Look) -> dict[str, str]:
    return {"key": look.key, "label": look.label, "color": to_hex(look.color)}


def _body(body: np.ndarray) -> dict[str, str]:
    """Return coordinates and, of a mesh, the corners of its triangles as indices into them."""
    limit = np.iinfo(np.int16).max
    places = np.clip(np.rint(body.reshape(-1, 3).astype(np.float64) * UNIT), -limit, limit)
    faces = {}
    if body.ndim == 3:
        places, corners = np.unique(places, axis=0, return_inverse=True)
        faces = {"faces": _base64(corners.reshape(-1), "<u2")}
    return {axis: _base64(values, "<i2") for axis, values in zip("xyz", places.T, strict=True)} | faces


def _some(body: np.ndarray) -> Int[np.ndarray, " chosen"]:
    """Draw at most :data:`MOST_POINTS` points, or triangles by area; seeded, in rising order."""
    weight = np.ones(len(body))
    if body.ndim == 3:
        weight = np.linalg.norm(np.cross(body[:, 1] - body[:, 0], body[:, 2] - body[:, 0]), axis=1)
    most = min(MOST_POINTS, int((weight > 0).sum()))
    if most == len(body):
        return np.arange(most)
    return np.sort(np.random.default_rng(0).choice(len(body), most, replace=False, p=weight / weight.sum()))


def _base64(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values.astype(kind)).tobytes()).decode()
