"""Opening users' meshes: GLB, glTF, OBJ, PLY, STL, OFF (the input of ``alignparts name``)."""

import io
import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.images import open_scene
from alignparts.corpus.mesh.scene import FolderResolver, faced_nodes, load_scene, surface_from_scene
from alignparts.corpus.mesh.surface import Surface

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".off")


class MeshError(AlignPartsError):
    """A file without a mesh to work with, by its problem: "no_faces", "not_finite" or "no_area"."""

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(message)
        self.problem = problem


@dataclass(frozen=True)
class InputMesh:
    """A mesh file, with all that is needed to write its geometry and materials again.

    Attributes:
        path: the file.
        scene: scene as trimesh reads it, nothing merged, dropped or reordered.
        surface: its faces in world coordinates, in the order of :func:`mesh.scene.faced_nodes`.
        blocks: range of the faces of every geometry node, in that order.
    """

    path: Path
    scene: trimesh.Scene
    surface: Surface
    blocks: dict[str, slice]

    @property
    def name(self) -> str:
        """File name without its suffix."""
        return self.path.stem


def load_mesh(path: str | Path) -> InputMesh:
    """Read a mesh file of one of `SUFFIXES`, textured or not.

    Files that it refers to must lie in its folder; an OBJ's also in the folder above. A broken file raises
    AlignPartsError, as MeshError where it has points only, no area or a vertex that is not finite.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if not path.exists():
        raise AlignPartsError(f"{path}: no such file")
    if not path.is_file():  # a device or a pipe may have no end
        kind = "a folder" if path.is_dir() else "no regular file"
        raise AlignPartsError(f"{path}: is {kind}; expected a mesh file ({', '.join(SUFFIXES)})")
    if suffix not in SUFFIXES:
        kind = suffix or "no suffix"
        raise AlignPartsError(f"{path}: '{kind}' is not read; expected {', '.join(SUFFIXES)}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AlignPartsError(f"{path}: cannot be read: {error.strerror}") from None
    if not data.strip():
        raise AlignPartsError(f"{path}: the file is empty")
    with quiet():
        try:
            return _checked(path, _read(path, suffix, data))
        except AlignPartsError as error:
            if str(path) in str(error):
                raise
            raise AlignPartsError(f"{path}: {error}") from None
        except Exception as error:  # every reader fails in its own way on a broken file
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
            raise AlignPartsError(f"{path}: not a readable {suffix[1:].upper()} file ({reason})") from None


def _read(path: Path, suffix: str, data: bytes) -> trimesh.Scene:
    folder = path.resolve().parent
    # OBJ data sets often keep images beside the folder of the meshes; glTF refers downwards only.
    resolver = FolderResolver(folder, folder.parent if suffix == ".obj" else folder)
    if suffix in (".glb", ".gltf"):
        size = struct.unpack_from("<I", data, 8)[0] if len(data) >= 12 else 12
        if data[:4] == b"glTF" and len(data) < max(size, 20):
            raise AlignPartsError(f"{path}: truncated: {len(data)} bytes of {size}")
        return load_scene(data, str(path), resolver)[0]
    return open_scene(io.BytesIO(data), suffix[1:], resolver)


def _checked(path: Path, scene: trimesh.Scene) -> InputMesh:
    blocks: dict[str, slice] = {}
    start = 0
    for node, matrix, mesh in faced_nodes(scene):
        if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
            raise AlignPartsError(f"{path}: '{node}' refers to a vertex that is not in the file (truncated?)")
        if not np.isfinite(mesh.vertices[mesh.referenced_vertices]).all() or not np.isfinite(matrix).all():
            message = f"{path}: '{node}' has a vertex that is not finite (NaN or infinity)"
            raise MeshError("not_finite", message)
        blocks[str(node)] = slice(start, start + len(mesh.faces))
        start += len(mesh.faces)
    if not blocks:
        points = sum(len(getattr(geometry, "vertices", ())) for geometry in scene.geometry.values())
        content = f"only {points} points and no triangle" if points else "no triangle"
        raise MeshError("no_faces", f"{path}: {content}; expected a mesh with faces")
    surface = surface_from_scene(scene)
    try:
        surface.frame()
    except AlignPartsError:
        raise MeshError("no_area", f"{path}: degenerate: none of its {start} triangles has an area") from None
    return InputMesh(path, scene, surface, blocks)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence trimesh's warnings about the file."""
    logger = logging.getLogger("trimesh")
    logger.disabled = True
    try:
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            yield
    finally:
        logger.disabled = False
