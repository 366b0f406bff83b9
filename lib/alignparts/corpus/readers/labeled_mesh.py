"""Meshes with a label file beside them: the plain kind for users.

Two layouts; the mesh is ``.glb``, ``.gltf``, ``.obj``, ``.ply``, ``.stl`` or ``.off``:

- a folder of ``<name>.<suffix>``, ``<name>.face_labels.npy`` and ``<name>.names.json``,
- a folder per shape, with one mesh, ``face_labels.npy`` and ``names.json``. The output of ``alignparts name``
  is of this layout, once its input lies beside it: ``labels.json`` then stands for ``names.json``.

``face_labels.npy`` holds one whole number per triangle, in the order of :func:`load_mesh`: by geometry node,
polygons cut into triangles. ``names.json`` is a list of names by label, or an object {"label": "name"}. Faces
whose label is negative or has no name are unlabeled.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.meshio import SUFFIXES, load_mesh
from alignparts.corpus.readers import common
from alignparts.corpus.readers.named_glb import category_from
from alignparts.corpus.shape import LabeledShape, safe_id

_LABELS, _NAMES, _WRITTEN = "face_labels.npy", "names.json", "labels.json"


class _WrittenPart(BaseModel):
    index: int
    name: str


class _Written(BaseModel):
    """The keys of ``labels.json`` that are read."""

    parts: list[_WrittenPart]
    category: Any = None


def is_root(folder: Path, names: Collection[str]) -> bool:
    """Return whether meshes with face labels are in a folder; only names are looked at."""
    return any(name.endswith(f".{_LABELS}") for name in names) or (_LABELS in names and bool(_meshes(names)))


def locate(root: Path) -> Iterator[common.Locator]:
    """Yield the labeled meshes of a folder and of the folders below it, by path; others with the reason."""
    entries = common.sorted_entries(root)
    names = [entry.name for entry in entries if entry.is_file()]
    meshes = [root / name for name in _meshes(names)]
    for path in meshes:
        if f"{path.stem}.{_LABELS}" in names:
            yield common.Locator(path, root, safe_id("labeled_mesh", root.name, path.stem))
        else:
            yield common.Locator(path, root, safe_id("labeled_mesh", root.name), reason=_lonely(path, names))
    for name in names:
        stem = name.removesuffix(f".{_LABELS}")
        if stem != name and all(path.stem != stem for path in meshes):
            shape_id = safe_id("labeled_mesh", root.name, stem)
            yield common.Locator(root / name, root, shape_id, reason=f"no mesh {stem}.* beside it")
    for entry in entries:
        if entry.is_dir() and not entry.name.startswith("."):
            yield from locate(Path(entry.path))


def read(locator: common.Locator) -> LabeledShape:
    """Read one mesh; a label is one part instance, as the files tell no more."""
    path = title = locator.path
    labels, names = path.with_name(f"{path.stem}.{_LABELS}"), path.with_name(f"{path.stem}.{_NAMES}")
    if not labels.is_file():  # the folder is the shape's alone
        labels, names, title = path.with_name(_LABELS), path.with_name(_NAMES), path.parent
        if not names.is_file() and path.with_name(_WRITTEN).is_file():
            names = path.with_name(_WRITTEN)
    table, category = _table(names)
    surface = load_mesh(path).surface
    given = common.read_face_labels(labels, len(surface.faces), path)
    instances, surface.face_part[:] = common.instances_of(given, table)
    category = category or category_from(title)
    return common.labeled_shape(
        locator, "labeled_mesh", instances, surface, category=category, license_root=path.parent
    )


def _meshes(names: Collection[str]) -> list[str]:
    # NAME.parts.glb is what `alignparts name` made of a mesh.
    return [name for name in names if name.lower().endswith(SUFFIXES) and not name.endswith(".parts.glb")]


def _lonely(path: Path, names: Collection[str]) -> str:
    """Return the reason against a mesh without label file of its name; "" for a folder's only mesh."""
    if _LABELS not in names:
        return f"no {path.stem}.{_LABELS} beside it"
    if _WRITTEN in names and _NAMES not in names:
        try:
            source = common.read_json(path.parent / _WRITTEN)
        except AlignPartsError as error:
            return str(error)
        mesh = source.get("input") if isinstance(source, dict) else None
        return "" if mesh == path.name else f"{_WRITTEN} beside it is of {mesh or 'no mesh'}"
    others = [name for name in _meshes(names) if f"{Path(name).stem}.{_LABELS}" not in names]
    return "" if len(others) == 1 else f"{len(others)} meshes beside {_LABELS}; expected one"


def _table(source: Path) -> tuple[dict[int, str], str]:
    """Return the name of every label, and the category where it is stated."""
    if source.name == _WRITTEN:
        written = common.read_json(source, _Written, "parts with index and name, as written by alignparts")
        return {part.index: part.name.strip() for part in written.parts}, str(written.category or "")
    expected = 'a list of names, or {"label": "name"} with whole numbers as labels'
    table = common.read_json(source)
    entries = dict(enumerate(table)) if isinstance(table, list) else table
    names = common.checked(entries, dict[int, str | None], source, expected)
    return {label: (name or "").strip() for label, name in names.items()}, ""
