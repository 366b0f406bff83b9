"""K-means on the directions of features, and the directions themselves."""

import numpy as np
from jaxtyping import Float, Float32, Int64

from alignparts.core.errors import AlignPartsError


def directions(features: Float[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
    """Scale features to length 1; those of length 0 stay."""
    values = np.asarray(features, np.float32)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def cluster_points(
    features: Float[np.ndarray, "n d"],
    clusters: int,
    *,
    seed: int = 0,
    restarts: int = 1,
    threads: int = 1,
) -> Int64[np.ndarray, " n"]:
    """Cluster points by the directions of their features.

    Args:
        features: feature of every point; scaled to length 1 first.
        clusters: number of clusters; there are never more than distinct points.
        seed: seed of the starting centers.
        restarts: number of k-means runs, of which the tightest is kept; PartField's own code does one.
        threads: number of threads; more than one is faster, and sums in another order.

    Returns:
        Cluster of every point, 0..clusters - 1, equal on every run.

    Raises:
        AlignPartsError: no points, or fewer than one cluster.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if clusters < 1 or not len(features):
        raise AlignPartsError(
            f"k-means: expected points and a cluster, got {len(features)} points, {clusters} clusters"
        )
    values = directions(features)
    # No more clusters than distinct points: k-means warns, and returns fewer, otherwise.
    possible = clusters
    if len(values) <= 4 * clusters or np.ptp(values, axis=0).max() == 0:
        possible = min(clusters, len(np.unique(values, axis=0)))
    with threadpool_limits(limits=threads):
        return KMeans(possible, n_init=restarts, random_state=seed).fit_predict(values).astype(np.int64)
