"""PartNet-Mobility (SAPIEN): the fine names of ``result.json`` over textured OBJ files in rest pose."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh

from alignparts.corpus.glb import FolderResolver
from alignparts.corpus.readers.common import Locator, leaves, licence_of, read_json
from alignparts.corpus.readers.partnet import UNNAMED
from alignparts.corpus.shape import LabelledShape
from alignparts.corpus.surface import Surface, join_surfaces, surface_from_scene
from alignparts.errors import AlignPartsError

LICENCE = "PartNet-Mobility and ShapeNet terms: non-commercial research"


def read(locator: Locator) -> LabelledShape:
    """Read one object folder. The folder's name is its key; ``meta.json``'s anno_id is not.

    Only OBJ files that a leaf refers to count: others are collision pieces. The URDF is not needed, as all
    files are in one frame.

    Raises:
        AlignPartsError: the tree is missing or broken, or no leaf has a mesh.
    """
    folder = locator.path
    meta = read_json(folder / "meta.json")
    surfaces: list[Surface] = []
    names: list[str] = []
    absent: list[str] = []
    images: dict[bytes, np.ndarray] = {}
    for path, leaf in leaves(read_json(folder / "result.json"), folder / "result.json"):
        found = []
        for name in leaf.get("objs") or []:
            file = folder / "textured_objs" / f"{name}.obj"
            if file.is_file():
                found.append(file)
            else:
                absent.append(str(name))
        part = len(names)
        pieces = [piece for file in found if (piece := _read_obj(file, folder, images)) is not None]
        if pieces:
            names.append("" if path[-1].lower() in UNNAMED else path[-1])
            surfaces.append(join_surfaces(pieces, part_of=[part] * len(pieces)))
    if not surfaces:
        raise AlignPartsError(
            f"{folder}: no leaf of result.json has a mesh; missing: {', '.join(absent[:3])}"
        )
    return LabelledShape(
        shape_id=locator.shape_id,
        dataset="partnet_mobility",
        category=locator.category or str(meta.get("model_cat", "")),
        licence=locator.licence or licence_of(locator.root, LICENCE),
        source=str(folder),
        instances=names,
        surface=join_surfaces(surfaces),
    )


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
    result, name = {}, ""
    for line in path.read_text(errors="replace").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "newmtl":
            name = " ".join(words[1:])
        elif len(words) > 1 and words[0] == "d" and re.fullmatch(r"[\d.eE+-]+", words[-1]):
            value = float(words[-1])
            if value < 1:
                result[name] = max(value, 0.0)
    return result


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
