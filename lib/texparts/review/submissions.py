"""Take finished work in, and report on the state of the review."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import combinations, groupby
from typing import Any

import numpy as np
from sqlalchemy import Row, func, select

from alignparts.core.errors import AlignPartsError
from texparts.annotation.agreement import Agreement, agreement, mean_agreement
from texparts.annotation.annotation import Annotation
from texparts.annotation.edits import clean_text
from texparts.annotation.geometry import Shapes
from texparts.review.database import Database, upsert
from texparts.review.events import Events
from texparts.review.leases import Leases, change, check_held, locked_task, task_of
from texparts.review.models import (
    Annotator,
    AnnotatorProgress,
    LeaseLost,
    Opinion,
    PredictionChanged,
    Progress,
    Submitted,
    Task,
    Verdict,
)
from texparts.review.pubsub import Change, Live
from texparts.review.queueing import SUBMITTED, recount
from texparts.review.tables import agreements, annotators, items, tasks


@dataclass(frozen=True)
class Submissions:
    """Takes work in and reports on it."""

    database: Database
    shapes: Shapes
    live: Live[Change]
    clock: Callable[[], datetime]
    leases: Leases
    events: Events

    def submit(
        self, who: Annotator, task_id: int, verdict: Verdict, note: str = "", second_opinion: bool = False
    ) -> Task:
        """Hand a task in; the same once more is harmless.

        Args:
            who: annotator whose task it is.
            task_id: number of the task.
            verdict: verdict on the object.
            note: free text; a rejected object needs one.
            second_opinion: True hands a task in nevertheless whose lease was lost.

        Raises:
            AlignPartsError: rejected without a reason, or the note is too long.
            TaskClosed: it was handed in with another verdict.
            LeaseLost: it is no longer the annotator's, and is not handed in as a second opinion.
        """
        note = clean_text(note, "note")
        if verdict == "rejected" and not note:
            raise AlignPartsError("note: a rejected object needs a reason")
        with self.database.write() as connection:
            row = locked_task(connection, who, task_id)
            if row.status in SUBMITTED:
                if (row.status, row.note) == (verdict, note):
                    return task_of(row)
                check_held(row)
            late = row.status != "open"
            if late and not second_opinion:
                raise LeaseLost(f"{row.object_id}: no longer yours; hand it in as a second opinion")
            now = self.clock()
            values = {} if late else self.leases.renewal(row, now)
            values |= {"status": verdict, "note": note, "submitted_at": now, "lease_until": now}
            row = change(connection, row, values | {"second_opinion": row.second_opinion or late})
            recount(connection, row.object_id)
        self.live.publish(task_id, Change(task_id, row.seq, verdict))
        return task_of(row)

    def submitted(self) -> Iterator[Submitted]:
        """Yield all submitted objects by id; raises PredictionChanged for edits that no longer fit."""
        for object_id, rows in self._by_object():
            final, annotation = rows[0], self._annotation(rows[0])
            yield Submitted(
                object_id=object_id,
                category=annotation.category,
                annotation=annotation,
                annotators=tuple(row.name for row in rows),
                seconds=_seconds(rows),
                status=final.status,
                note=final.note,
                agreement=mean_agreement(self._agreements(object_id, rows)),
                opinions=tuple(_opinion(row) for row in rows),
            )

    def compare(self, object_id: str) -> None:
        """Compare the opinions on an object that were not compared yet, for :meth:`progress`."""
        for key, rows in self._by_object(object_id):
            self._agreements(key, rows)

    def progress(self) -> Progress:
        """Return the state of the whole review."""
        now = self.clock()
        with self.database.read() as connection:
            wanted = {row.object_id: row.opinions for row in connection.execute(select(items))}
            rows = connection.execute(_WITH_NAMES).all()
        pairs = self._all_agreements()
        final, busy, worked_on = [], {}, 0
        for object_id, group in groupby(rows, lambda row: row.object_id):
            of_object = list(group)
            handed_in = _in_order(of_object)
            final += [row.status for row in handed_in[:1]]
            working = sum(row.status == "open" and row.lease_until > now for row in of_object)
            busy[object_id] = len(handed_in) + working
            worked_on += working > 0
        seconds = [row.seconds for row in rows if row.status in SUBMITTED]
        return Progress(
            objects=len(wanted),
            done=final.count("done"),
            rejected=final.count("rejected"),
            open=worked_on,
            waiting=sum(count > busy.get(key, 0) for key, count in wanted.items()),
            seconds=_seconds(rows),
            seconds_per_object=round(float(np.median(seconds)), 3) if seconds else None,
            agreement=mean_agreement(pairs),
            pairs=len(pairs),
            annotators=tuple(_by_annotator(rows)),
        )

    def _annotation(self, row: Row[Any]) -> Annotation:
        try:
            return self.events.annotation(row)
        except PredictionChanged:
            if row.status != "rejected":
                raise
            return self.events.prediction(row.object_id)  # it was rejected because of that

    def _by_object(self, object_id: str | None = None) -> Iterator[tuple[str, list[Row[Any]]]]:
        query = _WITH_NAMES.where(tasks.c.status.in_(SUBMITTED))
        if object_id is not None:
            query = query.where(tasks.c.object_id == object_id)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        for key, group in groupby(rows, lambda row: row.object_id):
            yield key, _in_order(list(group))

    def _agreements(self, object_id: str, rows: Sequence[Row[Any]]) -> list[Agreement]:
        """Return the agreement of every pair of opinions on an object; a new one is stored."""
        done = sorted((row for row in rows if row.status == "done"), key=lambda row: row.id)
        if len(done) < 2:
            return []
        with self.database.read() as connection:
            query = select(agreements).where(agreements.c.first_task.in_([row.id for row in done]))
            stored = {
                (row.first_task, row.second_task, row.first_head, row.second_head): _agreement(row)
                for row in connection.execute(query)
            }
        annotations: dict[int, Annotation] = {}
        result = []
        for first, second in combinations(done, 2):
            pair = stored.get((first.id, second.id, first.head, second.head))
            if pair is None:
                for row in (first, second):
                    if row.id not in annotations:
                        annotations[row.id] = self.events.annotation(row)
                areas = self.shapes.shape(object_id).areas
                pair = agreement(annotations[first.id], annotations[second.id], areas)
                self._keep(first, second, pair)
            result.append(pair)
        return result

    def _keep(self, first: Row[Any], second: Row[Any], pair: Agreement) -> None:
        keys = {"first_task": first.id, "second_task": second.id}
        values = {"first_head": first.head, "second_head": second.head} | asdict(pair)
        with self.database.write() as connection:
            query = upsert(connection, agreements).values(**keys, **values)
            connection.execute(query.on_conflict_do_update(index_elements=list(keys), set_=values))

    def _all_agreements(self) -> list[Agreement]:
        query = select(agreements)
        for side in ("first", "second"):
            task, head = tasks.alias(), agreements.c[f"{side}_head"]
            query = query.join(task, task.c.id == agreements.c[f"{side}_task"]).where(
                task.c.status == "done", func.coalesce(task.c.head, "") == func.coalesce(head, "")
            )
        with self.database.read() as connection:
            return [_agreement(row) for row in connection.execute(query)]


_WITH_NAMES = (
    select(tasks, annotators.c.name)
    .join(annotators, annotators.c.id == tasks.c.annotator_id)
    .order_by(tasks.c.object_id)
)


def _opinion(row: Row[Any]) -> Opinion:
    verdict, seconds = (row.name, row.status, row.note), round(row.seconds, 3)
    return Opinion(*verdict, seconds, row.seq, row.second_opinion, row.submitted_at)


def _agreement(row: Row[Any]) -> Agreement:
    return Agreement(row.same, row.kappa, row.miou, row.la_miou)


def _seconds(rows: Sequence[Row[Any]]) -> float:
    return round(sum((row.seconds for row in rows), 0.0), 3)


def _in_order(rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Return the submitted tasks, the final one first: second opinions after all others, then by time."""
    handed_in = [row for row in rows if row.status in SUBMITTED]
    return sorted(handed_in, key=lambda row: (row.second_opinion, row.submitted_at, row.name))


def _by_annotator(rows: Sequence[Row[Any]]) -> Iterator[AnnotatorProgress]:
    for name in sorted({row.name for row in rows}):
        mine = [row for row in rows if row.name == name]
        done, rejected = (sum(row.status == status for row in mine) for status in SUBMITTED)
        yield AnnotatorProgress(name, done, rejected, _seconds(mine))
