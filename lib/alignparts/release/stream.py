"""Labeled shapes without end: generated, or real ones, each changed at random.

A shape is a function of the stream's seed and its number alone, so that a training resumes anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int, Int64

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.dialects import load_dialects
from alignparts.corpus.embedded import surface_of
from alignparts.corpus.mesh.perturb import colorless
from alignparts.corpus.mesh.sampling import sample_surface
from alignparts.corpus.mesh.surface import Surface
from alignparts.corpus.shape import LabeledShape
from alignparts.model.backbone.pose import QUARTERS, posed
from alignparts.model.dataset import Target
from alignparts.model.texts import STYLES, TextTable
from alignparts.release.changes import changed_points, changed_surface
from procparts import CATEGORIES, Piece, generate

DATA_SETS = {"partnet": 0.45, "compat": 0.45, "find3d": 0.1}
"""Share of the generated shapes that bear the names of a data set, among those that have the category."""
SWAPPED = 0.15
"""Share of the generated shapes with one part of another shape of their category."""
PLAIN = 0.2
"""Share of the shapes that stay as they are."""
POOL = 4
"""Samples per point: small parts are drawn more often among them."""
LABELED = 0.2
"""Smallest share of the points with a name; shapes with fewer are drawn again."""
TRIES = 20


@dataclass(frozen=True)
class NamedSurface:
    """A surface, the canonical name of every part instance ("": none), and the canonical category."""

    surface: Surface
    names: Sequence[str]
    category: str


@dataclass(frozen=True)
class Sampled(Target):
    """Shape of a batch for a learned backbone."""

    normals: Float32[np.ndarray, "n 3"]
    colors: Float32[np.ndarray, "n 3"]


class Stream:
    """Shapes by their number.

    Args:
        table: text embeddings of the vocabulary.
        heldout: categories of the generator that never occur.
        real: real shapes, of categories that the vocabulary has.
        real_share: share of the shapes that are real.
        name_prompt_rate: share of the shapes whose parts are named by prompts instead of descriptions.
        seed: seed of everything.
        plain: leave all shapes as they are, for validation.
    """

    def __init__(
        self,
        table: TextTable,
        heldout: Sequence[str],
        real: Sequence[LabeledShape] = (),
        *,
        real_share: float = 0.0,
        name_prompt_rate: float = 0.0,
        seed: int = 0,
        plain: bool = False,
    ) -> None:
        self.table, self.seed, self.plain = table, seed, plain
        self.categories = sorted(set(CATEGORIES) - set(heldout))
        self.real = [self._named(shape.surface, shape.instances, shape.category) for shape in real]
        self.real_share, self.name_prompt_rate = real_share if real else 0.0, name_prompt_rate
        self.number = {name: index for index, name in enumerate(table.categories)}
        self.classes = np.array([table.category(name) for name in table.categories])

    def shape(self, number: int, points: int) -> Sampled:
        """Return the shape of a number at some of its points.

        Raises:
            AlignPartsError: the vocabulary names hardly anything of what is drawn.
        """
        for attempt in range(TRIES):
            rng = np.random.default_rng([self.seed, number, attempt])
            if (shape := self._sampled(rng, points)) is not None:
                return shape
        raise AlignPartsError(
            "stream: no shape with enough named points; does the vocabulary suit the generator?"
        )

    def _sampled(self, rng: np.random.Generator, points: int) -> Sampled | None:
        """Draw a shape, change it, and sample it; None where too few of its points have a name."""
        is_real = rng.random() < self.real_share
        shape = self.real[rng.integers(len(self.real))] if is_real else self._generated(rng)
        change = not self.plain and rng.random() >= PLAIN
        surface = changed_surface(shape.surface, shape.names, rng) if change else shape.surface
        sample = sample_surface(surface, POOL * points, int(rng.integers(2**31)))
        rows = {name: row for row, name in enumerate(self.table.names[shape.category])}
        row = np.array([*(rows.get(name, -1) for name in shape.names), -1])[sample.instance]
        at = drawn(row, points, rng)
        row = row[at]
        if (row >= 0).mean() < LABELED:
            return None
        arrays = {name: getattr(sample, name)[at] for name in ("points", "normals", "colors")}
        if change:
            arrays = changed_points(arrays, sample.instance[at], rng)
        quarter = int(rng.integers(QUARTERS))
        arrays["points"], arrays["normals"] = posed(arrays["points"], arrays["normals"], quarter)
        style = int(rng.integers(1, STYLES)) if rng.random() < self.name_prompt_rate else 0
        texts, present = self.table.parts(shape.category, style), np.unique(row[row >= 0])
        return Sampled(
            **arrays,
            part=np.where(row < 0, -1, np.searchsorted(present, row)),
            text=texts[present],
            number=self.number[shape.category],
            class_text=self.table.category(shape.category, style),
            classes=self.classes,
            negatives=np.delete(texts, present, axis=0),
        )

    def _generated(self, rng: np.random.Generator) -> NamedSurface:
        """Generate a shape with the names of one of the data sets, PartNet's without colors."""
        words = load_dialects()
        category = self.categories[rng.integers(len(self.categories))]
        share = {name: DATA_SETS[name] for name in words.datasets(category)}
        dataset = str(rng.choice(list(share), p=np.array(list(share.values())) / sum(share.values())))
        # A part of another shape only fits one that faces the same way.
        pieces = generate(category, rng, 0.0)
        if not self.plain and rng.random() < SWAPPED:
            pieces = swapped(pieces, generate(category, rng, 0.0), rng)
        names = [words.part(category, dataset, piece.part) or "" for piece in pieces]
        surface = surface_of(pieces)
        if dataset == "partnet":
            surface = colorless(surface, 1.0, 0)
        return self._named(surface, names, words.category(category, dataset))

    def _named(self, surface: Surface, names: Sequence[str], category: str) -> NamedSurface:
        """Return a surface with the vocabulary's own names."""
        known = self.table.vocabulary
        canonical = [
            known.resolve(category, name)[1] if name and known.has(category, name) else "" for name in names
        ]
        return NamedSurface(surface, canonical, known.resolve_category(category))


def drawn(label: Int[np.ndarray, " n"], points: int, rng: np.random.Generator) -> Int64[np.ndarray, " p"]:
    """Return the indices, in order, of some of the points; every second time rare labels come more often."""
    chance = np.bincount(label + 1).clip(1)[label + 1] ** -0.5 if rng.random() < 0.5 else np.ones(len(label))
    return np.sort(rng.choice(len(label), points, replace=False, p=chance / chance.sum()))


def swapped(pieces: Sequence[Piece], others: Sequence[Piece], rng: np.random.Generator) -> list[Piece]:
    """Return the pieces with those of one part replaced by another shape's, fitted into their box."""
    shared = sorted({piece.part for piece in pieces} & {piece.part for piece in others})
    if not shared:
        return list(pieces)
    part = shared[rng.integers(len(shared))]
    low, high = _box(pieces, part)
    other_low, other_high = _box(others, part)
    scale = (high - low) / np.maximum(other_high - other_low, 1e-6)
    taken = [
        replace(piece, mesh=replace(piece.mesh, vertices=(piece.mesh.vertices - other_low) * scale + low))
        for piece in others
        if piece.part == part
    ]
    return [*(piece for piece in pieces if piece.part != part), *taken]


def _box(pieces: Sequence[Piece], part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest corner of all pieces of a part."""
    at = np.concatenate([piece.mesh.vertices for piece in pieces if piece.part == part])
    return at.min(axis=0), at.max(axis=0)
