"""The names that data sets use, with the shapes that carry each and the wholes that a part lies in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from alignparts.ontology.vocabulary import Alias, spelling

K = TypeVar("K", bound=tuple[str, ...])
Key = tuple[str, str, str]
"""Data set, category and part, as the data set writes them."""
Chain = tuple[str, ...]
"""Wholes around a part, outermost first, without the category."""


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
        raw = cls()
        for dataset, category, names in shapes:
            raw.categories[dataset, category] = raw.categories.get((dataset, category), 0) + 1
            for name in {name for name in names if spelling(name)}:
                raw.parts[dataset, category, name] = raw.parts.get((dataset, category, name), 0) + 1
        return raw

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
        """Add the names that data sets declare but no shape here carries, and the declared wholes.

        The meaning of a name, and the names that a data set tells apart, must not depend on the shapes that
        happen to be in the corpus.
        """
        known = {_spelled(key) for key in (*self.categories, *self.parts)}

        def new(counts: dict[K, int]) -> dict[K, int]:
            return {key: count for key, count in counts.items() if _spelled(key) not in known}

        return RawVocabulary(
            self.categories | new(declared.categories),
            self.parts | new(declared.parts),
            self.parents | declared.parents,
        )

    def chains(self, aliases: Iterable[Alias]) -> list[Chain]:
        """Return the wholes that any data set says a part lies in, as spelled chains, sorted.

        Args:
            aliases: all names of the part.
        """
        keys = ((alias.dataset, alias.category, alias.part) for alias in aliases)
        return sorted({tuple(map(spelling, chain)) for key in keys for chain in self.parents.get(key, {()})})


def chain_of(part: str, parent: str) -> Chain:
    """Return the wholes around a part, from the path of its parent.

    Args:
        part: name of the part; where it is a path, its first step is the root of the category and left out.
        parent: path of the whole around it, empty where there is none.
    """
    steps = [step for step in parent.split("/") if spelling(step)]
    return tuple(steps[1:] if steps and part.startswith(f"{steps[0]}/") else steps)


def _spelled(key: tuple[str, ...]) -> tuple[str, ...]:
    return key[0], *map(spelling, key[1:])
