"""The static site: pages of tables, figures, deviations and checklists, and the ledger beside it.

Plain HTML, one style sheet, relative links. What differs from run to run, seconds above all, stands on
one page outside the site's folder, ``reports/timings/ledger.html``, so that two clones make the same site.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic import BaseModel

from alignparts.core import ledger, paths
from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import AVERAGE
from alignparts.pictures.scene3d import write_library
from alignparts.report.site import tables

HERE = Path(__file__).resolve().parent
CHECKLISTS = paths.RESOURCES / "checklists.yaml"
FIXED = (
    ("figures", "Figures", "The paper's figures on the embedded corpus, with 3D twins."),
    ("deviations", "Deviations", "Where this build departs from the paper's text, and why."),
    ("checklists", "Checklists", "The reproducibility checklists, answered with where to look."),
)
"""Pages that are not tables: slug, title, summary."""
FACTS = {
    ("corpus", "shapes"): "shapes of the embedded corpus",
    ("corpus", "splits · train"): "of them for training",
    ("ontology", "categories unified"): "categories",
    ("ontology", "parts unified"): "named parts",
}
"""Metrics of the first page by stage and name."""
VERDICTS = {"holds": "hold", "does not hold": "do not hold", "undecided": "undecided"}


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


@dataclass(frozen=True)
class Built:
    """Result of :func:`build`."""

    index: Path  # first page
    pages: list[str]  # slugs of all pages, in order
    left_out: dict[str, str]  # titles of pages without anything to show, with the command that makes it
    claims: list[tables.Sentence]  # tested claims of all pages in words


class Picture(NamedTuple):
    """A picture of the site: its stem, and links to it and to its 3D twin, "" for none."""

    name: str
    link: str
    twin: str


class Section(NamedTuple):
    """A table of a page as HTML, or as sentences where it holds claims, with a link to its file."""

    table: Table
    drawn: list[Markup]
    sentences: list[tables.Sentence]
    file: str


@dataclass
class Results:
    """Results of a run for the pages of ``site``; remembers the pictures that they show."""

    reports: Path
    site: Path
    notebooks: Path
    used: dict[str, Path] = field(default_factory=dict)

    def link(self, target: Path) -> str:
        """Return the relative link from a page to a file; "" where there is none."""
        return Path(os.path.relpath(target, self.site)).as_posix() if target.exists() else ""

    def section(self, table: Table, page: Page) -> Section | None:
        """Return a table; None where it was not made or is empty.

        Raises:
            AlignPartsError: it is no CSV, or it is required and missing or empty.
        """
        name = f"{table.csv}.csv"
        path = tables.find(self.reports, name)
        try:
            frame = pd.DataFrame() if path is None else tables.read(path)
        except (pd.errors.ParserError, UnicodeDecodeError) as error:
            raise AlignPartsError(f"{path}: no table ({error}); run `{page.command}` again") from error
        if path is None or frame.empty:
            if table.required:
                wrong = "not there" if path is None else "no rows"
                raise AlignPartsError(f"{path or self.reports / name}: {wrong}; run `{page.command}`")
            return None
        paper = tables.resource(table.paper) if table.paper else None
        if {"better", "worse", "verdict"} <= set(frame):
            return Section(table, [], tables.sentences(frame, paper), self.link(path))
        return Section(table, tables.draw(frame, paper, table.csv), [], self.link(path))

    def picture(self, name: str) -> Picture | None:
        """Return a picture with its 3D twin; None where it was not made."""
        made = {
            f"figures/{name}.png": tables.find(self.reports, f"{name}.png"),
            f"3d/{name}.html": tables.find(self.reports / "3d", f"{name}.html"),
        }
        self.used |= {target: path for target, path in made.items() if path}
        link, twin = (target if path else "" for target, path in made.items())
        return Picture(name, link, twin) if link else None

    def figures(self, figures: Iterable[Figure]) -> list[tuple[str, list[Picture]]]:
        """Return captions and pictures of the figures of which any picture was made."""
        made = [(one.caption, [p for p in map(self.picture, one.names) if p]) for one in figures]
        return [(caption, pictures) for caption, pictures in made if pictures]

    def metrics(self, stage: str) -> dict[str, str]:
        """Return ``metrics/<stage>.json`` by name; empty where it was not made."""
        path = self.reports / "metrics" / f"{stage}.json"
        return tables.flat(json.loads(path.read_text())) if path.is_file() else {}

    def body(self, page: Page) -> dict[str, Any] | None:
        """Return the values of a page's template; None where nothing of the page was made."""
        sections = [made for made in (self.section(table, page) for table in page.tables) if made]
        figures = self.figures(page.figures)
        if not sections and not figures:
            return None
        claims = [claim for section in sections for claim in section.sentences]
        reasons = tables.resource("differences").fillna("").set_index("table").T.to_dict()
        return {
            "page": page,
            "title": page.title,
            "sections": sections,
            "figures": figures,
            "differences": {topic: text for topic, text in reasons.get(page.slug, {}).items() if text},
            "metrics": self.metrics(page.metrics),
            "notebook": self.link(self.notebooks / f"{page.notebook}.ipynb"),
            "verdicts": Counter(VERDICTS[claim.verdict] for claim in claims),
        }


def build(reports: Path, notebooks: Path = paths.NOTEBOOKS, pages: Sequence[Page] | None = None) -> Built:
    """Write ``reports/site`` anew, and ``reports/timings/ledger.html``.

    ``reports`` has a folder per stage, ``metrics``, and where they were made ``3d`` and ``timings``. The
    pages are those of ``pages.yaml`` by default; they link to the notebooks.

    Raises:
        AlignPartsError: a required table is missing, or ``reports/site`` is something else than a site.
    """
    declared, results = read_site(), Results(reports, reports / "site", notebooks)
    pages = declared.pages if pages is None else pages
    bodies = {page.slug: results.body(page) for page in pages}
    shown = {slug: body for slug, body in bodies.items() if body is not None}
    left_out = {page.title: page.command for page in pages if page.slug not in shown}
    cards = [(slug, body["title"], body["page"].summary) for slug, body in shown.items()] + list(FIXED)
    menu = [(slug, title.split(":")[0]) for slug, title, _ in cards]
    figures = [*declared.figures, *(figure for page in pages for figure in page.figures)]
    shown_names = {name for figure in figures for name in figure.names}
    others = sorted({path.stem for path in tables.results(reports, "*.png")} - shown_names)
    deviations = tables.resource("deviations").fillna("").to_dict("records")
    metrics = {label: results.metrics(stage).get(key) for (stage, key), label in FACTS.items()}
    facts = {label: text for label, text in metrics.items() if text is not None}
    fixed: dict[str, dict[str, Any]] = {
        "index": {
            "title": "ALIGN-Parts: the report", "cards": cards, "left_out": left_out, "facts": facts,
            "main": main_table(reports), "picture": results.picture("tour"),
            "findings": [(slug, body["title"], body["verdicts"]) for slug, body in shown.items()],
        },
        "figures": {
            "title": "Figures", "figures": results.figures(declared.figures),
            "others": [results.picture(name) for name in others],
        },
        "deviations": {"title": "Deviations", "pages": shown, "deviations": deviations},
        "checklists": {
            "title": "Checklists", "checklists": yaml.safe_load(CHECKLISTS.read_text()),
            "link": lambda name: results.link(paths.ROOT / name),
        },
    }  # fmt: skip
    render = partial(_render, menu)
    html = {slug: render(slug, "", **values) for slug, values in (shown | fixed).items()}
    if results.site.is_dir():  # nothing of an earlier site stays
        if any(results.site.iterdir()) and not (results.site / "index.html").is_file():
            raise AlignPartsError(f"{results.site}: expected a site or nothing; empty it or choose another")
        shutil.rmtree(results.site)
    for slug, text in html.items():
        write_text(results.site / f"{slug}.html", text)
    for target, source in sorted(results.used.items()):
        (results.site / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, results.site / target)
    if (results.site / "3d").is_dir():
        write_library(results.site / "3d")
    shutil.copyfile(HERE / "style.css", results.site / "style.css")
    write_ledger(reports / "timings", render)
    claims = [claim for body in shown.values() for part in body["sections"] for claim in part.sentences]
    return Built(results.site / "index.html", ["index", *(slug for slug, _ in menu)], left_out, claims)


def _render(menu: Sequence[tuple[str, str]], slug: str, base: str, **values: Any) -> str:
    """Fill the template of a page, with the path to the site; what comes from data is escaped."""
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    name = f"{slug}.html" if f"{slug}.html" in templates.list_templates() else "page.html"
    return templates.get_template(name).render(slug=slug, base=base, menu=menu, **values)


def main_table(reports: Path) -> Markup:
    """Return the two columns of Table 2 that sum the paper up, for the first page; "" without a table."""
    path = tables.find(reports, "table2.csv")
    if path is None:
        return Markup("")
    table = tables.beside(tables.read(path), tables.resource("paper_table2"), "table2")
    rows = table[(table.test_set == AVERAGE) & table.metric.isin(["mIoU", "LA-mIoU"])]
    return tables.long_tables(rows)[0] if len(rows) else Markup("")


def write_ledger(folder: Path, render: Callable[..., str]) -> None:
    """Write ``ledger.csv`` and ``ledger.html``: the cost of every stage, and all timings."""
    rows = ledger.collect(folder / "ledger")
    drawn = []
    if len(rows):
        write_text(folder / "ledger.csv", rows.to_csv(index=False, lineterminator="\n"))
        drawn.append(tables.plain_table(rows, "Pipeline"))
    timings = (path for path in sorted(folder.glob("*.csv")) if path.name != "ledger.csv")
    drawn += [tables.plain_table(tables.read(path), path.stem.replace("_", " ")) for path in timings]
    values = {
        "title": "Compute ledger", "tables": drawn, "totals": dict(ledger.totals(rows)),
        "paper": tables.plain_table(tables.resource("paper_seconds")),
        "pictures": [path.name for path in sorted(folder.glob("*.png"))],
    }  # fmt: skip
    write_text(folder / "ledger.html", render("ledger", "../site/", **values))
