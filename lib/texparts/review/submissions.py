"""Objects that are handed in, and how far the review is."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float32
from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from alignparts.core.errors import AlignPartsError
from texparts.annotation.agreement import agreement, mean_agreement
from texparts.annotation.annotation import Annotation
from texparts.review.database import Database
from texparts.review.errors import LeaseLost, PredictionChanged, TaskClosed
from texparts.review.events import Events
from texparts.review.leases import Leases, held_task, locked_task
from texparts.review.models import (
    Agreement,
    Annotator,
    AnnotatorProgress,
    Opinion,
    Progress,
    Submitted,
    Verdict,
)
from texparts.review.names import clean_text
from texparts.review.pubsub import Change, Live
from texparts.review.queueing import SUBMITTED, recount
from texparts.review.tables import agreements, annotators, items, tasks


class Submissions:
    """Takes work in and reports on it."""

    def __init__(
        self,
        database: Database,
        leases: Leases,
        events: Events,
        live: Live,
        clock: Callable[[], datetime],
        areas: Callable[[str], Float32[np.ndarray, " faces"]],
    ) -> None:
        self._database = database
        self._leases = leases
        self._events = events
        self._live = live
        self._clock = clock
        self._areas = areas

    def submit(
        self, annotator: Annotator, task_id: int, verdict: Verdict, note: str, second_opinion: bool
    ) -> None:
        """Hand a task in; the same once more is harmless.

        Raises:
            AlignPartsError: rejected without a reason, or the note is too long.
            TaskClosed: it was handed in with another verdict.
            LeaseLost: it is no longer the annotator's, and is not handed in as a second opinion.
        """
        note = clean_text(note, "note")
        if verdict == "rejected" and not note:
            raise AlignPartsError("note: a rejected object needs a reason")
        with self._database.write() as connection:
            row = locked_task(connection, annotator, task_id)
            if row.status in SUBMITTED:
                if row.status == verdict and row.note == note:
                    return
                raise TaskClosed(f"{row.object_id}: handed in already; take it again to change it")
            if row.status != "open" and not second_opinion:
                raise LeaseLost(f"{row.object_id}: no longer yours; hand it in as a second opinion")
            now = self._clock()
            if row.status == "open":
                self._leases.renew(connection, row, now)
            values = {"status": verdict, "note": note, "submitted_at": now}
            values |= {"lease_until": now, "second_opinion": row.second_opinion or row.status != "open"}
            connection.execute(update(tasks).where(tasks.c.id == task_id).values(values))
            recount(connection, row.object_id)
        self._live.publish(Change(task_id, row.seq, verdict))

    def release(self, annotator: Annotator, task_id: int) -> None:
        """Give an object back to the queue; the edits stay, and are there when the annotator takes it again.

        Raises:
            LeaseLost, TaskClosed, NotFound: it is not the annotator's to give back.
        """
        with self._database.write() as connection:
            row = held_task(connection, annotator, task_id)
            now = self._clock()
            self._leases.renew(connection, row, now)
            connection.execute(
                update(tasks).where(tasks.c.id == task_id).values(status="released", lease_until=now)
            )
        self._live.publish(Change(task_id, row.seq, "released"))

    def submitted(self) -> Iterator[Submitted]:
        """All objects that were handed in, by id.

        Raises:
            PredictionChanged: an object's edits do not fit what its folder holds now.
        """
        for object_id, rows in self._by_object():
            first = rows[0]
            annotation = self._final(first)
            pairs = self._agreements(object_id, rows)
            yield Submitted(
                object_id=object_id,
                category=annotation.category,
                annotation=annotation,
                annotators=tuple(row.name for row in rows),
                seconds=round(sum((row.seconds for row in rows), 0.0), 3),
                status=first.status,
                note=first.note,
                agreement=mean_agreement(pairs),
                opinions=tuple(
                    Opinion(
                        row.name,
                        row.status,
                        row.note,
                        round(row.seconds, 3),
                        row.seq,
                        row.second_opinion,
                        row.submitted_at,
                    )
                    for row in rows
                ),
            )

    def progress(self) -> Progress:
        """How far the review is."""
        now = self._clock()
        with self._database.read() as connection:
            wanted = {row.object_id: row.opinions for row in connection.execute(select(items))}
            columns = (tasks.c.object_id, tasks.c.status, tasks.c.seconds, tasks.c.lease_until)
            joined = select(*columns, tasks.c.submitted_at, tasks.c.second_opinion, annotators.c.name).join(
                annotators, annotators.c.id == tasks.c.annotator_id
            )
            rows = connection.execute(joined).all()
        by_object: dict[str, list[Any]] = {}
        for row in rows:
            by_object.setdefault(row.object_id, []).append(row)
        final = [_in_order(group)[0].status for group in by_object.values() if _in_order(group)]
        busy = {
            key: sum(one.status in SUBMITTED or _works(one, now) for one in group)
            for key, group in by_object.items()
        }
        handed_in = [row.seconds for row in rows if row.status in SUBMITTED]
        pairs = self._all_agreements()
        return Progress(
            objects=len(wanted),
            done=final.count("done"),
            rejected=final.count("rejected"),
            open=sum(any(_works(one, now) for one in group) for group in by_object.values()),
            waiting=sum(count > busy.get(key, 0) for key, count in wanted.items()),
            seconds=round(sum((row.seconds for row in rows), 0.0), 3),
            seconds_per_object=round(float(np.median(handed_in)), 3) if handed_in else None,
            agreement=mean_agreement(pairs),
            pairs=len(pairs),
            annotators=tuple(_by_annotator(rows)),
        )

    def compare(self, object_id: str) -> None:
        """Compare the opinions on an object that were not compared yet."""
        for found, rows in self._by_object(object_id):
            self._agreements(found, rows)

    def _final(self, row: Row[Any]) -> Annotation:
        try:
            return self._events.annotation(row)
        except PredictionChanged:
            if row.status != "rejected":
                raise
            return self._events.load(row.object_id)  # it was rejected because of that

    def _by_object(self, object_id: str | None = None) -> Iterator[tuple[str, list[Row[Any]]]]:
        query = (
            select(tasks, annotators.c.name)
            .join(annotators, annotators.c.id == tasks.c.annotator_id)
            .where(tasks.c.status.in_(SUBMITTED))
            .order_by(tasks.c.object_id)
        )
        if object_id is not None:
            query = query.where(tasks.c.object_id == object_id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        groups: dict[str, list[Row[Any]]] = {}
        for row in rows:
            groups.setdefault(row.object_id, []).append(row)
        for key, group in groups.items():
            yield key, _in_order(group)

    def _agreements(self, object_id: str, rows: Sequence[Row[Any]]) -> list[Agreement]:
        """Of every pair of opinions on an object; compared once and then kept."""
        done = sorted((row for row in rows if row.status == "done"), key=lambda row: row.id)
        if len(done) < 2:
            return []
        with self._database.read() as connection:
            ids = [row.id for row in done]
            kept = {
                (row.first_task, row.second_task, row.first_head, row.second_head): row
                for row in connection.execute(select(agreements).where(agreements.c.first_task.in_(ids)))
            }
        annotations: dict[int, Annotation] = {}
        result = []
        for one, other in combinations(done, 2):
            row = kept.get((one.id, other.id, one.head, other.head))
            if row is not None:
                result.append(Agreement(row.same, row.kappa, row.miou, row.la_miou))
                continue
            for task in (one, other):
                if task.id not in annotations:
                    annotations[task.id] = self._events.annotation(task)
            pair = agreement(annotations[one.id], annotations[other.id], self._areas(object_id))
            self._keep(one, other, pair)
            result.append(pair)
        return result

    def _keep(self, one: Row[Any], other: Row[Any], pair: Agreement) -> None:
        keys = {"first_task": one.id, "second_task": other.id}
        values = {"first_head": one.head, "second_head": other.head, "same": pair.same, "kappa": pair.kappa}
        values |= {"miou": pair.miou, "la_miou": pair.la_miou}
        with self._database.write() as connection:
            upsert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(agreements)
            connection.execute(
                upsert.values(**keys, **values).on_conflict_do_update(index_elements=list(keys), set_=values)
            )

    def _all_agreements(self) -> list[Agreement]:
        one, other = tasks.alias(), tasks.alias()
        columns = (agreements.c.same, agreements.c.kappa, agreements.c.miou, agreements.c.la_miou)
        query = (
            select(*columns)
            .join(one, one.c.id == agreements.c.first_task)
            .join(other, other.c.id == agreements.c.second_task)
            .where(
                one.c.status == "done",
                other.c.status == "done",
                func.coalesce(one.c.head, "") == func.coalesce(agreements.c.first_head, ""),
                func.coalesce(other.c.head, "") == func.coalesce(agreements.c.second_head, ""),
            )
        )
        with self._database.read() as connection:
            return [Agreement(*row) for row in connection.execute(query)]


def _works(row: Any, now: datetime) -> bool:
    return row.status == "open" and row.lease_until > now


def _in_order(rows: Sequence[Any]) -> list[Any]:
    """What was handed in, the final one first: no second opinions where there is another, then by time."""
    handed_in = [row for row in rows if row.status in SUBMITTED]
    return sorted(handed_in, key=lambda row: (row.second_opinion, row.submitted_at, row.name))


def _by_annotator(rows: Sequence[Any]) -> Iterator[AnnotatorProgress]:
    for name in sorted({row.name for row in rows}):
        own = [row for row in rows if row.name == name]
        done, rejected = (sum(row.status == status for row in own) for status in SUBMITTED)
        yield AnnotatorProgress(name, done, rejected, round(sum((row.seconds for row in own), 0.0), 3))
