"""Table 4: what knowing the number of parts is worth (section 11)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from scipy.optimize import linear_sum_assignment
from tqdm.auto import tqdm

from alignparts.baselines.clustering import cluster_points
from alignparts.baselines.method import Segments
from alignparts.errors import AlignPartsError
from alignparts.evaluate import Evaluation, Score, similarity_of, subset, table2
from alignparts.features.store import FeatureStore
from alignparts.inference import (
    Candidate,
    Encode,
    Partlets,
    category_candidates,
    closed_vocabulary,
    find_category,
    forward,
    given_number,
    open_vocabulary,
)
from alignparts.metrics import shape_metrics
from alignparts.vocabulary import Vocabulary

CLUSTERS = "Clustering + part number"
NUMBER = "+ part number"
NONE = "No part number"
METRICS = ("mIoU", "LA-mIoU")


@dataclass(frozen=True)
class Labelled:
    """A stored shape with its ground truth, at the points to evaluate.

    Attributes:
        shape_id: of the store.
        test_set: its data set, or "heldout".
        category: canonical.
        arrays: of the feature store.
        truth: part of every point, -1 unlabelled.
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


def load_labelled(store: FeatureStore, shape_id: str, points: int, seed: int = 0) -> Labelled | None:
    """A shape at a seeded subset of its points; None where no point is labelled."""
    arrays, meta = store.load(shape_id)
    chosen = subset(arrays, points, shape_id, seed)
    truth, names = chosen["part"].astype(np.int64), [str(name) for name in meta["part_names"]]
    parts = np.unique(truth[truth >= 0]).tolist()
    if not parts:
        return None
    test_set = "heldout" if meta["split"] == "heldout" else str(meta["dataset"])
    present = list(dict.fromkeys(names[part] for part in parts))
    return Labelled(shape_id, test_set, str(meta["category"]), chosen, truth, names, present)


def ids_of_splits(store: FeatureStore, splits: Sequence[str]) -> list[str]:
    """Ids of the shapes of these splits, in alphabetical order.

    Raises:
        AlignPartsError: there is none.
    """
    found = sorted(shape_id for shape_id in store.ids() if store.meta(shape_id)["split"] in splits)
    if not found:
        raise AlignPartsError(
            f"no shape of {' or '.join(splits)} in the feature store; run: dvc repro features"
        )
    return found


def labelled_shapes(
    store: FeatureStore, splits: Sequence[str], points: int, seed: int = 0
) -> Iterator[Labelled]:
    """The shapes of these splits that have a labelled point.

    Raises:
        AlignPartsError: there is no shape of these splits.
    """
    for shape_id in tqdm(ids_of_splits(store, splits), desc="evaluate", mininterval=2.0, leave=False):
        shape = load_labelled(store, shape_id, points, seed)
        if shape is not None:
            yield shape


def most_salient(partlets: Partlets, parts: int) -> Partlets:
    """The partlets that :func:`alignparts.inference.given_number` keeps, the most salient first.

    All of them count as active: where the number of parts is known, partness chooses by rank alone.
    """
    salience = partlets.partness * partlets.mask.mean(axis=1)
    kept = np.argsort(-salience, kind="stable")[:parts]
    return replace(
        partlets,
        mask=partlets.mask[kept],
        partness=np.ones(len(kept), np.float32),
        embeddings=partlets.embeddings[kept],
    )


def with_part_number(
    partlets: Partlets,
    parts: int,
    encode: Encode,
    candidates: Sequence[Candidate],
    *,
    category: str = "",
    once: bool = True,
) -> Segments:
    """Names for a known number of parts: the most salient masks share out all points, each gets a name.

    Args:
        partlets: what the model says about the shape.
        parts: the true number of parts.
        encode: the text encoder's ``encode``.
        candidates: the names to choose from.
        category: what the shape was taken for.
        once: a name is given once, by exact assignment on Eq. 17, and masks beyond the names stay without
            one (""); else each takes the nearest name (Eq. 19).

    Raises:
        AlignPartsError: fewer than one part.
    """
    point_part = given_number(partlets, parts)
    kept = most_salient(partlets, parts)
    cosines = _unit(kept.embeddings) @ np.asarray(encode([one.text for one in candidates])).T
    names = [""] * len(cosines)
    rows, columns = linear_sum_assignment(1 - cosines)
    if not once:
        rows, columns = np.arange(len(cosines)), cosines.argmax(axis=1)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        names[row] = candidates[column].name
    return Segments(point_part, names, category)


def evaluate_part_number(
    store: FeatureStore,
    model: torch.nn.Module,
    encode: Encode,
    vocabulary: Vocabulary,
    *,
    points: int = 2048,
    seed: int = 0,
    splits: Sequence[str] = ("test", "heldout"),
) -> Evaluation:
    """The three rows of Table 4 on a feature store.

    Names come from the closed vocabulary of the category that is found (Eq. 16); for held-out categories from
    the open vocabulary of the shape's own part names.

    Args:
        store: features and ground truth of every shape.
        model: the trained model.
        encode: the text encoder's ``encode``.
        vocabulary: the unified vocabulary.
        points: points a shape.
        seed: of the subset and of k-means.
        splits: which shapes.

    Raises:
        AlignPartsError: no shape of these splits, or none with a labelled point.
    """
    result, similarity = Evaluation(), similarity_of(encode)
    device = next(model.parameters()).device
    for shape in labelled_shapes(store, splits, points, seed):
        parts = len(np.unique(shape.truth[shape.truth >= 0]))
        partlets = forward(model, shape.arrays, device)
        category, candidates = "", [Candidate(name) for name in shape.present]
        if shape.heldout:
            ours = open_vocabulary(partlets, encode, candidates)
        else:
            category = find_category(partlets, encode, vocabulary)
            candidates = category_candidates(vocabulary, category)
            ours = closed_vocabulary(partlets, encode, candidates, category=category)
        known = with_part_number(
            partlets, parts, encode, candidates, category=category, once=not shape.heldout
        )
        found: dict[str, tuple[np.ndarray, list[str] | int]] = {
            CLUSTERS: (cluster_points(partlets.fused, parts, seed=seed), parts),
            NUMBER: (known.point_part, known.names or []),
            NONE: (ours.point_part, ours.names),
        }
        for method, (point_part, names) in found.items():
            values = shape_metrics(point_part, names, shape.truth, shape.names, similarity)
            result.scores.append(Score(shape.shape_id, shape.test_set, shape.category, method, values))
    if not result.scores:
        raise AlignPartsError(f"no shape of {' or '.join(splits)} has a labelled point")
    return result


def table4(
    evaluation: Evaluation, *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """The long table of Table 4's metrics; its test sets are those of :func:`alignparts.evaluate.table2`."""
    table = table2(evaluation, resamples=resamples, confidence=confidence, seed=seed)
    return table[table.metric.isin(METRICS)].reset_index(drop=True)


def _unit(vectors: Float[np.ndarray, "k d"]) -> Float[np.ndarray, "k d"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
