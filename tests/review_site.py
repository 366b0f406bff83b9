"""A review's server in a thread, as the command runs it, and its annotators' clients."""

import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from review_store import Review

from texparts.app.server import create_app
from texparts.app.serving import settings

CSRF = {"X-AlignParts": "1"}


@dataclass
class Site:
    """A running server."""

    review: Review
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @contextmanager
    def client(self, name: str | None = None, admin: bool = False) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=self.url, headers=CSRF, timeout=30) as client:
            if name is not None:
                token = self.review.store.tokens.add(name, admin)
                assert client.post("/login", json={"token": token}).status_code == 200
            yield client


@contextmanager
def served(review: Review, proxies: str | None = None, **options: Any) -> Iterator[Site]:
    web = review.root / "web"
    web.mkdir(exist_ok=True)
    (web / "login.html").write_text("<p class=message><!-- message --></p>")
    (web / "index.html").write_text("<title>page</title>")
    (web / "style.css").write_text("p {}")
    (web / "app.js").write_text("void 0")
    app = create_app(review.store, web=web, **options)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = settings(app, proxies)
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield Site(review, f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def event(seq: int, **edit: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "seq": seq, "edit": edit}
