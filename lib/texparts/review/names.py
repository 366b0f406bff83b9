"""Search part names: those of the vocabulary, their synonyms in data sets, and those that people added."""

import difflib
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select

from alignparts.ontology.vocabulary import Vocabulary, spelling
from texparts.annotation.edits import NAME_LENGTH, clean_name, clean_text
from texparts.review.database import Database, upsert
from texparts.review.models import Annotator, NameHit
from texparts.review.tables import added_names

NEAR = 0.72
"""Least similarity of a misspelled name to the right one."""
Known = tuple[str, NameHit]
"""A normalized spelling, and the name that it stands for."""


class Names:
    """Searches and adds part names."""

    def __init__(
        self, database: Database, vocabulary: Vocabulary | None, clock: Callable[[], datetime]
    ) -> None:
        self._database, self._clock, self._vocabulary = database, clock, vocabulary
        self._known = _known(vocabulary) if vocabulary is not None else []

    def search(self, query: str, category: str, limit: int = 20) -> list[NameHit]:
        """Return the names that fit a query: the category's own first, then those that begin with it.

        An empty query lists the category's names. A query that fits nothing gives names spelled much like it.
        """
        key = spelling(query[:NAME_LENGTH])
        home = self._home(category)
        known = [*self._known, *self._added()]
        if not key:
            local = [hit for _, hit in known if hit.category == home and hit.synonym is None]
            return sorted(local, key=lambda hit: hit.name)[:limit]
        ranked = [(rank, hit) for name, hit in known if (rank := _fit(key, name)) is not None]
        if not ranked:
            near = difflib.get_close_matches(key, {name for name, _ in known}, n=limit, cutoff=NEAR)
            ranked = [(near.index(name), hit) for name, hit in known if name in near]
        ranked.sort(
            key=lambda pair: (
                pair[1].category != home,
                pair[0],
                pair[1].synonym is not None,
                pair[1].name,
                pair[1].category,
            )
        )
        # One line per name: by its own name where that fits, else by the best of its synonyms.
        hits: dict[tuple[str, str], NameHit] = {}
        for _, hit in ranked:
            hits.setdefault((hit.category, hit.name), hit)
        return list(hits.values())[:limit]

    def add(self, annotator: Annotator, category: str, name: str, description: str = "") -> None:
        """Make a name known to everybody; raises AlignPartsError if a text is too long or empty."""
        row = {
            "category": self._home(clean_name(category)),
            "name": clean_name(name),
            "description": clean_text(description, "description"),
            "annotator_id": annotator.id,
            "at": self._clock(),
        }
        with self._database.write() as connection:
            connection.execute(upsert(connection, added_names).values(row).on_conflict_do_nothing())

    def _home(self, category: str) -> str:
        if self._vocabulary is not None and self._vocabulary.has(category):
            return self._vocabulary.resolve_category(category)
        return spelling(category)

    def _added(self) -> list[Known]:
        query = select(added_names.c.name, added_names.c.description, added_names.c.category)
        with self._database.read() as connection:
            return [(spelling(row.name), NameHit(*row)) for row in connection.execute(query)]


def _known(vocabulary: Vocabulary) -> list[Known]:
    known = []
    for category, entry in vocabulary.entries.items():
        for name, part in entry.parts.items():
            canonical = (spelling(name), NameHit(name, part.description, category))
            others = {spelling(alias.part): alias.part for alias in part.aliases}
            known += [canonical] + [
                (key, NameHit(name, part.description, category, written.rsplit("/", 1)[-1]))
                for key, written in sorted(others.items())
                if key and key != canonical[0]
            ]
    return known


def _fit(key: str, name: str) -> int | None:
    """Return 0 for the same, 1 for a prefix, 2 for a word's prefix, 3 for contained, None for no fit."""
    fits = (
        key == name, name.startswith(key), f"_{key}" in name,
        key in name or all(word in name for word in key.split("_")),
    )  # fmt: skip
    return fits.index(True) if any(fits) else None
