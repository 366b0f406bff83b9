"""The command ``alignparts fetch``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from alignparts.core import paths


def fetch(
    what: Annotated[
        Literal["open", "geometry"],
        typer.Argument(
            help="open: the open test set; geometry: meshes without labels, for the release model.",
            show_default=False,
        ),
    ],
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="Its manifest; the files come beside it.",
            show_default="data/open/manifest.csv, data/open/geometry.csv",
        ),
    ] = None,
    mirror: Annotated[
        Path | None, typer.Option(help="Folder of clones OWNER+NAME, to work without a network.")
    ] = None,
) -> None:
    """Bring public shapes at their pinned commits, checked by SHA-256; files that are there are kept."""
    from alignparts.corpus import geometry, open_set

    kind = open_set if what == "open" else geometry
    path = manifest or paths.DATA / "open" / kind.MANIFEST
    done = kind.fetch(path, mirror)
    for line in done.failures:
        typer.echo(f"error: {line}", err=True)
    typer.echo(f"{done.new} files fetched, {done.kept} were there -> {path.parent / kind.FILES}")
    if done.failures:
        raise typer.Exit(2)
