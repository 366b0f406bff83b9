"""The 3D views behind the log-in: every annotator's viser server, reached through ``/view/`` alone."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Annotated, Any

import httpx
import websockets
from fastapi import APIRouter, Depends, FastAPI, Request, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from texparts.app.security import caller
from texparts.app.view import Mode, Tool, ToolName
from texparts.app.views import Session, Views
from texparts.review.models import Annotator
from texparts.review.store import ReviewStore

LOG = logging.getLogger(__name__)
KEEPALIVE = 15.0
HEADERS = {
    # viser's page is one file with its script in it.
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
    "Cache-Control": "private, max-age=3600",
}
BARE = (
    b"<style>div:has(> [data-dock-group]), [data-dock-group], "
    b'[style*="position: fixed"][style*="width: 20em"] { display: none !important }</style></head>'
)
"""Hides viser's own panel, also that of a small window: the page beside the view has all that is needed."""
Who = Annotated[Annotator, Depends(caller)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShowBody(_Body):
    """Which task to show."""

    task: int


class SelectBody(_Body):
    """Parts that stand out; none: all alike."""

    parts: tuple[int, ...] = ()


class IsolateBody(_Body):
    """The only part to show; None: all."""

    part: int | None = None


class ModeBody(_Body):
    """Colored parts or the object's texture."""

    mode: Mode


class ToolBody(_Body):
    """What clicks and drags do."""

    tool: ToolName
    part: int = -1
    radius: float = Field(0.05, gt=0, le=1)
    clusters: int = Field(8, ge=1)


def mount_view(app: FastAPI, store: ReviewStore) -> AbstractAsyncContextManager[object]:
    """Add ``/view/`` (the viser client) and ``/api/view/`` (what the page tells it) to the application."""
    views = Views(store)
    app.include_router(_routes(views))
    client = httpx.AsyncClient(timeout=30)

    @app.get("/view/{path:path}")
    async def files(who: Who, request: Request, path: str) -> Response:
        session = await asyncio.to_thread(views.session, who)
        page = path in ("", "index.html")
        headers = {"accept-encoding": "identity" if page else request.headers.get("accept-encoding", "")}
        async with client.stream(
            "GET", f"http://127.0.0.1:{session.view.port}/{path}", headers=headers
        ) as answer:
            body = b"".join([part async for part in answer.aiter_raw()])
        body = body.replace(b"</head>", BARE, 1) if page else body
        kept = {
            key: answer.headers[key] for key in ("content-type", "content-encoding") if key in answer.headers
        }
        return Response(body, answer.status_code, {**kept, **HEADERS})

    @app.websocket("/view")
    @app.websocket("/view/")
    async def stream(socket: WebSocket, who: Who) -> None:
        session = await asyncio.to_thread(views.session, who)
        offered = [Subprotocol(one) for one in socket.scope.get("subprotocols", [])]
        url = f"ws://127.0.0.1:{session.view.port}"
        try:
            async with websockets.connect(
                url, subprotocols=offered or None, max_size=None, compression=None
            ) as upstream:
                await socket.accept(subprotocol=upstream.subprotocol)
                await _join(socket, upstream)
        except (OSError, websockets.WebSocketException) as error:
            LOG.info("the view of %s is closed: %s", who.name, error)
            with suppress(RuntimeError, WebSocketDisconnect):
                await socket.close(1011)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async def sweeping() -> None:
            while True:
                await asyncio.sleep(60)
                await asyncio.to_thread(views.sweep)

        task = asyncio.create_task(sweeping())
        try:
            yield
        finally:
            task.cancel()
            await client.aclose()
            await asyncio.to_thread(views.close)

    return running()


def _routes(views: Views) -> APIRouter:
    router = APIRouter(prefix="/api/view")

    @router.post("/show")
    def show(who: Who, body: ShowBody) -> dict[str, Any]:
        views.show(who, body.task)
        return {"task": body.task}

    @router.post("/select")
    def select(who: Who, body: SelectBody) -> dict[str, Any]:
        views.session(who).view.select(body.parts)
        return {"parts": body.parts}

    @router.post("/isolate")
    def isolate(who: Who, body: IsolateBody) -> dict[str, Any]:
        views.session(who).view.isolate(body.part)
        return {"part": body.part}

    @router.post("/mode")
    def mode(who: Who, body: ModeBody) -> dict[str, Any]:
        views.session(who).view.mode(body.mode)
        return {"mode": body.mode}

    @router.post("/tool")
    def tool(who: Who, body: ToolBody) -> dict[str, Any]:
        chosen = Tool(body.tool, body.part, body.radius, body.clusters)
        views.session(who).view.tool(chosen)
        return body.model_dump()

    @router.get("/live")
    async def live(who: Who) -> StreamingResponse:
        session = await asyncio.to_thread(views.session, who)
        return StreamingResponse(_news(session), media_type="text/event-stream")

    return router


async def _news(session: Session) -> AsyncIterator[str]:
    """Server-sent events: what was picked in the view, and what went wrong there."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def tell(news: dict[str, Any]) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, news)

    with session.listening(tell):
        while True:
            try:
                news = await asyncio.wait_for(queue.get(), KEEPALIVE)
            except TimeoutError:
                yield ": still here\n\n"
            else:
                yield f"data: {json.dumps(news)}\n\n"


async def _join(socket: WebSocket, upstream: ClientConnection) -> None:
    """Carry messages both ways until one side closes."""

    async def up() -> None:
        with suppress(WebSocketDisconnect):
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                data = message.get("bytes")
                await upstream.send(message["text"] if data is None else data)

    async def down() -> None:
        async for data in upstream:
            if isinstance(data, str):
                await socket.send_text(data)
            else:
                await socket.send_bytes(data)

    tasks = {asyncio.create_task(up()), asyncio.create_task(down())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await upstream.close()
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close()
