"""Make broken files, as they lie between the good ones in any large collection."""

import struct
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from alignparts.corpus.mesh.glb import encode_image, join_container, split_container
from alignparts.corpus.mesh.surface import Surface, make_surface
from texparts.raw import texverse

FRAGMENTS = 3000
REPEATS = 2000
BOMB_SIDE = 30_000
"""Pixels per side that a texture of a few hundred bytes claims."""


class Kind(NamedTuple):
    """One kind of broken file.

    Attributes:
        reason: reason for which the filter leaves it out.
        make: returns its bytes, from the surface of some shape.
        license: license of the file, if that is the fault.
    """

    reason: str
    make: Callable[[Surface, np.random.Generator], bytes]
    license: str = ""


def glb_of(surface: Surface) -> bytes:
    """Return a surface as one mesh in a GLB of TexVerse's form."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.glb"
        texverse.write(path, surface, np.zeros(len(surface.faces), np.int32))
        return path.read_bytes()


def with_texture(data: bytes, image: bytes, mime: str) -> bytes:
    """Return a GLB whose every material has this image as its base color."""
    header, binary = _split(data)
    header["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(image)})
    binary += image + b"\0" * (-len(image) % 4)
    header["buffers"][0]["byteLength"] = len(binary)
    _show_image(header, {"bufferView": len(header["bufferViews"]) - 1, "mimeType": mime})
    return join_container(header, binary)


def png_bomb(side: int = BOMB_SIDE) -> bytes:
    """Return a PNG that claims ``side`` x ``side`` pixels in a few hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\0" * (1 << 16), 9)
    claim = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", claim) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _split(data: bytes) -> tuple[dict[str, Any], bytes]:
    header, binary = split_container(data, "malformed")
    return header, binary or b""


def _show_image(header: dict[str, Any], image: dict[str, Any]) -> None:
    header["images"] = [image]
    header["textures"] = [{"source": 0}]
    for material in header["materials"]:
        material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}


def _edited(edit: Callable[[dict[str, Any]], object]) -> Callable[[Surface, np.random.Generator], bytes]:
    """Return the maker of a good GLB whose header was changed."""

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
    """Show one mesh a few thousand times: a small file with millions of faces."""
    first = len(header["nodes"])
    header["nodes"] += [{"mesh": 0, "translation": [float(index), 0, 0]} for index in range(REPEATS)]
    header["scenes"][0]["nodes"] += range(first, first + REPEATS)


def _shared_children(header: dict[str, Any]) -> None:
    """Let every node show the next one twice: 2 to the power of 40 meshes."""
    first, levels = len(header["nodes"]), 40
    header["nodes"] += [{"children": [first + level + 1] * 2} for level in range(levels)] + [{"mesh": 0}]
    header["scenes"][0]["nodes"].append(first)


def _claimed_memory(header: dict[str, Any]) -> None:
    """Leave accessors without data: billions of zeros to be made."""
    for accessor in header["accessors"]:
        accessor["count"] = 4_000_000_000
        accessor.pop("bufferView")


def _not_finite(surface: Surface, rng: np.random.Generator) -> bytes:
    header, binary = _split(glb_of(surface))
    position = header["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
    start = header["bufferViews"][header["accessors"][position]["bufferView"]]["byteOffset"]
    broken = struct.pack("<3f", np.nan, np.inf, 0)
    return join_container(header, binary[:start] + broken + binary[start + len(broken) :])


def _scaled(*factors: float) -> Callable[[Surface, np.random.Generator], bytes]:
    """Return the maker of a GLB whose vertices were scaled, by one factor or per axis."""
    return lambda surface, _: glb_of(replace(surface, vertices=surface.vertices * np.array(factors)))


def _fragments(surface: Surface, rng: np.random.Generator) -> bytes:
    corners = rng.uniform(-1, 1, (FRAGMENTS, 1, 3)) + rng.normal(0, 0.005, (FRAGMENTS, 3, 3))
    faces = np.arange(3 * FRAGMENTS).reshape(-1, 3)
    return glb_of(make_surface(corners, faces, color=np.c_[rng.random((FRAGMENTS, 3)), np.ones(FRAGMENTS)]))


def _cut_texture(surface: Surface, rng: np.random.Generator) -> bytes:
    pixels = rng.integers(0, 255, (64, 64, 4), np.uint8)
    pixels[..., 3] = 255
    image, mime, _ = encode_image(pixels, 64)
    return with_texture(glb_of(surface), image[: len(image) // 2], mime)


KINDS: dict[str, Kind] = {
    "empty": Kind("unreadable", lambda *_: b""),
    "not_glb": Kind("unreadable", lambda *_: b"<!DOCTYPE html><title>404 Not Found</title>\n"),
    "truncated": Kind("unreadable", lambda surface, _: glb_of(surface)[:-400]),
    "missing_buffer": Kind("unreadable", _edited(lambda glb: glb["buffers"][0].update(uri="scene.bin"))),
    "shared_children": Kind("unreadable", _edited(_shared_children)),
    "claimed_memory": Kind("too_many_faces", _edited(_claimed_memory)),
    "no_faces": Kind("no_faces", _edited(_no_faces)),
    "points_only": Kind("no_faces", _edited(_points_only)),
    "few_faces": Kind("too_few_faces", lambda surface, _: glb_of(surface.subset(np.arange(3)))),
    "repeated": Kind("too_many_faces", _edited(_repeated)),
    "not_finite": Kind("not_finite", _not_finite),
    "no_area": Kind("no_area", _scaled(1.0, 0.0, 0.0)),
    "flat": Kind("flat", _scaled(1.0, 1.0, 0.0)),
    "absurd_scale": Kind("scale", _scaled(1e12)),
    "fragments": Kind("too_many_components", _fragments),
    "colorless": Kind(
        "no_texture", lambda surface, _: glb_of(make_surface(surface.vertices, surface.faces))
    ),
    "broken_texture": Kind(
        "texture_broken", lambda surface, rng: with_texture(glb_of(surface), rng.bytes(500), "image/png")
    ),
    "cut_texture": Kind("texture_broken", _cut_texture),
    "outside_texture": Kind(
        "texture_broken", _edited(lambda glb: _show_image(glb, {"uri": "../../../../outside.png"}))
    ),
    "bomb": Kind(
        "texture_too_large", lambda surface, _: with_texture(glb_of(surface), png_bomb(), "image/png")
    ),
    "duplicate": Kind("duplicate", _scaled(2.5)),
    "no_derivatives": Kind("license", lambda surface, _: glb_of(surface), "CC Attribution-NoDerivs"),
}  # fmt: skip
"""Kinds of broken files by name."""
