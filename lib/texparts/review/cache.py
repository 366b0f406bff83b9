"""The present annotation of every task, kept in memory; the database decides whether it is still true."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.engine import Connection

from alignparts.core.errors import AlignPartsError
from texparts.annotation.annotation import Annotation, History
from texparts.annotation.edits import read_edit
from texparts.review.models import PredictionChanged
from texparts.review.tables import events


@dataclass
class Entry:
    """One task's history, and the event that it ends with."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    history: History | None = None
    head: str | None = None
    prediction: str = ""

    def bring_up(self, connection: Connection, row: Row[Any], load: Callable[[str], Annotation]) -> History:
        """Return the history as the database has it.

        Args:
            connection: Open transaction.
            row: Row of the task.
            load: Returns the prediction of an object.

        Raises:
            PredictionChanged: The object's folder no longer holds what the edits began with.
        """
        history = self.history
        if history is not None and (history.seq > row.seq or row.prediction not in (None, self.prediction)):
            history = None
        if history is not None and (history.seq, self.head) == (row.seq, row.head):
            return history
        since = history.seq if history is not None else 0
        rows = connection.execute(
            select(events.c.id, events.c.edit)
            .where(events.c.task_id == row.id, events.c.seq >= max(since, 1), events.c.seq <= row.seq)
            .order_by(events.c.seq)
        ).all()
        known = self.head
        self.history, self.head = None, None  # until all of the edits fit
        if since and (not rows or rows[0].id != known):
            return self.bring_up(connection, row, load)
        if since:
            rows = rows[1:]
        if history is None or not since:
            history = self._begin(row, load)
        try:
            for event in rows:
                history.append(read_edit(event.edit))
        except AlignPartsError as error:
            raise PredictionChanged(
                f"{row.object_id}: its edits do not fit its prediction: {error}"
            ) from None
        self.history, self.head = history, row.head
        return history

    def _begin(self, row: Row[Any], load: Callable[[str], Annotation]) -> History:
        prediction = load(row.object_id)
        self.prediction = fingerprint(prediction)
        if row.prediction not in (None, self.prediction):
            raise PredictionChanged(
                f"{row.object_id}: its folder holds another prediction than the one that its {row.seq} edits "
                "were made on; put the folder back, or reject the object"
            )
        return History(prediction)


class Histories:
    """The latest used entries."""

    def __init__(self, size: int = 64) -> None:
        self._lock = threading.Lock()
        self.entries = lru_cache(size)(lambda task: Entry())

    @contextmanager
    def entry(self, task: int) -> Iterator[Entry]:
        """Hold a task's entry, one thread at a time; taken before any lock of the database."""
        with self._lock:
            entry = self.entries(task)
        with entry.lock:
            yield entry


def fingerprint(prediction: Annotation) -> str:
    """Return a digest that tells two predictions of an object apart."""
    digest = hashlib.sha256(prediction.face_part.tobytes())
    digest.update(repr((prediction.category, prediction.parts)).encode("utf-8", "replace"))
    return digest.hexdigest()
