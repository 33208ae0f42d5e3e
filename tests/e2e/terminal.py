"""A program at a terminal of its own: what it shows is read, what a person types is sent."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType

# Opening a terminal makes it the one that /dev/tty stands for, in a session that has none yet. Ctrl+C is heard there,
# even where these tests run in a shell's background, which has it ignored.
_AT_TERMINAL = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
    "os.open(os.ttyname(0), os.O_RDWR); os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """`command` in a pseudoterminal. `shown` is all that it has shown so far, with plain line ends."""

    def __init__(self, command: Sequence[str], patience: float = 120) -> None:
        self._end, inside = os.openpty()
        self._over = time.monotonic() + patience
        self.shown = ""
        self._past = 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", _AT_TERMINAL, *command],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
            env={**os.environ, "COLUMNS": "100", "LC_ALL": "en_GB.UTF-8"},
        )
        os.close(inside)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._end)

    def until(self, text: str) -> str:
        """What is shown from the last call up to `text`. Raises AssertionError when it does not come."""
        start = self._past
        while (at := self.shown.find(text, start)) < 0:
            assert self._read(), f"{text!r} was not shown, but:\n{self.shown}"
        self._past = at + len(text)
        return self.shown[start : self._past]

    def types(self, text: str) -> None:
        """Type a line."""
        os.write(self._end, f"{text}\n".encode())

    def ended(self) -> int:
        """The exit status, once it has ended by itself."""
        while self._read():
            pass
        return self.process.wait(max(0.1, self._over - time.monotonic()))

    def _read(self) -> str:
        """More of what is shown; empty at its end, or when patience is."""
        if not select.select([self._end], [], [], max(0, self._over - time.monotonic()))[0]:
            return ""
        try:
            more = os.read(self._end, 65536).decode(errors="replace").replace("\r\n", "\n")
        except OSError:  # Linux says so that the other end is closed
            return ""
        self.shown += more
        return more
