"""What the site has: one declaration a page in ``pages.yaml``, drawn by :mod:`site.build`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DECLARED = Path(__file__).resolve().parent / "pages.yaml"


@dataclass(frozen=True)
class Table:
    """A table of a page.

    Attributes:
        csv: stem in ``reports/tables``. What it looks like follows from its columns: a long table of
            :mod:`alignparts.evaluation.tables` gets a block a test set, one of
            :func:`comparison.paired_table` becomes sentences, anything else is shown as it is.
        heading: over it.
        note: under the heading.
        paper: stem in the resources whose ``value`` is joined on its other columns; "" for none.
        required: its absence is an error; otherwise the section is left out.
    """

    csv: str
    heading: str
    note: str = ""
    paper: str = ""
    required: bool = False


@dataclass(frozen=True)
class Figure:
    """Pictures of a page; those that were not made are left out.

    Attributes:
        names: stems in ``reports/figures``; a 3D twin is ``reports/3d/<stem>.html``.
        caption: what they show.
        number: of the paper's figure, 0 for none; pictures called ``figure<number>…`` belong to it too.
    """

    names: tuple[str, ...]
    caption: str
    number: int = 0


@dataclass(frozen=True)
class Page:
    """One page of the site.

    Attributes:
        slug: name of the file; also the row of ``differences.csv``.
        title: heading.
        summary: one line, for the card on the first page.
        stage: of ``dvc.yaml``, which makes what the page shows.
        notebook: stem in ``notebooks``.
        text: paragraphs before the tables.
        tables: in order.
        figures: in order, after the tables.
        metrics: stem in ``reports/metrics``, shown at the end; "" for none.
    """

    slug: str
    title: str
    summary: str
    stage: str
    notebook: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    metrics: str = ""

    @property
    def command(self) -> str:
        """What to type to make it."""
        return f"dvc repro {self.stage}"


def read_pages(path: Path = DECLARED) -> tuple[Page, ...]:
    """The pages of tables, in order."""
    return tuple(
        Page(
            **entry
            | {
                "text": tuple(entry.get("text", ())),
                "tables": tuple(Table(**one) for one in entry.get("tables", ())),
                "figures": tuple(_figure(one) for one in entry.get("figures", ())),
            }
        )
        for entry in yaml.safe_load(path.read_text())["pages"]
    )


def read_figures(path: Path = DECLARED) -> tuple[Figure, ...]:
    """The paper's figures, by number."""
    return tuple(_figure(one) for one in yaml.safe_load(path.read_text())["figures"])


def _figure(entry: dict[str, Any]) -> Figure:
    return Figure(**entry | {"names": tuple(entry["names"])})
