"""Writing a surface as GLB: one node a part, materials and textures kept."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from alignparts.core.atomic import write_atomically
from alignparts.corpus.mesh.glb import join_container
from alignparts.corpus.mesh.surface import Surface

_UNLABELED: dict[str, Any] = {"name": "unlabeled", "extras": {"part": "", "instance": -1}}


def write_glb(
    path: Path,
    surface: Surface,
    nodes: list[dict[str, Any]],
    *,
    extras: dict[str, Any] | None = None,
    texture_size: int = 1024,
) -> None:
    """Write a surface with one node a part.

    trimesh writes one material a mesh; a part may have several, so the primitives are laid out here.

    Args:
        path: the .glb to write, atomically.
        surface: what to write.
        nodes: for every part index a dict with "name" and "extras"; faces with ``face_part`` -1 go to a node
            called "unlabeled" with extras ``{"part": "", "instance": -1}``.
        extras: of the scene.
        texture_size: longest side of an embedded image in pixels.
    """
    writer = _Writer(surface, texture_size)
    center = np.zeros(3)
    if len(surface.vertices):
        center = (surface.vertices.min(axis=0) + surface.vertices.max(axis=0)) / 2
    # float32 positions: what lies far from the origin would lose its shape.
    extent = float(np.ptp(surface.vertices, axis=0).max()) if len(surface.vertices) else 0.0
    far = bool(np.abs(center).max() > 16 * extent > 0)
    shift = center if far else np.zeros(3)
    tree_nodes: list[dict[str, Any]] = []
    order = np.argsort(surface.face_part, kind="stable")
    parts, starts = np.unique(surface.face_part[order], return_index=True)
    ends = [*starts[1:].tolist(), len(order)]
    for part, start, end in zip(parts.tolist(), starts.tolist(), ends, strict=True):
        node = nodes[part] if part >= 0 else _UNLABELED
        mesh = writer.mesh(node["name"], order[start:end], shift)
        tree_nodes.append({"name": node["name"], "mesh": mesh, "extras": node["extras"]})
    roots = list(range(len(tree_nodes)))
    if far:
        tree_nodes.append({"name": "origin", "translation": shift.tolist(), "children": roots})
        roots = [len(tree_nodes) - 1]
    tree = writer.tree(tree_nodes, roots, extras)
    write_atomically(
        path, lambda temporary: temporary.write_bytes(join_container(tree, bytes(writer.buffer)))
    )


class _Writer:
    """Accessors, materials and images of one file."""

    def __init__(self, surface: Surface, texture_size: int) -> None:
        self.surface = surface
        self.texture_size = texture_size
        self.buffer = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self.meshes: list[dict[str, Any]] = []
        self.materials: list[dict[str, Any]] = []
        self.images: list[dict[str, Any]] = []
        self._image_of: dict[int, tuple[int, bool]] = {}
        self._material_of: dict[tuple[Any, ...], int] = {}

    def mesh(self, name: str, faces: np.ndarray, shift: np.ndarray) -> int:
        """Add a mesh of these faces, moved by ``-shift``; returns its index."""
        primitives = []
        material = self.surface.face_material[faces]
        flat = (self.surface.corner_color[faces] == self.surface.corner_color[faces][:, :1]).all(axis=(1, 2))
        shade = np.where(flat, 0, -1)
        if flat.any():
            colors = self.surface.corner_color[faces][flat, 0]
            distinct, inverse = np.unique(colors, axis=0, return_inverse=True)
            # A few plain colors become materials; many become vertex colors.
            shade[flat] = inverse.reshape(-1) if len(distinct) <= 4 else -1
        keys = np.stack([material, shade], axis=1)
        groups, member = np.unique(keys, axis=0, return_inverse=True)
        for number, (index, plain) in enumerate(groups.tolist()):
            chosen = faces[member.reshape(-1) == number]
            factor = None if plain < 0 else self.surface.corner_color[chosen[0], 0]
            primitives.append(self._primitive(chosen, index, factor, shift))
        self.meshes.append({"name": name, "primitives": primitives})
        return len(self.meshes) - 1

    def _primitive(
        self, faces: np.ndarray, index: int, factor: np.ndarray | None, shift: np.ndarray
    ) -> dict[str, Any]:
        surface = self.surface
        corner = surface.faces[faces].reshape(-1)
        uv = surface.uv[faces].reshape(-1, 2)
        color = surface.corner_color[faces].reshape(-1, 4)
        textured = surface.textures[index] is not None
        columns = [corner]
        if textured:
            columns += [*np.ascontiguousarray(uv).view(np.int32).T]
        if factor is None:
            columns += [*np.ascontiguousarray(color).view(np.int32).T]
        _, first, indices = np.unique(
            np.stack(columns, axis=1).astype(np.int64), axis=0, return_index=True, return_inverse=True
        )
        points = (surface.vertices[corner[first]] - shift).astype(np.float32)
        attributes = {"POSITION": self._accessor(points, "VEC3", 34962, bounds=True)}
        if textured:
            flipped = uv[first] * np.array([1, -1]) + np.array([0, 1])
            attributes["TEXCOORD_0"] = self._accessor(flipped.astype(np.float32), "VEC2", 34962)
        clear = False
        if factor is None:
            attributes["COLOR_0"] = self._accessor(color[first], "VEC4", 34962)
            clear = bool(color[:, 3].min() < 1)
        kind = np.uint16 if len(first) < 65535 else np.uint32
        return {
            "attributes": attributes,
            "indices": self._accessor(indices.reshape(-1).astype(kind), "SCALAR", 34963),
            "material": self._material(index, factor, clear),
            "mode": 4,
        }

    def _accessor(self, values: np.ndarray, kind: str, target: int, bounds: bool = False) -> int:
        component = {"f": 5126, "u2": 5123, "u4": 5125}[
            "f" if values.dtype.kind == "f" else f"u{values.dtype.itemsize}"
        ]
        accessor = {
            "bufferView": self._view(np.ascontiguousarray(values).tobytes(), target),
            "componentType": component,
            "count": len(values),
            "type": kind,
        }
        if bounds:
            accessor |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def _view(self, data: bytes, target: int | None = None) -> int:
        self.buffer += b"\0" * (-len(self.buffer) % 4)
        view = {"buffer": 0, "byteOffset": len(self.buffer), "byteLength": len(data)}
        self.views.append(view if target is None else {**view, "target": target})
        self.buffer += data
        return len(self.views) - 1

    def _material(self, index: int, factor: np.ndarray | None, clear: bool) -> int:
        key = (index, None if factor is None else factor.tobytes(), clear)
        if key not in self._material_of:
            pbr: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
            if factor is not None:
                pbr["baseColorFactor"] = [float(value) for value in factor]
                clear = bool(factor[3] < 1)
            image = self.surface.textures[index]
            if image is not None:
                texture, has_alpha = self._image(image)
                pbr["baseColorTexture"] = {"index": texture}
                clear = clear or has_alpha
            material: dict[str, Any] = {"pbrMetallicRoughness": pbr, "doubleSided": True}
            if clear:
                material["alphaMode"] = "BLEND"
            self._material_of[key] = len(self.materials)
            self.materials.append(material)
        return self._material_of[key]

    def _image(self, pixels: np.ndarray) -> tuple[int, bool]:
        key = id(pixels)
        if key not in self._image_of:
            data, mime, has_alpha = encode_image(pixels, self.texture_size)
            self.images.append({"bufferView": self._view(data), "mimeType": mime})
            self._image_of[key] = (len(self.images) - 1, has_alpha)
        return self._image_of[key]

    def tree(
        self, nodes: list[dict[str, Any]], roots: list[int], extras: dict[str, Any] | None
    ) -> dict[str, Any]:
        """The header of the file."""
        scene: dict[str, Any] = {"nodes": roots}
        if extras:
            scene["extras"] = extras
        tree: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": "alignparts"},
            "scene": 0,
            "scenes": [scene],
            "nodes": nodes,
            "meshes": self.meshes,
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": len(self.buffer) + -len(self.buffer) % 4}],
        }
        if self.materials:
            tree["materials"] = self.materials
        if self.images:
            tree["images"] = self.images
            tree["samplers"] = [{"wrapS": 10497, "wrapT": 10497}]
            tree["textures"] = [{"source": index, "sampler": 0} for index in range(len(self.images))]
        return tree


def encode_image(pixels: np.ndarray, longest: int) -> tuple[bytes, str, bool]:
    """An image (H, W, 4) uint8 as JPEG, or PNG where it has alpha: bytes, MIME type, whether it has alpha."""
    has_alpha = bool(pixels[..., 3].min() < 255)
    image = Image.fromarray(pixels if has_alpha else np.ascontiguousarray(pixels[..., :3]))
    image.thumbnail((longest, longest))
    stream = io.BytesIO()
    if has_alpha:
        image.save(stream, "PNG", compress_level=4)
        return stream.getvalue(), "image/png", True
    image.save(stream, "JPEG", quality=92, subsampling=0)
    return stream.getvalue(), "image/jpeg", False
