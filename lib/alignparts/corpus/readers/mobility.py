"""PartNet-Mobility (SAPIEN): the fine names of ``result.json`` over textured OBJ files in rest pose."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import FolderResolver
from alignparts.corpus.mesh.surface import Surface, join_surfaces, surface_from_scene
from alignparts.corpus.readers.common import Locator
from alignparts.corpus.readers.partnet_labels import Part
from alignparts.corpus.readers.partnet_shape import mesh_files, read_annotation
from alignparts.corpus.shape import LabeledShape

LICENSE = "PartNet-Mobility and ShapeNet terms: non-commercial research"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def read(locator: Locator) -> LabeledShape:
    """Read one object folder. The folder's name is its key; ``meta.json``'s anno_id is not.

    Only OBJ files that a leaf refers to count: others are collision pieces. The URDF is not needed, as all
    files are in one frame. ``locator.options`` count as for PartNet; objects that do not come from there have
    neither a merged tree nor point samples.

    Raises:
        AlignPartsError: a tree is missing or broken, no leaf has a mesh, or there are no point samples.
        BrokenLabels: a label file of the data set is broken.
    """
    return read_annotation(locator, "partnet_mobility", LICENSE, _read_meshes)


def _read_meshes(folder: Path, parts: list[Part]) -> Surface | None:
    surfaces: list[Surface] = []
    images: dict[bytes, np.ndarray] = {}
    for index, part in enumerate(parts):
        files = mesh_files(folder / "textured_objs", part)
        pieces = [piece for file in files if (piece := _read_obj(file, folder, images)) is not None]
        if pieces:
            surfaces.append(join_surfaces(pieces, part_of=[index] * len(pieces)))
    return join_surfaces(surfaces) if surfaces else None


def _read_obj(file: Path, folder: Path, images: dict[bytes, np.ndarray]) -> Surface | None:
    # trimesh's own resolver refuses ../images; this one refuses what lies outside the object's folder.
    resolver = FolderResolver(file.parent, folder)
    try:
        with file.open("rb") as stream:
            scene = trimesh.load_scene(stream, file_type="obj", resolver=resolver, process=False)
        surface = surface_from_scene(scene)
    except AlignPartsError:
        return None
    except Exception as error:
        raise AlignPartsError(f"{file}: cannot be read: {type(error).__name__}: {error}") from error
    clear = _opacity(file)
    if clear:
        surface = _dissolve(surface, scene, clear)
    return replace(surface, textures=tuple(_shared(image, images) for image in surface.textures))


def _shared(image: np.ndarray | None, images: dict[bytes, np.ndarray]) -> np.ndarray | None:
    """One array an image, though every OBJ file loads its own copy."""
    if image is None:
        return None
    return images.setdefault(str(image.shape).encode() + image.tobytes(), image)


def _opacity(file: Path) -> dict[str, float]:
    """Opacity by material name, where an MTL file states one below 1; trimesh reads none."""
    path = file.with_suffix(".mtl")
    if not path.is_file():
        return {}
    result: dict[str, float] = {}
    name = ""
    for line in path.read_text(errors="replace").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "newmtl":
            name = " ".join(words[1:])
        elif len(words) > 1 and words[0] in ("d", "Tr") and _NUMBER.fullmatch(words[-1]):
            # Tr is the complement; beside a d of the same material, it counts no more.
            value = float(words[-1])
            if words[0] == "d":
                result[name] = value
            else:
                result.setdefault(name, 1 - value)
    return {name: max(value, 0.0) for name, value in result.items() if value < 1}


def _dissolve(surface: Surface, scene: trimesh.Scene, clear: dict[str, float]) -> Surface:
    color, start = surface.corner_color.copy(), 0
    for node in scene.graph.nodes_geometry:
        mesh = scene.geometry[scene.graph[node][1]]
        if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces):
            continue
        end = start + len(mesh.faces)
        name = getattr(getattr(mesh.visual, "material", None), "name", None)
        color[start:end, :, 3] *= clear.get(str(name), 1.0)
        start = end
    return replace(surface, corner_color=color)
