"""What a stage costs: wall seconds, peak memory, energy where the machine counts it.

Never part of a result: rows lie in ``reports/timings/ledger``, one file a stage and item.
"""

import os
import platform
import re
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from alignparts.core import paths
from alignparts.core.atomic import write_atomically

COLUMNS = ["stage", "item", "seconds", "peak_mb", "gpu_mb", "energy_joule", "energy_of", "device"]
"""``energy_of`` says which counters were read: cpu, gpu or both."""
FOLDER = paths.TIMINGS / "ledger"
POWERCAP = Path("/sys/class/powercap")
WATCH = 60.0
"""Seconds between two readings: a processor's counter starts again within minutes to hours."""


class ProcessorEnergy:
    """Joules of all processor packages since the start, from Linux's powercap (RAPL).

    Args:
        root: powercap's folder; a machine without, or without the right to read it, counts nothing.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        self._zones = [zone for zone in sorted(root.glob("intel-rapl:*")) if self._is_package(zone)]
        self._last = [self._microjoules(zone) for zone in self._zones]
        self._total = 0
        self.known = bool(self._zones) and all(value is not None for value in self._last)

    @staticmethod
    def _is_package(zone: Path) -> bool:
        # Zones within a package, and the whole platform (psys), would count the same joules twice.
        try:
            return (zone / "name").read_text().startswith("package")
        except OSError:
            return False

    @staticmethod
    def _microjoules(zone: Path, name: str = "energy_uj") -> int | None:
        try:
            return int((zone / name).read_text())
        except (OSError, ValueError):
            return None

    def read(self) -> float | None:
        """Joules so far; None where a counter cannot be read."""
        for number, zone in enumerate(self._zones if self.known else []):
            now, before = self._microjoules(zone), self._last[number]
            if now is None or before is None:
                self.known = False
                break
            step = now - before
            if step < 0:  # the counter started again
                step += self._microjoules(zone, "max_energy_range_uj") or -step
            self._total += step
            self._last[number] = now
        return self._total / 1e6 if self.known else None


def card_joules() -> float | None:
    """Joules of all NVIDIA cards since their driver was loaded; None without pynvml, cards or counters."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        try:
            cards = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
            return (
                sum(pynvml.nvmlDeviceGetTotalEnergyConsumption(one) for one in cards) / 1e3 if cards else None
            )
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return None


@contextmanager
def record(stage: str, item: str = "", folder: Path = FOLDER) -> Iterator[None]:
    """Measure the block and write ``<stage>-<item>.csv``, one row of :data:`COLUMNS`.

    Memory is the peak of the largest process over its whole life: this one, or a child that has ended. Of a
    card it is what torch took in this process. Energy is the whole machine's, whoever else works on it. A
    block that raises leaves no row.

    Args:
        stage: of the pipeline.
        item: of its matrix, "" for none.
        folder: of the rows.
    """
    processor, card = ProcessorEnergy(), card_joules()
    stop = threading.Event()
    watch = threading.Thread(target=_watch, args=(processor, stop), daemon=True)
    _start_card_memory()
    start = time.perf_counter()
    watch.start()
    try:
        yield
        seconds = time.perf_counter() - start
    finally:
        stop.set()
        watch.join()
    energy = {"cpu": processor.read(), "gpu": _since(card, card_joules())}
    known = {name: value for name, value in energy.items() if value is not None}
    row = {
        "stage": stage,
        "item": item,
        "seconds": round(seconds, 2),
        "peak_mb": round(peak_memory() / 1e6, 1),
        "gpu_mb": _card_memory(),
        "energy_joule": round(sum(known.values()), 1) if known else None,
        "energy_of": "+".join(known),
        "device": device(),
    }
    name = "-".join(re.sub(r"[^\w.+-]", "_", part) for part in (stage, item) if part)
    text = pd.DataFrame([row], columns=COLUMNS).to_csv(index=False, lineterminator="\n")
    write_atomically(folder / f"{name}.csv", lambda temporary: temporary.write_text(text))


def collect(folder: Path = FOLDER) -> pd.DataFrame:
    """All rows of a folder, by stage and item; no rows where there is no folder."""
    rows = [pd.read_csv(path, dtype={"stage": str, "item": str}) for path in sorted(folder.glob("*.csv"))]
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat(rows, ignore_index=True)[COLUMNS]
    return table.fillna({"item": "", "energy_of": ""}).sort_values(["stage", "item"], ignore_index=True)


def totals(table: pd.DataFrame) -> list[tuple[str, str]]:
    """A ledger in a few lines; nothing for an empty one."""
    if not len(table):
        return []
    lines = [
        ("stages and items", str(len(table))),
        ("wall time, added up", f"{table.seconds.sum() / 60:.1f} min"),
        ("largest process", f"{table.peak_mb.max() / 1e3:.2f} GB"),
    ]
    known = table.energy_joule.dropna()
    energy = (
        f"{known.sum() / 1e3:.1f} kJ over {len(known)} of {len(table)}" if len(known) else "not measurable"
    )
    return [*lines, ("energy", energy), ("on", ", ".join(sorted(set(table.device))))]


def peak_memory() -> int:
    """Bytes of the largest process: this one, or a child that has ended."""
    unit = 1 if sys.platform == "darwin" else 1024
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(one).ru_maxrss for one in who) * unit


def device() -> str:
    """The processor, how many cores it gives this process, and torch's card if there is one."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        model = found.group(1).strip() if found else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch = _cuda()
    card = f", {torch.cuda.get_device_name()}" if torch else ""
    return f"{model}, {cores} cores{card}"


def _watch(processor: ProcessorEnergy, stop: threading.Event) -> None:
    while not stop.wait(WATCH):
        processor.read()


def _since(before: float | None, now: float | None) -> float | None:
    return None if before is None or now is None else now - before


def _cuda():  # type: ignore[no-untyped-def]
    """torch, where it is imported and has a card: the ledger itself is no reason to import it."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_available() else None


def _start_card_memory() -> None:
    torch = _cuda()
    if torch:
        torch.cuda.reset_peak_memory_stats()


def _card_memory() -> float | None:
    torch = _cuda()
    return round(torch.cuda.max_memory_allocated() / 1e6, 1) if torch else None
