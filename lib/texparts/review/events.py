"""Edits as events: stored before they are acknowledged, never twice, in one order a task."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Row, exc, insert, select, update
from sqlalchemy.engine import Connection

from alignparts.core.errors import AlignPartsError
from texparts.annotation.annotation import Annotation, History
from texparts.annotation.edits import Edit, read_json
from texparts.review.cache import Entry, Histories
from texparts.review.database import Database
from texparts.review.errors import NotFound, StaleState
from texparts.review.leases import Leases, check_held, locked_task, task_of
from texparts.review.models import Annotator, EventRecord, TaskState
from texparts.review.pubsub import Change, Live
from texparts.review.tables import annotators, events, tasks


class Events:
    """Appends edits and replays them."""

    def __init__(
        self,
        database: Database,
        leases: Leases,
        live: Live,
        clock: Callable[[], datetime],
        load: Callable[[str], Annotation],
    ) -> None:
        self._database = database
        self._leases = leases
        self._live = live
        self._clock = clock
        self.load = load
        self._histories = Histories()

    def state(self, annotator: Annotator, task_id: int) -> TaskState:
        """The task as it is now.

        Raises:
            NotFound: no such task, or somebody else's.
        """
        with self._histories.entry(task_id) as entry, self._database.read() as connection:
            return self._state(connection, entry, _own(connection, annotator, task_id))

    def part_names(self, annotator: Annotator, task_id: int) -> list[dict[int, str]]:
        """Names of the parts by their ids, as predicted and after every event.

        Raises:
            NotFound: no such task, or somebody else's.
        """
        with self._histories.entry(task_id) as entry, self._database.read() as connection:
            history = entry.bring_up(connection, _own(connection, annotator, task_id), self.load)
            return [{part.id: part.name for part in parts} for parts in history.parts]

    def append(
        self,
        annotator: Annotator,
        task_id: int,
        event_id: str,
        expected_seq: int,
        edit: Callable[[Annotation], Edit],
    ) -> TaskState:
        """Store an edit; it is on disk when this returns.

        Args:
            annotator: whose task it is.
            task_id: the task.
            event_id: a UUID of the caller's; the same again stores nothing more.
            expected_seq: events of the task that the caller has seen.
            edit: makes the edit from the present annotation.

        Raises:
            AlignPartsError: no UUID, or the edit does not fit.
            StaleState: the task has another number of events.
            LeaseLost, TaskClosed, NotFound: see :func:`texparts.review.leases.held_task`.
            StoreUnavailable: the database is away; the same call may be made again.
        """
        event_id = _uuid(event_id)
        with self._histories.entry(task_id) as entry:
            self._warm(annotator, task_id, entry)
            try:
                state, new = self._write(annotator, task_id, event_id, expected_seq, edit, entry)
            except exc.IntegrityError:  # one that another task got at the same moment
                raise _belongs_elsewhere(event_id) from None
        if new:
            self._live.publish(Change(task_id, state.seq, state.status))
        return state

    def history(self, object_id: str, task_id: int | None = None) -> list[EventRecord]:
        """All events of an object, or of one of its tasks, in the order of their tasks and of time."""
        query = (
            select(events, annotators.c.name)
            .join(tasks, tasks.c.id == events.c.task_id)
            .join(annotators, annotators.c.id == events.c.annotator_id)
            .where(tasks.c.object_id == object_id)
            .order_by(events.c.task_id, events.c.seq)
        )
        if task_id is not None:
            query = query.where(events.c.task_id == task_id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [EventRecord(r.id, r.task_id, r.seq, r.name, r.at, read_json(r.edit)) for r in rows]

    def annotation(self, row: Row[Any]) -> Annotation:
        """The present annotation of a task, whoever's it is; not kept in memory."""
        with self._database.read() as connection:
            return Entry().bring_up(connection, row, self.load).present

    def _warm(self, annotator: Annotator, task_id: int, entry: Entry) -> None:
        """Read and replay before the write, which others wait for."""
        with self._database.read() as connection:
            row = connection.execute(
                select(tasks).where(tasks.c.id == task_id, tasks.c.annotator_id == annotator.id)
            ).first()
            if row is not None:
                entry.bring_up(connection, row, self.load)

    def _write(
        self,
        annotator: Annotator,
        task_id: int,
        event_id: str,
        expected_seq: int,
        edit: Callable[[Annotation], Edit],
        entry: Entry,
    ) -> tuple[TaskState, bool]:
        with self._database.write() as connection:
            row = locked_task(connection, annotator, task_id)
            stored = connection.scalar(select(events.c.task_id).where(events.c.id == event_id))
            if stored is not None:
                if stored != task_id:
                    raise _belongs_elsewhere(event_id)
                return self._state(connection, entry, row), False
            check_held(row)
            if row.seq != expected_seq:
                raise StaleState(row.seq)
            history = entry.bring_up(connection, row, self.load)
            made = edit(history.present)
            history.append(made)
            entry.head = None  # until it is certain that memory and database hold the same
            now = self._clock()
            self._leases.renew(connection, row, now)
            connection.execute(
                insert(events).values(
                    id=event_id,
                    task_id=task_id,
                    seq=history.seq,
                    annotator_id=annotator.id,
                    at=now,
                    edit=made.model_dump_json(),
                )
            )
            connection.execute(
                update(tasks)
                .where(tasks.c.id == task_id)
                .values(seq=history.seq, head=event_id, prediction=entry.prediction)
            )
            row = connection.execute(select(tasks).where(tasks.c.id == task_id)).one()
            state = _state(connection, row, history)
        entry.head = event_id
        return state, True

    def _state(self, connection: Connection, entry: Entry, row: Row[Any]) -> TaskState:
        return _state(connection, row, entry.bring_up(connection, row, self.load))


def _own(connection: Connection, annotator: Annotator, task_id: int) -> Row[Any]:
    mine = (tasks.c.id == task_id) & (tasks.c.annotator_id == annotator.id)
    row = connection.execute(select(tasks).where(mine)).first()
    if row is None:
        raise NotFound(f"task {task_id}: not among the tasks of {annotator.name}")
    return row


def _state(connection: Connection, row: Row[Any], history: History) -> TaskState:
    task = task_of(connection, row.id)
    return TaskState(task, history.present, history.can_undo, history.can_redo, round(row.seconds, 3))


def _belongs_elsewhere(event_id: str) -> AlignPartsError:
    return AlignPartsError(f"id: {event_id} belongs to an event of another task; take a new one")


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except (ValueError, AttributeError):
        raise AlignPartsError(f"id: expected a UUID, got '{text[:40]}'") from None
