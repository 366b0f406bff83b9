"""Table 2 on a store made by hand."""

import numpy as np
import pytest
from named_parts import Halves, Text, vocabulary

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.scoring import (
    CLUSTERING,
    GIVEN,
    OURS,
    category_table,
    evaluate_corpus,
    gain_over_clustering,
    subset,
    table2,
)
from alignparts.evaluation.scoring_methods import Entrant, evaluate_methods, partfield_scores
from alignparts.features.store import FeatureStore


@pytest.fixture
def store(tmp_path):
    """Points of a column whose upper half is its top; shape i has a share of wrongly labeled points."""
    store = FeatureStore(tmp_path / "store", "made-by-hand")
    sets = ["compat", "find3d", "partnet", "partnet", "heldout", "train"]
    for number, name in enumerate(sets):
        rng = np.random.default_rng(number)
        points = rng.uniform(-1, 1, (300, 3)).astype(np.float32)
        points[:, 1] = np.where(np.abs(points[:, 1]) < 0.2, 0.5, points[:, 1])
        part = (points[:, 1] < 0).astype(np.int16)
        part[: 20 * number] = 0
        part[290:] = -1
        arrays = {
            "points": points,
            "geometry": rng.normal(size=(300, 3)).astype(np.float16),
            "appearance": np.ones((300, 2), np.float16),
            "part": part,
        }
        split = {"heldout": "heldout", "train": "train"}.get(name, "test")
        dataset = name if split == "test" else "partnet"
        meta = {"category": "mug", "dataset": dataset, "split": split, "part_names": ["top", "bottom"]}
        store.add(f"shape{number}", arrays, meta)
    store.flush()
    return store


@pytest.fixture
def evaluation(store):
    return evaluated(store)


def evaluated(store):
    """Ours and PartField clustering."""
    found = evaluate_corpus(store, Halves(), Text().encode, vocabulary(), points=200)
    found.scores += partfield_scores(store, ["k-means"], counts=[2], points=200)
    return found


def value(table, method, test_set, metric):
    found = table[(table.method == method) & (table.test_set == test_set) & (table.metric == metric)]
    assert len(found) == 1
    return found.iloc[0]


def test_table_holds_every_set_and_method(evaluation):
    table = table2(evaluation, resamples=30)
    first = value(table, OURS, "compat", "mIoU")
    assert first.value == first.low == first.high == 1.0
    assert value(table, OURS, "compat", "LA-mIoU").value == 1.0
    assert value(table, OURS, "partnet", "mIoU").n == 2
    assert value(table, OURS, "heldout", "mIoU").n == 1
    assert value(table, OURS, "seen", "category accuracy").value == 1.0
    assert value(table, GIVEN, "seen", "mIoU").value == value(table, OURS, "seen", "mIoU").value
    three = [value(table, OURS, name, "mIoU").value for name in ("compat", "find3d", "partnet")]
    assert value(table, OURS, "average", "mIoU").value == pytest.approx(np.mean(three), abs=1e-3)
    assert not len(table[(table.method == CLUSTERING) & (table.metric == "LA-mIoU")])
    assert table.value.between(0, 1).all()
    assert set(evaluation.predictions) == {f"shape{number}" for number in range(5)}
    assert list(table.columns) == ["method", "test_set", "metric", "value", "low", "high", "n", "seeds"]


def test_repeats_byte_for_byte(store):
    first, second = (table2(evaluated(store), resamples=30).to_csv() for _ in range(2))
    assert first == second


def test_gain_and_categories(evaluation):
    gain = gain_over_clustering(evaluation, resamples=30)
    assert gain.value > 0.2
    assert gain.n == 4
    table = category_table(evaluation, resamples=30)
    assert value(table, OURS, "mug", "mIoU").n == 5


def test_as_a_method_it_scores_alike(store, evaluation):
    method = Ours(Halves(), Text().encode, vocabulary())
    found = evaluate_methods(store, [Entrant(method)], Text().encode, points=200)
    expected = {one.shape_id: one.values for one in evaluation.scores if one.method == OURS}
    for one in found.scores:
        assert one.values == {name: expected[one.shape_id][name] for name in one.values}
        segments = found.segments[OURS][one.shape_id]
        assert np.array_equal(segments.point_part, evaluation.predictions[one.shape_id].point_part)
        assert segments.features is not None and len(segments.features) == len(segments.names)
    assert len(found.scores) == len(expected) == 5


def test_subset_is_seeded_by_the_key():
    arrays = {"points": np.arange(30).reshape(10, 3), "part": np.arange(10)}
    first, second = subset(arrays, 4, "a"), subset(arrays, 4, "a")
    assert np.array_equal(first["part"], second["part"])
    assert np.array_equal(first["points"][:, 0] // 3, first["part"])
    assert len(subset(arrays, 40, "a")["part"]) == 10


def test_nothing_to_evaluate_is_an_error(store):
    with pytest.raises(AlignPartsError, match="no shape of validation"):
        evaluate_corpus(store, Halves(), Text().encode, vocabulary(), splits=["validation"])
