"""Raw data sets → one corpus folder (section 3.4)."""

import errno
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alignparts.core.atomic import PREFIX, write_atomically, write_text
from alignparts.core.config.params import CorpusParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.parallel import map_shapes
from alignparts.corpus import duplicates, readers
from alignparts.corpus.dialects import load_dialects
from alignparts.corpus.index import COLUMNS, Corpus, describe_file, read_about, shape_file, write_shape
from alignparts.corpus.readers import BrokenLabels, Locator, ReadOptions
from alignparts.corpus.splits import assign_splits, one_per_model, plain_name, write_lists

REPORT = ("shape_id", "kind", "source", "reason")
_ADDED = ("model", "parts", "instances", "faces", "official_split")
_BATCH = 8
"""Shapes per task of a worker: sending one takes as long as reading a small one."""
_Job = tuple[str, Locator, str]
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


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
    total = sum(1 for _ in _jobs(tops, kind, chosen))  # a large data set is never held
    if not total:
        kinds = ", ".join(sorted(readers.KINDS))
        raise AlignPartsError(f"{folders}: no shape in it; expected a folder of one of the kinds {kinds}")
    _prepare(target, {"sources": [top.name for top in tops], **asdict(chosen), "texture_size": texture_size})
    convert, jobs = partial(_convert, out=target, texture_size=texture_size), _jobs(tops, kind, chosen)
    where: dict[str, Any] = {"workers": workers, "scheduler": scheduler, "description": "ingest"}
    results = list(map_shapes(convert, jobs, total=total, batch=_BATCH, **where))
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


def _jobs(tops: list[Path], kind: str, options: ReadOptions) -> Iterator[_Job]:
    """Yield kind, locator with an id unique over all folders, and path from the given folder, per shape."""
    taken: Counter[str] = Counter()
    for top in tops:
        for actual, locator in readers.scan(top, kind, options):
            shape_id, path = locator.shape_id, locator.path
            while shape_id in taken:
                taken[locator.shape_id] += 1
                shape_id = f"{locator.shape_id}.{taken[locator.shape_id]}"
            taken[shape_id] += 1
            below = path != top and path.is_relative_to(top)
            source = Path(top.name) / (path.relative_to(top) if below else path.name)
            yield actual, replace(locator, shape_id=shape_id), str(source)


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
                other = f"this corpus was made with {key} {before.get(key)!r}, not {value!r}"
                way = (
                    "choose another folder for it (further sources may only be added after the present ones)"
                )
                raise AlignPartsError(f"{record}: {other}; {way}")
        write_text(record, json.dumps(settings, indent=2) + "\n")
    except OSError as error:
        message = f"{target}: cannot be written: {error.strerror}; choose another folder"
        raise AlignPartsError(message) from None
    except ValueError as error:
        raise AlignPartsError(f"{record}: not JSON: {error}; delete the folder and read again") from None


def _drawn_splits(index: pd.DataFrame, params: CorpusParams, seed: int) -> "pd.Series[Any]":
    """Return the split of every shape as drawn; a shape without named parts takes no part in it."""
    labeled = index[index["parts"] > 0]
    splits = assign_splits(labeled, params, load_dialects().heldout(params.heldout), seed)
    drawn = dict(zip(labeled["shape_id"], one_per_model(labeled, splits), strict=True))
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
