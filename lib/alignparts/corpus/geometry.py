"""Real meshes without names: folders of public repositories by commit, for training without labels.

A manifest has a row per folder, :class:`Folder`. :func:`fetch` brings its files into
``geometry/<owner>+<name>/`` beside the manifest, as they lie in their repositories. The parts of some of them
have names, in a list of their own, :class:`NamedMesh`.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt

from alignparts.core.atomic import PREFIX
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.open_set import Parts, parts_of
from alignparts.corpus.repositories import (
    ADDRESS,
    Fetched,
    Inside,
    Listed,
    Tree,
    bring,
    inside,
    read_rows,
)

MANIFEST, FILES, NAMES = "geometry.csv", "geometry", "names.csv"
"""Names of the manifest, and beside it of the folder of files and of the list of names."""
FETCH = "alignparts fetch geometry"
"""Command that brings the files."""
MESHES = (".glb", ".gltf", ".obj")
"""Suffixes of the files that are shapes; the others are what those refer to."""


def _patterns(files: str) -> str:
    for pattern in files.split(";"):
        if not inside(pattern):
            raise ValueError("expected patterns of paths, PATTERN;PATTERN")
    return files


class Folder(Listed):
    """Row of a manifest.

    ``files`` are patterns of paths, PATTERN;PATTERN, in which "*" also stands for "/"; ``count`` is the
    number of files that they find at the commit, and ``sha256`` :func:`checksum` of them.
    """

    license: Literal["CC0-1.0"]
    files: Annotated[str, AfterValidator(_patterns)]
    count: PositiveInt

    def covers(self, path: str) -> bool:
        """Return whether a path in the repository is one of the files."""
        return any(fnmatchcase(path, pattern) for pattern in self.files.split(";"))

    def there(self, root: Path) -> list[Path]:
        """Return the files that lie below a folder of repositories, in order."""
        top = root / self.folder
        files = (path for path in top.rglob("*") if path.is_file() and not path.name.startswith(PREFIX))
        return sorted(path for path in files if self.covers(path.relative_to(top).as_posix()))

    def fault(self, root: Path) -> str:
        """Return where the files below a folder of repositories differ from what is listed; "" nowhere."""
        files = self.there(root)
        if len(files) != self.count:
            return f"{len(files)} files, not {self.count}"
        got = checksum(root / self.folder, files)
        return "" if got == self.sha256 else f"the checksum is {got}, not {self.sha256}"


class NamedMesh(BaseModel):
    """Row of the list of names: the parts of one mesh.

    ``path`` lies below the folder of files; ``by`` says if the names of ``parts`` (NAME=part|NAME=part) are
    those of materials, or numbers of connected components as of
    :func:`alignparts.patches.components.component_parts`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: Inside
    category: Annotated[str, Field(min_length=1)]
    by: Literal["material", "component"]
    parts: Parts

    @property
    def part_of(self) -> dict[str, str]:
        """Return the part by the name in the file."""
        return parts_of(self.parts)


def checksum(top: Path, files: Sequence[Path]) -> str:
    """Return the SHA-256 of the lines "SHA256  PATH" of files below a folder, in the order of their paths."""
    paths = {path.relative_to(top).as_posix(): path for path in files}
    lines = (f"{hashlib.sha256(paths[name].read_bytes()).hexdigest()}  {name}\n" for name in sorted(paths))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_manifest(path: Path) -> list[Folder]:
    """Read a manifest; raise AlignPartsError with file, line and column of a row that is wrong."""
    return read_rows(path, Folder, "unlabeled geometry")


def read_names(path: Path) -> list[NamedMesh]:
    """Read a list of names; raise AlignPartsError with file, line and column of a row that is wrong."""
    return read_rows(path, NamedMesh, "named geometry")


def fetch(manifest: Path, mirror: Path | None = None, address: str = ADDRESS) -> Fetched:
    """Bring the files of a manifest's folders, one repository after the other.

    Folders that are whole are kept without any network, and single files in the others; a killed run goes on.

    Args:
        manifest: see :func:`read_manifest`.
        mirror, address: see :func:`alignparts.corpus.repositories.opened`.
    """
    root = manifest.parent / FILES
    kept = 0
    missing: dict[tuple[str, str], list[Folder]] = defaultdict(list)
    for row in read_manifest(manifest):
        if row.fault(root):
            missing[row.repository, row.commit].append(row)
        else:
            kept += row.count
    done = bring({at: partial(_lacking, rows, root) for at, rows in missing.items()}, kept, mirror, address)
    wrong = [
        f"{row.repository}@{row.commit[:8]}:{row.files}: {fault}; correct the manifest"
        for rows in missing.values()
        for row in rows
        if not done.failures and (fault := row.fault(root))
    ]
    return Fetched(done.kept, done.new, [*done.failures, *wrong])


def _lacking(rows: Sequence[Folder], root: Path, tree: Tree) -> dict[str, tuple[Path, str]]:
    """Return the files of a tree that rows cover and that do not lie below the root as they are."""
    covered = [path for path in tree.ids if any(row.covers(path) for row in rows)]
    targets = {path: root / rows[0].folder / path for path in covered}
    return {path: (at, "") for path, at in targets.items() if _blob_id(at) != tree.ids[path]}


def _blob_id(path: Path) -> str:
    """Return git's id of a file's content; "" where there is no file."""
    if not path.is_file():
        return ""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def meshes(manifest: Path) -> list[Path]:
    """Return the mesh files of a manifest's folders, in its order.

    Raises:
        AlignPartsError: a folder is not there as it is listed.
    """
    root = manifest.parent / FILES
    found: list[Path] = []
    for row in read_manifest(manifest):
        if fault := row.fault(root):
            raise AlignPartsError(f"{manifest}: {row.repository}: {row.files}: {fault}; run: {FETCH}")
        found += [path for path in row.there(root) if path.suffix.lower() in MESHES]
    return found
