"""The JSON interface of the review."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from alignparts.core.errors import AlignPartsError
from texparts.annotation.edits import read_edit
from texparts.app import schemas
from texparts.app.security import caller
from texparts.review.errors import NotFound, StoreUnavailable
from texparts.review.models import Annotator, Order, Task, TaskState
from texparts.review.pubsub import Change
from texparts.review.store import ReviewStore

KEEPALIVE = 15
"""Seconds after which a silent stream says again how things are."""
TRIES = 20
"""Objects in a row that may be unreadable before the annotator hears of it."""

Who = Annotated[Annotator, Depends(caller)]


def api(store: ReviewStore, order: Order) -> APIRouter:
    """Everything under ``/api``."""
    router = APIRouter(prefix="/api")

    def shown(state: TaskState) -> dict[str, Any]:
        shape = store.shapes.shape(state.task.object_id)
        return schemas.state_json(state, shape.areas, shape.title)

    def entered(who: Annotator, task: Task) -> dict[str, Any]:
        try:
            return shown(store.state(who, task.id))
        except StoreUnavailable:
            raise
        except AlignPartsError:
            store.release(who, task.id)  # else it would be the first to be given out again
            raise

    @router.get("/me")
    def me(who: Who) -> dict[str, Any]:
        return {"name": who.name, "admin": who.admin}

    @router.post("/next")
    def take_next(who: Who, body: schemas.NextBody) -> Any:
        failed: dict[str, AlignPartsError] = {}
        while len(failed) < TRIES:
            task = store.take_next(who, body.order or order, tuple(failed))
            if task is None:
                break
            try:
                return entered(who, task)
            except StoreUnavailable:
                raise
            except AlignPartsError as error:
                failed[task.object_id] = error
        if failed:
            raise next(reversed(failed.values()))
        return Response(status_code=204)

    @router.post("/objects/{object_id}/take")
    def take(who: Who, object_id: str) -> dict[str, Any]:
        try:
            store.shapes.shape(object_id)  # what cannot be read is not taken, and above all not reopened
        except AlignPartsError as error:
            raise NotFound(str(error)) from None
        return entered(who, store.take(who, object_id))

    @router.get("/objects/{object_id}/thumbnail.png")
    def thumbnail(object_id: str) -> Response:
        path = store.shapes.folder(object_id).thumbnail
        if not path.is_file():
            raise NotFound(f"{object_id}: no thumbnail")
        return FileResponse(path, media_type="image/png")

    @router.get("/tasks/{task}")
    def state(who: Who, task: int) -> dict[str, Any]:
        return shown(store.state(who, task))

    @router.post("/tasks/{task}/events")
    def append(who: Who, task: int, body: schemas.EventBody) -> dict[str, Any]:
        return shown(store.append(who, task, body.id, body.seq, read_edit(body.edit)))

    @router.post("/tasks/{task}/split")
    def split(who: Who, task: int, body: schemas.SplitBody) -> dict[str, Any]:
        return shown(store.split(who, task, body.id, body.seq, body.part, body.by, body.clusters))

    @router.post("/tasks/{task}/beat")
    def beat(who: Who, task: int, body: schemas.BeatBody) -> dict[str, Any]:
        return {"expires": store.beat(who, task, body.active).isoformat()}

    @router.post("/tasks/{task}/submit")
    def submit(who: Who, task: int, body: schemas.SubmitBody) -> dict[str, Any]:
        store.submit(who, task, body.verdict, body.note, body.second_opinion)
        found = store.task(who, task)
        store.compare(found.object_id)
        return {"task": task, "status": found.status}

    @router.post("/tasks/{task}/release")
    def release(who: Who, task: int) -> dict[str, Any]:
        store.release(who, task)
        return {"task": task, "status": "released"}

    @router.post("/tasks/{task}/ask")
    def ask(who: Who, task: int, body: schemas.AskBody) -> dict[str, Any]:
        store.ask(store.task(who, task).object_id, body.opinions)
        return {"task": task, "opinions": body.opinions}

    @router.get("/tasks/{task}/history")
    def history(who: Who, task: int) -> list[dict[str, Any]]:
        found = store.task(who, task)
        records, names = store.history(found.object_id, task), store.part_names(who, task)
        return [schemas.history_json(one, before) for one, before in zip(records, names, strict=False)]

    @router.get("/vocabulary")
    def vocabulary(q: str = "", category: str = "", limit: int = 20) -> list[dict[str, Any]]:
        hits = store.vocabulary(q, category, max(1, min(limit, 100)))
        return [schemas.hit_json(hit) for hit in hits]

    @router.post("/vocabulary")
    def add_name(who: Who, body: schemas.NameBody) -> dict[str, Any]:
        store.add_name(who, body.category, body.name, body.description)
        return {"name": body.name}

    @router.get("/progress")
    def progress() -> dict[str, Any]:
        return schemas.progress_json(store.progress())

    @router.get("/tasks/{task}/live")
    async def live(request: Request, who: Who, task: int) -> StreamingResponse:
        await run_in_threadpool(store.task, who, task)
        return StreamingResponse(_changes(store, who, task), media_type="text/event-stream")

    return router


async def _changes(store: ReviewStore, who: Annotator, task_id: int) -> AsyncIterator[str]:
    """Server-sent events: the task's position now, and whenever it changes."""
    loop = asyncio.get_running_loop()
    news: asyncio.Queue[Change] = asyncio.Queue()

    def listener(change: Change) -> None:
        loop.call_soon_threadsafe(news.put_nowait, change)

    with store.live.following(task_id, listener):
        while True:
            try:
                task = await run_in_threadpool(store.task, who, task_id)
            except StoreUnavailable:
                yield ": the database is not available\n\n"
            else:
                yield _message(task.seq, task.status)
            try:
                # Another process may serve the same database: look again from time to time.
                async with asyncio.timeout(KEEPALIVE):
                    while True:
                        change = await news.get()
                        yield _message(change.seq, change.status)
            except TimeoutError:
                pass


def _message(seq: int, status: str) -> str:
    return f"data: {json.dumps({'seq': seq, 'status': status})}\n\n"
