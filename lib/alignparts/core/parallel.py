"""One way to map a function over shapes: Dask, a local cluster by default."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from tqdm.auto import tqdm

T = TypeVar("T")
R = TypeVar("R")


def map_shapes(
    function: Callable[[T], R],
    items: Sequence[T],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    description: str = "shapes",
) -> Iterator[R]:
    """Yield ``function(item)`` in the order of ``items``, with a progress bar.

    Args:
        function: picklable; called once an item.
        items: what to map over.
        workers: local processes; 1 runs in this process.
        scheduler: address of a running Dask scheduler; None starts a local cluster.
        description: what the progress bar says.
    """
    progress: tqdm[Any] = tqdm(total=len(items), desc=description, mininterval=2.0, leave=False)
    with progress:
        results: Iterable[R]
        if workers <= 1 and scheduler is None:
            results = map(function, items)
            for result in results:
                progress.update()
                yield result
            return
        yield from _on_dask(function, items, workers, scheduler, progress)


def _on_dask(
    function: Callable[[T], R],
    items: Sequence[T],
    workers: int,
    scheduler: str | None,
    progress: "tqdm[Any]",
) -> Iterator[R]:
    from distributed import Client, LocalCluster

    cluster = None
    if scheduler is None:
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.ERROR,
        )
    try:
        with Client(cluster if cluster is not None else scheduler) as client:
            # A bounded window: a 40 k-shape corpus is never queued, or held, at once.
            window = 4 * max(workers, 1)
            pending: list = []
            queue = iter(items)
            while True:
                while len(pending) < window:
                    try:
                        item = next(queue)
                    except StopIteration:
                        break
                    pending.append(client.submit(function, item, pure=False))
                if not pending:
                    return
                result = pending.pop(0).result()
                progress.update()
                yield result
    finally:
        if cluster is not None:
            cluster.close()
