"""Endless shapes: repeatable, never held out, true to the vocabulary; changes that keep what is named."""

import numpy as np
import pytest
from toy import encode

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.dialects import load_dialects
from alignparts.corpus.embedded import surface_of
from alignparts.corpus.mesh.perturb import rewound
from alignparts.corpus.shape import LabeledShape
from alignparts.model.texts import TextTable
from alignparts.ontology.vocabulary import CategoryEntry, PartEntry, Vocabulary, spelling
from alignparts.release.changes import changed_points, changed_surface
from alignparts.release.stream import Stream, swapped
from alignparts.release.train import extended
from procparts import generate

HELDOUT = ("bench", "jug")


def vocabulary() -> Vocabulary:
    """Every name that a data set gives is canonical."""
    entries: dict[str, CategoryEntry] = {}
    words = load_dialects()
    for category in words.categories:
        for dataset in words.datasets(category):
            name = spelling(words.category(category, dataset))
            given = [words.part(category, dataset, part) for part in words.categories[category].parts]
            old = entries[name].parts if name in entries else {}
            new = {spelling(part): PartEntry(description="", count=1, aliases=()) for part in given if part}
            entries[name] = CategoryEntry(description="", count=1, aliases=(), parts=old | new)
    return Vocabulary(entries=entries)


@pytest.fixture(scope="module")
def table() -> TextTable:
    return TextTable(vocabulary(), encode)


def real() -> LabeledShape:
    pieces = generate("mug", np.random.default_rng(0))
    return LabeledShape("m", "open", "goblet", "", "", [piece.part for piece in pieces], surface_of(pieces))


def test_a_shape_depends_on_seed_and_number_alone(table):
    first, again = (Stream(table, HELDOUT, seed=3) for _ in range(2))
    first.shape(0, 64)
    one, same = first.shape(5, 64), again.shape(5, 64)
    assert np.array_equal(one.points, same.points) and np.array_equal(one.part, same.part)
    assert not np.array_equal(one.points, first.shape(6, 64).points)
    assert not np.array_equal(one.points, Stream(table, HELDOUT, seed=4).shape(5, 64).points)


def test_targets_are_all_parts_of_the_category_and_points_lie_in_the_frame(table):
    stream = Stream(table, HELDOUT, name_prompt_rate=0.5)
    for number in range(24):
        shape = stream.shape(number, 128)
        category = table.categories[shape.number]
        assert len(shape.text) + len(shape.negatives) == len(table.names[category])
        assert set(shape.part[shape.part >= 0]) == set(range(len(shape.text)))
        assert np.abs(shape.points).max() < 1.1 and shape.points.dtype == np.float32
        assert shape.colors.min() >= 0 and shape.colors.max() <= 1
        assert np.allclose(np.linalg.norm(shape.normals, axis=1), 1, atol=1e-4)


def test_held_out_categories_never_come(table):
    stream = Stream(table, HELDOUT)
    words = load_dialects()
    gone = {spelling(words.category(name, data)) for name in HELDOUT for data in words.datasets(name)}
    gone -= {
        spelling(words.category(name, data)) for name in stream.categories for data in words.datasets(name)
    }
    assert gone and not gone & {table.categories[stream.shape(n, 32).number] for n in range(60)}


def test_real_shapes_come_in_their_share_under_their_own_names():
    known = extended(vocabulary(), [real()])
    assert set(known.parts("goblet")) == {spelling(name) for name in real().instances}
    assert extended(known, [real()]) == known
    table = TextTable(known, encode)
    stream = Stream(table, HELDOUT, [real()], real_share=0.5)
    share = np.mean([table.categories[stream.shape(n, 32).number] == "goblet" for n in range(80)])
    assert 0.3 < share < 0.7


def test_a_swapped_part_fills_the_box_of_the_old_one():
    rng = np.random.default_rng(0)
    pieces, others = (generate("chair", np.random.default_rng(seed), 0.0) for seed in (1, 2))
    changed = swapped(pieces, others, rng)
    assert {piece.part for piece in changed} == {piece.part for piece in pieces}
    for part in {piece.part for piece in pieces}:
        old, new = (
            np.concatenate([piece.mesh.vertices for piece in those if piece.part == part])
            for those in (pieces, changed)
        )
        thick = np.ptp(new, axis=0) > 1e-4  # a flat part stays flat
        assert np.allclose(old.min(0)[thick], new.min(0)[thick], atol=1e-5)
        assert np.allclose(old.max(0)[thick], new.max(0)[thick], atol=1e-5)


def test_changed_surfaces_keep_their_named_instances():
    pieces = generate("chair", np.random.default_rng(1), 0.0)
    names, surface = [piece.part for piece in pieces], surface_of(pieces)
    for seed in range(30):
        changed = changed_surface(surface, names, np.random.default_rng(seed))
        assert set(changed.face_part.tolist()) <= set(range(len(names)))
        kept = {names[part] for part in changed.face_part.tolist()}
        assert len(kept) >= len(set(names)) - 1 - (len(changed.faces) > len(surface.faces))
        assert changed.areas().sum() > 0 and np.isfinite(changed.vertices).all()


def test_rewinding_turns_normals_and_twice_is_nothing():
    surface = surface_of(generate("mug", np.random.default_rng(0)))
    assert np.allclose(rewound(surface).normals(), -surface.normals())
    assert np.array_equal(rewound(rewound(surface)).faces, surface.faces)


def test_changed_points_stay_points_of_their_shape():
    rng = np.random.default_rng(0)
    arrays = {
        "points": rng.uniform(-1, 1, (200, 3)),
        "normals": rng.normal(size=(200, 3)),
        "colors": rng.random((200, 3)),
    }
    arrays["normals"] /= np.linalg.norm(arrays["normals"], axis=1, keepdims=True)
    arrays = {name: values.astype(np.float32) for name, values in arrays.items()}
    for seed in range(20):
        changed = changed_points(arrays, rng.integers(-1, 4, 200), np.random.default_rng(seed))
        scale = (changed["points"] * arrays["points"]).sum() / (arrays["points"] ** 2).sum()
        assert 0.84 < scale < 1.01
        assert np.abs(changed["points"] - scale * arrays["points"]).max() < 0.03
        cosines = (changed["normals"] * arrays["normals"]).sum(1)
        assert (np.abs(cosines) > 0.8).all()


def test_the_stream_says_when_nothing_of_it_has_a_name():
    entries = {name: entry.model_copy(update={"parts": {}}) for name, entry in vocabulary().entries.items()}
    stream = Stream(TextTable(Vocabulary(entries=entries), encode), HELDOUT)
    with pytest.raises(AlignPartsError, match="does the vocabulary suit"):
        stream.shape(0, 32)
