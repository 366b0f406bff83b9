"""3DCoMPaT++'s point clouds: ``<split>_<level>.hdf5`` with one row per shape and style.

Datasets of a file of n rows: ``points`` (n, 2048, 6) float32, x y z with z up and r g b in 0..255;
``points_part_labels`` (n, 2048), indices into ``metadata/parts_<level>.json``; ``shape_id`` and ``style_id``
as text; ``shape_label`` (n,), the class. Names are in the folder ``metadata/`` of the data set's repository:
put it into the folder of the files, beside that, or one folder further up.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.readers import common, compat
from alignparts.corpus.shape import LabeledShape, safe_id

_NAME = re.compile(r"(train|valid|test)_(fine|coarse)(_no_gt)?\.hdf5")
_NEEDED = ("points", "shape_id", "style_id", "shape_label", "points_part_labels")
_CHUNK = 8192


def is_root(folder: Path, names: Collection[str]) -> bool:
    """Return whether a folder holds such files."""
    return any(_NAME.fullmatch(name) for name in names)


def locate(root: Path) -> Iterator[common.Locator]:
    """Yield the rows of the files of a folder, by file and row; no more than the ids of some rows are held.

    A coarse file whose fine twin is there is not read, as the fine one has its parts, too: fine names are
    mapped where coarse ones are wanted. Files without labels (``_no_gt``) and the test split are not used.
    The path of a row is ``<file>/<row>/<shape_id>__<style_id>``.
    """
    for path in sorted(root.iterdir()):
        name = _NAME.fullmatch(path.name)
        if name is None or not path.is_file():
            continue
        twin = f"{name[1]}_fine.hdf5"
        try:
            if name[3]:
                raise AlignPartsError("published without part labels (no_gt)")
            if name[2] == "coarse" and (root / twin).is_file():
                raise AlignPartsError(f"{twin} beside it has the same shapes, and their coarse parts")
            yield from _rows(path, root, compat.SPLITS[name[1]])
        except AlignPartsError as error:
            yield common.Locator(path, root, safe_id("compat_points", path.stem), reason=str(error))


def read(locator: common.Locator) -> LabeledShape:
    """Read one row: its points, turned to y up, and their parts."""
    file, row, root = locator.path.parents[1], int(locator.path.parent.name), locator.root
    key, granularity = locator.path.name.partition("__")[0], locator.options.granularity
    level = "coarse" if "_coarse" in file.name else "fine"
    if level == "coarse" and granularity == "fine":
        raise AlignPartsError(f"{file}: has coarse parts; ask for them (granularity coarse)")
    with _open(file) as data:
        table = np.asarray(_dataset(data, "points")[row], np.float64)
        labels = np.asarray(_dataset(data, "points_part_labels")[row], np.int64)
        label = int(_dataset(data, "shape_label")[row])
    if table.shape != (*labels.shape, 6) or labels.ndim != 1:
        shapes = f"points {table.shape} and labels {labels.shape}"
        raise AlignPartsError(f"{locator.path}: {shapes}; expected (n, 6) and (n,)")
    if key[:2] != f"{label:02x}":
        raise AlignPartsError(f"{locator.path}: shape_label {label}; expected {key[:2]} (hexadecimal)")
    vocabulary = compat.vocabulary(root, level)
    if vocabulary is None:
        beside = "put the repository's metadata/ beside the files"
        raise AlignPartsError(f"{root}: no metadata/parts_{level}.json; {beside}")
    fine = np.isfinite(table).all(axis=1)
    parts, instance = np.unique(labels[fine], return_inverse=True)
    known = range(len(vocabulary))
    common.check_labels(parts, known, locator.path, f"parts_{level}.json, which has {len(known)} names")
    names = [vocabulary[part] for part in parts.tolist()]
    if level == "fine" and granularity == "coarse":
        names = [compat.coarse_name(root, key, name) for name in names]
    x, y, z, *rgb = table[fine].T  # the official code took (x, y, z) to (x, -z, y)
    cloud = common.make_cloud(np.stack([x, z, -y], axis=1), instance.reshape(-1), np.stack(rgb, axis=1))
    category = locator.category or compat.category_of(root, key)
    return common.labeled_shape(locator, "compat", names, cloud, category=category, license=compat.LICENSE)


def _rows(path: Path, root: Path, split: str) -> Iterator[common.Locator]:
    reason = compat.UNUSED if split == "test" else ""
    with _open(path) as data:
        for name in _NEEDED:
            if len(_dataset(data, name)) != len(_dataset(data, _NEEDED[0])):
                raise AlignPartsError(f"{path}: its datasets differ in the number of rows")
        shape_ids, style_ids = (_dataset(data, name) for name in ("shape_id", "style_id"))
        for start in range(0, len(shape_ids), _CHUNK):
            shapes, styles = (ids[start : start + _CHUNK] for ids in (shape_ids, style_ids))
            for row, (shape, style) in enumerate(zip(shapes, styles, strict=True), start):
                name = f"{_text(shape)}__{_text(style)}"
                place, shape_id = path / str(row) / name, safe_id("compat_points", name)
                yield common.Locator(place, root, shape_id, split=split, model=_text(shape), reason=reason)


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _open(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise AlignPartsError(f"{path}: not a readable HDF5 file: {error}") from None


def _dataset(data: h5py.File, name: str) -> h5py.Dataset:
    """Return a dataset whose numbers lie in the file itself: HDF5 can also point to any other file."""
    link = data.get(name, getlink=True)
    if link is None:
        raise AlignPartsError(f"{data.filename}: no dataset '{name}'")
    found = data[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual or found.ndim == 0:
        way = "expected a dataset whose rows are in this file, not a link, an external or a virtual one"
        raise AlignPartsError(f"{data.filename}: {name}: {way}; copy it with its data (h5repack)")
    return found
