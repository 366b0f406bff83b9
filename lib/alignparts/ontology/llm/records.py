"""What is asked, what it costs and what is kept: the JSON lines of recorded replies."""

import fcntl
import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from alignparts.core.errors import AlignPartsError


class Request(NamedTuple):
    """Name of a prompt, what its placeholders stand for, and the PNG or JPEG files it shows."""

    prompt: str
    variables: Mapping[str, str]
    images: tuple[bytes, ...] = ()

    def __str__(self) -> str:
        shown = f" with {len(self.images)} image(s)" if self.images else ""
        return f"'{self.prompt}' for {json.dumps(dict(self.variables), ensure_ascii=False)}{shown}"


class Usage(BaseModel):
    """What replies took; usages add up.

    Attributes:
        replies: how many replies, those of the wrong form included.
        prompt_tokens: tokens in, as the endpoint counts them.
        completion_tokens: tokens out, those of hidden thought included.
        unreported: replies whose tokens the endpoint did not say.
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
        known = self.cost is not None and other.cost is not None
        return Usage(
            replies=self.replies + other.replies,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            unreported=self.unreported + other.unreported,
            seconds=round(self.seconds + other.seconds, 3),
            cost=(self.cost or 0.0) + (other.cost or 0.0) if known else None,
        )

    def __str__(self) -> str:
        cost = "unknown" if self.cost is None else f"{self.cost:.4f}"
        unsaid = f" ({self.unreported} replies uncounted)" if self.unreported else ""
        return (
            f"{self.replies:,} replies in {self.seconds:.1f} s, {self.prompt_tokens:,} tokens in, "
            f"{self.completion_tokens:,} out{unsaid}, cost {cost}"
        )


class Record(BaseModel):
    """One recorded reply: a line of a ``.jsonl`` file.

    ``images`` holds the sha256 of each image, never the image; ``usage`` is None where nobody counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hash: str
    prompt: str
    variables: dict[str, str]
    model: str
    reply: dict[str, Any]
    images: tuple[str, ...] = ()
    usage: Usage | None = None


def total(records: Iterable[Record]) -> Usage:
    """What the replies of a record took, as far as it was counted."""
    return sum((record.usage for record in records if record.usage is not None), Usage())


def hash_of(text: str, variables: Mapping[str, str], images: Sequence[str] = ()) -> str:
    """The sha256 of a request as canonical JSON.

    Args:
        text: of the prompt, placeholders unfilled.
        variables: what they stand for.
        images: sha256 of every image, in order.
    """
    content: dict[str, Any] = {"prompt": text, "variables": dict(variables)}
    if images:  # a request without images keeps the hash that it had before there were any
        content["images"] = list(images)
    line = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(line.encode()).hexdigest()


def image_hashes(images: Sequence[bytes | str]) -> tuple[str, ...]:
    """The sha256 of every image that is given as bytes; the others are one already."""
    return tuple(hashlib.sha256(image).hexdigest() if isinstance(image, bytes) else image for image in images)


def first_problem(error: ValidationError) -> str:
    """Where and what is wrong, in one line."""
    return problems(error, 1)


def problems(error: ValidationError, most: int) -> str:
    """The first few errors of a validation, in one line."""
    said = [
        f"{'.'.join(str(part) for part in one['loc']) or 'reply'}: {one['msg']}"
        for one in error.errors()[:most]
    ]
    return "; ".join(said)


def read_records(folder: Path) -> dict[str, Record]:
    """All recorded replies of a folder's ``.jsonl`` files, by hash; of two for one hash the later wins.

    A last line that breaks off is what a killed process leaves: it counts as never recorded, with a warning.

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
                if number == len(lines) and _is_torn(error):
                    warnings.warn(
                        f"{path}:{number}: breaks off, as a killed process leaves it; the next record "
                        "takes its place",
                        stacklevel=2,
                    )
                    continue
                raise AlignPartsError(
                    f"{path}:{number}: not a recorded reply: {first_problem(error)}; "
                    "mend the line or delete it"
                ) from None
            records[record.hash] = record
    return records


def append_record(path: Path, record: Record) -> None:
    """Append one line, whole or not at all, also when several processes write.

    Raises:
        AlignPartsError: the disk is full, or the file cannot be written.
    """
    text = json.dumps(
        record.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False, sort_keys=True
    )
    line = text.encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            with suppress(OSError):  # some cluster file systems have no locks
                fcntl.flock(handle, fcntl.LOCK_EX)
            _mend(handle)
            size = os.fstat(handle).st_size
            if os.write(handle, line) != len(line):
                os.ftruncate(handle, size)
                raise OSError("disk full")
        finally:
            os.close(handle)
    except OSError as error:
        raise AlignPartsError(f"{path}: cannot record a reply: {error.strerror or error}") from None


def _mend(handle: int) -> None:
    """Take a line away that a killed process left half; end one that an editor left without its end."""
    size = os.fstat(handle).st_size
    if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
        return
    content = os.pread(handle, size, 0)
    start = content.rfind(b"\n") + 1
    try:
        Record.model_validate_json(content[start:])
    except ValidationError as error:
        if _is_torn(error):
            os.ftruncate(handle, start)
            return
    os.write(handle, b"\n")


def _is_torn(error: ValidationError) -> bool:
    """Whether a line is no JSON at all, rather than JSON of another form."""
    return error.errors()[0]["type"] == "json_invalid"
