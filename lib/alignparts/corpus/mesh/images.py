"""Strangers' images: only PNG, JPEG and WebP are opened, also where trimesh opens them.

Pillow knows forty formats more; to read one, EPS, it starts Ghostscript, which runs what the file says.
"""

import functools
import io
from contextvars import ContextVar
from typing import Any

import trimesh
from PIL import Image, ImageFile

FORMATS = ("PNG", "JPEG", "WEBP")
_foreign = ContextVar("foreign", default=False)
_open = Image.open


@functools.wraps(_open)
def _open_known(fp: Any, mode: Any = "r", formats: Any = None) -> ImageFile.ImageFile:
    return _open(fp, mode, FORMATS if _foreign.get() else formats)


# trimesh calls this function without formats; others' calls in this process are as before.
Image.open = _open_known


def open_image(data: bytes) -> ImageFile.ImageFile:
    """Open an image without decoding it; another format raises as :func:`PIL.Image.open` does."""
    return _open(io.BytesIO(data), formats=FORMATS)


def open_scene(stream: Any, file_type: str, resolver: Any, **options: Any) -> trimesh.Scene:
    """Return a file as trimesh reads it, nothing merged; images of other formats count as broken."""
    before = _foreign.set(True)
    try:
        return trimesh.load_scene(stream, file_type=file_type, resolver=resolver, process=False, **options)
    finally:
        _foreign.reset(before)
