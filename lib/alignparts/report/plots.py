"""Plots of result tables: values with their intervals, and a heat map; one color per method everywhere."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import AVERAGE, LABELS
from alignparts.evaluation.ground_truth import SEEN
from alignparts.evaluation.methods import GIVEN, OURS, PARTFIELD
from alignparts.evaluation.part_analysis import AS_GOOD, BELOW, METRICS, NONE
from alignparts.evaluation.speed import bench
from alignparts.ontology.vocabulary import words

METHOD_COLORS = {
    OURS: "#0072B2",
    GIVEN: "#56B4E9",
    PARTFIELD: "#D55E00",
    "Find3D": "#009E73",
    "PartField+MPNet": "#CC79A7",
}
"""One color per method in every plot (Okabe and Ito's, told apart by the color-blind)."""
OTHER_COLORS = ("#E69F00", "#000000", "#999999", "#882255", "#999933", "#332288")
"""Colors of other methods in the order of their names, in turn."""
MARKERS = "osD^vPX<>*h"


class Style(NamedTuple):
    """Color and mark of a method; the mark tells methods apart without color."""

    color: str
    marker: str


def method_styles(methods: Iterable[str], fixed: Mapping[str, str] = METHOD_COLORS) -> dict[str, Style]:
    """Return the style of every method: those of ``fixed`` in its order, then the others by name."""
    present = set(methods)
    others = sorted(present - set(fixed))
    colors = {**fixed, **{name: OTHER_COLORS[n % len(OTHER_COLORS)] for n, name in enumerate(others)}}
    styles = {name: Style(color, MARKERS[n % len(MARKERS)]) for n, (name, color) in enumerate(colors.items())}
    return {name: style for name, style in styles.items() if name in present}


def draw_setting(table: pd.DataFrame, setting: str, label: str, *, test_set: str = AVERAGE) -> Figure:
    """Draw mIoU and LA-mIoU of a test set against a setting, whose values stand in equal distances.

    The table is that of :func:`alignparts.evaluation.comparison.setting_table`, the setting one of its
    columns, the label its name on the axis.
    """
    rows = table[table.test_set == test_set]
    values = sorted(set(rows[setting]))
    ticks, placed = [f"{value:g}" for value in values], rows.assign(place=rows[setting].map(values.index))
    figure, panels = _metric_panels(placed, ticks, f"{label}, {test_set}")
    for axis, panel in panels.items():
        counts = "–".join(f"{count}" for count in sorted({panel.n.min(), panel.n.max()}))
        axis.set_title(f"{axis.get_title()}, {test_set}, n = {counts}", fontsize=9)
        axis.set_xlabel(label, fontsize=8)
    return figure


def draw_sizes(table: pd.DataFrame, *, test_set: str = SEEN) -> Figure:
    """Draw the mean IoU of parts by their size, with the number of parts below each bin.

    The table is that of :func:`alignparts.evaluation.part_analysis.size_table`.
    """
    rows = table[table.test_set == test_set]
    bins = rows.groupby("above").agg(label=("size", "first"), parts=("parts", "max"))
    ticks = [f"{str(row.label).removesuffix(' %')}\n{row.parts}" for row in bins.itertuples()]
    placed = rows.assign(place=rows.above.map(bins.index.get_loc))
    figure, panels = _metric_panels(placed, ticks, f"part sizes, {test_set}", width=5.2)
    for axis in panels:
        axis.set_xlabel("size of the part, % of its shape; below: number of parts", fontsize=8)
    return figure


def draw_leaderboard(table: pd.DataFrame) -> Figure:
    """Draw methods by category: the best filled, those that may be as good hollow, the others pale.

    The table is that of :func:`alignparts.evaluation.part_analysis.leaderboard`.
    """
    counts = table.groupby("category", sort=False).n.max()
    ticks = [f"{words(str(name))} ({count})" for name, count in counts.items()]
    height = (0.09 * table.method.nunique() + 0.09) * len(counts) + 1.3
    placed = table.assign(place=table.category.map(counts.index.get_loc))
    figure, panels = _metric_panels(placed, ticks, "leaderboard", 4.6, height, upright=False, joined=False)
    for axis in panels:
        axis.set(xlim=(-0.02, 1.02), ylim=(len(counts) - 0.5, -0.5), xticks=np.linspace(0, 1, 6))
    key = "filled: best; hollow: its difference from the best may be chance; pale: below the best"
    figure.supxlabel(key, fontsize=8)
    return figure


def draw_confusion(matrix: pd.DataFrame, title: str = "", *, most: int = 24) -> Figure:
    """Draw a heat map of the per cent of a part's (row) instances that are given a name (column).

    The matrix has the counts of :func:`alignparts.evaluation.part_analysis.confusion_matrix`. Drawn are the
    first ``most`` rows and columns, a column for all other names, and :data:`NONE`.
    """
    counts = matrix.sum(axis=1).iloc[:most]
    shown = _folded(matrix.iloc[:most], most)
    share = shown.div(counts.clip(lower=1), axis=0).to_numpy(np.float64)
    size = (max(0.34 * shown.shape[1] + 3, 4.5), max(0.28 * len(shown) + 2.2, 3.0))
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(share):
        if value > 0:
            color = "white" if value > 0.55 else "black"
            axis.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=7, color=color)
    names = [words(str(name)) for name in shown.columns]
    axis.set_xticks(range(len(names)), names, rotation=50, ha="right", rotation_mode="anchor", fontsize=8)
    names = [f"{words(str(name))} ({count})" for name, count in counts.items()]
    axis.set_yticks(range(len(names)), names, fontsize=8)
    for place in range(min(shown.shape)):
        axis.add_patch(Rectangle((place - 0.5, place - 0.5), 1, 1, fill=False, ec="#888888", lw=0.6))
    axis.set_xlabel("name given", fontsize=8)
    axis.set_ylabel("part (number)", fontsize=8)
    axis.set_title(title, fontsize=9)
    figure.colorbar(image, ax=axis, format=PercentFormatter(1)).ax.tick_params(labelsize=7)
    return figure


def draw_growth(table: pd.DataFrame, points: int) -> Figure:
    """Draw time against points of one shape, and per shape against the number of shapes at once.

    The table has the rows of :func:`alignparts.evaluation.speed.bench.forward_rows` and ``peer_rows``; the
    unit of time is our forward pass at ``points`` points.
    """
    unit = bench.value(table, OURS, "forward", points)
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    growth, batches = figure.subplots(1, 2)
    lines = {
        (OURS, "forward"), (OURS, "decoder"), (bench.STRAIGHT, "forward"), (bench.PEER, "query"),
        (bench.PEER, "k-means"),
    }  # fmt: skip
    for (method, stage, parts), rows in table[table.batch == 1].groupby(["method", "stage", "parts"]):
        if (method, stage) in lines:
            label = f"{method}: {stage}" + (f", {parts} parts" if parts else "")
            growth.loglog(rows.points, rows.seconds / unit, marker="o", markersize=3, label=label)
    growth.set(xlabel="points", ylabel=f"time / our forward pass at {points} points", title="one shape")
    growth.legend(fontsize=7)
    together = table[(table.stage == "forward") & (table.points == points)].sort_values("batch")
    for method, rows in together.groupby("method"):
        batches.plot(rows.batch, rows.seconds / rows.batch / unit, marker="o", label=method)
    batches.set(xlabel="shapes at once", ylabel="the same, per shape", title=f"{points} points")
    batches.set_ylim(bottom=0)
    batches.legend(fontsize=8)
    return figure


def draw_stages(stages: pd.DataFrame) -> Figure:
    """Draw the time of every stage from a mesh to named faces, by that of fusion and decoder together.

    The table is that of :func:`alignparts.evaluation.speed.timing.time_stages`.
    """
    bars = stages[stages.stage != "model"]
    ratios = bars.seconds / bars.seconds[bars.stage.isin(["fusion", "decoder"])].sum()
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axis = figure.subplots()
    colors = ["#b5543c" if method == bench.PEER else "#2f6aa3" for method in bars.method]
    drawn = axis.barh(bars.stage, ratios, color=colors)
    axis.bar_label(drawn, [f" {ratio:.2g}" for ratio in ratios], fontsize=8)
    axis.invert_yaxis()
    title = f"{bars.points.iloc[0]} points; red: the peer's clustering"
    axis.set(xlabel="time / (fusion + decoder)", title=title)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def draw_intervals(
    axis: Axes,
    rows: pd.DataFrame,
    ticks: Sequence[str],
    styles: Mapping[str, Style],
    *,
    upright: bool = True,
    joined: bool = True,
) -> None:
    """Draw values with their intervals, methods side by side at every tick; ``joined``: with a line each.

    The rows have the columns ``method``, ``value``, ``low``, ``high`` and ``place``, the number of the tick;
    with a column ``standing``, marks of :data:`AS_GOOD` are hollow, those of :data:`BELOW` pale. Values grow
    upwards, or to the right unless ``upright``.
    """
    step = min(0.8 / len(styles), 0.06 if joined else 0.12)
    for lane, (method, (color, marker)) in enumerate(styles.items()):
        own = rows[rows.method == method].sort_values("place")
        for standing, part in own.groupby(own.get("standing", pd.Series("", own.index))):
            place = part.place + step * (lane - (len(styles) - 1) / 2)
            x, y = (place, part.value) if upright else (part.value, place)
            error = np.clip([part.value - part.low, part.high - part.value], 0, None)
            errors: dict[str, Any] = {"yerr" if upright else "xerr": error}
            axis.errorbar(
                x, y, **errors, color=color, marker=marker, ms=4.5, lw=1.2,
                ls="-" if joined else "none", elinewidth=0.9, mfc="white" if standing == AS_GOOD else color,
                alpha=0.35 if standing == BELOW else 1.0, label=method,
            )  # fmt: skip
    set_ticks = axis.set_xticks if upright else axis.set_yticks
    set_ticks(range(len(ticks)), ticks, fontsize=8)


def dress(axis: Axes, title: str, x: str = "", y: str = "") -> None:
    """Give axes their title and labels, small ticks and a faint grid."""
    axis.set_title(title, fontsize=9)
    axis.set_xlabel(x, fontsize=8)
    axis.set_ylabel(y, fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25, lw=0.5)
    axis.spines[["top", "right"]].set_visible(False)


def _metric_panels(
    table: pd.DataFrame, ticks: Sequence[str], what: str, width: float = 4.4, height: float = 3.6, **way: bool
) -> tuple[Figure, dict[Axes, pd.DataFrame]]:
    """Draw mIoU and LA-mIoU side by side, with one legend; return the figure and the rows of each axes."""
    named = table.assign(metric=[LABELS.get(name, name) for name in table.metric])
    metrics = [LABELS[name] for name in METRICS if LABELS[name] in set(named.metric)]
    if not metrics:
        raise AlignPartsError(f"{what}: no mIoU and no LA-mIoU to draw")
    figure = Figure(figsize=(width * len(metrics), height), layout="constrained")
    axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    panels = {axis: named[named.metric == metric] for axis, metric in zip(axes, metrics, strict=True)}
    styles = method_styles(table.method)
    handles = [Line2D([], [], color=c, marker=m, ms=4.5, lw=1.2, label=n) for n, (c, m) in styles.items()]
    columns = max(int(width * len(metrics) / 2.4), 1)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, fontsize=8, frameon=False)
    axes[0].set_ylim(0, min(1.02, 1.05 * max(float(panel.high.max()) for panel in panels.values()) + 0.01))
    for (axis, panel), metric in zip(panels.items(), metrics, strict=True):
        dress(axis, metric)
        draw_intervals(axis, panel, ticks, styles, **way)
    return figure, panels


def _folded(matrix: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the first names, one column for the rest of them, and `NONE`."""
    names = [name for name in matrix.columns if name != NONE]
    shown, rest = matrix[names[:most]].copy(), [name for name in names[most:] if matrix[name].any()]
    if rest:
        shown[f"{len(rest)} other names"] = matrix[rest].sum(axis=1)
    if NONE in matrix and matrix[NONE].any():
        shown[NONE] = matrix[NONE]
    return shown
