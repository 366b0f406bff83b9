"""The command ``alignparts export-onnx``."""

from pathlib import Path
from typing import Annotated

import typer

from alignparts.cli.options import ModelOption
from alignparts.core import paths


def export_onnx(
    out: Annotated[Path, typer.Option("--out", "-o", help="The ONNX file.")],
    model: ModelOption = paths.RELEASE,
) -> None:
    """Write the model as ONNX for one shape with any number of points, checked against torch."""
    from alignparts.integrations.onnx import export_onnx as export
    from alignparts.model.backbone.learned import load_model
    from alignparts.naming.pipeline import read_manifest

    manifest = read_manifest(model)
    about = {"text_encoder": manifest.text_encoder, "points": str(manifest.points)}
    difference = export(load_model(model), out, about)
    size = out.stat().st_size / 1e6
    typer.echo(f"{model}: {size:.0f} MB, within {difference:.0e} of torch, relatively -> {out}")
