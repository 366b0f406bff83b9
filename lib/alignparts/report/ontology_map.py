"""Views of the unified vocabulary: a tree to unfold, and a map of its descriptions."""

from html import escape

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from alignparts.ontology.pairs import Encoder, embed
from alignparts.ontology.raw import RawVocabulary
from alignparts.ontology.vocabulary import PartEntry, Vocabulary, spelling, words
from alignparts.pictures.palette import palette


def tree_html(raw: RawVocabulary, vocabulary: Vocabulary) -> str:
    """Return the vocabulary as nested ``<details>``: categories, the data sets' own wholes, parts.

    A part stands in every whole that a data set puts it in, with its other names and its number of shapes.
    """
    blocks = []
    for category in vocabulary.categories:
        entry = vocabulary.entries[category]
        places = [(chain, part, it) for part, it in entry.parts.items() for chain in raw.chains(it.aliases)]
        sets = len({alias.dataset for alias in entry.aliases})
        about = f"{len(entry.parts)} parts, {sets} data sets, {entry.count} shapes"
        title = f"<b>{_named(category, {spelling(alias.category) for alias in entry.aliases})}</b>: {about}"
        blocks.append(f"<details><summary>{title}</summary>{_items(places)}</details>")
    return "".join(blocks)


def _items(places: list[tuple[tuple[str, ...], str, PartEntry]], depth: int = 0) -> str:
    """Return a list of the parts of a whole and, folded, of the wholes in it."""
    items = {}
    for chain, part, entry in places:
        if len(chain) == depth:
            others = {spelling(alias.part) for alias in entry.aliases}
            items[part, ""] = f"<li>{_named(part, others)} ({entry.count})</li>"
        elif (chain[depth], "whole") not in items:
            inside = [one for one in places if one[0][: depth + 1] == chain[: depth + 1]]
            below = _items(inside, depth + 1)
            summary = f"<summary>{_named(chain[depth], set())}</summary>"
            items[chain[depth], "whole"] = f"<li><details>{summary}{below}</details></li>"
    return f"<ul>{''.join(items[key] for key in sorted(items))}</ul>"


def _named(name: str, others: set[str]) -> str:
    """Return a name in words, and the other names that became it."""
    also = ", ".join(escape(words(other)) for other in sorted(others - {name}))
    return escape(words(name)) + (f" <i>also {also}</i>" if also else "")


def embedding_map(vectors: Float32[np.ndarray, "n d_t"], seed: int = 0) -> Float[np.ndarray, "n 2"]:
    """Place at least two texts in a plane, those of a like meaning close (t-SNE on cosines, from a PCA)."""
    exact = vectors.astype(np.float64)
    start = PCA(2, random_state=seed).fit_transform(exact)
    # The first axis as spread as t-SNE's own starts are; without it the map depends on the texts' scale.
    start = 1e-4 * start / start[:, 0].std()
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    tsne = TSNE(2, metric="cosine", init=start, perplexity=perplexity, random_state=seed, n_jobs=1)
    return np.asarray(tsne.fit_transform(exact), dtype=np.float64)


def map_figure(vocabulary: Vocabulary, encoder: Encoder, seed: int = 0) -> Figure:
    """Draw the map of all descriptions: a dot per part, a color per category."""
    rows = []
    for category in vocabulary.categories:
        for part, entry in vocabulary.entries[category].parts.items():
            names = {spelling(alias.part) for alias in entry.aliases}
            rows.append((category, vocabulary.description(category, part), len(names)))
    parts = pd.DataFrame(rows, columns=["category", "text", "names"])
    vectors = embed(encoder, parts.text.tolist())
    places = embedding_map(np.stack([vectors[text] for text in parts.text]), seed)
    figure = Figure(figsize=(11, 8.5), layout="constrained")
    axis = figure.subplots()
    colors = parts.category.map(palette(vocabulary.categories)).tolist()
    x, y = places.T
    axis.scatter(x, y, s=10 + 14 * (parts.names - 1), c=colors, alpha=0.75, linewidths=0)
    box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.7}
    for name, own in parts.groupby("category", sort=False):
        middle = np.median(places[own.index], axis=0)
        axis.annotate(words(str(name)), middle, ha="center", va="center", fontsize=8, bbox=box)
    about = f"{len(parts)} parts of {len(vocabulary.categories)} categories"
    title = f"descriptions of {about}; larger dots: several names became one"
    axis.set(xticks=[], yticks=[], title=title, frame_on=False)
    return figure
