"""A corpus folder: per shape one GLB with one node per part instance, and one table that lists them."""

import json
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float32

from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.duplicates import describe_points, describe_triangles
from alignparts.corpus.mesh.glb import read_accessor, split_container, write_glb
from alignparts.corpus.mesh.scene import FolderResolver, load_scene, surface_from_scene
from alignparts.corpus.shape import Cloud, LabeledShape

COLUMNS = ("shape_id", "dataset", "category", "split", "license", "source", "raw_category")
SPLITS = ("train", "validation", "test", "heldout", "duplicate", "unlabeled")
"""Nothing uses the last two: copies of a shape that is tested, and shapes without a named part."""
_ABOUT = ("shape_id", "dataset", "category", "license", "source", "instances")


class Corpus:
    """Shapes of one folder: ``index.parquet`` and ``shapes/<shape_id>.glb`` (``.npz`` for clouds).

    Attributes:
        root: the folder; AlignPartsError is raised where it has no index.
        index: one row per shape: :data:`COLUMNS` and the columns that ingestion adds: model (the object that
            it shows by the data set), pack (or author, "" where not stated), parts, instances, faces, and
            official_split (by the data set: train, validation, test, or "" where it states none).
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        table = self.root / "index.parquet"
        if not table.is_file():
            raise AlignPartsError(f"{table}: no such file; `dvc repro corpus` makes the embedded corpus")
        self.index = pd.read_parquet(table)
        for name in COLUMNS:
            if name not in self.index.columns:
                raise AlignPartsError(f"{table}: column '{name}' is missing; expected {', '.join(COLUMNS)}")

    def __len__(self) -> int:
        return len(self.index)

    def ids(self, split: str | None = None, dataset: str | None = None) -> list[str]:
        """Return the shape ids of one split or data set or of all, in the order of the index."""
        if split is not None and split not in SPLITS:
            raise AlignPartsError(f"split '{split}': expected one of {', '.join(SPLITS)}")
        rows = self.index if split is None else self.index[self.index["split"] == split]
        rows = rows if dataset is None else rows[rows["dataset"] == dataset]
        return rows["shape_id"].tolist()

    def load(self, shape_id: str) -> LabeledShape:
        """Read one shape; an unknown id and a broken file raise AlignPartsError."""
        return read_shape(shape_file(self.root, shape_id))


def shape_file(root: Path, shape_id: str) -> Path:
    """Return the file in which a corpus keeps a shape; raise AlignPartsError where it has none."""
    for path in (root / "shapes" / f"{shape_id}.glb", root / "shapes" / f"{shape_id}.npz"):
        if path.is_file():
            return path
    raise AlignPartsError(f"{root}: no shape '{shape_id}'; the ids are in index.parquet")


def write_shape(folder: Path, shape: LabeledShape, *, texture_size: int = 1024) -> Path:
    """Write a shape into a corpus's ``shapes`` folder, atomically; return the file."""
    cloud, path = shape.cloud, folder / f"{shape.shape_id}{'.npz' if shape.cloud else '.glb'}"
    about = {name: getattr(shape, name) for name in _ABOUT}
    about["faces"] = 0 if cloud else len(shape.surface.faces)
    if cloud is not None:
        arrays: dict[str, Any] = {**vars(cloud), "normals": cloud.normals.astype(np.float32)}
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        write_atomically(path, lambda temporary: np.savez_compressed(temporary, **arrays))
        return path
    nodes: list[dict[str, Any]] = []
    for index, part in enumerate(shape.instances):
        before = shape.instances[:index].count(part)
        name = f"{part}_{before + 1}" if before else part
        nodes.append({"name": name, "extras": {"part": part, "instance": index}})
    write_glb(path, shape.surface, nodes, extras=about, texture_size=texture_size)
    return path


def read_shape(path: Path) -> LabeledShape:
    """Read a shape of a corpus; raise AlignPartsError where the file is broken."""
    if path.suffix == ".npz":
        with _broken_is_clear(path), np.load(path) as arrays:
            points, normals = (arrays[name].astype(np.float64) for name in ("points", "normals"))
            cloud = Cloud(points, normals, arrays["colors"], arrays["instance"])
            about = json.loads(arrays["about"].tobytes())
        return LabeledShape(**_fields(about, path), surface=cloud.surface(), cloud=cloud)
    scene, header = load_scene(path.read_bytes(), str(path), FolderResolver(path.parent))
    about = header["scenes"][header.get("scene", 0)].get("extras")
    return LabeledShape(**_fields(about, path), surface=surface_from_scene(scene))


def read_about(path: Path) -> dict[str, Any]:
    """Return ids, category and names of a corpus file without its geometry; see :func:`read_shape`."""
    with _broken_is_clear(path), path.open("rb") as file:
        if path.suffix == ".npz":
            about = json.loads(np.load(file)["about"].tobytes())
        else:
            header = json.loads(file.read(struct.unpack_from("<I", file.read(20), 12)[0]))
            about = header["scenes"][0]["extras"]
    _fields(about, path)
    return about


def describe_file(path: Path) -> Float32[np.ndarray, " 31"]:
    """Return the descriptor of a corpus file's geometry, see :mod:`alignparts.corpus.duplicates`."""
    if path.suffix == ".npz":
        with _broken_is_clear(path), np.load(path) as arrays:
            return describe_points(arrays["points"])
    with _broken_is_clear(path):
        header, binary = split_container(path.read_bytes(), str(path))
        triangles = []
        for primitive in (primitive for mesh in header["meshes"] for primitive in mesh["primitives"]):
            corners = read_accessor(header, binary or b"", primitive["indices"])
            points = read_accessor(header, binary or b"", primitive["attributes"]["POSITION"])
            triangles.append(points.reshape(-1, 3)[corners.reshape(-1, 3)])
        return describe_triangles(np.concatenate(triangles))


@contextmanager
def _broken_is_clear(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, ValueError, IndexError, OSError, struct.error, zipfile.BadZipFile) as error:
        raise AlignPartsError(f"{path}: not a shape of a corpus: {type(error).__name__}: {error}") from None


def _fields(about: Any, path: Path) -> dict[str, Any]:
    if not isinstance(about, dict) or any(name not in about for name in _ABOUT):
        raise AlignPartsError(f"{path}: not a shape of a corpus: the scene's extras lack {', '.join(_ABOUT)}")
    return {name: about[name] for name in _ABOUT}
