"""Fitted confidences against what was put in; scored parts against the closed vocabulary itself."""

import numpy as np
import pytest
import torch
from handmade import HandMadeModel
from scored_toy import toy
from sklearn import metrics
from toy import encode, vocabulary

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.calibration import fit, log_loss
from alignparts.evaluation.ground_truth import Labeled
from alignparts.evaluation.scored_parts import RIDGES, PartScorer, ScoredParts, concatenated
from alignparts.naming.confidence import PAPER, Calibration, EvidenceWeights, Statistics
from alignparts.naming.inference import name_parts
from alignparts.naming.prediction import Partlets


def test_the_temperature_that_made_the_names_is_found():
    found = fit(toy(1000, tau=0.2), ridges=[1.0])
    assert found.tau == pytest.approx(0.2, rel=0.1)
    assert found.tau_category is None
    assert found.alpha > 0.95  # the distances say nothing


def test_the_temperature_of_the_category_is_found_too():
    found = fit(toy(1500, tau=0.2, tau_category=0.3), category=True, ridges=[1.0])
    assert found.tau == pytest.approx(0.2, rel=0.2)
    assert found.tau_category == pytest.approx(0.3, rel=0.2)


def test_distances_that_tell_right_from_wrong_get_the_weight():
    one = toy(400, tau=5.0, seed=3)
    near = np.where(one.right, 0.1, 4.0)
    clear = one.table.assign(squared=list(np.repeat(near[:, None], len(RIDGES), 1)))
    found = fit(ScoredParts(clear), ridges=[1.0])
    assert found.alpha < 0.2
    assert found.beta > 5


def test_the_ridge_is_the_one_whose_distances_say_something():
    one = toy(300, tau=5.0, seed=4)
    squared = np.full((len(one.right), len(RIDGES)), 500.0)  # exp(-500): 0 for every part
    squared[:, 4] = np.where(one.right, 0.2, 3.0)
    assert fit(ScoredParts(one.table.assign(squared=list(squared)))).ridge == RIDGES[4]


@pytest.mark.parametrize("category", [False, True])
def test_the_loss_is_that_of_the_confidence_and_fitting_lowers_it(category):
    for seed in range(3):
        one = toy(30, tau_category=0.5, seed=seed)
        found = fit(one, category=category, ridges=[PAPER.ridge])
        before, after = (metrics.log_loss(one.right, one.confidence(each)) for each in (PAPER, found))
        assert after <= before + 1e-4
        x = [np.log(found.tau), found.alpha, found.beta, *([np.log(found.tau_category)] if category else [])]
        given = (
            torch.tensor(one.matrix("cosines")), torch.tensor(one.mahalanobis(PAPER.ridge)),
            torch.tensor(one.right, dtype=torch.float64),
            torch.tensor(one.matrix("categories")) if category else None,
        )  # fmt: skip
        assert float(log_loss(torch.tensor(x, dtype=torch.float64), *given)) == pytest.approx(after)


def test_the_same_parts_give_the_same_values():
    assert fit(toy(20), category=True) == fit(toy(20), category=True)


def test_no_scored_parts_are_an_error():
    with pytest.raises(AlignPartsError, match="no scored parts"):
        concatenated([None])


def test_a_calibration_comes_back_from_its_file(tmp_path):
    found = fit(toy(20), category=True, ridges=[1.0])
    found.save(tmp_path / "calibration.json")
    assert Calibration.load(tmp_path / "calibration.json") == found


def test_confidence_without_a_distance_is_the_softmax():
    one = toy(20)
    said, soft, near = one.confidence(PAPER), one.evidence(PAPER).soft, one.mahalanobis(PAPER.ridge)
    unknown = np.isnan(near)
    assert unknown.any() and not unknown.all()
    fused = 0.5 * soft + 0.5 / (1 + np.exp(-(near - 0.5)))  # Eq. 40
    assert said[~unknown] == pytest.approx(fused[~unknown])
    assert said[unknown] == pytest.approx(soft[unknown])


def statistics(labels, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(24, 24))
    return Statistics(tuple(labels), rng.normal(size=(len(labels), 24)).astype(np.float32),
                      (a @ a.T / 24).astype(np.float32))  # fmt: skip


def partlets(k=3, n=60, seed=1):
    rng = np.random.default_rng(seed)
    mask = rng.uniform(0, 0.4, (k, n)).astype(np.float32)
    mask[np.arange(n) % k, np.arange(n)] = 0.9
    embeddings = encode(["what a mug needs body for", "x", "what a mug needs handle for"])[:k] * 2
    shape = encode(["a thing called mug"])[0] + 0.3 * encode(["a thing called lamp"])[0]
    return Partlets(mask, np.full(k, 0.9, np.float32), embeddings.astype(np.float32), shape, mask.T)


@pytest.mark.parametrize("ridge", [RIDGES[0], RIDGES[3]])
@pytest.mark.parametrize("tau_category", [None, 0.4])
@pytest.mark.parametrize("evidence", [None, EvidenceWeights(weights=(1, -1, 1, 0.5, 0.3, 0.2), bias=0.1)])
def test_scored_parts_have_the_confidence_of_the_pipeline(monkeypatch, ridge, tau_category, evidence):
    words = vocabulary()
    known = statistics([("mug", "body"), ("lamp", "shade")])
    monkeypatch.setattr("alignparts.naming.inference.forward", lambda *_: partlets())
    truth = np.where(np.arange(60) % 3 == 0, 0, 1)
    truth[:10] = -1
    shape = Labeled("one", "toy", "mug", {}, truth, ["body", "handle"], ["body", "handle"])
    found = PartScorer(HandMadeModel(), known, encode, words).score(shape)
    calibration = Calibration(
        tau=0.2, alpha=0.3, beta=4, ridge=ridge, tau_category=tau_category, evidence=evidence
    )
    expected = name_parts(
        partlets(), encode, words, calibration=calibration,
        statistics=Statistics(known.labels, known.mean, known.covariance, ridge),
    )  # fmt: skip
    assert expected.category == "mug"
    assert found.table.name.tolist() == expected.names
    assert found.confidence(calibration) == pytest.approx([part.confidence for part in expected.parts])
    assert found.evidence(calibration).soft == pytest.approx([part.soft for part in expected.parts])
    for part, near in zip(expected.parts, found.mahalanobis(ridge), strict=True):
        assert (part.mahalanobis is None and np.isnan(near)) or part.mahalanobis == pytest.approx(near)
    for row in found.table.itertuples():
        points = expected.point_part == expected.names.index(row.name)
        counts = [int((points & (truth == one)).sum()) for one in (0, 1)]
        assert row.truth == ["body", "handle"][int(np.argmax(counts))]
        inside = max(counts)
        labeled = points & (truth >= 0)
        union = int((labeled | (truth == int(np.argmax(counts)))).sum())
        assert row.iou == pytest.approx(inside / union)
    assert (found.table.right == (found.table.name == found.table.truth)).all()


def test_without_a_fitted_category_the_paper_s_confidence_stays():
    for part in name_parts(partlets(), encode, vocabulary()).parts:
        assert part.confidence == part.soft


def test_some_shapes_are_all_their_parts():
    one = toy(5)
    assert set(one.of(["shape-0001", "shape-0003"]).table.shape_id) == {"shape-0001", "shape-0003"}
    assert len(one.of(["shape-0001"]).matrix("cosines")) == 4
    both = concatenated([one.of(["shape-0001"]), None, one.of(["shape-0003"])])
    assert both.table.equals(one.of(["shape-0003", "shape-0001"]).table)
