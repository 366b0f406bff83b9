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

import pandas as pd

from alignparts.core import paths
from alignparts.core.atomic import write_text

COLUMNS = ["stage", "item", "seconds", "peak_mb", "gpu_mb", "device"]
FOLDER = paths.TIMINGS / "ledger"


@contextmanager
def record(stage: str, item: str = "", folder: Path = FOLDER) -> Iterator[None]:
    """Measure the block and write ``<stage>-<item>.csv``, one row of :data:`COLUMNS`.

    Memory is the peak of the largest process, this one or a child that has ended, over its whole life; of a
    GPU it is torch's own peak in this process. A block that raises leaves no row.

    Args:
        stage: name of the stage.
        item: item of its matrix, "" for none.
        folder: folder of the rows.
    """
    cuda = _cuda()
    if cuda:
        cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    yield
    row = {
        "stage": stage,
        "item": item,
        "seconds": round(time.perf_counter() - start, 2),
        "peak_mb": round(peak_memory() / 1e6, 1),
        "gpu_mb": round(cuda.max_memory_allocated() / 1e6, 1) if cuda else None,
        "device": device(),
    }
    name = "-".join(re.sub(r"[^\w.+-]", "_", part) for part in (stage, item) if part)
    text = pd.DataFrame([row], columns=COLUMNS).to_csv(index=False, lineterminator="\n")
    write_text(folder / f"{name}.csv", text)


def collect(folder: Path = FOLDER) -> pd.DataFrame:
    """Return all rows of a folder, by stage and item; no rows where there is no folder."""
    rows = [pd.read_csv(path, dtype={"stage": str, "item": str}) for path in sorted(folder.glob("*.csv"))]
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(rows, ignore_index=True)[COLUMNS]
    return table.fillna({"item": ""}).sort_values(["stage", "item"], ignore_index=True)


def totals(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return a ledger in a few lines; none for an empty one."""
    if not len(table):
        return []
    return [
        ("stages and items", str(len(table))),
        ("wall time, added up", f"{table.seconds.sum() / 60:.1f} min"),
        ("largest process", f"{table.peak_mb.max() / 1e3:.2f} GB"),
        ("on", ", ".join(sorted(set(table.device)))),
    ]


def peak_memory() -> int:
    """Return the bytes of the largest process: this one, or a child that has ended."""
    unit = 1 if sys.platform == "darwin" else 1024
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(process).ru_maxrss for process in who) * unit


def device() -> str:
    """Return the processor, the cores it gives this process, and torch's GPU if there is one."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        model = match.group(1).strip() if match else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cuda = _cuda()
    return f"{model}, {cores} cores" + (f", {cuda.get_device_name()}" if cuda else "")


def _cuda():  # type: ignore[no-untyped-def]
    """Return torch.cuda where torch is imported and has a GPU: the ledger itself does not import it."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_available() else None
