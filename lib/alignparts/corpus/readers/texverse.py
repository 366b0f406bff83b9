"""TexVerse: textured GLBs of Sketchfab without part labels, in up to four texture resolutions.

``glbs/glbs_1k/000-000/<id>_1024.glb`` to ``glbs/glbs_8k/…/<id>_8192.glb`` and, if it is there,
``metadata.json``: {id: {...}} with ``license`` among its keys. Which files there are is taken from the
folders, so that any part of the data set can be read.
"""

import functools
import json
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import FolderResolver, load_scene
from alignparts.corpus.mesh.surface import surface_from_scene
from alignparts.corpus.readers.common import BrokenLabels, Locator, license_of
from alignparts.corpus.shape import LabeledShape, safe_id

LICENSE = "TexVerse: per-object Creative Commons license, not stated in metadata.json"
LABELED = False
"""Its shapes have no parts: what is read is unlabeled as a whole."""
_FOLDERS = ("glbs_1k", "glbs_2k", "glbs_4k", "glbs_8k")
_FILE = re.compile(r"([0-9a-f]{32})_(1024|2048|4096|8192)\.glb")
_CHUNK = 1 << 22
_DECODE = json.JSONDecoder().raw_decode
_LONGEST = 1 << 24
"""Characters that no member of metadata.json exceeds."""


def is_root(folder: Path) -> bool:
    """Whether the folders of the data set are in a folder."""
    return any((folder / "glbs" / name).is_dir() for name in _FOLDERS)


def locate(root: Path) -> Iterator[Locator]:
    """Every object once, in the lowest resolution that is there, sorted by resolution and path.

    Several resolutions differ in the textures alone, which a corpus stores smaller than the smallest of them.
    Held are the licenses of all ids (0.13 GB for 858,669; a metadata.json of 1.2 GB is parsed once, in 13 s)
    and, where there are several resolutions, the ids met so far (as much again).

    Raises:
        BrokenLabels: ``metadata.json`` is broken.
    """
    licenses = _licenses(root)
    there = [root / "glbs" / name for name in _FOLDERS if (root / "glbs" / name).is_dir()]
    seen: set[str] = set()
    for folder in there:
        for path in _files(folder):
            match = _FILE.fullmatch(path.name)
            if match is None or match[1] in seen:
                continue
            if len(there) > 1:
                seen.add(match[1])
            yield Locator(path, root, safe_id("texverse", match[1]), license=licenses.get(match[1], ""))


def metadata(root: Path, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """What ``metadata.json`` says of these ids; nothing where there is no such file.

    Raises:
        BrokenLabels: it is broken.
    """
    path = root / "metadata.json"
    if not path.is_file():
        return {}
    return {key: said for key, said in _members(path) if key in ids and isinstance(said, dict)}


def uid_of(path: Path) -> str:
    """The id that a file's name holds."""
    return path.name.partition("_")[0]


def read(locator: Locator) -> LabeledShape:
    """Read one object: no instances, every face unlabeled, and no category, as names are free text.

    Raises:
        AlignPartsError: not glTF, compressed, broken, or without triangles.
    """
    path = locator.path
    try:
        scene, _ = load_scene(path.read_bytes(), str(path), FolderResolver(path.parent))
        surface = surface_from_scene(scene)
    except OSError as error:
        raise AlignPartsError(f"{path}: {error.strerror}") from None
    except AlignPartsError as error:
        raise error if str(path) in str(error) else AlignPartsError(f"{path}: {error}") from None
    return LabeledShape(
        shape_id=locator.shape_id,
        dataset="texverse",
        category=locator.category,
        license=locator.license or license_of(locator.root, LICENSE),
        source=str(path),
        instances=[],
        surface=replace(surface, face_part=np.full(len(surface.faces), -1, np.int32)),
    )


def _files(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir():
            yield from _files(Path(entry.path))
        else:
            yield Path(entry.path)


def _licenses(root: Path) -> dict[str, str]:
    path = root / "metadata.json"
    return _read_licenses(path, path.stat().st_mtime_ns) if path.is_file() else {}


@functools.lru_cache(maxsize=1)
def _read_licenses(path: Path, stamp: int) -> dict[str, str]:
    """License of every id, of a file with this time stamp; parsed once, and never held as a whole."""
    licenses: dict[str, str] = {}
    one: dict[str, str] = {}
    for key, about in _members(path):
        given = about.get("license") if isinstance(about, dict) else None
        if isinstance(given, str) and given:
            licenses[key] = one.setdefault(given, given)
    return licenses


def _members(path: Path) -> Iterator[tuple[str, Any]]:
    """Members of a JSON object one by one: the whole file takes gigabytes."""
    with path.open(encoding="utf-8-sig") as file:
        try:
            text, at, done = file.read(_CHUNK).lstrip(), 1, 0
            if not text.startswith("{"):
                raise BrokenLabels(f"{path}: expected {{id: {{...}}}}")
            while True:
                try:
                    member, at = _member(text, at)
                except json.JSONDecodeError as error:
                    more = file.read(_CHUNK) if len(text) - at < _LONGEST else ""
                    if not more:
                        where = f"near character {done + error.pos}: {error.msg}"
                        raise BrokenLabels(f"{path}: not JSON {where}") from None
                    done, text, at = done + at, text[at:] + more, 0
                    continue
                if member is None:
                    return
                yield member
        except UnicodeDecodeError as error:
            raise BrokenLabels(f"{path}: not UTF-8: {error.reason}") from None


def _member(text: str, at: int) -> tuple[tuple[str, Any] | None, int]:
    """The member of an object that begins at a character, and where the next one does; None at its end."""
    at = _skip(text, at, r"[\s,]*")
    if text.startswith("}", at):
        return None, at
    key, at = _DECODE(text, at)
    value, at = _DECODE(text, _skip(text, at, r"\s*:\s*"))
    return (str(key), value), at


def _skip(text: str, at: int, pattern: str) -> int:
    found = re.compile(pattern).match(text, at)
    if found is None:
        raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
    return found.end()
