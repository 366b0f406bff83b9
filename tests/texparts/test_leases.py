"""Objects are lent to one annotator at a time, come back by themselves, and are never given twice."""

import contextlib
import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from review_store import Clock, Review, entries, postgres_folder, review, write_box
from sqlalchemy import select

from alignparts.core.config.texparts import Order
from texparts.annotation.edits import Accept, Add, Category, Rename
from texparts.review.leases import MOST_OPEN
from texparts.review.models import (
    Annotator,
    LeaseLost,
    NotFound,
    QueueEntry,
    StaleState,
    Taken,
    Task,
    TaskClosed,
)
from texparts.review.pubsub import Change
from texparts.review.store import ReviewStore
from texparts.review.tables import items, tasks

__all__ = ["postgres_folder", "review"]


def given(task: Task | None) -> Task:
    assert task is not None
    return task


def test_twenty_at_once_get_an_object_each(review: Review) -> None:
    review.fill(20)
    people = [review.annotator(f"ann{number}") for number in range(22)]
    with ThreadPoolExecutor(22) as pool:
        found = list(pool.map(review.store.leases.take_next, people))
    objects = [task.object_id for task in found if task is not None]
    assert len(objects) == 20 and len(set(objects)) == 20
    assert found.count(None) == 2


def test_one_annotator_in_many_tabs_gets_one_object(review: Review) -> None:
    review.fill(8)
    ann = review.annotator("Ann")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(review.store.leases.take_next, [ann] * 8))
    assert len({given(task).object_id for task in found}) == 1


def test_order(review: Review) -> None:
    review.fill(3)
    assert given(review.store.leases.take_next(review.annotator("Ann"))).object_id == "box000"
    assert given(review.store.leases.take_next(review.annotator("Bo"), "uncertain")).object_id == "box002"
    assert review.store.queue.load(entries(4)) == 1  # again is harmless
    moved = entries(4)[3].model_copy(update={"rank": -1.0})
    assert review.store.queue.load([moved]) == 0
    write_box(review.root, "box003")
    assert given(review.store.leases.take_next(review.annotator("Cy"))).object_id == "box003"


@pytest.mark.parametrize(
    ("order", "expected"), [(None, "abcd"), ("confident", "dcba"), ("uncertain", "abcd"), ("diverse", "acbd")]
)
def test_every_order_of_the_queue(review: Review, order: Order | None, expected: str) -> None:
    queue = zip("abcd", ("cup", "cup", "lamp", "lamp"), (0.1, 0.2, 0.3, 0.4), strict=True)
    for rank, (name, category, confidence) in enumerate(queue):
        write_box(review.root, name)
        entry = QueueEntry(object_id=name, rank=rank, category=category, confidence=confidence)
        review.store.queue.load([entry])
    ann = review.annotator("Ann")
    for name in expected:
        task = given(review.store.leases.take_next(ann, order))
        assert task.object_id == name
        review.store.submissions.submit(ann, task.id, "done")


def test_a_lease_that_nobody_takes_goes_on(review: Review) -> None:
    review.fill(2)
    ann = review.annotator("Ann")
    task = given(review.store.leases.take_next(ann))
    review.clock.forward(100_000)
    state = review.edit(ann, task.id, Accept(parts=(0,)))
    assert state.expires > review.clock.now and state.seconds == 0
    bo = review.annotator("Bo")
    assert given(review.store.leases.take_next(bo)).object_id == "box001"


def test_a_lost_lease_keeps_the_edits_for_a_second_opinion(review: Review) -> None:
    review.fill(1)
    ann, bo = review.annotator("Ann"), review.annotator("Bo")
    task = given(review.store.leases.take_next(ann))
    review.edit(ann, task.id, Rename(part=0, name="cover"))
    heard: list[Change] = []
    cancel = review.store.live.subscribe(task.id, heard.append)
    assert review.store.leases.take_next(bo) is None
    review.clock.forward(901)
    other = given(review.store.leases.take_next(bo))
    assert other.object_id == task.object_id and other.id != task.id
    assert heard == [Change(task.id, 1, "lost")]
    cancel()
    with pytest.raises(LeaseLost, match="second opinion"):
        review.edit(ann, task.id, Accept(parts=(1,)))
    with pytest.raises(LeaseLost):
        review.store.leases.beat(ann, task.id, True)
    with pytest.raises(LeaseLost):
        review.store.submissions.submit(ann, task.id, "done")
    assert review.store.events.state(ann, task.id).seq == 1
    assert review.store.events.state(bo, other.id).seq == 0  # an opinion of their own
    review.store.submissions.submit(ann, task.id, "done", second_opinion=True)
    review.edit(bo, other.id, Rename(part=0, name="top"))
    review.store.submissions.submit(bo, other.id, "done")
    (result,) = review.store.submissions.submitted()
    assert result.annotators == ("Bo", "Ann")  # who had the object is final
    assert result.annotation.part(0).name == "top"
    assert [one.second_opinion for one in result.opinions] == [False, True]


def test_a_given_object(review: Review) -> None:
    review.fill(2)
    ann, bo = review.annotator("Ann"), review.annotator("Bo")
    task = review.store.leases.take(ann, "box001")
    with pytest.raises(Taken, match="Ann works on it"):
        review.store.leases.take(bo, "box001")
    with pytest.raises(NotFound, match="box009"):
        review.store.leases.take(bo, "box009")
    for somebody_elses in (review.store.events.state, review.store.leases.task):
        with pytest.raises(NotFound):
            somebody_elses(bo, task.id)
    with pytest.raises(NotFound):
        review.store.leases.beat(bo, task.id, True)
    review.store.submissions.submit(ann, task.id, "done")
    with pytest.raises(Taken, match="opinions"):
        review.store.leases.take(bo, "box001")
    assert review.store.leases.take(ann, "box001").status == "open"  # one's own is opened again
    review.edit(ann, task.id, Accept(parts=(0,)))


def test_what_was_given_back_comes_last_and_with_its_edits(review: Review) -> None:
    review.fill(2)
    ann = review.annotator("Ann")
    first = given(review.store.leases.take_next(ann))
    review.edit(ann, first.id, Category(category="crate"))
    review.store.leases.release(ann, first.id)
    with pytest.raises(LeaseLost, match="given back"):
        review.edit(ann, first.id, Category(category="chest"))
    second = given(review.store.leases.take_next(ann))
    assert second.object_id == "box001"
    review.store.submissions.submit(ann, second.id, "done")
    again = given(review.store.leases.take_next(ann))
    assert again.id == first.id
    assert review.store.events.state(ann, again.id).annotation.category == "crate"


def test_second_opinions_come_from_different_people(review: Review) -> None:
    review.fill(1, opinions=2)
    ann, bo, cy = (review.annotator(name) for name in ("Ann", "Bo", "Cy"))
    first, second = given(review.store.leases.take_next(ann)), given(review.store.leases.take_next(bo))
    assert first.object_id == second.object_id
    assert review.store.leases.take_next(cy) is None
    review.store.submissions.submit(ann, first.id, "done")
    assert review.store.leases.take_next(ann) is None  # never the same person twice
    review.store.submissions.submit(bo, second.id, "done")
    assert review.store.leases.take_next(cy) is None
    assert review.store.queue.ask("box000", 3) == 3
    assert review.store.queue.ask("box000", 1) == 3  # never fewer,
    assert review.store.queue.ask("box000", 1, fewer=True) == 2  # unless asked; two were handed in
    assert review.store.leases.take_next(cy) is None
    assert review.store.queue.ask("box000", 3) == 3
    assert given(review.store.leases.take_next(cy)).object_id == "box000"
    with pytest.raises(NotFound):
        review.store.queue.ask("box009", 2)


def test_nobody_holds_all_objects(review: Review) -> None:
    review.fill(MOST_OPEN + 2)
    ann, bo = review.annotator("Ann"), review.annotator("Bo")
    for number in range(MOST_OPEN):
        review.store.leases.take(ann, f"box{number:03d}")
    with pytest.raises(Taken, match="hand one in or give it back"):
        review.store.leases.take(ann, f"box{MOST_OPEN:03d}")
    assert review.store.leases.take(ann, "box000").status == "open"  # one of them
    assert given(review.store.leases.take_next(bo)).object_id == f"box{MOST_OPEN:03d}"
    review.clock.forward(1000)  # what is left alone counts no more
    assert review.store.leases.take(ann, f"box{MOST_OPEN + 1:03d}").status == "open"


def test_an_object_is_freed_with_its_edits(review: Review) -> None:
    review.fill(1)
    ann, bo = review.annotator("Ann"), review.annotator("Bo")
    task = given(review.store.leases.take_next(ann))
    review.edit(ann, task.id, Accept(parts=(0,)))
    assert review.store.leases.free("box000") == 1 and review.store.leases.free("box000") == 0
    with pytest.raises(LeaseLost):
        review.edit(ann, task.id, Accept(parts=(1,)))
    assert given(review.store.leases.take_next(bo)).object_id == "box000"
    assert review.store.events.state(ann, task.id).seq == 1


def test_nothing_is_taken_from_the_revoked(review: Review) -> None:
    review.fill(1)
    ann = review.annotator("Ann")
    task = given(review.store.leases.take_next(ann)).id
    review.store.tokens.revoke("Ann")
    for call in (
        lambda: review.edit(ann, task, Accept(parts=(0,))),
        lambda: review.store.leases.beat(ann, task, True),
        lambda: review.store.leases.release(ann, task),
        lambda: review.store.submissions.submit(ann, task, "done"),
    ):
        with pytest.raises(NotFound):
            call()
    assert not review.store.events.history("box000")


def test_only_active_time_counts(review: Review) -> None:
    review.fill(1)
    ann = review.annotator("Ann")
    task = given(review.store.leases.take_next(ann))
    for gap, active in ((10, True), (50, True), (61, True), (30, False), (20, True), (3600, True), (5, True)):
        review.clock.forward(gap)
        review.store.leases.beat(ann, task.id, active)
    assert review.store.events.state(ann, task.id).seconds == 10 + 50 + 50 + 5
    review.clock.forward(890)
    review.store.leases.beat(ann, task.id, False)  # a page left open keeps nobody else away
    review.clock.forward(20)
    assert given(review.store.leases.take_next(review.annotator("Bo"))).object_id == task.object_id


class Desk(RuleBasedStateMachine):
    """Three people, three objects, any order of things; plain lists say what must be stored."""

    @initialize(opinions=st.integers(1, 2))
    def open(self, opinions: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name)
        self.clock = Clock()
        self.store = ReviewStore(f"sqlite:///{root}/r.db", root, 900.0, clock=self.clock)
        for entry in entries(3):
            write_box(root, entry.object_id)
        self.store.queue.load(entries(3, opinions))
        self.people: list[Annotator] = []
        for name in ("Ann", "Bo", "Cy"):
            found = self.store.tokens.annotator_of(self.store.tokens.add(name))
            assert found is not None
            self.people.append(found)
        self.told: dict[int, list[str]] = {}
        self.begin = self.clock.now

    def own(self, who: int) -> list[int]:
        query = select(tasks.c.id).where(tasks.c.annotator_id == self.people[who].id).order_by(tasks.c.id)
        with self.store.database.read() as connection:
            return list(connection.scalars(query))

    @rule(who=st.integers(0, 2), order=st.sampled_from([None, "confident", "uncertain", "diverse"]))
    def take_next(self, who: int, order: Order | None) -> None:
        task = self.store.leases.take_next(self.people[who], order)
        assert task is None or task.status == "open"

    @rule(who=st.integers(0, 2), number=st.integers(0, 2))
    def take(self, who: int, number: int) -> None:
        with contextlib.suppress(Taken):
            assert self.store.leases.take(self.people[who], f"box{number:03d}").status == "open"

    @rule(who=st.integers(0, 2), pick=st.integers(0, 2), behind=st.integers(0, 1), twice=st.booleans())
    def append(self, who: int, pick: int, behind: int, twice: bool) -> None:
        for task in self.own(who)[pick : pick + 1]:
            told = self.told.setdefault(task, [])
            event, seq = str(uuid.uuid4()), max(len(told) - behind, 0)
            try:
                for _ in range(1 + twice):
                    state = self.store.events.append(self.people[who], task, event, seq, Add(name="foot"))
                    assert state.seq == seq + 1 and state.status == "open"
                told.append(event)
            except StaleState as error:
                assert error.seq == len(told) != seq
            except (LeaseLost, TaskClosed):
                assert self.store.leases.task(self.people[who], task).status != "open"

    @rule(who=st.integers(0, 2), pick=st.integers(0, 2), second=st.booleans())
    def submit(self, who: int, pick: int, second: bool) -> None:
        for task in self.own(who)[pick : pick + 1]:
            try:
                self.store.submissions.submit(self.people[who], task, "done", second_opinion=second)
            except LeaseLost:
                assert not second

    @rule(who=st.integers(0, 2), pick=st.integers(0, 2))
    def release(self, who: int, pick: int) -> None:
        for task in self.own(who)[pick : pick + 1]:
            with contextlib.suppress(LeaseLost, TaskClosed):
                self.store.leases.release(self.people[who], task)

    @rule(seconds=st.sampled_from([1, 59, 600, 1000]))
    def wait(self, seconds: int) -> None:
        self.clock.forward(seconds)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = ReviewStore(self.store.database.shown, self.store.shapes.root, 900.0, clock=self.clock)

    @invariant()
    def nothing_is_given_twice_and_nothing_is_lost(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.store.database.read() as connection:
            waiting = connection.execute(select(items.c.object_id, items.c.opinions, items.c.missing)).all()
            rows = connection.execute(select(tasks)).all()
        for object_id, opinions, missing in waiting:
            everybodys = [row for row in rows if row.object_id == object_id]
            assert missing == opinions - sum(row.status in ("done", "rejected") for row in everybodys)
            group = [row for row in rows if row.object_id == object_id and not row.second_opinion]
            handed_in = sum(row.status in ("done", "rejected") for row in group)
            busy = sum(row.status == "open" and row.lease_until > self.clock.now for row in group)
            assert handed_in + busy <= opinions
            assert sum(row.status == "open" for row in group) + handed_in <= opinions
        for row in rows:
            stored = [one.id for one in self.store.events.history(row.object_id, row.id)]
            assert stored == self.told.get(row.id, [])
            assert 0 <= row.seconds <= (self.clock.now - self.begin).total_seconds()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()


Desk.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestDesk = Desk.TestCase
