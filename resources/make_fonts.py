"""Make the fonts that the letters are set in, from the Noto fonts of Debian 12, and the list of what they cover.

Run from the repository root, once in a blue moon, with the folder that holds the three packages:

    apt-get download fonts-noto-core fonts-noto-mono fonts-noto-cjk      # as root, or with -o APT::Sandbox::User=
    python -m resources.make_fonts FOLDER

Needs fontTools and dpkg-deb. The packages are pinned by SHA-256, and the result is the same each time.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

OUT = Path(__file__).resolve().parent / "fonts"
PACKAGES = {
    "fonts-noto-core_20201225-1_all.deb": "58f4f0bb6720f919f92096b3508e1412a0f1544424ade6c5b5bf1eb694dd64ba",
    "fonts-noto-mono_20201225-1_all.deb": "0807ec6454a6f66892159e7939a5c919ac28332e11d54ea78778577d9c569a59",
    "fonts-noto-cjk_1%3a20220127+repack1-1_all.deb": "4a2515eb6db3978b897fef9709ed0d2b1f4c6c4df4d83d6c4ef65f71f1b1f502",
}
SIMPLE = "usr/share/fonts/truetype/noto"
CJK = "usr/share/fonts/opentype/noto"
# Noto Sans CJK is one file with a face per region. Simplified Chinese forms are the ones that most people read.
FACE = 2

Ranges = tuple[tuple[int, int], ...]

# Scripts beyond those of the letters' own languages: names and handles are written in them too. Regular alone.
MORE = (
    "Armenian", "Georgian", "Gujarati", "Gurmukhi", "Hebrew", "Kannada", "Khmer", "Lao", "Malayalam", "Myanmar", "NKo",
    "Sinhala", "Tamil", "Telugu", "Thai", "Tifinagh",
)  # fmt: skip
# Taken out of Noto Sans: joiners belong to the font of the letters that they join, the rest is never set.
NEVER = frozenset(
    {0x00AD, 0x034F, 0x2028, 0x2029, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)}
)
JOINERS = frozenset({0x200C, 0x200D})

LATIN: Ranges = (
    (0x0020, 0x007E),
    (0x00A0, 0x02FF),  # Latin, IPA, spacing modifiers
    (0x0300, 0x036F),  # combining marks
    (0x0370, 0x03FF),
    (0x0400, 0x052F),
    (0x1AB0, 0x1AFF),
    (0x1C80, 0x1C8F),
    (0x1D00, 0x1DFF),
    (0x1E00, 0x1FFF),  # Latin additional (Vietnamese, Yoruba), Greek extended
    (0x2000, 0x214F),
    (0x2150, 0x218F),
    (0x2190, 0x2193),
    (0x2212, 0x2212),
    (0x25CC, 0x25CC),
    (0x2C60, 0x2C7F),
    (0x2DE0, 0x2DFF),
    (0xA640, 0xA69F),
    (0xA700, 0xA7FF),
    (0xAB30, 0xAB6F),
)
WHOLE: Ranges = ((0x0020, 0x10FFFF),)
HAN: Ranges = (
    (0x2E80, 0x2FDF),  # radicals
    (0x3000, 0x30FF),  # punctuation, kana
    (0x3100, 0x312F),  # bopomofo
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF00, 0xFFEF),
)
HANGUL: Ranges = (
    (0x1100, 0x11FF),
    (0x3130, 0x318F),
    (0xA960, 0xA97F),
    (0xAC00, 0xD7A3),
    (0xD7B0, 0xD7FF),
)
SYMBOLS: Ranges = ((0x2190, 0x21FF), (0x2300, 0x23FF), (0x2460, 0x24FF), (0x25A0, 0x27BF), (0x2B00, 0x2BFF))


@dataclass(frozen=True)
class Source:
    """One font to make: the new file's name, the file in the packages, and the characters to keep."""

    name: str
    path: str
    keep: Ranges
    features: tuple[str, ...] = ("*",)
    face: int = -1
    family: str = ""


def _sources() -> list[Source]:
    found = []
    for style in ("Regular", "Bold"):
        found += [
            Source(f"NotoSans-{style}.ttf", f"{SIMPLE}/NotoSans-{style}.ttf", LATIN),
            *(
                Source(f"{name}-{style}.ttf", f"{SIMPLE}/{name}-{style}.ttf", WHOLE)
                for name in ("NotoNaskhArabic", "NotoSansDevanagari", "NotoSansBengali", "NotoSansEthiopic")
            ),
            Source(
                f"NotoSansHangul-{style}.otf",
                f"{CJK}/NotoSansCJK-{style}.ttc",
                HANGUL,
                ("ccmp", "ljmo", "vjmo", "tjmo"),
                FACE,
                "Noto Sans Hangul",
            ),
        ]
    found += [
        Source(
            "NotoSansHan-Regular.otf", f"{CJK}/NotoSansCJK-Regular.ttc", HAN, ("ccmp", "mark"), FACE, "Noto Sans Han"
        ),
        *(Source(f"NotoSans{n}-Regular.ttf", f"{SIMPLE}/NotoSans{n}-Regular.ttf", WHOLE) for n in MORE),
        Source("NotoSansMono-Regular.ttf", f"{SIMPLE}/NotoSansMono-Regular.ttf", LATIN[:2]),
        Source("NotoSansSymbols-Regular.ttf", f"{SIMPLE}/NotoSansSymbols-Regular.ttf", SYMBOLS),
        Source("NotoSansSymbols2-Regular.ttf", f"{SIMPLE}/NotoSansSymbols2-Regular.ttf", SYMBOLS),
    ]
    return found


def make(packages: Path) -> None:
    """Write every font, `coverage.json` and nothing else. Raises ValueError when a package is not the pinned one."""
    with tempfile.TemporaryDirectory() as unpacked:
        for name, sha256 in PACKAGES.items():
            if hashlib.sha256((packages / name).read_bytes()).hexdigest() != sha256:
                raise ValueError(f"{name} is another version")
            subprocess.run(["dpkg-deb", "-x", packages / name, unpacked], check=True)  # noqa: S603, S607
        OUT.mkdir(exist_ok=True)
        covered: dict[str, set[int]] = {}
        for source in _sources():
            family, kept = _make(source, Path(unpacked))
            # A family covers what each of its styles covers, so that bold text misses nothing.
            covered[family] = covered.get(family, kept) & kept
    coverage = {family: _ranges(kept) for family, kept in covered.items()}
    lines = ",\n".join(f"{json.dumps(family)}: {json.dumps(ranges)}" for family, ranges in coverage.items())
    (OUT / "coverage.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def _make(source: Source, unpacked: Path) -> tuple[str, set[int]]:
    """Write one font; its family and the characters that it has."""
    options = subset.Options(
        layout_features=list(source.features),
        hinting=False,
        name_IDs=[0, 1, 2, 3, 4, 5, 6, 7, 13, 14, 16, 17],
        name_languages=[0x409],
        notdef_outline=True,
        recalc_timestamp=False,
        drop_tables=["vhea", "vmtx", "VORG", "BASE", "STAT", "DSIG", "meta"],
    )
    options.glyph_names = False
    font = TTFont(unpacked / source.path, fontNumber=source.face, recalcTimestamp=False)
    if font["OS/2"].fsType != 0:
        raise ValueError(f"{source.path} may not be embedded without limits")
    there = font.getBestCmap().keys()
    never = NEVER - JOINERS if source.keep is WHOLE else NEVER
    kept = {c for c in there if any(a <= c <= b for a, b in source.keep)} - never
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=kept)
    subsetter.subset(font)
    if source.family:
        _rename(font, source.family, source.name.partition(".")[0])
    family = font["name"].getBestFamilyName()
    font.save(OUT / source.name)
    return family, kept


def _rename(font: TTFont, family: str, postscript: str) -> None:
    """A family of its own for a part of Noto Sans CJK: its styles then have the same characters."""
    style = postscript.partition("-")[2]
    for number, text in ((1, family), (2, style), (4, f"{family} {style}"), (6, postscript), (16, family), (17, style)):
        font["name"].setName(text, number, 3, 1, 0x409)
    if "CFF " in font:
        cff = font["CFF "].cff
        cff.fontNames = [postscript]
        top = cff.topDictIndex[0]
        top.FullName, top.FamilyName = f"{family} {style}", family


def _ranges(codes: Iterable[int]) -> list[list[int]]:
    """Sorted characters as [first, last] pairs."""
    found: list[list[int]] = []
    for code in sorted(codes):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


if __name__ == "__main__":
    make(Path(sys.argv[1]))
