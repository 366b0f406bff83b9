"""Map a function over shapes in order: in this process, on local ones, or on a Dask cluster."""

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import ExitStack
from typing import TypeVar
from urllib.parse import urlsplit

import joblib
from tqdm.auto import tqdm

from alignparts.core.errors import AlignPartsError

T = TypeVar("T")
R = TypeVar("R")


def map_shapes(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    total: int | None = None,
    batch: int = 1,
    workers: int = 1,
    scheduler: str | None = None,
    description: str = "shapes",
) -> Iterator[R]:
    """Yield ``function(item)`` in the order of ``items``, with a progress bar.

    No more than four items per worker are queued or held at once, however long ``items`` is.

    Args:
        function: function of a single item; picklable if it runs in another process.
        items: items to map over.
        total: number of items, if ``items`` has no length.
        batch: number of items that a process gets at once.
        workers: number of local processes; 1 runs in this process.
        scheduler: address of a running Dask scheduler, tls:// on another host; None stays on this machine.
        description: text of the progress bar.

    Raises:
        AlignPartsError: the scheduler is on another host and not asked by TLS.
    """
    total = len(items) if isinstance(items, Sized) else total
    with ExitStack() as stack:
        if scheduler is not None:
            from distributed import Client

            _check(scheduler)
            stack.enter_context(Client(scheduler))
            stack.enter_context(joblib.parallel_config("dask"))
        parallel = joblib.Parallel(workers, return_as="generator", pre_dispatch="4*n_jobs", batch_size=batch)
        results = parallel(joblib.delayed(function)(item) for item in items)
        yield from tqdm(results, total=total, desc=description, mininterval=2.0, leave=False)


def _check(scheduler: str) -> None:
    """Refuse a scheduler that others could pose as: what it sends is run."""
    from alignparts.core.http import LOOPBACK

    url = urlsplit(scheduler if "://" in scheduler else f"tcp://{scheduler}")
    if url.scheme != "tls" and url.hostname not in LOOPBACK:
        way = "start it with TLS certificates (tls://HOST:PORT), or reach it through ssh -L (127.0.0.1:PORT)"
        raise AlignPartsError(f"scheduler: {scheduler}: neither encrypted nor on this machine; {way}")
