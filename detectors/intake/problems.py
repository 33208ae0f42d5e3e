"""The sentences for every way in which a file can fail to become a picture. Free of NumPy and Pillow."""

from __future__ import annotations

from detectors.errors import FileRefused, FileUnreadable
from detectors.intake.limits import Limits

_AGAIN = "Ask for the file again, or download it again, and check that copy."
_RESAVE = "Open it in another program, save it as a JPEG or PNG, and check that copy."


def empty() -> FileUnreadable:
    """A file of no bytes."""
    return FileUnreadable("empty", "The file is empty.", _AGAIN)


def not_a_picture() -> FileRefused:
    """No known container."""
    return FileRefused(
        "not_a_picture",
        "This is not a picture that Counterproof knows, whatever its name says.",
        "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC and AVIF files can be checked. " + _RESAVE,
    )


def kind_not_supported(kind: str) -> FileRefused:
    """A known container with a rare way of storing pixels."""
    return FileRefused("kind_not_supported", f"This rare kind of {kind} file cannot be read here.", _RESAVE)


def truncated(kind: str) -> FileUnreadable:
    """The container says that bytes are missing."""
    return FileUnreadable("truncated", f"Part of this {kind} file is missing; it was probably cut short.", _AGAIN)


def damaged(kind: str) -> FileUnreadable:
    """All bytes seem to be there, but they do not decode."""
    return FileUnreadable("damaged", f"This {kind} file is damaged and could not be read.", _AGAIN)


def too_many_bytes(limits: Limits) -> FileRefused:
    """Larger than `max_bytes`."""
    return FileRefused(
        "too_many_bytes",
        f"The file is larger than {limits.max_bytes // (1024 * 1024)} MB, so it was not opened.",
        "Save a smaller copy of the picture and check that one.",
    )


def too_many_pixels() -> FileRefused:
    """More than `max_pixels`."""
    return FileRefused(
        "too_many_pixels",
        "The picture says it is so large that it cannot be opened safely.",
        "Save a smaller copy of the picture and check that one.",
    )


def side_too_long(width: int, height: int, limits: Limits) -> FileRefused:
    """A side above `max_side`."""
    return FileRefused(
        "side_too_long",
        f"The picture says it is {width:,} by {height:,} pixels; a side may be {limits.max_side:,} at most.",
        "Cut the picture into shorter parts, or save a smaller copy, and check those.",
    )


def too_many_frames(limits: Limits) -> FileRefused:
    """More frames or pages than `max_frames`."""
    return FileRefused(
        "too_many_frames",
        f"The file holds more than {limits.max_frames:,} frames or pages, so it was not opened.",
        "Save the frame that matters as a picture of its own and check that one.",
    )


def needs_too_much_memory() -> FileRefused:
    """The worker's memory limit was met."""
    return FileRefused(
        "needs_too_much_memory",
        "Opening this picture needs more memory than it may use.",
        "Close other programs and try again, or save a smaller copy and check that one.",
    )
