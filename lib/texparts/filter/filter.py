"""Filter: keep the objects of a folder that are worth a prediction (section 13).

Writes ``filtered.csv`` (one row per file, with the reason of those left out), ``thumbnails/<id>.png`` of all
that can be drawn, ``filter.json`` (folder of the files) and ``inspections.jsonl`` (findings per file). A run
that was killed goes on from there, and a run over more files opens the new ones alone.
"""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from alignparts.core.atomic import write_atomically, write_text
from alignparts.core.config.texparts import FilterParams, TexPartsParams
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.duplicates import find_groups
from alignparts.corpus.writers.common import write_bytes
from alignparts.ontology.llm.client import LanguageModel
from texparts.filter.inspection import Asked, Inspection, inspect
from texparts.filter.quality import Quality, thumbnail_request
from texparts.filter.sandbox import Died, isolated_map
from texparts.filter.sources import Source, find_sources, one_line

TEXTS = ("object_id", "file", "reason", "detail", "license", "title", "category", "content")
COLUMNS = (*TEXTS[:2], "kept", *TEXTS[2:4], "faces", *TEXTS[4:])
"""Columns of filtered.csv; ``category`` is the language model's, ``content`` the beginning of the sha256."""
RULES = 1
"""Version of the rules; raise it when a rule changes a verdict."""
_NOT_OF_A_FILE = {"refused_licenses", "duplicates", "llm", "llm_model"}
_UNSURE = ("too_slow", "too_much_memory", "crashed")
"""Reasons that another run may not find again."""
_MOST_DETAIL = 300


@dataclass(frozen=True)
class _Found:
    """A source and the findings on it; an empty reason keeps it."""

    source: Source
    content: str
    reason: str = ""
    detail: str = ""
    faces: int = 0
    descriptor: tuple[float, ...] = ()
    category: str = ""

    def rejected(self, reason: str, detail: str) -> "_Found":
        return replace(self, reason=reason, detail=one_line(detail, _MOST_DETAIL), descriptor=())


def filter_folder(
    folder: Path, root: Path, params: TexPartsParams, *, workers: int = 1, llm: LanguageModel | None = None
) -> pd.DataFrame:
    """Sort out the mesh files under a folder.

    Every file is opened in a worker with bounded time and memory: one that crashes its reader becomes a row
    with a reason.

    Args:
        folder: a TexVerse folder, or any other with mesh files.
        root: folder that this stage and the later ones write to.
        params: limits, and the size of the pictures.
        workers: number of processes.
        llm: language model that judges the pictures of what is left, if any.

    Returns:
        Content of filtered.csv: :data:`COLUMNS`, in the order of the files.

    Raises:
        AlignPartsError: no mesh file in the folder; ``root`` cannot be written; the language model does not
            answer (its answers so far are on record).
    """
    # Details may hold whole paths, which are cut off them.
    folder = folder.resolve()
    sources = find_sources(folder)
    try:
        (root / "thumbnails").mkdir(parents=True, exist_ok=True)
        found = _look(sources, folder, root, params, workers)
    except OSError as error:
        raise AlignPartsError(f"{root}: cannot be written: {error.strerror or error}") from None
    if params.filter.duplicates:
        found = _without_copies(found)
    if llm is not None:
        found = _judged(found, root, llm)
    rows = [{**vars(one), **vars(one.source), "kept": not one.reason} for one in found]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    place = os.path.relpath(folder, root.resolve())
    write_text(root / "filter.json", json.dumps({"folder": place}, indent=2) + "\n")
    write_atomically(root / "filtered.csv", lambda path: table.to_csv(path, index=False, lineterminator="\n"))
    return table


def read_filtered(root: Path) -> tuple[Path, pd.DataFrame]:
    """Return the folder of the files, and filtered.csv; raises AlignPartsError if either is missing."""
    table, settings = root / "filtered.csv", root / "filter.json"
    if not table.is_file() or not settings.is_file():
        raise AlignPartsError(f"{table}: no such file; run: texparts filter FOLDER --out {root}")
    folder = (root / json.loads(settings.read_text())["folder"]).resolve()
    if not folder.is_dir():
        raise AlignPartsError(f"{settings}: the folder {folder} is gone; run the filter again")
    return folder, pd.read_csv(table, dtype=dict.fromkeys(TEXTS, str), keep_default_na=False)


def refused(license: str, phrases: Sequence[str]) -> str:
    """Return the first phrase that a license holds as whole words; "" where there is none."""

    def words(text: str) -> str:
        return f" {' '.join(re.findall('[a-z0-9]+', text.lower()))} "

    return next((phrase for phrase in phrases if words(phrase) in words(license)), "")


def _look(
    sources: Sequence[Source], folder: Path, root: Path, params: TexPartsParams, workers: int
) -> list[_Found]:
    """Check license and file of every source; files that an earlier run looked at are not opened again."""
    limits, path = params.filter, root / "inspections.jsonl"
    settings = _settings(limits, params.thumbnail)
    before = _read_inspections(path, settings)
    found: dict[str, _Found] = {}
    todo: list[_Found] = []
    for source in tqdm(sources, desc="hashing files", mininterval=2.0, leave=False):
        one = _Found(source, _content(source.path, limits))
        known = before.get((source.file, one.content))
        if refused(source.license, limits.refused_licenses):
            detail = f"'{source.license}' does not let changed copies be passed on"
            found[source.object_id] = one.rejected("license", detail)
        elif known and (known["reason"] or _picture(root, source).is_file()):
            said = {name: known[name] for name in ("reason", "detail", "faces")}
            found[source.object_id] = replace(one, **said, descriptor=tuple(known["descriptor"]))
        else:
            todo.append(one)
    asked = [Asked(one.source.path, limits, params.thumbnail) for one in todo]
    results = isolated_map(
        inspect, asked, seconds=limits.seconds, megabytes=limits.memory_megabytes, workers=workers,
        preload=("texparts.filter.inspection",),
    )  # fmt: skip
    progress = tqdm(results, total=len(todo), desc="filter", mininterval=2.0, leave=False)
    with path.open("a", encoding="utf-8") as log:
        for one, result in zip(todo, progress, strict=True):
            done = _combined(one, result, folder)
            if isinstance(result, Inspection) and result.picture:
                write_bytes(_picture(root, one.source), result.picture)
            log.write(_line(done, settings))
            log.flush()
            found[one.source.object_id] = done
    ordered = [found[source.object_id] for source in sources]
    write_text(path, "".join(_line(one, settings) for one in ordered if one.reason != "license"))
    return ordered


def _combined(one: _Found, result: Inspection | Died, folder: Path) -> _Found:
    if isinstance(result, Died) or result.reason:
        detail = result.detail.replace(f"{folder}{os.sep}", "").replace(str(folder), folder.name)
        return one.rejected(result.reason, detail)
    assert result.descriptor is not None
    descriptor = tuple(result.descriptor.astype(float).round(6).tolist())
    return replace(one, faces=result.faces, descriptor=descriptor)


def _without_copies(found: list[_Found]) -> list[_Found]:
    """Reject all but the first of several objects of the same geometry."""
    rows = [row for row, one in enumerate(found) if not one.reason]
    if len(rows) < 2:
        return found
    index = pd.DataFrame({"shape_id": [f"{row:09d}" for row in rows], "dataset": "files"})
    index[["raw_category", "split", "source", "model"]] = ""
    groups = find_groups(index, np.array([found[row].descriptor for row in rows], np.float32))
    result = list(found)
    for _, ids in groups.groupby("group").shape_id:
        first, *others = sorted(map(int, ids))
        for row in others:
            detail = f"has the geometry of {found[first].source.object_id}"
            result[row] = found[row].rejected("duplicate", detail)
    return result


def _judged(found: list[_Found], root: Path, llm: LanguageModel) -> list[_Found]:
    """Add a language model's judgment of the pictures of what is left."""
    rows = [row for row, one in enumerate(found) if not one.reason]
    requests = []
    for source in (found[row].source for row in rows):
        about = "; ".join(filter(None, [source.title, f"tags: {source.tags}" if source.tags else ""]))
        requests.append(thumbnail_request(_picture(root, source).read_bytes(), about))
    result = list(found)
    for row, reply in zip(rows, llm.ask_all(requests, Quality), strict=True):
        one = replace(found[row], category=reply.category)
        result[row] = one if reply.usable else one.rejected("language_model", reply.reason)
    return result


def _picture(root: Path, source: Source) -> Path:
    return root / "thumbnails" / f"{source.object_id}.png"


def _content(path: Path, limits: FilterParams) -> str:
    """Return the beginning of a file's sha256; its size where it is too large to be read."""
    try:
        if path.stat().st_size > limits.megabytes * 2**20:
            return f"{path.stat().st_size} bytes"
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError:
        return ""


def _settings(limits: FilterParams, thumbnail: int) -> str:
    """Return a digest of all that decides on a single file."""
    shown = limits.model_dump(mode="json", exclude=_NOT_OF_A_FILE)
    text = json.dumps([RULES, thumbnail, shown], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _line(one: _Found, settings: str) -> str:
    said = {
        "file": one.source.file, "content": one.content, "settings": settings, "reason": one.reason,
        "detail": one.detail, "faces": one.faces, "descriptor": one.descriptor,
    }  # fmt: skip
    return json.dumps(said, ensure_ascii=False) + "\n"


def _read_inspections(path: Path, settings: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the findings of earlier runs with the same limits, by file and content."""
    known = {}
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for line in text.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue  # the line that a killed run was writing
        if said["settings"] == settings and said["reason"] not in _UNSURE:
            known[said["file"], said["content"]] = said
    return known
