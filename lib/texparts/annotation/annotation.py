"""What a person says about one object: named parts over faces, and how edits change them.

An annotation is never changed in place: an edit makes a new one, and :func:`replay` makes the present one
from the prediction and all edits so far.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int32

from alignparts.core.errors import AlignPartsError
from texparts.annotation.edits import (
    Accept,
    Add,
    Category,
    Change,
    Delete,
    Edit,
    Merge,
    Paint,
    Redo,
    Rename,
    Restore,
    Split,
    Undo,
    clean_name,
    faces_of,
)

UNLABELED = -1


@dataclass(frozen=True)
class Part:
    """A part of one object.

    Attributes:
        id: the number in ``Annotation.face_part``; never given to another part of the object.
        name: canonical, or one that a person made up.
        description: what it is and does.
        confidence: in the name (Eq. 40); 1 where a person gave or confirmed it.
        mask_confidence: in the faces: mean probability of the partlet's mask over them.
        accepted: whether a person has confirmed or changed it, or the error bound allows to do without.
    """

    id: int
    name: str
    description: str = ""
    confidence: float = 1.0
    mask_confidence: float = 1.0
    accepted: bool = False


@dataclass(frozen=True)
class Annotation:
    """Named parts of one object.

    Attributes:
        category: what the object is.
        face_part: part id of every face, -1 unlabeled.
        parts: in the order of their ids.
        next_id: the id that the next new part gets.
    """

    category: str
    face_part: Int32[np.ndarray, " faces"]
    parts: tuple[Part, ...]
    next_id: int

    def part(self, part_id: int) -> Part:
        """The part with this id.

        Raises:
            AlignPartsError: there is none.
        """
        for part in self.parts:
            if part.id == part_id:
                return part
        known = ", ".join(str(part.id) for part in self.parts) or "none"
        raise AlignPartsError(f"part {part_id}: not in this object; expected one of {known}")


def apply(annotation: Annotation, edit: Change) -> Annotation:
    """The annotation after an edit.

    Raises:
        AlignPartsError: the edit names a part or a face that is not there, or makes no sense.
    """
    face_part, count = annotation.face_part, len(annotation.face_part)
    match edit:
        case Accept():
            for part_id in edit.parts:
                annotation.part(part_id)
            return _changed(annotation, edit.parts)
        case Rename():
            annotation.part(edit.part)
            return _changed(annotation, [edit.part], name=clean_name(edit.name), description=edit.description)
        case Merge():
            for part_id in {*edit.parts, edit.into}:
                annotation.part(part_id)
            gone = [part_id for part_id in dict.fromkeys(edit.parts) if part_id != edit.into]
            if edit.into not in edit.parts or not gone:
                raise AlignPartsError("merge: expected two parts or more, 'into' among them")
            painted = np.where(np.isin(face_part, gone), np.int32(edit.into), face_part)
            kept = tuple(part for part in annotation.parts if part.id not in gone)
            return _changed(replace(annotation, face_part=painted, parts=kept), [edit.into])
        case Split():
            return _split(annotation, edit)
        case Delete():
            annotation.part(edit.part)
            painted = np.where(face_part == edit.part, np.int32(UNLABELED), face_part)
            kept = tuple(part for part in annotation.parts if part.id != edit.part)
            return replace(annotation, face_part=painted, parts=kept)
        case Paint():
            if edit.part != UNLABELED:
                annotation.part(edit.part)
            painted = face_part.copy()
            painted[faces_of(edit.faces, count)] = edit.part
            result = replace(annotation, face_part=painted)
            return result if edit.part == UNLABELED else _changed(result, [edit.part])
        case Add():
            painted = face_part.copy()
            painted[faces_of(edit.faces, count)] = annotation.next_id
            part = Part(annotation.next_id, clean_name(edit.name), edit.description, accepted=True)
            parts = (*annotation.parts, part)
            return replace(annotation, face_part=painted, parts=parts, next_id=part.id + 1)
        case Category():
            return replace(annotation, category=clean_name(edit.category))


def replay(prediction: Annotation, edits: Iterable[Edit]) -> Annotation:
    """The present annotation: the prediction, and all edits so far in their order.

    Raises:
        AlignPartsError: an edit does not fit, or there is nothing to undo or to redo.
    """
    history = History(prediction)
    for edit in edits:
        history.append(edit)
    return history.present


@dataclass(frozen=True)
class _Step:
    """A state as what it changed in the one before: a stroke on a large mesh costs what it covers."""

    before: "_Step | None"
    faces: Int32[np.ndarray, " changed"]
    old: Int32[np.ndarray, " changed"]
    new: Int32[np.ndarray, " changed"]
    category: str
    parts: tuple[Part, ...]
    next_id: int

    @classmethod
    def between(cls, before: "_Step | None", here: Annotation, there: Annotation) -> "_Step":
        faces = np.flatnonzero(here.face_part != there.face_part).astype(np.int32)
        old, new = here.face_part[faces], there.face_part[faces]
        return cls(before, faces, old, new, there.category, there.parts, there.next_id)

    def state(self, face_part: Int32[np.ndarray, " faces"]) -> Annotation:
        return Annotation(self.category, face_part, self.parts, self.next_id)


class History:
    """An object's edits with their undo and redo: the present state, and what every edit changed."""

    def __init__(self, prediction: Annotation) -> None:
        self._prediction = prediction
        self._present = prediction
        first = _Step.between(None, prediction, prediction)
        self._after = [first]  # the state after every event
        self._done = [first]
        self._undone: list[_Step] = []

    @property
    def present(self) -> Annotation:
        """As it is now."""
        return self._present

    @property
    def seq(self) -> int:
        """Events so far."""
        return len(self._after) - 1

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return len(self._done) > 1

    @property
    def can_redo(self) -> bool:
        """Whether something was taken back."""
        return bool(self._undone)

    @property
    def parts(self) -> list[tuple[Part, ...]]:
        """The parts of the prediction, and after every event."""
        return [step.parts for step in self._after]

    def after(self, seq: int) -> Annotation:
        """The annotation after the first ``seq`` events.

        Raises:
            AlignPartsError: there are fewer.
        """
        if not 0 <= seq <= self.seq:
            raise AlignPartsError(f"restore: there are {self.seq} events; expected 0 to {self.seq}")
        last = self._after[seq]
        steps: list[_Step] = []
        step: _Step | None = last
        while step is not None:
            steps.append(step)
            step = step.before
        face_part = self._prediction.face_part.copy()
        for step in reversed(steps):
            face_part[step.faces] = step.new
        return last.state(face_part)

    def append(self, edit: Edit) -> Annotation:
        """Take an edit in; the history is as it was where it does not fit.

        Raises:
            AlignPartsError: it does not fit, or there is nothing to undo or to redo.
        """
        match edit:
            case Undo():
                if not self.can_undo:
                    raise AlignPartsError("undo: nothing to take back")
                step = self._done.pop()
                self._undone.append(step)
                face_part = _repainted(self._present.face_part, step.faces, step.old)
                self._present = self._done[-1].state(face_part)
            case Redo():
                if not self.can_redo:
                    raise AlignPartsError("redo: nothing was taken back")
                step = self._undone.pop()
                self._done.append(step)
                self._present = step.state(_repainted(self._present.face_part, step.faces, step.new))
            case Restore():
                self._push(self.after(edit.seq))
            case _:
                self._push(apply(self._present, edit))
        self._after.append(self._done[-1])
        return self._present

    def _push(self, state: Annotation) -> None:
        self._done.append(_Step.between(self._done[-1], self._present, state))
        self._undone.clear()
        self._present = state


def _repainted(
    face_part: Int32[np.ndarray, " faces"],
    faces: Int32[np.ndarray, " changed"],
    values: Int32[np.ndarray, " changed"],
) -> Int32[np.ndarray, " faces"]:
    painted = face_part.copy()
    painted[faces] = values
    return painted


def _changed(annotation: Annotation, ids: Iterable[int], **fields: Any) -> Annotation:
    """Parts that a person has touched are confirmed."""
    touched = set(ids)
    return replace(
        annotation,
        parts=tuple(
            replace(part, confidence=1.0, accepted=True, **fields) if part.id in touched else part
            for part in annotation.parts
        ),
    )


def _split(annotation: Annotation, edit: Split) -> Annotation:
    source = annotation.part(edit.part)
    painted = annotation.face_part.copy()
    new: list[Part] = []
    for group in edit.groups:
        faces = faces_of(group, len(painted))
        if not len(faces) or (painted[faces] != edit.part).any():
            raise AlignPartsError(f"split: expected groups of faces of part {edit.part} that do not overlap")
        new.append(replace(source, id=annotation.next_id + len(new), confidence=1.0, accepted=True))
        painted[faces] = new[-1].id
    parts = (*annotation.parts, *new)
    next_id = annotation.next_id + len(new)
    return _changed(replace(annotation, face_part=painted, parts=parts, next_id=next_id), [edit.part])
