"""What the review store takes and gives."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from texparts.annotation.annotation import Annotation
from texparts.annotation.edits import Edit

Order = Literal["confident", "uncertain"]
Verdict = Literal["done", "rejected"]
Status = Literal["open", "lost", "released", "done", "rejected"]
"""open: being worked on; lost: somebody else took the object over; released: given back unfinished."""


class QueueEntry(BaseModel):
    """An object that waits for review.

    Attributes:
        object_id: name of its folder.
        rank: lower comes first in the order "confident".
        category: predicted.
        confidence: lower comes first in the order "uncertain".
        opinions: how many annotators are to hand it in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    object_id: str = Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")
    rank: float = Field(allow_inf_nan=False)
    category: str = Field("", max_length=120)
    confidence: float = Field(0.0, ge=0, le=1)
    opinions: int = Field(1, ge=1, le=100)


@dataclass(frozen=True)
class Annotator:
    """Somebody who reviews."""

    id: int
    name: str
    admin: bool = False


@dataclass(frozen=True)
class AnnotatorRow:
    """An annotator in a list."""

    name: str
    admin: bool
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True)
class Task:
    """One annotator's work on one object; there is one at most for the two."""

    id: int
    object_id: str
    category: str
    status: Status
    seq: int
    expires: datetime


@dataclass(frozen=True)
class TaskState:
    """A task as it is now."""

    task: Task
    annotation: Annotation
    can_undo: bool
    can_redo: bool
    seconds: float

    @property
    def seq(self) -> int:
        """Events so far."""
        return self.task.seq

    @property
    def status(self) -> Status:
        """Of the task."""
        return self.task.status

    @property
    def expires(self) -> datetime:
        """When others may take the object over, unless something is done before."""
        return self.task.expires


@dataclass(frozen=True)
class EventRecord:
    """Who did what, and when; ``seq`` counts the events of one task from 1."""

    id: str
    task: int
    seq: int
    who: str
    at: datetime
    edit: Edit


@dataclass(frozen=True)
class NameHit:
    """A part name that fits what was typed.

    Attributes:
        name: canonical, or added by a person.
        description: what the part is and does.
        category: whose part it is.
        synonym: the other name by which it was found, None where its own was.
    """

    name: str
    description: str
    category: str
    synonym: str | None = None


@dataclass(frozen=True)
class Agreement:
    """How far two opinions on one object agree.

    Attributes:
        same: share of the area to which both give the same name (or none).
        kappa: Cohen's kappa of the names over the area: ``same`` corrected for chance.
        miou: mean of both directions.
        la_miou: the same, where names count.
    """

    same: float
    kappa: float
    miou: float
    la_miou: float


@dataclass(frozen=True)
class Opinion:
    """One annotator's finished work on an object."""

    annotator: str
    status: Status
    note: str
    seconds: float
    edits: int
    second_opinion: bool
    at: datetime


@dataclass(frozen=True)
class Submitted:
    """An object that was handed in.

    Attributes:
        object_id: name of its folder.
        category: as the final annotation has it.
        annotation: final: of the first opinion that was not handed in after a lost lease, if there is one.
        annotators: who handed it in, the final one first.
        seconds: of all opinions together.
        status: of the final one.
        note: of the final one.
        agreement: mean over pairs of opinions that are "done"; None with fewer than two.
        opinions: all of them, the final one first.
    """

    object_id: str
    category: str
    annotation: Annotation
    annotators: tuple[str, ...]
    seconds: float
    status: Status
    note: str
    agreement: Agreement | None
    opinions: tuple[Opinion, ...]


@dataclass(frozen=True)
class AnnotatorProgress:
    """What one annotator has done."""

    name: str
    done: int
    rejected: int
    seconds: float


@dataclass(frozen=True)
class Progress:
    """How far the review is.

    Attributes:
        objects: in the queue.
        done: objects whose final opinion is "done".
        rejected: objects whose final opinion is "rejected".
        open: objects that somebody works on.
        waiting: objects that still need an opinion which nobody works on.
        seconds: active, of all tasks.
        seconds_per_object: median over opinions that were handed in; None before the first.
        agreement: mean over pairs of opinions; None without any.
        pairs: that many.
        annotators: everybody who took something, by name.
    """

    objects: int
    done: int
    rejected: int
    open: int
    waiting: int
    seconds: float
    seconds_per_object: float | None
    agreement: Agreement | None
    pairs: int
    annotators: tuple[AnnotatorProgress, ...]
