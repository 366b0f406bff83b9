"""Ordered map of a function over shapes: in this process, on local ones, or on a Dask cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
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

    No more than four items per worker are queued or held at once, however long ``items`` is.

    Args:
        function: picklable function of one item.
        items: items to map over.
        workers: local processes; 1 runs in this process.
        scheduler: address of a running Dask scheduler; None stays on this machine.
        description: text of the progress bar.
    """
    progress: tqdm[Any] = tqdm(total=len(items), desc=description, mininterval=2.0, leave=False)
    with progress, ExitStack() as stack:
        if workers <= 1 and scheduler is None:
            results: Iterator[R] = map(function, items)
        else:
            import joblib

            if scheduler is not None:
                from distributed import Client

                stack.enter_context(Client(scheduler))
                stack.enter_context(joblib.parallel_config("dask"))
            parallel = joblib.Parallel(
                n_jobs=max(workers, 1), return_as="generator", pre_dispatch="4*n_jobs", batch_size=1
            )
            results = parallel(joblib.delayed(function)(item) for item in items)
        for result in results:
            progress.update()
            yield result
