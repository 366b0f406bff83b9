"""What goes over HTTP: requests as pydantic models, answers as JSON content."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from pydantic import BaseModel, ConfigDict, Field

from alignparts.pictures.palette import Color
from texparts.annotation.annotation import UNLABELED
from texparts.annotation.colors import object_colors
from texparts.annotation.edits import (
    DESCRIPTION_LENGTH,
    NAME_LENGTH,
    Accept,
    Add,
    Category,
    Delete,
    Edit,
    Merge,
    Paint,
    Rename,
    Restore,
    Split,
)
from texparts.review.models import EventRecord, NameHit, Order, Progress, TaskState, Verdict


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NextBody(_Body):
    """In which order to take objects; None: as the server was started."""

    order: Order | None = None


class EventBody(_Body):
    """An edit; its content is checked by :func:`texparts.annotation.edits.read_edit`."""

    id: str = Field(max_length=36)
    seq: int = Field(ge=0)
    edit: dict[str, Any]


class SplitBody(_Body):
    """A split whose groups the server finds."""

    id: str = Field(max_length=36)
    seq: int = Field(ge=0)
    part: int
    by: Literal["component", "cluster"]
    clusters: int = 0


class BeatBody(_Body):
    """A sign of life."""

    active: bool


class SubmitBody(_Body):
    """A task handed in."""

    verdict: Verdict
    note: str = Field("", max_length=DESCRIPTION_LENGTH)
    second_opinion: bool = False


class AskBody(_Body):
    """How many annotators are to hand the object in."""

    opinions: int = Field(ge=1, le=100)


class NameBody(_Body):
    """A new part name."""

    category: str = Field(min_length=1, max_length=NAME_LENGTH)
    name: str = Field(min_length=1, max_length=NAME_LENGTH)
    description: str = Field("", max_length=DESCRIPTION_LENGTH)


def state_json(state: TaskState, areas: Float32[np.ndarray, " faces"], title: str = "") -> dict[str, Any]:
    """A task's state; parts that nobody confirmed come first, the least certain one at the top.

    Args:
        state: of the task.
        areas: of the object's faces.
        title: the author's name of the object.
    """
    annotation = state.annotation
    shifted = annotation.face_part + 1
    counts = np.bincount(shifted, minlength=annotation.next_id + 1)
    sums = np.bincount(shifted, weights=areas, minlength=annotation.next_id + 1)
    colors = object_colors(frozenset(part.name for part in annotation.parts))
    total = max(float(areas.sum()), 1e-30)
    parts = [
        {
            "id": part.id,
            "name": part.name,
            "description": part.description,
            "confidence": part.confidence,
            "mask_confidence": part.mask_confidence,
            "accepted": part.accepted,
            "faces": int(counts[part.id + 1]),
            "area": round(float(sums[part.id + 1]) / total, 6),
            "color": hex_color(colors[part.name]),
        }
        for part in sorted(annotation.parts, key=lambda part: (part.accepted, part.confidence, part.id))
    ]
    return {
        "task": state.task.id,
        "object_id": state.task.object_id,
        "title": title,
        "category": annotation.category,
        "status": state.status,
        "seq": state.seq,
        "can_undo": state.can_undo,
        "can_redo": state.can_redo,
        "expires": state.expires.isoformat(),
        "seconds": state.seconds,
        "faces": len(annotation.face_part),
        "unlabeled": int(counts[UNLABELED + 1]),
        "parts": parts,
    }


def hex_color(color: Color) -> str:
    """A color as a style sheet writes it."""
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in color)


def history_json(record: EventRecord, names: Mapping[int, str]) -> dict[str, Any]:
    """One event, in words.

    Args:
        record: the event.
        names: of the parts before it.
    """
    return {
        "seq": record.seq,
        "who": record.who,
        "at": record.at.isoformat(),
        "kind": record.edit.kind,
        "edit": summary(record.edit, names),
    }


def summary(edit: Edit, names: Mapping[int, str]) -> str:
    """An edit in a few words."""

    def named(*parts: int) -> str:
        return ", ".join(names.get(part, str(part)) for part in parts)

    match edit:
        case Accept():
            return f"accept {named(*edit.parts)}"
        case Rename():
            return f"rename {named(edit.part)} to {edit.name}"
        case Merge():
            return (
                f"merge {named(*(part for part in edit.parts if part != edit.into))} into {named(edit.into)}"
            )
        case Split():
            return f"split {named(edit.part)} into {len(edit.groups) + 1}"
        case Delete():
            return f"delete {named(edit.part)}"
        case Paint():
            faces = f"{sum(edit.faces[1::2])} faces"
            return f"erase {faces}" if edit.part == UNLABELED else f"paint {named(edit.part)}: {faces}"
        case Add():
            return f"add {edit.name}"
        case Category():
            return f"category {edit.category}"
        case Restore():
            return f"go back to {edit.seq}"
        case _:
            return edit.kind


def hit_json(hit: NameHit) -> dict[str, Any]:
    """A name to choose."""
    return asdict(hit)


def progress_json(progress: Progress) -> dict[str, Any]:
    """How far the review is."""
    return asdict(progress)
