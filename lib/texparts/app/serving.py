"""Run the review's server: how many connections it holds, how long it waits for them, how much it logs."""

import asyncio
import logging
import resource
import time
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

FILES = 16_384
"""Open files that the server asks the system for."""
MOST = 1024
"""Connections in all; fewer where the system allows few open files, of which a 3D view takes two more."""
PER_ADDRESS = 256
"""Connections of one address: twenty people at one end of ``ssh -L`` have about eight each."""
BACKLOG = 256
"""Connections that are accepted at once, before the oldest ones give way."""
PATIENCE: dict[Any, float] = {h11.IDLE: 10.0, h11.SEND_BODY: 60.0}
"""Seconds for the header of a request, and for its body."""


class Connection(H11Protocol):
    """A connection that brings its requests in time, and gives way to new ones while it has brought none."""

    since = 0.0
    _state: Any = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; where there are too many, the one that has waited longest goes."""
        super().connection_made(transport)
        self.since = self.loop.time()
        self._watch()
        self._make_room(list(self.connections), min(MOST, max(1, (open_files() - 2 * BACKLOG) // 3)))
        if self.client and not self.config.proxy_headers:  # a proxy brings all from one address
            address = self.client[0]
            same = [one for one in self.connections if (getattr(one, "client", None) or "?")[0] == address]
            self._make_room(same, PER_ADDRESS)

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop()
        super().connection_lost(exc)

    def _make_room(self, all_of_them: list[Any], most: int) -> None:
        if len(all_of_them) > most:
            waiting = [one for one in all_of_them if isinstance(one, Connection) and one._timer]
            # Those whose body is on its way come last: they may be logged in.
            min(waiting, key=lambda one: (one._state is h11.SEND_BODY, one.since), default=self)._drop()

    def _watch(self) -> None:
        """Give every stage of a request its time; a web socket has a protocol of its own, and no end."""
        state = self.conn.their_state if self.transport.get_protocol() is self else None
        if state is not self._state:
            self._stop()
            self._state = state
            if state in PATIENCE:
                self._timer = self.loop.call_later(PATIENCE[state], self._drop)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _drop(self) -> None:
        self._stop()
        self.connections.discard(self)
        self.transport.abort()


class Seldom(logging.Filter):
    """Passes a message on once in some seconds: what a stranger causes must not fill the disk."""

    def __init__(self, seconds: float = 60.0) -> None:
        super().__init__()
        self._seconds, self._passed = seconds, dict[str, float]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True for a message that was not passed on lately."""
        kind = record.exc_info[0] if record.exc_info else None
        key, now = f"{record.name} {str(record.msg)[:100]} {kind}", time.monotonic()
        if now - self._passed.get(key, -self._seconds) < self._seconds:
            return False
        if len(self._passed) > 1000:
            self._passed.clear()
        self._passed[key] = now
        return True


def open_files() -> int:
    """Return the number of files that this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def settings(app: ASGIApp, proxies: str | None = None) -> uvicorn.Config:
    """Return the settings of the server; ``proxies`` are the addresses whose word on a client's is taken."""
    return uvicorn.Config(
        app, http=Connection, backlog=BACKLOG, timeout_graceful_shutdown=3, server_header=False,
        log_config=None, log_level="warning", access_log=False,
        proxy_headers=proxies is not None, forwarded_allow_ips=proxies,
    )  # fmt: skip


def prepare() -> None:
    """Raise this process' limit of open files, and let its log repeat nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    handler = logging.StreamHandler()
    handler.addFilter(Seldom())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(levelname)s: %(message)s")
