"""The review's memory: who works on which object, every edit, and what was handed in."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from alignparts.ontology.vocabulary import Vocabulary
from texparts.annotation.annotation import Annotation
from texparts.annotation.edits import Edit
from texparts.annotation.geometry import Shapes
from texparts.review.database import Database
from texparts.review.errors import NotFound
from texparts.review.events import Events
from texparts.review.leases import Leases, task_of
from texparts.review.models import (
    Annotator,
    EventRecord,
    NameHit,
    Order,
    Progress,
    QueueEntry,
    Submitted,
    Task,
    TaskState,
    Verdict,
)
from texparts.review.names import Names
from texparts.review.pubsub import Live
from texparts.review.queueing import add_entries, ask_for
from texparts.review.submissions import Submissions
from texparts.review.tables import tasks
from texparts.review.tokens import Tokens


def now_utc() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


class ReviewStore:
    """Everything that the review writes; all methods may be called from any thread.

    Attributes:
        tokens: annotators, tokens and sessions.
        live: says within this process when a task has changed.
        shapes: meshes of the objects.
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
            root: holds ``objects/``.
            lease_seconds: without activity for so long, others may take an object over.
            vocabulary: names to choose from.
            clock: tells the time.

        Raises:
            AlignPartsError: not such a URL.
            StoreUnavailable: the database cannot be reached.
        """
        self.database = Database(url)
        self.shapes = Shapes(root)
        self.live = Live()
        self.tokens = Tokens(self.database, clock)
        self._leases = Leases(self.database, self.live, clock, lease_seconds)
        self._events = Events(self.database, self._leases, self.live, clock, self._prediction)
        self._submissions = Submissions(
            self.database,
            self._leases,
            self._events,
            self.live,
            clock,
            lambda object_id: self.shapes.shape(object_id).areas,
        )
        self._names = Names(self.database, vocabulary, clock)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    def load_queue(self, entries: Iterable[QueueEntry]) -> int:
        """Add objects to review, or give them a new rank; returns how many are new."""
        with self.database.write() as connection:
            return add_entries(connection, entries)

    def add_annotator(self, name: str, admin: bool = False) -> str:
        """A new annotator's token, which is stored nowhere.

        Raises:
            AlignPartsError: there is one of this name.
        """
        return self.tokens.add(name, admin)

    def annotator_of(self, token: str) -> Annotator | None:
        """Whose token it is."""
        return self.tokens.annotator_of(token)

    def take_next(
        self, annotator: Annotator, order: Order = "confident", without: Sequence[str] = ()
    ) -> Task | None:
        """What the annotator has open, else the next object for them; None: nothing is left.

        Args:
            annotator: who asks.
            order: in which objects are given out.
            without: objects that are not given out this time.
        """
        return self._leases.take_next(annotator, order, without)

    def take(self, annotator: Annotator, object_id: str) -> Task:
        """A given object; one that the annotator handed in before is opened again.

        Raises:
            NotFound, Taken: it is not in the queue, or not free.
        """
        return self._leases.take(annotator, object_id)

    def ask(self, object_id: str, opinions: int) -> None:
        """Have the object handed in by so many annotators.

        Raises:
            NotFound: it is not in the queue.
        """
        with self.database.write() as connection:
            ask_for(connection, object_id, opinions)

    def task(self, annotator: Annotator, task_id: int) -> Task:
        """A task of the annotator's.

        Raises:
            NotFound: there is none.
        """
        query = select(tasks.c.id).where(tasks.c.id == task_id, tasks.c.annotator_id == annotator.id)
        with self.database.read() as connection:
            if connection.scalar(query) is None:
                raise NotFound(f"task {task_id}: not among the tasks of {annotator.name}")
            return task_of(connection, task_id)

    def state(self, annotator: Annotator, task_id: int) -> TaskState:
        """The task as it is now.

        Raises:
            NotFound: there is none.
            AlignPartsError: the object's folder cannot be read.
        """
        return self._events.state(annotator, task_id)

    def append(
        self, annotator: Annotator, task_id: int, event_id: str, expected_seq: int, edit: Edit
    ) -> TaskState:
        """Store an edit; on disk when this returns; the same ``event_id`` again stores nothing more.

        Raises:
            AlignPartsError: the edit does not fit, or ``event_id`` is no UUID.
            StaleState: the task has not ``expected_seq`` events.
            LeaseLost, TaskClosed, NotFound: the object is not the annotator's to edit.
            StoreUnavailable: try again.
        """
        return self._events.append(annotator, task_id, event_id, expected_seq, lambda _: edit)

    def split(
        self,
        annotator: Annotator,
        task_id: int,
        event_id: str,
        expected_seq: int,
        part: int,
        by: str,
        clusters: int,
    ) -> TaskState:
        """Cut a part into its connected pieces ("component") or along clusters ("cluster").

        Raises:
            AlignPartsError: the part is in one piece, or as :meth:`append`.
        """
        shape = self.shapes.shape(self.task(annotator, task_id).object_id)
        return self._events.append(
            annotator,
            task_id,
            event_id,
            expected_seq,
            lambda present: shape.split(present, part, by, clusters),
        )

    def beat(self, annotator: Annotator, task_id: int, active: bool) -> datetime:
        """A sign of life. Only an active annotator keeps the object and is counted; returns until when.

        Raises:
            LeaseLost, TaskClosed, NotFound: the object is not the annotator's.
        """
        return self._leases.beat(annotator, task_id, active)

    def submit(
        self,
        annotator: Annotator,
        task_id: int,
        verdict: Verdict,
        note: str = "",
        second_opinion: bool = False,
    ) -> None:
        """Hand a task in, after a lost lease as a second opinion.

        Raises:
            AlignPartsError: rejected without a reason.
            LeaseLost, TaskClosed, NotFound: the object is not the annotator's.
        """
        self._submissions.submit(annotator, task_id, verdict, note, second_opinion)

    def compare(self, object_id: str) -> None:
        """Compare the opinions on an object, for :meth:`progress`.

        Raises:
            AlignPartsError: the object's folder cannot be read.
        """
        self._submissions.compare(object_id)

    def release(self, annotator: Annotator, task_id: int) -> None:
        """Give an object back unfinished; the edits are kept.

        Raises:
            LeaseLost, TaskClosed, NotFound: the object is not the annotator's.
        """
        self._submissions.release(annotator, task_id)

    def history(self, object_id: str, task_id: int | None = None) -> list[EventRecord]:
        """Who did what and when to an object; of one task alone where it is given."""
        return self._events.history(object_id, task_id)

    def part_names(self, annotator: Annotator, task_id: int) -> list[dict[int, str]]:
        """Names of a task's parts by their ids, as predicted and after every event.

        Raises:
            NotFound: there is none.
            AlignPartsError: the object's folder cannot be read.
        """
        return self._events.part_names(annotator, task_id)

    def vocabulary(self, query: str, category: str, limit: int = 20) -> list[NameHit]:
        """Part names that fit a query, by their own names, by synonyms, or added by people."""
        return self._names.search(query, category, limit)

    def add_name(self, annotator: Annotator, category: str, name: str, description: str = "") -> None:
        """Make a part name known to everybody.

        Raises:
            AlignPartsError: too long, or empty.
        """
        self._names.add(annotator, category, name, description)

    def submitted(self) -> Iterator[Submitted]:
        """All objects that were handed in, by id.

        Raises:
            PredictionChanged: an object's edits do not fit what its folder holds now.
        """
        return self._submissions.submitted()

    def progress(self) -> Progress:
        """How far the review is."""
        return self._submissions.progress()

    def _prediction(self, object_id: str) -> Annotation:
        return self.shapes.folder(object_id).prediction()
