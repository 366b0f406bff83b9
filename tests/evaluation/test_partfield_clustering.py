"""PartField's ways to cluster: scikit-learn's own cuts, plain loops, and shapes whose answer is known."""

from functools import partial

import numpy as np
import pytest
import toy
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score, silhouette_score

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines import partfield_clustering as peer
from alignparts.evaluation.baselines.clustering import cluster_points, directions
from alignparts.evaluation.ground_truth import labeled_shapes
from alignparts.evaluation.methods import PARTFIELD, Entrant, Given, Method
from alignparts.evaluation.scoring import score
from alignparts.features.store import FeatureStore

KINDS = {"k-means": PARTFIELD, "agglomerative": f"{PARTFIELD}, agglomerative"}


def blobs(count, seed=0, each=30):
    """Parts side by side along x, each with a direction of its own; lengths differ."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(count), each)
    features = np.eye(8)[truth] + 0.05 * rng.normal(size=(len(truth), 8))
    features *= rng.uniform(0.1, 9, (len(truth), 1))
    points = rng.uniform(0, 1, (len(truth), 3)) + truth[:, None] * np.array([1.0, 0, 0])
    return features.astype(np.float32), truth, points.astype(np.float32)


def same(first, second):
    return adjusted_rand_score(first, second) == 1.0


def partition_of(kind, features, points):
    if kind == "k-means":
        return partial(cluster_points, features)
    return peer.agglomerative(features, points)


@pytest.mark.parametrize("seed", range(3))
def test_clusters_are_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    features, points = rng.normal(size=(80, 5)).astype(np.float32), rng.normal(size=(80, 3))
    partition, graph = peer.agglomerative(features, points, 6), peer.neighbor_graph(points, 6)
    for count in (1, 2, 3, 7, 19, 80):
        labels = partition(count)
        theirs = AgglomerativeClustering(count, connectivity=graph).fit_predict(directions(features))
        assert same(labels, theirs)
        assert sorted(set(labels.tolist())) == list(range(count))


def test_the_graph_holds_every_points_nearest():
    points = np.random.default_rng(0).normal(size=(50, 3))
    graph = peer.neighbor_graph(points, 4).toarray()
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    expected = np.zeros((50, 50), bool)
    for row, distance in enumerate(apart):
        expected[row, np.argsort(distance)[:5]] = True  # itself among them
    assert (graph.astype(bool) == expected).all()


def test_islands_are_joined_where_they_are_nearest():
    rng = np.random.default_rng(1)
    islands = np.repeat([0, 1, 2], 20)
    points = rng.uniform(0, 1, (60, 3)) + islands[:, None] * np.array([5.0, 0, 0])
    graph = peer.neighbor_graph(points, 3)
    assert connected_components(graph, directed=False)[0] == 1
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    edges = {(int(a), int(b)) for a, b in zip(*graph.nonzero(), strict=True)}
    crossing = {(a, b) if islands[a] < islands[b] else (b, a) for a, b in edges if islands[a] != islands[b]}
    nearest = {
        tuple(int(end) for end in np.unravel_index(
            np.where((islands[:, None] == a) & (islands[None] == a + 1), apart, np.inf).argmin(), apart.shape
        ))
        for a in (0, 1)
    }  # fmt: skip
    assert crossing == nearest


@pytest.mark.parametrize("count", [1, 2, 3])
def test_points_in_one_place_and_single_points(count):
    points, features = np.zeros((count, 3)), np.ones((count, 2), np.float32)
    partition = peer.agglomerative(features, points)
    assert len(partition(5)) == count
    assert same(partition(1), np.zeros(count))


def test_agglomerative_joins_neighbors_only():
    """Both ends of a bar look alike: k-means makes them one, agglomerative clustering cannot."""
    features, part, points = blobs(3)
    alike = np.where(part == 2, 0, part)
    features[part == 2] = features[part == 0]
    assert same(cluster_points(features, 2), alike)
    assert same(peer.agglomerative(features, points)(3), part)


def naive_miou(labels, truth):
    scores = []
    for part in sorted(set(truth[truth >= 0].tolist())):
        ious = []
        for cluster in set(labels.tolist()):
            inside = sum(a == cluster and b == part for a, b in zip(labels, truth, strict=True))
            union = sum((a == cluster or b == part) and b >= 0 for a, b in zip(labels, truth, strict=True))
            ious.append(inside / union if union else 0)
        scores.append(max(ious))
    return sum(scores) / len(scores)


def test_the_protocols_are_those_of_the_method(tmp_path):
    """At the true number, at the estimated one, and the best of all numbers, against a plain loop."""
    store = FeatureStore(tmp_path, "toy")
    for index, category in enumerate(toy.PARTS):
        arrays, meta = toy.shape(category, index)
        store.add(f"s{index}", arrays, {**meta, "split": "test", "dataset": "partnet"})
    store.flush()
    scores = peer.partfield_scores(store, counts=range(2, 7), points=64)
    value = scores.set_index(["method", "metric", "shape_id"]).value
    for shape in labeled_shapes(store, ["test"], 64):
        for kind, label in KINDS.items():
            partition = partition_of(kind, shape.arrays["geometry"], shape.arrays["points"])
            miou = {count: naive_miou(partition(count), shape.truth) for count in range(2, 7)}
            estimate = peer.estimate_count(shape.arrays["geometry"], partition, range(2, 7))
            best = value[label, peer.BEST_OVER_K, shape.shape_id]
            assert best == pytest.approx(max(miou.values()))
            assert value[label, "miou", shape.shape_id] == pytest.approx(miou[len(shape.present)])
            estimated = value[label + peer.ESTIMATED, "miou", shape.shape_id]
            assert estimated == pytest.approx(miou[estimate])
        found = Entrant(peer.PartFieldClustering(), ("parts",)).predict(shape)
        assert value[PARTFIELD, "miou", shape.shape_id] == score(found, shape)["miou"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [2, 3, 6])
def test_the_silhouette_finds_the_number_of_blobs(kind, count):
    features, _, points = blobs(count)
    partition = partition_of(kind, features, points)
    assert peer.estimate_count(features, partition) == count


def test_the_estimate_is_scikit_learns_silhouette():
    features = np.random.default_rng(5).normal(size=(90, 3)).astype(np.float32)
    partition = partial(cluster_points, features)
    scores = {k: silhouette_score(directions(features), partition(k)) for k in range(2, 9)}
    assert peer.estimate_count(features, partition, range(2, 9)) == max(scores, key=scores.get)


@pytest.mark.parametrize("features", [np.ones((5, 3), np.float32), np.eye(3, dtype=np.float32)[:2]])
def test_where_nothing_can_be_compared_there_is_one_part(features):
    assert peer.estimate_count(features, partial(cluster_points, features)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_length_of_a_feature_does_not_matter(kind):
    features, _, points = blobs(4, seed=2)
    longer = features * np.float32(4) ** np.random.default_rng(0).integers(-2, 3, (len(features), 1))
    first, second = (partition_of(kind, some, points) for some in (features, longer.astype(np.float32)))
    assert all(same(first(count), second(count)) for count in (2, 4, 6))


def test_behind_the_common_interface():
    features, truth, _ = blobs(5)
    arrays = {"geometry": features.astype(np.float16)}
    method: Method = peer.PartFieldClustering()
    found, again = (method.predict(arrays, Given(parts=5)) for _ in range(2))
    assert not found.named and same(found.point_part, truth)
    assert np.array_equal(found.point_part, again.point_part)
    with pytest.raises(AlignPartsError, match="number of parts"):
        method.predict(arrays, Given())
    with pytest.raises(AlignPartsError, match="'geometry' is missing"):
        method.predict({}, Given(parts=2))
