"""Records and errors of the review."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from alignparts.core.errors import AlignPartsError
from texparts.annotation.agreement import Agreement
from texparts.annotation.annotation import Annotation
from texparts.annotation.edits import Edit
from texparts.annotation.objects import OBJECT_ID

Verdict = Literal["done", "rejected"]
Status = Literal["open", "lost", "released", "done", "rejected"]
"""open: being worked on; lost: somebody else took the object over; released: given back unfinished."""


class StoreUnavailable(AlignPartsError):
    """The database cannot be read or written at the moment; the same call works once it is back."""


class StaleState(AlignPartsError):
    """An edit was made on an outdated state (the task has ``seq`` events now); nothing was stored."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        super().__init__(f"the object was changed elsewhere (it has {seq} edits now); take the new state")


class LeaseLost(AlignPartsError):
    """The object is no longer the annotator's; the edits so far stay stored."""


class TaskClosed(AlignPartsError):
    """The task was handed in before; take the object again to change it."""


class Taken(AlignPartsError):
    """The object is somebody else's at the moment, or has all the opinions it needs."""


class NotFound(AlignPartsError):
    """The object or task does not exist, or is somebody else's."""


class PredictionChanged(AlignPartsError):
    """The edits began with another prediction than the object's folder holds now."""


class QueueEntry(BaseModel):
    """An object that waits for review.

    Attributes:
        object_id: name of its folder.
        rank: place in the queue; the lowest is given out first unless another order is asked for.
        category: predicted category.
        confidence: mean confidence of the parts, the key of all other orders.
        opinions: number of annotators that are to hand it in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    object_id: str = Field(pattern=OBJECT_ID)
    rank: float = Field(allow_inf_nan=False)
    category: str = Field("", max_length=120)
    confidence: float = Field(0.0, ge=0, le=1)
    opinions: int = Field(1, ge=1, le=100)


@dataclass(frozen=True)
class Annotator:
    """A person who reviews; ``revoked_at`` is None while the token works."""

    id: int
    name: str
    admin: bool
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True)
class Task:
    """One annotator's work on one object; at most one task exists per pair.

    Attributes:
        id: number of the task.
        object_id: name of the object's folder.
        category: predicted category.
        status: state of the work.
        seq: number of events so far.
        expires: moment from which others may take the object over, unless something is done before.
    """

    id: int
    object_id: str
    category: str
    status: Status
    seq: int
    expires: datetime


@dataclass(frozen=True)
class TaskState(Task):
    """A task as it is now, with the active ``seconds`` spent on it."""

    annotation: Annotation
    can_undo: bool
    can_redo: bool
    seconds: float


@dataclass(frozen=True)
class EventRecord:
    """An edit with its author and time; ``seq`` counts the events of one task from 1."""

    id: str
    task: int
    seq: int
    who: str
    at: datetime
    edit: Edit


@dataclass(frozen=True)
class NameHit:
    """A part name that fits a query.

    Attributes:
        name: canonical name, or one that a person added.
        description: description of the part and its purpose.
        category: category of the objects that have the part.
        synonym: other name that fits; None if the name itself fits.
    """

    name: str
    description: str
    category: str
    synonym: str | None = None


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
        category: category of the final annotation.
        annotation: annotation of the final opinion: the first not handed in after a lost lease, if any.
        annotators: names of those who handed it in, the final one first.
        seconds: active time of all opinions together.
        status: verdict of the final opinion.
        note: note of the final opinion.
        agreement: mean over pairs of opinions that are "done"; None with fewer than two.
        opinions: all opinions, the final one first.
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
    """Counts and active seconds of one annotator's work."""

    name: str
    done: int
    rejected: int
    seconds: float


@dataclass(frozen=True)
class Progress:
    """State of the whole review.

    Attributes:
        objects: number of objects in the queue.
        done: number of objects whose final opinion is "done".
        rejected: number of objects whose final opinion is "rejected".
        open: number of objects that somebody works on.
        waiting: number of objects that need an opinion which nobody works on.
        seconds: active time of all tasks.
        seconds_per_object: median over opinions that were handed in; None before the first.
        agreement: mean over pairs of opinions; None without any.
        pairs: number of those pairs.
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
