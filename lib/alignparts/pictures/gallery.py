"""Grids of shapes, one color a part name: Figures 4 to 9. In 3D: :mod:`alignparts.pictures.scene3d`."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import matplotlib
import numpy as np
from jaxtyping import Float, Float32, Int, UInt8
from matplotlib.figure import Figure

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.vocabulary import words
from alignparts.pictures import figures
from alignparts.pictures.page import EDGE, GAP, LINE, NORMAL, Page, add_centered, add_legend
from alignparts.pictures.palette import UNLABELED_COLOR, Color, palette

UNLABELED = "unlabeled"
SURPLUS = "further segment"
SURPLUS_COLORS: tuple[Color, ...] = tuple((gray, gray, gray) for gray in (0.22, 0.42, 0.6, 0.32, 0.51))
"""Segments that have neither a name nor a part to be colored after, in this order, from the start again."""
FIELD_OF_VIEW = 45.0
"""Of polyscope's camera, upright, in degrees."""
Body = Float[np.ndarray, "n *corner 3"]
"""Points (n, 3) or the corners of triangles (n, 3, 3), in the model frame."""


Box = tuple[float, float, float, float]
"""Left, upper, right and lower end in a picture, in pixels."""


@dataclass(frozen=True)
class Panel:
    """One picture: a shape and the part of each of its points or triangles.

    Attributes:
        title: what made the parts.
        body: points (n, 3) or corners of triangles (n, 3, 3), in the model frame.
        part: of every point or triangle, -1 unlabeled.
        names: of the parts, which give them their colors; "" for one that is drawn in gray.
        note: a few words below the picture.
        named: False where the method gives no names and its segments only borrow colors.
        zoom: by how much the body was enlarged; its points are drawn so much larger.
        rest: what is said of what has no part.
        mark: center and radius of a circle to draw around a place; None for none.

    Raises:
        AlignPartsError: nothing to draw, or a part beyond the names.
    """

    title: str
    body: Body
    part: Int[np.ndarray, " n"]
    names: Sequence[str]
    note: str = ""
    named: bool = True
    zoom: float = 1.0
    rest: str = UNLABELED
    mark: tuple[tuple[float, float, float], float] | None = None

    def __post_init__(self) -> None:
        if not len(self.body):
            raise AlignPartsError(f"panel '{self.title}': a shape without points or triangles")
        if self.body.shape[1:] not in ((3,), (3, 3)) or len(self.part) != len(self.body):
            raise AlignPartsError(
                f"panel '{self.title}': body {self.body.shape} with {len(self.part)} labels; expected (n, 3) "
                "points or (n, 3, 3) triangles, and n labels"
            )
        if self.part.max() >= len(self.names):
            raise AlignPartsError(
                f"panel '{self.title}': part {self.part.max()}, but {len(self.names)} names"
            )

    @property
    def shown(self) -> list[int]:
        """Parts that hold something, in rising order; -1 last where something is unlabeled."""
        found = np.unique(self.part).tolist()
        return [part for part in found if part >= 0] + [-1] * (found[0] < 0)


@dataclass(frozen=True)
class Row:
    """Panels side by side under one title, the ground truth last; ``legend``: whether pictures have one."""

    title: str
    panels: Sequence[Panel]
    legend: bool = True


@dataclass(frozen=True)
class Look:
    """How a part of a panel is drawn and what it is called: ``key`` is the same for the same legend entry."""

    key: str
    label: str
    color: Color


def palette_of(rows: Iterable[Row]) -> dict[str, Color]:
    """One color for every name that is shown in any panel of these rows."""
    return palette(
        panel.names[part]
        for row in rows
        for panel in row.panels
        for part in panel.shown
        if part >= 0 and panel.names[part]
    )


def looks(panel: Panel, colors: Mapping[str, Color]) -> dict[int, Look]:
    """The look of every part that a panel shows; -1 is what is unlabeled.

    Raises:
        AlignPartsError: a name has no color.
    """
    found: dict[int, Look] = {}
    gray = [index for index, name in enumerate(panel.names) if not name]
    for part in panel.shown:
        name = panel.names[part] if part >= 0 else ""
        if part < 0:
            found[part] = Look(UNLABELED, panel.rest, UNLABELED_COLOR)
        elif not name:
            color = SURPLUS_COLORS[gray.index(part) % len(SURPLUS_COLORS)]
            found[part] = Look(SURPLUS, SURPLUS, color)
        elif name not in colors:
            raise AlignPartsError(f"panel '{panel.title}': no color for '{name}'; see gallery.palette_of")
        else:
            label = words(name) if panel.named else f"no name (most like {words(name)})"
            found[part] = Look(f"name {name}", label, colors[name])
    return found


def legend_of(row: Row, colors: Mapping[str, Color]) -> dict[str, Look]:
    """Legend of a row by key: ground truth first, then what only others show, grays at the end."""
    found: dict[str, Look] = {}
    for panel in (*row.panels[::-1][:1], *row.panels[:-1]):
        for part, look in looks(panel, colors).items():
            label = (words(panel.names[part]) if part >= 0 else "") or look.label
            found.setdefault(look.key, replace(look, label=label))
    return {key: found[key] for key in sorted(found, key=(UNLABELED, SURPLUS).__contains__)}


def draw(panel: Panel, colors: Mapping[str, Color], size: int = 480) -> UInt8[np.ndarray, "size size 3"]:
    """The picture of a panel, from the camera of all pictures.

    Raises:
        AlignPartsError: a name has no color, or no way to draw off screen.
    """
    table = np.full((len(panel.names) + 1, 3), UNLABELED_COLOR, np.float32)
    for part, look in looks(panel, colors).items():
        table[part] = look.color
    color = table[np.maximum(panel.part, -1)]
    ps = figures.offscreen()
    ps.remove_all_structures()
    if panel.body.ndim == 2:
        cloud = ps.register_point_cloud("points", panel.body.astype(np.float32))
        cloud.set_radius(figures.POINT_RADIUS * panel.zoom, relative=False)
        cloud.add_color_quantity("part", color, enabled=True)
    else:
        mesh = figures.register(ps, "parts", panel.body.astype(np.float32))
        mesh.add_color_quantity("part", color, defined_on="faces", enabled=True)
    return figures.shot(ps, size)


def panel_grid(
    rows: Sequence[Row],
    colors: Mapping[str, Color] | None = None,
    *,
    width: float = 1.9,
    size: int = 480,
) -> Figure:
    """Rows of panels, each with its own legend.

    A name has one color in the whole figure; in several figures, if all get the same ``colors``.
    Pictures are cut to what is on them, those of one shape alike, so that little space is lost.

    Args:
        rows: at least one, each with at least one panel.
        colors: of names; by default :func:`palette_of` the rows.
        width: of a panel, in inches.
        size: side of a picture before it is cut, in pixels.

    Raises:
        AlignPartsError: nothing to show, a name without a color, or no way to draw off screen.
    """
    if not rows or not all(row.panels for row in rows):
        raise AlignPartsError("a figure without rows, or a row without panels")
    colors = palette_of(rows) if colors is None else colors
    # Names are no formulas, whatever signs they have in them.
    with matplotlib.rc_context({"text.parse_math": False}):
        columns = max(len(row.panels) for row in rows)
        page = Page(2 * EDGE + columns * width + (columns - 1) * GAP)
        for number, row in enumerate(rows):
            titles = [panel.title for panel in row.panels]
            repeated = number > 0 and titles == [panel.title for panel in rows[number - 1].panels]
            _add_row(page, row, colors, width, size, titles=not repeated)
        return page.figure()


def _add_row(
    page: Page, row: Row, colors: Mapping[str, Color], width: float, size: int, *, titles: bool
) -> None:
    lines = textwrap.wrap(row.title, int((page.width - 2 * EDGE) / 0.077))
    page.text(EDGE, page.top, lines, fontsize=NORMAL, fontweight="bold")
    page.top += LINE * len(lines) + GAP / 2
    left = [EDGE + number * (width + GAP) for number in range(len(row.panels))]
    middle = [x + width / 2 for x in left]
    if titles:
        page.top += add_centered(page, middle, [panel.title for panel in row.panels], width)
    pictures = [draw(panel, colors, size) for panel in row.panels]
    boxes = _windows(row.panels, pictures)
    close = any(panel.zoom != 1 for panel in row.panels)
    height = width * (1 if close else max(map(_aspect, boxes)))
    for x, panel, picture, box in zip(left, row.panels, pictures, boxes, strict=True):
        pixels, corner = _cut(picture, box, height / width)
        circle = _circle(panel, size)
        if circle is not None:
            circle = (circle[0] - corner[0], circle[1] - corner[1], circle[2])
        page.picture(x, page.top, width, height, pixels, circle)
    page.top += height
    page.top += add_centered(page, middle, [panel.note for panel in row.panels], width, color="#555555")
    page.top += 0.05
    if row.legend:
        add_legend(page, [(look.label, look.color) for look in legend_of(row, colors).values()])
    page.top += 0.16


def _windows(panels: Sequence[Panel], pictures: Sequence[np.ndarray]) -> list[Box]:
    """Ends of what is drawn, with a margin, alike for panels of one body; close-ups are not cut."""
    size = len(pictures[0])
    filled: dict[int, np.ndarray] = {}
    for panel, picture in zip(panels, pictures, strict=True):
        if panel.zoom != 1:
            filled[id(panel.body)] = np.ones((size, size), bool)
            continue
        drawn = np.asarray((picture < 250).any(axis=2))
        circle = _circle(panel, size)
        if circle is not None:
            left, upper, right, lower = (
                int(np.clip(circle[axis] + sign * circle[2], 0, size)) for sign in (-1, 1) for axis in (0, 1)
            )
            drawn[upper:lower, left:right] = True
        filled[id(panel.body)] = drawn | filled.get(id(panel.body), np.zeros_like(drawn))
    boxes = {}
    for body, drawn in filled.items():
        rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
        if not len(rows):
            rows = columns = np.array([0, size - 1])
        margin = 0 if drawn.all() else size * 0.02
        boxes[body] = (columns[0] - margin, rows[0] - margin, columns[-1] + 1 + margin, rows[-1] + 1 + margin)
    return [boxes[id(panel.body)] for panel in panels]


def _aspect(box: Box) -> float:
    """Height by width, bounded, lest a slender shape fills a page."""
    return float(np.clip((box[3] - box[1]) / (box[2] - box[0]), 0.35, 1.3))


def _cut(picture: np.ndarray, box: Box, aspect: float) -> tuple[np.ndarray, tuple[int, int]]:
    """The part of a picture with this aspect that just holds a box, white beyond the picture; its corner."""
    size = len(picture)
    width = max(box[2] - box[0], (box[3] - box[1]) / aspect)
    x0, y0 = int((box[0] + box[2] - width) / 2), int((box[1] + box[3] - width * aspect) / 2)
    padded = np.pad(picture, ((size, size), (size, size), (0, 0)), constant_values=255)
    wide, high = int(width), int(width * aspect)
    return padded[size + y0 : size + y0 + high, size + x0 : size + x0 + wide], (x0, y0)


def _circle(panel: Panel, size: int) -> tuple[float, float, float] | None:
    """Center and radius of a panel's mark, in pixels of its picture."""
    if panel.mark is None:
        return None
    center, radius = np.array(panel.mark[0]), panel.mark[1]
    x, y, pixels = _project(center[None].astype(np.float32), size)[0].tolist()
    return x, y, max(radius * pixels, size / 40)


def _project(points: Float[np.ndarray, "n 3"], size: int) -> Float32[np.ndarray, "n 3"]:
    """Where points are in a picture, in pixels, and how many pixels a unit of length is there."""
    camera = np.array(figures.CAMERA)
    ahead = -camera / np.linalg.norm(camera)
    right = np.cross(ahead, (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right)
    up = np.cross(right, ahead)
    seen = points - camera
    pixels = size / 2 / np.tan(np.radians(FIELD_OF_VIEW) / 2) / (seen @ ahead)
    x, y = size / 2 + seen @ right * pixels, size / 2 - seen @ up * pixels
    return np.stack([x, y, pixels], axis=1).astype(np.float32)
