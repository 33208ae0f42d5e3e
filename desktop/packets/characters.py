"""Which characters the letters can show: the rest, and what hides or reorders text, is shown as `[U+202E]`.

What the fonts cover is read from `resources/fonts/coverage.json`, which is made with the fonts.
"""

from __future__ import annotations

import json
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from detectors.errors import SetupError

FONTS = Path(__file__).resolve().parents[2] / "resources" / "fonts"

# Joiners are ordinary spelling in Persian and in Indic scripts, between two letters of one font.
_JOINERS = frozenset("\u200c\u200d")
# Letters, marks and symbols that draw nothing: Unicode's Default_Ignorable_Code_Point beyond category Cf, the blank
# Braille pattern, and the variation selectors.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_BLANK |= {*map(chr, range(0xFE00, 0xFE10)), *map(chr, range(0xE0100, 0xE01F0))}
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SPACES = frozenset("\u0020\u00a0\u202f\u3000")
_PLAIN = re.compile(r"[\x20-\x7e]*")


def visible(text: str) -> str:
    """The text on one line with each character shown: by a glyph, or as `[U+XXXX]` where no font of ours has one.

    A mark that has nothing to stand on, and every character that hides or reorders others, becomes `[U+XXXX]` too.
    Raises SetupError when the list of what the fonts cover is missing.
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(_shown(cluster, after) for cluster, after in _clusters(text))


def plain(text: str) -> str:
    """The text for a file or a clipboard: what hides or reorders text is shown as `[U+XXXX]`, all else stays."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(_escape(c) if unicodedata.category(c) in _HIDDEN and c not in _JOINERS else c for c in text)


def right_to_left(text: str) -> bool:
    """Whether the first letter of the text that has a direction runs from right to left (UAX #9, rules P2 and P3)."""
    for char in text:
        kind = unicodedata.bidirectional(char)
        if kind in ("L", "R", "AL"):
            return kind != "L"
    return False


def mixed(text: str) -> bool:
    """Whether the text holds letters or numbers that run from right to left."""
    return not text.isascii() and any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in text)


def _clusters(text: str) -> Iterator[tuple[str, str]]:
    """Each character with the marks and joiners that belong to it, and the character after them."""
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and (text[end] in _JOINERS or unicodedata.category(text[end]) in ("Mn", "Mc", "Me")):
            end += 1
        yield text[start:end], text[end : end + 1]
        start = end


def _shown(cluster: str, after: str) -> str:
    base, marks = cluster[0], cluster[1:]
    if _hides(base) or base in _JOINERS or unicodedata.category(base)[0] == "M" or not _fonts(base):
        return "".join(map(_escape, cluster))
    kept, taken = base, _fonts(base)
    for number, mark in enumerate(marks):
        having = taken & _fonts(mark)
        if mark in _JOINERS:
            following = marks[number + 1 : number + 2] or after
            joins = following and unicodedata.category(following)[0] in "LM" and taken & _fonts(following)
            having = having & _fonts(following) if joins and unicodedata.category(base)[0] == "L" else frozenset()
        if (_hides(mark) and mark not in _JOINERS) or not having:
            kept += _escape(mark)
        else:
            kept, taken = kept + mark, having
    return kept


def _hides(char: str) -> bool:
    category = unicodedata.category(char)
    return category in _HIDDEN or char in _BLANK or (category == "Zs" and char not in _SPACES)


def _escape(char: str) -> str:
    return f"[U+{ord(char):04X}]"


@cache
def _fonts(char: str) -> frozenset[str]:
    """The families that have the character in all their styles."""
    code = ord(char)
    return frozenset(family for family, starts, ends in _coverage() if _within(code, starts, ends))


def _within(code: int, starts: list[int], ends: list[int]) -> bool:
    at = bisect_right(starts, code) - 1
    return at >= 0 and code <= ends[at]


@cache
def _coverage() -> tuple[tuple[str, list[int], list[int]], ...]:
    """The families of the body text with the first and last characters of their ranges. Raises SetupError."""
    try:
        found = json.loads((FONTS / "coverage.json").read_text(encoding="utf-8"))
        return tuple(
            (str(family), [int(a) for a, _ in ranges], [int(b) for _, b in ranges]) for family, ranges in found.items()
        )
    except (OSError, ValueError, TypeError, AttributeError) as e:
        raise SetupError(
            "fonts_damaged", "The fonts of the letters are missing or damaged.", "Install Counterproof again."
        ) from e
