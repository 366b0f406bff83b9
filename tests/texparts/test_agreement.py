"""Agreement of two annotations: known answers, and what must hold for any two."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from alignparts.core.errors import AlignPartsError
from texparts.annotation.agreement import agreement, mean_agreement
from texparts.annotation.annotation import Annotation, Part

NAMES = ("lid", "body", "lid")


def annotation(labels: list[int], names: tuple[str, ...] = NAMES) -> Annotation:
    parts = tuple(Part(number, name) for number, name in enumerate(names))
    return Annotation("box", np.array(labels, np.int32), parts, len(parts))


ONES = np.ones(8, np.float32)


def test_known_answers() -> None:
    first = annotation([0, 0, 0, 0, 1, 1, 1, 1])
    same = agreement(first, annotation([1, 1, 1, 1, 0, 0, 0, 0], ("body", "lid")), ONES)
    assert (same.same, same.kappa, same.miou, same.la_miou) == (1, 1, 1, 1)  # numbers of parts do not count
    swapped = agreement(first, annotation([1, 1, 1, 1, 0, 0, 0, 0]), ONES)
    assert (swapped.same, swapped.kappa, swapped.miou, swapped.la_miou) == (0, -1, 1, 0)
    half = agreement(first, annotation([0, 0, 1, 1, 0, 0, 1, 1]), ONES)
    assert half.same == 0.5 and half.kappa == pytest.approx(0)  # as by chance


def test_large_faces_count_more() -> None:
    first, second = annotation([0] * 4 + [1] * 4), annotation([0] * 4 + [1] * 3 + [0])
    areas = np.array([1] * 7 + [9], np.float32)
    result = agreement(first, second, areas)
    assert result.same == pytest.approx(7 / 16)
    whole = [np.repeat(one.face_part, areas.astype(int)) for one in (first, second)]
    assert result.kappa == pytest.approx(cohen_kappa_score(*whole))


def test_nothing_labeled() -> None:
    empty, one = annotation([-1] * 8), annotation([0] * 8)
    both = agreement(empty, empty, ONES)
    assert (both.same, both.kappa, both.miou) == (1, 1, 1)
    other = agreement(empty, one, ONES)
    assert (other.same, other.miou, other.la_miou) == (0, 0, 0)
    assert agreement(one, one, np.zeros(8, np.float32)).same == 1  # a mesh without any area
    with pytest.raises(AlignPartsError, match="one mesh"):
        agreement(empty, annotation([0]), ONES)


LABELS = st.lists(st.integers(-1, 2), min_size=8, max_size=8)


@given(LABELS, LABELS)
def test_symmetric_and_bounded(first: list[int], second: list[int]) -> None:
    one, other = annotation(first), annotation(second)
    areas = np.arange(1, 9).astype(np.float32)
    there, back = agreement(one, other, areas), agreement(other, one, areas)
    for a, b in zip(vars(there).values(), vars(back).values(), strict=True):
        assert a == pytest.approx(b) and -1 - 1e-9 <= a <= 1 + 1e-9
    assert there.la_miou <= there.miou + 1e-9
    assert there.kappa <= there.same + 1e-9
    self = agreement(one, one, areas)
    assert self.same == self.kappa == 1 and self.miou == 1


def test_mean() -> None:
    assert mean_agreement([]) is None
    first = agreement(annotation([0] * 8), annotation([0] * 8), ONES)
    second = agreement(annotation([0] * 8), annotation([1] * 8), ONES)
    assert mean_agreement([first, second]).same == 0.5  # type: ignore[union-attr]
