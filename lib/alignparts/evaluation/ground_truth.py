"""Stored shapes with their ground truth, as every evaluation looks at them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.sampling import seed_of
from alignparts.evaluation.scoring import subset
from alignparts.features.store import FeatureStore


@dataclass(frozen=True)
class Labeled:
    """A stored shape with its ground truth, at the points to evaluate.

    Attributes:
        shape_id: of the store.
        test_set: its data set, or "heldout".
        category: canonical.
        arrays: of the feature store.
        truth: part of every point, -1 unlabeled.
        names: canonical name of every part.
        present: names of the parts that hold a point, in the order of ``names``.
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
        """Whether its category was never trained on."""
        return self.test_set == "heldout"


def load_labeled(store: FeatureStore, shape_id: str, points: int, seed: int = 0) -> Labeled | None:
    """A shape at a seeded subset of its points; None where no point is labeled."""
    arrays, meta = store.load(shape_id)
    chosen = subset(arrays, points, shape_id, seed)
    truth, names = chosen["part"].astype(np.int64), [str(name) for name in meta["part_names"]]
    parts = np.unique(truth[truth >= 0]).tolist()
    if not parts:
        return None
    test_set = "heldout" if meta["split"] == "heldout" else str(meta["dataset"])
    present = list(dict.fromkeys(names[part] for part in parts))
    return Labeled(shape_id, test_set, str(meta["category"]), chosen, truth, names, present)


def ids_of_splits(store: FeatureStore, splits: Sequence[str], ids: Sequence[str] | None = None) -> list[str]:
    """Ids of the shapes of these splits, in alphabetical order; of these, where `ids` are given, only they.

    Raises:
        AlignPartsError: there is none.
    """
    among = store.ids() if ids is None else ids
    found = sorted(shape_id for shape_id in among if store.meta(shape_id)["split"] in splits)
    if not found:
        raise AlignPartsError(
            f"no shape of {' or '.join(splits)} in the feature store; run: dvc repro features"
        )
    return found


def taking_turns(store: FeatureStore, split: str, shapes: int, seed: int = 0) -> list[str]:
    """So many shapes of a split, the categories taking turns, in a seeded order; all where there are fewer.

    Raises:
        AlignPartsError: there is none.
    """
    by_category: dict[str, list[str]] = {}
    for shape_id in sorted(ids_of_splits(store, [split]), key=lambda one: seed_of(one, seed)):
        by_category.setdefault(str(store.meta(shape_id)["category"]), []).append(shape_id)
    turns = [
        (turn, category, shape_id)
        for category, ids in by_category.items()
        for turn, shape_id in enumerate(ids)
    ]
    return [shape_id for *_, shape_id in sorted(turns)[:shapes]]


def labeled_shapes(
    store: FeatureStore,
    splits: Sequence[str],
    points: int,
    seed: int = 0,
    ids: Sequence[str] | None = None,
) -> Iterator[Labeled]:
    """The shapes of these splits that have a labeled point.

    Raises:
        AlignPartsError: there is no shape of these splits.
    """
    for shape_id in tqdm(ids_of_splits(store, splits, ids), desc="evaluate", mininterval=2.0, leave=False):
        shape = load_labeled(store, shape_id, points, seed)
        if shape is not None:
            yield shape
