"""Benchmark of ``alignparts ingest`` at the size of the real data: rate, memory, a run killed and resumed.

Also by a Dask scheduler with two workers of which one is killed.

``python tests/load/bench_ingest.py --shapes 10000 --workers 2``
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import trimesh
import typer

from alignparts.core.errors import AlignPartsError

CATEGORIES = ("Chair", "Table", "Lamp", "Bed", "Door", "Knife", "Mug", "Vase")
PARTS = ("top", "leg", "handle")
PERIOD = 100
"""Among as many shapes, one is a copy of another under a new model id, and one has a broken OBJ file."""
RECORDS = ("index.parquet", "geometry.parquet", "duplicates.csv", "leakage.csv", "report.csv", "splits")


@dataclass(frozen=True)
class Measured:
    """Result of one run of the command.

    Attributes:
        seconds: wall time.
        memory: peak of the resident memory of all processes together, bytes; shared pages count in each.
        processes: number of processes at the peak.
        output: printed text.
    """

    seconds: float
    memory: int
    processes: int
    output: str


def write_folders(root: Path, shapes: int, seed: int = 0) -> None:
    """Write a PartNet tree of small annotations, three boxes each; see :data:`PERIOD` for its flaws."""
    rng = np.random.default_rng(seed)
    rows = []
    sizes = rng.uniform(0.1, 1.0, (3, 3))
    for number in range(shapes):
        if number % PERIOD != PERIOD - 1:  # else the size of the one before: a copy
            sizes = rng.uniform(0.1, 1.0, (3, 3))
        category = CATEGORIES[number % len(CATEGORIES)]
        folder = root / "data" / str(number)
        (folder / "objs").mkdir(parents=True)
        model = rng.bytes(16).hex()
        meta = {"model_id": model, "anno_id": str(number), "model_cat": category}
        leaves = [
            {"id": i + 1, "name": name, "text": name, "objs": [f"original-{i}"]}
            for i, name in enumerate(PARTS)
        ]
        tree = [{"id": 0, "name": category.lower(), "text": category, "children": leaves}]
        (folder / "meta.json").write_text(json.dumps(meta))
        (folder / "result.json").write_text(json.dumps(tree))
        for part, size in enumerate(sizes):
            box = trimesh.creation.box(size).apply_translation([0, part, 0])
            text = box.export(file_type="obj", include_normals=False)
            if number % PERIOD == PERIOD // 2 and part == 1:
                text = "v 0 0 0\nf 1 2 3\n"
            (folder / "objs" / f"original-{part}.obj").write_text(text)
        rows.append(f"{number} 1 {category} {model} nobody\n")
    (root / "stats").mkdir()
    (root / "stats" / "all_valid_anno_info.txt").write_text("".join(rows))


@contextmanager
def dask_workers(count: int = 2) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Yield the address of a Dask scheduler on this machine and its workers, processes of their own."""
    from distributed import LocalCluster

    command = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny"]
    with LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = [subprocess.Popen([*command, address], **quiet) for _ in range(count)]
        try:
            yield address, started
        finally:
            for worker in started:
                worker.kill()
                worker.wait()


def run_command(
    source: Path,
    out: Path,
    workers: int,
    kill_at: int | None = None,
    scheduler: str | None = None,
    victim: subprocess.Popen[bytes] | None = None,
) -> Measured:
    """Run ``alignparts ingest partnet`` in a process group; kill it once ``kill_at`` shapes are written.

    With a ``scheduler``, its workers do the work, and the ``victim`` among them is killed instead.

    Raises:
        AlignPartsError: it failed, or it ended before it could be killed.
    """
    command = [sys.executable, "-m", "alignparts.cli.app", "ingest", "partnet", str(source),
               "--out", str(out), "--workers", str(workers),
               *(["--scheduler", scheduler] if scheduler else [])]  # fmt: skip
    start, memory, processes, killed = time.perf_counter(), 0, 0, False
    with tempfile.TemporaryFile("w+") as log:
        running = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        while running.poll() is None:
            used = _resident(running.pid)
            if sum(used) > memory:
                memory, processes = sum(used), len(used)
            if kill_at is not None and not killed and _count(out / "shapes") >= kill_at:
                killed = True
                if victim is not None:
                    victim.kill()
                else:
                    os.killpg(running.pid, signal.SIGKILL)
                    running.wait()
            time.sleep(0.1)
        log.seek(0)
        output = log.read()
    ended = victim is not None or not killed
    if killed != (kill_at is not None) or (ended and running.returncode):
        raise AlignPartsError(f"{' '.join(command)}: exit code {running.returncode}: {output[-500:]}")
    return Measured(time.perf_counter() - start, memory, processes, output)


def same_records(first: Path, second: Path) -> bool:
    """Return whether two corpora have the same index, lists and tables, byte for byte."""
    return all(_bytes(first / name) == _bytes(second / name) for name in RECORDS)


def main(
    shapes: Annotated[int, typer.Option(min=10, help="Folders to write.")] = 10_000,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    keep: Annotated[Path | None, typer.Option(help="Work here and leave it, not in a temporary one.")] = None,
) -> None:
    """Measure ingestion on synthetic PartNet folders; exit code 1 where the resumed run differs."""
    with tempfile.TemporaryDirectory() as temporary:
        root = keep or Path(temporary)
        source, whole, resumed = root / "partnet", root / "whole", root / "resumed"
        write_folders(source, shapes)
        first = run_command(source, whole, workers)
        typer.echo(_last_lines(first.output))
        typer.echo(
            f"whole: {shapes / first.seconds:.1f} shapes/s with start-up, {first.seconds:.1f} s, "
            f"peak {first.memory / 2**20:.0f} MiB in {first.processes} processes"
        )
        broken = run_command(source, resumed, workers, kill_at=shapes // 2)
        there, indexed = _count(resumed / "shapes"), (resumed / "index.parquet").exists()
        typer.echo(f"killed after {broken.seconds:.1f} s: {there} shapes, index written: {indexed}")
        second = run_command(source, resumed, workers)
        typer.echo(_last_lines(second.output))
        same = same_records(whole, resumed)
        typer.echo(f"resumed in {second.seconds:.1f} s: identical records: {same}")
        with dask_workers() as (address, (victim, _)):
            third = run_command(source, root / "dask", 2, shapes // 2, address, victim)
        spread = same_records(whole, root / "dask")
        typer.echo(_last_lines(third.output))
        typer.echo(f"by Dask, one of two workers killed, {third.seconds:.1f} s: identical records: {spread}")
        if not (same and spread):
            raise typer.Exit(1)


def _resident(pid: int) -> list[int]:
    found: list[int] = []
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return found
    for process in family:
        try:
            found.append(process.memory_info().rss)
        except psutil.Error:
            continue
    return found


def _count(folder: Path) -> int:
    return sum(1 for _ in os.scandir(folder)) if folder.is_dir() else 0


def _bytes(path: Path) -> bytes:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return b"".join(file.read_bytes() for file in files)


def _last_lines(output: str) -> str:
    """Return the summary that the command prints, without its progress bar."""
    return "\n".join(line.rpartition("\r")[2] for line in output.splitlines() if "->" in line or ";" in line)


if __name__ == "__main__":
    typer.run(main)
