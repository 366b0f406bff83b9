"""Arrays with one label per face or point, as label files beside a shape hold them."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Int64

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.readers.common import Tree


def read_face_labels(source: Tree, faces: int, mesh: Path) -> Int64[np.ndarray, " faces"]:
    """Return the labels of an ``.npy`` file, in the order of the mesh's triangles.

    Args:
        source: the file: (n,) or (n, 1) whole numbers.
        faces: number of triangles of the mesh.
        mesh: file of the mesh, for messages.

    Raises:
        AlignPartsError: it is missing, no array of whole numbers, or not one label per triangle.
    """
    labels = read_labels(source)
    if len(labels) != faces:
        raise AlignPartsError(
            f"{mesh}: {faces:,} triangles, but {source}: {len(labels):,} labels; expected one a triangle "
            "(a polygon of n corners is n - 2 of them)"
        )
    return labels


def read_labels(source: Tree) -> Int64[np.ndarray, " n"]:
    """Return the whole numbers of an ``.npy`` file, (n,) or (n, 1).

    Raises:
        AlignPartsError: it is missing, or no such array.
    """
    try:
        array = np.load(io.BytesIO(source.read_bytes()), allow_pickle=False)
    except (FileNotFoundError, KeyError):
        raise AlignPartsError(f"{source}: no such file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise AlignPartsError(f"{source}: not an array: {error}") from None
    if not isinstance(array, np.ndarray):
        raise AlignPartsError(f"{source}: several arrays; expected one (.npy)")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise AlignPartsError(f"{source}: {array.dtype} {array.shape}; expected whole numbers (n,)")
    return whole_numbers(array, f"{source}: entry", 0, "whole numbers")


def whole_numbers(values: np.ndarray, place: str, first: int, expected: str) -> Int64[np.ndarray, " n"]:
    """Return numbers (n,) as integers.

    Raises:
        AlignPartsError: one of them is not whole; the message names its ``place``, counted from ``first``.
    """
    whole = np.isfinite(values) & (values == np.round(values))
    if not whole.all():
        at = int(np.argmin(whole))
        raise AlignPartsError(f"{place} {at + first} is {values[at]}; expected {expected}")
    return values.astype(np.int64)


def instances_of(
    labels: Int64[np.ndarray, " n"], names: Mapping[int, str]
) -> tuple[list[str], Int32[np.ndarray, " n"]]:
    """Return the names of the labels that have one, by label, and for every label its place among them."""
    order = sorted(label for label, name in names.items() if name)
    instance = np.full(len(labels), -1, np.int32)
    for index, label in enumerate(order):
        instance[labels == label] = index
    return [names[label] for label in order], instance
