"""Runs the engine away from the window's thread. Qt-free: the window asks it, a few times a second, what is new.

One thread lists and scans; another makes previews, so that a picture can be shown while thousands are scanned. What
they find waits in a queue until `drain` takes it; an error in a thread is handed over by `drain` too.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from desktop.listing import auto_profile
from desktop.window.packed import Packed, pack
from desktop.window.reveal import Pixels, Request
from desktop.window.words import translate
from detectors.errors import CounterproofError
from detectors.finding import Profile
from detectors.report import Fingerprinted, Report

log = logging.getLogger(__name__)

# Files are announced in groups: one signal for each of 20,000 would cost more than the listing.
GROUP = 200
# Fingerprinting tells how far it is after so many files.
TELL_EVERY = 20
# Announcing a path costs the window about a quarter of what a result does.
PATHS_PER_RESULT = 4
# When this much waits for the window, scanning rests: results from a cache come faster than anyone can look, and a
# thread that is always running keeps Python's lock from the window's.
MOST_NEWS = 800


class Input(Protocol):
    """What the engine's listing yields."""

    @property
    def path(self) -> str: ...


class Engine(Protocol):
    """The engine's Scanner, as far as the window uses it."""

    def scan(
        self,
        inputs: Iterable[Any],
        cancel: threading.Event | None = None,
        pause: threading.Event | None = None,
        profile: Profile | None = None,
    ) -> Iterator[Report]: ...
    def preview(self, path: str, longest: int, blurred: bool) -> Pixels: ...
    def preview_of(self, data: bytes, longest: int, blurred: bool) -> Pixels: ...
    def fingerprint(self, path: str) -> Fingerprinted: ...
    def fingerprints(
        self, inputs: Iterable[Any], cancel: threading.Event | None = None, pause: threading.Event | None = None
    ) -> Iterator[Fingerprinted]: ...
    def use_references(
        self, paths: Sequence[str], cancel: threading.Event | None = None
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class News:
    """What happened since the last look. `found` are new paths, whose rows get the next ids, in order."""

    found: list[str] = field(default_factory=list)
    again: list[int] = field(default_factory=list)
    results: list[tuple[int, Packed]] = field(default_factory=list)
    busy: bool = False
    error: BaseException | None = None


class Runner:
    """Scans what it is given, in order, one request after the other."""

    def __init__(
        self,
        engine: Callable[[], Engine],
        list_inputs: Callable[[Iterable[str]], Iterator[Any]],
        profile: Profile | None = None,
    ) -> None:
        """`engine` makes the engine when it is first needed, in a thread of the runner.

        `profile` is for all files; None leaves it to how many there are.
        """
        self._make_engine = engine
        self._list_inputs = list_inputs
        self._profile = profile
        self._engine: Engine | None = None
        self._engine_lock = threading.Lock()
        self._scans = ThreadPoolExecutor(1, "scan")
        self._previews = ThreadPoolExecutor(1, "preview")
        self._errands = ThreadPoolExecutor(1, "errand")
        self._jobs: deque[Future[None]] = deque()
        self._preview_jobs: list[tuple[int, Future[None]]] = []
        self._news: deque[tuple[str, Any]] = deque()
        self._cancel = threading.Event()
        self._pause = threading.Event()
        self._ids: dict[str, int] = {}
        self._finished: set[int] = set()
        self._left_out: set[int] = set()
        self._next_id = count()
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a scan runs, waits its turn, or has news that nobody took."""
        return bool(self._jobs or self._news)

    @property
    def paused(self) -> bool:
        """Whether scanning rests until `resume`."""
        return self._pause.is_set()

    def add(self, paths: list[str], again: Profile | None = None) -> None:
        """Lists and scans files and folders, after those that were added before.

        Files that have a result are left out, unless `again` says with which profile to check them once more.
        """
        if self._cancel.is_set():
            self._cancel = threading.Event()
        self._jobs.append(self._scans.submit(self._scan, paths, self._cancel, again))

    def pause(self) -> None:
        """Rests after the files that are being read."""
        self._pause.set()

    def resume(self) -> None:
        """Goes on after `pause`."""
        self._pause.clear()

    def cancel(self) -> None:
        """Stops soon; what is done stays. Requests that wait their turn are dropped."""
        self._cancel.set()
        self._pause.clear()

    def leave_out(self, ids: Iterable[int]) -> None:
        """Opens these files no more and gives no result for them, until they are added again."""
        ids = set(ids)
        self._left_out |= ids
        self._finished -= ids

    def forget(self) -> None:
        """Forgets all paths, for an empty list. Only while nothing runs."""
        self._ids.clear()
        self._finished.clear()
        self._left_out.clear()
        self._next_id = count()

    def preview(
        self,
        request: Request,
        longest: int,
        done: Callable[[Request, Pixels], None],
        failed: Callable[[Request, CounterproofError], None],
        data: bytes | None = None,
    ) -> None:
        """Makes pixels in the preview thread and calls `done` or `failed` there. A newer wish of the same owner
        replaces waiting ones. `data` is the file where the request's source is no path."""
        if self._closed:
            return
        for owner, job in self._preview_jobs:
            if owner == request.owner:
                job.cancel()
        self._preview_jobs = [(o, j) for o, j in self._preview_jobs if not j.done()]
        job = self._previews.submit(self._preview, request, longest, done, failed, data)
        self._preview_jobs.append((request.owner, job))

    def fetch(
        self,
        job: Callable[[Engine], Any],
        done: Callable[[Any], None],
        failed: Callable[[CounterproofError], None],
    ) -> None:
        """Runs an errand with the engine in a thread for such, also during a scan; calls `done` or `failed` there."""
        if not self._closed:
            self._errands.submit(self._fetch, job, done, failed)

    def fingerprint(
        self,
        paths: list[str],
        done: Callable[[list[Fingerprinted]], None],
        failed: Callable[[CounterproofError], None],
        told: Callable[[int], None],
    ) -> None:
        """Fingerprints files, after what was asked for before, and calls `done` with those that were not cancelled.

        `told` hears now and then how many there are so far.
        """
        if self._cancel.is_set():
            self._cancel = threading.Event()
        self._jobs.append(self._scans.submit(self._fingerprint, paths, self._cancel, done, failed, told))

    def use_references(
        self,
        paths: Sequence[str],
        done: Callable[[Any], None],
        failed: Callable[[CounterproofError], None],
    ) -> None:
        """Compares with the photos at these paths, after what was asked for before; `done` gets which are used and
        which cannot be. A reading that is cancelled changes nothing, and nobody is called."""
        if self._cancel.is_set():
            self._cancel = threading.Event()
        cancel = self._cancel
        job: Callable[[Engine], Any] = lambda engine: engine.use_references(paths, cancel)  # noqa: E731
        self._jobs.append(self._scans.submit(self._fetch, job, done, failed))

    def drain(self, limit: int) -> News:
        """What is new, at most about `limit` results or what costs as much. Never waits."""
        news = News()
        size = 0
        while size < limit and self._news:
            kind, value = self._news.popleft()
            if kind == "found":
                news.found += value
            elif kind == "again":
                news.again += value
            else:
                news.results.append(value)
            size += 1 if kind == "result" else len(value) // PATHS_PER_RESULT
        if not self._news:
            while self._jobs and self._jobs[0].done():
                job = self._jobs.popleft()
                news.error = news.error or (None if job.cancelled() else job.exception())
        news.busy = self.busy
        return news

    def close(self) -> None:
        """Stops everything. Waits only for what is already being read."""
        self._closed = True
        self.cancel()
        self._previews.shutdown(wait=False, cancel_futures=True)
        self._errands.shutdown(wait=False, cancel_futures=True)
        self._scans.shutdown(wait=False, cancel_futures=True)
        with self._engine_lock:
            if self._engine is not None:
                self._engine.close()
        self._scans.shutdown(wait=True)
        self._previews.shutdown(wait=True)
        self._errands.shutdown(wait=True)

    def _scan(self, paths: list[str], cancel: threading.Event, again: Profile | None) -> None:
        wanted = self._list(paths, cancel, again is not None)
        if not wanted or cancel.is_set():
            return
        inputs = list(wanted.values())
        profile = again or self._profile or auto_profile(paths, inputs)
        # Drawn a few at a time, so that what is left out meanwhile is not opened.
        still = (item for row_id, item in wanted.items() if row_id not in self._left_out)
        for report in self._ready_engine().scan(still, cancel, self._pause, profile):
            # By path and not by position: after a cancel some inputs have no report.
            row_id = self._ids[report.path]
            if row_id in self._left_out:
                continue
            if report.error is None:
                self._finished.add(row_id)
            self._news.append(("result", (row_id, pack(report))))
            while len(self._news) >= MOST_NEWS and not cancel.wait(0.01):
                pass

    def _list(self, paths: list[str], cancel: threading.Event, anew: bool) -> dict[int, Any]:
        """Row ids and inputs that are to be scanned; without files that have a result, unless `anew`."""
        wanted: dict[int, Any] = {}
        found: list[str] = []
        for item in self._list_inputs(paths):
            if cancel.is_set():
                break
            row_id = self._ids.get(item.path)
            if row_id is None:
                row_id = self._ids[item.path] = next(self._next_id)
                found.append(item.path)
            elif row_id in wanted or (row_id in self._finished and not anew):
                continue
            else:
                self._left_out.discard(row_id)
                self._news.append(("again", [row_id]))
            wanted[row_id] = item
            if len(found) >= GROUP:
                self._news.append(("found", found))
                found = []
        if found:
            self._news.append(("found", found))
        return wanted

    def _preview(
        self,
        request: Request,
        longest: int,
        done: Callable[[Request, Pixels], None],
        failed: Callable[[Request, CounterproofError], None],
        data: bytes | None,
    ) -> None:
        try:
            engine = self._ready_engine()
            if data is not None:
                pixels = engine.preview_of(data, longest, request.blurred)
            else:
                pixels = engine.preview(str(request.source), longest, request.blurred)
        except CancelledError:
            pass  # closed: nobody waits for it
        except CounterproofError as error:
            failed(request, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, someone waits for an answer about this picture
            log_fault(error)
            failed(request, _no_preview())
        else:
            done(request, pixels)

    def _fetch(
        self,
        job: Callable[[Engine], Any],
        done: Callable[[Any], None],
        failed: Callable[[CounterproofError], None],
    ) -> None:
        try:
            value = job(self._ready_engine())
        except CancelledError:
            pass  # closed: nobody waits for it
        except CounterproofError as error:
            failed(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, someone waits for an answer
            log_fault(error)
            failed(_no_errand())
        else:
            done(value)

    def _fingerprint(
        self,
        paths: list[str],
        cancel: threading.Event,
        done: Callable[[list[Fingerprinted]], None],
        failed: Callable[[CounterproofError], None],
        told: Callable[[int], None],
    ) -> None:
        def job(engine: Engine) -> list[Fingerprinted]:
            found = []
            for made in engine.fingerprints(list(self._list_inputs(paths)), cancel, self._pause):
                found.append(made)
                if len(found) % TELL_EVERY == 0:
                    told(len(found))
            return found

        self._fetch(job, done, failed)

    def _ready_engine(self) -> Engine:
        """The engine, made when it is first needed."""
        with self._engine_lock:
            if self._closed:
                raise CancelledError
            if self._engine is None:
                self._engine = self._make_engine()
            return self._engine


def log_fault(error: BaseException) -> None:
    """Log where a fault of ours happened, without the error's own text: that may name a file."""
    log.error("%s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))


def _no_errand() -> CounterproofError:
    return CounterproofError(
        "engine_fault",
        translate("session", "That did not work because of a fault in Counterproof. Your files are not changed."),
        translate("session", "Close Counterproof, open it again, and try once more."),
    )


def _no_preview() -> CounterproofError:
    return CounterproofError(
        "preview_failed",
        translate("session", "This picture cannot be shown because of a fault in Counterproof. It is not changed."),
        translate("session", "It can be checked all the same. To see it, open Counterproof anew and add it once more."),
    )
