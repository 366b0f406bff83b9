"""Write files atomically: a reader sees the old content or the new one, never half of it."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

PREFIX = ".writing-"
"""Prefix of temporary files; a file that still has it was left by a killed process."""


def write_atomically(path: Path, write: Callable[[Path], object], mode: int = 0o644) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it; create the folder if needed.

    The file gets the ``mode``; while it is written, only its owner may read it.

    Raises:
        Exception: whatever ``write`` raises; ``path`` then stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PREFIX, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(mode)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically; create its folder if needed."""
    write_atomically(path, lambda temporary: temporary.write_text(text))


def write_secret(path: Path, text: str) -> None:
    """Write a text file that only its owner may read, atomically; create its folder if needed."""
    write_atomically(path, lambda temporary: temporary.write_text(text), 0o600)
