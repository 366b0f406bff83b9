"""Find3D's benchmark: colored, labeled clouds of 5,000 points."""

import math
import struct
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.readers.common import Locator, labeled_shape, license_of, make_cloud, read_json
from alignparts.corpus.readers.face_labels import instances_of, read_labels
from alignparts.corpus.shape import LabeledShape, safe_id

LICENSE = "Objaverse: per-object Creative Commons licenses"
_CLOUD = "points5000.pcd"
_TYPES = {"F": "f", "U": "u", "I": "i"}


def is_root(folder: Path, names: Collection[str]) -> bool:
    """Return whether a folder is one object."""
    return _CLOUD in names


def locate(root: Path) -> Iterator[Locator]:
    """Yield the object of a folder, which lies in a folder of its group."""
    yield Locator(root, root.parent.parent, safe_id("find3d", root.name))


def read(locator: Locator) -> LabeledShape:
    """Read one object folder. Label 0 is unlabeled; parts of one name are one instance, as no more is told.

    Raises:
        AlignPartsError: a file is missing, broken or of another length, or a label has no name.
    """
    folder = locator.path
    fields = read_pcd(folder / _CLOUD)
    absent = [name for name in "xyz" if name not in fields]
    if absent:
        raise AlignPartsError(f"{folder}/{_CLOUD}: no field '{absent[0]}'")
    points = np.stack([fields[name] for name in "xyz"], axis=1).astype(np.float64)
    labels = read_labels(folder / "labels.npy")
    if len(labels) != len(points):
        raise AlignPartsError(f"{folder}: {len(points)} points but {len(labels)} labels")
    table = folder / "label_map.json"
    names = read_json(table, dict[int, str], '{"1": "name", ...}')
    nameless = sorted(set(labels[labels > 0].tolist()) - set(names))
    if nameless:
        raise AlignPartsError(f"{table}: no name for label {nameless[0]}")
    instances, instance = instances_of(labels, {label: name for label, name in names.items() if label > 0})
    directions = [fields[name] for name in ("normal_x", "normal_y", "normal_z") if name in fields]
    normals = np.stack(directions, axis=1) if len(directions) == 3 else None
    cloud = make_cloud(points, instance, _colors(fields), normals)
    category = " ".join(folder.name.split("_")[:-1])  # the words before the uid
    terms = license_of(locator.root, LICENSE)
    return labeled_shape(locator, "find3d", instances, cloud, category=category, license=terms)


def read_pcd(path: Path) -> dict[str, np.ndarray]:
    """Return the fields of a PCD file: ascii, binary or binary_compressed.

    Raises:
        AlignPartsError: missing, not PCD, or shorter than its header says.
    """
    try:
        data = path.read_bytes()
        header: dict[str, list[str]] = {}
        at = 0
        while "DATA" not in header:
            end = data.index(b"\n", at)
            words = data[at:end].decode("ascii").split()
            at = end + 1
            if words and not words[0].startswith("#"):
                header[words[0]] = words[1:]
        names, count = header["FIELDS"], int(header["POINTS"][0])
        kinds = [f"<{_TYPES[kind]}{size}" for kind, size in zip(header["TYPE"], header["SIZE"], strict=True)]
        repeat = [int(value) for value in header.get("COUNT", ["1"] * len(names))]
        shapes = [(times,) if times > 1 else () for times in repeat]
        layout = np.dtype(list(zip(names, kinds, shapes, strict=True)))
        return _pcd_body(data[at:], header["DATA"][0], layout, count)
    except FileNotFoundError:
        raise AlignPartsError(f"{path}: no such file") from None
    except (ValueError, KeyError, IndexError, TypeError, struct.error) as error:
        raise AlignPartsError(f"{path}: not a PCD file: {error}") from None


def _pcd_body(body: bytes, coding: str, layout: np.dtype, count: int) -> dict[str, np.ndarray]:
    names = layout.names or ()
    if coding == "binary":
        rows = np.frombuffer(body, layout, count)
        return {name: rows[name] for name in names}
    fields, at = {}, 0
    if coding == "ascii":
        table = np.array([line.split() for line in body.decode("ascii").splitlines() if line.strip()])
        if len(table) < count:
            raise ValueError(f"{len(table)} points instead of {count}")
        for name in names:
            kind, shape = layout[name].base, layout[name].shape
            columns = table[:count, at : at + math.prod(shape)]
            # Packed colors are written as the float they alias, or as an unsigned integer.
            fields[name] = columns.astype(np.float64).astype(kind).reshape(count, *shape)
            at += math.prod(shape)
        return fields
    if coding != "binary_compressed":
        raise ValueError(f"DATA {coding}")
    packed, full = struct.unpack_from("<II", body)
    flat = _lzf(body[8 : 8 + packed], full)
    for name in names:
        fields[name] = np.frombuffer(flat, layout[name], count, at)
        at += layout[name].itemsize * count
    return fields


def _lzf(data: bytes, size: int) -> bytes:
    """Decompress LZF, the codec of binary_compressed PCD."""
    out = bytearray()
    at = 0
    while at < len(data):
        control = data[at]
        at += 1
        if control < 32:
            out += data[at : at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        if length == 7:
            length += data[at]
            at += 1
        start = len(out) - ((control & 31) << 8) - data[at] - 1
        at += 1
        if start < 0:
            raise ValueError("broken compressed data")
        for offset in range(length + 2):
            out.append(out[start + offset])
    if len(out) != size:
        raise ValueError(f"{len(out)} bytes decompressed instead of {size}")
    return bytes(out)


def _colors(fields: dict[str, np.ndarray]) -> np.ndarray | None:
    packed = fields.get("rgb", fields.get("rgba"))
    if packed is None:
        return None
    bits = np.ascontiguousarray(packed)
    bits = bits.astype(np.float32).view(np.uint32) if bits.dtype.kind == "f" else bits.astype(np.uint32)
    return np.stack([(bits >> 16) & 255, (bits >> 8) & 255, bits & 255], axis=1)
