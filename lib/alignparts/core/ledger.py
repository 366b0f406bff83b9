"""Cost of the stages: wall seconds and peak memory; never part of a result.

Rows lie in ``reports/timings/ledger``, one file per stage and item of its matrix.
"""

import os
import platform
import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from alignparts.core import paths
from alignparts.core.atomic import write_text

COLUMNS = ["stage", "item", "seconds", "peak_mb", "gpu_mb", "device"]
FOLDER = paths.TIMINGS / "ledger"


@contextmanager
def record(stage: str, item: str = "", folder: Path = FOLDER) -> Iterator[None]:
    """Measure a block and write ``<stage>-<item>.csv``, one row of :data:`COLUMNS`; `item` is of its matrix.

    Memory is that of :func:`peak_memory`; of a GPU it is torch's own peak in this process. A block that
    raises leaves no row.
    """
    cuda = _cuda()
    if cuda:
        cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    yield
    seconds, memory = round(time.perf_counter() - start, 2), round(peak_memory() / 1e6, 1)
    on_gpu = round(cuda.max_memory_allocated() / 1e6, 1) if cuda else None
    table = pd.DataFrame([[stage, item, seconds, memory, on_gpu, device()]], columns=COLUMNS)
    name = "-".join(re.sub(r"[^\w.+-]", "_", part) for part in (stage, item) if part)
    write_text(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))


def collect(folder: Path = FOLDER) -> pd.DataFrame:
    """Return all rows of a folder, by stage and item; no rows if there is no folder."""
    rows = [pd.read_csv(path, dtype={"stage": str, "item": str}) for path in sorted(folder.glob("*.csv"))]
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(rows, ignore_index=True)[COLUMNS]
    return table.fillna({"item": ""}).sort_values(["stage", "item"], ignore_index=True)


def totals(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return a ledger's sums as pairs of label and text; none for an empty ledger."""
    if not len(table):
        return []
    return [
        ("stages and items", str(len(table))),
        ("wall time, added up", f"{table.seconds.sum() / 60:.1f} min"),
        ("largest process", f"{table.peak_mb.max() / 1e3:.2f} GB"),
        ("on", ", ".join(sorted(set(table.device)))),
    ]


def peak_memory() -> int:
    """Return the peak bytes of the largest process so far: this one, or a child that has ended."""
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(process).ru_maxrss for process in processes)
    return peak * (1 if sys.platform == "darwin" else 1024)


def device() -> str:
    """Return the processor, the number of cores this process may use, and torch's GPU if there is one."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text() if cpuinfo.is_file() else ""
    match = re.search(r"^model name\s*:\s*(.+)$", lines, re.MULTILINE)
    model = match.group(1).strip() if match else platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cuda = _cuda()
    return f"{model}, {cores} cores" + (f", {cuda.get_device_name()}" if cuda else "")


def _cuda() -> Any:
    """Return torch.cuda if torch is already imported (this module does not import it) and has a GPU."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_available() else None
