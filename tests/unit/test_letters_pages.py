"""Every letter is PDF/A-2a and PDF/UA-1, whole, on its pages; and one a language looks as it did when it was looked at.

The golden pages are in `tests/golden/letters/`: the notice of each language at 60 dots an inch, its pages side by side.
To draw them anew, and look at each: `python -m tests.unit.test_letters_pages`.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pytest
from PIL import Image

from desktop.packets import catalogue, characters, complete, facts, letters
from desktop.packets.request import LANGUAGES, Include, Request
from tests.unit import letter_pages
from tests.unit.packet_requests import full_request
from tests.unit.test_letters import custody, examined

FACTS = facts.load()
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "letters"

# What somebody might write in each language, and her office.
OWN_WORDS = {
    "en": ("It shows me as if naked. It is made up, and I never agreed to it.", "Member of the city council"),
    "fr": ("Elle me montre nue. C’est un faux, et je n’y ai jamais consenti.", "Conseillère municipale"),
    "es": ("Me muestra desnuda. Es falsa, y nunca di mi consentimiento. ¿Quién la publicó?", "Concejala"),
    "pt": ("Mostra-me nua. É uma montagem, e nunca dei o meu consentimento.", "Vereadora da câmara municipal"),
    "sw": ("Inanionyesha kama niko uchi. Ni ya kughushi, na sikukubali kamwe.", "Diwani wa baraza la jiji"),
    "ar": ("تُظهرني الصورة كأنني عارية، وهي مزيفة (2026)، ولم أوافق عليها قط.", "عضوة مجلس المدينة"),
    "ko": ("사진은 제가 벗은 것처럼 보이게 합니다. 꾸며 낸 것이고, 저는 동의한 적이 없습니다.", "시의회 의원"),
    "hi": ("यह तस्वीर मुझे नग्न दिखाती है। यह बनाई हुई है, और मैंने कभी सहमति नहीं दी।", "नगर परिषद की सदस्य"),
}
# Versions of poppler smooth letters differently: what is compared are squares of 4 by 4 dots, in 256 steps of grey.
SQUARE = 4
MEAN, FAR, SHARE = 3.0, 48, 0.01


def letters_of(request: Request, **options: Any) -> tuple[letters.Document, ...]:
    return letters.documents(complete.assess(request, FACTS), FACTS, **{"draft": False, **options})


def notice(language: str) -> letters.Document:
    reason, office = OWN_WORDS[language]
    full = full_request(FACTS, "us_tida", "x", "agent")
    own = replace(
        full,
        language=language,
        depicted=replace(full.depicted, office=office),
        texts=replace(full.texts, reason=reason, relevant_information=reason, remedial_action=""),
        include=Include(authority_letter=False),
    )
    return letters_of(own, signer="a1b2 " * 15 + "a1b2")[0]


def whole(language: str) -> Request:
    full = full_request(FACTS, "", "police", "agent")
    items = tuple(replace(full.items[0], id=n, findings=examined()) for n in (1, 2))
    return replace(full, language=language, items=items, include=Include(findings=True))


@cache
def all_of(language: str) -> tuple[letters.Document, ...]:
    """Every document that goes to the police, set once for all tests."""
    return letters_of(whole(language), custody=custody(), signer="a1b2 " * 16)


def check(document: letters.Document) -> None:
    words = catalogue.catalogue(document.language)
    title = words.text(f"{document.kind}.title")
    assert letter_pages.problems(document.pdf, title, document.language) == [], document.name
    assert letter_pages.beyond_the_edge(document.pdf) == [], document.name


def platform_for(law_id: str) -> str:
    """Somebody to whom a request on that law can go."""
    law = FACTS.law(law_id)
    return next(id for id, platform in FACTS.platforms.items() if complete.can_be_sent(law, platform))


def shapes() -> list[str]:
    """One law for each kind of letter that a law makes: to whom, by whom, how sure, and with what time limit."""
    found = {}
    for id, law in FACTS.laws.items():
        unit = next((u for u in ("hours", "days", "months") if law.deadline and getattr(law.deadline, u)), "")
        found[law.addressed_to, law.confidence, unit, "depicted" in law.who] = id
    return [*found.values()]


@pytest.mark.parametrize("law", shapes())
def test_each_kind_of_law_makes_whole_letters(law: str) -> None:
    assert len(shapes()) > 8
    role = next(r for r in ("depicted", "owner", "anyone", "agent") if r in FACTS.law(law).who)
    documents = letters_of(full_request(FACTS, law, platform_for(law), role), custody=custody())
    for document in documents:
        check(document)
    assert FACTS.law(law).citation.split(";")[0][:40] in " ".join(letter_pages.words(documents[0].pdf).split())


def test_what_every_law_says_of_itself_has_glyphs() -> None:
    assert len(FACTS.laws) > 25
    for law in FACTS.laws.values():
        for text in (law.name, law.citation, law.source, *law.gloss.values(), *(e.cite for e in law.elements)):
            assert characters.visible(text) == text, law.id


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("law", "platform"), [("us_tida", "us_ftc"), ("", "police")])
def test_each_language_makes_whole_letters(language: str, law: str, platform: str) -> None:
    full = whole(language) if platform == "police" else replace(full_request(FACTS, law, platform), language=language)
    documents = all_of(language) if platform == "police" else letters_of(full, custody=custody(), signer="a1b2 " * 16)
    assert {d.language for d in documents} == {language}
    for document in documents:
        check(document)
    if platform != "us_ftc":
        sheet, _ = letters.sheet(complete.assess(full, FACTS), FACTS)
        check(sheet)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("law", "platform"), [("us_tida", "x"), ("eu_gdpr_17", "google_search")])
def test_a_letter_about_one_address_is_two_pages(language: str, law: str, platform: str) -> None:
    full = full_request(FACTS, law, platform, "agent")
    full = replace(full, language=language, include=Include(authority_letter=False))
    (letter,) = letters_of(full, signer="a1b2 " * 16)
    assert letter_pages.pages(letter.pdf) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_draft_says_so_on_every_page_and_in_the_text_itself(language: str) -> None:
    mark = catalogue.catalogue(language).text("common.draft")
    # One template for each kind in every language, and all the kinds in two.
    full = whole(language) if language in ("en", "ar") else replace(whole(language), include=Include(custody=False))
    for document in letters_of(full, draft=True, custody=custody()):
        pages = letter_pages.words(document.pdf).split("\f")[:-1]
        assert len(pages) == letter_pages.pages(document.pdf)
        for number, page in enumerate(pages, 1):
            if language == "ar":
                assert letter_pages.bare_words(mark) <= letter_pages.bare_words(page), (document.name, number)
            else:
                assert letter_pages.closed_up(mark) in letter_pages.closed_up(page), (document.name, number)
        # Once as an artefact of the page, which no screen reader says, and once as the first thing that it says.
        times = [letter_pages.closed_up(page).count(letter_pages.closed_up(mark)) for page in pages]
        assert language == "ar" or (times[0] == 2 and set(times[1:]) <= {1})
        with pikepdf.open(io.BytesIO(document.pdf)) as opened:
            assert opened.open_metadata()["dc:title"].startswith(mark)
    for document in all_of(language):
        assert mark not in letter_pages.words(document.pdf)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_for_those_who_decide_is_one_page(language: str) -> None:
    laws = [id for id, law in FACTS.laws.items() if law.addressed_to in ("police", "court")]
    assert len(laws) > 5
    longest = max(laws, key=lambda id: len(FACTS.law(id).name + FACTS.law(id).citation))
    full = replace(full_request(FACTS, longest, "police"), language=language, include=Include(custody=False))
    seen = tuple(replace(full.sightings[0], url="", platform=f"{n} " + "W" * 1_000) for n in range(40))
    filled = replace(full, depicted=replace(full.depicted, office="Deputy " * 200), sightings=seen)
    page = next(d for d in letters_of(filled, draft=True) if d.kind == "brief")
    assert letter_pages.pages(page.pdf) == 1
    assert letter_pages.beyond_the_edge(page.pdf) == []


# --- Planted faults: each guard goes red.


def altered(pdf: bytes, change: Callable[[pikepdf.Pdf], None]) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        change(document)
        document.save(out)
    return out.getvalue()


def _no_fonts(document: pikepdf.Pdf) -> None:
    for thing in document.objects:
        if isinstance(thing, pikepdf.Dictionary) and thing.get("/Type") == "/FontDescriptor":
            for key in ("/FontFile2", "/FontFile3"):
                if key in thing:
                    del thing[key]


def _no_identifier(document: pikepdf.Pdf) -> None:
    with document.open_metadata(set_pikepdf_as_editor=False) as meta:
        del meta["pdfuaid:part"]


def _glyph_nought(document: pikepdf.Pdf) -> None:
    page = document.pages[0]
    font = next(iter(page.Resources.Font.keys()))
    page.contents_add(document.make_stream(f"BT {font} 9 Tf <0000> Tj ET".encode()))


def _image(document: pikepdf.Pdf) -> None:
    document.pages[0].Resources["/XObject"] = {
        "/I": document.make_stream(b"\0", Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=1, Height=1)
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_no_fonts, "is not embedded"),
        (_no_identifier, "pdfuaid:part is None"),
        (_glyph_nought, "glyph 0 on page 1"),
        (_image, "an image"),
        (lambda d: d.Root.__delitem__("/StructTreeRoot"), "no structure tree"),
        (lambda d: d.Root.__delitem__("/MarkInfo"), "not marked"),
        (lambda d: d.Root.__delitem__("/Lang"), "language None"),
        (lambda d: d.Root.__delitem__("/ViewerPreferences"), "title is not displayed"),
        (lambda d: d.Root.__setitem__("/OpenAction", pikepdf.Dictionary(S=pikepdf.Name.JavaScript)), "/OpenAction"),
    ],
)
def test_a_pdf_that_is_not_what_it_says_is_found_out(change: Callable[[pikepdf.Pdf], None], said: str) -> None:
    document = notice("en")
    title = catalogue.catalogue("en").text("notice.title")
    assert letter_pages.problems(document.pdf, title, "en") == []
    found = letter_pages.problems(altered(document.pdf, change), title, "en")
    assert any(said in problem for problem in found), found


def test_a_word_beyond_the_edge_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_pieces", lambda text: text)
    full = full_request(FACTS, "us_tida", "x")
    long = replace(full, depicted=replace(full.depicted, name="W" * 300))
    assert letter_pages.beyond_the_edge(letters_of(long)[0].pdf)


# --- Golden pages.


def drawn(pdf: bytes) -> Image.Image:
    """The pages side by side, in grey, at 60 dots an inch; skips the test where poppler is missing."""
    if shutil.which("pdftoppm") is None:
        pytest.skip("the command pdftoppm (poppler-utils) is not on this machine")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["pdftoppm", "-r", "60", "-gray", "-png", "-", f"{folder}/p"], input=pdf, check=True)
        pages = [Image.open(path).convert("L") for path in sorted(Path(folder).iterdir())]
    sheet = Image.new("L", (sum(p.width for p in pages), max(p.height for p in pages)), 255)
    across = 0
    for page in pages:
        sheet.paste(page, (across, 0))
        across += page.width
    return sheet


def unlike(one: Image.Image, other: Image.Image) -> str:
    """In what two drawings differ by more than the tolerance; empty when they do not."""
    if one.size != other.size:
        return f"{one.size} is not {other.size}"
    size = (one.width // SQUARE, one.height // SQUARE)
    a, b = (np.asarray(i.resize(size, Image.Resampling.BOX), dtype=np.int16) for i in (one, other))
    apart = np.abs(a - b)
    mean, share = float(apart.mean()), float((apart > FAR).mean())
    return f"mean {mean:.2f}, share {share:.4f}" if mean > MEAN or share > SHARE else ""


def golden(language: str) -> Image.Image:
    return Image.open(GOLDEN / f"notice.{language}.png").convert("L")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notice_looks_as_it_did(language: str) -> None:
    document = notice(language)
    check(document)
    assert unlike(drawn(document.pdf), golden(language)) == ""


def test_a_mirrored_page_does_not_look_the_same() -> None:
    for language in ("ar", "en"):
        page = golden(language)
        assert unlike(page.transpose(Image.Transpose.FLIP_LEFT_RIGHT), page)


def test_a_page_in_another_font_or_direction_does_not_look_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for path in catalogue.LETTERS.glob("*.typ"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(letters, "LETTERS", tmp_path)
    base = (tmp_path / "base.typ").read_text(encoding="utf-8")
    for old, new, language in (
        ('"Noto Sans", "Noto Naskh Arabic"', '"Noto Sans Mono", "Noto Naskh Arabic"', "en"),
        ("dir: direction(data.direction)", "dir: ltr", "ar"),
    ):
        assert old in base
        (tmp_path / "base.typ").write_text(base.replace(old, new), encoding="utf-8")
        assert unlike(drawn(notice(language).pdf), golden(language))


def test_an_arabic_letter_runs_from_right_to_left() -> None:
    grey = np.asarray(drawn(notice("ar").pdf).crop((0, 0, 496, 702)))
    ink = (grey < 128).sum(axis=0)
    assert ink[248:].sum() > 1.5 * ink[:248].sum()
    assert characters.right_to_left(catalogue.catalogue("ar").text("notice.title"))


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for code in LANGUAGES:
        drawn(notice(code).pdf).save(GOLDEN / f"notice.{code}.png", optimize=True)
