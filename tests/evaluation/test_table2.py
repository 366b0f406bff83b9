"""Training and scoring what stands beside ALIGN-Parts, on toy shapes."""

from pathlib import Path

import pandas as pd
import pytest
import smoke
import toy

from alignparts.core.config import Params
from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines import fit
from alignparts.evaluation.comparison import COLUMNS
from alignparts.evaluation.experiments.table2 import CLAIMS, TOLD, claims, trained_scores
from alignparts.evaluation.methods import GIVEN, OURS
from alignparts.features.store import FeatureStore

SIZES = {"d_m": 16, "d_f": 16, "K": 8, "k": 6, "heads": 2, "decoder_heads": 2, "layers": 1, "fourier": 3}
SMALL = {"points": 48, "draws": 1, "epochs": 1, "model": {"hidden": 16, "latent": 8, "heads": 2}}


def params(**comparison: object) -> Params:
    return smoke.params(
        **{
            "train": {"points": 48, "epochs": 1, "batch_size": 4, "model": SIZES},
            "evaluate": {"points": 64},
            "comparison": comparison,
            "baselines": {"partfield_mpnet": SMALL},
        }
    )


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    store = FeatureStore(tmp_path / "features", "toy")
    for index in range(12):
        arrays, meta = toy.shape(list(toy.PARTS)[index % 3], index)
        split = ("train", "train", "validation", "test")[index // 3]
        store.add(f"s{index}", arrays, {**meta, "split": split, "dataset": "partnet"})
    store.flush()
    return store


def test_every_method_and_seed_is_scored_and_trained_once(store, tmp_path):
    given = params(methods=["alignparts", "partfield_mpnet"], seeds=[0, 1])
    stage = toy.stage(given, store, tmp_path / "models")
    scores, segments = trained_scores(stage, train_missing=True)
    assert list(scores.columns) == COLUMNS
    seeds = scores.groupby("method").seed.unique().map(sorted).to_dict()
    # The first seed of ALIGN-Parts is the stage "train".
    assert seeds == {OURS: [1], GIVEN: [1], "PartField+MPNet": [0, 1]}
    assert set(segments) == {"PartField+MPNet"} and len(segments["PartField+MPNet"]) == 3
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "models").rglob("*.safetensors")}
    again, _ = trained_scores(stage)
    pd.testing.assert_frame_equal(again, scores)
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "models").rglob("*.safetensors")}


def test_what_is_not_trained_is_said(store, tmp_path):
    stage = toy.stage(params(methods=["partfield_mpnet"]), store, tmp_path)
    with pytest.raises(AlignPartsError, match="partfield_mpnet-0.*dvc repro baselines"):
        trained_scores(stage)
    with pytest.raises(AlignPartsError, match="'other': expected"):
        fit.fit("other", 0, stage)


def test_only_trained_methods_are_compared():
    scores = pd.DataFrame({"method": [OURS, "PartField+MPNet"]})
    assert {(one.better, one.worse) for one in claims(scores)} == {(OURS, "PartField+MPNet")}


def test_the_baselines_are_told_what_the_paper_tells_them():
    assert TOLD == {"find3d": ("category", "names"), "partfield_mpnet": ()}
    assert {claim.better for claim in CLAIMS} == {OURS, GIVEN, "PartField+MPNet"}
