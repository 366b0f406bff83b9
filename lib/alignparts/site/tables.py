"""Result tables as HTML, ours beside the paper's, and claims as sentences; text from data is escaped."""

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup, escape

from alignparts.core.errors import AlignPartsError
from alignparts.core.paths import RESOURCES
from alignparts.evaluation.tables import COLUMNS

NOTHING = "–"
OURS, PAPER = "ours", "paper"
BLOCKS = 8
"""More test sets than these become rows of one table instead of a table each."""
ROWS = 200
"""Number of rows that a table shows; the file has the rest."""
FIRST = ("average", "all pairs", "all")
"""Test sets that come before the others."""


class Sentence(NamedTuple):
    """A tested claim in words."""

    claim: str  # "A > B in LA-mIoU"
    verdict: str  # "holds", "does not hold" or "undecided"
    numbers: str  # difference, interval, p, n
    paper: str = ""  # the paper's own numbers, where it has any


def read(path: Path) -> pd.DataFrame:
    """Read a CSV file in which only an empty cell means nothing: a part may be called "None"."""
    try:
        return pd.read_csv(path, keep_default_na=False, na_values=[""])
    except pd.errors.EmptyDataError:
        return pd.DataFrame()


def find(reports: Path, name: str) -> Path | None:
    """Return the file of a result in the folder of the stage that made it; None where it was not made."""
    return next(iter(results(reports, name)), None)


def results(reports: Path, pattern: str) -> list[Path]:
    """Return the files of all stages that match a pattern; timings are no results."""
    paths = sorted(reports.glob(f"*/{pattern}"))
    return [path for path in paths if path.parent.name != "timings"]


def resource(name: str) -> pd.DataFrame:
    """Read a table that ships with the package."""
    return read(RESOURCES / f"{name}.csv")


def draw(ours: pd.DataFrame, paper: pd.DataFrame | None, name: str) -> list[Markup]:
    """Draw a long table (method, metric, value, and more) beside the paper's, or any other table as it is.

    The paper's has keys and a column ``value``; the name stands in messages and captions.

    Raises:
        AlignPartsError: the paper's keys are no columns of ours.
    """
    if paper is not None:
        return long_tables(beside(ours, paper, name))
    if {"method", "metric", "value"} <= set(ours):
        return long_tables(ours)
    return [plain_table(ours, name.replace("_", " "))]


def beside(ours: pd.DataFrame, paper: pd.DataFrame, name: str = "table") -> pd.DataFrame:
    """Return our long table with a column ``paper``, and the paper's further rows at its end.

    Raises:
        AlignPartsError: a key of the paper's is no column of ours.
        pandas.errors.MergeError: a row of the paper's is there twice.
    """
    keys = paper.columns.drop("value").tolist()
    for key in keys:
        if key not in ours:
            raise AlignPartsError(f"{name}.csv: no column '{key}' to join the paper's numbers on")
    theirs = paper.rename(columns={"value": PAPER})
    further = ~pd.MultiIndex.from_frame(theirs[keys]).isin(pd.MultiIndex.from_frame(ours[keys]))
    joined = ours.merge(theirs, on=keys, how="left", validate="m:1")
    return pd.concat([joined, theirs[further]], ignore_index=True)


def long_tables(table: pd.DataFrame) -> list[Markup]:
    """Draw a long table as one table per test set, or as one where there are no or many test sets.

    Further columns of the table (a setting, a strength) stand before the method.
    """
    keys = [column for column in table.columns if column not in (*COLUMNS, PAPER)]
    if "test_set" not in table:
        return [_long_table(table, [*keys, "method"], "")]
    sets = sorted(dict.fromkeys(table.test_set), key=lambda name: name not in FIRST)
    if len(sets) > BLOCKS:
        return [_long_table(table, [*keys, "test_set", "method"], "")]
    return [_long_table(table[table.test_set == name], [*keys, "method"], str(name)) for name in sets]


def _long_table(table: pd.DataFrame, keys: list[str], caption: str) -> Markup:
    quoted = set(table[table[PAPER].notna()].metric) if PAPER in table else set()
    counts = [name for name in ("n", "seeds") if name in table and table[name].notna().any()]
    columns = [("", key) for key in keys]
    for metric in dict.fromkeys(table.metric):
        columns += [(metric, OURS), *([(metric, PAPER)] if metric in quoted else [])]
    columns += [("", name) for name in counts]
    lines = []
    for key, rows in table.groupby(keys, sort=False, dropna=False):
        line = {("", name): escape(readable(part)) for name, part in zip(keys, key, strict=True)}
        for row in rows.to_dict("records"):
            line[row["metric"], OURS] = _value(row)
            quote = readable(row.get(PAPER))
            line[row["metric"], PAPER] = Markup('<span class="paper">{}</span>').format(quote)
        for name in counts:
            line["", name] = escape(NOTHING if rows[name].isna().all() else int(rows[name].max()))
        lines.append(line)
    frame = pd.DataFrame(lines, columns=pd.MultiIndex.from_tuples(columns)).fillna(NOTHING)
    return _html(frame, caption, "numbers")


def _value(row: dict[Any, Any]) -> Markup:
    interval = f"[{readable(row.get('low'))}, {readable(row.get('high'))}]"
    if pd.isna(row["value"]) or NOTHING in interval:
        return escape(readable(row["value"]))
    return Markup("{} <small>{}</small>").format(readable(row["value"]), interval)


def plain_table(table: pd.DataFrame, caption: str = "", rows: int = ROWS) -> Markup:
    """Draw the first rows of any table as it is."""
    below = f"The first {rows} of {len(table)} rows." if len(table) > rows else ""
    return _html(table.head(rows).map(lambda value: escape(readable(value))), caption, "", below)


def _html(frame: pd.DataFrame, caption: str, kind: str, below: str = "") -> Markup:
    """Return a table of escaped cells in a box that scrolls."""
    headed = frame.rename(columns=lambda name: escape(str(name).replace("_", " ")))
    drawn = Markup(headed.to_html(index=False, border=0, escape=False, classes=kind))
    note = Markup('<p class="note">{}</p>').format(below) if below else ""
    title = Markup("<p><strong>{}</strong></p>").format(caption) if caption else ""
    return Markup("{}{}{}").format(title, box(drawn, caption or "Table"), note)


def box(drawn: Markup, label: str) -> Markup:
    """Return what may be wider than a page in a box that scrolls, by keys too."""
    region = Markup('<div class="box" role="region" aria-label="{}" tabindex="0">{}</div>')
    return region.format(label, drawn)


def is_claims(table: pd.DataFrame) -> bool:
    """Return whether a table is one of tested claims."""
    return {"better", "worse", "verdict"} <= set(table)


def sentences(claims: pd.DataFrame, paper: pd.DataFrame | None = None) -> list[Sentence]:
    """Put a table of :func:`comparison.paired_table` in words, beside the paper's numbers."""
    return [
        Sentence(
            f"{row.better} > {row.worse} in {row.metric}",
            str(row.verdict),
            f"{row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}], {probability(row.p)}, "
            f"Holm {probability(row.p_holm)}, n = {int(row.n)}",
            "" if paper is None else _paper_says(str(row.better), str(row.worse), str(row.metric), paper),
        )
        for _, row in claims.iterrows()
    ]


def _paper_says(better: str, worse: str, metric: str, paper: pd.DataFrame) -> str:
    values = paper[(paper.test_set == "average") & (paper.metric == metric)].set_index("method").value
    if not {better, worse} <= set(values.index):
        return ""
    high, low = float(values[better]), float(values[worse])
    sign = ">" if high > low else "<" if high < low else "="
    return f"{high:.3f} {sign} {low:.3f} ({high - low:+.3f})"


def probability(p: float) -> str:
    """Return "p = 0.012", or "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def readable(value: object) -> str:
    """Return a value for people: three decimals, fewer for large numbers, – for nothing."""
    if isinstance(value, str):
        return value.strip() or NOTHING
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return NOTHING
    if not isinstance(value, float):
        return str(value)
    size = abs(value)
    if 0 < size < 0.001:
        return f"{value:.2g}"
    return f"{value:.3f}" if size < 10 else f"{value:.1f}" if size < 100 else f"{value:.0f}"


def flat(values: object, prefix: str = "") -> dict[str, str]:
    """Return metrics by name, nested names joined by a middle dot."""
    if not isinstance(values, dict):
        return {prefix.replace("_", " "): readable(values)}
    joined = {f"{prefix} · {name}" if prefix else str(name): value for name, value in values.items()}
    return {key: text for name, value in joined.items() for key, text in flat(value, name).items()}
