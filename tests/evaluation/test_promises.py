"""Promises on names whose risk is known."""

from dataclasses import replace

import numpy as np
import pytest
from scored_toy import toy

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.calibration import (
    calibrate,
    check,
    errors_above,
    outcome,
    p_value,
    promise,
    sequence,
    split,
)
from alignparts.evaluation.reliability import Confidences
from alignparts.naming.confidence import PAPER, Calibration, Promise


def drawn(shapes, seed, chance=lambda said: said, parts=3):
    """Names that are right with a known chance, given what is said of them."""
    rng = np.random.default_rng(seed)
    said = rng.random(shapes * parts)
    right = rng.random(shapes * parts) < chance(said)
    return Confidences(said, right, np.repeat(np.arange(shapes), parts))


def sharp(said):
    """Nearly all right above 0.4, nearly none below."""
    return np.where(said > 0.4, 0.99, 0.05)


def true_errors(chance):
    """Of any threshold, by a large sample."""
    grid = np.linspace(0, 0.99, 100)
    found = np.nanmean(errors_above(drawn(20000, 99, chance), grid), axis=0)
    return lambda above: 0.0 if above == 1 else float(np.interp(above, grid, found))


def test_errors_above_are_those_of_a_loop():
    named = drawn(12, 0)
    for threshold in (0.0, 0.5, 0.9, 1.0):
        found = errors_above(named, np.array([threshold]))[:, 0]
        for shape in range(12):
            own = (named.shape == shape) & (named.confidence > threshold)
            assert np.isnan(found[shape]) if not own.any() else found[shape] == (~named.right[own]).mean()


def test_p_is_that_of_a_loop():
    errors = np.array([0, 0.5, 0, 0, 0.25, 0, 0])
    capital, most, total, squares = 1.0, 0.0, 0.1, 0.09
    for number, one in enumerate(errors.tolist()):
        stake = min(1, np.sqrt(2 * np.log(10) / (7 * squares / (number + 1))))
        capital *= 1 + stake * (0.1 - one)
        most = max(most, capital)
        total += one
        squares += (one - total / (number + 2)) ** 2
    assert p_value(errors, 0.1, 0.1) == pytest.approx(min(1 / most, 1))
    assert p_value(np.append(errors, np.nan), 0.1, 0.1) == p_value(errors, 0.1, 0.1)
    assert p_value(np.array([np.nan]), 0.1, 0.1) == 1


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_p_is_seldom_small_where_the_mean_is_what_was_promised(share):
    rng = np.random.default_rng(0)
    errors = share * (rng.random((2000, 90)) < 0.1 / share)
    small = np.mean([p_value(one, 0.1, 0.1) <= 0.1 for one in errors])
    assert 0.01 < small < 0.1 + 0.015


def test_flawless_shapes_convince_and_faulty_ones_do_not():
    assert p_value(np.zeros(48), 0.05, 0.1) < 0.1 < p_value(np.zeros(40), 0.05, 0.1)
    assert p_value(np.full(90, 0.2), 0.05, 0.1) == 1


@pytest.mark.parametrize("chance", [sharp, lambda said: said**0.25, lambda said: np.full_like(said, 0.93)])
def test_a_promise_is_kept_as_often_as_it_says(chance):
    falling, error_of = sequence(drawn(150, 1000, chance), 0.1), true_errors(chance)
    made = [promise(drawn(150, seed, chance), falling, error=0.1, certainty=0.9).above for seed in range(100)]
    kept, accepted = [error_of(above) <= 0.1 for above in made], [above < 1 for above in made]
    assert np.mean(kept) >= 0.9
    if chance is sharp:
        assert np.mean(accepted) > 0.9


def test_confidence_that_says_nothing_accepts_nothing():
    for seed in range(20):
        falling = sequence(drawn(150, 500 + seed, lambda said: 0.6 + 0 * said), 0.1)
        fresh = drawn(150, seed, lambda said: 0.6 + 0 * said)
        made = promise(fresh, falling, error=0.1, certainty=0.9)
        assert made.above == 1


def test_a_larger_error_or_a_smaller_certainty_never_accepts_less():
    known, fresh = drawn(200, 0, sharp), drawn(200, 1, sharp)
    by_error = [
        promise(fresh, sequence(known, one), error=one, certainty=0.9).above
        for one in (0.02, 0.05, 0.1, 0.2, 0.4)
    ]
    assert by_error == sorted(by_error, reverse=True)
    falling = sequence(known, 0.1)
    by_certainty = [promise(fresh, falling, error=0.1, certainty=one).above for one in (0.99, 0.9, 0.5)]
    assert by_certainty == sorted(by_certainty, reverse=True)


def test_few_shapes_promise_nothing():
    def flawless(shapes):
        return Confidences(np.linspace(0.5, 1, shapes), np.ones(shapes, bool), np.arange(shapes))

    # The part at the threshold itself is not accepted.
    for shapes, above in ((40, 1), (60, 0.5)):
        falling = sequence(flawless(shapes), 0.05)
        assert promise(flawless(shapes), falling, error=0.05, certainty=0.9).above == above


def test_the_sequence_falls_and_starts_where_there_is_something_to_see():
    found = sequence(drawn(200, 0, sharp), 0.1)
    assert (np.diff(found) < 0).all()
    assert 0.3 < found[0] < 0.7


def test_one_shape_cannot_be_split():
    with pytest.raises(AlignPartsError, match="at least 2 shapes"):
        split(["one"], 0.5, 0)


def test_a_split_shares_no_shape_and_loses_none():
    shapes = [f"{index}" for index in range(11)]
    first, second = split(shapes, 0.3, 5)
    assert sorted([*first, *second]) == sorted(shapes)
    assert len(first) == 3
    assert split(shapes[::-1], 0.3, 5) == (first, second)
    assert all(split(["a", "b"], share, 0) for share in (0.01, 0.99))


def test_calibrating_promises_on_every_shape_and_fits_to_none():
    training, judged = toy(80, tau=0.05, seed=1), toy(60, tau=0.05, seed=2)
    calibration, made = calibrate(training, judged, errors=[0.1, 0.6], certainty=0.9)
    assert made[0].shapes == made[1].shapes == 60
    assert made[0].above >= made[1].above
    assert calibration.promise is None
    flipped = replace(judged, table=judged.table.assign(right=~judged.right))
    assert calibrate(training, flipped, errors=[0.1], certainty=0.9)[0] == calibration


def test_what_comes_of_a_promise():
    judged = toy(10)
    everything = Promise(above=0, error=0.5, certainty=0.9, shapes=1)
    found = outcome(judged, PAPER, everything)
    assert found["accepted"] == 1
    assert found["shapes"] == found["of"] == 10
    assert found["error"] == pytest.approx((~judged.right).reshape(10, 4).mean())
    nothing = outcome(judged, PAPER, everything.model_copy(update={"above": 1.0}))
    assert (nothing["error"], nothing["accepted"], nothing["kept"]) == (0, 0, True)


def test_promises_on_random_halves_are_kept():
    training, judged = toy(150, tau=0.05, seed=4), toy(200, tau=0.05, seed=3)
    found = check(training, judged, errors=[0.1], certainty=0.9, splits=10)
    assert found.kept.mean() >= 0.9
    assert found.accepted.mean() > 0.2
    assert check(training, judged, errors=[0.1], certainty=0.9, splits=2).equals(found[:2])


def test_a_calibration_with_its_promise_comes_back_from_its_file(tmp_path):
    made = Promise(above=0.73, error=0.05, certainty=0.9, shapes=40)
    whole = Calibration(tau=0.2, ridge=1.0, promise=made, tau_category=0.3)
    whole.save(tmp_path / "calibration.json")
    found = Calibration.load(tmp_path / "calibration.json")
    assert found == whole
    assert found.accepts(0.74, 0.0)
    assert not found.accepts(0.72, 1.0)
    assert found.accepts(0.74, None) and not PAPER.accepts(0.99, None)
