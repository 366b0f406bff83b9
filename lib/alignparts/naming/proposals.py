"""Part names for a category that no vocabulary holds (section 3.3, open vocabulary from a hint)."""

from pydantic import BaseModel, Field, field_validator, model_validator

from alignparts.core.errors import AlignPartsError
from alignparts.naming.prediction import Candidate
from alignparts.ontology.llm.client import LanguageModel, Request
from alignparts.ontology.vocabulary import spelling, words

MOST_PARTS = 40
"""Parts that are proposed for one category at most."""


class ProposedPart(BaseModel):
    """A part, by name and by affordance description."""

    name: str = Field(max_length=60)
    description: str = Field(min_length=8, max_length=400)

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if "/" in name or not spelling(name):
            raise ValueError(f"'{name}' is not the name of one part")
        return spelling(name)


class Proposal(BaseModel):
    """Reply to ``propose_parts``: 1 to 40 parts, each name once however it is spelled."""

    parts: list[ProposedPart] = Field(min_length=1, max_length=MOST_PARTS)

    @model_validator(mode="after")
    def _each_once(self) -> "Proposal":
        names = [part.name for part in self.parts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"listed twice: {', '.join(twice)}; every part once")
        return self


def proposal_request(category: str) -> Request:
    """What is asked for the parts of a category, however it is spelled.

    Raises:
        AlignPartsError: the category is empty.
    """
    if not spelling(category):
        raise AlignPartsError("the category is empty; expected a name, such as rocking chair")
    return Request("propose_parts", {"category": words(spelling(category)), "most": str(MOST_PARTS)})


def propose_parts(category: str, llm: LanguageModel) -> list[Candidate]:
    """Parts that an object of an unseen category may have, as candidates for open vocabulary.

    Args:
        category: the object's class in any spelling; ``CoffeeTable`` and ``coffee table`` are one.
        llm: from whose record or endpoint they come.

    Raises:
        AlignPartsError: the category is empty, or there is no reply to be had.
    """
    prompt, variables, _ = proposal_request(category)
    proposal = llm.ask(prompt, variables, Proposal)
    return [Candidate(part.name, part.description.strip()) for part in proposal.parts]
