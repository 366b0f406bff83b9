"""Files of public repositories at pinned commits, which manifests list and git brings.

Rows of a manifest derive from :class:`Listed`. Files lie as in their repositories in a folder
``<owner>+<name>/`` each.
"""

import csv
import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential
from tqdm.auto import tqdm

from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError

ADDRESS = "https://github.com/{}.git"
License = Literal[
    "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0",
]  # fmt: skip
"""Terms, by SPDX id, under which a file may be listed."""


def inside(path: str) -> str:
    """Return a path within a repository; raise ValueError for any other."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\\" in path:
        raise ValueError("expected a path within the repository")
    return path


Inside = Annotated[str, Field(min_length=1), AfterValidator(inside)]
Sum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Listed(BaseModel):
    """Columns that all manifests have."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    commit: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    sha256: Sum
    license: License
    attribution: Annotated[str, Field(min_length=1)]

    @property
    def folder(self) -> str:
        """Return the name of the folder that holds the files of the repository."""
        return self.repository.replace("/", "+")


R = TypeVar("R", bound=BaseModel)


def read_rows(path: Path, kind: type[R], what: str) -> list[R]:
    """Read the rows of a manifest of ``what``.

    Raises:
        AlignPartsError: no such file, no row, or a row that is wrong, with its line and column.
    """
    if not path.is_file():
        raise AlignPartsError(f"{path}: no such file; expected the manifest of {what}")
    found: list[R] = []
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, strict=True, restval="")
        try:
            for row in rows:
                found.append(kind.model_validate(row))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            column = ".".join(map(str, first["loc"]))
            raise AlignPartsError(
                f"{path}:{rows.line_num}: {column}: {first['msg']} (got {first['input']!r})"
            ) from None
        except (csv.Error, UnicodeDecodeError, TypeError) as error:
            raise AlignPartsError(f"{path}:{rows.line_num}: not a CSV file in UTF-8: {error}") from None
    if not found:
        raise AlignPartsError(f"{path}: no row in it")
    return found


@dataclass(frozen=True)
class Fetched:
    """Result of fetching: number of files that were there and that came, a line per failure."""

    kept: int
    new: int
    failures: list[str]


@dataclass(frozen=True)
class Tree:
    """Files of a repository at a commit: ids of their blobs by path."""

    folder: Path
    mirror: Path | None
    ids: dict[str, str]

    def blobs(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes | AlignPartsError]]:
        """Yield path and content of files, or the error of a file that is not there."""
        if self.mirror is None and (there := {self.ids[path] for path in paths if path in self.ids}):
            _pull(self.folder, sorted(there))
        for path in paths:
            data: bytes | AlignPartsError
            try:
                data = _git(self.folder, "cat-file", "blob", self.ids[path])
            except KeyError:
                data = AlignPartsError("no file of this name at this commit; the manifest needs another one")
            except _GitError:
                data = AlignPartsError(f"not in {self.mirror or 'the answer'}; expected a whole clone")
            yield path, data


@contextmanager
def opened(repository: str, commit: str, mirror: Path | None, address: str = ADDRESS) -> Iterator[Tree]:
    """Open a repository at a commit; only its trees are transferred, and of the files those asked for.

    Args:
        repository: OWNER/NAME.
        commit: SHA-1 of the commit.
        mirror: folder of git repositories ``<owner>+<name>`` or ``<owner>/<name>`` to read instead.
        address: address of a repository with ``{}`` for its name.

    Raises:
        AlignPartsError: the repository or the commit cannot be had.
    """
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
        entries = (entry.partition("\t") for entry in tree.split("\0") if entry)
        yield Tree(folder, mirror, {path: about.split()[2] for about, _, path in entries})


Choice = Callable[[Tree], Mapping[str, tuple[Path, str]]]
"""Function from a tree to the files wanted of it: target and SHA-256 ("": unchecked) by path."""


def bring(wanted: Mapping[tuple[str, str], Choice], kept: int, mirror: Path | None, address: str) -> Fetched:
    """Write files of repositories, one repository after the other, each file atomically.

    Args:
        wanted: files by repository and commit.
        kept: number of files that were there.
        mirror, address: see :func:`opened`.
    """
    new, failures = 0, []
    with tqdm(total=0, desc="fetch", disable=not wanted, mininterval=1.0) as bar:
        for (repository, commit), choose in wanted.items():
            bar.set_postfix_str(repository)
            place = f"{repository}@{commit[:8]}"
            try:
                with opened(repository, commit, mirror, address) as tree:
                    files = choose(tree)
                    bar.total = (bar.total or 0) + len(files)
                    for path, data in tree.blobs(list(files)):
                        target, digest = files[path]
                        if isinstance(data, AlignPartsError):
                            failures.append(f"{place}:{path}: {data}")
                        elif digest and (got := hashlib.sha256(data).hexdigest()) != digest:
                            failures.append(f"{place}:{path}: SHA-256 is {got}, not {digest}; "
                                            "the manifest or the repository was changed")  # fmt: skip
                        else:
                            write_atomically(target, partial(Path.write_bytes, data=data))
                            new += 1
                        bar.update()
            except AlignPartsError as error:
                failures.append(f"{place}: {error}")
    return Fetched(kept, new, failures)


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
