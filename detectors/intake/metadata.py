"""What a file says of itself, as plain text: EXIF, XMP, IPTC, PNG text, comments. Nothing here is believed.

Every length is bounded, nothing is parsed as XML, and broken metadata is left out with `broken` set: it never
refuses a sound picture.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from PIL import ExifTags

from detectors.intake.containers import Container
from detectors.intake.ifd import Directories, Raw

MAX_TEXT = 1024 * 1024
"""Characters of one text block (PNG text, XMP). ComfyUI stores its whole workflow, some hundred KB; more is padding
or a decompression bomb."""

MAX_TEXTS = 64
"""Text blocks of one file. Generators write up to 5, photo editors up to 15."""

MAX_EXIF_TEXT = 256 * 1024
"""Characters of one EXIF text. Camera values are short, but generators put prompts and workflows here."""

MAX_EXIF_TOTAL = 1024 * 1024
"""Characters of all EXIF values together; values after that are left out."""

MAX_VALUES = 16
"""Numbers shown of one EXIF value. Longer arrays are tables for machines."""

METADATA_ERRORS = (struct.error, IndexError, KeyError, ValueError, TypeError, OverflowError, zlib.error)
"""What reading broken metadata raises (UnicodeError is a ValueError)."""

_EXIF_IFD, _GPS_IFD, _MAKER_NOTE, _USER_COMMENT, _ORIENTATION = 0x8769, 0x8825, 0x927C, 0x9286, 0x0112
_BINARY_TAGS = frozenset({700, 33723, 34377, 34675, 273, 279, 324, 325, 50341, 59932})  # shown elsewhere or tables
_WINDOWS_TEXT = frozenset(range(0x9C9B, 0x9CA0))  # XPTitle to XPSubject, UTF-16LE

_IPTC_NAMES = {
    5: "object_name",
    25: "keywords",
    40: "special_instructions",
    55: "date_created",
    65: "originating_program",
    80: "byline",
    85: "byline_title",
    105: "headline",
    110: "credit",
    115: "source",
    116: "copyright",
    120: "caption",
    122: "caption_writer",
}
"""IPTC-IIM 4.2, record 2 (application record)."""


@dataclass(slots=True)
class Metadata:
    """Plain text by name; `orientation` is 1..8 (EXIF 2.32, 4.6.4); `broken` when something could not be read,
    `cut` when something was too long and only its start was kept."""

    exif: dict[str, str] = field(default_factory=dict)
    text: dict[str, str] = field(default_factory=dict)
    iptc: dict[str, str] = field(default_factory=dict)
    xmp: str | None = None
    orientation: int = 1
    broken: bool = False
    cut: bool = False


def extract(container: Container) -> Metadata:
    """Everything that the container's metadata blocks say. Raises nothing for broken metadata."""
    found = Metadata(broken=container.metadata_hidden)
    for read in (_read_exif, _read_text, _read_xmp, _read_iptc):
        try:
            read(container, found)
        except METADATA_ERRORS:
            found.broken = True
    return found


# --- EXIF ---


def _read_exif(c: Container, found: Metadata) -> None:
    if not c.exif:
        return
    directories = Directories(c.exif)
    main = directories.read(directories.first)
    orientation = directories.number(main, _ORIENTATION, 1)
    found.orientation = orientation if 1 <= orientation <= 8 else 1
    left = _add_tags(directories, main, found, MAX_EXIF_TOTAL)
    if _GPS_IFD in main:
        found.exif["GPSInfo"] = "GPS present"  # the place itself is nobody's business
    if (pointer := directories.number(main, _EXIF_IFD, 0)) > 0:
        _add_tags(directories, directories.read(pointer), found, left)
    found.broken |= directories.broken


def _add_tags(directories: Directories, tags: dict[int, Raw], found: Metadata, left: int) -> int:
    """Adds tags as text while their characters fit in `left`; returns what is left."""
    for tag, raw in tags.items():
        if tag in (_EXIF_IFD, _GPS_IFD) or tag in _BINARY_TAGS:
            continue
        if tag == _MAKER_NOTE:
            value = f"{len(raw.data)} bytes"
        elif tag == _USER_COMMENT:
            value = _user_comment(raw.data)
        elif tag in _WINDOWS_TEXT:
            value = bytes(raw.data[: 2 * MAX_EXIF_TEXT]).decode("utf-16-le", "replace").strip("\0 ")
        else:
            value = _value(directories, raw)
        if len(raw.data) > 2 * MAX_EXIF_TEXT or len(value) > left:
            found.cut = True
            value = value[:left]
        if value:
            found.exif[ExifTags.TAGS.get(tag, f"0x{tag:04x}")] = value
            left -= len(value)
    return left


def _value(directories: Directories, raw: Raw) -> str:
    if raw.kind == 2:
        return _latin(bytes(raw.data[:MAX_EXIF_TEXT]))
    if raw.kind == 7:
        short = bytes(raw.data[:MAX_EXIF_TEXT])
        plain = short.rstrip(b"\0")
        return plain.decode("ascii") if _printable(plain) else short[:32].hex(" ")
    numbers = directories.numbers(raw, MAX_VALUES)
    if raw.kind in (5, 10):
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return ", ".join(str(int(a) // int(b)) if b and a % b == 0 else f"{a}/{b}" for a, b in pairs)
    return ", ".join(map(str, numbers))


def _printable(data: bytes) -> bool:
    return data.isascii() and data.decode("ascii").isprintable()


def _user_comment(data: memoryview) -> str:
    """EXIF 2.32, 4.6.5: eight bytes name the character set, then the text."""
    mark, rest = bytes(data[:8]), bytes(data[8 : 8 + 2 * MAX_EXIF_TEXT])
    if mark.startswith(b"UNICODE"):
        return _utf16(rest)
    if mark.startswith(b"JIS"):
        return rest.decode("iso2022_jp", "replace").strip("\0 ")
    if mark.startswith(b"ASCII") or mark == bytes(8):
        return _latin(rest)
    return _latin(mark + rest)


def _utf16(data: bytes) -> str:
    """UTF-16 of unsaid byte order: a mark decides, else where the zero bytes of Western text lie, else big-endian.

    The standard says the file's own order, but common writers use big-endian whatever that is.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace").strip("\0 ")
    start = data[:2000]
    little = start[1::2].count(0) > start[::2].count(0)
    return data.decode("utf-16-le" if little else "utf-16-be", "replace").strip("\0 ")


def _latin(data: bytes) -> str:
    """UTF-8 where it is that, else Latin-1, which takes any byte."""
    data = data.strip(b"\0 ")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


# --- text blocks ---


def _read_text(c: Container, found: Metadata) -> None:
    found.cut |= len(c.text) > MAX_TEXTS
    for kind, body in c.text[:MAX_TEXTS]:
        try:
            key, value = _png_text(kind, body, found) if kind != b"comment" else ("comment", _latin(body[:MAX_TEXT]))
        except METADATA_ERRORS:
            found.broken = True
            continue
        if key == "XML:com.adobe.xmp":
            c.xmp.append(value.encode("utf-8", "surrogatepass"))
        elif key in found.text:
            found.text[key] = (found.text[key] + "\n" + value)[:MAX_TEXT]
        else:
            found.text[key] = value


def _png_text(kind: bytes, body: bytes, found: Metadata) -> tuple[str, str]:
    """Keyword and text of a tEXt, zTXt or iTXt chunk. Raises ValueError or zlib.error."""
    key, rest = body.split(b"\0", 1)
    name = key[:80].decode("latin-1")
    if kind == b"tEXt":
        found.cut |= len(rest) > MAX_TEXT
        return name, _latin(rest[:MAX_TEXT])
    if kind == b"zTXt":
        return name, _latin(_inflate(rest[1:], found))
    compressed, rest = rest[0], rest[2:]
    _language, _translated, rest = rest.split(b"\0", 2)
    found.cut |= len(rest) > MAX_TEXT
    return name, _latin(_inflate(rest, found) if compressed else rest[:MAX_TEXT])


def _inflate(data: bytes, found: Metadata) -> bytes:
    """At most MAX_TEXT bytes of a zlib stream."""
    stream = zlib.decompressobj()
    text = stream.decompress(data, MAX_TEXT)
    found.cut |= bool(stream.unconsumed_tail)
    return text


# --- XMP and IPTC ---


def _read_xmp(c: Container, found: Metadata) -> None:
    """The packets as one text. Extended XMP (XMP part 3, 1.1.3.1) follows the main packet."""
    packet = b"".join(c.xmp)
    if not packet:
        return
    found.cut |= len(packet) > MAX_TEXT
    packet = packet[:MAX_TEXT]
    if packet.startswith((b"\xff\xfe", b"\xfe\xff")):
        found.xmp = packet.decode("utf-16", "replace")
    else:
        found.xmp = packet.decode("utf-8", "replace").strip("\0\ufeff \n")


def _read_iptc(c: Container, found: Metadata) -> None:
    for block in (_iptc_in_photoshop(c.photoshop), c.iptc):
        _read_datasets(block, found)


def _iptc_in_photoshop(data: bytes) -> bytes:
    """The IPTC record (resource 0x0404) among Photoshop image resources, or nothing."""
    at = 0
    while data[at : at + 4] == b"8BIM":
        resource = int.from_bytes(data[at + 4 : at + 6], "big")
        name = data[at + 6] + 1
        at += 6 + name + (name & 1)
        size = struct.unpack_from(">I", data, at)[0]
        if resource == 0x0404:
            return data[at + 4 : at + 4 + size]
        at += 4 + size + (size & 1)
    return b""


def _read_datasets(data: bytes, found: Metadata) -> None:
    """IPTC-IIM datasets: 0x1C, record, number, length. Lengths above 32767 (extended) end the reading."""
    at, left = 0, MAX_EXIF_TOTAL
    while at + 5 <= len(data) and data[at] == 0x1C:
        record, number, size = struct.unpack_from(">BBH", data, at + 1)
        if size > 0x7FFF or at + 5 + size > len(data):
            found.broken = True
            return
        name = _IPTC_NAMES.get(number)
        if record == 2 and name and (value := _latin(data[at + 5 : at + 5 + size])) and len(value) < left:
            left -= len(value)
            found.iptc[name] = f"{found.iptc[name]}; {value}" if name in found.iptc else value
        at += 5 + size
