"""Queue the objects that wait for review, by the opinions that they lack."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, select, update
from sqlalchemy.engine import Connection

from alignparts.core.config.texparts import Order
from texparts.review.database import Database
from texparts.review.models import Annotator, NotFound, QueueEntry
from texparts.review.tables import items, tasks

SUBMITTED = ("done", "rejected")


@dataclass(frozen=True)
class Queue:
    """Objects that wait for review."""

    database: Database

    def load(self, entries: Iterable[QueueEntry]) -> int:
        """Add objects, give those that are there their new rank, and return the number of new ones."""
        wanted = {entry.object_id: entry.model_dump() for entry in entries}
        with self.database.write() as connection:
            known = set(connection.scalars(select(items.c.object_id)))
            new = [row | {"missing": row["opinions"]} for key, row in wanted.items() if key not in known]
            # Opinions that were asked for meanwhile stay asked for.
            columns = ("rank", "category", "confidence")
            old = [
                {"key": key, **{name: wanted[key][name] for name in columns}} for key in wanted.keys() & known
            ]
            if new:
                connection.execute(insert(items), new)
            if old:
                connection.execute(update(items).where(items.c.object_id == bindparam("key")), old)
        return len(new)

    def ask(self, object_id: str, opinions: int, fewer: bool = False) -> int:
        """Ask for so many opinions on an object; returns the number that is asked for now.

        That is never less than were handed in, nor less than before without ``fewer``; see :func:`lock_item`.
        """
        with self.database.write() as connection:
            lock_item(connection, object_id)
            row = connection.execute(select(items).where(items.c.object_id == object_id)).one()
            opinions = max(opinions, row.opinions - row.missing if fewer else row.opinions)
            changed = update(items).where(items.c.object_id == object_id)
            connection.execute(changed.values(opinions=opinions))
            recount(connection, object_id)
        return opinions


def lock_item(connection: Connection, object_id: str) -> None:
    """Lock an object's row until the transaction ends; raises NotFound if it is not in the queue."""
    query = select(items.c.object_id).where(items.c.object_id == object_id).with_for_update()
    if connection.scalar(query) is None:
        raise NotFound(f"{object_id}: not in the queue; run: texparts rank")


def recount(connection: Connection, object_id: str) -> None:
    """Store the number of opinions that a locked object lacks, after one came, went or was asked for."""
    handed_in = select(func.count()).where(tasks.c.object_id == object_id, tasks.c.status.in_(SUBMITTED))
    values = {"missing": items.c.opinions - handed_in.scalar_subquery()}
    connection.execute(update(items).where(items.c.object_id == object_id).values(values))


def candidates(
    annotator: Annotator, order: Order | None, now: datetime, given_back: bool, passed: Sequence[str]
) -> Select[Any]:
    """Return the query of the objects with room for an annotator, the next one first.

    The order None is that of the queue's ranks; ``given_back`` includes objects that the annotator gave back,
    ``passed`` are left out.
    """
    group = tasks.c.object_id == items.c.object_id
    busy = select(func.count()).where(group, tasks.c.status == "open", tasks.c.lease_until > now)
    not_again = SUBMITTED if given_back else (*SUBMITTED, "released")
    mine = select(tasks.c.id).where(
        group, tasks.c.annotator_id == annotator.id, tasks.c.status.in_(not_again)
    )
    room = (items.c.missing > 0, items.c.missing > busy.scalar_subquery())
    query = select(items.c.object_id).where(*room, items.c.object_id.not_in(passed), ~mine.exists())
    if order is None:
        return query.order_by(items.c.rank, items.c.object_id)
    if order == "confident":
        return query.order_by(items.c.confidence.desc(), items.c.object_id)
    if order == "diverse":
        within = func.row_number().over(
            partition_by=items.c.category, order_by=(items.c.confidence, items.c.object_id)
        )
        turns = select(items.c.object_id, within.label("turn")).subquery()
        query = query.join(turns, turns.c.object_id == items.c.object_id).order_by(turns.c.turn)
    return query.order_by(items.c.confidence, items.c.object_id)
