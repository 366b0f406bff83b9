"""k-means on a frozen field."""

import numpy as np
import pytest

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.clustering import cluster_points


def blobs(count, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(count), 50)
    directions = np.eye(8)[:count]
    # Lengths differ: only directions count.
    values = (directions[truth] + 0.05 * rng.normal(size=(len(truth), 8))) * rng.uniform(
        0.1, 9, (len(truth), 1)
    )
    return values.astype(np.float32), truth


@pytest.mark.parametrize("count", [1, 2, 5])
def test_finds_directions(count):
    values, truth = blobs(count)
    found = cluster_points(values, count)
    assert len(set(zip(found.tolist(), truth.tolist(), strict=True))) == count


def test_repeats():
    values, _ = blobs(4)
    assert np.array_equal(cluster_points(values, 6, seed=1), cluster_points(values, 6, seed=1))


def test_equal_points_are_one_cluster():
    assert set(cluster_points(np.ones((20, 3), np.float32), 4).tolist()) == {0}
    assert len(cluster_points(np.zeros((3, 2), np.float32), 9)) == 3


def test_bad_numbers_are_errors():
    with pytest.raises(AlignPartsError, match="0 clusters"):
        cluster_points(np.ones((4, 2), np.float32), 0)
    with pytest.raises(AlignPartsError, match="0 points"):
        cluster_points(np.ones((0, 2), np.float32), 2)
