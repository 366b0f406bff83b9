"""Draw the stages of Tex-Parts: the reasons of the filter, and the queue."""

from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.vocabulary import words
from texparts.filter.rejected import REASONS

BLUE, GRAY = "#0072B2", "#999999"


def draw_reasons(filtered: pd.DataFrame) -> Figure:
    """Draw the number of files that the filter left out per reason, beside the number that it kept."""
    counts = filtered.loc[~filtered["kept"], "reason"].value_counts()
    order = [reason for reason in REASONS if reason in counts.index]
    labels = ["kept", *(words(reason) for reason in order)]
    values = [int(filtered["kept"].sum()), *(int(counts[reason]) for reason in order)]
    figure = Figure(figsize=(7.5, 0.27 * len(labels) + 0.9), layout="constrained")
    axis = figure.subplots()
    bars = axis.barh(labels, values, color=[BLUE, *[GRAY] * len(order)])
    axis.bar_label(bars, padding=3, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("files", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    axis.margins(x=0.08)
    return figure


def draw_queue(root: Path, queue: pd.DataFrame, shown: int = 6) -> Figure:
    """Draw as many first and last objects of a queue: as they came, and in the colors of their parts.

    The pictures are those under the work folder; an empty queue raises AlignPartsError.
    """
    if not len(queue):
        raise AlignPartsError("the queue is empty; nothing to draw")
    count = min(shown, len(queue))
    ends = [("first in the queue", queue.head(count)), ("last in the queue", queue.tail(count))]
    figure = Figure(figsize=(1.65 * count + 0.3, 8.2), layout="constrained")
    halves: Any = figure.subfigures(2, 1)
    for part, (title, rows) in zip(halves, ends, strict=True):
        part.suptitle(f"{title} (predicted category, number of parts, confidence)", fontsize=10)
        axes = part.subplots(2, count, squeeze=False)
        for column, row in enumerate(rows.itertuples()):
            plain, colored = f"thumbnails/{row.object_id}.png", f"objects/{row.object_id}/thumbnail.png"
            for axis, path in zip(axes[:, column], (plain, colored), strict=True):
                axis.imshow(np.asarray(Image.open(root / path).convert("RGB")))
                axis.axis("off")
            label = f"{words(str(row.category))}, {row.parts} parts, {row.confidence:.2f}"
            axes[0, column].set_title(fill(label, 20), fontsize=8)
    return figure
