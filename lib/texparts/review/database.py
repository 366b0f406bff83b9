"""Open the review's database, SQLite or PostgreSQL; both report in one way that they are away."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

import tenacity
from sqlalchemy import URL, Engine, Table, create_engine, event, exc, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, make_url

from alignparts.core.errors import AlignPartsError
from texparts.review.models import StoreUnavailable
from texparts.review.tables import meta, metadata

SCHEMA = "1"
BUSY_SECONDS = 10
"""Time to wait for a lock before the database counts as unavailable."""


class Database:
    """Transactions on the tables of the review."""

    def __init__(self, url: str) -> None:
        """Open the database, and make the tables that are missing.

        Raises:
            AlignPartsError: the URL is neither SQLite's nor PostgreSQL's, or another version wrote it.
            StoreUnavailable: the database cannot be reached.
        """
        self.engine, self._path = _engine(url)
        self._writes = self.engine.execution_options(writes=True)
        # SQLite has one writer at a time; a lock is fair where its own polling is not.
        self._writer = threading.Lock() if self._path else nullcontext()
        with self.write() as connection:
            if not self._path:
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7100106)")
            metadata.create_all(connection)
            schema = connection.scalar(select(meta.c.value).where(meta.c.key == "schema"))
            if schema is None:
                connection.execute(insert(meta).values(key="schema", value=SCHEMA))
                connection.execute(insert(meta).values(key="instance", value=os.urandom(8).hex()))
            elif schema != SCHEMA:
                raise AlignPartsError(
                    f"{self.shown}: schema {schema}, expected {SCHEMA}; it was written by another version"
                )
            self.instance: str = connection.scalar(select(meta.c.value).where(meta.c.key == "instance")) or ""

    @property
    def shown(self) -> str:
        """Return the URL without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads; StoreUnavailable means that the database is away."""
        with self._translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that is on disk, whole or not at all, when the block ends; see :meth:`read`."""
        with self._translated(), self._writer, self._writes.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (exc.IntegrityError, exc.DataError, exc.ProgrammingError):
            raise
        except (exc.DatabaseError, exc.InterfaceError, exc.DisconnectionError, exc.TimeoutError) as error:
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise StoreUnavailable(
                f"{self.shown}: the database is not available ({reason}); try again, nothing is stored twice"
            ) from error


def upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an insert into a table that has ``on_conflict_do_…``."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def _engine(url: str) -> tuple[Engine, Path | None]:
    expected = "expected sqlite:///FILE or postgresql://USER@HOST/NAME"
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise AlignPartsError(f"--database: {expected}") from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        options = f"-c synchronous_commit=on -c lock_timeout={BUSY_SECONDS}s -c statement_timeout=60s"
        arguments = {"connect_timeout": 5, "options": options}
        return create_engine(parsed, pool_pre_ping=True, connect_args=arguments, **_POOL), None
    if backend != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise AlignPartsError(f"--database: '{parsed.render_as_string()}' is not supported; {expected}")
    path = Path(parsed.database).absolute()
    return _sqlite(path), path


_POOL: dict[str, Any] = {"pool_size": 10, "max_overflow": 20, "pool_timeout": BUSY_SECONDS}


def _sqlite(path: Path) -> Engine:
    made = False

    def connect() -> sqlite3.Connection:
        # A file that is gone must not come back empty and unnoticed: only the first open may make it.
        nonlocal made
        if not made:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise sqlite3.OperationalError(f"cannot make its folder: {error.strerror}") from None
        address = f"file:{quote(str(path))}?mode={'rw' if made else 'rwc'}"
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            _unlocked(connection.execute, f"PRAGMA {pragma}")
        made = True
        return connection

    engine = create_engine(URL.create("sqlite", database=str(path)), creator=connect, **_POOL)

    @event.listens_for(engine, "connect")
    def _opened(_: Any, record: Any) -> None:
        record.info["file"] = _identity(path)

    @event.listens_for(engine, "checkout")
    def _checked_out(_: Any, record: Any, __: Any) -> None:
        # An open file outlives its name: later writes to it would be gone with the process.
        if record.info.get("file") != _identity(path):
            raise exc.DisconnectionError(f"{path}: the file was moved, removed or replaced")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


# The change to WAL does not wait for locks by itself.
_unlocked = tenacity.Retrying(
    retry=tenacity.retry_if_exception_message(match=".*locked"),
    stop=tenacity.stop_after_delay(BUSY_SECONDS),
    wait=tenacity.wait_fixed(0.02),
    reraise=True,
)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
