"""Every container and every way of storing pixels comes out as the RGB that a screen would show."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
from PIL import Image, ImageOps

from detectors.intake.decode import LONG_SIDE_KEPT, decode, init
from detectors.intake.limits import Limits
from detectors.intake.picture import Picture
from detectors.intake.pixels import STRETCHED
from tests.hostile import encoded, photo, png_chunk

init()
PHOTO = photo()
RGB = np.asarray(PHOTO)


def opened(data: bytes) -> Picture:
    return decode(data, hashlib.sha256(data).hexdigest(), Limits())


def furthest(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def mean_off(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@pytest.mark.parametrize(
    ("kind", "pillow", "options"),
    [
        ("PNG", "PNG", {}),
        ("BMP", "BMP", {}),
        ("WEBP", "WEBP", {"lossless": True}),
        ("TIFF", "TIFF", {}),
        ("TIFF", "TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", "TIFF", {"big_tiff": True}),
    ],
)
def test_lossless_containers_keep_every_pixel(kind: str, pillow: str, options: dict[str, object]) -> None:
    data = encoded(PHOTO, pillow, **options)
    picture = opened(data)
    assert picture.media.format == kind
    assert (picture.media.width, picture.media.height, picture.media.bytes) == (160, 120, len(data))
    assert picture.rgb.dtype == np.uint8
    assert picture.rgb.flags.c_contiguous
    assert furthest(picture.rgb, RGB) == 0
    assert picture.media.notes == ()
    assert not picture.had_alpha
    assert picture.data is data


@pytest.mark.parametrize(
    ("kind", "pillow", "options"),
    [
        ("JPEG", "JPEG", {"quality": 95}),
        ("JPEG", "JPEG", {"quality": 95, "progressive": True}),
        ("JPEG", "JPEG", {"quality": 95, "restart_marker_rows": 1}),
        ("JPEG", "MPO", {"quality": 95}),
        ("WEBP", "WEBP", {"quality": 95}),
        ("HEIF", "HEIF", {"quality": 90}),
        ("AVIF", "AVIF", {"quality": 95}),
    ],
)
def test_lossy_containers_come_close(kind: str, pillow: str, options: dict[str, object]) -> None:
    picture = opened(encoded(PHOTO, pillow, **options))
    assert picture.media.format == kind
    assert mean_off(picture.rgb, RGB) < 6
    assert mean_off(picture.rgb[::-1], RGB) > 20  # the bound above is one that a wrong picture fails


def test_quantisation_tables_of_jpeg_only() -> None:
    tables = opened(encoded(PHOTO, "JPEG", quality=50)).quantisation
    assert set(tables) == {0, 1}
    assert tables[0][:3] == (16, 11, 10)  # ITU-T T.81, table K.1
    assert opened(encoded(PHOTO, "PNG")).quantisation == {}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("pillow", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_orientation_is_applied_once(pillow: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}, "AVIF": {"quality": 95}}.get(
        pillow, {}
    )
    data = encoded(PHOTO, pillow, exif=exif.tobytes(), **options)
    turned = PHOTO.copy()
    turned.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(turned))
    picture = opened(data)
    assert (picture.media.height, picture.media.width) == expected.shape[:2]
    assert mean_off(picture.rgb, expected) < 6
    if orientation != 1:
        assert picture.rgb.shape != RGB.shape or mean_off(picture.rgb, RGB) > 20


def test_cmyk_jpeg_with_adobe_inversion() -> None:
    cmyk = PHOTO.convert("CMYK")
    picture = opened(encoded(cmyk, "JPEG", quality=95))
    assert mean_off(picture.rgb, RGB) < 6


def test_ycck_jpeg() -> None:
    """Pillow writes CMYK with transform 0. With transform 2 the same numbers mean YCCK; grey stays grey."""
    data = encoded(Image.new("CMYK", (64, 64), (0, 0, 0, 0)), "JPEG", quality=95)
    at = data.index(b"Adobe")
    assert data[at + 11] == 0
    ycck = data[: at + 11] + b"\x02" + data[at + 12 :]
    # stored (inverted) C=M=Y=K=255 read as Y=255 Cb=255 Cr=255: R=255, G=~76, B=255 before inversion rules
    rgb = opened(ycck).rgb
    assert furthest(rgb, np.asarray(Image.open(io.BytesIO(ycck)).convert("RGB"))) == 0
    assert furthest(rgb, opened(data).rgb) > 50


def test_grey_bilevel_and_palette() -> None:
    grey = PHOTO.convert("L")
    as_rgb = np.asarray(grey.convert("RGB"))
    assert furthest(opened(encoded(grey, "PNG")).rgb, as_rgb) == 0
    assert furthest(opened(encoded(grey, "BMP")).rgb, as_rgb) == 0
    assert mean_off(opened(encoded(grey, "JPEG", quality=95)).rgb, as_rgb) < 3
    two = grey.convert("1")
    for kind in ("PNG", "BMP", "TIFF"):
        assert furthest(opened(encoded(two, kind)).rgb, np.asarray(two.convert("RGB"))) == 0
    palette = PHOTO.quantize(64)
    for kind in ("PNG", "BMP", "TIFF", "GIF"):
        assert furthest(opened(encoded(palette, kind)).rgb, np.asarray(palette.convert("RGB"))) == 0


@pytest.mark.parametrize("order", ["<u2", ">u2"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(kind: str, order: str) -> None:
    ramp = np.linspace(0, 65535, 160 * 120).astype("<u2").reshape(120, 160)
    image = Image.fromarray(ramp)
    if order == ">u2":
        image = Image.frombytes("I;16B", (160, 120), ramp.astype(">u2").tobytes())
    expected = np.rint(ramp / 257).astype(np.uint8)
    rgb = opened(encoded(image, kind)).rgb
    assert furthest(rgb, np.repeat(expected[:, :, None], 3, axis=2)) == 0


def tiff(width: int, height: int, pixels: bytes, entries: dict[int, tuple[int, int]]) -> bytes:
    """A little-endian TIFF of one uncompressed strip; entries are tag -> (type, value)."""
    tags = {256: (4, width), 257: (4, height), 259: (3, 1), 273: (4, 0), 278: (4, height), 279: (4, len(pixels))}
    tags |= entries
    at = 8 + 2 + 12 * len(tags) + 4
    tags[273] = (4, at)
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(tags.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + bytes(4) + pixels


def test_16_bit_grey_tiff_where_white_is_zero() -> None:
    ramp = np.linspace(0, 65535, 160 * 120).astype("<u2").reshape(120, 160)
    data = tiff(160, 120, ramp.tobytes(), {258: (3, 16), 262: (3, 0), 277: (3, 1)})
    assert furthest(opened(data).rgb[:, :, 0], 255 - np.rint(ramp / 257).astype(np.uint8)) == 0


def test_12_bit_grey_tiff_uses_its_own_white() -> None:
    packed = bytes([0xFF, 0xF0, 0x00] * (8 * 4))  # pairs of 4095 and 0
    rgb = opened(tiff(16, 4, packed, {258: (3, 12), 262: (3, 1), 277: (3, 1)})).rgb
    assert rgb[0, 0].tolist() == [255, 255, 255]
    assert rgb[0, 1].tolist() == [0, 0, 0]


def test_16_bit_rgb_png_and_tiff() -> None:
    wide = (RGB.astype(np.uint16) * 257).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    png = (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 160, 120, 16, 2, 0, 0, 0))
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )
    assert furthest(opened(png).rgb, RGB) == 0


def test_float_and_32_bit_are_stretched_and_said_so() -> None:
    values = np.linspace(-3.0, 9.0, 160 * 120, dtype=np.float32).reshape(120, 160)
    values[0, 0] = np.nan
    picture = opened(encoded(Image.fromarray(values), "TIFF"))
    assert STRETCHED in picture.media.notes
    assert picture.rgb[-1, -1].tolist() == [255, 255, 255]
    assert picture.rgb[0, 1].tolist() == [0, 0, 0]
    integers = np.linspace(0, 100_000, 160 * 120).astype(np.int32).reshape(120, 160)
    assert opened(encoded(Image.fromarray(integers), "TIFF")).rgb[-1, -1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_alpha_lies_over_white(kind: str) -> None:
    red = Image.new("RGBA", (64, 64), (255, 0, 0, 255))
    red.paste((0, 0, 255, 0), (0, 0, 32, 64))
    red.paste((0, 0, 0, 128), (32, 32, 64, 64))
    lossless = {"WEBP": {"lossless": True}, "HEIF": {"quality": -1, "chroma": 444}, "AVIF": {"quality": 100}}
    picture = opened(encoded(red, kind, **lossless.get(kind, {})))
    assert picture.had_alpha
    assert furthest(picture.rgb[8:56, 8:24], np.full((48, 16, 3), 255, np.uint8)) <= 3
    assert furthest(picture.rgb[8:24, 40:56], np.full((16, 16, 3), (255, 0, 0), np.uint8)) <= 6
    assert furthest(picture.rgb[40:56, 40:56], np.full((16, 16, 3), 127, np.uint8)) <= 6


def test_alpha_that_hides_nothing_is_no_alpha() -> None:
    picture = opened(encoded(PHOTO.convert("RGBA"), "PNG"))
    assert not picture.had_alpha
    assert furthest(picture.rgb, RGB) == 0


def test_grey_alpha_and_transparent_colours() -> None:
    la = Image.new("LA", (8, 8), (0, 0))
    assert opened(encoded(la, "PNG")).rgb.min() == 255
    keyed = Image.new("RGB", (8, 8), (1, 2, 3))
    keyed.putpixel((0, 0), (9, 9, 9))
    picture = opened(encoded(keyed, "PNG", transparency=(1, 2, 3)))
    assert picture.had_alpha
    assert picture.rgb[4, 4].tolist() == [255, 255, 255]
    assert picture.rgb[0, 0].tolist() == [9, 9, 9]
    palette = PHOTO.quantize(16)
    index = palette.getpixel((5, 5))
    for kind in ("PNG", "GIF"):
        assert opened(encoded(palette, kind, transparency=index)).rgb[5, 5].tolist() == [255, 255, 255]
    several = encoded(palette, "PNG", transparency=bytes([0, 128] + [255] * 14))
    assert opened(several).had_alpha


@pytest.mark.parametrize(("side", "step"), [(4095, 1), (4096, 2), (8191, 2), (8192, 4), (16400, 8)])
def test_large_jpegs_are_reduced_while_2048_pixels_remain(side: int, step: int) -> None:
    picture = opened(encoded(Image.new("RGB", (side, 96), (200, 30, 60)), "JPEG"))
    assert picture.scale == 1 / step
    assert (picture.media.width, picture.media.height) == (side, 96)
    assert picture.rgb.shape == (-(-96 // step), -(-side // step), 3)
    assert picture.rgb.shape[1] >= min(side, LONG_SIDE_KEPT)
    assert any("of its size" in n for n in picture.media.notes) == (step > 1)


def test_a_narrow_jpeg_is_not_reduced_to_nothing() -> None:
    assert opened(encoded(Image.new("RGB", (20_000, 3)), "JPEG")).rgb.shape == (3, 20_000, 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_of_many_frames(kind: str) -> None:
    frames = [photo(seed=s).quantize(64) if kind == "GIF" else photo(seed=s) for s in (7, 8, 9)]
    options: dict[str, object] = {"lossless": True} if kind == "WEBP" else {}
    picture = opened(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    what = "pages" if kind == "TIFF" else "frames"
    assert picture.media.frames == 3
    assert picture.media.notes == (f"Only the first of 3 {what} was looked at.",)
    assert furthest(picture.rgb, np.asarray(frames[0].convert("RGB"))) == 0


def test_mpo_and_heif_with_several_pictures() -> None:
    mpo = opened(encoded(PHOTO, "MPO", save_all=True, append_images=[photo(seed=8), photo(seed=9)]))
    assert mpo.media.format == "JPEG"
    assert mpo.media.frames == 3
    heif = pillow_heif.from_pillow(PHOTO)
    heif.add_from_pillow(photo(seed=8))
    out = io.BytesIO()
    heif.save(out, quality=90)
    picture = opened(out.getvalue())
    assert picture.media.notes == ("Only the main one of 2 pictures in this file was looked at.",)
    assert mean_off(picture.rgb, RGB) < 6


def test_the_cover_of_an_animated_png_counts_as_a_frame() -> None:
    data = encoded(PHOTO, "PNG", save_all=True, append_images=[photo(seed=8), photo(seed=9)], default_image=True)
    assert opened(data).media.frames == 3


def test_a_foreign_colour_profile_is_noted() -> None:
    data = encoded(PHOTO, "JPEG", icc_profile=b"\0" * 128 + b"Display P3")
    assert any("colour profile" in n for n in opened(data).media.notes)
    data = encoded(PHOTO, "JPEG", icc_profile=b"\0" * 128 + b"sRGB IEC61966-2.1")
    assert opened(data).media.notes == ()


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_the_image_that_detectors_share_is_the_pixels(mode: str) -> None:
    turned = PHOTO.convert(mode)
    kind = "PNG" if mode == "RGBA" else "JPEG"
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = opened(encoded(turned, kind, exif=exif))
    assert picture.image is picture.image
    assert picture.image.mode == "RGB"
    assert np.array_equal(np.asarray(picture.image), picture.rgb)
    assert picture.image.size == (PHOTO.height, PHOTO.width)
    by_hand = dataclasses.replace(picture, rgb=picture.rgb[::-1])
    assert np.array_equal(np.asarray(by_hand.image), by_hand.rgb)


def test_what_detectors_share_is_made_once_a_picture() -> None:
    picture, calls = opened(encoded(PHOTO, "PNG")), []

    def make() -> list[int]:
        calls.append(1)
        return [len(calls)]

    def fails() -> list[int]:
        raise ValueError("not yet")

    with pytest.raises(ValueError, match="not yet"):
        picture.once("faces", fails)
    first = picture.once("faces", make)
    assert picture.once("faces", make) is first
    assert picture.once("canonical", make) == [2]
    # A changed copy is another picture: what was made of this one says nothing of it.
    assert dataclasses.replace(picture, rgb=picture.rgb[::-1]).once("faces", make) == [3]
    assert picture.once("faces", make) is first
