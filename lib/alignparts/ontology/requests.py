"""Questions of the ontology to the language model: descriptions, verdicts, canonical names (section 9.4)."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel, Field

from alignparts.ontology.llm.records import Request
from alignparts.ontology.vocabulary import words


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


SCHEMAS: dict[str, type[BaseModel]] = {
    f"{verb}_{subject}": reply
    for verb, reply in (("describe", Description), ("same", Verdict), ("name", Choice))
    for subject in ("category", "part")
}
"""Pydantic model of the reply, by prompt."""


class Missing(NamedTuple):
    """A question that no recorded reply covers.

    ``settled``: it will be asked in this form whatever the other missing replies turn out to be. The rest
    depends on them: a category may still get another name, a group another member.
    """

    request: Request
    settled: bool


def description_request(category: str, part: str = "") -> Request:
    """Return the question for the description of a category or, given one, of a part of it."""
    if part:
        return _within("describe", category, {"part": words(part)})
    return _within("describe", "", {"category": words(category)})


def verdict_request(category: str, a: str, a_description: str, b: str, b_description: str) -> Request:
    """Return the question about two names ``a < b`` of a category or, where it is empty, two categories."""
    ends = {"a": words(a), "a_description": a_description, "b": words(b), "b_description": b_description}
    return _within("same", category, ends)


def choice_request(category: str, names: Sequence[str]) -> Request:
    """Return the question for the canonical one of names that mean the same, in alphabetical order."""
    return _within("name", category, {"names": "; ".join(map(words, names))})


def _within(verb: str, category: str, variables: dict[str, str]) -> Request:
    if category:
        return Request(f"{verb}_part", {"category": words(category), **variables})
    return Request(f"{verb}_category", variables)
