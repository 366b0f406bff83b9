"""Rank the predicted objects in the order of their review (section 13)."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import entr
from tqdm.auto import tqdm

from alignparts.core.atomic import write_atomically
from alignparts.core.config.texparts import Order
from texparts.annotation.objects import About, object_folders
from texparts.filter.filter import read_filtered

COLUMNS = ("object_id", "rank", "category", "confidence", "uncertainty", "parts", "auto_accepted")
"""Columns of queue.parquet; ``auto_accepted`` is a share of the parts."""


def rank(root: Path, order: Order = "confident") -> pd.DataFrame:
    """Order the predicted objects and write ``queue.parquet``.

    "confident" takes the highest mean confidence of the parts first, as the paper does: little is to be
    corrected. "uncertain" takes the highest uncertainty first: a correction teaches the model most. "diverse"
    does so with the categories taking turns, so that the first objects are not all of one kind. Equal ones
    are in the order of their ids.

    Objects of the work folder that the filter has left out since are left out. The table has :data:`COLUMNS`,
    by rank from 1. AlignPartsError tells that nothing was filtered or predicted.
    """
    _, filtered = read_filtered(root)
    wanted = set(filtered.loc[filtered["kept"], "object_id"])
    folders = [folder for folder in object_folders(root) if folder.object_id in wanted]
    rows = [_row(folder.about()) for folder in tqdm(folders, desc="rank", mininterval=2.0, leave=False)]
    queue = sort_queue(pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "rank"]), order)
    queue.insert(1, "rank", np.arange(1, len(queue) + 1))
    write_atomically(root / "queue.parquet", lambda path: queue.to_parquet(path, index=False))
    return queue


def sort_queue(queue: pd.DataFrame, order: Order) -> pd.DataFrame:
    """Sort the rows in an order of :func:`rank`."""
    if order == "confident":
        by, ascending = ["confidence", "object_id"], [False, True]
        return queue.sort_values(by, ascending=ascending, ignore_index=True)
    queue = queue.sort_values(["uncertainty", "object_id"], ascending=[False, True], ignore_index=True)
    if order == "diverse":
        turn = queue.groupby("category").cumcount()
        queue = queue.iloc[np.lexsort((np.arange(len(queue)), turn))].reset_index(drop=True)
    return queue


def uncertainty(about: About) -> float:
    """Return the bits that a person's judgment of all names is expected to tell: the parts' summed entropies.

    The confidence in a name is taken for the probability that it is right. An object without parts has none.
    """
    sure = np.array([part.confidence for part in about.parts])
    return float((entr(sure) + entr(1 - sure)).sum() / np.log(2))


def _row(about: About) -> tuple[str, str, float, float, int, float]:
    accepted = float(np.mean([part.auto_accepted for part in about.parts])) if about.parts else 0.0
    return about.object_id, about.category, about.confidence, uncertainty(about), len(about.parts), accepted
