"""Judge by a picture and the words of its maker whether a model is worth labeling (section 13)."""

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from alignparts.ontology.llm.records import Request
from alignparts.ontology.vocabulary import spelling

MOST_TEXT = 500
"""Most characters of the maker's words that are shown to the language model."""


class Quality(BaseModel):
    """Reply to the prompt ``check_thumbnail``.

    Attributes:
        usable: True if it is worth labeling: one whole object, of a known class, in enough detail.
        reason: explanation in one sentence.
        category: class of the object as the vocabulary spells it; "" where it is no single object.
    """

    model_config = ConfigDict(frozen=True)

    usable: bool
    reason: str = Field(min_length=8, max_length=600)
    category: str = Field(max_length=60)

    @field_validator("category")
    @classmethod
    def _spelled(cls, category: str) -> str:
        return spelling(category)

    @model_validator(mode="after")
    def _usable_has_a_class(self) -> "Quality":
        if self.usable and not self.category:
            raise ValueError("a usable object has a category; none is given")
        return self


def thumbnail_request(image: bytes, about: str = "") -> Request:
    """Return the question about a PNG or JPEG file and its maker's words; the reply is a `Quality`."""
    return Request("check_thumbnail", {"about": " ".join(about.split())[:MOST_TEXT] or "nothing"}, (image,))
