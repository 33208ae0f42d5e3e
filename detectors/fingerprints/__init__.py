"""Fingerprints of one picture: SHA-256 and MD5 of the file, PDQ and pHash of the pixels."""

from __future__ import annotations

import hashlib

from detectors.fingerprints.pdq import MINIMUM_SIDE, RELIABLE_QUALITY, pdq
from detectors.fingerprints.phash import phash
from detectors.intake.picture import Picture
from detectors.report import Hashes

TOO_SMALL = (
    f"This picture is less than {MINIMUM_SIDE} pixels wide or high: too small for the PDQ fingerprint that "
    "platforms use to find copies."
)
BLANK = "This picture is blank or nearly so: there is no PDQ fingerprint that could tell it from others."
UNRELIABLE = "This picture has little detail, so its PDQ fingerprint is not reliable for finding copies."


def fingerprints(picture: Picture) -> Hashes:
    """All fingerprints of one picture; `note` says in one sentence why the PDQ is missing or weak, or is empty."""
    height, width, _ = picture.rgb.shape
    value: str | None = None
    quality: int | None = None
    note = ""
    if min(height, width) < MINIMUM_SIDE:
        note = TOO_SMALL
    else:
        value, quality = pdq(picture.rgb)
        if quality == 0:
            value, quality, note = None, None, BLANK
        elif quality < RELIABLE_QUALITY:
            note = UNRELIABLE
    return Hashes(
        sha256=picture.sha256,
        md5=hashlib.md5(picture.data, usedforsecurity=False).hexdigest(),
        pdq=value,
        pdq_quality=quality,
        phash=phash(picture.image),
        note=note,
    )


def hamming(a: str, b: str) -> int:
    """How many bits differ between two hashes in hex of the same length. Raises ValueError when they do not compare."""
    if len(a) != len(b):
        raise ValueError(f"hashes of {len(a)} and {len(b)} hex digits cannot be compared")
    return (int(a, 16) ^ int(b, 16)).bit_count()


__all__ = ["fingerprints", "hamming", "pdq", "phash"]
