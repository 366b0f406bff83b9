"""Plots of the benchmark: time against points and shapes at once, and the stages end to end."""

import pandas as pd
from matplotlib.figure import Figure

from alignparts.evaluation.speed.bench import OURS, PEER, STRAIGHT, value

COLORS = {OURS: "#2f6aa3", PEER: "#b5543c"}


def draw_growth(table: pd.DataFrame, points: int) -> Figure:
    """Draw time against points of one shape, and per shape against the number of shapes at once.

    Args:
        table: Rows of :func:`alignparts.evaluation.speed.bench.forward_rows` and ``peer_rows``.
        points: Number of points at which our forward pass is the unit of time.
    """
    unit = value(table, OURS, "forward", points)
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    growth, batches = figure.subplots(1, 2)
    lines = {(OURS, "forward"), (OURS, "decoder"), (STRAIGHT, "forward"), (PEER, "query"), (PEER, "k-means")}
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

    Args:
        stages: Table of :func:`alignparts.evaluation.speed.timing.time_stages`.
    """
    bars = stages[stages.stage != "model"]
    ratios = bars.seconds / bars.seconds[bars.stage.isin(["fusion", "decoder"])].sum()
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axis = figure.subplots()
    drawn = axis.barh(bars.stage, ratios, color=[COLORS.get(name, COLORS[OURS]) for name in bars.method])
    axis.bar_label(drawn, [f" {ratio:.2g}" for ratio in ratios], fontsize=8)
    axis.invert_yaxis()
    title = f"{bars.points.iloc[0]} points; red: the peer's clustering"
    axis.set(xlabel="time / (fusion + decoder)", title=title)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
