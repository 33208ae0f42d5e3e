"""Makes bad files, byte by byte, for the tests of intake, of the engine and of the whole app."""

from __future__ import annotations

import io
import random
import struct
import zlib
from functools import cache

import numpy as np
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()  # teaches Pillow to write HEIF

UNREADABLE, REFUSED, SCANNED = "unreadable", "refused", "scanned"


def photo(width: int = 160, height: int = 120, seed: int = 7) -> Image.Image:
    """A smooth picture with noise, so that every codec has something to do and no two places look alike."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 17 + y / 31), np.cos(x / 23 - y / 13), np.sin((x + y) / 29)], axis=2)
    noise = np.random.default_rng(seed).normal(0, 6, (height, width, 3))
    return Image.fromarray((128 + 90 * waves + noise).clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The image in a container; `kind` is Pillow's name of it, or HEIF."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_chunk(name: bytes, body: bytes) -> bytes:
    """One PNG chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_with(*chunks: bytes, image: Image.Image | None = None) -> bytes:
    """A sound PNG with extra chunks after its header."""
    png = encoded(image or photo(), "PNG")
    return png[:33] + b"".join(chunks) + png[33:]


def png_header_only(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds a few bytes of pixels."""
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", ihdr)
        + png_chunk(b"IDAT", zlib.compress(bytes(100)))
        + png_chunk(b"IEND", b"")
    )


@cache
def png_bomb(side: int = 20_000) -> bytes:
    """A small file (about 50 KB) of valid one-bit PNG rows that decodes to side x side pixels."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    body = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    ihdr = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", ihdr) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def gif_of(frames: int) -> bytes:
    """A valid GIF of 1 x 1 frames, 15 bytes each."""
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\x00\x00\x00\xff\xff\xff" + frame * frames + b";"


def exif_block(entries: list[tuple[int, int, int, bytes]], next_offset: int = 0, order: str = "<") -> bytes:
    """A TIFF block with one directory of (tag, type, count, four value bytes)."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    body = b"".join(struct.pack(order + "HHI", *e[:3]) + e[3] for e in entries)
    return head + struct.pack(order + "H", len(entries)) + body + struct.pack(order + "I", next_offset)


def jpeg_with_segment(marker: int, body: bytes, jpeg: bytes | None = None) -> bytes:
    """A sound JPEG with one more segment at its start."""
    jpeg = jpeg or encoded(photo(), "JPEG", quality=85)
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def tiff_page_loop() -> bytes:
    """A sound TIFF whose directory names itself as the next page."""
    tiff = bytearray(encoded(photo(), "TIFF"))
    start = struct.unpack_from("<I", tiff, 4)[0]
    entries = struct.unpack_from("<H", tiff, start)[0]
    struct.pack_into("<I", tiff, start + 2 + 12 * entries, start)
    return bytes(tiff)


@cache
def hostile_files() -> dict[str, tuple[bytes, str, str | None]]:
    """File name -> (bytes, expected status, expected code or None where the picture itself is sound)."""
    image = photo()
    jpeg, png = encoded(image, "JPEG", quality=85), encoded(image, "PNG")
    progressive = encoded(image, "JPEG", quality=85, progressive=True)
    webp, gif = encoded(image, "WEBP"), encoded(image, "GIF")
    heic, avif = encoded(image, "HEIF"), encoded(image, "AVIF")
    tiff, bmp = encoded(image, "TIFF"), encoded(image, "BMP")
    broken_middle = bytearray(png)
    broken_middle[len(png) // 2] ^= 0x55
    deep = exif_block([(0x8769, 4, 1, struct.pack("<I", 8))], next_offset=8)
    many_same = exif_block([(0x010E, 2, 100_000_000, struct.pack("<I", 8))] * 1500)

    def half(data: bytes) -> bytes:
        return data[: len(data) // 2]

    return {
        "empty.jpg": (b"", UNREADABLE, "empty"),
        "half.jpg": (half(jpeg), UNREADABLE, "truncated"),
        "half_progressive.jpg": (half(progressive), UNREADABLE, "truncated"),
        "half_but_ended.jpg": (half(jpeg) + b"\xff\xd9", UNREADABLE, "truncated"),
        "half_then_zeros.jpg": (half(jpeg) + bytes(20_000), UNREADABLE, "truncated"),
        "header_only.jpg": (jpeg[:30], UNREADABLE, "truncated"),
        "half.png": (half(png), UNREADABLE, "truncated"),
        "half.webp": (half(webp), UNREADABLE, "truncated"),
        "half.heic": (half(heic), UNREADABLE, "truncated"),
        "half.avif": (half(avif), UNREADABLE, "truncated"),
        "half.gif": (half(gif), UNREADABLE, "truncated"),
        "half.tif": (half(tiff), UNREADABLE, "truncated"),
        "half.bmp": (half(bmp), UNREADABLE, "truncated"),
        "broken_middle.png": (bytes(broken_middle), UNREADABLE, "damaged"),
        "header_then_noise.webp": (webp[:30] + random.Random(1).randbytes(len(webp) - 30), UNREADABLE, "damaged"),
        "promises_60000.png": (png_header_only(60_000, 60_000), REFUSED, "too_many_pixels"),
        "promises_31000.png": (png_header_only(31_000, 100), REFUSED, "side_too_long"),
        "bomb.png": (png_bomb(), REFUSED, "too_many_pixels"),
        "10000_frames.gif": (gif_of(10_000), REFUSED, "too_many_frames"),
        "text.jpg": (b"This is a letter, not a picture.\n" * 20, REFUSED, "not_a_picture"),
        "bm_text.bmp": (b"BM is how this letter begins, and nothing more.\n", REFUSED, "not_a_picture"),
        "noise.png": (random.Random(2).randbytes(5000), REFUSED, "not_a_picture"),
        "paper.pdf": (b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n", REFUSED, "not_a_picture"),
        "drawing.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>', REFUSED, "not_a_picture"),
        "film.mp4": (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(64), REFUSED, "not_a_picture"),
        "lossless.jpg": (
            jpeg.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc3\x00\x11\x08", 1),
            REFUSED,
            "kind_not_supported",
        ),
        "really_a_png.jpg": (png, SCANNED, None),
        "really_a_jpeg.heic": (jpeg, SCANNED, None),
        "text_bomb.png": (png_with(png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000)))), SCANNED, None),
        "bad_checksum_text.png": (png_with(png_chunk(b"tEXt", b"a\0b")[:-1] + b"x"), SCANNED, None),
        "exif_loop.jpg": (jpeg_with_segment(0xE1, b"Exif\0\0" + deep), SCANNED, None),
        "exif_noise.jpg": (jpeg_with_segment(0xE1, b"Exif\0\0" + random.Random(3).randbytes(60_000)), SCANNED, None),
        "exif_claims_much.jpg": (jpeg_with_segment(0xE1, b"Exif\0\0" + many_same), SCANNED, None),
        "exif_huge.png": (png_with(png_chunk(b"eXIf", deep + bytes(20_000_000))), SCANNED, None),
        "photoshop_cut.jpg": (jpeg_with_segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04"), SCANNED, None),
        "page_loop.tif": (tiff_page_loop(), SCANNED, None),
    }
