"""Run a command line so that a bad input, or a missing extra, is one line on stderr and exit code 2."""

import os
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from importlib.util import find_spec

import typer

from alignparts.core.errors import AlignPartsError

PACKAGES = {"markdown_it": "markdown-it-py", "sklearn": "scikit-learn"}
"""Packages whose modules are called otherwise; those of the core are always there."""


def run(app: typer.Typer) -> None:
    """Run the command that the arguments name, and exit, with code 2 where the input is bad."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Waiting threads must sleep: beside other programs, spinning makes a forward pass fifty times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app(standalone_mode=True)
    except AlignPartsError as error:
        complain(error)
        sys.exit(2)
    except ModuleNotFoundError as error:
        complain(lacking(error))
        sys.exit(2)


def complain(error: AlignPartsError) -> None:
    """Print an error as one line on stderr."""
    typer.echo("error: " + " ".join(str(error).split()), err=True)


def lacking(error: ModuleNotFoundError) -> AlignPartsError:
    """Return the error that names the extra to install.

    Raises:
        ModuleNotFoundError: the same, where no extra of the installed package brings the module.
    """
    module = (error.name or "").partition(".")[0]
    extra = extra_of(module, metadata.requires("alignparts") or ())
    if extra is None or find_spec(module):
        raise error
    return AlignPartsError(f"{module} is not installed; run: pip install 'alignparts[{extra}]'")


def extra_of(module: str, requirements: Iterable[str]) -> str | None:
    """Return the extra that brings a module, by the requirements of a package's metadata; None if none."""
    package = PACKAGES.get(module, module).replace("_", "-").lower()
    for requirement in requirements:
        found = re.match(r"([\w.-]+).*\bextra == .(\w+)", requirement)
        if found and found[1].replace("_", "-").lower() == package:
            return found[2]
    return None
