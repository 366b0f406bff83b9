"""Rows of shapes, one color per part name: Figures 4 to 9. In 3D: :mod:`alignparts.pictures.scene3d`."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Circle, Patch
from PIL import Image

from alignparts.ontology.vocabulary import words
from alignparts.pictures import figures
from alignparts.pictures.palette import UNLABELED_COLOR, Color, palette

UNLABELED = "unlabeled"
SURPLUS = "further segment"
SURPLUS_COLORS: tuple[Color, ...] = tuple((gray, gray, gray) for gray in (0.22, 0.42, 0.6, 0.32, 0.51))
"""Colors of segments without a name or a matched part, in turn."""
LINE = 0.19
"""Height of a line of text in inches."""
SMALL = 8
"""Size of text in points."""


@dataclass(frozen=True)
class Panel:
    """One picture: a shape and the part of each of its points or triangles.

    Attributes:
        title: method that made the parts.
        body: points (n, 3) or corners of triangles (n, 3, 3), in the model frame.
        part: part of every point or triangle, -1 unlabeled.
        names: name of every part, which gives it its color; "" draws it in gray.
        note: a few words below the picture.
        named: False where the method gives no names and its segments only borrow colors.
        zoom: factor by which the body was enlarged; its points are drawn larger by as much.
        rest: text of the legend for points without a part.
        mark: center and radius of a circle around a place; None for none.
    """

    title: str
    body: Float[np.ndarray, "n *corner 3"]
    part: Int[np.ndarray, " n"]
    names: Sequence[str]
    note: str = ""
    named: bool = True
    zoom: float = 1.0
    rest: str = UNLABELED
    mark: tuple[tuple[float, float, float], float] | None = None

    @property
    def shown(self) -> list[int]:
        """Return the parts that hold something, in rising order; -1 last where something is unlabeled."""
        return sorted(np.unique(self.part).tolist(), key=lambda part: (part < 0, part))


@dataclass(frozen=True)
class Row:
    """Panels side by side under one title, the ground truth last; ``legend``: whether pictures have one."""

    title: str
    panels: Sequence[Panel]
    legend: bool = True


class Look(NamedTuple):
    """Label and color of a part in a panel; parts with the same ``key`` share a legend entry."""

    key: str
    label: str
    color: Color


def palette_of(rows: Sequence[Row]) -> dict[str, Color]:
    """Return one color for every name that any panel of these rows shows."""
    panels = [panel for row in rows for panel in row.panels]
    names = (panel.names[part] for panel in panels for part in panel.shown if part >= 0)
    return palette(name for name in names if name)


def looks(panel: Panel, colors: Mapping[str, Color]) -> dict[int, Look]:
    """Return the look of every part that a panel shows; -1 is what is unlabeled."""
    result: dict[int, Look] = {}
    nameless = [index for index, name in enumerate(panel.names) if not name]
    for part in panel.shown:
        name = panel.names[part] if part >= 0 else ""
        if name:
            label = words(name) if panel.named else f"no name (most like {words(name)})"
            result[part] = Look(f"name {name}", label, colors[name])
        elif part >= 0:
            result[part] = Look(SURPLUS, SURPLUS, SURPLUS_COLORS[nameless.index(part) % len(SURPLUS_COLORS)])
        else:
            result[part] = Look(UNLABELED, panel.rest, UNLABELED_COLOR)
    return result


def legend_of(row: Row, colors: Mapping[str, Color]) -> dict[str, Look]:
    """Return the legend of a row by key: names of the ground truth, other names, grays."""
    result: dict[str, Look] = {}
    for panel in (*row.panels[-1:], *row.panels[:-1]):
        for part, look in looks(panel, colors).items():
            name = words(panel.names[part]) if part >= 0 else ""
            result.setdefault(look.key, look._replace(label=name or look.label))
    return {key: result[key] for key in sorted(result, key=(UNLABELED, SURPLUS).__contains__)}


def draw(panel: Panel, colors: Mapping[str, Color], size: int = 360) -> UInt8[np.ndarray, "size size 3"]:
    """Draw a panel from the camera of all pictures."""
    table = np.full((len(panel.names) + 1, 3), UNLABELED_COLOR, np.float32)
    for part, look in looks(panel, colors).items():
        table[part] = look.color
    return figures.draw(figures.solid(panel.body, table[np.maximum(panel.part, -1)], panel.zoom), size)


def panel_grid(rows: Sequence[Row], *, width: float = 1.9, size: int = 360) -> Figure:
    """Draw rows of panels, each row with its own legend; a name has one color in the whole figure.

    A panel is ``width`` inches wide, its picture ``size`` pixels before empty margins are cut.
    """
    colors, columns = palette_of(rows), max(len(row.panels) for row in rows)
    # Names are no formulas, whatever signs they have in them.
    with matplotlib.rc_context({"text.parse_math": False}):
        figure = Figure(layout="constrained")
        grid = figure.add_gridspec(len(rows), 1)
        parts = [figure.add_subfigure(grid[number, 0]) for number in range(len(rows))]
        heights = [_add_row(parts[n], row, colors, columns, width, size) for n, row in enumerate(rows)]
    grid.set_height_ratios(heights)
    figure.set_size_inches(columns * width, sum(heights))
    return figure


def _add_row(
    part: SubFigure, row: Row, colors: Mapping[str, Color], columns: int, width: float, size: int
) -> float:
    """Fill a subfigure with the panels, texts and legend of a row; return the height it needs in inches."""
    pictures = [draw(panel, colors, size) for panel in row.panels]
    # Panels of one scale show the same window.
    windows = {
        zoom: _window([one for one, panel in zip(pictures, row.panels, strict=True) if panel.zoom == zoom])
        for zoom in {panel.zoom for panel in row.panels}
    }
    # A slender shape must not fill a page.
    shape = float(np.clip(max(high / wide for _, _, wide, high in windows.values()), 0.4, 1.3))
    title = textwrap.fill(row.title, int(columns * width / 0.08))
    part.suptitle(title, x=0.01, ha="left", fontsize=SMALL + 1, fontweight="bold")
    above, below = (
        [textwrap.fill(text, max(int(width / 0.068), 8)) for text in texts]
        for texts in zip(*((panel.title, panel.note) for panel in row.panels), strict=True)
    )
    lines = title.count("\n") + 3 + sum(max(text.count("\n") for text in texts) for texts in (above, below))
    bare = {"xticks": [], "yticks": [], "frame_on": False}
    axes = part.subplots(1, columns, squeeze=False, subplot_kw=bare)[0]
    for number, (axis, panel) in enumerate(zip(axes, row.panels, strict=False)):
        axis.set_title(above[number], fontsize=SMALL)
        axis.set_xlabel(below[number], fontsize=SMALL, color="#555555")
        axis.imshow(pictures[number], interpolation="antialiased")
        x, y, wide, high = windows[panel.zoom]
        half = max(wide, high / shape) / 2
        axis.set(xlim=(x - half, x + half), ylim=(y + half * shape, y - half * shape))
        if panel.mark is not None:
            x, y, scale = figures.project(panel.mark[0], size)
            circle = Circle((x, y), panel.mark[1] * scale, fill=False, color="black", lw=1.2, clip_on=False)
            axis.add_patch(circle)
    if row.legend:
        handles = [Patch(color=look.color, label=look.label) for look in legend_of(row, colors).values()]
        longest = max(len(str(handle.get_label())) for handle in handles)
        ncols = max(int(columns * width / (0.35 + 0.068 * longest)), 1)
        part.legend(
            handles=handles, ncols=ncols, loc="outside lower left", fontsize=SMALL, frameon=False,
            handlelength=1, handleheight=1, columnspacing=1, handletextpad=0.5,
        )  # fmt: skip
        lines += -(-len(handles) // ncols)
    return width * shape + LINE * lines + 0.15


def _window(pictures: Sequence[np.ndarray]) -> tuple[float, float, float, float]:
    """Return center (x, y), width and height of what is drawn in any picture, with a margin."""
    drawn = (np.min(pictures, axis=0) < 250).any(axis=2)
    left, upper, right, lower = Image.fromarray(drawn).getbbox() or (0, 0, *drawn.shape)
    margin = 0.04 * len(drawn) - 1
    return (left + right - 1) / 2, (upper + lower - 1) / 2, right - left + margin, lower - upper + margin
