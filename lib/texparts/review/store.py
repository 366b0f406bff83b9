"""The review's memory: who works on which object, every edit, and what was handed in."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alignparts.ontology.vocabulary import Vocabulary
from texparts.annotation.geometry import Shapes
from texparts.review.database import Database
from texparts.review.events import Events
from texparts.review.leases import Leases
from texparts.review.names import Names
from texparts.review.pubsub import Change, Live
from texparts.review.queueing import Queue
from texparts.review.submissions import Submissions
from texparts.review.tokens import Tokens


def now_utc() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


class ReviewStore:
    """The parts of one review; all their methods may be called from any thread.

    Attributes:
        database: Transactions.
        shapes: Meshes of the objects.
        live: Tells within this process when a task has changed.
        queue: Objects that wait.
        tokens: Annotators, their tokens and sessions.
        leases: Who works on what.
        events: Edits.
        submissions: What was handed in.
        names: Part names to choose from.
    """

    def __init__(
        self,
        url: str,
        root: Path,
        lease_seconds: float = 900.0,
        *,
        vocabulary: Vocabulary | None = None,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        """Open a database, and make its tables if need be.

        Args:
            url: ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``.
            root: Folder of ``objects/``.
            lease_seconds: Time without activity after which others may take an object over.
            vocabulary: Names to choose from.
            clock: Returns the present moment in UTC.

        Raises:
            AlignPartsError: The URL is not supported.
            StoreUnavailable: The database cannot be reached.
        """
        self.database = Database(url)
        self.shapes = Shapes(root)
        self.live: Live[Change] = Live()
        self.queue = Queue(self.database)
        self.tokens = Tokens(self.database, clock)
        self.leases = Leases(self.database, self.live, clock, timedelta(seconds=lease_seconds))
        self.events = Events(self.database, self.shapes, self.live, clock, self.leases)
        self.submissions = Submissions(self.database, self.shapes, self.live, clock, self.leases, self.events)
        self.names = Names(self.database, vocabulary, clock)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()
