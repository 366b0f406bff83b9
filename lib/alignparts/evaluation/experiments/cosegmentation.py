"""Label transfer from a source shape to a target of its category (section 12.4).

Clusters in a feature space need the source; the feed-forward model does not look at it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Unpack

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Int64
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.sampling import seed_of
from alignparts.evaluation.baselines.clustering import cluster_points, directions
from alignparts.evaluation.baselines.partfield_mpnet.method import assign
from alignparts.evaluation.comparison import Bootstrap, Claim, arranged, score_table
from alignparts.evaluation.ground_truth import Labeled, ids_of_splits, load_labeled
from alignparts.evaluation.methods import GIVEN, OURS
from alignparts.evaluation.scoring import frame, score_rows
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.naming.inference import forward, name_parts
from alignparts.naming.prediction import Encode, Prediction
from alignparts.ontology.vocabulary import Vocabulary

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
    """Labels that a source shape hands on.

    Attributes:
        centers: mean direction of the features of every part or cluster.
        names: names of the centers; "" where a cluster holds no labeled point.
    """

    centers: Float[np.ndarray, "k d"]
    names: list[str]


@dataclass(frozen=True)
class Prepared:
    """A shape of a pair, as source or target.

    Attributes:
        shape: the shape with its ground truth.
        spaces: features by space.
        clusters: its own clusters by space, as many as it has parts.
        ours: the feed-forward model's predictions, by label.
    """

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
    """Return the centers of a source shape and their names.

    Args:
        features: feature of every point.
        part: ground-truth part of every point, -1 unlabeled.
        names: names of the parts; parts of one name are one.
        clusters: cluster of every point, named as most of its labeled points (ties: the first name). None:
            the centers are those of the ground-truth parts.

    Raises:
        AlignPartsError: no point is labeled.
    """
    different, called = list(dict.fromkeys(names)), _named(part, names)
    labeled = part >= 0
    if not labeled.any():
        raise AlignPartsError("co-segmentation: the source has no labeled point")
    if clusters is None:
        present = [name for name in different if (called[labeled] == name).any()]
        return Source(_means(features, [labeled & (called == name) for name in present]), present)
    inside = [clusters == cluster for cluster in np.unique(clusters)]
    votes = [[int((called[points & labeled] == name).sum()) for name in different] for points in inside]
    best = [different[int(np.argmax(count))] if any(count) else "" for count in votes]
    return Source(_means(features, inside), best)


def dependent(source: Source, features: Float[np.ndarray, "n d"]) -> Prediction:
    """Label a target by k-means that starts from the source's centers (dependent clustering).

    The target gets as many clusters as the source has; each keeps the name of the center it started from.

    Raises:
        AlignPartsError: the target has fewer points than the source has centers.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if len(features) < len(source.centers):
        raise AlignPartsError(
            f"co-segmentation: {len(features)} points of the target for {len(source.centers)} source centers"
        )
    # More threads would sum in another order.
    with threadpool_limits(limits=1):
        kmeans = KMeans(len(source.centers), init=source.centers, n_init=1)
        clusters = kmeans.fit_predict(directions(features))
    return Prediction.of_names(clusters.astype(np.int64), source.names)


def independent(
    source: Source, features: Float[np.ndarray, "n d"], clusters: Int[np.ndarray, " n"]
) -> Prediction:
    """Label a target's own clusters by matching them to the source's centers (independent clustering).

    Each cluster takes one center by exact assignment on the cosines of centers; clusters beyond the centers
    take the nearest.

    Args:
        source: centers and names of the source.
        features: feature of every point of the target.
        clusters: cluster of every point of the target, found without the source.
    """
    numbers, number = np.unique(clusters, return_inverse=True)
    centers = _means(features, [clusters == cluster for cluster in numbers])
    chosen = assign(directions(centers) @ directions(source.centers).T)
    return Prediction.of_names(number.astype(np.int64), [source.names[index] for index in chosen])


def transfer_accuracy(
    prediction: Prediction, part: Int[np.ndarray, " n"], names: Sequence[str], source_names: Sequence[str]
) -> dict[str, float]:
    """Return the share of the target's points that get their true name.

    Args:
        prediction: named segments of the target.
        part: ground-truth part of every point of the target, -1 unlabeled.
        names: names of these parts.
        source_names: names that a label can be carried from.

    Returns:
        ``transfer_all``: over all labeled points. ``transfer``: over those whose name the source has; left
        out where there is none.

    Raises:
        AlignPartsError: the segments have no names or are not those of these points, or no point is labeled.
    """
    if not prediction.named:
        raise AlignPartsError("co-segmentation: segments without names carry no label")
    labeled = part >= 0
    if len(prediction.point_part) != len(part) or not labeled.any():
        raise AlignPartsError(
            f"co-segmentation: {len(prediction.point_part)} points with a segment, {len(part)} of the "
            f"target, {int(labeled.sum())} of them labeled"
        )
    true = _named(part, names)
    right = _named(prediction.point_part, prediction.names) == true
    shared = labeled & np.isin(true, list(set(source_names)))
    scores = {"transfer_all": float(right[labeled].mean())}
    return scores | ({"transfer": float(right[shared].mean())} if shared.any() else {})


def draw_pairs(categories: Mapping[str, str], each: int, seed: int = 0) -> list[tuple[str, str]]:
    """Draw ordered pairs of different shapes of one category, without replacement.

    Args:
        categories: category of every shape, by id.
        each: most pairs per category.
        seed: seed of the draw; a category's pairs depend on no other category.
    """
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
    model: AlignParts,
    encode: Encode,
    vocabulary: Vocabulary,
    *,
    points: int = 2048,
    pairs: int = 10,
    seed: int = 0,
    splits: Sequence[str] = ("test",),
) -> pd.DataFrame:
    """Score every way to carry labels, over seeded pairs of one category.

    Clustering: in both feature spaces, from the source's ground truth and from its clusters; independent
    clusters are as many as the target has parts, dependent ones as many as the source has. The feed-forward
    model: with the category predicted (Eq. 16), and with it given, as the source's would be.

    Args:
        store: features and ground truth; their categories are in the vocabulary.
        model: the trained model.
        encode: the text encoder's ``encode``.
        vocabulary: the unified vocabulary.
        points: most points per shape.
        pairs: most pairs per category.
        seed: seed of the pairs, the subsets of points and k-means.
        splits: names of the splits to draw shapes from.

    Returns:
        Scores (:data:`comparison.COLUMNS`) in the order of the pairs; the shape is "source > target", the
        test set says whether the two have the same part names.

    Raises:
        AlignPartsError: no shape of these splits, or no two labeled ones of one category.
    """
    categories = {name: str(store.meta(name)["category"]) for name in ids_of_splits(store, splits)}
    rows, prepared, category = [], dict[str, Prepared | None](), ""
    for pair in tqdm(draw_pairs(categories, pairs, seed), desc="pairs", mininterval=2.0, leave=False):
        if categories[pair[0]] != category:  # pairs stay in their category: drop the shapes of the last one
            category, prepared = categories[pair[0]], {}
        for name in pair:
            if name not in prepared:
                shape = load_labeled(store, name, points, seed)
                prepared[name] = None if shape is None else prepare(shape, model, encode, vocabulary, seed)
        source, target = prepared[pair[0]], prepared[pair[1]]
        if source is None or target is None:
            continue
        theirs, ours = source.shape, target.shape
        test_set = SAME if set(theirs.present) == set(ours.present) else OTHER
        for method, prediction in carried(source, target).items():
            values = transfer_accuracy(prediction, ours.truth, ours.names, theirs.present)
            rows += score_rows(ours, method, values, seed, shape_id=" > ".join(pair), test_set=test_set)
    if not rows:
        raise AlignPartsError(f"no two labeled shapes of one category among those of {' or '.join(splits)}")
    return frame(rows)


def transfer_table(scores: pd.DataFrame, **bootstrap: Unpack[Bootstrap]) -> pd.DataFrame:
    """Return the long table: every method and metric over all pairs, and by whether the names are the same.

    ``n`` counts pairs. Intervals take pairs for independent, though some share a shape.
    """
    numbered = scores.assign(shape_id=pd.factorize(scores.shape_id)[0]).replace({"metric": LABELS})
    table = pd.concat(
        [score_table(rows, sets=(), **bootstrap) for rows in (numbered.assign(test_set=ALL), numbered)]
    )
    return arranged(
        table,
        test_set=(ALL, SAME, OTHER),
        method=list(dict.fromkeys(scores.method)),
        metric=list(LABELS.values()),
    )


def prepare(
    shape: Labeled, model: AlignParts, encode: Encode, vocabulary: Vocabulary, seed: int = 0
) -> Prepared:
    """Compute a shape's features, its own clusters, and the feed-forward model's predictions."""
    partlets = forward(model, shape.arrays)
    spaces = {"geometry": shape.arrays["geometry"], "fused": partlets.fused}
    parts = len(shape.present)
    clusters = {space: cluster_points(values, parts, seed=seed) for space, values in spaces.items()}
    ours = {
        method: name_parts(partlets, encode, vocabulary, category=category)
        for method, category in ((OURS, None), (GIVEN, shape.category))
    }
    return Prepared(shape, spaces, clusters, ours)


def carried(source: Prepared, target: Prepared) -> dict[str, Prediction]:
    """Return predictions for the target's points by every way to label them."""
    shape, predictions = source.shape, dict[str, Prediction]()
    for space, label in SPACES.items():
        features = target.spaces[space]
        for clusters, ending in ((None, ""), (source.clusters[space], ", source clustered")):
            centers = source_of(source.spaces[space], shape.truth, shape.names, clusters)
            predictions[f"{label}, dependent clustering{ending}"] = dependent(centers, features)
            predictions[f"{label}, independent clustering{ending}"] = independent(
                centers, features, target.clusters[space]
            )
    return {**predictions, **target.ours}


def _means(features: Float[np.ndarray, "n d"], groups: Sequence[np.ndarray]) -> Float[np.ndarray, "k d"]:
    values = directions(features)
    return np.stack([values[group].mean(axis=0) for group in groups])


def _named(part: Int[np.ndarray, " n"], names: Sequence[str]) -> np.ndarray:
    """Return the name of every point, "" unlabeled."""
    return np.array([*names, ""])[np.where(part < 0, -1, part)]
