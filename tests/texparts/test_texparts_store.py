"""What annotators do is stored once, in order, and comes back, on SQLite and on PostgreSQL."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import pytest
from review_store import Review, postgres_folder, review, write_box

from alignparts.core.errors import AlignPartsError
from texparts.annotation.edits import Accept, Add, Delete, Merge, Paint, Redo, Rename, Restore, Split, Undo
from texparts.review.cache import Entry
from texparts.review.models import PredictionChanged, StaleState
from texparts.review.pubsub import Change

__all__ = ["postgres_folder", "review"]


def test_edits_come_back_after_a_restart(review: Review) -> None:
    review.fill()
    ann = review.annotator("Ann")
    task = review.store.leases.take_next(ann)
    assert task is not None and task.object_id == "box000"
    edits = [
        Rename(part=0, name="cover"),
        Paint(part=0, faces=(10, 2)),
        Undo(),
        Redo(),
        Undo(),
        Split(part=1, groups=((2, 3),)),
        Add(name="foot", faces=(9, 3)),
        Merge(parts=(1, 2), into=1),
        Restore(seq=2),
        Undo(),
        Accept(parts=(1,)),
        Delete(part=3),
    ]
    for edit in edits:
        here = review.edit(ann, task.id, edit)
    again = review.reopen()
    there = again.events.state(ann, task.id)
    assert (there.seq, there.can_undo, there.can_redo) == (here.seq, here.can_undo, here.can_redo)
    assert there.annotation.parts == here.annotation.parts
    np.testing.assert_array_equal(there.annotation.face_part, here.annotation.face_part)
    records = again.events.history("box000")
    assert [record.edit for record in records] == edits
    assert [record.seq for record in records] == list(range(1, len(edits) + 1))
    assert {record.who for record in records} == {"Ann"}
    again.close()


def test_the_same_edit_sent_twice_is_stored_once(review: Review) -> None:
    review.fill()
    ann = review.annotator("Ann")
    task = review.store.leases.take_next(ann)
    assert task is not None
    event, edit = str(uuid.uuid4()), Add(name="foot", faces=(0, 1))
    first = review.store.events.append(ann, task.id, event, 0, edit)
    other = review.reopen()  # as after a crash between commit and answer
    for store in (review.store, other):
        second = store.events.append(ann, task.id, event, 0, edit)
        assert second.seq == first.seq == 1
        assert second.annotation.parts == first.annotation.parts
    other.close()
    later = review.store.leases.take(ann, "box001")
    with pytest.raises(AlignPartsError, match="another task"):
        review.store.events.append(ann, later.id, event, 0, edit)
    with pytest.raises(AlignPartsError, match="UUID"):
        review.store.events.append(ann, later.id, "one", 0, edit)


def test_two_tabs(review: Review) -> None:
    review.fill()
    ann = review.annotator("Ann")
    task = review.store.leases.take_next(ann)
    assert task is not None
    assert review.store.leases.take_next(ann) == task  # the second tab is on the same object
    review.edit(ann, task.id, Accept(parts=(0,)))
    with pytest.raises(StaleState) as stale:
        review.store.events.append(ann, task.id, str(uuid.uuid4()), 0, Delete(part=0))
    assert stale.value.seq == 1
    with ThreadPoolExecutor(8) as pool:

        def race(_: int) -> str:
            try:
                review.store.events.append(ann, task.id, str(uuid.uuid4()), 1, Paint(part=0, faces=(2, 1)))
                return "stored"
            except StaleState:
                return "stale"

        outcomes = list(pool.map(race, range(8)))
    assert outcomes.count("stored") == 1
    assert review.store.events.state(ann, task.id).seq == 2


def test_another_prediction_under_the_edits_is_said(review: Review) -> None:
    review.fill(2)
    ann = review.annotator("Ann")
    task = review.store.leases.take_next(ann)
    assert task is not None
    write_box(review.root, "box000", lid=0.8)  # nothing was edited yet: the new one counts
    fresh = review.reopen()
    assert fresh.events.state(ann, task.id).annotation.part(0).confidence == 0.8
    review.edit(ann, task.id, Accept(parts=(0,)), fresh)
    fresh.close()
    write_box(review.root, "box000", lid=0.7)
    other = review.reopen()
    with pytest.raises(PredictionChanged, match="box000: its folder holds another prediction"):
        other.events.state(ann, task.id)
    with pytest.raises(PredictionChanged):
        other.events.append(ann, task.id, str(uuid.uuid4()), 1, Accept(parts=(1,)))
    other.submissions.submit(ann, task.id, "rejected", "predicted anew")  # the way out
    assert next(other.submissions.submitted()).status == "rejected"
    other.close()


def test_an_edit_that_does_not_fit_leaves_nothing_behind(review: Review) -> None:
    review.fill(1)
    ann = review.annotator("Ann")
    task = review.store.leases.take_next(ann)
    assert task is not None
    before = review.edit(ann, task.id, Paint(part=0, faces=(2, 2)))
    for edit in (Delete(part=9), Redo(), Restore(seq=9), Paint(part=0, faces=(11, 2))):
        with pytest.raises(AlignPartsError):
            review.store.events.append(ann, task.id, str(uuid.uuid4()), 1, edit)
    after = review.store.events.state(ann, task.id)
    assert after.seq == 1 and after.annotation.parts == before.annotation.parts
    assert after.can_undo and not after.can_redo


def test_memory_is_bounded_and_forgets_nothing(review: Review) -> None:
    review.fill(5)
    ann = review.annotator("Ann")
    review.store.events.histories.entries = lru_cache(2)(lambda _: Entry())
    found = [review.store.leases.take(ann, f"box{number:03d}").id for number in range(5)]
    for turn in range(2):
        for task in found:
            assert review.edit(ann, task, Paint(part=0, faces=(2 + turn, 1))).seq == turn + 1
    assert review.store.events.histories.entries.cache_info().currsize == 2
    faces = [(review.store.events.state(ann, task).annotation.face_part == 0).sum() for task in found]
    assert faces == [4] * 5


def test_a_listener_that_fails_stops_nobody(review: Review, caplog: pytest.LogCaptureFixture) -> None:
    review.fill(1)
    ann = review.annotator("Ann")
    task = review.store.leases.take_next(ann)
    assert task is not None
    heard: list[int] = []

    def broken(_: Change) -> None:
        raise RuntimeError("broken")

    cancel = review.store.live.subscribe(task.id, broken)
    ends = review.store.live.subscribe(task.id, lambda change: heard.append(change.seq))
    review.edit(ann, task.id, Accept(parts=(0,)))
    ends()
    review.edit(ann, task.id, Accept(parts=(1,)))
    cancel()
    assert heard == [1] and "a listener" in caplog.text
