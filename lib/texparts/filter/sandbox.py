"""A function run in a process of its own, which may crash, hang or run out of memory alone."""

import contextlib
import multiprocessing
import resource
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_CALLS = 64
"""After so many a process is replaced: what a reader leaks does not add up."""
START_SECONDS = 120.0
"""Longest that a process may take to start."""


class Died(Exception):
    """The process did not come to its end.

    Attributes:
        reason: "too_slow", "too_much_memory" or "crashed".
        detail: how it ended.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class Isolated(Generic[T, R]):
    """Calls a function in processes that die alone; one that did is replaced.

    They are forked from a server that has imported ``preload`` and nothing else: a new one costs little, and
    shares neither threads nor open files with this process.

    Args:
        function: picklable; its module is best among ``preload``.
        seconds: that one call may take.
        megabytes: of memory that a process may take.
        workers: processes at once.
        preload: modules that the server imports once.
    """

    def __init__(
        self, function: Callable[[T], R], *, seconds: float, megabytes: int, workers: int = 1,
        preload: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.function, self.seconds, self.megabytes, self.workers = function, seconds, megabytes, workers
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._idle: SimpleQueue[_Worker | None] = SimpleQueue()
        for _ in range(workers):
            self._idle.put(None)

    def map(self, items: Iterable[T]) -> Iterator[R | Died]:
        """Results in the order of the items; where a process died, how.

        Raises:
            Exception: what the function raises.
        """
        queue = iter(items)
        waiting: deque[Future[R | Died]] = deque()
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                while True:
                    # Bounded: results of a large folder are never held at once.
                    more = islice(queue, 4 * self.workers - len(waiting))
                    waiting.extend([pool.submit(self._call, item) for item in more])
                    if not waiting:
                        return
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()
                pool.shutdown(wait=True)
                self._close()

    def _call(self, item: T) -> R | Died:
        worker = self._idle.get()
        if worker is None or worker.calls >= _CALLS:
            if worker is not None:
                worker.close()
            worker = _Worker(self._context, self.function, self.megabytes)
        try:
            kind, value = worker.call(item, self.seconds)
        except Died as died:
            worker = None
            return died
        finally:
            self._idle.put(worker)
        if kind == "raised":
            raise value
        return value

    def _close(self) -> None:
        for _ in range(self.workers):
            worker = self._idle.get()
            if worker is not None:
                worker.close()
            self._idle.put(None)


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, context: Any, function: Callable[[Any], Any], megabytes: int) -> None:
        self.megabytes, self.calls = megabytes, 0
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_work, args=(there, function, megabytes), daemon=True)
        self._process.start()
        there.close()

    def call(self, item: Any, seconds: float) -> tuple[str, Any]:
        """What the function says of an item.

        Raises:
            Died: the process was too slow or took too much memory, or died; it is gone then.
        """
        self.calls += 1
        try:
            if self.calls == 1:
                self._wait_for_start()
            self._pipe.send(item)
            if not self._pipe.poll(seconds):
                self.close()
                raise Died("too_slow", f"no result after {seconds:g} s")
            kind, value = self._pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            self.close()
            raise Died("crashed", _ending(code)) from None
        if kind == "memory":
            # What is left of it is anybody's guess.
            self.close()
            raise Died("too_much_memory", f"more than {self.megabytes:,} MB of memory")
        return kind, value

    def _wait_for_start(self) -> None:
        """The time that a busy machine takes to start a process is not the item's."""
        if not self._pipe.poll(START_SECONDS):
            self.close()
            raise Died("too_slow", f"its process did not start within {START_SECONDS:g} s")
        self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _work(pipe: Connection, function: Callable[[Any], Any], megabytes: int) -> None:
    _limit_memory(megabytes)
    pipe.send(("ready", None))
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            answer = ("done", function(item))
        except MemoryError:
            answer = ("memory", None)
        except Exception as error:
            answer = ("raised", error)
        pipe.send(answer)


def _limit_memory(megabytes: int) -> None:
    """Bound the address space: what the process has already, and as much more."""
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the process ended with {signal.Signals(-code).name}"
    return f"the process ended with exit code {code} and without a result"
