"""Other methods on the test shapes: what they are told, and how they score."""

from pathlib import Path

import numpy as np
import pytest
import toy

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.partfield_clustering import (
    COUNTS,
    PartFieldClustering,
    best_over_k,
    label_of,
)
from alignparts.evaluation.ground_truth import labeled_shapes
from alignparts.evaluation.methods import Given, Segments
from alignparts.evaluation.scoring import frame
from alignparts.evaluation.scoring_methods import (
    BEST_OVER_K,
    Entrant,
    evaluate_methods,
    partfield_scores,
    true_count,
)
from alignparts.features.store import FeatureStore


class Oracle:
    """Knows the answer, and writes down what it was told."""

    label = "Oracle"

    def __init__(self, named: bool = True) -> None:
        self.named, self.told = named, list[Given]()

    def predict(self, arrays, given):
        self.told.append(given)
        names = toy.PARTS.get(given.category)
        part = arrays["part"].astype(np.int64)
        return Segments(part, names if self.named else None)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    store = FeatureStore(tmp_path / "features", "toy")
    for index, category in enumerate([*toy.PARTS, "chair"]):
        arrays, meta = toy.shape(category, index)
        split = "heldout" if index == 3 else "test"
        store.add(f"s{index}", arrays, {**meta, "split": split, "dataset": "partnet"})
    store.flush()
    return store


def test_each_is_told_what_its_entry_says_and_no_more(store):
    for told in ((), ("category",), ("names",), ("parts",), ("category", "names", "parts")):
        oracle = Oracle(named=False)
        evaluate_methods(store, [Entrant(oracle, told)], toy.encode, points=96)
        for given, index in zip(oracle.told, range(4), strict=True):
            category = [*toy.PARTS, "chair"][index]
            heldout = index == 3
            assert given.category == (category if "category" in told and not heldout else None)
            assert given.names == (tuple(toy.PARTS[category]) if "names" in told or heldout else None)
            assert given.parts == (len(toy.PARTS[category]) if "parts" in told else None)


def test_the_truth_scores_one_and_nameless_segments_have_no_names_to_score(store):
    named = evaluate_methods(
        store, [Entrant(Oracle(), ("category",))], toy.encode, points=96, splits=["test"]
    )
    nameless = evaluate_methods(store, [Entrant(Oracle(False))], toy.encode, points=96)
    assert {name for one in named.scores for name in one.values} >= {"miou", "la_miou", "rla_miou"}
    assert all(np.isclose(value, 1) for one in named.scores for value in one.values.values())
    assert all(set(one.values) == {"miou"} and one.values["miou"] == 1 for one in nameless.scores)
    assert set(nameless.segments["Oracle"]) == {"s0", "s1", "s2", "s3"}
    assert [one.test_set for one in nameless.scores] == ["partnet"] * 3 + ["heldout"]


def test_chosen_shapes_alone(store):
    found = evaluate_methods(store, [Entrant(Oracle(False))], toy.encode, points=96, ids=["s2", "s0"])
    assert [one.shape_id for one in found.scores] == ["s0", "s2"]
    with pytest.raises(AlignPartsError, match="no shape of validation"):
        evaluate_methods(store, [], toy.encode, splits=["validation"])


@pytest.mark.parametrize("kind", ["k-means", "agglomerative"])
def test_partfield_protocols_are_those_of_the_method(store, kind):
    scores = frame(partfield_scores(store, [kind], points=64))
    value = scores.set_index(["method", "metric", "shape_id"]).value
    for shape in labeled_shapes(store, ["test", "heldout"], 64):
        given, estimated = (PartFieldClustering(kind), PartFieldClustering(kind, estimated=True))
        for method, told in ((given, ("parts",)), (estimated, ())):
            one = evaluate_methods(
                store, [Entrant(method, told)], toy.encode, points=64, ids=[shape.shape_id]
            ).scores[0]
            assert value[method.label, "miou", shape.shape_id] == one.values["miou"]
        arrays = shape.arrays
        best = best_over_k(arrays["geometry"], shape.truth, arrays["points"], kind)
        found = value[label_of(kind), BEST_OVER_K, shape.shape_id]
        assert found == max(best.miou.values()) and best.clusters in COUNTS
        if true_count(shape) in COUNTS:
            assert found >= value[label_of(kind), "miou", shape.shape_id]
