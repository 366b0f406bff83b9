"""Load and kill test of the review server: ``python tests/load/review_load.py``.

A real server on generated objects, many annotators by script, and ``kill -9`` in between. In the end the
database is compared with what the annotators were told: nothing lost, nothing doubled, every order kept.
"""

import asyncio
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from load_annotator import Log, ScriptedAnnotator
from load_outcome import Load, Outcome, lines, measures, write_measures
from sqlalchemy import select

from alignparts.core.errors import AlignPartsError
from texparts.annotation.objects import About, PartRecord, write_object
from texparts.review.models import Annotator
from texparts.review.store import ReviewStore
from texparts.review.tables import tasks

START_SECONDS = 180


def run_load(load: Load, root: Path, url: str) -> Outcome:
    """Start a server on generated objects, work on them, and compare.

    Raises:
        AlignPartsError: the server does not start.
    """
    write_objects(root, load)
    store = ReviewStore(url, root)
    tokens = [store.tokens.add(f"annotator {number:02d}") for number in range(load.annotators)]
    store.close()
    server = Server(root, url)
    idle, logs, killed = asyncio.run(_drive(load, server, tokens))
    store = ReviewStore(url, root)
    try:
        return replace(_compare(store, logs, tokens, killed), idle=idle)
    finally:
        store.close()


class Server:
    """``texparts review`` in a process of its own."""

    def __init__(self, root: Path, url: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = root / "server.log"
        arguments = ["review", str(root), "--database", url, "--port", str(self.port)]
        self._command = [sys.executable, "-m", "texparts.cli.app", *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it answers.

        Raises:
            AlignPartsError: it does not.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{self.url}/api/me", timeout=5)
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.05)
        self.stop(signal.SIGKILL)
        raise AlignPartsError(f"the server does not answer: {self.log.read_text()[-500:]}")

    def idle(self, token: str) -> list[float]:
        """Return the seconds of a hundred requests of one annotator, alone and one after the other."""
        request = urllib.request.Request(f"{self.url}/api/me", headers={"Authorization": f"Bearer {token}"})
        moments = [time.perf_counter()]
        for _ in range(100):
            urllib.request.urlopen(request, timeout=30).read()
            moments.append(time.perf_counter())
        return np.diff(moments).tolist()

    def stop(self, how: signal.Signals) -> None:
        """Send a signal and wait for the end."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait()


async def _drive(load: Load, server: Server, tokens: list[str]) -> tuple[list[float], list[Log], int]:
    await asyncio.to_thread(server.start)
    idle = await asyncio.to_thread(server.idle, tokens[0])
    scripts = [
        ScriptedAnnotator(server.url, token, load.seed * 1000 + number, load.pause, load.edits)
        for number, token in enumerate(tokens)
    ]
    working = [asyncio.create_task(script.run()) for script in scripts]
    begin, killed = time.monotonic(), 0
    chance = random.Random(load.seed)
    try:
        for number in range(load.kills):
            slot = load.seconds / load.kills
            await asyncio.sleep(
                max(0.0, begin + (number + chance.uniform(0.2, 0.8)) * slot - time.monotonic())
            )
            await asyncio.to_thread(server.stop, signal.SIGKILL)
            killed += 1
            await asyncio.to_thread(server.start)
        await asyncio.sleep(max(0.0, begin + load.seconds - time.monotonic()))
        for script in scripts:
            script.stop()
        return idle, list(await asyncio.gather(*working)), killed
    finally:
        for task in working:
            task.cancel()
        await asyncio.to_thread(server.stop, signal.SIGTERM)


def _compare(store: ReviewStore, logs: list[Log], tokens: list[str], killed: int) -> Outcome:
    lost = doubled = misplaced = 0
    with store.database.read() as connection:
        rows = {row.id: row for row in connection.execute(select(tasks))}
    holders = Counter(row.object_id for row in rows.values())
    doubled += sum(count - 1 for count in holders.values())
    for log, token in zip(logs, tokens, strict=True):
        annotator = store.tokens.annotator_of(token)
        assert annotator is not None
        mine = {key for key, row in rows.items() if row.annotator_id == annotator.id}
        lost += len(set(log.last) - mine)
        for task in sorted(mine):
            told = log.acknowledged.get(task, [])
            stored = store.events.history(rows[task].object_id, task)
            ids = [one.id for one in stored]
            lost += len({one[0] for one in told} - set(ids))
            doubled += len(set(ids) - {one[0] for one in told}) + len(ids) - len(set(ids))
            kept = [(one.id, one.seq, one.edit.model_dump(mode="json")) for one in stored]
            misplaced += sum(a != b for a, b in zip(kept, told, strict=False))
            misplaced += task in log.last and not _same(store, annotator, log.last[task])
            lost += rows[task].status != log.submitted.get(task, rows[task].status)
    seconds: dict[str, list[float]] = {}
    for log in logs:
        for kind, values in log.seconds.items():
            seconds.setdefault(kind, []).extend(values)
    return Outcome(
        lost,
        doubled,
        misplaced,
        sum(len(one) for log in logs for one in log.acknowledged.values()),
        sum(len(log.submitted) for log in logs),
        seconds,
        sum(log.retries for log in logs),
        sum((log.refused for log in logs), Counter()),
        killed,
    )


def _same(store: ReviewStore, annotator: Annotator, last: dict[str, Any]) -> bool:
    """Whether a replay from the disk gives the last state that the annotator saw."""
    state = store.events.state(annotator, last["task"])
    faces = np.bincount(state.annotation.face_part + 1, minlength=state.annotation.next_id + 1)
    here = {(part.id, part.name, int(faces[part.id + 1])) for part in state.annotation.parts}
    return state.seq == last["seq"] and here == {
        (part["id"], part["name"], part["faces"]) for part in last["parts"]
    }


def write_objects(root: Path, load: Load) -> None:
    """Spheres cut into eight parts, and their queue."""
    import pandas as pd
    import trimesh

    subdivisions = max(1, round(np.log(load.faces / 20) / np.log(4)))
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions)
    glb = trimesh.Scene(mesh).export(file_type="glb")
    centers = mesh.triangles_center
    octant = (centers > 0) @ np.array([1, 2, 4])
    clusters = {8: octant, 16: octant * 2 + (np.abs(centers[:, 2]) > 0.5)}
    parts = tuple(
        PartRecord(name=f"part_{i}", confidence=0.3 + i / 20, soft=0.5, mask_confidence=0.8) for i in range(8)
    )
    rows = []
    for number in range(load.objects):
        about = About(object_id=f"sphere{number:05d}", category="ball", faces=len(octant), parts=parts)
        write_object(root, about, glb, octant, clusters, b"\x89PNG")
        rows.append((about.object_id, float(number), about.category, about.confidence))
    table = pd.DataFrame(rows, columns=["object_id", "rank", "category", "confidence"])
    table.to_parquet(root / "queue.parquet")


def main(
    annotators: Annotated[int, typer.Option(min=1)] = 20,
    seconds: Annotated[float, typer.Option(min=1)] = 300,
    kills: Annotated[int, typer.Option(min=0)] = 0,
    objects: Annotated[int, typer.Option(min=1)] = 400,
    faces: Annotated[int, typer.Option(min=80, help="Of an object, about.")] = 20_000,
    pause: Annotated[float, typer.Option(min=0.01, help="Mean seconds between two edits.")] = 2.0,
    database: Annotated[str | None, typer.Option(help="Default: SQLite in a temporary folder.")] = None,
    seed: int = 0,
    out: Annotated[Path | None, typer.Option(help="CSV: measure, value, unit, n.")] = None,
) -> None:
    """Put the review server under load."""
    load = Load(annotators, seconds, kills, objects, faces, pause, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_load(load, Path(folder), database or f"sqlite:///{folder}/review.db")
    for line in lines(load, outcome):
        typer.echo(line)
    if out is not None:
        write_measures(out, measures(load, outcome))
    raise typer.Exit(0 if outcome.clean else 1)


if __name__ == "__main__":
    typer.run(main)
