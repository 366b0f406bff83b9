"""The guard of the demo: who and what gets through to the application behind it."""

import json
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from alignparts.demo.guard import FILE, JOIN, MAX_CALL, UPLOAD, Guard

ADDRESS, TOKEN, COOKIE, MOST = "http://127.0.0.1:7860", "the-token", "demo", MAX_CALL * 2


async def behind(scope, receive, send):
    """Answer with the length of the body."""
    await PlainTextResponse(str(len(await Request(scope, receive).body())))(scope, receive, send)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "files" / "a").mkdir(parents=True)
    (tmp_path / "files" / "a" / "chair.glb").write_text("chair")
    (tmp_path / "files" / "link").symlink_to(tmp_path / "secret")
    return tmp_path / "files"


@pytest.fixture
def stranger(folder: Path) -> TestClient:
    guard = Guard(behind, TOKEN, COOKIE, {"127.0.0.1", "localhost"}, folder, MOST)
    return TestClient(guard, ADDRESS, follow_redirects=False)


@pytest.fixture
def user(stranger: TestClient) -> TestClient:
    stranger.get("/", params={"token": TOKEN})
    return stranger


def call(client: TestClient, path: object) -> int:
    return client.post(JOIN, json={"data": [[{"path": path, "meta": {}}], ""]}).status_code


@pytest.mark.parametrize("path", ["/", "/theme.css", "/assets/a.js", FILE + "/etc/hosts", UPLOAD, JOIN])
def test_without_the_token_nothing_is_served(stranger, path):
    assert stranger.get(path).status_code == stranger.post(path).status_code == 401
    stranger.cookies.set(COOKIE, "guess")
    assert stranger.get(path).status_code == 401
    assert stranger.get("/", params={"token": "guess"}).status_code == 401


def test_token_of_the_address_becomes_a_cookie_that_scripts_cannot_read(stranger):
    answer = stranger.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "HttpOnly" in answer.headers["set-cookie"] and "SameSite=lax" in answer.headers["set-cookie"]
    assert stranger.get("/").status_code == stranger.get("/theme.css").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "[::1"])
def test_other_host_names_are_refused_with_and_without_the_token(user, host):
    assert user.get("/", headers={"host": host}).status_code == 421
    assert user.get("/", params={"token": TOKEN}, headers={"host": host}).status_code == 421
    assert user.get("/", headers={"host": "localhost:1"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "http://127.0.0.1:1"}, {"origin": "null"}]
    + [{"sec-fetch-site": site} for site in ("cross-site", "same-site")],
)
def test_other_sites_may_only_link_to_the_page(user, headers):
    assert user.get("/", headers=headers).status_code == 200
    assert user.get("/theme.css", headers=headers).status_code == 403
    assert user.post(UPLOAD, headers=headers).status_code == 403
    assert user.post(UPLOAD, headers={"origin": ADDRESS, "sec-fetch-site": "same-origin"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/monitoring",
        "/gradio_api/proxy=http://127.0.0.1:1",
        "/gradio_api/vibe-edit",
        "/svelte/a",
        "/config",
        "/login/",
    ],
)
def test_routes_that_the_page_does_not_need_are_closed(user, path):
    assert user.get(path).status_code == user.post(path).status_code == 404
    assert user.put("/theme.css").status_code == user.delete("/").status_code == 404


def test_only_files_of_the_folder_are_served(user, folder):
    inside = folder / "a" / "chair.glb"
    assert user.get(f"{FILE}{inside}").status_code == 200
    outside = [folder.parent / "secret", folder / "link", folder / "a" / ".." / ".." / "secret", folder]
    others = ["http://127.0.0.1/", "file:///etc/hosts", "pyproject.toml", "%00", "..%2F..%2Fsecret"]
    for path in [*outside, *others]:
        assert user.get(f"{FILE}{path}").status_code == 404, path


def test_calls_may_only_name_files_of_the_folder(user, folder):
    assert call(user, str(folder / "a" / "chair.glb")) == 200
    for path in ("/etc/hosts", "http://127.0.0.1/", str(folder / "link"), f"{folder}/../secret", None, 3):
        assert call(user, path) == 403, path
    assert user.post(JOIN, content=b"{").status_code == 403
    assert user.post(JOIN, content=b"[" * 10**5).status_code == 403


def test_call_arrives_as_it_was_sent(user):
    body = json.dumps({"data": ["x" * 1000]})
    assert user.post(JOIN, content=body).text == str(len(body))


@pytest.mark.parametrize(("path", "most"), [(JOIN, MAX_CALL), (UPLOAD, MOST)])
def test_large_bodies_are_refused_announced_or_not(user, path, most):
    body = b'"' + b"x" * (most - 2) + b'"'
    assert user.post(path, content=body).text == str(most)
    assert user.post(path, content=body + b" ").status_code == 413
    if path == JOIN:
        assert user.post(path, content=iter([body, b" "])).status_code == 413


def test_every_answer_forbids_frames_and_other_servers(user, stranger):
    for answer in (user.get("/"), user.get("/nowhere")):
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "http" not in answer.headers["content-security-policy"]


def test_web_sockets_are_closed(user):
    with pytest.raises(WebSocketDisconnect), user.websocket_connect("/gradio_api/queue/join"):
        pass
