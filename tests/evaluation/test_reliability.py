"""Figures of reliability against naive loops and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from alignparts.evaluation.reliability import (
    Confidences,
    expected_calibration_error,
    intervals,
    reliability_bins,
    risk_coverage,
    scores,
)


def drawn(n, seed=0, levels=None):
    rng = np.random.default_rng(seed)
    said = rng.random(n)
    if levels:
        said = np.floor(said * levels) / levels + 0.01
    return said, rng.random(n) < said


@pytest.mark.parametrize("n", [1, 7, 203])
def test_ece_is_that_of_a_loop(n):
    said, right = drawn(n)
    order = sorted(range(n), key=lambda one: said[one])
    size, rest = divmod(n, 10)
    total, start = 0.0, 0
    for number in range(10):
        own = order[start : start + size + (number < rest)]
        start += len(own)
        if own:
            total += abs(sum(said[one] for one in own) - sum(right[one] for one in own))
    assert expected_calibration_error(said, right) == pytest.approx(total / n)


def test_bins_hold_equally_many_parts():
    bins = reliability_bins(*drawn(100))
    assert bins.parts.tolist() == [10] * 10
    assert bins.confidence.is_monotonic_increasing


def test_what_means_what_it_says_has_a_small_ece():
    said, right = drawn(20000)
    assert expected_calibration_error(said, right) < 0.02
    assert expected_calibration_error(np.sqrt(said), right) > 0.1


@pytest.mark.parametrize("levels", [None, 5])
def test_figures_are_those_of_scikit_learn(levels):
    said, right = drawn(150, levels=levels)
    found = scores(said, right)
    assert found["auroc"] == pytest.approx(roc_auc_score(right, said))
    assert found["brier"] == pytest.approx(brier_score_loss(right, said))
    assert found["log_loss"] == pytest.approx(log_loss(right, said))
    assert found["wrong"] == pytest.approx(1 - right.mean())


def test_a_perfect_ranking_has_an_auroc_of_1_and_accepts_the_right_ones_first():
    right = np.array([True, False, True, True, False])
    assert scores(right * 0.5 + 0.1, right)["auroc"] == 1
    coverage, risk = risk_coverage(right * 0.5 + 0.1, right)
    assert coverage.tolist() == [0.2, 0.4, 0.6, 0.8, 1]
    assert risk.tolist() == pytest.approx([0, 0, 0, 1 / 4, 2 / 5])


def test_equal_confidences_say_nothing():
    right = np.array([True, False, True, False])
    same = np.full(4, 0.3)
    assert scores(same, right)["auroc"] == 0.5
    assert risk_coverage(same, right)[1] == pytest.approx([0.5] * 4)


def test_risk_with_ties_is_the_mean_over_random_orders():
    said, right = drawn(40, levels=4)
    rng = np.random.default_rng(1)
    curves = []
    for _ in range(4000):
        shuffled = rng.permutation(40)
        order = shuffled[np.argsort(-said[shuffled], kind="stable")]
        curves.append(np.cumsum(~right[order]) / np.arange(1, 41))
    assert risk_coverage(said, right)[1] == pytest.approx(np.mean(curves, axis=0), abs=0.03)


def test_where_no_name_is_wrong_there_is_no_auroc():
    assert np.isnan(scores(np.array([0.2, 0.3]), np.array([True, True]))["auroc"])


def test_intervals_resample_shapes():
    said, right = drawn(400, seed=2)
    alone = intervals(Confidences(said, right, np.arange(400)), resamples=100)
    four = np.repeat(np.arange(400), 4)
    copies = intervals(Confidences(said[four], right[four], four), resamples=100)
    # Copies of a part within its shape add nothing.
    for name in ("brier", "auroc"):
        assert copies[name].value == pytest.approx(alone[name].value)
        assert copies[name].high - copies[name].low == pytest.approx(alone[name].high - alone[name].low)
        assert alone[name].low < alone[name].value < alone[name].high
    assert copies["ece"].n == 400
