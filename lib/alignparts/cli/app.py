"""The command ``alignparts``."""

from pathlib import Path
from typing import Annotated

import typer

from alignparts.cli.demo import demo
from alignparts.cli.entry import complain, run
from alignparts.cli.fetch import fetch
from alignparts.cli.ingest import ingest
from alignparts.cli.ontology import ontology
from alignparts.cli.options import (
    DetailOption,
    DeviceOption,
    InstancesOption,
    LabelsOption,
    LlmModelOption,
    LlmOption,
    ModelOption,
    RepliesOption,
)
from alignparts.cli.view import view
from alignparts.core import paths
from alignparts.core.errors import AlignPartsError

HELP = "Name the parts of 3D meshes."
app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

PointsOption = Annotated[
    int | None, typer.Option(min=16, help="Surface samples per mesh.", show_default="the model's")
]

app.command()(demo)
app.command()(fetch)
app.command()(ingest)
app.command()(ontology)
app.command()(view)


def main() -> None:
    """Run the command ``alignparts``."""
    run(app)


@app.command()
def name(
    meshes: Annotated[list[Path], typer.Argument(help="GLB, glTF, OBJ, PLY, STL or OFF files.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the results; several meshes get a folder each in it.")
    ],
    vocabulary: Annotated[
        Path | None, typer.Option(help="YAML: a list of names, or name: description.")
    ] = None,
    propose: Annotated[
        str | None,
        typer.Option(
            help="An object class: a language model lists its parts (OUT/vocabulary.yaml keeps them)."
        ),
    ] = None,
    query: Annotated[str | None, typer.Option(help="Find this one part.")] = None,
    category: Annotated[
        str | None, typer.Option(help="The object's category, instead of finding it.")
    ] = None,
    model: ModelOption = paths.RELEASE,
    labels: LabelsOption = "patches",
    detail: DetailOption = "default",
    instances: InstancesOption = False,
    points: PointsOption = None,
    picture: Annotated[bool, typer.Option(help="Draw the picture (needs EGL).")] = True,
    device: DeviceOption = "cpu",
    llm: LlmOption = "recorded",
    llm_model: LlmModelOption = "recorded",
    replies: RepliesOption = None,
) -> None:
    """Segment meshes into named parts: NAME.parts.glb, labels.json, face_labels.npy and a picture."""
    if sum(given is not None for given in (vocabulary, propose, query, category)) > 1:
        raise AlignPartsError("--vocabulary, --propose, --query and --category exclude each other; give one")
    from alignparts.naming.candidates import propose_parts, read_vocabulary, write_vocabulary
    from alignparts.naming.pipeline import NamedPartsPipeline
    from alignparts.naming.prediction import Candidate

    asked = None if query is None else Candidate.of(query)
    candidates = None if vocabulary is None else read_vocabulary(vocabulary)
    if propose is not None:
        from alignparts.ontology.llm.client import REPLIES, LanguageModel

        candidates = propose_parts(propose, LanguageModel(llm, llm_model, replies or REPLIES))
        write_vocabulary(out / "vocabulary.yaml", candidates)
        typer.echo(f"{propose}: {len(candidates)} parts to look for -> {out / 'vocabulary.yaml'}")
    pipeline = NamedPartsPipeline.from_pretrained(model, device)
    failed = False
    for path, folder in zip(meshes, _folders(meshes, out), strict=True):
        try:
            named = pipeline.name(
                path, candidates=candidates, query=asked, category=category, labels=labels, points=points,
                detail=detail, instances=instances,
            )  # fmt: skip
            named.save(folder, picture=picture)
            typer.echo(f"{named.summary} -> {folder}")
        except AlignPartsError as error:
            complain(error)
            failed = True
    if failed:
        raise typer.Exit(2)


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="A corpus, or labeled shapes in a data set's own format.")],
    model: ModelOption = paths.RELEASE,
    out: Annotated[Path | None, typer.Option(help="Folder for shapes.csv, table.csv and table.md.")] = None,
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
    out: Annotated[Path, typer.Option(help="Folder for config.json and model.safetensors.")],
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


def _folders(meshes: list[Path], out: Path) -> list[Path]:
    """Return the folder of every mesh; equal names from different places are numbered."""
    if len(meshes) == 1:
        return [out]
    stems = [path.stem for path in meshes]
    counts = [stems[: index + 1].count(stem) for index, stem in enumerate(stems)]
    numbered = zip(stems, counts, strict=True)
    return [out / (stem if count == 1 else f"{stem}_{count}") for stem, count in numbered]


if __name__ == "__main__":
    main()
