"""The evaluation engine: information settings, scores, and tables of a store made by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import toy
from named_parts import Halves, Text, vocabulary

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.ours import Ours, entrants_of
from alignparts.evaluation.baselines.partfield_clustering import partfield_scores
from alignparts.evaluation.comparison import COLUMNS, category_table, gain, readable, score_table
from alignparts.evaluation.ground_truth import subset
from alignparts.evaluation.methods import DESCRIBED, GIVEN, OURS, PARTFIELD, Entrant, Given
from alignparts.evaluation.scoring import evaluate
from alignparts.evaluation.tables import value
from alignparts.features.store import FeatureStore
from alignparts.naming.prediction import Prediction


@pytest.fixture
def halves(tmp_path):
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


def evaluated(store):
    """ALIGN-Parts and PartField clustering."""
    ours = evaluate(
        store, entrants_of(Ours(Halves(), Text().encode, vocabulary())), Text().encode, points=200
    )
    return ours, pd.concat([ours.scores, partfield_scores(store, counts=[2], points=200)])


def test_a_table_of_every_set_and_method(halves):
    evaluation, scores = evaluated(halves)
    table = readable(score_table(scores, resamples=30))

    def cell(method, test_set, metric="mIoU"):
        return value(table, method=method, test_set=test_set, metric=metric)

    assert cell(OURS, "compat") == cell(OURS, "compat", "LA-mIoU") == 1.0
    assert cell(OURS, "compat", "category accuracy") == 1.0
    three = [cell(OURS, name) for name in ("compat", "find3d", "partnet")]
    assert cell(OURS, "average") == cell(GIVEN, "average") == pytest.approx(np.mean(three), abs=1e-3)
    assert cell(OURS, "heldout") == cell(DESCRIBED, "heldout")
    assert cell(GIVEN, "heldout") is cell(DESCRIBED, "compat") is cell(PARTFIELD, "compat", "LA-mIoU") is None
    assert table.value.between(0, 1).all()
    assert set(evaluation.predictions[OURS]) == {f"shape{number}" for number in range(5)}
    assert all(len(one.vectors) == len(one.parts) for one in evaluation.predictions[OURS].values())
    again = readable(score_table(evaluated(halves)[1], resamples=30))
    assert again.to_csv() == table.to_csv()


def test_gain_and_categories(halves):
    scores = evaluated(halves)[1]
    over = gain(scores, resamples=30)
    assert over.value > 0.2 and over.n == 4
    table = category_table(scores, resamples=30)
    assert list(table.method.unique()) == [OURS, PARTFIELD] and set(table.test_set) == {"mug"}
    assert table[(table.method == OURS) & (table.metric == "mIoU")].n.item() == 5


def test_subset_is_seeded_by_the_key():
    arrays = {"points": np.arange(30).reshape(10, 3), "part": np.arange(10)}
    first, second = subset(arrays, 4, "a"), subset(arrays, 4, "a")
    assert np.array_equal(first["part"], second["part"])
    assert np.array_equal(first["points"][:, 0] // 3, first["part"])
    assert len(subset(arrays, 40, "a")["part"]) == 10


class Oracle:
    """Predicts the truth, and records the information it was given."""

    label = "Oracle"

    def __init__(self, named: bool = True) -> None:
        self.named, self.told = named, list[Given]()

    def predict(self, arrays, given):
        self.told.append(given)
        part = arrays["part"].astype(np.int64)
        if not self.named:
            return Prediction.unnamed(part)
        return Prediction.of_names(part, toy.PARTS[given.category], given.category)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    store = FeatureStore(tmp_path / "features", "toy")
    for index, category in enumerate([*toy.PARTS, "chair"]):
        arrays, meta = toy.shape(category, index)
        split = "heldout" if index == 3 else "test"
        store.add(f"s{index}", arrays, {**meta, "split": split, "dataset": "partnet"})
    store.flush()
    return store


@pytest.mark.parametrize("told", [(), ("category",), ("names",), ("parts",), ("category", "names", "parts")])
def test_each_is_told_what_its_entry_says_and_no_more(store, told):
    oracle = Oracle(named=False)
    evaluate(store, [Entrant(oracle, told)], toy.encode, points=96)
    for index, (given, category) in enumerate(zip(oracle.told, [*toy.PARTS, "chair"], strict=True)):
        heldout = index == 3
        assert given.category == (category if "category" in told and not heldout else None)
        assert given.names == (tuple(toy.PARTS[category]) if "names" in told or heldout else None)
        assert given.parts == (len(toy.PARTS[category]) if "parts" in told else None)


def test_the_truth_scores_one_and_nameless_segments_have_no_names_to_score(store):
    named = Entrant(Oracle(), ("category",), "told", lambda shape: not shape.heldout, finds_category=True)
    found = evaluate(store, [named, Entrant(Oracle(False))], toy.encode, points=96, training_seed=7)
    assert list(found.scores.columns) == COLUMNS and set(found.scores.seed) == {7}
    assert np.allclose(found.scores.value, 1)
    metrics = found.scores.groupby("method").metric.unique().map(set).to_dict()
    assert metrics["Oracle"] == {"miou"} and metrics["told"] >= {"miou", "la_miou", "rla_miou", "category"}
    assert set(found.predictions["told"]) == {"s0", "s1", "s2"}
    sets = found.scores[found.scores.method == "Oracle"].test_set
    assert sets.tolist() == ["partnet"] * 3 + ["heldout"]


def test_chosen_shapes_alone(store):
    found = evaluate(store, [Entrant(Oracle(False))], toy.encode, points=96, ids=["s2", "s0"])
    assert found.scores.shape_id.tolist() == ["s0", "s2"]
    with pytest.raises(AlignPartsError, match="no shape of validation"):
        evaluate(store, [], toy.encode, splits=["validation"])
