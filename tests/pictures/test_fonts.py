"""Letters of any script are drawn where a font has them, and said where none has."""

import warnings

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import fontManager

from alignparts.pictures import fonts
from alignparts.pictures.fonts import DEFAULT, FontWarning, families


@pytest.fixture
def only_default(monkeypatch):
    known = [font for font in fontManager.ttflist if font.name == DEFAULT or "Last Resort" in font.name]
    monkeypatch.setattr(fontManager, "ttflist", known)
    monkeypatch.setattr(fonts, "findSystemFonts", list)


def add_font(path, family, letters):
    """Write a font whose letters are squares, and make it known."""
    pen = TTGlyphPen(None)
    for number, point in enumerate(((0, 0), (0, 700), (700, 700), (700, 0))):
        (pen.lineTo if number else pen.moveTo)(point)
    pen.closePath()
    square, order = pen.glyph(), [".notdef", *(f"u{ord(letter):X}" for letter in letters)]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(order)
    font.setupCharacterMap({ord(letter): f"u{ord(letter):X}" for letter in letters})
    font.setupGlyf(dict.fromkeys(order, square))
    font.setupHorizontalMetrics(dict.fromkeys(order, (800, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": family, "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)
    fontManager.addfont(path)


def test_the_default_font_has_latin_greek_and_cyrillic(only_default):
    with warnings.catch_warnings(action="error"):
        assert families(["leg 0.91?", "Größe", "πόδι", "ножка", "a\nb"]) == [DEFAULT]


def test_a_font_that_is_there_is_taken(only_default, tmp_path):
    add_font(tmp_path / "one.ttf", "One", "椅")
    add_font(tmp_path / "both.ttf", "Both", "椅子")
    add_font(tmp_path / "other.ttf", "Other", "다리")
    with warnings.catch_warnings(action="error"):
        assert families(["椅子 0.9", "leg"]) == [DEFAULT, "Both"]
        assert set(families(["椅", "다리"])) > {DEFAULT, "Other"}


def test_a_font_that_was_installed_a_moment_ago_is_taken(only_default, tmp_path, monkeypatch):
    add_font(tmp_path / "new.ttf", "New", "椅")
    fontManager.ttflist.pop()
    (tmp_path / "broken.ttf").write_bytes(b"")
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: [*map(str, tmp_path.iterdir())])
    with warnings.catch_warnings(action="error"):
        assert families(["椅"]) == [DEFAULT, "New"]


def test_letters_of_no_font_are_said(only_default):
    with pytest.warns(FontWarning, match="no font here has 子椅; install one"):
        assert families(["椅子"]) == [DEFAULT]
