"""Requests, and the JSON lines of their recorded replies."""

import fcntl
import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from pydantic import BaseModel, ValidationError

from alignparts.core.errors import AlignPartsError


class Request(NamedTuple):
    """A question to the language model.

    ``prompt`` is the name of a file in the folder of prompts, without ``.txt``; ``variables`` fill its
    ``$placeholders``; ``images`` are PNG or JPEG files (to look up a reply, the sha256 of each will do).
    """

    prompt: str
    variables: Mapping[str, str]
    images: tuple[bytes | str, ...] = ()

    def __str__(self) -> str:
        shown = f" with {len(self.images)} image(s)" if self.images else ""
        return f"'{self.prompt}' for {json.dumps(dict(self.variables), ensure_ascii=False)}{shown}"

    @property
    def image_hashes(self) -> tuple[str, ...]:
        """Return the sha256 of every image."""
        return tuple(hashlib.sha256(image).hexdigest() if isinstance(image, bytes) else image
                     for image in self.images)  # fmt: skip

    def hash(self, text: str) -> str:
        """Return the sha256 of the request as canonical JSON; ``text`` is that of the prompt, unfilled."""
        content: dict[str, Any] = {"prompt": text, "variables": dict(self.variables)}
        if self.images:
            content["images"] = self.image_hashes
        line = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(line.encode()).hexdigest()


class Missing(NamedTuple):
    """A request that no recorded reply covers.

    ``settled``: it will be asked in this form whatever the other missing replies turn out to be. The rest
    depends on them: a category may still get another name, a group another member.
    """

    request: Request
    settled: bool


class Usage(BaseModel, frozen=True, extra="forbid"):
    """Cost of replies; usages add up.

    Attributes:
        replies: number of replies, those of the wrong form included.
        prompt_tokens, completion_tokens: number of tokens in and out, those of hidden thought included.
        unreported: number of replies whose tokens the endpoint did not report.
        seconds: time from sending to the last byte.
        cost: in the currency of the prices, cached tokens at full price; None is unknown, never guessed.
    """

    replies: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unreported: int = 0
    seconds: float = 0.0
    cost: float | None = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        pairs = ((name, value, getattr(other, name)) for name, value in self)
        return Usage(**{name: None if None in (a, b) else round(a + b, 12) for name, a, b in pairs})

    def __str__(self) -> str:
        cost = "unknown" if self.cost is None else f"{self.cost:.4f}"
        unreported = f" ({self.unreported} replies uncounted)" if self.unreported else ""
        return (
            f"{self.replies:,} replies in {self.seconds:.1f} s, {self.prompt_tokens:,} tokens in, "
            f"{self.completion_tokens:,} out{unreported}, cost {cost}"
        )


class Record(BaseModel, frozen=True, extra="forbid"):
    """A recorded reply, one line of a ``.jsonl`` file.

    ``hash`` is :meth:`Request.hash` of the request, ``model`` the name of the model that replied, ``reply``
    a JSON object, ``images`` the sha256 of each image, ``usage`` the cost, None where it was not counted.
    """

    hash: str
    prompt: str
    variables: dict[str, str]
    model: str
    reply: dict[str, Any]
    images: tuple[str, ...] = ()
    usage: Usage | None = None


def problems(error: ValidationError, most: int = 1) -> str:
    """Return place and message of the first few errors of a validation, in one line."""
    return "; ".join(
        f"{'.'.join(map(str, detail['loc'])) or 'reply'}: {detail['msg']}" for detail in error.errors()[:most]
    )


def read_records(folder: Path) -> dict[str, Record]:
    """Read the recorded replies of a folder's ``.jsonl`` files, by hash; of two for one hash the later wins.

    A last line that breaks off, as a killed process leaves it, is skipped with a warning; any other line that
    is not a record raises AlignPartsError with file and line.
    """
    records: dict[str, Record] = {}
    for path in sorted(folder.glob("*.jsonl")):
        lines = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = Record.model_validate_json(line)
                records[record.hash] = record
            except ValidationError as error:
                place = f"{path}:{number}"
                if number < len(lines) or error.errors()[0]["type"] != "json_invalid":
                    message = f"{place}: not a recorded reply: {problems(error)}; mend the line or delete it"
                    raise AlignPartsError(message) from None
                warnings.warn(f"{place}: breaks off; the next record replaces it", stacklevel=2)
    return records


def append_record(path: Path, record: Record) -> None:
    """Append one line, also when several processes write; replace a last line that breaks off.

    Raises AlignPartsError if the disk is full, or the file cannot be written.
    """
    content = record.model_dump(mode="json", exclude_defaults=True)
    line = json.dumps(content, ensure_ascii=False, sort_keys=True).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            with suppress(OSError):  # some cluster file systems have no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            _mend(file)
            file.write(line)
    except OSError as error:
        raise AlignPartsError(f"{path}: cannot record a reply: {error.strerror or error}") from None


def _mend(file: IO[bytes]) -> None:
    """Remove a last line that a killed process left half; end a whole one that an editor left open."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 1, 0))
    if size == 0 or file.read(1) == b"\n":
        return
    file.seek(0)
    content = file.read()
    start = content.rfind(b"\n") + 1
    try:
        json.loads(content[start:])
        file.write(b"\n")
    except ValueError:
        file.truncate(start)
