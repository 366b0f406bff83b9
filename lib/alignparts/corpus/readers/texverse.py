"""TexVerse: textured GLBs of Sketchfab without part labels, in up to four texture resolutions.

``glbs/glbs_1k/000-000/<id>_1024.glb`` to ``glbs/glbs_8k/…/<id>_8192.glb`` and, if it is there,
``metadata.json``: {id: {...}} with ``license`` among its keys. The files are taken from the folders, so that
any part of the data set can be read.
"""

import codecs
import functools
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import ijson

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.scene import FolderResolver, load_parts
from alignparts.corpus.readers import common
from alignparts.corpus.shape import LabeledShape, safe_id

LICENSE = "TexVerse: per-object Creative Commons license, not stated in metadata.json"
_FOLDERS = ("glbs_1k", "glbs_2k", "glbs_4k", "glbs_8k")
_FILE = re.compile(r"([0-9a-f]{32})_(1024|2048|4096|8192)\.glb")


def is_root(folder: Path, names: Collection[str] = ()) -> bool:
    """Return whether the folders of the data set are in a folder."""
    return any((folder / "glbs" / name).is_dir() for name in _FOLDERS)


def locate(root: Path) -> Iterator[common.Locator]:
    """Yield every object once, in the lowest resolution that is there, sorted by resolution and path.

    Several resolutions differ in the textures alone, which a corpus stores smaller than the smallest of them.
    Held are the licenses of all ids (0.13 GB for 858,669), the ids so far and the paths of one resolution.
    """
    path = root / "metadata.json"
    licenses = _licenses(path, path.stat().st_mtime_ns) if path.is_file() else {}
    seen: set[str] = set()
    for folder in (root / "glbs" / name for name in _FOLDERS):
        for path in sorted(folder.rglob("*.glb")):
            uid = match[1] if (match := _FILE.fullmatch(path.name)) else ""
            if uid and uid not in seen:
                seen.add(uid)
                yield common.Locator(path, root, safe_id("texverse", uid), license=licenses.get(uid, ""))


def metadata(root: Path, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the entries of these ids in ``metadata.json``; raise BrokenLabels where it is broken."""
    path = root / "metadata.json"
    members = _members(path) if path.is_file() else ()
    return {key: entry for key, entry in members if key in ids and isinstance(entry, dict)}


def uid_of(path: Path) -> str:
    """Return the id that a file's name holds."""
    return path.name.partition("_")[0]


def read(locator: common.Locator) -> LabeledShape:
    """Read one object: no instances, every face unlabeled, and no category, as names are free text."""
    path = locator.path
    try:
        surface, _, _ = load_parts(path.read_bytes(), str(path), FolderResolver(path.parent))
    except OSError as error:
        raise AlignPartsError(f"{path}: {error.strerror}") from None
    surface.face_part[:] = -1
    return common.labeled_shape(locator, "texverse", [], surface, license=LICENSE)


@functools.lru_cache(maxsize=1)
def _licenses(path: Path, stamp: int) -> dict[str, str]:
    """Return the license of every id in a file with this time stamp; the file is never held as a whole."""
    shared: dict[str, str] = {}
    entries = ((key, entry.get("license")) for key, entry in _members(path) if isinstance(entry, dict))
    return {key: shared.setdefault(text, text) for key, text in entries if isinstance(text, str) and text}


def _members(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the members of a JSON object one by one: the whole file takes gigabytes."""
    with path.open("rb") as file:
        before, brace, _ = file.read(64).partition(b"{")
        if not brace or before.removeprefix(codecs.BOM_UTF8).strip():
            raise common.BrokenLabels(f"{path}: expected {{id: {{...}}}}")
        file.seek(len(before))
        try:
            yield from ijson.kvitems(file, "", use_float=True)
        except ijson.JSONError as error:
            raise common.BrokenLabels(f"{path}: not JSON: {' '.join(str(error).split())}") from None
