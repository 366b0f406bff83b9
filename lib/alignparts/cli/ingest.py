"""The command ``alignparts ingest``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from alignparts.corpus.ingest import Ingested

Kind = Literal[
    "auto", "partnet", "partnet_mobility", "compat", "compat_hdf5", "find3d", "partobjaverse", "texverse",
    "named_glb", "labeled_mesh", "open", "corpus",
]  # fmt: skip
"""Kinds of data set; "auto" detects them, also several in one folder."""


def ingest(
    kind: Annotated[Kind, typer.Argument(help="What the folders hold; auto finds out.", show_default=False)],
    folders: Annotated[list[Path], typer.Argument(help="Folders of the data set, or its zip.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the corpus; a run that was killed goes on in it.")
    ],
    tree: Annotated[
        Literal["raw", "merged"], typer.Option(help="PartNet: names as annotated, or after merging.")
    ] = "raw",
    level: Annotated[
        int | None, typer.Option(min=1, max=3, help="PartNet: parts of this level; else leaves.")
    ] = None,
    geometry: Annotated[
        Literal["mesh", "points"], typer.Option(help="PartNet: meshes or point samples.")
    ] = "mesh",
    granularity: Annotated[
        Literal["fine", "coarse"], typer.Option(help="3DCoMPaT++: fine or coarse part names.")
    ] = "fine",
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of a running Dask scheduler (tls://, as whoever reaches it runs code)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the splits.")] = 0,
    split: Annotated[
        Literal["paper", "official", "by_source"],
        typer.Option(help="Section 3.4, the data sets' own, or packs and authors apart."),
    ] = "paper",
    test_fraction: Annotated[
        float, typer.Option(min=0.01, max=0.99, help="by_source: share of the shapes in packs that test.")
    ] = 0.2,
    heldout: Annotated[
        list[str] | None, typer.Option(help="A category that is never trained on; may be repeated.")
    ] = None,
    keep_duplicates: Annotated[
        bool, typer.Option("--keep-duplicates", help="Leave copies of tested shapes in training.")
    ] = False,
) -> None:
    """Read a data set into a corpus: one GLB per shape, an index, splits, what was left out."""
    from alignparts.corpus.ingest import Source
    from alignparts.corpus.ingest import ingest as run
    from alignparts.corpus.readers import ReadOptions
    from alignparts.corpus.splits import paper_sizes

    options = ReadOptions(tree, level, geometry, granularity)
    rule = {"split": split, "test_fraction": test_fraction, "heldout": tuple(heldout or ())}
    done = run(
        [Source(folder, kind, options) for folder in folders],
        out,
        paper_sizes().model_copy(update=rule),
        seed=seed,
        workers=workers,
        scheduler=scheduler,
        keep_duplicates=keep_duplicates,
    )
    for line in summary(done):
        typer.echo(line)


def summary(done: "Ingested") -> list[str]:
    """Return the lines that the command prints: on the run, and on copies and leakage where there are any."""
    index, root = done.corpus.index, done.corpus.root
    before = f" ({done.kept:,} were there)" if done.kept else ""
    rate = (len(index) + len(done.report)) / max(done.seconds, 1e-9)
    lines = [
        f"{len(index):,} shapes read{before}, {len(done.report):,} left out, "
        f"{index['raw_category'].nunique():,} categories, {int(index['parts'].sum()):,} parts "
        f"in {done.seconds:.1f} s, {rate:.1f} shapes/s -> {root}"
    ]
    groups: Any = done.groups.groupby("group")["dataset"]
    if len(done.groups):
        across = int((groups.nunique() > 1).sum())
        plural = "groups" if groups.ngroups > 1 else "group"
        lines.append(
            f"duplicates: {len(done.groups):,} shapes in {groups.ngroups:,} {plural}, "
            f"{across:,} across data sets; see {root / 'duplicates.csv'}"
        )
    if len(done.leaks):
        out = int((done.leaks["split"] == "duplicate").sum())
        outcome = f"{out:,} shapes taken out of training or validation" if out else "all kept as drawn"
        lines.append(
            f"leakage: {done.leaks['group'].nunique():,} groups lay in several splits, {outcome}; "
            f"see {root / 'leakage.csv'}"
        )
    return lines
