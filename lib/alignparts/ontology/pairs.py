"""Pairs of names that may mean the same: candidates for a verdict, and the groups that verdicts make."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from alignparts.ontology.vocabulary import Alias, words


@runtime_checkable
class Encoder(Protocol):
    """A sentence encoder, such as :class:`alignparts.ontology.text.TextEncoder`."""

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d_t"]: ...


@dataclass(frozen=True)
class Name:
    """A name within one category: its description, "" where unknown, and the names of data sets for it."""

    description: str
    aliases: tuple[Alias, ...]

    @property
    def datasets(self) -> frozenset[str]:
        """Return the data sets that use the name."""
        return frozenset(alias.dataset for alias in self.aliases)


@dataclass(frozen=True)
class Pair:
    """Two names put to the language model, and its verdict.

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
        """Return the larger of the two cosines, which the thresholds are compared with."""
        return max(self.name_cosine, self.description_cosine)


def embed(encoder: Encoder, texts: Iterable[str]) -> dict[str, Float32[np.ndarray, " d_t"]]:
    """Return the embedding of every distinct text, all of them encoded in one call."""
    distinct = sorted(set(texts))
    return dict(zip(distinct, encoder.encode(distinct), strict=True))


def longest(names: Iterable[str]) -> str:
    """Return the longest name, of equally long ones the first in the alphabet."""
    return min(names, key=lambda name: (-len(name), name))


def propose(
    category: str,
    names: Mapping[str, Name],
    vectors: Mapping[str, np.ndarray],
    threshold: float,
    review_threshold: float,
) -> list[Pair]:
    """Return pairs of names worth a verdict (stages ``embedding`` and ``review``, see `ontology.merge`).

    Args:
        category: category that the names belong to; empty: they are categories.
        names: names by spelling.
        vectors: embeddings of length 1 of every name in words, and of every description.
        threshold, review_threshold: cosines above which any two, and two that no data set uses both of, are
            proposed.
    """
    if len(names) < 2:
        return []
    ordered = sorted(names)
    by_name = np.stack([vectors[words(name)] for name in ordered])
    # A name without a description has the cosine 0 with all others.
    absent = np.zeros_like(by_name[0])
    described = np.stack([vectors.get(names[name].description, absent) for name in ordered])
    name_cosines, description_cosines = by_name @ by_name.T, described @ described.T
    cosines = np.maximum(name_cosines, description_cosines).astype(np.float64)
    pairs = []
    for i, j in np.argwhere(np.triu(cosines > review_threshold, 1)):
        a, b = ordered[i], ordered[j]
        stage: Literal["embedding", "review"] = "embedding" if cosines[i, j] > threshold else "review"
        if stage == "embedding" or not names[a].datasets & names[b].datasets:
            by, of = (round(float(table[i, j]), 4) for table in (name_cosines, description_cosines))
            pairs.append(Pair(category, a, b, by, of, stage))
    return pairs


def group(names: Iterable[str], pairs: Sequence[Pair]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Group names that mean the same, by union-find over the accepted pairs.

    A rejected pair never ends in one group. Where accepted pairs would chain one together, they are
    followed from the most to the least similar, ties in alphabetical order, and the one that would close
    the chain is left out. A pair without a verdict neither joins nor keeps apart. The result does not depend
    on the order of the input.

    Returns:
        The groups, each in alphabetical order, and a line per accepted pair that was left out.
    """
    from scipy.cluster.hierarchy import DisjointSet

    sets = DisjointSet(sorted(set(names)))
    rejected = sorted((pair.a, pair.b) for pair in pairs if pair.decided and not pair.same)
    conflicts = []
    for pair in sorted(pairs, key=lambda pair: (-pair.cosine, pair.a, pair.b)):
        if not pair.same:
            continue
        ends = {sets[pair.a], sets[pair.b]}
        closed = next((two for two in rejected if {sets[two[0]], sets[two[1]]} == ends), None)
        if closed is None:
            sets.merge(pair.a, pair.b)
        else:
            within = f" of '{pair.category}'" if pair.category else ""
            conflicts.append(f"'{pair.a}' = '{pair.b}'{within} is left out: with it '{closed[0]}' and "
                             f"'{closed[1]}', which were kept apart, would be one")  # fmt: skip
    return sorted(tuple(sorted(members)) for members in sets.subsets()), conflicts
