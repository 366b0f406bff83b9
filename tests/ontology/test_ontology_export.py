"""The files of a unified vocabulary, SKOS by the conditions of its reference, and the command."""

import json
import random
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ontology_toys import Bag, Judge, Part
from rdflib import RDF, SKOS, Graph, Literal, URIRef
from typer.testing import CliRunner

from alignparts.cli.app import app
from alignparts.core.errors import AlignPartsError
from alignparts.ontology.export import (
    counts_table,
    hierarchy_table,
    missing_lines,
    missing_table,
    parts_table,
    turtle,
    write_ontology,
)
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.llm.records import Record, Request, append_record
from alignparts.ontology.merge import Unification, unify
from alignparts.ontology.pairs import Description, Verdict
from alignparts.ontology.raw import RawVocabulary, read_names
from alignparts.report.ontology_map import embedding_map, tree_html

# "bar" stands under two wholes; "back" is a fine part of one data set and a whole of another; the names
# need escapes in Turtle, in URIs and in HTML.
TABLE = """dataset,class,part,parent,kind,n_shapes,n_shapes_class
PartNet,Chair,chair/chair_back/bar,chair/chair_back,leaf,,
PartNet,Chair,chair/chair_seat/frame/bar,chair/chair_seat/frame,leaf,,
PartNet,Chair,chair/leg,chair,leaf,,
3DCoMPaT++,chair,chair_leg,leg,,20,32
3DCoMPaT++,chair,back,back,,31,32
Find3D/Unseen,arm chair,"back ""<rest>"" & co",,,3,5
Find3D/Unseen,armor,,,,,7
"""
SAME = {("chair leg", "leg"), ("arm chair", "chair")}


@pytest.fixture
def names(tmp_path: Path) -> RawVocabulary:
    path = tmp_path / "names.csv"
    path.write_text(TABLE)
    return read_names([path])


@pytest.fixture
def result(names: RawVocabulary) -> Unification:
    return unify(names, Bag(), Judge(SAME), 0.6, 0.3)


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name, keep_default_na=False)


def test_every_file(tmp_path: Path, names: RawVocabulary, result: Unification) -> None:
    write_ontology(tmp_path, names, result, LanguageModel())
    aliases = read(tmp_path, "aliases.csv")
    for dataset, category, part in names.parts:
        mine = aliases[(aliases.dataset == dataset) & (aliases.category == category) & (aliases.part == part)]
        assert len(mine) == 1
        found = mine.canonical_category.iloc[0], mine.canonical_part.iloc[0]
        assert found == result.vocabulary.resolve(category, part)
    parts = read(tmp_path, "parts.csv").set_index(["category", "part"])
    assert parts.loc[("arm_chair", "chair_leg"), ["shapes", "names", "aliases", "parents"]].tolist() == [
        20, 2, "leg", "leg",
    ]  # fmt: skip
    assert parts.loc[("arm_chair", "bar"), "parents"] == "chair_back; chair_seat > frame"
    assert parts.shapes.sum() == sum(names.parts.values())
    merged = read(tmp_path, "merged.csv")
    assert merged.canonical.tolist() == ["arm_chair", "chair_leg"]
    assert "chair_leg = leg" in merged.reasons.iloc[1] and "as the test says" in merged.reasons.iloc[1]
    rejected = read(tmp_path, "rejected.csv")
    assert {("back", 'back_"<rest>"_&_co')} <= set(zip(rejected.a, rejected.b, strict=True))
    assert (tmp_path / "missing.jsonl").read_text() == "" and read(tmp_path, "undecided.csv").empty


def test_the_same_bytes_whatever_the_order(tmp_path: Path, names: RawVocabulary) -> None:
    head, *rows = TABLE.splitlines()
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        path = tmp_path / "shuffled.csv"
        path.write_text("\n".join([head, *rows]) + "\n")
        shuffled = read_names([path])
        result = unify(shuffled, Bag(), Judge(SAME), 0.6, 0.3)
        write_ontology(tmp_path / str(seed), shuffled, result, LanguageModel())
    for file in (tmp_path / "0").iterdir():
        for seed in (1, 2):
            assert file.read_bytes() == (tmp_path / str(seed) / file.name).read_bytes(), file.name


def test_counts_add_up(names: RawVocabulary, result: Unification) -> None:
    table = counts_table(names, result)
    overall = table[table.dataset == ""].set_index("step")
    pairs = overall.loc[["proposed at embedding", "proposed at review"]].sum()
    assert overall.categories["as written"] == 4 and overall.categories["one spelling"] == 3
    assert overall.categories["unified"] == 2
    assert overall.parts["as written"] == 6  # two paths to a bar
    assert overall.parts["unified"] == len(parts_table(names, result.vocabulary))
    for column in ("categories", "parts"):
        assert (
            overall[column]["verdict on record"]
            == pairs[column]
            == len([pair for pair in result.pairs if bool(pair.category) == (column == "parts")])
        )
        assert overall[column]["the same"] + overall[column]["kept apart"] == pairs[column]
        # each merge takes one name away
        merged = overall[column]["categories unified"] - overall[column]["unified"]
        assert merged == (0 if column == "categories" else 1)


def test_hierarchy_keeps_every_path(names: RawVocabulary, result: Unification) -> None:
    table = hierarchy_table(names, result.vocabulary)
    assert len(table) == len(names.parts)
    rows = {(row.dataset, row.part): (row.level, row.parents) for row in table.itertuples()}
    assert rows["PartNet", "chair/chair_seat/frame/bar"] == (2, "chair_seat > frame")
    assert rows["PartNet", "chair/leg"] == (0, "")
    assert rows["3DCoMPaT++", "back"] == (1, "back")


def skos_of(names: RawVocabulary, result: Unification, base: str = "https://example.org/parts/") -> Graph:
    return Graph().parse(data=turtle(names, result.vocabulary, base), format="turtle")


def test_skos_integrity(names: RawVocabulary, result: Unification) -> None:
    """Conditions S9, S13 and S14 of the SKOS Reference, and what makes a hierarchy one."""
    graph = skos_of(names, result)
    (scheme,) = graph.subjects(RDF.type, SKOS.ConceptScheme)
    concepts = set(graph.subjects(RDF.type, SKOS.Concept))
    assert scheme not in concepts
    for concept in concepts:
        assert list(graph.objects(concept, SKOS.inScheme)) == [scheme]
        (preferred,) = graph.objects(concept, SKOS.prefLabel)
        assert preferred not in set(graph.objects(concept, SKOS.altLabel))
        above = set(graph.transitive_objects(concept, SKOS.broader)) - {concept}
        assert above <= concepts
        top = (scheme, SKOS.hasTopConcept, concept) in graph
        assert top == (not above) == ((concept, SKOS.topConceptOf, scheme) in graph)
        for one in above:  # no circle
            assert concept not in set(graph.transitive_objects(one, SKOS.broader)), concept
    used = {predicate for predicate in graph.predicates() if str(predicate).startswith(str(SKOS))}
    assert all(predicate in SKOS for predicate in used)


def test_skos_resolves_every_legacy_name(names: RawVocabulary, result: Unification) -> None:
    graph = skos_of(names, result)
    for dataset, category, part in names.parts:
        found = [
            subject
            for subject, _, code in graph.triples((None, SKOS.notation, None))
            if str(code) == f"{category}: {part}"
            and str(code.datatype).endswith("/" + dataset.replace("/", "%2F").replace("+", "%2B"))
        ]
        (concept,) = found
        (label,) = graph.objects(concept, SKOS.prefLabel)
        assert str(label) == result.vocabulary.resolve(category, part)[1].replace("_", " ")


def test_skos_keeps_the_hierarchy(names: RawVocabulary, result: Unification) -> None:
    graph, base = skos_of(names, result), "https://example.org/parts/arm_chair"
    broader = {str(one) for one in graph.objects(URIRef(f"{base}/bar"), SKOS.broader)}
    assert broader == {f"{base}/-/chair_back", f"{base}/-/chair_seat/frame"}
    assert URIRef(f"{base}/-/chair_seat") in set(
        graph.objects(URIRef(f"{base}/-/chair_seat/frame"), SKOS.broader)
    )
    # a part and a whole of one name are two levels
    assert list(graph.objects(URIRef(f"{base}/back"), SKOS.broader)) == [URIRef(f"{base}/-/back")]
    assert Literal("leg", lang="en") in set(graph.objects(URIRef(f"{base}/chair_leg"), SKOS.altLabel))


@pytest.mark.parametrize("base", ["parts/", "https://example.org/parts", "https://example.org/a b/", ""])
def test_skos_bad_base(names: RawVocabulary, result: Unification, base: str) -> None:
    with pytest.raises(AlignPartsError, match="absolute URI"):
        turtle(names, result.vocabulary, base)


def test_missing_requests_as_lines(names: RawVocabulary) -> None:
    llm = Part(SAME, lambda prompt, v: prompt != "same_part" and v.get("part") != "bar")
    result = unify(names, Bag(), llm, 0.6, 0.3, partial=True)
    lines = [json.loads(line) for line in missing_lines(result, llm).splitlines()]
    assert {line["prompt"] for line in lines} == {"describe_part", "same_part"}
    for line in lines:
        assert line["hash"] == llm.request_hash(Request(line["prompt"], line["variables"]))
    table = counts_table(names, result).set_index("step")
    assert table.parts["without a description"] == 1 and table.parts["verdict missing"] > 0


def test_tree(names: RawVocabulary, result: Unification) -> None:
    html = tree_html(names, result.vocabulary)
    for tag in ("details", "summary", "ul", "li", "b", "i"):
        assert len(re.findall(rf"<{tag}>", html)) == len(re.findall(rf"</{tag}>", html))
    assert "<rest>" not in html and "&lt;rest&gt;" in html
    assert html.count("<li>bar") == 2  # under both of its wholes
    assert "chair leg <i>also leg</i> (20)" in html


def test_map_is_repeatable_and_keeps_neighbors() -> None:
    rng = np.random.default_rng(0)
    centers = np.repeat(np.eye(3, 16), 12, axis=0)
    vectors = centers + 0.05 * rng.normal(size=centers.shape)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    at = embedding_map(vectors)
    assert at.shape == (36, 2) and np.array_equal(at, embedding_map(vectors))
    distance = np.linalg.norm(at[:, None] - at, axis=2) + 1e9 * np.eye(36)
    assert np.array_equal(distance.argmin(axis=1) // 12, np.repeat(np.arange(3), 12))


def record(folder: Path, request: Request, reply: dict[str, object]) -> None:
    key = LanguageModel(replies=folder).request_hash(request)
    one = Record(
        hash=key, prompt=request.prompt, variables=dict(request.variables), model="test", reply=reply
    )
    append_record(folder / "replies.jsonl", one)


def test_command(tmp_path: Path, names: RawVocabulary) -> None:
    replies = tmp_path / "replies"
    replies.mkdir()
    arguments = ["ontology", str(tmp_path / "names.csv"), "--out", str(tmp_path / "out"),
                 "--replies", str(replies), "--export-missing", str(tmp_path / "ask.jsonl")]  # fmt: skip
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.output
    asked = [json.loads(line) for line in (tmp_path / "ask.jsonl").read_text().splitlines()]
    # Nothing is on record: only what the categories mean can be asked now.
    assert {one["prompt"] for one in asked} == {"describe_category"} and len(asked) == 3
    assert "not final" in ran.output and "for 8 descriptions" in ran.output
    assert read(tmp_path / "out", "merged.csv").empty
    for category in ("arm chair", "armor", "chair"):
        told = {"description": f"a thing called {category}"}
        record(replies, Description.request(category.replace(" ", "_")), told)
    pair = Verdict.request("", "arm_chair", "a thing called arm chair", "chair", "a thing called chair")
    record(replies, pair, {"same": True, "reason": "one is the other"})
    assert CliRunner().invoke(app, arguments).exit_code == 0
    asked = [json.loads(line) for line in (tmp_path / "ask.jsonl").read_text().splitlines()]
    assert {one["prompt"] for one in asked} == {"name_category"}
    assert read(tmp_path / "out", "merged.csv").canonical.tolist() == ["arm_chair"]
    encoders = read(tmp_path / "out", "encoders.csv").set_index(["step", "data set"])
    assert encoders.loc[("unified", "all"), "all-minilm-l6-v2"] == "2 / 5"


def test_answers_in_a_file_settle_it_round_by_round(tmp_path: Path, names: RawVocabulary) -> None:
    replies, ask = tmp_path / "replies", tmp_path / "ask.jsonl"
    arguments = ["ontology", str(tmp_path / "names.csv"), "--out", str(tmp_path / "out"),
                 "--replies", str(replies), "--export-missing", str(ask)]  # fmt: skip
    back: list[str] = []
    for _ in range(10):
        ran = CliRunner().invoke(app, [*arguments, *back])
        assert ran.exit_code == 0, ran.output
        lines = [json.loads(line) for line in ask.read_text().splitlines()]
        if not lines:
            break
        for line in lines:
            assert line["messages"][0]["role"] == "user" and line["response_format"]
            line["model"] = "a person"
            line["reply"] = {
                "describe": {"description": f"a thing called {sorted(line['variables'].values())}"},
                "same": {"same": True, "reason": "one is the other"},
                "name": {"name": line["variables"].get("names", "").split("; ")[0]},
            }[line["prompt"].split("_")[0]]
        (tmp_path / "back.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        back = ["--import-replies", str(tmp_path / "back.jsonl")]
    assert "not final" not in ran.output
    assert (tmp_path / "out" / "missing.jsonl").read_text() == ""
    assert "arm_chair" in read(tmp_path / "out", "merged.csv").canonical.tolist()


def test_command_with_bad_input(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["ontology", str(tmp_path / "absent.csv"), "--out", str(tmp_path)])
    assert isinstance(ran.exception, AlignPartsError) and "no such file" in str(ran.exception)
    (tmp_path / "names.csv").write_text(TABLE)
    twice = ["--text-encoder", "all-minilm-l6-v2"] * 2
    ran = CliRunner().invoke(app, ["ontology", str(tmp_path / "names.csv"), "--out", str(tmp_path), *twice])
    assert isinstance(ran.exception, AlignPartsError) and "named twice" in str(ran.exception)


def test_a_made_up_name_is_listed_and_stays_apart() -> None:
    """The replies of the project cover real names; "leggon" is none, and as like "leg" as can be here."""
    shapes = [("partnet", "Chair", ["leg", "seat_soft_surface"]), ("ours", "chair", ["leg", "leggon"])]
    result = unify(RawVocabulary.of(shapes), Bag(), LanguageModel(), 0.9, 0.9, partial=True)
    assert missing_table(result).to_dict("records") == [
        {"missing": "description", "category": "chair", "names": "leggon", "settled": True}
    ]
    assert result.vocabulary.parts("chair") == ["leg", "leggon", "seat_soft_surface"]
    assert result.vocabulary.description("chair", "leggon") == "leggon"
