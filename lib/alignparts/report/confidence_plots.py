"""Pictures of confidence: reliability, risk over coverage, promises on random splits, shifts."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from alignparts.core.errors import AlignPartsError
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
from alignparts.report.plots import MARKERS

COLORS = {
    SOFT: "#56B4E9",
    NEAR: "#999999",
    NEAR_FITTED: "#E69F00",
    FUSED: "#D55E00",
    FITTED: "#009E73",
    CATEGORY: "#0072B2",
    EVIDENCE: "#CC79A7",
}
"""One color a way to be sure (Okabe and Ito's)."""
SHARE = PercentFormatter(1)


def draw_reliability(ways: Mapping[str, Confidences]) -> Figure:
    """What is said against what is right, a panel a way; bins of equally many parts.

    Raises:
        AlignPartsError: nothing to draw.
    """
    if not ways:
        raise AlignPartsError("a reliability diagram without confidences")
    figure = Figure(figsize=(3.3 * len(ways), 4.3), layout="constrained")
    axes = figure.subplots(1, len(ways), sharey=True, squeeze=False)[0]
    for axis, (name, named) in zip(axes, ways.items(), strict=True):
        bins = reliability_bins(named.confidence, named.right)
        axis.plot([0, 1], [0, 1], color="#888888", lw=0.8, ls="--")
        axis.vlines(bins.confidence, bins.confidence, bins.right, color=COLORS[name], lw=5, alpha=0.25)
        axis.plot(bins.confidence, bins.right, color=COLORS[name], marker="o", ms=4.5, lw=1.2)
        error = expected_calibration_error(named.confidence, named.right)
        _style(axis, f"{name}\nECE {error:.3f}")
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axis.set_xlabel("confidence, mean of a bin", fontsize=8)
    axes[0].set_ylabel("names that are right", fontsize=8)
    one = next(iter(ways.values()))
    said = f"{len(one.right)} parts of {one.shapes} shapes; a dot is a bin, all of equally many parts"
    figure.supxlabel(f"{said}; on the dashed line confidence means what it says", fontsize=8)
    return figure


def draw_risk_coverage(ways: Mapping[str, Confidences]) -> Figure:
    """Wrong names among the most confident parts, a line a way, and the best that a ranking could do.

    Raises:
        AlignPartsError: nothing to draw.
    """
    if not ways:
        raise AlignPartsError("risk over coverage without confidences")
    figure = Figure(figsize=(5.6, 3.9), layout="constrained")
    axis = figure.subplots()
    for name, named in ways.items():
        coverage, risk = risk_coverage(named.confidence, named.right)
        axis.plot(coverage, risk, color=COLORS[name], lw=1.4, label=f"{name}: {risk.mean():.3f}")
    right = next(iter(ways.values())).right
    coverage, risk = risk_coverage(right.astype(np.float64), right)
    axis.plot(coverage, risk, color="black", lw=0.9, ls=":", label=f"all right ones first: {risk.mean():.3f}")
    _style(axis, f"{len(right)} parts; area under the curve in the legend")
    axis.set_xlabel("parts accepted, the most confident first", fontsize=8)
    axis.set_ylabel("wrong names among them", fontsize=8)
    axis.set(xlim=(0, 1), ylim=(0, None))
    axis.legend(fontsize=7.5, frameon=False, loc="best")
    return figure


def draw_promise(checked: pd.DataFrame) -> Figure:
    """Random splits: the error on the held-out half beside what was promised, and the share accepted.

    Args:
        checked: of :func:`alignparts.evaluation.conformal.check`.

    Raises:
        AlignPartsError: nothing to draw.
    """
    if not len(checked):
        raise AlignPartsError("a check of promises without splits")
    levels = sorted(set(checked.promised))
    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    said = []
    for place, level in enumerate(levels):
        own = checked[checked.promised == level].reset_index(drop=True)
        # Every split has its own place within the column, so that none hides another.
        across = place + np.linspace(-0.3, 0.3, len(own))
        for axis, column in ((left, "error"), (right, "accepted")):
            values = own[column].to_numpy(np.float64)
            colors = np.where(own.kept, "#0072B2", "#D55E00")
            axis.scatter(across, values, s=11, c=colors, alpha=0.75, lw=0)
            axis.hlines(values.mean(), place - 0.36, place + 0.36, color="black", lw=1.1)
        left.hlines(level, place - 0.42, place + 0.42, color="#D55E00", lw=1.2, ls="--")
        said.append(f"{level:.0%}\n{int(own.kept.sum())} of\n{len(own)} kept")
    _style(left, "error among accepted parts, held-out half")
    _style(right, "parts accepted, held-out half")
    for axis in (left, right):
        axis.set_xticks(range(len(levels)), said, fontsize=8)
        axis.set_xlabel("promised error", fontsize=8)
        axis.set_ylim(bottom=-0.01)
    figure.supxlabel(
        "a dot is a split, orange where the promise (dashed) was broken; black: the mean", fontsize=8
    )
    return figure


def draw_shift(table: pd.DataFrame, metric: str, sets: Sequence[str]) -> Figure:
    """A figure of reliability by set, a mark a way, with intervals; AUROC 0.5 is chance.

    Args:
        table: of :func:`alignparts.evaluation.experiments.confidence.reliability_table`.
        metric: as the table calls it.
        sets: in order.

    Raises:
        AlignPartsError: nothing to draw.
    """
    own = table[(table.metric == metric) & table.test_set.isin(list(sets))]
    if not len(own):
        raise AlignPartsError(f"shifts: no {metric} to draw")
    names = [name for name in sets if name in set(own.test_set)]
    ways = [name for name in COLORS if name in set(own.method)]
    figure = Figure(figsize=(1.55 * len(names) + 2.2, 4.0), layout="constrained")
    axis = figure.subplots()
    for index, way in enumerate(ways):
        rows = own[own.method == way]
        place = np.array([names.index(name) for name in rows.test_set])
        x = place + (index - (len(ways) - 1) / 2) * 0.11
        axis.vlines(x, rows.low, rows.high, color=COLORS[way], lw=1)
        axis.plot(x, rows.value, MARKERS[index], ms=4.5, color=COLORS[way], label=way)
    counts = own.groupby("test_set").n.max()
    axis.set_xticks(range(len(names)), [f"{name}\n{counts[name]} shapes" for name in names], fontsize=8)
    if metric == LABELS["auroc"]:
        axis.axhline(0.5, color="#888888", lw=0.8, ls="--")
        _style(axis, f"{metric}: right names from wrong ones; 0.5 is chance", percent=False)
    else:
        _style(axis, metric, percent=False)
    axis.tick_params(axis="x", labelsize=8)
    figure.legend(loc="outside lower center", ncols=3, fontsize=7.5, frameon=False)
    return figure


def _style(axis: Axes, title: str, percent: bool = True) -> None:
    axis.set_title(title, fontsize=9)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25, lw=0.5)
    axis.spines[["top", "right"]].set_visible(False)
    if percent:
        axis.xaxis.set_major_formatter(SHARE)
        axis.yaxis.set_major_formatter(SHARE)
