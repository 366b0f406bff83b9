"""Arrays with one label a face, as label files beside a mesh hold them."""

import io
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from alignparts.core.errors import AlignPartsError


def read_face_labels(
    source: Path | zipfile.Path, faces: int, mesh: Path | zipfile.Path
) -> Int64[np.ndarray, " faces"]:
    """Labels of an ``.npy`` file, in the order of the mesh's triangles.

    Args:
        source: the file: (n,) or (n, 1) whole numbers.
        faces: triangles of the mesh.
        mesh: what messages call it.

    Raises:
        AlignPartsError: it is missing, no array of whole numbers, or not one label a triangle.
    """
    labels = read_labels(source)
    if len(labels) != faces:
        raise AlignPartsError(
            f"{mesh}: {faces:,} triangles, but {source}: {len(labels):,} labels; expected one a triangle "
            "(a polygon of n corners is n - 2 of them)"
        )
    return labels


def read_labels(source: Path | zipfile.Path) -> Int64[np.ndarray, " n"]:
    """Whole numbers of an ``.npy`` file, (n,) or (n, 1).

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
    whole = np.isfinite(array) & (array == np.round(array))
    if not whole.all():
        at = int(np.argmin(whole))
        raise AlignPartsError(f"{source}: entry {at} is {array[at]}; expected whole numbers")
    return array.astype(np.int64)
