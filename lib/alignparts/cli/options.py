"""Options that several commands share, with what can be said of them before anything is imported or run."""

import tempfile
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

import typer

from alignparts.core.errors import AlignPartsError


def trained(folder: Path) -> Path:
    """Return the folder of a model; raise AlignPartsError if none is in it."""
    if not (folder / "config.json").is_file():
        raise AlignPartsError(f"{folder}: no trained model (config.json); run: dvc repro train, or --model")
    return folder


def writable(out: Path | None) -> Path | None:
    """Return a folder that files can be written to, there or not; raise AlignPartsError if they cannot."""
    if out is not None:
        try:
            there = next(path for path in (out, *out.absolute().parents) if path.exists())
            with tempfile.TemporaryDirectory(dir=there, prefix=".alignparts."):
                pass
        except OSError as error:
            raise AlignPartsError(f"--out {out}: cannot be written: {error.strerror}") from None
    return out


def show_version(asked: bool) -> bool:
    """Print the version of the package, and exit, where it was asked for."""
    if asked:
        typer.echo(f"alignparts {metadata.version('alignparts')}")
        raise typer.Exit
    return asked


HELP_NAMES = {"help_option_names": ["-h", "--help"]}
"""Settings of a command line and all its commands."""
VersionOption = Annotated[
    bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and exit.")
]
ModelOption = Annotated[
    Path,
    typer.Option(
        "--model", callback=trained, help="Folder of the trained model.", show_default="the release model"
    ),
]
PointsOption = Annotated[
    int | None, typer.Option(min=16, help="Surface samples per mesh.", show_default="the model's")
]
DeviceOption = Annotated[str, typer.Option(help="A torch device, such as cpu or cuda.")]
LlmOption = Annotated[str, typer.Option(help="'recorded', or the base URL of an OpenAI-compatible endpoint.")]
LlmModelOption = Annotated[str, typer.Option(help="Name of the model at the endpoint.")]
RepliesOption = Annotated[
    Path | None, typer.Option(help="Folder of recorded replies.", show_default="the library's own")
]
LabelsOption = Annotated[
    Literal["patches", "filled", "points"],
    typer.Option(
        help="Faces get their part by the mesh's patches; or by the best mask of the nearest samples; or by "
        "Eq. 22, which leaves faces unlabeled."
    ),
]
DetailOption = Annotated[
    Literal["coarse", "default", "fine"],
    typer.Option(
        help="Coarse: parts below 5% of the area join a neighbor. Fine: connected pieces and partlets of one "
        "part become its children."
    ),
]
InstancesOption = Annotated[
    bool,
    typer.Option(
        "--instances", help="Give each connected instance of a part its own node, such as leg_1 (front left)."
    ),
]
