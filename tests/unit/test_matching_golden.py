"""PDQ against Meta's own code on real photographs: equal from the same pixels, within 10 bits from the files."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pdqhash
from PIL import Image

from detectors.fingerprints import hamming
from detectors.fingerprints.pdq import pdq
from detectors.intake.decode import decode
from detectors.intake.limits import Limits

PHOTOGRAPHS = 300
PUBLISHED_DISTANCE, PUBLISHED_QUALITY = 10, 80


def reference(rgb: np.ndarray) -> tuple[str, int]:
    bits, quality = pdqhash.compute(np.ascontiguousarray(rgb))
    return np.packbits(bits.astype(np.uint8)).tobytes().hex(), int(quality)


def photographs(shared: Path) -> Iterator[Path]:
    """Every so many of the photographs of at least 64 px, so that all sources are among them."""
    folder = shared / "data" / "images"
    with (folder / "labels.csv").open(encoding="utf-8") as lines:
        rows = [r for r in csv.DictReader(lines) if r["label"] == "0"]
    large = [r["file"] for r in rows if min(int(r["original_width"]), int(r["original_height"])) >= 128]
    return (folder / file for file in large[:: len(large) // PHOTOGRAPHS])


def test_equal_from_the_same_pixels(shared: Path) -> None:
    compared = 0
    for path in photographs(shared):
        with Image.open(path) as image:
            rgb = np.asarray(image.convert("RGB"))
        if min(rgb.shape[:2]) >= 64:
            assert pdq(rgb) == reference(rgb), path.name
            compared += 1
    assert compared >= PHOTOGRAPHS


def test_large_files_stay_within_the_published_distance(shared: Path) -> None:
    """Enlarged to 641 to 1,800 px and once to 4,600, where JPEG is decoded at half its size."""
    draw, distances = np.random.default_rng(6), []
    for number, path in enumerate(list(photographs(shared))[::12]):
        with Image.open(path) as image:
            side = 4600 if number == 0 else draw.integers(641, 1800)
            size = tuple(round(s * side / max(image.size)) for s in image.size)
            large = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)  # type: ignore[arg-type]
        out = io.BytesIO()
        large.save(out, "JPEG", quality=85)
        ours = pdq(decode(out.getvalue(), hashlib.sha256(out.getvalue()).hexdigest(), Limits()).rgb)
        with Image.open(io.BytesIO(out.getvalue())) as image:
            full = reference(np.asarray(image.convert("RGB")))
        if full[1] >= PUBLISHED_QUALITY:
            distances.append(hamming(ours[0], full[0]))
    assert len(distances) >= 20
    assert max(distances) <= PUBLISHED_DISTANCE
    assert np.mean(distances) < 1


def test_published_originals_stay_within_the_published_distance(shared: Path) -> None:
    compared = 0
    for path in sorted((shared / "data" / "originals").glob("*.jp*g")):
        data = path.read_bytes()
        ours = decode(data, hashlib.sha256(data).hexdigest(), Limits())
        with Image.open(path) as image:
            if image.getexif().get(0x0112, 1) != 1 or min(image.size) < 64:
                continue
            full = reference(np.asarray(image.convert("RGB")))
        if full[1] >= PUBLISHED_QUALITY:
            compared += 1
            assert hamming(pdq(ours.rgb)[0], full[0]) <= PUBLISHED_DISTANCE, path.name
    assert compared >= 5
