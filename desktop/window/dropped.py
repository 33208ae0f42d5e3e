"""Dropped URLs to paths, byte for byte: a name that is not UTF-8 must reach the engine as it is on disk."""

from __future__ import annotations

import os
import sys

from PySide6.QtCore import QByteArray, QUrl


def local_path(url: QUrl) -> str | None:
    """The path of a local file URL, in Python's form for file names; None for anything else."""
    if not url.isLocalFile():
        return None
    if sys.platform == "win32":
        return url.toLocalFile()
    encoded = url.path(QUrl.ComponentFormattingOption.FullyEncoded)
    return os.fsdecode(bytes(QByteArray.fromPercentEncoding(QByteArray(encoded.encode("ascii"))).data()))
