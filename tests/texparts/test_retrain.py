"""The loop: stores read as one, arms that differ in their shapes alone, and their scores."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import smoke
import torch
import toy

from alignparts.core.config import Params
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.index import COLUMNS, Corpus
from alignparts.evaluation.ground_truth import taking_turns
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.model.stage import Stage
from alignparts.model.train import train
from texparts.export import retrain

SIZES = {"d_m": 16, "d_f": 16, "K": 8, "k": 6, "heads": 2, "decoder_heads": 2, "layers": 1, "fourier": 3}


def params(shapes: int = 6) -> Params:
    return smoke.params(**{
        "train": {"points": 48, "epochs": 1, "batch_size": 4, "lr_min": 0, "model": SIZES},
        "evaluate": {"points": 64, "bootstrap": 20},
        "retrain": {"shapes": shapes, "copies": 2, "steps": 3, "lr": 1e-3},
    })  # fmt: skip


def filled(store: FeatureStore, prefix: str, count: int, split: str, categories: list[str]) -> FeatureStore:
    for category in categories:
        for index in range(count):
            arrays, meta = toy.shape(category, index)
            about = {**meta, "split": split, "dataset": "partnet"}
            store.add(f"{prefix}-{category}{index}", arrays, about)
    store.flush()
    return store


@pytest.fixture
def loop(tmp_path: Path) -> Stage:
    """Chairs and lamps to train on, mugs that only the export has."""
    store = FeatureStore(tmp_path / "data" / "features", "toy")
    filled(store, "train", 3, "train", ["chair", "lamp"])
    filled(store, "test", 2, "test", ["chair"])
    filled(store, "heldout", 2, "heldout", ["mug"])
    models = tmp_path / "models"
    train(store, toy.vocabulary(), toy.encode, params().train, models / "alignparts", statistics=False)
    return toy.stage(params(), store, models)


@pytest.fixture
def watched(loop, tmp_path, monkeypatch) -> list[list[str]]:
    """What every arm trains on; exports are toy features instead of meshes."""
    mugs = filled(FeatureStore(tmp_path / "new", "toy"), "new", 2, "train", ["mug"])
    monkeypatch.setattr(retrain, "export_features", lambda *_: mugs)
    seen: list[list[str]] = []
    real = retrain.train

    def watch(store, *args, ids, **options):
        seen.append(ids["train"])
        return real(store, *args, ids=ids, **options)

    monkeypatch.setattr(retrain, "train", watch)
    return seen


def test_joined_stores_give_what_each_holds(tmp_path: Path) -> None:
    first = filled(FeatureStore(tmp_path / "a", "toy"), "a", 2, "train", ["chair"])
    second = filled(FeatureStore(tmp_path / "b", "toy"), "b", 1, "train", ["mug"])
    joined = FeatureStore.joined([first, second])
    assert joined.ids() == [*first.ids(), *second.ids()] and len(joined) == 3
    for store in (first, second):
        for shape_id, arrays, meta in store:
            assert shape_id in joined and joined.meta(shape_id) == meta
            found, _ = joined.load(shape_id, ["points", "part"])
            assert set(found) == {"points", "part"}
            assert all(np.array_equal(found[name], arrays[name]) for name in found)
    with pytest.raises(AlignPartsError, match="different ids"):
        FeatureStore.joined([first, first])
    with pytest.raises(AlignPartsError, match="nobody"):
        joined.load("nobody")
    with pytest.raises(AlignPartsError, match="for reading"):
        joined.add("new", *toy.shape("mug", 0))


def test_arms_train_on_as_many_shapes_and_differ_in_the_new_ones(loop, watched) -> None:
    for arm in retrain.ARMS:
        retrain.retrain(arm, loop)
    assert [len(ids) for ids in watched] == [6, 6, 6]
    continued, predicted, reviewed = (set(ids) for ids in watched)
    assert [max(Counter(ids).values()) for ids in watched] == [1, 2, 2]
    assert {one.split("-")[0] for one in continued} == {"train"}
    new = {"new-mug0", "new-mug1"}
    assert predicted == reviewed and new < reviewed and reviewed - new < continued
    weights = [AlignParts.from_pretrained(str(retrain.arm_folder(loop.models, arm))) for arm in retrain.ARMS]
    same = [torch.equal(*(one.state_dict()[name] for one in weights[:2])) for name in weights[0].state_dict()]
    assert not all(same)


def test_objects_of_unknown_categories_are_left_out_and_told(tmp_path: Path, capsys) -> None:
    rows = [{name: "x" for name in COLUMNS} | {"shape_id": c, "category": c} for c in ("mug", "fan", "Chair")]
    pd.DataFrame(rows).to_parquet(tmp_path / "index.parquet")
    assert retrain.known_alone(Corpus(tmp_path), toy.vocabulary()).ids() == ["mug", "Chair"]
    assert capsys.readouterr().err == "1 of 3 objects left out, not in the vocabulary: fan\n"
    assert len(retrain.known_alone(Corpus(tmp_path), toy.vocabulary().only(["lamp"]))) == 0


def test_old_shapes_are_drawn_from_all_categories_in_turn(loop) -> None:
    kinds = [one.split("-")[1][:-1] for one in taking_turns(loop.store, "train", 4)]
    assert sorted(kinds[:2]) == sorted(kinds[2:]) == ["chair", "lamp"]
    assert len(taking_turns(loop.store, "train", 99)) == 6


def test_scores_hold_every_shape_once_an_arm(loop, watched) -> None:
    arms = ("before", "continued")
    later = {retrain.LABELS["before"]: retrain.LABELS["predicted"],
             retrain.LABELS["continued"]: retrain.LABELS["reviewed"]}  # fmt: skip
    retrain.retrain("continued", loop)
    scores = retrain.gain_scores(loop, arms)
    counts = scores[scores.metric == "miou"].groupby(["method", "test_set"]).shape_id.agg(["size", "nunique"])
    assert len(counts) == 6 and (counts == 2).all(axis=None)
    found = scores[scores.metric == "category"]
    assert set(found.value) <= {0.0, 1.0} and set(found.test_set) == {retrain.SEEN, retrain.UNSEEN}
    both = pd.concat([scores, scores.assign(method=lambda one: one.method.map(later))])
    tested = retrain.tested_claims(both, resamples=20)
    where = {one.split(", ", 1)[1] for one in tested.metric}
    assert where == {retrain.SEEN, retrain.UNSEEN, retrain.NAMED}
    assert set(tested.better) == {retrain.LABELS["reviewed"]}
    # "reviewed" has the scores of "continued" here, "predicted" those of "before".
    same = tested[tested.worse == retrain.LABELS["continued"]]
    assert len(same) and (same.difference == 0).all() and (same.verdict == "undecided").all()


def test_what_is_missing_names_its_command(loop) -> None:
    with pytest.raises(AlignPartsError, match="dvc repro texparts"):
        retrain.retrain("reviewed", loop)
    with pytest.raises(AlignPartsError, match="dvc repro retrain"):
        retrain.gain_scores(loop, ["reviewed"])
    with pytest.raises(AlignPartsError, match="expected before, continued"):
        retrain.arm_folder(loop.models, "other")


def test_an_export_larger_than_the_training_is_an_error(loop, watched) -> None:
    small = toy.stage(params(shapes=3), loop.store, loop.models)
    with pytest.raises(AlignPartsError, match=r"retrain\.shapes: 3.* holds 2 shapes.* 2 times"):
        retrain.retrain("reviewed", small)
