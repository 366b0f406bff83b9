"""What the ontology asks the language model: descriptions, verdicts and canonical names (section 9.4)."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel, Field

from alignparts.ontology.vocabulary import words

Request = tuple[str, dict[str, str]]
"""Name of a prompt, and what its placeholders stand for."""


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
"""What a reply must be, by prompt."""


class Missing(NamedTuple):
    """A request that no recorded reply covers.

    ``settled``: it will be asked in this form whatever the other missing replies turn out to be. The rest
    hangs on them: a category may still get another name, a group another member.
    """

    prompt: str
    variables: dict[str, str]
    settled: bool


def description_request(category: str, part: str = "") -> Request:
    """What is asked to describe a category or, given one, a part of it."""
    if part:
        return "describe_part", {"category": words(category), "part": words(part)}
    return "describe_category", {"category": words(category)}


def verdict_request(category: str, a: str, a_description: str, b: str, b_description: str) -> Request:
    """What is asked about two names, ``a < b``, of a category or, where it is empty, of two categories."""
    variables = {
        "a": words(a), "a_description": a_description, "b": words(b), "b_description": b_description,
    }  # fmt: skip
    return (
        ("same_part", {"category": words(category), **variables})
        if category
        else ("same_category", variables)
    )


def choice_request(category: str, names: Sequence[str]) -> Request:
    """What is asked to choose the canonical one of names that mean the same, in alphabetical order."""
    joined = "; ".join(map(words, names))
    if category:
        return "name_part", {"category": words(category), "names": joined}
    return "name_category", {"names": joined}
