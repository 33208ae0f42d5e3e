"""Hostile bytes in, Picture out. To be called in the worker process only."""

from __future__ import annotations

import codecs
import io
import logging
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pillow_heif
from PIL import AvifImagePlugin, Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pillow_heif.as_plugin import HeifImageFile

from detectors.intake import problems
from detectors.intake.containers import WALK_ERRORS, Broken, Container, TooManyFrames, UnsupportedKind, walk
from detectors.intake.limits import Limits
from detectors.intake.media import Media
from detectors.intake.metadata import Metadata, extract
from detectors.intake.picture import Picture
from detectors.intake.pixels import to_rgb, upright
from detectors.intake.sniff import SNIFF_BYTES, sniff

LONG_SIDE_KEPT = 2048
"""A JPEG is decoded at 1/2, 1/4 or 1/8 only while its long side keeps this many pixels: the detectors look at less."""

_READERS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "HEIF": HeifImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}
"""Called directly, not through Image.open, so that a file reaches the one codec that its first bytes name."""

_CODEC_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What Pillow and pillow-heif raise on broken files, as their sources and fuzzing show. Not among them:
KeyboardInterrupt, SystemExit, MemoryError, and errors of our own."""

_EXIF_ITEM = re.compile(rb"(infe.{8})Exif", re.DOTALL)
"""An item info entry (ISO/IEC 14496-12, 8.11.6): version and flags, id, protection, then the type."""


def init() -> None:
    """Loads all codecs and sets them to one thread, before a sandbox takes files and threads away."""
    pillow_heif.options.DECODE_THREADS = 1  # workers run side by side already
    pillow_heif.options.THUMBNAILS = pillow_heif.options.DEPTH_IMAGES = pillow_heif.options.AUX_IMAGES = False
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    pillow_heif.libheif_info()
    for name in ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "ascii", "iso2022_jp"):
        codecs.lookup(name)
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # it logs what files get wrong; we say it in our own words


def decode(data: bytes, sha256: str, limits: Limits) -> Picture:
    """The picture in a file's bytes; `sha256` is theirs, in hex.

    Raises FileRefused (no picture, or a limit exceeded) or FileUnreadable (cut short or damaged).
    """
    if not data:
        raise problems.empty()
    if len(data) > limits.max_bytes:
        raise problems.too_many_bytes(limits)
    kind = sniff(data[:SNIFF_BYTES])
    if kind is None:
        raise problems.not_a_picture()
    try:
        container = walk(kind, data, limits.max_frames)
    except TooManyFrames as e:
        raise problems.too_many_frames(limits) from e
    except UnsupportedKind as e:
        raise problems.kind_not_supported(kind) from e
    except (Broken, *WALK_ERRORS) as e:
        raise problems.damaged(kind) from e
    if kind == "JPEG" and not container.complete:
        raise problems.truncated(kind)
    with _pillow_rules(limits):
        return _decode(kind, data, sha256, container, limits)


@contextmanager
def _codec_at_work(kind: str, container: Container) -> Iterator[None]:
    """Around codec calls only, so that a fault in our own code is not dressed up as a damaged file."""
    try:
        yield
    except MemoryError as e:
        raise problems.needs_too_much_memory() from e
    except Image.DecompressionBombError as e:
        raise problems.too_many_pixels() from e
    except _CODEC_ERRORS as e:
        cut = not container.complete or "truncated" in str(e)  # the latter: TIFF and BMP do not state their length
        raise (problems.truncated(kind) if cut else problems.damaged(kind)) from e


@contextmanager
def _pillow_rules(limits: Limits) -> Iterator[None]:
    """Pillow's size guard follows our limit (it raises at twice its own), and its warnings stay inside."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = limits.max_pixels // 2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _decode(kind: str, data: bytes, sha256: str, container: Container, limits: Limits) -> Picture:
    with _codec_at_work(kind, container):
        image = _open(kind, container)
    width, height = image.size
    _check_size(width, height, limits)
    if kind in ("HEIF", "AVIF"):
        _blocks_from_codec(image, container, limits)
    metadata = extract(container)
    # libheif turns HEIF pictures by the container's own record, and Pillow turns TIFF.
    orientation = metadata.orientation if kind not in ("HEIF", "TIFF") else 1
    with _codec_at_work(kind, container):
        scale = _reduce(image) if kind == "JPEG" else 1.0
        image.load()
        if kind == "JPEG" and _rows_missing(image, container, scale):
            raise problems.truncated(kind)
        if scale == 1.0:
            width, height = image.size  # codecs may learn the true size only while decoding
        pixels, had_alpha, pixel_notes = to_rgb(image)
        pixels = upright(pixels, orientation)
        rgb = np.asarray(pixels)
    if orientation >= 5:
        width, height = height, width
    picture = Picture(
        rgb=rgb,
        media=Media(
            kind, width, height, len(data), container.frames, _notes(kind, container, metadata, scale) + pixel_notes
        ),
        sha256=sha256,
        data=data,
        scale=scale,
        untrusted_exif=metadata.exif,
        untrusted_text=metadata.text,
        untrusted_iptc=metadata.iptc,
        untrusted_xmp=metadata.xmp,
        quantisation={i: tuple(t) for i, t in getattr(image, "quantization", {}).items()},
        had_alpha=had_alpha,
    )
    picture.once("image", lambda: pixels)
    return picture


def _open(kind: str, container: Container) -> ImageFile.ImageFile:
    """The codec's view of the header. No pixel is decoded yet."""
    try:
        return _READERS[kind](io.BytesIO(container.codec_data))
    except (SyntaxError, ValueError):
        if kind != "AVIF":
            raise
        # Pillow gives up on AVIF with broken EXIF. Renaming the item's type hides it; offsets stay as they are.
        container.codec_data = _EXIF_ITEM.sub(rb"\1free", container.codec_data)
        container.metadata_hidden = True
        return AvifImagePlugin.AvifImageFile(io.BytesIO(container.codec_data))


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise problems.too_many_pixels()
    if max(width, height) > limits.max_side:
        raise problems.side_too_long(width, height, limits)


def _blocks_from_codec(image: ImageFile.ImageFile, container: Container, limits: Limits) -> None:
    """Metadata and frames of HEIF and AVIF, whose items only the codec's own parser can find."""
    info = image.info
    container.exif = (info.get("exif") or b"").removeprefix(b"Exif\0\0")
    container.xmp = [info["xmp"]] if info.get("xmp") else []
    container.icc = info.get("icc_profile") or b""
    container.frames = getattr(image, "n_frames", 1)
    if container.frames > limits.max_frames:
        raise problems.too_many_frames(limits)


def _reduce(image: ImageFile.ImageFile) -> float:
    """Sets a JPEG to the strongest reduction that keeps LONG_SIDE_KEPT pixels; returns rgb pixels per file pixel."""
    width, height = image.size
    for step in (8, 4, 2):
        # Pillow chooses the step from both sides, so the short one must be divisible in its sense too.
        if max(width, height) >= step * LONG_SIDE_KEPT and min(width, height) >= step * step:
            image.draft(image.mode, (width // step, height // step))
            return 1 / step
    return 1.0


_FILLER = b"\x5a\xc3\x17" * 200
_UNWRITTEN = (127, 128)


def _rows_missing(image: ImageFile.ImageFile, container: Container, scale: float) -> bool:
    """Whether a JPEG's scan ends before its rows do. libjpeg fills those with mid-grey and says nothing to Pillow.

    Only a picture whose last pixel is exactly that grey is suspected. The proof: put other bytes where the scan
    ends. A complete picture does not change, for its rows are done before; an incomplete one is drawn on with them.
    """
    last = image.getpixel((image.width - 1, image.height - 1))
    if not all(v in _UNWRITTEN for v in (last if isinstance(last, tuple) else (last,))):
        return False
    data = container.codec_data
    end = data.index(b"\xff\xd9", container.scan_start)
    probe = JpegImageFile(io.BytesIO(data[:end] + _FILLER + data[end:]))
    if scale < 1.0:
        _reduce(probe)
    try:
        return image.tobytes() != probe.tobytes()
    finally:
        probe.close()


def _notes(kind: str, container: Container, metadata: Metadata, scale: float) -> tuple[str, ...]:
    notes = []
    if container.frames > 1:
        if kind in ("JPEG", "HEIF"):
            notes.append(f"Only the main one of {container.frames} pictures in this file was looked at.")
        else:
            what = "pages" if kind == "TIFF" else "frames"
            notes.append(f"Only the first of {container.frames} {what} was looked at.")
    if container.preview_only:
        notes.append("Only the small preview inside this file was looked at.")
    if not container.complete:
        notes.append("The end of this file is missing, but the picture itself is whole.")
    if scale < 1.0:
        notes.append(f"This picture is very large, so it was looked at at 1/{round(1 / scale)} of its size.")
    if container.icc and b"sRGB" not in container.icc:
        notes.append("This picture carries a colour profile; its colours were used as they are stored.")
    if metadata.broken:
        notes.append("Some of the metadata could not be read.")
    if metadata.cut:
        notes.append("Some of the metadata is very long; only its start was read.")
    return tuple(notes)
