"""The unified vocabulary as files: JSON, CSV and SKOS, with the pairs and verdicts that it came from."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from alignparts.core.atomic import write_text
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.merge import Unification
from alignparts.ontology.pairs import Pair
from alignparts.ontology.raw import RawVocabulary
from alignparts.ontology.skos import BASE, turtle
from alignparts.ontology.vocabulary import Vocabulary, spelling


def write_ontology(
    folder: Path, raw: RawVocabulary, result: Unification, llm: LanguageModel, base: str = BASE
) -> None:
    """Write a unified vocabulary and its history; the same input gives the same bytes.

    ``vocabulary.json``, ``aliases.csv`` (resolves every legacy name), ``parts.csv``, ``hierarchy.csv``,
    ``ontology.ttl``, ``merged.csv``, ``rejected.csv``, ``undecided.csv``, ``conflicts.csv``,
    ``counts.csv`` and ``missing.jsonl`` (requests that no recorded reply covers).

    Args:
        folder: folder to write, made if it does not exist.
        raw: the names before their unification.
        result: the result of unifying them.
        llm: client whose prompts the missing requests belong to.
        base: start of every URI of ``ontology.ttl``.
    """
    result.vocabulary.save(folder / "vocabulary.json")
    result.vocabulary.save_aliases(folder / "aliases.csv")
    tables = {
        "parts": parts_table(raw, result.vocabulary),
        "hierarchy": hierarchy_table(raw, result.vocabulary),
        "merged": merged_table(result),
        "rejected": pairs_table(result, lambda pair: pair.decided and not pair.same),
        "undecided": pairs_table(result, lambda pair: not pair.decided),
        "conflicts": pd.DataFrame({"conflict": list(result.conflicts)}),
        "counts": counts_table(raw, result),
    }
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    write_text(folder / "ontology.ttl", turtle(raw, result.vocabulary, base))
    write_text(folder / "missing.jsonl", missing_lines(result, llm))


def missing_lines(result: Unification, llm: LanguageModel) -> str:
    """Return the requests that no recorded reply covers as JSON lines (hash, prompt, settled, variables).

    A request that is ``settled`` can be answered now; the others may still change with those answers.
    """
    lines = ({"hash": llm.request_hash(one.prompt, one.variables), **one._asdict()} for one in result.missing)
    return "".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines)


def parts_table(raw: RawVocabulary, vocabulary: Vocabulary) -> pd.DataFrame:
    """Return a row per canonical part: its shapes, data sets, other names, and the wholes that it lies in."""
    body = []
    for category, part, aliases in vocabulary.groups():
        if part:
            entry = vocabulary.entries[category].parts[part]
            others = {spelling(alias.part) for alias in aliases} - {part}
            parents = _joined(" > ".join(chain) for chain in raw.chains(aliases) if chain)
            body.append((category, part, entry.description, entry.count, len(others) + 1,
                         _joined(alias.dataset for alias in aliases), _joined(others), parents))  # fmt: skip
    columns = ["category", "part", "description", "shapes", "names", "datasets", "aliases", "parents"]
    return pd.DataFrame(body, columns=columns)


def hierarchy_table(raw: RawVocabulary, vocabulary: Vocabulary) -> pd.DataFrame:
    """Return a row per part as a data set writes it and whole that it lies in; level 0 has no whole."""
    body = []
    for category, part, aliases in vocabulary.groups():
        for alias in aliases if part else ():
            key = alias.dataset, alias.category, alias.part
            for chain in sorted(raw.parents.get(key, {()})):
                body.append((*key, category, part, len(chain), " > ".join(map(spelling, chain))))
    columns = ["dataset", "category", "part", "canonical_category", "canonical_part", "level", "parents"]
    return pd.DataFrame(body, columns=columns)


def merged_table(result: Unification) -> pd.DataFrame:
    """Return a row per group of two or more names that became one, with the reasons on record."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for pair in result.pairs:
        head, other = _canonical(result.vocabulary, pair)
        if pair.same and head == other:
            text = f"{pair.a} = {pair.b} ({pair.cosine:.3f}, {pair.stage}): {pair.reason}"
            reasons.setdefault((pair.category, head), []).append(text)
    body = []
    for category, part, aliases in result.vocabulary.groups():
        names = {spelling(alias.part or alias.category) for alias in aliases}
        if len(names) > 1:
            group = (category, part) if part else ("", category)
            shapes = sum(alias.count for alias in aliases)
            datasets = _joined(alias.dataset for alias in aliases)
            body.append((*group, _joined(names), datasets, shapes, " | ".join(reasons.get(group, []))))
    columns = ["category", "canonical", "names", "datasets", "shapes", "reasons"]
    body.sort(key=lambda row: row[:2])
    return pd.DataFrame(body, columns=columns)


def pairs_table(result: Unification, keep: Callable[[Pair], bool]) -> pd.DataFrame:
    """Return a row per candidate pair that ``keep`` accepts, the most similar first."""
    columns = ["category", "a", "b", "cosine", "name_cosine", "description_cosine", "stage", "reason"]
    body = [tuple(getattr(pair, name) for name in columns) for pair in result.pairs if keep(pair)]
    body.sort(key=lambda row: (-row[3], *row[:3]))
    return pd.DataFrame(body, columns=columns)


def counts_table(raw: RawVocabulary, result: Unification) -> pd.DataFrame:
    """Return the number of names, pairs and verdicts at every step: step, dataset, categories, parts.

    Names are counted by data set and, with an empty ``dataset``, over all; a part is a (category, part)
    pair. Candidates and verdicts are pairs of names.
    """
    category_of, resolve = result.vocabulary.resolve_category, result.vocabulary.resolve
    rows = [
        *_names_by_dataset("as written", raw, lambda category, part: (category, part)),
        *_names_by_dataset("one spelling", raw, lambda category, part: (spelling(category), spelling(part))),
        *_names_by_dataset(
            "categories unified", raw, lambda category, part: (category_of(category), spelling(part))
        ),
    ]
    asked = [one.prompt for one in result.missing]
    rows.append(("without a description", "", asked.count("describe_category"), asked.count("describe_part")))
    steps: dict[str, Callable[[Pair], bool]] = {
        "proposed at embedding": lambda pair: pair.stage == "embedding",
        "proposed at review": lambda pair: pair.stage == "review",
        "verdict on record": lambda pair: pair.decided,
        "verdict missing": lambda pair: not pair.decided,
        "the same": lambda pair: pair.same,
        "kept apart": lambda pair: pair.decided and not pair.same,
        "the same, but contradicted": lambda pair: (
            pair.same and len(set(_canonical(result.vocabulary, pair))) == 2
        ),
    }
    for step, keep in steps.items():
        of_parts = [bool(pair.category) for pair in result.pairs if keep(pair)]
        rows.append((step, "", of_parts.count(False), of_parts.count(True)))
    rows += _names_by_dataset(
        "unified", raw,
        lambda category, part: resolve(category, part) if part else (category_of(category), ""),
    )  # fmt: skip
    return pd.DataFrame(rows, columns=["step", "dataset", "categories", "parts"])


def _names_by_dataset(
    step: str, raw: RawVocabulary, rename: Callable[[str, str], tuple[str, str]]
) -> list[tuple[str, str, int, int]]:
    """Return a row per data set, and one over all, with the number of distinct names after renaming."""
    written = [*((*key, "") for key in raw.categories), *raw.parts]
    names = {(dataset, rename(category, part)) for dataset, category, part in written}
    rows = []
    for dataset in [*sorted({dataset for dataset, _ in names}), ""]:
        distinct = {name for owner, name in names if dataset in (owner, "")}
        parts = sum(bool(part) for _, part in distinct)
        rows.append((step, dataset, len(distinct) - parts, parts))
    return rows


def _canonical(vocabulary: Vocabulary, pair: Pair) -> tuple[str, str]:
    """Return the canonical names of both names of a pair."""
    if pair.category:
        return vocabulary.resolve(pair.category, pair.a)[1], vocabulary.resolve(pair.category, pair.b)[1]
    return vocabulary.resolve_category(pair.a), vocabulary.resolve_category(pair.b)


def _joined(names: Iterable[str]) -> str:
    return "; ".join(sorted(set(names)))
