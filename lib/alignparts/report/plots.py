"""Curves, bins and heat maps of result tables; one color a method everywhere."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator, PercentFormatter
from matplotlib.transforms import ScaledTranslation

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import AVERAGE
from alignparts.evaluation.part_analysis import AS_GOOD, BELOW, METRICS, NONE, SEEN
from alignparts.evaluation.scoring import CLUSTERING, GIVEN, LABELS, OURS
from alignparts.ontology.vocabulary import words

METHOD_COLORS = {
    OURS: "#0072B2",
    GIVEN: "#56B4E9",
    CLUSTERING: "#D55E00",
    "Find3D": "#009E73",
    "PartField+MPNet": "#CC79A7",
}
"""One color a method in every curve (Okabe and Ito's, told apart by the color-blind)."""
OTHER_COLORS = ("#E69F00", "#000000", "#999999", "#882255", "#999933", "#332288")
"""Of methods that have none of their own, in the order of their names; repeated where there are more."""
MARKERS = "osD^vPX<>*h"
ANY = "other names"
Scale = Literal["linear", "log"]


class Style(NamedTuple):
    """Color and mark of a method; the mark tells methods apart without color."""

    color: str
    marker: str


class Panel(NamedTuple):
    """Where one metric is drawn, its rows of the table, and the methods' styles."""

    axis: Any
    rows: pd.DataFrame
    styles: dict[str, Style]


def method_styles(methods: Iterable[str]) -> dict[str, Style]:
    """How every method of one figure is drawn, in the order of `METHOD_COLORS`, the others after these.

    Those of `METHOD_COLORS` are alike in all figures.
    """
    found = set(methods)
    others = sorted(found - set(METHOD_COLORS))
    own = {name: OTHER_COLORS[index % len(OTHER_COLORS)] for index, name in enumerate(others)}
    marks = {name: MARKERS[index % len(MARKERS)] for index, name in enumerate([*METHOD_COLORS, *others])}
    return {name: Style((METHOD_COLORS | own)[name], mark) for name, mark in marks.items() if name in found}


def draw_setting(
    table: pd.DataFrame, setting: str, label: str, *, test_set: str = AVERAGE, scale: Scale = "log"
) -> Figure:
    """mIoU and LA-mIoU against a setting, a line a method, bars for the intervals.

    Args:
        table: of :func:`setting_table`.
        setting: its column.
        label: what the axis is called.
        test_set: to draw.
        scale: of the axis; where 0 is among the values a logarithmic one is linear up to the next.

    Raises:
        AlignPartsError: nothing to draw.
    """
    own = table[table.test_set == test_set]
    figure, panels = _panels(own, f"{label}, {test_set}")
    values = sorted(set(own[setting]))
    above = [value for value in values if value > 0]
    for panel in panels:
        axis, counts = panel.axis, sorted(set(panel.rows.n))
        if scale == "log" and above and values[0] >= 0:
            zero = {} if values[0] > 0 else {"linthresh": above[0], "linscale": 0.5}
            axis.set_xscale("symlog" if zero else "log", base=2, **zero)
        _lines(panel, panel.rows[setting])
        axis.set_xticks(values, [f"{value:g}" for value in values], fontsize=8)
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xlabel(label, fontsize=8)
        said = "–".join(f"{count}" for count in (counts[0], counts[-1])[: len(counts)])
        axis.set_title(f"{axis.get_title()}, {test_set}, n = {said}", fontsize=9)
    return figure


def draw_sizes(table: pd.DataFrame, *, test_set: str = SEEN) -> Figure:
    """Mean IoU of parts by their size, a line a method; how many parts stand below the bins.

    Args:
        table: of :func:`alignparts.evaluation.part_analysis.size_table`.
        test_set: "seen" or "heldout".

    Raises:
        AlignPartsError: nothing to draw.
    """
    own = table[table.test_set == test_set]
    figure, panels = _panels(own, f"part sizes, {test_set}", width=5.2)
    bins = own.groupby("above").agg(said=("size", "first"), parts=("parts", "max"))
    place = {above: index for index, above in enumerate(bins.index)}
    said = [f"{str(one.said).removesuffix(' %')}\n{one.parts}" for one in bins.itertuples()]
    for panel in panels:
        _lines(panel, panel.rows.above.map(place))
        panel.axis.set_xticks(range(len(bins)), said, fontsize=8)
        panel.axis.set_xlabel("size of the part, % of its shape; below: number of parts", fontsize=8)
    return figure


def draw_confusion(matrix: pd.DataFrame, title: str = "", *, most: int = 24) -> Figure:
    """A heat map: which name (column) how many per cent of the parts of a name (row) are given.

    Args:
        matrix: of :func:`alignparts.evaluation.part_analysis.confusion_matrix`.
        title: of the picture.
        most: parts to show, the most frequent ones, and as many names; the rest of the names is one column.

    Raises:
        AlignPartsError: no parts.
    """
    if not matrix.size:
        raise AlignPartsError("a confusion matrix without parts")
    counts = matrix.sum(axis=1).iloc[:most]
    shown = _folded(matrix.iloc[:most], most)
    share = shown.to_numpy(np.float64) / np.maximum(counts.to_numpy(np.float64), 1)[:, None]
    size = (max(0.34 * shown.shape[1] + 3, 4.5), max(0.28 * len(shown) + 2.2, 3.0))
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (line, column), value in np.ndenumerate(share):
        if value > 0:
            axis.text(column, line, f"{100 * value:.0f}", ha="center", va="center", fontsize=7,
                      color="white" if value > 0.55 else "black")  # fmt: skip
    said = [words(str(name)) for name in shown.columns]
    axis.set_xticks(range(len(said)), said, rotation=50, ha="right", rotation_mode="anchor", fontsize=8)
    said = [f"{words(str(name))} ({count})" for name, count in counts.items()]
    axis.set_yticks(range(len(said)), said, fontsize=8)
    for line in range(min(shown.shape)):
        axis.add_patch(Rectangle((line - 0.5, line - 0.5), 1, 1, fill=False, ec="#888888", lw=0.6))
    axis.set_xlabel("name given", fontsize=8)
    axis.set_ylabel("part (number)", fontsize=8)
    axis.set_title(title, fontsize=9)
    bar = figure.colorbar(image, ax=axis, format=PercentFormatter(1))
    bar.ax.tick_params(labelsize=7)
    return figure


def draw_leaderboard(table: pd.DataFrame) -> Figure:
    """Methods by category with their intervals: the best filled, as good ones hollow, the others pale.

    Args:
        table: of :func:`alignparts.evaluation.part_analysis.leaderboard`.

    Raises:
        AlignPartsError: nothing to draw.
    """
    categories = {name: line for line, name in enumerate(dict.fromkeys(table.category))}
    lane = _lanes(method_styles(table.method), 0.8 / max(table.method.nunique(), 1))
    figure, panels = _panels(
        table, "leaderboard", width=4.6, height=(0.09 * len(lane) + 0.09) * len(categories) + 1.3
    )
    counts = table.groupby("category").n.max()
    for axis, rows, styles in panels:
        for (method, standing), own in rows.groupby(["method", "standing"]):
            color, marker = styles[str(method)]
            y = own.category.map(categories) + lane[str(method)]
            faint = 0.35 if standing == BELOW else 1.0
            axis.hlines(y, own.low, own.high, color=color, lw=0.9, alpha=faint)
            face = "white" if standing == AS_GOOD else color
            axis.plot(own.value, y, marker, ms=4.5, mec=color, mfc=face, alpha=faint, zorder=3)
        for line in range(len(categories) - 1):
            axis.axhline(line + 0.5, color="#dddddd", lw=0.6)
        said = [f"{words(name)} ({counts[name]})" for name in categories]
        axis.set_yticks(range(len(said)), said, fontsize=8)
        axis.tick_params(axis="x", labelsize=8)
        axis.set(xlim=(-0.02, 1.02), ylim=(len(categories) - 0.5, -0.5), xticks=np.linspace(0, 1, 6))
    key = "filled: best; hollow: its difference from the best may be chance; pale: below the best"
    figure.supxlabel(key, fontsize=8)
    return figure


def _panels(
    table: pd.DataFrame, what: str, *, width: float = 4.4, height: float = 3.6
) -> tuple[Figure, list[Panel]]:
    """A panel for mIoU and for LA-mIoU where the table has them, and one legend of its methods above."""
    named = table.assign(metric=[LABELS.get(name, name) for name in table.metric])
    metrics = [LABELS[name] for name in METRICS if LABELS[name] in set(named.metric)]
    if not metrics:
        raise AlignPartsError(f"{what}: no mIoU and no LA-mIoU to draw")
    figure = Figure(figsize=(width * len(metrics), height), layout="constrained")
    axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    styles = method_styles(table.method)
    for axis, metric in zip(axes, metrics, strict=True):
        axis.set_title(metric, fontsize=9)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.25, lw=0.5)
        axis.spines[["top", "right"]].set_visible(False)
    handles = [
        Line2D([], [], color=style.color, marker=style.marker, ms=4.5, lw=1.2, label=name)
        for name, style in styles.items()
    ]
    columns = max(int(width * len(metrics) / 2.4), 1)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, fontsize=8, frameon=False)
    axes[0].set_ylim(0, min(1.02, 1.05 * float(named[named.metric.isin(metrics)].high.max()) + 0.01))
    pairs = zip(axes, metrics, strict=True)
    return figure, [Panel(axis, named[named.metric == metric], styles) for axis, metric in pairs]


def _lines(panel: Panel, place: pd.Series) -> None:
    lane = _lanes(panel.styles, 3 / 72)
    for method, rows in panel.rows.assign(place=place).sort_values("place").groupby("method"):
        color, marker = panel.styles[str(method)]
        shift = ScaledTranslation(lane[str(method)], 0, panel.axis.figure.dpi_scale_trans)
        drawn = {"color": color, "transform": panel.axis.transData + shift}
        panel.axis.plot(rows.place, rows.value, marker=marker, ms=4, lw=1.2, **drawn)
        panel.axis.vlines(rows.place, rows.low, rows.high, lw=0.9, alpha=0.8, **drawn)
    # By hand: matplotlib does not find the limits of what is shifted.
    scale = panel.axis.xaxis.get_transform()
    left, right = scale.transform(np.array([place.min(), place.max()], np.float64))
    margin = 0.07 * (right - left) or 0.5
    panel.axis.set_xlim(*scale.inverted().transform(np.array([left - margin, right + margin])))


def _lanes(methods: Iterable[str], step: float) -> dict[str, float]:
    """Where methods stand beside each other, so that no bar hides another's."""
    names = list(dict.fromkeys(methods))
    return {name: step * (index - (len(names) - 1) / 2) for index, name in enumerate(names)}


def _folded(matrix: pd.DataFrame, most: int) -> pd.DataFrame:
    """The first names, one column for the rest of them, and `NONE`."""
    names = [name for name in matrix.columns if name != NONE]
    shown, rest = matrix[names[:most]].copy(), [name for name in names[most:] if matrix[name].any()]
    if rest:
        shown[f"{len(rest)} {ANY}"] = matrix[rest].sum(axis=1)
    if NONE in matrix and matrix[NONE].any():
        shown[NONE] = matrix[NONE]
    return shown
