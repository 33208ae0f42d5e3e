"""Fingerprints equal the reference implementations, or stay within the published distance of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import imagehash
import numpy as np
import numpy.typing as npt
import pdqhash
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from detectors.fingerprints import BLANK, TOO_SMALL, UNRELIABLE, fingerprints, hamming
from detectors.fingerprints.pdq import DIRECT_SIDE, pdq
from detectors.fingerprints.phash import phash
from detectors.intake.media import Media
from detectors.intake.picture import Picture

Pixels = npt.NDArray[np.uint8]

PUBLISHED_DISTANCE = 10  # bits that hashes of one file may differ by, at quality 80 and above


def scene(seed: int, width: int, height: int) -> Pixels:
    """A picture with large and small shapes, (h, w, 3) uint8: much detail, so a PDQ quality near 100."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), tuple(int(v) for v in rng.integers(0, 256, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, size = rng.random(), rng.random(), rng.uniform(0.03, 0.4)
        box = (int(x * width), int(y * height), int((x + size) * width), int((y + size) * height))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        (draw.ellipse if rng.random() < 0.5 else draw.rectangle)(box, fill=colour)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(1)))


def gradient(width: int, height: int) -> Pixels:
    """A smooth diagonal gradient: hardly any detail."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], 2).astype(np.uint8)


def picture(rgb: Pixels, data: bytes = b"bytes") -> Picture:
    media = Media("PNG", rgb.shape[1], rgb.shape[0], len(data))
    return Picture(rgb=rgb, media=media, sha256=hashlib.sha256(data).hexdigest(), data=data)


def reference_pdq(rgb: Pixels) -> tuple[str, int]:
    """The reference's 256 bits, most significant first, written out as hex without NumPy's packing."""
    bits, quality = pdqhash.compute(np.ascontiguousarray(rgb))
    return f"{int(''.join(str(int(b)) for b in bits), 2):064x}", quality


def photographs(shared: Path, count: int) -> Iterator[Pixels]:
    files = sorted((shared / "data" / "images" / "whole").glob("*.jpg"))
    assert len(files) >= count
    for path in files[:: len(files) // count][:count]:
        with Image.open(path) as image:
            yield np.asarray(image.convert("RGB"))


# PDQ ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 64), (65, 99), (200, 300), (512, 512), (640, 427), (333, 640)])
def test_pdq_equals_the_reference(size: tuple[int, int]) -> None:
    rgb = scene(1, *size)
    assert max(rgb.shape) <= DIRECT_SIDE
    assert pdq(rgb) == reference_pdq(rgb)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(64, 300), height=st.integers(64, 300))
def test_pdq_equals_the_reference_on_noise(seed: int, width: int, height: int) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert pdq(rgb) == reference_pdq(rgb)


def test_pdq_equals_the_reference_on_photographs(shared: Path) -> None:
    checked = 0
    for rgb in photographs(shared, 60):
        assert pdq(rgb) == reference_pdq(rgb)
        checked += 1
    assert checked == 60


GOLDEN = {
    "scene": (scene(7, 320, 240), "ac669bf46cd2d8626924b24e0fd6330cd9b9ec0e7794a36240b97bb97c258c4b", 100),
    "gradient": (gradient(256, 256), "0a8a7ffec80a5eee722847fe7c2855ee7728547af7c2101f77f2145657d40001", 43),
    "large scene": (scene(7, 1600, 1200), "ac669b747cd2d8e26924b04e0fd6330ed9b9ec0e7794a37040b97bb96c258c4b", 100),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_pdq(name: str) -> None:
    rgb, value, quality = GOLDEN[name]
    assert pdq(rgb) == (value, quality)


def test_rows_are_rows() -> None:
    """A hash of the transposed or flipped picture would match nobody's."""
    rgb = scene(3, 300, 200)
    upright = pdq(rgb)[0]
    for other in (rgb[::-1], rgb[:, ::-1], rgb.transpose(1, 0, 2)):
        assert hamming(upright, pdq(np.ascontiguousarray(other))[0]) > 64


@pytest.mark.parametrize(
    "size", [(641, 641), (700, 525), (800, 600), (1080, 1080), (1333, 888), (720, 1280), (2048, 1365)]
)
def test_large_pictures_stay_within_the_published_distance(size: tuple[int, int]) -> None:
    for seed in range(2):
        rgb = scene(seed, *size)
        (ours, quality), (full, full_quality) = pdq(rgb), reference_pdq(rgb)
        assert full_quality >= 80
        assert hamming(ours, full) <= PUBLISHED_DISTANCE
        assert abs(quality - full_quality) <= 5


def test_large_photographs_stay_within_the_published_distance(shared: Path) -> None:
    distances = []
    for rgb in photographs(shared, 24):
        height, width, _ = rgb.shape
        large = Image.fromarray(rgb).resize((round(width * 2.2), round(height * 2.2)), Image.Resampling.BICUBIC)
        if max(large.size) <= DIRECT_SIDE:
            continue
        pixels = np.asarray(large)
        full, quality = reference_pdq(pixels)
        if quality >= 80:
            distances.append(hamming(pdq(pixels)[0], full))
    assert len(distances) >= 10
    assert max(distances) <= PUBLISHED_DISTANCE


# pHash ----------------------------------------------------------------------------------------------------------


def mirrored(seed: int) -> Pixels:
    half = scene(seed, 64, 128)
    return np.concatenate([half, half[:, ::-1]], axis=1)


PHASH_CASES = {
    **{f"scene {i}": scene(i, 40 + 37 * i, 300 - 11 * i) for i in range(20)},
    **{f"mirrored {i}": mirrored(i) for i in range(10)},
    **{f"tiled {i}": np.tile(scene(i, 32, 32), (4, 4, 1)) for i in range(5)},
    **{f"stripes {i}": np.tile(scene(i, 128, 1), (128, 1, 1)) for i in range(5)},
    **{f"columns {i}": np.tile(scene(i, 1, 128), (1, 128, 1)) for i in range(5)},
    "blank": np.full((100, 100, 3), 77, np.uint8),
    "black": np.zeros((100, 100, 3), np.uint8),
    "one pixel": np.full((1, 1, 3), 9, np.uint8),
    "gradient": gradient(200, 100),
    "wide": scene(5, 900, 12),
}


@pytest.mark.parametrize("name", PHASH_CASES)
def test_phash_equals_imagehash(name: str) -> None:
    rgb = PHASH_CASES[name]
    assert phash(rgb) == str(imagehash.phash(Image.fromarray(rgb)))


def test_phash_equals_imagehash_on_photographs(shared: Path) -> None:
    checked = 0
    for rgb in photographs(shared, 60):
        assert phash(rgb) == str(imagehash.phash(Image.fromarray(rgb)))
        checked += 1
    assert checked == 60


# The whole ------------------------------------------------------------------------------------------------------


def test_all_fingerprints_of_a_picture() -> None:
    rgb = scene(2, 400, 300)
    found = fingerprints(picture(rgb, b"abc"))
    assert found.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert found.md5 == "900150983cd24fb0d6963f7d28e17f72"
    assert (found.pdq, found.pdq_quality) == reference_pdq(rgb)
    assert found.phash == str(imagehash.phash(Image.fromarray(rgb)))
    assert found.note == ""


def test_small_picture_has_no_pdq_and_says_why() -> None:
    found = fingerprints(picture(scene(2, 300, 63)))
    assert (found.pdq, found.pdq_quality, found.note) == (None, None, TOO_SMALL)
    assert found.phash is not None
    assert fingerprints(picture(scene(2, 300, 64))).pdq is not None


def test_blank_picture_has_no_pdq_and_says_why() -> None:
    found = fingerprints(picture(np.full((200, 200, 3), 128, np.uint8)))
    assert (found.pdq, found.pdq_quality, found.note) == (None, None, BLANK)


def test_little_detail_keeps_the_value_and_says_so() -> None:
    faint = (scene(2, 300, 300).astype(np.float32) / 5 + 100).astype(np.uint8)
    found = fingerprints(picture(faint))
    assert found.pdq_quality is not None
    assert 0 < found.pdq_quality < 50
    assert found.pdq == reference_pdq(faint)[0]
    assert found.note == UNRELIABLE


def test_a_recompressed_copy_is_near_and_another_picture_is_far() -> None:
    first, other = scene(11, 500, 400), scene(12, 500, 400)
    copy = np.asarray(Image.fromarray(first).resize((450, 360)).convert("RGB"))
    assert hamming(pdq(first)[0], pdq(copy)[0]) <= 31
    assert hamming(pdq(first)[0], pdq(other)[0]) > 31


@given(a=st.binary(min_size=32, max_size=32), b=st.binary(min_size=32, max_size=32))
def test_hamming_counts_differing_bits(a: bytes, b: bytes) -> None:
    expected = sum((x ^ y).bit_count() for x, y in zip(a, b, strict=True))
    assert hamming(a.hex(), b.hex()) == hamming(b.hex(), a.hex()) == expected


def test_hamming_refuses_what_it_cannot_compare() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        hamming("ff", "ffff")
    with pytest.raises(ValueError, match="invalid literal"):
        hamming("zz", "ff")
