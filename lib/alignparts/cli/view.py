"""The command ``alignparts view``."""

import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from alignparts.core import paths


def view(
    named: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|FILE",
            help="Folder of `alignparts name`, or one that holds such; or a mesh, which is named first.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The page.", show_default="NAME.parts.html beside the mesh"),
    ] = None,
    start: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
) -> None:
    """Show named parts in a browser: one HTML file that needs no server and no network."""
    from alignparts.view.page import write_page
    from alignparts.view.result import is_result, read_results

    if is_result(named):
        results = read_results(named)
    else:
        from alignparts.naming.pipeline import NamedPartsPipeline

        mesh = NamedPartsPipeline.from_pretrained(paths.RELEASE).name(named)
        typer.echo(mesh.summary)
        with tempfile.TemporaryDirectory() as folder:
            mesh.save(Path(folder), picture=False)
            results = read_results(Path(folder))
    beside = named if named.is_dir() else named.parent
    stem = results[0].name if len(results) == 1 else beside.resolve().name
    page = out or beside / f"{stem}.parts.html"
    write_page(page, results)
    typer.echo(f"{', '.join(result.input for result in results)} -> {page}")
    if start and not webbrowser.open(page.resolve().as_uri()):
        typer.echo("no browser found: open the page in one yourself", err=True)
