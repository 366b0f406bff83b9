"""Which objects of a folder are worth a prediction, and why the others are not (section 13).

Writes ``filtered.csv``, one row a file; ``thumbnails/<id>.png`` of all that can be drawn; ``filter.json``,
where the files lie; ``inspections.jsonl``, what was found in every file: a run that was killed goes on from
there, and one over more files looks at the new ones alone.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from texparts.filter.sandbox import Died, Isolated
from texparts.filter.sources import Source, find_sources, one_line

COLUMNS = (
    "object_id",
    "file",
    "kept",
    "reason",
    "detail",
    "faces",
    "license",
    "title",
    "category",
    "content",
)
"""Of filtered.csv; ``category`` is the language model's, ``content`` the beginning of the file's sha256."""
RULES = 1
"""Raised when the same file and limits come to another end."""
_ELSEWHERE = ("refused_licenses", "duplicates", "llm", "llm_model")
_MOST_DETAIL = 300


@dataclass(frozen=True)
class _Found:
    """A source and what is known of it."""

    source: Source
    content: str
    reason: str = ""
    detail: str = ""
    faces: int = 0
    descriptor: tuple[float, ...] = ()
    category: str = ""


def filter_folder(
    folder: Path,
    root: Path,
    params: TexPartsParams,
    *,
    workers: int = 1,
    llm: LanguageModel | None = None,
) -> pd.DataFrame:
    """Sort out the mesh files under a folder.

    Every file is opened in a process of its own kind, whose time and memory are bounded: one that crashes
    its reader is a row with a reason.

    Args:
        folder: TexVerse's, or any with mesh files.
        root: where the stage writes; the stages after it read and write there too.
        params: limits and the size of the pictures.
        workers: processes.
        llm: judges the pictures of what is left, where ``params.filter.llm`` asks for it.

    Returns:
        What filtered.csv holds: :data:`COLUMNS`, in the order of files.

    Raises:
        AlignPartsError: no mesh file in the folder; ``root`` cannot be written; the language model does not
            answer (what it has answered is on record).
    """
    # Whole paths are what details may hold, and what is cut off them.
    folder = folder.resolve()
    sources = find_sources(folder)
    try:
        (root / "thumbnails").mkdir(parents=True, exist_ok=True)
        found = list(_look(sources, folder, root, params, workers))
    except OSError as error:
        raise AlignPartsError(f"{root}: cannot be written: {error.strerror or error}") from None
    if params.filter.duplicates:
        found = _without_copies(found)
    if llm is not None:
        found = _judged(found, root, llm)
    table = _table(found)
    place = os.path.relpath(folder, root.resolve())
    write_text(root / "filter.json", json.dumps({"folder": place}, indent=2) + "\n")
    write_atomically(root / "filtered.csv", lambda path: table.to_csv(path, index=False, lineterminator="\n"))
    return table


def read_filtered(root: Path) -> tuple[Path, pd.DataFrame]:
    """The folder of the files, and filtered.csv.

    Raises:
        AlignPartsError: the stage has not run here, or the folder has moved.
    """
    table, settings = root / "filtered.csv", root / "filter.json"
    if not table.is_file() or not settings.is_file():
        raise AlignPartsError(f"{table}: no such file; run: texparts filter FOLDER --out {root}")
    folder = (root / json.loads(settings.read_text())["folder"]).resolve()
    if not folder.is_dir():
        raise AlignPartsError(f"{settings}: the folder {folder} is gone; run the filter again")
    text = dict.fromkeys(
        ("object_id", "file", "reason", "detail", "license", "title", "category", "content"), str
    )
    return folder, pd.read_csv(table, dtype=text, keep_default_na=False)


def refused(license: str, phrases: Sequence[str]) -> str:
    """The first of the phrases that a license holds as whole words; "" where there is none."""
    said = _words(license)
    return next((phrase for phrase in phrases if f" {_words(phrase).strip()} " in said), "")


def _words(text: str) -> str:
    return f" {' '.join(re.findall('[a-z0-9]+', text.lower()))} "


def _look(
    sources: Sequence[Source], folder: Path, root: Path, params: TexPartsParams, workers: int
) -> Iterator[_Found]:
    """License and file of every source, in their order; those that were looked at before are not opened."""
    limits = params.filter
    settings = _settings(limits, params.thumbnail)
    path = root / "inspections.jsonl"
    before = _read_inspections(path, settings)
    found: dict[str, _Found] = {}
    todo: list[_Found] = []
    for source in tqdm(sources, desc="hashing files", mininterval=2.0, leave=False):
        one = _Found(source, _content(source.path, limits))
        why = refused(source.license, limits.refused_licenses)
        known = before.get(f"{source.file}:{one.content}")
        if why:
            detail = f"'{source.license}' does not let changed copies be passed on"
            found[source.object_id] = _Found(source, one.content, "license", detail)
        elif known and (known["reason"] or _picture(root, source).is_file()):
            found[source.object_id] = _restored(one, known)
        else:
            todo.append(one)
    with path.open("a", encoding="utf-8") as log:
        for one, result in zip(todo, _inspections(todo, params, workers), strict=True):
            done = _combined(one, result, folder)
            if isinstance(result, Inspection) and result.picture:
                write_bytes(_picture(root, one.source), result.picture)
            log.write(_line(done, settings))
            log.flush()
            found[one.source.object_id] = done
    ordered = [found[source.object_id] for source in sources]
    write_text(path, "".join(_line(one, settings) for one in ordered if one.reason != "license"))
    yield from ordered


def _inspections(todo: Sequence[_Found], params: TexPartsParams, workers: int) -> Iterator[Inspection | Died]:
    limits = params.filter
    guarded = Isolated(
        inspect, seconds=limits.seconds, megabytes=limits.memory_megabytes, workers=workers,
        preload=("texparts.filter.inspection",),
    )  # fmt: skip
    asked = [Asked(one.source.path, limits, params.thumbnail) for one in todo]
    yield from tqdm(guarded.map(asked), total=len(asked), desc="filter", mininterval=2.0, leave=False)


def _combined(one: _Found, result: Inspection | Died, folder: Path) -> _Found:
    detail = result.detail.replace(f"{folder}{os.sep}", "").replace(str(folder), folder.name)
    detail = one_line(detail, _MOST_DETAIL)
    if isinstance(result, Died):
        return _Found(one.source, one.content, result.reason, detail)
    descriptor = () if result.descriptor is None else tuple(result.descriptor.astype(float).round(6).tolist())
    return _Found(one.source, one.content, result.reason, detail, result.faces, descriptor)


def _without_copies(found: list[_Found]) -> list[_Found]:
    """Of several objects of the same geometry the first alone."""
    kept = [one for one in found if not one.reason]
    if len(kept) < 2:
        return found
    index = pd.DataFrame(
        {
            "shape_id": [f"{row:09d}" for row in range(len(kept))],
            **{name: "" for name in ("raw_category", "split", "source", "model")},
            "dataset": "files",
        }
    )
    groups = find_groups(index, np.array([one.descriptor for one in kept], np.float32))
    copies: dict[str, str] = {}
    for _, group in groups.groupby("group"):
        first, *others = (kept[int(row)] for row in sorted(group["shape_id"]))
        copies.update((other.source.object_id, first.source.object_id) for other in others)
    return [
        one
        if one.source.object_id not in copies
        else _Found(
            one.source,
            one.content,
            "duplicate",
            f"has the geometry of {copies[one.source.object_id]}",
            one.faces,
        )
        for one in found
    ]


def _judged(found: list[_Found], root: Path, llm: LanguageModel) -> list[_Found]:
    """What a language model says of the pictures of those that are left."""
    kept = [one for one in found if not one.reason]
    requests = [thumbnail_request(_picture(root, one.source).read_bytes(), _said(one.source)) for one in kept]
    replies = dict(zip((one.source.object_id for one in kept), llm.ask_all(requests, Quality), strict=True))
    result = []
    for one in found:
        reply = replies.get(one.source.object_id)
        if reply is not None:
            reason, detail = (
                ("", "") if reply.usable else ("language_model", one_line(reply.reason, _MOST_DETAIL))
            )
            one = _Found(one.source, one.content, reason, detail, one.faces, one.descriptor, reply.category)
        result.append(one)
    return result


def _said(source: Source) -> str:
    return "; ".join(text for text in (source.title, f"tags: {source.tags}" if source.tags else "") if text)


def _table(found: Sequence[_Found]) -> pd.DataFrame:
    rows = [
        (one.source.object_id, one.source.file, not one.reason, one.reason, one.detail, one.faces,
         one.source.license, one.source.title, one.category, one.content)
        for one in found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _picture(root: Path, source: Source) -> Path:
    return root / "thumbnails" / f"{source.object_id}.png"


def _content(path: Path, limits: FilterParams) -> str:
    """Beginning of the sha256 of a file; its size where it is too large to be read."""
    try:
        if path.stat().st_size > limits.megabytes * 2**20:
            return f"{path.stat().st_size} bytes"
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError:
        return ""


def _settings(limits: FilterParams, thumbnail: int) -> str:
    shown = {key: value for key, value in limits.model_dump(mode="json").items() if key not in _ELSEWHERE}
    text = json.dumps([RULES, thumbnail, shown], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _line(one: _Found, settings: str) -> str:
    said = {
        "file": one.source.file, "content": one.content, "settings": settings, "reason": one.reason,
        "detail": one.detail, "faces": one.faces, "descriptor": one.descriptor,
    }  # fmt: skip
    return json.dumps(said, ensure_ascii=False) + "\n"


def _read_inspections(path: Path, settings: str) -> dict[str, dict[str, Any]]:
    """What earlier runs found with the same limits, by file and content."""
    if not path.is_file():
        return {}
    known = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue  # the line that a killed run was writing
        # A file that was too slow or took too much may fare better on another day.
        if said["settings"] == settings and said["reason"] not in ("too_slow", "too_much_memory", "crashed"):
            known[f"{said['file']}:{said['content']}"] = said
    return known


def _restored(one: _Found, said: dict[str, Any]) -> _Found:
    return _Found(
        one.source, one.content, said["reason"], said["detail"], said["faces"], tuple(said["descriptor"])
    )
