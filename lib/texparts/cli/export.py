"""The commands ``texparts export`` and ``texparts statistics``."""

from pathlib import Path
from typing import Annotated

import typer

from texparts.cli.review import DatabaseOption, RootArgument, open_review


def export(
    root: RootArgument,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the data set; an earlier export there is replaced.")
    ],
    database: DatabaseOption = None,
    title: Annotated[str, typer.Option(help="Name of the data set.")] = "Tex-Parts",
    version: Annotated[str, typer.Option(help="Its version.")] = "1.0.0",
    license: Annotated[str, typer.Option(help="Terms of the labels; every object keeps its own.")] = "",
) -> None:
    """Write the submitted objects as a data set: named GLBs, labels, index, card, Croissant."""
    from texparts.export.export import export_dataset

    with open_review(root, database) as store:
        work = store.submissions.submitted()
        done = export_dataset(work, root, out, title=title, version=version, license=license)
    parts, rejected = done.index["parts"].sum(), len(done.rejected)
    typer.echo(f"{len(done.index)} objects, {parts} parts -> {out}; {rejected} rejected")
    for row in done.failed.itertuples():
        typer.echo(f"left out: {row.object_id}: {row.reason}", err=True)
    if len(done.failed):
        raise typer.Exit(2)


def statistics(
    dataset: Annotated[Path, typer.Argument(help="Folder of an exported data set.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables and figures.")],
    scratch_minutes: Annotated[
        tuple[float, float],
        typer.Option(help="An object without a model, least and most: what the time saved compares with."),
    ] = (15.0, 25.0),
) -> None:
    """Describe an export: categories, parts, work, agreement, annotators, licenses, time saved."""
    from texparts.export.statistics import read_dataset
    from texparts.export.statistics_report import write_statistics

    summary = write_statistics(read_dataset(dataset), out, scratch_minutes)
    for row in summary.to_dict("records"):
        span = f" [{row['low']:g}, {row['high']:g}] ({row['range']})" if row["range"] else ""
        typer.echo(f"{row['measure']}: {row['value']:g}{span}")
    typer.echo(f"-> {out}")
