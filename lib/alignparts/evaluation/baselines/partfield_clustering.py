"""PartField as a peer: clusters of its frozen field, their number known, chosen best, or estimated.

Both of its own ways to cluster: k-means, and agglomerative clustering that only joins neighbors. PartField
joins faces that share an edge; here points are joined to their nearest points, as there are no faces.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Float32, Int, Int64
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.clustering import cluster_points
from alignparts.evaluation.methods import Given, Segments
from alignparts.model.metrics import shape_metrics

Kind = Literal["k-means", "agglomerative"]
Partition = Callable[[int], Int64[np.ndarray, " n"]]
"""Cluster of every point, 0.., for a number of clusters; fewer come out where there are fewer points."""

PARTFIELD = "PartField"
COUNTS = range(2, 20)
"""Numbers of clusters that PartField's own protocol tries."""
NEIGHBORS = 10
"""Nearest points that a point may be joined to."""
SAMPLE = 256
"""Points that the silhouette looks at."""


def label_of(kind: Kind, estimated: bool = False) -> str:
    """What tables call it; the paper's row, k-means at the true number of parts, is "PartField" alone."""
    said = [PARTFIELD, *([] if kind == "k-means" else [kind]), *(["estimated count"] if estimated else [])]
    return ", ".join(said)


@dataclass(frozen=True)
class Best:
    """What an oracle over the number of clusters finds.

    Attributes:
        clusters: the number with the highest mIoU (ties: the lowest).
        point_part: cluster of every point at that number.
        miou: by number of clusters.
    """

    clusters: int
    point_part: Int64[np.ndarray, " n"]
    miou: dict[int, float]


class PartFieldClustering:
    """PartField's frozen field, clustered.

    Args:
        kind: how to cluster.
        estimated: estimate the number of parts instead of being given it.
        seed: of k-means and of the silhouette's points.
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

    def predict(self, arrays: Mapping[str, np.ndarray], given: Given) -> Segments:
        """Segments of one shape, without names.

        Args:
            arrays: ``geometry`` (n, d_g) is read, and for agglomerative clustering ``points`` (n, 3).
            given: the number of parts is read, unless it is estimated.

        Raises:
            AlignPartsError: an array is missing or empty, or no number of parts is given where none is
                estimated.
        """
        missing = [name for name in ("geometry", *self._also()) if name not in arrays]
        if missing:
            raise AlignPartsError(f"{self.label}: features: '{missing[0]}' is missing")
        features = arrays["geometry"]
        if not self.estimated and given.parts is None:
            raise AlignPartsError(f"{self.label}: needs the number of parts; give it, or let it be estimated")
        partition = partitions(features, arrays.get("points"), self.kind, seed=self.seed)
        if self.estimated or given.parts is None:
            return Segments(partition(estimate_count(features, partition, self.counts, seed=self.seed)))
        return Segments(partition(given.parts))

    def _also(self) -> tuple[str, ...]:
        return ("points",) if self.kind == "agglomerative" else ()


def partitions(
    features: Float[np.ndarray, "n d"],
    points: Float[np.ndarray, "n 3"] | None = None,
    kind: Kind = "k-means",
    *,
    seed: int = 0,
    neighbors: int = NEIGHBORS,
) -> Partition:
    """A way to cut a shape into any number of clusters, by the directions of its features.

    Agglomerative clustering (Ward, as PartField's) builds its tree of merges here, once for all numbers.

    Args:
        features: of every point.
        points: coordinates; agglomerative clustering joins points near each other alone.
        kind: how to cluster.
        seed: of k-means; the other has no chance in it.
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
        raise AlignPartsError("agglomerative: expected coordinates, one row a point")
    children = merge_tree(features, neighbor_graph(points, neighbors))
    return lambda clusters: cut(children, clusters)


def best_over_k(
    features: Float[np.ndarray, "n d"],
    truth: Int[np.ndarray, " n"],
    points: Float[np.ndarray, "n 3"] | None = None,
    kind: Kind = "k-means",
    *,
    counts: Sequence[int] = COUNTS,
    seed: int = 0,
) -> Best:
    """PartField's own protocol: an oracle that looks at the truth to choose the number of clusters.

    Args:
        features: of every point.
        truth: ground-truth part of every point, -1 unlabeled.
        points: coordinates, for agglomerative clustering.
        kind: how to cluster.
        counts: numbers to choose from.
        seed: of k-means.

    Raises:
        AlignPartsError: as :func:`partitions`; no number to choose from, or no labeled point.
    """
    if not len(counts):
        raise AlignPartsError("best over k: no number of clusters to choose from")
    partition = partitions(features, points, kind, seed=seed)
    parts = [str(part) for part in range(int(truth.max()) + 1)]
    labels = {count: partition(count) for count in counts}
    miou = {count: shape_metrics(found, count, truth, parts)["miou"] for count, found in labels.items()}
    best = max(miou, key=lambda count: (miou[count], -count))
    return Best(best, labels[best], miou)


def estimate_count(
    features: Float[np.ndarray, "n d"],
    partition: Partition,
    counts: Sequence[int] = COUNTS,
    *,
    sample: int = SAMPLE,
    seed: int = 0,
) -> int:
    """The number of clusters with the highest silhouette (ties: the lowest number).

    The silhouette compares a point's distance from its own cluster with that from the next one, so it never
    says 1, except where no number leaves two clusters to compare.

    Args:
        features: of every point.
        partition: of these points.
        counts: numbers to choose from.
        sample: at most as many points are looked at, the same for every number.
        seed: of their choice.
    """
    from sklearn.metrics import euclidean_distances, silhouette_score

    chosen = np.sort(np.random.default_rng(seed).permutation(len(features))[:sample])
    apart = euclidean_distances(directions(features[chosen]).astype(np.float64))
    scores: dict[int, float] = {}
    for count in sorted(counts):
        labels = partition(count)[chosen]
        if 2 <= len(np.unique(labels)) < len(chosen):
            scores[count] = float(silhouette_score(apart, labels, metric="precomputed"))
    return max(scores, key=lambda count: (scores[count], -count), default=1)


def directions(features: Float[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
    """Features scaled to length 1; those of length 0 stay."""
    values = np.asarray(features, np.float32)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def neighbor_graph(points: Float[np.ndarray, "n 3"], neighbors: int = NEIGHBORS) -> csr_array:
    """Which points may be joined: each with its nearest ones, and what is still apart by shortest bridges.

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
        bridges = np.array([_bridge(points, component == one) for one in range(components)])
        rows, columns = np.append(rows, bridges[:, 0]), np.append(columns, bridges[:, 1])


def merge_tree(features: Float[np.ndarray, "n d"], graph: csr_array) -> Int64[np.ndarray, "merges 2"]:
    """Ward's tree over the directions of features.

    Returns:
        What every merge joins: a point (below n), or what merge i made (n + i).
    """
    from sklearn.cluster import AgglomerativeClustering

    if len(features) < 2:
        return np.zeros((0, 2), np.int64)
    tree = AgglomerativeClustering(n_clusters=1, connectivity=graph).fit(directions(features))
    return tree.children_.astype(np.int64)


def cut(children: Int64[np.ndarray, "merges 2"], clusters: int) -> Int64[np.ndarray, " n"]:
    """Cluster of every point after all merges but the last ``clusters - 1``.

    Raises:
        AlignPartsError: fewer than one cluster.
    """
    if clusters < 1:
        raise AlignPartsError(f"agglomerative: expected at least 1 cluster, got {clusters}")
    count = len(children) + 1
    made = max(count - clusters, 0)
    forest = _symmetric(children[:made].ravel(), np.repeat(np.arange(count, count + made), 2), 2 * count - 1)
    _, component = connected_components(forest, directed=False)
    return np.unique(component[:count], return_inverse=True)[1].astype(np.int64)


def _bridge(points: np.ndarray, inside: np.ndarray) -> tuple[int, int]:
    """The nearest two points of which one is inside."""
    own, other = np.flatnonzero(inside), np.flatnonzero(~inside)
    distance, nearest = cKDTree(points[other]).query(points[own])
    row = int(distance.argmin())
    return int(own[row]), int(other[nearest[row]])


def _symmetric(rows: np.ndarray, columns: np.ndarray, count: int) -> csr_array:
    ends = np.concatenate([rows, columns]), np.concatenate([columns, rows])
    graph = coo_array((np.ones(len(ends[0])), ends), shape=(count, count)).tocsr()
    graph.data[:] = 1  # an edge that both ends know is one edge
    return graph
