"""Requests, and the JSON lines of their recorded replies."""

import fcntl
import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from alignparts.core.errors import AlignPartsError


class Request(NamedTuple):
    """Name of a prompt, values of its placeholders, and PNG or JPEG files to show."""

    prompt: str
    variables: Mapping[str, str]
    images: tuple[bytes, ...] = ()

    def __str__(self) -> str:
        shown = f" with {len(self.images)} image(s)" if self.images else ""
        return f"'{self.prompt}' for {json.dumps(dict(self.variables), ensure_ascii=False)}{shown}"


class Usage(BaseModel):
    """Cost of replies; usages add up.

    Attributes:
        replies: number of replies, those of the wrong form included.
        prompt_tokens: tokens in, as counted by the endpoint.
        completion_tokens: tokens out, those of hidden thought included.
        unreported: number of replies whose tokens the endpoint did not report.
        seconds: time from sending to the last byte.
        cost: in the currency of the prices, cached tokens at full price; None is unknown, never guessed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    replies: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unreported: int = 0
    seconds: float = 0.0
    cost: float | None = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            replies=self.replies + other.replies,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            unreported=self.unreported + other.unreported,
            seconds=round(self.seconds + other.seconds, 3),
            cost=None if self.cost is None or other.cost is None else self.cost + other.cost,
        )

    def __str__(self) -> str:
        cost = "unknown" if self.cost is None else f"{self.cost:.4f}"
        unreported = f" ({self.unreported} replies uncounted)" if self.unreported else ""
        return (
            f"{self.replies:,} replies in {self.seconds:.1f} s, {self.prompt_tokens:,} tokens in, "
            f"{self.completion_tokens:,} out{unreported}, cost {cost}"
        )


class Record(BaseModel):
    """A recorded reply, one line of a ``.jsonl`` file.

    Attributes:
        hash: :func:`hash_of` the request.
        prompt: name of the prompt.
        variables: values of its placeholders.
        model: name of the model that replied.
        reply: JSON object of the reply.
        images: sha256 of each image, never the image.
        usage: cost of the reply, None where it was not counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hash: str
    prompt: str
    variables: dict[str, str]
    model: str
    reply: dict[str, Any]
    images: tuple[str, ...] = ()
    usage: Usage | None = None


def hash_of(text: str, variables: Mapping[str, str], images: Sequence[str] = ()) -> str:
    """Return the sha256 of a request as canonical JSON.

    Args:
        text: text of the prompt, placeholders unfilled.
        variables: values of the placeholders.
        images: sha256 of every image, in order; without any, the request is hashed without that key.
    """
    content: dict[str, Any] = {"prompt": text, "variables": dict(variables)}
    if images:
        content["images"] = list(images)
    line = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(line.encode()).hexdigest()


def image_hashes(images: Sequence[bytes | str]) -> tuple[str, ...]:
    """Return the sha256 of every image; a string is taken for one already."""
    return tuple(hashlib.sha256(image).hexdigest() if isinstance(image, bytes) else image for image in images)


def problems(error: ValidationError, most: int = 1) -> str:
    """Return place and message of the first few errors of a validation, in one line."""
    return "; ".join(
        f"{'.'.join(map(str, detail['loc'])) or 'reply'}: {detail['msg']}" for detail in error.errors()[:most]
    )


def read_records(folder: Path) -> dict[str, Record]:
    """Read all recorded replies of a folder's ``.jsonl`` files, by hash; of two for one hash the later wins.

    A last line that breaks off, as a killed process leaves it, is skipped with a warning.

    Raises:
        AlignPartsError: a line that is not a record; names file and line.
    """
    records: dict[str, Record] = {}
    for path in sorted(folder.glob("*.jsonl")):
        lines = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = Record.model_validate_json(line)
            except ValidationError as error:
                torn = number == len(lines) and error.errors()[0]["type"] == "json_invalid"
                if not torn:
                    raise AlignPartsError(
                        f"{path}:{number}: not a recorded reply: {problems(error)}; "
                        "mend the line or delete it"
                    ) from None
                warnings.warn(f"{path}:{number}: breaks off, as a killed process leaves it; the next record "
                              "takes its place", stacklevel=2)  # fmt: skip
            else:
                records[record.hash] = record
    return records


def append_record(path: Path, record: Record) -> None:
    """Append one line, also when several processes write; half a line is removed by the next one.

    Raises:
        AlignPartsError: the disk is full, or the file cannot be written.
    """
    content = record.model_dump(mode="json", exclude_defaults=True)
    line = json.dumps(content, ensure_ascii=False, sort_keys=True).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            with suppress(OSError):  # some cluster file systems have no locks
                fcntl.flock(handle, fcntl.LOCK_EX)
            _mend(handle)
            if os.write(handle, line) != len(line):
                raise OSError("disk full")
        finally:
            os.close(handle)
    except OSError as error:
        raise AlignPartsError(f"{path}: cannot record a reply: {error.strerror or error}") from None


def _mend(handle: int) -> None:
    """Remove a last line that a killed process left half; end one that an editor left without its end."""
    size = os.fstat(handle).st_size
    if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
        return
    content = os.pread(handle, size, 0)
    start = content.rfind(b"\n") + 1
    try:
        json.loads(content[start:])
    except ValueError:
        os.ftruncate(handle, start)
    else:
        os.write(handle, b"\n")
