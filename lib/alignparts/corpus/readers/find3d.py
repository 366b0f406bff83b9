"""Find3D's benchmark: colored, labeled clouds of 5,000 points."""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from pypcd4 import PointCloud

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.readers import common
from alignparts.corpus.shape import LabeledShape, safe_id

LICENSE = "Objaverse: per-object Creative Commons licenses"
_CLOUD = "points5000.pcd"


def is_root(folder: Path, names: Collection[str]) -> bool:
    """Return whether a folder is one object."""
    return _CLOUD in names


def locate(root: Path) -> Iterator[common.Locator]:
    """Yield the object of a folder, which lies in a folder of its group."""
    yield common.Locator(root, root.parent.parent, safe_id("find3d", root.name))


def read(locator: common.Locator) -> LabeledShape:
    """Read one object folder. Label 0 is unlabeled; parts of one name are one instance."""
    folder = locator.path
    fields = read_pcd(folder / _CLOUD)
    absent = [name for name in "xyz" if name not in fields]
    if absent:
        raise AlignPartsError(f"{folder}/{_CLOUD}: no field '{absent[0]}'")
    points = np.stack([fields[name] for name in "xyz"], axis=1).astype(np.float64)
    labels = common.read_labels(folder / "labels.npy")
    if len(labels) != len(points):
        raise AlignPartsError(f"{folder}: {len(points)} points but {len(labels)} labels")
    names = common.read_json(folder / "label_map.json", dict[int, str], '{"1": "name", ...}')
    common.check_labels(labels[labels > 0], names, folder / "labels.npy", "label_map.json")
    instances, instance = common.instances_of(labels, {key: name for key, name in names.items() if key > 0})
    directions = [fields[name] for name in ("normal_x", "normal_y", "normal_z") if name in fields]
    normals = np.stack(directions, axis=1) if len(directions) == 3 else None
    cloud = common.make_cloud(points, instance, _colors(fields), normals)
    category = " ".join(folder.name.split("_")[:-1])  # the words before the uid
    return common.labeled_shape(locator, "find3d", instances, cloud, category=category, license=LICENSE)


def read_pcd(path: Path) -> dict[str, np.ndarray]:
    """Return the fields of a PCD file: ascii, binary or binary_compressed."""
    try:
        cloud = PointCloud.from_path(path)
        rows = np.atleast_1d(cloud.pc_data)
        if len(rows) != cloud.metadata.points:
            raise ValueError(f"{len(rows)} points instead of {cloud.metadata.points}")
    except FileNotFoundError:
        raise AlignPartsError(f"{path}: no such file") from None
    except Exception as error:  # the library fails in many ways on a broken file
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise AlignPartsError(f"{path}: not a PCD file: {reason}") from None
    return {name: rows[name] for name in rows.dtype.names or ()}


def _colors(fields: dict[str, np.ndarray]) -> np.ndarray | None:
    packed = fields.get("rgb", fields.get("rgba"))
    if packed is None:
        return None
    bits = np.ascontiguousarray(packed)
    bits = bits.astype(np.float32).view(np.uint32) if bits.dtype.kind == "f" else bits.astype(np.uint32)
    return np.stack([(bits >> 16) & 255, (bits >> 8) & 255, bits & 255], axis=1)
