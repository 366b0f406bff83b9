"""What can go wrong between an annotator and the database; each has its own way out."""

from alignparts.core.errors import AlignPartsError


class StoreUnavailable(AlignPartsError):
    """The database cannot be read or written at the moment; the same call works once it is back."""


class StaleState(AlignPartsError):
    """An edit was made on a state that is no longer the present one; nothing was stored.

    Attributes:
        seq: events that the task has now.
    """

    def __init__(self, seq: int) -> None:
        self.seq = seq
        super().__init__(
            f"the object was changed elsewhere meanwhile (it has {seq} edits); take the new state"
        )


class LeaseLost(AlignPartsError):
    """The object is no longer the annotator's; the edits so far stay stored."""


class TaskClosed(AlignPartsError):
    """The task was handed in before; take the object again to change it."""


class Taken(AlignPartsError):
    """The object is somebody else's at the moment, or has all the opinions it needs."""


class NotFound(AlignPartsError):
    """No such object or task, or it is somebody else's."""


class PredictionChanged(AlignPartsError):
    """The edits began with another prediction than the object's folder holds now."""
