"""Part names to choose from: the vocabulary, the other names that data sets use, and what people added."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exc, insert, select

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.vocabulary import Vocabulary, spelling
from texparts.annotation.edits import DESCRIPTION_LENGTH, NAME_LENGTH, clean_name
from texparts.review.database import Database
from texparts.review.models import Annotator, NameHit
from texparts.review.tables import added_names

NEAR = 0.72
"""Least similarity of a misspelt name to what was meant."""


@dataclass(frozen=True)
class _Known:
    key: str
    hit: NameHit


class Names:
    """Searches and adds part names."""

    def __init__(
        self, database: Database, vocabulary: Vocabulary | None, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._clock = clock
        self._vocabulary = vocabulary
        self._known = _known(vocabulary) if vocabulary is not None else []

    def search(self, query: str, category: str, limit: int) -> list[NameHit]:
        """Names that fit a query: the category's own first, then those that begin with it, then the rest.

        An empty query lists the category's names. A query that fits nothing finds names spelt much like it.
        """
        key = spelling(query[:NAME_LENGTH])
        home = self._home(category)
        known = [*self._known, *self._added()]
        if not key:
            found = [one for one in known if one.hit.category == home and one.hit.synonym is None]
            return [one.hit for one in sorted(found, key=lambda one: one.hit.name)][:limit]
        ranked = [(rank, one) for one in known if (rank := _fit(key, one.key)) is not None]
        if not ranked:
            near = difflib.get_close_matches(key, {one.key for one in known}, n=limit, cutoff=NEAR)
            ranked = [(near.index(one.key), one) for one in known if one.key in near]
        ranked.sort(key=lambda pair: _order(pair[0], pair[1].hit, home))
        # One line a name: by its own name where that fits, else by the best of its synonyms.
        hits: dict[tuple[str, str], NameHit] = {}
        for _, one in ranked:
            hits.setdefault((one.hit.category, one.hit.name), one.hit)
        return list(hits.values())[:limit]

    def add(self, annotator: Annotator, category: str, name: str, description: str) -> None:
        """Make a name known to everybody; adding it again is harmless.

        Raises:
            AlignPartsError: the name or the description is too long or empty.
        """
        category, name = self._home(clean_name(category)), clean_name(name)
        text = clean_text(description, "description")
        with self._database.write() as connection:
            same = (added_names.c.category == category) & (added_names.c.name == name)
            if connection.scalar(select(added_names.c.id).where(same)) is not None:
                return
            try:
                with connection.begin_nested():
                    connection.execute(
                        insert(added_names).values(
                            category=category,
                            name=name,
                            description=text,
                            annotator_id=annotator.id,
                            at=self._clock(),
                        )
                    )
            except exc.IntegrityError:
                return  # somebody else added it at the same moment

    def _home(self, category: str) -> str:
        known = self._vocabulary
        if known is not None and known.has(category):
            return known.resolve_category(category)
        return spelling(category)

    def _added(self) -> list[_Known]:
        columns = (added_names.c.name, added_names.c.description, added_names.c.category)
        with self._database.read() as connection:
            rows = connection.execute(select(*columns)).all()
        return [_Known(spelling(row.name), NameHit(*row)) for row in rows]


def clean_text(text: str, key: str) -> str:
    """Free text as it is stored: printable characters and line ends.

    Raises:
        AlignPartsError: too long.
    """
    if len(text) > DESCRIPTION_LENGTH:
        raise AlignPartsError(f"{key}: expected {DESCRIPTION_LENGTH} characters at most, got {len(text)}")
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text).strip()


def _known(vocabulary: Vocabulary) -> list[_Known]:
    known = []
    for category, entry in vocabulary.entries.items():
        for name, part in entry.parts.items():
            known.append(_Known(spelling(name), NameHit(name, part.description, category)))
            others = {spelling(alias.part): alias.part for alias in part.aliases}
            known += [
                _Known(key, NameHit(name, part.description, category, written.rsplit("/", 1)[-1]))
                for key, written in sorted(others.items())
                if key and key != spelling(name)
            ]
    return known


def _fit(key: str, name: str) -> int | None:
    """0: the same; 1: begins with it; 2: a word of it does; 3: in it; None: not at all."""
    if key == name:
        return 0
    if name.startswith(key):
        return 1
    if f"_{key}" in name:
        return 2
    if key in name or all(word in name for word in key.split("_")):
        return 3
    return None


def _order(rank: int, hit: NameHit, home: str) -> tuple[bool, int, bool, str, str]:
    return hit.category != home, rank, hit.synonym is not None, hit.name, hit.category
