"""Result tables as grids of cells, ours beside the paper's, and claims as sentences.

A grid holds text only; the templates escape it.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.tables import COLUMNS

NOTHING = "–"
OURS, PAPER = "embedded corpus", "paper"
BLOCKS = 8
"""More test sets than this become rows instead of a block each."""
ROWS = 200
"""A table that is shown as it is stops there; the file has the rest."""
FIRST = ("average", "all pairs", "all")
"""Test sets that come before the others."""


@dataclass(frozen=True)
class Cell:
    """One cell of a grid.

    Attributes:
        text: what it says.
        note: smaller, after it: the interval.
        kind: "number", "text", "paper" or "row" (what the row is about).
        columns: that it spans; only in heads.
    """

    text: str
    note: str = ""
    kind: str = "text"
    columns: int = 1


@dataclass(frozen=True)
class Grid:
    """A table to draw.

    Attributes:
        caption: over it.
        head: its rows of heads.
        body: its other rows.
        below: what to say under it.
        stack: it holds prose, so that a narrow screen shows cell under cell.
    """

    caption: str
    head: list[list[Cell]]
    body: list[list[Cell]]
    below: str = ""
    stack: bool = False


@dataclass(frozen=True)
class Sentence:
    """A tested claim in words.

    Attributes:
        claim: "A > B in LA-mIoU".
        verdict: "holds", "does not hold" or "undecided".
        numbers: difference, interval, p, n.
        paper: what the paper's own numbers say; "" where it has none.
    """

    claim: str
    verdict: str
    numbers: str
    paper: str = ""


@dataclass(frozen=True)
class Section:
    """What a table of a page became: grids, or sentences."""

    grids: list[Grid] = field(default_factory=list)
    sentences: list[Sentence] = field(default_factory=list)


def section(ours: pd.DataFrame, paper: pd.DataFrame | None, name: str) -> Section:
    """Draw any table; what it is follows from its columns.

    Args:
        ours: a long table (method, metric, value, and more), a table of claims, or any other.
        paper: keys and a column ``value``.
        name: of the table, for messages and captions.

    Raises:
        AlignPartsError: the paper's keys are no columns of ours.
    """
    if {"better", "worse", "verdict"} <= set(ours):
        return Section(sentences=sentences(ours, paper))
    if {"method", "metric", "value"} <= set(ours):
        return Section(grids=long_grids(ours if paper is None else beside(ours, paper, name)))
    if paper is not None:
        raise AlignPartsError(
            f"{name}.csv: expected the columns method, metric, value to join the paper's on"
        )
    return Section(grids=[plain_grid(ours, name)] if len(ours) else [])


def beside(ours: pd.DataFrame, paper: pd.DataFrame, name: str = "table") -> pd.DataFrame:
    """Our long table with a column ``paper``, and the paper's own rows at the end where we have none.

    Raises:
        AlignPartsError: a key of the paper's is no column of ours, or one of its rows is there twice.
    """
    keys = [column for column in paper.columns if column != "value"]
    missing = [key for key in keys if key not in ours]
    if missing:
        raise AlignPartsError(f"{name}.csv: no column '{missing[0]}' to join the paper's numbers on")
    if paper.duplicated(keys).any():
        raise AlignPartsError(f"the paper's numbers for {name}: a row is there twice")
    theirs = paper.rename(columns={"value": PAPER})
    joined = ours.merge(theirs, on=keys, how="left", validate="many_to_one")
    known = pd.MultiIndex.from_frame(ours[keys])
    extra = theirs[~pd.MultiIndex.from_frame(theirs[keys]).isin(known)]
    return pd.concat([joined, extra], ignore_index=True) if len(extra) else joined


def long_grids(table: pd.DataFrame) -> list[Grid]:
    """A long table as one grid a test set, or as one grid where there are no or many test sets.

    Further columns of the table (a setting, a strength) stand before the method.
    """
    keys = [c for c in table.columns if c not in (*COLUMNS, PAPER)]
    if "test_set" not in table:
        return [_long_grid(table, [*keys, "method"], "")]
    sets = sorted(dict.fromkeys(table.test_set), key=lambda one: one not in FIRST)
    if len(sets) > BLOCKS:
        return [_long_grid(table, [*keys, "test_set", "method"], "")]
    return [_long_grid(table[table.test_set == one], [*keys, "method"], str(one)) for one in sets]


def _long_grid(table: pd.DataFrame, keys: list[str], caption: str) -> Grid:
    metrics = list(dict.fromkeys(table.metric))
    quoted = {m for m in metrics if PAPER in table and table[table.metric == m][PAPER].notna().any()}
    counts = [name for name in ("n", "seeds") if name in table and table[name].notna().any()]
    first = [Cell("", columns=len(keys))]
    second = [Cell(name.replace("_", " ")) for name in keys]
    for metric in metrics:
        first.append(Cell(str(metric), columns=2 if metric in quoted else 1))
        second.append(Cell(OURS if "test_set" in table else "ours", kind="number"))
        if metric in quoted:
            second.append(Cell(PAPER, kind="paper"))
    if counts:
        first.append(Cell("", columns=len(counts)))
        second += [Cell(name, kind="number") for name in counts]
    body = []
    for key, rows in table.groupby(keys, sort=False, dropna=False):
        line = [Cell(said(part), kind="row") for part in _parts(key)]
        for metric in metrics:
            found = rows[rows.metric == metric]
            line.append(_value(found))
            if metric in quoted:
                line.append(Cell(said(found[PAPER].iloc[0]) if len(found) else NOTHING, kind="paper"))
        body.append(line + [Cell(_count(rows[name]), kind="number") for name in counts])
    return Grid(caption, [first, second], body)


def _count(values: pd.Series) -> str:
    return NOTHING if values.isna().all() else str(int(values.max()))


def _parts(key: Hashable) -> tuple[object, ...]:
    return key if isinstance(key, tuple) else (key,)


def _value(found: pd.DataFrame) -> Cell:
    if not len(found) or pd.isna(found.value.iloc[0]):
        return Cell(NOTHING, kind="number")
    one = found.iloc[0]
    interval = "low" in found and "high" in found and pd.notna(one.low) and pd.notna(one.high)
    return Cell(said(one.value), f"[{said(one.low)}, {said(one.high)}]" if interval else "", "number")


def plain_grid(table: pd.DataFrame, caption: str = "", rows: int = ROWS, stack: bool = False) -> Grid:
    """Any table as it is, its first rows."""
    numbers = {name: pd.api.types.is_numeric_dtype(table[name]) for name in table.columns}
    kinds = ["number" if numbers[name] else "text" for name in table.columns]
    head = [Cell(str(n).replace("_", " "), kind=k) for n, k in zip(table.columns, kinds, strict=True)]
    body = [
        [Cell(said(value), kind=kind) for value, kind in zip(line, kinds, strict=True)]
        for line in table.head(rows).itertuples(index=False, name=None)
    ]
    below = f"The first {rows} of {len(table)} rows." if len(table) > rows else ""
    return Grid(caption.replace("_", " "), [head], body, below, stack)


def sentences(claims: pd.DataFrame, paper: pd.DataFrame | None = None) -> list[Sentence]:
    """A table of :func:`comparison.paired_table` in words, and what the paper's numbers say."""
    return [
        Sentence(
            f"{one.better} > {one.worse} in {one.metric}",
            str(one.verdict),
            f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}], {probability(one.p)}, "
            f"Holm {probability(one.p_holm)}, n = {int(one.n)}",
            "" if paper is None else _paper_says(str(one.better), str(one.worse), str(one.metric), paper),
        )
        for _, one in claims.iterrows()
    ]


def _paper_says(better: str, worse: str, metric: str, paper: pd.DataFrame) -> str:
    own = paper[(paper.test_set == "average") & (paper.metric == metric)].set_index("method").value
    if better not in own.index or worse not in own.index:
        return ""
    high, low = float(own[better]), float(own[worse])
    sign = ">" if high > low else "<" if high < low else "="
    return f"{high:.3f} {sign} {low:.3f} ({high - low:+.3f})"


def probability(p: float) -> str:
    """ "p = 0.012", "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def said(value: object) -> str:
    """A value as people read it: three decimals, fewer for large numbers, – for nothing."""
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


def flat(values: object, prefix: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Metrics as (name, value), nested names joined by a middle dot."""
    if isinstance(values, dict):
        return [pair for name, one in values.items() for pair in flat(one, [*prefix, str(name)])]
    return [(" · ".join(prefix).replace("_", " "), said(values))]
