"""Zero-shot and few-shot scores on toy shapes; methods on disturbed shapes."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import smoke
import torch
import toy

from alignparts.core.config import Params
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.experiments import generalization
from alignparts.evaluation.ground_truth import one_a_category
from alignparts.evaluation.methods import OURS
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts
from alignparts.model.train import train

SIZES = {"d_m": 16, "d_f": 16, "K": 8, "k": 6, "heads": 2, "decoder_heads": 2, "layers": 1, "fourier": 3}


def params(**changed: object) -> Params:
    return smoke.params(**{
        "train": {"points": 48, "epochs": 1, "batch_size": 4, "lr_min": 0, "model": SIZES},
        "evaluate": {"points": 64, "bootstrap": 20},
        "generalization": {"shots": [1, 2], "steps": 3, **changed},
    })  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> FeatureStore:
    """Chairs and lamps to train on and to remember, mugs that are held out."""
    store = FeatureStore(tmp_path_factory.mktemp("generalization") / "features", "toy")
    splits = {"train": 2, "test": 2, "heldout": 4}
    for split, count in splits.items():
        for category in ["mug"] if split == "heldout" else ["chair", "lamp"]:
            for index in range(count):
                arrays, meta = toy.shape(category, index)
                store.add(
                    f"{split}-{category}{index}", arrays, {**meta, "split": split, "dataset": "partnet"}
                )
    store.flush()
    return store


@pytest.fixture(scope="module")
def models(store, tmp_path_factory) -> Path:
    models = tmp_path_factory.mktemp("models")
    train(store, toy.vocabulary(), toy.encode, params().train, models / "alignparts", statistics=False)
    return models


def tuned(store, models, shots=1, half=0, **changed):
    if shots:
        generalization.fine_tune(shots, half, toy.stage(params(**changed), store, models))
    return generalization.load(shots, half, models).state_dict()


def test_the_halves_share_no_shape_and_hold_all(store):
    first, second = (set(chain(*half)) for half in generalization.halves(store))
    assert not first & second and first | second == {f"heldout-mug{index}" for index in range(4)}


def test_fine_tuning_starts_from_the_trained_weights(store, models, tmp_path):
    start = AlignParts.from_pretrained(str(models / "alignparts")).state_dict()
    for name, value in tuned(store, models, lr=1e-30).items():
        assert torch.allclose(value, start[name], atol=1e-6), name
    moved = tuned(store, models, lr=1e-2)
    assert any(not torch.allclose(value, start[name], atol=1e-3) for name, value in moved.items())
    none = tuned(store, models, shots=0)
    assert all(torch.equal(none[name], value) for name, value in start.items())


def test_a_model_is_never_scored_on_what_it_saw(store, models, monkeypatch):
    seen, real = [], generalization.train

    def watched(*args, ids, **options):
        seen.append(set(ids["train"]))
        return real(*args, ids=ids, **options)

    monkeypatch.setattr(generalization, "train", watched)
    for half, own in enumerate(generalization.halves(store)):
        for shots in (1, 2):
            tuned(store, models, shots, half)
            assert not seen[-1] & set(chain(*own)) and len(seen[-1]) == shots
        assert seen[-2] < seen[-1]


def test_scores_hold_every_shape_once_a_number_of_shots(store, models):
    stage = toy.stage(params(), store, models)
    generalization.fine_tune_missing(stage)
    remembered = one_a_category(store)
    assert [one.split("-")[1][:-1] for one in remembered] == ["chair", "lamp"]
    scores = generalization.shot_scores(stage, remembered)
    counts = scores[scores.metric == "miou"].groupby(["method", "test_set"]).shape_id.agg(["size", "nunique"])
    assert set(counts.index.get_level_values(0)) == {OURS, f"{OURS}, 1 shot", f"{OURS}, 2 shots"}
    assert (counts.xs("heldout", level=1) == 4).all(axis=None)
    assert (counts.xs("seen", level=1) == 2).all(axis=None)
    assert np.isfinite(scores.value).all()


def test_a_category_with_fewer_shapes_gives_what_it_has(store, models):
    two, more = (tuned(store, models, shots) for shots in (2, 9))
    assert all(torch.equal(value, more[name]) for name, value in two.items())


def test_what_was_not_fine_tuned_names_its_command(models):
    with pytest.raises(AlignPartsError, match="dvc repro few_shots"):
        generalization.load(7, 0, models)


def test_fine_tuning_to_another_size_is_an_error(store, models, tmp_path):
    other = params().train.over({"model": {"K": 4}})
    start = AlignParts.from_pretrained(str(models / "alignparts"))
    with pytest.raises(AlignPartsError, match="fine-tuning"):
        train(store, toy.vocabulary(), toy.encode, other, tmp_path, start=start)
