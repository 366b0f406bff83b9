"""Opening glTF files of others without losing names, materials or parts of them."""

import io
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.surface import GRAY, node_extras

NODE_KEY = "_gltf_node"
_MAGIC, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
_UNREADABLE = {"EXT_meshopt_compression", "KHR_meshopt_compression"}


class FolderResolver(trimesh.resolvers.Resolver):
    """Files beside a shape: paths may go up and down, but never out of ``root``."""

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        self.folder = folder.resolve()
        self.root = (root or folder).resolve()

    def get(self, name: str) -> bytes:
        """Bytes of the file called ``name`` relative to the folder.

        Raises:
            AlignPartsError: the path leads out of the root, or there is no such file.
        """
        path = (self.folder / name.strip().replace("\\", "/")).resolve()
        if not path.is_relative_to(self.root):
            raise AlignPartsError(f"{self.folder}: refers to {name}, which lies outside {self.root.name}/")
        if not path.is_file():
            raise AlignPartsError(f"{self.folder}: refers to {name}, which does not exist")
        return path.read_bytes()

    def keys(self) -> list[str]:
        """Names of the files in the folder."""
        return [path.name for path in self.folder.iterdir()]

    def write(self, name: str, data: Any) -> None:
        """Not for writing."""
        raise AlignPartsError(f"{self.folder}: read only, cannot write {name}")

    def namespaced(self, namespace: str) -> "FolderResolver":
        """The same root, seen from a folder below."""
        return FolderResolver(self.folder / namespace, self.root)


def split_container(data: bytes, source: str) -> tuple[dict[str, Any], bytes | None]:
    """JSON header and binary chunk of a .glb or .gltf file.

    Raises:
        AlignPartsError: neither glTF 2 JSON nor a GLB container.
    """
    try:
        if data[:4] != b"glTF":
            header, binary = json.loads(data.decode("utf-8-sig")), None
        else:
            _, version, _ = struct.unpack_from("<III", data)
            if version != 2:
                raise AlignPartsError(f"{source}: glTF version {version}; expected 2")
            length, kind = struct.unpack_from("<II", data, 12)
            if kind != _JSON:
                raise ValueError("no JSON chunk")
            header, binary, at = json.loads(data[20 : 20 + length]), None, 20 + length
            if at + 8 <= len(data):
                size, kind = struct.unpack_from("<II", data, at)
                binary = data[at + 8 : at + 8 + size] if kind == _BIN else None
    except (ValueError, struct.error) as error:
        raise AlignPartsError(f"{source}: not a glTF file: {error}") from None
    if not isinstance(header, dict) or "asset" not in header:
        raise AlignPartsError(f"{source}: not a glTF file: the JSON has no 'asset'")
    return header, binary


def join_container(header: dict[str, Any], binary: bytes | None) -> bytes:
    """A GLB file of a header and a binary chunk."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), _JSON) + text
    if binary is not None:
        binary += b"\0" * (-len(binary) % 4)
        chunks += struct.pack("<II", len(binary), _BIN) + binary
    return struct.pack("<III", _MAGIC, 2, 12 + len(chunks)) + chunks


def load_scene(
    data: bytes,
    source: str,
    resolver: trimesh.resolvers.Resolver,
    edit: Callable[[dict[str, Any]], None] | None = None,
) -> tuple[trimesh.Scene, dict[str, Any]]:
    """A glTF file as a trimesh scene, with its own header.

    Every geometry node of the scene carries extras ``{NODE_KEY: index}``: the glTF node it comes from, which
    trimesh's own node names do not tell. Texture transforms and second uv sets are applied.

    Args:
        data: content of the file.
        source: what messages call it.
        resolver: finds external buffers and images.
        edit: changes the header before it is read.

    Raises:
        AlignPartsError: not glTF, compressed in a way that cannot be read, or broken.
    """
    header, binary = split_container(data, source)
    needed = set(header.get("extensionsRequired", []))
    if needed & _UNREADABLE or ("KHR_draco_mesh_compression" in needed and not _has_draco()):
        raise AlignPartsError(f"{source}: compressed with {', '.join(sorted(needed))}; save it uncompressed")
    if edit is not None:
        edit(header)
    _mark_nodes(header)
    _choose_uv_sets(header)
    stream = io.BytesIO(join_container(header, binary))
    try:
        scene = trimesh.load_scene(stream, file_type="glb", resolver=resolver, process=False)
    except AlignPartsError:
        raise
    except Exception as error:
        raise AlignPartsError(f"{source}: cannot be read: {type(error).__name__}: {error}") from error
    _transform_uvs(scene, header)
    _gray_missing(scene, header)
    return scene, header


def parts_by_node(scene: trimesh.Scene) -> tuple[list[int], np.ndarray]:
    """The glTF nodes that hold triangles, ascending, and for every face of the scene its node's position.

    Faces are in the order of :func:`surface.surface_from_scene`; the primitives of one node
    belong together.
    """
    owners, counts = [], []
    for node in scene.graph.nodes_geometry:
        mesh = scene.geometry[scene.graph[node][1]]
        if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces):
            owners.append(node_extras(scene, node)[NODE_KEY])
            counts.append(len(mesh.faces))
    nodes, position = np.unique(np.array(owners, np.int64), return_inverse=True)
    return nodes.tolist(), np.repeat(position.reshape(-1).astype(np.int32), counts)


def _has_draco() -> bool:
    try:
        import DracoPy  # noqa: F401
    except ImportError:
        return False
    return True


def _mark_nodes(header: dict[str, Any]) -> None:
    meshes = header.get("meshes", [])
    drawable = {
        index
        for index, mesh in enumerate(meshes)
        if any(primitive.get("mode", 4) in (4, 5) for primitive in mesh.get("primitives", []))
    }
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


def _base_texture(material: dict[str, Any]) -> dict[str, Any]:
    glossy = material.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness", {})
    found = material.get("pbrMetallicRoughness", {}).get("baseColorTexture") or glossy.get("diffuseTexture")
    return found or {}


def _choose_uv_sets(header: dict[str, Any]) -> None:
    materials = header.get("materials", [])
    for number, material in enumerate(materials):
        material["name"] = str(number)
    for mesh in header.get("meshes", []):
        for primitive in mesh.get("primitives", []):
            index = primitive.get("material")
            if index is None or index >= len(materials):
                continue
            texture = _base_texture(materials[index])
            transform = texture.get("extensions", {}).get("KHR_texture_transform", {})
            chosen = transform.get("texCoord", texture.get("texCoord", 0))
            attributes = primitive.get("attributes", {})
            if chosen and f"TEXCOORD_{chosen}" in attributes:
                attributes["TEXCOORD_0"] = attributes[f"TEXCOORD_{chosen}"]


def _gray_missing(scene: trimesh.Scene, header: dict[str, Any]) -> None:
    """Gray for materials whose image could not be read; trimesh leaves them white."""
    textured = {str(n) for n, material in enumerate(header.get("materials", [])) if _base_texture(material)}
    for mesh in scene.geometry.values():
        material: Any = getattr(getattr(mesh, "visual", None), "material", None)
        if getattr(material, "name", None) in textured and getattr(material, "baseColorTexture", 1) is None:
            material.baseColorFactor = GRAY


def _transform_uvs(scene: trimesh.Scene, header: dict[str, Any]) -> None:
    transforms = {}
    for number, material in enumerate(header.get("materials", [])):
        given = _base_texture(material).get("extensions", {}).get("KHR_texture_transform")
        if given:
            transforms[str(number)] = given
    if not transforms:
        return
    for mesh in scene.geometry.values():
        visual: Any = getattr(mesh, "visual", None)
        given = transforms.get(getattr(getattr(visual, "material", None), "name", None) or "")
        if given is None or getattr(visual, "uv", None) is None:
            continue
        # KHR_texture_transform: T R S on uvs whose origin is the upper left.
        uv = np.array(visual.uv, np.float64)
        uv[:, 1] = 1 - uv[:, 1]
        uv *= given.get("scale", [1, 1])
        angle = float(given.get("rotation", 0))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        uv = uv @ turn + given.get("offset", [0, 0])
        uv[:, 1] = 1 - uv[:, 1]
        visual.uv = uv


def strip_counter(name: str) -> str:
    """A node's name without what modelling tools append to repeated names.

    "leg.001", "leg_02", "leg 3", "leg-4", "leg_1_0" and a trimesh suffix of six hexadecimal digits that holds
    a digit become "leg"; "leg_left", "mp3" and "12" stay as they are.
    """
    text = name.strip()
    while True:
        shorter = re.sub(r"(?:[._\-\s]+\d+|[._](?=[0-9a-f]*\d)[0-9a-f]{6})$", "", text)
        if shorter == text or not re.search(r"[^\W\d_]", shorter):
            return text
        text = shorter
