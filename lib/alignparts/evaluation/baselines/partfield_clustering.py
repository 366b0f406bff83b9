"""PartField as a peer: clusters of its frozen field, their number known, chosen best, or estimated.

PartField clusters by k-means or by agglomerative clustering that joins only neighbors: it joins faces that
share an edge, here points are joined to their nearest points, as there are no faces.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from alignparts.core.errors import AlignPartsError
from alignparts.core.parallel import map_shapes
from alignparts.evaluation.baselines.clustering import cluster_points, directions
from alignparts.evaluation.ground_truth import Labeled, labeled_shapes
from alignparts.evaluation.methods import PARTFIELD, Given
from alignparts.evaluation.scoring import frame, score, score_rows
from alignparts.features.store import FeatureStore
from alignparts.naming.prediction import Prediction

Kind = Literal["k-means", "agglomerative"]
Partition = Callable[[int], Int64[np.ndarray, " n"]]
"""Cluster of every point, 0.., for a number of clusters; fewer come out where there are fewer points."""

BEST_OVER_K = "miou_best_over_k"
COUNTS = range(2, 20)
"""Numbers of clusters that PartField's own protocol tries."""
NEIGHBORS = 10
"""Nearest points that a point may be joined to."""
SAMPLE = 256
"""Most points that the silhouette is taken over."""


def label_of(kind: Kind, estimated: bool = False) -> str:
    """Return the name in tables; the paper's row, k-means at the true number of parts, is "PartField"."""
    return PARTFIELD + (f", {kind}" if kind != "k-means" else "") + (", estimated count" if estimated else "")


class PartFieldClustering:
    """PartField's frozen field, clustered.

    Args:
        kind: kind of clustering.
        estimated: estimate the number of parts instead of being given it.
        seed: seed of k-means and of the silhouette's points.
        counts: numbers of parts to choose from where it is estimated.
    """

    def __init__(
        self,
        kind: Kind = "k-means",
        *,
        estimated: bool = False,
        seed: int = 0,
        counts: Sequence[int] = COUNTS,
    ) -> None:
        self.label = label_of(kind, estimated)
        self.kind, self.estimated, self.seed, self.counts = kind, estimated, seed, counts

    def predict(self, arrays: Mapping[str, np.ndarray], given: Given) -> Prediction:
        """Segment one shape, without names.

        Args:
            arrays: ``geometry`` (n, d_g) is read, and for agglomerative clustering ``points`` (n, 3).
            given: the number of parts is read, unless it is estimated.

        Raises:
            AlignPartsError: an array is missing or empty, or no number of parts is given where none is
                estimated.
        """
        for name in ("geometry", "points") if self.kind == "agglomerative" else ("geometry",):
            if name not in arrays:
                raise AlignPartsError(f"{self.label}: features: '{name}' is missing")
        features = arrays["geometry"]
        if not self.estimated and given.parts is None:
            raise AlignPartsError(f"{self.label}: needs the number of parts; give it, or let it be estimated")
        partition = partitions(features, arrays.get("points"), self.kind, seed=self.seed)
        parts = given.parts
        if self.estimated or parts is None:
            parts = estimate_count(features, partition, self.counts, seed=self.seed)
        return Prediction.unnamed(partition(parts))


def partfield_scores(
    store: FeatureStore,
    kinds: Sequence[Kind] = ("k-means", "agglomerative"),
    *,
    counts: Sequence[int] = COUNTS,
    points: int = 2048,
    seed: int = 0,
    splits: Sequence[str] = ("test", "heldout"),
    workers: int = 1,
) -> pd.DataFrame:
    """Score both clusterings of PartField's field: at the true number of parts, an estimated one, the best.

    A shape is cut once per number of clusters. "best over k", PartField's own protocol, is an oracle: it
    chooses the number by the truth.

    Args:
        store: features and ground truth of every shape.
        kinds: clusterings.
        counts: numbers of clusters to choose from.
        points: most points per shape.
        seed: seed of the subset of points and of k-means.
        splits: names of the splits to evaluate on.
        workers: number of processes.

    Returns:
        Scores (:data:`comparison.COLUMNS`) of the methods :func:`label_of`: ``miou`` at the true number, with
        best over k beside it, and ``miou`` at the estimated number.

    Raises:
        AlignPartsError: no shape of these splits has a labeled point.
    """
    shapes = list(labeled_shapes(store, splits, points, seed))
    cut_shape = partial(_cut_scores, kinds=kinds, counts=counts, seed=seed)
    return frame(chain.from_iterable(map_shapes(cut_shape, shapes, workers=workers, description="PartField")))


def _cut_scores(
    shape: Labeled, kinds: Sequence[Kind], counts: Sequence[int], seed: int
) -> list[dict[str, Any]]:
    rows, features, true = [], shape.arrays["geometry"], len(shape.present)
    for kind in kinds:
        partition = partitions(features, shape.arrays["points"], kind, seed=seed)
        cuts = {count: partition(count) for count in sorted({1, *counts, true})}
        miou = {count: score(Prediction.unnamed(part), shape)["miou"] for count, part in cuts.items()}
        given = {"miou": miou[true], BEST_OVER_K: max(miou[count] for count in counts)}
        estimated = {"miou": miou[estimate_count(features, cuts.__getitem__, counts, seed=seed)]}
        rows += score_rows(shape, label_of(kind), given, seed)
        rows += score_rows(shape, label_of(kind, estimated=True), estimated, seed)
    return rows


def partitions(
    features: Float[np.ndarray, "n d"],
    points: Float[np.ndarray, "n 3"] | None = None,
    kind: Kind = "k-means",
    *,
    seed: int = 0,
    neighbors: int = NEIGHBORS,
) -> Partition:
    """Return a function that cuts a shape into any number of clusters, by the directions of its features.

    Agglomerative clustering (Ward, as PartField's) builds its tree of merges once for all numbers.

    Args:
        features: feature of every point.
        points: coordinates, for agglomerative clustering, which joins only neighbors.
        kind: kind of clustering.
        seed: seed of k-means; agglomerative clustering is deterministic.
        neighbors: nearest points that a point may be joined to.

    Raises:
        AlignPartsError: an unknown kind, no points, features that are not finite, or agglomerative clustering
            without coordinates.
    """
    if kind not in get_args(Kind):
        raise AlignPartsError(f"clustering '{kind}': expected {' or '.join(get_args(Kind))}")
    if not len(features) or not np.isfinite(features).all():
        raise AlignPartsError(f"{kind}: expected points with finite features, got {len(features)} points")
    if kind == "k-means":
        return lambda clusters: cluster_points(features, clusters, seed=seed)
    if points is None or len(points) != len(features):
        raise AlignPartsError("agglomerative: expected coordinates, one row per point")
    children = merge_tree(features, neighbor_graph(points, neighbors))
    return lambda clusters: cut(children, clusters)


def estimate_count(
    features: Float[np.ndarray, "n d"],
    partition: Partition,
    counts: Sequence[int] = COUNTS,
    *,
    sample: int = SAMPLE,
    seed: int = 0,
) -> int:
    """Return the number of clusters with the highest silhouette (ties: the lowest number).

    The silhouette compares a point's distance from its own cluster with that from the next one, so it never
    says 1, except where no number leaves two clusters to compare.

    Args:
        features: feature of every point.
        partition: function of :func:`partitions` for these points.
        counts: numbers to choose from.
        sample: most points to look at, the same for every number.
        seed: seed of their choice.
    """
    from sklearn.metrics import euclidean_distances, silhouette_score

    chosen = np.sort(np.random.default_rng(seed).permutation(len(features))[:sample])
    distances = euclidean_distances(directions(features[chosen]).astype(np.float64))
    scores: dict[int, float] = {}
    for count in sorted(counts):
        labels = partition(count)[chosen]
        if 2 <= len(np.unique(labels)) < len(chosen):
            scores[count] = float(silhouette_score(distances, labels, metric="precomputed"))
    return max(scores, key=lambda count: (scores[count], -count), default=1)


def neighbor_graph(points: Float[np.ndarray, "n 3"], neighbors: int = NEIGHBORS) -> csr_array:
    """Return the pairs of points that may be joined: nearest points, and bridges between components.

    Returns:
        A symmetric (n, n) matrix of ones, in one connected component.
    """
    count = len(points)
    _, near = cKDTree(points).query(points, k=np.arange(1, min(neighbors + 1, count) + 1))
    rows, columns = np.repeat(np.arange(count), near.shape[1]), near.ravel()
    while True:
        off = rows != columns
        graph = _symmetric(rows[off], columns[off], count)
        components, component = connected_components(graph, directed=False)
        if components == 1:
            return graph
        bridges = np.array([_bridge(points, component == number) for number in range(components)])
        rows, columns = np.append(rows, bridges[:, 0]), np.append(columns, bridges[:, 1])


def merge_tree(features: Float[np.ndarray, "n d"], graph: csr_array) -> Int64[np.ndarray, "merges 2"]:
    """Return Ward's tree over the directions of features.

    Returns:
        The two nodes that every merge joins: a point (below n), or the result of merge i (n + i).
    """
    from sklearn.cluster import AgglomerativeClustering

    if len(features) < 2:
        return np.zeros((0, 2), np.int64)
    tree = AgglomerativeClustering(n_clusters=1, connectivity=graph).fit(directions(features))
    return tree.children_.astype(np.int64)


def cut(children: Int64[np.ndarray, "merges 2"], clusters: int) -> Int64[np.ndarray, " n"]:
    """Return the cluster of every point after all merges but the last ``clusters - 1``.

    Raises:
        AlignPartsError: fewer than one cluster.
    """
    if clusters < 1:
        raise AlignPartsError(f"agglomerative: expected at least 1 cluster, got {clusters}")
    count = len(children) + 1
    merges = max(count - clusters, 0)
    forest = _symmetric(
        children[:merges].ravel(), np.repeat(np.arange(count, count + merges), 2), 2 * count - 1
    )
    _, component = connected_components(forest, directed=False)
    return np.unique(component[:count], return_inverse=True)[1].astype(np.int64)


def _bridge(points: np.ndarray, inside: np.ndarray) -> tuple[int, int]:
    """Return the nearest two points of which one is inside."""
    near, far = np.flatnonzero(inside), np.flatnonzero(~inside)
    distance, nearest = cKDTree(points[far]).query(points[near])
    row = int(distance.argmin())
    return int(near[row]), int(far[nearest[row]])


def _symmetric(rows: np.ndarray, columns: np.ndarray, count: int) -> csr_array:
    ends = np.concatenate([rows, columns]), np.concatenate([columns, rows])
    graph = coo_array((np.ones(len(ends[0])), ends), shape=(count, count)).tocsr()
    graph.data[:] = 1  # an edge that both ends know is one edge
    return graph
