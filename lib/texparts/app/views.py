"""Hold every annotator's 3D view, and store the strokes that are painted in it."""

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alignparts.core.errors import AlignPartsError
from texparts.annotation.edits import Paint, runs_of
from texparts.app.view import ObjectView
from texparts.review.models import Annotator, StaleState
from texparts.review.pubsub import Live
from texparts.review.store import ReviewStore

LOG = logging.getLogger(__name__)
IDLE = 1800.0
"""Seconds after which a view that nobody uses is closed."""
TRIES = 5
"""Times that a stroke is offered again which met another edit on its way."""


@dataclass
class Session:
    """The 3D view of one annotator, and the number of the task that it shows.

    ``used`` is the time of the last request for it, in seconds of :func:`time.monotonic`; ``follow`` ends the
    subscription to the task's changes.
    """

    view: ObjectView
    task: int | None = None
    used: float = field(default_factory=time.monotonic)
    follow: Callable[[], None] | None = None

    def leave(self) -> None:
        """Stop following the task."""
        if self.follow is not None:
            self.follow()
        self.task = self.follow = None

    def close(self) -> None:
        """Stop following the task, and the server."""
        self.leave()
        self.view.close()


class Views:
    """Views by annotator; made when they are first asked for, closed when idle.

    Args:
        store: review that the views belong to.
        idle: seconds after which an unused view is closed.

    Attributes:
        news: notices by annotator: ``{"picked": part}`` or ``{"error": text}``.
    """

    def __init__(self, store: ReviewStore, idle: float = IDLE) -> None:
        self.news: Live[dict[str, Any]] = Live()
        self._store, self._idle = store, idle
        self._lock = threading.Lock()
        self._sessions: dict[int, Session] = {}

    def session(self, who: Annotator) -> Session:
        """Return the annotator's view."""
        with self._lock:
            session = self._sessions.get(who.id)
            if session is None:
                view = ObjectView(
                    lambda faces, part: self._stroke(who, faces, part),
                    lambda part: self.news.publish(who.id, {"picked": part}),
                )
                session = self._sessions[who.id] = Session(view)
            session.used = time.monotonic()
            return session

    def show(self, who: Annotator, task: int) -> None:
        """Show the object of an annotator's task; one that is shown already is brought up to date."""
        session = self.session(who)
        state = self._store.events.state(who, task)
        if session.task == task:
            session.view.update(state.annotation)
            return
        shape = self._store.shapes.shape(state.object_id)
        session.leave()
        session.view.show(shape, state.annotation)
        session.task = task
        session.follow = self._store.live.subscribe(task, lambda _: self._changed(who, task))

    def sweep(self) -> None:
        """Close the views that nobody has used for long."""
        before = time.monotonic() - self._idle
        self._close(lambda session: session.used < before)

    @asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """Sweep every minute while the block lasts, and close all views at its end."""

        async def sweeping() -> None:
            while True:
                await asyncio.sleep(60)
                await asyncio.to_thread(self.sweep)

        task = asyncio.create_task(sweeping())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.to_thread(self._close, lambda _: True)

    def _close(self, which: Callable[[Session], bool]) -> None:
        with self._lock:
            closed = {key: session for key, session in self._sessions.items() if which(session)}
            for key in closed:
                del self._sessions[key]
        for session in closed.values():
            session.close()

    def _changed(self, who: Annotator, task: int) -> None:
        session = self._sessions.get(who.id)
        if session is not None and session.task == task:
            session.view.update(self._store.events.state(who, task).annotation)

    def _stroke(self, who: Annotator, faces: np.ndarray, part: int) -> None:
        session = self.session(who)
        task = session.task
        if task is None:
            return
        edit, event = Paint(part=part, faces=runs_of(faces)), str(uuid.uuid4())
        try:
            seq = self._store.leases.task(who, task).seq
            for _ in range(TRIES):
                try:
                    self._store.events.append(who, task, event, seq, edit)
                    return
                except StaleState as stale:
                    seq = stale.seq
        except AlignPartsError as error:
            detail = " ".join(str(error).split())
            LOG.warning("a stroke of %s was not stored: %s", who.name, detail)
            self.news.publish(who.id, {"error": f"the stroke was not stored: {detail}"})
            session.view.update(self._store.events.state(who, task).annotation)
