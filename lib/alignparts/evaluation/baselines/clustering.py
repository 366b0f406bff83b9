"""K-means on the directions of features."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64

from alignparts.core.errors import AlignPartsError


def limited(threads: int = 1) -> AbstractContextManager[object]:
    """Return a context in which matrix libraries take so many threads; more than one sum in another order."""
    return _libraries().limit(limits=threads)


@cache
def _libraries() -> Any:
    """Return the libraries with threads in this process, which take longer to find than a clustering."""
    import sklearn.cluster  # noqa: F401 — loads those that it needs
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def directions(features: Float[np.ndarray, "n d"]) -> Float32[np.ndarray, "n d"]:
    """Scale features to length 1; those of length 0 stay."""
    values = np.asarray(features, np.float32)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def cluster_points(
    features: Float[np.ndarray, "n d"], clusters: int, *, seed: int = 0, threads: int = 1
) -> Int64[np.ndarray, " n"]:
    """Return the cluster of every point, from 0, by k-means on the directions of their features.

    One run of k-means, as in PartField's code, equal every time. Fewer clusters come out where fewer points
    are distinct. More threads than one are faster, and sum in another order.

    Raises:
        AlignPartsError: no points, or fewer than one cluster.
    """
    from sklearn.cluster import KMeans

    if clusters < 1 or not len(features):
        raise AlignPartsError(
            f"k-means: expected points and a cluster, got {len(features)} points, {clusters} clusters"
        )
    values = directions(features)
    # With fewer distinct points than clusters k-means would warn. Counting them is slow where they are many.
    if len(values) <= 4 * clusters or np.ptp(values, axis=0).max() == 0:
        clusters = min(clusters, len(np.unique(values, axis=0)))
    with limited(threads):
        return KMeans(clusters, n_init=1, random_state=seed).fit_predict(values).astype(np.int64)
