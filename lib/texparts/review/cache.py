"""Keep the present annotation of every task in memory; the database decides if it is still true."""

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
        """Return the history of a task as the database has it; ``load`` returns the prediction of an object.

        Raises:
            PredictionChanged: the object's folder no longer holds the prediction that the edits began with.
        """
        known = row.prediction in (None, self.prediction) and (row.head == self.head)
        if self.history is not None and known and self.history.seq == row.seq:
            return self.history
        self.history, self.head = None, None  # until all of the edits fit
        prediction = load(row.object_id)
        self.prediction = fingerprint(prediction)
        if row.prediction not in (None, self.prediction):
            raise PredictionChanged(
                f"{row.object_id}: its folder holds another prediction than the one that its {row.seq} edits "
                "were made on; put the folder back, or reject the object"
            )
        mine = (events.c.task_id == row.id) & (events.c.seq <= row.seq)
        history = History(prediction)
        try:
            for text in connection.scalars(select(events.c.edit).where(mine).order_by(events.c.seq)):
                history.append(read_edit(text))
        except AlignPartsError as error:
            raise PredictionChanged(
                f"{row.object_id}: its edits do not fit its prediction: {error}"
            ) from None
        self.history, self.head = history, row.head
        return history


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
