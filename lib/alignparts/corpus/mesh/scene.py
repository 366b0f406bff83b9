"""Others' glTF files and trimesh scenes: opened without losing names, materials or parts, and as surfaces."""

import io
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from trimesh.resolvers import FilePathResolver, Resolver

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import check_tree, join_container, split_container
from alignparts.corpus.mesh.images import open_scene
from alignparts.corpus.mesh.surface import GRAY, Surface, join_surfaces, make_surface, rgba_float

NODE_KEY = "_gltf_node"
_UNREADABLE = {"EXT_meshopt_compression", "KHR_meshopt_compression"}


class FolderResolver(FilePathResolver):
    """Files beside a shape: paths may go up and down, but never out of ``root``."""

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        self.folder, self.root = folder.resolve(), (root or folder).resolve()
        self.parent = str(self.folder)  # read by the inherited keys()

    def get(self, name: str) -> bytes:
        """Return the bytes of a file beside the shape; raise AlignPartsError for one outside the root."""
        path = (self.folder / name.strip().replace("\\", "/")).resolve()
        if not path.is_relative_to(self.root):
            raise AlignPartsError(f"{self.folder}: refers to {name}, which lies outside {self.root.name}/")
        if not path.is_file():
            raise AlignPartsError(f"{self.folder}: refers to {name}, which does not exist")
        return path.read_bytes()

    def namespaced(self, namespace: str) -> "FolderResolver":
        """Return the same root, seen from a folder below."""
        return FolderResolver(self.folder / namespace, self.root)


def load_scene(
    data: bytes, source: str, resolver: Resolver, edit: Callable[[dict[str, Any]], None] | None = None
) -> tuple[trimesh.Scene, dict[str, Any]]:
    """Open a glTF file as a trimesh scene; return it with the file's header, which ``edit`` may change.

    Every geometry node of the scene carries extras ``{NODE_KEY: index}``: the glTF node it comes from, which
    trimesh's node names do not tell. Texture transforms and second uv sets are applied. A file that is not
    glTF, or compressed in a way that cannot be read, raises AlignPartsError with its name, ``source``.
    """
    header, binary = split_container(data, source)
    needed = set(header.get("extensionsRequired", []))
    if needed & _UNREADABLE or ("KHR_draco_mesh_compression" in needed and find_spec("DracoPy") is None):
        raise AlignPartsError(f"{source}: compressed with {', '.join(sorted(needed))}; save it uncompressed")
    if edit is not None:
        edit(header)
    try:
        check_tree(header)
        materials = header.get("materials", [])
        names = [str(material.get("name", f"material_{i}")) for i, material in enumerate(materials)]
        _mark_nodes(header)
        _choose_uv_sets(header)
        scene = open_scene(io.BytesIO(join_container(header, binary)), "glb", resolver)
    except AlignPartsError as error:
        raise AlignPartsError(f"{source}: {error}") from None
    except Exception as error:
        raise AlignPartsError(f"{source}: cannot be read: {type(error).__name__}: {error}") from error
    _finish_materials(scene, materials, names)
    return scene, header


def load_parts(
    data: bytes, source: str, resolver: Resolver, edit: Callable[[dict[str, Any]], None] | None = None
) -> tuple[Surface, list[dict[str, Any]], dict[str, Any]]:
    """Read a glTF file as a surface whose part instances are nodes with triangles; see :func:`load_scene`.

    Returns:
        The surface, the glTF node of every instance, and the header of the file. The primitives of one node
        are one instance; a file without triangles raises AlignPartsError.
    """
    scene, header = load_scene(data, source, resolver, edit)
    try:
        surface = surface_from_scene(scene)
    except AlignPartsError as error:
        raise AlignPartsError(f"{source}: {error}") from None
    blocks = [(_extras(scene, node)[NODE_KEY], len(mesh.faces)) for node, _, mesh in faced_nodes(scene)]
    owners, counts = np.array(blocks, np.int64).T
    nodes, instance = np.unique(owners, return_inverse=True)
    surface.face_part[:] = np.repeat(instance.reshape(-1), counts)
    return surface, [header["nodes"][node] for node in nodes.tolist()], header


def faced_nodes(scene: trimesh.Scene) -> Iterator[tuple[Any, np.ndarray, trimesh.Trimesh]]:
    """Yield name, matrix to the world and mesh of every geometry node that has triangles, in face order.

    This is the order of faces everywhere: the file's, where the scene was loaded with ``process=False``.
    """
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        mesh = scene.geometry[name]
        if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces):
            yield node, np.asarray(matrix), mesh


def surface_from_scene(scene: trimesh.Scene) -> Surface:
    """Return the surface of a trimesh scene in world coordinates, faces in the order of `faced_nodes`.

    A node's extras ``{"instance": i}`` label its faces. Opaque glTF materials lose their alpha, as the
    standard says; nodes that mirror turn their triangles over. No triangle raises AlignPartsError.
    """
    images: dict[int, np.ndarray | None] = {}
    surfaces = []
    for node, matrix, mesh in faced_nodes(scene):
        vertices = np.asarray(mesh.vertices, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
        faces = np.asarray(mesh.faces, np.int64)
        color, uv, image = _look(mesh, images)
        if np.linalg.det(matrix[:3, :3]) < 0:
            faces = faces[:, [0, 2, 1]]
            color = color[:, [0, 2, 1]] if color.ndim == 3 else color
        part = np.full(len(faces), int(_extras(scene, node).get("instance", -1)), np.int32)
        surfaces.append(make_surface(vertices, faces, face_part=part, uv=uv, color=color, texture=image))
    if not surfaces:
        raise AlignPartsError("the scene holds no triangle mesh")
    return join_surfaces(surfaces)


def _extras(scene: trimesh.Scene, node: Any) -> dict[str, Any]:
    """Return the glTF extras of a node, which trimesh keeps on the edge that leads to it."""
    graph = scene.graph.transforms
    metadata = graph.edge_data.get((graph.parents.get(node), node), {}).get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _mark_nodes(header: dict[str, Any]) -> None:
    """Write every node's index into its extras, and remove what would make trimesh skip nodes."""
    meshes = [mesh.get("primitives", []) for mesh in header.get("meshes", [])]
    drawable = {i for i, mesh in enumerate(meshes) if any(item.get("mode", 4) in (4, 5) for item in mesh)}
    nodes = header.get("nodes", [])
    for index, node in enumerate(nodes):
        extras = node.get("extras")
        node["extras"] = {**(extras if isinstance(extras, dict) else {}), NODE_KEY: index}
        # trimesh skips nodes with a camera, and the children of nodes whose mesh has nothing to draw.
        node.pop("camera", None)
        if node.get("mesh") not in drawable:
            node.pop("mesh", None)
    if not header.get("scenes"):
        children = {child for node in nodes for child in node.get("children", [])}
        header["scenes"] = [{"nodes": [index for index in range(len(nodes)) if index not in children]}]
        header.pop("scene", None)


def _base_texture(material: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the texture of a material's color, and its transform."""
    glossy = material.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness", {})
    metallic = material.get("pbrMetallicRoughness", {})
    texture = metallic.get("baseColorTexture") or glossy.get("diffuseTexture") or {}
    return texture, texture.get("extensions", {}).get("KHR_texture_transform") or {}


def _choose_uv_sets(header: dict[str, Any]) -> None:
    """Put the uv set that a material uses first, and name materials by their index."""
    materials = header.get("materials", [])
    for number, material in enumerate(materials):
        material["name"] = str(number)
    for mesh in header.get("meshes", []):
        for primitive in mesh.get("primitives", []):
            index = primitive.get("material")
            if index is None or index >= len(materials):
                continue
            texture, transform = _base_texture(materials[index])
            chosen = transform.get("texCoord", texture.get("texCoord", 0))
            attributes = primitive.get("attributes", {})
            if chosen and f"TEXCOORD_{chosen}" in attributes:
                attributes["TEXCOORD_0"] = attributes[f"TEXCOORD_{chosen}"]


def _finish_materials(scene: trimesh.Scene, materials: list[dict[str, Any]], names: list[str]) -> None:
    """Apply texture transforms, turn materials without their image gray, and give materials their names."""
    visuals: list[Any] = [getattr(mesh, "visual", None) for mesh in scene.geometry.values()]
    labels = [str(getattr(getattr(visual, "material", None), "name", None) or "") for visual in visuals]
    for visual, label in zip(visuals, labels, strict=True):  # materials may be shared
        number = int(label) if re.fullmatch("[0-9]+", label) else len(materials)
        if number >= len(materials):
            continue
        texture, transform = _base_texture(materials[number])
        if transform and getattr(visual, "uv", None) is not None:
            visual.uv = _transformed(visual.uv, transform)
        if texture and getattr(visual.material, "baseColorTexture", 1) is None:
            visual.material.baseColorFactor = GRAY  # trimesh leaves it white
        visual.material.name = names[number]


def _transformed(uv: np.ndarray, transform: dict[str, Any]) -> np.ndarray:
    """Return uvs after KHR_texture_transform: T R S on uvs whose origin is the upper left."""
    angle = float(transform.get("rotation", 0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    upper = np.array(uv, np.float64) * [1, -1] + [0, 1]
    moved = (upper * transform.get("scale", [1, 1])) @ turn + transform.get("offset", [0, 0])
    return moved * [1, -1] + [0, 1]


def _look(
    mesh: trimesh.Trimesh, images: dict[int, np.ndarray | None]
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Return colors per face or corner, uvs per vertex and the image of a mesh."""
    visual: Any = mesh.visual
    if visual.kind == "face":
        return rgba_float(visual.face_colors), None, None
    if visual.kind == "vertex":
        return rgba_float(visual.vertex_colors)[mesh.faces], None, None
    factor, uv, image = np.array(GRAY, np.float32), None, None
    if visual.kind == "texture":
        material = visual.material
        factor, opaque = _factor(material)
        picture = getattr(material.to_simple() if hasattr(material, "to_simple") else material, "image", None)
        given = None if visual.uv is None else np.asarray(visual.uv)
        if picture is not None and given is not None and given.shape == (len(mesh.vertices), 2):
            if id(picture) not in images:
                images[id(picture)] = _pixels(picture)
            image, uv = images[id(picture)], given
            if image is not None and opaque and image[..., 3].min() < 255:
                image = np.dstack([image[..., :3], np.full(image.shape[:2], 255, np.uint8)])
        if picture is not None and image is None:
            factor = np.array(GRAY, np.float32)
        tint = visual.vertex_attributes.get("color") if hasattr(visual, "vertex_attributes") else None
        if tint is not None and len(tint) == len(mesh.vertices):
            color = rgba_float(tint)
            color[:, 3] = 1 if opaque else color[:, 3]
            return (factor * color)[mesh.faces], uv, image
    return np.tile(factor, (len(mesh.faces), 1)), uv, image


def _factor(material: Any) -> tuple[np.ndarray, bool]:
    """Return the RGBA that multiplies the texture, and True where alpha is to be ignored."""
    if isinstance(material, trimesh.visual.material.PBRMaterial):
        given, opaque = material.baseColorFactor, material.alphaMode in (None, "OPAQUE")
        factor = np.ones(4, np.float32) if given is None else rgba_float(np.asarray(given)[None])[0].copy()
        factor[3] = 1 if opaque else factor[3]
        return factor, opaque
    if getattr(material, "image", None) is not None:
        # OBJ exporters write any Kd beside map_Kd, black included.
        return np.ones(4, np.float32), False
    diffuse = getattr(material, "diffuse", None)
    return np.array(GRAY, np.float32) if diffuse is None else rgba_float(np.asarray(diffuse)[None])[0], False


def _pixels(picture: Any) -> np.ndarray | None:
    """Return the RGBA pixels of a PIL image; None where it cannot be decoded."""
    try:
        return np.array(picture.convert("RGBA"))
    except (OSError, ValueError, SyntaxError):
        return None
