"""Raw data sets → one corpus folder (section 3.4)."""

import errno
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alignparts.core.atomic import PREFIX, write_atomically
from alignparts.core.config.params import CorpusParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.parallel import map_shapes
from alignparts.corpus import duplicates, readers
from alignparts.corpus.dialects import load_dialects
from alignparts.corpus.index import COLUMNS, Corpus, describe_file, read_about, shape_file, write_shape
from alignparts.corpus.readers import BrokenLabels, Locator, ReadOptions
from alignparts.corpus.splits import assign_splits, one_a_model, plain_name, write_lists

REPORT = ("shape_id", "kind", "source", "reason")
_ADDED = ("model", "parts", "instances", "faces", "official_split")
_BATCH = 8
"""Shapes per task of a worker: sending one takes as long as reading a small one."""
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class Ingested:
    """Outcome of a run of ingestion.

    Attributes:
        corpus: the corpus written.
        kept: number of shapes that were there already.
        report: shapes left out: shape_id, kind, source, reason.
        groups: copies of each other, see :func:`alignparts.corpus.duplicates.find_groups`.
        leaks: those drawn for several splits, see :func:`alignparts.corpus.duplicates.resolve_leaks`.
        seconds: wall time.
    """

    corpus: Corpus
    kept: int
    report: pd.DataFrame
    groups: pd.DataFrame
    leaks: pd.DataFrame
    seconds: float


class _Job(NamedTuple):
    kind: str
    locator: Locator
    source: str
    out: Path
    texture_size: int


class _Stored(NamedTuple):
    """A shape of the corpus: its row of the index, its descriptor, and True where it was there before."""

    row: dict[str, Any]
    descriptor: np.ndarray
    kept: bool


def ingest(
    sources: Sequence[Path | str],
    out: Path | str,
    params: CorpusParams,
    *,
    kind: str = "auto",
    options: ReadOptions | None = None,
    seed: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
    texture_size: int = 1024,
    keep_duplicates: bool = False,
) -> Ingested:
    """Read every shape under the source folders into a corpus folder.

    Writes ``shapes/<shape_id>.glb`` (``.npz`` for clouds), ``index.parquet``, ``geometry.parquet`` (the
    descriptors), ``splits/<split>.txt`` (ids), ``duplicates.csv``, ``leakage.csv``, ``ingest.json`` (the
    settings) and ``report.csv``, which lists the shapes left out and why. A shape that cannot be read is left
    out and the run goes on; one that is in ``out`` already is not read again: a killed run is repeated.

    Args:
        sources: folders of any mixture of data sets, see :func:`alignparts.corpus.readers.scan`.
        out: folder of the corpus.
        params: sizes of the splits.
        kind: "auto", or the expected kind of the sources.
        options: choice of labels and shapes.
        seed: seed of the splits.
        workers: number of processes.
        scheduler: address of a Dask scheduler.
        texture_size: longest side of a stored image in pixels.
        keep_duplicates: leave copies of tested shapes in training; they are reported all the same.

    Raises:
        AlignPartsError: a source is missing or of another kind, a file that concerns all shapes is broken,
            ``out`` cannot be written or was made with other settings, or not one shape could be read.
    """
    start = time.perf_counter()
    target, tops = Path(out), [Path(source) for source in sources]
    folders = ", ".join(map(str, tops))
    chosen = options or ReadOptions()
    batch = 1 if workers <= 1 and scheduler is None else _BATCH
    jobs = _Jobs(tops, target, kind, chosen, texture_size, batch)
    if not len(jobs):
        kinds = ", ".join(sorted(readers.KINDS))
        raise AlignPartsError(f"{folders}: no shape in it; expected a folder of one of the kinds {kinds}")
    _prepare(target, {"sources": [top.name for top in tops], **asdict(chosen), "texture_size": texture_size})
    stored: list[_Stored] = []
    left_out: list[tuple[str, ...]] = []
    name = "ingest" if batch == 1 else f"ingest (x {batch} shapes)"
    for results in map_shapes(_convert_all, jobs, workers=workers, scheduler=scheduler, description=name):
        stored += [result for result in results if isinstance(result, _Stored)]
        left_out += [result for result in results if not isinstance(result, _Stored)]
    report = pd.DataFrame(left_out, columns=list(REPORT))
    _write_csv(target / "report.csv", report)
    if not stored:
        raise AlignPartsError(f"{folders}: no shape could be read; see {target}/report.csv")
    stored.sort(key=lambda shape: shape.row["shape_id"])
    index, geometry = pd.DataFrame([s.row for s in stored]), np.stack([s.descriptor for s in stored])
    index["split"] = _drawn_splits(index, params, seed)
    groups = duplicates.find_groups(index, geometry)
    leaks = duplicates.resolve_leaks(groups, keep=keep_duplicates)
    index["split"] = index["shape_id"].map(leaks.set_index("shape_id")["split"]).fillna(index["split"])
    _write(target, index[[*COLUMNS, *_ADDED]], geometry, groups, leaks)
    kept = sum(shape.kept for shape in stored)
    return Ingested(Corpus(target), kept, report, groups, leaks, time.perf_counter() - start)


@dataclass(eq=False)
class _Jobs(Sequence[list[_Job]]):
    """Batches of shapes to read, scanned anew by every pass: a large data set is never held, only counted."""

    tops: list[Path]
    target: Path
    kind: str
    options: ReadOptions
    texture_size: int
    batch: int
    _number: int | None = None

    def __len__(self) -> int:
        if self._number is None:
            self._number = sum(1 for _ in self)
        return self._number

    def __getitem__(self, item: Any) -> Any:
        raise TypeError("shapes are scanned in passing; iterate over them")

    def __iter__(self) -> Iterator[list[_Job]]:
        jobs = self._jobs()
        while batch := list(itertools.islice(jobs, self.batch)):
            yield batch

    def _jobs(self) -> Iterator[_Job]:
        taken: Counter[str] = Counter()
        for top in self.tops:
            for kind, locator in readers.scan(top, self.kind, self.options):
                shape_id, path = locator.shape_id, locator.path
                while shape_id in taken:
                    taken[locator.shape_id] += 1
                    shape_id = f"{locator.shape_id}.{taken[locator.shape_id]}"
                taken[shape_id] += 1
                below = path != top and path.is_relative_to(top)
                source = Path(top.name) / (path.relative_to(top) if below else path.name)
                job = replace(locator, shape_id=shape_id)
                yield _Job(kind, job, str(source), self.target, self.texture_size)


def _prepare(target: Path, settings: dict[str, Any]) -> None:
    """Make the folder, clear the half-written files of a killed run, and refuse to mix settings."""
    record = target / "ingest.json"
    try:
        (target / "shapes").mkdir(parents=True, exist_ok=True)
        for folder in (target, target / "shapes", target / "splits"):
            for leftover in folder.glob(f"{PREFIX}*"):
                leftover.unlink()
        before = json.loads(record.read_text()) if record.is_file() else settings
        sources = before.get("sources", [])
        if settings["sources"][: len(sources)] == sources:  # further ones may be added
            before = {**before, "sources": settings["sources"]}
        for key, value in settings.items():
            if before.get(key) != value:
                raise AlignPartsError(
                    f"{record}: this corpus was made with {key} {before.get(key)!r}, not {value!r}; choose "
                    "another folder for it (further sources may only be added after the present ones)"
                )
        write_atomically(record, lambda path: path.write_text(json.dumps(settings, indent=2) + "\n"))
    except OSError as error:
        raise AlignPartsError(
            f"{target}: cannot be written: {error.strerror}; choose another folder"
        ) from None
    except ValueError as error:
        raise AlignPartsError(f"{record}: not JSON: {error}; delete the folder and read again") from None


def _drawn_splits(index: pd.DataFrame, params: CorpusParams, seed: int) -> "pd.Series[Any]":
    """Return the split of every shape as drawn; a shape without named parts takes no part in it."""
    labeled = index[index["parts"] > 0]
    splits = assign_splits(labeled, params, load_dialects().heldout(params.heldout), seed)
    drawn = dict(zip(labeled["shape_id"], one_a_model(labeled, splits), strict=True))
    return index["shape_id"].map(drawn).fillna("unlabeled")


def _write(
    target: Path, index: pd.DataFrame, geometry: np.ndarray, groups: pd.DataFrame, leaks: pd.DataFrame
) -> None:
    table = pd.DataFrame(geometry, columns=list(duplicates.MOMENTS))
    table.insert(0, "shape_id", index["shape_id"])
    table.insert(1, "geometry", [duplicates.geometry_hash(row) for row in geometry])
    write_atomically(target / "geometry.parquet", lambda path: table.to_parquet(path, index=False))
    now = groups["shape_id"].map(index.set_index("shape_id")["split"])
    _write_csv(target / "duplicates.csv", groups.assign(split=now))
    _write_csv(target / "leakage.csv", leaks)
    write_lists(target, index)
    # Last: a folder with an index is a whole corpus.
    write_atomically(target / "index.parquet", lambda path: index.to_parquet(path, index=False))


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    write_atomically(path, lambda temporary: table.to_csv(temporary, index=False))


def _convert_all(jobs: list[_Job]) -> list[_Stored | tuple[str, ...]]:
    return [_convert(job) for job in jobs]


def _convert(job: _Job) -> _Stored | tuple[str, ...]:
    """Read one shape and write it, unless it is there; else return its row of the report.

    AlignPartsError is raised where the run cannot go on: a file of all shapes is broken, or the disk is full.
    """
    try:
        stored = _read_stored(job)
        kept = stored is not None
        if stored is None:
            shape = replace(readers.read(job.kind, job.locator), shape_id=job.locator.shape_id)
            if job.kind != "corpus":
                shape = replace(shape, source=job.source)
            path = write_shape(job.out / "shapes", shape, texture_size=job.texture_size)
            stored = read_about(path), describe_file(path)
        about, descriptor = stored
        model, split = readers.model_and_split(job.kind, job.locator)
        row = {
            **{name: about[name] for name in ("shape_id", "dataset", "license", "source", "faces")},
            "category": plain_name(about["category"]),
            "raw_category": about["category"],
            "model": model,
            "parts": len(set(about["instances"])),
            "instances": len(about["instances"]),
            "official_split": split,
        }
        return _Stored(row, descriptor, kept)
    except BrokenLabels:
        raise
    except AlignPartsError as error:
        reason = str(error)
    except Exception as error:
        # Writing to an open file fails without its name; reading does not fail for want of space.
        file = getattr(error, "filename", None) or job.out
        if isinstance(error, OSError) and error.errno in _DISK and Path(str(file)).is_relative_to(job.out):
            raise AlignPartsError(f"{job.out}: cannot be written: {error.strerror}") from None
        # One broken file among thousands must not end the run; its reason goes into the report.
        reason = f"{job.locator.path}: {type(error).__name__}: {error}"
    return job.locator.shape_id, job.kind, job.source, reason


def _read_stored(job: _Job) -> tuple[dict[str, Any], np.ndarray] | None:
    """Return the corpus's own record and the descriptor of a shape that is there; else None."""
    try:
        path = shape_file(job.out, job.locator.shape_id)
        about = read_about(path)
        # An id may have gone to another file since, where two had the same.
        same = job.kind == "corpus" or about["source"] == job.source
        return (about, describe_file(path)) if same else None
    except AlignPartsError:
        return None
