"""A review by simulated annotators goes through the real store, and takes the time that it is said to."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from review_store import entries, replay, vocabulary, write_box

from alignparts.core.errors import AlignPartsError
from texparts.annotation.edits import Accept, Rename
from texparts.simulation import rehearsal
from texparts.simulation.rehearsal import START, Work, rehearse


def database(folder: Path) -> str:
    return f"sqlite:///{folder / 'review.db'}"


def queue_of(tmp_path: Path, objects: int, opinions: int = 1) -> list:
    for number in range(objects):
        write_box(tmp_path, f"box{number:03d}")
    return entries(objects, opinions)


def renamed(object_id: str, annotator: int) -> Work:
    return [(None, 100.0), (Rename(part=0, name=f"top {annotator}"), 2.5), (Accept(parts=(1,)), 1.0)]


def test_everything_is_handed_in_with_the_seconds_that_it_took(tmp_path: Path) -> None:
    queue = queue_of(tmp_path, 3)
    store = rehearse(tmp_path, queue, renamed, database(tmp_path), annotators=2, vocabulary=vocabulary())
    try:
        done = list(store.submissions.submitted())
        assert [one.object_id for one in done] == ["box000", "box001", "box002"]
        # Longer than the store takes for a pause: signs of life in between make it count.
        assert [one.seconds for one in done] == pytest.approx([103.5] * 3)
        for one in done:
            edits = [event.edit for event in store.events.history(one.object_id)]
            prediction = store.shapes.folder(one.object_id).prediction()
            again = replay(prediction, edits)
            assert again.parts == one.annotation.parts
            assert (again.face_part == one.annotation.face_part).all()
            assert len(edits) == 2 and all(event.at >= START for event in store.events.history(one.object_id))
        assert {name for one in done for name in one.annotators} == {
            "simulated annotator 1",
            "simulated annotator 2",
        }
    finally:
        store.close()


def test_second_opinions_are_compared(tmp_path: Path) -> None:
    first, second = queue_of(tmp_path, 2)
    queue = [first.model_copy(update={"opinions": 2}), second]
    store = rehearse(tmp_path, queue, renamed, database(tmp_path), annotators=2)
    try:
        one, other = store.submissions.submitted()
        assert len(one.annotators) == 2 and len(other.annotators) == 1
        # Of twelve equal faces both name eight alike and leave two unlabeled; two they name differently.
        assert one.agreement is not None and one.agreement.same == pytest.approx(10 / 12)
        assert other.agreement is None
        assert store.submissions.progress().pairs == 1
    finally:
        store.close()


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.25, 2), (1.0, 8)])
def test_second_opinions_are_spread_over_the_queue(share: float, expected: int) -> None:
    queue = pd.DataFrame({"object_id": [f"o{i}" for i in range(8)], "rank": range(1, 9)})
    found = rehearsal.entries(queue.assign(category="box", confidence=0.5), 3, share)
    several = [place for place, one in enumerate(found) if one.opinions == 3]
    assert len(several) == expected and {one.opinions for one in found} <= {1, 3}
    assert [one.rank for one in found] == list(range(1, 9))
    assert len(set(np.diff(several).tolist())) <= 1


def test_equal_reviews_leave_equal_events(tmp_path: Path) -> None:
    events = []
    for name in ("a", "b"):
        folder = tmp_path / name
        store = rehearse(folder, queue_of(folder, 2), renamed, database(folder), annotators=2)
        events.append([event for number in range(2) for event in store.events.history(f"box{number:03d}")])
        store.close()
    assert events[0] == events[1]


def test_an_edit_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    queue = queue_of(tmp_path, 1)
    with pytest.raises(AlignPartsError, match="part 7"):
        rehearse(tmp_path, queue, lambda *_: [(Accept(parts=(7,)), 1.0)], database(tmp_path))
