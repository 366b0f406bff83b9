"""Build the static site: ``python -m alignparts.site.build`` fills ``build/site`` from ``reports``.

Plain HTML, one style sheet, relative links, pictures and tables copied: the folder stands alone on any
static host. It shows what the stages left; only 3D twins need scripts.
"""

import io
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image
from pygments.formatters import HtmlFormatter

from alignparts.core import ledger, paths
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import AVERAGE
from alignparts.site import chapters, tables, twins
from alignparts.site.pages import HERE, Figure, Page, Table, paper_of, read_site, read_table

SITE = paths.ROOT / "build" / "site"
CHECKLISTS = paths.RESOURCES / "checklists.yaml"
FIXED = (
    ("figures", "Figures", "The paper's figures on the embedded corpus, with 3D twins."),
    ("recipes", "Recipes", "Named parts in trimesh, Open3D, Blender, three.js and USD."),
    ("deviations", "Deviations", "Where this build departs from the paper's text, and why."),
    ("checklists", "Checklists", "The reproducibility checklists, answered with where to look."),
    ("ledger", "Compute ledger", "Seconds and memory of every stage."),
)
"""Pages that are neither tables nor chapters: slug, title, summary."""
FACTS = {
    ("corpus", "shapes"): "shapes of the embedded corpus",
    ("corpus", "splits · train"): "of them for training",
    ("ontology", "categories unified"): "categories",
    ("ontology", "parts unified"): "named parts",
}
"""Metrics of the first page by stage and name."""
VERDICTS = {"holds": "hold", "does not hold": "do not hold", "undecided": "undecided"}
CODE_COLORS = {"": "friendly", "@media (prefers-color-scheme: dark)": "github-dark"}
"""Styles of pygments by the media query that they stand in."""


@dataclass(frozen=True)
class Built:
    """Result of :func:`build`."""

    index: Path  # first page
    pages: list[str]  # slugs of all pages of the menu, in order
    left_out: dict[str, str]  # titles of pages without anything to show, with the command that makes it


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
    """Results of a run; remembers the files and the 3D twins that pages show of them."""

    reports: Path
    files: dict[str, bytes] = field(default_factory=dict)  # of the site, by name
    scenes: dict[str, twins.Twin] = field(default_factory=dict)  # by slug

    def section(self, table: Table, page: Page) -> Section | None:
        """Return a table; None where it was not made or is empty.

        Raises:
            AlignPartsError: it is no CSV, or it is required and missing or empty.
        """
        found = read_table(self.reports, table, page)
        if found is None:
            return None
        path, frame = found
        target, paper = f"tables/{path.name}", paper_of(table)
        self.files[target] = path.read_bytes()
        if tables.is_claims(frame):
            return Section(table, [], tables.sentences(frame, paper), target)
        return Section(table, tables.draw(frame, paper, table.csv), [], target)

    def save(self, name: str, png: bytes) -> str:
        """Add a picture, as WebP at a third of its size, and return its link."""
        target, webp = f"figures/{name}.webp", io.BytesIO()
        if target not in self.files:
            Image.open(io.BytesIO(png)).save(webp, "webp", quality=90)
            self.files[target] = webp.getvalue()
        return target

    def picture(self, name: str) -> Picture | None:
        """Return a picture with its 3D twin; None where it was not made."""
        png = tables.find(self.reports, f"{name}.png")
        page = tables.find(self.reports / "3d", f"{name}.html")
        if png is None:
            return None
        if page:
            self.scenes[f"{name}-3d"] = twins.read_twin(page)
        return Picture(name, self.save(name, png.read_bytes()), f"{name}-3d.html" if page else "")

    def figures(self, figures: Iterable[Figure]) -> list[tuple[str, list[Picture]]]:
        """Return captions and pictures of the figures of which any picture was made."""
        made = [(one.caption, [p for p in map(self.picture, one.names) if p]) for one in figures]
        return [(caption, pictures) for caption, pictures in made if pictures]

    def metrics(self, stage: str) -> dict[str, str]:
        """Return ``metrics/<stage>.json`` by name; empty where it was not made."""
        path = self.reports / "metrics" / f"{stage}.json"
        return tables.flat(json.loads(path.read_text())) if path.is_file() else {}

    def body(self, page: Page, written: Mapping[str, str]) -> dict[str, Any] | None:
        """Return the values of a page's template; None where nothing of the page was made.

        ``written`` has the links to chapters by their notebooks.
        """
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
            "chapter": written.get(f"notebooks/{page.notebook}.ipynb"),
            "verdicts": Counter(VERDICTS[claim.verdict] for claim in claims),
        }

    def ledger(self) -> dict[str, Any]:
        """Return the values of the page of costs: those of every stage, and all timings."""
        folder = self.reports / "timings"
        rows = ledger.collect(folder / "ledger")
        drawn = [tables.plain_table(rows, "Pipeline")] if len(rows) else []
        timings = sorted(folder.glob("*.csv"))
        drawn += [tables.plain_table(tables.read(path), path.stem.replace("_", " ")) for path in timings]
        pictures = {
            path.stem: self.save(path.stem, path.read_bytes()) for path in sorted(folder.glob("*.png"))
        }
        return {
            "title": "Compute ledger", "tables": drawn, "totals": dict(ledger.totals(rows)),
            "paper": tables.plain_table(tables.resource("paper_seconds")), "pictures": pictures,
        }  # fmt: skip


def build(reports: Path = paths.REPORTS, site: Path = SITE, pages: Sequence[Page] | None = None) -> Built:
    """Write a site anew; a failed build leaves the old one.

    ``reports`` has a folder per stage, ``metrics``, and where they were made ``3d``, ``notebooks`` and
    ``timings``. The pages of tables are those of ``pages.yaml`` by default.

    Raises:
        AlignPartsError: a required table is missing, or ``site`` is something else than a site.
    """
    if site.is_dir() and any(site.iterdir()) and not (site / "index.html").is_file():
        raise AlignPartsError(f"{site}: expected a site or nothing; empty it or choose another")
    declared, results = read_site(), Results(reports)
    pages = declared.pages if pages is None else pages
    told = [
        chapters.read_chapter(path, results.save) for path in sorted(reports.glob("notebooks/[0-9]*.ipynb"))
    ]
    written = {f"notebooks/{one.slug}.ipynb": f"{one.slug}.html" for one in told}
    bodies = {page.slug: results.body(page, written) for page in pages}
    shown = {slug: body for slug, body in bodies.items() if body is not None}
    left_out = {page.title: page.command for page in pages if page.slug not in shown}
    cards: dict[str, list[tuple[str, str, str]]] = {
        "Results": [(slug, body["title"], body["page"].summary) for slug, body in shown.items()],
        "More": list(FIXED),
        "Chapters": [(one.slug, one.title, one.summary) for one in told],
    }
    menu = {"Report": [("index", "Overview")]}
    menu |= {name: [(slug, title.split(":")[0]) for slug, title, _ in group] for name, group in cards.items()}
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
        "recipes": {"title": "Recipes: named parts elsewhere", "recipes": recipes()},
        "deviations": {"title": "Deviations", "pages": shown, "deviations": deviations},
        "checklists": {
            "title": "Checklists", "checklists": yaml.safe_load(CHECKLISTS.read_text()), "chapters": written,
        },
        "ledger": results.ledger(),
    }  # fmt: skip
    in_3d = {slug: twin._asdict() | {"scripts": twins.SCRIPTS} for slug, twin in results.scenes.items()}
    kinds = {"page": shown, "chapter": {one.slug: one._asdict() for one in told}, "twin": in_3d}
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    asked = [(slug, slug, values) for slug, values in fixed.items()]
    asked += [(kind, slug, values) for kind, group in kinds.items() for slug, values in group.items()]
    for template, slug, values in asked:
        page = templates.get_template(f"{template}.html").render(values | {"slug": slug, "menu": menu})
        results.files[f"{slug}.html"] = page.encode()
    results.files |= {name: path.read_bytes() for name, path in twins.SCRIPTS.items() if results.scenes}
    results.files["style.css"] = style().encode()
    shutil.rmtree(site, ignore_errors=True)  # nothing of an earlier site stays
    for target, content in results.files.items():
        (site / target).parent.mkdir(parents=True, exist_ok=True)
        (site / target).write_bytes(content)
    return Built(site / "index.html", [slug for group in menu.values() for slug, _ in group], left_out)


def main_table(reports: Path) -> Markup:
    """Return the two columns of Table 2 that sum the paper up, for the first page; "" without a table."""
    path = tables.find(reports, "table2.csv")
    if path is None:
        return Markup("")
    table = tables.beside(tables.read(path), tables.resource("paper_table2"), "table2")
    rows = table[(table.test_set == AVERAGE) & table.metric.isin(["mIoU", "LA-mIoU"])]
    return tables.long_tables(rows)[0] if len(rows) else Markup("")


def recipes() -> list[dict[str, Any]]:
    """Return what ``recipes.yaml`` lists, each with its program as HTML."""
    listed = yaml.safe_load((HERE / "recipes.yaml").read_text())
    files = [HERE / "recipes" / one["file"] for one in listed]
    code = [chapters.code(file.read_text(), {".py": "python"}.get(file.suffix, "html")) for file in files]
    return [one | {"code": text} for one, text in zip(listed, code, strict=True)]


def style() -> str:
    """Return the style sheet with the colors of programs, in daylight and in the dark."""
    rules = {
        query: HtmlFormatter(style=name).get_style_defs(".highlight") for query, name in CODE_COLORS.items()
    }
    colors = [f"{query} {{\n{text}\n}}" if query else text for query, text in rules.items()]
    return "\n".join([*colors, (HERE / "style.css").read_text()])


if __name__ == "__main__":
    print(build().index)
