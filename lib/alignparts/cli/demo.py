"""The command ``alignparts demo``."""

import secrets
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from alignparts.cli.options import DeviceOption, ModelOption
from alignparts.core import paths


def demo(
    model: ModelOption = paths.RELEASE,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 7860,
    megabytes: Annotated[int, typer.Option(min=1, max=1024, help="Most megabytes of a mesh.")] = 64,
    device: DeviceOption = "cpu",
) -> None:
    """Serve an app to name meshes in a browser; it prints its address, which has the key to it."""
    import gradio  # noqa: F401 (before what it brings, so that an error names its extra)
    import uvicorn

    from alignparts.core.http import listening, where
    from alignparts.demo.app import create_app
    from alignparts.naming.pipeline import NamedPartsPipeline

    pipeline = NamedPartsPipeline.from_pretrained(model, device)
    token = secrets.token_urlsafe(24)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # else it would leave the folder behind
    with tempfile.TemporaryDirectory(prefix="alignparts-demo-") as folder, listening(host, port) as listener:
        port = listener.getsockname()[1]
        app = create_app(pipeline, token, Path(folder), host=host, port=port, max_upload=megabytes << 20)
        typer.echo("\n".join(where(host, port, f"?token={token}")))
        quiet: dict[str, Any] = {"log_level": "warning", "proxy_headers": False, "server_header": False}
        config = uvicorn.Config(app, timeout_graceful_shutdown=3, **quiet)
        uvicorn.Server(config).run(sockets=[listener])
