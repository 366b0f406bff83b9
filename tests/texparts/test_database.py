"""A database that is full, gone or restarted: said clearly, nothing lost, and work goes on."""

import os
import sqlite3
import subprocess
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from review_store import (
    HAS_POSTGRES,
    Review,
    new_postgres,
    on_postgres,
    on_sqlite,
    postgres_folder,
    postgres_server,
    review,
)
from sqlalchemy import select, update

from alignparts.core.errors import AlignPartsError
from texparts.annotation.edits import Accept, Add, Paint
from texparts.review import database
from texparts.review.database import Database
from texparts.review.models import Annotator, StoreUnavailable
from texparts.review.store import ReviewStore
from texparts.review.tables import meta, metadata

__all__ = ["on_postgres", "on_sqlite", "postgres_folder", "review"]

LONG = tuple(number for start in range(0, 12, 2) for number in (start, 1))


def at_work(review: Review) -> tuple[Annotator, int]:
    review.fill(2)
    ann = review.annotator("Ann")
    task = review.store.leases.take_next(ann)
    assert task is not None
    review.edit(ann, task.id, Accept(parts=(0,)))
    return ann, task.id


def fails_then_works(review: Review, ann: Annotator, task: int, seq: int, repair) -> None:  # type: ignore[no-untyped-def]
    """An edit that cannot be stored is not in the state; the same call works later."""
    event, edit = str(uuid.uuid4()), Add(name="foot", description="x" * 1900, faces=LONG)
    with pytest.raises(StoreUnavailable, match="try again"):
        review.store.events.append(ann, task, event, seq, edit)
    repair()
    assert len(review.store.events.history("box000")) == seq
    state = review.store.events.append(ann, task, event, seq, edit)
    assert state.seq == seq + 1
    fresh = review.reopen()
    assert fresh.events.state(ann, task).annotation.parts == state.annotation.parts
    fresh.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("this user may not mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(on_sqlite: Review, small_disk: Path) -> None:
    on_sqlite.store.close()
    on_sqlite.url = f"sqlite:///{small_disk}/review.db"
    on_sqlite.store = on_sqlite.reopen()
    ann, task = at_work(on_sqlite)
    ballast = small_disk / "ballast"
    with pytest.raises(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)

    def full() -> None:
        for _ in range(200):  # what room is left in the log is used up
            on_sqlite.edit(ann, task, Add(name="foot", description="x" * 1900))

    with pytest.raises(StoreUnavailable, match="full"):
        full()
    fails_then_works(on_sqlite, ann, task, on_sqlite.store.events.state(ann, task).seq, ballast.unlink)
    on_sqlite.store.close()


def test_a_database_that_may_not_grow(on_sqlite: Review) -> None:
    ann, task = at_work(on_sqlite)

    def limit(pages: int) -> None:
        with on_sqlite.store.database.engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    limit(1)
    with pytest.raises(StoreUnavailable, match="full"):
        for _ in range(200):
            on_sqlite.edit(ann, task, Add(name="foot", description="x" * 1900))
    seq = on_sqlite.store.events.state(ann, task).seq
    fails_then_works(on_sqlite, ann, task, seq, lambda: limit(1 << 30))


def test_a_file_that_is_gone_and_comes_back(on_sqlite: Review) -> None:
    ann, task = at_work(on_sqlite)
    folder = Path(on_sqlite.store.database.engine.url.database or "").parent
    away = folder / "away"
    away.mkdir()

    def move(source: Path, target: Path) -> None:
        for file in source.glob("review.db*"):
            os.rename(file, target / file.name)

    move(folder, away)
    # Not stored in a file that has no name any more, and no empty database in its place.
    fails_then_works(on_sqlite, ann, task, 1, lambda: move(away, folder))
    assert sorted(file.name for file in folder.glob("review.db")) == ["review.db"]


def test_a_database_put_back_from_a_copy(on_sqlite: Review, tmp_path: Path) -> None:
    ann, task = at_work(on_sqlite)
    path, copy = tmp_path / "review.db", tmp_path / "copy.db"
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    on_sqlite.edit(ann, task, Paint(part=0, faces=(2, 3)))
    assert on_sqlite.store.events.state(ann, task).seq == 2
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    os.replace(copy, path)
    state = on_sqlite.store.events.state(ann, task)  # memory gives way to what the database holds
    assert state.seq == 1 and (state.annotation.face_part == 0).sum() == 2
    on_sqlite.edit(ann, task, Paint(part=0, faces=(10, 2)))
    assert on_sqlite.store.events.state(ann, task).annotation.face_part[10] == 0


def test_postgresql_stopped_and_started(on_postgres: Review, postgres_folder: Path) -> None:
    server = postgres_server(postgres_folder)
    ann, task = at_work(on_postgres)
    with ThreadPoolExecutor(5) as pool:  # several connections in the pool, all of which will be dead
        list(pool.map(lambda _: on_postgres.store.events.state(ann, task), range(20)))
    server.stop()
    try:
        for call in (on_postgres.store.submissions.progress, lambda: on_postgres.store.leases.take_next(ann)):
            with pytest.raises(StoreUnavailable):
                call()
        fails_then_works(on_postgres, ann, task, 1, server.ensure_postgres_running)
    finally:
        server.ensure_postgres_running()
    server.stop()
    server.ensure_postgres_running()
    assert on_postgres.edit(ann, task, Accept(parts=(1,))).seq == 3  # dead connections are replaced unnoticed


def test_several_processes_on_one_database(review: Review) -> None:
    """Two stores, as two processes would have them: neither trusts its memory."""
    ann, task = at_work(review)
    other = review.reopen()
    for number in range(6):
        review.edit(ann, task, Paint(part=0, faces=(2 + number, 1)), (review.store, other)[number % 2])
    assert review.store.events.state(ann, task).seq == other.events.state(ann, task).seq == 7
    assert (other.events.state(ann, task).annotation.face_part == 0).sum() == 8
    event = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as pool:  # the same edit from both at the same moment
        states = list(
            pool.map(
                lambda number: (review.store, other)[number % 2].events.append(
                    ann, task, event, 7, Accept(parts=(1,))
                ),
                range(8),
            )
        )
    assert {state.seq for state in states} == {8}
    other.close()


def test_many_open_an_empty_database_at_once(postgres_folder: Path, tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/new/folder/review.db"]
    urls += [new_postgres(postgres_folder)] if HAS_POSTGRES else []
    for url in urls:
        with ThreadPoolExecutor(4) as pool:
            databases = list(pool.map(Database, [url] * 4))
        assert len({one.instance for one in databases}) == 1
        for one in databases:
            one.close()


def test_only_types_that_both_databases_have() -> None:
    portable = {"VARCHAR", "INTEGER", "FLOAT", "BOOLEAN", "DATETIME", "TEXT"}
    kinds = {str(column.type).split("(")[0] for table in metadata.tables.values() for column in table.columns}
    assert kinds <= portable


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "mysql://host/name", "sqlite:///:memory:"])
def test_a_url_of_something_else(url: str) -> None:
    with pytest.raises(AlignPartsError, match="expected sqlite:///FILE or postgresql://"):
        Database(url)


def test_a_database_of_another_version_or_out_of_reach(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/review.db"
    database = Database(url)
    with database.write() as connection:
        connection.execute(update(meta).where(meta.c.key == "schema").values(value="0"))
    with database.read() as connection:
        assert connection.scalar(select(meta.c.value).where(meta.c.key == "schema")) == "0"
    database.close()
    with pytest.raises(AlignPartsError, match="schema 0, expected"):
        Database(url)
    (tmp_path / "text.db").write_text("no database at all, only text " * 100)
    (tmp_path / "file").write_text("")
    for broken in ("text.db", "file/review.db"):
        with pytest.raises(StoreUnavailable, match="not available"):
            Database(f"sqlite:///{tmp_path}/{broken}")
    with pytest.raises(StoreUnavailable) as refused:
        ReviewStore("postgresql://somebody:secret@127.0.0.1:9/none", tmp_path)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("ending", ["-wal", "-shm"])
def test_a_log_that_is_removed_is_noticed_and_nothing_is_lost(on_sqlite: Review, ending: str) -> None:
    """Cleaners of temporary files take such files for theirs."""
    ann, task = at_work(on_sqlite)
    on_sqlite.edit(ann, task, Paint(part=0, faces=(2, 3)))
    (on_sqlite.root / f"review.db{ending}").unlink()
    for call in (
        lambda: on_sqlite.edit(ann, task, Paint(part=0, faces=(5, 1))),
        on_sqlite.store.submissions.progress,
        lambda: on_sqlite.store.tokens.add("Bo"),
    ):
        with pytest.raises(StoreUnavailable, match=f"{ending}: was removed"):
            call()
    copy = on_sqlite.root / "killed.db"  # what a killed server would leave
    copy.write_bytes((on_sqlite.root / "review.db").read_bytes())
    left = ReviewStore(f"sqlite:///{copy}", on_sqlite.root)
    assert left.events.state(ann, task).seq == 2
    left.close()


@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_a_database_that_is_cut_or_overwritten_is_noticed(on_sqlite: Review, damage: str) -> None:
    ann, task = at_work(on_sqlite)
    path = Path(on_sqlite.store.database.engine.url.database or "")
    with on_sqlite.store.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert on_sqlite.edit(ann, task, Paint(part=0, faces=(2, 3))).seq == 2
    with path.open("r+b") as file:
        if damage == "cut":
            file.truncate(4096)
        else:
            file.write(np.random.default_rng(0).bytes(path.stat().st_size))
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="overwritten or cut"):
            on_sqlite.edit(ann, task, Paint(part=0, faces=(5, 1)))


def test_a_damaged_database_is_not_served(on_sqlite: Review) -> None:
    at_work(on_sqlite)
    on_sqlite.store.close()
    path = Path(on_sqlite.store.database.engine.url.database or "")
    pages = path.stat().st_size // 4096
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(np.random.default_rng(0).bytes(4096 * (pages - 1)))
    with pytest.raises(StoreUnavailable, match=r"damaged|malformed|not available"):
        on_sqlite.reopen()


def test_a_database_is_its_owners_alone(on_sqlite: Review) -> None:
    at_work(on_sqlite)
    files = sorted(on_sqlite.root.glob("review.db*"))
    assert len(files) == 3 and {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_writers_wait_for_a_lock_together(on_sqlite: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, task = at_work(on_sqlite)
    monkeypatch.setattr(database, "BUSY_SECONDS", 1.0)
    other = sqlite3.connect(on_sqlite.root / "review.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begin = time.monotonic()

    def beat(_: int) -> float:
        with pytest.raises(StoreUnavailable):
            on_sqlite.store.leases.beat(ann, task, True)
        return time.monotonic() - begin

    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(beat, range(8)))
    assert min(waits) > 0.9 and max(waits) < 4.0  # one after the other: eight seconds
    other.execute("ROLLBACK")
    other.close()
    on_sqlite.store.leases.beat(ann, task, True)
