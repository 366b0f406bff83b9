"""Comparison of text encoders (section 9.3, Fig. 3): cosines between parts, retrieval, figures."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import mannwhitneyu

from alignparts.core import hub
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.intervals import interval
from alignparts.evaluation.tables import long_table, row
from alignparts.ontology.pairs import Encoder, embed
from alignparts.ontology.text import WHEELS, TextEncoder
from alignparts.ontology.vocabulary import Vocabulary, words

Part = tuple[str, str]
"""Canonical category and part."""


def at_hand(names: Sequence[str]) -> tuple[dict[str, TextEncoder], dict[str, str]]:
    """Load the encoders that are on this machine, by the names of :meth:`TextEncoder.from_name`.

    Returns:
        Encoders by name, and for every other name the reason and the command that downloads it.
    """
    loaded: dict[str, TextEncoder] = {}
    absent: dict[str, str] = {}
    for name in names:
        if name.lower() not in WHEELS and not Path(name).is_dir() and not hub.is_cached(name):
            absent[name] = f"not on this machine; run: {hub.download(name)}"
            continue
        try:
            loaded[name] = TextEncoder.from_name(name)
        except AlignPartsError as error:
            absent[name] = str(error)
    return loaded, absent


def parts_of(vocabulary: Vocabulary) -> list[Part]:
    """Return every part that has a description."""
    pairs = [(category, part) for category in vocabulary.categories for part in vocabulary.parts(category)]
    return [pair for pair in pairs if vocabulary.description(*pair)]


def study(
    encoders: Mapping[str, Encoder],
    vocabulary: Vocabulary,
    *,
    seed: int = 0,
    resamples: int = 1000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compare encoders on the vocabulary's names and affordance descriptions.

    Returns:
        A long table (`evaluation.tables`) with bootstrap intervals; n counts parts. Test sets and metrics:

        ``names → descriptions``: top-1 and mean reciprocal rank of a part's description, queried by the name
        of the part among its category's, and by category and name among all.

        ``names``, ``descriptions``: mean cosine of a part with the others of its category (low keeps them
        apart), with parts of the same name elsewhere (a name without the category's own words), and with
        parts of other names elsewhere; and ``transfer``, the chance that a part lies nearer to one of the
        same name elsewhere than to one of another name elsewhere (area under the ROC curve, by part).
    """
    pairs = parts_of(vocabulary)
    same_category, same_name = _relations(pairs)
    texts = _texts(pairs, vocabulary)
    rows = []
    for method, encoder in encoders.items():
        names, asked, described = (_vectors(encoder, column) for column in texts.values())
        measured = {
            "names → descriptions": {
                **_retrieval(names @ described.T, same_category, "own category"),
                **_retrieval(asked @ described.T, np.ones_like(same_category), "all"),
            },
            "names": _spread(names @ names.T, same_category, same_name),
            "descriptions": _spread(described @ described.T, same_category, same_name),
        }
        rows += [
            row(method, test_set, metric, interval(x, resamples=resamples, confidence=confidence, seed=seed))
            for test_set, values in measured.items()
            for metric, x in values.items()
            if len(x)
        ]
    return long_table(rows)


def heatmaps(encoders: Mapping[str, Encoder], vocabulary: Vocabulary, wanted: Sequence[Part]) -> Figure:
    """Draw cosines between chosen parts, by name and by description, one row per encoder (Fig. 3).

    Args:
        encoders: encoders by name.
        vocabulary: vocabulary that resolves ``wanted``; unknown pairs are left out.
        wanted: (category, part), by any alias.
    """
    pairs = list(dict.fromkeys(vocabulary.resolve(*pair) for pair in wanted if vocabulary.has(*pair)))
    labels = [f"{words(category)} · {words(part)}" for category, part in pairs]
    figure = Figure(figsize=(13, 5.8 * len(encoders)), layout="constrained")
    for axis, cosines in _panels(figure, encoders, _texts(pairs, vocabulary)):
        image = axis.imshow(cosines, vmin=0, vmax=1, cmap="viridis")
        axis.set_xticks(range(len(labels)), labels, rotation=60, ha="right")
        axis.set_yticks(range(len(labels)), labels)
    figure.colorbar(image, ax=figure.axes, shrink=0.8 / len(encoders))
    return figure


def cosine_figure(encoders: Mapping[str, Encoder], vocabulary: Vocabulary) -> Figure:
    """Draw the distributions of the cosines that :func:`study` averages, one row per encoder."""
    pairs = parts_of(vocabulary)
    same_category, same_name = _relations(pairs)
    upper = np.triu(np.ones_like(same_name), 1)
    groups = {
        "same name, other category": (~same_category & same_name, "#2f6aa3"),
        "other part of the category": (same_category, "#d1803f"),
        "other name, other category": (~same_category & ~same_name, "#b5b5b5"),
    }
    figure = Figure(figsize=(10, 2.8 * len(encoders)), layout="constrained")
    for axis, cosines in _panels(figure, encoders, _texts(pairs, vocabulary)):
        for label, (chosen, color) in groups.items():
            if len(values := cosines[chosen & upper]):
                axis.ecdf(values, color=color, label=f"{label} ({len(values)})")
        axis.set_xlim(-0.2, 1.02)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in figure.axes[::2]:
        axis.set_ylabel("share of pairs below")
    figure.axes[0].legend(frameon=False, fontsize=8, loc="center right")
    return figure


def _panels(
    figure: Figure, encoders: Mapping[str, Encoder], texts: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Axes, Float[np.ndarray, "n n"]]]:
    """Yield an axis with the cosines of names, then of descriptions, per encoder."""
    axes = figure.subplots(len(encoders), 2, sharex=True, sharey=True, squeeze=False)
    for line, (name, encoder) in zip(axes, encoders.items(), strict=True):
        for axis, kind in zip(line, ("names", "descriptions"), strict=True):
            axis.set_title(f"{name}: cosine of {kind}")
            vectors = _vectors(encoder, texts[kind])
            yield axis, vectors @ vectors.T


def _texts(pairs: Sequence[Part], vocabulary: Vocabulary) -> dict[str, list[str]]:
    return {
        "names": [words(part) for _, part in pairs],
        "full names": [f"{words(category)} {words(part)}" for category, part in pairs],
        "descriptions": [vocabulary.description(*pair) for pair in pairs],
    }


def _vectors(encoder: Encoder, texts: Sequence[str]) -> Float32[np.ndarray, "n d_t"]:
    embedded = embed(encoder, texts)
    return np.stack([embedded[text] for text in texts])


def _relations(pairs: Sequence[Part]) -> tuple[Bool[np.ndarray, "n n"], Bool[np.ndarray, "n n"]]:
    """Return whether two parts share their category, and their name (a car's ``car_wheel`` is a wheel)."""
    categories = np.array([category for category, _ in pairs])
    bare = ["_".join(w for w in part.split("_") if w not in category.split("_")) for category, part in pairs]
    names = np.array([name or part for name, (_, part) in zip(bare, pairs, strict=True)])
    return categories[:, None] == categories, names[:, None] == names


def _retrieval(
    cosines: Float[np.ndarray, "n n"], among: Bool[np.ndarray, "n n"], where: str
) -> dict[str, Float[np.ndarray, " _"]]:
    """Rank the diagonal; a tie counts against it, and categories of one part are left out."""
    ranks = (among & (cosines >= np.diag(cosines)[:, None])).sum(axis=1)[among.sum(axis=1) > 1]
    return {f"top-1, {where}": (ranks == 1).astype(np.float64), f"MRR, {where}": 1 / ranks}


def _spread(
    cosines: Float[np.ndarray, "n n"],
    same_category: Bool[np.ndarray, "n n"],
    same_name: Bool[np.ndarray, "n n"],
) -> dict[str, Float[np.ndarray, " _"]]:
    kin, other = ~same_category & same_name, ~same_category & ~same_name
    groups = {
        "cosine, own category": same_category & ~np.eye(len(cosines), dtype=bool),
        "cosine, same name elsewhere": kin,
        "cosine, other name elsewhere": other,
    }
    means = {
        metric: np.array(
            [line[some].mean() for line, some in zip(cosines, chosen, strict=True) if some.any()]
        )
        for metric, chosen in groups.items()
    }
    both = [(line[a], line[b]) for line, a, b in zip(cosines, kin, other, strict=True) if a.any() and b.any()]
    areas = np.array([mannwhitneyu(a, b).statistic / (len(a) * len(b)) for a, b in both])
    return {**means, "transfer": areas}
