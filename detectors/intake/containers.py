"""Walks containers without decoding: what the codec needs, how many frames, and where the metadata lies.

Metadata is taken out here and never reaches a codec where the container allows that (JPEG, PNG), so broken or
hostile metadata can neither refuse a sound picture nor reach the codec's parsers. Free of NumPy and Pillow.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from detectors.intake.ifd import Directories, Raw

MAX_PARTS = 200_000
"""Chunks, segments or blocks of one file. A 100 MB PNG in 8 KB chunks has 13,000; a file of empty chunks has
millions, each of which costs time here and again in the codec."""

MAX_BLOCK = 4 * 1024 * 1024
"""Bytes of one metadata block that is spread over JPEG segments. Large colour profiles take 2 MB; without a bound,
joining 1,500 segments of a 100 MB file one by one would take a minute."""

WALK_ERRORS = (struct.error, IndexError, ValueError, OverflowError)
"""What walking a broken structure raises."""


class TooManyFrames(Exception):
    """The walk met more frames than it may count."""


class UnsupportedKind(Exception):
    """A sound container with a way of storing pixels that the codec lacks."""


class Broken(Exception):
    """The structure makes no sense, so there is nothing to give to a codec."""


@dataclass(slots=True)
class Container:
    """What a walk found. `codec_data` is what to decode; `complete` is False when bytes are missing at the end."""

    codec_data: bytes
    frames: int = 1
    complete: bool = True
    exif: bytes | memoryview = b""
    xmp: list[bytes] = field(default_factory=list)
    photoshop: bytes = b""
    iptc: bytes = b""
    text: list[tuple[bytes, bytes]] = field(default_factory=list)
    """(PNG chunk type or b"comment", payload)."""
    icc: bytes = b""
    scan_start: int = 0
    """JPEG: offset of the first SOS marker in `codec_data`."""
    metadata_hidden: bool = False
    """AVIF: broken metadata had to be hidden from the codec."""
    preview_only: bool = False
    """TIFF: the first page says that it is a reduced version (raw camera files)."""


def walk(kind: str, data: bytes, max_frames: int) -> Container:
    """The container's parts. Raises Broken, TooManyFrames or UnsupportedKind."""
    if kind == "JPEG":
        return _jpeg(data)
    if kind == "PNG":
        return _png(data, max_frames)
    if kind == "WEBP":
        return _webp(data, max_frames)
    if kind == "GIF":
        return _gif(data, max_frames)
    if kind == "TIFF":
        return _tiff(data, max_frames)
    if kind in ("HEIF", "AVIF"):
        return Container(data, complete=_boxes_complete(data))
    return Container(data)


# --- JPEG (ITU-T T.81, annex B) ---

_EXIF_MARK = b"Exif\0\0"
_XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_MORE_MARK = b"http://ns.adobe.com/xmp/extension/\0"  # then 32 bytes of id, 4 of length, 4 of offset
_ICC_MARK = b"ICC_PROFILE\0"  # then a sequence number and a count
_PHOTOSHOP_MARK = b"Photoshop 3.0\0"
_MPF_MARK = b"MPF\0"
_JPEG_COLOUR = (0xE0, 0xEE)  # JFIF and Adobe segments, which say how colours are stored


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) up to and with the first start of scan; ends early when the data do."""
    at, n = 2, len(data)
    for _ in range(MAX_PARTS):
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= n:
            return
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:  # stands alone
            at += 2
        elif marker == 0xD9 or at + 4 > n:
            return
        else:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if end > n:
                return
            yield marker, at, end
            if marker == 0xDA:
                return
            at = end


def _jpeg(data: bytes) -> Container:
    c = Container(data)
    keep: list[bytes] = [b"\xff\xd8"]
    more_xmp: list[tuple[int, bytes]] = []
    scan = 0
    for marker, start, end in _jpeg_segments(data):
        body = data[start + 4 : end]
        if marker == 0xDA:
            scan = start
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            # Baseline, extended and progressive, Huffman or arithmetic, 8 bits: what libjpeg-turbo's 8-bit API reads.
            if marker not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA) or body[:1] != b"\x08":
                raise UnsupportedKind
        elif marker == 0xF7:  # JPEG-LS
            raise UnsupportedKind
        if marker == 0xFE or (0xE0 <= marker <= 0xEF and marker not in _JPEG_COLOUR):
            _jpeg_metadata(c, marker, body, more_xmp)
        elif marker != 0xDA:
            keep.append(data[start:end])
    if not scan:
        c.complete = False
        return c
    c.xmp.extend(body for _, body in sorted(more_xmp, key=lambda m: m[0]))
    c.scan_start = sum(map(len, keep))
    keep.append(data[scan:])
    c.codec_data = b"".join(keep)
    # Some tools leave a file at its full length with zeros where data never arrived; libjpeg takes those for pixels.
    c.complete = c.codec_data.find(b"\xff\xd9", c.scan_start) >= 0
    return c


def _jpeg_metadata(c: Container, marker: int, body: bytes, more_xmp: list[tuple[int, bytes]]) -> None:
    if marker == 0xE1 and body.startswith(_EXIF_MARK):
        c.exif = _joined(bytes(c.exif), body[len(_EXIF_MARK) :])
    elif marker == 0xE1 and body.startswith(_XMP_MARK):
        c.xmp.append(body[len(_XMP_MARK) :])
    elif marker == 0xE1 and body.startswith(_XMP_MORE_MARK) and len(body) >= len(_XMP_MORE_MARK) + 40:
        at = len(_XMP_MORE_MARK) + 36
        more_xmp.append((int.from_bytes(body[at : at + 4], "big"), body[at + 4 :]))
    elif marker == 0xE2 and body.startswith(_ICC_MARK):
        c.icc = _joined(c.icc, body[len(_ICC_MARK) + 2 :])
    elif marker == 0xE2 and body.startswith(_MPF_MARK):
        c.frames = _pictures_in_mpo(body[len(_MPF_MARK) :])
    elif marker == 0xED and body.startswith(_PHOTOSHOP_MARK):
        c.photoshop = _joined(c.photoshop, body[len(_PHOTOSHOP_MARK) :])
    elif marker == 0xFE:
        c.text.append((b"comment", body))


def _joined(start: bytes, more: bytes) -> bytes:
    """A block with its next segment; what would grow past MAX_BLOCK is left off."""
    return start + more if len(start) + len(more) <= MAX_BLOCK else start


def _pictures_in_mpo(index: bytes) -> int:
    """NumberOfImages of a Multi-Picture index (CIPA DC-007), 1 when it is broken: such an index refuses nothing."""
    try:
        directories = Directories(index)
        return max(1, directories.number(directories.read(directories.first), 0xB001, 1))
    except WALK_ERRORS:
        return 1


# --- PNG (W3C PNG, third edition) ---

_PNG_ESSENTIAL = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


def _png(data: bytes, max_frames: int) -> Container:
    c = Container(data, complete=False)
    keep: list[memoryview | bytes] = [data[:8]]
    view = memoryview(data)
    at, n, parts = 8, len(data), 0
    animated, frames, first_is_separate = False, 0, False
    while at + 8 <= n:
        length = int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        end = at + 12 + length
        parts += 1
        if parts > MAX_PARTS or (parts == 1 and name != b"IHDR"):
            raise Broken
        if name in _PNG_ESSENTIAL:
            keep.append(view[at : min(end, n)])
        if end > n:
            break
        body = view[at + 8 : end - 4]
        if name == b"acTL":
            animated = True
        elif name == b"fcTL":
            frames += 1
            if frames > max_frames:
                raise TooManyFrames
        elif name == b"IDAT":
            first_is_separate |= frames == 0
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            c.text.append((name, bytes(body)))
        elif name == b"eXIf":
            c.exif = bytes(body)
        elif name == b"iCCP":
            c.icc = bytes(body)
        elif name == b"IEND":
            c.complete = True
            break
        at = end
    if animated and frames:
        c.frames = frames + first_is_separate
    if len(keep) - 1 < parts:
        # Without its animation and text, an animated PNG is its IDAT picture: the first frame, or the cover.
        c.codec_data = b"".join(keep)
    return c


# --- WebP (RFC 9649) ---


def _webp(data: bytes, max_frames: int) -> Container:
    c = Container(data, complete=int.from_bytes(data[4:8], "little") + 8 <= len(data))
    at, frames = 12, 0
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            break
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = slice(at + 8, at + 8 + size)
        if name == b"ANMF":
            frames += 1
            if frames > max_frames:
                raise TooManyFrames
        elif name == b"EXIF":
            c.exif = data[body].removeprefix(_EXIF_MARK)
        elif name == b"XMP ":
            c.xmp.append(data[body])
        elif name == b"ICCP":
            c.icc = data[body]
        at += 8 + size + (size & 1)
    else:
        raise Broken
    c.frames = max(1, frames)
    return c


# --- GIF (GIF89a specification) ---


def _gif(data: bytes, max_frames: int) -> Container:
    c = Container(data, frames=0, complete=False)
    try:
        at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
        while data[at] != 0x3B:
            if data[at] == 0x2C:
                c.frames += 1
                if c.frames > max_frames:
                    raise TooManyFrames
                flags = data[at + 9]
                at = _gif_skip(data, at + 11 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0))
            elif data[at] == 0x21:
                end = _gif_skip(data, at + 2)
                if data[at + 1] == 0xFE:
                    c.text.append((b"comment", _gif_join(data, at + 2, end)))
                elif data[at + 1] == 0xFF and data[at + 3 : at + 14] == b"XMP DataXMP":
                    c.xmp.append(data[at + 14 : end - 258])  # raw, not in blocks, with a 258-byte trailer
                at = end
            else:
                at += 1  # stray byte between blocks, which codecs skip as well
        c.complete = True
    except IndexError:  # the data end inside a block
        pass
    c.frames = max(1, c.frames)
    return c


def _gif_skip(data: bytes, at: int) -> int:
    """The offset after a run of sub-blocks. Raises IndexError when the data end first."""
    while size := data[at]:
        at += size + 1
    return at + 1


def _gif_join(data: bytes, at: int, end: int) -> bytes:
    parts = []
    while at < end and (size := data[at]):
        parts.append(data[at + 1 : at + 1 + size])
        at += size + 1
    return b"".join(parts)


# --- TIFF ---


def _tiff(data: bytes, max_frames: int) -> Container:
    c = Container(data, frames=0, exif=data)
    try:
        directories = Directories(data)
        tags = directories.read(directories.first)
        seen: set[int] = set()
        at = directories.first
        while at and at not in seen:
            seen.add(at)
            if len(seen) > max_frames:
                raise TooManyFrames
            at = directories.next(at)
    except WALK_ERRORS:
        c.complete = False
        c.frames = 1
        return c
    c.frames = max(1, len(seen))
    c.preview_only = bool(directories.number(tags, 254, 0) & 1)
    c.xmp = [bytes(tags[700].data)] if 700 in tags else []
    c.iptc = _bytes(tags.get(33723))
    c.photoshop = _bytes(tags.get(34377))
    c.icc = _bytes(tags.get(34675))
    return c


def _bytes(raw: Raw | None) -> bytes:
    return bytes(raw.data) if raw else b""


# --- HEIF and AVIF (ISO/IEC 14496-12) ---


def _boxes_complete(data: bytes) -> bool:
    """Whether every top-level box ends within the data."""
    at, n = 0, len(data)
    for _ in range(MAX_PARTS):
        if at + 8 > n:
            return at == n
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size == 0:  # to the end of the file
            return True
        if size < 8:
            return True  # nonsense rather than missing bytes
        at += size
    return True
