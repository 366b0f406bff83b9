"""The open test set: real shapes of public repositories by commit, and the parts that their files name.

A manifest has a row per shape, :class:`OpenShape`. :func:`fetch` brings just the files named, each checked by
its SHA-256, into ``files/<owner>+<name>/`` beside the manifest, as they lie in their repositories.
"""

import csv
import hashlib
import os
import re
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential
from tqdm.auto import tqdm

from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError

ADDRESS = "https://github.com/{}.git"
MANIFEST = "manifest.csv"
FETCH = "alignparts fetch open"
"""Command that brings the files."""
License = Literal[
    "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0",
]  # fmt: skip
"""Terms, by SPDX id, under which a shape may be in the set."""


def _inside(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\\" in path:
        raise ValueError("expected a path within the repository")
    return path


def _unique(parts: str) -> str:
    names = [pair.partition("=")[0] for pair in parts.split("|")]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"expected every name once; {twice[0]} is there twice")
    return parts


def _all_inside(files: str) -> str:
    for item in filter(None, files.split(";")):
        _inside(item.rpartition(" ")[0])
    return files


Inside = Annotated[str, Field(min_length=1), AfterValidator(_inside)]
Sum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class OpenShape(BaseModel):
    """Row of a manifest.

    ``by`` says if the names of ``parts`` (NAME=part|NAME=part) are those of nodes (objects or groups of an
    OBJ file) or of materials; what no name is listed for stays unlabeled. ``files`` are further files that
    the shape refers to: "PATH SHA256;PATH SHA256". ``pack`` stays in one split.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    commit: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    path: Inside
    sha256: Sum
    license: License
    attribution: Annotated[str, Field(min_length=1)]
    category: Annotated[str, Field(min_length=1)]
    pack: Annotated[str, Field(min_length=1)]
    by: Literal["node", "material"]
    parts: Annotated[str, Field(pattern="^[^=|]+=[^=|]+([|][^=|]+=[^=|]+)*$"), AfterValidator(_unique)]
    files: Annotated[str, Field(pattern="^([^;]+ [0-9a-f]{64}(;|$))*$"), AfterValidator(_all_inside)] = ""

    @property
    def part_of(self) -> dict[str, str]:
        """Return the part by the name in the file."""
        return dict(pair.split("=") for pair in self.parts.split("|"))

    @property
    def sums(self) -> dict[str, str]:
        """Return the SHA-256 of every file by its path in the repository."""
        further = (item.rpartition(" ") for item in self.files.split(";") if item)
        return {self.path: self.sha256, **{path: digest for path, _, digest in further}}

    def place(self, path: str = "") -> str:
        """Return where a file of the repository, by default the shape's, lies below the manifest's folder."""
        return f"files/{self.repository.replace('/', '+')}/{path or self.path}"


def read_manifest(path: Path) -> list[OpenShape]:
    """Read a manifest; raise AlignPartsError with file, line and column of a row that is wrong."""
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected the manifest of an open set")
    shapes: list[OpenShape] = []
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, strict=True, restval="")
        try:
            for row in rows:
                shapes.append(OpenShape.model_validate(row))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            column = ".".join(map(str, first["loc"]))
            raise AlignPartsError(
                f"{path}:{rows.line_num}: {column}: {first['msg']} (got {first['input']!r})"
            ) from None
        except (csv.Error, UnicodeDecodeError, TypeError) as error:
            raise AlignPartsError(f"{path}:{rows.line_num}: not a CSV file in UTF-8: {error}") from None
    ids = [shape.id for shape in shapes]
    sums: dict[str, str] = {}
    for number, shape in enumerate(shapes):
        if shape.id in ids[:number]:
            raise AlignPartsError(f"{path}: id '{shape.id}' is there twice")
        for name, digest in shape.sums.items():
            if sums.setdefault(shape.place(name), digest) != digest:
                raise AlignPartsError(f"{path}: {shape.id}: {name} has another sha256 than in a row before")
    if not shapes:
        raise AlignPartsError(f"{path}: no shape in it")
    return shapes


@dataclass(frozen=True)
class Fetched:
    """Result of a run of :func:`fetch`: number of files that were there and that came, a line per failure."""

    kept: int
    new: int
    failures: list[str]


def fetch(manifest: Path, mirror: Path | None = None, address: str = ADDRESS) -> Fetched:
    """Bring the files of a manifest's shapes into its folder, one repository after the other.

    Files that are there with the right sum are kept, without any network; a killed run goes on. Of a
    repository only the commit's trees and the files named are transferred.

    Args:
        manifest: see :func:`read_manifest`.
        mirror: folder of git repositories ``<owner>+<name>`` or ``<owner>/<name>`` to read instead.
        address: address of a repository with ``{}`` for its name.
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
    failures: list[str] = []
    new = 0
    total = sum(map(len, wanted.values()))
    with tqdm(total=total, desc="fetch", disable=not total, mininterval=1.0) as bar:
        for (repository, commit), files in wanted.items():
            bar.set_postfix_str(repository)
            place = f"{repository}@{commit[:8]}"
            try:
                for path, data in _blobs(repository, commit, list(files), mirror, address):
                    target, digest = files[path]
                    if isinstance(data, AlignPartsError):
                        failures.append(f"{place}:{path}: {data}")
                    elif (got := hashlib.sha256(data).hexdigest()) == digest:
                        write_atomically(target, partial(Path.write_bytes, data=data))
                        new += 1
                    else:
                        failures.append(f"{place}:{path}: SHA-256 is {got}, not {digest}; "
                                        "the manifest or the repository was changed")  # fmt: skip
                    bar.update()
            except AlignPartsError as error:
                failures.append(f"{place}: {error}")
    return Fetched(len(kept), new, failures)


def _blobs(
    repository: str, commit: str, paths: list[str], mirror: Path | None, address: str
) -> Iterator[tuple[str, bytes | AlignPartsError]]:
    """Yield path and content of files at a commit, or the error of a file that is not there."""
    with tempfile.TemporaryDirectory(prefix="open-") as temporary:
        folder = Path(temporary) if mirror is None else _mirrored(mirror, repository)
        if mirror is None:
            _git(folder, "init", "--bare", "--quiet")
            for key, value in {"url": address.format(repository), "promisor": "true"}.items():
                _git(folder, "config", f"remote.origin.{key}", value)
            _pull(folder, ["--depth=1", commit])
        try:
            tree = _git(folder, "ls-tree", "-r", "-z", commit).decode()
        except _GitError:
            where = f"commit {commit} is not in {mirror or 'the repository'}"
            raise AlignPartsError(f"{where}; the manifest needs another one") from None
        found = {entry.partition("\t")[2]: entry.split()[2] for entry in tree.split("\0") if entry}
        if mirror is None and (there := {found[path] for path in paths if path in found}):
            _pull(folder, sorted(there))
        for path in paths:
            data: bytes | AlignPartsError
            try:
                data = _git(folder, "cat-file", "blob", found[path])
            except KeyError:
                data = AlignPartsError("no file of this name at this commit; the manifest needs another one")
            except _GitError:
                data = AlignPartsError(f"not in {mirror or 'the answer'}; expected a whole clone")
            yield path, data


def _mirrored(mirror: Path, repository: str) -> Path:
    owner, name = repository.split("/")
    for top in (f"{owner}+{name}", f"{owner}/{name}", f"{owner}+{name}.git", f"{owner}/{name}.git"):
        for below in ("", "repo", "repo/.git"):
            folder = mirror / top / below
            if (folder / "HEAD").is_file() or (folder / ".git").exists():
                return folder
    raise AlignPartsError(f"{mirror}: no repository {owner}+{name}; expected a git clone of {repository}")


class _GitError(AlignPartsError):
    """Failure of git, with its message."""


class _GoneError(AlignPartsError):
    """Commit that a repository does not have: asking again does not help."""


@retry(
    retry=retry_if_exception_type(_GitError), stop=stop_after_attempt(3), reraise=True,
    wait=wait_exponential(min=1, max=20),
)  # fmt: skip
def _pull(folder: Path, objects: Iterable[str]) -> None:
    """Fetch objects, and of commits the trees alone."""
    _git(folder, "fetch", "--quiet", "--no-tags", "--filter=blob:none", "origin", *objects)


def _git(folder: Path, *arguments: str) -> bytes:
    """Return the output of git in a repository; it asks for nothing and fetches nothing by itself."""
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    command = ["git", "-c", "safe.directory=*", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False, env=os.environ | quiet)
    except FileNotFoundError:
        raise AlignPartsError("git: no such program; install it (Debian: apt-get install git)") from None
    if done.returncode:
        lines = re.findall(r"(?:fatal|error): (.*)", done.stderr.decode(errors="replace"))
        reason = lines[-1] if lines else f"exit code {done.returncode}"
        if "not our ref" in reason:
            raise _GoneError("the repository does not have it any more; the manifest needs another commit")
        way = "check the network, or give --mirror a folder of clones" if arguments[0] == "fetch" else ""
        raise _GitError(f"git {arguments[0]}: {reason}" + (f"; {way}" if way else ""))
    return done.stdout
