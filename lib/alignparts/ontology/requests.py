"""Questions of the ontology to the language model: descriptions, verdicts, canonical names (section 9.4)."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel, Field

from alignparts.ontology.vocabulary import words

Question = tuple[str, dict[str, str]]
"""Name of a prompt, and values of its placeholders."""


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
    "describe_category": Description,
    "describe_part": Description,
    "same_category": Verdict,
    "same_part": Verdict,
    "name_category": Choice,
    "name_part": Choice,
}
"""Pydantic model of the reply, by prompt."""


class Missing(NamedTuple):
    """A question that no recorded reply covers.

    ``settled``: it will be asked in this form whatever the other missing replies turn out to be. The rest
    depends on them: a category may still get another name, a group another member.
    """

    prompt: str
    variables: dict[str, str]
    settled: bool


def description_request(category: str, part: str = "") -> Question:
    """Return the question for the description of a category or, given one, of a part of it."""
    if part:
        return "describe_part", {"category": words(category), "part": words(part)}
    return "describe_category", {"category": words(category)}


def verdict_request(category: str, a: str, a_description: str, b: str, b_description: str) -> Question:
    """Return the question about two names ``a < b`` of a category or, where it is empty, two categories."""
    ends = {"a": words(a), "a_description": a_description, "b": words(b), "b_description": b_description}
    return _within("same", category, ends)


def choice_request(category: str, names: Sequence[str]) -> Question:
    """Return the question for the canonical one of names that mean the same, in alphabetical order."""
    return _within("name", category, {"names": "; ".join(map(words, names))})


def _within(verb: str, category: str, variables: dict[str, str]) -> Question:
    if category:
        return f"{verb}_part", {"category": words(category), **variables}
    return f"{verb}_category", variables
