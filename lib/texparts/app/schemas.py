"""Define requests as pydantic models, and answers as JSON content."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from alignparts.core.errors import AlignPartsError
from texparts.annotation import edits
from texparts.annotation.annotation import UNLABELED
from texparts.annotation.edits import DESCRIPTION_LENGTH, NAME_LENGTH, Edit
from texparts.app.drawing import object_colors
from texparts.review.models import EventRecord, TaskState, Verdict

MOST_MARKS = DESCRIPTION_LENGTH * 2 + 100
"""Quotes or brackets in an edit: a description of nothing else, its keys, and its lists."""


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EventBody(_Body):
    """An edit of the annotation after ``seq`` events."""

    id: str = Field(max_length=36)
    seq: int = Field(ge=0)
    edit: Edit


async def event(request: Request) -> EventBody:
    """Return the edit of a request, read in a thread; raises AlignPartsError with the first fault.

    It may have megabytes, of numbers: what has many texts or lists is none, and would take seconds to refuse.
    """
    content = await request.body()
    return await run_in_threadpool(_read_event, content)


def _read_event(content: bytes) -> EventBody:
    if max(map(content.count, (b'"', b"[", b"{"))) > MOST_MARKS:
        raise AlignPartsError(f"request: expected an edit, which has {MOST_MARKS} quotes or brackets at most")
    try:
        return EventBody.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(map(str, first["loc"])) or "request"
        raise AlignPartsError(f"{key}: {first['msg']}") from None


class SplitBody(_Body):
    """A split whose groups the server computes."""

    id: str = Field(max_length=36)
    seq: int = Field(ge=0)
    part: int
    by: Literal["component", "cluster"]
    clusters: int = 0


class SubmitBody(_Body):
    """A task that is handed in."""

    verdict: Verdict
    note: str = Field("", max_length=DESCRIPTION_LENGTH)
    second_opinion: bool = False


class NameBody(_Body):
    """A new part name."""

    category: str = Field(min_length=1, max_length=NAME_LENGTH)
    name: str = Field(min_length=1, max_length=NAME_LENGTH)
    description: str = Field("", max_length=DESCRIPTION_LENGTH)


def state_json(state: TaskState, areas: Float32[np.ndarray, " faces"], title: str = "") -> dict[str, Any]:
    """Return a task's state with the area share of its parts, and the author's title of the object.

    Parts that nobody confirmed come first, the least certain one at the top.
    """
    annotation, size = state.annotation, state.annotation.next_id + 1
    counts = np.bincount(annotation.face_part + 1, minlength=size)
    sums = np.bincount(annotation.face_part + 1, weights=areas, minlength=size)
    shares = sums / max(float(areas.sum()), 1e-30)
    colors = object_colors(frozenset(part.name for part in annotation.parts))
    parts = []
    for part in sorted(annotation.parts, key=lambda part: (part.accepted, part.confidence, part.id)):
        color = "#" + "".join(f"{round(255 * channel):02x}" for channel in colors[part.name])
        measures = {"faces": int(counts[part.id + 1]), "area": round(float(shares[part.id + 1]), 6)}
        parts.append({**asdict(part), **measures, "color": color})
    fields = ("object_id", "status", "seq", "can_undo", "can_redo", "seconds")
    return {
        **{name: getattr(state, name) for name in fields},
        "task": state.id, "title": title, "category": annotation.category,
        "expires": state.expires.isoformat(), "faces": len(annotation.face_part),
        "unlabeled": int(counts[UNLABELED + 1]), "parts": parts,
    }  # fmt: skip


def history_json(record: EventRecord, names: Mapping[int, str]) -> dict[str, Any]:
    """Return one event in words; ``names`` are those of the parts before it, by id."""
    at, kind, text = record.at.isoformat(), record.edit.kind, summary(record.edit, names)
    return {"seq": record.seq, "who": record.who, "at": at, "kind": kind, "edit": text}


def summary(edit: Edit, names: Mapping[int, str]) -> str:
    """Return an edit in a few words; ``names`` are those of the parts before it, by id."""

    def named(*parts: int) -> str:
        return ", ".join(names.get(part, str(part)) for part in parts)

    match edit:
        case edits.Accept(parts=parts):
            return f"accept {named(*parts)}"
        case edits.Rename():
            return f"rename {named(edit.part)} to {edit.name}"
        case edits.Merge(into=into):
            return f"merge {named(*(part for part in edit.parts if part != into))} into {named(into)}"
        case edits.Split():
            return f"split {named(edit.part)} into {len(edit.groups) + 1}"
        case edits.Delete():
            return f"delete {named(edit.part)}"
        case edits.Paint():
            faces = f"{sum(edit.faces[1::2])} faces"
            return f"erase {faces}" if edit.part == UNLABELED else f"paint {named(edit.part)}: {faces}"
        case edits.Add():
            return f"add {edit.name}"
        case edits.Category():
            return f"category {edit.category}"
        case edits.Restore():
            return f"go back to {edit.seq}"
        case _:
            return edit.kind
