"""Name many meshes: which are asked for, the folder of each result, and what became of each."""

import contextlib
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from glob import glob, has_magic
from itertools import chain, count
from os import fsdecode
from os.path import abspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from alignparts.core.errors import AlignPartsError

if TYPE_CHECKING:
    from rich.progress import Progress

    from alignparts.naming.pipeline import NamedMesh

LABELS, SUFFIX = "labels.json", ".parts.glb"
Status = Literal["named", "kept", "failed"]
OF_MESH = ("category", "mode", "faces", "unlabeled_faces", "parts")
"""Keys of labels.json that are in the line of a mesh."""


def expand(given: Sequence[str]) -> list[Path]:
    """Return the meshes of files, folders (at any depth), patterns and "-", a list on stdin; each once.

    Folders and patterns leave out hidden files and results of ``alignparts name``.

    Raises:
        AlignPartsError: there is no such file, or no mesh where one was looked for.
    """
    found: dict[str, Path] = {}
    for text in given:
        meshes = _of(text)
        if not meshes:
            raise AlignPartsError(f"{text}: no mesh in it; expected {', '.join(_suffixes())} files")
        for mesh in meshes:
            found.setdefault(abspath(mesh), mesh)
    return list(found.values())


def _of(text: str) -> list[Path]:
    path = Path(text)
    if text == "-":
        lines = [fsdecode(line).rstrip("\r\n") for line in sys.stdin.buffer]
        return [mesh for line in lines if line.strip() for mesh in _below(Path(line))]
    if path.exists():
        return _below(path)
    if not has_magic(text):
        raise AlignPartsError(f"{path}: no such file")
    matches = map(Path, sorted(glob(text, recursive=True)))
    return [mesh for match in matches if match.is_dir() or _is_mesh(match) for mesh in _below(match)]


def _below(path: Path) -> list[Path]:
    """Return the meshes of a folder, or the path itself where it is none."""
    if not path.is_dir():
        return [path]
    inside = [one for one in sorted(path.rglob("*")) if _is_mesh(one)]
    return [one for one in inside if not any(part[0] == "." for part in one.relative_to(path).parts)]


def _is_mesh(path: Path) -> bool:
    return path.suffix.lower() in _suffixes() and not path.name.endswith(SUFFIX) and path.is_file()


def _suffixes() -> tuple[str, ...]:
    from alignparts.corpus.mesh.meshio import SUFFIXES  # imports trimesh

    return SUFFIXES


class Places:
    """Folders of results below ``out``, where no mesh takes that of another.

    Args:
        out: folder of the results.
        alone: whether ``out`` itself is for the one mesh there is.
        overwrite: whether folders are taken that hold the result of another mesh.
    """

    def __init__(self, out: Path, *, alone: bool = False, overwrite: bool = False) -> None:
        self.out, self.alone, self.overwrite = out, alone, overwrite
        self.taken: set[str] = set()

    def claim(self, mesh: Path) -> Path:
        """Return a folder by the mesh's name, numbered where that holds the result of another mesh.

        A result is a mesh's own if it was made from the same path or from the same bytes.
        """
        numbered = (self.out / (mesh.stem + (f"_{number}" if number > 1 else "")) for number in count(1))
        for folder in chain([self.out] if self.alone else [], numbered):
            key = str(folder).casefold()  # as file systems that do not tell capitals apart
            if key not in self.taken and (self.overwrite or self._is_free(folder, mesh)):
                self.taken.add(key)
                return folder
        raise AssertionError("numbers do not end")

    @staticmethod
    def _is_free(folder: Path, mesh: Path) -> bool:
        if not (folder / LABELS).exists():
            return True
        source = _read(folder).get("source") or {}
        made_from = (folder / source.get("path", "")).resolve()
        return made_from == mesh.resolve() or has_result(folder, mesh)


def has_result(folder: Path, mesh: Path) -> bool:
    """Return whether a folder holds the whole result of a mesh as the file is now."""
    from alignparts.naming.export import digest

    labels = _read(folder)
    files = [folder / f"{mesh.stem}{SUFFIX}", folder / "face_labels.npy", mesh]
    if labels.get("input") != mesh.name or not all(path.is_file() for path in files):
        return False
    return (labels.get("source") or {}).get("sha256") == digest(mesh)


def _read(folder: Path) -> dict[str, Any]:
    """Return ``labels.json``, which is written after all else; {} where there is none, or a broken one."""
    try:
        content = json.loads((folder / LABELS).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@dataclass(frozen=True)
class Outcome:
    """What became of a mesh.

    Attributes:
        mesh: the file.
        status: "named", "kept" where its result was there, or "failed".
        line: a line on it; that of the error if it failed.
        folder: the result's; None if it failed.
        notes: warnings, a line each.
        seconds: time that it took.
    """

    mesh: Path
    status: Status
    line: str
    folder: Path | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def record(self) -> dict[str, Any]:
        """Return what a program wants to know: paths, seconds, and the parts as in ``labels.json``."""
        about = {"mesh": str(self.mesh), "status": self.status, "seconds": round(self.seconds, 3)}
        if self.folder is None:
            return {**about, "error": self.line}
        about |= {"folder": str(self.folder), "glb": str(self.folder / f"{self.mesh.stem}{SUFFIX}")}
        labels = _read(self.folder)
        return about | {key: labels[key] for key in OF_MESH}


def name_all(
    meshes: Sequence[Path],
    places: Places,
    name: Callable[[Path], "NamedMesh"],
    working: Callable[[str], contextlib.AbstractContextManager[object]],
    *,
    picture: bool = True,
    resume: bool = False,
) -> Iterator[Outcome]:
    """Name meshes and write their results, one by one; whatever one of them raises stops none.

    Args:
        meshes: the files.
        places: where the results go.
        name: function that names one.
        working: context, given a line, in which the work on one mesh is done.
        picture: whether pictures are drawn.
        resume: whether a mesh is left alone whose whole result is there.
    """
    for number, mesh in enumerate(meshes, start=1):
        start = time.perf_counter()
        with working(f"{number} of {len(meshes)}: {mesh.name}"):
            try:
                folder = places.claim(mesh)
                if resume and has_result(folder, mesh):
                    outcome = Outcome(mesh, "kept", f"{mesh.name}: was there -> {folder}", folder)
                else:
                    outcome = _named(mesh, folder, name, picture)
            except Exception as error:
                outcome = Outcome(mesh, "failed", _told(mesh, error))
        yield replace(outcome, seconds=time.perf_counter() - start)


def _named(mesh: Path, folder: Path, name: Callable[[Path], "NamedMesh"], picture: bool) -> Outcome:
    # What libraries print must not get between lines that a program reads.
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings(record=True) as said:
        named = name(mesh)
        named.save(folder, picture=picture, traced=True)
    own = [str(one.message) for one in said if one.category.__module__.startswith("alignparts.")]
    source = f", from {mesh}" if folder.name.startswith(f"{mesh.stem}_") else ""
    return Outcome(mesh, "named", f"{named.summary} -> {folder}{source}", folder, tuple(own))


def _told(mesh: Path, error: Exception) -> str:
    if isinstance(error, AlignPartsError):
        return " ".join(str(error).split())
    return f"{mesh}: {type(error).__name__}: {' '.join(str(error).split())}"


def progress(what: str, *, quiet: bool = False) -> "Progress":
    """Return a line with seconds that turns on a terminal while the block runs, and is gone after it."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), TextColumn("{task.elapsed:.0f} s")
    shown = Progress(
        SpinnerColumn(), *columns, console=console, transient=True, disable=quiet or not console.is_terminal
    )
    shown.add_task(what, total=None)
    return shown
