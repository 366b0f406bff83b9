"""What a file claims, checked before anything of it is decoded or built.

A glTF file of a kilobyte can claim a billion triangles: by an accessor without data, by one mesh that is
shown a million times, by nodes that share children. An image of a kilobyte can claim a billion pixels.
"""

import base64
import binascii
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from PIL import Image, UnidentifiedImageError

from alignparts.core.config.texparts import FilterParams
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import split_container
from alignparts.corpus.mesh.scene import FolderResolver
from texparts.filter.rejected import Rejected

_CORNERS = 3
_TRIANGLES, _STRIPS = 4, (5, 6)
_MAPS = re.compile(r"^\s*map_K[da]\s+(?:-\S+\s+[-\d.]+\s+)*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)
_LIBRARY = re.compile(rb"^mtllib\s+(.+?)\s*$", re.MULTILINE)
_PLY_TEXTURE = re.compile(rb"^comment TextureFile (.+?)\s*$", re.MULTILINE)


def check_claims(path: Path, data: bytes, limits: FilterParams, decode: bool = True) -> None:
    """Compare what a mesh file claims with the limits.

    Args:
        path: the file; images beside it are looked at too.
        data: its content.
        limits: of faces, pixels and bytes.
        decode: whether the base colors of glTF files are decoded once, to find broken ones.

    Raises:
        Rejected: it claims too much, or its header makes no sense.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in (".glb", ".gltf"):
            _check_gltf(path, data, limits, decode)
        else:
            for name in _image_names(path, suffix, data):
                _check_pixels(name, _beside(path, name, limits), limits)
    except AlignPartsError as error:
        raise Rejected("unreadable", str(error)) from None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        what = f"{type(error).__name__}: {str(error)[:120]}"
        raise Rejected("unreadable", f"the header makes no sense ({what})") from None


def image_size(name: str, data: bytes) -> tuple[int, int]:
    """Width and height as an image file claims them; nothing is decoded.

    Raises:
        Rejected: it claims more than Pillow would ever open, or is no image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                return image.size
    except Image.DecompressionBombError as error:
        claimed = re.search(r"\d{6,}", str(error))
        pixels = f"{int(claimed[0]):,} pixels" if claimed else "too many pixels"
        raise Rejected("texture_too_large", f"{name}: claims {pixels}; it was not decoded") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise Rejected("texture_broken", f"{name}: not an image that can be read") from None


def _check_gltf(path: Path, data: bytes, limits: FilterParams, decode: bool) -> None:
    if not data.strip():
        raise Rejected("unreadable", "the file is empty")
    header, binary = split_container(data, path.name)
    _check_tree(header)
    _check_counts(header, limits.faces[1])
    buffers: dict[int, bytes] = {}
    for index, entry in enumerate(header.get("buffers", [])):
        uri = entry.get("uri")
        buffers[index] = (binary or b"") if uri is None else _linked(path, uri, limits)
    shown = _base_colors(header)
    pixels = 0
    for index, entry in enumerate(header.get("images", [])):
        name = f"image {index}"
        try:
            content = _image_bytes(path, header, entry, buffers, limits)
            size = _check_pixels(name, content, limits)
        except (AlignPartsError, Rejected) as error:
            if isinstance(error, Rejected) and error.reason != "texture_broken":
                raise
            # Maps of roughness and the like are never read.
            if index in shown:
                raise Rejected("texture_broken", getattr(error, "detail", str(error))) from None
            continue
        if index in shown:
            pixels += size
            if pixels > limits.texture_pixels:
                raise Rejected(
                    "texture_too_large",
                    f"{pixels:,} pixels of base color; expected at most {limits.texture_pixels:,}",
                )
            if decode:
                _decode(name, content)


def _check_tree(header: dict[str, Any]) -> None:
    """Every node has one parent at most, as glTF wants: otherwise a few nodes are a billion."""
    seen: set[int] = set()
    nodes = header.get("nodes", [])
    for children in (*(node.get("children", []) for node in nodes), *_roots(header)):
        for child in children:
            if child in seen:
                raise Rejected("unreadable", f"node {child} has two parents")
            if not 0 <= child < len(nodes):
                raise Rejected("unreadable", f"node {child} does not exist")
            seen.add(child)


def _roots(header: dict[str, Any]) -> Iterator[list[int]]:
    """The nodes of the scene that is shown; several scenes may share theirs."""
    scenes = header.get("scenes", [])
    if scenes:
        yield scenes[header.get("scene", 0)].get("nodes", [])


def _check_counts(header: dict[str, Any], most: int) -> None:
    accessors = header.get("accessors", [])
    for index, accessor in enumerate(accessors):
        if not 0 <= accessor["count"] <= _CORNERS * most:
            raise Rejected("too_many_faces", f"accessor {index} claims {accessor['count']:,} values")
    faces, vertices = [], []
    for mesh in header.get("meshes", []):
        primitives = mesh["primitives"]
        faces.append(sum(_faces(primitive, accessors) for primitive in primitives))
        vertices.append(
            sum(_count(one.get("attributes", {}).get("POSITION"), accessors) for one in primitives)
        )
    shown = [node["mesh"] for node in header.get("nodes", []) if "mesh" in node]
    total = sum(faces[index] for index in shown)
    if total > most:
        raise Rejected(
            "too_many_faces", f"{total:,} faces in {len(shown):,} meshes; expected at most {most:,}"
        )
    total = sum(vertices[index] for index in shown)
    if total > _CORNERS * most:
        raise Rejected("too_many_faces", f"{total:,} vertices; expected at most {_CORNERS * most:,}")


def _faces(primitive: dict[str, Any], accessors: list[dict[str, Any]]) -> int:
    corners = primitive.get("indices", primitive.get("attributes", {}).get("POSITION"))
    count, mode = _count(corners, accessors), primitive.get("mode", _TRIANGLES)
    if mode == _TRIANGLES:
        return count // _CORNERS
    return max(count - 2, 0) if mode in _STRIPS else 0


def _count(accessor: int | None, accessors: list[dict[str, Any]]) -> int:
    return 0 if accessor is None else int(accessors[accessor]["count"])


def _base_colors(header: dict[str, Any]) -> set[int]:
    """Images that are some material's base color."""
    textures = header.get("textures", [])
    found = set()
    for material in header.get("materials", []):
        glossy = material.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness", {})
        plain = material.get("pbrMetallicRoughness", {})
        for used in (plain.get("baseColorTexture"), glossy.get("diffuseTexture")):
            if used:
                texture = textures[used["index"]]
                webp = texture.get("extensions", {}).get("EXT_texture_webp", {})
                found.add(texture.get("source", webp.get("source")))
    return found


def _image_bytes(
    path: Path, header: dict[str, Any], entry: dict[str, Any], buffers: dict[int, bytes], limits: FilterParams
) -> bytes:
    if "bufferView" not in entry:
        return _linked(path, entry["uri"], limits)
    view = header["bufferViews"][entry["bufferView"]]
    start = view.get("byteOffset", 0)
    return buffers[view["buffer"]][start : start + view["byteLength"]]


def _linked(path: Path, uri: str, limits: FilterParams) -> bytes:
    """What a URI of a glTF file leads to: data of its own, or a file in its folder."""
    if not uri.startswith("data:"):
        return _beside(path, unquote(uri), limits)
    try:
        return base64.b64decode(uri.partition(",")[2])
    except (binascii.Error, ValueError):
        raise Rejected("unreadable", "a data URI is not base64") from None


def _beside(path: Path, name: str, limits: FilterParams) -> bytes:
    resolver = FolderResolver(
        path.parent, path.parent.parent if path.suffix.lower() == ".obj" else path.parent
    )
    file = path.parent / name.strip().replace("\\", "/")
    check_size(file, limits)
    return resolver.get(name)


def check_size(file: Path, limits: FilterParams) -> None:
    """Refuse a file that is too large to be read.

    Raises:
        Rejected: it is.
    """
    size = file.stat().st_size / 2**20 if file.is_file() else 0.0
    if size > limits.megabytes:
        raise Rejected(
            "file_too_large", f"{file.name}: {size:,.0f} MB; expected at most {limits.megabytes:,.0f} MB"
        )


def _image_names(path: Path, suffix: str, data: bytes) -> Iterator[str]:
    """Images that an OBJ or a PLY refers to and that are there."""
    names: list[str] = []
    if suffix == ".ply":
        names = [found.decode("utf-8", "replace") for found in _PLY_TEXTURE.findall(data[: 1 << 16])]
    if suffix == ".obj":
        for library in _LIBRARY.findall(data):
            material = path.parent / library.decode("utf-8", "replace")
            if material.is_file():
                names += _MAPS.findall(material.read_text("utf-8", "replace"))
    for name in dict.fromkeys(names):
        if (path.parent / name.replace("\\", "/")).is_file():
            yield name


def _check_pixels(name: str, data: bytes, limits: FilterParams) -> int:
    width, height = image_size(name, data)
    if width * height > limits.texture_pixels:
        raise Rejected(
            "texture_too_large",
            f"{name}: claims {width:,} x {height:,} pixels and was not decoded; "
            f"expected at most {limits.texture_pixels:,}",
        )
    return width * height


def _decode(name: str, data: bytes) -> None:
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise Rejected("texture_broken", f"{name}: cannot be decoded ({str(error)[:120]})") from None
