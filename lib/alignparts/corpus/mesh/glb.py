"""GLB files: their container, and surfaces written with one node per part, materials and textures kept."""

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from alignparts.core.atomic import write_atomically
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.surface import Surface

_MAGIC, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
_COMPONENTS = {"f4": 5126, "u2": 5123, "u4": 5125}
_KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
_VERTICES, _INDICES = 34962, 34963
_Entries = list[dict[str, Any]]
_UNLABELED: dict[str, Any] = {"name": "unlabeled", "extras": {"part": "", "instance": -1}}
_PLAIN_COLORS = 4
"""A few plain colors of one part become materials; more become vertex colors."""


def split_container(data: bytes, source: str) -> tuple[dict[str, Any], bytes | None]:
    """Return JSON header and binary chunk of a .glb or .gltf file; raise AlignPartsError for any other."""
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
            header, at = json.loads(data[20 : 20 + length]), 20 + length
            size, kind = struct.unpack_from("<II", data, at) if at + 8 <= len(data) else (0, None)
            if at + 8 + size > len(data) and kind is not None:
                cut = f"it is cut off at {len(data):,} of {at + 8 + size:,} bytes"
                raise AlignPartsError(f"{source}: not a glTF file: {cut}")
            binary = data[at + 8 : at + 8 + size] if kind == _BIN else None
    except (ValueError, struct.error, RecursionError) as error:
        raise AlignPartsError(f"{source}: not a glTF file: {error}") from None
    if not isinstance(header, dict) or "asset" not in header:
        raise AlignPartsError(f"{source}: not a glTF file: the JSON has no 'asset'")
    return header, binary


def check_tree(header: dict[str, Any]) -> None:
    """Raise AlignPartsError for a node with two parents, which glTF forbids, and for one in a circle.

    Otherwise a few nodes are a billion. A header that makes no sense fails in its own way.
    """
    nodes, scenes = header.get("nodes", []), header.get("scenes", [])
    shown = scenes[header.get("scene", 0)] if scenes else {}  # others may share its nodes
    parents: dict[int, int] = {}
    for parent, above in enumerate((*nodes, {"children": shown.get("nodes", [])})):
        for child in above.get("children", []):
            if child in parents:
                raise AlignPartsError(f"node {child} has two parents")
            if not 0 <= child < len(nodes):
                raise AlignPartsError(f"node {child} does not exist")
            parents[child] = parent
    free = {len(nodes)} | (set(range(len(nodes))) - set(parents))
    for node in range(len(nodes)):
        way = [node]
        while way[-1] not in free:
            way.append(parents[way[-1]])
            if len(way) > len(nodes) + 1:
                raise AlignPartsError(f"node {node} is below itself")
        free.update(way)


def join_container(header: dict[str, Any], binary: bytes | None) -> bytes:
    """Return the GLB file of a header and a binary chunk."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), _JSON) + text
    if binary is not None:
        binary += b"\0" * (-len(binary) % 4)
        chunks += struct.pack("<II", len(binary), _BIN) + binary
    return struct.pack("<III", _MAGIC, 2, 12 + len(chunks)) + chunks


class GltfBuffer:
    """A binary chunk that grows, with its entries of ``bufferViews`` and ``accessors``."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: _Entries = []
        self.accessors: _Entries = []

    def view(self, data: bytes, target: int | None = None) -> int:
        """Add bytes at a multiple of four; return the index of their view."""
        self.data += b"\0" * (-len(self.data) % 4)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        self.views.append(view if target is None else {**view, "target": target})
        self.data += data
        return len(self.views) - 1

    def accessor(self, values: np.ndarray, target: int | None = None, *, bounds: bool = False) -> int:
        """Add float32, uint16 or uint32 values, (n,) or (n, 2..4); return the index of their accessor.

        ``target`` is the GPU buffer that they are for; ``bounds`` states the extremes, which positions need.
        """
        accessor: dict[str, Any] = {
            "bufferView": self.view(np.ascontiguousarray(values).tobytes(), target),
            "componentType": _COMPONENTS[f"{values.dtype.kind}{values.dtype.itemsize}"],
            "count": len(values),
            "type": _KINDS[values[:1].size],
        }
        if bounds:
            accessor |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def header(self, scene: dict[str, Any], nodes: _Entries, meshes: _Entries) -> dict[str, Any]:
        """Return the header of a file with one scene, but for buffers, materials and images."""
        head = {"asset": {"version": "2.0", "generator": "alignparts"}, "scene": 0, "scenes": [scene]}
        tree = {"nodes": nodes, "meshes": meshes, "accessors": self.accessors, "bufferViews": self.views}
        return {**head, **tree}


def read_accessor(header: dict[str, Any], binary: bytes, number: int) -> np.ndarray:
    """Return the numbers of an accessor as :class:`GltfBuffer` lays them out: tightly packed, flat."""
    accessor = header["accessors"][number]
    view = header["bufferViews"][accessor["bufferView"]]
    dtype = {code: f"<{name}" for name, code in _COMPONENTS.items()}[accessor["componentType"]]
    columns = {name: count for count, name in _KINDS.items()}[accessor["type"]]
    return np.frombuffer(binary, dtype, accessor["count"] * columns, view["byteOffset"])


def write_glb(
    path: Path,
    surface: Surface,
    nodes: list[dict[str, Any]],
    *,
    extras: dict[str, Any] | None = None,
    texture_size: int = 1024,
) -> None:
    """Write a surface with one node per part.

    trimesh writes one material per mesh; a part may have several, so the primitives are laid out here.

    Args:
        path: the .glb to write, atomically.
        surface: the surface.
        nodes: for every part index a dict with "name" and "extras"; unlabeled faces go to a node "unlabeled"
            with extras ``{"part": "", "instance": -1}``.
        extras: extras of the scene.
        texture_size: longest side of an embedded image in pixels.
    """
    low, high = surface.vertices.min(axis=0), surface.vertices.max(axis=0)
    center = (low + high) / 2
    # float32 positions: a shape far from the origin would lose its form.
    far = bool(np.abs(center).max() > 16 * (high - low).max() > 0)
    writer = _Writer(surface, texture_size, center if far else np.zeros(3))
    order = np.argsort(surface.face_part, kind="stable")
    parts, starts = np.unique(surface.face_part[order], return_index=True)
    entries, meshes = [], []
    for number, (part, faces) in enumerate(zip(parts.tolist(), np.split(order, starts[1:]), strict=True)):
        node = nodes[part] if part >= 0 else _UNLABELED
        meshes.append({"name": node["name"], "primitives": writer.primitives(faces)})
        entries.append({"name": node["name"], "mesh": number, "extras": node["extras"]})
    roots = list(range(len(entries)))
    if far:
        entries.append({"name": "origin", "translation": center.tolist(), "children": roots})
        roots = [len(entries) - 1]
    scene = {"nodes": roots, "extras": extras} if extras else {"nodes": roots}
    data = join_container(writer.header(scene, entries, meshes), bytes(writer.data))
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


class _Writer(GltfBuffer):
    """Primitives, materials and images of one file, whose positions are moved by ``-shift``."""

    def __init__(self, surface: Surface, texture_size: int, shift: np.ndarray) -> None:
        super().__init__()
        self.surface, self.texture_size, self.shift = surface, texture_size, shift
        self.images: _Entries = []
        self._image_of: dict[int, tuple[int, bool]] = {}
        self._materials: dict[tuple[Any, ...], tuple[int, dict[str, Any]]] = {}

    def primitives(self, faces: np.ndarray) -> list[dict[str, Any]]:
        """Add faces as one primitive per material and plain color."""
        color = self.surface.corner_color[faces]
        flat = (color == color[:, :1]).all(axis=(1, 2))
        shade = np.full(len(faces), -1)
        distinct, inverse = np.unique(color[flat, 0], axis=0, return_inverse=True)
        if len(distinct) <= _PLAIN_COLORS:
            shade[flat] = inverse.reshape(-1)
        keys = np.stack([self.surface.face_material[faces], shade], axis=1)
        groups, member = np.unique(keys, axis=0, return_inverse=True)
        return [
            self._primitive(faces[member.reshape(-1) == number], material, plain >= 0)
            for number, (material, plain) in enumerate(groups.tolist())
        ]

    def _primitive(self, faces: np.ndarray, index: int, plain: bool) -> dict[str, Any]:
        surface = self.surface
        corner = surface.faces[faces].reshape(-1)
        uv = surface.uv[faces].reshape(-1, 2)
        color = surface.corner_color[faces].reshape(-1, 4)
        textured = surface.textures[index] is not None
        # Corners that differ in nothing become one vertex.
        looks = [uv] * textured + [color] * (not plain)
        columns = [corner[:, None], *(np.ascontiguousarray(look).view(np.int32) for look in looks)]
        table = np.concatenate(columns, axis=1, dtype=np.int64)
        _, first, indices = np.unique(table, axis=0, return_index=True, return_inverse=True)
        points = (surface.vertices[corner[first]] - self.shift).astype(np.float32)
        attributes = {"POSITION": self.accessor(points, _VERTICES, bounds=True)}
        if textured:
            flipped = (uv[first] * np.array([1, -1]) + np.array([0, 1])).astype(np.float32)
            attributes["TEXCOORD_0"] = self.accessor(flipped, _VERTICES)
        if not plain:
            attributes["COLOR_0"] = self.accessor(color[first], _VERTICES)
        kind = np.uint16 if len(first) < 65535 else np.uint32
        accessor = self.accessor(indices.reshape(-1).astype(kind), _INDICES)
        material = self._material(index, color[0] if plain else None, bool(color[:, 3].min() < 1))
        return {"attributes": attributes, "indices": accessor, "material": material, "mode": 4}

    def _material(self, index: int, factor: np.ndarray | None, clear: bool) -> int:
        key = (index, None if factor is None else factor.tobytes(), clear)
        if key not in self._materials:
            pbr: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
            if factor is not None:
                pbr["baseColorFactor"] = factor.tolist()
            image = self.surface.textures[index]
            if image is not None:
                texture, has_alpha = self._image(image)
                pbr["baseColorTexture"] = {"index": texture}
                clear = clear or has_alpha
            material = {"pbrMetallicRoughness": pbr, "doubleSided": True}
            material |= {"alphaMode": "BLEND"} if clear else {}
            self._materials[key] = len(self._materials), material
        return self._materials[key][0]

    def _image(self, pixels: np.ndarray) -> tuple[int, bool]:
        key = id(pixels)
        if key not in self._image_of:
            data, mime, has_alpha = encode_image(pixels, self.texture_size)
            self._image_of[key] = len(self.images), has_alpha
            self.images.append({"bufferView": self.view(data), "mimeType": mime})
        return self._image_of[key]

    def header(self, scene: dict[str, Any], nodes: _Entries, meshes: _Entries) -> dict[str, Any]:
        """Return the whole header of the file."""
        header = super().header(scene, nodes, meshes)
        header["buffers"] = [{"byteLength": len(self.data) + -len(self.data) % 4}]
        header["materials"] = [material for _, material in self._materials.values()]
        if self.images:
            header["images"] = self.images
            header["samplers"] = [{"wrapS": 10497, "wrapT": 10497}]
            header["textures"] = [{"source": index, "sampler": 0} for index in range(len(self.images))]
        return header


def encode_image(pixels: np.ndarray, longest: int) -> tuple[bytes, str, bool]:
    """Encode RGBA (H, W, 4) uint8, at most ``longest`` a side; return file, MIME type, and True for alpha."""
    has_alpha = bool(pixels[..., 3].min() < 255)
    image = Image.fromarray(pixels if has_alpha else np.ascontiguousarray(pixels[..., :3]))
    image.thumbnail((longest, longest))
    stream = io.BytesIO()
    if has_alpha:
        image.save(stream, "PNG", compress_level=4)
        return stream.getvalue(), "image/png", True
    image.save(stream, "JPEG", quality=92, subsampling=0)
    return stream.getvalue(), "image/jpeg", False
