"""The unified vocabulary on disk: canonical categories and parts, their descriptions and aliases."""

import csv
import difflib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError


def spelling(name: str) -> str:
    """A name as the vocabulary spells it: the last component of a path, in lower snake case.

    ``StorageFurniture`` → ``storage_furniture``; ``chair/chair_seat`` → ``chair_seat``; ``coffee table`` →
    ``coffee_table``. Two data sets that differ in spelling alone use one name.
    """
    leaf = name.strip().rstrip("/").rsplit("/", 1)[-1]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", leaf)
    return re.sub(r"[\s_\-]+", "_", words).strip("_").lower()


def words(name: str) -> str:
    """A name as a person would write it: ``door_glass`` → ``door glass``."""
    return name.replace("_", " ")


@dataclass(frozen=True)
class RawVocabulary:
    """The names that data sets use, with the number of shapes that carry each.

    Attributes:
        categories: shapes by (dataset, category).
        parts: shapes by (dataset, category, part); unlabeled instances are not in it.
    """

    categories: dict[tuple[str, str], int]
    parts: dict[tuple[str, str, str], int]

    @classmethod
    def of(cls, shapes: Iterable[tuple[str, str, Iterable[str]]]) -> "RawVocabulary":
        """Count the names of (dataset, category, part names) triples, one a shape; "" is unlabeled."""
        categories: dict[tuple[str, str], int] = {}
        parts: dict[tuple[str, str, str], int] = {}
        for dataset, category, names in shapes:
            categories[dataset, category] = categories.get((dataset, category), 0) + 1
            for name in sorted({name for name in names if spelling(name)}):
                parts[dataset, category, name] = parts.get((dataset, category, name), 0) + 1
        return cls(categories, parts)

    @classmethod
    def of_corpus(cls, root: Path) -> "RawVocabulary":
        """Count the names of every shape of a corpus folder, all splits; no geometry is read."""
        from alignparts.corpus.index import Corpus, read_about, shape_file

        shapes = (read_about(shape_file(root, shape_id)) for shape_id in Corpus(root).ids())
        return cls.of((shape["dataset"], shape["category"], shape["instances"]) for shape in shapes)

    @classmethod
    def of_dialects(cls) -> "RawVocabulary":
        """Every name that the embedded corpus can use, counted 0 (the corpus is a sample of them)."""
        from alignparts.corpus.dialects import load_dialects

        dialects = load_dialects()
        categories: dict[tuple[str, str], int] = {}
        parts: dict[tuple[str, str, str], int] = {}
        for generated, entry in dialects.categories.items():
            for dataset in dialects.datasets(generated):
                category = dialects.category(generated, dataset)
                categories[dataset, category] = 0
                names = (dialects.part(generated, dataset, part) for part in entry.parts)
                parts.update({(dataset, category, name.rsplit("/", 1)[-1]): 0 for name in names if name})
        return cls(categories, parts)

    def with_declared(self, declared: "RawVocabulary") -> "RawVocabulary":
        """Also the names that data sets declare but no shape here carries.

        What a name means, and which names a data set tells apart, must not depend on which shapes happen
        to be in the corpus.
        """
        categories = {(dataset, spelling(category)) for dataset, category in self.categories}
        parts = {(dataset, spelling(category), spelling(part)) for dataset, category, part in self.parts}
        return RawVocabulary(
            self.categories
            | {
                key: n
                for key, n in declared.categories.items()
                if (key[0], spelling(key[1])) not in categories
            },
            self.parts
            | {
                key: n
                for key, n in declared.parts.items()
                if (key[0], spelling(key[1]), spelling(key[2])) not in parts
            },
        )


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Alias(_Frozen):
    """One name as a data set writes it, and in how many of its shapes."""

    dataset: str
    category: str
    part: str = ""
    count: int = 0


class PartEntry(_Frozen):
    """A canonical part of a category: its affordance description and every name that means it."""

    description: str
    count: int
    aliases: tuple[Alias, ...]


class CategoryEntry(_Frozen):
    """A canonical category and its parts."""

    description: str
    count: int
    aliases: tuple[Alias, ...]
    parts: dict[str, PartEntry]


class Vocabulary(_Frozen):
    """Canonical (category, part) pairs with affordance descriptions and an alias log (section 9.4)."""

    entries: dict[str, CategoryEntry]

    @property
    def categories(self) -> list[str]:
        """Canonical category names, in alphabetical order."""
        return sorted(self.entries)

    def parts(self, category: str) -> list[str]:
        """Canonical part names of a category (any of its names), in alphabetical order."""
        return sorted(self.entries[self.resolve_category(category)].parts)

    def description(self, category: str, part: str) -> str:
        """The affordance description of a part (section 3.1); either name may be an alias."""
        category, part = self.resolve(category, part)
        return self.entries[category].parts[part].description

    def category_description(self, category: str) -> str:
        """What a category is; the name may be an alias."""
        return self.entries[self.resolve_category(category)].description

    def resolve_category(self, category: str) -> str:
        """The canonical name of a category.

        Raises:
            AlignPartsError: a name that no data set used; the message gives the nearest ones.
        """
        found = self._categories.get(spelling(category))
        if found is None:
            raise AlignPartsError(f"category '{category}' is not in the vocabulary; "
                                  f"{_nearest(spelling(category), self._categories)}")  # fmt: skip
        return found

    def resolve(self, category: str, part: str) -> tuple[str, str]:
        """The canonical (category, part) of any legacy names.

        Raises:
            AlignPartsError: a name that no data set used; the message gives the nearest ones.
        """
        canonical = self.resolve_category(category)
        names = self._parts[canonical]
        found = names.get(spelling(part))
        if found is None:
            raise AlignPartsError(f"part '{part}' of '{category}' is not in the vocabulary; "
                                  f"{_nearest(spelling(part), names)}")  # fmt: skip
        return canonical, found

    def has(self, category: str, part: str | None = None) -> bool:
        """Whether :meth:`resolve` (or, without a part, :meth:`resolve_category`) would succeed."""
        canonical = self._categories.get(spelling(category))
        return canonical is not None and (part is None or spelling(part) in self._parts[canonical])

    def alias_rows(self) -> list[dict[str, str | int]]:
        """The alias log: one row for every name of every data set, categories' rows with an empty part."""
        rows: list[dict[str, str | int]] = []
        for category in self.categories:
            entry = self.entries[category]
            groups: list[tuple[str, tuple[Alias, ...]]] = [("", entry.aliases)]
            groups += [(part, entry.parts[part].aliases) for part in sorted(entry.parts)]
            rows += [
                {**alias.model_dump(), "canonical_category": category, "canonical_part": part}
                for part, aliases in groups
                for alias in aliases
            ]
        return rows

    def only(self, categories: Iterable[str]) -> "Vocabulary":
        """The same vocabulary for some categories, any of their names; all of them where none is given."""
        kept = {self.resolve_category(category) for category in categories}
        return Vocabulary(entries={n: one for n, one in self.entries.items() if not kept or n in kept})

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON, atomically."""
        write_text(path, self.model_dump_json(indent=1) + "\n")

    def save_aliases(self, path: Path) -> None:
        """Write the alias log as CSV, atomically."""
        text = io.StringIO()
        columns = ["dataset", "category", "part", "canonical_category", "canonical_part", "count"]
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.alias_rows())
        write_text(path, text.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read a vocabulary written by :meth:`save`.

        Raises:
            AlignPartsError: missing, or not a vocabulary.
        """
        if not path.is_file():
            raise AlignPartsError(f"{path}: no such vocabulary; it is written by: dvc repro ontology")
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError) as error:
            detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "not UTF-8"
            raise AlignPartsError(f"{path}: not a vocabulary: {detail}; expected the file that "
                                  "the stage 'ontology' writes") from None  # fmt: skip

    @cached_property
    def _categories(self) -> dict[str, str]:
        return _lookup((name, (a.category for a in entry.aliases)) for name, entry in self.entries.items())

    @cached_property
    def _parts(self) -> dict[str, dict[str, str]]:
        return {
            category: _lookup((name, (a.part for a in part.aliases)) for name, part in entry.parts.items())
            for category, entry in self.entries.items()
        }


def _lookup(groups: Iterable[tuple[str, Iterable[str]]]) -> dict[str, str]:
    return {name: head for head, members in groups for name in (head, *map(spelling, members))}


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=5, cutoff=0.5) or names[:8]
    return "nearest: " + ", ".join(near) if near else "it is empty"
