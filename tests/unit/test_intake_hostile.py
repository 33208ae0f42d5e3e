"""Whatever the bytes: a Picture or a calm error comes out, in bounded time, and never half a picture."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from detectors.errors import CounterproofError, FileRefused
from detectors.intake import decode as decode_module
from detectors.intake.decode import decode, init
from detectors.intake.limits import Limits
from detectors.intake.picture import Picture
from tests.hostile import encoded, gif_of, hostile_files, photo, png_bomb, png_header_only

init()
LIMITS = Limits()
REPO = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("COUNTERPROOF_SHARED", REPO.parent / "shared"))


def outcome(data: bytes, limits: Limits = LIMITS) -> tuple[str, str | None]:
    """Status and code, as a report would say."""
    result = attempt(data, limits)
    if isinstance(result, CounterproofError):
        assert result.message.endswith(".")
        assert result.remedy.endswith(".")
        return result.status, result.code
    check(result, data)
    return "scanned", None


def attempt(data: bytes, limits: Limits = LIMITS) -> Picture | CounterproofError:
    """The only two things that may come out of bytes."""
    try:
        return decode(data, hashlib.sha256(data).hexdigest(), limits)
    except CounterproofError as e:
        return e


def check(picture: Picture, data: bytes) -> None:
    """What every Picture keeps to."""
    media = picture.media
    assert picture.rgb.dtype == np.uint8
    assert picture.rgb.ndim == 3
    assert picture.rgb.shape[2] == 3
    assert picture.rgb.flags.c_contiguous
    assert 0 < media.width <= LIMITS.max_side
    assert 0 < media.height <= LIMITS.max_side
    assert picture.rgb.shape[1] == -(-media.width // round(1 / picture.scale))
    assert picture.rgb.shape[0] == -(-media.height // round(1 / picture.scale))
    assert media.bytes == len(data)
    for text in (picture.untrusted_exif, picture.untrusted_text, picture.untrusted_iptc):
        for key, value in text.items():
            assert isinstance(key, str)
            (key + value).encode("utf-8")  # no lone surrogate: it would break JSON and the window
    (picture.untrusted_xmp or "").encode("utf-8")


@pytest.mark.parametrize("name", hostile_files())
def test_bad_files(name: str) -> None:
    data, status, code = hostile_files()[name]
    start = time.perf_counter()
    assert outcome(data) == (status, code)
    assert time.perf_counter() - start < 2


def test_the_list_of_bad_files_is_what_it_says() -> None:
    files = hostile_files()
    assert len(files) > 30
    assert {status for _, status, _ in files.values()} == {"unreadable", "refused", "scanned"}
    with Image.open(io.BytesIO(files["really_a_png.jpg"][0])) as image:
        image.load()


def test_the_bomb_is_real_and_small() -> None:
    """Small enough to send, large enough to hurt: it decodes under wider limits."""
    assert len(png_bomb(2000)) < 5000
    assert len(png_bomb()) < 100_000
    assert outcome(png_bomb(2000)) == ("scanned", None)
    assert outcome(png_bomb(2000), Limits(max_pixels=3_999_999)) == ("refused", "too_many_pixels")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
def test_limits_are_read_from_the_header(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(photo(), kind)

    def never(*_args: object) -> None:
        raise AssertionError("a pixel was decoded")

    reader = decode_module._READERS[kind]
    assert outcome(data, Limits(max_pixels=160 * 120, max_side=160)) == ("scanned", None)
    monkeypatch.setattr(reader, "load", never)
    assert outcome(data, Limits(max_pixels=160 * 120 - 1)) == ("refused", "too_many_pixels")
    assert outcome(data, Limits(max_side=159)) == ("refused", "side_too_long")
    assert outcome(data, Limits(max_bytes=len(data) - 1)) == ("refused", "too_many_bytes")
    assert outcome(data) == ("unreadable", "damaged")  # here the planted reader does speak


def test_frames() -> None:
    assert outcome(gif_of(1000)) == ("scanned", None)
    assert outcome(gif_of(1001)) == ("refused", "too_many_frames")
    many = [photo(8, 8, seed) for seed in range(6)]
    for kind in ("PNG", "WEBP", "TIFF", "GIF", "AVIF"):
        data = encoded(many[0], kind, save_all=True, append_images=many[1:])
        assert outcome(data, Limits(max_frames=6)) == ("scanned", None), kind
        assert outcome(data, Limits(max_frames=5)) == ("refused", "too_many_frames"), kind


def test_counting_frames_is_cheap() -> None:
    data = gif_of(1_000_000)
    start = time.perf_counter()
    assert outcome(data) == ("refused", "too_many_frames")
    assert time.perf_counter() - start < 0.2


@pytest.mark.parametrize(
    ("marker", "mark"), [(0xE1, b"Exif\0\0"), (0xE2, b"ICC_PROFILE\0\1\1"), (0xED, b"Photoshop 3.0\0")]
)
def test_a_thousand_metadata_segments_are_cheap(marker: int, mark: bytes) -> None:
    segment = bytes([0xFF, marker]) + (65_000).to_bytes(2, "big") + mark.ljust(64_998, b"x")
    jpeg = encoded(photo(), "JPEG")
    start = time.perf_counter()
    assert outcome(jpeg[:2] + segment * 1000 + jpeg[2:]) == ("scanned", None)
    assert time.perf_counter() - start < 3


def test_memory_error_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(*_args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decode_module, "to_rgb", hungry)
    with pytest.raises(FileRefused, match="needs_too_much_memory"):
        decode(encoded(photo(), "PNG"), "", LIMITS)


def test_a_fault_of_our_own_is_not_dressed_up_as_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_args: object) -> None:
        raise AttributeError("a slip")

    monkeypatch.setattr(decode_module, "extract", faulty)
    with pytest.raises(AttributeError, match="a slip"):
        decode(encoded(photo(), "PNG"), "", LIMITS)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_no_half_grey_jpeg(mode: str, progressive: bool) -> None:
    """A scan that ends early but properly: libjpeg paints the rest grey and reports success."""
    data = encoded(photo().convert(mode), "JPEG", quality=90, progressive=progressive)
    scan = data.index(b"\xff\xda")
    for share in (0.05, 0.3, 0.6, 0.9):
        cut = data[: scan + 20 + int((len(data) - scan - 20) * share)].rstrip(b"\xff") + b"\xff\xd9"
        found = outcome(cut)
        if progressive and found == ("scanned", None):
            # Later scans only sharpen: all rows must be there already.
            rgb = decode(cut, "", LIMITS).rgb.astype(int)
            assert np.abs(rgb - np.asarray(photo().convert(mode).convert("RGB"))).mean() < 25
        else:
            assert found == ("unreadable", "truncated"), share


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_picture_that_is_grey_at_its_end_is_not_taken_for_cut(mode: str) -> None:
    image = photo().convert(mode)
    image.paste(Image.new("RGB", (160, 40), (128, 128, 128)).convert(mode), (0, 80))
    assert outcome(encoded(image, "JPEG", quality=90)) == ("scanned", None)
    assert outcome(encoded(Image.new("L", (4200, 2100), 128).convert(mode), "JPEG")) == ("scanned", None)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
def test_every_cut_is_told_or_harmless(kind: str) -> None:
    data = encoded(photo(), kind)
    whole = decode(data, "", LIMITS).rgb
    told = 0
    for n in range(1, len(data), max(1, len(data) // 60)):
        result = attempt(data[:n])
        if isinstance(result, Picture):
            assert np.array_equal(result.rgb, whole), n
        else:
            told += 1
            assert n <= 200 or result.code == "truncated", (n, result.code)
    assert told > 50


@cache
def seeds() -> list[bytes]:
    image = photo(48, 40)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "words"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0\0a\0b"
    full = {"exif": exif.tobytes()}
    found = [encoded(image, k, **full) for k in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF")]
    found += [encoded(image, "JPEG", progressive=True), encoded(image.convert("CMYK"), "JPEG")]
    found += [
        encoded(image, "BMP"),
        encoded(image, "TIFF", compression="tiff_lzw"),
        encoded(image.convert("1"), "TIFF"),
    ]
    found += [
        encoded(image, k, save_all=True, append_images=[image.rotate(90)]) for k in ("GIF", "PNG", "WEBP", "TIFF")
    ]
    return [*found, png_header_only(10, 10), gif_of(3)]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    which=st.integers(0, 16),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
    length=st.one_of(st.just(1.0), st.floats(0, 1)),
    early=st.booleans(),
)
def test_fuzz(which: int, flips: list[tuple[float, int]], length: float, early: bool) -> None:
    """Bytes changed anywhere, or (`early`) among the first 400, where the structure lies; then cut."""
    data = bytearray(seeds()[which])
    reach = min(len(data), 400) if early else len(data)
    for place, value in flips:
        data[int(place * reach)] = value
    outcome(bytes(data[: int(len(data) * length)]))


def test_the_fuzz_covers_all_seeds() -> None:
    assert len(seeds()) == 17
    assert sum(outcome(s) == ("scanned", None) for s in seeds()) == 16


def test_labelled_originals_decode() -> None:
    folder = SHARED / "data" / "originals"
    if not folder.is_dir():
        pytest.skip("the labelled images are not here; set COUNTERPROOF_SHARED to the folder that holds data/")
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 50
    kinds = set()
    for row in rows:
        data = (folder / row["file"]).read_bytes()
        picture = decode(data, "", LIMITS)
        check(picture, data)
        kinds.add(picture.media.format)
        if row["expect"] == "camera_exif":
            assert {"Make", "Model"} & set(picture.untrusted_exif), row["file"]
    assert kinds == {"JPEG", "PNG", "WEBP", "BMP", "TIFF", "HEIF", "AVIF"}


def test_after_init_no_file_is_opened_and_nothing_imported(tmp_path: Path) -> None:
    """A sandbox may then take the file system away. A process of its own, for making files loads codecs too."""
    sound = [data for data, status, _ in hostile_files().values() if status == "scanned"]
    for i, data in enumerate([*(s for s in seeds() if len(s) > 70), *sound]):
        (tmp_path / str(i)).write_bytes(data)
    code = """
import pathlib, sys
from detectors.intake.decode import decode, init
from detectors.intake.limits import Limits
files = [p.read_bytes() for p in pathlib.Path(sys.argv[1]).iterdir()]
seen = []
init()
sys.addaudithook(lambda event, args: seen.append((event, args[0])) if event in ("open", "import") else None)
for data in files:
    decode(data, "", Limits())
print(len(files), seen)
sys.exit(bool(seen) or len(files) < 20)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=REPO, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
