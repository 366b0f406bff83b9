"""The unified vocabulary to look at: a tree to unfold, and a map of its descriptions."""

from collections.abc import Mapping
from html import escape
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float32
from matplotlib.figure import Figure

from alignparts.ontology.pairs import Encoder, embed
from alignparts.ontology.raw import RawVocabulary
from alignparts.ontology.vocabulary import PartEntry, Vocabulary, spelling, words
from alignparts.pictures.palette import palette

Tree: TypeAlias = dict[str, "Tree | PartEntry"]
"""Wholes by name; a part's name ends in a line feed, so that it is no whole's."""


def tree_html(raw: RawVocabulary, vocabulary: Vocabulary) -> str:
    """The vocabulary as nested ``<details>``: categories, the data sets' own wholes, parts.

    A part stands in every whole that a data set says it lies in, with its other names and its shapes.
    """
    blocks = []
    for category in vocabulary.categories:
        entry = vocabulary.entries[category]
        tree: Tree = {}
        for part, one in entry.parts.items():
            for chain in raw.chains(one.aliases):
                _at(tree, chain)[part + "\n"] = one
        others = {spelling(alias.category) for alias in entry.aliases} - {category}
        sets = len({alias.dataset for alias in entry.aliases})
        about = f"{len(entry.parts)} parts, {sets} data sets, {entry.count} shapes"
        blocks.append(_details(f"<b>{_named(category, others)}</b>: {about}", _items(tree)))
    return "".join(blocks)


def embedding_map(vectors: Float32[np.ndarray, "n d_t"], seed: int = 0) -> Float[np.ndarray, "n 2"]:
    """A plane on which texts of a like meaning lie close together (t-SNE on cosines, from a PCA).

    Args:
        vectors: embeddings of length 1, two at least.
        seed: the same seed gives the same map.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    start = PCA(2, random_state=seed).fit_transform(vectors.astype(np.float64))
    # The first axis as spread as t-SNE's own starts are; without it the map depends on the texts' scale.
    start = 1e-4 * start / start[:, 0].std()
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    tsne = TSNE(2, metric="cosine", init=start, perplexity=perplexity, random_state=seed, n_jobs=1)
    return np.asarray(tsne.fit_transform(vectors.astype(np.float64)), dtype=np.float64)


def map_figure(vocabulary: Vocabulary, encoder: Encoder, seed: int = 0) -> Figure:
    """The map of all descriptions: one dot a part, a color a category, larger where several names met."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    pairs = [(category, part) for category in vocabulary.categories for part in vocabulary.parts(category)]
    described = [vocabulary.description(*pair) or words(pair[1]) for pair in pairs]
    vectors = embed(encoder, described)
    at = embedding_map(np.stack([vectors[text] for text in described]), seed)
    colors = palette(vocabulary.categories)
    figure = Figure(figsize=(11, 8.5), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for category in vocabulary.categories:
        own = np.array([one == category for one, _ in pairs])
        if not own.any():
            continue
        entries = vocabulary.entries[category].parts
        met = np.array([len({spelling(alias.part) for alias in entries[part].aliases})
                        for one, part in pairs if one == category])  # fmt: skip
        x, y = at[own].T
        axis.scatter(x, y, s=10 + 14 * (met - 1), color=colors[category], alpha=0.75, linewidths=0)
        box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.7}
        axis.annotate(
            words(category), (np.median(x), np.median(y)), ha="center", va="center", fontsize=8, bbox=box
        )
    axis.set(xticks=[], yticks=[], title=f"descriptions of {len(pairs)} parts of "
             f"{len(vocabulary.categories)} categories; larger dots: several names became one")  # fmt: skip
    axis.spines[:].set_visible(False)
    return figure


def _at(tree: Tree, chain: tuple[str, ...]) -> Tree:
    for step in chain:
        below = tree.setdefault(step, {})
        assert isinstance(below, dict)
        tree = below
    return tree


def _items(tree: Mapping[str, Tree | PartEntry]) -> str:
    items = []
    for name, below in sorted(tree.items()):
        if isinstance(below, dict):
            items.append(f"<li>{_details(_named(name, set()), _items(below))}</li>")
            continue
        part = name.removesuffix("\n")
        others = {spelling(alias.part) for alias in below.aliases} - {part}
        items.append(f"<li>{_named(part, others)} ({below.count})</li>")
    return f"<ul>{''.join(items)}</ul>"


def _details(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>{content}</details>"


def _named(name: str, others: set[str]) -> str:
    """A name in words, and the names that became it."""
    text = escape(words(name))
    if others:
        text += f" <i>also {escape(', '.join(words(other) for other in sorted(others)))}</i>"
    return text
