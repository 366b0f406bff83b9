"""Tables of the review, in types that SQLite and PostgreSQL both have."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, MetaData, String, Table, UniqueConstraint
from sqlalchemy.types import TypeDecorator

from texparts.annotation.edits import NAME_LENGTH


class Utc(TypeDecorator[datetime]):
    """A moment in UTC; SQLite has no time zones, so it is stored without and comes back with."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return the moment as the database stores it."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return the moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("value", String(200), nullable=False),
)
annotators = Table(
    "annotator",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("name", String(NAME_LENGTH), nullable=False, unique=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("admin", sa.Boolean, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("revoked_at", Utc),
)
sessions = Table(
    "session",
    metadata,
    Column("key_hash", String(64), primary_key=True),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False),
    Column("expires_at", Utc, nullable=False),
)
items = Table(
    "item",
    metadata,
    Column("object_id", String(100), primary_key=True),
    Column("rank", sa.Float, nullable=False),
    Column("category", String(NAME_LENGTH), nullable=False),
    Column("confidence", sa.Float, nullable=False),
    Column("opinions", sa.Integer, nullable=False),
    Column("missing", sa.Integer, nullable=False),  # of the opinions: not handed in yet
    Index("item_rank", "rank"),
    Index("item_confidence", "confidence"),
)
tasks = Table(
    "task",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("object_id", ForeignKey("item.object_id"), nullable=False),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("lease_until", Utc, nullable=False),
    Column("seq", sa.Integer, nullable=False),
    Column("head", String(36)),  # id of the last event: tells two histories of one length apart
    Column("prediction", String(64)),  # fingerprint of the prediction that the first edit was made on
    Column("seconds", sa.Float, nullable=False),
    Column("last_active", Utc),
    Column("taken_at", Utc, nullable=False),
    Column("submitted_at", Utc),
    Column("note", sa.Text, nullable=False),
    Column("second_opinion", sa.Boolean, nullable=False),
    UniqueConstraint("object_id", "annotator_id"),
    Index("task_annotator", "annotator_id", "status"),
)
events = Table(
    "event",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("task_id", ForeignKey("task.id"), nullable=False),
    Column("seq", sa.Integer, nullable=False),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False),
    Column("at", Utc, nullable=False),
    Column("edit", sa.Text, nullable=False),
    UniqueConstraint("task_id", "seq"),
)
added_names = Table(
    "added_name",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("category", String(NAME_LENGTH), nullable=False),
    Column("name", String(NAME_LENGTH), nullable=False),
    Column("description", sa.Text, nullable=False),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False),
    Column("at", Utc, nullable=False),
    UniqueConstraint("category", "name"),
)
agreements = Table(
    "agreement",
    metadata,
    Column("first_task", ForeignKey("task.id"), primary_key=True),
    Column("second_task", ForeignKey("task.id"), primary_key=True),
    Column("first_head", String(36)),  # both as they were compared: a task that is reopened counts anew
    Column("second_head", String(36)),
    Column("same", sa.Float, nullable=False),
    Column("kappa", sa.Float, nullable=False),
    Column("miou", sa.Float, nullable=False),
    Column("la_miou", sa.Float, nullable=False),
)
