"""The command ``alignparts repro``: the pipeline, its stages side by side."""

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from io import BufferedWriter
from pathlib import Path
from typing import Annotated, Any

import typer

from alignparts.core.errors import AlignPartsError

LOGS = "build/repro"
GUESS = 30.0
"""Seconds of a stage that was never measured."""
PIECES = 3
"""Pieces that a matrix of stages is cut into: each pays DVC's start, few leave a core idle."""
POLL = 0.2
"""Seconds between two looks at what runs."""


@dataclass
class Job:
    """Stages that one ``dvc repro`` runs, the jobs that come first, and the seconds that they took before."""

    name: str
    stages: list[str]
    after: set[str] = field(default_factory=set)
    seconds: float = 0.0
    forced: bool = False


def repro(
    only: Annotated[
        list[str] | None, typer.Argument(metavar="[STAGE]...", help="Run these alone, changed or not.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages at the same time.")] = 2,
) -> None:
    """Reproduce the pipeline as `dvc repro` does, stages that do not wait on each other side by side.

    What has not changed is not run. Output goes to build/repro, a stage's own file each.
    """
    waiting = plan(Path.cwd(), measured(), only or ())
    if not waiting:
        typer.echo("everything is up to date")
        return
    run_all(waiting, jobs, Path.cwd())


def measured() -> Mapping[str, float]:
    """Return the seconds that the ledger has, by notebook or ``stage@item``."""
    from alignparts.core import ledger

    rows = ledger.collect()
    names = rows.stage + rows.item.where(rows.item == "", "@" + rows.item)
    return dict(zip(names, rows.seconds, strict=True))


def plan(root: Path, seconds: Mapping[str, float], only: Collection[str] = ()) -> dict[str, Job]:
    """Return what has changed and what depends on it, as jobs by name, or ``only`` what is asked for.

    Args:
        root: folder of dvc.yaml.
        seconds: see :func:`measured`.
        only: stages that run alone, although nothing changed.

    Raises:
        AlignPartsError: no such stage.
    """
    import networkx
    from dvc.repo import Repo

    repo = Repo(str(root))
    graph = repo.index.graph
    changed = set(repo.status())
    known = {_group(stage) for stage in graph if stage.path == str(root / "dvc.yaml")}
    if unknown := sorted(set(only) - known):
        raise AlignPartsError(f"no stage '{unknown[0]}'; expected {', '.join(sorted(known))}")
    stale: list[Any] = []
    for stage in networkx.dfs_postorder_nodes(graph):  # dependencies come first
        if stage.path != str(root / "dvc.yaml"):
            continue
        needed = stage.addressing in changed or any(need in stale for need in graph.successors(stage))
        if _group(stage) in only if only else needed:
            stale.append(stage)
    groups: dict[str, list[Any]] = defaultdict(list)
    for stage in stale:
        groups[_group(stage)].append(stage)
    jobs: dict[str, Job] = {}
    job_of: dict[Any, str] = {}
    for group, members in groups.items():
        count = min(PIECES, len(members))
        for number in range(count):
            name = group if count == 1 else f"{group} {number + 1}"
            job_of |= dict.fromkeys(members[number::count], name)
            jobs[name] = Job(name, [stage.name for stage in members[number::count]], forced=group in only)
    for stage in stale:
        job, notebook = jobs[job_of[stage]], str(stage.cmd).split()[-1]
        job.seconds += seconds.get(stage.name, seconds.get(notebook, GUESS))
        job.after |= {job_of[need] for need in graph.successors(stage) if need in job_of} - {job.name}
    return jobs


def run_all(waiting: Mapping[str, Job], most: int, root: Path) -> None:
    """Run jobs, at most so many at a time, those first that the most work waits for; tell how far it is.

    Raises:
        AlignPartsError: a stage failed; those beside it are run to their end, and nothing after.
    """
    left, done, failed = dict(waiting), set[str](), list[str]()
    running: dict[str, tuple[subprocess.Popen[bytes], BufferedWriter, float]] = {}
    logs = root / LOGS
    logs.mkdir(parents=True, exist_ok=True)
    began, behind = time.monotonic(), _behind(waiting)
    try:
        while left or running:
            ready = [] if failed else sorted(
                (name for name, job in left.items() if job.after <= done), key=lambda name: -behind[name]
            )  # fmt: skip
            for name in ready[: most - len(running)]:
                job = left.pop(name)
                log = (logs / f"{name.replace(' ', '-')}.log").open("wb")
                # DVC is started by this Python, so that both are of one environment.
                command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "-s", *job.stages]
                command += ["--force"] * job.forced
                process = subprocess.Popen(command, cwd=root, stdout=log, stderr=subprocess.STDOUT)
                running[name] = (process, log, time.monotonic())
            if failed and not running:
                break
            time.sleep(POLL)
            for name in [name for name, (process, *_) in running.items() if process.poll() is not None]:
                process, log, start = running.pop(name)
                log.close()
                took = _clock(time.monotonic() - start)
                if process.returncode:
                    failed.append(name)
                    typer.echo(f"{name}: failed after {took}; the end of {log.name}:", err=True)
                    typer.echo(
                        "\n".join(Path(log.name).read_text(errors="replace").splitlines()[-15:]), err=True
                    )
                    continue
                done.add(name)
                rest = sum(waiting[name].seconds for name in (*left, *running)) / most
                longest = max((behind[name] for name in (*left, *running)), default=0.0)
                about = f", about {_clock(max(rest, longest))} left" if left or running else ""
                typer.echo(f"[{len(done)} of {len(waiting)}] {name} {took}{about}")
    finally:
        for process, log, _ in running.values():
            process.terminate()
            process.wait()
            log.close()
    if failed:
        raise AlignPartsError(f"{', '.join(failed)}: failed; what is done stays: run alignparts repro again")
    typer.echo(f"{len(done)} jobs in {_clock(time.monotonic() - began)}")


def _group(stage: Any) -> str:
    """Return a stage's name without the item of a matrix."""
    return str(stage.name).partition("@")[0]


def _behind(jobs: Mapping[str, Job]) -> dict[str, float]:
    """Return the seconds of the longest chain of jobs that begins with a job, by its name."""
    after: dict[str, list[str]] = defaultdict(list)
    for name, job in jobs.items():
        for need in job.after:
            after[need].append(name)
    chain: dict[str, float] = {}

    def length(name: str) -> float:
        if name not in chain:
            chain[name] = jobs[name].seconds + max(map(length, after[name]), default=0.0)
        return chain[name]

    return {name: length(name) for name in jobs}


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
