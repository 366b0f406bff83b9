"""The command ``alignparts ontology``."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignparts.cli.options import LlmModelOption, LlmOption, RepliesOption
from alignparts.core.errors import AlignPartsError

if TYPE_CHECKING:
    from alignparts.ontology.merge import Unification


def ontology(
    names: Annotated[
        list[Path], typer.Argument(help="CSV files with the columns dataset,class,part, or corpus folders.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the vocabulary, its tables and its history.")
    ],
    text_encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="Proposes the pairs; given several times, the first makes the files and all are counted.",
            show_default="all-minilm-l6-v2",
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Cosine that proposes any two names.")
    ] = 0.85,
    review_threshold: Annotated[
        float,
        typer.Option(min=0, max=1, help="Cosine that proposes names which no data set uses both of."),
    ] = 0.7,
    llm: LlmOption = "recorded",
    llm_model: LlmModelOption = "recorded",
    replies: RepliesOption = None,
    inner_nodes: Annotated[
        bool, typer.Option("--inner-nodes", help="Count wholes of a tree as parts, not its leaves alone.")
    ] = False,
    base: Annotated[str | None, typer.Option(help="Start of every URI of ontology.ttl.")] = None,
    export_missing: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines to answer: requests that can be asked now and that no recorded reply covers."
        ),
    ] = None,
    import_replies: Annotated[
        list[Path] | None,
        typer.Option(help="Such a file with 'reply' and 'model' on every line; goes on record in --replies."),
    ] = None,
) -> None:
    """Merge the part names of several data sets into one vocabulary (sections 4.1 and 9.4).

    With recorded replies alone, names that they do not cover are listed and stay apart; nothing is guessed.
    """
    import pandas as pd

    from alignparts.core.atomic import write_text
    from alignparts.ontology.export import counts_table, write_ontology
    from alignparts.ontology.llm.client import REPLIES, LanguageModel
    from alignparts.ontology.llm.exchange import export_requests
    from alignparts.ontology.llm.exchange import import_replies as read_replies
    from alignparts.ontology.merge import unify
    from alignparts.ontology.pairs import SCHEMAS
    from alignparts.ontology.raw import read_names
    from alignparts.ontology.text import TextEncoder

    raw = read_names(names, inner_nodes=inner_nodes)
    model = LanguageModel(llm, llm_model, replies or REPLIES)
    for path in import_replies or []:
        typer.echo(f"{path}: {read_replies(path, model, SCHEMAS)} replies put on record in {model.folder}")
    encoders = text_encoder or ["all-minilm-l6-v2"]
    if len(set(encoders)) < len(encoders):
        raise AlignPartsError("--text-encoder: the same encoder is named twice; expected each once")
    results: list[Unification] = []
    for name in encoders:
        start = time.perf_counter()
        encoder = TextEncoder.from_name(name)
        loaded = time.perf_counter() - start
        results.append(unify(raw, encoder, model, threshold, review_threshold, partial=llm == "recorded"))
        unified = time.perf_counter() - start - loaded
        typer.echo(f"{name}: {loaded:.1f} s to load, {unified:.1f} s to unify")
    if model.spent.replies:
        typer.echo(f"{llm}: {model.spent}")
    write_ontology(out, raw, results[0], model, **({} if base is None else {"base": base}))
    counts = [counts_table(raw, result) for result in results]
    table = pd.DataFrame({"step": counts[0].step, "data set": counts[0].dataset.replace("", "all")})
    for name, own in zip(encoders, counts, strict=True):
        table[name] = own.categories.astype(str) + " / " + own.parts.astype(str)
    write_text(out / "encoders.csv", table.to_csv(index=False, lineterminator="\n"))
    typer.echo(table.to_markdown(index=False))
    if export_missing is not None:
        settled = [request for request, settled in results[0].missing if settled]
        count = export_requests(export_missing, model, settled, SCHEMAS)
        typer.echo(f"{count} requests to answer -> {export_missing}; then --import-replies {export_missing}")
    for line in _notes(results[0]):
        typer.echo(line)
    typer.echo(f"-> {out}")


def _notes(result: "Unification") -> list[str]:
    """Return warnings about missing replies and contradicting verdicts."""
    lines = [f"contradiction: {conflict}" for conflict in result.conflicts]
    if not result.missing:
        return lines
    verbs = [missing.request.prompt.split("_")[0] for missing in result.missing]
    undecided = sum(not pair.decided for pair in result.pairs)
    settled = sum(missing.settled for missing in result.missing)
    note = (
        f"not final: no reply on record for {verbs.count('describe')} descriptions (compared by name "
        f"alone), {undecided} verdicts (kept apart) and {verbs.count('name')} choices of a name (the "
        f"longest is taken); {settled} requests can be asked now, the rest depends on them (missing.jsonl)"
    )
    return [note, *lines]
