"""The commands ``texparts review`` and ``texparts annotators``."""

import getpass
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignparts.core import paths
from alignparts.core.atomic import write_secret
from alignparts.core.config.texparts import Order
from alignparts.core.errors import AlignPartsError

if TYPE_CHECKING:
    from alignparts.ontology.vocabulary import Vocabulary
    from texparts.review.store import ReviewStore

RootArgument = Annotated[Path, typer.Argument(help="Folder of objects/ and queue.parquet.")]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        help="sqlite:///FILE or postgresql://USER@HOST/NAME.",
        envvar="ALIGNPARTS_DATABASE",
        show_default="ROOT/../review/NAME_OF_ROOT.db",
    ),
]


def open_review(*arguments: Any) -> "AbstractContextManager[ReviewStore]":
    """Open a review by :func:`texparts.app.opening.opened`, whose slow imports wait for the call."""
    from texparts.app.opening import opened

    return opened(*arguments)


annotators = typer.Typer(help="Manage who may review.", no_args_is_help=True)


@annotators.command()
def add(
    root: RootArgument,
    name: Annotated[str, typer.Argument(help="Anything printable, up to 120 characters.")],
    admin: Annotated[bool, typer.Option("--admin", help="Mark as one who runs the review.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Let somebody in: prints the token, once; the database holds only its hash."""
    with open_review(root, database) as store:
        typer.echo(store.tokens.add(name, admin))


@annotators.command("list")
def list_annotators(root: RootArgument, database: DatabaseOption = None) -> None:
    """List everybody, with the day of their token."""
    with open_review(root, database) as store:
        for row in store.tokens.list():
            admin = ", admin" if row.admin else ""
            revoked = f", revoked {row.revoked_at:%Y-%m-%d}" if row.revoked_at else ""
            typer.echo(f"{row.name}: since {row.created_at:%Y-%m-%d}{admin}{revoked}")


@annotators.command()
def revoke(root: RootArgument, name: str, database: DatabaseOption = None) -> None:
    """Let somebody in no more; their work stays."""
    with open_review(root, database) as store:
        store.tokens.revoke(name)
    typer.echo(f"{name}: revoked")


@annotators.command()
def renew(root: RootArgument, name: str, database: DatabaseOption = None) -> None:
    """Print a new token for somebody, once; the old one no longer works."""
    with open_review(root, database) as store:
        typer.echo(store.tokens.renew(name))


def review(
    root: RootArgument,
    database: DatabaseOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8090,
    order: Annotated[
        Order | None,
        typer.Option(
            help="Objects to give out first; diverse: uncertain, categories in turn.",
            show_default="as texparts rank has put them",
        ),
    ] = None,
    opinions: Annotated[int, typer.Option(min=1, help="Annotators for every object that is new.")] = 1,
    lease_minutes: Annotated[
        float, typer.Option(min=0.1, help="Without activity for so long, others may take an object over.")
    ] = 15,
    vocabulary: Annotated[
        Path | None, typer.Option(help="vocabulary.json.", show_default="data/ontology/vocabulary.json")
    ] = None,
    public_url: Annotated[
        str, typer.Option(help="Address that people open, where a proxy stands before the server.")
    ] = "",
    behind_proxy: Annotated[
        str | None,
        typer.Option(
            help="Addresses of that proxy, such as 127.0.0.1: its headers X-Forwarded-For and -Proto count."
        ),
    ] = None,
) -> None:
    """Serve the review app: log in, take an object, correct names and masks, hand it in."""
    import uvicorn

    from alignparts.core.http import LOOPBACK, listening, where
    from texparts.app import serving
    from texparts.app.opening import read_queue
    from texparts.app.server import create_app

    if public_url and not re.fullmatch(r"https?://[^/\s]+/?", public_url):
        raise AlignPartsError(f"--public-url: expected https://HOST, got '{public_url}'")

    queue = read_queue(root, opinions)
    with (
        open_review(root, database, lease_minutes * 60, _vocabulary(vocabulary)) as store,
        listening(host, port) as listener,
    ):
        new = store.queue.load(queue)
        typer.echo(f"{root}: {len(queue)} objects to review, {new} of them new; {store.database.shown}")
        if not store.tokens.list():
            name = getpass.getuser()
            file = root.resolve().parent / "review" / f"{root.resolve().name}.token"
            write_secret(file, store.tokens.add(name, admin=True) + "\n")
            typer.echo(f"annotator {name}, an admin; the token is in {file}, which may be deleted then")
        typer.echo("\n".join(where(host, listener.getsockname()[1])))
        made = create_app(store, order=order, hosts={*LOOPBACK, host}, public_url=public_url)
        serving.prepare()
        uvicorn.Server(serving.settings(made, behind_proxy)).run(sockets=[listener])


def _vocabulary(path: Path | None) -> "Vocabulary | None":
    from alignparts.ontology.vocabulary import Vocabulary

    default = paths.DATA / "ontology" / "vocabulary.json"
    if path is None and not default.is_file():
        typer.echo(f"{default}: not there; only names that annotators add can be searched", err=True)
        return None
    return Vocabulary.load(path or default)
