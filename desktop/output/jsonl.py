"""JSON lines: one `counterproof.scan/1` object a line, and what `--resume` needs to go on from such a file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from desktop.output.writer import LineFile, OutputError, Tally, cannot_write, check_replaceable
from desktop.words import visible
from detectors.report import SCHEMA, Report

_KEYS = Report("").to_json().keys()
MARKS = (b'{"schema":"counterproof.scan/', b'{"schema": "counterproof.scan/')


class JsonlWriter:
    """Writes each finished file as one line at once; a killed run keeps every line but perhaps its last."""

    def __init__(self, path: str, append: bool = False) -> None:
        """`path` is a file or `-`; `append` goes on after what is there. Raises OutputError."""
        if path != "-" and not append:
            check_replaceable(path, MARKS)
        self._file = LineFile(path, append)

    def write(self, record: Mapping[str, Any], report: Report | None) -> None:  # noqa: ARG002 - the report is enough
        """The report as one line; an earlier run's lines are there already. Raises OutputError or BrokenPipeError."""
        if report is not None:
            self._file.write(report.to_line().encode("ascii") + b"\n")

    def finish(self, tally: Tally) -> None:  # noqa: ARG002 - JSON lines have no summary
        """Close the file."""
        self._file.close()

    def abandon(self) -> None:
        """Close the file; the lines in it are whole."""
        self._file.close()


def read_finished(path: str, start: int = 0) -> Iterator[tuple[dict[str, Any], int]]:
    """Each whole result in the file with the offset of its end.

    Stops before a torn tail: what a kill or a power cut leaves of the last line. Raises OutputError when a damaged
    line has whole ones after it, or when the file holds something else.
    """
    end, torn = start, False
    try:
        with open(path, "rb") as file:
            file.seek(start)
            for line in file:
                record = _record(line)
                if record is None:
                    torn = True
                    continue
                if torn:
                    raise OutputError(
                        "resume_damaged",
                        f"{visible(path)} is damaged in the middle. It was left as it is.",
                        "Run without --resume and with another file name; checked files come from the cache.",
                    )
                end += len(line)
                yield record, end
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(path, error) from error


def _record(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(record, dict) and record.get("schema") == SCHEMA and record.keys() >= _KEYS
    return record if whole else None


def finished_for(path: str, paths: Iterator[str]) -> int:
    """How many bytes of whole results the file has, each for the next of `paths`, which this consumes.

    Raises OutputError when the file's order differs from the input's: going on would mix two runs.
    """
    check_replaceable(path, MARKS)
    end = 0
    for number, (record, end) in enumerate(read_finished(path), start=1):  # noqa: B007 - `end` is the result
        expected = next(paths, None)
        if record["path"] != expected:
            wanted = "nothing more" if expected is None else visible(expected)
            raise OutputError(
                "resume_mismatch",
                f"Line {number} of {visible(path)} is about {visible(record['path'])}, but this run would have "
                f"{wanted} there. The file was left as it is.",
                "Give the same files and folders as before, or leave out --resume and choose another file name.",
            )
    return end


def drop_torn_tail(path: str, end: int) -> None:
    """Cut what follows the last whole result. Raises OutputError."""
    try:
        if os.path.getsize(path) > end:
            os.truncate(path, end)
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_write(path, error) from error
