"""The steps that writers share."""

import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from alignparts.core.atomic import write_atomically
from alignparts.corpus.mesh.surface import Surface


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """Yield a folder to fill, which takes the place of ``path`` when it is complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


def write_json(path: Path, value: Any, indent: int | None = None) -> None:
    """Write JSON atomically."""
    write_bytes(path, json.dumps(value, indent=indent).encode())


def table_text(*columns: np.ndarray) -> bytes:
    """Return columns of numbers as text, separated by blanks, floats rounded to five decimals."""
    arrays = [np.round(c.astype(np.float64), 5) + 0.0 if c.dtype.kind == "f" else c for c in columns]
    table = pa.table([pa.array(array) for array in arrays], names=[str(i) for i in range(len(arrays))])
    stream = io.BytesIO()
    pc.write_csv(table, stream, pc.WriteOptions(include_header=False, delimiter=" "))
    return stream.getvalue()


def unit_sphere(surface: Surface) -> Surface:
    """Return the surface with its bounding box around the origin and its farthest vertex at distance 1."""
    moved = surface.vertices - surface.frame()[0]
    return replace(surface, vertices=moved / np.linalg.norm(moved, axis=1).max())


def unit_box(surface: Surface) -> Surface:
    """Return the surface with its bounding box around the origin and its longest side 1."""
    center, scale = surface.frame()
    return replace(surface, vertices=(surface.vertices - center) * (scale / 2))
