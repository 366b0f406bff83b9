"""Every annotator's 3D view, and what it tells the review."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alignparts.core.errors import AlignPartsError
from texparts.annotation.edits import Paint, runs_of
from texparts.app.view import ObjectView
from texparts.review.errors import StaleState
from texparts.review.models import Annotator
from texparts.review.pubsub import Change
from texparts.review.store import ReviewStore

LOG = logging.getLogger(__name__)
IDLE = 1800.0
"""Seconds after which a view that nobody uses is closed."""
TRIES = 5
"""How often a stroke is offered again that met another edit on its way."""
News = Callable[[dict[str, Any]], None]
"""Is told ``{"picked": part}`` or ``{"error": text}``."""


@dataclass
class Session:
    """The view of one annotator.

    Attributes:
        view: the scene.
        task: what it shows.
        used: when somebody last asked for it.
        listeners: pages that want to know what happens in the view.
        follow: ends the subscription to the task's changes.
    """

    view: ObjectView
    task: int | None = None
    used: float = field(default_factory=time.monotonic)
    listeners: list[News] = field(default_factory=list)
    follow: Callable[[], None] | None = None

    def tell(self, news: dict[str, Any]) -> None:
        """Tell the pages."""
        for listener in list(self.listeners):
            listener(news)

    @contextmanager
    def listening(self, listener: News) -> Iterator[None]:
        """Told for the length of a block, from any thread."""
        self.listeners.append(listener)
        try:
            yield
        finally:
            self.listeners.remove(listener)

    def close(self) -> None:
        """Stop following the task, and the server."""
        if self.follow is not None:
            self.follow()
        self.view.close()


class Views:
    """Every annotator's view; made when it is first asked for, closed when idle."""

    def __init__(self, store: ReviewStore, idle: float = IDLE) -> None:
        self._store, self._idle = store, idle
        self._lock = threading.Lock()
        self._sessions: dict[int, Session] = {}

    def session(self, who: Annotator) -> Session:
        """The annotator's view."""
        with self._lock:
            found = self._sessions.get(who.id)
            if found is None:
                found = Session(
                    ObjectView(
                        lambda faces, part: self._stroke(who, faces, part),
                        lambda part: self.session(who).tell({"picked": part}),
                    )
                )
                self._sessions[who.id] = found
            found.used = time.monotonic()
            return found

    def show(self, who: Annotator, task: int) -> None:
        """Show a task's object; does nothing if it is there already.

        Raises:
            AlignPartsError: not the annotator's task, or its folder cannot be read.
        """
        session = self.session(who)
        state = self._store.state(who, task)
        if session.task == task:
            session.view.update(state.annotation)
            return
        shape = self._store.shapes.shape(state.task.object_id)
        if session.follow is not None:
            session.follow()
        session.view.show(shape, state.annotation)
        session.task = task
        session.follow = self._store.live.subscribe(task, lambda change: self._changed(who, change))

    def sweep(self) -> None:
        """Close what nobody has used for long."""
        with self._lock:
            old = [key for key, one in self._sessions.items() if time.monotonic() - one.used > self._idle]
            closed = [self._sessions.pop(key) for key in old]
        for session in closed:
            session.close()

    def close(self) -> None:
        """Close all."""
        with self._lock:
            closed, self._sessions = list(self._sessions.values()), {}
        for session in closed:
            session.close()

    def _changed(self, who: Annotator, change: Change) -> None:
        session = self._sessions.get(who.id)
        if session is not None and session.task == change.task:
            session.view.update(self._store.state(who, change.task).annotation)

    def _stroke(self, who: Annotator, faces: np.ndarray, part: int) -> None:
        session = self.session(who)
        if session.task is None:
            return
        edit, event = Paint(part=part, faces=runs_of(faces)), str(uuid.uuid4())
        seq = 0
        try:
            seq = self._store.task(who, session.task).seq
            for _ in range(TRIES):
                try:
                    self._store.append(who, session.task, event, seq, edit)
                    return
                except StaleState as stale:
                    seq = stale.seq
        except AlignPartsError as error:
            detail = " ".join(str(error).split())
            LOG.warning("a stroke of %s was not stored: %s", who.name, detail)
            session.tell({"error": f"the stroke was not stored: {detail}"})
            session.view.update(self._store.state(who, session.task).annotation)
