"""Check every request before it reaches the application: host, origin, size, log-in, headers."""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from alignparts.core.errors import AlignPartsError
from alignparts.core.http import (
    SECURITY,
    announced_too_large,
    host_of,
    limited,
    same_origin,
    too_large,
    with_headers,
)
from texparts.review.models import Annotator, StoreUnavailable
from texparts.review.store import ReviewStore
from texparts.review.tokens import hash_of

LOG = logging.getLogger(__name__)
OPEN = {"/login", "/static/style.css"}
"""Paths that are served without a log-in."""
MAX_LOG_IN, MAX_COMMAND = 4 << 10, 64 << 10
"""Bytes of a request without a log-in, and of one that brings no faces."""
LOOK_AGAIN = 5.0
"""Seconds after which what lasts asks again if its log-in does: another process may have ended it."""
AWAY = "the review's database is not available at the moment; try again, nothing is stored twice"
FOLDERS = re.compile(r"(?<![\w<])/(?:[^\s/]+/)+")
"""The folders of an absolute path."""
CSRF_HEADER = "x-alignparts"
SAFE = {"GET", "HEAD", "OPTIONS"}
HEADERS = {
    **SECURITY,
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}


class Attempts:
    """Counts wrong tokens; beyond the limit one has to wait.

    They are counted by address and by the first letters of their hash: many people may have one address, that
    of a proxy or the loopback's, and the wrong tokens of one must not keep the others out.
    """

    def __init__(
        self, limit: int = 10, seconds: float = 60, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._seconds, self._clock = limit, seconds, clock
        self._failed: dict[tuple[str, str], list[float]] = {}  # the latest ones last

    def wait(self, address: str, token: str) -> float:
        """Return the seconds until the token may be tried from the address; 0: now."""
        recent = self._recent((address, hash_of(token)[:3]))
        return 0.0 if len(recent) < self._limit else recent[0] + self._seconds - self._clock()

    def failed(self, address: str, token: str) -> None:
        """Count a wrong token from the address."""
        key = (address, hash_of(token)[:3])
        recent = self._recent(key)
        self._failed.pop(key, None)
        self._failed[key] = [*recent, self._clock()]

    def _recent(self, key: tuple[str, str]) -> list[float]:
        since = self._clock() - self._seconds
        while self._failed and self._failed[first := next(iter(self._failed))][-1] <= since:
            del self._failed[first]
        return [at for at in self._failed.get(key, []) if at > since]


class Guard:
    """ASGI middleware that sets ``scope["state"]["annotator"]``, or answers a request itself.

    Args:
        app: application behind it.
        store: review whose annotators may come in.
        cookie: name of the cookie of a log-in.
        attempts: counter of wrong tokens.
        max_body: most bytes of an edit; all other requests are smaller.
        hosts: names and addresses that the server answers to; others are those of DNS rebinding.
        public: host, with its port, of the proxy before it; "" for none.
    """

    def __init__(
        self, app: ASGIApp, store: ReviewStore, cookie: str, attempts: Attempts, max_body: int,
        hosts: Collection[str], public: str,
    ) -> None:  # fmt: skip
        self._app, self._store, self._cookie = app, store, cookie
        self._attempts, self._max_body = attempts, max_body
        self._hosts, self._public = hosts, public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            refusal = await self._refusal(scope, headers)
        except StoreUnavailable as error:
            refusal = unavailable(error)
        if scope["type"] == "http":
            receive, send = limited(receive, self._limit(scope["path"])), with_headers(send, HEADERS)
            if refusal is not None:
                await refusal(scope, receive, send)
            elif scope["path"].endswith("/live"):
                await self._while_welcome(scope, receive, send, headers)
            else:
                await self._app(scope, receive, send)
        elif refusal is None:
            await self._while_welcome(scope, receive, send, headers)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": "log in first"})

    async def _while_welcome(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        """Run what lasts, web sockets and event streams, until it ends or its log-in does."""
        with self._store.tokens.ended.queue(scope["state"]["annotator"].id) as ended:
            running = asyncio.ensure_future(self._app(scope, receive, send))
            try:
                while not running.done():
                    told = asyncio.create_task(ended.get())
                    await asyncio.wait([running, told], timeout=LOOK_AGAIN, return_when="FIRST_COMPLETED")
                    told.cancel()
                    if not running.done() and not await self._still_welcome(headers):
                        break
                else:
                    await running
                    return
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        with suppress(RuntimeError):  # the application may have closed it
            body = {"type": "http.response.body", "body": b""}
            await send(body if scope["type"] == "http" else {"type": "websocket.close", "code": 1008})

    async def _still_welcome(self, headers: Headers) -> bool:
        try:
            return await run_in_threadpool(self._who, headers, _bearer(headers)) is not None
        except StoreUnavailable:
            return True

    def _limit(self, path: str) -> int:
        """Return the most bytes of a request."""
        most = MAX_LOG_IN if path in OPEN else self._max_body if path.endswith("/events") else MAX_COMMAND
        return min(most, self._max_body)

    async def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a request that must not go on."""
        path, http = scope["path"], scope["type"] == "http"
        unsafe = http and scope["method"] not in SAFE
        if host_of(headers.get("host", "")) not in self._hosts:
            return JSONResponse(
                {"detail": "unknown host name; the server is told its own by --public-url"}, 421
            )
        if (unsafe or not http) and not same_origin(headers, self._public):
            return JSONResponse({"detail": "this request comes from another site"}, 403)
        if announced_too_large(headers, self._limit(path)):
            return JSONResponse({"detail": too_large(self._limit(path))}, 413)
        if path in OPEN:
            return None
        address = address_of(scope)
        bearer = _bearer(headers)
        if bearer is not None and (wait := self._attempts.wait(address, bearer)) > 0:
            detail, status, extra = too_many(wait)
            return JSONResponse({"detail": detail}, status, extra)
        annotator = await run_in_threadpool(self._who, headers, bearer)
        if annotator is None:
            if bearer is not None:
                self._attempts.failed(address, bearer)
            page = http and scope["method"] == "GET" and "text/html" in headers.get("accept", "")
            if page and not path.startswith(("/api/", "/view/")):
                return RedirectResponse("/login", 303)
            return JSONResponse({"detail": "log in first"}, 401)
        if unsafe and headers.get(CSRF_HEADER) != "1":
            return JSONResponse({"detail": "expected the header X-AlignParts: 1"}, 403)
        scope.setdefault("state", {})["annotator"] = annotator
        return None

    def _who(self, headers: Headers, bearer: str | None) -> Annotator | None:
        if bearer is not None:
            return self._store.tokens.annotator_of(bearer)
        key = session_key(headers, self._cookie)
        return None if key is None else self._store.tokens.session(key)


def caller(connection: HTTPConnection) -> Annotator:
    """Return the annotator who is asking, by HTTP or a web socket."""
    return connection.state.annotator


def admin(connection: HTTPConnection) -> None:
    """Let only those on who run the review."""
    if not caller(connection).admin:
        raise HTTPException(403, "only who runs the review may do this: texparts annotators add NAME --admin")


def address_of(scope: Scope) -> str:
    """Return the address that a request comes from."""
    return str((scope.get("client") or ("?", 0))[0])


def session_key(headers: Headers, cookie: str) -> str | None:
    """Return the key of the log-in from its cookie; None without one."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(cookie)
    except CookieError:
        return None
    return None if morsel is None else morsel.value


def unavailable(error: Exception) -> Response:
    """Return the answer while the database is away; the reason, which holds its address, is for the log."""
    LOG.warning("the database is not available: %s", error)
    return JSONResponse({"detail": AWAY}, 503, {"Retry-After": "2"})


def public(error: AlignPartsError, root: Path) -> str:
    """Return an error's message without the server's addresses and folders; ``root`` holds its objects."""
    text = AWAY if isinstance(error, StoreUnavailable) else str(error).replace(f"{root}/", "")
    return FOLDERS.sub("", " ".join(text.split()))


def too_many(wait: float) -> tuple[str, int, dict[str, str]]:
    """Return message, status and headers after too many wrong tokens; ``wait`` is in seconds."""
    seconds = max(1, round(wait))
    return f"too many wrong tokens; try again in {seconds} s", 429, {"Retry-After": str(seconds)}


def _bearer(headers: Headers) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None
