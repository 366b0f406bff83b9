"""Let viser serve the proxy alone: over a Unix socket of this user, without its tunnel to the internet."""

from types import SimpleNamespace
from typing import Any, TypeGuard

import rich
import viser
import websockets.datastructures
import websockets.exceptions
from viser._messages import (
    Message,
    SceneNodeDragMessage,
    ScenePointerMessage,
    ShareUrlDisconnect,
    ShareUrlRequest,
    ViewerCameraMessage,
)
from viser.infra import _infra
from websockets.asyncio.server import unix_serve

_PASSED = (ViewerCameraMessage, ScenePointerMessage, SceneNodeDragMessage)
"""All that the view reacts to; viser has messages that open tunnels, take uploads and set its own panel."""


def _serve(handler: Any, host: str, port: int, **options: Any) -> Any:
    return unix_serve(handler, host, **options)


# viser asks for no log-in and no Origin, and a port of the loopback interface is open to every user of the
# machine and every page in a browser. Its servers of this process listen on the path given as their host.
_infra.websockets = SimpleNamespace(  # type: ignore[assignment]
    asyncio=SimpleNamespace(server=SimpleNamespace(serve=_serve)),
    datastructures=websockets.datastructures,
    exceptions=websockets.exceptions,
)


def private_server(path: str) -> viser.ViserServer:
    """Start a server on a Unix socket, whose folder must be open to this user alone."""
    # viser would announce an address that only the proxy may use.
    rich.get_console().quiet = True
    server = viser.ViserServer(host=path, port=0, verbose=False)
    for kind in (ShareUrlRequest, ShareUrlDisconnect):
        server._websock_server.unregister_handler(kind)
    return server


def passes(data: Any) -> TypeGuard[bytes]:
    """Return True for a browser's message that the view reacts to, read by viser's own parser."""
    try:
        return isinstance(Message.deserialize(data), _PASSED)
    except Exception:  # noise fails in its own ways
        return False
