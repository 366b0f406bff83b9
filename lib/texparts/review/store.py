"""Hold the parts of one review together: queue, annotators, leases, edits, submissions and names."""

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


class ReviewStore:
    """The parts of one review; all their methods may be called from any thread.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``; missing tables are made.
        root: folder of ``objects/``.
        lease_seconds: time without activity after which others may take an object over.
        vocabulary: names to choose from.
        clock: returns the present moment in UTC.

    Raises:
        AlignPartsError: the URL is not supported.
        StoreUnavailable: the database cannot be reached.
    """

    def __init__(
        self,
        url: str,
        root: Path,
        lease_seconds: float = 900.0,
        *,
        vocabulary: Vocabulary | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
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
