"""Declaration of the site: one entry per page in ``pages.yaml``, drawn by :mod:`site.build`."""

from pathlib import Path

import yaml
from pydantic import BaseModel

DECLARED = Path(__file__).resolve().parent / "pages.yaml"


class Table(BaseModel, frozen=True, extra="forbid"):
    """A table of a page; its columns decide how it is drawn (:func:`site.tables.draw`)."""

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


def read_site(path: Path = DECLARED) -> Site:
    """Read the declaration of the site."""
    return Site(**yaml.safe_load(path.read_text()))
