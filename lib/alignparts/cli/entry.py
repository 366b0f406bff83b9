"""Run a command line so that a bad input is one line on stderr and exit code 2."""

import os
import sys

import typer

from alignparts.core.errors import AlignPartsError


def run(app: typer.Typer) -> None:
    """Run the command that the arguments name, and exit, with code 2 where the input is bad."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        app(standalone_mode=True)
    except AlignPartsError as error:
        complain(error)
        sys.exit(2)


def complain(error: AlignPartsError) -> None:
    """Print an error as one line on stderr."""
    typer.echo("error: " + " ".join(str(error).split()), err=True)
