"""A checked file as an item for the casebook: fingerprints, and the image itself only where that was chosen."""

from __future__ import annotations

import hashlib

from PySide6.QtCore import QBuffer, QByteArray, QIODevice

from desktop import settings
from desktop.casebook.records import NewItem
from desktop.safety.age_gate import Adults
from desktop.window.picture_view import SMALL, image_of
from desktop.window.runner import Engine
from desktop.window.words import translate
from detectors.errors import CounterproofError, FileUnreadable
from detectors.inputs import read_file
from detectors.report import Report


def gather(engine: Engine, report: Report, label: str, description: str, keep: bool, adults: Adults) -> NewItem:  # noqa: ARG001 - without the answer to the age question nothing is gathered
    """What the casebook needs of a file that was checked. `keep`: its image too, with a blurred thumbnail.

    Takes as long as fingerprinting does: not for Qt's thread. Raises CounterproofError when the file is gone, cannot be
    read any more, or is not the one that was checked.
    """
    found = engine.fingerprint(report.path)
    if found.error is not None:
        raise found.error
    if found.sha256 != report.sha256:
        raise _changed()
    image, media_type, thumbnail = None, "", None
    if keep and report.analysis is not None:
        image, media_type, thumbnail = _kept(engine, report.path, report.sha256, report.analysis.media.format)
    return NewItem(report, found.views, label, description, image, media_type, thumbnail)


def gather_screenshot(engine: Engine, path: str, adults: Adults) -> tuple[bytes, str, bytes]:  # noqa: ARG001 - as for `gather`
    """A screenshot's bytes, media type and blurred thumbnail. Not for Qt's thread. Raises as `gather`."""
    found = engine.fingerprint(path)
    if found.error is not None:
        raise found.error
    return _kept(engine, path, found.sha256, "" if found.media is None else found.media.format)


def _kept(engine: Engine, path: str, sha256: str | None, kind: str) -> tuple[bytes, str, bytes]:
    """The bytes of the file with this SHA-256, its media type, and a blurred thumbnail."""
    image = read_file(path, settings.load().limits)
    if hashlib.sha256(image).hexdigest() != sha256:
        raise _changed()
    return image, f"image/{kind.lower()}", veil(engine, image, "JPEG")


def veil(engine: Engine, data: bytes, kind: str) -> bytes:
    """A small blurred form of the picture, JPEG or PNG; what is encoded are the pixels that the sandboxed worker made.

    Not for Qt's thread. Raises CounterproofError.
    """
    image = image_of(engine.preview_of(data, SMALL, True))
    written = QByteArray()
    buffer = QBuffer(written)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not image.save(buffer, kind, 80):  # type: ignore[call-overload]
        raise CounterproofError(
            "thumbnail_failed",
            translate("case", "The blurred form of this image could not be made, so the image was not added."),
            translate("case", "Add it without its image, or try again."),
        )
    return bytes(written.data())


def _changed() -> FileUnreadable:
    return FileUnreadable(
        "changed_meanwhile",
        translate("case", "The file was changed after it was checked."),
        translate("case", "Check it anew, then add it."),
    )
