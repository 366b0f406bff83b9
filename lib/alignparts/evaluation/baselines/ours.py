"""ALIGN-Parts behind the interface of the methods it is compared with."""

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np

from alignparts.evaluation.ground_truth import Labeled
from alignparts.evaluation.methods import DESCRIBED, FILLED, GIVEN, MESH_AWARE, OURS, Entrant, Given
from alignparts.model.backbone.learned import Model
from alignparts.naming.inference import forward, name_parts, open_vocabulary
from alignparts.naming.prediction import Candidate, Encode, Labels, Partlets, Prediction
from alignparts.ontology.vocabulary import Vocabulary

LABELS: Mapping[Labels, str] = {"points": OURS, "filled": FILLED, "patches": MESH_AWARE}
"""Names in tables, by the rule of the labels."""


class Ours:
    """The trained model as a method; one forward pass serves consecutive calls on the same arrays.

    Args:
        model: trained model.
        encode: maps texts to embeddings of length 1, with the encoder that the model was trained with.
        vocabulary: categories, their parts and descriptions.
        labels: rule by which points get their part.
        backbone: words that stand for another backbone in the name of the method, "" for the paper's.
    """

    def __init__(
        self,
        model: Model,
        encode: Encode,
        vocabulary: Vocabulary,
        *,
        labels: Labels = "points",
        backbone: str = "",
    ) -> None:
        named = ", ".join(filter(None, (OURS, backbone)))
        self._names = {rule: label.replace(OURS, named) for rule, label in LABELS.items()}
        self.label = self._names[labels]
        self.model, self.encode, self.vocabulary, self.labels = model.eval(), encode, vocabulary, labels
        self._last: dict[str, Any] = {}  # shared by copies

    def by(self, labels: Labels) -> "Ours":
        """Return the same model with another rule of labels, and a forward pass in common."""
        other = copy(self)
        other.label, other.labels = self._names[labels], labels
        return other

    def predict(self, arrays: Mapping[str, np.ndarray], given: Given) -> Prediction:
        """Segment and name one shape; the number of parts is not read.

        Given names are the open vocabulary, with the category's descriptions where it is given too; without
        names the vocabulary is the closed one of the category, given or predicted (Eq. 16).

        Raises:
            AlignPartsError: as :func:`alignparts.naming.inference.forward`; no names; an unknown category.
        """
        if self._last.get("arrays") is not arrays:
            self._last.update(arrays=arrays, partlets=forward(self.model, arrays))
        partlets: Partlets = self._last["partlets"]
        vocabulary, category = self.vocabulary, given.category
        if given.names is None:
            return name_parts(partlets, self.encode, vocabulary, category=category, labels=self.labels)
        candidates = [
            Candidate(name, "" if category is None else vocabulary.description(category, name))
            for name in given.names
        ]
        return open_vocabulary(partlets, self.encode, candidates, labels=self.labels)


def entrants_of(method: Ours) -> list[Entrant]:
    """Return ALIGN-Parts under the three settings of Table 2, at the cost of one forward pass per shape.

    Seen categories: the closed vocabulary of the predicted category, and of the given one. Held-out
    categories: the open vocabulary of the shape's own part names, and where the vocabulary knows all of them
    also with its descriptions.
    """

    def described(shape: Labeled) -> bool:
        return shape.heldout and all(method.vocabulary.has(shape.category, name) for name in shape.present)

    return [
        Entrant(method, finds_category=True),
        Entrant(method, ("category",), GIVEN, lambda shape: not shape.heldout),
        Entrant(method, ("descriptions",), DESCRIBED, described),
    ]
