"""A pool of worker processes: started when needed, ended when late, replaced when they die or have served."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError

from detectors.errors import SetupError
from detectors.intake.limits import Limits
from detectors.intake.process import WorkerDied, WorkerProcess
from detectors.intake.sandbox import Protection

_WATCH_SECONDS = 0.05
_STARTS = 3


class Pool:
    """Lends workers, one per file and as many at once as there are borrowers; several threads may borrow.

    `threads` is each worker's thread budget; `command` starts another worker than our own.
    """

    def __init__(self, limits: Limits, threads: int, command: Sequence[str] | None = None) -> None:
        self.protections: tuple[Protection, ...] = ()
        self._limits = limits
        self._threads = threads
        self._command = command
        self._lock = threading.Lock()
        self._all: set[WorkerProcess] = set()
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._closed = threading.Event()
        self._watchdog: threading.Thread | None = None

    @contextlib.contextmanager
    def worker(self, over: Callable[[], bool] = lambda: False) -> Iterator[WorkerProcess]:
        """A worker for one file. One on which the block raises is not used again. Raises SetupError.

        `over` says whether the file is no longer wanted; then it raises CancelledError, at the latest once whoever
        made it so calls `kill_busy`.
        """
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is not None and not worker.alive:
            self._discard(worker)
            worker = None
        worker = worker or self._started(over)
        with self._lock:
            self._busy.add(worker)
        keep = False
        try:
            # Only now: whoever ends the run from here on finds this worker among those that are busy.
            if over():
                keep = True
                raise CancelledError
            yield worker
            keep = worker.answered < self._limits.recycle_after
        finally:
            with self._lock:
                self._busy.discard(worker)
                keep = keep and not worker.killed and not self._closed.is_set()
                if keep:
                    self._idle.append(worker)
            if not keep:
                self._discard(worker)

    def finish(self, seconds: float) -> None:
        """Wait until no worker starts or has a file in hand, then end those that still do."""
        deadline = time.monotonic() + seconds
        while self._busy and time.monotonic() < deadline:
            time.sleep(_WATCH_SECONDS / 10)
        self.kill_busy()

    def kill_busy(self) -> None:
        """End the workers that start or have a file in hand; their borrowers see WorkerDied or CancelledError."""
        with self._lock:
            for worker in self._busy:
                worker.kill()

    def close(self) -> None:
        """End all workers and the watchdog. Those that are lent out are freed by their borrowers."""
        self._closed.set()
        with self._lock:
            workers, idle = list(self._all), list(self._idle)
            self._idle.clear()
        for worker in workers:
            worker.kill()
        for worker in idle:
            self._discard(worker)
        if self._watchdog is not None:
            self._watchdog.join()

    def _started(self, over: Callable[[], bool]) -> WorkerProcess:
        """A new worker that is ready. Raises SetupError when several in a row do not come up, CancelledError."""
        said = ""
        for _ in range(_STARTS):
            try:
                worker = WorkerProcess(self._limits, self._threads, self._command)
            except OSError as e:
                said = str(e)
                continue
            self._enter(worker)
            # Only now: whoever ends the run or closes the pool from here on finds this worker.
            if over() or self._closed.is_set():
                self._discard(worker)
                break
            try:
                self.protections = tuple(worker.start())
            except WorkerDied:
                self._discard(worker)
                said = worker.said
                continue
            return worker
        if over():
            raise CancelledError
        raise _no_worker(said)

    def _enter(self, worker: WorkerProcess) -> None:
        """Watch over a new worker. While it starts it counts as busy."""
        with self._lock:
            self._all.add(worker)
            self._busy.add(worker)
            if self._watchdog is None:
                self._watchdog = threading.Thread(target=self._watch, name="worker-watchdog", daemon=True)
                self._watchdog.start()

    def _discard(self, worker: WorkerProcess) -> None:
        worker.close()
        with self._lock:
            self._all.discard(worker)
            self._busy.discard(worker)

    def _watch(self) -> None:
        """End workers whose answer is overdue, until the pool is closed."""
        while not self._closed.wait(_WATCH_SECONDS):
            with self._lock:
                workers = list(self._all)
            for worker in workers:
                worker.end_if_late()


def _no_worker(said: str) -> SetupError:
    """The error when workers do not come up; the last line that one said is the best clue there is."""
    clue = said.splitlines()[-1][:300] if said else "it said nothing"
    return SetupError(
        "worker_does_not_start",
        f"The part of Counterproof that opens files does not start ({clue}).",
        "Run “counterproof doctor” to see what is missing, then install Counterproof again.",
    )
