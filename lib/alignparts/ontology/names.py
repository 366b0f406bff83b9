"""Reading of names from tables and from corpus folders."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.raw import Chain, Key, RawVocabulary, chain_of
from alignparts.ontology.vocabulary import spelling


class _Row(NamedTuple):
    """A category, or a part where it has a name, with its shapes: their number, or the id of one."""

    key: Key
    shapes: int
    parent: str = ""
    shape: str = ""


def read_names(sources: Sequence[Path], *, inner_nodes: bool = False) -> RawVocabulary:
    """Read tables of names and corpus folders into one.

    A table is a CSV file with the columns ``dataset``, ``class`` (or ``category``) and ``part``, in capitals
    or not. The part may be a path (``bag/handle``); a row without one declares its category alone. Of
    further columns, these are used: ``parent`` (a coarser part, or the path of the whole), ``kind`` (only
    rows of kind ``leaf`` are parts, others are wholes), ``n_shapes`` and ``n_shapes_class`` (shapes that have
    the part, shapes of the class), ``uid`` (one row per shape and part, counted where ``n_shapes`` is not
    given).
    The order of files and rows does not matter; of two counts for one name the larger is kept.

    Args:
        sources: files and folders, at least one.
        inner_nodes: count the wholes of a table with the column ``kind`` as parts, too.

    Raises:
        AlignPartsError: missing, neither a table of names nor a corpus, or a broken row (file and line).
    """
    if not sources:
        raise AlignPartsError("no names; expected a CSV file (dataset,class,part) or a corpus folder")
    counts: dict[Key, int] = {}
    shapes: dict[Key, set[str]] = {}
    parents: dict[Key, set[Chain]] = {}
    for source in sources:
        for row in _corpus(source) if source.is_dir() else _table(source, inner_nodes):
            counts[row.key] = max(counts.get(row.key, 0), row.shapes)
            if row.shape:
                shapes.setdefault(row.key, set()).add(row.shape)
            if row.key[2]:
                parents.setdefault(row.key, set()).add(chain_of(row.key[2], row.parent))
    counts |= {key: max(counts[key], len(ids)) for key, ids in shapes.items()}
    categories = {key[:2]: count for key, count in counts.items() if not key[2]}
    return RawVocabulary(categories, {key: count for key, count in counts.items() if key[2]}, parents)


def _corpus(folder: Path) -> Iterator[_Row]:
    corpus = RawVocabulary.of_corpus(folder)
    yield from (_Row((*key, ""), count) for key, count in corpus.categories.items())
    yield from (_Row(key, count, key[2].rpartition("/")[0]) for key, count in corpus.parts.items())


def _table(path: Path, inner_nodes: bool) -> Iterator[_Row]:
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected a CSV file (dataset,class,part) or a corpus")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            columns = [name.strip().lower() for name in table.fieldnames or []]
            if "class" not in columns:
                columns = ["class" if name == "category" else name for name in columns]
            lacking = [name for name in ("dataset", "class", "part") if name not in columns]
            if lacking:
                raise AlignPartsError(
                    f"{path}: column '{lacking[0]}' is missing; expected dataset,class,part and optionally "
                    "parent, kind, n_shapes, n_shapes_class, uid"
                )
            table.fieldnames = columns
            for row in table:
                cells = {name: (row[name] or "").strip() for name in columns}
                yield from _table_row(f"{path}:{table.line_num}", cells, inner_nodes)
    except (csv.Error, UnicodeDecodeError) as error:
        raise AlignPartsError(f"{path}: not a CSV file in UTF-8: {error}") from None


def _table_row(place: str, cells: dict[str, str], inner_nodes: bool) -> Iterator[_Row]:
    dataset, category, part = cells["dataset"], cells["class"], cells["part"]
    if not dataset or not spelling(category):
        raise AlignPartsError(f"{place}: expected a data set and a class, got '{dataset}', '{category}'")
    if part and not spelling(part):
        raise AlignPartsError(f"{place}: part '{part}' has no letters; expected a name, or nothing")
    numbers = []
    for column in ("n_shapes_class", "n_shapes"):
        text = cells.get(column) or "0"
        if not text.isdecimal():
            raise AlignPartsError(f"{place}: {column} is '{text}'; expected a whole number, or nothing")
        numbers.append(int(text))
    shape = cells.get("uid", "")
    yield _Row((dataset, category, ""), numbers[0], shape=shape)
    if part and (inner_nodes or cells.get("kind", "") in ("", "leaf")):
        yield _Row((dataset, category, part), numbers[1], cells.get("parent", ""), shape)
