"""A chat-completions endpoint on loopback that does as it is told, misbehavior included."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from alignparts.ontology.llm.client import LanguageModel

GOOD = '{"same": true, "reason": "one thing"}'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))


class Answer(BaseModel):
    """What the tests ask for."""

    same: bool
    reason: str


@dataclass
class Act:
    """What the server does to one request.

    Attributes:
        content: the model's text (HTTP 200), or the body of an error.
        body: sent as it is instead.
        extra: beside ``choices`` in the completion, such as ``usage``.
        message: beside ``content`` in the message, such as ``refusal``.
        late: seconds before anything is sent.
        drip: seconds after each of the ``pieces`` that the body comes in.
        cut: the connection ends before the body does.
        reset: the connection is reset before anything is sent.
    """

    status: int = 200
    content: Any = GOOD
    body: str | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    message: dict[str, Any] = field(default_factory=dict)
    finish: str = "stop"
    late: float = 0.0
    drip: float = 0.0
    pieces: int = 2
    cut: bool = False
    reset: bool = False

    def data(self) -> bytes:
        if self.body is not None:
            return self.body if isinstance(self.body, bytes) else self.body.encode()
        if self.status != 200:
            return self.content.encode()
        message = {"role": "assistant", "content": self.content, **self.message}
        choices = [{"index": 0, "message": message, "finish_reason": self.finish}]
        return json.dumps({"object": "chat.completion", "choices": choices, **self.extra}).encode()


@dataclass
class Seen:
    """A request that came in: when, and how many were under way with it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    time: float
    at_once: int

    @property
    def text(self) -> str:
        """What the user says first."""
        content = self.body["messages"][0]["content"]
        return content if isinstance(content, str) else content[0]["text"]


class Server:
    """Does the queued acts one by one, then the last for ever; or what ``decide`` says."""

    def __init__(self) -> None:
        self.acts: list[Act] = [Act()]
        self.decide: Callable[[Seen], Act] | None = None
        self.seen: list[Seen] = []
        self.under_way = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                headers = {key.lower(): value for key, value in self.headers.items()}
                with outer.lock:
                    outer.under_way += 1
                    seen = Seen(self.path, headers, body, time.monotonic(), outer.under_way)
                    outer.seen.append(seen)
                    queued = outer.acts.pop(0) if len(outer.acts) > 1 else outer.acts[0]
                try:
                    self.act(outer.decide(seen) if outer.decide else queued)
                finally:
                    with outer.lock:
                        outer.under_way -= 1

            def act(self, act: Act) -> None:
                time.sleep(act.late)
                if act.reset:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    self.close_connection = True
                    return
                data = act.data()
                self.send_response(act.status)
                for key, value in act.headers.items():
                    self.send_header(key, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                size = -(-len(data) // act.pieces)
                for start in range(0, len(data), size):
                    if act.cut and start:
                        self.close_connection = True
                        return
                    self.wfile.write(data[start : start + size])
                    self.wfile.flush()
                    time.sleep(act.drip)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Http(ThreadingHTTPServer):
            request_queue_size = 64

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that hangs up, or a connection that was reset on purpose

        self.http = Http(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve on loopback; the client waits a hundredth of its usual time before it repeats a request."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.005)
    monkeypatch.setattr("alignparts.ontology.llm.endpoint.BACK_OFF", 0.005)
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "same.txt").write_text("Is $a the same as $b?")
    (folder / "seen.txt").write_text("What is this?")
    return folder


def client(server: Server | None, tmp_path: Path, prompts: Path, **options: Any) -> LanguageModel:
    endpoint = server.url + "/" if server else "recorded"
    settings = {"prompts": prompts, "api_key": "", **options}
    return LanguageModel(endpoint, "tiny", tmp_path / "replies", **settings)
