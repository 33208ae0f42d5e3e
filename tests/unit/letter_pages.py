"""What is looked for in the PDF of a letter: structure, identifiers, fonts, glyphs, and nothing that acts or shows."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator
from typing import Any

import pikepdf
import pytest

# Objects that open, run, attach or show something.
ACTIVE = ("/JavaScript", "/JS", "/Launch", "/URI", "/EmbeddedFile", "/Filespec", "/Annots", "/AcroForm", "/OpenAction")


def problems(pdf: bytes, title: str, language: str) -> list[str]:
    """What keeps the PDF from being what it says: PDF/A-2a and PDF/UA-1, whole, inert and without images."""
    found = []
    with pikepdf.open(io.BytesIO(pdf)) as document:
        root = document.Root
        if "/StructTreeRoot" not in root or "/K" not in root.StructTreeRoot:
            found.append("no structure tree")
        if not root.get("/MarkInfo", {}).get("/Marked", False):
            found.append("not marked")
        if str(root.get("/Lang", "")) != language:
            found.append(f"language {root.get('/Lang')}")
        if not root.get("/ViewerPreferences", {}).get("/DisplayDocTitle", False):
            found.append("title is not displayed")
        meta = document.open_metadata()
        for key, wanted in (
            ("pdfaid:part", "2"),
            ("pdfaid:conformance", "A"),
            ("pdfuaid:part", "1"),
            ("dc:title", title),
        ):
            if meta.get(key) != wanted:
                found.append(f"{key} is {meta.get(key)}")
        fonts = list(_fonts(document))
        if not fonts:
            found.append("no font")
        found += [f"font {f.get('/BaseFont')} is not embedded" for f in fonts if not _embedded(f)]
        found += [f"glyph 0 on page {n}" for n, page in enumerate(document.pages, 1) if 0 in _glyphs(page)]
        for thing in document.objects:
            if isinstance(thing, pikepdf.Dictionary | pikepdf.Stream):
                found += [f"{key} is there" for key in ACTIVE if key in thing]
                if thing.get("/Subtype") == "/Image":
                    found.append("an image")
                if str(thing.get("/S", "")) in ACTIVE:
                    found.append(f"an action {thing['/S']}")
    return found


def pages(pdf: bytes) -> int:
    """How many pages it has."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return len(document.pages)


def words(pdf: bytes) -> str:
    """The text in the order of the structure; skips the test where poppler is missing."""
    if shutil.which("pdftotext") is None:
        pytest.skip("the command pdftotext (poppler-utils) is not on this machine")
    done = subprocess.run(["pdftotext", "-raw", "-", "-"], input=pdf, capture_output=True, check=True)
    return done.stdout.decode("utf-8")


def closed_up(text: str) -> str:
    """A text without spaces, line ends and marks of direction, in which page and sentence can be compared."""
    return re.sub(r"[\s\u200c-\u200f\u202a-\u202e\u2066-\u2069]", "", unicodedata.normalize("NFKC", text))


def bare_words(text: str) -> set[str]:
    """The words of an Arabic text without vowel signs, which PDF readers put in different places."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in ("Mn", "Cf"))
    return set(re.findall(r"[^\W\d_]{3,}", letters))


def beyond_the_edge(pdf: bytes) -> list[str]:
    """Words that are not wholly on their page, with where they are. Skips where poppler is missing."""
    if shutil.which("pdftotext") is None:
        pytest.skip("the command pdftotext (poppler-utils) is not on this machine")
    done = subprocess.run(["pdftotext", "-bbox", "-", "-"], input=pdf, capture_output=True, check=True)
    size = re.search(rb'<page width="([\d.]+)" height="([\d.]+)"', done.stdout)
    assert size is not None
    width, height = float(size[1]), float(size[2])
    boxes = re.findall(
        r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">(.*?)</word>', done.stdout.decode()
    )
    assert boxes, "a page without a word"
    # Half a margin: nothing is printed closer to the edge than that.
    least, most_x, most_y = 28.0, width - 28.0, height - 28.0
    return [
        f"{word} at {x0},{y0} to {x1},{y1}"
        for x0, y0, x1, y1, word in boxes
        if float(x0) < least or float(x1) > most_x or float(y0) < least or float(y1) > most_y
    ]


def _fonts(document: pikepdf.Pdf) -> Iterator[Any]:
    for thing in document.objects:
        if isinstance(thing, pikepdf.Dictionary) and thing.get("/Type") == "/Font" and "/DescendantFonts" not in thing:
            yield thing


def _embedded(font: Any) -> bool:
    if font.get("/Subtype") == "/Type3":
        return True
    descriptor = font.get("/FontDescriptor", {})
    return any(key in descriptor for key in ("/FontFile", "/FontFile2", "/FontFile3"))


def _glyphs(page: Any) -> set[int]:
    """The numbers of all glyphs that the page shows; fonts here have two bytes a glyph (Identity-H)."""
    found: set[int] = set()
    fonts = page.Resources.get("/Font", {})
    assert all(f.get("/Encoding") == "/Identity-H" for f in fonts.values()), "a font of another encoding"
    for operands, operator in pikepdf.parse_content_stream(page):
        if str(operator) in ("Tj", "TJ"):
            parts = operands[0] if str(operator) == "TJ" else [operands[0]]
            for part in parts:
                if isinstance(part, pikepdf.String):
                    data = bytes(part)
                    found |= {int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)}
    return found
