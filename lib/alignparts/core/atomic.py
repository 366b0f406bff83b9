"""Files that are whole or not there."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

PREFIX = ".writing-"
"""How a file is called before it is whole; one that is left over comes from a killed process."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a file beside ``path``, then put it in its place; the folder is made if need be.

    Raises:
        Exception: whatever ``write`` raises; ``path`` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PREFIX, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)  # mkstemp's are the owner's alone
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, with its folders."""
    write_atomically(path, lambda temporary: temporary.write_text(text))
