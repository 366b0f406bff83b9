"""Soft k-means: every point belongs to every cluster, by a softmax over distances (section 12.1)."""

import numpy as np
from jaxtyping import Float, Float64, Int64

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.clustering import limited

TEMPERATURE = 0.05
"""Temperature of the softmax, as a share of the points' mean squared distance from their mean."""


def soft_kmeans(
    values: Float[np.ndarray, "n d"],
    start: Float[np.ndarray, "k d"],
    temperature: float = TEMPERATURE,
    *,
    iterations: int = 100,
    tolerance: float = 1e-3,
) -> tuple[Float64[np.ndarray, "k d"], Float64[np.ndarray, "n k"]]:
    """Move given centers by soft k-means.

    A point belongs to a cluster by exp(-distance² / T), normalized over the clusters, and a center is the
    weighted mean of the points; T is `temperature` times the points' mean squared distance from their mean.
    As the temperature goes to 0 this is Lloyd's k-means. A center without any point stays. Iterations end
    once no center moves by more than `tolerance` times the points' root mean square distance from their mean.

    Returns:
        Centers, and the share of every point in each of them.
    """
    middle = values.mean(axis=0, dtype=np.float64)
    points, centers = values - middle, start - middle  # small numbers, so that squares lose nothing
    spread = max(float(np.square(points).sum(axis=1).mean()), np.finfo(np.float64).tiny)

    def shares() -> np.ndarray:
        # Softmax cancels the points' own squares.
        near = points @ (centers.T * (2 / spread)) - np.square(centers).sum(axis=1) / spread
        weight = np.exp((near - near.max(axis=1, keepdims=True)) / temperature)
        return weight / weight.sum(axis=1, keepdims=True)

    for _ in range(iterations):
        share = shares()
        mass = share.sum(axis=0)[:, None]
        moved = np.where(mass > 0, share.T @ points / np.where(mass > 0, mass, 1), centers)
        step = np.square(moved - centers).sum(axis=1).max()
        centers = moved
        if step <= tolerance**2 * spread:
            break
    return centers + middle, shares()


def cluster(
    values: Float[np.ndarray, "n d"], clusters: int, temperature: float = TEMPERATURE, *, seed: int = 0
) -> tuple[Float64[np.ndarray, "k d"], Int64[np.ndarray, " n"]]:
    """Cluster points by soft k-means from centers that k-means++ draws, equal on every run.

    Returns:
        Centers of the clusters that are nearest to some point, at most `clusters`; cluster of every point.

    Raises:
        AlignPartsError: fewer than one cluster.
    """
    from sklearn.cluster import kmeans_plusplus

    if clusters < 1:
        raise AlignPartsError(f"soft k-means: expected at least one cluster, got {clusters} clusters")
    with limited():
        start, _ = kmeans_plusplus(values.astype(np.float64), min(clusters, len(values)), random_state=seed)
        centers, share = soft_kmeans(values, start, temperature)
    occupied, nearest = np.unique(share.argmax(axis=1), return_inverse=True)
    return centers[occupied], nearest.astype(np.int64)
