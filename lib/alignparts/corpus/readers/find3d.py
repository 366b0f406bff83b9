"""Find3D's benchmark: colored, labeled clouds of 5,000 points."""

import math
import struct
from pathlib import Path

import numpy as np

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.surface import surface_from_cloud
from alignparts.corpus.readers.common import Locator, license_of, read_json
from alignparts.corpus.readers.face_labels import read_labels
from alignparts.corpus.readers.partnet_shape import fit_normals
from alignparts.corpus.shape import Cloud, LabeledShape

LICENSE = "Objaverse: per-object Creative Commons licenses"
_TYPES = {"F": "f", "U": "u", "I": "i"}


def read(locator: Locator) -> LabeledShape:
    """Read one object folder. Label 0 is unlabeled; parts of one name are one instance, as no more is told.

    Raises:
        AlignPartsError: a file is missing, broken or of another length, or a label has no name.
    """
    folder = locator.path
    fields = read_pcd(folder / "points5000.pcd")
    for name in ("x", "y", "z"):
        if name not in fields:
            raise AlignPartsError(f"{folder}/points5000.pcd: no field '{name}'")
    points = np.stack([fields[name] for name in "xyz"], axis=1).astype(np.float64)
    labels = read_labels(folder / "labels.npy")
    if len(labels) != len(points):
        raise AlignPartsError(f"{folder}: {len(points)} points but {len(labels)} labels")
    names = _label_map(folder / "label_map.json")
    nameless = sorted(set(labels[labels > 0].tolist()) - set(names))
    if nameless:
        raise AlignPartsError(f"{folder}/label_map.json: no name for label {nameless[0]}")
    order = sorted(label for label in names if label > 0)
    instance = np.full(len(labels), -1, np.int32)
    for index, key in enumerate(order):
        instance[labels == key] = index
    fine = np.isfinite(points).all(axis=1)
    points, colors, normals = points[fine], _colors(fields, len(points))[fine], _normals(fields)
    cloud = Cloud(points, fit_normals(points) if normals is None else normals[fine], colors, instance[fine])
    return LabeledShape(
        shape_id=locator.shape_id,
        dataset="find3d",
        category=locator.category or category_of(folder.name),
        license=locator.license or license_of(locator.root, LICENSE),
        source=str(folder),
        instances=[names[key] for key in order],
        surface=surface_from_cloud(cloud.points, cloud.normals, cloud.colors, cloud.instance),
        cloud=cloud,
    )


def _label_map(path: Path) -> dict[int, str]:
    table = read_json(path)
    try:
        return {int(key): str(value) for key, value in table.items()}
    except (AttributeError, ValueError):
        raise AlignPartsError(f'{path}: expected {{"1": "name", ...}}') from None


def category_of(folder: str) -> str:
    """Class of a folder's name: the words before the uid, joined by blanks."""
    return " ".join(folder.split("_")[:-1])


def read_pcd(path: Path) -> dict[str, np.ndarray]:
    """Fields of a PCD file: ascii, binary or binary_compressed.

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
        repeat = [int(value) for value in header.get("COUNT", ["1"] * len(names))]
        kinds = [
            np.dtype(f"<{_TYPES[kind]}{size}")
            for kind, size in zip(header["TYPE"], header["SIZE"], strict=True)
        ]
        layout = np.dtype(
            [(name, kind, (times,)) if times > 1 else (name, kind)
             for name, kind, times in zip(names, kinds, repeat, strict=True)]
        )  # fmt: skip
        return _pcd_body(data[at:], header["DATA"][0], layout, count)
    except FileNotFoundError:
        raise AlignPartsError(f"{path}: no such file") from None
    except (ValueError, KeyError, IndexError, struct.error, UnicodeDecodeError) as error:
        raise AlignPartsError(f"{path}: not a PCD file: {error}") from None


def _pcd_body(body: bytes, coding: str, layout: np.dtype, count: int) -> dict[str, np.ndarray]:
    assert layout.names is not None
    if coding == "ascii":
        table = np.array([line.split() for line in body.decode("ascii").splitlines() if line.strip()])
        if len(table) < count:
            raise ValueError(f"{len(table)} points instead of {count}")
        fields, at = {}, 0
        for name in layout.names:
            kind, shape = layout[name].base, layout[name].shape
            columns = table[:count, at : at + math.prod(shape)]
            # Packed colors are written as the float they alias, or as an unsigned integer.
            fields[name] = columns.astype(np.float64).astype(kind).reshape(count, *shape)
            at += math.prod(shape)
        return fields
    if coding == "binary":
        rows = np.frombuffer(body, layout, count)
        return {name: rows[name] for name in layout.names}
    if coding != "binary_compressed":
        raise ValueError(f"DATA {coding}")
    packed, full = struct.unpack_from("<II", body)
    flat = _lzf(body[8 : 8 + packed], full)
    fields, at = {}, 0
    for name in layout.names:
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


def _normals(fields: dict[str, np.ndarray]) -> np.ndarray | None:
    names = ("normal_x", "normal_y", "normal_z")
    if any(name not in fields for name in names):
        return None
    return np.nan_to_num(np.stack([fields[name] for name in names], axis=1).astype(np.float64))


def _colors(fields: dict[str, np.ndarray], count: int) -> np.ndarray:
    packed = fields.get("rgb", fields.get("rgba"))
    if packed is None:
        return np.full((count, 3), 153, np.uint8)
    bits = np.ascontiguousarray(packed)
    bits = bits.astype(np.float32).view(np.uint32) if bits.dtype.kind == "f" else bits.astype(np.uint32)
    return np.stack([(bits >> 16) & 255, (bits >> 8) & 255, bits & 255], axis=1).astype(np.uint8)
