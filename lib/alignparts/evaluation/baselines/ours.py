"""ALIGN-Parts behind the interface of the methods it is compared with."""

from collections.abc import Mapping

import numpy as np

from alignparts.evaluation.methods import Given, Segments
from alignparts.evaluation.scoring import FILLED, OURS
from alignparts.model.alignparts import AlignParts
from alignparts.naming.inference import forward, name_parts, open_vocabulary
from alignparts.naming.prediction import Candidate, Encode
from alignparts.ontology.vocabulary import Vocabulary


class Ours:
    """The trained model as a method.

    Args:
        model: an ``AlignParts``.
        encode: texts to embeddings of length 1, of the encoder that it was trained with.
        vocabulary: where categories and their parts come from.
        fill: give points that Eq. 22 leaves unlabeled the best mask's name all the same.
    """

    def __init__(
        self, model: AlignParts, encode: Encode, vocabulary: Vocabulary, *, fill: bool = False
    ) -> None:
        self.label = FILLED if fill else OURS
        self.model, self.encode, self.vocabulary, self.fill = model.eval(), encode, vocabulary, fill

    def predict(self, arrays: Mapping[str, np.ndarray], given: Given) -> Segments:
        """Segments and names of one shape; the number of parts is not read.

        Given names are the open vocabulary; without them names come from the category's closed one, the
        category being the given one or the one that the global embedding finds (Eq. 16).

        Args:
            arrays: ``points``, ``geometry`` and ``appearance`` are read.
            given: names or category, as far as they are known.

        Raises:
            AlignPartsError: as :func:`alignparts.naming.inference.forward`; no names; an unknown category.
        """
        partlets = forward(self.model, arrays)
        if given.names is not None:
            own = [Candidate(name) for name in given.names]
            found = open_vocabulary(partlets, self.encode, own, fill=self.fill)
        else:
            found = name_parts(
                partlets, self.encode, self.vocabulary, category=given.category, fill=self.fill
            )
        return Segments(
            found.point_part, found.names, found.category,
            partlets.embeddings[[part.partlet for part in found.parts]],
        )  # fmt: skip
