"""Meshes of one's own with a label file beside them: the plain kind for users.

Two layouts; the mesh is ``.glb``, ``.gltf``, ``.obj``, ``.ply``, ``.stl`` or ``.off``:

- a folder of ``<name>.<suffix>``, ``<name>.face_labels.npy`` and ``<name>.names.json``,
- a folder a shape, with one mesh, ``face_labels.npy`` and ``names.json``. What ``alignparts name`` wrote is
  of this layout, once its input lies beside it: ``labels.json`` then stands for ``names.json``.

``face_labels.npy`` holds one whole number a triangle, in the order of :func:`load_mesh`: by
geometry node, polygons cut into triangles. Where a file has one material and triangles alone, that is the
order of the file; where an OBJ has several materials, or polygons, it is the order in which trimesh reads it,
so take the labels from there. ``names.json`` is a list of names by label, or an object {"label": "name"}.
Faces whose label is negative or has no name are unlabeled.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.meshio import SUFFIXES, load_mesh
from alignparts.corpus.readers.common import Locator, license_of, read_json
from alignparts.corpus.readers.face_labels import read_face_labels
from alignparts.corpus.readers.named_glb import category_from
from alignparts.corpus.shape import LabeledShape, safe_id

_LABELS, _NAMES, _WRITTEN = "face_labels.npy", "names.json", "labels.json"


def is_root(folder: Path) -> bool:
    """Whether meshes with face labels are in a folder; only names are looked at."""
    names = [path.name for path in folder.iterdir()]
    return any(name.endswith(f".{_LABELS}") for name in names) or (_LABELS in names and bool(_meshes(names)))


def locate(root: Path) -> Iterator[Locator]:
    """The labeled meshes of a folder and of the folders below it, by path; other meshes with the reason."""
    with os.scandir(root) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    names = [entry.name for entry in entries if entry.is_file()]
    for name in _meshes(names):
        path = root / name
        reason = ""
        if f"{path.stem}.{_LABELS}" in names:
            shape_id = safe_id("labeled_mesh", root.name, path.stem)
        else:
            shape_id = safe_id("labeled_mesh", root.name)
            reason = _lonely(path, names)
        yield Locator(path, root, shape_id, reason=reason)
    stems = {Path(name).stem for name in _meshes(names)}
    for name in names:
        stem = name.removesuffix(f".{_LABELS}")
        if stem != name and stem not in stems:
            shape_id = safe_id("labeled_mesh", root.name, stem)
            yield Locator(root / name, root, shape_id, reason=f"no mesh {stem}.* beside it")
    for entry in entries:
        if entry.is_dir() and not entry.name.startswith("."):
            yield from locate(Path(entry.path))


def read(locator: Locator) -> LabeledShape:
    """Read one mesh; a label is one part instance, as no more is told.

    Raises:
        AlignPartsError: a file is missing or broken, or labels and triangles differ in number.
    """
    path = locator.path
    labels, names, of_folder = _beside(path)
    about = read_json(names)
    table = _table(about, names)
    surface = load_mesh(path).surface
    given = read_face_labels(labels, len(surface.faces), path)
    order = sorted(label for label, name in table.items() if name)
    face_part = np.full(len(given), -1, np.int32)
    for index, label in enumerate(order):
        face_part[given == label] = index
    category = str(about.get("category") or "") if names.name == _WRITTEN else ""
    return LabeledShape(
        shape_id=locator.shape_id,
        dataset="labeled_mesh",
        category=locator.category or category or category_from(path.parent if of_folder else path),
        license=locator.license or license_of(path.parent),
        source=str(path),
        instances=[table[label] for label in order],
        surface=replace(surface, face_part=face_part),
    )


def _meshes(names: Sequence[str]) -> list[str]:
    # NAME.parts.glb is what `alignparts name` made of a mesh.
    return [name for name in names if name.lower().endswith(SUFFIXES) and not name.endswith(".parts.glb")]


def _lonely(path: Path, names: Sequence[str]) -> str:
    """Why a mesh without label file of its name is not read; "" where it is the one mesh of its folder."""
    if _LABELS not in names:
        return f"no {path.stem}.{_LABELS} beside it"
    others = [name for name in _meshes(names) if f"{Path(name).stem}.{_LABELS}" not in names]
    if _WRITTEN in names and _NAMES not in names:
        try:
            source = read_json(path.parent / _WRITTEN)
        except AlignPartsError as error:
            return str(error)
        mesh = source.get("input") if isinstance(source, dict) else None
        return "" if mesh == path.name else f"{_WRITTEN} beside it is of {mesh or 'no mesh'}"
    return "" if len(others) == 1 else f"{len(others)} meshes beside {_LABELS}; expected one"


def _beside(path: Path) -> tuple[Path, Path, bool]:
    """Label file and names of a mesh, and whether the folder is the shape's own."""
    own = path.with_name(f"{path.stem}.{_LABELS}")
    if own.is_file():
        return own, path.with_name(f"{path.stem}.{_NAMES}"), False
    written = path.with_name(_WRITTEN)
    names = path.with_name(_NAMES)
    return path.with_name(_LABELS), names if names.is_file() or not written.is_file() else written, True


def _table(about: Any, source: Path) -> dict[int, str]:
    """Name of every label."""
    if source.name == _WRITTEN:
        try:
            return {int(part["index"]): str(part["name"]).strip() for part in about["parts"]}
        except (KeyError, TypeError, ValueError):
            raise AlignPartsError(
                f"{source}: expected parts with index and name, as written by alignparts"
            ) from None
    entries = dict(enumerate(about)) if isinstance(about, list) else about
    if isinstance(entries, dict) and all(name is None or isinstance(name, str) for name in entries.values()):
        try:
            return {int(label): (name or "").strip() for label, name in entries.items()}
        except ValueError:
            pass
    raise AlignPartsError(
        f'{source}: expected a list of names, or {{"label": "name"}} with whole numbers as labels'
    )
