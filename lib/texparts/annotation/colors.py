"""Colors of one object's parts, the same in the list, in the view and in the thumbnail."""

from collections.abc import Mapping
from functools import lru_cache

from alignparts.pictures.palette import Color, palette


@lru_cache(maxsize=512)
def object_colors(names: frozenset[str]) -> Mapping[str, Color]:
    """Return a color for every part name of an object; no two are alike (:func:`palette.palette`)."""
    return palette(names)
