"""What strangers and annotators may send, and how much: refused or bounded, in words that tell no secret."""

import json
import logging
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pressure import run_pressure
from review_site import Site, event, served
from review_store import Review, on_sqlite, postgres_folder

from alignparts.core.errors import AlignPartsError
from texparts.app import schemas, security, serving
from texparts.review.models import StoreUnavailable

__all__ = ["on_sqlite", "postgres_folder"]

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def site(on_sqlite: Review) -> Iterator[Site]:
    on_sqlite.fill(3)
    with served(on_sqlite) as site:
        yield site


def half_open(site: Site, text: str = "GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n") -> socket.socket:
    """Begin a request and no more."""
    connection = socket.create_connection(("127.0.0.1", site.port), timeout=20)
    connection.sendall(text.encode())
    return connection


def is_closed(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        return not connection.recv(100)
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_a_stranger_may_send_little(site: Site) -> None:
    with site.client() as nobody:
        for content, headers, status in (
            (b"a=1&" * 1100, FORM, 413), (b"a=1&" * 1000, FORM, 401), (b"&" * 4096, FORM, 401),
            (b"token=" + b"%41" * 1300, FORM, 401), (b"[" * 4096, JSON, 401), (b'{"token":' * 400, JSON, 401),
            (b"\xff", JSON, 401), (b'{"token": {"a": 1}}', JSON, 401), (b" " * (5 << 20), JSON, 413),
        ):  # fmt: skip
            assert nobody.post("/login", content=content, headers=headers).status_code == status, content[:9]
        chunks = (b"a=1&" * 256 for _ in range(40))  # of a length that nobody announces
        assert nobody.post("/login", content=chunks, headers=FORM).status_code == 413
        for origin in ("http://[", "[", "null", "://", "http://evil.example"):
            assert nobody.post("/login", json={}, headers={"Origin": origin}).status_code == 403
        for path in ("/api/next", "/api/tasks/1/events", "/nothing"):  # not read at all
            assert nobody.post(path, content=b" " * 2000).status_code == 401


def test_only_an_edit_may_be_large(site: Site) -> None:
    with site.client("Ann") as ann:
        task = f"/api/tasks/{ann.post('/api/next', json={}).json()['task']}"
        long = b'{"verdict": "done"' + b" " * (70 << 10) + b"}"
        assert ann.post(f"{task}/submit", content=long, headers=JSON).status_code == 413
        edit = json.dumps(event(0, kind="accept", parts=[0])).encode() + b" " * (1 << 20)
        assert ann.post(f"{task}/events", content=edit, headers=JSON).json()["seq"] == 1


def edit_of(body: bytes) -> bytes:
    return b'{"id": "%s", "seq": 0, "edit": {%s}}' % (str(uuid.uuid4()).encode(), body)


def test_a_hostile_edit_costs_no_more_than_a_large_one() -> None:
    """Millions of faults are not all collected, whatever they are."""

    def seconds(content: bytes, fails: bool) -> float:
        start = time.perf_counter()
        if fails:
            with pytest.raises(AlignPartsError) as refused:
                schemas._read_event(content)
            assert len(str(refused.value)) < 300
        else:
            schemas._read_event(content)
        return time.perf_counter() - start

    faces = b'"kind": "paint", "part": 0, "faces": [%s1]'
    honest = min(seconds(edit_of(faces % (b"1," * 999_999)), False) for _ in range(3))
    for body in (
        faces % (b"1," * 2_000_001), faces % (b"[]," * 700_000), faces % (b"-1," * 700_000),
        faces % (b'"",' * 700_000), b'"kind": "accept", "parts": [%s1]' % (b"{}," * 700_000),
        b'"kind": "split", "part": 0, "groups": [[%s1]]' % (b"[]," * 700_000),
        b'"kind": "split", "part": 0, "groups": [%s1]' % (b"[]," * 700_000),
        b'"kind": "undo", "x": [%s1]' % (b"[]," * 700_000),
        b'"kind": "undo", ' + b",".join(b'"%d": 1' % number for number in range(200_000)),
        b'"kind": "undo", "x": ' + b"[" * 1_000_000,
    ):  # fmt: skip
        # Generous, as others use the machine; collecting all the faults takes 20 times as long.
        assert min(seconds(edit_of(body), True) for _ in range(2)) < 6 * honest + 0.1, body[:60]


HUGE = 2**63
STRANGE = [
    ("POST", "/api/objects/%00/take", None), ("POST", f"/api/objects/{'x' * 5000}/take", None),
    ("GET", "/api/objects/box000%00/thumbnail.png", None), ("GET", "/api/objects/%2e%2e/thumbnail.png", None),
    ("GET", f"/api/objects/{'x' * 5000}/thumbnail.png", None), ("POST", "/api/objects/%2e%2e/take", None),
    *((method, f"/api/tasks/{number}{rest}", body) for number in (HUGE, -1, 0, 10**30, "1e3", "NaN")
      for method, rest, body in (("GET", "", None), ("POST", "/release", {}), ("GET", "/live", None),
                                 ("GET", "/history", None), ("POST", "/beat", {"active": True}))),
    ("GET", "/view/%00", None), ("GET", f"/view/{'x' * 60_000}", None), ("GET", "/static/%00", None),
    ("GET", f"/static/{'x' * 5000}", None), ("GET", "/static/%2e%2e/%2e%2e/app.db", None),
    ("POST", "/api/view/show", {"task": HUGE}), ("POST", "/api/view/select", {"parts": [HUGE, -HUGE]}),
    ("POST", "/api/view/isolate", {"part": HUGE}), ("POST", "/api/next", {"order": "\x00"}),
    ("POST", "/api/tasks/1/split", {"id": str(uuid.uuid4()), "seq": 0, "part": HUGE, "by": "cluster",
                                    "clusters": HUGE}),
    ("POST", "/api/tasks/1/events", event(HUGE, kind="undo")),
    ("POST", "/api/tasks/1/events", {**event(0), "edit": {"kind": "restore", "seq": HUGE}}),
    ("POST", "/api/tasks/1/events", event(0, kind="merge", parts=[HUGE, 1], into=HUGE)),
    ("POST", "/api/tasks/1/events", event(0, kind="paint", part=HUGE, faces=[0, 1])),
    ("GET", f"/api/vocabulary?q=%00&category=%00&limit={HUGE}", None),
    ("POST", "/api/vocabulary", {"category": "\x00", "name": "\x00"}),
    ("POST", "/api/objects/box000/ask", {"opinions": HUGE}),
    ("POST", "/api/objects/%00/ask", {"opinions": 2}),
    ("POST", "/api/objects/%00/release", {}), ("POST", "/api/annotators/revoke", {"name": "\x00"}),
]  # fmt: skip


def test_strange_requests_are_refused_without_a_failure_or_a_path(site: Site) -> None:
    with site.client("Ann", admin=True) as ann:
        ann.post("/api/next", json={})
        for method, path, body in STRANGE:
            answer = ann.request(method, path, json=body)
            assert answer.status_code < 500, (path[:60], answer.text)
            assert str(site.review.root) not in answer.text
        assert ann.get("/api/tasks/1").json()["seq"] == 0


def test_no_answer_names_a_folder_or_the_database(site: Site) -> None:
    root = site.review.root
    (root / "objects" / "box000" / "mesh.glb").write_bytes(b"broken")
    with site.client("Ann") as ann, site.client() as nobody:
        refused = ann.post("/api/objects/box000/take")
        assert refused.status_code == 404 and "mesh.glb" in refused.text and str(root) not in refused.text
        (root / "review.db").rename(root / "elsewhere.db")
        for client, path in ((ann, "/api/next"), (nobody, "/login")):
            answer = client.post(path, json={"token": "x"} if path == "/login" else {})
            assert answer.status_code == 503 and "not available" in answer.text
            assert "sqlite" not in answer.text and "review.db" not in answer.text
    hidden = security.public(AlignPartsError("'/a b/c/mesh.glb': see /x/y/z.npy and 1/2"), Path("/a b"))
    assert hidden == "'c/mesh.glb': see z.npy and 1/2"
    assert security.public(StoreUnavailable("postgresql://u@h/n: away"), root) == security.AWAY


def test_a_request_that_does_not_come_is_not_waited_for(
    on_sqlite: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "PATIENCE", dict.fromkeys(serving.PATIENCE, 0.5))
    on_sqlite.fill(1)
    with served(on_sqlite) as site, site.client("Ann") as ann, ExitStack() as stack:
        task = ann.post("/api/next", json={}).json()["task"]
        cookie = "; ".join(f"{key}={value}" for key, value in ann.cookies.items())
        head = f"POST /api/tasks/{task}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n"
        body = f"{head}X-AlignParts: 1\r\nContent-Length: 99\r\n\r\n{{"
        again = "GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /login HTTP/1.1\r\n"
        late = [stack.enter_context(half_open(site, text)) for text in ("", "GET", head, body)]
        live = stack.enter_context(ann.stream("GET", f"/api/tasks/{task}/live"))
        told = live.iter_lines()
        assert "data" in next(told)
        assert all(is_closed(one, 20) for one in late)
        second = stack.enter_context(half_open(site, again))
        while second.recv(10_000):  # the answer, and then the end
            pass
        ann.post(f"/api/tasks/{task}/beat", json={"active": True})
        ann.post(f"/api/tasks/{task}/events", json=event(0, kind="accept", parts=[0]))
        assert any('"seq":1' in line for line in told)  # what was asked in time has all the time it needs


def test_the_oldest_unfinished_requests_make_room(on_sqlite: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    on_sqlite.fill(1)
    for limit, most in (("PER_ADDRESS", 8), ("MOST", 8)):
        monkeypatch.setattr(serving, limit, most)
        with served(on_sqlite) as site, site.client(limit) as ann, ExitStack() as stack:
            task = ann.post("/api/next", json={}).json()["task"]
            live = stack.enter_context(ann.stream("GET", f"/api/tasks/{task}/live"))
            assert "data" in next(told := live.iter_lines())
            waiting = [stack.enter_context(half_open(site)) for _ in range(20)]
            assert all(is_closed(one, 20) for one in waiting[:12])
            with site.client() as other:
                assert other.get("/login").status_code == 200
            assert not is_closed(waiting[-1], 0.1)
            done = ann.post(f"/api/tasks/{task}/submit", json={"verdict": "done"})
            assert done.status_code == 200 and any("done" in line for line in told)
            on_sqlite.store.queue.ask("box000", 2)
        monkeypatch.undo()


def test_the_log_repeats_nothing() -> None:
    seldom = serving.Seldom(60.0)

    def passes(text: str, *arguments: Any) -> bool:
        return seldom.filter(logging.LogRecord("server", logging.WARNING, "", 0, text, arguments, None))

    assert passes("connection %d refused", 0) and passes("something else")
    assert not any(passes("connection %d refused", number) for number in range(1000))
    for number in range(5000):
        passes(f"another {number}")
    assert len(seldom._passed) <= 1001
    seldom._seconds = 0.0
    assert passes("something else") and passes("something else")


def test_others_work_on_under_attack(tmp_path: Path) -> None:
    waits = run_pressure(tmp_path, half_open=300, seconds=2)
    assert len(waits.attacked) > 3 and not waits.failed
    assert waits.log < 10_000


def test_what_is_open_ends_with_the_log_in(on_sqlite: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    on_sqlite.fill(2)
    other = on_sqlite.reopen()  # as another process has it
    with served(on_sqlite) as site:
        for name, how in (
            ("Ann", lambda client: client.post("/logout")),
            ("Bo", lambda _: on_sqlite.store.tokens.revoke("Bo")),
            ("Cy", lambda _: other.tokens.revoke("Cy")),
        ):
            if name == "Cy":
                monkeypatch.setattr(security, "LOOK_AGAIN", 0.2)
            with site.client(name) as client:
                task = client.post("/api/next", json={}).json()["task"]
                client.post("/api/view/show", json={"task": task})
                with client.stream("GET", f"/api/tasks/{task}/live") as live:
                    told = live.iter_lines()
                    assert "data" in next(told)
                    threading.Timer(0.1, how, [client]).start()
                    assert all("status" in line or not line for line in told)  # and then it ends
                assert client.get("/api/me").status_code == 401
            on_sqlite.store.leases.free("box000")
    other.close()


def test_one_log_out_leaves_other_log_ins_alone(site: Site) -> None:
    token = site.review.store.tokens.add("Ann")
    with site.client() as here, site.client() as there:
        for client in (here, there):
            assert client.post("/login", json={"token": token}).status_code == 200
        task = here.post("/api/next", json={}).json()["task"]
        with there.stream("GET", f"/api/tasks/{task}/live") as live:
            told = live.iter_lines()
            assert "data" in next(told)
            assert here.post("/logout").status_code == 200
            there.post(f"/api/tasks/{task}/submit", json={"verdict": "done"})
            assert any("done" in line for line in told)


def test_an_admin_may_do_what_annotators_may_not(site: Site) -> None:
    with site.client("Ann") as ann, site.client("Root", admin=True) as root:
        task = ann.post("/api/next", json={}).json()["task"]
        assert ann.post(f"/api/tasks/{task}/ask", json={"opinions": 2}).json()["opinions"] == 2
        assert ann.post(f"/api/tasks/{task}/ask", json={"opinions": 3}).status_code == 403
        requests = (
            ("/api/objects/box000/ask", {"opinions": 5}), ("/api/objects/box000/ask", {"opinions": 1}),
            ("/api/objects/box000/release", None), ("/api/annotators/revoke", {"name": "Ann"}),
        )  # fmt: skip
        assert {ann.post(path, json=body).status_code for path, body in requests} == {403}
        answers = [root.post(path, json=body).json() for path, body in requests[:3]]
        assert [one.get("opinions") for one in answers] == [5, 1, None] and answers[2]["released"] == 1
        lost = ann.post(f"/api/tasks/{task}/events", json=event(0, kind="accept", parts=[0]))
        assert lost.status_code == 410
        assert root.post("/api/annotators/revoke", json={"name": "Ann"}).status_code == 200
        assert ann.get("/api/me").status_code == 401
