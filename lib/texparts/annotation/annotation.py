"""Hold named parts over one object's faces, and apply the edits that change them.

An annotation is never changed in place: an edit makes a new one, and :class:`History` makes the present one
from the prediction and all edits so far.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int, Int32

from alignparts.core.errors import AlignPartsError
from texparts.annotation import edits
from texparts.annotation.edits import Change, Edit, clean_name, clean_text, faces_of

UNLABELED = -1


@dataclass(frozen=True)
class Part:
    """A part of one object.

    Attributes:
        id: number in ``Annotation.face_part``; never given to another part of the object.
        name: canonical name, or one that a person made up.
        description: description of the part and its purpose.
        confidence: confidence in the name (Eq. 40); 1 if a person gave or confirmed it.
        mask_confidence: mean probability of the partlet's mask over the faces.
        accepted: True if a person has confirmed or changed it, or if the error bound makes that unnecessary.
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
        category: category of the object.
        face_part: part id per face, -1 unlabeled.
        parts: parts in the order of their ids.
        next_id: id that the next new part gets.
    """

    category: str
    face_part: Int32[np.ndarray, " faces"]
    parts: tuple[Part, ...]
    next_id: int

    def part(self, part_id: int) -> Part:
        """Return the part with this id; raises AlignPartsError if there is none."""
        parts = {part.id: part for part in self.parts}
        if part_id not in parts:
            known = ", ".join(map(str, parts)) or "none"
            raise AlignPartsError(f"part {part_id}: not in this object; expected one of {known}")
        return parts[part_id]


def apply(annotation: Annotation, edit: Change) -> Annotation:
    """Return the annotation after an edit; raises AlignPartsError if the edit does not fit it."""
    match edit:
        case edits.Accept():
            return _confirmed(annotation, edit.parts)
        case edits.Rename():
            fields = {
                "name": clean_name(edit.name),
                "description": clean_text(edit.description, "description"),
            }
            return _confirmed(annotation, [edit.part], **fields)
        case edits.Merge():
            gone = set(edit.parts) - {edit.into}
            if edit.into not in edit.parts or not gone:
                raise AlignPartsError("merge: expected two parts or more, 'into' among them")
            for part_id in edit.parts:
                annotation.part(part_id)
            return _confirmed(_without(annotation, gone, edit.into), [edit.into])
        case edits.Split():
            return _split(annotation, edit)
        case edits.Delete():
            annotation.part(edit.part)
            return _without(annotation, {edit.part}, UNLABELED)
        case edits.Paint():
            painted = _painted(annotation, edit.faces, edit.part)
            return painted if edit.part == UNLABELED else _confirmed(painted, [edit.part])
        case edits.Add():
            description = clean_text(edit.description, "description")
            part = Part(annotation.next_id, clean_name(edit.name), description, accepted=True)
            painted = _painted(annotation, edit.faces, part.id)
            return replace(painted, parts=(*annotation.parts, part), next_id=part.id + 1)
        case edits.Category():
            return replace(annotation, category=clean_name(edit.category))


@dataclass(frozen=True)
class _Step:
    """The state after an event; of its faces, those that differ from the state before."""

    faces: Int[np.ndarray, " changed"]
    values: Int32[np.ndarray, " changed"]
    category: str
    parts: tuple[Part, ...]
    next_id: int


class History:
    """An object's edits with their undo and redo: the ``present`` state, and the changes of every edit."""

    def __init__(self, prediction: Annotation) -> None:
        self.present = self._prediction = prediction
        self._steps: list[_Step] = []
        self._done = [0]  # numbers of the events that gave the states to go back to
        self._undone: list[int] = []

    @property
    def seq(self) -> int:
        """Return the number of events so far."""
        return len(self._steps)

    @property
    def can_undo(self) -> bool:
        """Return whether there is an edit to take back."""
        return len(self._done) > 1

    @property
    def can_redo(self) -> bool:
        """Return whether an edit was taken back."""
        return bool(self._undone)

    @property
    def parts(self) -> list[tuple[Part, ...]]:
        """Return the parts of the prediction, and those after every event."""
        return [self._prediction.parts, *(step.parts for step in self._steps)]

    def after(self, seq: int) -> Annotation:
        """Return the annotation after the first ``seq`` events; raises AlignPartsError if there are fewer."""
        if not 0 <= seq <= self.seq:
            raise AlignPartsError(f"restore: there are {self.seq} events; expected 0 to {self.seq}")
        if seq == 0:
            return self._prediction
        face_part = self._prediction.face_part.copy()
        for step in self._steps[:seq]:
            face_part[step.faces] = step.values
        return Annotation(step.category, face_part, step.parts, step.next_id)

    def append(self, edit: Edit) -> Annotation:
        """Append an edit; returns the annotation after it. One that does not fit raises AlignPartsError."""
        match edit:
            case edits.Undo():
                if not self.can_undo:
                    raise AlignPartsError("undo: nothing to take back")
                self._undone.append(self._done.pop())
                state = self.after(self._done[-1])
            case edits.Redo():
                if not self.can_redo:
                    raise AlignPartsError("redo: nothing was taken back")
                self._done.append(self._undone.pop())
                state = self.after(self._done[-1])
            case _:
                state = self.after(edit.seq) if isinstance(edit, edits.Restore) else apply(self.present, edit)
                self._done.append(self.seq + 1)
                self._undone.clear()
        faces = np.flatnonzero(self.present.face_part != state.face_part)
        values = state.face_part[faces]
        self._steps.append(_Step(faces, values, state.category, state.parts, state.next_id))
        self.present = state
        return state


def _painted(annotation: Annotation, runs: edits.Runs, part_id: int) -> Annotation:
    """Give runs of faces to a part."""
    painted = annotation.face_part.copy()
    painted[faces_of(runs, len(painted))] = part_id
    return replace(annotation, face_part=painted)


def _without(annotation: Annotation, gone: set[int], into: int) -> Annotation:
    """Remove parts, and give their faces to another part or to none."""
    faces = np.isin(annotation.face_part, list(gone))
    parts = tuple(part for part in annotation.parts if part.id not in gone)
    return replace(annotation, face_part=np.where(faces, np.int32(into), annotation.face_part), parts=parts)


def _confirmed(annotation: Annotation, ids: Collection[int], **fields: Any) -> Annotation:
    """Confirm the parts that a person has touched, and set fields of them."""
    for part_id in ids:
        annotation.part(part_id)
    fields |= {"confidence": 1.0, "accepted": True}
    parts = (replace(part, **fields) if part.id in ids else part for part in annotation.parts)
    return replace(annotation, parts=tuple(parts))


def _split(annotation: Annotation, edit: edits.Split) -> Annotation:
    source = annotation.part(edit.part)
    painted = annotation.face_part.copy()
    parts = list(annotation.parts)
    for part_id, group in enumerate(edit.groups, annotation.next_id):
        faces = faces_of(group, len(painted))
        if not len(faces) or (painted[faces] != edit.part).any():
            raise AlignPartsError(f"split: expected groups of faces of part {edit.part} that do not overlap")
        parts.append(replace(source, id=part_id))
        painted[faces] = part_id
    next_id = annotation.next_id + len(edit.groups)
    result = replace(annotation, face_part=painted, parts=tuple(parts), next_id=next_id)
    return _confirmed(result, [edit.part, *range(annotation.next_id, next_id)])
