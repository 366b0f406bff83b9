"""The command ``alignparts ingest``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from alignparts.corpus.ingest import Ingested


class Kind(StrEnum):
    """What a folder may hold; "auto" finds out, and takes folders that mix several."""

    AUTO = "auto"
    PARTNET = "partnet"
    PARTNET_MOBILITY = "partnet_mobility"
    COMPAT = "compat"
    COMPAT_HDF5 = "compat_hdf5"
    FIND3D = "find3d"
    PARTOBJAVERSE = "partobjaverse"
    TEXVERSE = "texverse"
    NAMED_GLB = "named_glb"
    LABELED_MESH = "labeled_mesh"
    CORPUS = "corpus"


class Tree(StrEnum):
    """Which of PartNet's trees."""

    RAW = "raw"
    MERGED = "merged"


class Geometry(StrEnum):
    """Which geometry of PartNet."""

    MESH = "mesh"
    POINTS = "points"


class Granularity(StrEnum):
    """Which part names of 3DCoMPaT++."""

    FINE = "fine"
    COARSE = "coarse"


def ingest(
    kind: Annotated[Kind, typer.Argument(help="What the folders hold; auto finds out.", show_default=False)],
    folders: Annotated[list[Path], typer.Argument(help="Folders of the data set, or its zip.")],
    out: Annotated[Path, typer.Option(help="Folder for the corpus; a run that was killed goes on in it.")],
    tree: Annotated[Tree, typer.Option(help="PartNet: names as annotated, or after merging.")] = Tree.RAW,
    level: Annotated[
        int | None, typer.Option(min=1, max=3, help="PartNet: parts of this level; else leaves.")
    ] = None,
    geometry: Annotated[Geometry, typer.Option(help="PartNet: meshes or point samples.")] = Geometry.MESH,
    granularity: Annotated[
        Granularity, typer.Option(help="3DCoMPaT++: fine or coarse part names.")
    ] = Granularity.FINE,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a running Dask scheduler.")] = None,
    seed: Annotated[int, typer.Option(help="Of the splits.")] = 0,
    heldout: Annotated[
        list[str] | None, typer.Option(help="A category that is never trained on; may be repeated.")
    ] = None,
    keep_duplicates: Annotated[
        bool, typer.Option("--keep-duplicates", help="Leave copies of tested shapes in training.")
    ] = False,
) -> None:
    """Read a data set into a corpus: one GLB a shape, an index, the paper's split, and what was left out."""
    from alignparts.corpus.ingest import ingest as run
    from alignparts.corpus.readers import ReadOptions
    from alignparts.corpus.splits import paper_sizes

    done = run(
        folders,
        out,
        paper_sizes().model_copy(update={"heldout": tuple(heldout or ())}),
        kind=kind.value,
        options=ReadOptions(tree.value, level, geometry.value, granularity.value),
        seed=seed,
        workers=workers,
        scheduler=scheduler,
        keep_duplicates=keep_duplicates,
    )
    for line in summary(done):
        typer.echo(line)


def summary(done: "Ingested") -> list[str]:
    """What the command prints: a line on the run, and one each on copies and leakage where there are any."""
    index = done.corpus.index
    shapes, left_out = len(index), len(done.report)
    there = f" ({done.kept:,} were there)" if done.kept else ""
    rate = (shapes + left_out) / max(done.seconds, 1e-9)
    lines = [
        f"{shapes:,} shapes read{there}, {left_out:,} left out, "
        f"{index['raw_category'].nunique():,} categories, {int(index['parts'].sum()):,} parts "
        f"in {done.seconds:.1f} s, {rate:.1f} shapes/s -> {done.corpus.root}"
    ]
    groups: Any = done.groups.groupby("group")["dataset"]
    if len(done.groups):
        across = int((groups.nunique() > 1).sum())
        plural = "groups" if groups.ngroups > 1 else "group"
        lines.append(
            f"duplicates: {len(done.groups):,} shapes in {groups.ngroups:,} {plural}, "
            f"{across:,} across data sets; see {done.corpus.root / 'duplicates.csv'}"
        )
    if len(done.leaks):
        out = int((done.leaks["split"] == "duplicate").sum())
        kept = "all kept as drawn" if not out else f"{out:,} shapes taken out of training or validation"
        lines.append(
            f"leakage: {done.leaks['group'].nunique():,} groups lay in several splits, {kept}; "
            f"see {done.corpus.root / 'leakage.csv'}"
        )
    return lines
