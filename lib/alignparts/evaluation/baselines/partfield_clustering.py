"""PartField as a peer: clusters of its frozen field, their number given, chosen best, or estimated.

PartField clusters by k-means, or by agglomerative clustering that merges only neighbors. There faces with a
common edge are neighbors; points have no faces, so here each has its nearest points as neighbors.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from alignparts.core.errors import AlignPartsError
from alignparts.core.parallel import map_shapes
from alignparts.evaluation.baselines.clustering import cluster_points, directions
from alignparts.evaluation.ground_truth import Labeled, labeled_shapes
from alignparts.evaluation.methods import PARTFIELD, PARTFIELD_PATCHES, Given
from alignparts.evaluation.scoring import frame, score, score_rows
from alignparts.features.store import FeatureStore
from alignparts.naming.prediction import Prediction
from alignparts.patches.cut import PatchGraph, pooled

Partition = Callable[[int], Int64[np.ndarray, " n"]]
"""Cluster of every point, from 0, by the number of clusters; fewer come out where there are fewer points."""

ESTIMATED = ", estimated count"
"""End of a method's name in tables where the number of parts is estimated."""
BEST_OVER_K = "miou_best_over_k"
COUNTS = range(2, 20)
"""Numbers of clusters that PartField's own protocol tries."""
NEIGHBORS = 10
"""Number of nearest points that a point may be merged with."""
SAMPLE = 256
"""Maximum number of points for the silhouette."""


class PartFieldClustering:
    """K-means on PartField's frozen field at the given number of parts, the paper's row "PartField".

    With ``patches`` the field is first averaged over the patches of the mesh, which then are clustered whole.
    ``field`` names what takes the place of PartField's.
    """

    def __init__(self, seed: int = 0, *, patches: bool = False, field: str = "") -> None:
        self.seed, self.patches = seed, patches
        label = PARTFIELD_PATCHES if patches else PARTFIELD
        self.label = label.replace(PARTFIELD, f"k-means, {field}") if field else label

    def predict(self, arrays: Mapping[str, np.ndarray], given: Given) -> Prediction:
        """Segment one shape by its ``geometry`` (n, d_g), without names.

        Raises:
            AlignPartsError: the array is missing or empty, or no number of parts is given.
        """
        if "geometry" not in arrays:
            raise AlignPartsError(f"{self.label}: features: 'geometry' is missing")
        if given.parts is None:
            raise AlignPartsError(f"{self.label}: needs the number of parts; give it")
        field, graph = arrays["geometry"], PatchGraph.of(arrays) if self.patches else None
        if graph is not None:
            field = pooled(directions(field).T, graph)[graph.patch]
        return Prediction.unnamed(cluster_points(field, given.parts, seed=self.seed))


def partfield_scores(
    store: FeatureStore,
    *,
    counts: Sequence[int] = COUNTS,
    points: int = 2048,
    seed: int = 0,
    splits: Sequence[str] = ("test", "heldout"),
    workers: int = 1,
) -> pd.DataFrame:
    """Score both clusterings of PartField's field on up to ``points`` points per shape.

    Returns:
        Scores (:data:`comparison.COLUMNS`): ``miou`` at the true number of parts, beside it the best over
        ``counts``, PartField's own protocol and an oracle, and under names that end with `ESTIMATED` ``miou``
        at the estimated number.

    Raises:
        AlignPartsError: no shape of these splits has a labeled point.
    """
    shapes = list(labeled_shapes(store, splits, points, seed))
    scores = partial(_shape_scores, counts=counts, seed=seed)
    return frame(chain.from_iterable(map_shapes(scores, shapes, workers=workers, description="PartField")))


def _shape_scores(shape: Labeled, counts: Sequence[int], seed: int) -> list[dict[str, Any]]:
    """Return the scores of one shape, as rows; it is clustered once per number."""
    rows, features, true = [], shape.arrays["geometry"], len(shape.present)
    partitions: dict[str, Partition] = {
        PARTFIELD: partial(cluster_points, features, seed=seed),
        f"{PARTFIELD}, agglomerative": agglomerative(features, shape.arrays["points"]),
    }
    for label, partition in partitions.items():
        clusters = {count: partition(count) for count in sorted({1, *counts, true})}
        miou = {count: score(Prediction.unnamed(part), shape)["miou"] for count, part in clusters.items()}
        estimate = estimate_count(features, clusters.__getitem__, counts, seed=seed)
        given = {"miou": miou[true], BEST_OVER_K: max(miou[count] for count in counts)}
        rows += score_rows(shape, label, given, seed)
        rows += score_rows(shape, label + ESTIMATED, {"miou": miou[estimate]}, seed)
    return rows


def estimate_count(
    features: Float[np.ndarray, "n d"], partition: Partition, counts: Sequence[int] = COUNTS, *, seed: int = 0
) -> int:
    """Return the number of clusters with the highest silhouette on a seeded subset of the points.

    The lowest of equal ones. The silhouette compares a point's distance from its own cluster with that from
    the next one, so it is never 1, except where no number leaves two clusters to compare.
    """
    from sklearn.metrics import euclidean_distances, silhouette_score

    chosen = np.sort(np.random.default_rng(seed).permutation(len(features))[:SAMPLE])
    distances = euclidean_distances(directions(features[chosen]).astype(np.float64))
    scores: dict[int, float] = {}
    for count in sorted(counts):
        labels = partition(count)[chosen]
        if 2 <= len(np.unique(labels)) < len(chosen):
            scores[count] = float(silhouette_score(distances, labels, metric="precomputed"))
    return max(scores, key=scores.__getitem__, default=1)


def agglomerative(
    features: Float[np.ndarray, "n d"], points: Float[np.ndarray, "n 3"], neighbors: int = NEIGHBORS
) -> Partition:
    """Return Ward's clustering by the directions of features, of which neighbors alone are merged.

    The tree of merges is built once for all numbers of clusters.
    """
    from sklearn.cluster import ward_tree

    children = np.zeros((0, 2), np.int64)
    if len(features) > 1:
        children = ward_tree(directions(features), connectivity=neighbor_graph(points, neighbors))[0]
    return partial(_cut, children)


def _cut(children: Int64[np.ndarray, "merges 2"], clusters: int) -> Int64[np.ndarray, " n"]:
    """Return the cluster of every point after all merges of a tree but the last ``clusters - 1``."""
    count = len(children) + 1
    joined = children[: max(count - clusters, 0)]
    edges = joined.ravel(), count + np.repeat(np.arange(len(joined)), 2)
    forest = coo_array((np.ones(joined.size), edges), shape=(2 * count - 1, 2 * count - 1))
    _, component = connected_components(forest, directed=False)
    return np.unique(component[:count], return_inverse=True)[1].astype(np.int64)


def neighbor_graph(points: Float[np.ndarray, "n 3"], neighbors: int = NEIGHBORS) -> coo_array:
    """Return the pairs of nearest points as a connected (n, n) graph, each stored from one end or from both.

    Bridges lead from every component to the nearest point outside of it.
    """
    count = len(points)
    _, near = cKDTree(points).query(points, k=np.arange(1, min(neighbors + 1, count) + 1))
    rows, columns = np.repeat(np.arange(count), near.shape[1]), near.ravel()
    while True:
        graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(count, count))
        components, component = connected_components(graph, directed=False)
        if components == 1:
            return graph
        for number in range(components):
            inside, outside = np.flatnonzero(component == number), np.flatnonzero(component != number)
            distance, nearest = cKDTree(points[outside]).query(points[inside])
            row = distance.argmin()
            rows, columns = np.append(rows, inside[row]), np.append(columns, outside[nearest[row]])
