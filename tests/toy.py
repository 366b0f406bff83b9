"""Toy shapes whose features say which part a point is of; a text encoder that is a hash."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import smoke

from alignparts.core.config import Params
from alignparts.features.store import FeatureStore
from alignparts.model.stage import Stage
from alignparts.ontology.vocabulary import CategoryEntry, PartEntry, Vocabulary

WIDTH = 24
LOSS = smoke.block("train").loss
PARTS = {
    "chair": ["seat", "leg", "back", "arm_rest"],
    "lamp": ["shade", "pole", "foot"],
    "mug": ["body", "handle"],
}


def encode(texts: Sequence[str]) -> np.ndarray:
    """A random unit vector for every text, the same at every call."""
    seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
    vectors = np.array([np.random.default_rng(seed).normal(size=WIDTH) for seed in seeds]).reshape(-1, WIDTH)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def vocabulary() -> Vocabulary:
    entries = {
        category: CategoryEntry(
            description=f"a thing called {category}",
            count=1,
            aliases=(),
            parts={
                part: PartEntry(description=f"what a {category} needs {part} for", count=1, aliases=())
                for part in parts
            },
        )
        for category, parts in PARTS.items()
    }
    return Vocabulary(entries=entries)


def shape(
    category: str, seed: int, n: int = 96, d_g: int = 6, d_a: int = 5
) -> tuple[dict[str, np.ndarray], dict]:
    """One blob of points a part; every part's features are its own color, with noise."""
    rng = np.random.default_rng(seed)
    names = PARTS[category]
    part = np.sort(rng.integers(0, len(names), n)).astype(np.int16)
    part[: len(names)] = np.arange(len(names))
    color = np.random.default_rng(7).normal(size=(len(PARTS), 4, d_g + d_a))[list(PARTS).index(category)]
    feature = color[part] + 0.2 * rng.normal(size=(n, d_g + d_a))
    corners = np.array([[-1, -1, 0], [1, 1, 0], [-1, 1, 0.5], [1, -1, -0.5]]) * 0.8
    points = corners[part] + 0.15 * rng.normal(size=(n, 3))
    part[rng.random(n) < 0.05] = -1
    arrays = {
        "points": points.astype(np.float32),
        "geometry": feature[:, :d_g].astype(np.float16),
        "appearance": feature[:, d_g:].astype(np.float16),
        "part": part,
    }
    return arrays, {"category": category, "part_names": list(names)}


def store(root: Path, train: int = 6, validation: int = 3, n: int = 96) -> FeatureStore:
    made = FeatureStore(root, "toy", shard=4)
    for index in range(train + validation):
        arrays, meta = shape(list(PARTS)[index % len(PARTS)], index, n)
        made.add(f"s{index}", arrays, {**meta, "split": "train" if index < train else "validation"})
    made.flush()
    return made


def stage(params: Params, store: FeatureStore, models: Path) -> Stage:
    """Return inputs of a stage with the toy vocabulary and text encoder."""
    made = Stage(params, store.root.parent, models)
    vars(made).update(store=store, vocabulary=vocabulary(), encode=encode)
    return made
