"""Fonts of this machine that have the letters of names in any script."""

import warnings
from collections.abc import Iterable
from contextlib import suppress
from functools import cache

from matplotlib.font_manager import FontEntry, findSystemFonts, fontManager
from matplotlib.ft2font import FT2Font

DEFAULT = "DejaVu Sans"
LAST_RESORT = "Last Resort"
"""Start of the name of matplotlib's font of boxes, which stand for all letters."""


class FontWarning(UserWarning):
    """Letters that are drawn as boxes."""


def families(texts: Iterable[str]) -> list[str]:
    """Return families of fonts that have the letters of texts together, :data:`DEFAULT` first.

    Warns, with a FontWarning, of letters that no font here has.
    """
    chosen, missing = [DEFAULT], {ord(letter) for text in texts for letter in text if letter.isprintable()}
    missing -= _letters(_path(DEFAULT), 0)
    fonts = [one for one in _fonts() if not one.name.startswith(LAST_RESORT)] if missing else []
    while missing and fonts:
        best = max(fonts, key=lambda one: (len(missing & _letters_of(one)), _is_plain(one), one.fname))
        if not (found := missing & _letters_of(best)):
            break
        chosen.append(best.name)
        missing -= found
    if missing:
        letters = "".join(map(chr, sorted(missing)))
        way = "install one, such as Noto Sans CJK (Debian: fonts-noto-cjk)"
        warnings.warn(f"boxes in the picture: no font here has {letters}; {way}", FontWarning, stacklevel=2)
    return chosen


def _fonts() -> list[FontEntry]:
    """Return all fonts, with those that were installed after matplotlib made its list."""
    known = {font.fname for font in fontManager.ttflist}
    for path in sorted({*findSystemFonts()} - known):
        with suppress(OSError, RuntimeError):
            fontManager.addfont(path)
    return fontManager.ttflist


def _path(family: str) -> str:
    return next(one.fname for one in fontManager.ttflist if one.name == family)


def _is_plain(font: FontEntry) -> bool:
    return font.style == "normal" and font.weight in (400, "normal", "regular")


def _letters_of(font: FontEntry) -> frozenset[int]:
    return _letters(font.fname, getattr(font, "index", 0))


@cache
def _letters(path: str, index: int) -> frozenset[int]:
    """Return the code points of a font file's face; none where it cannot be read."""
    try:
        return frozenset((FT2Font(path, face_index=index) if index else FT2Font(path)).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
