"""Types of a prediction: candidate names, the model's partlets for one shape, and the named parts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Int64

from alignparts.core.errors import AlignPartsError
from alignparts.naming.confidence import PAPER
from alignparts.ontology.vocabulary import words
from alignparts.patches.cut import PatchGraph

ACTIVE_ABOVE = 0.5
"""Threshold of the partness for a partlet, and of the mask probability for a point (section 3.3, Eq. 22)."""

Labels = Literal["points", "filled", "patches"]
"""Rules by which points get their part: Eq. 22, which leaves some unlabeled; the best mask of every point; or
mesh-aware, one part per patch of the surface. Point clouds have no patches, and fall back to Eq. 22."""

Encode = Callable[[Sequence[str]], np.ndarray]
"""Maps texts to embeddings of length 1, as :meth:`alignparts.ontology.text.TextEncoder.encode`."""


@dataclass(frozen=True)
class Candidate:
    """A name that a part may get, with an optional description.

    Raises:
        AlignPartsError: the name and the description hold no word.
    """

    name: str
    description: str = ""

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise AlignPartsError("the name of a part is empty; expected one such as 'handle'")

    @classmethod
    def of(cls, given: "Candidate | str") -> "Candidate":
        """Return a candidate; a plain string becomes its name."""
        return cls(given.strip()) if isinstance(given, str) else given

    @property
    def text(self) -> str:
        """Return the text to encode: the description, or the name where there is none."""
        return self.description.strip() or words(self.name)


@dataclass(frozen=True)
class Partlets:
    """Output of the model for one shape, on the CPU.

    ``mask`` is the probability that a point belongs to a partlet, ``partness`` that a partlet is a part;
    ``embeddings`` are the raw z_k, ``fused`` the features h_i of the points; ``graph`` holds the patches of
    the mesh that the points lie on, None for a cloud. ``text`` is what a learned backbone says of the points:
    its products with texts are logits.
    """

    mask: Float32[np.ndarray, "k n"]
    partness: Float32[np.ndarray, " k"]
    embeddings: Float32[np.ndarray, "k d_t"]
    global_embedding: Float32[np.ndarray, " d_t"]
    fused: Float32[np.ndarray, "n d_f"]
    graph: PatchGraph | None = None
    text: Float32[np.ndarray, "n d_t"] | None = None

    def on_mesh(self, labels: Labels) -> PatchGraph | None:
        """Return the patches where labels are mesh-aware and the points lie on a mesh; else None."""
        return self.graph if labels == "patches" else None

    def active(self) -> Int64[np.ndarray, " active"]:
        """Return the partlets with partness above 0.5, or else the one with the highest."""
        above = np.flatnonzero(self.partness > ACTIVE_ABOVE)
        return above if len(above) else np.array([int(self.partness.argmax())])


@dataclass(frozen=True)
class PredictedPart:
    """A predicted part; methods that only name it leave the rest at its default.

    Attributes:
        name: name of the candidate.
        description: description of the candidate, "" without one.
        confidence: 0..1; closed: Eq. 40 or the calibration's evidence, open: Eq. 20, query: the cosine.
        partness: highest partness of its partlets.
        partlet: index of the partlet; of several, the one with the highest partness.
        soft: Eq. 20, mean over its partlets weighted by their points; query: the cosine.
        mahalanobis: Eq. 18; None outside the closed vocabulary and for a label without training partlets.
        mask_confidence: mean mask probability over the points of the part.
        accepted: whether the part is accepted without human review.
        review_below: confidence below which a person should look at the part (section 9.2).
    """

    name: str
    description: str = ""
    confidence: float = 0.0
    partness: float = 0.0
    partlet: int = -1
    soft: float = 0.0
    mahalanobis: float | None = None
    mask_confidence: float = 0.0
    accepted: bool = False
    review_below: float = PAPER.review_below

    @property
    def needs_review(self) -> bool:
        """Return whether a person should look at the part (section 9.2)."""
        return self.confidence < self.review_below

    @property
    def caption(self) -> str:
        """Return the name and the confidence, with a question mark on a part that needs review."""
        return f"{self.name} {self.confidence:.2f}{'?' if self.needs_review else ''}"


@dataclass(frozen=True)
class Prediction:
    """Segments of one shape, by ALIGN-Parts or by a method it is compared with.

    Attributes:
        point_part: index into ``parts`` of every point, -1 unlabeled.
        parts: the segments; those of ALIGN-Parts hold at least one point each.
        category: category whose names were used; "" outside the closed vocabulary.
        named: whether the method names segments; their names are "" otherwise.
        vectors: one feature vector per part; None where a method has no part-level features.
        point_partlet: partlet of every point, -1 unlabeled; None where a method has none.
    """

    point_part: Int64[np.ndarray, " n"]
    parts: list[PredictedPart]
    category: str = ""
    named: bool = True
    vectors: Float[np.ndarray, "parts d"] | None = None
    point_partlet: Int64[np.ndarray, " n"] | None = None

    @classmethod
    def of_names(
        cls,
        point_part: Int64[np.ndarray, " n"],
        names: Sequence[str],
        category: str = "",
        vectors: Float[np.ndarray, "parts d"] | None = None,
    ) -> "Prediction":
        """Return segments of which only the names are known."""
        return cls(point_part, [PredictedPart(name) for name in names], category, True, vectors)

    @classmethod
    def unnamed(cls, point_part: Int64[np.ndarray, " n"]) -> "Prediction":
        """Return segments 0..max of a method that does not name them."""
        count = int(point_part.max(initial=-1)) + 1
        return cls(point_part, [PredictedPart("") for _ in range(count)], named=False)

    @property
    def names(self) -> list[str]:
        """Return the names of the parts."""
        return [part.name for part in self.parts]
