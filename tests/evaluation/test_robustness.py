"""Methods whose weakness is known, on disturbed shapes."""

from pathlib import Path

import numpy as np
import pytest
import smoke
from tables import encoders, make_corpus, table, vocabulary  # noqa: F401

from alignparts.evaluation.experiments import robustness
from alignparts.evaluation.experiments.robustness import Known, cells, judged, robustness_scores
from alignparts.evaluation.methods import Entrant
from alignparts.naming.prediction import Prediction

NAMES = ["leg", "table_top"]


class ByHeight:
    """The table top is what lies high."""

    label = "by height"

    def predict(self, arrays, given):
        return Prediction.of_names((arrays["points"][:, 1] > 0.3).astype(np.int64), NAMES)


class ByColor:
    """The table top is what has the color of the topmost point."""

    label = "by color"

    def predict(self, arrays, given):
        top = arrays["colors"][arrays["points"][:, 1].argmax()]
        return Prediction.of_names(
            (np.abs(arrays["colors"] - top).max(axis=1) < 1e-3).astype(np.int64), NAMES
        )


def encode(texts):
    return np.eye(8, dtype=np.float32)[[len(text) % 8 for text in texts]]


@pytest.fixture(scope="module")
def known(tmp_path_factory, encoders, vocabulary) -> Known:
    params = smoke.params(
        features={"views": 2, "resolution": 24}, evaluate={"points": 128},
        generalization={"rotation": [90], "noise": [], "decimation": [0.5], "texture": [1]},
    )  # fmt: skip
    corpus = make_corpus(tmp_path_factory.mktemp("corpus"), range(2))
    methods = [Entrant(ByHeight()), Entrant(ByColor())]
    return Known(params, corpus, vocabulary, encode, encoders, methods)


def test_a_disturbance_hurts_who_depends_on_it_and_no_one_else(known):
    def score(method, *cell):
        found = judged(table(3), cell, known)
        return found[(found.method == method) & (found.metric == "la_miou")].value.item()

    assert score("by height", "texture", 1.0) == score("by height", "", 0.0) > 0.8
    assert score("by color", "texture", 1.0) < 0.5 < score("by color", "", 0.0)
    assert score("by height", "rotation", 90.0) < 0.8
    assert score("by color", "decimation", 0.5) == pytest.approx(score("by color", "", 0.0), abs=0.15)


def test_the_undisturbed_shape_stands_under_every_disturbance(known, monkeypatch):
    monkeypatch.setattr(robustness, "_loaded", lambda *_: known)
    ids = known.corpus.ids()
    scores = robustness_scores(ids, known.params, Path("unused"), Path("unused"))
    assert cells(known.params) == [("", 0.0), ("rotation", 90), ("decimation", 0.5), ("texture", 1)]
    miou = scores[scores.metric == "miou"]
    counts = miou.groupby(["disturbance", "strength"]).size()
    assert set(counts.index) == {(k, s) for k, v in cells(known.params)[1:] for s in (0.0, v)}
    assert set(counts) == {len(ids) * len(known.methods)}
    plain = miou[miou.strength == 0].groupby(["method", "shape_id"]).value.nunique()
    assert (plain == 1).all()
