"""Text embeddings of parts and categories, in several styles."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.vocabulary import Vocabulary, words

Encode = Callable[[Sequence[str]], np.ndarray]
STYLES = 3
"""Number of ways to put a part in words: its description, its name, its name with its category."""


class TextTable:
    """Embeddings of all parts and categories of a vocabulary, in three styles each.

    Style 0 is the affordance description, 1 the name ("door glass"), 2 the name with its category ("the door
    glass of a microwave"); categories likewise ("microwave", "a microwave").

    Args:
        vocabulary: canonical names and descriptions.
        encode: maps texts to embeddings of length 1.
    """

    def __init__(self, vocabulary: Vocabulary, encode: Encode) -> None:
        self.vocabulary = vocabulary
        self.categories = vocabulary.categories
        self.names = {category: vocabulary.parts(category) for category in self.categories}
        if not self.categories:
            raise AlignPartsError("the vocabulary has no category to train on")
        texts: list[str] = []
        for category in self.categories:
            spoken = _a(words(category))
            texts += [vocabulary.category_description(category), words(category), spoken]
            for part in self.names[category]:
                name = words(part)
                texts += [vocabulary.description(category, part), name, f"the {name} of {spoken}"]
        vectors = np.asarray(encode(texts), dtype=np.float32).reshape(len(texts) // STYLES, STYLES, -1)
        self._category: dict[str, np.ndarray] = {}
        self._parts: dict[str, np.ndarray] = {}
        at = 0
        for category in self.categories:
            count = len(self.names[category])
            self._category[category] = vectors[at]
            self._parts[category] = vectors[at + 1 : at + 1 + count]
            at += 1 + count
        self.d_t = vectors.shape[-1]

    def category(self, name: str, style: int = 0) -> Float32[np.ndarray, " d_t"]:
        """Return the embedding of a category's text."""
        return self._category[name][style]

    def parts(self, category: str, style: int = 0) -> Float32[np.ndarray, "a d_t"]:
        """Return the embeddings of all parts of a category, in the order of ``names[category]``."""
        return self._parts[category][:, style]


def _a(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
