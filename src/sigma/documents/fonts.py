"""Fonts of the receipt (Noto, from Python packages), and texts that they can print.

A character without a glyph in any of them is replaced by what reads the same, or spelled by its
Unicode name: a receipt never shows an empty box.
"""

import functools
import unicodedata
from importlib.resources import files
from pathlib import Path

import regex
from fontTools.ttLib import TTFont

from sigma.texts.graphemes import well_formed

# Marks that shape or separate other characters and need no glyph of their own.
_INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\s]")
_FONT_SUFFIXES = (".ttf", ".otf", ".ttc")


def font_folders() -> list[Path]:
    """Return the folders of the installed font packages."""
    return [Path(str(files(name))) for name in ("manimgx_fonts", "manimgx_fonts_cjk")]


@functools.cache
def _covered() -> frozenset[int]:
    """Return the code points that have a glyph in at least one font."""
    code_points: set[int] = set()
    for folder in font_folders():
        for path in sorted(folder.iterdir()):
            if path.suffix in _FONT_SUFFIXES:
                code_points |= _code_points(path)
    return frozenset(code_points)


def _code_points(path: Path) -> set[int]:
    """Return the code points of the first font in a file; a collection's fonts share them."""
    with TTFont(path, fontNumber=0, lazy=True) as font:
        # Numbers in place of glyph names: reading the names of the CJK font takes a second.
        font.setGlyphOrder([str(n) for n in range(font["maxp"].numGlyphs)])
        return set(font.getBestCmap() or {})


def printable(text: str) -> str:
    """Return the text with each character that has no glyph replaced or spelled.

    "𝕏" becomes "X" (NFKC), "𒀀" becomes "[cuneiform sign a]".
    """
    covered = _covered()
    text = unicodedata.normalize("NFC", well_formed(text))
    if all(ord(char) in covered for char in text):
        return text
    return "".join(_printable_char(char, covered) for char in text)


def _printable_char(char: str, covered: frozenset[int]) -> str:
    if ord(char) in covered or _INVISIBLE.match(char):
        return char
    plain = unicodedata.normalize("NFKC", char)
    if plain != char and all(ord(c) in covered for c in plain):
        return plain
    if unicodedata.category(char) == "Cc":
        return " "
    return f"[{unicodedata.name(char, f'U+{ord(char):04X}').lower()}]"
