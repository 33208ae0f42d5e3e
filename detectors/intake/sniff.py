"""Which container a file is, by its first bytes and never by its name. Free of NumPy and Pillow."""

from __future__ import annotations

import struct

SNIFF_BYTES = 256
"""How much of a file's start `sniff` can use: the longest `ftyp` box that is worth reading."""

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_GENERIC_BRANDS = frozenset({b"mif1", b"msf1", b"mif2", b"1pic"})  # HEIF without a word on the codec

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two are BigTIFF

_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
"""Sizes of the known DIB headers. "BM" alone is two letters, and would take many a text file for a picture."""


def sniff(head: bytes) -> str | None:
    """`JPEG`, `PNG`, `WEBP`, `GIF`, `BMP`, `TIFF`, `HEIF` or `AVIF` from a file's first bytes, else None."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(_TIFF_MAGIC):
        return "TIFF"
    if head[:2] == b"BM" and len(head) >= 18 and struct.unpack_from("<I", head, 14)[0] in _BMP_HEADERS:
        return "BMP"
    if head[4:8] == b"ftyp":
        return _sniff_boxes(head)
    return None


def _sniff_boxes(head: bytes) -> str | None:
    """HEIF or AVIF by the brands of an ISO base media file (ISO/IEC 14496-12, `ftyp`), else None (an MP4, say)."""
    size = min(len(head), struct.unpack_from(">I", head)[0])
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, size - 3, 4))]
    for brand in brands:
        if brand in _AVIF_BRANDS:
            return "AVIF"
        if brand in _HEIF_BRANDS:
            return "HEIF"
    return "HEIF" if any(b in _GENERIC_BRANDS for b in brands) else None
