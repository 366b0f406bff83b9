"""Open the review's database, SQLite or PostgreSQL; both report in one way that they are away."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
MAGIC = b"SQLite format 3\0"
"""First bytes of every database of SQLite."""


class Database:
    """Transactions on the tables of the review."""

    def __init__(self, url: str) -> None:
        """Open the database, and make the tables that are missing.

        Raises:
            AlignPartsError: the URL is neither SQLite's nor PostgreSQL's, or another version wrote it.
            StoreUnavailable: the database cannot be reached, or is damaged.
        """
        self.engine, self._files = _engine(url)
        # SQLite has one writer at a time; a lock is fair where its own polling is not.
        self._writer = threading.Lock()
        if self._files is not None:
            self._check()
        with self.write() as connection:
            if self._files is None:
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
        until = time.monotonic() + BUSY_SECONDS
        with self._translated(), self._turn(until), self.engine.connect() as connection:
            connection.execution_options(until=until)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        if self._files is not None:
            self._files.close()

    def _check(self) -> None:
        with self.read() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            way_out = "put the latest copy in its place (SECURITY.md says how copies are made)"
            raise StoreUnavailable(f"{self.shown}: the database is damaged ({found}); {way_out}")

    @contextmanager
    def _turn(self, until: float) -> Iterator[None]:
        """Wait for the writers before, all of them until a moment of :func:`time.monotonic`."""
        if self._files is None:
            yield
            return
        if not self._writer.acquire(timeout=max(0.0, until - time.monotonic())):
            raise StoreUnavailable(f"{self.shown}: another process holds the database; try again")
        try:
            yield
        finally:
            self._writer.release()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OverflowError, exc.DataError):
            raise AlignPartsError("expected numbers and texts that a database can hold") from None
        except (exc.IntegrityError, exc.ProgrammingError):
            raise
        except (exc.DatabaseError, exc.InterfaceError, exc.DisconnectionError, exc.TimeoutError) as error:
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise StoreUnavailable(
                f"{self.shown}: the database is not available ({reason}); try again, nothing is stored twice"
            ) from error


def upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an insert into a table that has ``on_conflict_do_…``."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def _engine(url: str) -> "tuple[Engine, _Files | None]":
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
    files = _Files(Path(parsed.database).absolute())
    return _sqlite(files), files


_POOL: dict[str, Any] = {"pool_size": 10, "max_overflow": 20, "pool_timeout": BUSY_SECONDS}


class _Files:
    """The files of one SQLite database, watched while it is open.

    SQLite holds them open: what it writes once one was removed or overwritten would be gone with the process.
    A connection that is kept all the time holds them in place, so that none changes for a good reason.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._made = False
        self._kept: sqlite3.Connection | None = None
        self._known: list[tuple[int, int] | None] = []
        self._seen = self._size = 0

    def connect(self) -> sqlite3.Connection:
        """Open a connection; only the first may make the file: one that is gone must not come back empty."""
        with self._lock:
            if not self._made:
                try:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    os.close(os.open(self.path, os.O_CREAT, 0o600))
                except OSError as error:
                    raise sqlite3.OperationalError(f"cannot be made: {error.strerror}") from None
            elif self._kept is not None and _identity(self.path) not in (None, self._known[0]):
                self.close()  # another file is in its place
            elif self._kept is not None and self.path.exists():
                self.check()
            if self._kept is None:
                self._kept = self._open()
                self._made = True
                self._known = [_identity(path) for path in self._all()]
                self._seen = self._size = 0
            return self._open()

    def check(self) -> None:
        """Raise StoreUnavailable where what is written now might be lost."""
        with self._lock:
            for path, known in zip(self._all(), self._known, strict=True):
                if _identity(path) != known:
                    self._rescue()
                    raise StoreUnavailable(f"{path}: was removed or replaced; start the server anew")
            stat = self.path.stat()
            if (stat.st_mtime_ns, stat.st_size) == (self._seen, self._size):
                return
            with self.path.open("rb") as file:
                whole = file.read(len(MAGIC)) == MAGIC
            if not whole or stat.st_size < self._size:
                raise StoreUnavailable(
                    f"{self.path}: was overwritten or cut; put the latest copy in its place"
                )
            self._seen, self._size = stat.st_mtime_ns, stat.st_size

    def close(self) -> None:
        """Let the files go."""
        with self._lock:
            if self._kept is not None:
                self._kept.close()
                self._kept = None

    def _rescue(self) -> None:
        """Bring what was acknowledged from the log, which is still open, into the main file."""
        if self._kept is not None and _identity(self.path) == self._known[0]:
            with suppress(sqlite3.Error):
                self._kept.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _all(self) -> list[Path]:
        return [self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))]

    def _open(self) -> sqlite3.Connection:
        address = f"file:{quote(str(self.path))}?mode=rw"
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "schema_version"):
            _unlocked(connection.execute, f"PRAGMA {pragma}").fetchall()
        return connection


def _sqlite(files: _Files) -> Engine:
    path = files.path
    engine = create_engine(URL.create("sqlite", database=str(path)), creator=files.connect, **_POOL)

    @event.listens_for(engine, "connect")
    def _opened(_: Any, record: Any) -> None:
        record.info["file"] = _identity(path)

    @event.listens_for(engine, "checkout")
    def _checked_out(_: Any, record: Any, __: Any) -> None:
        # An open file outlives its name: later writes to it would be gone with the process.
        if record.info.get("file") != _identity(path):
            raise exc.DisconnectionError(f"{path}: the file was moved, removed or replaced")
        files.check()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        until = connection.get_execution_options().get("until")
        if until is not None:
            left = max(1, round(1e3 * (until - time.monotonic())))
            connection.exec_driver_sql(f"PRAGMA busy_timeout={left}")
        connection.exec_driver_sql("BEGIN" if until is None else "BEGIN IMMEDIATE")

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
