"""Hold every annotator's 3D view, and store the strokes that are painted in it."""

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alignparts.core.errors import AlignPartsError
from texparts.annotation.edits import Paint, runs_of
from texparts.app.security import public
from texparts.app.view import ObjectView
from texparts.review.models import Annotator, StaleState, StoreUnavailable
from texparts.review.pubsub import Live
from texparts.review.store import ReviewStore

LOG = logging.getLogger(__name__)
IDLE, SWEEP = 1800.0, 60.0
"""Seconds after which a view that nobody uses is closed, and between two looks at that."""
TRIES = 5
"""Times that a stroke is offered again which met another edit on its way."""


@dataclass
class Session:
    """The 3D view of one annotator, and the number of the task that it shows.

    ``used`` is the time of the last request for it, in seconds of :func:`time.monotonic`; ``follow`` ends the
    subscription to the task's changes, ``forget`` that to the end of the annotator's log-in.
    """

    view: ObjectView
    forget: Callable[[], None]
    task: int | None = None
    used: float = field(default_factory=time.monotonic)
    follow: Callable[[], None] | None = None

    def leave(self) -> None:
        """Stop following the task."""
        if self.follow is not None:
            self.follow()
        self.task = self.follow = None

    def close(self) -> None:
        """Stop following the task and the log-in, and the server."""
        self.leave()
        self.forget()
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
                forget = self._store.tokens.ended.subscribe(who.id, lambda _: self._ended(who))
                session = self._sessions[who.id] = Session(view, forget)
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
        """Close the views that nobody has used for long, or a minute after the annotator's last log-in."""
        now, present = time.monotonic(), self._store.tokens.present()
        self._close(lambda who, view: now - view.used > (self._idle if who in present else SWEEP))

    @asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """Sweep every minute while the block lasts, and close all views at its end."""

        async def sweeping() -> None:
            while True:
                await asyncio.sleep(SWEEP)
                with suppress(StoreUnavailable):
                    await asyncio.to_thread(self.sweep)

        task = asyncio.create_task(sweeping())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.to_thread(self._close, lambda *_: True)

    def _ended(self, who: Annotator) -> None:
        if who.id not in self._store.tokens.present():
            self._close(lambda key, _: key == who.id)

    def _close(self, which: Callable[[int, Session], bool]) -> None:
        with self._lock:
            closed = {key: session for key, session in self._sessions.items() if which(key, session)}
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
            LOG.warning("a stroke of %s was not stored: %s", who.name, error)
            detail = public(error, self._store.shapes.root)
            self.news.publish(who.id, {"error": f"the stroke was not stored: {detail}"})
            session.view.update(self._store.events.state(who, task).annotation)
