"""Says within one process when a task has changed, so that the page and the 3D view both follow."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """A task has another state now."""

    task: int
    seq: int
    status: str


class Live:
    """Publish and subscribe; whoever misses a notice finds the truth in the store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[int, list[Callable[[Change], None]]] = {}

    def publish(self, change: Change) -> None:
        """Tell everybody who follows the task, in the caller's thread; a listener's failure is logged.

        Notices of two threads may overtake each other: the higher ``seq`` is the later one.
        """
        with self._lock:
            listeners = list(self._listeners.get(change.task, ()))
        for listener in listeners:
            try:
                listener(change)
            except Exception:
                LOG.exception("a listener of task %d failed", change.task)

    def subscribe(self, task: int, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call ``listener`` at every change of the task, from any thread, until the result is called."""
        with self._lock:
            self._listeners.setdefault(task, []).append(listener)

        def cancel() -> None:
            with self._lock:
                left = [one for one in self._listeners.get(task, ()) if one is not listener]
                if left:
                    self._listeners[task] = left
                else:
                    self._listeners.pop(task, None)

        return cancel

    @contextmanager
    def following(self, task: int, listener: Callable[[Change], None]) -> Iterator[None]:
        """Subscribed for the length of a block."""
        cancel = self.subscribe(task, listener)
        try:
            yield
        finally:
            cancel()
