"""What all writers share: the protocol, the counts of a run, and files that are opened and filled with care."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from desktop import words
from detectors.errors import CounterproofError
from detectors.report import Report

# A power cut may take what the system has not yet put on disk; a sync for each line would slow a quick scan.
SYNC_SECONDS = 2.0


class OutputError(CounterproofError):
    """Results cannot be written where they were asked for."""


@dataclass(slots=True)
class Tally:
    """The counts of a run, as it goes. Its size depends on the kinds of outcome, never on the number of files."""

    verdicts: dict[str, int] = field(default_factory=dict)
    errors: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    failed: dict[str, tuple[str, int]] = field(default_factory=dict)
    cached: int = 0
    unsettled: int = 0
    stopped: bool = False
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """How many inputs have an outcome."""
        return sum(self.verdicts.values())

    @property
    def not_checked(self) -> int:
        """How many of them were refused or could not be read."""
        return self.verdicts.get(words.NOT_CHECKED, 0)

    def add(self, record: Mapping[str, Any], cached: bool = False, unsettled: bool = False) -> None:
        """Count one `counterproof.scan/1` object; `unsettled` says that the quick check did not suffice."""
        key = words.verdict_key(record)
        self.verdicts[key] = self.verdicts.get(key, 0) + 1
        self.cached += cached
        self.unsettled += unsettled
        if (error := record["error"]) is not None:
            message, remedy, n = self.errors.get(error["code"], (error["message"], error["remedy"], 0))
            self.errors[error["code"]] = (message, remedy, n + 1)
        for finding in record["findings"]:
            if (model := finding["model"]) is not None:
                self.models[model["id"]] = model["sha256"]
            if finding["state"] == "failed":
                says, n = self.failed.get(finding["detector"], (finding["says"], 0))
                self.failed[finding["detector"]] = (says, n + 1)

    def sentence(self) -> str:
        """The counts by verdict on one line."""
        counted = words.COUNTED.items()
        parts = [words.count(n, one, many) for key, (one, many) in counted if (n := self.verdicts.get(key, 0))]
        return words.count(self.total, "file", "files") + (": " + ", ".join(parts) if parts else "")


class Writer(Protocol):
    """One form of output. `report` is None for a result that an earlier run wrote."""

    def write(self, record: Mapping[str, Any], report: Report | None) -> None:
        """Write one input's outcome. Raises OutputError, or BrokenPipeError when the reader went away."""

    def finish(self, tally: Tally) -> None:
        """Complete the output, also when the run was stopped early."""

    def abandon(self) -> None:
        """Close after an error, leaving no half-written file where a whole one is expected."""


def check_replaceable(path: str, marks: tuple[bytes, ...]) -> None:
    """Refuse to write over what is not an earlier result: `--csv *.jpg` would otherwise destroy a photo.

    `marks` are the first bytes that earlier results may have. Raises OutputError.
    """
    name = words.visible(path)
    try:
        info = os.stat(path)
        if stat.S_ISDIR(info.st_mode):
            raise OutputError("output_is_folder", f"{name} is a folder.", "Give the name of a file to write to.")
        if not stat.S_ISREG(info.st_mode) or info.st_size == 0:
            return
        with open(path, "rb") as file:
            head = file.read(64)
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(path, error) from error
    if not head.startswith(marks):
        raise OutputError(
            "output_exists",
            f"{name} already exists and is not a result of an earlier scan. It was left as it is.",
            "Choose another file name for the results.",
        )


def cannot_write(path: str, error: OSError) -> OutputError:
    """The error for a place that cannot be written, with the system's own reason."""
    name, parent = words.visible(path), os.path.dirname(os.path.abspath(path))
    if path == "-":
        name = "Standard output"
        forget_stdout()
    if not os.path.isdir(parent):
        return OutputError(
            "output_folder_missing",
            f"The folder for {name} does not exist.",
            "Make the folder first, or choose another place.",
        )
    return OutputError(
        "output_not_writable",
        f"{name} cannot be written ({error.strerror or error}).",
        "Choose another place, or free some space there.",
    )


def forget_stdout() -> None:
    """Lead standard output nowhere once it has failed: Python would flush it once more at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _private(path: str, flags: int) -> int:
    """Open a file; a new one is for its owner alone, because names and fingerprints are as private as the pictures."""
    return os.open(path, flags, 0o600)


class LineFile:
    """A file, or standard output, that has each finished line as soon as it is written, whatever happens next."""

    def __init__(self, path: str, append: bool = False) -> None:
        """Opens `path`, or standard output for `-`. Raises OutputError."""
        self._path = path
        self._own = path != "-"
        try:
            self._file: BinaryIO = sys.stdout.buffer
            if self._own:
                self._file = open(path, "ab" if append else "wb", opener=_private)  # noqa: SIM115 - closed by `close`
        except OSError as error:
            raise cannot_write(path, error) from error
        self._sync = self._own and stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        self._synced = time.monotonic()

    def write(self, data: bytes) -> None:
        """Write whole lines. Raises OutputError, or BrokenPipeError when the reader went away."""
        try:
            self._file.write(data)
            self._file.flush()
            if self._sync and time.monotonic() - self._synced > SYNC_SECONDS:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def close(self) -> None:
        """Put everything on disk and close; standard output stays open. Raises OutputError."""
        if not self._own:
            return
        try:
            with self._file:
                self._file.flush()
                if self._sync:
                    os.fsync(self._file.fileno())
        except OSError as error:
            raise cannot_write(self._path, error) from error
