"""Serve the JSON interface of the review."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException
from fastapi.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from alignparts.core.config.texparts import Order
from alignparts.core.errors import AlignPartsError
from texparts.app import schemas
from texparts.app.security import admin, caller, public
from texparts.review.models import Annotator, NameHit, NotFound, Progress, StoreUnavailable, Task, TaskState
from texparts.review.pubsub import Change
from texparts.review.store import ReviewStore

LOOK_AGAIN = 15
"""Seconds after which a silent stream reads the task again: another process may serve the same database."""
TRIES = 20
"""Objects in a row that may be unreadable before the annotator hears of it."""

Who = Annotated[Annotator, Depends(caller)]
Opinions = Annotated[int, Body(embed=True, ge=1, le=100)]
MOST_ASKED = 2
"""Opinions on one object that an annotator may ask for; admins may ask for more, and for fewer again."""


def api(store: ReviewStore, order: Order | None) -> APIRouter:
    """Return all routes under ``/api``; objects are given out in ``order`` where a page asks for none."""
    router = APIRouter(prefix="/api")
    _add_tasks(router, store, order)
    _add_admin(router, store)

    @router.get("/me")
    def me(who: Who) -> dict[str, Any]:
        return {"name": who.name, "admin": who.admin}

    @router.get("/objects/{object_id}/thumbnail.png")
    def thumbnail(object_id: str) -> Response:
        path = store.shapes.folder(object_id).thumbnail
        if not path.is_file():
            raise NotFound(f"{object_id}: no thumbnail")
        return FileResponse(path, media_type="image/png")

    @router.get("/vocabulary")
    def vocabulary(q: str = "", category: str = "", limit: int = 20) -> list[NameHit]:
        return store.names.search(q, category, max(1, min(limit, 100)))

    @router.post("/vocabulary")
    def add_name(who: Who, body: schemas.NameBody) -> dict[str, Any]:
        store.names.add(who, body.category, body.name, body.description)
        return {"name": body.name}

    @router.get("/progress")
    def progress() -> Progress:
        return store.submissions.progress()

    return router


def _add_tasks(router: APIRouter, store: ReviewStore, default: Order | None) -> None:
    def shown(state: TaskState) -> dict[str, Any]:
        shape = store.shapes.shape(state.object_id)
        return schemas.state_json(state, shape.areas, shape.title)

    def entered(who: Annotator, task: Task) -> dict[str, Any]:
        try:
            return shown(store.events.state(who, task.id))
        except AlignPartsError as error:
            if not isinstance(error, StoreUnavailable):
                store.leases.release(who, task.id)  # else it would be the first to be given out again
            raise

    def own(who: Who, task: int) -> Task:
        return store.leases.task(who, task)

    @router.post("/next")
    def take_next(who: Who, order: Annotated[Order | None, Body(embed=True)] = None) -> Any:
        failed: dict[str, AlignPartsError] = {}
        while len(failed) < TRIES:
            task = store.leases.take_next(who, order or default, tuple(failed))
            if task is None:
                break
            try:
                return entered(who, task)
            except AlignPartsError as error:
                if isinstance(error, StoreUnavailable):
                    raise
                failed[task.object_id] = error
        if failed:
            raise next(reversed(failed.values()))
        return Response(status_code=204)

    @router.post("/objects/{object_id}/take")
    def take(who: Who, object_id: str) -> dict[str, Any]:
        try:
            store.shapes.shape(object_id)  # an unreadable object is not taken, and above all not reopened
        except AlignPartsError as error:
            raise NotFound(public(error, store.shapes.root)) from None
        return entered(who, store.leases.take(who, object_id))

    @router.get("/tasks/{task}")
    def state(who: Who, task: int) -> dict[str, Any]:
        return shown(store.events.state(who, task))

    @router.post("/tasks/{task}/events")
    def append(who: Who, task: int, body: Annotated[schemas.EventBody, Depends(schemas.event)]) -> Any:
        return shown(store.events.append(who, task, body.id, body.seq, body.edit))

    @router.post("/tasks/{task}/split")
    def split(who: Who, task: int, body: schemas.SplitBody) -> dict[str, Any]:
        # On the state that the page has seen: the same request again makes the same edit, and is stored once.
        record, annotation = store.events.after(who, task, body.seq)
        shape = store.shapes.shape(record.object_id)
        edit = shape.split(annotation, body.part, body.by, body.clusters)
        return shown(store.events.append(who, task, body.id, body.seq, edit))

    @router.post("/tasks/{task}/beat")
    def beat(who: Who, task: int, active: Annotated[bool, Body(embed=True)]) -> dict[str, Any]:
        return {"expires": store.leases.beat(who, task, active).isoformat()}

    @router.post("/tasks/{task}/submit")
    def submit(who: Who, task: int, body: schemas.SubmitBody) -> dict[str, Any]:
        record = store.submissions.submit(who, task, body.verdict, body.note, body.second_opinion)
        store.submissions.compare(record.object_id)
        return {"task": task, "status": record.status}

    @router.post("/tasks/{task}/release")
    def release(who: Who, task: int) -> dict[str, Any]:
        store.leases.release(who, task)
        return {"task": task, "status": "released"}

    @router.post("/tasks/{task}/ask")
    def ask(who: Who, task: Annotated[Task, Depends(own)], opinions: Opinions) -> dict[str, Any]:
        if opinions > MOST_ASKED and not who.admin:
            raise HTTPException(403, f"more than {MOST_ASKED} opinions are for an admin to ask for")
        return {"task": task.id, "opinions": store.queue.ask(task.object_id, opinions)}

    @router.get("/tasks/{task}/history")
    def history(who: Who, task: Annotated[Task, Depends(own)]) -> list[dict[str, Any]]:
        records = store.events.history(task.object_id, task.id)
        names = store.events.part_names(who, task.id)
        return [schemas.history_json(one, before) for one, before in zip(records, names, strict=False)]

    @router.get("/tasks/{task}/live", response_class=EventSourceResponse)
    async def live(who: Who, task: Annotated[Task, Depends(own)]) -> AsyncIterator[dict[str, Any]]:
        with store.live.queue(task.id) as news:
            while True:
                with suppress(StoreUnavailable):
                    yield _position(await run_in_threadpool(store.leases.task, who, task.id))
                with suppress(TimeoutError):
                    while True:
                        yield _position(await asyncio.wait_for(news.get(), LOOK_AGAIN))


def _add_admin(router: APIRouter, store: ReviewStore) -> None:
    only = [Depends(admin)]

    @router.post("/objects/{object_id}/ask", dependencies=only)
    def ask(object_id: str, opinions: Opinions) -> dict[str, Any]:
        return {"object_id": object_id, "opinions": store.queue.ask(object_id, opinions, fewer=True)}

    @router.post("/objects/{object_id}/release", dependencies=only)
    def release(object_id: str) -> dict[str, Any]:
        return {"object_id": object_id, "released": store.leases.free(object_id)}

    @router.post("/annotators/revoke", dependencies=only)
    def revoke(name: Annotated[str, Body(embed=True)]) -> dict[str, Any]:
        store.tokens.revoke(name)
        return {"name": name}


def _position(now: Task | Change) -> dict[str, Any]:
    return {"seq": now.seq, "status": now.status}
