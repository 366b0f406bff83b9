"""Results of ``alignparts name``, read back: a GLB and the rows of its list of parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import split_container
from alignparts.naming.export import SCHEMA, UNLABELED
from alignparts.pictures.palette import UNLABELED_COLOR, Color, palette

LABELS, SUFFIX = "labels.json", ".parts.glb"
AGAIN = "write it again: alignparts name MESH --out FOLDER"
PALEST = 0.45
"""Share of white in the color of a part's last child; those before have less."""


class Node(BaseModel, frozen=True):
    """A part, or an instance or piece of one, as ``labels.json`` has it."""

    name: str
    faces: int
    area: float
    position: str = ""
    children: tuple["Node", ...] = ()


class Part(Node, frozen=True):
    """A part; ``confidence`` is None for what is unlabeled."""

    description: str = ""
    confidence: float | None
    needs_review: bool = False


class Labels(BaseModel, frozen=True):
    """What a page needs of ``labels.json``."""

    schema_: str = Field(alias="schema", pattern=f"^{SCHEMA}$")
    input: str
    category: str
    parts: tuple[Part, ...]
    unlabeled_faces: int


@dataclass(frozen=True)
class Row:
    """A row of the list of parts.

    Attributes:
        node: number of the node in the GLB.
        parent: number of the row above it, -1 for a part.
        name, position, area: as in ``labels.json``; the area is a share of the surface.
        description, confidence, needs_review: those of the part.
        color: "#rrggbb".
    """

    node: int
    parent: int
    name: str
    position: str
    area: float
    description: str
    confidence: float | None
    needs_review: bool
    color: str


@dataclass(frozen=True)
class Result:
    """A named mesh: its folder, the file it came from, its category ("" if unknown), the GLB and its rows."""

    folder: Path
    input: str
    category: str
    glb: bytes
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """File name of the mesh without its suffix."""
        return Path(self.input).stem


def is_result(path: Path) -> bool:
    """Return True for a folder and for a file that ``alignparts name`` writes; False for any other file."""
    return path.is_dir() or path.name == LABELS or path.name.endswith(SUFFIX)


def read_results(path: Path) -> list[Result]:
    """Read the result of one mesh, by its folder or one of its files; or all right below a folder, sorted.

    Raises:
        AlignPartsError: there is none, a file is missing or broken, or files are not of one run.
    """
    folder = path if path.is_dir() else path.parent
    if path.is_dir():
        files = [one for one in (folder / LABELS, *sorted(folder.glob(f"*/{LABELS}"))) if one.is_file()]
        if not files:
            way = f"run: alignparts name MESH --out {folder}, or give a mesh"
            raise AlignPartsError(f"{folder}: no {LABELS} in it or in a folder right below it; {way}")
        return [_read(file) for file in files]
    result = _read(folder / LABELS)
    if path.name not in (LABELS, result.name + SUFFIX):
        later = f"{folder / LABELS} is that of {result.input}, named into this folder later"
        raise AlignPartsError(f"{path}: {later}; name the mesh into a folder of its own")
    return [result]


def _read(file: Path) -> Result:
    labels = _read_labels(file)
    path = file.parent / (Path(labels.input).stem + SUFFIX)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AlignPartsError(f"{path}: {error.strerror}; {file} goes with it; {AGAIN}") from None
    header, _ = split_container(data, str(path))
    try:
        rows = tuple(_rows(header, labels))
    except (LookupError, TypeError, ValueError, AttributeError):
        raise AlignPartsError(f"{path}: its nodes are not the parts of {file}; {AGAIN}") from None
    return Result(file.parent, labels.input, labels.category, data, rows)


def _read_labels(path: Path) -> Labels:
    try:
        return Labels.model_validate_json(path.read_bytes())
    except OSError as error:
        raise AlignPartsError(f"{path}: {error.strerror or error}; {AGAIN}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or "(whole file)"
        wanted = f"expected labels of alignparts name ({SCHEMA})"
        raise AlignPartsError(f"{path}: {key}: {first['msg']}; {wanted}; {AGAIN}") from None


def _rows(header: dict[str, Any], labels: Labels) -> list[Row]:
    """Return the rows of all parts; the nodes and the labels are walked side by side."""
    colors = palette(part.name for part in labels.parts)
    parts = [part for part in labels.parts if part.faces]
    if labels.unlabeled_faces:
        rest = max(0.0, 1 - sum(part.area for part in parts))
        parts.append(Part(name=UNLABELED, faces=labels.unlabeled_faces, area=rest, confidence=None))
        colors[UNLABELED] = UNLABELED_COLOR
    rows: list[Row] = []

    def add(numbers: Sequence[int], below: Sequence[Node], part: Part, parent: int, above: Color) -> None:
        for place, (number, node) in enumerate(zip(numbers, below, strict=True)):
            entry = header["nodes"][number]
            if entry["name"] != node.name or ("mesh" in entry) == bool(node.children):
                raise ValueError(node.name)
            one = node if isinstance(node, Part) else part
            white = PALEST * place / len(below)
            r, g, b = colors[node.name] if node is one else (c + white * (1 - c) for c in above)
            rows.append(
                Row(
                    node=number,
                    parent=parent,
                    name=node.name,
                    position=node.position,
                    area=node.area,
                    description=one.description,
                    confidence=one.confidence,
                    needs_review=one.needs_review,
                    color="#" + "".join(f"{round(255 * one):02x}" for one in (r, g, b)),
                )
            )
            add(entry.get("children", ()), node.children, one, len(rows) - 1, (r, g, b))

    for number, part in zip(header["scenes"][header["scene"]]["nodes"], parts, strict=True):
        add([number], [part], part, -1, UNLABELED_COLOR)
    return rows
