"""The static site: pages of tables, figures, deviations and checklists, and the ledger beside it.

Plain HTML, one style sheet, relative links. What differs from run to run, seconds above all, stands on
one page outside the site's folder, ``reports/timings/ledger.html``, so that two clones make the same site.
"""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from alignparts.core import ledger, paths
from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import Verdict
from alignparts.report.site import content, grids
from alignparts.report.site.pages import Page, read_figures, read_pages

HERE = Path(__file__).resolve().parent
STYLE = "style.css"
FIXED = (
    ("figures", "Figures", "The paper's figures on the embedded corpus, with 3D twins."),
    ("deviations", "Deviations", "Where this build departs from the paper's text, and why."),
    ("checklists", "Checklists", "The reproducibility checklists, answered with where to look."),
)
"""Pages that are not tables: slug, title, summary."""
VERDICTS: dict[Verdict, str] = {"holds": "hold", "does not hold": "do not hold", "undecided": "undecided"}


@dataclass(frozen=True)
class Built:
    """What was written.

    Attributes:
        index: the first page.
        pages: slugs of all pages, in order.
        left_out: pages that had nothing to show, each with the command that makes it.
    """

    index: Path
    pages: list[str]
    left_out: dict[str, str]


def build(reports: Path, notebooks: Path = paths.NOTEBOOKS, pages: Sequence[Page] | None = None) -> Built:
    """Write ``reports/site`` anew, and ``reports/timings/ledger.html``.

    Args:
        reports: holds ``tables``, ``figures``, ``metrics``, and where they were made ``3d`` and ``timings``.
        notebooks: that pages link to.
        pages: of tables; those of ``pages.yaml`` by default.

    Raises:
        AlignPartsError: a required table is missing, or ``reports/site`` is something else than a site.
    """
    site = reports / "site"
    there = content.Folder(reports, site, notebooks)
    pages = read_pages() if pages is None else pages
    bodies = {page.slug: _page(page, there) for page in pages}
    shown = [page for page in pages if bodies[page.slug] is not None]
    left_out = {page.title: page.command for page in pages if bodies[page.slug] is None}
    figures = content.figures(read_figures(), there)
    links = [*((page.slug, page.title, page.summary) for page in shown), *FIXED]
    menu = [(slug, title.split(":")[0]) for slug, title, _ in links]
    templates = environment()

    def write(slug: str, template: str, **values: Any) -> None:
        text = templates.get_template(template).render(slug=slug, menu=menu, base="", **values)
        write_text(site / f"{slug}.html", text)

    clear(site)
    for page in shown:
        write(page.slug, "page.html", page=page, title=page.title, **(bodies[page.slug] or {}))
    write(
        "index", "index.html", title="ALIGN-Parts: the report", cards=links, left_out=left_out,
        main=content.main_grid(there), findings=_findings(shown, bodies), facts=content.facts(there),
        picture=content.picture("tour", there),
    )  # fmt: skip
    write("figures", "figures.html", title="Figures", figures=figures, others=_others(there, shown, figures))
    write("deviations", "deviations.html", title="Deviations", grids=content.deviations(shown))
    write("checklists", "checklists.html", title="Checklists", checklists=content.checklists(there))
    there.copy_pictures()
    shutil.copyfile(HERE / STYLE, site / STYLE)
    write_ledger(reports, menu)
    return Built(site / "index.html", ["index", *(slug for slug, _ in menu)], left_out)


def environment() -> Environment:
    """Templates that escape whatever comes from data, and fail on a name that is not there."""
    return Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip


def clear(site: Path) -> None:
    """Empty the site's folder, so that nothing of an earlier site stays.

    Raises:
        AlignPartsError: the folder holds something, and it is no site.
    """
    if site.is_dir() and any(site.iterdir()) and not (site / "index.html").is_file():
        raise AlignPartsError(f"{site}: expected a site or nothing; empty the folder or choose another")
    if site.is_dir():
        shutil.rmtree(site)


def write_ledger(reports: Path, menu: Iterable[tuple[str, str]]) -> Path:
    """Write ``reports/timings/ledger.csv`` and ``ledger.html``: what every stage cost, and all timings."""
    folder = reports / "timings"
    found = ledger.collect(folder / "ledger")
    if len(found):
        write_text(folder / "ledger.csv", found.to_csv(index=False, lineterminator="\n"))
    tables = [grids.plain_grid(found, "Pipeline")] if len(found) else []
    for path in sorted(folder.glob("*.csv")):
        if path.name != "ledger.csv":
            tables.append(grids.plain_grid(content.read_table(path), path.stem))
    text = environment().get_template("ledger.html").render(
        slug="ledger", title="Compute ledger", menu=list(menu), base="../site/", grids=tables,
        totals=ledger.totals(found), paper=grids.plain_grid(content.resource("paper_seconds")),
        pictures=[path.name for path in sorted(folder.glob("*.png"))],
    )  # fmt: skip
    write_text(folder / "ledger.html", text)
    return folder / "ledger.html"


def _page(page: Page, there: content.Folder) -> dict[str, Any] | None:
    """What the template needs; None where nothing of the page was made."""
    sections = []
    for table in page.tables:
        found = there.table(table, page)
        if found is not None:
            paper = content.resource(table.paper) if table.paper else None
            drawn = grids.section(found, paper, table.csv)
            sections.append((table, drawn, there.link(there.reports / "tables" / f"{table.csv}.csv")))
    figures = content.figures(page.figures, there)
    if not sections and not figures:
        return None
    return {
        "sections": sections,
        "figures": figures,
        "differences": content.differences(page.slug),
        "metrics": there.metrics(page.metrics) if page.metrics else [],
        "notebook": there.link(there.notebooks / f"{page.notebook}.ipynb"),
    }


def _findings(
    pages: Iterable[Page], bodies: dict[str, dict[str, Any] | None]
) -> list[tuple[str, str, dict[str, int]]]:
    """How the tested claims of every page came out: slug, title, claims by verdict."""
    found = []
    for page in pages:
        drawn = [one for _, one, _ in (bodies[page.slug] or {"sections": []})["sections"]]
        said = [sentence.verdict for one in drawn for sentence in one.sentences]
        if said:
            found.append((page.slug, page.title, {words: said.count(one) for one, words in VERDICTS.items()}))
    return found


def _others(
    there: content.Folder, pages: Iterable[Page], figures: Iterable[content.Drawn]
) -> list[content.Picture]:
    """Pictures that no figure of the paper and no page shows."""
    taken = {one.name for drawn in figures for one in drawn.pictures}
    taken |= {name for page in pages for figure in page.figures for name in figure.names}
    names = sorted(path.stem for path in (there.reports / "figures").glob("*.png"))
    found = [content.picture(name, there) for name in names if name not in taken]
    return [one for one in found if one is not None]
