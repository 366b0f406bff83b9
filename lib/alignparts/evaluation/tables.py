"""Long result tables: CSV for programs, with a Markdown twin for people."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from alignparts.core.atomic import write_text
from alignparts.model.metrics import Interval

COLUMNS = ["method", "test_set", "metric", "value", "low", "high", "n", "seeds"]
DIGITS = 4


def row(method: str, test_set: str, metric: str, interval: Interval, seeds: int = 1) -> dict[str, object]:
    """One row of a long table; ``n`` counts shapes."""
    return {
        "method": method,
        "test_set": test_set,
        "metric": metric,
        "value": round(interval.value, DIGITS),
        "low": round(interval.low, DIGITS),
        "high": round(interval.high, DIGITS),
        "n": interval.n,
        "seeds": seeds,
    }


def long_table(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Rows as a table of :data:`COLUMNS`."""
    return pd.DataFrame(list(rows), columns=COLUMNS)


def wide(table: pd.DataFrame) -> pd.DataFrame:
    """A long table for people: one row a method, one column a test set and metric, "value [low, high]"."""
    sets = list(dict.fromkeys(table.test_set))
    counts = {name: int(table[table.test_set == name].n.max()) for name in sets}
    cells: dict[str, dict[str, str]] = {method: {} for method in dict.fromkeys(table.method)}
    columns = [
        f"{name} ({counts[name]}) {metric}"
        for name in sets
        for metric in dict.fromkeys(table[table.test_set == name].metric)
    ]
    for one in table.itertuples():
        text = f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"
        cells[str(one.method)][f"{one.test_set} ({counts[str(one.test_set)]}) {one.metric}"] = text
    body = [
        {"method": method, **{name: found.get(name, "–") for name in columns}}
        for method, found in cells.items()
    ]
    return pd.DataFrame(body, columns=["method", *columns])


def by_set(table: pd.DataFrame) -> pd.DataFrame:
    """A long table for people: one row a method and test set, one column a metric."""
    metrics = list(dict.fromkeys(table.metric))
    body = []
    for (test_set, method), group in table.groupby(["test_set", "method"], sort=False):
        found = {one.metric: f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in group.itertuples()}
        body.append({"test set": test_set, "shapes": int(group.n.max()), "method": method,
                     **{name: found.get(name, "–") for name in metrics}})  # fmt: skip
    return pd.DataFrame(body)


def marks(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of method, metric and value for people: one row a method, one column a metric."""
    cells: dict[str, dict[str, str]] = {str(method): {"method": str(method)} for method in table.method}
    for one in table.itertuples():
        cells[str(one.method)][str(one.metric)] = str(one.value)
    return pd.DataFrame(list(cells.values()))


def write_table(folder: Path, name: str, table: pd.DataFrame, people: pd.DataFrame | None = None) -> None:
    """Write ``<name>.csv`` and its Markdown twin ``<name>.md``, atomically."""
    write_text(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    shown = table if people is None else people
    write_text(folder / f"{name}.md", shown.to_markdown(index=False) + "\n")
