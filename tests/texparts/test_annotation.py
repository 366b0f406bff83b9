"""Edits of an annotation against a naive model of what they mean."""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alignparts.core.errors import AlignPartsError
from texparts.annotation.annotation import Annotation, History, Part, apply
from texparts.annotation.edits import (
    Accept,
    Add,
    Category,
    Delete,
    Merge,
    Paint,
    Redo,
    Rename,
    Restore,
    Split,
    Undo,
    clean_name,
    faces_of,
    read_edit,
    runs_of,
)


def prediction() -> Annotation:
    face_part = np.array([0, 0, 0, 1, 1, 2, 2, 2, -1, -1], np.int32)
    parts = tuple(Part(i, name, confidence=0.4) for i, name in enumerate(["seat", "leg", "arm"]))
    return Annotation("chair", face_part, parts, 3)


@given(st.sets(st.integers(0, 60)))
def test_runs_hold_the_faces_they_were_made_of(faces: set[int]) -> None:
    runs = runs_of(list(faces))
    assert faces_of(runs, 61).tolist() == sorted(faces)


@pytest.mark.parametrize("runs", [(0,), (0, 0), (3, 2, 4, 1), (-1, 2), (8, 3), (5, 1, 2, 1)])
def test_bad_runs_are_refused(runs: tuple[int, ...]) -> None:
    with pytest.raises(AlignPartsError, match="faces"):
        faces_of(runs, 10)


def test_every_edit_does_what_it_says() -> None:
    start = prediction()
    assert apply(start, Rename(part=1, name="  front\nleg ")).part(1).name == "front leg"
    merged = apply(start, Merge(parts=(0, 2), into=2))
    assert merged.face_part.tolist() == [2, 2, 2, 1, 1, 2, 2, 2, -1, -1]
    assert [part.id for part in merged.parts] == [1, 2]
    split = apply(start, Split(part=2, groups=((5, 1), (7, 1))))
    assert split.face_part.tolist() == [0, 0, 0, 1, 1, 3, 2, 4, -1, -1]
    assert [part.name for part in split.parts] == ["seat", "leg", "arm", "arm", "arm"]
    deleted = apply(start, Delete(part=0))
    assert deleted.face_part.tolist() == [-1, -1, -1, 1, 1, 2, 2, 2, -1, -1]
    painted = apply(start, Paint(part=1, faces=(2, 1, 8, 1)))
    assert painted.face_part.tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 1, -1]
    assert apply(start, Paint(part=-1, faces=(0, 10))).face_part.max() == -1
    added = apply(deleted, Add(name="cushion", faces=(0, 2)))
    assert added.face_part[:2].tolist() == [3, 3]
    assert apply(start, Category(category="stool")).category == "stool"
    accepted = apply(start, Accept(parts=(0,)))
    assert [part.accepted for part in accepted.parts] == [True, False, False]
    assert accepted.part(0).confidence == 1.0
    assert start.face_part.tolist() == prediction().face_part.tolist()


@pytest.mark.parametrize(
    "edit",
    [
        Rename(part=9, name="x"),
        Rename(part=0, name=" \n "),
        Merge(parts=(0, 9), into=0),
        Merge(parts=(0, 1), into=2),
        Merge(parts=(0, 0), into=0),
        Split(part=0, groups=((3, 1),)),
        Split(part=0, groups=((0, 1), (0, 2))),
        Split(part=0, groups=((),)),
        Delete(part=-1),
        Paint(part=9, faces=(0, 1)),
        Paint(part=0, faces=(9, 2)),
        Undo(),
        Redo(),
        Restore(seq=1),
    ],
)
def test_an_edit_that_does_not_fit_leaves_the_history_alone(edit: object) -> None:
    history = History(prediction())
    with pytest.raises(AlignPartsError):
        history.append(edit)  # type: ignore[arg-type]
    assert history.seq == 0 and not history.can_undo


def test_an_id_is_never_used_again() -> None:
    history = History(prediction())
    for edit in (Add(name="a"), Delete(part=3), Add(name="b")):
        history.append(edit)
    assert history.present.parts[-1].id == 4


edits = st.one_of(
    st.builds(Paint, part=st.integers(-1, 2), faces=st.just((4, 3))),
    st.builds(Rename, part=st.integers(0, 2), name=st.sampled_from(["a", "b"])),
    st.builds(Merge, parts=st.just((0, 1)), into=st.sampled_from([0, 1])),
    st.builds(Delete, part=st.integers(0, 2)),
    st.builds(Add, name=st.just("new"), faces=st.just((0, 2))),
    st.just(Undo()),
    st.just(Redo()),
    st.builds(Restore, seq=st.integers(0, 5)),
)


@settings(max_examples=200)
@given(st.lists(edits, max_size=12))
def test_undo_and_redo_agree_with_two_plain_lists(sequence: list) -> None:
    history = History(prediction())
    past, future, states, taken = [prediction()], [], [prediction()], []
    for edit in sequence:
        try:
            history.append(edit)
        except AlignPartsError:
            continue
        taken.append(edit)
        if isinstance(edit, Undo):
            future.append(past.pop())
        elif isinstance(edit, Redo):
            past.append(future.pop())
        else:
            past.append(states[edit.seq] if isinstance(edit, Restore) else apply(past[-1], edit))
            future = []
        states.append(past[-1])
    present = history.present
    assert present.parts == past[-1].parts
    assert present.face_part.tolist() == past[-1].face_part.tolist()
    used = set(np.unique(present.face_part).tolist()) - {-1}
    assert used <= {part.id for part in present.parts}
    assert history.seq == len(taken)


def test_an_edit_reads_back_from_its_json() -> None:
    for edit in (Merge(parts=(0, 2), into=0), Paint(part=-1, faces=(1, 2)), Undo(), Restore(seq=2)):
        assert read_edit(edit.model_dump_json()) == edit


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"kind": "paint", "part": 0}, "faces"),
        ({"kind": "explode"}, "edit"),
        ({"kind": "rename", "part": 0, "name": "x" * 10_000}, "name"),
        ({"kind": "undo", "extra": 1}, "extra"),
        ("rename", "edit"),
    ],
)
def test_what_is_no_edit_is_named(content: object, key: str) -> None:
    with pytest.raises(AlignPartsError, match=key):
        read_edit(json.dumps(content))


def test_names_lose_what_cannot_be_printed() -> None:
    assert clean_name("seat\x00\u202e  back") == "seat back"
    with pytest.raises(AlignPartsError, match="name"):
        clean_name("\x00")


def test_a_long_session_on_a_large_mesh_keeps_its_strokes_alone() -> None:
    faces = 200_000
    history = History(Annotation("ball", np.zeros(faces, np.int32), (Part(0, "a"), Part(1, "b")), 2))
    tracemalloc.start()
    for number in range(100):
        history.append(Paint(part=1, faces=(1000 * number, 500)))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 4 * faces * 4  # a hundred whole states would be a hundred times this
    assert history.after(50).face_part.sum() == 50 * 500


def test_descriptions_are_cleaned_as_names_are() -> None:
    dirty = " a\u202e\x00b\x1bc\nd "
    before = Annotation("box", np.zeros(2, np.int32), (Part(0, "lid"),), 1)
    for edit in (Rename(part=0, name="lid", description=dirty), Add(name="lid", description=dirty)):
        assert apply(before, edit).parts[-1].description == "a  b c\nd"
