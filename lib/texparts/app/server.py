"""Serve the review as a web application: the page, its JSON interface, the 3D view and the log-in."""

import html
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from alignparts.core.config.texparts import Order
from alignparts.core.errors import AlignPartsError
from alignparts.core.http import LOOPBACK, host_of
from texparts.app.proxy import view_routes
from texparts.app.routes import api
from texparts.app.security import (
    Attempts,
    Guard,
    address_of,
    public,
    session_key,
    too_many,
    unavailable,
)
from texparts.app.views import Views
from texparts.review.models import LeaseLost, NotFound, StaleState, StoreUnavailable, Taken, TaskClosed
from texparts.review.store import ReviewStore
from texparts.review.tokens import SESSION_DAYS

WEB = Path(__file__).parent / "web"
MAX_BODY = 8 << 20
"""Bytes of an edit: a stroke over every other face of a mesh of a million takes about half."""
MESSAGE = "<!-- message -->"
"""Place in login.html of the reason why a log-in failed."""
STATUS: dict[type[AlignPartsError], int] = {NotFound: 404, Taken: 409, TaskClosed: 409, LeaseLost: 410}


def create_app(
    store: ReviewStore,
    *,
    order: Order | None = None,
    web: Path = WEB,
    attempts: Attempts | None = None,
    max_body: int = MAX_BODY,
    hosts: Collection[str] = LOOPBACK,
    public_url: str = "",
) -> FastAPI:
    """Return the application.

    Args:
        store: review to serve.
        order: order in which objects are given out where the page asks for none; None for the queue's ranks.
        web: folder of index.html, login.html and their files, served under ``/static``.
        attempts: counter of failed log-ins.
        max_body: most bytes of a request.
        hosts: names and addresses that the server answers to, beside that of ``public_url``.
        public_url: address that people open, where a proxy stands before the server.
    """
    views = Views(store)
    app = FastAPI(
        title="ALIGN-Parts review", docs_url=None, redoc_url=None, openapi_url=None, lifespan=views.running
    )
    attempts = attempts or Attempts()
    cookie = f"alignparts_{store.database.instance}"
    app.include_router(api(store, order))
    app.include_router(view_routes(views))
    _add_log_in(app, store, attempts, cookie, web, public_url.startswith("https:"))
    _add_errors(app, store.shapes.root)

    @app.get("/")
    def page() -> Response:
        return FileResponse(web / "index.html")

    app.mount("/static", StaticFiles(directory=web, check_dir=False))
    netloc = public_url.partition("://")[2].partition("/")[0]
    app.add_middleware(
        Guard, store=store, cookie=cookie, attempts=attempts, max_body=max_body,
        hosts={*hosts, host_of(netloc)} - {""}, public=netloc,
    )  # fmt: skip
    return app


def _add_log_in(
    app: FastAPI, store: ReviewStore, attempts: Attempts, cookie: str, web: Path, encrypted: bool
) -> None:
    def login_page(message: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
        text = (web / "login.html").read_text(encoding="utf-8")
        return HTMLResponse(text.replace(MESSAGE, html.escape(message)), status, headers)

    @app.get("/login")
    def form() -> Response:
        return login_page("", 200)

    @app.post("/login")
    async def log_in(request: Request) -> Response:
        as_form = "json" not in request.headers.get("content-type", "")

        def refused(message: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
            if as_form:
                return login_page(message, status, headers)
            return JSONResponse({"detail": message}, status, headers)

        secure = encrypted or request.url.scheme == "https"
        if not secure and request.url.hostname not in LOOPBACK:
            way_out = "open it by https (SECURITY.md shows how), or by ssh -L"
            return refused(f"this address is not encrypted, and shows your token to others; {way_out}", 403)
        address, token = address_of(request.scope), _token(await request.body(), as_form)
        wait = attempts.wait(address, token)
        if wait > 0:
            return refused(*too_many(wait))
        annotator = await run_in_threadpool(store.tokens.annotator_of, token)
        if annotator is None:
            attempts.failed(address, token)
            return refused("this token is not known; ask for one: texparts annotators add NAME", 401)
        key = await run_in_threadpool(store.tokens.open_session, annotator)
        response: Response = RedirectResponse("/", 303) if as_form else JSONResponse({"name": annotator.name})
        age = SESSION_DAYS * 86400
        response.set_cookie(cookie, key, age, path="/", secure=secure, httponly=True, samesite="strict")
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
    """Return the token of a log-in, sent as JSON or by a form; "" without one."""
    try:
        if as_form:
            return parse_qs(body.decode(), max_num_fields=4).get("token", [""])[0].strip()
        content = json.loads(body)
        return str(content.get("token", "")).strip() if isinstance(content, dict) else ""
    except (ValueError, RecursionError):
        return ""


def _add_errors(app: FastAPI, root: Path) -> None:
    @app.exception_handler(AlignPartsError)
    def ours(_: Request, error: AlignPartsError) -> Response:
        detail = public(error, root)
        if isinstance(error, StoreUnavailable):
            return unavailable(error)
        if isinstance(error, StaleState):
            return JSONResponse({"detail": detail, "seq": error.seq}, 409)
        return JSONResponse({"detail": detail}, STATUS.get(type(error), 422))

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"] if step not in ("body", "query")) or "request"
        return JSONResponse({"detail": f"{key}: {first['msg']}"}, 422)

    @app.exception_handler(Exception)
    def unexpected(_: Request, error: Exception) -> Response:
        return JSONResponse({"detail": f"the server failed ({type(error).__name__}); see its log"}, 500)
