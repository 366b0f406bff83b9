"""Draw the statistics of an export, and write them as a folder of tables and figures."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from alignparts.evaluation.tables import write_table
from texparts.export.describe import as_text
from texparts.export.statistics import SCRATCH_MINUTES, TABLES, Dataset, summary_table

BLUE, ORANGE = "#0072B2", "#D55E00"
MOST_BARS, MOST_LETTERS = 25, 32
TEXTS = ("category", "name", "license", "note")
"""Columns with free text, which stays text in Markdown."""


def draw_categories(dataset: Dataset) -> Figure:
    """Draw the objects per category."""
    table = TABLES["categories"](dataset)
    return _bars(table["category"], table["objects"], "objects")


def draw_parts(dataset: Dataset) -> Figure:
    """Draw the most frequent part names."""
    table = TABLES["parts"](dataset)
    return _bars(table["name"], table["parts"], "parts")


def draw_seconds(dataset: Dataset) -> Figure:
    """Draw the histogram of the active seconds of one opinion."""
    seconds = dataset.seconds
    figure, axis = _axis(3.0)
    axis.hist(seconds, bins=min(20, max(5, len(seconds) // 3)), color=BLUE)
    axis.axvline(seconds.median(), color=ORANGE, label=f"median {seconds.median():.0f} s")
    axis.set(xlabel="active seconds per opinion", ylabel="objects", xlim=(0, None))
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(frameon=False)
    return figure


def write_statistics(
    dataset: Dataset, folder: Path, scratch_minutes: tuple[float, float] = SCRATCH_MINUTES
) -> pd.DataFrame:
    """Write every table (CSV and Markdown) and figure (PNG) into a folder; returns the summary."""
    summary = summary_table(dataset, scratch_minutes=scratch_minutes)
    write_table(folder, "summary", summary)
    for name, make in TABLES.items():
        table = make(dataset)
        readable = table.assign(**{text: table[text].map(as_text) for text in TEXTS if text in table})
        write_table(folder, name, table, readable)
    for name, draw in (("categories", draw_categories), ("parts", draw_parts), ("seconds", draw_seconds)):
        path = folder / f"{name}.png"
        draw(dataset).savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})
    return summary


def _bars(names: pd.Series, counts: pd.Series, unit: str) -> Figure:
    shown = min(len(names), MOST_BARS)
    figure, axis = _axis(0.6 + 0.24 * shown)
    bars = axis.barh(range(shown), counts[:shown], color=BLUE)
    axis.bar_label(bars, padding=2, fontsize=8)
    axis.set_yticks(range(shown), [_short(name) for name in names[:shown]], fontsize=8)
    for label in axis.get_yticklabels():
        label.set_parse_math(False)  # a dollar in a name is a dollar
    axis.invert_yaxis()
    axis.margins(x=0.1, y=0.01)
    rest = f"; {len(names) - shown} more are not shown" if len(names) > shown else ""
    axis.set_xlabel(unit + rest)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _axis(height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(5.2, height), layout="constrained")
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _short(name: str) -> str:
    text = name or "(none)"
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"
