"""The command ``alignparts name``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from alignparts.cli.entry import complain, lacking
from alignparts.cli.options import (
    DetailOption,
    DeviceOption,
    InstancesOption,
    LabelsOption,
    LlmModelOption,
    LlmOption,
    ModelOption,
    PointsOption,
    RepliesOption,
)
from alignparts.core import paths
from alignparts.core.errors import AlignPartsError


def name(
    meshes: Annotated[
        list[Path] | None, typer.Argument(help="GLB, glTF, OBJ, PLY, STL or OFF files.", show_default=False)
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the results; several meshes get a folder each in it.")
    ] = Path("named"),
    demo: Annotated[bool, typer.Option("--demo", help="Name the sample meshes of the package.")] = False,
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
    picture: Annotated[bool, typer.Option(help="Draw the picture (needs the extra pictures, EGL).")] = True,
    device: DeviceOption = "cpu",
    llm: LlmOption = "recorded",
    llm_model: LlmModelOption = "recorded",
    replies: RepliesOption = None,
) -> None:
    """Segment meshes into named parts: NAME.parts.glb, labels.json, face_labels.npy and a picture."""
    if demo == bool(meshes):
        raise AlignPartsError("expected mesh files, or --demo for the samples of the package, and not both")
    if sum(given is not None for given in (vocabulary, propose, query, category)) > 1:
        raise AlignPartsError("--vocabulary, --propose, --query and --category exclude each other; give one")
    with _working("starting"):
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
    with _working("loading the model"):
        pipeline = NamedPartsPipeline.from_pretrained(model, device)
    picture = picture and _can_draw()
    files = sorted(paths.DEMO.glob("*.glb")) if demo else meshes or []
    failed = False
    for number, (path, folder) in enumerate(zip(files, _folders(files, out), strict=True), start=1):
        try:
            with _working(f"{path.name} ({number} of {len(files)})"):
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
    if demo:
        typer.echo(f"To look at them: alignparts view {out}. Your own: alignparts name MESH.glb")


def _working(what: str) -> Status:
    """Return a line that turns on a terminal while the block runs, with nothing printed in it."""
    return Console(stderr=True).status(what)


def _can_draw() -> bool:
    """Return whether this machine draws pictures; say why not."""
    try:
        from alignparts.pictures.figures import offscreen

        offscreen()
    except ModuleNotFoundError as error:
        reason = lacking(error)
    except AlignPartsError as error:
        reason = error
    else:
        return True
    typer.echo(f"no pictures: {reason}", err=True)
    return False


def _folders(meshes: list[Path], out: Path) -> list[Path]:
    """Return the folder of every mesh; equal names from different places are numbered."""
    if len(meshes) == 1:
        return [out]
    stems = [path.stem for path in meshes]
    counts = [stems[: index + 1].count(stem) for index, stem in enumerate(stems)]
    numbered = zip(stems, counts, strict=True)
    return [out / (stem if count == 1 else f"{stem}_{count}") for stem, count in numbered]
