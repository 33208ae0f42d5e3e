"""The container is told by content alone."""

from __future__ import annotations

import struct
import subprocess
import sys

import pytest

from detectors.intake.sniff import SNIFF_BYTES, sniff
from tests.hostile import encoded, hostile_files, photo


@pytest.mark.parametrize(
    ("kind", "pillow"),
    [(k, k) for k in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")] + [("JPEG", "MPO")],
)
def test_real_files(kind: str, pillow: str) -> None:
    assert sniff(encoded(photo(), pillow)[:SNIFF_BYTES]) == kind


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    body = major + bytes(4) + b"".join(compatible)
    return struct.pack(">I", 8 + len(body)) + b"ftyp" + body


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (ftyp(b"heic", b"mif1"), "HEIF"),
        (ftyp(b"mif1", b"mif1", b"heic"), "HEIF"),
        (ftyp(b"mif1", b"miaf", b"avif"), "AVIF"),
        (ftyp(b"avis", b"avif"), "AVIF"),
        (ftyp(b"mif1"), "HEIF"),
        (ftyp(b"isom", b"mp42"), None),
        (ftyp(b"qt  "), None),
        (b"MM\0+" + bytes(12), "TIFF"),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"BM" + bytes(12) + struct.pack("<I", 40), "BMP"),
        (b"BM and so on, in words", None),
        (b"GIF88a", None),
        (b"\xff\xd8", None),
        (b"", None),
    ],
)
def test_heads(head: bytes, kind: str | None) -> None:
    assert sniff(head) == kind


def test_no_prefix_of_a_bad_file_makes_it_fail() -> None:
    heads = [data[:n] for data, _, _ in hostile_files().values() for n in range(40)]
    assert len(heads) > 1000
    for head in heads:
        assert sniff(head) in {None, "JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"}


def test_the_parent_process_can_sniff_without_numpy_or_pillow() -> None:
    code = (
        "import sys, detectors.intake.sniff, detectors.intake.limits, detectors.intake.problems, "
        "detectors.intake.containers; sys.exit(any(m in sys.modules for m in ('numpy', 'PIL')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
