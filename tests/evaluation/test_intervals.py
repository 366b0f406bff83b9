"""Bootstrap intervals: what they hold, and that they repeat."""

import numpy as np
import pytest

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.intervals import interval, relative_gain


def test_interval_holds_the_mean_and_repeats():
    values = np.random.default_rng(0).uniform(size=40)
    first, second = interval(values, resamples=200, seed=3), interval(values, resamples=200, seed=3)
    assert first == second
    assert first.value == pytest.approx(values.mean())
    assert first.low < first.value < first.high
    assert first.n == 40


def test_interval_of_groups_weighs_them_alike():
    found = interval([np.array([1.0, 1.0]), np.zeros(100)], resamples=50)
    assert found.value == found.low == found.high == 0.5
    assert found.n == 102


def test_interval_of_one_shape_is_a_point():
    assert interval(np.array([0.3])).low == 0.3
    with pytest.raises(AlignPartsError, match="no shape"):
        interval(np.array([]))


def test_relative_gain_is_paired():
    theirs = np.linspace(0.1, 0.9, 20)
    found = relative_gain(1.2 * theirs, theirs, resamples=100)
    assert found.value == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2)
    assert found.high == pytest.approx(0.2)
    with pytest.raises(AlignPartsError, match="baseline"):
        relative_gain(theirs, np.zeros(20))
