"""TexVerse: textured GLBs of Sketchfab without part labels, in up to four texture resolutions.

``glbs/glbs_1k/000-000/<id>_1024.glb`` to ``glbs/glbs_8k/…/<id>_8192.glb`` and, if it is there,
``metadata.json``: {id: {...}} with ``license`` among its keys. Which files there are is taken from the
folders, so that any part of the data set can be read.
"""

import functools
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.resolver import FolderResolver
from alignparts.corpus.mesh.scene import load_parts
from alignparts.corpus.readers import common
from alignparts.corpus.readers.common import Locator
from alignparts.corpus.shape import LabeledShape, safe_id

LICENSE = "TexVerse: per-object Creative Commons license, not stated in metadata.json"
_FOLDERS = ("glbs_1k", "glbs_2k", "glbs_4k", "glbs_8k")
_FILE = re.compile(r"([0-9a-f]{32})_(1024|2048|4096|8192)\.glb")
_CHUNK = 1 << 22
_DECODE = json.JSONDecoder().raw_decode
_LONGEST = 1 << 24
"""Characters that no member of metadata.json exceeds."""


def is_root(folder: Path, names: Collection[str] = ()) -> bool:
    """Return whether the folders of the data set are in a folder."""
    return any((folder / "glbs" / name).is_dir() for name in _FOLDERS)


def locate(root: Path) -> Iterator[Locator]:
    """Yield every object once, in the lowest resolution that is there, sorted by resolution and path.

    Several resolutions differ in the textures alone, which a corpus stores smaller than the smallest of them.
    Held are the licenses of all ids (0.13 GB for 858,669; a metadata.json of 1.2 GB is parsed once, in 13 s)
    and, where there are several resolutions, the ids met so far (as much again).
    """
    path = root / "metadata.json"
    licenses = _licenses(path, path.stat().st_mtime_ns) if path.is_file() else {}
    folders = [folder for name in _FOLDERS if (folder := root / "glbs" / name).is_dir()]
    seen: set[str] = set()
    for folder in folders:
        for path in _files(folder):
            match = _FILE.fullmatch(path.name)
            if match is None or match[1] in seen:
                continue
            if len(folders) > 1:
                seen.add(match[1])
            yield Locator(path, root, safe_id("texverse", match[1]), license=licenses.get(match[1], ""))


def metadata(root: Path, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the entries of these ids in ``metadata.json``; none where there is no such file.

    Raises:
        common.BrokenLabels: it is broken.
    """
    path = root / "metadata.json"
    if not path.is_file():
        return {}
    return {key: entry for key, entry in _members(path) if key in ids and isinstance(entry, dict)}


def uid_of(path: Path) -> str:
    """Return the id that a file's name holds."""
    return path.name.partition("_")[0]


def read(locator: Locator) -> LabeledShape:
    """Read one object: no instances, every face unlabeled, and no category, as names are free text."""
    path = locator.path
    try:
        surface, _, _ = load_parts(path.read_bytes(), str(path), FolderResolver(path.parent))
    except OSError as error:
        raise AlignPartsError(f"{path}: {error.strerror}") from None
    surface.face_part[:] = -1
    return common.labeled_shape(locator, "texverse", [], surface, license=LICENSE)


def _files(folder: Path) -> Iterator[Path]:
    for entry in common.sorted_entries(folder):
        path = Path(entry.path)
        yield from _files(path) if entry.is_dir() else (path,)


@functools.lru_cache(maxsize=1)
def _licenses(path: Path, stamp: int) -> dict[str, str]:
    """Return the license of every id in a file with this time stamp; the file is never held as a whole."""
    licenses: dict[str, str] = {}
    shared: dict[str, str] = {}
    for key, entry in _members(path):
        given = entry.get("license") if isinstance(entry, dict) else None
        if isinstance(given, str) and given:
            licenses[key] = shared.setdefault(given, given)
    return licenses


def _members(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the members of a JSON object one by one: the whole file takes gigabytes."""
    with path.open(encoding="utf-8-sig") as file:
        try:
            text, at, done = file.read(_CHUNK).lstrip(), 1, 0
            if not text.startswith("{"):
                raise common.BrokenLabels(f"{path}: expected {{id: {{...}}}}")
            while True:
                try:
                    at = _skip(text, at, r"[\s,]*")
                    if text.startswith("}", at):
                        return
                    key, end = _DECODE(text, at)
                    value, at = _DECODE(text, _skip(text, end, r"\s*:\s*"))
                except json.JSONDecodeError as error:
                    more = file.read(_CHUNK) if len(text) - at < _LONGEST else ""
                    if not more:
                        place = f"near character {done + error.pos}: {error.msg}"
                        raise common.BrokenLabels(f"{path}: not JSON {place}") from None
                    done, text, at = done + at, text[at:] + more, 0
                    continue
                yield str(key), value
        except UnicodeDecodeError as error:
            raise common.BrokenLabels(f"{path}: not UTF-8: {error.reason}") from None


def _skip(text: str, at: int, pattern: str) -> int:
    match = re.compile(pattern).match(text, at)
    if match is None:
        raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
    return match.end()
