"""The names that data sets use, from tables of names or from a corpus folder, with their own hierarchy."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.vocabulary import RawVocabulary, Vocabulary, spelling

K = TypeVar("K")
Key = tuple[str, str, str]
"""Data set, category and part, as the data set writes them."""


@dataclass
class Names:
    """Names as data sets write them, and the wholes that each data set says they lie in.

    Attributes:
        raw: names and shapes; a table that counts no shapes counts 0.
        parents: the wholes around a part, as chains of names, outermost first and without the category
            itself: ``("chair_back", "back_frame")`` for PartNet's ``chair/chair_back/back_frame/bar``,
            ``("leg",)`` for a fine part of 3DCoMPaT++ whose coarse part is ``leg``.
    """

    raw: RawVocabulary = field(default_factory=lambda: RawVocabulary({}, {}))
    parents: dict[Key, set[tuple[str, ...]]] = field(default_factory=dict)


class _Row(NamedTuple):
    key: Key
    parent: str
    shapes: int
    shapes_of_category: int
    shape: str


def read_names(sources: Sequence[Path], *, inner_nodes: bool = False) -> Names:
    """Read tables of names and corpus folders into one.

    A table is a CSV file with the columns ``dataset``, ``class`` (or ``category``) and ``part``. The part
    may be a path (``bag/handle``); a row without one declares its category alone. Of further columns,
    these are used: ``parent`` (a coarser part, or the path of the whole), ``kind`` (only rows of kind
    ``leaf`` are parts, others are wholes), ``n_shapes`` and ``n_shapes_class`` (shapes that have the part,
    shapes of the class), ``uid`` (one row a shape and part, counted where ``n_shapes`` is not given).
    The order of files and rows does not matter; of two counts for one name the larger is kept.

    Args:
        sources: files and folders, one at least.
        inner_nodes: count the wholes of a table with the column ``kind`` as parts, too.

    Raises:
        AlignPartsError: missing, neither a table of names nor a corpus, or a broken row (file and line).
    """
    if not sources:
        raise AlignPartsError("no names; expected a CSV file (dataset,class,part) or a corpus folder")
    names = Names()
    uids: dict[tuple[str, ...], set[str]] = {}
    for source in sources:
        if source.is_dir():
            _add_corpus(names, source)
            continue
        for row in _rows(source, inner_nodes):
            dataset, category, part = row.key
            _count(names.raw.categories, (dataset, category), row.shapes_of_category)
            if row.shape:
                uids.setdefault((dataset, category), set()).add(row.shape)
            if not part:
                continue
            _count(names.raw.parts, row.key, row.shapes)
            names.parents.setdefault(row.key, set()).add(_chain(part, row.parent))
            if row.shape:
                uids.setdefault(row.key, set()).add(row.shape)
    for key, shapes in uids.items():
        if len(key) == 2:
            _count(names.raw.categories, key, len(shapes))
        else:
            _count(names.raw.parts, (key[0], key[1], key[2]), len(shapes))
    return names


def dialect_names() -> Names:
    """Every name that the embedded corpus can use, counted 0, with the hierarchy that its dialects state."""
    from alignparts.corpus.dialects import load_dialects

    dialects = load_dialects()
    parents: dict[Key, set[tuple[str, ...]]] = {}
    for generated, entry in dialects.categories.items():
        for dataset in dialects.datasets(generated):
            category = dialects.category(generated, dataset)
            for name in (dialects.part(generated, dataset, part) for part in entry.parts):
                if name:
                    whole, _, leaf = name.rpartition("/")
                    parents.setdefault((dataset, category, leaf), set()).add(_chain(name, whole))
    return Names(RawVocabulary.of_dialects(), parents)


def canonical_names(vocabulary: Vocabulary) -> RawVocabulary:
    """The names of a unified vocabulary, as if its data sets used them: merging them changes nothing."""
    raw = RawVocabulary({}, {})
    for category, entry in vocabulary.entries.items():
        for alias in entry.aliases:
            key = alias.dataset, category
            raw.categories[key] = raw.categories.get(key, 0) + alias.count
        for part, member in entry.parts.items():
            for alias in member.aliases:
                name = alias.dataset, category, part
                raw.parts[name] = raw.parts.get(name, 0) + alias.count
    return raw


def _add_corpus(names: Names, folder: Path) -> None:
    corpus = RawVocabulary.of_corpus(folder)
    for key, count in corpus.categories.items():
        _count(names.raw.categories, key, count)
    for name, count in corpus.parts.items():
        _count(names.raw.parts, name, count)
        names.parents.setdefault(name, set()).add(_chain(name[2], name[2].rpartition("/")[0]))


def _chain(part: str, parent: str) -> tuple[str, ...]:
    """Wholes around a part; where the part is a path, its first step is the category's root."""
    steps = [step for step in parent.split("/") if spelling(step)]
    return tuple(steps[1:] if steps and part.startswith(f"{steps[0]}/") else steps)


def _rows(path: Path, inner_nodes: bool) -> Iterator[_Row]:
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected a CSV file (dataset,class,part) or a corpus")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            columns = table.fieldnames or []
            category = "class" if "class" in columns else "category"
            lacking = [name for name in ("dataset", category, "part") if name not in columns]
            if lacking:
                raise AlignPartsError(
                    f"{path}: column '{lacking[0]}' is missing; expected dataset,class,part and optionally "
                    "parent, kind, n_shapes, n_shapes_class, uid"
                )
            for row in table:
                yield from _row(f"{path}:{table.line_num}", row, category, inner_nodes)
    except (csv.Error, UnicodeDecodeError) as error:
        raise AlignPartsError(f"{path}: not a CSV file in UTF-8: {error}") from None


def _row(where: str, row: dict[str, str | None], category: str, inner_nodes: bool) -> Iterator[_Row]:
    cells = {name: (row.get(name) or "").strip() for name in row if name}
    dataset, named, part = cells["dataset"], cells[category], cells["part"]
    if not dataset or not spelling(named):
        raise AlignPartsError(f"{where}: expected a data set and a {category}, got '{dataset}', '{named}'")
    if part and not spelling(part):
        raise AlignPartsError(f"{where}: part '{part}' has no letters; expected a name, or nothing")
    leaf = cells.get("kind", "") in ("", "leaf") or inner_nodes
    shapes = _number(where, "n_shapes", cells)
    total = _number(where, "n_shapes_class", cells)
    yield _Row((dataset, named, part if leaf else ""), cells.get("parent", ""), shapes, total,
               cells.get("uid", ""))  # fmt: skip


def _number(where: str, column: str, cells: dict[str, str]) -> int:
    text = cells.get(column, "")
    if text and not text.isdecimal():
        raise AlignPartsError(f"{where}: {column} is '{text}'; expected a whole number, or nothing")
    return int(text or 0)


def _count(counts: dict[K, int], key: K, value: int) -> None:
    counts[key] = max(counts.get(key, 0), value)
