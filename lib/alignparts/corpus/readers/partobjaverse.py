"""PartObjaverse-Tiny: Objaverse meshes with a semantic and an instance label per face.

``PartObjaverse-Tiny_mesh/<uid>.glb``, ``PartObjaverse-Tiny_semantic.json`` ({group: {uid: [part names]}}),
``PartObjaverse-Tiny_semantic_gt/<uid>.npy`` and ``PartObjaverse-Tiny_instance_gt/<uid>.npy``; the three
folders may be the zips of that name in which they are published.
"""

import functools
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.scene import FolderResolver, load_parts
from alignparts.corpus.readers import common
from alignparts.corpus.shape import LabeledShape, safe_id

LICENSE = "PartObjaverse-Tiny: CC BY-NC 4.0; Objaverse: per-object Creative Commons licenses"
_MESH = "PartObjaverse-Tiny_mesh"
_SEMANTIC = "PartObjaverse-Tiny_semantic_gt"
_INSTANCE = "PartObjaverse-Tiny_instance_gt"
_NAMES = "PartObjaverse-Tiny_semantic.json"


def is_root(folder: Path, names: Collection[str]) -> bool:
    """Return whether the meshes of the data set, as folder or zip, are in a folder."""
    return _MESH in names or f"{_MESH}.zip" in names


def locate(root: Path) -> Iterator[common.Locator]:
    """Yield the shapes of a data set by uid; those without mesh or names come with the reason."""
    names, meshes = _names(root), _entries(root, _MESH, ".glb")
    for uid in sorted(names.keys() | meshes.keys()):
        reason = "" if uid in names else f"not in {_NAMES}"
        reason = reason if uid in meshes else f"no mesh {uid}.glb in {_MESH}"
        yield common.Locator(root / _MESH / f"{uid}.glb", root, safe_id("partobjaverse", uid), reason=reason)


def read(locator: common.Locator) -> LabeledShape:
    """Read one object. Its category is its group, one of eight ("Animals").

    A part instance is the set of faces that share one instance label and one semantic label, or all faces of
    a semantic label without instance labels; -1 is unlabeled. Labels are in the order of trimesh's faces.
    """
    root, path = locator.root, locator.path
    group, names = _names(root).get(path.stem, ("", []))
    data = _entry(root, _MESH, path.name).read_bytes()
    surface, _, _ = load_parts(data, str(path), FolderResolver(root))
    source = _entry(root, _SEMANTIC, f"{path.stem}.npy")
    semantic = common.read_face_labels(source, len(surface.faces), path)
    common.check_labels(semantic, range(-1, len(names)), source, f"{_NAMES}, which has {len(names)} names")
    instance = np.full(len(semantic), -1, np.int64)
    if path.stem in _entries(root, _INSTANCE, ".npy"):
        instance = common.read_face_labels(_entry(root, _INSTANCE, f"{path.stem}.npy"), len(semantic), path)
    labeled = semantic >= 0
    pairs, index = np.unique(np.stack([semantic, instance], axis=1)[labeled], axis=0, return_inverse=True)
    surface.face_part[:] = -1
    surface.face_part[labeled] = index.reshape(-1)
    instances = [names[label] for label in pairs[:, 0].tolist()]
    return common.labeled_shape(locator, "partobjaverse", instances, surface, category=group, license=LICENSE)


@functools.lru_cache(maxsize=4)
def _names(root: Path) -> dict[str, tuple[str, list[str]]]:
    """Return group and part names of every uid."""
    form = dict[str, dict[str, list[str]]]
    table = common.read_json(root / _NAMES, form, "{group: {uid: [part names]}}", common.BrokenLabels)
    return {uid: (group, names) for group, shapes in table.items() for uid, names in shapes.items()}


def _entry(root: Path, name: str, file: str) -> common.Tree:
    """Return a file of a folder, or of the zip of that name."""
    entry = _entries(root, name, Path(file).suffix).get(Path(file).stem)
    if entry is None:
        raise AlignPartsError(f"{root}: no {file} in {name}")
    folder = root / name
    return folder / entry if folder.is_dir() else zipfile.Path(common.open_zip(root / f"{name}.zip"), entry)


@functools.lru_cache(maxsize=16)
def _entries(root: Path, name: str, suffix: str) -> dict[str, str]:
    """Return the files of a folder, or of the zip of that name, by their names without suffix."""
    paths: list[str] = []
    if (root / name).is_dir():
        paths = [path.name for path in (root / name).iterdir()]
    elif (root / f"{name}.zip").is_file():
        paths = common.open_zip(root / f"{name}.zip").namelist()
    files = ((path.rpartition("/")[2], path) for path in paths)
    # macOS adds a "._" twin to every file of its zips.
    return {file[: -len(suffix)]: path for file, path in files if file.endswith(suffix) and file[0] != "."}
