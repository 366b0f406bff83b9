"""Run a function in worker processes that may crash, hang or run out of memory without further harm."""

import contextlib
import multiprocessing
import os
import resource
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pebble import ProcessExpired, ProcessPool

T = TypeVar("T")
R = TypeVar("R")
CALLS = 64
"""Calls before a worker is replaced, so that leaks cannot accumulate."""
_OUT_OF_MEMORY = 99
"""Exit code of a worker that ran out of memory: its state is not to be trusted any more."""


class Died(NamedTuple):
    """End of a worker without a result.

    Attributes:
        reason: "too_slow", "too_much_memory" or "crashed".
        detail: the same in plain English.
    """

    reason: str
    detail: str


def isolated_map(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    seconds: float,
    megabytes: int,
    workers: int = 1,
    preload: Sequence[str] = (),
) -> Iterator[R | Died]:
    """Yield a function's results in the order of the items, or the way in which its worker died.

    Workers are forked from a server that has imported ``preload`` and nothing else: a new one costs little,
    and shares neither threads nor open files with this process.

    Args:
        function: picklable function; its module is best among ``preload``.
        items: arguments, one per call.
        seconds: longest time of one call.
        megabytes: most memory of one worker.
        workers: number of processes.
        preload: modules that the server imports once.

    Raises:
        Exception: whatever the function raises.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    todo, waiting = iter(items), deque[T]()
    while True:
        pool = ProcessPool(workers, CALLS, _limit_memory, [megabytes], context)
        futures: deque[Any] = deque()
        try:
            while True:
                # Bounded, so that the results of a large folder are never held at once.
                waiting.extend(islice(todo, 4 * workers - len(waiting)))
                if not waiting:
                    return
                for item in islice(waiting, len(futures), None):
                    futures.append(pool.schedule(_call, [function, item], timeout=seconds))
                try:
                    result = futures[0].result()
                except TimeoutError:
                    result = Died("too_slow", f"no result after {seconds:g} s")
                except ProcessExpired as error:
                    result = Died("crashed", _ending(error.exitcode))
                    if error.exitcode == _OUT_OF_MEMORY:
                        result = Died("too_much_memory", f"more than {megabytes:,} MB of memory")
                waiting.popleft()
                futures.popleft()
                yield result
        except BrokenProcessPool:
            continue  # a worker died before its first sign of life, of an unknown call: all over again
        finally:
            pool.stop()
            pool.join()


def _call(function: Callable[[T], R], item: T) -> R:
    try:
        return function(item)
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)


def _limit_memory(megabytes: int) -> None:
    """Bound the address space to the present one and as many megabytes more."""
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the process ended with {signal.Signals(-code).name}"
    return f"the process ended with exit code {code} and without a result"
