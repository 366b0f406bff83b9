"""Check a file's claims before anything of it is decoded or built.

A glTF file of a kilobyte can claim a billion triangles: by an accessor without data, by one mesh that is
shown a million times, by nodes that share children. An image of a kilobyte can claim a billion pixels.
"""

import base64
import binascii
import re
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from PIL import Image, UnidentifiedImageError

from alignparts.core.config.texparts import FilterParams
from alignparts.core.errors import AlignPartsError
from alignparts.corpus.mesh.glb import check_tree, split_container
from alignparts.corpus.mesh.images import open_image
from alignparts.corpus.mesh.scene import FolderResolver
from texparts.filter.rejected import Rejected, require

_CORNERS = 3
_TRIANGLES, _STRIPS = 4, (5, 6)
# Names end where their lines do and are stripped afterwards: looking for the last blank takes n^2 steps.
_MAP = re.compile(r"\s*map_K[da]\s+(?:-\S+\s+[-\d.]+\s+)*(.*)", re.IGNORECASE)
_LIBRARY = re.compile(rb"^mtllib[ \t]+([^\r\n]*)", re.MULTILINE)
_PLY_TEXTURE = re.compile(rb"^comment TextureFile ([^\r\n]*)", re.MULTILINE)


def check_claims(path: Path, data: bytes, limits: FilterParams, decode: bool = True) -> None:
    """Compare the claims of a mesh file with the limits.

    Args:
        path: path of the file, whose folder may hold images and buffers of it.
        data: content of the file.
        limits: limits of faces, pixels and bytes.
        decode: True decodes the base colors of glTF files once, to find broken ones.

    Raises:
        Rejected: it claims too much, or its header makes no sense.
    """
    try:
        if path.suffix.lower() in (".glb", ".gltf"):
            _check_gltf(path, data, limits, decode)
        else:
            for name in _image_names(path, data, limits):
                _check_pixels(name, _beside(path, name, limits), limits)
    except AlignPartsError as error:
        raise Rejected("unreadable", str(error)) from None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError, OSError) as error:
        reason = f"{type(error).__name__}: {str(error)[:120]}"
        raise Rejected("unreadable", f"the header makes no sense ({reason})") from None


def image_size(name: str, data: bytes) -> tuple[int, int]:
    """Return width and height in pixels as an image file claims them; nothing is decoded.

    Raises:
        Rejected: it claims more than Pillow would ever open, or is no image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with open_image(data) as image:
                return image.size
    except Image.DecompressionBombError as error:
        claimed = re.search(r"\d{6,}", str(error))
        pixels = f"{int(claimed[0]):,} pixels" if claimed else "too many pixels"
        raise Rejected("texture_too_large", f"{name}: claims {pixels}; it was not decoded") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise Rejected("texture_broken", f"{name}: not an image that can be read") from None


def check_size(file: Path, limits: FilterParams) -> None:
    """Raise Rejected for a file that is too large to be read."""
    size, most = file.stat().st_size / 2**20 if file.is_file() else 0.0, limits.megabytes
    require(size <= most, "file_too_large", f"{file.name}: {size:,.0f} MB; expected at most {most:,.0f} MB")


def _check_gltf(path: Path, data: bytes, limits: FilterParams, decode: bool) -> None:
    require(bool(data.strip()), "unreadable", "the file is empty")
    header, binary = split_container(data, path.name)
    check_tree(header)
    _check_counts(header, limits.faces[1])
    buffers = [
        (binary or b"") if entry.get("uri") is None else _linked(path, entry["uri"], limits)
        for entry in header.get("buffers", [])
    ]
    shown, pixels, most = _base_colors(header), 0, limits.texture_pixels
    for index, entry in enumerate(header.get("images", [])):
        name = f"image {index}"
        try:
            if "bufferView" in entry:
                view = header["bufferViews"][entry["bufferView"]]
                start = view.get("byteOffset", 0)
                content = buffers[view["buffer"]][start : start + view["byteLength"]]
            else:
                content = _linked(path, entry["uri"], limits)
            size = _check_pixels(name, content, limits)
        except (AlignPartsError, Rejected) as error:
            if isinstance(error, Rejected) and error.reason != "texture_broken":
                raise
            # Maps of roughness and the like are never read.
            require(index not in shown, "texture_broken", getattr(error, "detail", str(error)))
            continue
        if index in shown:
            pixels += size
            detail = f"{pixels:,} pixels of base color; expected at most {most:,}"
            require(pixels <= most, "texture_too_large", detail)
            if decode:
                _decode(name, content)


def _check_counts(header: dict[str, Any], most: int) -> None:
    """Compare the counts of values, faces and vertices with the limit of faces."""
    counts = [accessor["count"] for accessor in header.get("accessors", [])]
    for index, count in enumerate(counts):
        claim = f"accessor {index} claims {count:,} values"
        require(0 <= count <= _CORNERS * most, "too_many_faces", claim)

    def size(primitive: dict[str, Any]) -> tuple[int, int]:
        """Return the faces and vertices of a primitive."""
        position = primitive.get("attributes", {}).get("POSITION")
        corners, mode = primitive.get("indices", position), primitive.get("mode", _TRIANGLES)
        vertices, count = (0 if key is None else int(counts[key]) for key in (position, corners))
        if mode == _TRIANGLES:
            return count // _CORNERS, vertices
        return max(count - 2, 0) if mode in _STRIPS else 0, vertices

    sizes = [[size(primitive) for primitive in mesh["primitives"]] for mesh in header.get("meshes", [])]
    shown = [sizes[node["mesh"]] for node in header.get("nodes", []) if "mesh" in node]
    faces, vertices = (sum(primitive[kind] for mesh in shown for primitive in mesh) for kind in (0, 1))
    claim = f"{faces:,} faces in {len(shown):,} meshes; expected at most {most:,}"
    require(faces <= most, "too_many_faces", claim)
    claim = f"{vertices:,} vertices; expected at most {_CORNERS * most:,}"
    require(vertices <= _CORNERS * most, "too_many_faces", claim)


def _base_colors(header: dict[str, Any]) -> set[int]:
    """Return the images that are some material's base color."""
    images = set()
    for material in header.get("materials", []):
        glossy = material.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness", {})
        plain = material.get("pbrMetallicRoughness", {})
        for used in filter(None, (plain.get("baseColorTexture"), glossy.get("diffuseTexture"))):
            texture = header.get("textures", [])[used["index"]]
            webp = texture.get("extensions", {}).get("EXT_texture_webp", {})
            images.add(texture.get("source", webp.get("source")))
    return images


def _linked(path: Path, uri: str, limits: FilterParams) -> bytes:
    """Return the data of a glTF file's URI: its own, or those of a file in its folder."""
    if not uri.startswith("data:"):
        return _beside(path, unquote(uri), limits)
    try:
        return base64.b64decode(uri.partition(",")[2])
    except (binascii.Error, ValueError):
        raise Rejected("unreadable", "a data URI is not base64") from None


def _beside(path: Path, name: str, limits: FilterParams) -> bytes:
    """Return the content of a file in the folder of a mesh; an OBJ may also refer to the folder above."""
    folder = path.parent
    check_size(folder / name.strip().replace("\\", "/"), limits)
    return FolderResolver(folder, folder.parent if path.suffix.lower() == ".obj" else folder).get(name)


def _image_names(path: Path, data: bytes, limits: FilterParams) -> list[str]:
    """Return the existing images that an OBJ or a PLY refers to."""
    names: list[str] = []
    if path.suffix.lower() == ".ply":
        names = [name.decode("utf-8", "replace").strip() for name in _PLY_TEXTURE.findall(data[: 1 << 16])]
    if path.suffix.lower() == ".obj":
        for library in _LIBRARY.findall(data):
            name = library.decode("utf-8", "replace").strip()
            if (path.parent / name.replace("\\", "/")).is_file():
                lines = _beside(path, name, limits).decode("utf-8", "replace").splitlines()
                names += [found[1].strip() for found in map(_MAP.match, lines) if found]
    return [name for name in dict.fromkeys(names) if (path.parent / name.replace("\\", "/")).is_file()]


def _check_pixels(name: str, data: bytes, limits: FilterParams) -> int:
    """Return the number of pixels that an image claims."""
    (width, height), most = image_size(name, data), limits.texture_pixels
    claim = f"{name}: claims {width:,} x {height:,} pixels and was not decoded; expected at most {most:,}"
    require(width * height <= most, "texture_too_large", claim)
    return width * height


def _decode(name: str, data: bytes) -> None:
    try:
        with open_image(data) as image:
            image.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise Rejected("texture_broken", f"{name}: cannot be decoded ({str(error)[:120]})") from None
