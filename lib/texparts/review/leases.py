"""Who works on what: objects are lent to annotators one at a time and come back by themselves.

Every change locks the object's row first, so that what is decided here about one object is decided by one
transaction at a time; SQLite has one writer anyway.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.engine import Connection

from texparts.review.database import Database
from texparts.review.errors import LeaseLost, NotFound, Taken, TaskClosed
from texparts.review.models import Annotator, Order, Task
from texparts.review.pubsub import Change, Live
from texparts.review.queueing import SUBMITTED, candidates, lock_item, recount
from texparts.review.tables import annotators, items, tasks

IDLE_SECONDS = 60
"""A longer pause between two signs of activity is not working time."""


class Leases:
    """Takes objects out of the queue and gives them back."""

    def __init__(
        self, database: Database, live: Live, clock: Callable[[], datetime], lease_seconds: float
    ) -> None:
        self._database = database
        self._live = live
        self._clock = clock
        self._length = timedelta(seconds=lease_seconds)

    def take_next(self, annotator: Annotator, order: Order, without: Sequence[str] = ()) -> Task | None:
        """The object that the annotator has open, else the next that needs an opinion of theirs.

        None of ``without`` is given out.
        """
        # What the annotator gave back comes last: somebody else may know it better. First only objects that
        # nobody touches at this moment, so that many can take at once; in the end also those, since the one
        # who touches them may be giving them back.
        for skip_locked, given_back in ((True, False), (True, True), (False, True)):
            passed = list(without)
            while True:
                now = self._clock()
                with self._database.write() as connection:
                    found = self._open_one(connection, annotator, now)
                    if found is not None:
                        return found
                    query = candidates(annotator, order, now, given_back, passed).limit(1)
                    object_id = connection.scalar(query.with_for_update(of=items, skip_locked=skip_locked))
                    if object_id is None:
                        break
                    lost = self._enter(connection, annotator, object_id, now)
                    if lost is None:
                        passed.append(object_id)
                        continue
                    task = _find(connection, annotator, object_id)
                self._tell(lost)
                return task
        return None

    def take(self, annotator: Annotator, object_id: str) -> Task:
        """A given object; one that the annotator handed in before is opened again.

        Raises:
            NotFound: not in the queue.
            Taken: others work on it, or it has all its opinions.
        """
        now = self._clock()
        with self._database.write() as connection:
            lock_item(connection, object_id)
            lost = self._enter(connection, annotator, object_id, now, reopen=True)
            if lost is None:
                raise Taken(_holders(connection, object_id, now))
            task = _find(connection, annotator, object_id)
        self._tell(lost)
        return task

    def beat(self, annotator: Annotator, task_id: int, active: bool) -> datetime:
        """A sign of life of the page. Only an active annotator keeps an object; returns until when.

        Raises:
            NotFound, LeaseLost, TaskClosed: see :func:`held_task`.
        """
        now = self._clock()
        with self._database.write() as connection:
            row = held_task(connection, annotator, task_id)
            if not active:
                return row.lease_until
            self.renew(connection, row, now)
        return now + self._length

    def renew(self, connection: Connection, row: Row[Any], now: datetime) -> None:
        """Lengthen the lease of a locked task that is open, and count the time since the last activity."""
        gap = (now - row.last_active).total_seconds() if row.last_active else 0.0
        counted = gap if 0 <= gap <= IDLE_SECONDS else 0.0
        connection.execute(
            update(tasks)
            .where(tasks.c.id == row.id)
            .values(lease_until=now + self._length, last_active=now, seconds=row.seconds + counted)
        )

    def _open_one(self, connection: Connection, annotator: Annotator, now: datetime) -> Task | None:
        """What the annotator has open already, so that two tabs work on one object."""
        # Locked, so that two tabs that ask at once do not get an object each.
        connection.execute(select(annotators.c.id).where(annotators.c.id == annotator.id).with_for_update())
        found = connection.execute(
            select(tasks)
            .where(tasks.c.annotator_id == annotator.id, tasks.c.status == "open")
            .order_by(tasks.c.last_active.desc(), tasks.c.id.desc())
        ).first()
        if found is None:
            return None
        row = locked_task(connection, annotator, found.id)
        if row.status != "open":
            return None
        self.renew(connection, row, now)
        return task_of(connection, row.id)

    def _enter(
        self,
        connection: Connection,
        annotator: Annotator,
        object_id: str,
        now: datetime,
        reopen: bool = False,
    ) -> list[Row[Any]] | None:
        """Give a locked object to the annotator; the tasks that lose it, or None if there is no room."""
        opinions = connection.scalar(select(items.c.opinions).where(items.c.object_id == object_id)) or 0
        rows = connection.execute(select(tasks).where(tasks.c.object_id == object_id)).all()
        mine = next((row for row in rows if row.annotator_id == annotator.id), None)
        lost: list[Row[Any]] = []
        if mine is not None and mine.status in SUBMITTED:
            if not reopen:
                return None
        elif mine is None or mine.status != "open":
            submitted = sum(row.status in SUBMITTED for row in rows)
            open_rows = sorted((row for row in rows if row.status == "open"), key=lambda r: r.lease_until)
            expired = [row for row in open_rows if row.lease_until <= now]
            room = opinions - submitted - (len(open_rows) - len(expired))
            if room < 1:
                return None
            # Those whose lease is over keep what room is left.
            lost = expired[: max(0, len(expired) - (room - 1))]
            for row in lost:
                connection.execute(update(tasks).where(tasks.c.id == row.id).values(status="lost"))
        values = {"status": "open", "lease_until": now + self._length, "last_active": now}
        if mine is not None:
            values["submitted_at"] = None
            if mine.status not in SUBMITTED:
                values["second_opinion"] = False
            connection.execute(update(tasks).where(tasks.c.id == mine.id).values(values))
            recount(connection, object_id)
        else:
            values |= {"object_id": object_id, "annotator_id": annotator.id, "seq": 0, "seconds": 0.0}
            values |= {"taken_at": now, "note": "", "second_opinion": False}
            connection.execute(insert(tasks).values(values))
        return lost

    def _tell(self, lost: list[Row[Any]]) -> None:
        for row in lost:
            self._live.publish(Change(row.id, row.seq, "lost"))


def locked_task(connection: Connection, annotator: Annotator, task_id: int) -> Row[Any]:
    """The annotator's task, locked with its object until the transaction ends.

    Raises:
        NotFound: no such task, or somebody else's.
    """
    mine = (tasks.c.id == task_id) & (tasks.c.annotator_id == annotator.id)
    object_id = connection.scalar(select(tasks.c.object_id).where(mine))
    if object_id is None:
        raise NotFound(f"task {task_id}: not among the tasks of {annotator.name}")
    lock_item(connection, object_id)
    return connection.execute(select(tasks).where(mine)).one()


def held_task(connection: Connection, annotator: Annotator, task_id: int) -> Row[Any]:
    """As :func:`locked_task`, and open. A lease that is over but that nobody took still counts.

    Raises:
        NotFound: no such task, or somebody else's.
        LeaseLost: somebody else took the object over, or it was given back.
        TaskClosed: it was handed in.
    """
    row = locked_task(connection, annotator, task_id)
    check_held(row)
    return row


def check_held(row: Row[Any]) -> None:
    """Whether a task may be worked on.

    Raises:
        LeaseLost, TaskClosed: see :func:`held_task`.
    """
    if row.status in SUBMITTED:
        raise TaskClosed(f"{row.object_id}: handed in already; take it again to change it")
    if row.status != "open":
        why = "somebody else has taken it over" if row.status == "lost" else "it was given back to the queue"
        raise LeaseLost(
            f"{row.object_id}: {why}; your edits so far are kept and can be handed in as a second opinion"
        )


def task_of(connection: Connection, task_id: int) -> Task:
    """A task's record."""
    row = connection.execute(
        select(tasks, items.c.category)
        .join(items, items.c.object_id == tasks.c.object_id)
        .where(tasks.c.id == task_id)
    ).one()
    return Task(row.id, row.object_id, row.category, row.status, row.seq, row.lease_until)


def _find(connection: Connection, annotator: Annotator, object_id: str) -> Task:
    found = connection.scalar(
        select(tasks.c.id).where(tasks.c.object_id == object_id, tasks.c.annotator_id == annotator.id)
    )
    assert found is not None
    return task_of(connection, found)


def _holders(connection: Connection, object_id: str, now: datetime) -> str:
    query = (
        select(annotators.c.name, tasks.c.lease_until)
        .join(tasks, tasks.c.annotator_id == annotators.c.id)
        .where(tasks.c.object_id == object_id, tasks.c.status == "open", tasks.c.lease_until > now)
    )
    held = connection.execute(query).all()
    if not held:
        return f"{object_id}: has all the opinions that were asked for"
    names = ", ".join(sorted(row.name for row in held))
    until = max(row.lease_until for row in held)
    return f"{object_id}: {names} works on it; free from {until:%H:%M} UTC if nothing is done until then"
