"""Long result tables, as CSV for programs and as Markdown for people."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.intervals import Interval

COLUMNS = ["method", "test_set", "metric", "value", "low", "high", "n", "seeds"]
DIGITS = 4


def row(method: str, test_set: str, metric: str, interval: Interval, seeds: int = 1) -> dict[str, object]:
    """Return one row of a long table; ``n`` counts shapes."""
    bounds = {name: round(getattr(interval, name), DIGITS) for name in ("value", "low", "high")}
    return {
        "method": method,
        "test_set": test_set,
        "metric": metric,
        **bounds,
        "n": interval.n,
        "seeds": seeds,
    }


def long_table(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Return rows as a table of :data:`COLUMNS`."""
    return pd.DataFrame(list(rows), columns=COLUMNS)


def lookup(table: pd.DataFrame, **where: object) -> pd.Series:
    """Return the only row whose columns have these values; AlignPartsError for none or several."""
    rows = _matching(table, where)
    if len(rows) != 1:
        values = ", ".join(f"{name} = {wanted}" for name, wanted in where.items())
        raise AlignPartsError(f"table: {len(rows)} rows with {values}; expected one")
    return rows.iloc[0]


def value(table: pd.DataFrame, **where: object) -> float | None:
    """Return the value of :func:`lookup`; None where there is no row."""
    return float(lookup(table, **where).value) if len(_matching(table, where)) else None


def _matching(table: pd.DataFrame, where: Mapping[str, object]) -> pd.DataFrame:
    for name, wanted in where.items():
        if name not in table:
            raise AlignPartsError(f"table: no column '{name}'; expected one of {', '.join(table.columns)}")
        table = table[table[name] == wanted]
    return table


def by_set(table: pd.DataFrame) -> pd.DataFrame:
    """Return a long table for people: one row per test set and method, one column per metric."""
    key = ["test_set", "method"]
    cells = table.assign(
        cell=[f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]" for row in table.itertuples()]
    )
    wide = cells.set_index([*key, "metric"]).cell.unstack(fill_value="–", sort=False)
    wide.insert(0, "shapes", table.groupby(key, sort=False).n.max())
    wide = wide.reset_index().rename(columns={"test_set": "test set"}).rename_axis(columns=None)
    return wide[["test set", "shapes", *wide.columns.drop(["test set", "shapes"])]]


def marks(table: pd.DataFrame) -> pd.DataFrame:
    """Return rows of method, metric and value for people: a row per method, a column per metric."""
    texts = table.assign(value=table.value.map(str)).set_index(["method", "metric"]).value
    return texts.unstack(sort=False).reset_index().rename_axis(columns=None)


def write_table(folder: Path, name: str, table: pd.DataFrame, people: pd.DataFrame | None = None) -> None:
    """Write ``<name>.csv`` and its Markdown twin ``<name>.md``, atomically."""
    write_text(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    write_text(folder / f"{name}.md", (table if people is None else people).to_markdown(index=False) + "\n")


def write_rows(path: Path, rows: pd.DataFrame) -> None:
    """Write results of single shapes or parts as CSV with nine decimals, atomically."""
    write_text(path, rows.to_csv(index=False, lineterminator="\n", float_format="%.9f"))


def read_rows(path: Path) -> pd.DataFrame:
    """Read a table in which only an empty cell means nothing: a part may be called "None"."""
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; run: dvc repro evaluate")
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def read(reports: Path, name: str) -> pd.DataFrame:
    """Read the table ``reports/<stage>/<name>.csv``; AlignPartsError unless one stage has written it."""
    written = sorted(reports.glob(f"*/{name}.csv"))
    if len(written) != 1:
        stages = ", ".join(path.parent.name for path in written) or "none"
        raise AlignPartsError(
            f"{reports}: expected one stage with the table {name}.csv, got {stages}; run: dvc repro report"
        )
    return read_rows(written[0])
