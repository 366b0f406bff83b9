"""Colors of one object's parts, the same in the list, in the view and in the thumbnail."""

from functools import lru_cache

from alignparts.pictures.palette import palette

object_colors = lru_cache(maxsize=512)(palette)
"""Returns a color for every part name of a frozen set; no two are alike."""
