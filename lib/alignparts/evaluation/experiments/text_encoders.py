"""Comparison of text encoders (section 9.3, Fig. 3): cosines between parts, retrieval, figures."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import mannwhitneyu

from alignparts.core import hub, paths
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.intervals import Bootstrap, interval
from alignparts.evaluation.tables import long_table, row
from alignparts.ontology import wheels
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.merge import unify
from alignparts.ontology.pairs import Description, Encoder, embed
from alignparts.ontology.raw import RawVocabulary
from alignparts.ontology.text import TextEncoder
from alignparts.ontology.vocabulary import Vocabulary, words

Part = tuple[str, str]
"""Canonical category and part."""
OWN, KIN, OTHER = "own category", "same name elsewhere", "other name elsewhere"
"""Relations of a part to others."""


def at_hand(names: Sequence[str]) -> tuple[dict[str, TextEncoder], dict[str, str]]:
    """Load the encoders on this machine, by name; return also the reason why others are absent."""
    loaded: dict[str, TextEncoder] = {}
    absent: dict[str, str] = {}
    for name in names:
        try:
            if name.lower() not in wheels.NAMES and not Path(name).is_dir() and not hub.is_cached(name):
                raise AlignPartsError(f"not on this machine; run: {hub.download(name)}")
            loaded[name] = TextEncoder.from_name(name)
        except AlignPartsError as error:
            absent[name] = str(error)
    return loaded, absent


def parts_of(vocabulary: Vocabulary) -> list[Part]:
    """Return every part that has a description."""
    pairs = [(category, part) for category, part, _ in vocabulary.groups() if part]
    return [pair for pair in pairs if vocabulary.entries[pair[0]].parts[pair[1]].description]


def study(
    encoders: Mapping[str, Encoder], vocabulary: Vocabulary, **bootstrap: Unpack[Bootstrap]
) -> pd.DataFrame:
    """Compare encoders on names and descriptions, as a long table with bootstrap intervals; n counts parts.

    Test set ``names → descriptions``: top-1 and mean reciprocal rank of a part's description, queried by the
    name of the part among its category's, and by category and name among all.

    Test sets ``names``, ``descriptions``: mean cosine of a part with the others of its category (low keeps
    them apart), with parts of the same name elsewhere (without the category's own words), and of other names
    elsewhere; and ``transfer``, the chance that a part lies nearer to one of the same name elsewhere than to
    one of another name elsewhere (area under the ROC curve, by part).
    """
    pairs, rows = parts_of(vocabulary), []
    groups, texts = _relations(pairs), _texts(pairs, vocabulary)
    own = groups[OWN] | np.eye(len(pairs), dtype=bool)
    for method, encoder in encoders.items():
        names, full_names, described = (_vectors(encoder, column) for column in texts.values())
        measured = {
            "names → descriptions": {
                **_retrieval(names @ described.T, own, "own category"),
                **_retrieval(full_names @ described.T, np.ones_like(own), "all"),
            },
            "names": _spread(names @ names.T, groups),
            "descriptions": _spread(described @ described.T, groups),
        }
        rows += [
            row(method, test_set, metric, interval(x, **bootstrap))
            for test_set, values in measured.items() for metric, x in values.items() if len(x)
        ]  # fmt: skip
    return long_table(rows)


def worked_examples(encoders: Mapping[str, Encoder], llm: LanguageModel) -> pd.DataFrame:
    """Return the cosines that the paper prints (sections 4.1, 9.4) beside ours, per encoder and spelling.

    Spellings: underscores, words, "part of a category", and the descriptions on record, NaN where one is
    missing. ``nearest`` is the spelling whose cosine is nearest to the paper's.
    """
    paper = pd.read_csv(paths.RESOURCES / "paper_cosines.csv", keep_default_na=False)
    rows: list[dict[str, object]] = []
    for category, a, b, value in paper[["category", "a", "b", "value"]].itertuples(index=False, name=None):
        asked = [Description.request(category or x, x if category else "") for x in (a, b)]
        spellings = {
            "underscores": [a, b],
            "words": [words(a), words(b)],
            "with category": [f"{words(x)} of a {words(category)}" if category else words(x) for x in (a, b)],
        }
        if all(llm.known(request) for request in asked):
            spellings["descriptions"] = [llm.ask(request, Description).description for request in asked]
        for method, encoder in encoders.items():
            vectors = {name: encoder.encode(texts) for name, texts in spellings.items()}
            cosines = {name: float(first @ second) for name, (first, second) in vectors.items()}
            nearest = min(cosines, key=lambda name, at=cosines: abs(at[name] - value))  # type: ignore[misc]
            about = {"category": category, "a": a, "b": b, "paper": value, "method": method}
            rows.append({**about, **cosines, "nearest": nearest})
    return pd.DataFrame(rows)


def candidates(
    encoders: Mapping[str, Encoder], raw: RawVocabulary, llm: LanguageModel, threshold: float = 0.85
) -> pd.DataFrame:
    """Return the pairs of a vocabulary above the paper's one threshold (section 4.1), counted per encoder."""
    rows = []
    for method, encoder in encoders.items():
        pairs = unify(raw, encoder, llm, threshold, threshold, partial=True).pairs
        for level in ("categories", "parts"):
            own = [pair for pair in pairs if bool(pair.category) == (level == "parts")]
            decided = sum(pair.decided for pair in own)
            counts = {"proposed": len(own), "the same": sum(bool(pair.same) for pair in own)}
            rows.append({"method": method, "level": level, **counts, "without a verdict": len(own) - decided})
    return pd.DataFrame(rows)


def heatmaps(encoders: Mapping[str, Encoder], vocabulary: Vocabulary, wanted: Sequence[Part]) -> Figure:
    """Draw cosines between the ``wanted`` parts that the vocabulary knows, or its first ones (Fig. 3)."""
    pairs = list(dict.fromkeys(vocabulary.resolve(*pair) for pair in wanted if vocabulary.has(*pair)))
    pairs = pairs or parts_of(vocabulary)[:16]
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
    groups = _relations(pairs)
    drawn = {
        "same name, other category": (groups[KIN], "#2f6aa3"),
        "other part of the category": (groups[OWN], "#d1803f"),
        "other name, other category": (groups[OTHER], "#b5b5b5"),
    }
    figure = Figure(figsize=(10, 2.8 * len(encoders)), layout="constrained")
    for axis, cosines in _panels(figure, encoders, _texts(pairs, vocabulary)):
        for label, (chosen, color) in drawn.items():
            if len(values := cosines[np.triu(chosen)]):
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


def _relations(pairs: Sequence[Part]) -> dict[str, Bool[np.ndarray, "n n"]]:
    """Return masks of two parts by their relation; a car's ``car_wheel`` has the name of any wheel."""
    categories = np.array([category for category, _ in pairs])
    bare = ["_".join(w for w in part.split("_") if w not in category.split("_")) for category, part in pairs]
    names = np.array([name or part for name, (_, part) in zip(bare, pairs, strict=True)])
    category, name = categories[:, None] == categories, names[:, None] == names
    itself = np.eye(len(pairs), dtype=bool)
    return {OWN: category & ~itself, KIN: ~category & name, OTHER: ~category & ~name}


def _retrieval(
    cosines: Float[np.ndarray, "n n"], among: Bool[np.ndarray, "n n"], where: str
) -> dict[str, Float[np.ndarray, " _"]]:
    """Rank the diagonal; a tie counts against it, and categories of one part are left out."""
    ranks = (among & (cosines >= np.diag(cosines)[:, None])).sum(axis=1)[among.sum(axis=1) > 1]
    return {f"top-1, {where}": (ranks == 1).astype(np.float64), f"MRR, {where}": 1 / ranks}


def _spread(
    cosines: Float[np.ndarray, "n n"], groups: Mapping[str, Bool[np.ndarray, "n n"]]
) -> dict[str, Float[np.ndarray, " _"]]:
    """Return mean cosines by relation, and areas under the ROC curve, of the parts that have such others."""
    means = {
        f"cosine, {relation}": np.array([row[mask].mean() for row, mask in _lines(cosines, masks)])
        for relation, masks in groups.items()
    }
    pairs = [(row[kin], row[other]) for row, kin, other in _lines(cosines, groups[KIN], groups[OTHER])]
    areas = [mannwhitneyu(kin, other).statistic / (len(kin) * len(other)) for kin, other in pairs]
    return {**means, "transfer": np.array(areas)}


def _lines(cosines: np.ndarray, *masks: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the rows of cosines and masks where every mask holds something."""
    return (line for line in zip(cosines, *masks, strict=True) if all(mask.any() for mask in line[1:]))
