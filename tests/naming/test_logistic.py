"""All evidence as one probability: the same in bulk and part by part, and better the more it has to see."""

from dataclasses import replace

import numpy as np
import pytest
from scored_toy import toy
from sklearn.metrics import log_loss

from alignparts.evaluation.calibration import BASE, fit_evidence
from alignparts.naming.confidence import FAR, PREDICTORS, Calibration, Evidence, EvidenceWeights, Promise
from alignparts.naming.inference import calibrated
from alignparts.naming.prediction import PredictedPart, Prediction

ONE = np.array([0.3])


def predictors(category: float = 1.0, **changed: np.ndarray) -> np.ndarray:
    given = dict.fromkeys(("soft", "mahalanobis", "partness", "mask_confidence", "share"), ONE) | changed
    return Evidence(category=np.array([category]), **given).predictors()[0]


def test_predictors_are_those_written_out() -> None:
    odds = np.log(0.3 / 0.7)
    expected = [odds, np.log(-np.log(0.3)), np.log(0.999 / 0.001), odds, odds, np.log(0.3)]
    assert predictors() == pytest.approx(expected)
    assert len(PREDICTORS) == len(expected)


def test_what_is_unknown_or_far_off_counts_as_far() -> None:
    for one in (np.nan, 0.0):
        assert predictors(mahalanobis=np.array([one]))[1] == pytest.approx(np.log(FAR))
    one, zero = np.array([1.0]), np.array([0.0])
    assert np.isfinite(predictors(soft=one, share=zero, mahalanobis=one)).all()


def test_the_fit_is_the_best_near_it() -> None:
    judged = toy(120, tau=0.05)
    found = fit_evidence(BASE, judged).evidence
    assert found is not None
    values = judged.evidence(BASE).predictors()
    best = log_loss(judged.right, found.probability(values))
    assert best < log_loss(judged.right, np.full(len(judged.right), judged.right.mean()))
    assert found.weights[PREDICTORS.index("share")] == 0  # always the same here
    # Up to the little that the fit is held back by its penalty.
    for place in range(len(PREDICTORS)):
        for step in (-0.5, 0.5):
            weights = list(found.weights)
            weights[place] += step
            other = EvidenceWeights(weights=tuple(weights), bias=found.bias)
            assert log_loss(judged.right, other.probability(values)) > best - 5e-3


def test_names_that_are_all_wrong_are_never_trusted() -> None:
    judged = toy(5)
    wrong = replace(judged, table=judged.table.assign(right=False))
    assert (wrong.confidence(fit_evidence(BASE, wrong)) < 0.01).all()
    assert (wrong.confidence(fit_evidence(BASE, toy(60))) >= 0).all()


def part(name: str, mahalanobis: float | None) -> PredictedPart:
    return PredictedPart(name, "", 0.5, 0.9, 0, soft=0.7, mahalanobis=mahalanobis, mask_confidence=0.8)


def test_a_prediction_is_weighed_part_by_part() -> None:
    evidence = EvidenceWeights(weights=(0.5, -0.1, 0.4, 0.3, 0.2, 0.6), bias=1.0)
    promise = Promise(above=0.6, error=0.1, certainty=0.9, shapes=50)
    calibration = Calibration(evidence=evidence, promise=promise, tau_category=0.07)
    prediction = Prediction(np.array([0, 0, 0, 1, -1]), [part("seat", 0.2), part("leg", None)], "chair")
    found = calibrated(prediction, calibration, 0.6)
    for index, (one, share) in enumerate(zip(found.parts, (0.75, 0.25), strict=True)):
        known = prediction.parts[index].mahalanobis
        values = Evidence(
            np.array([0.7]), np.array([np.nan if known is None else known]), np.array([0.6]),
            np.array([0.9]), np.array([0.8]), np.array([share]),
        )  # fmt: skip
        assert one.confidence == pytest.approx(float(evidence.probability(values.predictors())[0]))
        assert one.accepted == (one.confidence > 0.6)
    assert (found.point_part == prediction.point_part).all() and found.category == "chair"


def test_without_evidence_it_is_eq_40_times_the_category() -> None:
    prediction = Prediction(np.array([0, 1, -1]), [part("seat", 0.2), part("leg", None)], "chair")
    found = calibrated(prediction, Calibration(alpha=0.3, beta=2), 0.6)
    fused = 0.3 * 0.7 + 0.7 / (1 + np.exp(-2 * (0.2 - 0.5)))
    assert [one.confidence for one in found.parts] == pytest.approx([0.6 * fused, 0.6 * 0.7])
    nothing = Prediction(np.array([-1]), [], "chair")
    assert calibrated(nothing, fit_evidence(BASE, toy(30)), 0.6) == replace(nothing)
