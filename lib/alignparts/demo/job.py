"""One job of the app: an uploaded mesh and the options of its form in, the page, the table and a zip out."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.meshio import load_mesh
from alignparts.naming.granularity import Detail
from alignparts.naming.pipeline import NamedPartsPipeline
from alignparts.naming.prediction import Candidate, Labels
from alignparts.view.page import write_page
from alignparts.view.result import Result, read_results

COLUMNS = ("Part", "Confidence", "Area", "Review")
STEPS = ("Reading the mesh", "Naming its parts", "Writing the files")


@dataclass(frozen=True)
class Options:
    """Fields of the form, as a user fills them in; "" for what is left empty.

    ``names`` has one part per line, or "name: description".
    """

    names: str = ""
    category: str = ""
    query: str = ""
    detail: Detail = "default"
    instances: bool = False
    labels: Labels = "patches"

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of :meth:`NamedPartsPipeline.name`.

        Raises:
            AlignPartsError: two ways to choose names at once, or a name that is empty or listed twice.
        """
        lines = [line.partition(":") for line in self.names.splitlines() if line.strip()]
        query, category = self.query.strip(), self.category.strip()
        if sum(map(bool, (lines, query, category))) > 1:
            raise AlignPartsError("names, one part and category exclude each other; fill in one of them")
        candidates = [Candidate(name.strip(), description.strip()) for name, _, description in lines]
        names = [candidate.name for candidate in candidates]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise AlignPartsError(f"listed twice: {', '.join(twice)}; every name once")
        return {
            "candidates": candidates or None,
            "query": query or None,
            "category": category or None,
            "detail": self.detail,
            "instances": self.instances,
            "labels": self.labels,
        }


@dataclass(frozen=True)
class Outcome:
    """Files of a named mesh, with its line of summary and a row of ``COLUMNS`` per part."""

    summary: str
    rows: list[list[str]]
    page: Path
    archive: Path


def name_upload(
    pipeline: NamedPartsPipeline,
    mesh: Path,
    options: Options,
    folder: Path,
    tell: Callable[[int], object] = lambda _: None,
) -> Outcome:
    """Name a mesh into an empty folder, and tell the index of every one of ``STEPS`` before it starts.

    Raises:
        AlignPartsError: what the pipeline says of the mesh or the options; files are named without a folder.
    """
    try:
        arguments = options.arguments()
        tell(0)
        given = load_mesh(_alone(mesh, folder / "input"))
        tell(1)
        named = pipeline.name(given, **arguments)
        tell(2)
        written = named.save(folder / "named", picture=False)
        (result,) = read_results(folder / "named")
        page, archive = folder / "page.html", folder / f"{given.name}.parts.zip"
        write_page(page, [result])
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in (written.glb, written.labels, written.faces, *written.levels):
                packed.write(path, path.name)
    except AlignPartsError as error:
        raise AlignPartsError(str(error).replace(f"{folder}/input/", "").replace(f"{folder}/", "")) from None
    return Outcome(named.summary, _rows(result), page, archive)


def _alone(mesh: Path, folder: Path) -> Path:
    """Copy a file into a folder of its own: a mesh may refer to the files beside it."""
    folder.mkdir()
    copy = folder / mesh.name
    copy.write_bytes(mesh.read_bytes())
    return copy


def _rows(result: Result) -> list[list[str]]:
    return [
        [
            row.name,
            "" if row.confidence is None else f"{row.confidence:.2f}",
            f"{row.area:.1%}",
            "needed" if row.needs_review else "",
        ]
        for row in result.rows
        if row.parent < 0
    ]
