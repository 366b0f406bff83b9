"""The steps that readers share: locators, JSON and number files, label arrays, and the shape itself."""

import functools
import io
import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import trimesh
from jaxtyping import Float64, Int, Int32, Int64
from pydantic import TypeAdapter, ValidationError
from scipy.spatial import cKDTree

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.surface import Surface
from alignparts.corpus.shape import Cloud, LabeledShape

Tree = Path | zipfile.Path
"""A folder or a file, which may lie in a zip."""
_ADAPTER = functools.lru_cache(maxsize=32)(TypeAdapter)
_NEIGHBORS = 12
_GRAY = 153


class BrokenLabels(AlignPartsError):
    """A file that concerns all shapes of a data set is broken: ingestion stops, not one shape is left out."""


@dataclass(frozen=True)
class ReadOptions:
    """Choice among the labels and shapes that a data set offers.

    Attributes:
        tree: PartNet and PartNet-Mobility: the annotators' ``result.json`` ("raw") or
            ``result_after_merging.json`` ("merged").
        level: both: parts of this level of PartNet's benchmark (1 to 3); None: the leaves of the tree.
        geometry: the parts' meshes, or the point samples that come with the data set.
        granularity: 3DCoMPaT++: fine or coarse part names.
    """

    tree: Literal["raw", "merged"] = "raw"
    level: int | None = None
    geometry: Literal["mesh", "points"] = "mesh"
    granularity: Literal["fine", "coarse"] = "fine"


@dataclass(frozen=True)
class Locator:
    """Place of one shape of a raw data set on disk.

    Attributes:
        path: folder or file of the shape; in a zip, ``<zip>/<entry>``.
        root: top of its data set, which holds lists and styles.
        shape_id: id, unique among the shapes of one scan.
        category: category stated by a manifest; overrides that of the data set.
        license: license stated by a manifest; overrides ``license.txt``.
        reason: cause why the shape cannot be read or is not used; "" otherwise.
        split: official split, where the data set states one: "train", "validation" or "test".
        options: labels and shapes that are wanted.
        model: object that the shape shows, where known before reading; shapes of one model stay together.
        pack: pack or author of the shape, where stated; ``corpus.split: by_source`` keeps packs apart.
    """

    path: Path
    root: Path
    shape_id: str
    category: str = ""
    license: str = ""
    reason: str = ""
    split: str = ""
    options: ReadOptions = ReadOptions()
    model: str = ""
    pack: str = ""


def sorted_entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return the entries of a folder by name."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


@functools.lru_cache(maxsize=16)
def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip, which stays open; raise BrokenLabels where it is not readable."""
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise BrokenLabels(f"{path}: not a readable zip: {error}") from None


@functools.lru_cache(maxsize=64)
def license_of(root: Path, default: str = "") -> str:
    """Return the license that a tree states in ``license.txt``, else ``default``."""
    path = root / "license.txt"
    return path.read_text().strip() if path.is_file() else default


def read_json(
    path: Tree, form: Any = Any, expected: str = "", broken: type[AlignPartsError] = AlignPartsError
) -> Any:
    """Read a JSON file, whose content pydantic checks to be of a ``form``, called ``expected`` in messages.

    A file that is missing, not JSON, or of another form, raises an error of the class ``broken``.
    """
    hint = f"; expected {expected}" if expected else ""
    try:
        value = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, KeyError):
        raise broken(f"{path}: no such file{hint}") from None
    except (ValueError, OSError) as error:
        raise broken(f"{path}: not JSON: {error}{hint}") from None
    return value if form is Any else checked(value, form, path, expected, broken)


def checked(
    value: Any, form: Any, path: Tree, expected: str, broken: type[AlignPartsError] = AlignPartsError
) -> Any:
    """Return the content of a file as the type that it must have; see :func:`read_json`."""
    try:
        return _ADAPTER(form).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        steps = (f"entry {step + 1}" if isinstance(step, int) else step for step in first["loc"])
        place = "".join(f"{step}: " for step in steps if step != "[key]")
        raise broken(f"{path}: {place}expected {expected}") from None


def read_numbers(path: Path, columns: int) -> np.ndarray:
    """Read a text table of numbers separated by blanks, (rows, columns) float64."""
    try:
        table = pd.read_csv(path, sep=r"\s+", header=None, engine="c", dtype=np.float64).to_numpy()
    except (OSError, ValueError) as error:
        raise AlignPartsError(f"{path}: not a table of numbers: {error}") from None
    if table.shape[1] != columns:
        raise AlignPartsError(f"{path}: {table.shape[1]} columns; expected {columns}")
    return table


def read_labels(source: Tree) -> Int64[np.ndarray, " n"]:
    """Read the whole numbers of an ``.npy`` file, (n,) or (n, 1)."""
    try:
        array = np.load(io.BytesIO(source.read_bytes()), allow_pickle=False)
    except (FileNotFoundError, KeyError):
        raise AlignPartsError(f"{source}: no such file") from None
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise AlignPartsError(f"{source}: not an array: {error}") from None
    if not isinstance(array, np.ndarray):
        raise AlignPartsError(f"{source}: several arrays; expected one (.npy)")
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise AlignPartsError(f"{source}: {array.dtype} {array.shape}; expected whole numbers (n,)")
    return whole_numbers(array, f"{source}: entry", 0, "whole numbers")


def read_face_labels(source: Tree, faces: int, mesh: Path) -> Int64[np.ndarray, " faces"]:
    """Read one label per triangle of the file ``mesh``, in its order; see :func:`read_labels`."""
    labels = read_labels(source)
    if len(labels) != faces:
        raise AlignPartsError(
            f"{mesh}: {faces:,} triangles, but {source}: {len(labels):,} labels; expected one per triangle "
            "(a polygon of n corners is n - 2 of them)"
        )
    return labels


def whole_numbers(values: np.ndarray, place: str, first: int, expected: str) -> Int64[np.ndarray, " n"]:
    """Return numbers (n,) as integers; errors name the ``place`` of one that is not, from ``first``."""
    whole = np.isfinite(values) & (values == np.round(values))
    if not whole.all():
        at = int(np.argmin(whole))
        raise AlignPartsError(f"{place} {at + first} is {values[at]}; expected {expected}")
    return values.astype(np.int64)


def check_labels(labels: Int[np.ndarray, " n"], known: Iterable[int], source: Tree, names: str) -> None:
    """Raise AlignPartsError for the lowest label that is not known by ``names``, the file of the names."""
    strange = np.setdiff1d(labels, list(known))
    if len(strange):
        raise AlignPartsError(f"{source}: label {strange[0]} is not in {names}")


def instances_of(
    labels: Int64[np.ndarray, " n"], names: Mapping[int, str]
) -> tuple[list[str], Int32[np.ndarray, " n"]]:
    """Return the names of the labels that have one, by label, and the index into them of every label."""
    named = sorted(label for label, name in names.items() if name)
    instance = np.where(np.isin(labels, named), np.searchsorted(named, labels), -1)
    return [names[label] for label in named], instance.astype(np.int32)


def make_cloud(
    points: Float64[np.ndarray, "n 3"],
    instance: Int[np.ndarray, " n"],
    colors: np.ndarray | None = None,
    normals: np.ndarray | None = None,
) -> Cloud:
    """Make a cloud of the points that are finite, with part instances, -1 where unlabeled.

    Colors are RGB in 0..255, (n, 3), gray when None. Normals (n, 3) are, when None, those of the plane
    through a point's neighbors, away from the middle of the cloud.
    """
    fine = np.isfinite(points).all(axis=1)
    xyz = points[fine]
    rgb = np.full((len(points), 3), _GRAY) if colors is None else np.asarray(colors, np.float64)
    return Cloud(
        points=xyz,
        normals=_fit_normals(xyz) if normals is None else np.nan_to_num(normals.astype(np.float64))[fine],
        colors=np.clip(np.rint(np.nan_to_num(rgb)), 0, 255).astype(np.uint8)[fine],
        instance=instance[fine].astype(np.int32),
    )


def _fit_normals(points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    if len(points) < 3:
        return np.tile([0.0, 1.0, 0.0], (len(points), 1))
    near = cKDTree(points).query(points, k=min(_NEIGHBORS, len(points)))[1]
    _, normals = trimesh.points.plane_fit(points[near])
    inwards = np.einsum("ij,ij->i", normals, points - points.mean(axis=0)) < 0
    return np.where(inwards[:, None], -normals, normals)


def labeled_shape(
    locator: Locator,
    dataset: str,
    names: list[str],
    geometry: Surface | Cloud,
    *,
    category: str = "",
    license: str = "",
    license_root: Path | None = None,
) -> LabeledShape:
    """Make the shape of a locator, whose category and license take precedence.

    ``names`` has the part name of every instance of the geometry: a surface whose faces are labeled, or the
    points of the data set. ``license`` counts where no ``license.txt`` in ``license_root`` (the top of the
    data set when None) states one.
    """
    cloud = geometry if isinstance(geometry, Cloud) else None
    return LabeledShape(
        shape_id=locator.shape_id,
        dataset=dataset,
        category=locator.category or category,
        license=locator.license or license_of(license_root or locator.root, license),
        source=str(locator.path),
        instances=names,
        surface=geometry if isinstance(geometry, Surface) else geometry.surface(),
        cloud=cloud,
    )
