"""What was handed in comes out with all opinions, their agreement and their time."""

import numpy as np
import pytest
from review_store import Review, postgres_folder, review

from alignparts.core.errors import AlignPartsError
from texparts.annotation.edits import Accept, Category, Delete, Paint, Rename
from texparts.review.models import TaskClosed

__all__ = ["postgres_folder", "review"]


def hand_in(review: Review, name: str, *edits, verdict="done", note="", seconds=0.0) -> int:  # type: ignore[no-untyped-def]
    who = review.annotator(name)
    task = review.store.leases.take_next(who)
    assert task is not None
    for edit in edits:
        review.clock.forward(seconds)
        review.edit(who, task.id, edit)
    review.store.submissions.submit(who, task.id, verdict, note)
    return task.id


def test_one_opinion_each(review: Review) -> None:
    review.fill(3)
    hand_in(review, "Ann", Rename(part=0, name="cover"), Category(category="crate"), seconds=20.0)
    hand_in(review, "Bo", verdict="rejected", note="two objects\n in one")
    first, second = review.store.submissions.submitted()
    assert (first.object_id, first.category, first.status) == ("box000", "crate", "done")
    assert first.annotation.part(0).name == "cover" and not first.annotation.part(1).accepted
    assert (first.annotators, first.seconds, first.agreement) == (("Ann",), 40.0, None)
    assert first.opinions[0].edits == 2
    assert (second.status, second.note, second.annotators) == ("rejected", "two objects\n in one", ("Bo",))
    progress = review.store.submissions.progress()
    assert (progress.objects, progress.done, progress.rejected, progress.waiting) == (3, 1, 1, 1)
    assert (progress.open, progress.seconds, progress.seconds_per_object) == (0, 40.0, 20.0)
    assert [(one.name, one.done, one.rejected) for one in progress.annotators] == [
        ("Ann", 1, 0), ("Bo", 0, 1)
    ]  # fmt: skip


def test_two_opinions_and_their_agreement(review: Review) -> None:
    review.fill(1, opinions=2)
    hand_in(review, "Ann", Rename(part=0, name="cover"))
    assert review.store.submissions.progress().agreement is None
    review.clock.forward(1)
    hand_in(review, "Bo", Rename(part=0, name="cover"), Paint(part=0, faces=(2, 2)))
    (result,) = review.store.submissions.submitted()
    assert result.annotators == ("Ann", "Bo") and result.agreement is not None
    assert result.agreement.same == pytest.approx(10 / 12)  # all faces of the box are equally large
    assert result.agreement.miou == result.agreement.la_miou == pytest.approx((2 / 4 + 6 / 8) / 2)
    progress = review.store.submissions.progress()
    assert progress.agreement == result.agreement and progress.pairs == 1
    bo = next(one for one in review.store.tokens.list() if one.name == "Bo")
    assert bo.revoked_at is None


def test_a_reopened_object_is_compared_anew(review: Review) -> None:
    review.fill(1, opinions=2)
    hand_in(review, "Ann", Accept(parts=(0,)))
    task = hand_in(review, "Bo", Delete(part=0))
    review.store.submissions.compare("box000")
    before = review.store.submissions.progress().agreement
    token = review.store.tokens.renew("Bo")
    bo = review.store.tokens.annotator_of(token)
    assert bo is not None and before is not None and before.same < 1
    review.store.leases.take(bo, "box000")
    assert review.store.submissions.progress().pairs == 0  # not handed in at the moment
    review.edit(bo, task, Paint(part=1, faces=(0, 1)))
    review.store.submissions.submit(bo, task, "done")
    assert review.store.submissions.progress().pairs == 0
    review.store.submissions.compare("box000")
    after = review.store.submissions.progress().agreement
    assert after is not None and after != before


def test_handing_in_is_done_once(review: Review) -> None:
    review.fill(1)
    ann = review.annotator("Ann")
    task = review.store.leases.take_next(ann)
    assert task is not None
    with pytest.raises(AlignPartsError, match="reason"):
        review.store.submissions.submit(ann, task.id, "rejected", " \n")
    for _ in range(2):  # the answer was lost: the same once more
        review.store.submissions.submit(ann, task.id, "done", "fine")
    with pytest.raises(TaskClosed):
        review.store.submissions.submit(ann, task.id, "rejected", "no")
    with pytest.raises(TaskClosed):
        review.edit(ann, task.id, Accept(parts=(0,)))
    with pytest.raises(TaskClosed):
        review.store.leases.release(ann, task.id)
    (result,) = review.store.submissions.submitted()
    assert result.note == "fine"
    np.testing.assert_array_equal(result.annotation.face_part, [0] * 2 + [1] * 8 + [-1] * 2)
