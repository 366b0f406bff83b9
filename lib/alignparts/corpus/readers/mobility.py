"""PartNet-Mobility (SAPIEN): the fine names of ``result.json`` over textured OBJ files in rest pose."""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.images import open_scene
from alignparts.corpus.mesh.scene import FolderResolver, faced_nodes, surface_from_scene
from alignparts.corpus.mesh.surface import Surface, join_surfaces
from alignparts.corpus.readers.common import Locator
from alignparts.corpus.readers.partnet import annotation_in, mesh_files, read_annotation
from alignparts.corpus.readers.partnet_labels import Part
from alignparts.corpus.shape import LabeledShape

LICENSE = "PartNet-Mobility and ShapeNet terms: non-commercial research"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def is_root(folder: Path, names: Collection[str]) -> bool:
    """Return whether a folder is one object, even if its names are missing."""
    return "textured_objs" in names and not {"result.json", "mobility.urdf", "semantics.txt"}.isdisjoint(
        names
    )


def locate(root: Path) -> Iterator[Locator]:
    """Yield the object of a folder."""
    if (root / "result.json").exists():
        yield annotation_in(root, "partnet_mobility")
    else:
        yield annotation_in(root, "unknown", "no result.json, which names the parts of PartNet-Mobility")


def read(locator: Locator) -> LabeledShape:
    """Read one object folder. The folder's name is its key; ``meta.json``'s anno_id is not.

    Only OBJ files that a leaf refers to count: others are collision pieces. The URDF is not needed, as all
    files are in one frame. Merged trees and point samples are there for objects of PartNet alone.
    """
    return read_annotation(locator, "partnet_mobility", LICENSE, _read_meshes)


def _read_meshes(folder: Path, parts: list[Part]) -> Surface | None:
    images: dict[bytes, np.ndarray] = {}
    files = mesh_files(folder / "textured_objs", parts)
    surfaces = [(index, _read_obj(file, folder, images)) for index, file in files]
    solid = [(index, surface) for index, surface in surfaces if surface is not None]
    if not solid:
        return None
    return join_surfaces([surface for _, surface in solid], part_of=[index for index, _ in solid])


def _read_obj(file: Path, folder: Path, images: dict[bytes, np.ndarray]) -> Surface | None:
    """Read one OBJ file; None where it has no triangle."""
    # trimesh's own resolver refuses ../images; this one refuses what lies outside the object's folder.
    resolver = FolderResolver(file.parent, folder)
    try:
        with file.open("rb") as stream:
            scene = open_scene(stream, "obj", resolver)
        surface = surface_from_scene(scene)
    except AlignPartsError:
        return None
    except Exception as error:
        raise AlignPartsError(f"{file}: cannot be read: {type(error).__name__}: {error}") from error
    meshes = [mesh for _, _, mesh in faced_nodes(scene)]
    opacity = np.array([_opacity(mesh.visual) for mesh in meshes], np.float32)
    surface.corner_color[..., 3] *= np.repeat(opacity, [len(mesh.faces) for mesh in meshes])[:, None]
    return replace(surface, textures=tuple(_shared(image, images) for image in surface.textures))


def _shared(image: np.ndarray | None, images: dict[bytes, np.ndarray]) -> np.ndarray | None:
    """Return one array per image, though every OBJ file loads a copy of its own."""
    return None if image is None else images.setdefault(str(image.shape).encode() + image.tobytes(), image)


def _opacity(visual: Any) -> float:
    """Return the opacity that an MTL file states; trimesh keeps its words, but does not use them."""
    words = getattr(getattr(visual, "material", None), "kwargs", {})
    # Tr is the complement of d; beside a d of the same material, it counts no more.
    for key in ("d", "tr"):
        given = words.get(key)
        if given and _NUMBER.fullmatch(given[-1]):
            value = float(given[-1])
            return min(max(value if key == "d" else 1 - value, 0.0), 1.0)
    return 1.0
