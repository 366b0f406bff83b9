"""Measure how long an annotator waits for a large object: ``python tests/load/bench_view.py``.

The first view is from the request to the last byte that a client gets; a stroke, from the release of the
button to the last byte of what it changed.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import trimesh
import typer
import uvicorn
import viser
import websockets
from load_outcome import Measure, write_measures
from websockets.typing import Subprotocol

from texparts.annotation.objects import About, ObjectFolder, PartRecord, write_object
from texparts.app.server import create_app
from texparts.review.models import QueueEntry
from texparts.review.store import ReviewStore

QUIET = 0.3
"""Seconds without a message after which nothing more is coming."""
STRIPES = 10


def large_object(root: Path, faces: int) -> ObjectFolder:
    """A bumpy sphere of about so many faces, in ten striped parts of several pieces each."""
    side = int(np.sqrt(faces / 4))
    mesh = trimesh.creation.uv_sphere(count=[side, side])
    mesh.vertices *= 1 + 0.03 * np.sin(9 * mesh.vertices).prod(axis=1, keepdims=True)
    height = mesh.triangles_center[:, 1]
    labels = (np.argsort(np.argsort(height)) * 3 * STRIPES // len(height)) % STRIPES
    names = [f"stripe_{index}" for index in range(STRIPES)]
    parts = tuple(PartRecord(name=name, confidence=0.5, soft=0.5, mask_confidence=0.5) for name in names)
    about = About(object_id=f"sphere-{faces}", category="sphere", faces=len(labels), parts=parts)
    glb = trimesh.Scene(mesh).export(file_type="glb")
    return write_object(root, about, glb, labels, {8: labels % 8}, b"")


def main(
    faces: Annotated[int, typer.Option(help="Faces of the object.")] = 500_000,
    strokes: int = 10,
    out: Annotated[Path | None, typer.Option(help="CSV: measure, value, unit, n.")] = None,
) -> None:
    """Print the waits in seconds, once through the server as an annotator's browser has them."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shape = large_object(root, faces)
        typer.echo(f"{shape.about().faces} faces")
        store = ReviewStore(f"sqlite:///{root / 'review.sqlite'}", root)
        store.queue.load([QueueEntry(object_id=shape.object_id, rank=0, category="", confidence=0.5)])
        token = store.tokens.add("bench")
        app = create_app(store)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
        waits = asyncio.run(_measure(server, token, strokes))
        count = shape.about().faces
        store.close()
    rows = [
        Measure(name, round(value, 4), unit, strokes if name.startswith("stroke") else 1)
        for (name, unit), value in waits.items()
    ]
    for row in rows:
        typer.echo(f"{row.measure}: {row.value:.3f} {row.unit}")
    if out is not None:
        write_measures(out, [Measure("faces", count, "faces", 1), *rows])


async def _measure(server: uvicorn.Server, token: str, strokes: int) -> dict[tuple[str, str], float]:
    serving = asyncio.create_task(asyncio.to_thread(server.run))
    while not server.started:
        await asyncio.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": f"Bearer {token}", "X-AlignParts": "1"}
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60
        ) as client:
            return await _waits(client, f"ws://127.0.0.1:{port}/view", token, strokes)
    finally:
        server.should_exit = True
        await serving


async def _waits(
    client: httpx.AsyncClient, url: str, token: str, strokes: int
) -> dict[tuple[str, str], float]:
    protocol = [Subprotocol(f"viser-v{viser.__version__}")]
    start = time.perf_counter()
    task = (await client.post("/api/next", json={})).raise_for_status().json()["task"]
    taken = time.perf_counter()
    (await client.post("/api/view/show", json={"task": task})).raise_for_status()
    shown = time.perf_counter()
    async with websockets.connect(
        url, subprotocols=protocol, max_size=None, additional_headers={"Authorization": f"Bearer {token}"}
    ) as socket:
        last, _ = await _drain(socket)
        result = {
            ("take", "s"): taken - start,
            ("show", "s"): shown - taken,
            ("send", "s"): last - shown,
            ("first view", "s"): last - start,
        }
        state = (await client.get(f"/api/tasks/{task}")).json()
        waits, sent = [], 0
        for number in range(strokes):
            waits.append(await _stroke(client, socket, task, state, number))
            sent = max(sent, waits[-1][1])
            state["seq"] += 1
    result["stroke, median", "s"] = float(np.median([wait for wait, _ in waits]))
    result["stroke, longest", "s"] = max(wait for wait, _ in waits)
    result["stroke sends at most", "MB"] = sent / 1e6
    return result


async def _stroke(
    client: httpx.AsyncClient, socket: Any, task: int, state: dict, number: int
) -> tuple[float, int]:
    faces = [state["faces"] // 2 + 400 * number, 300]
    edit = {"kind": "paint", "part": -1, "faces": faces}
    event = {"id": f"00000000-0000-4000-8000-{number:012d}", "seq": state["seq"], "edit": edit}
    start = time.perf_counter()
    posted = asyncio.create_task(client.post(f"/api/tasks/{task}/events", json=event))
    last, received = await _drain(socket)
    (await posted).raise_for_status()
    return last - start, received


async def _drain(socket: Any) -> tuple[float, int]:
    """Receive until nothing more comes; when the last message came, and how many bytes there were."""
    last, received, wait = time.perf_counter(), 0, 30.0
    while True:
        try:
            received += len(await asyncio.wait_for(socket.recv(), wait))
        except TimeoutError:
            return last, received
        last, wait = time.perf_counter(), QUIET


if __name__ == "__main__":
    typer.run(main)
