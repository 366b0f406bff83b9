"""What the model says of one shape, and the named parts that are made of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from alignparts.naming.confidence import PAPER
from alignparts.ontology.vocabulary import words

ACTIVE_ABOVE = 0.5
"""Partness above which a partlet is a part, and mask probability from which a point is its point."""

Encode = Callable[[Sequence[str]], np.ndarray]
"""Texts to embeddings of length 1, as :meth:`alignparts.ontology.text.TextEncoder.encode`."""


@dataclass(frozen=True)
class Candidate:
    """A name that a part may get; the text encoder reads the description, or the name where there is none."""

    name: str
    description: str = ""

    @property
    def text(self) -> str:
        """What the text encoder reads."""
        return self.description.strip() or words(self.name)


@dataclass(frozen=True)
class Partlets:
    """What the model says about one shape, on the CPU.

    Attributes:
        mask: probability that a point belongs to a partlet.
        partness: probability that a partlet is a part.
        embeddings: raw partlets z_k.
        global_embedding: of the whole shape.
        fused: the fused feature h_i of every point.
    """

    mask: Float32[np.ndarray, "k n"]
    partness: Float32[np.ndarray, " k"]
    embeddings: Float32[np.ndarray, "k d_t"]
    global_embedding: Float32[np.ndarray, " d_t"]
    fused: Float32[np.ndarray, "n d_f"]

    def active(self) -> Int64[np.ndarray, " active"]:
        """Partlets with partness above 0.5; where there is none, the one with the highest."""
        found = np.flatnonzero(self.partness > ACTIVE_ABOVE)
        return found if len(found) else np.array([int(self.partness.argmax())])


@dataclass(frozen=True)
class PredictedPart:
    """A part that was found.

    Attributes:
        name: as the candidate is called.
        description: the candidate's, "" where it has none.
        confidence: 0..1; closed: Eq. 40, open: Eq. 20, query: the cosine with the query.
        partness: the highest of its partlets.
        partlet: the partlet (of several: the one with the highest partness).
        soft: Eq. 20 alone; query: the cosine.
        mahalanobis: Eq. 18; None outside the closed vocabulary, and for a label that training never saw.
        mask_confidence: mean mask probability over the part's points.
        accepted: whether nobody needs to look at it.
        review_below: with a lower confidence a person should (section 9.2).
    """

    name: str
    description: str
    confidence: float
    partness: float
    partlet: int
    soft: float = 0.0
    mahalanobis: float | None = None
    mask_confidence: float = 0.0
    accepted: bool = False
    review_below: float = PAPER.review_below

    @property
    def needs_review(self) -> bool:
        """Whether a person should look at it (section 9.2)."""
        return self.confidence < self.review_below


@dataclass(frozen=True)
class Prediction:
    """Named points of one shape.

    Attributes:
        point_part: index into ``parts`` of every point, -1 unlabeled.
        parts: those that hold at least one point.
        category: what the shape was taken for; "" where nobody asked.
    """

    point_part: Int64[np.ndarray, " n"]
    parts: list[PredictedPart]
    category: str = ""

    @property
    def names(self) -> list[str]:
        """Names of the parts."""
        return [part.name for part in self.parts]
