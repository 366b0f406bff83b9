"""Manage annotators, each with a token to log in, and the sessions of their browsers.

The database holds hashes alone. A token has 256 random bits: nobody guesses one back from a plain hash.
"""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from alignparts.core.errors import AlignPartsError
from texparts.annotation.edits import clean_name
from texparts.review.database import Database
from texparts.review.models import Annotator
from texparts.review.pubsub import Live
from texparts.review.tables import annotators, sessions

SESSION_DAYS = 14
LONGEST = 200
"""Characters of a token that are read; no real one is as long."""


def hash_of(secret: str) -> str:
    """Return the hash that is stored in place of a token."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


class Tokens:
    """Annotators, their tokens and sessions.

    Attributes:
        ended: tells, by annotator, that a session or a token of theirs has ended.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.ended: Live[None] = Live()
        self._database, self._clock = database, clock

    def add(self, name: str, admin: bool = False) -> str:
        """Add an annotator; returns the token. Raises AlignPartsError if the name is taken."""
        name, token = clean_name(name), secrets.token_urlsafe(32)
        with self._database.write() as connection:
            if connection.scalar(select(annotators.c.id).where(annotators.c.name == name)) is not None:
                way_out = "choose another name, or give a new token: texparts annotators renew"
                raise AlignPartsError(f"annotator '{name}' exists; {way_out}")
            row = {"name": name, "token_hash": hash_of(token), "admin": admin, "created_at": self._clock()}
            connection.execute(insert(annotators).values(row))
        return token

    def renew(self, name: str) -> str:
        """Return a new token for an annotator, also a revoked one; the old one and all sessions end."""
        token = secrets.token_urlsafe(32)
        self._change(name, {"token_hash": hash_of(token), "revoked_at": None})
        return token

    def revoke(self, name: str) -> None:
        """Let an annotator in no more; their work stays."""
        self._change(name, {"revoked_at": self._clock()})

    def list(self) -> list[Annotator]:
        """Return all annotators, by name."""
        with self._database.read() as connection:
            return [
                _annotator(row) for row in connection.execute(select(annotators).order_by(annotators.c.name))
            ]

    def annotator_of(self, token: str) -> Annotator | None:
        """Return the annotator with this token; None if it is nobody's, or revoked."""
        query = select(annotators).where(annotators.c.token_hash == hash_of(token[:LONGEST]))
        with self._database.read() as connection:
            row = connection.execute(query.where(annotators.c.revoked_at.is_(None))).first()
        return None if row is None else _annotator(row)

    def open_session(self, annotator: Annotator) -> str:
        """Open a browser session, which outlives the server; returns its key."""
        key, now = secrets.token_urlsafe(32), self._clock()
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(sessions.c.expires_at < now))
            row = {"key_hash": hash_of(key), "annotator_id": annotator.id}
            row["expires_at"] = now + timedelta(days=SESSION_DAYS)
            connection.execute(insert(sessions).values(row))
        return key

    def session(self, key: str) -> Annotator | None:
        """Return the annotator of a session; None after log-out, expiry or revocation."""
        query = select(annotators).join(sessions, sessions.c.annotator_id == annotators.c.id)
        open_now = (sessions.c.key_hash == hash_of(key[:LONGEST])) & (sessions.c.expires_at > self._clock())
        query = query.where(open_now, annotators.c.revoked_at.is_(None))
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _annotator(row)

    def close_session(self, key: str) -> None:
        """End a session."""
        this = delete(sessions).where(sessions.c.key_hash == hash_of(key[:LONGEST]))
        with self._database.write() as connection:
            owner = connection.scalar(this.returning(sessions.c.annotator_id))
        if owner is not None:
            self.ended.publish(owner, None)

    def present(self) -> set[int]:
        """Return the ids of annotators with an open session."""
        query = select(sessions.c.annotator_id).join(annotators, annotators.c.id == sessions.c.annotator_id)
        query = query.where(sessions.c.expires_at > self._clock(), annotators.c.revoked_at.is_(None))
        with self._database.read() as connection:
            return set(connection.scalars(query))

    def _change(self, name: str, values: dict[str, object]) -> None:
        name = clean_name(name)
        with self._database.write() as connection:
            key = connection.scalar(select(annotators.c.id).where(annotators.c.name == name))
            if key is None:
                known = ", ".join(connection.scalars(select(annotators.c.name).order_by(annotators.c.name)))
                raise AlignPartsError(f"annotator '{name}': unknown; expected one of {known or 'none yet'}")
            connection.execute(update(annotators).where(annotators.c.id == key).values(values))
            connection.execute(delete(sessions).where(sessions.c.annotator_id == key))
        self.ended.publish(key, None)


def _annotator(row: Row[Any]) -> Annotator:
    return Annotator(row.id, row.name, row.admin, row.created_at, row.revoked_at)
