"""PartObjaverse-Tiny: Objaverse meshes with a semantic and an instance label a face.

``PartObjaverse-Tiny_mesh/<uid>.glb``, ``PartObjaverse-Tiny_semantic.json`` ({group: {uid: [part names]}}),
``PartObjaverse-Tiny_semantic_gt/<uid>.npy`` and ``PartObjaverse-Tiny_instance_gt/<uid>.npy``; the three
folders may be the zips of that name in which they are published.
"""

import functools
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import FolderResolver, load_scene
from alignparts.corpus.mesh.surface import surface_from_scene
from alignparts.corpus.readers.common import BrokenLabels, Locator, license_of, read_json
from alignparts.corpus.readers.face_labels import read_face_labels
from alignparts.corpus.shape import LabeledShape, safe_id

LICENSE = "PartObjaverse-Tiny: CC BY-NC 4.0; Objaverse: per-object Creative Commons licenses"
_MESH, _SEMANTIC, _INSTANCE = (
    f"PartObjaverse-Tiny_{part}" for part in ("mesh", "semantic_gt", "instance_gt")
)
_NAMES = "PartObjaverse-Tiny_semantic.json"


def is_root(folder: Path) -> bool:
    """Whether the meshes of the data set, as folder or zip, are in a folder."""
    return (folder / _MESH).is_dir() or (folder / f"{_MESH}.zip").is_file()


def locate(root: Path) -> Iterator[Locator]:
    """The shapes of a data set by uid; those without mesh or names come with the reason.

    Raises:
        BrokenLabels: the file of names is missing or broken.
    """
    names, meshes = _names(root), _entries(root, _MESH, ".glb")
    for uid in sorted(names.keys() | meshes.keys()):
        reason = ""
        if uid not in meshes:
            reason = f"no mesh {uid}.glb in {_MESH}"
        elif uid not in names:
            reason = f"not in {_NAMES}"
        yield Locator(root / _MESH / f"{uid}.glb", root, safe_id("partobjaverse", uid), reason=reason)


def read(locator: Locator) -> LabeledShape:
    """Read one object. Its category is its group, one of eight ("Animals").

    A part instance is what one instance label and one semantic label have in common, or all faces of a
    semantic label where there are no instance labels. Faces with the semantic label -1 stay unlabeled.
    Labels are in the order of the faces as trimesh reads the file.

    Raises:
        AlignPartsError: a file is missing or broken, a label has no name, or their number differs from that
            of the faces.
        BrokenLabels: the file of names is missing or broken.
    """
    root, uid = locator.root, locator.path.stem
    group, names = _names(root).get(uid, ("", []))
    path = _entry(root, _MESH, f"{uid}.glb")
    scene, _ = load_scene(path.read_bytes(), str(locator.path), FolderResolver(root))
    surface = surface_from_scene(scene)
    count = len(surface.faces)
    gt = _entry(root, _SEMANTIC, f"{uid}.npy")
    semantic = read_face_labels(gt, count, locator.path)
    if semantic.max(initial=-1) >= len(names) or semantic.min(initial=-1) < -1:
        worst = semantic.max() if semantic.max() >= len(names) else semantic.min()
        raise AlignPartsError(f"{gt}: label {worst}; {_NAMES} has {len(names)} names for {uid}")
    instance = np.full(count, -1, np.int64)
    if f"{uid}" in _entries(root, _INSTANCE, ".npy"):
        instance = read_face_labels(_entry(root, _INSTANCE, f"{uid}.npy"), count, locator.path)
    labeled = semantic >= 0
    pairs, index = np.unique(
        np.stack([semantic[labeled], instance[labeled]], axis=1), axis=0, return_inverse=True
    )
    face_part = np.full(count, -1, np.int32)
    face_part[labeled] = index.reshape(-1)
    return LabeledShape(
        shape_id=locator.shape_id,
        dataset="partobjaverse",
        category=locator.category or group,
        license=locator.license or license_of(root, LICENSE),
        source=str(locator.path),
        instances=[names[label] for label in pairs[:, 0].tolist()],
        surface=replace(surface, face_part=face_part),
    )


@functools.lru_cache(maxsize=4)
def _names(root: Path) -> dict[str, tuple[str, list[str]]]:
    """Group and part names of every uid."""
    path = root / _NAMES
    expected = "expected {group: {uid: [part names]}}"
    try:
        table = read_json(path)
    except AlignPartsError as error:
        raise BrokenLabels(f"{error}; {expected}") from None
    result: dict[str, tuple[str, list[str]]] = {}
    for group, shapes in table.items() if isinstance(table, dict) else [("", None)]:
        if not isinstance(shapes, dict):
            raise BrokenLabels(f"{path}: {group or 'top'}: {expected}")
        for uid, names in shapes.items():
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise BrokenLabels(f"{path}: {group}: {uid}: {expected}")
            result[uid] = (group, names)
    return result


def _entry(root: Path, name: str, file: str) -> Path | zipfile.Path:
    stem, _, suffix = file.rpartition(".")
    found = _entries(root, name, f".{suffix}").get(stem)
    if found is None:
        raise AlignPartsError(f"{root}: no {file} in {name}")
    return (
        root / name / found
        if (root / name).is_dir()
        else zipfile.Path(_open_zip(root / f"{name}.zip"), found)
    )


@functools.lru_cache(maxsize=16)
def _entries(root: Path, name: str, suffix: str) -> dict[str, str]:
    """Files of a folder, or of the zip of that name, by their names without suffix."""
    if (root / name).is_dir():
        names = [path.name for path in (root / name).iterdir()]
    elif (root / f"{name}.zip").is_file():
        names = _open_zip(root / f"{name}.zip").namelist()
    else:
        names = []
    found = ((entry.rpartition("/")[2], entry) for entry in names)
    # macOS adds a "._" twin to every file of its zips.
    return {file[: -len(suffix)]: entry for file, entry in found if file.endswith(suffix) and file[0] != "."}


@functools.lru_cache(maxsize=8)
def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise BrokenLabels(f"{path}: not a readable zip: {error}") from None
