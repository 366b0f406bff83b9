"""The commands ``alignparts texparts …``."""

import typer

from alignparts.cli_review import annotators
from alignparts.cli_texparts_export import export

texparts = typer.Typer(
    help="From raw meshes to a reviewed, named data set (section 13).", no_args_is_help=True
)
texparts.add_typer(annotators, name="annotators")
texparts.command()(export)
