"""The review app behind a proxy: the configurations that come with it, and whose word counts without one."""

import datetime
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import viser
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from review_site import CSRF, served
from review_store import Review, on_sqlite, postgres_folder
from websockets.sync.client import connect
from websockets.typing import Subprotocol

import texparts.app
from texparts.app.security import Attempts

__all__ = ["on_sqlite", "postgres_folder"]

BEHIND = Path(texparts.app.__file__).parent / "behind"
NAME, UPSTREAM = "review.example.org", "127.0.0.1:8090"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of the name, signed by itself, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(secret)
    return folder / "cert.pem", folder / "key.pem"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def nginx(folder: Path, upstream: str, port: int) -> list[str]:
    """The command that starts nginx with the configuration, on a port and with files of the test."""
    cert, key = certificate(folder)
    text = (BEHIND / "nginx.conf").read_text()
    for old, new in (
        ("listen 443", f"listen 127.0.0.1:{port}"), (f"/etc/ssl/{NAME}.pem", str(cert)),
        (f"/etc/ssl/{NAME}.key", str(key)), (UPSTREAM, upstream),
        (f"server_name {NAME}", "server_name localhost"),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    own = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                   ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))  # fmt: skip
    whole = f"daemon off; pid {folder}/pid; error_log stderr; user root; events {{}}\n"
    whole += f"http {{ access_log off; {own}\n{text}\n}}"
    (folder / "nginx.conf").write_text(whole)
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, upstream: str, port: int) -> list[str]:
    cert, key = certificate(folder)
    text = (BEHIND / "Caddyfile").read_text()
    for old, new in (
        ("{\n\tservers", "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers"), (UPSTREAM, upstream),
        (f"\n{NAME} {{", f"\nhttps://localhost:{port} {{\n\ttls {cert} {key}"),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    (folder / "Caddyfile").write_text(text)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    environment = {"HOME": str(folder), "PATH": "/usr/local/bin:/usr/bin:/usr/sbin:/bin"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            until = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < until:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            else:
                pytest.fail(f"{command[0]} does not start: {process.communicate()[1]}")
            yield
        finally:
            process.terminate()
            process.communicate()


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_an_annotator_works_through_the_configuration(
    on_sqlite: Review, tmp_path: Path, proxy: Callable[[Path, str, int], list[str]]
) -> None:
    if shutil.which(proxy.__name__, path="/usr/local/bin:/usr/bin:/usr/sbin:/bin") is None:
        pytest.skip(f"no {proxy.__name__} on the path")
    on_sqlite.fill(1)
    port = free_port()
    url = f"https://localhost:{port}"
    token = on_sqlite.store.tokens.add("Ann")
    with served(on_sqlite, proxies="127.0.0.1", public_url=url) as site:
        command = proxy(tmp_path, f"127.0.0.1:{site.port}", port)
        trust = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        headers = {**CSRF, "Origin": url}
        with (
            running(command, port, tmp_path),
            httpx.Client(base_url=url, headers=headers, verify=trust, timeout=30) as ann,
        ):
            answer = ann.post("/login", data={"token": token})
            assert answer.status_code == 303 and "Secure" in answer.headers["set-cookie"]
            task = ann.post("/api/next", json={}).json()["task"]
            with ann.stream("GET", f"/api/tasks/{task}/live") as live:
                told = live.iter_lines()
                assert "data" in next(told)  # at once: nothing is held back
                ann.post(f"/api/tasks/{task}/submit", json={"verdict": "done"})
                assert any("done" in line for line in told)
            cookie = "; ".join(f"{key}={value}" for key, value in ann.cookies.items())
            offered = [Subprotocol(f"viser-v{viser.__version__}")]
            handshake = {"Cookie": cookie, "Origin": url}
            with connect(
                f"wss://localhost:{port}/view/", ssl=trust, additional_headers=handshake,
                subprotocols=offered, max_size=None,
            ) as view:  # fmt: skip
                assert view.recv(timeout=30)
            large = ann.post("/login", content=b" " * (9 << 20))
            assert large.status_code == 413
            assert ann.get("/api/me").json()["name"] == "Ann"
            assert "Ann" not in ann.get("/api/me", headers={"Host": "evil.example"}).text
            assert ann.post("/logout", headers={"Origin": "https://evil.example"}).status_code == 403


def test_only_the_proxy_says_whose_address_and_scheme_it_is(on_sqlite: Review) -> None:
    token = on_sqlite.store.tokens.add("Ann")
    forwarded = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    seen = []
    for proxies, secure in (("127.0.0.1", True), ("192.0.2.1", False), (None, False)):
        attempts = Recorder()
        with served(on_sqlite, proxies, attempts=attempts) as site, site.client() as client:
            client.post("/login", json={"token": "wrong"}, headers=forwarded)
            answer = client.post("/login", json={"token": token}, headers=forwarded)
            assert ("Secure" in answer.headers["set-cookie"]) == secure
        seen += attempts.addresses
    assert seen == ["192.0.2.7", "127.0.0.1", "127.0.0.1"]


class Recorder(Attempts):
    """Keeps the addresses of wrong tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def failed(self, address: str, token: str) -> None:
        self.addresses.append(address)
        super().failed(address, token)


def test_other_names_are_those_of_a_rebound_page(on_sqlite: Review) -> None:
    token = on_sqlite.store.tokens.add("Ann")
    with served(on_sqlite, public_url="https://review.example.org") as site, site.client() as client:
        for host in (
            "evil.example",
            "evil.example:80",
            "127.0.0.1.evil.example",
            "[",
            "",
            "localhost.",
            "::1",
        ):
            for path, origin in (("/login", f"http://{host}"), ("/static/style.css", "")):
                headers = {"Host": host, **({"Origin": origin} if origin else {})}
                assert client.get(path, headers=headers).status_code in (400, 421), host
                assert client.post(path, json={"token": token}, headers=headers).status_code in (400, 421)
        for host in ("localhost", "localhost:8090", "[::1]:8090", "127.0.0.1", "review.example.org"):
            assert client.get("/login", headers={"Host": host}).status_code == 200, host
        # A proxy that keeps the host to itself: the page's own address still counts as its own.
        for origin, status in (("https://review.example.org", 200), ("https://evil.example", 403)):
            answer = client.post("/login", json={"token": token}, headers={"Origin": origin})
            assert answer.status_code == status
            assert status == 403 or "Secure" in answer.headers["set-cookie"]


def test_no_token_is_taken_in_the_open(on_sqlite: Review) -> None:
    token = on_sqlite.store.tokens.add("Ann")
    with served(on_sqlite, hosts={"10.0.0.7"}) as site, site.client() as client:
        answer = client.post("/login", json={"token": token}, headers={"Host": "10.0.0.7"})
        assert answer.status_code == 403 and "not encrypted" in answer.text
        assert "set-cookie" not in answer.headers
