"""Progress on standard error: a bar on a terminal, otherwise a line every ten seconds. Never on standard output."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import TextIO

from desktop import words
from desktop.output.writer import Tally

_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 10.0
# The rate is that of the last half minute: cached files go by in a blink and would promise too early an end.
_WINDOW_SECONDS = 30.0
_BAR = 10


class Progress:
    """Shows how many files are done, how fast, how long it may still take, and what was found so far."""

    def __init__(self, quiet: bool = False, err: TextIO | None = None) -> None:
        """`err` is standard error when None."""
        self._err = sys.stderr if err is None else err
        self._quiet = quiet
        self._terminal = self._err.isatty()
        self._drawn = False
        self._next = time.monotonic() + (0.0 if self._terminal else _LINE_SECONDS)
        self._recent: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self.total: int | None = None

    @property
    def wanted(self) -> bool:
        """Whether anything will be shown."""
        return not self._quiet

    def update(self, tally: Tally) -> None:
        """Draw when it is time to. `total`, when known, gives the share and the time left."""
        now = time.monotonic()
        if self._quiet or now < self._next:
            return
        self._next = now + (_REDRAW_SECONDS if self._terminal else _LINE_SECONDS)
        text = self._text(tally, now)
        if self._terminal:
            columns = words.terminal_columns() - 1
            bar = self._bar(tally.total)
            self._put("\r\x1b[K" + (bar + text if len(bar + text) <= columns else text[:columns]))
            self._drawn = True
        else:
            self._put(text + "\n")

    def clear(self) -> None:
        """Take the bar away, so that a line can be printed in its place."""
        if self._drawn:
            self._put("\r\x1b[K")
            self._drawn = False
            self._next = 0.0  # whatever took its place is short: the bar comes back with the next result

    def say(self, text: str) -> None:
        """One line on standard error, in place of the bar."""
        self.clear()
        self._put(text + "\n")

    def _put(self, text: str) -> None:
        """Write, and give up on progress for good when nobody reads it: that is no reason to stop the scan."""
        try:
            self._err.write(text)
            self._err.flush()
        except OSError:
            self._quiet = True

    def _text(self, tally: Tally, now: float) -> str:
        done = tally.total
        rate = self._rate(done, now)
        parts = [f"{done:,} of {self.total:,} files" if self.total else words.count(done, "file", "files")]
        if rate > 0:
            parts.append(f"{rate:.0f} a second" if rate >= 1.5 else f"{rate * 60:.0f} a minute")
            if self.total and self.total > done:
                parts.append(f"about {words.duration((self.total - done) / rate)} left")
        found = sum(tally.verdicts.get(k, 0) for k in ("declared_synthetic", "matched_source", "likely_synthetic"))
        parts.append(f"{found:,} with signs")
        if unclear := tally.verdicts.get("inconclusive", 0):
            parts.append(f"{unclear:,} can't tell")
        if tally.unsettled:
            parts.append(f"{tally.unsettled:,} checked thoroughly")
        if tally.not_checked:
            parts.append(f"{tally.not_checked:,} not checked")
        return ", ".join(parts)

    def _bar(self, done: int) -> str:
        if not self.total:
            return ""
        filled = min(_BAR, _BAR * done // self.total)
        return "[" + "#" * filled + "-" * (_BAR - filled) + "] "

    def _rate(self, done: int, now: float) -> float:
        """Files a second over the last half minute."""
        self._recent.append((now, done))
        while len(self._recent) > 2 and now - self._recent[0][0] > _WINDOW_SECONDS:
            self._recent.popleft()
        then, before = self._recent[0]
        return (done - before) / (now - then) if now > then else 0.0
