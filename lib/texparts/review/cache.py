"""The present annotation of every task, kept in memory; the database decides whether it is still true."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.engine import Connection

from alignparts.core.errors import AlignPartsError
from texparts.annotation.annotation import Annotation, History
from texparts.annotation.edits import read_json
from texparts.review.errors import PredictionChanged
from texparts.review.tables import events


@dataclass
class Entry:
    """One task's history, and the event that it ends with."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    history: History | None = None
    head: str | None = None
    prediction: str = ""

    def bring_up(self, connection: Connection, row: Row[Any], load: Callable[[str], Annotation]) -> History:
        """The history as the database has it.

        Args:
            connection: an open transaction.
            row: of the task.
            load: the prediction of an object.

        Raises:
            PredictionChanged: the object's folder no longer holds what the edits began with.
        """
        history = self.history
        same = history is not None and history.seq <= row.seq and row.prediction in (None, self.prediction)
        if history is not None and same and history.seq == row.seq and self.head == row.head:
            return history
        since = history.seq if history is not None and same else 0
        rows = connection.execute(
            select(events.c.id, events.c.edit)
            .where(events.c.task_id == row.id, events.c.seq >= max(since, 1), events.c.seq <= row.seq)
            .order_by(events.c.seq)
        ).all()
        if since and (not rows or rows[0].id != self.head):
            self.forget()
            return self.bring_up(connection, row, load)
        if history is None or not since:
            history = self._begin(row, load)
        else:
            rows = rows[1:]
        self.forget()  # until all of them fit
        try:
            for one in rows:
                history.append(read_json(one.edit))
        except AlignPartsError as error:
            raise PredictionChanged(
                f"{row.object_id}: its edits do not fit its prediction: {error}"
            ) from None
        self.history, self.head = history, row.head
        return history

    def forget(self) -> None:
        """Read everything again next time."""
        self.history, self.head = None, None

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

    def __init__(self, kept: int = 64) -> None:
        self._lock = threading.Lock()
        self._kept = kept
        self._entries: OrderedDict[int, Entry] = OrderedDict()

    @contextmanager
    def entry(self, task: int) -> Iterator[Entry]:
        """A task's entry, for one thread at a time; taken before any lock of the database."""
        with self._lock:
            entry = self._entries.setdefault(task, Entry())
            self._entries.move_to_end(task)
            while len(self._entries) > self._kept:
                self._entries.popitem(last=False)
        with entry.lock:
            yield entry


def fingerprint(prediction: Annotation) -> str:
    """Tells two predictions of an object apart."""
    digest = hashlib.sha256(prediction.face_part.tobytes())
    digest.update(repr((prediction.category, prediction.parts)).encode("utf-8", "replace"))
    return digest.hexdigest()
