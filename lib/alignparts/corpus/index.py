"""A corpus folder: one GLB a shape, one node a part instance, and one table that lists them."""

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float32

from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.duplicates import describe_points, describe_triangles
from alignparts.corpus.mesh.glb import FolderResolver, load_scene, split_container
from alignparts.corpus.mesh.glb_write import write_glb
from alignparts.corpus.mesh.surface import surface_from_cloud, surface_from_scene
from alignparts.corpus.shape import Cloud, LabeledShape, unique_names

COLUMNS = ("shape_id", "dataset", "category", "split", "license", "source", "raw_category")
SPLITS = ("train", "validation", "test", "heldout", "duplicate", "unlabeled")
"""The last two are used by nothing: copies of a shape that is tested, and shapes without a named part."""


class Corpus:
    """Shapes of one folder: ``index.parquet`` and ``shapes/<shape_id>.glb`` (``.npz`` for clouds).

    Args:
        root: the folder.

    Attributes:
        root: the folder.
        index: one row a shape: shape_id, dataset, category, split, license, source, raw_category and what
            ingestion added: model (what the data set says it shows), parts, instances, faces, and
            official_split (the data set's own: train, validation, test, or "" where it states none).

    Raises:
        AlignPartsError: there is no index in the folder.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        table = self.root / "index.parquet"
        if not table.is_file():
            raise AlignPartsError(f"{table}: no such file; `dvc repro corpus` makes the embedded corpus")
        self.index = pd.read_parquet(table)
        missing = [name for name in COLUMNS if name not in self.index.columns]
        if missing:
            raise AlignPartsError(f"{table}: column '{missing[0]}' is missing; expected {', '.join(COLUMNS)}")

    def __len__(self) -> int:
        return len(self.index)

    def ids(self, split: str | None = None, dataset: str | None = None) -> list[str]:
        """Shape ids, in the order of the index, of one split or data set or of all."""
        if split is not None and split not in SPLITS:
            raise AlignPartsError(f"split '{split}': expected one of {', '.join(SPLITS)}")
        keep = np.ones(len(self.index), bool)
        if split is not None:
            keep &= (self.index["split"] == split).to_numpy()
        if dataset is not None:
            keep &= (self.index["dataset"] == dataset).to_numpy()
        return self.index.loc[keep, "shape_id"].tolist()

    def load(self, shape_id: str) -> LabeledShape:
        """Read one shape.

        Raises:
            AlignPartsError: unknown id, or its file is missing or broken.
        """
        return read_shape(shape_file(self.root, shape_id))


def shape_file(root: Path, shape_id: str) -> Path:
    """Where a corpus keeps a shape.

    Raises:
        AlignPartsError: it keeps no such shape.
    """
    for suffix in (".glb", ".npz"):
        path = root / "shapes" / f"{shape_id}{suffix}"
        if path.is_file():
            return path
    raise AlignPartsError(f"{root}: no shape '{shape_id}'; the ids are in index.parquet")


def write_shape(folder: Path, shape: LabeledShape, *, texture_size: int = 1024) -> Path:
    """Write a shape into a corpus's ``shapes`` folder, atomically; returns the file."""
    about = _about(shape)
    if shape.cloud is not None:
        path = folder / f"{shape.shape_id}.npz"
        cloud, told = shape.cloud, np.frombuffer(json.dumps(about).encode(), np.uint8)
        write_atomically(
            path,
            lambda temporary: np.savez_compressed(
                temporary,
                points=cloud.points,
                normals=cloud.normals.astype(np.float32),
                colors=cloud.colors,
                instance=cloud.instance,
                about=told,
            ),
        )
        return path
    path = folder / f"{shape.shape_id}.glb"
    nodes: list[dict[str, Any]] = [
        {"name": node, "extras": {"part": part, "instance": index}}
        for index, (node, part) in enumerate(zip(unique_names(shape.instances), shape.instances, strict=True))
    ]
    write_glb(path, shape.surface, nodes, extras=about, texture_size=texture_size)
    return path


def read_shape(path: Path) -> LabeledShape:
    """Read a shape of a corpus.

    Raises:
        AlignPartsError: the file is broken or not a corpus shape.
    """
    if path.suffix == ".npz":
        return _read_cloud(path)
    scene, header = load_scene(path.read_bytes(), str(path), FolderResolver(path.parent))
    about = header["scenes"][header.get("scene", 0)].get("extras")
    return LabeledShape(**_fields(about, path), surface=surface_from_scene(scene))


def read_about(path: Path) -> dict[str, Any]:
    """What a corpus file says about itself (ids, category, names), without reading its geometry.

    Raises:
        AlignPartsError: the file is broken or not a corpus shape.
    """
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                about = json.loads(arrays["about"].tobytes())
        else:
            with path.open("rb") as file:
                head = file.read(20)
                header = json.loads(file.read(struct.unpack_from("<I", head, 12)[0]))
            about = header["scenes"][0]["extras"]
    except (ValueError, KeyError, OSError, struct.error, zipfile.BadZipFile):
        raise AlignPartsError(f"{path}: not a shape of a corpus") from None
    _fields(about, path)
    return about


def describe_file(path: Path) -> Float32[np.ndarray, " 31"]:
    """The descriptor of a corpus file's geometry, see :mod:`alignparts.corpus.duplicates`.

    Of the file and not of what it was made from, so that it is the same whenever it is computed.

    Raises:
        AlignPartsError: the file is broken or has no surface.
    """
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return describe_points(arrays["points"])
        header, binary = split_container(path.read_bytes(), str(path))
        triangles = [
            _accessor(header, binary or b"", primitive["attributes"]["POSITION"]).reshape(-1, 3)[
                _accessor(header, binary or b"", primitive["indices"]).reshape(-1, 3)
            ]
            for mesh in header["meshes"]
            for primitive in mesh["primitives"]
        ]
        return describe_triangles(np.concatenate(triangles))
    except (KeyError, ValueError, IndexError, OSError, zipfile.BadZipFile) as error:
        raise AlignPartsError(f"{path}: not a shape of a corpus: {type(error).__name__}: {error}") from None


def _accessor(header: dict[str, Any], binary: bytes, number: int) -> np.ndarray:
    """Numbers of an accessor as this module's writer lays them out: tightly packed."""
    accessor = header["accessors"][number]
    view = header["bufferViews"][accessor["bufferView"]]
    kind = {5126: "<f4", 5123: "<u2", 5125: "<u4"}[accessor["componentType"]]
    count = accessor["count"] * {"SCALAR": 1, "VEC3": 3}[accessor["type"]]
    return np.frombuffer(binary, kind, count, view["byteOffset"])


def _about(shape: LabeledShape) -> dict[str, Any]:
    return {
        "shape_id": shape.shape_id,
        "dataset": shape.dataset,
        "category": shape.category,
        "license": shape.license,
        "source": shape.source,
        "instances": shape.instances,
        "faces": 0 if shape.cloud is not None else len(shape.surface.faces),
    }


def _fields(about: Any, path: Path) -> dict[str, Any]:
    names = ("shape_id", "dataset", "category", "license", "source", "instances")
    if not isinstance(about, dict) or any(name not in about for name in names):
        raise AlignPartsError(f"{path}: not a shape of a corpus: the scene's extras lack {', '.join(names)}")
    return {name: about[name] for name in names}


def _read_cloud(path: Path) -> LabeledShape:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            cloud = Cloud(
                points=arrays["points"].astype(np.float64),
                normals=arrays["normals"].astype(np.float64),
                colors=arrays["colors"],
                instance=arrays["instance"],
            )
            about = json.loads(arrays["about"].tobytes())
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise AlignPartsError(f"{path}: not a cloud of a corpus: {error}") from None
    surface = surface_from_cloud(cloud.points, cloud.normals, cloud.colors, cloud.instance)
    return LabeledShape(**_fields(about, path), surface=surface, cloud=cloud)
