"""Serve every annotator's viser server behind the log-in, through ``/view/`` alone."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import viser
from fastapi import APIRouter, Body, Depends, WebSocket, WebSocketDisconnect
from fastapi.sse import EventSourceResponse
from starlette.responses import HTMLResponse, Response
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from texparts.app.security import caller
from texparts.app.upstream import passes
from texparts.app.view import Mode, Tool
from texparts.app.views import Views
from texparts.review.models import Annotator

LOG = logging.getLogger(__name__)
PAGE = Path(viser.__file__).parent / "client" / "build" / "index.html"
"""viser's client: one file with its script in it."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
    "Cache-Control": "private, max-age=3600",
}
BARE = (
    "<style>div:has(> [data-dock-group]), [data-dock-group], "
    '[style*="position: fixed"][style*="width: 20em"] { display: none !important }</style></head>'
)
"""Hides viser's own panel, also that of a small window: the page beside the view has all of it."""
Who = Annotated[Annotator, Depends(caller)]


def view_routes(views: Views) -> APIRouter:
    """Return the routes ``/view/`` (the viser client) and ``/api/view/`` (commands of the page)."""
    router = APIRouter()
    _add_commands(router, views)

    @router.get("/view/")
    def client() -> Response:
        page = PAGE.read_text(encoding="utf-8").replace("</head>", BARE, 1)
        return HTMLResponse(page, headers=HEADERS)

    @router.websocket("/view")
    @router.websocket("/view/")
    async def stream(socket: WebSocket, who: Who) -> None:
        session = await asyncio.to_thread(views.session, who)
        offered = [Subprotocol(name) for name in socket.scope.get("subprotocols", [])]
        try:
            async with unix_connect(
                session.view.socket, subprotocols=offered or None, max_size=None, compression=None
            ) as upstream:
                await socket.accept(subprotocol=upstream.subprotocol)
                await _join(socket, upstream)
        except (OSError, WebSocketException) as error:
            LOG.info("the view of %s is closed: %s", who.name, error)
            with suppress(RuntimeError, WebSocketDisconnect):
                await socket.close(1011)

    return router


def _add_commands(router: APIRouter, views: Views) -> None:
    @router.post("/api/view/show")
    def show(who: Who, task: Annotated[int, Body(embed=True)]) -> dict[str, Any]:
        views.show(who, task)
        return {"task": task}

    @router.post("/api/view/select")
    def select(who: Who, parts: Annotated[tuple[int, ...], Body(embed=True)]) -> dict[str, Any]:
        views.session(who).view.select(parts)
        return {"parts": parts}

    @router.post("/api/view/isolate")
    def isolate(who: Who, part: Annotated[int | None, Body(embed=True)]) -> dict[str, Any]:
        views.session(who).view.isolate(part)
        return {"part": part}

    @router.post("/api/view/mode")
    def mode(who: Who, mode: Annotated[Mode, Body(embed=True)]) -> dict[str, Any]:
        views.session(who).view.mode(mode)
        return {"mode": mode}

    @router.post("/api/view/tool")
    def tool(who: Who, tool: Tool) -> Tool:
        views.session(who).view.tool(tool)
        return tool

    @router.get("/api/view/live", response_class=EventSourceResponse)
    async def live(who: Who) -> AsyncIterator[dict[str, Any]]:
        with views.news.queue(who.id) as news:
            while True:
                yield await news.get()


async def _join(socket: WebSocket, upstream: ClientConnection) -> None:
    """Carry messages both ways until one side closes; up only those that the view reacts to."""

    async def up() -> None:
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            if passes(data := message.get("bytes")):
                await upstream.send(data)

    async def down() -> None:
        async for data in upstream:
            await (socket.send_text(data) if isinstance(data, str) else socket.send_bytes(data))

    tasks = [asyncio.create_task(up()), asyncio.create_task(down())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await upstream.close()
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close()
