"""Everything that a packet holds, in every form in which somebody could read it."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from collections.abc import Iterator

import pikepdf
import pytest


def files_of(data: bytes) -> dict[str, bytes]:
    """The files of a packet, by path in its folder."""
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        return {info.filename.partition("/")[2]: whole.read(info) for info in whole.infolist()}


def text_of(pdf: bytes) -> str:
    """The text of a PDF in the order in which it was written; skips the test where that is missing."""
    if shutil.which("pdftotext") is None:
        pytest.skip("the command pdftotext (poppler-utils) is not on this machine")
    done = subprocess.run(["pdftotext", "-raw", "-", "-"], input=pdf, capture_output=True, check=True)
    return done.stdout.decode("utf-8")


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, as `text_of`."""
    return text_of(pdf).split("\f")[:-1]


def streams_of(pdf: bytes) -> Iterator[bytes]:
    """Everything inside a PDF: each stream decompressed, each other object as it is written, and the metadata."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        for thing in document.objects:
            if isinstance(thing, pikepdf.Stream):
                yield thing.read_bytes()
            yield thing.unparse()
        yield str(dict(document.docinfo)).encode()


def everything(data: bytes) -> list[bytes]:
    """The zip itself, its names, its files, and of each PDF the inside and the text, with and without line ends."""
    found = [data]
    for path, content in files_of(data).items():
        found += [path.encode(), content]
        if path.endswith(".pdf"):
            text = text_of(content)
            found += [*streams_of(content), text.encode(), "".join(text.split()).encode()]
    return found


def found_in(haystack: list[bytes], secrets: dict[str, list[bytes]]) -> set[str]:
    """Which of the secrets are there, in any of their forms."""
    assert len(haystack) > 10, "nothing was examined"
    assert secrets
    assert all(secrets.values())
    return {name for name, forms in secrets.items() if any(form in part for form in forms for part in haystack)}
