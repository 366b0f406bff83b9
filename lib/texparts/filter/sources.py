"""List the mesh files of a folder: a TexVerse folder, or any other."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.meshio import SUFFIXES
from alignparts.corpus.readers import texverse
from alignparts.corpus.readers.common import license_of

MOST_TEXT = 200
"""Characters of a title, a license or a list of tags that are kept."""
_LONGEST_ID = 80


@dataclass(frozen=True)
class Source:
    """One mesh file.

    Attributes:
        object_id: id fit for a file name and a URL; equal in every run over the same files.
        path: path of the file.
        file: the same, relative to the folder; bytes that are not UTF-8 as "\\xff".
        license: license as the data set states it, "" where it does not.
        title: title by its maker, or the file's name.
        tags: tags by its maker, joined with commas.
    """

    object_id: str
    path: Path
    file: str
    license: str
    title: str
    tags: str = ""


def find_sources(folder: Path) -> list[Source]:
    """Return every mesh file under a folder, sorted by path; of a TexVerse folder each object once.

    Raises:
        AlignPartsError: no such folder, no mesh file in it, or a broken metadata.json.
    """
    if not folder.is_dir():
        raise AlignPartsError(f"{folder}: no such folder; expected one with mesh files")
    sources = _texverse(folder) if texverse.is_root(folder) else _plain(folder)
    if not sources:
        raise AlignPartsError(f"{folder}: no mesh file in it; expected {', '.join(SUFFIXES)}")
    return sources


def one_line(text: Any, most: int = MOST_TEXT) -> str:
    """Return a text of others in one line, without control characters, not too long; "" if it is no text."""
    if not isinstance(text, str):
        return ""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _texverse(folder: Path) -> list[Source]:
    located = {texverse.uid_of(locator.path): locator for locator in texverse.locate(folder)}
    metadata = texverse.metadata(folder, set(located))
    sources = []
    for uid, locator in located.items():
        about, file = metadata.get(uid, {}), _shown(locator.path, folder)
        license, title = one_line(locator.license), one_line(about.get("name"))
        tags = about.get("tags")
        words = ", ".join(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ""
        sources.append(Source(uid, locator.path, file, license, title, one_line(words)))
    return sources


def _plain(folder: Path) -> list[Source]:
    license = one_line(license_of(folder))
    paths = list(_walk(folder))
    files = [_shown(path, folder) for path in paths]
    ids = [_id_of(file) for file in files]
    # Names that differ only in characters which an id leaves out are told apart by their hashes.
    times = Counter(object_id.lower() for object_id in ids)
    sources = []
    for object_id, path, file in zip(ids, paths, files, strict=True):
        unique = object_id if times[object_id.lower()] == 1 else f"{object_id}-{_hash(file)}"
        sources.append(Source(unique, path, file, license, one_line(Path(file).stem)))
    return sources


def _shown(path: Path, folder: Path) -> str:
    return os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "backslashreplace")


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(where, name) for name in sorted(names) if not name.startswith(".")):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                yield path


def _id_of(file: str) -> str:
    name = file[: -len(Path(file).suffix)].replace("/", "_")
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", name).strip(".-_")
    if plain == name and len(plain) <= _LONGEST_ID:
        return plain
    return f"{plain[:_LONGEST_ID]}-{_hash(file)}".lstrip("-")


def _hash(file: str) -> str:
    return hashlib.sha256(file.encode("utf-8", "surrogateescape")).hexdigest()[:8]
