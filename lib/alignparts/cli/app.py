"""The command ``alignparts``."""

from pathlib import Path
from typing import Annotated

import typer

from alignparts.cli.demo import demo
from alignparts.cli.entry import run
from alignparts.cli.fetch import fetch
from alignparts.cli.ingest import ingest
from alignparts.cli.name import name
from alignparts.cli.onnx import export_onnx
from alignparts.cli.ontology import ontology
from alignparts.cli.options import (
    HELP_NAMES,
    DeviceOption,
    ModelOption,
    PointsOption,
    VersionOption,
    writable,
)
from alignparts.cli.repro import repro
from alignparts.cli.view import view
from alignparts.core import paths
from alignparts.core.errors import AlignPartsError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, context_settings=HELP_NAMES
)

app.command()(name)
app.command()(demo)
app.command()(export_onnx)
app.command()(fetch)
app.command()(ingest)
app.command()(ontology)
app.command()(repro)
app.command()(view)


def main() -> None:
    """Run the command ``alignparts``."""
    run(app)


@app.callback()
def alignparts(version: VersionOption = False) -> None:
    """Name the parts of 3D meshes."""


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="A corpus, or labeled shapes in a data set's own format.")],
    model: ModelOption = paths.RELEASE,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", callback=writable, help="Folder for shapes.csv, table.csv and table.md."),
    ] = None,
    points: PointsOption = None,
    bootstrap: Annotated[int, typer.Option(min=10, help="Bootstrap samples.")] = 1000,
    device: DeviceOption = "cpu",
) -> None:
    """Measure mIoU, LA-mIoU and rLA-mIoU on labeled shapes, its own part names as the vocabulary."""
    from alignparts.core.atomic import write_text
    from alignparts.evaluation import tables
    from alignparts.evaluation.folder import evaluate_located, locate, summary
    from alignparts.naming.pipeline import NamedPartsPipeline

    if not folder.exists():
        raise AlignPartsError(f"{folder}: no such folder")
    pipeline = NamedPartsPipeline.from_pretrained(model, device)
    report = evaluate_located(
        locate(folder), pipeline, points=points, resamples=bootstrap,
        report=lambda line: typer.echo(line, err=True),
    )  # fmt: skip
    lines = summary(folder, report)
    if out is not None:
        text = report.shapes.to_csv(index=False, float_format="%.4f", lineterminator="\n")
        write_text(out / "shapes.csv", text)
        tables.write_table(out, "table", report.table, tables.by_set(report.table))
        lines = [*lines, f"  per shape: {out / 'shapes.csv'}"]
    typer.echo("\n".join(lines))


@app.command()
def train() -> None:
    """Train on the feature store as params.yaml says; `make train GPUS=n` runs it on several GPUs.

    A killed run goes on after its last finished epoch. `dvc repro train` takes the finished model up.
    """
    from accelerate import PartialState

    from alignparts.model.stage import Stage
    from alignparts.model.train import train as fit

    stage = Stage.start()
    params, out = stage.params, stage.models / "alignparts"
    trained = fit(stage.store, stage.vocabulary, stage.encode, params.train, out, seed=params.base.seed)
    if PartialState().is_main_process:
        typer.echo(f"{len(trained.history)} epochs, best {trained.best_epoch} -> {out}")


@app.command()
def profile(
    name: Annotated[str, typer.Argument(help="A file of profiles/, without its ending.")],
) -> None:
    """Make params.yaml a copy of a profile, checked; `git checkout params.yaml` goes back."""
    from alignparts.core.atomic import write_text
    from alignparts.core.config import load_params

    path = paths.ROOT / "profiles" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in path.parent.glob("*.yaml")))
        raise AlignPartsError(f"{path}: no such profile; expected one of {known}")
    load_params(path)
    write_text(paths.ROOT / "params.yaml", path.read_text())
    typer.echo(f"params.yaml is now {path.name}; run: make repro")


@app.command()
def convert_partfield(
    checkpoint: Annotated[Path, typer.Argument(help="The published model_objaverse.ckpt.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for config.json and model.safetensors.")],
) -> None:
    """Convert the published PartField weights, executing nothing of the file.

    Name the folder in params.yaml as features.geometry.checkpoint. The weights stay under the NVIDIA
    License: non-commercial research and education only.
    """
    from alignparts.features.partfield_convert import convert

    field = convert(checkpoint, out)
    weights = field.state_dict()
    count = sum(value.numel() for value in weights.values())
    about = f"{len(weights)} tensors, {count:,} weights, {field.d_g} channels"
    typer.echo(f"{checkpoint.name}: {about} -> {out} (NVIDIA License, non-commercial)")


if __name__ == "__main__":
    main()
