"""The commands ``alignparts review`` and ``alignparts texparts annotators``."""

import getpass
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from alignparts.core import paths
from alignparts.core.errors import AlignPartsError

if TYPE_CHECKING:
    from alignparts.ontology.vocabulary import Vocabulary
    from texparts.review.models import QueueEntry
    from texparts.review.store import ReviewStore

LOOPBACK = ("127.0.0.1", "::1", "localhost")

RootArgument = Annotated[Path, typer.Argument(help="Folder of objects/ and queue.parquet.")]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        help="sqlite:///FILE or postgresql://USER@HOST/NAME.",
        envvar="ALIGNPARTS_DATABASE",
        show_default="ROOT/../review/NAME_OF_ROOT.db",
    ),
]

annotators = typer.Typer(help="Who may review.", no_args_is_help=True)


@annotators.command()
def add(
    root: RootArgument,
    name: Annotated[str, typer.Argument(help="Anything printable, up to 120 characters.")],
    admin: Annotated[bool, typer.Option("--admin", help="Mark as one who runs the review.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Let somebody in: prints the token, once; the database holds only its hash."""
    with opened(root, database) as store:
        typer.echo(store.add_annotator(name, admin))


@annotators.command("list")
def list_annotators(root: RootArgument, database: DatabaseOption = None) -> None:
    """Everybody, with the day of their token."""
    with opened(root, database) as store:
        for row in store.tokens.list():
            revoked = f", revoked {row.revoked_at:%Y-%m-%d}" if row.revoked_at else ""
            typer.echo(
                f"{row.name}: since {row.created_at:%Y-%m-%d}{', admin' if row.admin else ''}{revoked}"
            )


@annotators.command()
def revoke(root: RootArgument, name: str, database: DatabaseOption = None) -> None:
    """Let somebody in no more; their work stays."""
    with opened(root, database) as store:
        store.tokens.revoke(name)
    typer.echo(f"{name}: revoked")


@annotators.command()
def renew(root: RootArgument, name: str, database: DatabaseOption = None) -> None:
    """A new token for somebody, printed once; the old one no longer works."""
    with opened(root, database) as store:
        typer.echo(store.tokens.renew(name))


def review(
    root: RootArgument,
    database: DatabaseOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8090,
    order: Annotated[
        Literal["confident", "uncertain"], typer.Option(help="Which objects are given out first.")
    ] = "confident",
    opinions: Annotated[int, typer.Option(min=1, help="Annotators for every object that is new.")] = 1,
    lease_minutes: Annotated[
        float, typer.Option(min=0.1, help="Without activity for so long, others may take an object over.")
    ] = 15,
    vocabulary: Annotated[
        Path | None, typer.Option(help="vocabulary.json.", show_default="data/ontology/vocabulary.json")
    ] = None,
) -> None:
    """Serve the review app: log in, take an object, correct names and masks, hand it in."""
    import uvicorn

    from texparts.app.proxy import mount_view
    from texparts.app.server import create_app

    queue = read_queue(root, opinions)
    with (
        opened(root, database, lease_minutes * 60, _names(vocabulary)) as store,
        _listening(host, port) as listener,
    ):
        new = store.load_queue(queue)
        typer.echo(f"{root}: {len(queue)} objects to review, {new} of them new; {store.database.shown}")
        if not store.tokens.list():
            name = getpass.getuser()
            typer.echo(f"annotator {name}, token (shown this once): {store.add_annotator(name, admin=True)}")
        for line in _where(host, listener.getsockname()[1]):
            typer.echo(line)
        app = create_app(store, order=order, mount_view=mount_view)
        config = uvicorn.Config(
            app, log_level="warning", proxy_headers=False, server_header=False, timeout_graceful_shutdown=3
        )
        uvicorn.Server(config).run(sockets=[listener])


def read_queue(root: Path, opinions: int = 1) -> "list[QueueEntry]":
    """The objects of ``queue.parquet``; those whose folder is missing are left out and named.

    Raises:
        AlignPartsError: no queue, or not one.
    """
    import pandas as pd
    from pydantic import ValidationError

    from texparts.review.models import QueueEntry

    path = root / "queue.parquet"
    columns = ["object_id", "rank", "category", "confidence"]
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; it is written by: alignparts texparts rank")
    try:
        table = pd.read_parquet(path, columns=columns)
        entries = [
            QueueEntry.model_validate({**row, "opinions": opinions}) for row in table.to_dict("records")
        ]
    except ValidationError as error:
        first = error.errors()[0]
        raise AlignPartsError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (OSError, ValueError, KeyError) as error:
        raise AlignPartsError(f"{path}: not a queue ({error}); expected the columns {columns}") from None
    found = [one for one in entries if (root / "objects" / one.object_id / "about.json").is_file()]
    missing = sorted({one.object_id for one in entries} - {one.object_id for one in found})
    if missing:
        typer.echo(f"left out, no folder in {root / 'objects'}: {', '.join(missing[:5])}"
                   f"{f' and {len(missing) - 5} more' if len(missing) > 5 else ''}", err=True)  # fmt: skip
    return found


@contextmanager
def opened(
    root: Path, database: str | None, lease_seconds: float = 900.0, vocabulary: "Vocabulary | None" = None
) -> "Iterator[ReviewStore]":
    from texparts.review.store import ReviewStore

    if not root.is_dir():
        raise AlignPartsError(f"{root}: no such folder; expected one that holds objects/ and queue.parquet")
    root = root.resolve()
    # Not inside ROOT: what people did must outlive a run that makes ROOT anew.
    url = database or f"sqlite:///{root.parent / 'review' / f'{root.name}.db'}"
    store = ReviewStore(url, root, lease_seconds, vocabulary=vocabulary)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay (40 ms an answer) off only where the protocol is said outright.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise AlignPartsError(
            f"{host}:{port}: cannot listen there ({error.strerror or error}); choose another with --port"
        ) from None
    with listener:
        yield listener


def _names(path: Path | None) -> "Vocabulary | None":
    from alignparts.ontology.vocabulary import Vocabulary

    default = paths.DATA / "ontology" / "vocabulary.json"
    if path is None and not default.is_file():
        typer.echo(f"{default}: not there; only names that annotators add can be searched", err=True)
        return None
    return Vocabulary.load(path or default)


def _where(host: str, port: int) -> Iterator[str]:
    shown = f"[{host}]" if ":" in host else host
    yield f"http://{shown}:{port}/"
    if host in LOOPBACK:
        yield f"from another machine: ssh -L {port}:{shown}:{port} {getpass.getuser()}@{socket.gethostname()}"
    else:
        yield "this is not loopback and not encrypted: put it behind a proxy with TLS, or use ssh -L"
