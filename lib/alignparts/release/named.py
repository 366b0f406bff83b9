"""Real shapes whose parts are named in ``names.csv``, for the training of the release model."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from alignparts.core.errors import AlignPartsError
from alignparts.corpus import geometry
from alignparts.corpus.mesh.meshio import InputMesh, load_mesh
from alignparts.corpus.mesh.surface import Surface
from alignparts.corpus.shape import LabeledShape
from alignparts.patches.components import component_parts


def named_shapes(folder: Path) -> list[LabeledShape]:
    """Return the shapes of the list in a folder.

    Raises:
        AlignPartsError: a file is not there, or lacks a name that the list has for it.
    """
    names, files = folder / geometry.NAMES, folder / geometry.FILES
    meshes = geometry.read_names(names)
    if missing := [mesh.path for mesh in meshes if not (files / mesh.path).is_file()]:
        raise AlignPartsError(f"{names}: {missing[0]} is not there; run: {geometry.FETCH}")
    return [named_shape(mesh, files) for mesh in meshes]


def named_shape(named: geometry.NamedMesh, files: Path) -> LabeledShape:
    """Return one shape of the list, whose files lie below ``files``.

    Raises:
        AlignPartsError: see :func:`named_shapes`.
    """
    mesh = load_mesh(files / named.path)
    owners, surface = _by_component(mesh) if named.by == "component" else _by_material(mesh)
    part_of = named.part_of
    if lacking := [name for name in part_of if name not in owners]:
        message = f"has no {named.by} '{lacking[0]}', which {geometry.NAMES} names"
        raise AlignPartsError(f"{mesh.path}: {message}; it has {', '.join(owners)}")
    names = [part_of.get(owner, "") for owner in owners]
    return LabeledShape(named.path, "named", named.category, "CC0-1.0", str(mesh.path), names, surface)


def _by_component(mesh: InputMesh) -> tuple[list[str], Surface]:
    """Return the numbers of the connected components, and the surface labeled by them."""
    surface = component_parts(mesh.surface)
    if surface is None:
        raise AlignPartsError(f"{mesh.path}: its connected components are no parts")
    return [str(number) for number in range(surface.face_part.max() + 1)], surface


def _by_material(mesh: InputMesh) -> tuple[list[str], Surface]:
    """Return the names of the materials, and the surface labeled by them."""
    geometries = [mesh.scene.geometry[mesh.scene.graph[node][1]] for node in mesh.blocks]
    owners = [str(getattr(getattr(at.visual, "material", None), "name", "")) for at in geometries]
    names, instance = np.unique(owners, return_inverse=True)
    counts = [block.stop - block.start for block in mesh.blocks.values()]
    part = np.repeat(instance, counts).astype(np.int32)
    return names.tolist(), replace(mesh.surface, face_part=part)
