"""Label transfer: shapes whose answer is known, plain loops, and pairs."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from handmade import HandMadeModel
from hypothesis import given, settings
from hypothesis import strategies as st
from named_parts import Text, vocabulary

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.experiments.cosegmentation import (
    ALL,
    OTHER,
    SAME,
    Source,
    dependent,
    draw_pairs,
    evaluate_transfer,
    independent,
    source_of,
    transfer_accuracy,
    transfer_table,
)
from alignparts.evaluation.methods import GIVEN, OURS
from alignparts.features.store import FeatureStore
from alignparts.naming.prediction import Prediction

NAMES = ["top", "bottom", "handle", "base"]
encode = Text().encode


def shape(parts, seed=0, each=25, noise=0.05):
    """Points of these parts, each part with a direction of its own; lengths differ."""
    rng = np.random.default_rng(seed)
    part = rng.permutation(np.repeat(parts, each))
    features = np.eye(6)[part] + noise * rng.normal(size=(len(part), 6))
    return (features * rng.uniform(0.5, 2, (len(part), 1))).astype(np.float32), part


def accuracy(found, part, source_names=NAMES):
    return transfer_accuracy(found, part, NAMES, source_names)


@pytest.mark.parametrize("clustered", [False, True])
def test_a_shape_transfers_to_itself(clustered):
    features, part = shape([0, 1, 2])
    clusters = (part * 7 + 3) % 4  # numbers mean nothing
    source = source_of(features, part, NAMES, clusters if clustered else None)
    for found in (dependent(source, features), independent(source, features, clusters)):
        assert accuracy(found, part) == {"transfer": 1.0, "transfer_all": 1.0}


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_the_order_of_points_and_the_numbers_of_clusters_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    features, part = shape([0, 1, 2, 3], seed, noise=0.5)
    target, clusters = rng.normal(size=(40, 6)).astype(np.float32), rng.integers(0, 4, 40)
    source = source_of(features, part, NAMES)
    shuffled, numbers = rng.permutation(len(part)), rng.permutation(9)
    other = source_of(features[shuffled], part[shuffled], NAMES)
    first, second = (independent(source, target, clusters), independent(other, target, numbers[clusters]))
    called = [[one.names[index] for index in one.point_part] for one in (first, second)]
    assert called[0] == called[1]


def test_dependent_clustering_is_lloyds_from_the_sources_centers():
    rng = np.random.default_rng(4)
    target = rng.normal(size=(60, 6))
    target = (target / np.linalg.norm(target, axis=1, keepdims=True)).astype(np.float32)
    centers = target[:4].astype(np.float64)
    source = Source(centers.astype(np.float32), NAMES)
    for _ in range(300):
        apart = ((target[:, None] - centers[None]) ** 2).sum(-1)
        nearest = apart.argmin(axis=1)
        centers = np.stack([target[nearest == k].mean(axis=0) for k in range(4)])
    found = dependent(source, target)
    assert found.names == NAMES
    assert np.array_equal(found.point_part, nearest)


def test_parts_that_only_one_of_the_two_has():
    source_features, source_part = shape([0, 1])
    source = source_of(source_features, source_part, NAMES)
    assert source.names == ["top", "bottom"]
    features, part = shape([0, 1, 2], seed=1)
    independent_found = independent(source, features, part)
    scores = accuracy(independent_found, part, source.names)
    assert scores == {"transfer": 1.0, "transfer_all": pytest.approx(2 / 3)}
    # Two centers cannot make three clusters: the handle bleeds into another part.
    assert accuracy(dependent(source, features), part, source.names)["transfer_all"] < 0.7
    # The other way round: a cluster too many cuts a part.
    full_features, full_part = shape([0, 1, 2], seed=2)
    full = source_of(full_features, full_part, NAMES)
    small, small_part = shape([0, 1], seed=3)
    assert accuracy(independent(full, small, small_part), small_part)["transfer_all"] == 1.0
    assert accuracy(dependent(full, small), small_part)["transfer_all"] < 1.0


def test_clusters_are_called_as_most_of_their_points():
    features = np.eye(3, 6, dtype=np.float32)[[0, 0, 0, 1, 1, 1, 2]]
    part = np.array([0, 0, 1, 1, 0, -1, -1])
    source = source_of(features, part, NAMES, np.array([5, 5, 5, 8, 8, 8, 2]))
    # In order of their numbers: 2 has no labeled point, 5 has two of three, 8 a tie.
    assert source.names == ["", "top", "top"]
    assert np.allclose(source.centers, np.eye(3, 6)[[2, 0, 1]])


def test_parts_of_one_name_are_one():
    features, part = shape([0, 1, 2])
    source = source_of(features, part, ["leg", "leg", "seat", "unused"])
    assert source.names == ["leg", "seat"]
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    assert np.allclose(source.centers[0], unit[part < 2].mean(axis=0), atol=1e-6)


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_accuracy_is_a_loop_over_points(seed):
    rng = np.random.default_rng(seed)
    part, found = rng.integers(-1, 4, 25), rng.integers(-1, 3, 25)
    part[0] = 1
    called = [str(name) for name in rng.choice([*NAMES, ""], 3)]
    source_names = [str(name) for name in rng.choice(NAMES, 2)]
    right, shared, every = 0, [], []
    for segment, true in zip(found, part, strict=True):
        if true >= 0:
            right = segment >= 0 and called[segment] == NAMES[true]
            every.append(right)
            shared += [right] if NAMES[true] in source_names else []
    scores = transfer_accuracy(Prediction.of_names(found, called), part, NAMES, source_names)
    assert scores["transfer_all"] == pytest.approx(np.mean(every))
    assert ("transfer" in scores) == bool(shared)
    if shared:
        assert scores["transfer"] == pytest.approx(np.mean(shared))


def test_a_feed_forward_prediction_is_read_as_it_is():
    found = Prediction.of_names(np.array([0, 0, -1, 1]), ["top", "base"])
    assert transfer_accuracy(found, np.array([0, 1, 0, 3]), NAMES, ["top"]) == {
        "transfer": 0.5,
        "transfer_all": 0.5,
    }


@given(st.lists(st.sampled_from("abc"), max_size=9), st.integers(0, 12), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_pairs(kinds, each, seed):
    categories = {f"s{number}": kind for number, kind in enumerate(kinds)}
    pairs = draw_pairs(categories, each, seed)
    assert len(set(pairs)) == len(pairs)
    assert all(first != second and categories[first] == categories[second] for first, second in pairs)
    for kind in "abc":
        members = kinds.count(kind)
        drawn = [pair for pair in pairs if categories[pair[0]] == kind]
        assert len(drawn) == min(each, members * (members - 1))
        alone = {key: value for key, value in categories.items() if value == kind}
        assert draw_pairs(alone, each, seed) == drawn


def test_other_seeds_draw_other_pairs():
    categories = {f"s{number}": "chair" for number in range(30)}
    assert draw_pairs(categories, 10, 0) == draw_pairs(categories, 10, 0)
    assert draw_pairs(categories, 10, 0) != draw_pairs(categories, 10, 1)


class Told(HandMadeModel):
    """Its masks are in the geometry feature; it takes everything for a mug."""

    def forward(self, points, geometry, appearance):
        return SimpleNamespace(
            text=None,
            mask_logits=9 * (2 * geometry.transpose(1, 2) - 1),
            partness=torch.full((1, 3), 4.0),
            partlets=torch.from_numpy(encode(NAMES[:3]))[None],
            global_embedding=torch.from_numpy(encode(["mug"])),
            fused=geometry,
        )


def ours() -> Ours:
    return Ours(Told(), encode, vocabulary())


@pytest.fixture
def store(tmp_path):
    """Three mugs, one of them without a handle; one chair; a mug without labels."""
    store = FeatureStore(tmp_path / "store", "made-by-hand")
    for number, (category, parts) in enumerate(
        [("mug", 3), ("mug", 3), ("mug", 2), ("chair", 1), ("mug", 0)]
    ):
        part = np.random.default_rng(number).permutation(np.arange(60) % max(parts, 1))
        arrays = {
            "points": np.random.default_rng(number).normal(size=(60, 3)).astype(np.float32),
            "geometry": np.eye(3)[part].astype(np.float16),
            "appearance": np.ones((60, 2), np.float16),
            "part": (part if parts else np.full(60, -1)).astype(np.int16),
        }
        meta = {"category": category, "dataset": "partnet", "split": "test", "part_names": NAMES[:parts]}
        store.add(f"shape{number}", arrays, meta)
    store.flush()
    return store


def test_every_way_over_pairs(store):
    found = evaluate_transfer(store, ours(), points=64, pairs=99)
    assert set(found.shape_id) == {f"shape{a} > shape{b}" for a in range(3) for b in range(3) if a != b}
    assert found.method.nunique() == 10
    every = found[found.metric == "transfer_all"].set_index(["method", "test_set"]).value.sort_index()
    assert (every[[OURS, GIVEN]] == 1).all() and len(every[OURS]) == len(every[GIVEN]) == 6
    same = every.xs(SAME, level=1)
    assert (same == 1).all() and (same.groupby(level=0).size() == 2).all()
    table = transfer_table(found, resamples=20)
    rows = {(row.method, row.test_set, row.metric): row for row in table.itertuples()}
    assert [rows[OURS, name, "transfer accuracy"].n for name in (ALL, SAME, OTHER)] == [6, 2, 4]
    # Half of the other pairs ask for a handle that the source lacks.
    asked = every["PartField, independent clustering", OTHER]
    assert sorted(asked.tolist()) == pytest.approx([2 / 3, 2 / 3, 1, 1])
    again = evaluate_transfer(store, ours(), points=64, pairs=99)
    assert transfer_table(again, resamples=20).equals(table)


def test_what_cannot_be_done_is_said(store):
    part = shape([0, 1, 2])[1]
    with pytest.raises(AlignPartsError, match="without names"):
        accuracy(Prediction.unnamed(part), part)
    with pytest.raises(AlignPartsError, match="no shape of validation"):
        evaluate_transfer(store, ours(), splits=["validation"])
    with pytest.raises(AlignPartsError, match="no two labeled"):
        evaluate_transfer(store, ours(), points=64, pairs=0)
