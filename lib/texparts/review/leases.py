"""Lend objects to annotators one at a time; objects come back by themselves.

Every change locks the object's row first, so that one transaction at a time decides about an object; SQLite
has one writer anyway.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, literal, select, update
from sqlalchemy.engine import Connection

from alignparts.core.config.texparts import Order
from texparts.review.database import Database
from texparts.review.models import Annotator, LeaseLost, NotFound, Taken, Task, TaskClosed
from texparts.review.pubsub import Change, Live
from texparts.review.queueing import SUBMITTED, candidates, lock_item, recount
from texparts.review.tables import annotators, items, tasks

IDLE_SECONDS = 60
"""A longer pause between two signs of activity is not working time."""
MOST_OPEN = 8
"""Objects that one annotator may hold at once."""
TASKS = select(tasks, items.c.category).join(items, items.c.object_id == tasks.c.object_id)
"""Tasks with the category of their object."""


@dataclass(frozen=True)
class Leases:
    """Takes objects out of the queue and gives them back.

    Attributes:
        database: database of the review.
        live: receives the tasks that lose their object.
        clock: returns the present moment.
        length: time without activity after which others may take an object over.
    """

    database: Database
    live: Live[Change]
    clock: Callable[[], datetime]
    length: timedelta

    def task(self, annotator: Annotator, task_id: int) -> Task:
        """Return a task of the annotator; see :func:`own_task`."""
        with self.database.read() as connection:
            return task_of(own_task(connection, annotator, task_id))

    def take_next(
        self, annotator: Annotator, order: Order | None = None, without: Sequence[str] = ()
    ) -> Task | None:
        """Return the task that the annotator has open, else one on the next object; None if nothing is left.

        Objects are given out in an order, by default that of the queue's ranks, without those named.
        """
        # What the annotator gave back comes last: somebody else may know it better. First only objects that
        # nobody touches at this moment, so that many can take at once; in the end also those, since the one
        # who touches them may be giving them back.
        for skip_locked, given_back in ((True, False), (True, True), (False, True)):
            passed = list(without)
            while True:
                now = self.clock()
                with self.database.write() as connection:
                    open_task = self._open_task(connection, annotator, now)
                    if open_task is not None:
                        return open_task
                    query = candidates(annotator, order, now, given_back, passed).limit(1)
                    object_id = connection.scalar(query.with_for_update(of=items, skip_locked=skip_locked))
                    if object_id is None:
                        break
                    entered = self._enter(connection, annotator, object_id, now)
                if entered is not None:
                    return self._announced(*entered)
                passed.append(object_id)
        return None

    def take(self, annotator: Annotator, object_id: str) -> Task:
        """Take a given object; one that the annotator handed in before is opened again.

        Raises:
            NotFound: the object is not in the queue.
            Taken: others work on it, it has all its opinions, or the annotator holds too many others.
        """
        now = self.clock()
        with self.database.write() as connection:
            _lock_annotator(connection, annotator)
            lock_item(connection, object_id)
            held = (tasks.c.annotator_id == annotator.id) & (tasks.c.object_id != object_id)
            held &= (tasks.c.status == "open") & (tasks.c.lease_until > now)
            if (connection.scalar(select(func.count()).where(held)) or 0) >= MOST_OPEN:
                raise Taken(f"{object_id}: you hold {MOST_OPEN} objects; hand one in or give it back first")
            entered = self._enter(connection, annotator, object_id, now, reopen=True)
            if entered is None:
                raise Taken(_holders(connection, object_id, now))
        return self._announced(*entered)

    def beat(self, annotator: Annotator, task_id: int, active: bool) -> datetime:
        """Return the end of the lease of a :func:`held_task`, which a sign of activity renews."""
        with self.database.write() as connection:
            row = held_task(connection, annotator, task_id)
            if active:
                row = change(connection, row, self.renewal(row, self.clock()))
            return row.lease_until

    def release(self, annotator: Annotator, task_id: int) -> None:
        """Give a :func:`held_task` back to the queue; its edits stay, for the next time that it is taken."""
        now = self.clock()
        with self.database.write() as connection:
            row = held_task(connection, annotator, task_id)
            row = change(connection, row, self.renewal(row, now) | {"status": "released", "lease_until": now})
        self.live.publish(task_id, Change(task_id, row.seq, "released"))

    def free(self, object_id: str) -> int:
        """Give an object back to the queue for all who hold it; returns their number. Edits stay."""
        now = self.clock()
        with self.database.write() as connection:
            lock_item(connection, object_id)
            held = (tasks.c.object_id == object_id) & (tasks.c.status == "open")
            rows = connection.execute(TASKS.where(held)).all()
            for row in rows:
                change(connection, row, {"status": "released", "lease_until": now})
        for row in rows:
            self.live.publish(row.id, Change(row.id, row.seq, "released"))
        return len(rows)

    def renewal(self, row: Row[Any], now: datetime) -> dict[str, Any]:
        """Return the values that lengthen an open task's lease and count the time since the last activity."""
        gap = (now - row.last_active).total_seconds() if row.last_active else 0.0
        counted = gap if 0 <= gap <= IDLE_SECONDS else 0.0
        return {"lease_until": now + self.length, "last_active": now, "seconds": row.seconds + counted}

    def _open_task(self, connection: Connection, annotator: Annotator, now: datetime) -> Task | None:
        # Locked, so that two tabs that ask at once do not get an object each.
        _lock_annotator(connection, annotator)
        mine = select(tasks.c.id).where(tasks.c.annotator_id == annotator.id, tasks.c.status == "open")
        latest = mine.order_by(tasks.c.last_active.desc(), tasks.c.id.desc()).limit(1)
        if (task_id := connection.scalar(latest)) is None:
            return None
        row = locked_task(connection, annotator, task_id)
        return task_of(change(connection, row, self.renewal(row, now))) if row.status == "open" else None

    def _enter(
        self, connection: Connection, who: Annotator, object_id: str, now: datetime, reopen: bool = False
    ) -> tuple[Row[Any], list[Row[Any]]] | None:
        """Give a locked object to the annotator; returns the task and those that lose the object.

        None means that there is no room for another opinion.
        """
        asked = select(items.c.opinions, items.c.category).where(items.c.object_id == object_id)
        opinions, category = connection.execute(asked).one()
        rows = connection.execute(TASKS.where(tasks.c.object_id == object_id)).all()
        mine = next((row for row in rows if row.annotator_id == who.id), None)
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
            # Those whose lease is over keep the room that is left.
            lost = expired[: max(0, len(expired) - (room - 1))]
            for row in lost:
                change(connection, row, {"status": "lost"})
        values = {"status": "open", "lease_until": now + self.length, "last_active": now}
        if mine is None:
            values |= {"object_id": object_id, "annotator_id": who.id, "seq": 0, "seconds": 0.0}
            values |= {"taken_at": now, "note": "", "second_opinion": False}
            new = insert(tasks).values(values).returning(*_columns(category))
            return connection.execute(new).one(), lost
        second = mine.second_opinion and mine.status in SUBMITTED
        entered = change(connection, mine, values | {"submitted_at": None, "second_opinion": second})
        recount(connection, object_id)
        return entered, lost

    def _announced(self, entered: Row[Any], lost: list[Row[Any]]) -> Task:
        for row in lost:
            self.live.publish(row.id, Change(row.id, row.seq, "lost"))
        return task_of(entered)


def change(connection: Connection, row: Row[Any], values: dict[str, Any]) -> Row[Any]:
    """Change a locked task; returns its new row."""
    query = update(tasks).where(tasks.c.id == row.id).values(values).returning(*_columns(row.category))
    return connection.execute(query).one()


def own_task(connection: Connection, annotator: Annotator, task_id: int) -> Row[Any]:
    """Return the row of a task of the annotator; raises NotFound if there is none, or they are revoked."""
    mine = (tasks.c.id == task_id) & (tasks.c.annotator_id == annotator.id)
    query = TASKS.join(annotators, annotators.c.id == tasks.c.annotator_id)
    query = query.where(mine, annotators.c.revoked_at.is_(None))
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(f"task {task_id}: not among the tasks of {annotator.name}")
    return row


def locked_task(connection: Connection, annotator: Annotator, task_id: int) -> Row[Any]:
    """Return the row of :func:`own_task`, locked with its object until the transaction ends."""
    # The row is read after the lock is held: PostgreSQL would give the state from before the wait.
    object_id = select(tasks.c.object_id).where(tasks.c.id == task_id).scalar_subquery()
    connection.execute(select(items.c.object_id).where(items.c.object_id == object_id).with_for_update())
    return own_task(connection, annotator, task_id)


def held_task(connection: Connection, annotator: Annotator, task_id: int) -> Row[Any]:
    """Return the annotator's open task, locked; a lease that is over but that nobody took still counts.

    Raises:
        NotFound: no such task, or somebody else's.
        LeaseLost: somebody else took the object over, or it was given back.
        TaskClosed: it was handed in.
    """
    row = locked_task(connection, annotator, task_id)
    check_held(row)
    return row


def check_held(row: Row[Any]) -> None:
    """Check that a task may be worked on; see :func:`held_task` for the errors."""
    if row.status in SUBMITTED:
        raise TaskClosed(f"{row.object_id}: handed in already; take it again to change it")
    if row.status != "open":
        reason = "somebody else has taken it over" if row.status == "lost" else "it was given back"
        way_out = "your edits so far are kept and can be handed in as a second opinion"
        raise LeaseLost(f"{row.object_id}: {reason}; {way_out}")


def task_of(row: Row[Any]) -> Task:
    """Return the record of a row of :data:`TASKS`."""
    return Task(row.id, row.object_id, row.category, row.status, row.seq, row.lease_until)


def _lock_annotator(connection: Connection, annotator: Annotator) -> None:
    connection.execute(select(annotators.c.id).where(annotators.c.id == annotator.id).with_for_update())


def _columns(category: str) -> tuple[ColumnElement[Any], ...]:
    return (*tasks.c, literal(category).label("category"))


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
