"""Small tables of what the load test and the view benchmark measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from alignparts.core.atomic import write_text


class Measure(NamedTuple):
    """A row: what, how much, in which unit, over how many."""

    measure: str
    value: float
    unit: str
    n: int


def write_measures(path: Path, rows: Sequence[Measure]) -> None:
    """Write a CSV of the columns measure, value, unit, n."""
    write_text(path, pd.DataFrame(list(rows)).to_csv(index=False, lineterminator="\n"))
