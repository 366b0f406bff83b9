"""One vocabulary out of several: embeddings propose, a language model decides (sections 4.1 and 9.4).

First categories, then the parts of every merged category. Two names are put to the language model

- at the stage ``embedding``, when the cosine of their names or of their descriptions is above
  ``threshold`` (the paper's rule, 0.85), or
- at the stage ``review``, when no data set uses both names, so that none keeps the two apart itself,
  and either cosine is above the lower ``review_threshold``: a small encoder gives many names of one part
  less than 0.85.

Of merged names the more descriptive becomes canonical. That is usually the longest, but "seat_hard_surface"
would be false of a cushion, so the language model chooses here too. Counts add up; every name resolves
ever after.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float32
from pydantic import BaseModel, Field

from alignparts.errors import AlignPartsError
from alignparts.llm import LanguageModel
from alignparts.vocabulary import (
    Alias,
    CategoryEntry,
    PartEntry,
    RawVocabulary,
    Vocabulary,
    spelling,
    words,
)

__all__ = [
    "Merge", "Pair", "RawVocabulary", "Unification", "Vocabulary", "group", "missing_requests", "unify",
]  # fmt: skip

Reply = TypeVar("Reply", bound=BaseModel)
Request = tuple[str, dict[str, str]]


@runtime_checkable
class Encoder(Protocol):
    """What :class:`alignparts.text.TextEncoder` is used for here."""

    def encode(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d_t"]: ...


class Description(BaseModel):
    """Reply to ``describe_category`` and ``describe_part``."""

    description: str = Field(min_length=8)


class Verdict(BaseModel):
    """Reply to ``same_category`` and ``same_part``."""

    same: bool
    reason: str = Field(min_length=8)


class Choice(BaseModel):
    """Reply to ``name_category`` and ``name_part``."""

    name: str


@dataclass(frozen=True)
class Pair:
    """Two names put to the language model, and what it said.

    ``a < b`` in alphabetical order; ``category`` is empty where the two are categories themselves.
    """

    category: str
    a: str
    b: str
    name_cosine: float
    description_cosine: float
    stage: Literal["embedding", "review"]
    same: bool = False
    reason: str = ""

    @property
    def cosine(self) -> float:
        """What the thresholds are compared with: the larger of the two cosines."""
        return max(self.name_cosine, self.description_cosine)


@dataclass(frozen=True)
class Merge:
    """Verdicts as groups: longest name → its names; and the verdicts that could not be followed."""

    groups: dict[str, tuple[str, ...]]
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unification:
    """The unified vocabulary and how it came about."""

    vocabulary: Vocabulary
    pairs: tuple[Pair, ...]
    conflicts: tuple[str, ...]


@dataclass(frozen=True)
class _Name:
    """A name within one category: how data sets write it, and what it means."""

    description: str
    aliases: tuple[Alias, ...]
    datasets: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "datasets", frozenset(alias.dataset for alias in self.aliases))


class _MissingError(Exception):
    """A batch of requests that is not all on record."""


def longest(names: Iterable[str]) -> str:
    """The longest name, of equally long ones the first in the alphabet."""
    return min(names, key=lambda name: (-len(name), name))


def propose(
    category: str, names: Mapping[str, _Name], encoder: Encoder, threshold: float, review_threshold: float
) -> list[Pair]:
    """Pairs of names worth a verdict (stages ``embedding`` and ``review``, see the module's head)."""
    ordered = sorted(names)
    by_name = encoder.encode([words(name) for name in ordered])
    by_description = encoder.encode([names[name].description for name in ordered])
    name_cosines = by_name @ by_name.T
    description_cosines = by_description @ by_description.T
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
    the chain is left out and named in ``conflicts``. The result does not depend on the order of the input.
    """
    from scipy.cluster.hierarchy import DisjointSet

    sets = DisjointSet(sorted(set(names)))
    rejected = sorted((pair.a, pair.b) for pair in pairs if not pair.same)
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


class _Compression:
    """One pass of section 9.4 over a raw vocabulary."""

    def __init__(
        self, encoder: Encoder, llm: LanguageModel, threshold: float, review_threshold: float,
        missing: list[Request] | None = None,
    ) -> None:  # fmt: skip
        if review_threshold > threshold:
            raise AlignPartsError(
                f"ontology.review_threshold ({review_threshold}) must not be above "
                f"ontology.threshold ({threshold})"
            )
        self.encoder, self.llm, self.missing = encoder, llm, missing
        self.thresholds = threshold, review_threshold
        self.pairs: list[Pair] = []
        self.conflicts: list[str] = []

    def categories(self, raw: RawVocabulary) -> dict[str, list[_Name]]:
        """Canonical category → its names, the canonical one first."""
        aliases: dict[str, list[Alias]] = {}
        for (dataset, category), count in sorted(raw.categories.items()):
            aliases.setdefault(spelling(category), []).append(
                Alias(dataset=dataset, category=category, count=count)
            )
        return self._merge("", aliases, lambda name: ("describe_category", {"category": words(name)}))

    def parts(self, category: str, raw: RawVocabulary, merged: Sequence[_Name]) -> dict[str, list[_Name]]:
        """Canonical part of a merged category → its names, the canonical one first."""
        members = {spelling(alias.category) for name in merged for alias in name.aliases}
        aliases: dict[str, list[Alias]] = {}
        for (dataset, written, part), count in sorted(raw.parts.items()):
            if spelling(written) in members:
                aliases.setdefault(spelling(part), []).append(
                    Alias(dataset=dataset, category=written, part=part, count=count)
                )
        return self._merge(
            category, aliases,
            lambda name: ("describe_part", {"category": words(category), "part": words(name)}),
        )  # fmt: skip

    def _merge(
        self, category: str, aliases: Mapping[str, Sequence[Alias]], describe: Callable[[str], Request]
    ) -> dict[str, list[_Name]]:
        ordered = sorted(aliases)
        described = self._ask([describe(name) for name in ordered], Description)
        names = {
            name: _Name(reply.description, tuple(aliases[name]))
            for name, reply in zip(ordered, described, strict=True)
        }
        pairs = propose(category, names, self.encoder, *self.thresholds)
        verdicts = self._ask([_same(pair, names) for pair in pairs], Verdict)
        judged = [
            Pair(pair.category, pair.a, pair.b, pair.name_cosine, pair.description_cosine, pair.stage,
                 verdict.same, verdict.reason)
            for pair, verdict in zip(pairs, verdicts, strict=True)
        ]  # fmt: skip
        merge = group(names, judged)
        self.pairs += judged
        self.conflicts += merge.conflicts
        heads = self._choose(category, sorted(merge.groups.values()))
        return {
            head: [names[head], *(names[name] for name in members if name != head)]
            for head, members in sorted(heads.items())
        }

    def _choose(self, category: str, groups: Sequence[tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Canonical name → the group; a name that stands alone needs no choice."""
        several = [members for members in groups if len(members) > 1]
        joined = ["; ".join(map(words, members)) for members in several]
        requests: list[Request] = [
            ("name_part", {"category": words(category), "names": names})
            if category
            else ("name_category", {"names": names})
            for names in joined
        ]
        chosen: dict[str, tuple[str, ...]] = {members[0]: members for members in groups if len(members) == 1}
        for members, choice in zip(several, self._ask(requests, Choice), strict=True):
            head = spelling(choice.name)
            if head not in members:
                raise AlignPartsError(
                    f"ontology: the language model chose '{choice.name}' for {', '.join(members)}; "
                    "expected one of them"
                )
            chosen[head] = members
        return chosen

    def _ask(self, requests: Sequence[Request], schema: type[Reply]) -> list[Reply]:
        if self.missing is not None:
            lacking = [request for request in requests if not self.llm.known(*request)]
            if lacking:
                self.missing.extend(lacking)
                raise _MissingError
        return [self.llm.ask(prompt, variables, schema) for prompt, variables in requests]


def unify(
    raw: RawVocabulary,
    encoder: Encoder,
    llm: LanguageModel,
    threshold: float = 0.85,
    review_threshold: float = 0.7,
) -> Unification:
    """Merge the vocabularies of several data sets into one.

    Args:
        raw: the names as they are, from every data set.
        encoder: embeds names and descriptions.
        llm: describes every name and judges every proposed pair.
        threshold: cosine above which any two names are proposed (section 4.1).
        review_threshold: cosine above which names that no data set uses both of are proposed.

    Raises:
        AlignPartsError: no names at all; a reply that is neither on record nor to be had.
    """
    if not raw.categories:
        raise AlignPartsError("ontology: the corpus names no category; run the stage 'corpus' first")
    named = {(dataset, spelling(category)) for dataset, category in raw.categories}
    stray = sorted(key[:2] for key in raw.parts if (key[0], spelling(key[1])) not in named)
    if stray:
        raise AlignPartsError(f"ontology: parts are named for {stray[0]}, which is not among the categories")
    compression = _Compression(encoder, llm, threshold, review_threshold)
    entries = {}
    for category, names in compression.categories(raw).items():
        parts = {
            part: PartEntry(description=members[0].description, **_totals(members))
            for part, members in compression.parts(category, raw, names).items()
        }
        entries[category] = CategoryEntry(description=names[0].description, parts=parts, **_totals(names))
    return Unification(Vocabulary(entries=entries), tuple(compression.pairs), tuple(compression.conflicts))


def missing_requests(
    raw: RawVocabulary,
    encoder: Encoder,
    llm: LanguageModel,
    threshold: float = 0.85,
    review_threshold: float = 0.7,
) -> list[Request]:
    """What :func:`unify` would ask that is not on record: (prompt, variables); empty: no endpoint needed.

    Later requests depend on earlier replies (which pairs are proposed depends on the descriptions, which
    parts share a category on the categories' verdicts): after recording these, ask again until it is empty.
    """
    missing: list[Request] = []
    compression = _Compression(encoder, llm, threshold, review_threshold, missing)
    try:
        categories = compression.categories(raw)
    except _MissingError:
        return missing
    for category, names in categories.items():
        try:
            compression.parts(category, raw, names)
        except _MissingError:
            continue
    return missing


def _same(pair: Pair, names: Mapping[str, _Name]) -> Request:
    variables = {
        "a": words(pair.a), "a_description": names[pair.a].description,
        "b": words(pair.b), "b_description": names[pair.b].description,
    }  # fmt: skip
    if pair.category:
        return "same_part", {"category": words(pair.category), **variables}
    return "same_category", variables


def _totals(names: Sequence[_Name]) -> dict:
    aliases = sorted(
        (alias for name in names for alias in name.aliases), key=lambda a: (a.dataset, a.category, a.part)
    )
    return {"aliases": tuple(aliases), "count": sum(alias.count for alias in aliases)}
