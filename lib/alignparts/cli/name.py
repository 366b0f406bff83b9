"""The command ``alignparts name``."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from alignparts.cli.batch import Places, expand, name_all, progress
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
    writable,
)
from alignparts.core import paths
from alignparts.core.errors import AlignPartsError


def name(
    meshes: Annotated[
        list[str] | None,
        typer.Argument(
            help="GLB, glTF, OBJ, PLY, STL or OFF files, folders that hold such at any depth, patterns in "
            "quotes; - reads a list from stdin, one per line.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            callback=writable,
            help="Folder for the result of one file; all others, and one that would replace that of another "
            "mesh, get a folder each in it.",
        ),
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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per mesh, and all else on stderr.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print errors alone (and what --json asks for).")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Leave meshes alone whose whole result is there.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results of other meshes, too.")
    ] = False,
    llm: LlmOption = "recorded",
    llm_model: LlmModelOption = "recorded",
    replies: RepliesOption = None,
) -> None:
    """Segment meshes into named parts: NAME.parts.glb, labels.json, face_labels.npy and a picture.

    Exit codes: 0 all went well, 1 a mesh failed (the others are named), 2 wrong use.
    """
    if demo == bool(meshes):
        raise AlignPartsError("expected mesh files, or --demo for the samples of the package, and not both")
    if sum(given is not None for given in (vocabulary, propose, query, category)) > 1:
        raise AlignPartsError("--vocabulary, --propose, --query and --category exclude each other; give one")
    if resume and overwrite:
        raise AlignPartsError("--resume and --overwrite exclude each other; give one")
    files = expand(meshes) if meshes else sorted(paths.DEMO.glob("*.glb"))
    places = Places(out, alone=[*map(Path, meshes or [])] == files and len(files) == 1, overwrite=overwrite)
    working = partial(progress, quiet=quiet)

    def say(line: str) -> None:
        if not quiet:
            typer.echo(line, err=as_json)

    with working("starting"):
        from alignparts.naming.candidates import propose_parts, read_vocabulary, write_vocabulary
        from alignparts.naming.pipeline import NamedPartsPipeline
        from alignparts.naming.prediction import Candidate

    asked = None if query is None else Candidate.of(query)
    candidates = None if vocabulary is None else read_vocabulary(vocabulary)
    if propose is not None:
        from alignparts.ontology.llm.client import REPLIES, LanguageModel

        candidates = propose_parts(propose, LanguageModel(llm, llm_model, replies or REPLIES))
        write_vocabulary(out / "vocabulary.yaml", candidates)
        say(f"{propose}: {len(candidates)} parts to look for -> {out / 'vocabulary.yaml'}")
    with working("loading the model"):
        pipeline = NamedPartsPipeline.from_pretrained(model, device)
        # What is wrong for every mesh is said before the first.
        pipeline.text.encode([one.text for one in (asked, *(candidates or ())) if one])
        if category is not None and pipeline.vocabulary is not None:
            pipeline.vocabulary.resolve_category(category)
    one = partial(
        pipeline.name, candidates=candidates, query=asked, category=category, labels=labels, points=points,
        detail=detail, instances=instances,
    )  # fmt: skip
    picture, noted, failed = picture and _can_draw(), set[str](), []
    for done in name_all(files, places, one, working, picture=picture, resume=resume):
        if as_json:
            typer.echo(json.dumps(done.record))
        for note in {*done.notes} - noted:
            typer.echo(note, err=True)
        noted |= {*done.notes}
        if done.status == "failed":
            complain(AlignPartsError(done.line))
            failed.append(done.mesh.name)
        elif not as_json:
            say(done.line)
    if failed and len(files) > 1:
        say(f"{len(failed)} of {len(files)} meshes failed: {', '.join(failed)}")
    if failed:
        raise typer.Exit(1)
    if demo:
        say(f"To look at them: alignparts view {out}. Your own: alignparts name MESH.glb")


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
