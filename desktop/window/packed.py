"""A result as a row keeps it: what the list shows, and the whole report as compressed bytes. Qt-free.

20,000 reports as objects are a million for Python's garbage collector to walk through, and the window stands still
meanwhile (0.3 s and more); as bytes they are none. Only the report that is looked at is unpacked.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

from detectors.errors import CounterproofError, FileRefused, FileUnreadable
from detectors.report import Analysis, Report, intimacy
from detectors.verdict import Band, Verdict


@dataclass(frozen=True, slots=True)
class Packed:
    """`status` as in Report; `band`, `p`, `level` and `format` are None where there is none; `data` is for `unpack`."""

    status: str
    band: Band | None
    p: float | None
    level: str | None
    format: str | None
    data: bytes


def pack(report: Report) -> Packed:
    """A report made small. Its thumbnail is not kept."""
    analysis, verdict, error = report.analysis, report.verdict, report.error
    record = {
        "path": report.path,
        "analysis": None if analysis is None else analysis.to_record(),
        "verdict": None if verdict is None else [str(verdict.band), verdict.p_synthetic, list(verdict.reasons)],
        "error": None if error is None else error.to_json(),
        "sha256": report.sha256,
        "ms": report.ms,
        "cached": report.cached,
    }
    return Packed(
        status=report.status,
        band=None if verdict is None else verdict.band,
        p=None if verdict is None else verdict.p_synthetic,
        level=None if analysis is None else intimacy(analysis.findings)["level"],
        format=None if analysis is None else analysis.media.format,
        data=zlib.compress(json.dumps(record, separators=(",", ":")).encode("ascii"), 1),
    )


def unpack(packed: Packed) -> Report:
    """The report that was packed."""
    record = json.loads(zlib.decompress(packed.data))
    verdict = record["verdict"]
    return Report(
        path=record["path"],
        analysis=None if record["analysis"] is None else Analysis.from_record(record["analysis"]),
        verdict=None if verdict is None else Verdict(Band(verdict[0]), verdict[1], tuple(verdict[2])),
        error=None if record["error"] is None else _error(packed.status, record["error"]),
        sha256=record["sha256"],
        ms=record["ms"],
        cached=record["cached"],
    )


def _error(status: str, error: dict[str, Any]) -> CounterproofError:
    kind = FileRefused if status == FileRefused.status else FileUnreadable
    return kind(error["code"], error["message"], error["remedy"])
