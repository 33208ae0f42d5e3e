"""Each character of a value is shown: by a glyph, or as [U+XXXX]; none hides, reorders, or stops a letter."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desktop.packets import catalogue, characters, letters
from desktop.packets.letter_bodies import moment
from desktop.packets.request import Request
from detectors.errors import SetupError
from tests.unit import letter_pages

FONTS = characters.FONTS
EVERY_CHARACTER = st.characters(exclude_categories=["Cs"])
# Beyond what chance finds: strings from one script and its neighbours, where shaping happens.
SHAPED = st.sampled_from(
    ["ابتپچڈگںۓ\u200c\u200d\u064b\u0651", "कखगङक्षत्रज्ञ\u094d\u200d\u200cािीुँः", "কখগ\u09cd\u09be\u200d", "ሀለሐ፩፪",
     "각ᄀ\u1161\u11a8한글", "кириллицаё\u0301", "ΕΛΛάδα\u0345", "漢字仮名カナ々〇", "אבגד\u05b0", "กขค\u0e49\u0e33",
     "தமிழ்", "a\u0301e\u0323ọ́Ẹ̀ɓɗƙŋ"]
).flatmap(lambda letters: st.text(st.sampled_from(letters), max_size=40))  # fmt: skip
TEXT = st.one_of(st.text(EVERY_CHARACTER, max_size=60), SHAPED)


def compiled(values: list[str], language: str) -> bytes:
    """A letter that holds the values: in a sentence, in bold, in fixed width, as paragraphs of their own, to copy."""
    blocks = []
    for text in values:
        run = dict(catalogue.value(text))  # type: ignore[arg-type]
        blocks.append(
            catalogue.paragraph(["a ", run, " b ", {**run, "b": True}, {**run, "m": True}, {**run, "g": True}])
        )
        blocks += catalogue.own_words(text)
        blocks.append(catalogue.copyable(text))
    blocks.append(catalogue.table(["auto", "rest"], [["a"], ["b"]], [[[catalogue.value(v)], ["x"]] for v in values]))
    direction = "rtl" if language == "ar" else "ltr"
    data = {
        "language": language, "direction": direction, "title": "T", "head": ["T"], "heading": ["T"], "date": "",
        "page": "{page}", "blocks": blocks,
    }  # fmt: skip
    return letters._compile("letter.typ", catalogue.for_typst(data, direction), moment(Request()))


# Few letters, each of many texts: to set one takes longer than to look at it.
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TEXT, min_size=6, max_size=16), st.sampled_from(["en", "ar", "ko"]))
def test_a_letter_holds_any_text_without_a_missing_glyph(values: list[str], language: str) -> None:
    assert letter_pages.problems(compiled(values, language), "T", language) == []


@settings(max_examples=500, deadline=None)
@given(st.text(EVERY_CHARACTER))
def test_what_is_visible_hides_nothing(text: str) -> None:
    shown = characters.visible(text)
    for before, char, after in zip(" " + shown, shown, shown[1:] + " ", strict=False):
        if char in "\u200c\u200d":
            assert unicodedata.category(before)[0] in "LM"
            assert unicodedata.category(after)[0] in "LM"
        else:
            assert unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
            assert characters._fonts(char)
    # Nothing is left out: what was escaped can be put back.
    rest = shown
    for char in text:
        taken = char if rest.startswith(char) else f"[U+{ord(char):04X}]"
        assert rest.startswith(taken)
        rest = rest[len(taken) :]
    assert rest == ""


@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_pieces_put_together_are_the_same_text(text: str) -> None:
    pieces = catalogue._pieces(text)
    assert (pieces if isinstance(pieces, str) else "".join(pieces)) == text


def test_a_character_that_no_font_has_stops_a_letter_that_was_not_made_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(characters, "visible", lambda text: text)
    with pytest.raises(SetupError):
        compiled(["\U0001f600"], "en")


@pytest.mark.parametrize(
    "text",
    [
        "Amina Okoro-Lindqvist", "Ọlájùmọ̀kẹ́ Adébáyọ̀", "Ƙasar Ɓauchi ɗan ƴa", "Nguyễn Thị Ánh Tuyết",
        "İstanbul’da ığdır", "Ŋmiɖɛ Ɔkwɔ", "Љубица Ђорђевић", "Ελένη Ώριμη", "می‌خواهم به خانه‌ام بروم",
        "محکمہ پولیس ٹھیک ڈاک",
        "क्‍ष और श्र", "বাংলা ক্ষত্রিয়", "አማርኛ ትግርኛ", "대한민국 헌법", "北京市 東京都 臺灣 カタカナ",
        "שלום", "ภาษาไทย", "தமிழ் മലയാളം සිංහල",
    ],
)  # fmt: skip
def test_names_stay_as_they_are_spelt(text: str) -> None:
    assert characters.visible(text) == text
    assert letter_pages.problems(compiled([text], "en"), "T", "en") == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ab\u202ecd", "ab[U+202E]cd"),
        ("a\u200bb\u2060\ufeff", "a[U+200B]b[U+2060][U+FEFF]"),
        ("a\u200db", "a[U+200D]b"),
        ("\u2067x\u2069", "[U+2067]x[U+2069]"),
        ("\u0301a", "[U+0301]a"),
        ("क\u0301", "क[U+0301]"),
        ("\ue000", "[U+E000]"),
        ("\U0001f525", "[U+1F525]"),
        ("x\ufe0f", "x[U+FE0F]"),
        ("\u3164", "[U+3164]"),
        ("a\u2003b\nc\td", "a[U+2003]b[U+000A]c[U+0009]d"),
        ("می\u200c", "می[U+200C]"),
    ],
)
def test_what_misleads_or_is_not_covered_is_named(text: str, shown: str) -> None:
    assert characters.visible(text) == shown


def test_plain_text_keeps_what_can_be_copied_and_names_what_hides() -> None:
    assert characters.plain("🔥\u202e é \u200d") == "🔥[U+202E] é \u200d"


def test_coverage_is_what_the_fonts_have() -> None:
    listed = json.loads((FONTS / "coverage.json").read_text(encoding="utf-8"))
    found: dict[str, set[int]] = {}
    files = sorted([*FONTS.glob("*.ttf"), *FONTS.glob("*.otf")])
    assert len(files) > 25
    for path in files:
        font = TTFont(path)
        family, has = font["name"].getBestFamilyName(), set(font.getBestCmap())
        found[family] = found.get(family, has) & has
        assert font["OS/2"].fsType == 0, f"{path.name} must not be embedded"
        assert "Open Font License" in font["name"].getDebugName(13)
    assert found == {family: {c for a, b in ranges for c in range(a, b + 1)} for family, ranges in listed.items()}
    assert sum(path.stat().st_size for path in files) < 30_000_000
    assert "SIL OPEN FONT LICENSE" in (FONTS / "OFL.txt").read_text(encoding="utf-8")


def test_templates_set_text_in_every_family() -> None:
    base = (catalogue.LETTERS / "base.typ").read_text(encoding="utf-8")
    for family, _, _ in characters._coverage():
        assert f'"{family}"' in base


@pytest.mark.parametrize(
    ("script", "first", "last", "count"),
    [("Hangul", 0xAC00, 0xD7A3, 11_172), ("Han", 0x4E00, 0x9FEF, 20_976), ("Ethiopic", 0x1200, 0x1248, 73),
     ("Devanagari", 0x0900, 0x097F, 128), ("Arabic", 0x0621, 0x064A, 42), ("Cyrillic", 0x0400, 0x04FF, 256),
     ("Vietnamese", 0x1EA0, 0x1EF9, 90), ("kana", 0x3041, 0x3096, 86)],
)  # fmt: skip
def test_scripts_are_whole(script: str, first: int, last: int, count: int) -> None:
    assert sum(bool(characters._fonts(chr(c))) for c in range(first, last + 1)) >= count, script


def test_a_missing_list_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    characters._coverage.cache_clear()
    monkeypatch.setattr(characters, "FONTS", tmp_path)
    try:
        with pytest.raises(SetupError, match="fonts_damaged"):
            characters._coverage()
    finally:
        characters._coverage.cache_clear()
