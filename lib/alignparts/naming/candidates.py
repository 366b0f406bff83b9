"""Candidate names from outside: a user's YAML file, or a language model's list for an unseen category."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, Field, field_validator, model_validator

from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError
from alignparts.naming.prediction import Candidate
from alignparts.ontology.llm.records import Request
from alignparts.ontology.vocabulary import spelling, words

if TYPE_CHECKING:
    from alignparts.ontology.llm.client import LanguageModel

MOST_PARTS = 40
"""Maximum number of parts that are proposed for one category."""


def read_vocabulary(path: Path) -> list[Candidate]:
    """Read candidates from YAML: a list of names, or a mapping from names to descriptions (null: none).

    Raises:
        AlignPartsError: missing, not YAML, empty, of another form, or with a name twice; the message names
            the entry.
    """
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected a YAML list of part names")
    try:
        # The nodes, because a dict would keep only the last of two equal keys.
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        if isinstance(root, yaml.ScalarNode) and root.value:
            raise AlignPartsError(
                f"{path}: expected a list of names or a mapping name: description, got '{root.value}'"
            )
        nodes = root.value if isinstance(root, yaml.CollectionNode) else []
        pairs = [node if isinstance(node, tuple) else (node,) for node in nodes]
        entries = [[loader.construct_object(node, deep=True) for node in pair] for pair in pairs]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AlignPartsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not entries:
        raise AlignPartsError(f"{path}: the vocabulary is empty; expected at least one part name")
    candidates: dict[str, Candidate] = {}
    for number, (key, *rest) in enumerate(entries, start=1):
        description = rest[0] if rest else None
        if not isinstance(key, str) or not words(key).strip():
            raise AlignPartsError(f"{path}: entry {number}: expected a name, got {key!r}; put it in quotes")
        if not isinstance(description, str | None):
            raise AlignPartsError(f"{path}: {key}: expected a description as text, got {description!r}")
        name = key.strip()
        if name in candidates:
            raise AlignPartsError(f"{path}: '{name}' is listed twice (entry {number}); every name once")
        candidates[name] = Candidate(name, (description or "").strip())
    return list(candidates.values())


def write_vocabulary(path: Path, candidates: Sequence[Candidate]) -> None:
    """Write candidates in the form that :func:`read_vocabulary` reads, atomically."""
    content = {candidate.name: candidate.description or None for candidate in candidates}
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))


class ProposedPart(BaseModel):
    """A part with its affordance description."""

    name: str = Field(max_length=60)
    description: str = Field(min_length=8, max_length=400)

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if "/" in name or not spelling(name):
            raise ValueError(f"'{name}' is not the name of one part")
        return spelling(name)


class Proposal(BaseModel):
    """Reply to the prompt ``propose_parts``: 1 to 40 parts, each name once in any spelling."""

    parts: list[ProposedPart] = Field(min_length=1, max_length=MOST_PARTS)

    @model_validator(mode="after")
    def _each_once(self) -> "Proposal":
        names = [part.name for part in self.parts]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"listed twice: {', '.join(repeated)}; every part once")
        return self


def propose_parts(category: str, llm: "LanguageModel") -> list[Candidate]:
    """Ask a language model for the parts of an object of an unseen category, in any spelling (section 3.3).

    Raises:
        AlignPartsError: the category is empty, or there is no reply.
    """
    if not spelling(category):
        raise AlignPartsError("the category is empty; expected a name, such as rocking chair")
    variables = {"category": words(spelling(category)), "most": str(MOST_PARTS)}
    proposal = llm.ask(Request("propose_parts", variables), Proposal)
    return [Candidate(part.name, part.description.strip()) for part in proposal.parts]
