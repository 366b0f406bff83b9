"""3DCoMPaT++'s point clouds: ``<split>_<level>.hdf5`` with one row a shape in one style.

Datasets of a file of n rows: ``points`` (n, 2048, 6) float32, x y z with z up and r g b in 0..255;
``points_part_labels`` (n, 2048), indices into ``metadata/parts_<level>.json``; ``shape_id`` and ``style_id``
as text; ``shape_label`` (n,), the class. Names are in the folder ``metadata/`` of the data set's repository:
put it into the folder of the files, beside that, or one folder further up.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.surface import surface_from_cloud
from alignparts.corpus.readers import compat
from alignparts.corpus.readers.common import Locator, license_of
from alignparts.corpus.readers.partnet_shape import fit_normals
from alignparts.corpus.shape import Cloud, LabeledShape, safe_id

_NAME = re.compile(r"(train|valid|test)_(fine|coarse)(_no_gt)?\.hdf5")
_LABELS = "points_part_labels"
_NEEDED = ("points", "shape_id", "style_id", "shape_label")
_CHUNK = 8192


def is_root(folder: Path) -> bool:
    """Whether a folder holds such files; only names are looked at."""
    return any(_NAME.fullmatch(path.name) for path in folder.iterdir())


def locate(root: Path) -> Iterator[Locator]:
    """The rows of the files of a folder, by file and row; no more than the ids of some rows are held.

    A coarse file whose fine twin is there is not read, as the fine one has its parts, too: fine names are
    mapped where coarse ones are wanted. Files without labels (``_no_gt``) and the test split are not used.
    The path of a row is ``<file>/<row>/<shape_id>__<style_id>``.
    """
    for path in sorted(root.iterdir()):
        name = _NAME.fullmatch(path.name)
        if name is None or not path.is_file():
            continue
        reason = ""
        twin = f"{name[1]}_fine.hdf5"
        if name[3]:
            reason = "published without part labels (no_gt)"
        elif name[2] == "coarse" and (root / twin).is_file():
            reason = f"{twin} beside it has the same shapes, and their coarse parts"
        if reason:
            yield Locator(path, root, safe_id("compat_points", path.stem), reason=reason)
        else:
            yield from _rows(path, root, compat.SPLITS[name[1]])


def read(locator: Locator) -> LabeledShape:
    """Read one row: its points, turned to y up, and their parts.

    The official code takes (x, y, z) to (x, -z, y) before it writes; this is undone. There are no normals:
    they are fitted to the neighbors and face away from the shape's center.

    Raises:
        AlignPartsError: the file is broken, is coarse where fine parts are wanted, or a part has no name.
        BrokenLabels: a file of ``metadata/`` is broken.
    """
    file, row = locator.path.parents[1], int(locator.path.parent.name)
    name = _NAME.fullmatch(file.name)
    level = name[2] if name else "fine"
    wanted = locator.options.granularity
    if level == "coarse" and wanted == "fine":
        raise AlignPartsError(f"{file}: has coarse parts; ask for them (granularity coarse)")
    with _open(file) as data:
        table, labels = np.asarray(data["points"][row], np.float64), np.asarray(data[_LABELS][row], np.int64)
        label = int(data["shape_label"][row])
    if table.ndim != 2 or table.shape[1] != 6 or labels.shape != table.shape[:1]:
        raise AlignPartsError(
            f"{locator.path}: points {table.shape} and labels {labels.shape}; expected (n, 6) and (n,)"
        )
    key = locator.path.name.partition("__")[0]
    if key[:2] != f"{label:02x}":
        raise AlignPartsError(f"{locator.path}: shape_label {label}; expected {key[:2]} (hexadecimal)")
    fine = np.isfinite(table).all(axis=1)
    table, labels = table[fine], labels[fine]
    parts, instance = np.unique(labels, return_inverse=True)
    names = [_name(locator, level, part) for part in parts.tolist()]
    if level == "fine" and wanted == "coarse":
        names = [compat.coarse_name(locator.root, key, name) for name in names]
    points = to_y_up(table[:, :3])
    colors = np.clip(np.rint(table[:, 3:]), 0, 255).astype(np.uint8)
    cloud = Cloud(points, fit_normals(points), colors, instance.reshape(-1).astype(np.int32))
    return LabeledShape(
        shape_id=locator.shape_id,
        dataset="compat",
        category=locator.category or compat.category_of(locator.root, key),
        license=locator.license or license_of(locator.root, compat.LICENSE),
        source=str(locator.path),
        instances=names,
        surface=surface_from_cloud(cloud.points, cloud.normals, cloud.colors, cloud.instance),
        cloud=cloud,
    )


def to_y_up(points: Float[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    """Points of the files in the frame of the meshes: (x, y, z) to (x, z, -y)."""
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=1).astype(np.float64)


def _rows(path: Path, root: Path, split: str) -> Iterator[Locator]:
    try:
        with _open(path) as data:
            missing = [name for name in (*_NEEDED, _LABELS) if name not in data]
            if missing:
                raise AlignPartsError(f"{path}: no dataset '{missing[0]}'")
            count = len(data["shape_id"])
            if any(len(data[name]) != count for name in (*_NEEDED, _LABELS)):
                raise AlignPartsError(f"{path}: its datasets differ in the number of rows")
            for start in range(0, count, _CHUNK):
                shapes, styles = (data[name][start : start + _CHUNK] for name in ("shape_id", "style_id"))
                for row, (shape, style) in enumerate(zip(shapes, styles, strict=True), start):
                    key = _text(shape)
                    name = f"{key}__{_text(style)}"
                    yield Locator(
                        path / str(row) / name, root, safe_id("compat_points", name), split=split, model=key,
                        reason=compat.UNUSED if split == "test" else "",
                    )  # fmt: skip
    except AlignPartsError as error:
        yield Locator(path, root, safe_id("compat_points", path.stem), reason=str(error))


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _name(locator: Locator, level: str, part: int) -> str:
    names = compat.vocabulary(locator.root, level)
    if names is None:
        raise AlignPartsError(
            f"{locator.root}: no metadata/parts_{level}.json; put the repository's metadata/ beside the files"
        )
    if not 0 <= part < len(names):
        raise AlignPartsError(f"{locator.path}: part {part}; parts_{level}.json has {len(names)} names")
    return names[part]


def _open(path: Path) -> Any:
    try:
        import h5py
    except ImportError:
        raise AlignPartsError(f"{path}: reading HDF5 needs h5py: pip install h5py") from None
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise AlignPartsError(f"{path}: not a readable HDF5 file: {error}") from None
