"""What the site shows: an entry of ``pages.yaml`` per page of tables."""

from pathlib import Path

import pandas as pd
import yaml
from pydantic import BaseModel

from alignparts.core.errors import AlignPartsError
from alignparts.site import tables

HERE = Path(__file__).resolve().parent


class Table(BaseModel, frozen=True, extra="forbid"):
    """A table of a page; its columns decide how it is drawn (:func:`tables.draw`)."""

    csv: str  # stem in the folder of the stage that makes it
    heading: str
    note: str = ""
    paper: str = ""  # stem of the paper's numbers in the resources, joined on all columns but "value"
    required: bool = False  # otherwise its section is left out where it was not made


class Figure(BaseModel, frozen=True, extra="forbid"):
    """Pictures of a page; those that were not made are left out."""

    names: tuple[str, ...]  # stems of pictures; reports/3d/<stage>/<stem>.html is a picture's 3D twin
    caption: str
    number: int = 0  # of the paper's figure


class Page(BaseModel, frozen=True, extra="forbid"):
    """One page of the site."""

    slug: str  # stem of the page; also the row of differences.csv
    title: str
    summary: str  # one line, for the card on the first page
    stage: str  # of dvc.yaml, which makes the results
    notebook: str  # stem in notebooks
    text: tuple[str, ...] = ()  # paragraphs before the tables
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    metrics: str = ""  # stem in reports/metrics, shown at the end

    @property
    def command(self) -> str:
        """Return the command that makes the results of the page."""
        return f"dvc repro {self.stage}"


class Site(BaseModel):
    """All pages of tables in order, and the paper's figures by number."""

    pages: tuple[Page, ...]
    figures: tuple[Figure, ...]


def read_site() -> Site:
    """Read the declaration of the site, an entry per page."""
    return Site(**yaml.safe_load((HERE / "pages.yaml").read_text()))


def read_table(reports: Path, table: Table, page: Page) -> tuple[Path, pd.DataFrame] | None:
    """Read a table of a page; None where it was not made or is empty.

    Raises:
        AlignPartsError: it is no CSV, or it is required and missing or empty.
    """
    name = f"{table.csv}.csv"
    path = tables.find(reports, name)
    try:
        frame = pd.DataFrame() if path is None else tables.read(path)
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise AlignPartsError(f"{path}: no table ({error}); run `{page.command}` again") from error
    if path is None or frame.empty:
        if table.required:
            wrong = "not there" if path is None else "no rows"
            raise AlignPartsError(f"{path or reports / name}: {wrong}; run `{page.command}`")
        return None
    return path, frame


def paper_of(table: Table) -> pd.DataFrame | None:
    """Return the paper's numbers for a table, if it has any."""
    return tables.resource(table.paper) if table.paper else None


def claims(reports: Path) -> list[tables.Sentence]:
    """Return the tested claims of all pages in words.

    Raises:
        AlignPartsError: a table is no CSV, or it is required and missing or empty.
    """
    asked = [(table, page) for page in read_site().pages for table in page.tables]
    read = [(table, found[1]) for table, page in asked if (found := read_table(reports, table, page))]
    return [
        sentence
        for table, frame in read
        if tables.is_claims(frame)
        for sentence in tables.sentences(frame, paper_of(table))
    ]
