"""Pairs of names that may mean the same: which are worth a verdict, and what the verdicts add up to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from alignparts.ontology.vocabulary import Alias, words

__all__ = ["Encoder", "Merge", "Name", "Pair", "embed", "group", "longest", "propose"]


@runtime_checkable
class Encoder(Protocol):
    """What :class:`alignparts.ontology.text.TextEncoder` is used for here."""

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d_t"]: ...


@dataclass(frozen=True)
class Name:
    """A name within one category: how data sets write it, and what it means ("" where that is unknown)."""

    description: str
    aliases: tuple[Alias, ...]
    datasets: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "datasets", frozenset(alias.dataset for alias in self.aliases))


@dataclass(frozen=True)
class Pair:
    """Two names put to the language model, and what it said.

    ``a < b`` in alphabetical order; ``category`` is empty where the two are categories themselves. The
    cosine of the descriptions is 0 where either name has none. A pair that no verdict covers is not
    ``decided``, and not the ``same``.
    """

    category: str
    a: str
    b: str
    name_cosine: float
    description_cosine: float
    stage: Literal["embedding", "review"]
    same: bool = False
    reason: str = ""
    decided: bool = True

    @property
    def cosine(self) -> float:
        """What the thresholds are compared with: the larger of the two cosines."""
        return max(self.name_cosine, self.description_cosine)


@dataclass(frozen=True)
class Merge:
    """Verdicts as groups: longest name → its names; and the verdicts that could not be followed."""

    groups: dict[str, tuple[str, ...]]
    conflicts: tuple[str, ...] = ()


def embed(encoder: Encoder, texts: Iterable[str]) -> dict[str, Float32[np.ndarray, " d_t"]]:
    """The embedding of every distinct text, all of them in one call."""
    distinct = sorted(set(texts))
    return dict(zip(distinct, encoder.encode(distinct), strict=True))


def longest(names: Iterable[str]) -> str:
    """The longest name, of equally long ones the first in the alphabet."""
    return min(names, key=lambda name: (-len(name), name))


def propose(
    category: str,
    names: Mapping[str, Name],
    vectors: Mapping[str, np.ndarray],
    threshold: float,
    review_threshold: float,
) -> list[Pair]:
    """Pairs of names worth a verdict (stages ``embedding`` and ``review``, see `alignparts.ontology.merge`).

    Args:
        category: the one that the names belong to; empty: they are categories.
        names: by spelling.
        vectors: embeddings of length 1 of every name in words, and of every description.
        threshold: cosine above which any two are proposed.
        review_threshold: cosine above which two that no data set uses both of are proposed.
    """
    ordered = sorted(names)
    name_cosines = _cosines([vectors[words(name)] for name in ordered])
    described = np.array([bool(names[name].description) for name in ordered], dtype=bool)
    description_cosines = _cosines([vectors[names[name].description or words(name)] for name in ordered])
    description_cosines[~(described[:, None] & described)] = 0.0
    pairs = []
    for i, j in combinations(range(len(ordered)), 2):
        a, b = ordered[i], ordered[j]
        first, second = float(name_cosines[i, j]), float(description_cosines[i, j])
        stage: Literal["embedding", "review"] = "embedding"
        if max(first, second) <= threshold:
            if names[a].datasets & names[b].datasets:
                continue
            if max(first, second) <= review_threshold:
                continue
            stage = "review"
        pairs.append(Pair(category, a, b, round(first, 4), round(second, 4), stage))
    return pairs


def group(names: Iterable[str], pairs: Sequence[Pair]) -> Merge:
    """Groups of names that mean the same, by union-find over the accepted pairs.

    A rejected pair never ends in one group. Where accepted pairs would chain one together, they are
    followed from the most to the least similar, ties in alphabetical order, and the one that would close
    the chain is left out and named in ``conflicts``. A pair without a verdict neither joins nor keeps
    apart. The result does not depend on the order of the input.
    """
    from scipy.cluster.hierarchy import DisjointSet

    sets = DisjointSet(sorted(set(names)))
    rejected = sorted((pair.a, pair.b) for pair in pairs if pair.decided and not pair.same)
    accepted = sorted((pair for pair in pairs if pair.same), key=lambda pair: (-pair.cosine, pair.a, pair.b))
    conflicts = []
    for pair in accepted:
        ends = {sets[pair.a], sets[pair.b]}
        closed = next((two for two in rejected if {sets[two[0]], sets[two[1]]} == ends), None)
        if closed is None:
            sets.merge(pair.a, pair.b)
        else:
            within = f" of '{pair.category}'" if pair.category else ""
            conflicts.append(f"'{pair.a}' = '{pair.b}'{within} is left out: with it '{closed[0]}' and "
                             f"'{closed[1]}', which were kept apart, would be one")  # fmt: skip
    return Merge({longest(one): tuple(sorted(one)) for one in sets.subsets()}, tuple(conflicts))


def _cosines(vectors: Sequence[np.ndarray]) -> np.ndarray:
    if not vectors:
        return np.zeros((0, 0), dtype=np.float32)
    stacked = np.stack(vectors)
    return stacked @ stacked.T
