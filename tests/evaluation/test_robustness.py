"""Methods whose weakness is known, on disturbed shapes."""

import numpy as np
import pytest
import smoke
from scored_toy import toy
from tables import encoders, make_corpus, table, vocabulary  # noqa: F401

from alignparts.evaluation.experiments import robustness
from alignparts.evaluation.experiments.confidence import disturbed_parts
from alignparts.evaluation.experiments.robustness import (
    Bench,
    cells,
    disturbed_shape,
    judged,
    robustness_scores,
)
from alignparts.evaluation.methods import Entrant
from alignparts.evaluation.scored_parts import ScoredParts
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
def bench(tmp_path_factory, encoders, vocabulary) -> Bench:
    params = smoke.params(
        features={"views": 2, "resolution": 24}, evaluate={"points": 128},
        generalization={"rotation": [90], "noise": [], "decimation": [0.5], "texture": [1], "shell": []},
    )  # fmt: skip
    corpus = make_corpus(tmp_path_factory.mktemp("corpus"), range(2))
    methods = [Entrant(ByHeight()), Entrant(ByColor())]
    made = Bench(params)
    vars(made).update(
        corpus=corpus, vocabulary=vocabulary, encode=encode, encoders=encoders, entrants=methods
    )
    return made


def test_a_disturbance_hurts_who_depends_on_it_and_no_one_else(bench):
    def score(method, *cell):
        found = judged(disturbed_shape(table(3), cell, bench), cell, bench)
        return found[(found.method == method) & (found.metric == "la_miou")].value.item()

    assert score("by height", "texture", 1.0) == score("by height", "", 0.0) > 0.8
    assert score("by color", "texture", 1.0) < 0.5 < score("by color", "", 0.0)
    assert score("by height", "rotation", 90.0) < 0.8
    assert score("by color", "decimation", 0.5) == pytest.approx(score("by color", "", 0.0), abs=0.15)


def test_the_undisturbed_shape_stands_under_every_disturbance(bench, monkeypatch):
    monkeypatch.setattr(robustness, "_bench", lambda *_: bench)
    ids = bench.corpus.ids()
    scores = robustness_scores(ids, bench)
    assert cells(bench.params) == [("", 0.0), ("rotation", 90), ("decimation", 0.5), ("texture", 1)]
    miou = scores[scores.metric == "miou"]
    counts = miou.groupby(["disturbance", "strength"]).size()
    assert set(counts.index) == {(k, s) for k, v in cells(bench.params)[1:] for s in (0.0, v)}
    assert set(counts) == {len(ids) * len(bench.entrants)}
    plain = miou[miou.strength == 0].groupby(["method", "shape_id"]).value.nunique()
    assert (plain == 1).all()


class Scorer:
    """Scores one part per shape, whose share is the largest color."""

    def score(self, shape):
        table = toy(1, 1).table.assign(shape_id=shape.shape_id, share=shape.arrays["colors"].max())
        return ScoredParts(table)


def test_parts_are_scored_under_every_disturbance(bench, monkeypatch):
    monkeypatch.setattr(robustness, "_bench", lambda *_: bench)
    vars(bench).update(scorer=Scorer())
    sets = disturbed_parts(bench.corpus.ids(), bench)
    noise = [f"noise {strength:g}" for strength in bench.params.confidence.noise]
    assert list(sets) == ["undisturbed", *noise, "no texture"]
    assert all(parts.shapes == bench.corpus.ids() for parts in sets.values())
    plain, bare = (sets[name].table.share for name in ("undisturbed", "no texture"))
    assert (plain != bare).all()
