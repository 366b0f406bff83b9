"""The open test set: files of public repositories whose nodes or materials a manifest maps to parts."""

import functools
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import trimesh

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.images import open_scene
from alignparts.corpus.mesh.scene import (
    FolderResolver,
    faced_nodes,
    load_parts,
    load_scene,
    surface_from_scene,
)
from alignparts.corpus.mesh.surface import Surface
from alignparts.corpus.open_set import FETCH, MANIFEST, OpenShape, read_manifest
from alignparts.corpus.readers.common import Locator, labeled_shape
from alignparts.corpus.shape import LabeledShape, safe_id

_COLUMNS = "id,repository,commit,path,sha256,"


def is_root(folder: Path, names: Collection[str]) -> bool:
    """Return whether a folder holds the manifest of an open set."""
    if MANIFEST not in names:
        return False
    with (folder / MANIFEST).open(encoding="utf-8", errors="replace") as file:
        return file.readline().startswith(_COLUMNS)


def locate(root: Path) -> Iterator[Locator]:
    """Yield the shapes of a manifest; those whose file is not there with the command that brings it."""
    for shape in _shapes(root, (root / MANIFEST).stat().st_mtime_ns).values():
        path = root / shape.place()
        reason = "" if path.is_file() else f"not there; run: {FETCH}"
        yield Locator(
            path, root, safe_id("open", shape.id), shape.category, shape.license, reason, pack=shape.pack
        )


def read(locator: Locator) -> LabeledShape:
    """Read one shape: an instance per named node, or per part that materials name.

    A name of the manifest that the file does not have raises AlignPartsError.
    """
    root, path = locator.root, locator.path
    shapes = _shapes(root, (root / MANIFEST).stat().st_mtime_ns)
    shape = shapes[locator.shape_id]
    part_of = shape.part_of
    owners, surface = _by_node(path, root) if shape.by == "node" else _by_material(path, root)
    missing = [name for name in part_of if name not in owners]
    if missing:
        there = ", ".join(sorted(set(owners)))
        message = f"the manifest names {shape.by} '{missing[0]}', which the file lacks; it has {there}"
        raise AlignPartsError(f"{path}: {message}")
    names = [part_of.get(owner, "") for owner in owners]
    if shape.by == "material":  # several may paint one part
        distinct, instance = np.unique(names, return_inverse=True)
        surface.face_part[:] = instance[surface.face_part]
        names = distinct.tolist()
    return labeled_shape(locator, "open", names, surface)


@functools.lru_cache(maxsize=4)
def _shapes(root: Path, stamp: int) -> dict[str, OpenShape]:
    """Return the shapes of a manifest with this time stamp, by the ids that locators have."""
    return {safe_id("open", shape.id): shape for shape in read_manifest(root / MANIFEST)}


def _by_node(path: Path, root: Path) -> tuple[list[str], Surface]:
    """Return the node's name of every instance, and the surface."""
    if path.suffix.lower() == ".obj":
        scene = _obj(path, root, split=True)
        names = (str(mesh) for mesh in (scene.graph[node][1] for node, _, _ in faced_nodes(scene)))
        lines = (line.partition(" ") for line in path.read_text(errors="replace").splitlines())
        longest = sorted(
            {name.strip() for key, _, name in lines if key in ("o", "g")} - {""}, key=len, reverse=True
        )
        # trimesh calls a mesh OBJECT_GROUP_MATERIAL, of those that there are; all of the file's names are
        # tried, so that "body_2" is not taken for "body".
        return _labeled(
            scene, [next((x for x in longest if f"{name}_".startswith(f"{x}_")), name) for name in names]
        )
    surface, nodes, _ = load_parts(path.read_bytes(), str(path), FolderResolver(path.parent, root))
    return [str(node.get("name", "")) for node in nodes], surface


def _by_material(path: Path, root: Path) -> tuple[list[str], Surface]:
    """Return the material's name of every instance, and the surface."""
    if path.suffix.lower() == ".obj":
        scene = _obj(path, root)
    else:
        scene, _ = load_scene(path.read_bytes(), str(path), FolderResolver(path.parent, root))
    visuals = [mesh.visual for _, _, mesh in faced_nodes(scene)]
    return _labeled(scene, [str(getattr(getattr(x, "material", None), "name", "")) for x in visuals])


def _labeled(scene: trimesh.Scene, owners: list[str]) -> tuple[list[str], Surface]:
    """Return the distinct owners of the meshes of a scene, and its surface labeled by them."""
    surface = surface_from_scene(scene)
    names, instance = np.unique(owners, return_inverse=True)
    counts = [len(mesh.faces) for _, _, mesh in faced_nodes(scene)]
    surface.face_part[:] = np.repeat(instance, counts)
    return names.tolist(), surface


def _obj(path: Path, root: Path, split: bool = False) -> trimesh.Scene:
    """Load an OBJ file with a mesh per material, and if asked per object and group."""
    try:
        with path.open("rb") as stream:
            resolver = FolderResolver(path.parent, root)
            return open_scene(stream, "obj", resolver, split_objects=split, split_groups=split)
    except AlignPartsError:
        raise
    except Exception as error:
        raise AlignPartsError(f"{path}: cannot be read: {type(error).__name__}: {error}") from error
