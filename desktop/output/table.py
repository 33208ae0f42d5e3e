"""The table that `counterproof scan` prints for people: a line a file, a summary, and the reasons for a single file."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Mapping
from typing import Any, TextIO

from desktop import words
from desktop.output.writer import Tally, cannot_write
from detectors.report import Report

_WIDTHS = (21, 15, 11, 6)
_STRONG = {"declared_synthetic", "matched_source", "likely_synthetic"}


class TableWriter:
    """Prints each row as its result arrives; nothing but the last record is kept."""

    def __init__(self, out: TextIO | None = None) -> None:
        """`out` is standard output when None. Colour and cutting to the window's width only on a terminal."""
        self._out = sys.stdout if out is None else out
        terminal = self._out.isatty()
        self._columns = words.terminal_columns() if terminal else None
        self._styled = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._last: Mapping[str, Any] | None = None
        self._check = ""

    def write(self, record: Mapping[str, Any], report: Report | None) -> None:
        """One row; for a file that was not checked, the reason and the remedy under it. Raises OutputError."""
        if self._last is None:
            self._print(self._row("Verdict", "Likelihood", "Intimacy", "Format", "File"), "2")
        self._last = record
        analysis = None if report is None else report.analysis
        self._check = "" if analysis is None else f" ({words.CHECKS[analysis.profile].lower()})"
        key = words.verdict_key(record)
        media, error = record["media"] or {}, record["error"]
        likelihood = words.likelihood(key, record["p_synthetic"])
        intimacy = "" if error else words.INTIMACY[record["intimacy"]["level"]]
        name = words.visible(record["path"])
        style = "1" if key in _STRONG else "2" if error else ""
        self._print(self._row(words.VERDICTS[key], likelihood, intimacy, media.get("format") or "", name), style)
        if error:
            self._paragraph(words.visible(f"{error['message']} {error['remedy']}"), "    ", "2")

    def finish(self, tally: Tally) -> None:
        """The reasons when there was one file, then the summary."""
        if tally.total == 1 and self._last is not None and self._last["error"] is None:
            self._details(self._last)
        if tally.total:
            self._print("")
        if tally.total > 1:
            self._print(tally.sentence() + ".")
        for says, n in tally.failed.values() if tally.total > 1 else ():
            self._paragraph(f"On {words.count(n, 'file', 'files')}: {words.visible(says)}", "")
        self._out.flush()

    def abandon(self) -> None:
        """Nothing to undo: what is printed is printed."""

    def _details(self, record: Mapping[str, Any]) -> None:
        self._print("")
        self._print("Why", "1")
        for reason in record["reasons"]:
            self._paragraph(words.visible(reason), "  ")
        self._print("")
        self._print(f"What was looked at{self._check}", "1")
        for finding in record["findings"]:
            state = words.STATES[finding["state"]]
            self._paragraph(f"{words.detector(finding['detector'])}. {state}. {words.visible(finding['says'])}", "  ")

    def _row(self, *cells: str) -> str:
        *fixed, name = cells
        padded = [c + " " * (w - words.width(c)) for c, w in zip(fixed, _WIDTHS, strict=True)]
        left = "  ".join(padded) + "  "
        return left + (name if self._columns is None else words.fit(name, max(12, self._columns - len(left))))

    def _paragraph(self, text: str, indent: str, style: str = "") -> None:
        lines = textwrap.wrap(
            text,
            width=min(100, self._columns or 100),
            initial_indent=indent,
            subsequent_indent=indent + "  ",
            break_on_hyphens=False,
        )
        for line in lines:
            self._print(line, style)

    def _print(self, text: str, style: str = "") -> None:
        styled = f"\x1b[{style}m{text}\x1b[0m" if self._styled and style else text
        try:
            self._out.write(styled + "\n")
            self._out.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise cannot_write("-", error) from error
