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
class _Finding:
    """A source and the findings on it; an empty reason keeps it."""

    source: Source
    content: str
    reason: str = ""
    detail: str = ""
    faces: int = 0
    descriptor: tuple[float, ...] = ()
    category: str = ""

    def rejected(self, reason: str, detail: str) -> "_Finding":
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
        findings = _look(sources, folder, root, params, workers)
    except OSError as error:
        raise AlignPartsError(f"{root}: cannot be written: {error.strerror or error}") from None
    if params.filter.duplicates:
        findings = _without_copies(findings)
    if llm is not None:
        findings = _judged(findings, root, llm)
    rows = [{**vars(finding), **vars(finding.source), "kept": not finding.reason} for finding in findings]
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
) -> list[_Finding]:
    """Check license and file of every source; files that an earlier run looked at are not opened again."""
    limits, path = params.filter, root / "inspections.jsonl"
    settings = _settings(limits, params.thumbnail)
    before = _read_inspections(path, settings)
    findings: dict[str, _Finding] = {}
    todo: list[_Finding] = []
    for source in tqdm(sources, desc="hashing files", mininterval=2.0, leave=False):
        finding = _Finding(source, _content(source.path, limits))
        if problem := _misplaced(source, folder):
            findings[source.object_id] = finding.rejected("unreadable", problem)
            continue
        known = before.get((source.file, finding.content))
        if refused(source.license, limits.refused_licenses):
            detail = f"'{source.license}' does not let changed copies be passed on"
            findings[source.object_id] = finding.rejected("license", detail)
        elif known and (known["reason"] or _picture(root, source).is_file()):
            entry = {name: known[name] for name in ("reason", "detail", "faces")}
            findings[source.object_id] = replace(finding, **entry, descriptor=tuple(known["descriptor"]))
        else:
            todo.append(finding)
    asked = [Asked(finding.source.path, limits, params.thumbnail) for finding in todo]
    results = isolated_map(
        inspect, asked, seconds=limits.seconds, megabytes=limits.memory_megabytes, workers=workers,
        preload=("texparts.filter.inspection",),
    )  # fmt: skip
    progress = tqdm(results, total=len(todo), desc="filter", mininterval=2.0, leave=False)
    with path.open("a", encoding="utf-8") as log:
        for finding, result in zip(todo, progress, strict=True):
            done = _combined(finding, result, folder)
            if isinstance(result, Inspection) and result.picture:
                write_bytes(_picture(root, finding.source), result.picture)
            log.write(_line(done, settings))
            log.flush()
            findings[finding.source.object_id] = done
    ordered = [findings[source.object_id] for source in sources]
    write_text(path, "".join(_line(finding, settings) for finding in ordered if finding.reason != "license"))
    return ordered


def _misplaced(source: Source, folder: Path) -> str:
    """Return why a file, of a folder without links, is not opened at all; "" where it is."""
    if folder / source.file != source.path:
        return "its name is not UTF-8; rename it"
    if not source.path.resolve().is_relative_to(folder):
        return "a link to a file outside the folder; put the file itself there"
    return ""


def _combined(finding: _Finding, result: Inspection | Died, folder: Path) -> _Finding:
    if isinstance(result, Died) or result.reason:
        detail = result.detail.replace(f"{folder}{os.sep}", "").replace(str(folder), folder.name)
        return finding.rejected(result.reason, detail)
    assert result.descriptor is not None
    descriptor = tuple(result.descriptor.astype(float).round(6).tolist())
    return replace(finding, faces=result.faces, descriptor=descriptor)


def _without_copies(findings: list[_Finding]) -> list[_Finding]:
    """Reject all but the first of several objects of the same geometry."""
    rows = [row for row, finding in enumerate(findings) if not finding.reason]
    if len(rows) < 2:
        return findings
    index = pd.DataFrame({"shape_id": [f"{row:09d}" for row in rows], "dataset": "files"})
    index[["raw_category", "split", "source", "model"]] = ""
    groups = find_groups(index, np.array([findings[row].descriptor for row in rows], np.float32))
    result = list(findings)
    for _, ids in groups.groupby("group").shape_id:
        first, *others = sorted(map(int, ids))
        for row in others:
            detail = f"has the geometry of {findings[first].source.object_id}"
            result[row] = findings[row].rejected("duplicate", detail)
    return result


def _judged(findings: list[_Finding], root: Path, llm: LanguageModel) -> list[_Finding]:
    """Add a language model's judgment of the pictures of the remaining objects."""
    rows = [row for row, finding in enumerate(findings) if not finding.reason]
    requests = []
    for source in (findings[row].source for row in rows):
        about = "; ".join(filter(None, [source.title, f"tags: {source.tags}" if source.tags else ""]))
        requests.append(thumbnail_request(_picture(root, source).read_bytes(), about))
    result = list(findings)
    for row, reply in zip(rows, llm.ask_all(requests, Quality), strict=True):
        finding = replace(findings[row], category=reply.category)
        result[row] = finding if reply.usable else finding.rejected("language_model", reply.reason)
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


def _line(finding: _Finding, settings: str) -> str:
    fields = ("content", "reason", "detail", "faces", "descriptor")
    entry = {"file": finding.source.file, "settings": settings}
    entry |= {key: getattr(finding, key) for key in fields}
    return json.dumps(entry, ensure_ascii=False) + "\n"


def _read_inspections(path: Path, settings: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the findings of earlier runs with the same limits, by file and content."""
    known = {}
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # the line that a killed run was writing
        if entry["settings"] == settings and entry["reason"] not in _UNSURE:
            known[entry["file"], entry["content"]] = entry
    return known
