"""The unified vocabulary: canonical categories and parts, their descriptions and aliases."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ValidationError

from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError


def spelling(name: str) -> str:
    """Return a name as the vocabulary spells it: the last component of a path, in lower snake case.

    ``StorageFurniture`` → ``storage_furniture``; ``chair/chair_seat`` → ``chair_seat``; ``coffee table`` →
    ``coffee_table``. Data sets that differ in spelling alone use one name.
    """
    leaf = name.strip().rstrip("/").rsplit("/", 1)[-1]
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", leaf)
    return re.sub(r"[\s_\-]+", "_", snake).strip("_").lower()


def words(name: str) -> str:
    """Return a name as a person writes it: ``door_glass`` → ``door glass``."""
    return name.replace("_", " ")


class Alias(BaseModel, frozen=True, extra="forbid"):
    """A name as a data set writes it, and the number of its shapes that carry it."""

    dataset: str
    category: str
    part: str = ""
    count: int = 0


class PartEntry(BaseModel, frozen=True, extra="forbid"):
    """A canonical part of a category, its affordance description ("": none) and every name that means it."""

    description: str
    count: int
    aliases: tuple[Alias, ...]


class CategoryEntry(PartEntry, frozen=True, extra="forbid"):
    """A canonical category, described and named as a part is, and its parts."""

    parts: dict[str, PartEntry]


class Vocabulary(BaseModel, frozen=True, extra="forbid"):
    """Canonical (category, part) pairs with affordance descriptions and an alias log (section 9.4)."""

    entries: dict[str, CategoryEntry]

    @property
    def categories(self) -> list[str]:
        """Return the canonical categories, in alphabetical order."""
        return sorted(self.entries)

    def parts(self, category: str) -> list[str]:
        """Return the canonical part names of a category (any of its names), in alphabetical order."""
        return sorted(self.entries[self.resolve_category(category)].parts)

    def description(self, category: str, part: str) -> str:
        """Return the affordance description of a part (section 3.1), its name in words where it has none.

        Either name may be an alias.
        """
        category, part = self.resolve(category, part)
        return self.entries[category].parts[part].description or words(part)

    def category_description(self, category: str) -> str:
        """Return the description of a category, its name in words where it has none; it may be an alias."""
        category = self.resolve_category(category)
        return self.entries[category].description or words(category)

    def resolve_category(self, category: str) -> str:
        """Return the canonical name of a category.

        Raises AlignPartsError with the nearest names for one that no data set used.
        """
        if spelling(category) not in self._categories:
            nearest = _nearest(category, self._categories)
            raise AlignPartsError(f"category '{category}' is not in the vocabulary; {nearest}")
        return self._categories[spelling(category)]

    def resolve(self, category: str, part: str) -> tuple[str, str]:
        """Return the canonical (category, part) of any legacy names; raise as :meth:`resolve_category`."""
        canonical = self.resolve_category(category)
        names = self._parts[canonical]
        if spelling(part) not in names:
            nearest = _nearest(part, names)
            raise AlignPartsError(f"part '{part}' of '{category}' is not in the vocabulary; {nearest}")
        return canonical, names[spelling(part)]

    def has(self, category: str, part: str | None = None) -> bool:
        """Return whether :meth:`resolve` (or, without a part, :meth:`resolve_category`) would succeed."""
        canonical = self._categories.get(spelling(category))
        return canonical is not None and (part is None or spelling(part) in self._parts[canonical])

    def groups(self) -> Iterator[tuple[str, str, tuple[Alias, ...]]]:
        """Yield canonical category, canonical part ("" for the category itself) and the names of each."""
        for category in self.categories:
            entry = self.entries[category]
            yield category, "", entry.aliases
            for part in sorted(entry.parts):
                yield category, part, entry.parts[part].aliases

    def texts(self, category: str) -> list[tuple[str, str, str]]:
        """Return the texts of a category, then those of its parts in alphabetical order.

        They are the description, the name ("door glass") and the name in its place ("the door glass of a
        microwave", "a microwave").
        """
        name, parts = words(category), self.parts(category)
        of = f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
        named = [
            (self.description(category, part), words(part), f"the {words(part)} of {of}") for part in parts
        ]
        return [(self.category_description(category), name, of), *named]

    def all_texts(self) -> list[str]:
        """Return the texts of all categories in their order, one after the other."""
        return [text for category in self.categories for texts in self.texts(category) for text in texts]

    def only(self, categories: Iterable[str]) -> "Vocabulary":
        """Return the vocabulary of some categories (any of their names), of all where none is given."""
        chosen = {self.resolve_category(category) for category in categories} or set(self.entries)
        return Vocabulary(entries={name: self.entries[name] for name in self.entries if name in chosen})

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON, atomically."""
        write_text(path, self.model_dump_json(indent=1) + "\n")

    def save_aliases(self, path: Path) -> None:
        """Write the alias log as CSV, atomically: a row per name of a data set, part empty for categories."""
        import pandas as pd

        rows = [
            (alias.dataset, alias.category, alias.part, category, part, alias.count)
            for category, part, aliases in self.groups()
            for alias in aliases
        ]
        columns = ["dataset", "category", "part", "canonical_category", "canonical_part", "count"]
        write_text(path, pd.DataFrame(rows, columns=columns).to_csv(index=False, lineterminator="\n"))

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read a vocabulary written by :meth:`save`; raise AlignPartsError if it is missing or not one."""
        if not path.is_file():
            raise AlignPartsError(f"{path}: no such vocabulary; it is written by: dvc repro ontology")
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError) as error:
            detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "not UTF-8"
            message = f"{path}: not a vocabulary: {detail}; expected that of the stage 'ontology'"
            raise AlignPartsError(message) from None

    @cached_property
    def _categories(self) -> dict[str, str]:
        return _lookup(self.entries)

    @cached_property
    def _parts(self) -> dict[str, dict[str, str]]:
        return {category: _lookup(entry.parts) for category, entry in self.entries.items()}


def _lookup(entries: Mapping[str, PartEntry]) -> dict[str, str]:
    """Return the canonical name of every spelling of some categories, or of the parts of one."""
    return {
        name: head
        for head, entry in entries.items()
        for name in (head, *(spelling(alias.part or alias.category) for alias in entry.aliases))
    }


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(spelling(name), names, n=5, cutoff=0.5) or names[:8]
    return "nearest: " + ", ".join(near) if near else "it is empty"
