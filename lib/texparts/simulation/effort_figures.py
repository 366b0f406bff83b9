"""Pictures of how much work an annotator has."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from alignparts.core.errors import AlignPartsError
from texparts.simulation.effort import ALL, LOOKS, OURS, PAPER, SEEN, STARTS, UNSEEN
from texparts.simulation.effort_orders import RANDOM

SET_COLORS = {ALL: "#666666", SEEN: "#0072B2", UNSEEN: "#E69F00"}
ORDER_COLORS = {"confident": "#0072B2", "uncertain": "#D55E00", RANDOM: "#666666"}
ACTION_COLORS = {
    LOOKS[0]: "#BBBBBB", LOOKS[1]: "#888888", "accept": "#56B4E9", "category": "#999933", "rename": "#0072B2",
    "add": "#332288", "merge": "#009E73", "split": "#117733", "delete": "#882255",
    "paint by piece": "#F0E442", "paint by cluster": "#E69F00", "paint by brush": "#D55E00",
    "hand in": "#DDDDDD",
}  # fmt: skip
"""In the order in which they are stacked."""


def draw_effort(means: pd.DataFrame, ratios: pd.DataFrame) -> Figure:
    """Seconds an object from every start, and how many times ours each of them is, beside the paper's 5–8×.

    Args:
        means: of :func:`texparts.simulation.effort.mean_table`.
        ratios: of :func:`texparts.simulation.effort.ratio_table`; of it the ratios of the sums of seconds.

    Raises:
        AlignPartsError: nothing to draw.
    """
    if means.empty or ratios.empty:
        raise AlignPartsError("a picture of effort without objects")
    sets = [name for name in (SEEN, UNSEEN) if (means.test_set == name).any()] or [ALL]
    starts = [name for name in STARTS if (means.start == name).any()]
    place = {name: index for index, name in enumerate(starts)}
    figure = Figure(figsize=(11, 1.2 + 0.55 * len(starts)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    ratios = ratios[(ratios.unit == "seconds") & (ratios.statistic == "sums")]
    for lane, name in enumerate(sets):
        shift, color = (lane - (len(sets) - 1) / 2) * 0.36, SET_COLORS[name]
        own = means[means.test_set == name]
        at = own.start.map(place) + shift
        count = int(own.n.max())
        errors = [own.seconds - own.low, own.high - own.seconds]
        left.barh(at, own.seconds, height=0.34, color=color, label=f"{name} categories, {count} objects")
        left.errorbar(own.seconds, at, xerr=errors, fmt="none", ecolor="black", elinewidth=0.9, capsize=2)
        own = ratios[ratios.test_set == name]
        at, errors = own.start.map(place) + shift, [own.value - own.low, own.high - own.value]
        right.errorbar(own.value, at, xerr=errors, fmt="o", color=color, ms=5, elinewidth=1.4, capsize=2)
        for x, y in zip(own.value, at, strict=True):
            right.annotate(f"{x:.1f}", (x, y), (0, 4), textcoords="offset points", ha="center", fontsize=7)
    low, high = PAPER["ratio"]
    right.axvspan(low, high, color="#CC79A7", alpha=0.25, lw=0, label="paper: 5–8 times, scratch over ours")
    right.axvline(1, color="black", lw=0.8, ls=":")
    left.set_yticks(range(len(starts)), [STARTS[name].label for name in starts])
    left.invert_yaxis()
    left.set_xlabel("seconds an object, of a practiced and faultless annotator")
    right.set_xlabel("times the work from our predictions (sum over sum)")
    right.set_xlim(0, None)
    for axis in (left, right):
        axis.grid(axis="x", lw=0.4, alpha=0.6)
        axis.set_axisbelow(True)
    left.legend(fontsize=8, loc="lower right")
    right.legend(fontsize=8, loc="lower right")
    return figure


def draw_actions(actions: pd.DataFrame) -> Figure:
    """Where the seconds go: means an object by action, a bar a start.

    Args:
        actions: of :class:`texparts.simulation.effort.Effort`.

    Raises:
        AlignPartsError: nothing to draw.
    """
    if actions.empty:
        raise AlignPartsError("a picture of effort without objects")
    counts = actions.groupby("start").object_id.nunique()
    sums = actions.pivot_table(
        index="start", columns="action", values="seconds", aggfunc="sum", fill_value=0.0
    )
    starts = [name for name in STARTS if name in sums.index]
    figure = Figure(figsize=(10, 1.4 + 0.42 * len(starts)), layout="constrained")
    axis = figure.subplots()
    begin = np.zeros(len(starts))
    for action, color in ACTION_COLORS.items():
        if action in sums:
            width = (sums[action] / counts)[starts].to_numpy()
            axis.barh(range(len(starts)), width, left=begin, color=color, height=0.7, label=action)
            begin = begin + width
    axis.set_yticks(range(len(starts)), [STARTS[name].label for name in starts])
    axis.invert_yaxis()
    axis.set_xlabel(f"seconds an object, mean of {int(counts.max())}")
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def draw_orders(curves: pd.DataFrame, start: str = OURS) -> Figure:
    """Objects, and parts, that are done after so much work, by the order of the queue.

    Args:
        curves: of :func:`texparts.simulation.effort_orders.order_curves`.
        start: what the work began from, for the title.

    Raises:
        AlignPartsError: nothing to draw.
    """
    if curves.empty:
        raise AlignPartsError("a picture of orders without objects")
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    for axis, column, label in zip(
        figure.subplots(1, 2), ("done", "parts"), ("objects done", "parts done"), strict=True
    ):
        for order, color in ORDER_COLORS.items():
            own = curves[curves.order == order]
            style = "--" if order == RANDOM else "-"
            axis.plot(own.seconds / 60, own[column], color=color, ls=style, lw=1.6, label=_said(order))
            if order == RANDOM:
                axis.fill_betweenx(own[column], own.low / 60, own.high / 60, color=color, alpha=0.15, lw=0)
        axis.set_xlabel(f"minutes of work, beginning from: {STARTS[start].label}")
        axis.set_ylabel(label)
        axis.grid(lw=0.4, alpha=0.6)
        axis.set_xlim(0, None)
        axis.set_ylim(0, None)
    handles, labels = axis.get_legend_handles_labels()
    handles.append(Patch(color=ORDER_COLORS[RANDOM], alpha=0.15, lw=0))
    axis.legend(handles, [*labels, "95 % of the shuffles"], fontsize=8, loc="lower right")
    return figure


def _said(order: str) -> str:
    return order if order == RANDOM else f"{order} first"
