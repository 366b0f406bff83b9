"""Check every request of the app before gradio sees it: its host, origin, token, path, size and files."""

import json
import re
import secrets
from collections.abc import Collection, Iterator
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alignparts.core.http import (
    SECURITY,
    announced_too_large,
    host_of,
    limited,
    same_origin,
    too_large,
    with_headers,
)

API = "/gradio_api"
FILE = f"{API}/file="
JOIN = f"{API}/queue/join"
UPLOAD = f"{API}/upload"
PATHS = {
    "GET": re.compile(
        rf"/|/theme\.css|/favicon\.ico|/(static|assets)/.+|{API}/(upload_progress|queue/data|file=.+)"
    ),
    "POST": re.compile(f"{UPLOAD}|{JOIN}"),
}
"""Routes of gradio that its page needs; it has many more, such as proxies and editors of the app."""
MAX_CALL = 1 << 20
"""Bytes of a request that uploads nothing."""
HEADERS = {
    **SECURITY,
    # gradio's page makes scripts and styles as it goes; it loads from and sends to this server alone.
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
}


class Guard:
    """ASGI middleware that passes on what comes from a browser that was opened at the printed address.

    Args:
        app: application behind it.
        token: secret of the printed address; the first visit makes it a cookie.
        cookie: name of the cookie.
        hosts: names and addresses that the server answers to; others are those of DNS rebinding.
        folder: folder of everything that was uploaded or made; no other file may be named or read.
        max_upload: most bytes of a request that uploads.
    """

    def __init__(
        self, app: ASGIApp, token: str, cookie: str, hosts: Collection[str], folder: Path, max_upload: int
    ) -> None:
        self._app, self._token, self._cookie = app, token, cookie
        self._hosts, self._folder, self._max_upload = hosts, folder.resolve(), max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it; there are no web sockets."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        else:
            limit = self._max_upload if scope["path"] == UPLOAD else MAX_CALL
            send, receive = with_headers(send, HEADERS), limited(receive, limit)
            answer = self._refusal(scope, Headers(scope=scope), limit)
            if answer is None and scope["path"] == JOIN:
                answer, receive = await self._check_call(scope, receive)
            await (answer or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers, limit: int) -> Response | None:
        """Return the answer to a request that must not go on."""
        path = scope["path"]
        if host_of(headers.get("host", "")) not in self._hosts:
            return PlainTextResponse("this server does not answer to that host name", 421)
        visit = path == "/" and scope["method"] == "GET"  # a link to the app may lie on any page
        if not visit and not same_origin(headers):
            return PlainTextResponse("this request comes from another site", 403)
        if visit and (given := parse_qs(scope["query_string"].decode("latin-1")).get("token")):
            if not self._is_token(given[0]):
                return PlainTextResponse("wrong token; open the address that the command printed", 401)
            answer = RedirectResponse("/", 303)
            answer.set_cookie(self._cookie, self._token, path="/", httponly=True, samesite="lax")
            return answer
        if not self._is_token(_cookie(headers, self._cookie)):
            return PlainTextResponse("open the address that the command printed, with its token", 401)
        known = PATHS.get("GET" if scope["method"] == "HEAD" else scope["method"])
        if known is None or not known.fullmatch(path):
            return PlainTextResponse("not found", 404)
        if path.startswith(FILE) and not self._owns(path.removeprefix(FILE)):
            return PlainTextResponse("not found", 404)
        if announced_too_large(headers, limit):
            return PlainTextResponse(too_large(limit), 413)
        return None

    async def _check_call(self, scope: Scope, receive: Receive) -> tuple[Response | None, Receive]:
        """Read a call: return the answer where it must not go on, and what the application receives."""
        try:
            body = await Request(scope, receive).body()
        except HTTPException as error:
            return PlainTextResponse(error.detail, error.status_code), receive
        if not self._names_own_files(body):
            return PlainTextResponse("the request names a file that was not uploaded", 403), receive
        return None, _again(body, receive)

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())

    def _owns(self, path: str) -> bool:
        """Return True for the path of a file in the folder, whatever it goes through."""
        try:
            file = Path(path).resolve()
            return file.is_relative_to(self._folder) and file.is_file()
        except (OSError, ValueError):
            return False

    def _names_own_files(self, body: bytes) -> bool:
        """Return True where every file that a call names was uploaded; a mounted gradio does not check it."""
        try:
            return all(isinstance(path, str) and self._owns(path) for path in _paths(json.loads(body)))
        except (ValueError, RecursionError):
            return False


def _cookie(headers: Headers, name: str) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def _paths(value: Any) -> Iterator[Any]:
    """Yield what stands under "path" in a JSON value, at any depth."""
    if isinstance(value, dict):
        yield from (value["path"],) if "path" in value else ()
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _paths(below)


def _again(body: bytes, receive: Receive) -> Receive:
    """Receive a body that was read once more, then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
