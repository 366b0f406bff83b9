"""Parts of every server of the project: where it listens, what it refuses, the headers of its answers."""

import getpass
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Send

from alignparts.core.errors import AlignPartsError

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
"""Headers of every answer that does not set them itself."""


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen on an address, port 0 for any free one, until the block ends.

    Raises:
        AlignPartsError: the address is taken, or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's delay (40 ms per answer) only where the protocol is given.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with listener:
        try:
            listener.bind((host, port))
            listener.listen(128)
        except OSError as error:
            raise AlignPartsError(
                f"{host}:{port}: cannot listen there ({error.strerror or error}); choose another with --port"
            ) from None
        yield listener


def where(host: str, port: int, query: str = "") -> list[str]:
    """Return the lines that tell a user the address, and the way to it from another machine."""
    shown = f"[{host}]" if ":" in host else host
    if host in LOOPBACK:
        way = f"from another machine: ssh -L {port}:{shown}:{port} {getpass.getuser()}@{socket.gethostname()}"
    else:
        way = "this is not loopback and not encrypted: put it behind a proxy with TLS, or use ssh -L"
    return [f"http://{shown}:{port}/{query}", way]


def same_origin(headers: Headers, public: str = "") -> bool:
    """Return True unless a browser says that another site's page sent the request.

    ``public`` is the host, with its port, that people know the server by, where a proxy stands before it.
    """
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or bool({origin.partition("://")[2]} & {headers.get("host", ""), public} - {""})


def host_of(netloc: str) -> str:
    """Return the host of a header ``Host``, or of an address without its scheme; "" for none."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def announced_too_large(headers: Headers, limit: int) -> bool:
    """Return True where the announced length of a request is no number, or above a limit in bytes."""
    length = headers.get("content-length", "0")
    return not length.isdigit() or int(length) > limit


def limited(receive: Receive, limit: int) -> Receive:
    """Receive no more than a number of bytes, also where no length was announced."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise HTTPException(413, too_large(limit))
        return message

    return counted


def too_large(limit: int) -> str:
    """Return the message on a request above a limit in bytes."""
    return f"the request is larger than {limit:,} bytes"


def with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """Send answers with headers that they do not set themselves."""

    async def headed(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer = MutableHeaders(scope=message)
            for key, value in headers.items():
                answer.setdefault(key, value)
        await send(message)

    return headed
