"""A spreadsheet of a scan: one row a file, columns that stay the same from version to version."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from desktop.output.writer import LineFile, Tally, check_replaceable
from desktop.words import visible
from detectors.report import Report

COLUMNS = (
    "path", "status", "verdict", "p_synthetic", "intimacy", "intimacy_p", "format", "width", "height", "bytes",
    "sha256", "md5", "pdq", "pdq_quality", "phash", "failed_detectors", "reasons",
    "error_code", "error_message", "error_remedy",
)  # fmt: skip
# Excel on Windows reads a CSV without this mark as the local code page and garbles every name beyond ASCII.
BOM = b"\xef\xbb\xbf"
MARKS = (BOM + b"path,status,verdict,", b"path,status,verdict,")
# A spreadsheet runs a cell that starts so as a formula (OWASP, CSV Injection). File names are an attacker's text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CsvWriter:
    """Writes each row at once. A file starts with the UTF-8 mark that Excel needs; standard output does not."""

    def __init__(self, path: str) -> None:
        """`path` is a file or `-`. Raises OutputError."""
        if path != "-":
            check_replaceable(path, MARKS)
        self._file = LineFile(path)
        self._file.write((b"" if path == "-" else BOM) + line(COLUMNS))

    def write(self, record: Mapping[str, Any], report: Report | None) -> None:  # noqa: ARG002 - the record is enough
        """One row."""
        self._file.write(line(row(record)))

    def finish(self, tally: Tally) -> None:  # noqa: ARG002 - a summary row would spoil sorting
        """Close the file."""
        self._file.close()

    def abandon(self) -> None:
        """Close the file; the rows in it are whole."""
        self._file.close()


def row(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The cells of one `counterproof.scan/1` object, in the order of `COLUMNS`, safe to open in a spreadsheet."""
    intimacy, media = record["intimacy"] or {}, record["media"] or {}
    hashes, error = record["hashes"] or {}, record["error"] or {}
    failed = " ".join(f["detector"] for f in record["findings"] if f["state"] == "failed")
    cells = (
        record["path"], record["status"], record["verdict"], record["p_synthetic"],
        intimacy.get("level"), intimacy.get("p"),
        media.get("format"), media.get("width"), media.get("height"), media.get("bytes"),
        record["sha256"], hashes.get("md5"), hashes.get("pdq"), hashes.get("pdq_quality"), hashes.get("phash"),
        failed, " ".join(record["reasons"]),
        error.get("code"), error.get("message"), error.get("remedy"),
    )  # fmt: skip
    return tuple(cell(c) for c in cells)


def cell(value: Any) -> str:
    """One cell: on one line, without hidden characters, and never read as a formula."""
    if value is None:
        return ""
    text = visible(str(value))
    return "'" + text if str(value).startswith(_FORMULA) or text.startswith(_FORMULA) else text


def line(cells: tuple[str, ...]) -> bytes:
    """One row of cells that are safe already, as CSV with the line end of RFC 4180."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode("utf-8")
