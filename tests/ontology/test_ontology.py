"""The merge: its properties on random vocabularies, and the recorded one of the embedded corpus."""

import csv
import random
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from ontology_toys import Bag, Judge, Part

from alignparts.core.config import load_params
from alignparts.core.errors import AlignPartsError
from alignparts.ontology.llm.client import LanguageModel
from alignparts.ontology.llm.records import Request
from alignparts.ontology.merge import Unification, unify
from alignparts.ontology.pairs import Pair, embed, group
from alignparts.ontology.raw import RawVocabulary
from alignparts.ontology.vocabulary import Vocabulary, spelling


def raw(*rows: tuple[str, str, str]) -> RawVocabulary:
    """One shape a row: dataset, category, space-separated parts."""
    return RawVocabulary.of((dataset, category, parts.split()) for dataset, category, parts in rows)


MICROWAVES = raw(
    ("partnet", "Microwave", "microwave/door/glass handle body"),
    ("partnet", "Microwave", "handle handle body"),
    ("compat", "microwave_oven", "door_glass door_handle body"),
)
MICROWAVE_JUDGE = {("microwave", "microwave oven"), ("door glass", "glass"), ("door handle", "handle")}


def test_spelling() -> None:
    spelled = {
        "StorageFurniture": "storage_furniture", "Chair": "chair", "chair/chair_seat/seat": "seat",
        "coffee table": "coffee_table", "TV stand": "tv_stand",
        "TrashCan": "trash_can", " leg_01-b ": "leg_01_b",
    }  # fmt: skip
    for name, expected in spelled.items():
        assert spelling(name) == expected
        assert spelling(expected) == expected


def test_two_names_of_one_appliance() -> None:
    result = unify(MICROWAVES, Bag(), Judge(MICROWAVE_JUDGE))
    vocabulary = result.vocabulary
    assert vocabulary.categories == ["microwave_oven"]
    assert vocabulary.parts("Microwave") == ["body", "door_glass", "door_handle"]
    assert vocabulary.resolve("microwave", "glass") == ("microwave_oven", "door_glass")
    assert vocabulary.entries["microwave_oven"].count == 3
    counts = {name: part.count for name, part in vocabulary.entries["microwave_oven"].parts.items()}
    assert counts == {"body": 3, "door_glass": 2, "door_handle": 3}
    assert result.conflicts == ()


def test_the_language_model_chooses_among_the_merged_names() -> None:
    seats = raw(("partnet", "Chair", "seat_hard_surface"), ("compat", "chair", "seat"))
    same = {("seat", "seat hard surface")}
    assert unify(seats, Bag(), Judge(same), 0.85, 0.5).vocabulary.parts("chair") == ["seat_hard_surface"]
    vocabulary = unify(seats, Bag(), Judge(same, "Seat"), 0.85, 0.5).vocabulary
    assert vocabulary.parts("chair") == ["seat"]
    assert vocabulary.description("chair", "seat_hard_surface") == "description of seat"
    with pytest.raises(AlignPartsError, match="chose 'cushion' for seat, seat_hard_surface"):
        unify(seats, Bag(), Judge(same, "cushion"), 0.85, 0.5)


def test_unlabeled_instances_have_no_name() -> None:
    one_chair = RawVocabulary.of([("partnet", "Chair", ["seat", "", "seat"])])
    vocabulary = unify(one_chair, Bag(), Judge()).vocabulary
    assert vocabulary.parts("chair") == ["seat"]
    assert vocabulary.entries["chair"].parts["seat"].count == 1


def test_categories_are_judged_before_their_parts() -> None:
    judge = Judge(MICROWAVE_JUDGE)
    unify(MICROWAVES, Bag(), judge)
    prompts = [prompt for prompt, _ in judge.asked]
    assert prompts.index("same_category") < prompts.index("describe_part")
    assert {v["category"] for prompt, v in judge.asked if prompt == "describe_part"} == {"microwave oven"}


def test_stages() -> None:
    """The lower threshold holds for names that no data set uses both of, and for no others."""
    names = raw(("partnet", "Chair", "back_rod_left_upper_thin_a back_rod_left_upper_thin_b arm"),
                ("compat", "chair", "seat_arm"), ("compat", "chair", "lever"))  # fmt: skip
    pairs = {(p.a, p.b): p for p in unify(names, Bag(), Judge(), 0.87, 0.6).pairs}
    assert pairs["back_rod_left_upper_thin_a", "back_rod_left_upper_thin_b"].stage == "embedding"
    assert pairs["arm", "seat_arm"].stage == "review"
    one_data_set = raw(("partnet", "Chair", "arm seat_arm"))
    assert unify(one_data_set, Bag(), Judge(), 0.95, 0.6).pairs == ()


def test_resolve_is_total_and_idempotent() -> None:
    vocabulary = unify(MICROWAVES, Bag(), Judge(MICROWAVE_JUDGE)).vocabulary
    for _, category, part in MICROWAVES.parts:
        once = vocabulary.resolve(category, part)
        assert vocabulary.has(category, part) and vocabulary.resolve(*once) == once
        assert vocabulary.description(category, part) == vocabulary.description(*once)


def test_unknown_names() -> None:
    vocabulary = unify(MICROWAVES, Bag(), Judge(MICROWAVE_JUDGE)).vocabulary
    assert not vocabulary.has("toaster") and not vocabulary.has("microwave", "wheel")
    with pytest.raises(AlignPartsError, match="category 'toaster'.*nearest: microwave"):
        vocabulary.parts("toaster")
    with pytest.raises(AlignPartsError, match="part 'handel' of 'microwave'.*nearest: handle"):
        vocabulary.resolve("microwave", "handel")


def test_merging_the_merged_changes_nothing() -> None:
    judge = Judge(MICROWAVE_JUDGE)
    once = unify(MICROWAVES, Bag(), judge).vocabulary
    twice = unify(canonical_names(once), Bag(), judge).vocabulary
    assert summary(twice) == summary(once)


def canonical_names(vocabulary: Vocabulary) -> RawVocabulary:
    """The names of a unified vocabulary, as if its data sets used them."""
    raw = RawVocabulary()
    for category, part, aliases in vocabulary.groups():
        for alias in aliases:
            if part:
                key = alias.dataset, category, part
                raw.parts[key] = raw.parts.get(key, 0) + alias.count
            else:
                of = alias.dataset, category
                raw.categories[of] = raw.categories.get(of, 0) + alias.count
    return raw


def summary(vocabulary: Vocabulary) -> dict[str, object]:
    """Canonical names with what they mean and how often they are, without the names that became them."""
    return {
        category: (entry.description, entry.count, {
            part: (one.description, one.count) for part, one in entry.parts.items()
        })
        for category, entry in vocabulary.entries.items()
    }  # fmt: skip


def random_pairs(rng: random.Random) -> tuple[list[str], list[Pair]]:
    names = [f"{'x' * rng.randint(1, 4)}{number}" for number in range(rng.randint(2, 9))]
    pairs = [
        Pair("chair", a, b, round(rng.random(), 1), 0.0, "review", rng.random() < 0.5, "drawn at random")
        for a, b in combinations(sorted(names), 2)
        if rng.random() < 0.7
    ]
    return names, pairs


@pytest.mark.parametrize("seed", range(60))
def test_groups_of_random_verdicts(seed: int) -> None:
    rng = random.Random(seed)
    names, pairs = random_pairs(rng)
    groups, conflicts = group(names, pairs)
    owner = {name: members for members in groups for name in members}
    assert sorted(name for members in groups for name in members) == sorted(names)  # each in one group
    for pair in pairs:
        if not pair.same:
            assert owner[pair.a] != owner[pair.b]  # what was kept apart stays apart
    apart = [pair for pair in pairs if pair.same and owner[pair.a] != owner[pair.b]]
    assert len(conflicts) == len(apart)
    for pair in apart:
        assert any(f"'{pair.a}' = '{pair.b}'" in conflict for conflict in conflicts)
    for _ in range(5):
        rng.shuffle(names)
        rng.shuffle(pairs)
        assert group(names, pairs) == (groups, conflicts)  # whatever the order
    if not conflicts:
        heads = [members[0] for members in groups]
        left = [pair for pair in pairs if {pair.a, pair.b} <= set(heads)]
        assert group(heads, left)[0] == sorted((head,) for head in heads)  # idempotent


def test_without_rejections_groups_are_connected_components() -> None:
    same = [("a", "b"), ("b", "cc"), ("d", "e")]
    pairs = [Pair("", a, b, 0.9, 0.0, "embedding", True, "same thing") for a, b in same]
    assert group(["a", "b", "cc", "d", "e", "f"], pairs)[0] == [("a", "b", "cc"), ("d", "e"), ("f",)]


def test_a_rejected_pair_is_not_joined_through_a_third_name() -> None:
    pairs = [
        Pair("car", "bumper", "front_bumper", 0.9, 0.0, "embedding", True, "a bumper"),
        Pair("car", "bumper", "rear_bumper", 0.8, 0.0, "embedding", True, "a bumper"),
        Pair("car", "front_bumper", "rear_bumper", 0.9, 0.0, "embedding", False, "front and rear"),
    ]
    groups, (conflict,) = group(["bumper", "front_bumper", "rear_bumper"], pairs)
    assert groups == [("bumper", "front_bumper"), ("rear_bumper",)]
    assert "'bumper' = 'rear_bumper' of 'car' is left out" in conflict
    assert "'front_bumper' and 'rear_bumper'" in conflict


WORDS = ("leg", "seat", "chair", "arm", "pad", "rest", "top")


def random_vocabulary(rng: random.Random) -> tuple[list[tuple[str, str, list[str]]], Judge]:
    """Shapes of three data sets with names of one to three words, and verdicts that do not contradict."""
    names = ["_".join(rng.sample(WORDS, rng.randint(1, 3))) for _ in range(9)]
    shapes = [
        (
            rng.choice(["p", "c", "f"]),
            rng.choice(["Chair", "chair", "arm_chair"]),
            [*rng.sample(names, 3), ""],
        )
        for _ in range(14)
    ]
    kinds = {name: rng.randrange(5) for name in names}
    same = {
        (a.replace("_", " "), b.replace("_", " "))
        for a, b in combinations(sorted(set(names)), 2)
        if kinds[a] == kinds[b]
    }
    return shapes, Judge(same | {("arm chair", "chair")} if rng.random() < 0.5 else same)


@pytest.mark.parametrize("seed", range(25))
def test_properties_of_the_merge(seed: int) -> None:
    rng = random.Random(seed)
    shapes, judge = random_vocabulary(rng)
    counted = RawVocabulary.of(shapes)
    result = unify(counted, Bag(), judge, 0.7, 0.4)
    vocabulary = result.vocabulary
    # Order: shapes and the tables' rows in any order give the same.
    rng.shuffle(shapes)
    rows = list(RawVocabulary.of(shapes).parts.items())
    rng.shuffle(rows)
    assert unify(RawVocabulary(counted.categories, dict(rows)), Bag(), judge, 0.7, 0.4) == result
    # Total: every name resolves, and what it resolves to resolves to itself.
    for _, category, parts in shapes:
        for part in filter(None, parts):
            canonical = vocabulary.resolve(category, part)
            assert vocabulary.resolve(*canonical) == canonical
    # Counts: of every canonical part those of its names, overall those of all names.
    for category, entry in vocabulary.entries.items():
        for part, one in entry.parts.items():
            assert one.count == sum(
                count for (_, c, p), count in counted.parts.items()
                if vocabulary.resolve(c, p) == (category, part)
            )  # fmt: skip
    assert sum(entry.count for entry in vocabulary.entries.values()) == len(shapes)
    assert sum(one.count for entry in vocabulary.entries.values() for one in entry.parts.values()) == sum(
        counted.parts.values()
    )
    # Idempotent.
    assert result.conflicts == ()
    assert summary(unify(canonical_names(vocabulary), Bag(), judge, 0.7, 0.4).vocabulary) == summary(
        vocabulary
    )


def test_every_text_is_embedded_once() -> None:
    calls: list[list[str]] = []

    class Counting(Bag):
        def encode(self, texts: Sequence[str]) -> np.ndarray:
            calls.append(list(texts))
            return super().encode(texts)

    rooms = raw(*((f"d{n}", f"Room{n}", "wall door floor") for n in range(6)))
    unify(rooms, Counting(), Judge())
    assert len(calls) == 2  # the categories, then the parts of all of them
    assert all(len(texts) == len(set(texts)) for texts in calls)
    assert list(embed(Bag(), ["b", "a", "b"])) == ["a", "b"]


def test_files(tmp_path: Path) -> None:
    vocabulary = unify(MICROWAVES, Bag(), Judge(MICROWAVE_JUDGE)).vocabulary
    vocabulary.save(tmp_path / "deep" / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "deep" / "vocabulary.json") == vocabulary
    vocabulary.save_aliases(tmp_path / "aliases.csv")
    with (tmp_path / "aliases.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["dataset"] for row in rows} == {"partnet", "compat"}
    for row in rows:
        if row["part"]:
            canonical = row["canonical_category"], row["canonical_part"]
            assert vocabulary.resolve(row["category"], row["part"]) == canonical
        else:
            assert vocabulary.resolve_category(row["category"]) == row["canonical_category"]


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(AlignPartsError, match="no such vocabulary"):
        Vocabulary.load(tmp_path / "vocabulary.json")
    for content in (b"", b"{", b'{"entries": 3}', b"\xff\xfe"):
        (tmp_path / "vocabulary.json").write_bytes(content)
        with pytest.raises(AlignPartsError, match="not a vocabulary"):
            Vocabulary.load(tmp_path / "vocabulary.json")


def test_wrong_input() -> None:
    with pytest.raises(AlignPartsError, match="names no category"):
        unify(raw(), Bag(), Judge())
    with pytest.raises(AlignPartsError, match="review_threshold"):
        unify(MICROWAVES, Bag(), Judge(), 0.5, 0.6)


def test_without_any_reply_only_categories_can_be_asked_for(tmp_path: Path) -> None:
    llm = LanguageModel(replies=tmp_path)
    missing = unify(MICROWAVES, Bag(), llm, partial=True).missing
    assert [request for request, settled in missing if settled] == [
        Request("describe_category", {"category": "microwave"}),
        Request("describe_category", {"category": "microwave oven"}),
    ]
    with pytest.raises(AlignPartsError, match="no recorded reply"):
        unify(MICROWAVES, Bag(), llm)
    assert unify(MICROWAVES, Bag(), Judge(), partial=True).missing == ()


def test_missing_replies_are_listed_and_never_guessed() -> None:
    """Of two data sets' microwaves, neither the handle of one nor any verdict on a handle is on record."""
    lacks = {"handle", "door handle"}
    recorded = Part(
        MICROWAVE_JUDGE,
        lambda prompt, v: v.get("part") != "handle" and not {v.get("a"), v.get("b")} & lacks,
    )
    result = unify(MICROWAVES, Bag(), recorded, 0.85, 0.5, partial=True)
    assert result.vocabulary.parts("microwave") == ["body", "door_glass", "door_handle", "handle"]
    assert result.vocabulary.entries["microwave_oven"].parts["handle"].description == ""
    assert result.vocabulary.description("microwave", "handle") == "handle"
    pairs = {(pair.a, pair.b): pair for pair in result.pairs if pair.category}
    open_pair = pairs["door_handle", "handle"]
    assert not open_pair.decided and not open_pair.same and open_pair.description_cosine == 0
    assert open_pair.cosine == open_pair.name_cosine > 0.5
    assert pairs["door_glass", "glass"].decided and pairs["door_glass", "glass"].same
    requests = [(one.prompt, one.variables.get("part"), settled) for one, settled in result.missing]
    assert ("describe_part", "handle", True) in requests
    assert {one.prompt for one, _ in result.missing} == {"describe_part", "same_part"}
    with pytest.raises(AssertionError):
        unify(MICROWAVES, Bag(), recorded, 0.85, 0.5)


def test_nothing_below_an_open_category_is_settled() -> None:
    recorded = Part(MICROWAVE_JUDGE, lambda prompt, v: prompt == "describe_category")
    result = unify(MICROWAVES, Bag(), recorded, partial=True)
    assert result.vocabulary.categories == ["microwave", "microwave_oven"]
    settled = {(one.prompt, settled) for one, settled in result.missing}
    assert settled == {("same_category", True), ("describe_part", False)}


def test_a_group_without_a_chosen_name_takes_its_longest() -> None:
    recorded = Part(MICROWAVE_JUDGE, lambda prompt, v: not prompt.startswith("name"))
    result = unify(MICROWAVES, Bag(), recorded, partial=True)
    assert result.vocabulary.parts("microwave") == ["body", "door_glass", "door_handle"]
    assert {(one.prompt, settled) for one, settled in result.missing} == {
        ("name_category", True), ("name_part", False),
    }  # fmt: skip


def test_a_pair_without_a_verdict_neither_joins_nor_keeps_apart() -> None:
    pairs = [
        Pair("", "a", "b", 0.9, 0.0, "embedding", True, "same thing"),
        Pair("", "b", "c", 0.9, 0.0, "embedding", True, "same thing"),
        Pair("", "a", "c", 0.9, 0.0, "embedding", decided=False),
        Pair("", "c", "d", 0.9, 0.0, "embedding", decided=False),
    ]
    assert group(["a", "b", "c", "d"], pairs) == ([("a", "b", "c"), ("d",)], [])


def test_declared_names_count_nothing() -> None:
    shapes = raw(("partnet", "Chair", "seat"), ("compat", "chair", "seat"))
    declared = RawVocabulary(
        {("partnet", "chair"): 0, ("partnet", "Lamp"): 0},
        {
            ("partnet", "chair", "chair/Seat"): 0,
            ("partnet", "chair", "arm"): 0,
            ("partnet", "Lamp", "bulb"): 0,
        },
    )
    both = shapes.with_declared(declared)
    assert both.categories == {("partnet", "Chair"): 1, ("compat", "chair"): 1, ("partnet", "Lamp"): 0}
    assert both.parts == {
        ("partnet", "Chair", "seat"): 1, ("compat", "chair", "seat"): 1,
        ("partnet", "chair", "arm"): 0, ("partnet", "Lamp", "bulb"): 0,
    }  # fmt: skip
    vocabulary = unify(both, Bag(), Judge()).vocabulary
    assert vocabulary.parts("chair") == ["arm", "seat"] and vocabulary.entries["chair"].count == 2


# The recorded replies, with the real encoder.


@pytest.fixture(scope="module")
def embedded() -> Unification:
    from alignparts.ontology.text import TextEncoder

    settings = load_params().ontology
    return unify(
        RawVocabulary.of_dialects(),
        TextEncoder.from_name(settings.text_encoder),
        LanguageModel(),
        settings.threshold,
        settings.review_threshold,
    )


def test_every_request_of_the_embedded_corpus_is_on_record(embedded: Unification) -> None:
    assert embedded.conflicts == ()
    for dataset, category, part in RawVocabulary.of_dialects().parts:
        canonical = embedded.vocabulary.resolve(category, part)
        assert embedded.vocabulary.resolve(*canonical) == canonical, dataset
        assert len(embedded.vocabulary.description(category, part).split()) >= 6


def test_rods_of_a_chairs_back_stay_apart() -> None:
    """Section 9.4's own example; the embedded corpus has bars instead of rods."""
    from alignparts.ontology.text import TextEncoder

    rods = ("back_frame_horizontal_rod", "back_frame_vertical_rod")
    chair = RawVocabulary.of([("partnet", "Chair", rods)])
    result = unify(chair, TextEncoder.from_name(), LanguageModel())
    assert result.vocabulary.parts("chair") == list(rods)
    (pair,) = result.pairs
    assert pair.stage == "embedding" and "orientation" in pair.reason


def test_descriptions_of_one_category_are_all_different(embedded: Unification) -> None:
    for category in embedded.vocabulary.categories:
        parts = embedded.vocabulary.parts(category)
        assert len({embedded.vocabulary.description(category, part) for part in parts}) == len(parts), (
            category
        )


WORKED = [
    # (category, one name, other name, merged): sections 4.1 and 9.4; an empty category: categories themselves
    ("", "microwave", "microwave_oven", True),
    ("", "laptop", "laptop_computer", True),
    ("bed", "footboard", "bed_footboard", True),
    ("microwave_oven", "glass", "door_glass", True),
    ("microwave_oven", "handle", "door_handle", True),
    ("car", "car_front_bumper", "car_rear_bumper", False),
    ("chair", "back_frame_horizontal_bar", "back_frame_vertical_bar", False),
    ("bed", "bed_side_surface_horizontal_bar", "bed_side_surface_vertical_bar", False),
]


@pytest.mark.parametrize(("category", "a", "b", "merged"), WORKED)
def test_the_papers_worked_examples(
    embedded: Unification, category: str, a: str, b: str, merged: bool
) -> None:
    pair = {(p.category, p.a, p.b): p for p in embedded.pairs}[(category, *sorted((a, b)))]
    assert pair.same is merged
    vocabulary = embedded.vocabulary
    if category:
        assert (vocabulary.resolve(category, a) == vocabulary.resolve(category, b)) is merged
    else:
        assert (vocabulary.resolve_category(a) == vocabulary.resolve_category(b)) is merged
    if merged:  # the more descriptive name is the canonical one
        resolved = vocabulary.resolve(category, a)[1] if category else vocabulary.resolve_category(a)
        assert resolved == max(a, b, key=len)
