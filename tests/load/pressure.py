"""Attack the review server without a log-in: ``python tests/load/pressure.py``.

Connections that never finish a request, and log-ins of 16 MB, from another process; meanwhile an annotator
works, whose waits are compared with those before.
"""

import asyncio
import multiprocessing
import tempfile
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from load_outcome import Load
from review_load import Server, write_objects

from texparts.review.store import ReviewStore

BODY = b"a=1&" * (4 << 20)
"""A log-in of 16 MB, whose four million fields take long to take apart."""


@dataclass(frozen=True)
class Waits:
    """Seconds of the requests without and with an attack, those that failed, and bytes of the log."""

    idle: list[float]
    attacked: list[float]
    failed: int
    log: int

    def p95(self) -> tuple[float, float]:
        """Seconds, without and with the attack."""
        return float(np.percentile(self.idle, 95)), float(np.percentile(self.attacked, 95))


def run_pressure(root: Path, half_open: int, seconds: float) -> Waits:
    """Work for so many seconds in peace, and for as many under attack."""
    write_objects(root, Load(objects=3, faces=300))
    url = f"sqlite:///{root}/review.db"
    store = ReviewStore(url, root)
    token = store.tokens.add("annotator")
    store.close()
    server = Server(root, url)
    server.start()
    attack = multiprocessing.get_context("spawn").Process(target=_attack, args=(server.port, half_open))
    try:
        idle, failed = _work(server.url, token, seconds)
        assert not failed
        attack.start()
        time.sleep(2)  # until all are connected
        attacked, failed = _work(server.url, token, seconds)
        return Waits(idle, attacked, failed, server.log.stat().st_size)
    finally:
        if attack.pid is not None:
            attack.kill()
            attack.join()
        server.stop(SIGTERM)


def _work(url: str, token: str, seconds: float) -> tuple[list[float], int]:
    """Return the seconds of every request, every other one on a connection of its own; and failures."""
    waits, failed, until = [], 0, time.monotonic() + seconds
    headers = {"X-AlignParts": "1", "Authorization": f"Bearer {token}"}
    seq, task = 0, 0

    def ask(client: httpx.Client, method: str, path: str, body: Any = None) -> Any:
        nonlocal failed
        start = time.perf_counter()
        try:
            answer = client.request(method, path, json=body).raise_for_status()
        except httpx.HTTPError:
            failed += 1
            return {}
        finally:
            waits.append(time.perf_counter() - start)
        return answer.json()

    with httpx.Client(base_url=url, headers=headers, timeout=30) as kept:
        while time.monotonic() < until:
            with httpx.Client(base_url=url, headers=headers, timeout=30) as fresh:
                for client in (kept, fresh):
                    state = ask(client, "POST", "/api/next", {})
                    seq, task = state.get("seq", seq), state.get("task", task)
                    edit = {"kind": "category", "category": f"category {seq}"}
                    body = {"id": str(uuid.uuid4()), "seq": seq, "edit": edit}
                    ask(client, "POST", f"/api/tasks/{task}/events", body)
                    ask(client, "GET", "/api/me")
            time.sleep(0.05)
    return waits, failed


def _attack(port: int, half_open: int) -> None:
    async def unfinished() -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n")
                await reader.read()
                writer.close()
            await asyncio.sleep(1)

    async def log_in(length: bytes) -> None:
        head = (
            b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        )
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(head + length + b"\r\n\r\n" + (chunked if b"chunked" in length else BODY))
                await reader.read(1000)
                writer.close()
            await asyncio.sleep(0.1)

    async def all_of_them() -> None:
        announced = b"Content-Length: %d" % len(BODY)
        large = [log_in(announced), log_in(b"Transfer-Encoding: chunked")]
        await asyncio.gather(*large, *(unfinished() for _ in range(half_open)))

    asyncio.run(all_of_them())


def main(
    half_open: Annotated[int, typer.Option(min=1, help="Connections.")] = 1100,
    seconds: Annotated[float, typer.Option(min=1, help="Of work, without and with the attack.")] = 30,
) -> None:
    """Measure what an attack without a log-in costs those who work."""
    with tempfile.TemporaryDirectory() as folder:
        waits = run_pressure(Path(folder), half_open, seconds)
    before, under = (1e3 * one for one in waits.p95())
    typer.echo(
        f"{half_open} half-open connections and log-ins of {len(BODY):,} bytes: p95 {under:.0f} ms over "
        f"{len(waits.attacked)} requests, {waits.failed} of them failed; idle {before:.0f} ms "
        f"(ratio {under / before:.1f}); longest {1e3 * max(waits.attacked):.0f} ms; log {waits.log:,} bytes"
    )


if __name__ == "__main__":
    typer.run(main)
