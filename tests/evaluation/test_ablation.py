"""Variants of the training, the findings of Table 3 and the points of its curves."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import smoke
import toy

from alignparts.core import paths
from alignparts.core.config import Params, load_params
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import STATE, Trainer
from alignparts.evaluation.comparison import COLUMNS
from alignparts.evaluation.experiments.ablation import (
    ablate,
    ablate_all,
    claims,
    collect,
    curves,
    shapes_of,
    share,
    train_params,
)
from alignparts.features.store import FeatureStore
from alignparts.model.alignparts import AlignParts

SIZES = {"d_m": 16, "d_f": 16, "K": 8, "k": 6, "heads": 2, "decoder_heads": 2, "layers": 1, "fourier": 3}


def params(**ablation_block: object) -> Params:
    return smoke.params(
        **{
            "train": {"points": 48, "epochs": 3, "batch_size": 4, "model": SIZES},
            "evaluate": {"points": 64},
            "ablation": {"rows": ["full", "base"], "curves": [], "train": {"epochs": 1}} | ablation_block,
            "ablations": {
                "full": {"label": "ALIGN-Parts"},
                "base": {"label": "Base Model", "model": {"fusion": "geometry"}, "loss": {"text": 0}},
                "half": {"label": "half", "share": 0.5},
            },
        }
    )


def test_a_variant_changes_what_it_names_and_nothing_else() -> None:
    given = params()
    full, base = train_params(given, "full"), train_params(given, "base")
    assert full == given.train.model_copy(update={"epochs": 1})
    assert (base.model.fusion, base.loss.text) == ("geometry", 0)
    assert base.model.model_copy(update={"fusion": "bico"}) == full.model
    assert base.loss.model_copy(update={"text": 1.0}) == full.loss


def test_unknown_variant_names_those_there_are() -> None:
    with pytest.raises(AlignPartsError, match="no 'other'; expected one of full, base, half"):
        train_params(params(), "other")


def test_the_papers_rows_are_there() -> None:
    shipped = load_params(paths.ROOT / "params.yaml")
    assert len(shipped.ablation.rows) == 7 and len(shipped.ablation.seeds) == 3
    own = [name for name in shipped.ablation.rows if shipped.ablations[name].baseline is None]
    assert set(shipped.ablation.rows) - set(own) == {"partfield_mpnet"}
    rows = {name: train_params(shipped, name) for name in own}
    terms = {name: (one.loss.text > 0, one.loss.cov > 0, one.loss.overlap > 0) for name, one in rows.items()}
    assert terms["full"] == (True, True, True)
    assert terms["no_cov_ov"] == (True, False, False)
    assert all(terms[name] == (False, False, False) for name in rows if name not in ("full", "no_cov_ov"))
    fusions = {name: one.model.fusion for name, one in rows.items()}
    assert fusions == {
        "base": "geometry", "no_cov_ov_txt": "bico", "no_cov_ov": "bico", "geo_input": "points",
        "concat": "concat", "full": "bico",
    }  # fmt: skip


def test_shares_are_nested_and_of_their_size() -> None:
    ids = [f"s{number}" for number in range(40)]
    found = [share(ids, part, 3) for part in (0.01, 0.25, 0.5, 1.0)]
    assert [len(one) for one in found] == [1, 10, 20, 40]
    for small, large in pairwise(found):
        assert set(small) < set(large)
    assert found[-1] == ids and share(ids, 0.25, 4) != found[1]


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    store = FeatureStore(tmp_path / "features", "toy", shard=4)
    for index in range(12):
        arrays, meta = toy.shape(list(toy.PARTS)[index % 3], index)
        split = ("train", "train", "validation", "test")[index // 3]
        store.add(f"s{index}", arrays, {**meta, "split": split, "dataset": "partnet"})
    store.flush()
    return store


def test_an_item_trains_scores_and_repeats(store: FeatureStore, tmp_path: Path) -> None:
    given = params(categories=["chair", "mug"])
    stage = toy.stage(given, store, tmp_path / "models")
    with pytest.raises(AlignPartsError, match=r"rows-\d.*: no scores.csv.*dvc repro ablations"):
        collect("rows", stage)
    scores = ablate("base", 1, stage)
    assert list(scores.columns) == COLUMNS
    assert set(scores.method) == {"Base Model"} and set(scores.seed) == {1}
    assert set(scores.category) == {"chair", "mug"} and scores.shape_id.nunique() == 2
    assert scores.value.between(0, 1).all()
    folder = stage.models / "ablations" / "rows-1" / "base"
    assert AlignParts.from_pretrained(folder).config.fusion == "geometry"
    pd.testing.assert_frame_equal(pd.read_csv(folder / "scores.csv"), scores, atol=1e-6)
    again = ablate("base", 1, toy.stage(given, store, tmp_path / "again"))
    pd.testing.assert_frame_equal(again, scores)


def test_a_killed_item_does_not_train_its_finished_variants_again(
    store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = toy.stage(params(categories=["chair", "mug"], seeds=[0]), store, tmp_path / "models")
    steps: list[int] = []
    real = Trainer._step
    monkeypatch.setattr(
        Trainer, "_step", lambda self, *given: (steps.append(self.epoch), real(self, *given))[1]
    )
    ablate("full", 0, stage)
    one = len(steps)
    ablate_all("rows", 0, stage)  # full and base
    assert len(steps) == 2 * one > 0
    assert not list(stage.models.rglob(STATE))
    assert set(collect("rows", stage).method) == {"ALIGN-Parts", "Base Model"}


def test_only_the_chosen_categories_are_shapes_of_it(store: FeatureStore) -> None:
    vocabulary = toy.vocabulary()
    assert len(shapes_of(store, "train", vocabulary)) == 6
    few = vocabulary.only(["mug"])
    assert few.categories == ["mug"] and not few.has("chair")
    kept = shapes_of(store, "train", few)
    assert [store.meta(one)["category"] for one in kept] == ["mug", "mug"]
    assert vocabulary.only([]).categories == vocabulary.categories
    assert np.array_equal(sorted(kept), kept)


def test_the_papers_findings_are_all_claimed() -> None:
    found = {(one.better, one.worse) for one in claims(load_params(paths.ROOT / "params.yaml"))}
    assert found == {
        ("ALIGN-Parts", "No L_cov, L_ov"),
        ("No L_cov, L_ov", "No L_cov, L_ov, L_txt"),
        ("ALIGN-Parts", "Feature Concat"),
        ("ALIGN-Parts", "Geo Input Only"),
        ("ALIGN-Parts", "Base Model"),
        ("ALIGN-Parts", "PartField+MPNet"),
    }


def test_rows_that_are_not_trained_are_not_claimed() -> None:
    given = smoke.params(ablations={"full": {"label": "ours"}}, ablation={"rows": ["full"], "curves": []})
    assert claims(given) == []


def test_a_curve_goes_through_the_full_model_in_order() -> None:
    given = smoke.params(
        **{
            "ablation": {"rows": ["full"], "curves": ["more", "few"], "train": {"model": {"K": 9}}},
            "ablations": {
                "full": {"label": "ours"},
                "more": {"label": "K = 20", "setting": "K", "value": 20, "model": {"K": 20}},
                "few": {"label": "a quarter", "setting": "shapes", "value": 0.25, "share": 0.25},
            },
        }
    )
    assert {name: list(one.items()) for name, one in curves(given).items()} == {
        "K": [("ours", 9.0), ("K = 20", 20.0)],
        "shapes": [("a quarter", 0.25), ("ours", 1.0)],
    }


def test_every_shipped_point_says_what_it_changes() -> None:
    shipped = load_params(paths.ROOT / "params.yaml")
    for name in shipped.ablation.curves:
        one = shipped.ablations[name]
        assert one.value == (one.share if one.setting == "shapes" else one.model[one.setting])
