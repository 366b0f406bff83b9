"""Check every request before it reaches the application: size, log-in, origin, headers."""

import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from alignparts.core.http import SECURITY, announced_too_large, limited, same_origin, too_large, with_headers
from texparts.review.models import Annotator, StoreUnavailable
from texparts.review.store import ReviewStore

OPEN = {"/login", "/static/style.css"}
"""Paths that are served without a log-in."""
CSRF_HEADER = "x-alignparts"
SAFE = {"GET", "HEAD", "OPTIONS"}
HEADERS = {
    **SECURITY,
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}


class Attempts:
    """Counts failed log-ins per address; beyond the limit an address has to wait."""

    def __init__(
        self, limit: int = 10, seconds: float = 60, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._seconds, self._clock = limit, seconds, clock
        self._failed: dict[str, list[float]] = {}

    def wait(self, address: str) -> float:
        """Return the seconds until the address may try again; 0: now."""
        recent = self._recent(address)
        return 0.0 if len(recent) < self._limit else recent[0] + self._seconds - self._clock()

    def failed(self, address: str) -> None:
        """Count a wrong token from the address."""
        self._failed[address] = [*self._recent(address), self._clock()]

    def _recent(self, address: str) -> list[float]:
        since = self._clock() - self._seconds
        for other in [key for key, times in self._failed.items() if times[-1] <= since]:
            del self._failed[other]
        return [at for at in self._failed.get(address, []) if at > since]


class Guard:
    """ASGI middleware that sets ``scope["state"]["annotator"]``, or answers a request itself."""

    def __init__(
        self, app: ASGIApp, store: ReviewStore, cookie: str, attempts: Attempts, max_body: int
    ) -> None:
        self._app, self._store, self._cookie = app, store, cookie
        self._attempts, self._max_body = attempts, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            refusal = await self._refusal(scope, Headers(scope=scope))
        except StoreUnavailable as error:
            refusal = unavailable(error)
        if scope["type"] == "http":
            await (refusal or self._app)(scope, limited(receive, self._max_body), with_headers(send, HEADERS))
        elif refusal is None:
            await self._app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": "log in first"})

    async def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a request that must not go on."""
        path, http = scope["path"], scope["type"] == "http"
        unsafe = http and scope["method"] not in SAFE
        if (unsafe or not http) and not same_origin(headers):
            return JSONResponse({"detail": "this request comes from another site"}, 403)
        if announced_too_large(headers, self._max_body):
            return JSONResponse({"detail": too_large(self._max_body)}, 413)
        if path in OPEN:
            return None
        address = address_of(scope)
        bearer = _bearer(headers)
        if bearer is not None and self._attempts.wait(address) > 0:
            detail, status, extra = too_many(self._attempts.wait(address))
            return JSONResponse({"detail": detail}, status, extra)
        annotator = await run_in_threadpool(self._who, headers, bearer)
        if annotator is None:
            if bearer is not None:
                self._attempts.failed(address)
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
    """Return the answer while the database is away."""
    return JSONResponse({"detail": str(error)}, 503, {"Retry-After": "2"})


def too_many(wait: float) -> tuple[str, int, dict[str, str]]:
    """Return message, status and headers after too many wrong tokens; ``wait`` is in seconds."""
    seconds = max(1, round(wait))
    return f"too many wrong tokens; try again in {seconds} s", 429, {"Retry-After": str(seconds)}


def _bearer(headers: Headers) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None
