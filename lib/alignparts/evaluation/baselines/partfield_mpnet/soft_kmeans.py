"""Soft k-means: every point belongs to every cluster, by a softmax over distances (section 12.1)."""

import numpy as np
from jaxtyping import Float, Float64, Int64

from alignparts.core.errors import AlignPartsError

TEMPERATURE = 0.05
"""Of the softmax over squared distances, as a share of the points' mean squared distance from their mean."""


def soft_kmeans(
    values: Float[np.ndarray, "n d"],
    start: Float[np.ndarray, "k d"],
    temperature: float = TEMPERATURE,
    *,
    iterations: int = 100,
    tolerance: float = 1e-3,
) -> tuple[Float64[np.ndarray, "k d"], Float64[np.ndarray, "n k"]]:
    """Soft k-means from given centers.

    A point belongs to a cluster by exp(-distance² / T) over the sum of those of all clusters, and a center is
    the mean of the points, so weighted; T is `temperature` times the points' mean squared distance from their
    mean. As the temperature goes to 0 this is Lloyd's k-means. A center without any point stays.

    Args:
        values: the points.
        start: centers to begin with.
        temperature: above 0.
        iterations: at most this many.
        tolerance: stop once no center moves by more than this share of the points' root mean square distance
            from their mean.

    Returns:
        Centers, and how much every point belongs to each of them.

    Raises:
        AlignPartsError: no points, no centers, a temperature that is not above 0, or numbers that are not
            finite.
    """
    if not len(values) or not len(start) or not temperature > 0:
        raise AlignPartsError(
            f"soft k-means: expected points, centers and a temperature above 0, got {len(values)} points, "
            f"{len(start)} centers and {temperature}"
        )
    if not (np.isfinite(values).all() and np.isfinite(start).all()):
        raise AlignPartsError("soft k-means: expected finite numbers")
    middle = values.mean(axis=0, dtype=np.float64)
    points, centers = values - middle, start - middle  # small numbers, so that squares lose nothing
    spread = max(float(np.square(points).sum(axis=1).mean()), np.finfo(np.float64).tiny)

    def belongs() -> np.ndarray:
        # The points' own squares are the same for every cluster: softmax does not see them.
        near = points @ (centers.T * (2 / spread)) - np.square(centers).sum(axis=1) / spread
        near -= near.max(axis=1, keepdims=True)
        near /= temperature
        share = np.exp(near, out=near)
        share /= share.sum(axis=1, keepdims=True)
        return share

    for _ in range(iterations):
        share = belongs()
        mass = share.sum(axis=0)[:, None]
        moved = np.where(mass > 0, share.T @ points / np.where(mass > 0, mass, 1), centers)
        step = np.square(moved - centers).sum(axis=1).max()
        centers = moved
        if step <= tolerance**2 * spread:
            break
    return centers + middle, belongs()


def cluster(
    values: Float[np.ndarray, "n d"], clusters: int, temperature: float = TEMPERATURE, *, seed: int = 0
) -> tuple[Float64[np.ndarray, "k d"], Int64[np.ndarray, " n"]]:
    """Soft k-means from centers that k-means++ draws, equal on every run.

    Returns:
        Centers of the clusters that are some point's nearest, at most as many as asked for; and that cluster
        of every point.

    Raises:
        AlignPartsError: as :func:`soft_kmeans`, or fewer than one cluster.
    """
    from sklearn.cluster import kmeans_plusplus
    from threadpoolctl import threadpool_limits

    if clusters < 1 or not len(values):
        raise AlignPartsError(
            f"soft k-means: expected points and a cluster, got {len(values)} points, {clusters} clusters"
        )
    # More threads would sum in another order.
    with threadpool_limits(limits=1):
        start, _ = kmeans_plusplus(values.astype(np.float64), min(clusters, len(values)), random_state=seed)
        centers, share = soft_kmeans(values, start, temperature)
    kept, nearest = np.unique(share.argmax(axis=1), return_inverse=True)
    return centers[kept], nearest.astype(np.int64)
