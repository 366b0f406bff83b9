"""The command ``alignparts fetch``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from alignparts.core import paths


def fetch(
    what: Annotated[Literal["open"], typer.Argument(help="open: the open test set.", show_default=False)],
    manifest: Annotated[
        Path, typer.Option(help="Its manifest; files/ is beside it.", show_default="data/open/manifest.csv")
    ] = paths.DATA / "open/manifest.csv",
    mirror: Annotated[
        Path | None, typer.Option(help="Folder of clones OWNER+NAME, to work without a network.")
    ] = None,
) -> None:
    """Bring public shapes at their pinned commits, each file checked by its SHA-256; files there are kept."""
    from alignparts.corpus.open_set import fetch as run

    done = run(manifest, mirror)
    for line in done.failures:
        typer.echo(f"error: {line}", err=True)
    typer.echo(f"{done.new} files fetched, {done.kept} were there -> {manifest.parent / 'files'}")
    if done.failures:
        raise typer.Exit(2)
