"""Write the unified vocabulary as JSON, CSV and SKOS, with the pairs and verdicts that it came from."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from rdflib import RDF, SKOS, Graph, Literal, URIRef
from rdflib.term import Node

from alignparts.core.atomic import write_text
from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.merge import Unification
from alignparts.ontology.pairs import Pair
from alignparts.ontology.raw import RawVocabulary
from alignparts.ontology.vocabulary import PartEntry, Vocabulary, spelling, words

BASE = "urn:alignparts:"


def write_ontology(
    folder: Path, raw: RawVocabulary, result: Unification, llm: LanguageModel, base: str = BASE
) -> None:
    """Write a unified vocabulary and its history; the same input gives the same bytes.

    ``vocabulary.json``, ``aliases.csv`` (resolves every legacy name), ``parts.csv``, ``hierarchy.csv``,
    ``ontology.ttl``, ``merged.csv``, ``rejected.csv``, ``undecided.csv``, ``conflicts.csv``,
    ``counts.csv`` and ``missing.jsonl`` (requests that no recorded reply covers). The folder is made if it
    does not exist; every URI of ``ontology.ttl`` starts with ``base``.
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
    lines = (
        {"hash": llm.request_hash(request), "prompt": request.prompt, "settled": settled,
         "variables": request.variables}
        for request, settled in result.missing
    )  # fmt: skip
    return "".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines)


def missing_table(result: Unification) -> pd.DataFrame:
    """Return a row per request that no recorded reply covers: the question, category and names of it."""
    questions = {"describe": "description", "same": "verdict", "name": "choice"}
    rows = []
    for (prompt, asked, _), settled in result.missing:
        verb, _, subject = prompt.partition("_")
        of = asked["category"] if subject == "part" else ""
        names = [asked[key] for key in ("part" if of else "category", "a", "b", "names") if key in asked]
        rows.append((questions[verb], of, "; ".join(names), settled))
    return pd.DataFrame(rows, columns=["missing", "category", "names", "settled"])


def parts_table(raw: RawVocabulary, vocabulary: Vocabulary) -> pd.DataFrame:
    """Return a row per canonical part: its shapes, data sets, other names, and the wholes that it lies in."""
    rows = []
    for category, part, aliases in vocabulary.groups():
        if part:
            entry = vocabulary.entries[category].parts[part]
            others = {spelling(alias.part) for alias in aliases} - {part}
            parents = _joined(" > ".join(chain) for chain in raw.chains(aliases) if chain)
            rows.append((category, part, entry.description, entry.count, len(others) + 1,
                         _joined(alias.dataset for alias in aliases), _joined(others), parents))  # fmt: skip
    columns = ["category", "part", "description", "shapes", "names", "datasets", "aliases", "parents"]
    return pd.DataFrame(rows, columns=columns)


def hierarchy_table(raw: RawVocabulary, vocabulary: Vocabulary) -> pd.DataFrame:
    """Return a row per part as a data set writes it and whole that it lies in; level 0 has no whole."""
    rows = []
    for category, part, aliases in vocabulary.groups():
        for alias in aliases if part else ():
            key = alias.dataset, alias.category, alias.part
            for chain in sorted(raw.parents.get(key, {()})):
                rows.append((*key, category, part, len(chain), " > ".join(map(spelling, chain))))
    columns = ["dataset", "category", "part", "canonical_category", "canonical_part", "level", "parents"]
    return pd.DataFrame(rows, columns=columns)


def merged_table(result: Unification) -> pd.DataFrame:
    """Return a row per group of two or more names that became one, with the reasons on record."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for pair in result.pairs:
        heads = _canonical(result.vocabulary, pair)
        if pair.same and len(heads) == 1:
            text = f"{pair.a} = {pair.b} ({pair.cosine:.3f}, {pair.stage}): {pair.reason}"
            reasons.setdefault((pair.category, heads.pop()), []).append(text)
    rows = []
    for category, part, aliases in result.vocabulary.groups():
        names = {spelling(alias.part or alias.category) for alias in aliases}
        if len(names) > 1:
            group = (category, part) if part else ("", category)
            datasets = _joined(alias.dataset for alias in aliases)
            shapes = sum(alias.count for alias in aliases)
            rows.append((*group, _joined(names), datasets, shapes, " | ".join(reasons.get(group, []))))
    columns = ["category", "canonical", "names", "datasets", "shapes", "reasons"]
    return pd.DataFrame(sorted(rows), columns=columns)


def pairs_table(result: Unification, keep: Callable[[Pair], bool]) -> pd.DataFrame:
    """Return a row per candidate pair that ``keep`` accepts, the most similar first."""
    columns = ["category", "a", "b", "cosine", "name_cosine", "description_cosine", "stage", "reason"]
    pairs = sorted(filter(keep, result.pairs), key=lambda pair: (-pair.cosine, pair.category, pair.a, pair.b))
    return pd.DataFrame([[getattr(pair, name) for name in columns] for pair in pairs], columns=columns)


def counts_table(raw: RawVocabulary, result: Unification) -> pd.DataFrame:
    """Return the number of names, pairs and verdicts at every step: step, dataset, categories, parts.

    Names are counted by data set and, with an empty ``dataset``, over all; a part is a (category, part)
    pair. Candidates and verdicts are pairs of names.
    """
    vocabulary = result.vocabulary
    head, resolve = vocabulary.resolve_category, vocabulary.resolve
    asked = [request.prompt for request, _ in result.missing]
    steps: dict[str, Callable[[Pair], bool]] = {
        "proposed at embedding": lambda pair: pair.stage == "embedding",
        "proposed at review": lambda pair: pair.stage == "review",
        "verdict on record": lambda pair: pair.decided,
        "verdict missing": lambda pair: not pair.decided,
        "the same": lambda pair: pair.same,
        "kept apart": lambda pair: pair.decided and not pair.same,
        "the same, but contradicted": lambda pair: pair.same and len(_canonical(vocabulary, pair)) == 2,
    }
    levels = {step: [bool(pair.category) for pair in filter(of, result.pairs)] for step, of in steps.items()}
    rows = [
        *_names_by_dataset("as written", raw, lambda *name: name),
        *_names_by_dataset("one spelling", raw, lambda *name: (spelling(name[0]), spelling(name[1]))),
        *_names_by_dataset("categories unified", raw, lambda *name: (head(name[0]), spelling(name[1]))),
        ("without a description", "", asked.count("describe_category"), asked.count("describe_part")),
        *((step, "", of_parts.count(False), of_parts.count(True)) for step, of_parts in levels.items()),
        *_names_by_dataset("unified", raw, lambda *name: resolve(*name) if name[1] else (head(name[0]), "")),
    ]
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


def _canonical(vocabulary: Vocabulary, pair: Pair) -> set[str]:
    """Return the canonical names of both names of a pair."""
    if pair.category:
        return {vocabulary.resolve(pair.category, name)[1] for name in (pair.a, pair.b)}
    return {vocabulary.resolve_category(name) for name in (pair.a, pair.b)}


def _joined(names: Iterable[str]) -> str:
    return "; ".join(sorted(set(names)))


def turtle(raw: RawVocabulary, vocabulary: Vocabulary, base: str = BASE) -> str:
    """Return the vocabulary as a SKOS thesaurus in Turtle; equal input gives equal bytes.

    One concept scheme holds the categories as top concepts. ``skos:broader`` leads from a part to the whole
    that a data set says it lies in, and from there to the category: a part of several data sets keeps every
    level of theirs. Wholes are concepts told apart by their path, and never merged with a part of the same
    name. Every name that means a concept is an ``altLabel``; as a data set writes it, path and all, it is a
    ``skos:notation`` whose datatype stands for the data set (SKOS Reference, section 6). A ``base`` that is
    no absolute URI raises AlignPartsError.
    """
    if not base.endswith(("/", "#", ":")) or ":" not in base or quote(base, safe=":/#?&=@%+~,;.-_") != base:
        raise AlignPartsError(f"'{base}': expected an absolute URI that ends in '/', '#' or ':', like {BASE}")
    graph = Graph()
    graph.bind("skos", SKOS)
    for statement in _triples(raw, vocabulary, base):
        graph.add(statement)
    return graph.serialize(format="turtle")


def _triples(raw: RawVocabulary, vocabulary: Vocabulary, base: str) -> Iterator[tuple[Node, Node, Node]]:
    """Yield the statements of the thesaurus; that of a whole comes again with every part in it."""

    def uri(*steps: str) -> URIRef:
        return URIRef(base + "/".join(quote(step, safe="") for step in steps))

    def concept(node: URIRef, name: str, entry: PartEntry | None = None) -> Iterator[tuple[Node, Node, Node]]:
        yield node, RDF.type, SKOS.Concept
        yield node, SKOS.inScheme, scheme
        yield node, SKOS.prefLabel, Literal(words(name), lang="en")
        if entry and entry.description:
            yield node, SKOS.definition, Literal(entry.description, lang="en")
        for alias in entry.aliases if entry else ():
            other = words(spelling(alias.part or alias.category))
            if other != words(name):
                yield node, SKOS.altLabel, Literal(other, lang="en")
            code = f"{alias.category}: {alias.part}" if alias.part else alias.category
            yield node, SKOS.notation, Literal(code, datatype=uri("-", alias.dataset))

    scheme = uri("-")  # no spelled name is a hyphen
    yield scheme, RDF.type, SKOS.ConceptScheme
    yield scheme, SKOS.prefLabel, Literal("parts of 3D objects", lang="en")
    for category, entry in vocabulary.entries.items():
        yield from concept(uri(category), category, entry)
        yield uri(category), SKOS.topConceptOf, scheme
        yield scheme, SKOS.hasTopConcept, uri(category)
        for part, member in entry.parts.items():
            yield from concept(uri(category, part), part, member)
            for chain in raw.chains(member.aliases):
                outer = uri(category)
                for depth, name in enumerate(chain, start=1):
                    whole = uri(category, "-", *chain[:depth])
                    yield from concept(whole, name)
                    yield whole, SKOS.broader, outer
                    outer = whole
                yield uri(category, part), SKOS.broader, outer
