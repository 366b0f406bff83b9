"""Part labels carried from a source shape to a target of its category (section 12.4), and how many arrive.

Clusters in a feature space need the source; the feed-forward model does not look at it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Int64
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.sampling import seed_of
from alignparts.evaluation import tables
from alignparts.evaluation.baselines.clustering import cluster_points
from alignparts.evaluation.baselines.partfield_clustering import directions
from alignparts.evaluation.baselines.partfield_mpnet.method import assign
from alignparts.evaluation.comparison import Claim
from alignparts.evaluation.ground_truth import Labeled, ids_of_splits, load_labeled
from alignparts.evaluation.methods import Segments
from alignparts.evaluation.scoring import GIVEN, OURS, Evaluation, Score
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.model.metrics import interval
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
    """What a source shape hands on.

    Attributes:
        centers: mean direction of the features of every part or cluster.
        names: of the centers; "" where a cluster holds no labeled point.
    """

    centers: Float[np.ndarray, "k d"]
    names: list[str]


@dataclass(frozen=True)
class Prepared:
    """A shape of a pair, whichever side it is on.

    Attributes:
        shape: with its ground truth.
        spaces: features by space.
        clusters: of its own, by space, at its true number of parts.
        ours: the feed-forward model's segments, by method.
    """

    shape: Labeled
    spaces: Mapping[str, Float[np.ndarray, "n d"]]
    clusters: Mapping[str, Int64[np.ndarray, " n"]]
    ours: Mapping[str, Segments]


def source_of(
    features: Float[np.ndarray, "n d"],
    part: Int[np.ndarray, " n"],
    names: Sequence[str],
    clusters: Int[np.ndarray, " n"] | None = None,
) -> Source:
    """Centers of a source shape and what they are called.

    Args:
        features: of every point.
        part: ground-truth part of every point, -1 unlabeled.
        names: of the parts; parts of one name are one.
        clusters: of every point: each is called as most of its labeled points are (ties: the first name).
            None: the centers are those of the ground-truth parts.

    Raises:
        AlignPartsError: no point is labeled.
    """
    name = _number_names(part, names)
    if not len(name) or name.max() < 0:
        raise AlignPartsError("co-segmentation: the source has no labeled point")
    different, values = list(dict.fromkeys(names)), directions(features)
    if clusters is None:
        present = np.unique(name[name >= 0]).tolist()
        return Source(_means(values, name, present), [different[index] for index in present])
    found = np.unique(clusters).tolist()
    votes = [np.bincount(name[(clusters == one) & (name >= 0)], minlength=1) for one in found]
    called = [different[int(count.argmax())] if count.any() else "" for count in votes]
    return Source(_means(values, clusters, found), called)


def dependent(source: Source, features: Float[np.ndarray, "n d"]) -> Segments:
    """Dependent clustering: k-means on the target that starts from the source's centers.

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
        clusters = KMeans(len(source.centers), init=source.centers, n_init=1)
        found = clusters.fit_predict(directions(features))
    return Segments(found.astype(np.int64), list(source.names))


def independent(
    source: Source, features: Float[np.ndarray, "n d"], clusters: Int[np.ndarray, " n"]
) -> Segments:
    """Independent clustering: the target's own clusters, matched to the source's centers afterwards.

    Each cluster takes one center by exact assignment on the cosines of centers; where there are more clusters
    than centers, those left take the nearest.

    Args:
        source: what the source hands on.
        features: of every point of the target.
        clusters: of every point of the target, found without the source.
    """
    found, number = np.unique(clusters, return_inverse=True)
    centers = _means(directions(features), clusters, found.tolist())
    chosen = assign(directions(centers) @ directions(source.centers).T)
    return Segments(number.astype(np.int64), [source.names[index] for index in chosen])


def transfer_accuracy(
    found: Segments | Prediction,
    part: Int[np.ndarray, " n"],
    names: Sequence[str],
    source_names: Sequence[str],
) -> dict[str, float]:
    """Share of the target's points that get their own true name.

    Args:
        found: segments of the target and their names.
        part: ground-truth part of every point of the target, -1 unlabeled.
        names: of these parts.
        source_names: names that a label can be carried from.

    Returns:
        ``transfer_all``: over all labeled points. ``transfer``: over those whose name the source has; left
        out where there is none.

    Raises:
        AlignPartsError: the segments have no names, they are not those of these points, or no point is
            labeled.
    """
    if found.names is None:
        raise AlignPartsError("co-segmentation: segments without names carry no label")
    if len(found.point_part) != len(part) or not (part >= 0).any():
        raise AlignPartsError(
            f"co-segmentation: {len(found.point_part)} points with a segment, {len(part)} of the target, "
            f"{int((part >= 0).sum())} of them labeled"
        )
    right = _named(found.point_part, found.names) == _named(part, names)
    labeled = part >= 0
    shared = labeled & np.isin(_named(part, names), list(set(source_names)))
    scores = {"transfer_all": float(right[labeled].mean())}
    return scores | ({"transfer": float(right[shared].mean())} if shared.any() else {})


def draw_pairs(categories: Mapping[str, str], each: int, seed: int = 0) -> list[tuple[str, str]]:
    """Ordered pairs of different shapes of one category, drawn without replacement.

    Args:
        categories: category of every shape, by id.
        each: at most as many pairs a category.
        seed: of the draw; a category's pairs depend on no other category.
    """
    pairs = []
    for category in sorted(set(categories.values())):
        ids = sorted(shape_id for shape_id, one in categories.items() if one == category)
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
) -> Evaluation:
    """Every way to carry labels, over seeded pairs of one category.

    Clustering: in both feature spaces, from the source's ground truth and from its clusters; independent
    clusters are as many as the target has parts, dependent ones as many as the source has. The feed-forward
    model: with the category found (Eq. 16), and with it given, as the source's would be.

    Args:
        store: features and ground truth; their categories are in the vocabulary.
        model: the trained model.
        encode: the text encoder's ``encode``.
        vocabulary: the unified vocabulary.
        points: points a shape.
        pairs: at most as many a category.
        seed: of pairs, points and k-means.
        splits: which shapes.

    Returns:
        One score a pair and method; its shape is called "source > target", its test set says whether the two
        have the same part names.

    Raises:
        AlignPartsError: no shape of these splits, or no two of one category.
    """
    categories = {
        shape_id: str(store.meta(shape_id)["category"]) for shape_id in ids_of_splits(store, splits)
    }
    result = Evaluation()
    prepared: dict[str, Prepared | None] = {}
    category = ""
    for pair in tqdm(draw_pairs(categories, pairs, seed), desc="pairs", mininterval=2.0, leave=False):
        if categories[pair[0]] != category:
            category, prepared = categories[pair[0]], {}  # of no further use: pairs stay in their category
        for shape_id in pair:
            if shape_id not in prepared:
                shape = load_labeled(store, shape_id, points, seed)
                prepared[shape_id] = (
                    None if shape is None else prepare(shape, model, encode, vocabulary, seed)
                )
        source, target = prepared[pair[0]], prepared[pair[1]]
        if source is not None and target is not None:
            result.scores += _scores(source, target)
    if not result.scores:
        raise AlignPartsError(f"no two labeled shapes of one category among those of {' or '.join(splits)}")
    return result


def transfer_table(
    evaluation: Evaluation, *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """The long table: every method and metric over all pairs, and by whether the part names are the same.

    ``n`` counts pairs. Intervals take pairs for independent, though some share a shape.
    """
    rows = []
    for test_set, sets in {ALL: (SAME, OTHER), SAME: (SAME,), OTHER: (OTHER,)}.items():
        for method in evaluation.methods:
            for metric, label in LABELS.items():
                values = evaluation.values(method, metric, sets)
                if len(values):
                    found = interval(values, resamples=resamples, confidence=confidence, seed=seed)
                    rows.append(tables.row(method, test_set, label, found))
    return tables.long_table(rows)


def prepare(
    shape: Labeled, model: AlignParts, encode: Encode, vocabulary: Vocabulary, seed: int = 0
) -> Prepared:
    """What a shape brings into its pairs: features, its own clusters, the feed-forward model's segments."""
    partlets = forward(model, shape.arrays)
    spaces = {"geometry": shape.arrays["geometry"], "fused": partlets.fused}
    parts = len(shape.present)
    clusters = {space: cluster_points(values, parts, seed=seed) for space, values in spaces.items()}
    ours = {}
    for method, given in ((OURS, None), (GIVEN, shape.category)):
        found = name_parts(partlets, encode, vocabulary, category=given)
        ours[method] = Segments(found.point_part, found.names, found.category)
    return Prepared(shape, spaces, clusters, ours)


def carried(source: Prepared, target: Prepared) -> dict[str, Segments]:
    """The target's points, labeled in every way."""
    found: dict[str, Segments] = {}
    for space, label in SPACES.items():
        features = target.spaces[space]
        for own, ending in ((None, ""), (source.clusters[space], ", source clustered")):
            centers = source_of(source.spaces[space], source.shape.truth, source.shape.names, own)
            found[f"{label}, dependent clustering{ending}"] = dependent(centers, features)
            found[f"{label}, independent clustering{ending}"] = independent(
                centers, features, target.clusters[space]
            )
    return {**found, **target.ours}


def _scores(source: Prepared, target: Prepared) -> list[Score]:
    theirs, ours = source.shape, target.shape
    test_set = SAME if set(theirs.present) == set(ours.present) else OTHER
    pair = f"{theirs.shape_id} > {ours.shape_id}"
    return [
        Score(pair, test_set, ours.category, method,
              transfer_accuracy(segments, ours.truth, ours.names, theirs.present))
        for method, segments in carried(source, target).items()
    ]  # fmt: skip


def _means(
    values: Float[np.ndarray, "n d"], number: Int[np.ndarray, " n"], wanted: Sequence[int]
) -> Float[np.ndarray, "k d"]:
    return np.stack([values[number == one].mean(axis=0) for one in wanted])


def _number_names(part: Int[np.ndarray, " n"], names: Sequence[str]) -> Int64[np.ndarray, " n"]:
    """Number of every point's name among the different names, -1 unlabeled."""
    number = {name: index for index, name in enumerate(dict.fromkeys(names))}
    table = np.array([*(number[name] for name in names), -1], np.int64)
    return table[np.where(part < 0, -1, part)]


def _named(part: Int[np.ndarray, " n"], names: Sequence[str]) -> np.ndarray:
    """Name of every point, "" unlabeled."""
    return np.array([*names, ""])[np.where(part < 0, -1, part)]
