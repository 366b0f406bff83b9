"""Text embeddings of parts and categories, in several styles."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.vocabulary import Vocabulary

Encode = Callable[[Sequence[str]], np.ndarray]
STYLES = 3
"""Number of texts per part: its description, its name, its name with its category."""


class TextTable:
    """Embeddings of all parts and categories of a vocabulary, in the styles of :meth:`Vocabulary.texts`.

    `encode` maps texts to embeddings of length 1.

    Raises:
        AlignPartsError: the vocabulary has no category.
    """

    def __init__(self, vocabulary: Vocabulary, encode: Encode) -> None:
        self.vocabulary = vocabulary
        self.categories = vocabulary.categories
        self.names = {category: vocabulary.parts(category) for category in self.categories}
        if not self.categories:
            raise AlignPartsError("the vocabulary has no category to train on")
        texts = vocabulary.all_texts()
        vectors = np.asarray(encode(texts), dtype=np.float32).reshape(len(texts) // STYLES, STYLES, -1)
        self.d_t = vectors.shape[-1]
        ends = np.cumsum([1 + len(parts) for parts in self.names.values()])
        self._rows = dict(zip(self.categories, np.split(vectors, ends[:-1]), strict=True))

    def category(self, name: str, style: int = 0) -> Float32[np.ndarray, " d_t"]:
        """Return the embedding of a category's text."""
        return self._rows[name][0, style]

    def parts(self, category: str, style: int = 0) -> Float32[np.ndarray, "a d_t"]:
        """Return the embeddings of all parts of a category, in the order of ``names[category]``."""
        return self._rows[category][1:, style]
