"""Define the edits of an annotation, as they are sent and stored."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Int
from pydantic import AfterValidator, BaseModel, ConfigDict, FailFast, Field, TypeAdapter, ValidationError

from alignparts.core.errors import AlignPartsError

NAME_LENGTH = 120
DESCRIPTION_LENGTH = 2000

MOST_RUNS = 1_000_000
"""Runs of an edit: every other face of a mesh of two million."""

Runs = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=2**31)], ...], Field(max_length=2 * MOST_RUNS), FailFast()
]
"""Faces as start, length, start, length, …, in ascending order, as an event stores them."""
Parts = Annotated[tuple[int, ...], Field(max_length=10_000), FailFast()]
"""Ids of parts."""


def _some(items: tuple[Any, ...]) -> tuple[Any, ...]:
    # Not min_length: its error would carry millions of wrong items along.
    if not items:
        raise ValueError("expected one at least")
    return items


Some = AfterValidator(_some)


def runs_of(faces: Int[np.ndarray, " n"] | Sequence[int]) -> Runs:
    """Return face indices, in any order, as runs."""
    ordered = np.unique(np.asarray(faces, np.int64))
    if not len(ordered):
        return ()
    breaks = np.flatnonzero(np.diff(ordered) != 1) + 1
    starts = ordered[np.concatenate([[0], breaks])]
    lengths = np.diff(np.concatenate([[0], breaks, [len(ordered)]]))
    return tuple(np.column_stack([starts, lengths]).reshape(-1).tolist())


def faces_of(runs: Sequence[int], faces: int) -> Int[np.ndarray, " n"]:
    """Return the ascending faces of runs; raises AlignPartsError if they do not fit so many faces."""
    table = np.asarray(runs, np.int64)
    if len(table) % 2:
        raise AlignPartsError("faces: expected start, length, start, length, …")
    starts, lengths = table[::2], table[1::2]
    if not len(starts):
        return np.zeros(0, np.int64)
    ends = starts + lengths
    if lengths.min() < 1 or starts[0] < 0 or ends[-1] > faces or (starts[1:] < ends[:-1]).any():
        raise AlignPartsError(f"faces: expected ascending runs of faces 0 to {faces - 1}")
    offsets = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return offsets + np.arange(int(lengths.sum()))


class _Edit(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH)]
Description = Annotated[str, Field(max_length=DESCRIPTION_LENGTH)]


class Accept(_Edit):
    """Confirm parts as they are."""

    kind: Literal["accept"] = "accept"
    parts: Annotated[Parts, Some]


class Rename(_Edit):
    """Give a part another name."""

    kind: Literal["rename"] = "rename"
    part: int
    name: Name
    description: Description = ""


class Merge(_Edit):
    """Give the faces of several parts to one of them."""

    kind: Literal["merge"] = "merge"
    parts: Parts
    into: int


class Split(_Edit):
    """Make each group of a part's faces a new part of the same name; the rest stays."""

    kind: Literal["split"] = "split"
    part: int
    groups: Annotated[tuple[Runs, ...], Field(max_length=1000), FailFast(), Some]


class Delete(_Edit):
    """Remove a part; its faces become unlabeled."""

    kind: Literal["delete"] = "delete"
    part: int


class Paint(_Edit):
    """Give faces to a part, or to none (-1)."""

    kind: Literal["paint"] = "paint"
    part: int
    faces: Annotated[Runs, Some]


class Add(_Edit):
    """Add a part with these faces, which may be none yet."""

    kind: Literal["add"] = "add"
    name: Name
    description: Description = ""
    faces: Runs = ()


class Category(_Edit):
    """Set the category of the object."""

    kind: Literal["category"] = "category"
    category: Name


class Undo(_Edit):
    """Take the last edit back."""

    kind: Literal["undo"] = "undo"


class Redo(_Edit):
    """Apply the edit again that was last taken back."""

    kind: Literal["redo"] = "redo"


class Restore(_Edit):
    """Go back to the annotation after the first ``seq`` events (0: the prediction)."""

    kind: Literal["restore"] = "restore"
    seq: int = Field(ge=0)


Change = Accept | Rename | Merge | Split | Delete | Paint | Add | Category
Edit = Annotated[Change | Undo | Redo | Restore, Field(discriminator="kind")]
_EDIT: TypeAdapter[Edit] = TypeAdapter(Edit)


def read_edit(text: str) -> Edit:
    """Return an edit from its JSON text; raises AlignPartsError, with the key, if it is none."""
    try:
        return _EDIT.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"]) or "edit"
        raise AlignPartsError(f"{key}: {first['msg']}") from None


def clean_name(name: str) -> str:
    """Return a name in printable characters, single spaces; raises AlignPartsError if empty or too long."""
    cleaned = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if not cleaned or len(cleaned) > NAME_LENGTH:
        raise AlignPartsError(f"name: expected 1 to {NAME_LENGTH} printable characters, got {len(cleaned)}")
    return cleaned


def clean_text(text: str, key: str) -> str:
    """Return free text in printable characters and line ends; raises AlignPartsError if it is too long."""
    if len(text) > DESCRIPTION_LENGTH:
        raise AlignPartsError(f"{key}: expected {DESCRIPTION_LENGTH} characters at most, got {len(text)}")
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text).strip()
