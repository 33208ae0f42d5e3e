"""The parent's side of one worker process: start it, ask it, end it in time, and say why it died."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from detectors.errors import CounterproofError, FileRefused, FileUnreadable
from detectors.intake import problems
from detectors.intake.limits import Limits
from detectors.intake.protocol import (
    MAX_ANSWER_PAYLOAD,
    ProtocolError,
    malformed_answer,
    read_frame,
    write_frame,
)
from detectors.intake.sandbox import Protection

# From nothing to ready, on a slow laptop with a cold disk.
START_SECONDS = 90.0
_MAX_STDERR_CHUNKS = 8
_CHUNK = 1024


class WorkerDied(Exception):
    """The worker ended before it answered; `error` is what to say of the file that it was given."""

    def __init__(self, error: CounterproofError) -> None:
        super().__init__(error.code)
        self.error = error


class WorkerProcess:
    """One worker. `ask` from one thread at a time; `end_if_late` and `kill` from any. Raises WorkerDied on start."""

    def __init__(self, limits: Limits, threads: int, command: Sequence[str] | None = None) -> None:
        self.answered = 0
        self._limits = limits
        self._lock = threading.Lock()
        self._deadline: float | None = None
        self._late = False
        self._killed = False
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell, no user input
            list(command or _command()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(threads),
            # Ctrl-C in the terminal is for the parent, which then decides what becomes of the files in hand.
            **_own_group(),
        )
        self._said: deque[bytes] = deque(maxlen=_MAX_STDERR_CHUNKS)
        self._listener = threading.Thread(target=self._listen, name="worker-stderr", daemon=True)
        self._listener.start()

    def start(self) -> list[Protection]:
        """Wait until it is ready; which protections hold in it. Raises WorkerDied. Call once, before `ask`."""
        header, _ = self._exchange({"limits": asdict(self._limits)}, b"", START_SECONDS)
        try:
            return [Protection(str(p["name"]), bool(p["holds"]), str(p["says"])) for p in header["ready"]]
        except (KeyError, TypeError) as e:
            raise WorkerDied(malformed_answer()) from e

    def ask(self, request: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Its answer to one request. Raises WorkerDied when it dies, hangs, or answers nonsense; then `close` it."""
        answer = self._exchange(request, data, self._limits.seconds)
        self.answered += 1
        return answer

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    @property
    def killed(self) -> bool:
        """Whether it was told to end, though the process may run for a moment yet."""
        return self._killed

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def said(self) -> str:
        """The end of what it wrote to stderr."""
        return b"".join(self._said).decode("utf-8", "replace").strip()

    def end_if_late(self) -> None:
        """Kill it if its answer is overdue."""
        with self._lock:
            if self._deadline is not None and time.monotonic() > self._deadline:
                self._late = True
                self.kill()

    def kill(self) -> None:
        """End it now; an `ask` under way raises WorkerDied."""
        self._killed = True
        self._process.kill()

    def close(self) -> None:
        """End it and free its pipes. It keeps nothing that would be lost."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):  # unsent bytes of a request that nobody will read
                _pipe(pipe).close()

    def _exchange(self, header: Mapping[str, Any], data: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
        with self._lock:
            self._deadline = time.monotonic() + seconds
        try:
            write_frame(_pipe(self._process.stdin), header, data)
            return read_frame(_pipe(self._process.stdout), MAX_ANSWER_PAYLOAD)
        except ProtocolError as e:
            raise WorkerDied(malformed_answer()) from e
        except (EOFError, OSError) as e:
            raise WorkerDied(self._cause_of_death()) from e
        finally:
            with self._lock:
                self._deadline = None

    def _cause_of_death(self) -> CounterproofError:
        """What to say of the file in hand, from how the process ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        ended = self._process.poll()
        if self._late or (sys.platform != "win32" and ended == -signal.SIGXCPU):
            return _took_too_long()
        # Nobody here sent it, so the system did: that is how it reclaims memory.
        if sys.platform != "win32" and ended == -signal.SIGKILL:
            return problems.needs_too_much_memory()
        return _died()

    def _listen(self) -> None:
        """Keep the pipe empty, and the last few KB of what was said."""
        stream = _pipe(self._process.stderr)
        while chunk := os.read(stream.fileno(), _CHUNK):
            self._said.append(chunk)


def _command() -> list[str]:
    """How to start a worker: no user site, no current folder on the path."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "--worker"]
    return [sys.executable, "-P", "-s", "-m", "detectors.intake.worker"]


def _environment(threads: int) -> dict[str, str]:
    """Our own environment without anything that would steer Python, plus the thread budget."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    budget = dict.fromkeys(("COUNTERPROOF_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    return {**kept, **budget, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PYTHONUTF8": "1"}


def _own_group() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    """The pipe, which Popen types as optional."""
    if pipe is None:
        raise TypeError("the worker was started without a pipe")
    return pipe


def _took_too_long() -> FileRefused:
    return FileRefused(
        "took_too_long",
        "This file took longer than one file is allowed.",
        "Open it in an image program, save a smaller copy, and check that copy.",
    )


def _died() -> FileUnreadable:
    return FileUnreadable(
        "worker_died",
        "The program that opens files stopped while it had this one open. The other files are not affected.",
        "The file may be damaged or made to do harm. If you know where it is from, save it as PNG and check that.",
    )
