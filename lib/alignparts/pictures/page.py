"""A figure that is filled from the top down, in inches, for :mod:`alignparts.pictures.gallery`."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.textpath import TextPath

from alignparts.pictures.palette import Color

SMALL, NORMAL = 8.0, 9.0
"""Sizes of text, in points."""
LINE, GAP, EDGE = 0.175, 0.08, 0.1
"""Height of a line of small text, space between things, margin of the figure, in inches."""


class Page:
    """Things placed from the top down, in inches; the figure is as high as they turn out to be."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.top = EDGE
        self._texts: list[tuple[float, float, str, dict[str, object]]] = []
        self._pictures: list[tuple[float, float, float, float, np.ndarray, tuple[float, ...] | None]] = []
        self._patches: list[tuple[float, float, float, Color]] = []

    def text(self, x: float, top: float, lines: Sequence[str], **keys: object) -> None:
        """Lines of text by their baselines: a line's top depends on its letters."""
        for number, line in enumerate(lines):
            self._texts.append((x, top + (number + 0.7) * LINE, line, keys))

    def picture(
        self, x: float, top: float, width: float, height: float, pixels: np.ndarray,
        circle: tuple[float, ...] | None,
    ) -> None:  # fmt: skip
        """An image, and a circle on it: center and radius in its pixels."""
        self._pictures.append((x, top, width, height, pixels, circle))

    def patch(self, x: float, top: float, side: float, color: Color) -> None:
        self._patches.append((x, top, side, color))

    def figure(self) -> Figure:
        height = self.top + EDGE
        figure = Figure(figsize=(self.width, height))
        for x, top, wide, high, pixels, circle in self._pictures:
            box = (x / self.width, 1 - (top + high) / height, wide / self.width, high / height)
            axis = figure.add_axes(box)
            axis.imshow(pixels, interpolation="antialiased")
            axis.set_axis_off()
            if circle is not None:
                axis.add_patch(Circle((circle[0], circle[1]), circle[2], fill=False, color="black", lw=1.2))
        for x, top, side, color in self._patches:
            corner = (x / self.width, 1 - (top + side) / height)
            figure.add_artist(Rectangle(corner, side / self.width, side / height, color=color))
        for x, top, text, keys in self._texts:
            figure.text(x / self.width, 1 - top / height, text, **keys)  # type: ignore[arg-type]
        return figure


def add_legend(page: Page, entries: Sequence[tuple[str, Color]]) -> None:
    """Patches and their labels, in as many lines as they take."""
    x = EDGE
    for label, color in entries:
        wide = 0.17 + text_width(label) + 0.14
        if x > EDGE and x + wide > page.width - EDGE:
            x, page.top = EDGE, page.top + LINE
        page.patch(x, page.top + 0.01, 0.115, color)
        page.text(x + 0.16, page.top, [label], fontsize=SMALL)
        x += wide
    page.top += LINE


def add_centered(
    page: Page, middle: Sequence[float], texts: Sequence[str], width: float, **keys: object
) -> float:
    """Text over or under every panel; the height that it takes."""
    wrapped = [textwrap.wrap(text, max(int(width / 0.062), 8)) for text in texts]
    for x, lines in zip(middle, wrapped, strict=True):
        page.text(x, page.top, lines, fontsize=SMALL, ha="center", **keys)
    return LINE * max(map(len, wrapped), default=0)


def text_width(text: str) -> float:
    """Inches that small text takes in a line."""
    return float(TextPath((0, 0), text, size=SMALL).get_extents().width) / 72 if text.strip() else 0.0
