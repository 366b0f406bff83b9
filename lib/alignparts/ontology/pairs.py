"""Names that may mean the same: candidate pairs, questions to the language model, groups (section 9.4)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32
from pydantic import BaseModel, Field

from alignparts.ontology.llm.records import Request
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


class Description(BaseModel):
    """Reply to ``describe_category`` and ``describe_part``."""

    description: str = Field(min_length=8)

    @staticmethod
    def request(category: str, part: str = "") -> Request:
        """Return the question for the description of a category or, given one, of a part of it."""
        if part:
            return _question("describe", category, {"part": words(part)})
        return _question("describe", "", {"category": words(category)})


class Verdict(BaseModel):
    """Reply to ``same_category`` and ``same_part``."""

    same: bool
    reason: str = Field(min_length=8)

    @staticmethod
    def request(category: str, a: str, a_description: str, b: str, b_description: str) -> Request:
        """Return the question about two names ``a < b`` of a category or, if it is empty, two categories."""
        ends = {"a": words(a), "a_description": a_description, "b": words(b), "b_description": b_description}
        return _question("same", category, ends)


class Choice(BaseModel):
    """Reply to ``name_category`` and ``name_part``."""

    name: str

    @staticmethod
    def request(category: str, names: Sequence[str]) -> Request:
        """Return the question for the canonical one of names that mean the same, in alphabetical order."""
        return _question("name", category, {"names": "; ".join(map(words, names))})


SCHEMAS: dict[str, type[BaseModel]] = {
    f"{verb}_{subject}": reply
    for verb, reply in (("describe", Description), ("same", Verdict), ("name", Choice))
    for subject in ("category", "part")
}
"""Pydantic model of the reply, by prompt."""


def _question(verb: str, category: str, variables: dict[str, str]) -> Request:
    """Return a question about parts of a category or, where it is empty, about categories."""
    if category:
        return Request(f"{verb}_part", {"category": words(category), **variables})
    return Request(f"{verb}_category", variables)


def embed(encoder: Encoder, texts: Iterable[str]) -> dict[str, Float32[np.ndarray, " d_t"]]:
    """Return the embedding of every distinct text, all of them encoded in one call."""
    distinct = sorted(set(texts))
    return dict(zip(distinct, encoder.encode(distinct), strict=True))


def propose(
    category: str,
    names: Mapping[str, Name],
    vectors: Mapping[str, np.ndarray],
    threshold: float,
    review_threshold: float,
) -> list[Pair]:
    """Return pairs of a category's names (of categories, if it is empty) that are worth a verdict.

    ``vectors`` holds embeddings of length 1 of every name in words and of every description. Any two names
    are proposed above the cosine ``threshold``, two that no data set uses both of above ``review_threshold``.
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
    the chain is left out. A pair without a verdict neither joins nor keeps apart. The groups, each in
    alphabetical order, and a line per accepted pair that was left out do not depend on the input's order.
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
