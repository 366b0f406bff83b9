"""Compression of several vocabularies into one: embeddings propose, a language model decides.

First categories, then the parts of every merged category (sections 4.1 and 9.4). Two names are put to the
language model

- at the stage ``embedding``, when the cosine of their names or of their descriptions is above ``threshold``
  (the paper's rule, 0.85), or
- at the stage ``review``, when no data set uses both names, so that none keeps the two apart itself, and
  either cosine is above the lower ``review_threshold``: a small encoder gives many names of one part less
  than 0.85.

Of merged names the more descriptive becomes canonical. That is usually the longest, but "seat_hard_surface"
would be false of a cushion, so the language model chooses here too. Counts add up; every name still resolves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.llm.messages import Reply
from alignparts.ontology.llm.records import Missing, Request
from alignparts.ontology.pairs import Choice, Description, Encoder, Name, Pair, Verdict, embed, group, propose
from alignparts.ontology.raw import RawVocabulary
from alignparts.ontology.vocabulary import Alias, CategoryEntry, PartEntry, Vocabulary, spelling, words

Groups = dict[str, list[Name]]
"""Canonical name → the names that mean it, the canonical one first."""


@dataclass(frozen=True)
class Unification:
    """The vocabulary that holds every name of every data set, and its history.

    ``pairs`` are the candidates with their verdicts, ``conflicts`` the accepted pairs that were left out as
    they contradict rejected ones, ``missing`` the questions without a reply on record, none unless the merge
    is ``partial``.
    """

    vocabulary: Vocabulary
    pairs: tuple[Pair, ...]
    conflicts: tuple[str, ...]
    missing: tuple[Missing, ...] = ()


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
        raw: names of all data sets as they write them.
        encoder: sentence encoder of names and descriptions.
        llm: language model that describes every name and judges every proposed pair.
        threshold: cosine above which any two names are proposed (section 4.1).
        review_threshold: cosine above which names that no data set uses both of are proposed.
        partial: use the replies on record, and ask for no others. A name without a description is proposed by
            the cosine of names alone, a pair without a verdict stays apart, a group without a chosen name
            takes its longest; each is listed in ``missing``.

    Raises:
        AlignPartsError: no names at all; a reply that is neither on record nor to be had.
    """
    if not raw.categories:
        raise AlignPartsError("ontology: the corpus names no category; run the stage 'corpus' first")
    if review_threshold > threshold:
        limits = f"ontology.review_threshold ({review_threshold}) must not be above ontology.threshold"
        raise AlignPartsError(f"{limits} ({threshold})")
    compression = _Compression(encoder, llm, (threshold, review_threshold), partial)
    categories = compression.categories(raw)
    entries = {}
    for category, merged in compression.parts(raw, categories).items():
        parts = {part: PartEntry(**_entry(names)) for part, names in merged.items()}
        entries[category] = CategoryEntry(parts=parts, **_entry(categories[category]))
    history = tuple(compression.pairs), tuple(compression.conflicts), tuple(compression.missing)
    return Unification(Vocabulary(entries=entries), *history)


class _Compression:
    """One pass of section 9.4 over a raw vocabulary."""

    def __init__(
        self, encoder: Encoder, llm: LanguageModel, thresholds: tuple[float, float], partial: bool
    ) -> None:
        self.encoder, self.llm, self.thresholds, self.partial = encoder, llm, thresholds, partial
        self.pairs: list[Pair] = []
        self.conflicts: list[str] = []
        self.missing: list[Missing] = []
        self._unsettled: set[str] = set()

    def categories(self, raw: RawVocabulary) -> Groups:
        """Merge the categories."""
        aliases: dict[str, list[Alias]] = {}
        for (dataset, category), count in sorted(raw.categories.items()):
            alias = Alias(dataset=dataset, category=category, count=count)
            aliases.setdefault(spelling(category), []).append(alias)
        merged = self._merge({"": aliases})[""]
        self._unsettled = self._unsettled_categories(merged)
        return merged

    def parts(self, raw: RawVocabulary, merged: Groups) -> dict[str, Groups]:
        """Merge the parts of every merged category."""
        canonical = {spelled: category for category, names in merged.items() for spelled in _spellings(names)}
        aliases: dict[str, dict[str, list[Alias]]] = {category: {} for category in merged}
        for (dataset, category, part), count in sorted(raw.parts.items()):
            alias = Alias(dataset=dataset, category=category, part=part, count=count)
            aliases[canonical[spelling(category)]].setdefault(spelling(part), []).append(alias)
        return self._merge(aliases)

    def _merge(self, aliases: Mapping[str, Mapping[str, Sequence[Alias]]]) -> dict[str, Groups]:
        """Merge names, given by category and spelling; the category "" holds the categories."""
        named = {category: self._describe(category, spelled) for category, spelled in aliases.items()}
        texts = {words(name) for names in named.values() for name in names}
        texts |= {name.description for names in named.values() for name in names.values()} - {""}
        vectors = embed(self.encoder, texts)
        merged = {}
        for category, names in named.items():
            pairs = propose(category, names, vectors, *self.thresholds)
            judged = [self._judge(pair, names[pair.a], names[pair.b]) for pair in pairs]
            groups, conflicts = group(names, judged)
            self.pairs += judged
            self.conflicts += conflicts
            described = all(name.description for name in names.values())
            heads = {}
            for members in groups:
                settled = category not in self._unsettled and described and not _open(judged) & set(members)
                head = self._choose(category, members, settled)
                heads[head] = [names[head], *(names[name] for name in members if name != head)]
            merged[category] = dict(sorted(heads.items(), key=lambda item: item[0]))
        return merged

    def _describe(self, category: str, aliases: Mapping[str, Sequence[Alias]]) -> dict[str, Name]:
        names = {}
        for name in sorted(aliases):
            request = Description.request(category or name, name if category else "")
            reply = self._ask(request, Description, category not in self._unsettled)
            names[name] = Name(reply.description if reply else "", tuple(aliases[name]))
        return names

    def _judge(self, pair: Pair, a: Name, b: Name) -> Pair:
        """Return the pair with its verdict; without both descriptions it cannot even be asked for."""
        if a.description and b.description:
            request = Verdict.request(pair.category, pair.a, a.description, pair.b, b.description)
            if verdict := self._ask(request, Verdict, pair.category not in self._unsettled):
                return replace(pair, same=verdict.same, reason=verdict.reason)
        return replace(pair, decided=False)

    def _choose(self, category: str, members: Sequence[str], settled: bool) -> str:
        """Return the canonical name of a group; a name that stands alone needs no choice."""
        if len(members) == 1:
            return members[0]
        choice = self._ask(Choice.request(category, members), Choice, settled)
        if choice is None:
            return min(members, key=lambda name: (-len(name), name))
        if spelling(choice.name) not in members:
            chosen = f"ontology: the language model chose '{choice.name}' for {', '.join(members)}"
            raise AlignPartsError(f"{chosen}; expected one of them")
        return spelling(choice.name)

    def _unsettled_categories(self, merged: Groups) -> set[str]:
        """Return merged categories that a missing reply may still join to another, or give another name."""
        missing = [request for request, _ in self.missing]
        if any(request.prompt == "describe_category" for request in missing):
            return set(merged)
        unsure = _open(self.pairs)
        for request in missing:
            if request.prompt == "name_category":
                unsure |= {spelling(name) for name in request.variables["names"].split("; ")}
        return {category for category, names in merged.items() if unsure & _spellings(names)}

    def _ask(self, request: Request, schema: type[Reply], settled: bool) -> Reply | None:
        if self.partial and not self.llm.known(request):
            self.missing.append(Missing(request, settled))
            return None
        return self.llm.ask(request, schema)


def _open(pairs: Iterable[Pair]) -> set[str]:
    """Return the names in a pair that no verdict covers."""
    return {name for pair in pairs if not pair.decided for name in (pair.a, pair.b)}


def _spellings(names: Sequence[Name]) -> set[str]:
    """Return the categories of names, as the vocabulary spells them."""
    return {spelling(alias.category) for name in names for alias in name.aliases}


def _entry(names: Sequence[Name]) -> dict[str, Any]:
    """Return the description of the first name, and names and shapes of all."""
    written = (alias for name in names for alias in name.aliases)
    aliases = tuple(sorted(written, key=lambda a: (a.dataset, a.category, a.part)))
    count = sum(alias.count for alias in aliases)
    return {"description": names[0].description, "aliases": aliases, "count": count}
