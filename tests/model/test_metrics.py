"""Metrics against known answers, naive loops and their own properties."""

import numpy as np
import pytest

from alignparts.core.errors import AlignPartsError
from alignparts.model.metrics import iou_matrix, label_iou, shape_metrics

COSINES = np.array([[1.0, 0.6, -0.3], [0.6, 1.0, 0.2], [-0.3, 0.2, 1.0]])
WORDS = ["leg", "seat", "back"]


def similarity(first, second):
    return np.array([[COSINES[WORDS.index(a), WORDS.index(b)] for b in second] for a in first])


def naive(predicted, pred_names, truth, gt_names):
    """The definitions, point by point and part by part."""
    points = [i for i in range(len(truth)) if truth[i] >= 0]
    scores = []
    for part, name in enumerate(gt_names):
        inside = {i for i in points if truth[i] == part}
        if not inside:
            continue
        best, best_iou = 0, 0.0
        for segment in range(len(pred_names)):
            chosen = {i for i in points if predicted[i] == segment}
            iou = len(inside & chosen) / len(inside | chosen)
            if iou > best_iou:
                best, best_iou = segment, iou
        cosine = max(0.0, COSINES[WORDS.index(name), WORDS.index(pred_names[best])])
        scores.append((best_iou, best_iou * (name == pred_names[best]), best_iou * cosine))
    return np.mean(scores, axis=0)


def test_eight_points_by_hand():
    truth = np.array([0, 0, 0, 0, 1, 1, 2, -1])
    predicted = np.array([0, 0, 0, 1, 1, 1, -1, 2])
    values = shape_metrics(predicted, ["leg", "back", "seat"], truth, ["leg", "seat", "back"], similarity)
    # leg: 3/4 by "leg"; seat: 2/3 by "back" (cosine 0.2); back: nothing. The last point counts nowhere.
    assert values["miou"] == pytest.approx((3 / 4 + 2 / 3) / 3)
    assert values["la_miou"] == pytest.approx((3 / 4) / 3)
    assert values["rla_miou"] == pytest.approx((3 / 4 + 2 / 3 * 0.2) / 3)
    assert values["label_iou"] == pytest.approx((3 / 4) / 3)


@pytest.mark.parametrize("seed", range(60))
def test_equals_naive_loops_and_keeps_its_order(seed):
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(-1, 3, 25), rng.integers(-1, 3, 25)
    truth[0] = 0
    pred_names = [WORDS[i] for i in rng.permutation(3)]
    values = shape_metrics(predicted, pred_names, truth, WORDS, similarity)
    expected = naive(predicted, pred_names, truth, WORDS)
    assert [values["miou"], values["la_miou"], values["rla_miou"]] == pytest.approx(expected)
    assert values["la_miou"] <= values["rla_miou"] + 1e-12 <= values["miou"] + 2e-12


@pytest.mark.parametrize("seed", range(30))
def test_does_not_depend_on_the_order_of_points_or_parts(seed):
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(0, 3, 30), rng.integers(-1, 3, 30)
    order, renumber = rng.permutation(30), rng.permutation(3)
    names = [""] * 3
    for old, new in enumerate(renumber):
        names[new] = WORDS[old]
    first = shape_metrics(predicted, WORDS, truth, WORDS, similarity)["miou"]
    second = shape_metrics(predicted[order], WORDS, renumber[truth[order]], names, similarity)["miou"]
    assert first == pytest.approx(second)


def test_perfect_and_empty_predictions():
    truth = np.array([0, 0, 1, 1])
    assert shape_metrics(truth, WORDS[:2], truth, WORDS[:2], similarity) == {
        "miou": 1.0, "la_miou": 1.0, "rla_miou": 1.0, "label_iou": 1.0,
    }  # fmt: skip
    nothing = shape_metrics(np.full(4, -1), [], truth, WORDS[:2], similarity)
    assert set(nothing.values()) == {0.0}
    assert shape_metrics(np.full(4, -1), 0, truth, WORDS[:2]) == {"miou": 0.0}


def test_one_segment_may_serve_two_parts():
    truth = np.array([0, 0, 1, 1])
    values = shape_metrics(np.zeros(4, int), ["leg"], truth, ["leg", "seat"])
    assert values["miou"] == 0.5
    assert values["la_miou"] == 0.25


def test_ties_go_to_the_lowest_segment():
    truth = np.array([0, 0])
    assert shape_metrics(np.array([0, 1]), ["leg", "seat"], truth, ["leg"])["la_miou"] == 0.5
    assert shape_metrics(np.array([0, 1]), ["seat", "leg"], truth, ["leg"])["la_miou"] == 0.0


def test_label_iou_joins_equal_names_and_skips_empty_unions():
    truth = np.array([0, 0, 1, 1])
    assert label_iou(np.array([0, 1, 2, 2]), ["leg", "leg", "seat"], truth, ["leg", "seat", "back"]) == 1.0


def test_iou_of_no_overlap_is_zero():
    assert iou_matrix(np.array([[0, 0, 2]])).tolist() == [[0.0, 0.0]]


def test_bad_labels_are_errors():
    with pytest.raises(AlignPartsError, match="no point has"):
        shape_metrics(np.array([0]), ["leg"], np.array([-1]), ["leg"])
    with pytest.raises(AlignPartsError, match="beyond"):
        shape_metrics(np.array([1]), ["leg"], np.array([0]), ["leg"])
    with pytest.raises(AlignPartsError, match="2 predicted labels for 1"):
        shape_metrics(np.array([0, 0]), ["leg"], np.array([0]), ["leg"])
