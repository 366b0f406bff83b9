"""Rehearse a review by simulated annotators through the real store, on a simulated clock.

The outcome goes the way of any review: leases, edits as events, submissions, export.
"""

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from alignparts.ontology.vocabulary import Vocabulary
from texparts.annotation.edits import Edit
from texparts.annotation.geometry import Shapes
from texparts.review.models import Annotator, QueueEntry, Task
from texparts.review.store import ReviewStore
from texparts.simulation.annotator import SimulatedAnnotator
from texparts.simulation.cost import CostModel
from texparts.simulation.truth import Truth

START = datetime(2000, 1, 1, tzinfo=UTC)
"""Begin of the simulated time, so that it cannot be taken for a person's."""
BEAT = 30.0
"""Seconds between two heartbeats of a page, as on the real page."""
_EVENTS = uuid.UUID("7d1f3a44-0f4e-4b5e-9d0a-5a1f5a3a0c11")

Work = Sequence[tuple[Edit | None, float]]
"""Edits in their order with the seconds that each takes; None: looking without an edit."""


def rehearse(
    root: Path,
    queue: Sequence[QueueEntry],
    work_of: Callable[[str, int], Work],
    database: str,
    *,
    annotators: int = 1,
    vocabulary: Vocabulary | None = None,
) -> ReviewStore:
    """Let simulated annotators hand in the whole queue.

    Args:
        root: folder that holds ``objects/``.
        queue: entries to review; an entry's ``opinions`` is its number of annotators.
        work_of: returns the work of an annotator (counted from 0) on an object.
        database: URL of an empty database.
        annotators: number of annotators, who take turns, one object each.
        vocabulary: names to choose from.

    Returns:
        The store, with everything handed in; the caller closes it.
    """
    now = [START]
    store = ReviewStore(database, root, vocabulary=vocabulary, clock=lambda: now[0])
    store.queue.load(queue)
    for number in range(annotators):
        store.tokens.add(f"simulated annotator {number + 1}")
    people = sorted(store.tokens.list(), key=lambda person: person.id)
    wanted = sum(min(entry.opinions, annotators) for entry in queue)
    with tqdm(total=wanted, desc="review", mininterval=2.0, leave=False) as progress:
        idle = 0
        while idle < annotators:
            for number, person in enumerate(people):
                task = store.leases.take_next(person)
                idle = 0 if task is not None else idle + 1
                if task is not None:
                    _hand_in(store, now, person, task, work_of(task.object_id, number))
                    progress.update()
    return store


def hand_in_unchanged(root: Path, queue: pd.DataFrame, database: str) -> ReviewStore:
    """Hand in every object as it was predicted, without any edit; see :func:`rehearse`."""
    return rehearse(root, entries(queue, 1, 0), lambda *_: [], database)


def entries(queue: pd.DataFrame, annotators: int, second_opinions: float) -> list[QueueEntry]:
    """Turn a ranked queue into entries; a share, evenly over the ranks, gets an opinion per annotator."""
    several = np.diff(np.floor(np.arange(len(queue) + 1) * second_opinions)) > 0
    rows = queue[["object_id", "rank", "category", "confidence"]]
    rows = rows.assign(opinions=np.where(several, annotators, 1))
    return [QueueEntry.model_validate(row) for row in rows.to_dict("records")]


def simulated_work(
    shapes: Shapes, truths: Mapping[str, Truth], costs: Sequence[CostModel]
) -> Callable[[str, int], Work]:
    """Return the work on predicted objects for :func:`rehearse`, by annotators with a cost model each.

    The truths are given by object id. A lower ``quality`` of its costs makes an annotator less careful.
    """

    def work_of(object_id: str, annotator: int) -> Work:
        shape, cost = shapes.shape(object_id), costs[annotator]
        done = SimulatedAnnotator(cost, shape, shape.folder.prediction(), truths[object_id]).work()
        edits: list[tuple[Edit | None, float]] = [(step.edit, step.tally.seconds) for step in done.steps]
        return [(None, cost.open_object().seconds), *edits, (None, cost.submit().seconds)]

    return work_of


def _hand_in(store: ReviewStore, now: list[datetime], who: Annotator, task: Task, work: Work) -> None:
    """Do the work on a task, with the page's heartbeats, and hand it in; ``now`` holds the simulated time."""
    seq = task.seq
    for edit, seconds in work:
        beats = max(0, math.ceil(seconds / BEAT) - 1)
        for pause in [BEAT] * beats + [seconds - beats * BEAT]:
            now[0] += timedelta(seconds=pause)
            if pause == BEAT or edit is None:
                store.leases.beat(who, task.id, True)
        if edit is not None:
            event = uuid.uuid5(_EVENTS, f"{task.object_id}/{who.name}/{seq}")
            seq = store.events.append(who, task.id, str(event), seq, edit).seq
    store.submissions.submit(who, task.id, "done")
    store.submissions.compare(task.object_id)
