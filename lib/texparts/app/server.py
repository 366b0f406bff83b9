"""The review as a web application: the page, its JSON interface and the log-in."""

import html
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from alignparts.core.errors import AlignPartsError
from texparts.app.routes import api
from texparts.app.security import Attempts, Guard, address_of, session_key, too_many, unavailable
from texparts.review.errors import (
    LeaseLost,
    NotFound,
    StaleState,
    StoreUnavailable,
    Taken,
    TaskClosed,
)
from texparts.review.models import Order
from texparts.review.store import ReviewStore
from texparts.review.tokens import SESSION_DAYS

LOG = logging.getLogger(__name__)
WEB = Path(__file__).parent / "web"
MAX_BODY = 16 << 20
"""Bytes of a request: a stroke over every other face of a mesh of a million takes about half."""
MESSAGE = "<!-- message -->"
"""Where login.html shows why a log-in failed."""
STATUS: dict[type[AlignPartsError], int] = {NotFound: 404, Taken: 409, TaskClosed: 409, LeaseLost: 410}

ViewHook = Callable[[FastAPI, ReviewStore], AbstractAsyncContextManager[object] | None]
"""Mounts the 3D view into the application; what it returns is entered when the server starts and left when
it stops. :func:`texparts.app.security.caller` says who is asking; nobody gets so far without a log-in.
Headers that it sets itself, such as its own Content-Security-Policy, stay."""


def create_app(
    store: ReviewStore,
    *,
    order: Order = "confident",
    mount_view: ViewHook | None = None,
    web: Path = WEB,
    attempts: Attempts | None = None,
    max_body: int = MAX_BODY,
) -> FastAPI:
    """The application.

    Args:
        store: of the review.
        order: in which objects are given out, where the page does not say.
        mount_view: adds the 3D view; the interface works without it.
        web: folder of index.html, login.html and what they need, served under ``/static``.
        attempts: counts failed log-ins.
        max_body: bytes of a request.
    """
    running: list[AbstractAsyncContextManager[object]] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running[0] if running else nullcontext():
            yield

    app = FastAPI(
        title="ALIGN-Parts review", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    attempts = attempts or Attempts()
    cookie = f"alignparts_{store.database.instance}"
    app.include_router(api(store, order))
    _add_log_in(app, store, attempts, cookie, web)
    _add_errors(app)

    @app.get("/")
    def page() -> Response:
        return FileResponse(web / "index.html")

    app.mount("/static", StaticFiles(directory=web, check_dir=False))
    if mount_view is not None:
        running += [one for one in [mount_view(app, store)] if one is not None]
    app.add_middleware(Guard, store=store, cookie=cookie, attempts=attempts, max_body=max_body)
    return app


def _add_log_in(app: FastAPI, store: ReviewStore, attempts: Attempts, cookie: str, web: Path) -> None:
    def login_page(message: str, status: int) -> Response:
        text = (web / "login.html").read_text(encoding="utf-8")
        return HTMLResponse(text.replace(MESSAGE, html.escape(message)), status)

    @app.get("/login")
    def form() -> Response:
        return login_page("", 200)

    @app.post("/login")
    async def log_in(request: Request) -> Response:
        as_form = "json" not in request.headers.get("content-type", "")
        token = _token(await request.body(), as_form)
        address = address_of(request.scope)
        wait = attempts.wait(address)
        if wait > 0:
            refused = too_many(wait)
            return login_page(json.loads(bytes(refused.body))["detail"], 429) if as_form else refused
        annotator = await run_in_threadpool(store.annotator_of, token)
        if annotator is None:
            attempts.failed(address)
            message = "this token is not known; ask for one: alignparts texparts annotators add NAME"
            return login_page(message, 401) if as_form else JSONResponse({"detail": message}, 401)
        key = await run_in_threadpool(store.tokens.open_session, annotator)
        response: Response = RedirectResponse("/", 303) if as_form else JSONResponse({"name": annotator.name})
        response.set_cookie(
            cookie,
            key,
            max_age=SESSION_DAYS * 86400,
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    @app.post("/logout")
    def log_out(request: Request) -> Response:
        key = session_key(request.headers, cookie)
        if key is not None:
            store.tokens.close_session(key)
        response = JSONResponse({})
        response.delete_cookie(cookie, path="/", httponly=True, samesite="strict")
        return response


def _token(body: bytes, as_form: bool) -> str:
    """The token of a log-in, sent as JSON or by a form; "" where there is none."""
    try:
        if as_form:
            return parse_qs(body.decode()).get("token", [""])[0].strip()
        content = json.loads(body)
        return str(content.get("token", "")).strip() if isinstance(content, dict) else ""
    except ValueError:
        return ""


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(AlignPartsError)
    def ours(_: Request, error: AlignPartsError) -> Response:
        detail = " ".join(str(error).split())
        if isinstance(error, StoreUnavailable):
            LOG.warning("%s", detail)
            return unavailable(error)
        if isinstance(error, StaleState):
            return JSONResponse({"detail": detail, "seq": error.seq}, 409)
        return JSONResponse({"detail": detail}, STATUS.get(type(error), 422))

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        key = ".".join(str(one) for one in first["loc"] if one not in ("body", "query")) or "request"
        return JSONResponse({"detail": f"{key}: {first['msg']}"}, 422)

    @app.exception_handler(Exception)
    def unexpected(_: Request, error: Exception) -> Response:
        return JSONResponse({"detail": f"the server failed ({type(error).__name__}); see its log"}, 500)
