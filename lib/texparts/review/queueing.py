"""Which objects wait for review, how many opinions they lack, and which one comes next."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, select, update
from sqlalchemy.engine import Connection

from texparts.review.errors import NotFound
from texparts.review.models import Annotator, Order, QueueEntry
from texparts.review.tables import items, tasks

SUBMITTED = ("done", "rejected")


def add_entries(connection: Connection, entries: Iterable[QueueEntry]) -> int:
    """Add objects; those that are there get the new rank. Returns how many are new."""
    wanted = {entry.object_id: entry.model_dump() for entry in entries}
    known = set(connection.scalars(select(items.c.object_id)))
    new = [{**one, "missing": one["opinions"]} for key, one in wanted.items() if key not in known]
    # Opinions that were asked for meanwhile stay asked for.
    old = [
        {"key": key, "rank": one["rank"], "category": one["category"], "confidence": one["confidence"]}
        for key, one in wanted.items()
        if key in known
    ]
    if new:
        connection.execute(insert(items), new)
    if old:
        connection.execute(update(items).where(items.c.object_id == bindparam("key")), old)
    return len(new)


def ask_for(connection: Connection, object_id: str, opinions: int) -> None:
    """Let an object be handed in by so many annotators, never by fewer than were asked for before.

    Raises:
        NotFound: not in the queue.
    """
    lock_item(connection, object_id)
    connection.execute(
        update(items)
        .where(items.c.object_id == object_id, items.c.opinions < opinions)
        .values(opinions=opinions)
    )
    recount(connection, object_id)


def lock_item(connection: Connection, object_id: str) -> None:
    """Keep an object's row until the transaction ends.

    Raises:
        NotFound: not in the queue.
    """
    query = select(items.c.object_id).where(items.c.object_id == object_id).with_for_update()
    if connection.scalar(query) is None:
        raise NotFound(f"{object_id}: not in the queue; run: alignparts texparts rank")


def recount(connection: Connection, object_id: str) -> None:
    """Say anew how many opinions a locked object lacks, after one was handed in, reopened or asked for."""
    handed_in = select(func.count()).where(tasks.c.object_id == object_id, tasks.c.status.in_(SUBMITTED))
    values = {"missing": items.c.opinions - handed_in.scalar_subquery()}
    connection.execute(update(items).where(items.c.object_id == object_id).values(values))


def candidates(
    annotator: Annotator, order: Order, now: datetime, given_back: bool, passed: list[str]
) -> Select[Any]:
    """Objects with room for the annotator, the next one first; those given back by them only if asked."""
    group = tasks.c.object_id == items.c.object_id
    busy = select(func.count()).where(group, tasks.c.status == "open", tasks.c.lease_until > now)
    not_again = SUBMITTED if given_back else (*SUBMITTED, "released")
    mine = select(tasks.c.id).where(
        group, tasks.c.annotator_id == annotator.id, tasks.c.status.in_(not_again)
    )
    return (
        select(items.c.object_id)
        .where(
            items.c.missing > 0,
            items.c.missing > busy.scalar_subquery(),
            items.c.object_id.not_in(passed),
            ~mine.exists(),
        )
        .order_by(items.c.rank if order == "confident" else items.c.confidence, items.c.object_id)
    )
