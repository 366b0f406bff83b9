"""Stored shapes with their ground truth, at a seeded subset of their points."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from jaxtyping import Int64
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.sampling import seed_of
from alignparts.features.store import FeatureStore
from alignparts.patches.cut import PER_SHAPE

SEEN, HELDOUT = "seen", "heldout"


@dataclass(frozen=True)
class Labeled:
    """A shape with its ground truth, at the points to evaluate.

    Attributes:
        shape_id: id in the store.
        test_set: name of the data set, or "heldout".
        category: canonical category.
        arrays: arrays of the feature store.
        truth: part of every point, -1 unlabeled.
        names: canonical name of every part.
        present: different names of the parts that hold a point, in the order of ``names``.
    """

    shape_id: str
    test_set: str
    category: str
    arrays: Mapping[str, np.ndarray]
    truth: Int64[np.ndarray, " n"]
    names: list[str]
    present: list[str]

    @property
    def heldout(self) -> bool:
        """Return whether training has not seen the category."""
        return self.test_set == HELDOUT


def present_names(truth: Int64[np.ndarray, " n"], names: Sequence[str]) -> list[str]:
    """Return the different names of the parts that hold a point, in the order of the parts."""
    return list(dict.fromkeys(names[part] for part in np.unique(truth[truth >= 0]).tolist()))


def at_rows(arrays: Mapping[str, np.ndarray], rows: Int64[np.ndarray, " m"]) -> dict[str, np.ndarray]:
    """Return a shape's arrays at some of its points; what is not per point stays."""
    return {name: values if name in PER_SHAPE else values[rows] for name, values in arrays.items()}


def chosen_rows(stored: int, points: int, key: str, seed: int = 0) -> Int64[np.ndarray, " m"]:
    """Return the rows of at most ``points`` of a shape's stored points; equal keys choose equal ones."""
    if stored <= points:
        return np.arange(stored)
    return np.sort(np.random.default_rng(seed_of(key, seed)).permutation(stored)[:points])


def subset(arrays: Mapping[str, np.ndarray], points: int, key: str, seed: int = 0) -> dict[str, np.ndarray]:
    """Return a stored shape at :func:`chosen_rows`."""
    return at_rows(arrays, chosen_rows(len(arrays["points"]), points, key, seed))


def load_labeled(store: FeatureStore, shape_id: str, points: int, seed: int = 0) -> Labeled | None:
    """Load a shape at a seeded subset of its points; None where no point is labeled."""
    arrays, meta = store.load(shape_id)
    chosen = subset(arrays, points, shape_id, seed)
    truth, names = chosen["part"].astype(np.int64), [str(name) for name in meta["part_names"]]
    test_set = HELDOUT if meta["split"] == HELDOUT else str(meta["dataset"])
    present = present_names(truth, names)
    shape = Labeled(shape_id, test_set, str(meta["category"]), chosen, truth, names, present)
    return shape if present else None


def ids_of_splits(store: FeatureStore, splits: Sequence[str], ids: Sequence[str] | None = None) -> list[str]:
    """Return sorted ids of some splits, among ``ids`` or all of the store; AlignPartsError for none."""
    among = store.ids() if ids is None else ids
    chosen = sorted(shape_id for shape_id in among if store.meta(shape_id)["split"] in splits)
    if not chosen:
        raise AlignPartsError(
            f"no shape of {' or '.join(splits)} in the feature store; run: dvc repro features"
        )
    return chosen


def ids_by_category(store: FeatureStore, split: str, seed: int = 0) -> dict[str, list[str]]:
    """Return the ids of a split by category, in a seeded order; AlignPartsError if there is none."""
    by_category: dict[str, list[str]] = {}
    for shape_id in sorted(ids_of_splits(store, [split]), key=lambda name: seed_of(name, seed)):
        by_category.setdefault(str(store.meta(shape_id)["category"]), []).append(shape_id)
    return by_category


def taking_turns(store: FeatureStore, split: str, shapes: int, seed: int = 0) -> list[str]:
    """Return ``shapes`` ids of a split, the categories taking turns, each in a seeded order."""
    by_category = sorted(ids_by_category(store, split, seed).items())
    turns = zip_longest(*(ids for _, ids in by_category))
    return [shape_id for turn in turns for shape_id in turn if shape_id is not None][:shapes]


def one_a_category(store: FeatureStore, seed: int = 0, split: str = "test") -> list[str]:
    """Return a seeded shape of every category of a split, in alphabetical order of ids."""
    return sorted(ids[0] for ids in ids_by_category(store, split, seed).values())


def labeled_shapes(
    store: FeatureStore, splits: Sequence[str], points: int, seed: int = 0, ids: Sequence[str] | None = None
) -> Iterator[Labeled]:
    """Load the shapes of :func:`ids_of_splits` that have a labeled point, at most ``points`` points of each.

    ``seed`` is that of the subset of points. Raises AlignPartsError if there is no shape of these splits, or
    none has a labeled point.
    """
    empty = True
    for shape_id in tqdm(ids_of_splits(store, splits, ids), desc="evaluate", mininterval=2.0, leave=False):
        if (shape := load_labeled(store, shape_id, points, seed)) is not None:
            empty = False
            yield shape
    if empty:
        raise AlignPartsError(f"no shape of {' or '.join(splits)} has a labeled point")
