"""Plots of confidence: reliability, risk over coverage, promises on random splits, shifts."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from sklearn.calibration import CalibrationDisplay

from alignparts.evaluation.experiments.confidence import (
    CATEGORY,
    EVIDENCE,
    FITTED,
    FUSED,
    NEAR,
    NEAR_FITTED,
    SOFT,
)
from alignparts.evaluation.reliability import (
    LABELS,
    Confidences,
    expected_calibration_error,
    reliability_bins,
    risk_coverage,
)
from alignparts.report.plots import draw_intervals, dress, method_styles

MEASURES = (SOFT, NEAR, NEAR_FITTED, FUSED, FITTED, CATEGORY, EVIDENCE)
OKABE_ITO = ("#56B4E9", "#999999", "#E69F00", "#D55E00", "#009E73", "#0072B2", "#CC79A7")
COLORS = dict(zip(MEASURES, OKABE_ITO, strict=True))
SHARE = PercentFormatter(1, decimals=0)


def draw_reliability(measures: Mapping[str, Confidences]) -> Figure:
    """Draw a reliability diagram per confidence measure of the same parts, in bins of equally many parts."""
    figure = Figure(figsize=(3.3 * len(measures), 4.3), layout="constrained")
    axes = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axis, (name, named) in zip(axes, measures.items(), strict=True):
        bins = reliability_bins(named.confidence, named.right)
        shown = CalibrationDisplay(bins.right, bins.confidence, named.confidence)
        shown.plot(ax=axis, color=COLORS[name], marker="o", ms=4.5, lw=1.2)
        axis.get_legend().remove()
        axis.vlines(bins.confidence, bins.confidence, bins.right, color=COLORS[name], lw=5, alpha=0.25)
        error = expected_calibration_error(named.confidence, named.right)
        dress(axis, f"{name}\nECE {error:.3f}", "confidence, mean of a bin")
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axis.xaxis.set_major_formatter(SHARE)
    axes[0].set_ylabel("names that are right", fontsize=8)
    axes[0].yaxis.set_major_formatter(SHARE)
    bins_of = f"{len(named.right)} parts of {named.shapes} shapes; a dot is a bin, all of equally many parts"
    figure.supxlabel(f"{bins_of}; on the dashed line confidence means what it says", fontsize=8)
    return figure


def draw_risk_coverage(measures: Mapping[str, Confidences]) -> Figure:
    """Draw a risk–coverage curve per confidence measure of the same parts, beside a perfect ranking's."""
    figure = Figure(figsize=(5.6, 3.9), layout="constrained")
    axis = figure.subplots()
    for name, named in measures.items():
        coverage, risk = risk_coverage(named.confidence, named.right)
        axis.plot(coverage, risk, color=COLORS[name], lw=1.4, label=f"{name}: {risk.mean():.3f}")
    coverage, risk = risk_coverage(named.right.astype(np.float64), named.right)
    axis.plot(coverage, risk, color="black", lw=0.9, ls=":", label=f"all right ones first: {risk.mean():.3f}")
    title = f"{len(named.right)} parts; area under the curve in the legend"
    dress(axis, title, "parts accepted, the most confident first", "wrong names among them")
    axis.set(xlim=(0, 1), ylim=(0, None))
    axis.xaxis.set_major_formatter(SHARE)
    axis.yaxis.set_major_formatter(SHARE)
    axis.legend(fontsize=7.5, frameon=False, loc="best")
    return figure


def draw_promise(checked: pd.DataFrame) -> Figure:
    """Draw the error and the share accepted on the held-out halves of random splits, beside the promise.

    The table is that of :func:`alignparts.evaluation.calibration.check`.
    """
    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    columns = {"error": "error among accepted parts", "accepted": "parts accepted"}
    for axis, (column, title) in zip(figure.subplots(1, 2), columns.items(), strict=True):
        ticks = []
        for place, (level, splits) in enumerate(checked.groupby("promised")):
            ticks.append(f"{level:.0%}\n{splits.kept.sum()} of\n{len(splits)} kept")
            # Every split has its own place within the column, so that none hides another.
            across = place + np.linspace(-0.3, 0.3, len(splits))
            colors = np.where(splits.kept, "#0072B2", "#D55E00")
            axis.scatter(across, splits[column], s=11, c=colors, alpha=0.75, lw=0)
            axis.hlines(splits[column].mean(), place - 0.36, place + 0.36, color="black", lw=1.1)
            if column == "error":
                axis.hlines(level, place - 0.42, place + 0.42, color="#D55E00", lw=1.2, ls="--")
        dress(axis, f"{title}, held-out half", "promised error")
        axis.set_xticks(range(len(ticks)), ticks, fontsize=8)
        axis.set_ylim(bottom=-0.01)
        axis.yaxis.set_major_formatter(SHARE)
    key = "a dot is a split, orange where the promise (dashed) was broken; black: the mean"
    figure.supxlabel(key, fontsize=8)
    return figure


def draw_shift(table: pd.DataFrame, sets: Sequence[str]) -> Figure:
    """Draw AUROC by test set, in order, a mark per confidence measure with its interval.

    Where no set has right and wrong names, between which AUROC could tell, the Brier score is drawn. The
    table is that of :func:`alignparts.evaluation.experiments.confidence.reliability_table`.
    """
    shown = table[table.test_set.isin(list(sets))]
    chance = LABELS["auroc"] in set(shown.metric)
    metric = LABELS["auroc" if chance else "brier"]
    rows = shown[shown.metric == metric]
    counts = rows.groupby("test_set").n.max()
    names = [name for name in sets if name in counts]
    figure = Figure(figsize=(1.55 * len(names) + 2.2, 4.0), layout="constrained")
    axis = figure.subplots()
    dress(axis, f"{metric}: right names from wrong ones; 0.5 is chance" if chance else metric)
    ticks = [f"{name}\n{counts[name]} shapes" for name in names]
    placed = rows.assign(place=rows.test_set.map(names.index))
    draw_intervals(axis, placed, ticks, method_styles(rows.method, COLORS), joined=False)
    if chance:
        axis.axhline(0.5, color="#888888", lw=0.8, ls="--")
    figure.legend(loc="outside lower center", ncols=3, fontsize=7.5, frameon=False)
    return figure
