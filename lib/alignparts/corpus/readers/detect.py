"""Which shapes of which data sets lie under a folder."""

import csv
import functools
import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.index import Corpus, shape_file
from alignparts.corpus.readers import compat, compat_hdf5, labeled_mesh, partnet, partobjaverse, texverse
from alignparts.corpus.readers.common import BrokenLabels, Locator, ReadOptions
from alignparts.corpus.shape import safe_id

UNKNOWN = "unknown"
"""The kind of what cannot be read; the locator says why."""


class DataSet(Protocol):
    """A module that knows the top folder of its data set."""

    def is_root(self, folder: Path) -> bool:
        """Whether this is the top folder of such a data set."""
        ...

    def locate(self, root: Path) -> Iterator[Locator]:
        """Its shapes."""
        ...


# Asked in this order; a folder that one of them owns is not looked into further.
DATA_SETS: dict[str, DataSet] = {
    "compat_hdf5": compat_hdf5,
    "partobjaverse": partobjaverse,
    "texverse": texverse,
    "labeled_mesh": labeled_mesh,
}

# Files that accompany shapes and are none themselves.
_ASIDE = re.compile(
    r"(?i)(manifest\.csv|splits\.csv|readme.*|licen[cs]e.*|\..*|.*\.(md|txt|json|jpe?g|png|webp|bin|html|csv|mtl|npy))"
)
_LOOSE_COMPAT = re.compile(r"[0-9a-f]{2}_[0-9a-z]{3}\.gltf")


def scan(
    folder: Path | str, kind: str = "auto", options: ReadOptions | None = None
) -> Iterator[tuple[str, Locator]]:
    """The shapes under a folder one by one, whatever data sets it mixes, sorted by path.

    Nothing is read but names and the data sets' own lists, and no more than the names of one folder and the
    ids so far are held. A ``manifest.csv`` with the columns path and category (and license) tells of the
    files beside and below it.

    Args:
        folder: a folder or a file.
        kind: "auto", or the kind it is meant to be; shapes of others come as kind "unknown".
        options: which labels and shapes are wanted.

    Yields:
        Pairs of kind and locator; "unknown", with the reason, for what is of no known kind or not used.

    Raises:
        AlignPartsError: there is no such folder; a list that concerns all shapes is broken; there is no shape
            of the kind, but there are of another.
    """
    top = Path(folder)
    if top.is_file():
        found = _file(top, top.parent)
    elif top.is_dir():
        found = _walk(top, top)
    else:
        raise AlignPartsError(f"{top}: no such folder")
    chosen = options or ReadOptions()
    others: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    matched = False
    for given, locator in found:
        actual, reason = given, locator.reason
        if reason:
            actual = UNKNOWN
        elif kind not in ("auto", given) and given != UNKNOWN:
            others[given] += 1
            actual, reason = UNKNOWN, f"looks like {given}, not {kind}"
        matched = matched or actual != UNKNOWN
        seen[locator.shape_id] += 1
        times = seen[locator.shape_id]
        # Two data sets may hold the same key.
        shape_id = locator.shape_id if times == 1 else f"{locator.shape_id}.{times}"
        yield actual, _with_manifest(replace(locator, shape_id=shape_id, reason=reason, options=chosen), top)
    if others and not matched:
        (likely, count), *_ = others.most_common(1)
        raise AlignPartsError(
            f"{top}: no shape of kind {kind}; it looks like {likely} ({count:,} shapes): "
            f"`alignparts ingest {likely} {top}`"
        )


def detect(folder: Path | str) -> list[tuple[str, Locator]]:
    """:func:`scan` as a list, for folders that are small."""
    return list(scan(folder))


def _walk(folder: Path, top: Path) -> Iterator[tuple[str, Locator]]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        inside = folder.relative_to(top).parts or (folder.name,)
        yield UNKNOWN, Locator(folder, top, safe_id(*inside), reason=f"cannot be opened: {error.strerror}")
        return
    names = {entry.name for entry in entries}
    if {"index.parquet", "shapes"} <= names:
        yield from _corpus(folder)
        return
    if "result.json" in names and names & {"textured_objs", "objs"}:
        yield _annotation(folder, "partnet_mobility" if "textured_objs" in names else "partnet")
        return
    if "textured_objs" in names and names & {"mobility.urdf", "semantics.txt"}:
        reason = "no result.json, which names the parts of PartNet-Mobility"
        yield UNKNOWN, Locator(folder, folder.parent, safe_id(UNKNOWN, folder.name), reason=reason)
        return
    if "models" in names and compat.is_tree(folder):
        yield from (("compat", locator) for locator in compat.locate(folder))
        return
    if "points5000.pcd" in names:
        yield "find3d", Locator(folder, folder.parent.parent, safe_id("find3d", folder.name))
        return
    for kind, module in DATA_SETS.items():
        if module.is_root(folder):
            yield from ((kind, locator) for locator in module.locate(folder))
            return
    for entry in entries:
        if entry.is_dir() and not entry.name.startswith("."):
            yield from _walk(Path(entry.path), top)
        elif entry.is_file():
            yield from _file(Path(entry.path), top)


def _corpus(folder: Path) -> Iterator[tuple[str, Locator]]:
    index = Corpus(folder).index
    model = index["model"] if "model" in index else [""] * len(index)
    split = index["official_split"] if "official_split" in index else [""] * len(index)
    for shape_id, shown, official in zip(index["shape_id"], model, split, strict=True):
        path = shape_file(folder, shape_id)
        yield "corpus", Locator(path, folder, shape_id, model=shown, split=official)


def _annotation(folder: Path, kind: str) -> tuple[str, Locator]:
    root = folder.parent.parent if folder.parent.name == "data" else folder.parent
    valid = partnet.valid_annotations(root) if kind == "partnet" else None
    listed = valid is None or folder.name in valid
    reason = "" if listed else "not listed in stats/all_valid_anno_info.txt"
    shape_id = safe_id(kind if listed else UNKNOWN, folder.name)
    return kind, Locator(folder, root, shape_id, reason=reason)


def _file(path: Path, top: Path) -> Iterator[tuple[str, Locator]]:
    inside = path.relative_to(top).with_suffix("") if path != top else Path(path.stem)
    name, suffix = path.name, path.suffix.lower()
    if suffix == ".zip":
        if zipfile.is_zipfile(path) and compat.is_tree(compat.open_tree(path)):
            yield from (("compat", locator) for locator in compat.locate(path))
        else:
            reason = "a zip of no known data set; unpack it"
            yield UNKNOWN, Locator(path, top, safe_id(*inside.parts), reason=reason)
    elif _LOOSE_COMPAT.fullmatch(name):
        yield "compat", Locator(path, path.parent, safe_id("compat", path.stem))
    elif suffix in {".glb", ".gltf"}:
        yield "named_glb", Locator(path, top, safe_id("named_glb", *inside.parts))
    elif not _ASIDE.fullmatch(name):
        mesh = suffix in {".obj", ".ply", ".stl", ".off"}
        reason = "a mesh without part names" if mesh else "no known format"
        yield UNKNOWN, Locator(path, top, safe_id(*inside.parts), reason=reason)


def _with_manifest(locator: Locator, top: Path) -> Locator:
    folder = locator.path.parent
    while True:
        rows = _manifest(folder, _stamp(folder))
        row = rows.get(str(locator.path.relative_to(folder)))
        if row is not None:
            return replace(locator, category=row[0], license=row[1])
        if folder == top or folder == folder.parent:
            return locator
        folder = folder.parent


def _stamp(folder: Path) -> int:
    try:
        return (folder / "manifest.csv").stat().st_mtime_ns
    except OSError:
        return 0


@functools.lru_cache(maxsize=64)
def _manifest(folder: Path, stamp: int) -> dict[str, tuple[str, str]]:
    """Category and license by path, of a manifest with this time stamp (0: there is none)."""
    if not stamp:
        return {}
    source = folder / "manifest.csv"
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            return _manifest_rows(csv.reader(file, strict=True), source)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BrokenLabels(f"{source}: not a CSV file in UTF-8: {error}") from None


def _manifest_rows(rows: Iterator[list[str]], source: Path) -> dict[str, tuple[str, str]]:
    head = next(rows, [])
    if not {"path", "category"} <= set(head):
        raise BrokenLabels(
            f"{source}: line 1: expected the columns path and category (and license), got {head}"
        )
    table: dict[str, tuple[str, str]] = {}
    for row in rows:
        if not row:
            continue
        if len(row) != len(head):
            line = getattr(rows, "line_num", len(table) + 2)
            raise BrokenLabels(
                f"{source}: line {line}: {len(row)} cells; expected {len(head)} ({', '.join(head)})"
            )
        cells = dict(zip(head, row, strict=True))
        table[cells["path"].rstrip("/")] = (cells["category"], cells.get("license", ""))
    return table
