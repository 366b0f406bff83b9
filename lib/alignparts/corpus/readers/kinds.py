"""The kinds of data set: their shapes under a folder, and one of them read."""

import csv
import functools
import re
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.readers import (
    compat,
    compat_hdf5,
    find3d,
    labeled_mesh,
    mobility,
    named_glb,
    open_set,
    partnet,
    partobjaverse,
    stored,
    texverse,
)
from alignparts.corpus.readers.common import BrokenLabels, Locator, ReadOptions, sorted_entries
from alignparts.corpus.shape import LabeledShape, safe_id, tidy

UNKNOWN = "unknown"
"""The kind of an entry that cannot be read; the locator says why."""


class DataSet(Protocol):
    """A module that reads one kind of data set.

    Broken files raise BrokenLabels where they concern all shapes, else AlignPartsError.
    """

    def is_root(self, folder: Path, names: Collection[str]) -> bool:
        """Return whether a folder, which holds these names, is the top of such a data set or one shape."""

    def locate(self, root: Path) -> Iterator[Locator]:
        """Yield the shapes of such a folder, unreadable ones with the reason."""

    def read(self, locator: Locator) -> LabeledShape:
        """Read one shape."""


DATA_SETS: dict[str, DataSet] = {
    "corpus": stored,
    "open": open_set,
    "partnet_mobility": mobility,
    "partnet": partnet,
    "compat": compat,
    "find3d": find3d,
    "compat_hdf5": compat_hdf5,
    "partobjaverse": partobjaverse,
    "texverse": texverse,
    "labeled_mesh": labeled_mesh,
}
"""Asked in this order; a folder that one of them takes is not looked into further."""
KINDS = {**{kind: module.read for kind, module in DATA_SETS.items()}, "named_glb": named_glb.read}
"""The reader of every kind."""
UNLABELED = frozenset({"texverse"})
"""Kinds whose shapes need no named part."""

# Files that accompany shapes and are none themselves.
_ASIDE = re.compile(
    r"(?i)(manifest\.csv|splits\.csv|readme.*|licen[cs]e.*|\..*|.*\.(md|txt|json|jpe?g|png|webp|bin|html|csv|mtl|npy))"
)
_LOOSE_COMPAT = re.compile(r"[0-9a-f]{2}_[0-9a-z]{3}\.gltf")


def read(kind: str, locator: Locator) -> LabeledShape:
    """Read one detected shape, which needs a named part; instances without name or surface are dropped."""
    if kind not in KINDS:
        raise AlignPartsError(f"{locator.path}: {locator.reason or f'kind {kind!r} has no reader'}")
    shape = KINDS[kind](locator)
    if kind in UNLABELED and not shape.part_names:
        shape.surface.frame()  # raises where nothing has an area
        return shape
    return tidy(shape)


def model_and_split(kind: str, locator: Locator) -> tuple[str, str]:
    """Return the model that a shape shows and its official split; "" where not known or not stated."""
    if kind in {"partnet", "partnet_mobility"}:
        return partnet.model_and_split(locator)
    return locator.model, locator.split


def scan(
    folder: Path | str, kind: str = "auto", options: ReadOptions | None = None
) -> Iterator[tuple[str, Locator]]:
    """Yield kind and locator of the shapes under a folder one by one, of whatever data sets, sorted by path.

    The kind is "unknown", with the reason, for entries of no known kind and shapes that are not used. Nothing
    is read but names and the data sets' own lists, and no more than the names of one folder and the ids are
    held. A ``manifest.csv`` with the columns path and category (and license, and pack or author) tells of
    all files below it.

    Args:
        folder: a folder or a file.
        kind: "auto", or the expected kind: where shapes of others alone are there, AlignPartsError is raised.
        options: labels and shapes that are wanted.
    """
    top = Path(folder)
    if not top.exists():
        raise AlignPartsError(f"{top}: no such folder")
    chosen = options or ReadOptions()
    others: Counter[str] = Counter()
    times: Counter[str] = Counter()
    matched = False
    for given, locator in _file(top, top.parent) if top.is_file() else _walk(top, top):
        shape_id, reason = locator.shape_id, locator.reason
        if not reason and kind not in ("auto", given):
            others[given] += 1
            reason = f"looks like {given}, not {kind}"
        matched = matched or not reason
        times[shape_id] += 1
        if times[shape_id] > 1:  # two data sets may hold the same key
            shape_id = f"{shape_id}.{times[shape_id]}"
        entry = replace(locator, shape_id=shape_id, reason=reason, options=chosen)
        yield UNKNOWN if reason else given, _with_manifest(entry, top)
    if others and not matched:
        (likely, count), *_ = others.most_common(1)
        there = f"it looks like {likely} ({count:,} shapes): `alignparts ingest {likely} {top}`"
        raise AlignPartsError(f"{top}: no shape of kind {kind}; {there}")


def detect(folder: Path | str) -> list[tuple[str, Locator]]:
    """Return :func:`scan` as a list, for folders that are small."""
    return list(scan(folder))


def _walk(folder: Path, top: Path) -> Iterator[tuple[str, Locator]]:
    try:
        entries = sorted_entries(folder)
    except OSError as error:
        shape_id = safe_id(*(folder.relative_to(top).parts or (folder.name,)))
        yield UNKNOWN, Locator(folder, top, shape_id, reason=f"cannot be opened: {error.strerror}")
        return
    names = {entry.name for entry in entries}
    for kind, module in DATA_SETS.items():
        if module.is_root(folder, names):
            yield from ((kind, locator) for locator in module.locate(folder))
            return
    for entry in entries:
        if entry.is_dir() and not entry.name.startswith("."):
            yield from _walk(Path(entry.path), top)
        elif entry.is_file():
            yield from _file(Path(entry.path), top)


def _file(path: Path, top: Path) -> Iterator[tuple[str, Locator]]:
    inside = path.relative_to(top).with_suffix("").parts
    suffix = path.suffix.lower()
    if suffix == ".zip" and zipfile.is_zipfile(path) and compat.is_tree(compat.open_tree(path)):
        yield from (("compat", locator) for locator in compat.locate(path))
    elif _LOOSE_COMPAT.fullmatch(path.name):
        yield "compat", Locator(path, path.parent, safe_id("compat", path.stem))
    elif suffix in {".glb", ".gltf"}:
        yield "named_glb", Locator(path, top, safe_id("named_glb", *inside))
    elif not _ASIDE.fullmatch(path.name):
        reasons = {".zip": "a zip of no known data set; unpack it"}
        reasons |= dict.fromkeys((".obj", ".ply", ".stl", ".off"), "a mesh without part names")
        yield UNKNOWN, Locator(path, top, safe_id(*inside), reason=reasons.get(suffix, "no known format"))


def _with_manifest(locator: Locator, top: Path) -> Locator:
    for folder in locator.path.parents:
        path = folder / "manifest.csv"
        rows = _read_manifest(path, path.stat().st_mtime_ns) if path.is_file() else {}
        row = rows.get(str(locator.path.relative_to(folder)))
        if row is not None:
            category, license, pack = row
            return replace(locator, category=category, license=license, pack=pack)
        if folder == top:
            break
    return locator


@functools.lru_cache(maxsize=64)
def _read_manifest(path: Path, stamp: int) -> dict[str, tuple[str, str, str]]:
    """Return category, license and pack by path, of a manifest with this time stamp."""
    table: dict[str, tuple[str, str, str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            head = rows.fieldnames or []
            if not {"path", "category"} <= set(head):
                expected = "expected the columns path and category (and license, pack)"
                raise BrokenLabels(f"{path}: line 1: {expected}, got {head}")
            expected = f"expected {len(head)} cells ({', '.join(head)})"
            for row in rows:
                if None in row or None in row.values():
                    raise BrokenLabels(f"{path}: line {rows.line_num}: {expected}")
                pack = row.get("pack") or row.get("author") or ""
                license = row.get("license") or row.get("licence") or ""
                table[row["path"].rstrip("/")] = (row["category"], license, pack)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BrokenLabels(f"{path}: not a CSV file in UTF-8: {error}") from None
    return table
