"""The unified vocabulary as files: JSON, CSV and SKOS, with all that it came from."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from alignparts.core.atomic import write_text
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.merge import Unification
from alignparts.ontology.names import Names
from alignparts.ontology.pairs import Pair
from alignparts.ontology.vocabulary import Alias, Vocabulary, spelling

Chain = tuple[str, ...]


def write_ontology(
    folder: Path, names: Names, result: Unification, llm: LanguageModel, base: str | None = None
) -> None:
    """Write a unified vocabulary and how it came about; the same input gives the same bytes.

    ``vocabulary.json``, ``aliases.csv`` (resolves every legacy name), ``parts.csv``, ``hierarchy.csv``,
    ``ontology.ttl``, ``merged.csv``, ``rejected.csv``, ``undecided.csv``, ``conflicts.csv``,
    ``counts.csv`` and ``missing.jsonl`` (requests that no recorded reply covers).

    Args:
        folder: made if it is not there.
        names: what was unified.
        result: what came of it.
        llm: whose prompts the missing requests belong to.
        base: what every URI starts with (`alignparts.ontology.skos.BASE` by default).
    """
    from alignparts.ontology.skos import BASE, turtle

    result.vocabulary.save(folder / "vocabulary.json")
    result.vocabulary.save_aliases(folder / "aliases.csv")
    tables = {
        "parts": parts_table(names, result.vocabulary),
        "hierarchy": hierarchy_table(names, result.vocabulary),
        "merged": merged_table(result),
        "rejected": pairs_table(result, lambda pair: pair.decided and not pair.same),
        "undecided": pairs_table(result, lambda pair: not pair.decided),
        "conflicts": pd.DataFrame({"conflict": list(result.conflicts)}),
        "counts": counts_table(names, result),
    }
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    write_text(folder / "ontology.ttl", turtle(names, result.vocabulary, base or BASE))
    write_text(folder / "missing.jsonl", missing_lines(result, llm))


def missing_lines(result: Unification, llm: LanguageModel) -> str:
    """Requests that no recorded reply covers, as JSON lines (hash, prompt, settled, variables).

    A request that is ``settled`` can be answered now; the others may still change with those answers.
    """
    lines = [
        json.dumps(
            {"hash": llm.request_hash(one.prompt, one.variables), **one._asdict()},
            ensure_ascii=False, sort_keys=True,
        )
        for one in result.missing
    ]  # fmt: skip
    return "".join(f"{line}\n" for line in lines)


def chains(names: Names, aliases: Iterable[Alias]) -> list[Chain]:
    """The wholes that any data set says a part lies in, as spelled chains from the outside in, sorted."""
    found = {
        tuple(map(spelling, chain))
        for alias in aliases
        for chain in names.parents.get((alias.dataset, alias.category, alias.part), {()})
    }
    return sorted(found)


def parts_table(names: Names, vocabulary: Vocabulary) -> pd.DataFrame:
    """One row a canonical part: its shapes, data sets, other names, and the wholes that it lies in."""
    body = []
    for category in vocabulary.categories:
        entry = vocabulary.entries[category]
        for part in sorted(entry.parts):
            one = entry.parts[part]
            others = {spelling(alias.part) for alias in one.aliases} - {part}
            body.append({
                "category": category, "part": part, "description": one.description, "shapes": one.count,
                "names": len(others) + 1, "datasets": _joined(alias.dataset for alias in one.aliases),
                "aliases": _joined(others),
                "parents": _joined(" > ".join(chain) for chain in chains(names, one.aliases) if chain),
            })  # fmt: skip
    columns = ["category", "part", "description", "shapes", "names", "datasets", "aliases", "parents"]
    return pd.DataFrame(body, columns=columns)


def hierarchy_table(names: Names, vocabulary: Vocabulary) -> pd.DataFrame:
    """One row a part as a data set writes it and a whole that it lies in; level 0: none but the object."""
    body = []
    for category in vocabulary.categories:
        entry = vocabulary.entries[category]
        for part in sorted(entry.parts):
            for alias in entry.parts[part].aliases:
                key = alias.dataset, alias.category, alias.part
                for chain in sorted(names.parents.get(key, {()})):
                    body.append((*key, category, part, len(chain), " > ".join(map(spelling, chain))))
    columns = ["dataset", "category", "part", "canonical_category", "canonical_part", "level", "parents"]
    return pd.DataFrame(body, columns=columns)


def merged_table(result: Unification) -> pd.DataFrame:
    """One row a group of two or more names that became one, with the reasons on record."""
    vocabulary = result.vocabulary
    reasons: dict[tuple[str, str], list[str]] = {}
    for pair in result.pairs:
        head, other = (_canonical(vocabulary, pair.category, end) for end in (pair.a, pair.b))
        if pair.same and head == other:
            text = f"{pair.a} = {pair.b} ({pair.cosine:.3f}, {pair.stage}): {pair.reason}"
            reasons.setdefault((pair.category, head), []).append(text)
    body = []
    for category in vocabulary.categories:
        entry = vocabulary.entries[category]
        groups = [("", category, entry.aliases)]
        groups += [(category, part, entry.parts[part].aliases) for part in sorted(entry.parts)]
        for within, head, aliases in groups:
            spelled = {spelling(alias.part if within else alias.category) for alias in aliases}
            if len(spelled) > 1:
                body.append({
                    "category": within, "canonical": head, "names": _joined(spelled),
                    "datasets": _joined(alias.dataset for alias in aliases),
                    "shapes": sum(alias.count for alias in aliases),
                    "reasons": " | ".join(reasons.get((within, head), [])),
                })  # fmt: skip
    body.sort(key=lambda one: (one["category"], one["canonical"]))
    columns = ["category", "canonical", "names", "datasets", "shapes", "reasons"]
    return pd.DataFrame(body, columns=columns)


def pairs_table(result: Unification, keep: Callable[[Pair], bool]) -> pd.DataFrame:
    """Candidate pairs, one row each, the most similar first."""
    columns = ["category", "a", "b", "cosine", "name_cosine", "description_cosine", "stage", "reason"]
    body = [tuple(getattr(pair, name) for name in columns) for pair in result.pairs if keep(pair)]
    body.sort(key=lambda one: (-one[3], *one[:3]))
    return pd.DataFrame(body, columns=columns)


def counts_table(names: Names, result: Unification) -> pd.DataFrame:
    """How many names, pairs and verdicts there are at every step: step, dataset, categories, parts.

    Names are counted by data set and, with an empty ``dataset``, over all; a part is a (category, part)
    pair. Candidates and verdicts are pairs of names.
    """
    vocabulary = result.vocabulary
    rows: list[tuple[str, str, int, int]] = []
    spellings: dict[str, tuple[Callable[[str], str], Callable[[str, str], tuple[str, str]]]] = {
        "as written": (str, lambda category, part: (category, part)),
        "one spelling": (spelling, lambda category, part: (spelling(category), spelling(part))),
        "categories unified": (
            vocabulary.resolve_category,
            lambda category, part: (vocabulary.resolve_category(category), spelling(part)),
        ),
    }
    for step, (of_category, of_part) in spellings.items():
        rows += _by_dataset(step, names, of_category, of_part)
    asked = [one.prompt for one in result.missing]
    rows.append(("without a description", "", asked.count("describe_category"), asked.count("describe_part")))
    steps: dict[str, Callable[[Pair], bool]] = {
        "proposed at embedding": lambda pair: pair.stage == "embedding",
        "proposed at review": lambda pair: pair.stage == "review",
        "verdict on record": lambda pair: pair.decided,
        "verdict missing": lambda pair: not pair.decided,
        "the same": lambda pair: pair.same,
        "kept apart": lambda pair: pair.decided and not pair.same,
        "the same, but contradicted": lambda pair: pair.same and not _joins(vocabulary, pair),
    }
    for step, keep in steps.items():
        kept = [bool(pair.category) for pair in result.pairs if keep(pair)]
        rows.append((step, "", kept.count(False), kept.count(True)))
    rows += _by_dataset("unified", names, vocabulary.resolve_category, vocabulary.resolve)
    return pd.DataFrame(rows, columns=["step", "dataset", "categories", "parts"])


def _by_dataset(
    step: str,
    names: Names,
    of_category: Callable[[str], str],
    of_part: Callable[[str, str], tuple[str, str]],
) -> list[tuple[str, str, int, int]]:
    categories = {(dataset, of_category(category)) for dataset, category in names.raw.categories}
    parts = {(dataset, of_part(category, part)) for dataset, category, part in names.raw.parts}
    by_dataset = [
        (step, dataset, sum(one == dataset for one, _ in categories), sum(one == dataset for one, _ in parts))
        for dataset in sorted({dataset for dataset, _ in categories})
    ]
    return [*by_dataset, (step, "", len({one for _, one in categories}), len({one for _, one in parts}))]


def _joins(vocabulary: Vocabulary, pair: Pair) -> bool:
    return _canonical(vocabulary, pair.category, pair.a) == _canonical(vocabulary, pair.category, pair.b)


def _canonical(vocabulary: Vocabulary, category: str, name: str) -> str:
    return vocabulary.resolve(category, name)[1] if category else vocabulary.resolve_category(name)


def _joined(names: Iterable[str]) -> str:
    return "; ".join(sorted(set(names)))
