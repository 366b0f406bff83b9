"""Data sets as they lie on disk → labelled shapes. Nothing else reads a data set's own format."""

import os
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from alignparts.corpus.index import Corpus, read_shape, shape_file
from alignparts.corpus.readers import compat, find3d, mobility, named_glb, partnet
from alignparts.corpus.readers.common import Locator, read_json
from alignparts.corpus.shape import LabelledShape, safe_id, tidy
from alignparts.errors import AlignPartsError

__all__ = ["KINDS", "Locator", "detect", "model_of", "read"]


def _read_corpus(locator: Locator) -> LabelledShape:
    return read_shape(locator.path)


KINDS: dict[str, Callable[[Locator], LabelledShape]] = {
    "partnet": partnet.read,
    "partnet_mobility": mobility.read,
    "compat": compat.read,
    "find3d": find3d.read,
    "named_glb": named_glb.read,
    "corpus": _read_corpus,
}

# Files that accompany shapes and are none themselves.
_ASIDE = re.compile(
    r"(?i)(manifest\.csv|splits\.csv|readme.*|licen[cs]e.*|\..*|.*\.(md|txt|json|jpe?g|png|webp|bin|html|csv|mtl))"
)
_LOOSE_COMPAT = re.compile(r"[0-9a-f]{2}_[0-9a-z]{3}\.gltf")


def read(kind: str, locator: Locator) -> LabelledShape:
    """Read one detected shape; instances without name or surface are dropped.

    Raises:
        AlignPartsError: it cannot be read, or it has no named part.
    """
    if kind not in KINDS:
        raise AlignPartsError(f"{locator.path}: {locator.reason or f'kind {kind!r} has no reader'}")
    return tidy(KINDS[kind](locator))


def detect(folder: Path | str) -> list[tuple[str, Locator]]:
    """Every shape under a folder, whatever data sets it mixes, sorted by path.

    A ``manifest.csv`` with the columns path and category (and licence) tells of the files beside and below
    it. Files that belong to no known kind come as kind "unknown" with the reason.

    Returns:
        Pairs of kind and locator; see :data:`KINDS`.

    Raises:
        AlignPartsError: there is no such folder.
    """
    top = Path(folder)
    if top.is_file():
        found = list(_file(top, top.parent))
    elif top.is_dir():
        found = list(_walk(top, top))
    else:
        raise AlignPartsError(f"{top}: no such folder")
    return _distinct([(kind, _with_manifest(locator, top)) for kind, locator in found])


def model_of(kind: str, locator: Locator) -> str:
    """The model a shape shows, where several shapes may be annotations of one; "" elsewhere."""
    if kind in {"partnet", "partnet_mobility"}:
        return str(read_json(locator.path / "meta.json").get("model_id") or "")
    return ""


def _walk(folder: Path, top: Path) -> Iterator[tuple[str, Locator]]:
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    names = {entry.name for entry in entries}
    if {"index.parquet", "shapes"} <= names:
        for shape_id in Corpus(folder).index["shape_id"]:
            yield "corpus", Locator(shape_file(folder, shape_id), folder, shape_id)
        return
    if "result.json" in names and names & {"textured_objs", "objs"}:
        kind = "partnet_mobility" if "textured_objs" in names else "partnet"
        root = folder.parent.parent if folder.parent.name == "data" else folder.parent
        valid = partnet.valid_annotations(root) if kind == "partnet" else None
        if valid is not None and folder.name not in valid:
            kind = "unknown"
        reason = "not listed in stats/all_valid_anno_info.txt" if kind == "unknown" else ""
        yield kind, Locator(folder, root, safe_id(kind, folder.name), reason=reason)
        return
    if "models" in names and compat.is_tree(folder):
        yield from _compat_tree(folder)
        return
    if "points5000.pcd" in names:
        yield "find3d", Locator(folder, folder.parent.parent, safe_id("find3d", folder.name))
        return
    for entry in entries:
        if entry.is_dir() and not entry.name.startswith("."):
            yield from _walk(Path(entry.path), top)
        elif entry.is_file():
            yield from _file(Path(entry.path), top)


def _file(path: Path, top: Path) -> Iterator[tuple[str, Locator]]:
    inside = path.relative_to(top).with_suffix("") if path != top else Path(path.stem)
    name, suffix = path.name, path.suffix.lower()
    if suffix == ".zip":
        if zipfile.is_zipfile(path) and compat.is_tree(compat.open_tree(path)):
            yield from _compat_tree(path)
        else:
            yield (
                "unknown",
                Locator(path, top, safe_id(*inside.parts), reason="a zip of no known data set; unpack it"),
            )
    elif _LOOSE_COMPAT.fullmatch(name):
        yield "compat", Locator(path, path.parent, safe_id("compat", path.stem))
    elif suffix in {".glb", ".gltf"}:
        yield "named_glb", Locator(path, top, safe_id("named_glb", *inside.parts))
    elif not _ASIDE.fullmatch(name):
        reason = (
            "a mesh without part names" if suffix in {".obj", ".ply", ".stl", ".off"} else "no known format"
        )
        yield "unknown", Locator(path, top, safe_id(*inside.parts), reason=reason)


def _compat_tree(root: Path) -> Iterator[tuple[str, Locator]]:
    unused = compat.official_test(root)
    for key in compat.shape_keys(root):
        kind = "unknown" if key in unused else "compat"
        reason = "of the official test split, which is not used" if key in unused else ""
        yield kind, Locator(root / "models" / f"{key}.gltf", root, safe_id("compat", key), reason=reason)


def _distinct(found: list[tuple[str, Locator]]) -> list[tuple[str, Locator]]:
    """Ids made unique: two data sets may hold the same key."""
    seen: dict[str, int] = {}
    result = []
    for kind, locator in found:
        seen[locator.shape_id] = seen.get(locator.shape_id, 0) + 1
        times = seen[locator.shape_id]
        unique = locator if times == 1 else replace(locator, shape_id=f"{locator.shape_id}.{times}")
        result.append((kind, unique))
    return result


def _with_manifest(locator: Locator, top: Path) -> Locator:
    folder = locator.path.parent
    while True:
        rows = _manifest(folder, _stamp(folder))
        row = rows.get(str(locator.path.relative_to(folder))) if rows else None
        if row is not None:
            return replace(locator, category=row[0], licence=row[1])
        if folder == top or folder == folder.parent:
            return locator
        folder = folder.parent


_manifests: dict[tuple[Path, int], dict[str, tuple[str, str]]] = {}


def _stamp(folder: Path) -> int:
    path = folder / "manifest.csv"
    return path.stat().st_mtime_ns if path.is_file() else 0


def _manifest(folder: Path, stamp: int) -> dict[str, tuple[str, str]]:
    if not stamp:
        return {}
    if (folder, stamp) not in _manifests:
        table = pd.read_csv(folder / "manifest.csv", dtype=str, keep_default_na=False)
        if not {"path", "category"} <= set(table.columns):
            raise AlignPartsError(f"{folder / 'manifest.csv'}: expected the columns path and category")
        licence = table["licence"] if "licence" in table.columns else [""] * len(table)
        rows = zip(table["path"], table["category"], licence, strict=True)
        _manifests[(folder, stamp)] = {path.rstrip("/"): (category, terms) for path, category, terms in rows}
    return _manifests[(folder, stamp)]
