"""Files as they should not be: what lies between the good ones in any large collection."""

import struct
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from alignparts.corpus.mesh.glb import encode_image, join_container, split_container
from alignparts.corpus.mesh.surface import Surface, make_surface
from texparts.raw import texverse

FRAGMENTS = 3000
REPEATS = 2000
BOMB_SIDE = 30_000
"""Pixels a side that a texture of a few hundred bytes claims."""


@dataclass(frozen=True)
class Kind:
    """One kind of broken file.

    Attributes:
        reason: why the filter leaves it out.
        make: its bytes, from the surface of some shape.
        license: where that is what is wrong with it.
    """

    reason: str
    make: Callable[[Surface, np.random.Generator], bytes]
    license: str = ""


def glb_of(surface: Surface) -> bytes:
    """A surface as one mesh in a GLB of TexVerse's form."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.glb"
        texverse.write(path, surface, np.zeros(len(surface.faces), np.int32))
        return path.read_bytes()


def with_texture(data: bytes, image: bytes, mime: str) -> bytes:
    """A GLB whose every material has this image as its base color."""
    header, binary = _split(data)
    buffer = bytearray(binary)
    header["bufferViews"].append({"buffer": 0, "byteOffset": len(buffer), "byteLength": len(image)})
    buffer += image + b"\0" * (-len(image) % 4)
    header["buffers"][0]["byteLength"] = len(buffer)
    header["images"] = [{"bufferView": len(header["bufferViews"]) - 1, "mimeType": mime}]
    _show_image(header)
    return join_container(header, bytes(buffer))


def png_bomb(side: int = BOMB_SIDE) -> bytes:
    """A PNG that claims ``side`` x ``side`` pixels in a few hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\0" * (1 << 16), 9)
    claim = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", claim) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _split(data: bytes) -> tuple[dict[str, Any], bytes]:
    header, binary = split_container(data, "malformed")
    return header, binary or b""


def _show_image(header: dict[str, Any]) -> None:
    header["textures"] = [{"source": 0}]
    for material in header["materials"]:
        material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}


def _edited(edit: Callable[[dict[str, Any]], None]) -> Callable[[Surface, np.random.Generator], bytes]:
    """A good GLB whose header was changed."""

    def make(surface: Surface, rng: np.random.Generator) -> bytes:
        header, binary = _split(glb_of(surface))
        edit(header)
        return join_container(header, binary)

    return make


def _no_faces(header: dict[str, Any]) -> None:
    for node in header["nodes"]:
        node.pop("mesh", None)
    header.pop("meshes")


def _points_only(header: dict[str, Any]) -> None:
    for mesh in header["meshes"]:
        for primitive in mesh["primitives"]:
            primitive["mode"] = 0
            primitive.pop("indices")


def _repeated(header: dict[str, Any]) -> None:
    """One mesh shown a few thousand times: a small file with millions of faces."""
    first = len(header["nodes"])
    header["nodes"] += [{"mesh": 0, "translation": [float(index), 0, 0]} for index in range(REPEATS)]
    header["scenes"][0]["nodes"] += range(first, first + REPEATS)


def _shared_children(header: dict[str, Any]) -> None:
    """Every node shows the next one twice: 2 to the power of 40 meshes."""
    first, levels = len(header["nodes"]), 40
    header["nodes"] += [{"children": [first + level + 1] * 2} for level in range(levels)] + [{"mesh": 0}]
    header["scenes"][0]["nodes"].append(first)


def _claimed_memory(header: dict[str, Any]) -> None:
    """An accessor without data: billions of zeros to be made."""
    for accessor in header["accessors"]:
        accessor["count"] = 4_000_000_000
        accessor.pop("bufferView")


def _missing_buffer(header: dict[str, Any]) -> None:
    header["buffers"][0]["uri"] = "scene.bin"


def _outside(header: dict[str, Any]) -> None:
    header["images"] = [{"uri": "../../../../outside.png"}]
    _show_image(header)


def _not_finite(surface: Surface, rng: np.random.Generator) -> bytes:
    header, binary = _split(glb_of(surface))
    where = header["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
    start = header["bufferViews"][header["accessors"][where]["bufferView"]]["byteOffset"]
    buffer = bytearray(binary)
    buffer[start : start + 12] = struct.pack("<3f", np.nan, np.inf, 0)
    return join_container(header, bytes(buffer))


def _no_area(surface: Surface, rng: np.random.Generator) -> bytes:
    return glb_of(replace(surface, vertices=surface.vertices * np.array([1.0, 0.0, 0.0])))


def _flat(surface: Surface, rng: np.random.Generator) -> bytes:
    return glb_of(replace(surface, vertices=surface.vertices * np.array([1.0, 1.0, 0.0])))


def _few_faces(surface: Surface, rng: np.random.Generator) -> bytes:
    return glb_of(surface.subset(np.arange(3)))


def _fragments(surface: Surface, rng: np.random.Generator) -> bytes:
    corners = rng.uniform(-1, 1, (FRAGMENTS, 1, 3)) + rng.normal(0, 0.005, (FRAGMENTS, 3, 3))
    faces = np.arange(3 * FRAGMENTS).reshape(-1, 3)
    return glb_of(make_surface(corners, faces, color=np.c_[rng.random((FRAGMENTS, 3)), np.ones(FRAGMENTS)]))


def _colorless(surface: Surface, rng: np.random.Generator) -> bytes:
    return glb_of(make_surface(surface.vertices, surface.faces))


def _cut_texture(surface: Surface, rng: np.random.Generator) -> bytes:
    pixels = rng.integers(0, 255, (64, 64, 4), np.uint8)
    pixels[..., 3] = 255
    image, mime, _ = encode_image(pixels, 64)
    return with_texture(glb_of(surface), image[: len(image) // 2], mime)


KINDS: dict[str, Kind] = {
    "empty": Kind("unreadable", lambda *_: b""),
    "not_glb": Kind("unreadable", lambda *_: b"<!DOCTYPE html><title>404 Not Found</title>\n"),
    "truncated": Kind("unreadable", lambda surface, _: glb_of(surface)[:-400]),
    "missing_buffer": Kind("unreadable", _edited(_missing_buffer)),
    "shared_children": Kind("unreadable", _edited(_shared_children)),
    "claimed_memory": Kind("too_many_faces", _edited(_claimed_memory)),
    "no_faces": Kind("no_faces", _edited(_no_faces)),
    "points_only": Kind("no_faces", _edited(_points_only)),
    "few_faces": Kind("too_few_faces", _few_faces),
    "repeated": Kind("too_many_faces", _edited(_repeated)),
    "not_finite": Kind("not_finite", _not_finite),
    "no_area": Kind("no_area", _no_area),
    "flat": Kind("flat", _flat),
    "absurd_scale": Kind(
        "scale", lambda surface, _: glb_of(replace(surface, vertices=surface.vertices * 1e12))
    ),
    "fragments": Kind("too_many_components", _fragments),
    "colorless": Kind("no_texture", _colorless),
    "broken_texture": Kind(
        "texture_broken", lambda surface, rng: with_texture(glb_of(surface), rng.bytes(500), "image/png")
    ),
    "cut_texture": Kind("texture_broken", _cut_texture),
    "outside_texture": Kind("texture_broken", _edited(_outside)),
    "bomb": Kind(
        "texture_too_large", lambda surface, _: with_texture(glb_of(surface), png_bomb(), "image/png")
    ),
    "duplicate": Kind(
        "duplicate", lambda surface, _: glb_of(replace(surface, vertices=surface.vertices * 2.5))
    ),
    "no_derivatives": Kind("license", lambda surface, _: glb_of(surface), "CC Attribution-NoDerivs"),
}  # fmt: skip
"""By name."""
