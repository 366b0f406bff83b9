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

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.pairs import Encoder, Merge, Name, Pair, embed, group, longest, propose
from alignparts.ontology.requests import (
    Choice,
    Description,
    Missing,
    Request,
    Verdict,
    choice_request,
    description_request,
    verdict_request,
)
from alignparts.ontology.vocabulary import (
    Alias,
    CategoryEntry,
    PartEntry,
    RawVocabulary,
    Vocabulary,
    spelling,
    words,
)

__all__ = [
    "Merge", "Missing", "Pair", "RawVocabulary", "Unification", "Vocabulary", "group", "missing_requests",
    "unify",
]  # fmt: skip

Reply = TypeVar("Reply", bound=BaseModel)


@dataclass(frozen=True)
class Unification:
    """The unified vocabulary and how it came about.

    Attributes:
        vocabulary: every name of every data set is in it.
        pairs: the candidates, with their verdicts.
        conflicts: accepted pairs that were left out, because they contradict rejected ones.
        missing: what was not on record; empty unless the merge was asked to be ``partial``.
        seconds: time by step (``embed``, ``rest``).
    """

    vocabulary: Vocabulary
    pairs: tuple[Pair, ...]
    conflicts: tuple[str, ...]
    missing: tuple[Missing, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict, compare=False)


Aliases = Mapping[str, Mapping[str, Sequence[Alias]]]
"""How data sets write every name, by category and spelling; the category "" holds the categories."""


class _Compression:
    """One pass of section 9.4 over a raw vocabulary."""

    def __init__(
        self, encoder: Encoder, llm: LanguageModel, threshold: float, review_threshold: float, partial: bool
    ) -> None:
        if review_threshold > threshold:
            raise AlignPartsError(
                f"ontology.review_threshold ({review_threshold}) must not be above "
                f"ontology.threshold ({threshold})"
            )
        self.encoder, self.llm, self.partial = encoder, llm, partial
        self.thresholds = threshold, review_threshold
        self.pairs: list[Pair] = []
        self.conflicts: list[str] = []
        self.missing: list[Missing] = []
        self.seconds = 0.0
        self._unsettled: set[str] = set()

    def categories(self, raw: RawVocabulary) -> dict[str, list[Name]]:
        """Canonical category → its names, the canonical one first."""
        aliases: dict[str, list[Alias]] = {}
        for (dataset, category), count in sorted(raw.categories.items()):
            aliases.setdefault(spelling(category), []).append(
                Alias(dataset=dataset, category=category, count=count)
            )
        merged = self._merge({"": aliases})[""]
        self._unsettled = self._unsettled_categories(merged)
        return merged

    def parts(
        self, raw: RawVocabulary, merged: Mapping[str, Sequence[Name]]
    ) -> dict[str, dict[str, list[Name]]]:
        """Merged category → canonical part → its names, the canonical one first."""
        owner = {
            spelling(alias.category): category
            for category, names in merged.items()
            for name in names
            for alias in name.aliases
        }
        aliases: dict[str, dict[str, list[Alias]]] = {category: {} for category in merged}
        for (dataset, written, part), count in sorted(raw.parts.items()):
            aliases[owner[spelling(written)]].setdefault(spelling(part), []).append(
                Alias(dataset=dataset, category=written, part=part, count=count)
            )
        return self._merge(aliases)

    def _merge(self, aliases: Aliases) -> dict[str, dict[str, list[Name]]]:
        named = {category: self._describe(category, spelled) for category, spelled in aliases.items()}
        texts = {words(name) for names in named.values() for name in names}
        texts |= {name.description for names in named.values() for name in names.values()} - {""}
        start = time.perf_counter()
        vectors = embed(self.encoder, texts)
        self.seconds += time.perf_counter() - start
        merged = {}
        for category, names in named.items():
            judged = self._judge(category, propose(category, names, vectors, *self.thresholds), names)
            merge = group(names, judged)
            self.pairs += judged
            self.conflicts += merge.conflicts
            settled = category not in self._unsettled and all(name.description for name in names.values())
            heads = self._choose(category, sorted(merge.groups.values()), _open(judged), settled)
            merged[category] = {
                head: [names[head], *(names[name] for name in members if name != head)]
                for head, members in sorted(heads.items())
            }
        return merged

    def _describe(self, category: str, aliases: Mapping[str, Sequence[Alias]]) -> dict[str, Name]:
        ordered = sorted(aliases)
        requests = [
            description_request(category, name) if category else description_request(name) for name in ordered
        ]
        replies = self._ask(requests, Description, category not in self._unsettled)
        return {
            name: Name(reply.description if reply else "", tuple(aliases[name]))
            for name, reply in zip(ordered, replies, strict=True)
        }

    def _judge(self, category: str, pairs: Sequence[Pair], names: Mapping[str, Name]) -> list[Pair]:
        """The pairs with their verdicts; one of a name without a description cannot even be asked for."""
        verdicts = {}
        for pair in pairs:
            a, b = names[pair.a].description, names[pair.b].description
            if a and b:
                request = verdict_request(category, pair.a, a, pair.b, b)
                verdicts[pair] = self._ask([request], Verdict, category not in self._unsettled)[0]
        judged = []
        for pair in pairs:
            verdict = verdicts.get(pair)
            ends = (pair.category, pair.a, pair.b, pair.name_cosine, pair.description_cosine, pair.stage)
            judged.append(
                Pair(*ends, verdict.same, verdict.reason) if verdict else Pair(*ends, decided=False)
            )
        return judged

    def _choose(
        self, category: str, groups: Sequence[tuple[str, ...]], unsure: set[str], settled: bool
    ) -> dict[str, tuple[str, ...]]:
        """Canonical name → the group; a name that stands alone needs no choice."""
        chosen: dict[str, tuple[str, ...]] = {members[0]: members for members in groups if len(members) == 1}
        for members in groups:
            if len(members) == 1:
                continue
            settled_here = settled and not unsure & set(members)
            (choice,) = self._ask([choice_request(category, members)], Choice, settled_here)
            head = spelling(choice.name) if choice else longest(members)
            if choice and head not in members:
                raise AlignPartsError(
                    f"ontology: the language model chose '{choice.name}' for {', '.join(members)}; "
                    "expected one of them"
                )
            chosen[head] = members
        return chosen

    def _unsettled_categories(self, merged: Mapping[str, Sequence[Name]]) -> set[str]:
        """Merged categories that a missing reply may still join to another, or give another name."""
        if any(one.prompt == "describe_category" for one in self.missing):
            return set(merged)
        unsure = _open(self.pairs)
        for one in self.missing:
            if one.prompt == "name_category":
                unsure |= {spelling(name) for name in one.variables["names"].split("; ")}
        return {
            category
            for category, names in merged.items()
            if unsure & {spelling(alias.category) for name in names for alias in name.aliases}
        }

    def _ask(self, requests: Sequence[Request], schema: type[Reply], settled: bool) -> list[Reply | None]:
        replies: list[Reply | None] = []
        for prompt, variables in requests:
            if self.partial and not self.llm.known(prompt, variables):
                self.missing.append(Missing(prompt, variables, settled))
                replies.append(None)
            else:
                replies.append(self.llm.ask(prompt, variables, schema))
        return replies


def unify(
    raw: RawVocabulary,
    encoder: Encoder,
    llm: LanguageModel,
    threshold: float = 0.85,
    review_threshold: float = 0.7,
    *,
    partial: bool = False,
) -> Unification:
    """Merge the vocabularies of several data sets into one.

    Args:
        raw: the names as they are, from every data set.
        encoder: embeds names and descriptions.
        llm: describes every name and judges every proposed pair.
        threshold: cosine above which any two names are proposed (section 4.1).
        review_threshold: cosine above which names that no data set uses both of are proposed.
        partial: do with the replies on record, and ask for no others. A name without a description is
            proposed by the cosine of names alone, a pair without a verdict stays apart, a group without
            a chosen name takes its longest; each is listed in ``missing``.

    Raises:
        AlignPartsError: no names at all; a reply that is neither on record nor to be had.
    """
    if not raw.categories:
        raise AlignPartsError("ontology: the corpus names no category; run the stage 'corpus' first")
    named = {(dataset, spelling(category)) for dataset, category in raw.categories}
    stray = sorted(key[:2] for key in raw.parts if (key[0], spelling(key[1])) not in named)
    if stray:
        raise AlignPartsError(f"ontology: parts are named for {stray[0]}, which is not among the categories")
    start = time.perf_counter()
    compression = _Compression(encoder, llm, threshold, review_threshold, partial)
    categories = compression.categories(raw)
    parts = compression.parts(raw, categories)
    entries = {
        category: CategoryEntry(
            description=names[0].description,
            parts={
                part: PartEntry(description=members[0].description, **_totals(members))
                for part, members in parts[category].items()
            },
            **_totals(names),
        )
        for category, names in categories.items()
    }
    took = time.perf_counter() - start
    return Unification(
        Vocabulary(entries=entries), tuple(compression.pairs), tuple(compression.conflicts),
        tuple(compression.missing), {"embed": compression.seconds, "rest": took - compression.seconds},
    )  # fmt: skip


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
    result = unify(raw, encoder, llm, threshold, review_threshold, partial=True)
    return [(one.prompt, one.variables) for one in result.missing if one.settled]


def _open(pairs: Iterable[Pair]) -> set[str]:
    """Names in a pair that no verdict covers."""
    return {name for pair in pairs if not pair.decided for name in (pair.a, pair.b)}


def _totals(names: Sequence[Name]) -> dict:
    aliases = sorted(
        (alias for name in names for alias in name.aliases), key=lambda a: (a.dataset, a.category, a.part)
    )
    return {"aliases": tuple(aliases), "count": sum(alias.count for alias in aliases)}
