"""Pass notices on within one process, so that the page and the 3D view both follow a task."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

LOG = logging.getLogger(__name__)
News = TypeVar("News")


@dataclass(frozen=True)
class Change:
    """Notice that a task has another state now."""

    task: int
    seq: int
    status: str


class Live(Generic[News]):
    """Publish and subscribe by number; whoever misses a notice finds the truth in the store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[int, list[Callable[[News], Any]]] = {}

    def publish(self, key: int, news: News) -> None:
        """Tell everybody who follows ``key``, in the caller's thread; a listener's failure is logged.

        Notices of two threads may overtake each other: the higher ``seq`` is the later one.
        """
        with self._lock:
            listeners = list(self._listeners.get(key, ()))
        for listener in listeners:
            try:
                listener(news)
            except Exception:
                LOG.exception("a listener of %d failed", key)

    def subscribe(self, key: int, listener: Callable[[News], Any]) -> Callable[[], None]:
        """Call ``listener`` at every notice, from any thread, until the returned function is called."""
        with self._lock:
            self._listeners.setdefault(key, []).append(listener)

        def cancel() -> None:
            with self._lock:
                self._listeners[key].remove(listener)
                if not self._listeners[key]:
                    del self._listeners[key]

        return cancel

    @contextmanager
    def queue(self, key: int) -> Iterator[asyncio.Queue[News]]:
        """Collect the notices in a queue of the running event loop while the block lasts."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[News] = asyncio.Queue()
        cancel = self.subscribe(key, lambda news: loop.call_soon_threadsafe(queue.put_nowait, news))
        try:
            yield queue
        finally:
            cancel()
