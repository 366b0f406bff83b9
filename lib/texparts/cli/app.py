"""The command ``texparts``: from a folder of raw meshes to a named data set (section 13)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignparts.cli.entry import run
from alignparts.cli.options import (
    HELP_NAMES,
    DeviceOption,
    LlmModelOption,
    ModelOption,
    RepliesOption,
    VersionOption,
)
from alignparts.core import paths
from alignparts.core.config.texparts import Order, TexPartsParams
from alignparts.core.errors import AlignPartsError
from texparts.cli.export import export, statistics
from texparts.cli.review import annotators, review

if TYPE_CHECKING:
    from alignparts.ontology.llm.client import LanguageModel

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, context_settings=HELP_NAMES
)

RootArgument = Annotated[Path, typer.Argument(help="Folder of the earlier steps (their --out).")]
ParamsOption = Annotated[
    Path | None,
    typer.Option(help="A params.yaml; its block texparts counts.", show_default="the project's, if any"),
]
WorkersOption = Annotated[int, typer.Option(min=1, help="Processes.")]
SchedulerOption = Annotated[
    str | None,
    typer.Option(help="Address of a running Dask scheduler (tls://, as whoever reaches it runs code)."),
]


def main() -> None:
    """Run the command ``texparts``."""
    run(app)


@app.callback()
def texparts(version: VersionOption = False) -> None:
    """Tex-Parts: filter raw meshes, predict their parts, queue them for review, export them."""


@app.command("filter")
def filter_(
    folder: Annotated[
        Path, typer.Argument(help="TexVerse, or any folder with GLB, glTF, OBJ, PLY, STL, OFF.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder for all of Tex-Parts; a run that was killed goes on in it."),
    ],
    params: ParamsOption = None,
    workers: WorkersOption = 2,
    llm: Annotated[
        str | None,
        typer.Option(help="Also let a model judge pictures: 'recorded', or an endpoint's base URL."),
    ] = None,
    llm_model: LlmModelOption = "recorded",
    replies: RepliesOption = None,
) -> None:
    """Leave out files that are broken, too large, copies or not allowed: filtered.csv gives the reasons."""
    from texparts.filter.filter import filter_folder

    block = _block(params)
    judge = llm if llm is not None else block.filter.llm
    model = llm_model if llm is not None else block.filter.llm_model
    client = None if judge is None else _language_model(judge, model, replies or out / "replies")
    table = filter_folder(folder, out, block, workers=workers, llm=client)
    kept = int(table["kept"].sum())
    counts = table.loc[~table["kept"], "reason"].value_counts().sort_index()
    why = ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
    left = f"; {len(table) - kept:,} left out ({why})" if why else ""
    typer.echo(f"{folder}: {kept:,} of {len(table):,} objects kept{left} -> {out / 'filtered.csv'}")
    if not kept:
        raise AlignPartsError(
            f"{folder}: no object was kept; see the column 'reason' of {out / 'filtered.csv'}"
        )


@app.command()
def predict(
    root: RootArgument,
    model: ModelOption = paths.RELEASE,
    params: ParamsOption = None,
    device: DeviceOption = "cpu",
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    propose: Annotated[
        str | None,
        typer.Option(
            help="Let a model list the parts of categories that filter --llm found and the vocabulary lacks: "
            "'recorded', or an endpoint's base URL."
        ),
    ] = None,
    llm_model: LlmModelOption = "recorded",
    replies: RepliesOption = None,
) -> None:
    """Write masks, names and confidences of every kept object in its folder; a killed run resumes."""
    from texparts.queue.predict import predict as predict_objects

    client = None if propose is None else _language_model(propose, llm_model, replies)
    table = predict_objects(
        root, model, _block(params), device=device, workers=workers, scheduler=scheduler, llm=client
    )
    done = table[table["done"]]
    for row in table[~table["done"]].itertuples():
        typer.echo(f"error: {row.object_id}: {row.reason}", err=True)
    parts = int(done["parts"].sum())
    confidence = f", mean confidence {done['confidence'].mean():.2f}" if len(done) else ""
    typer.echo(f"{len(done):,} objects, {parts:,} parts{confidence} -> {root / 'objects'}")
    if len(done) < len(table):
        raise typer.Exit(2)


@app.command()
def rank(
    root: RootArgument,
    order: Annotated[
        Order | None,
        typer.Option(
            help="confident first (the paper's), uncertain first, or diverse: uncertain, categories in turn.",
            show_default="that of params.yaml",
        ),
    ] = None,
    params: ParamsOption = None,
) -> None:
    """Put the predicted objects in the order in which people review them: queue.parquet."""
    from texparts.queue.rank import rank as rank_objects

    chosen = order or _block(params).order
    queue = rank_objects(root, chosen)
    accepted = float((queue["auto_accepted"] * queue["parts"]).sum()) / max(int(queue["parts"].sum()), 1)
    typer.echo(
        f"{len(queue):,} objects, {chosen} first, {accepted:.0%} of the parts accepted unseen "
        f"-> {root / 'queue.parquet'}"
    )


app.command()(review)
app.add_typer(annotators, name="annotators")
app.command()(export)
app.command()(statistics)


def _block(path: Path | None) -> TexPartsParams:
    from alignparts.core.config import load_params

    return load_params(path).texparts


def _language_model(endpoint: str, model: str, replies: Path | None) -> "LanguageModel":
    from alignparts.ontology.llm.client import REPLIES, LanguageModel

    return LanguageModel(endpoint, model, replies or REPLIES)


if __name__ == "__main__":
    main()
