"""Label transfer from a source shape to a target of its category (section 12.4).

Clusters in a feature space need the source; the feed-forward model does not look at it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Unpack

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Int64
from sklearn.cluster import KMeans
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.sampling import seed_of
from alignparts.evaluation.baselines.clustering import cluster_points, directions, limited
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.baselines.partfield_mpnet.method import assign
from alignparts.evaluation.comparison import Claim, arranged, score_table
from alignparts.evaluation.ground_truth import Labeled, ids_of_splits, load_labeled
from alignparts.evaluation.intervals import Bootstrap
from alignparts.evaluation.methods import GIVEN, OURS
from alignparts.evaluation.scoring import frame, score_rows
from alignparts.features.store import FeatureStore
from alignparts.naming.inference import forward, name_parts
from alignparts.naming.prediction import Prediction

SPACES = {"geometry": "PartField", "fused": "BiCo"}
LABELS = {"transfer": "transfer accuracy", "transfer_all": "transfer accuracy, all labeled"}
ALL = "all pairs"
SAME = "same part names"
OTHER = "other part names"
CLAIMS = [
    Claim(GIVEN, f"{space}, {way} clustering, source clustered", metric)
    for metric in LABELS for space in SPACES.values() for way in ("dependent", "independent")
]  # fmt: skip
"""Section 12.4: feed-forward labels beat those that are carried over."""


@dataclass(frozen=True)
class Source:
    """Mean directions of a source's parts or clusters; their names, "" where no point is labeled."""

    centers: Float[np.ndarray, "k d"]
    names: list[str]


@dataclass(frozen=True)
class Prepared:
    """A shape of a pair: features and own clusters (as many as parts) by space, our predictions by label."""

    shape: Labeled
    spaces: Mapping[str, Float[np.ndarray, "n d"]]
    clusters: Mapping[str, Int64[np.ndarray, " n"]]
    ours: Mapping[str, Prediction]


def source_of(
    features: Float[np.ndarray, "n d"],
    part: Int[np.ndarray, " n"],
    names: Sequence[str],
    clusters: Int[np.ndarray, " n"] | None = None,
) -> Source:
    """Return the centers of a source shape and their names; parts of one name are one.

    Without ``clusters`` the centers are those of the ground-truth parts (``part``, -1 unlabeled). A cluster
    is named as most of its labeled points (ties: the first name).
    """
    labeled, name_of = part >= 0, _named(part, names)
    different = [name for name in dict.fromkeys(names) if (name_of[labeled] == name).any()]
    if clusters is None:
        return Source(_means(features, [labeled & (name_of == name) for name in different]), different)
    inside = [clusters == cluster for cluster in np.unique(clusters)]
    votes = [[int((name_of[points & labeled] == name).sum()) for name in different] for points in inside]
    best = [different[int(np.argmax(count))] if any(count) else "" for count in votes]
    return Source(_means(features, inside), best)


def dependent(source: Source, features: Float[np.ndarray, "n d"]) -> Prediction:
    """Label a target by k-means that starts from the source's centers (dependent clustering).

    The target gets as many clusters as the source has; each keeps the name of the center it started from.
    """
    kmeans = KMeans(len(source.centers), init=source.centers, n_init=1)
    with limited():
        clusters = kmeans.fit_predict(directions(features))
    return Prediction.of_names(clusters.astype(np.int64), source.names)


def independent(
    source: Source, features: Float[np.ndarray, "n d"], clusters: Int[np.ndarray, " n"]
) -> Prediction:
    """Label a target's own clusters by matching them to the source's centers (independent clustering).

    Each cluster takes one center by exact assignment on the cosines of centers; clusters beyond the centers
    take the nearest.
    """
    numbers, number = np.unique(clusters, return_inverse=True)
    centers = _means(features, [clusters == cluster for cluster in numbers])
    chosen = assign(directions(centers) @ directions(source.centers).T)
    return Prediction.of_names(number.astype(np.int64), [source.names[index] for index in chosen])


def transfer_accuracy(
    prediction: Prediction, part: Int[np.ndarray, " n"], names: Sequence[str], source_names: Sequence[str]
) -> dict[str, float]:
    """Return the share of the target's points that get their true name.

    ``part`` and ``names`` are the target's ground truth; ``source_names`` can be carried. Returns
    ``transfer_all``: over all labeled points. ``transfer``: over those whose name the source has; left out
    where there is none. Raises AlignPartsError if the segments have no names.
    """
    if not prediction.named:
        raise AlignPartsError("co-segmentation: segments without names carry no label")
    labeled, true = part >= 0, _named(part, names)
    right = _named(prediction.point_part, prediction.names) == true
    shared = labeled & np.isin(true, list(set(source_names)))
    scores = {"transfer_all": float(right[labeled].mean())}
    return scores | ({"transfer": float(right[shared].mean())} if shared.any() else {})


def draw_pairs(categories: Mapping[str, str], each: int, seed: int = 0) -> list[tuple[str, str]]:
    """Draw ``each`` ordered pairs of different shapes per category (by id), without replacement."""
    pairs = []
    for category in sorted(set(categories.values())):
        ids = sorted(shape_id for shape_id, name in categories.items() if name == category)
        possible = len(ids) * (len(ids) - 1)
        drawn = np.random.default_rng(seed_of(category, seed)).permutation(possible)[:each]
        for number in sorted(drawn.tolist()):
            first, second = divmod(number, len(ids) - 1)
            pairs.append((ids[first], ids[second + (second >= first)]))
    return pairs


def evaluate_transfer(
    store: FeatureStore,
    ours: Ours,
    *,
    points: int = 2048,
    pairs: int = 10,
    seed: int = 0,
    splits: Sequence[str] = ("test",),
) -> pd.DataFrame:
    """Score every way to carry labels, over at most ``pairs`` seeded pairs per category.

    Clustering: in both feature spaces, from the source's ground truth and from its clusters; independent
    clusters are as many as the target has parts, dependent ones as many as the source has. The feed-forward
    model: with the category predicted (Eq. 16), and with it given, as the source's would be. Shapes are
    loaded as by :func:`ground_truth.load_labeled`. Returns scores (:data:`comparison.COLUMNS`) in the order
    of the pairs; the shape is "source > target", the test set says whether the two have the same part names.
    Raises AlignPartsError if there is no shape of these splits, or no two labeled ones of one category.
    """
    categories = {name: str(store.meta(name)["category"]) for name in ids_of_splits(store, splits)}
    drawn, rows = tqdm(draw_pairs(categories, pairs, seed), desc="pairs", mininterval=2.0, leave=False), []
    for _, of_category in groupby(drawn, key=lambda pair: categories[pair[0]]):
        together = list(of_category)
        shapes = (load_labeled(store, name, points, seed) for name in dict.fromkeys(chain(*together)))
        prepared = {shape.shape_id: prepare(shape, ours, seed) for shape in shapes if shape}
        for pair in (pair for pair in together if prepared.keys() >= set(pair)):
            source, target = (prepared[name] for name in pair)
            names, shape = source.shape.present, target.shape
            test_set = SAME if set(names) == set(shape.present) else OTHER
            for method, prediction in carried(source, target).items():
                values = transfer_accuracy(prediction, shape.truth, shape.names, names)
                rows += score_rows(shape, method, values, seed, shape_id=" > ".join(pair), test_set=test_set)
    if not rows:
        raise AlignPartsError(f"no two labeled shapes of one category among those of {' or '.join(splits)}")
    return frame(rows)


def transfer_table(scores: pd.DataFrame, **bootstrap: Unpack[Bootstrap]) -> pd.DataFrame:
    """Return the long table: every method and metric over all pairs, and by whether the names are the same.

    ``n`` counts pairs. Intervals take pairs for independent, though some share a shape.
    """
    numbered = scores.assign(shape_id=pd.factorize(scores.shape_id)[0]).replace({"metric": LABELS})
    tables = [score_table(rows, sets=(), **bootstrap) for rows in (numbered.assign(test_set=ALL), numbered)]
    methods, metrics = list(dict.fromkeys(scores.method)), list(LABELS.values())
    return arranged(pd.concat(tables), test_set=(ALL, SAME, OTHER), method=methods, metric=metrics)


def prepare(shape: Labeled, ours: Ours, seed: int = 0) -> Prepared:
    """Compute a shape's features, its own clusters, and the feed-forward model's predictions."""
    partlets = forward(ours.model, shape.arrays)
    spaces = {"geometry": shape.arrays["geometry"], "fused": partlets.fused}
    parts = len(shape.present)
    clusters = {space: cluster_points(values, parts, seed=seed) for space, values in spaces.items()}
    predictions = {
        method: name_parts(partlets, ours.encode, ours.vocabulary, category=category)
        for method, category in ((OURS, None), (GIVEN, shape.category))
    }
    return Prepared(shape, spaces, clusters, predictions)


def carried(source: Prepared, target: Prepared) -> dict[str, Prediction]:
    """Return predictions for the target's points by every way to label them."""
    predictions = dict[str, Prediction]()
    for space, label in SPACES.items():
        features, clustered = target.spaces[space], target.clusters[space]
        for clusters, ending in ((None, ""), (source.clusters[space], ", source clustered")):
            centers = source_of(source.spaces[space], source.shape.truth, source.shape.names, clusters)
            predictions |= {
                f"{label}, dependent clustering{ending}": dependent(centers, features),
                f"{label}, independent clustering{ending}": independent(centers, features, clustered),
            }
    return {**predictions, **target.ours}


def _means(features: Float[np.ndarray, "n d"], groups: Sequence[np.ndarray]) -> Float[np.ndarray, "k d"]:
    values = directions(features)
    return np.stack([values[group].mean(axis=0) for group in groups])


def _named(part: Int[np.ndarray, " n"], names: Sequence[str]) -> np.ndarray:
    """Return the name of every point, "" unlabeled."""
    return np.array([*names, ""])[np.where(part < 0, -1, part)]
