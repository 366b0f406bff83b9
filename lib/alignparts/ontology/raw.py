"""The names that data sets use, with their shapes and wholes; reading from tables and corpus folders."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.vocabulary import Alias, spelling

K = TypeVar("K", bound=tuple[str, ...])
Key = tuple[str, str, str]
"""Data set, category and part, as the data set writes them."""
Chain = tuple[str, ...]
"""Wholes around a part, outermost first, without the category."""
KEY = ["dataset", "category", "part"]
COLUMNS = [*KEY, "shapes", "parent", "uid"]


@dataclass(frozen=True)
class RawVocabulary:
    """Names as data sets write them.

    Attributes:
        categories: number of shapes by (data set, category); 0 where none is counted.
        parts: number of shapes by (data set, category, part); unlabeled instances are left out.
        parents: the wholes that each data set says a part lies in: ``("chair_back", "back_frame")`` for
            PartNet's ``chair/chair_back/back_frame/bar``, ``("leg",)`` for a fine part of 3DCoMPaT++ whose
            coarse part is ``leg``.
    """

    categories: dict[tuple[str, str], int] = field(default_factory=dict)
    parts: dict[Key, int] = field(default_factory=dict)
    parents: dict[Key, set[Chain]] = field(default_factory=dict)

    @classmethod
    def of(cls, shapes: Iterable[tuple[str, str, Iterable[str]]]) -> "RawVocabulary":
        """Count the names of (data set, category, part names) triples, one per shape; "" is unlabeled."""
        categories: Counter[tuple[str, str]] = Counter()
        parts: Counter[Key] = Counter()
        for dataset, category, names in shapes:
            categories[dataset, category] += 1
            parts.update((dataset, category, name) for name in set(names) if spelling(name))
        return cls(dict(categories), dict(parts))

    @classmethod
    def of_corpus(cls, root: Path) -> "RawVocabulary":
        """Count the names of every shape of a corpus folder, all splits; no geometry is read."""
        from alignparts.corpus.index import Corpus, read_about, shape_file

        shapes = (read_about(shape_file(root, shape_id)) for shape_id in Corpus(root).ids())
        return cls.of((shape["dataset"], shape["category"], shape["instances"]) for shape in shapes)

    @classmethod
    def of_dialects(cls) -> "RawVocabulary":
        """Return every name that the embedded corpus can use, counted 0, with the wholes of its dialects."""
        from alignparts.corpus.dialects import load_dialects

        dialects, raw = load_dialects(), cls()
        for generated, entry in dialects.categories.items():
            for dataset in dialects.datasets(generated):
                category = dialects.category(generated, dataset)
                raw.categories[dataset, category] = 0
                for name in filter(None, (dialects.part(generated, dataset, part) for part in entry.parts)):
                    whole, _, leaf = name.rpartition("/")
                    raw.parts[dataset, category, leaf] = 0
                    raw.parents.setdefault((dataset, category, leaf), set()).add(chain_of(name, whole))
        return raw

    def with_declared(self, declared: "RawVocabulary") -> "RawVocabulary":
        """Add the names and wholes that data sets declare, whatever their spelling, but no shape carries.

        The meaning of a name, and the names that a data set tells apart, must not depend on the shapes that
        happen to be in the corpus.
        """
        known = {_spelled(key) for key in (*self.categories, *self.parts)}

        def new(counts: dict[K, int]) -> dict[K, int]:
            return {key: count for key, count in counts.items() if _spelled(key) not in known}

        categories, parts = self.categories | new(declared.categories), self.parts | new(declared.parts)
        return RawVocabulary(categories, parts, self.parents | declared.parents)

    def chains(self, aliases: Iterable[Alias]) -> list[Chain]:
        """Return the wholes that any data set says a part of these names lies in, spelled and sorted."""
        keys = ((alias.dataset, alias.category, alias.part) for alias in aliases)
        return sorted({tuple(map(spelling, chain)) for key in keys for chain in self.parents.get(key, {()})})


def chain_of(part: str, parent: str) -> Chain:
    """Return the wholes around a part, from the path of its parent, empty where there is none.

    Where the name of the part is a path, its first step is the root of the category and left out.
    """
    steps = [step for step in parent.split("/") if spelling(step)]
    return tuple(steps[1:] if steps and part.startswith(f"{steps[0]}/") else steps)


def read_names(sources: Sequence[Path], *, inner_nodes: bool = False) -> RawVocabulary:
    """Read tables of names and corpus folders into one.

    A table is a CSV file with the columns ``dataset``, ``class`` (or ``category``) and ``part``, in capitals
    or not. The part may be a path (``bag/handle``); a row without one declares its category alone. Of
    further columns, these are used: ``parent`` (a coarser part, or the path of the whole), ``kind`` (only
    rows of kind ``leaf`` are parts, others are wholes), ``n_shapes`` and ``n_shapes_class`` (shapes that have
    the part, shapes of the class), ``uid`` (one row per shape and part, counted where ``n_shapes`` is not
    given).
    The order of files and rows does not matter; of two counts for one name the larger is kept. With
    ``inner_nodes``, the wholes of a table with the column ``kind`` count as parts, too. A source that is
    missing or of neither kind, and a broken row (named by file and line) raise AlignPartsError.
    """
    if not sources:
        raise AlignPartsError("no names; expected a CSV file (dataset,class,part) or a corpus folder")
    rows = pd.concat(_corpus(path) if path.is_dir() else _table(path, inner_nodes) for path in sources)
    names = rows.assign(uid=rows.uid.where(rows.uid.ne(""))).groupby(KEY)
    counts: dict[Any, int] = names.shapes.max().clip(lower=names.uid.nunique()).to_dict()
    parents: dict[Key, set[Chain]] = {}
    for dataset, category, part, parent in set(rows[[*KEY, "parent"]].itertuples(index=False, name=None)):
        if part:
            parents.setdefault((dataset, category, part), set()).add(chain_of(part, parent))
    categories = {key[:2]: count for key, count in counts.items() if not key[2]}
    return RawVocabulary(categories, {key: count for key, count in counts.items() if key[2]}, parents)


def _corpus(folder: Path) -> pd.DataFrame:
    corpus = RawVocabulary.of_corpus(folder)
    rows = [(*key, "", count, "", "") for key, count in corpus.categories.items()]
    rows += [(*key, count, key[2].rpartition("/")[0], "") for key, count in corpus.parts.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def _table(path: Path, inner_nodes: bool) -> pd.DataFrame:
    """Return a row per category and one per part of every row of a table."""
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected a CSV file (dataset,class,part) or a corpus")
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "skip_blank_lines": False}
    try:
        table = pd.read_csv(path, encoding="utf-8-sig", index_col=False, **options).fillna("")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise AlignPartsError(f"{path}: not a CSV file in UTF-8: {' '.join(str(error).split())}") from None
    table.columns = table.columns.str.strip().str.lower()
    if "class" in table:
        table = table.drop(columns="category", errors="ignore").rename(columns={"class": "category"})
    for name in KEY:
        if name not in table:
            raise AlignPartsError(
                f"{path}: column '{name.replace('category', 'class')}' is missing; expected "
                "dataset,class,part and optionally parent, kind, n_shapes, n_shapes_class, uid"
            )
    table = table[table.ne("").any(axis=1)].apply(lambda column: column.str.strip())
    numbers = ["n_shapes_class", "n_shapes"]
    table = table.reindex(columns=[*KEY, "parent", "kind", "uid", *numbers], fill_value="")
    spelled = table[["category", "part"]].map(spelling).ne("")
    unnamed, odd = table.dataset.eq("") | ~spelled.category, table.part.ne("") & ~spelled.part
    wrong = {"expected a data set and a class, got '{dataset}', '{category}'": unnamed}
    wrong["part '{part}' has no letters; expected a name, or nothing"] = odd
    for name in numbers:
        is_number = table[name].eq("") | table[name].str.isdecimal()
        wrong[f"{name} is '{{{name}}}'; expected a whole number, or nothing"] = ~is_number
    for message, rows in wrong.items():
        for row, cells in table[rows].iterrows():
            raise AlignPartsError(f"{path}:{row + 2}: {message.format(**cells)}")
    of_class, of_part = (table[name].replace("", "0").astype(int) for name in numbers)
    parts = table[table.part.ne("") & (table.kind.isin(("", "leaf")) | inner_nodes)]
    classes = table.assign(part="", parent="", shapes=of_class)
    return pd.concat([classes, parts.assign(shapes=of_part)])[COLUMNS]


def _spelled(key: tuple[str, ...]) -> tuple[str, ...]:
    return key[0], *map(spelling, key[1:])
