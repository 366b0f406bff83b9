"""Raw data sets → one corpus folder (section 3.4)."""

import errno
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alignparts.core.atomic import PREFIX, write_atomically, write_text
from alignparts.core.config.corpus import CorpusParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.parallel import map_shapes
from alignparts.corpus import duplicates, readers
from alignparts.corpus.dialects import load_dialects
from alignparts.corpus.index import COLUMNS, Corpus, describe_file, read_about, shape_file, write_shape
from alignparts.corpus.readers import BrokenLabels, Locator, ReadOptions
from alignparts.corpus.splits import draw_splits, plain_name, write_lists

REPORT = ("shape_id", "kind", "source", "reason")
_ADDED = ("model", "pack", "parts", "instances", "faces", "official_split")
_BATCH = 8
"""Shapes per task of a worker: sending one takes as long as reading a small one."""
_Job = tuple[str, Locator, str]
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class Source:
    """Folder of any mixture of data sets, or a file, and the shapes that are taken of it.

    Attributes:
        folder: see :func:`alignparts.corpus.readers.scan`.
        kind: "auto", or the expected kind.
        options: choice of labels.
        limit: most shapes taken; None: all.
        share: share of the shapes taken.
        license: license of shapes for which no manifest states one; "": that of the data set.
    """

    folder: Path
    kind: str = "auto"
    options: ReadOptions = field(default_factory=ReadOptions)
    limit: int | None = None
    share: float = 1.0
    license: str = ""

    def scan(self, seed: int = 0) -> Iterator[_Job]:
        """Yield kind, locator and path of the shapes; those that the seed does not draw with their reason."""
        drawn = self._drawn(seed)
        for kind, locator in readers.scan(self.folder, self.kind, self.options):
            entry = replace(locator, license=locator.license or self.license)
            if drawn is not None and not entry.reason and entry.shape_id not in drawn:
                kind, entry = readers.UNKNOWN, replace(entry, reason=f"not drawn: {self._rule}")
            path, top = entry.path, self.folder
            below = path != top and path.is_relative_to(top)
            yield kind, entry, str(Path(top.name) / (path.relative_to(top) if below else path.name))

    @property
    def settings(self) -> dict[str, Any]:
        """Return what the stored shapes depend on."""
        drawn = {"limit": self.limit, "share": self.share, "license": self.license}
        return {"folder": self.folder.name, **asdict(self.options), **drawn}

    @property
    def _rule(self) -> str:
        return f"share {self.share:g} of the source" + (f", limit {self.limit}" if self.limit else "")

    def _drawn(self, seed: int) -> set[str] | None:
        """Return the ids of the shapes taken, which do not depend on other sources; None: all."""
        if self.limit is None and self.share == 1:
            return None
        located = readers.scan(self.folder, self.kind, self.options)
        ids = [locator.shape_id for _, locator in located if not locator.reason]
        ids.sort(key=lambda shape_id: hashlib.sha256(f"{seed}:{shape_id}".encode()).digest())
        count = max(1, round(len(ids) * self.share))
        return set(ids[: min(count, self.limit or count)])


@dataclass(frozen=True)
class Ingested:
    """Outcome of a run of ingestion.

    Attributes:
        corpus: the corpus written.
        kept: number of shapes that were there already.
        report: shapes left out: shape_id, kind, source, reason.
        groups: copies of each other, see :func:`duplicates.find_groups`.
        leaks: those drawn for several splits, see :func:`duplicates.resolve_leaks`.
        seconds: wall time.
    """

    corpus: Corpus
    kept: int
    report: pd.DataFrame
    groups: pd.DataFrame
    leaks: pd.DataFrame
    seconds: float


def ingest(
    sources: Sequence[Source | Path | str],
    out: Path | str,
    params: CorpusParams,
    *,
    seed: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
    texture_size: int = 1024,
    keep_duplicates: bool = False,
) -> Ingested:
    """Read every shape of the sources into a corpus folder.

    Writes ``shapes/<shape_id>.glb`` (``.npz`` for clouds), ``index.parquet``, ``geometry.parquet`` (the
    descriptors), ``splits/<split>.txt`` (ids), ``duplicates.csv``, ``leakage.csv``, ``ingest.json`` (the
    settings) and ``report.csv``, which lists the shapes left out and why. A shape that cannot be read is left
    out and the run goes on; one that is in ``out`` already is not read again: a killed run is repeated.

    Args:
        sources: data sets, or just their folders.
        out: folder of the corpus.
        params: rule and sizes of the splits.
        seed: seed of the splits and of the shapes drawn.
        workers: number of processes.
        scheduler: address of a Dask scheduler.
        texture_size: longest side of a stored image in pixels.
        keep_duplicates: leave copies of tested shapes in training; they are reported all the same.

    Raises:
        AlignPartsError: a source is missing, given twice or of another kind, a file that concerns all shapes
            is broken, ``out`` cannot be written or was made with other settings, or not one shape could be
            read.
    """
    start = time.perf_counter()
    target, given = Path(out), [x if isinstance(x, Source) else Source(Path(x)) for x in sources]
    _check_apart(given)
    folders = ", ".join(str(source.folder) for source in given)
    total = sum(1 for _ in _jobs(given, seed))  # a large data set is never held
    if not total:
        kinds = ", ".join(sorted(readers.KINDS))
        raise AlignPartsError(f"{folders}: no shape in it; expected a folder of one of the kinds {kinds}")
    _prepare(target, [source.settings | {"texture_size": texture_size} for source in given])
    convert = partial(_convert, out=target, texture_size=texture_size)
    where: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "description": "ingest"}
    results = list(map_shapes(convert, _jobs(given, seed), total=total, batch=_BATCH, **where))
    report = pd.DataFrame([row for row in results if "reason" in row], columns=list(REPORT))
    write_text(target / "report.csv", report.to_csv(index=False))
    stored = sorted((row for row in results if "reason" not in row), key=itemgetter("shape_id"))
    if not stored:
        raise AlignPartsError(f"{folders}: no shape could be read; see {target}/report.csv")
    index, geometry = pd.DataFrame(stored), np.stack([row["descriptor"] for row in stored])
    index["split"] = _drawn_splits(index, params, seed)
    groups = duplicates.find_groups(index, geometry)
    leaks = duplicates.resolve_leaks(groups, keep=keep_duplicates)
    index["split"] = index["shape_id"].map(leaks.set_index("shape_id")["split"]).fillna(index["split"])
    _write(target, index[[*COLUMNS, *_ADDED]], geometry, groups, leaks)
    seconds = time.perf_counter() - start
    return Ingested(Corpus(target), int(index["kept"].sum()), report, groups, leaks, seconds)


def _check_apart(sources: Sequence[Source]) -> None:
    """Raise AlignPartsError where a shape would come twice: a folder is given twice, or within another."""
    for index, first in enumerate(sources):
        for other in sources[index + 1 :]:
            one, two = first.folder.resolve(), other.folder.resolve()
            if one.is_relative_to(two) or two.is_relative_to(one):
                pair = f"{first.folder} and {other.folder}"
                raise AlignPartsError(f"sources: {pair} hold the same shapes; expected folders apart")


def _jobs(sources: Sequence[Source], seed: int) -> Iterator[_Job]:
    """Yield the jobs of all sources, each with an id unique over them."""
    taken: Counter[str] = Counter()
    for source in sources:
        for kind, locator, path in source.scan(seed):
            shape_id = locator.shape_id
            while shape_id in taken:
                taken[locator.shape_id] += 1
                shape_id = f"{locator.shape_id}.{taken[locator.shape_id]}"
            taken[shape_id] += 1
            yield kind, replace(locator, shape_id=shape_id), path


def _prepare(target: Path, settings: list[dict[str, Any]]) -> None:
    """Make the folder, clear the half-written files of a killed run, and refuse to mix settings."""
    record = target / "ingest.json"
    try:
        (target / "shapes").mkdir(parents=True, exist_ok=True)
        for folder in (target, target / "shapes", target / "splits"):
            for leftover in folder.glob(f"{PREFIX}*"):
                leftover.unlink()
        before = json.loads(record.read_text())["sources"] if record.is_file() else []
        for old, new in zip(before, settings, strict=False):
            for key, value in new.items():
                if old.get(key) != value:
                    of = "" if key == "folder" else f" of {new['folder']}"
                    other = f"this corpus was made with {key} {old.get(key)!r}{of}, not {value!r}"
                    way = "choose another folder for it (sources may only be added after the present ones)"
                    raise AlignPartsError(f"{record}: {other}; {way}")
        if len(before) > len(settings):
            raise AlignPartsError(
                f"{record}: made with {len(before)} sources; choose another folder for fewer"
            )
        write_text(record, json.dumps({"sources": settings}, indent=2) + "\n")
    except OSError as error:
        message = f"{target}: cannot be written: {error.strerror}; choose another folder"
        raise AlignPartsError(message) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        message = f"{record}: not a record of ingestion; delete the folder and read again"
        raise AlignPartsError(message) from None


def _drawn_splits(index: pd.DataFrame, params: CorpusParams, seed: int) -> "pd.Series[Any]":
    """Return the split of every shape as drawn; a shape without named parts takes no part in it."""
    labeled = index[index["parts"] > 0]
    splits = draw_splits(labeled, params, load_dialects().heldout(params.heldout), seed)
    drawn = dict(zip(labeled["shape_id"], splits, strict=True))
    return index["shape_id"].map(drawn).fillna("unlabeled")


def _write(
    target: Path, index: pd.DataFrame, geometry: np.ndarray, groups: pd.DataFrame, leaks: pd.DataFrame
) -> None:
    table = pd.DataFrame(geometry, columns=list(duplicates.MOMENTS))
    table.insert(0, "shape_id", index["shape_id"])
    table.insert(1, "geometry", [duplicates.geometry_hash(row) for row in geometry])
    write_atomically(target / "geometry.parquet", lambda path: table.to_parquet(path, index=False))
    now = groups["shape_id"].map(index.set_index("shape_id")["split"])
    write_text(target / "duplicates.csv", groups.assign(split=now).to_csv(index=False))
    write_text(target / "leakage.csv", leaks.to_csv(index=False))
    write_lists(target, index)
    # Last: a folder with an index is a whole corpus.
    write_atomically(target / "index.parquet", lambda path: index.to_parquet(path, index=False))


def _convert(job: _Job, out: Path, texture_size: int) -> dict[str, Any]:
    """Read one shape and write it, unless it is there; return its row of the index, else of the report.

    AlignPartsError is raised where the run cannot go on: a file of all shapes is broken, or the disk is full.
    """
    kind, locator, source = job
    try:
        stored = _read_stored(job, out)
        kept = stored is not None
        if stored is None:
            shape = replace(readers.read(kind, locator), shape_id=locator.shape_id)
            if shape.part_names and not plain_name(shape.category):
                way = "a manifest.csv (path,category) above it may state one"
                raise AlignPartsError(f"{locator.path}: parts without a category; {way}")
            shape = shape if kind == "corpus" else replace(shape, source=source)
            path = write_shape(out / "shapes", shape, texture_size=texture_size)
            stored = read_about(path), describe_file(path)
        about, descriptor = stored
        model, split = readers.model_and_split(kind, locator)
        return {
            **{name: about[name] for name in ("shape_id", "dataset", "license", "source", "faces")},
            "category": plain_name(about["category"]),
            "raw_category": about["category"],
            "model": model,
            "pack": locator.pack or "/".join(source.split("/")[:-1][:2]),
            "parts": len(set(about["instances"])),
            "instances": len(about["instances"]),
            "official_split": split,
            "descriptor": descriptor,
            "kept": kept,
        }
    except BrokenLabels:
        raise
    except AlignPartsError as error:
        reason = str(error)
    except Exception as error:
        # Writing to an open file fails without its name; reading does not fail for want of space.
        file = getattr(error, "filename", None) or out
        if isinstance(error, OSError) and error.errno in _DISK and Path(str(file)).is_relative_to(out):
            raise AlignPartsError(f"{out}: cannot be written: {error.strerror}") from None
        # One broken file among thousands must not end the run; its reason goes into the report.
        reason = f"{locator.path}: {type(error).__name__}: {error}"
    return {"shape_id": locator.shape_id, "kind": kind, "source": source, "reason": reason}


def _read_stored(job: _Job, out: Path) -> tuple[dict[str, Any], np.ndarray] | None:
    """Return the corpus's own record and the descriptor of a shape that is there; else None."""
    kind, locator, source = job
    try:
        path = shape_file(out, locator.shape_id)
        about = read_about(path)
        # An id may have gone to another file since, where two had the same.
        return (about, describe_file(path)) if kind == "corpus" or about["source"] == source else None
    except AlignPartsError:
        return None
