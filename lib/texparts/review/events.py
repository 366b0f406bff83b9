"""Store edits as events: before they are acknowledged, never twice, in one order per task."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, exc, insert, select
from sqlalchemy.engine import Connection

from alignparts.core.errors import AlignPartsError
from texparts.annotation.annotation import Annotation, History
from texparts.annotation.edits import Edit, read_edit
from texparts.annotation.geometry import Shapes
from texparts.review.cache import Entry, Histories
from texparts.review.database import Database
from texparts.review.leases import Leases, change, check_held, locked_task, own_task, task_of
from texparts.review.models import Annotator, EventRecord, StaleState, Task, TaskState
from texparts.review.pubsub import Change, Live
from texparts.review.tables import annotators, events, tasks


@dataclass(frozen=True)
class Events:
    """Appends edits and replays them."""

    database: Database
    shapes: Shapes
    live: Live[Change]
    clock: Callable[[], datetime]
    leases: Leases
    histories: Histories = field(default_factory=Histories)

    def state(self, annotator: Annotator, task_id: int) -> TaskState:
        """Return the task as it is now.

        Raises:
            NotFound: no such task, or somebody else's.
            AlignPartsError: the object's folder cannot be read.
        """
        with self._read(annotator, task_id) as (row, history):
            return _state(row, history)

    def after(self, annotator: Annotator, task_id: int, seq: int) -> tuple[Task, Annotation]:
        """Return a task and its annotation after ``seq`` events; raises StaleState if it has fewer."""
        with self._read(annotator, task_id) as (row, history):
            if seq > row.seq:
                raise StaleState(row.seq)
            return task_of(row), history.after(seq)

    def part_names(self, annotator: Annotator, task_id: int) -> list[dict[int, str]]:
        """Return the parts' names by their ids, as predicted and after every event; see :meth:`state`."""
        with self._read(annotator, task_id) as (_, history):
            return [{part.id: part.name for part in parts} for parts in history.parts]

    def append(
        self, annotator: Annotator, task_id: int, event_id: str, expected_seq: int, edit: Edit
    ) -> TaskState:
        """Store an edit; it is on disk when this returns.

        Args:
            annotator: annotator whose task it is.
            task_id: number of the task.
            event_id: UUID of the caller's choice; the same again stores nothing more.
            expected_seq: number of events of the task that the caller has seen.
            edit: edit of the annotation after those events.

        Raises:
            AlignPartsError: ``event_id`` is no UUID, or the edit does not fit.
            StaleState: the task has another number of events.
            LeaseLost, TaskClosed, NotFound: see :func:`texparts.review.leases.held_task`.
            StoreUnavailable: the database is away; the same call may be made again.
        """
        event_id = _uuid(event_id)
        with self.histories.entry(task_id) as entry:
            if entry.history is None:  # replayed before the write, which others wait for
                with self._read(annotator, task_id):
                    pass
            try:
                state, new = self._write(annotator, task_id, event_id, expected_seq, edit, entry)
            except exc.IntegrityError:  # one that another task got at the same moment
                raise _belongs_elsewhere(event_id) from None
        if new:
            self.live.publish(task_id, Change(task_id, state.seq, state.status))
        return state

    def history(self, object_id: str, task_id: int | None = None) -> list[EventRecord]:
        """Return all events of an object, or of one of its tasks, by task and time."""
        query = (
            select(events, annotators.c.name)
            .join(tasks, tasks.c.id == events.c.task_id)
            .join(annotators, annotators.c.id == events.c.annotator_id)
            .where(tasks.c.object_id == object_id)
            .order_by(events.c.task_id, events.c.seq)
        )
        if task_id is not None:
            query = query.where(events.c.task_id == task_id)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return [EventRecord(r.id, r.task_id, r.seq, r.name, r.at, read_edit(r.edit)) for r in rows]

    def annotation(self, row: Row[Any]) -> Annotation:
        """Return the present annotation of anybody's task, without keeping it in memory."""
        with self.database.read() as connection:
            return self._bring_up(connection, Entry(), row).present

    def prediction(self, object_id: str) -> Annotation:
        """Return the model's annotation of an object."""
        return self.shapes.folder(object_id).prediction()

    @contextmanager
    def _read(self, annotator: Annotator, task_id: int) -> Iterator[tuple[Row[Any], History]]:
        with self.histories.entry(task_id) as entry, self.database.read() as connection:
            row = own_task(connection, annotator, task_id)
            yield row, self._bring_up(connection, entry, row)

    def _bring_up(self, connection: Connection, entry: Entry, row: Row[Any]) -> History:
        return entry.bring_up(connection, row, self.prediction)

    def _write(
        self, who: Annotator, task_id: int, event_id: str, expected_seq: int, edit: Edit, entry: Entry
    ) -> tuple[TaskState, bool]:
        """Store an edit; returns the state, and False where it was stored before."""
        with self.database.write() as connection:
            row = locked_task(connection, who, task_id)
            stored = connection.scalar(select(events.c.task_id).where(events.c.id == event_id))
            if stored is not None:
                if stored != task_id:
                    raise _belongs_elsewhere(event_id)
                return _state(row, self._bring_up(connection, entry, row)), False
            check_held(row)
            if row.seq != expected_seq:
                raise StaleState(row.seq)
            history = self._bring_up(connection, entry, row)
            history.append(edit)
            entry.head = None  # until it is certain that memory and database hold the same
            now, seq = self.clock(), history.seq
            event = {"id": event_id, "task_id": task_id, "seq": seq, "annotator_id": who.id, "at": now}
            connection.execute(insert(events).values(event | {"edit": edit.model_dump_json()}))
            values = {"seq": seq, "head": event_id, "prediction": entry.prediction}
            row = change(connection, row, self.leases.renewal(row, now) | values)
        entry.head = event_id
        return _state(row, history), True


def _state(row: Row[Any], history: History) -> TaskState:
    seconds = round(float(row.seconds), 3)  # RETURNING may give an int in SQLite
    undo, redo = history.can_undo, history.can_redo
    task = vars(task_of(row))
    return TaskState(**task, annotation=history.present, can_undo=undo, can_redo=redo, seconds=seconds)


def _belongs_elsewhere(event_id: str) -> AlignPartsError:
    return AlignPartsError(f"id: {event_id} belongs to an event of another task; take a new one")


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except (ValueError, AttributeError):
        raise AlignPartsError(f"id: expected a UUID, got '{text[:40]}'") from None
