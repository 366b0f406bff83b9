"""The JSON interface over a real server: who may do what, what is refused, and how it says so."""

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import sqlalchemy
import trimesh
import viser
from PIL import ImageFile
from review_site import Site, event, served
from review_store import Review, on_sqlite, postgres_folder, review
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from alignparts.corpus.mesh.glb import join_container, split_container
from texparts.app.security import Attempts
from texparts.raw.malformed import glb_of, make_surface, png_bomb, with_texture
from texparts.review.tokens import hash_of

__all__ = ["on_sqlite", "postgres_folder", "review"]


@pytest.fixture
def site(on_sqlite: Review) -> Iterator[Site]:
    on_sqlite.fill(3)
    with served(on_sqlite) as site:
        yield site


def test_nothing_without_a_log_in(site: Site) -> None:
    with site.client() as nobody:
        for method, path in (
            ("GET", "/api/me"), ("POST", "/api/next"), ("GET", "/api/tasks/1"), ("GET", "/api/progress"),
            ("GET", "/api/tasks/1/live"), ("GET", "/static/app.js"), ("GET", "/static/index.html"),
            ("GET", "/"), ("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/view/"), ("GET", "/nothing"),
            ("GET", "/api/objects/box000/thumbnail.png"), ("POST", "/logout"),
        ):  # fmt: skip
            assert nobody.request(method, path).status_code == 401, path
        for path in ("/", "/deep/link"):
            answer = nobody.get(path, headers={"Accept": "text/html"})
            assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert nobody.get("/login").status_code == nobody.get("/static/style.css").status_code == 200
        assert nobody.get("/api/me", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_a_page_and_a_script_log_in(site: Site) -> None:
    token = site.review.store.tokens.add("Ann")
    with site.client() as ann:
        wrong = ann.post("/login", json={"token": "wrong"})
        assert wrong.status_code == 401 and "token" in wrong.json()["detail"]
        assert ann.post("/login", data={"token": "<b>wrong"}).status_code == 401
        answer = ann.post("/login", data={"token": f" {token} "})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and token not in cookie
        assert ann.get("/api/me").json() == {"name": "Ann", "admin": False}
        assert ann.get("/").text == "<title>page</title>"
        assert ann.get("/static/app.js").status_code == 200
        ann.post("/logout")
        assert ann.get("/api/me").status_code == 401
    script = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{site.url}/api/me", headers=script).json()["name"] == "Ann"
    site.review.store.tokens.revoke("Ann")
    assert httpx.get(f"{site.url}/api/me", headers=script).status_code == 401


def test_a_session_outlives_the_server_and_ends_with_its_annotator(on_sqlite: Review) -> None:
    with served(on_sqlite) as site, site.client("Ann") as ann:
        cookies = dict(ann.cookies)
    with served(on_sqlite) as site, httpx.Client(base_url=site.url, cookies=cookies) as ann:
        assert ann.get("/api/me").json()["name"] == "Ann"
        on_sqlite.store.tokens.revoke("Ann")
        assert ann.get("/api/me").status_code == 401
        token = on_sqlite.store.tokens.renew("Ann")
        assert ann.get("/api/me").status_code == 401  # the old session stays closed
        assert ann.post("/login", json={"token": token}).status_code == 200
        on_sqlite.clock.forward(15 * 86400)
        assert ann.get("/api/me").status_code == 401


def test_guessing_is_slowed_down(on_sqlite: Review) -> None:
    now = [0.0]
    token = on_sqlite.store.tokens.add("Ann")
    while hash_of(token)[:3] == hash_of("wrong")[:3]:  # they would be counted together
        token = on_sqlite.store.tokens.renew("Ann")
    with served(on_sqlite, attempts=Attempts(3, 60.0, lambda: now[0])) as site, site.client() as ann:
        for _ in range(3):
            assert ann.post("/login", json={"token": "wrong"}).status_code == 401
        refused = ann.post("/login", json={"token": "wrong"})
        assert refused.status_code == 429 and 0 < int(refused.headers["retry-after"]) <= 60
        assert "too many" in ann.post("/login", data={"token": "wrong"}).text
        bearer = {"Authorization": "Bearer wrong"}
        assert ann.get("/api/me", headers=bearer).status_code == 429
        # The wrong tokens of one keep nobody else out, who may have the same address.
        bearer = {"Authorization": f"Bearer {token}"}
        assert ann.get("/api/me", headers=bearer).json()["name"] == "Ann"
        assert ann.post("/login", json={"token": token}).status_code == 200
        now[0] = 61.0
        assert ann.post("/login", json={"token": token}).status_code == 200


def test_headers_and_other_sites(site: Site) -> None:
    with site.client("Ann") as ann:
        for path in ("/login", "/", "/api/me", "/nothing", "/static/app.js"):
            headers = ann.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'self'" in policy and "unsafe" not in policy and "script-src" not in policy
            assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        elsewhere = {"Origin": "http://elsewhere"}
        for header in ({"X-AlignParts": "0"}, elsewhere, {"Sec-Fetch-Site": "cross-site"}):
            assert ann.post("/api/next", json={}, headers=header).status_code == 403
        assert ann.post("/api/next", json={}, headers={"Origin": site.url}).status_code == 200
        assert ann.post("/login", json={"token": "x"}, headers=elsewhere).status_code == 403


def test_an_object_from_the_queue_to_its_end(review: Review) -> None:
    review.fill(1)
    with served(review) as site, site.client("Ann") as ann:
        state = ann.post("/api/next", json={"order": "uncertain"}).json()
        task = f"/api/tasks/{state['task']}"
        assert set(state) == {
            "task", "object_id", "title", "category", "status", "seq", "can_undo", "can_redo", "expires",
            "seconds", "faces", "unlabeled", "parts",
        }  # fmt: skip
        assert [part["name"] for part in state["parts"]] == ["body", "lid"]  # the least certain first
        assert state["faces"] == 12 and state["unlabeled"] == 2
        assert np.isclose(sum(part["area"] for part in state["parts"]), 10 / 12)
        assert state["parts"][0]["color"].startswith("#") and len(state["parts"][0]["color"]) == 7
        name = "<img src=x onerror=alert(1)>"
        state = ann.post(f"{task}/events", json=event(0, kind="rename", part=1, name=name)).json()
        assert [part["name"] for part in state["parts"]] == ["lid", name]  # as data, below what is open
        state = ann.post(f"{task}/events", json=event(1, kind="undo")).json()
        assert state["can_redo"] and not state["can_undo"]
        body = {"id": str(uuid.uuid4()), "seq": 2, "part": 1, "by": "cluster", "clusters": 4}
        first = ann.post(f"{task}/split", json=body)
        assert len(first.json()["parts"]) == 5
        assert ann.post(f"{task}/split", json=body).json() == first.json()  # sent again after a lost answer
        told = ann.get(f"{task}/history").json()
        assert [one["edit"] for one in told] == [f"rename body to {name}", "undo", "split body into 4"]
        assert {one["who"] for one in told} == {"Ann"}
        assert ann.post(f"{task}/beat", json={"active": True}).json()["expires"] == state["expires"]
        assert ann.post(f"{task}/ask", json={"opinions": 2}).status_code == 200
        handed_in = {"verdict": "done", "note": "", "second_opinion": False}
        for _ in range(2):
            assert ann.post(f"{task}/submit", json=handed_in).json()["status"] == "done"
        assert ann.post("/api/next", json={}).status_code == 204
        progress = ann.get("/api/progress").json()
        assert (progress["done"], progress["objects"], progress["waiting"]) == (1, 1, 1)
        with site.client("Bo") as bo:
            other = bo.post("/api/next", json={}).json()
            assert bo.post(f"/api/tasks/{other['task']}/submit", json=handed_in).status_code == 200
            assert bo.get("/api/progress").json()["pairs"] == 1
            assert bo.get(task).status_code == 404  # somebody else's
        assert ann.post(f"/api/objects/{state['object_id']}/take").json()["status"] == "open"
        assert ann.post(f"{task}/release").json()["status"] == "released"
        assert ann.get(f"/api/objects/{state['object_id']}/thumbnail.png").content == b"\x89PNG"


REFUSED = {
    "no such kind": ({"kind": "explode"}, "kind"),
    "no such part": ({"kind": "accept", "parts": [99]}, "part 99"),
    "10 k characters": ({"kind": "rename", "part": 0, "name": "x" * 10_000}, "at most 120 characters"),
    "nothing printable": ({"kind": "rename", "part": 0, "name": "\u0000\u200b"}, "name: expected 1 to"),
    "half a character": ({"kind": "add", "name": "\ud800"}, "Invalid JSON"),
    "a face too many": ({"kind": "paint", "part": 0, "faces": [11, 2]}, "faces: expected"),
    "a huge face": ({"kind": "paint", "part": 0, "faces": [1, 10**30]}, "faces.1: "),
    "a long run": ({"kind": "paint", "part": 0, "faces": [1, 2**31 - 1]}, "faces: expected"),
    "nothing to redo": ({"kind": "redo"}, "redo: nothing"),
    "a future": ({"kind": "restore", "seq": 7}, "restore: "),
    "one key too many": ({"kind": "undo", "also": 1}, "also"),
}  # fmt: skip


@pytest.mark.parametrize("edit, message", REFUSED.values(), ids=REFUSED)
def test_bad_edits_are_named_and_change_nothing(site: Site, edit: dict, message: str) -> None:
    with site.client("Ann") as ann:
        task = f"/api/tasks/{ann.post('/api/next', json={}).json()['task']}"
        content = json.dumps({"id": str(uuid.uuid4()), "seq": 0, "edit": edit})
        answer = ann.post(f"{task}/events", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, answer.text
        assert message in answer.json()["detail"] and len(answer.json()["detail"]) < 300
        assert ann.get(task).json()["seq"] == 0


def test_bad_requests_are_named(site: Site) -> None:
    with site.client("Ann") as ann:
        task = f"/api/tasks/{ann.post('/api/next', json={}).json()['task']}"
        accept = event(0, kind="accept", parts=[0])
        for path, body, status, message in (
            (f"{task}/events", accept | {"id": "7"}, 422, "id: expected a UUID"),
            (f"{task}/events", accept | {"seq": 3}, 409, "changed elsewhere"),
            (f"{task}/events", {"seq": 0}, 422, "id: "),
            (f"{task}/split", {**accept, "part": 0, "by": "magic"}, 422, "by: "),
            (f"{task}/submit", {"verdict": "rejected"}, 422, "reason"),
            (f"{task}/submit", {"verdict": "perhaps"}, 422, "verdict"),
            (f"{task}/submit", {"verdict": "done", "note": "x" * 10_000}, 422, "note"),
            ("/api/tasks/99/release", {}, 404, "task 99"),
            ("/api/objects/box099/take", {}, 404, "box099"),
            ("/api/vocabulary", {"category": "box", "name": "x" * 10_000}, 422, "name"),
            ("/api/next", {"order": "random"}, 422, "order"),
        ):
            answer = ann.post(path, json=body)
            assert (answer.status_code, message in answer.json()["detail"]) == (status, True), answer.text
        assert ann.post(f"{task}/events", json=accept | {"seq": 3}).json()["seq"] == 0
        assert ann.post(f"{task}/events", content=b"{", headers={"Content-Type": "application/json"}).is_error
        assert ann.get("/api/objects/..%2f..%2freview.db/thumbnail.png").status_code == 404
        with site.client("Bo") as bo:
            held = bo.post("/api/objects/box000/take")
            assert held.status_code == 409 and "Ann works on it" in held.json()["detail"]
        site.review.clock.forward(1000)
        with site.client("Cy") as cy:
            assert cy.post("/api/next", json={}).json()["object_id"] == "box000"
        lost = ann.post(f"{task}/events", json=accept)
        assert lost.status_code == 410 and "second opinion" in lost.json()["detail"]
        assert ann.get(task).json()["status"] == "lost"


def test_large_bodies_are_refused(on_sqlite: Review) -> None:
    with served(on_sqlite, max_body=1000) as site, site.client("Ann") as ann:
        assert ann.post("/api/next", content=b" " * 1001).status_code == 413

        def chunks() -> Iterator[bytes]:  # of a length that nobody announces
            for _ in range(20):
                yield b" " * 100

        assert ann.post("/api/next", content=chunks()).status_code == 413
        assert ann.post("/api/next", json={}).status_code == 204


def test_names(site: Site) -> None:
    with site.client("Ann") as ann:
        hits = ann.get("/api/vocabulary", params={"q": "cover", "category": "Box"}).json()
        assert hits[0] == {
            "name": "lid", "description": "closes the box", "category": "box", "synonym": "cover"
        }  # fmt: skip
        name = "<script>alert(1)</script>"
        body = {"category": "box", "name": name, "description": "no \u0000 harm"}
        for _ in range(2):
            assert ann.post("/api/vocabulary", json=body).status_code == 200
        hits = ann.get("/api/vocabulary", params={"q": "<script", "category": "box"})
        assert hits.headers["content-type"] == "application/json"
        assert [(hit["name"], hit["description"]) for hit in hits.json()] == [(name, "no   harm")]


def test_changes_are_told_while_they_happen(site: Site) -> None:
    with site.client("Ann") as ann, site.client() as stream:
        stream.cookies = ann.cookies
        task = f"/api/tasks/{ann.post('/api/next', json={}).json()['task']}"
        with stream.stream("GET", f"{task}/live") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            told = (json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: "))
            assert next(told) == {"seq": 0, "status": "open"}
            ann.post(f"{task}/events", json=event(0, kind="accept", parts=[0]))
            assert next(told) == {"seq": 1, "status": "open"}
            ann.post(f"{task}/submit", json={"verdict": "done"})
            assert next(told) == {"seq": 1, "status": "done"}
            assert len(site.review.store.live._listeners) == 1
        until = time.monotonic() + 5
        while site.review.store.live._listeners and time.monotonic() < until:  # nobody listens any more
            time.sleep(0.01)
        assert not site.review.store.live._listeners
        assert ann.get("/api/tasks/99/live").status_code == 404


def test_a_database_that_goes_away_is_a_503(site: Site) -> None:
    path = Path(site.review.store.database.engine.url.database or "")
    with site.client("Ann") as ann:
        task = f"/api/tasks/{ann.post('/api/next', json={}).json()['task']}"
        body = event(0, kind="accept", parts=[0])
        path.rename(path.with_suffix(".away"))
        for _ in range(2):
            answer = ann.post(f"{task}/events", json=body)
            assert answer.status_code == 503 and "not available" in answer.json()["detail"]
            assert answer.headers["retry-after"]
        path.with_suffix(".away").rename(path)
        assert ann.post(f"{task}/events", json=body).json()["seq"] == 1


def test_an_object_that_cannot_be_read_is_passed_by(site: Site) -> None:
    (site.review.root / "objects" / "box000" / "mesh.glb").write_bytes(b"broken")
    with site.client("Ann") as ann:
        assert ann.post("/api/next", json={}).json()["object_id"] == "box001"
        ann.post("/api/tasks/2/submit", json={"verdict": "done"})
        assert ann.post("/api/next", json={}).json()["object_id"] == "box002"
        ann.post("/api/tasks/3/submit", json={"verdict": "done"})
        last = ann.post("/api/next", json={})
        assert last.status_code == 422 and "mesh.glb" in last.json()["detail"]
        (site.review.root / "objects" / "box001" / "mesh.glb").unlink()
        site.review.store.shapes._shape.cache_clear()
        assert ann.post("/api/objects/box001/take").status_code == 404
        assert ann.get("/api/tasks/2").is_error
        assert site.review.store.submissions.progress().done == 2  # still handed in


def test_meshes_that_are_traps_are_passed_by(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nobody has filtered: a GLB without faces, one whose texture or whose faces are a bomb."""
    good = (site.review.root / "objects" / "box000" / "mesh.glb").read_bytes()
    traps = {
        "no faces": (trimesh.Scene(trimesh.PointCloud(np.eye(3))).export(file_type="glb"), "mesh.glb"),
        "pixels": (with_texture(textured_box(), png_bomb(12_000), "image/png"), "12,000 x 12,000 pixels"),
        "more pixels": (with_texture(textured_box(), png_bomb(), "image/png"), "900,000,000 pixels"),
        "faces": (claiming_faces(good), "claims 3,000,000,000 values"),
    }
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    with site.client("Ann") as ann:
        for content, message in traps.values():
            site.review.store.shapes._shape.cache_clear()
            (site.review.root / "objects" / "box000" / "mesh.glb").write_bytes(content)
            taken = ann.post("/api/objects/box000/take")
            assert taken.status_code == 404 and message in taken.json()["detail"], taken.text
            state = ann.post("/api/next", json={}).json()
            assert state["object_id"] in ("box001", "box002")  # the other objects are still given out
            ann.post(f"/api/tasks/{state['task']}/release")
        (site.review.root / "objects" / "box000" / "mesh.glb").write_bytes(good)
        assert ann.post("/api/objects/box000/take").json()["faces"] == 12


def textured_box() -> bytes:
    box = trimesh.creation.box()
    return glb_of(make_surface(box.vertices, box.faces))


def claiming_faces(glb: bytes) -> bytes:
    header, binary = split_container(glb, "box")
    for accessor in header["accessors"]:
        accessor["count"] = 3_000_000_000
    return join_container(header, binary or b"")


def test_markup_is_text_in_every_answer(site: Site) -> None:
    """In names, notes, categories and annotators: JSON, never HTML, and never sniffed for it."""
    markup = "<img src=x onerror=alert(1)>"
    about = site.review.root / "objects" / "box000" / "about.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"title": markup}))
    with site.client(markup) as ann:
        state = ann.post("/api/next", json={}).json()
        task = f"/api/tasks/{state['task']}"
        assert state["title"] == markup and ann.get("/api/me").json()["name"] == markup
        ann.post(f"{task}/events", json=event(0, kind="rename", part=0, name=markup))
        ann.post(f"{task}/events", json=event(1, kind="category", category=markup))
        for path in (task, f"{task}/history", "/api/progress"):
            answer = ann.get(path)
            assert answer.headers["content-type"] == "application/json" and markup in answer.text
            assert answer.headers["x-content-type-options"] == "nosniff"
        history = ann.get(f"{task}/history").json()
        assert [one["edit"] for one in history] == [f"rename lid to {markup}", f"category {markup}"]
        assert ann.post(f"{task}/submit", json={"verdict": "rejected", "note": markup}).status_code == 200


def test_the_view_is_behind_the_log_in(site: Site) -> None:
    with site.client("Ann") as ann:
        page = ann.get("/view/")
        assert "unsafe-inline" in page.headers["content-security-policy"] and "data-dock-group" in page.text
        task = ann.post("/api/next", json={}).json()["task"]
        for what, body in (
            ("show", {"task": task}), ("select", {"parts": [0]}), ("isolate", {"part": None}),
            ("mode", {"mode": "parts"}), ("tool", {"name": "brush", "part": 1, "radius": 0.1, "clusters": 8}),
        ):  # fmt: skip
            assert ann.post(f"/api/view/{what}", json=body).json() == body
        assert ann.post("/api/view/tool", json={"name": "brush", "radius": 2}).status_code == 422
        assert ann.post("/api/view/show", json={"task": 99}).status_code == 404
        cookie = "; ".join(f"{key}={value}" for key, value in ann.cookies.items())
        address = site.url.replace("http", "ws") + "/view/"
        protocol = [Subprotocol(f"viser-v{viser.__version__}")]
        with connect(
            address, additional_headers={"Cookie": cookie}, subprotocols=protocol, max_size=None
        ) as socket:
            assert isinstance(socket.recv(), bytes)
        for headers in ({}, {"Cookie": cookie, "Origin": "http://elsewhere"}):
            with pytest.raises(InvalidStatus, match="403"):
                connect(address, additional_headers=headers, subprotocols=protocol)


def test_a_known_task_costs_one_edit_four_selects_and_one_update(review: Review) -> None:
    review.fill(1)
    counted: list[str] = []
    with served(review) as site, site.client("Ann") as ann:
        task = f"/api/tasks/{ann.post('/api/next', json={}).json()['task']}"
        listener = ("before_cursor_execute", lambda *given: counted.append(given[2].split()[0]))
        for seq, edit in enumerate(({"kind": "accept", "parts": [0]}, {"kind": "undo"})):
            counted.clear()
            sqlalchemy.event.listen(review.store.database.engine, *listener)
            assert ann.post(f"{task}/events", json=event(seq, **edit)).json()["seq"] == seq + 1
            sqlalchemy.event.remove(review.store.database.engine, *listener)
            assert counted.count("SELECT") <= 4
            assert (counted.count("INSERT"), counted.count("UPDATE")) == (1, 1)
