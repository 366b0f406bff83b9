"""What the pages show: tables, pictures, metrics, and the texts that ship with the package."""

import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from alignparts.core import paths
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.comparison import AVERAGE
from alignparts.pictures.scene3d import write_library
from alignparts.report.site import grids
from alignparts.report.site.pages import Figure, Page, Table

FACTS = {
    ("corpus", "shapes"): "shapes of the embedded corpus",
    ("corpus", "splits · train"): "of them for training",
    ("ontology", "categories unified"): "categories",
    ("ontology", "parts unified"): "named parts",
}
"""Metrics that the first page shows, by stage and name."""


@dataclass(frozen=True)
class Picture:
    """A picture beside the pages: stem, and a link to its 3D twin, "" for none."""

    name: str
    twin: str = ""

    @property
    def link(self) -> str:
        """From a page."""
        return f"figures/{self.name}.png"


@dataclass(frozen=True)
class Drawn:
    """A figure with those of its pictures that were made."""

    caption: str
    pictures: list[Picture]


@dataclass(frozen=True)
class Question:
    """A question of a checklist.

    Attributes:
        ask: it.
        answer: "yes", "no" or "n.a.".
        note: why.
        where: places in the project with their links, "" where nothing lies there.
    """

    ask: str
    answer: str
    note: str
    where: list[tuple[str, str]]


@dataclass(frozen=True)
class Checklist:
    """A checklist: its name, where it is from, and its questions by heading."""

    name: str
    source: str
    parts: dict[str, list[Question]]


@dataclass
class Folder:
    """Where pages take from and go to; remembers which pictures they use.

    Attributes:
        reports: of the run.
        site: of the pages.
        notebooks: that pages link to.
    """

    reports: Path
    site: Path
    notebooks: Path
    used: dict[str, Path] = field(default_factory=dict)

    def link(self, target: Path) -> str:
        """Relative link from a page to what lies elsewhere; "" where there is nothing."""
        return Path(os.path.relpath(target, self.site)).as_posix() if target.exists() else ""

    def table(self, table: Table, page: Page) -> pd.DataFrame | None:
        """A table of the run; None where it was not made or is empty.

        Raises:
            AlignPartsError: it is required and missing, or no CSV.
        """
        path = self.reports / "tables" / f"{table.csv}.csv"
        if not path.is_file():
            if table.required:
                raise AlignPartsError(f"{path}: not there; run `{page.command}` first")
            return None
        try:
            found = read_table(path)
        except (pd.errors.ParserError, UnicodeDecodeError) as error:
            raise AlignPartsError(f"{path}: no table ({error}); run `{page.command}` again") from error
        if table.required and not len(found):
            raise AlignPartsError(f"{path}: no rows; run `{page.command}` again")
        return found if len(found) else None

    def metrics(self, name: str) -> list[tuple[str, str]]:
        """``metrics/<name>.json`` as names and values; nothing where it was not made."""
        path = self.reports / "metrics" / f"{name}.json"
        return grids.flat(json.loads(path.read_text())) if path.is_file() else []

    def copy_pictures(self) -> None:
        """Put the pictures and twins that pages use beside them."""
        for target, source in sorted(self.used.items()):
            (self.site / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, self.site / target)
        if (self.site / "3d").is_dir():
            write_library(self.site / "3d")


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file in which only an empty cell means nothing: a part may be called "None"."""
    try:
        return pd.read_csv(path, keep_default_na=False, na_values=[""])
    except pd.errors.EmptyDataError:
        return pd.DataFrame()


def picture(name: str, there: Folder) -> Picture | None:
    """A picture of the run with its 3D twin; None where it was not made."""
    path = there.reports / "figures" / f"{name}.png"
    if not path.is_file():
        return None
    there.used[f"figures/{name}.png"] = path
    twin = there.reports / "3d" / f"{name}.html"
    if twin.is_file():
        there.used[f"3d/{name}.html"] = twin
    return Picture(name, f"3d/{name}.html" if twin.is_file() else "")


def figures(wanted: Sequence[Figure], there: Folder) -> list[Drawn]:
    """Figures of which at least one picture was made."""
    stems = sorted(path.stem for path in (there.reports / "figures").glob("*.png"))
    drawn = []
    for figure in wanted:
        own = [s for s in stems if figure.number and re.match(rf"fig(ure)?_?{figure.number}(\D|$)", s)]
        found = [picture(name, there) for name in dict.fromkeys([*figure.names, *own])]
        pictures = [one for one in found if one is not None]
        if pictures:
            drawn.append(Drawn(figure.caption, pictures))
    return drawn


def resource(name: str) -> pd.DataFrame:
    """A table that ships with the package."""
    return read_table(paths.RESOURCES / f"{name}.csv")


def differences(slug: str) -> list[tuple[str, str]]:
    """Why ours differ from the paper's on one page: (topic, text)."""
    table = resource("differences").fillna("").set_index("table")
    if slug not in table.index:
        return []
    names = {"compare": "what can be compared"}
    return [(names.get(str(topic), str(topic)), str(text)) for topic, text in table.loc[slug].items() if text]


def deviations(pages: Iterable[Page]) -> list[grids.Grid]:
    """Departures from the text, and the differences of all pages."""
    titles = {page.slug: page.title.split(":")[0] for page in pages}
    table = resource("differences")
    kept = table[table.table.isin(list(titles))].assign(table=lambda one: one.table.map(titles))
    kept = kept.rename(columns={"compare": "what can be compared"})
    return [
        grids.plain_grid(resource("deviations"), "From the paper's text", stack=True),
        grids.plain_grid(
            kept.rename(columns={"compare": "what can be compared"}),
            "Why ours differ, page by page",
            stack=True,
        ),
    ]


def checklists(there: Folder, path: Path = paths.RESOURCES / "checklists.yaml") -> list[Checklist]:
    """The checklists that ship with the package.

    Raises:
        AlignPartsError: an answer is none of yes, no, n.a.
    """
    found = []
    for one in yaml.safe_load(path.read_text()):
        parts = {
            part["title"]: [_question(question, there, path) for question in part["questions"]]
            for part in one["parts"]
        }
        found.append(Checklist(one["name"], one["source"], parts))
    return found


def _question(entry: dict[str, Any], there: Folder, path: Path) -> Question:
    if entry["answer"] not in ("yes", "no", "n.a."):
        raise AlignPartsError(f"{path}: '{entry['ask']}': expected yes, no or n.a., got {entry['answer']!r}")
    where = [(name, there.link(paths.ROOT / name)) for name in entry.get("where", [])]
    return Question(entry["ask"], entry["answer"], entry.get("note", ""), where)


def main_grid(there: Folder) -> grids.Grid | None:
    """The two columns of Table 2 that sum the paper up, for the first page."""
    path = there.reports / "tables" / "table2.csv"
    if not path.is_file():
        return None
    table = grids.beside(read_table(path), resource("paper_table2"), "table2")
    kept = table[(table.test_set == AVERAGE) & table.metric.isin(["mIoU", "LA-mIoU"])]
    return grids.long_grids(kept)[0] if len(kept) else None


def facts(there: Folder) -> list[tuple[str, str]]:
    """What the run was, in a few numbers."""
    found = []
    for (stage, key), label in FACTS.items():
        values = dict(there.metrics(stage))
        if key in values:
            found.append((label, values[key]))
    return found
