"""The open test set: real shapes of public repositories by commit, and the parts that their files name.

A manifest has a row per shape, :class:`OpenShape`. :func:`fetch` brings just the files named, each checked by
its SHA-256, into ``files/<owner>+<name>/`` beside the manifest, as they lie in their repositories.
"""

import hashlib
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.repositories import (
    ADDRESS,
    Choice,
    Fetched,
    Inside,
    Listed,
    Tree,
    bring,
    inside,
    read_rows,
)

MANIFEST, FILES = "manifest.csv", "files"
"""Names of the manifest and of the folder of files beside it."""
FETCH = "alignparts fetch open"
"""Command that brings the files."""


def _unique(parts: str) -> str:
    names = [pair.partition("=")[0] for pair in parts.split("|")]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"expected every name once; {twice[0]} is there twice")
    return parts


Parts = Annotated[str, Field(pattern="^[^=|]+=[^=|]+([|][^=|]+=[^=|]+)*$"), AfterValidator(_unique)]
"""Column NAME=part|NAME=part."""


def parts_of(parts: str) -> dict[str, str]:
    """Return the part by the name in the file."""
    return dict(pair.split("=") for pair in parts.split("|"))


def _all_inside(files: str) -> str:
    for item in filter(None, files.split(";")):
        inside(item.rpartition(" ")[0])
    return files


class OpenShape(Listed):
    """Row of a manifest.

    ``by`` says if the names of ``parts`` (NAME=part|NAME=part) are those of nodes (objects or groups of an
    OBJ file) or of materials; what no name is listed for stays unlabeled. ``files`` are further files that
    the shape refers to: "PATH SHA256;PATH SHA256". ``pack`` stays in one split.
    """

    id: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    path: Inside
    category: Annotated[str, Field(min_length=1)]
    pack: Annotated[str, Field(min_length=1)]
    by: Literal["node", "material"]
    parts: Parts
    files: Annotated[str, Field(pattern="^([^;]+ [0-9a-f]{64}(;|$))*$"), AfterValidator(_all_inside)] = ""

    @property
    def part_of(self) -> dict[str, str]:
        """Return the part by the name in the file."""
        return parts_of(self.parts)

    @property
    def sums(self) -> dict[str, str]:
        """Return the SHA-256 of every file by its path in the repository."""
        further = (item.rpartition(" ") for item in self.files.split(";") if item)
        return {self.path: self.sha256, **{path: digest for path, _, digest in further}}

    def place(self, path: str = "") -> str:
        """Return where a file of the repository, by default the shape's, lies below the manifest's folder."""
        return f"{FILES}/{self.folder}/{path or self.path}"


def read_manifest(path: Path) -> list[OpenShape]:
    """Read a manifest; raise AlignPartsError with file, line and column of a row that is wrong."""
    shapes = read_rows(path, OpenShape, "an open set")
    ids = [shape.id for shape in shapes]
    sums: dict[str, str] = {}
    for number, shape in enumerate(shapes):
        if shape.id in ids[:number]:
            raise AlignPartsError(f"{path}: id '{shape.id}' is there twice")
        for name, digest in shape.sums.items():
            if sums.setdefault(shape.place(name), digest) != digest:
                raise AlignPartsError(f"{path}: {shape.id}: {name} has another sha256 than in a row before")
    return shapes


def fetch(manifest: Path, mirror: Path | None = None, address: str = ADDRESS) -> Fetched:
    """Bring the files of a manifest's shapes into its folder, one repository after the other.

    Files that are there with the right sum are kept, without any network; a killed run goes on. Of a
    repository only the commit's trees and the files named are transferred.

    Args:
        manifest: see :func:`read_manifest`.
        mirror, address: see :func:`alignparts.corpus.repositories.opened`.
    """
    wanted: dict[tuple[str, str], dict[str, tuple[Path, str]]] = defaultdict(dict)
    kept: set[Path] = set()
    for shape in read_manifest(manifest):
        for path, digest in shape.sums.items():
            target = manifest.parent / shape.place(path)
            if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == digest:
                kept.add(target)
            else:
                wanted[shape.repository, shape.commit][path] = (target, digest)
    choices: dict[tuple[str, str], Choice] = {at: partial(_all, files) for at, files in wanted.items()}
    return bring(choices, len(kept), mirror, address)


def _all(files: dict[str, tuple[Path, str]], tree: Tree) -> dict[str, tuple[Path, str]]:
    """Return the files whatever the tree holds."""
    return files
