"""One picture or a million: order, workers, cache, pause and cancel. Imports nothing that reads a picture."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import astuple, dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from detectors.cache import Cache, engine_id
from detectors.errors import FileRefused, FileUnreadable, SetupError
from detectors.finding import CHECKS, Profile, State
from detectors.inputs import Input, read_file
from detectors.intake.limits import Limits
from detectors.intake.pool import Pool
from detectors.intake.process import WorkerDied
from detectors.intake.protocol import (
    MAX_PREVIEW_SIDE,
    Outcome,
    ProtocolError,
    error_of,
    fingerprinted_of,
    malformed_answer,
    outcome_of,
    pack,
    unpack,
)
from detectors.intake.sandbox import Protection
from detectors.report import Fingerprinted, Report
from detectors.third_party import ask, store
from detectors.verdict import Bands, decide

if TYPE_CHECKING:
    from detectors.fingerprints.source_match import Sources

_T = TypeVar("_T")
_POLL_SECONDS = 0.05
# Inputs taken ahead of the one being reported, per job. Only their paths wait, never their bytes.
_AHEAD = 32
# How long a cancelled run waits for the files in hand before it ends their workers.
_GRACE_SECONDS = 3.0
# These depend on the machine at the moment and not on the file alone, so they are tried again next time.
_PASSING = frozenset(
    {"took_too_long", "needs_too_much_memory", "worker_died", "worker_answer_malformed", "analysis_failed"}
)


@dataclass(frozen=True)
class ScanOptions:
    """How to scan. `jobs` worker processes; `points` are operating points by detector, None for the shipped ones.

    `added` are the models that the user has added, by default all that are kept. `references` are files and folders
    with the person's own photos: each picture is then compared with these (see detectors.fingerprints.source_match).
    """

    profile: Profile = Profile.FAST
    jobs: int = field(default_factory=lambda: cores())
    limits: Limits = field(default_factory=Limits)
    cache: Cache | None = None
    thumbnails: bool = False
    points: Mapping[str, Bands] | None = None
    added: Sequence[store.Added] = field(default_factory=store.installed)
    references: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture for the screen: `rgb` is height x width x 3 bytes."""

    width: int
    height: int
    rgb: bytes


@dataclass(frozen=True, slots=True)
class _Run:
    """One call of `scan`: who may end it, what was asked for, and the operating points of each check."""

    cancel: threading.Event
    pause: threading.Event
    closed: threading.Event
    profile: Profile
    points: Mapping[Profile, Mapping[str, Bands]]
    ended: threading.Event = field(default_factory=threading.Event)

    def over(self) -> bool:
        """Whether no new file may be begun."""
        return self.cancel.is_set() or self.ended.is_set() or self.closed.is_set()


class Scanner:
    """Scans inputs with a pool of worker processes, which it starts when first needed. Use it as a context manager.

    `worker_command` starts another worker than our own.
    """

    def __init__(self, options: ScanOptions | None = None, worker_command: Sequence[str] | None = None) -> None:
        self.options = options or ScanOptions()
        limits = self.options.limits
        self._pool = Pool(limits, max(1, cores() // self.options.jobs), worker_command)
        # Apart, so that a picture shows at once while a folder is being scanned. Its worker loads no models.
        self._preview_pool = Pool(limits, 1, worker_command)
        self._added = ask.Models(self.options.added, limits, max(1, cores() // self.options.jobs), worker_command)
        self._worker_command = worker_command
        self._sources = self._sources_of(self.options.references)
        self._one_preview = threading.Lock()
        self._one_scan = threading.Lock()
        # Files with the same bytes wait for each other, so that the second finds the first one's result.
        self._same_bytes = [threading.Lock() for _ in range(256)]
        self._closed = threading.Event()

    def __enter__(self) -> Scanner:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def scan(
        self,
        inputs: Iterable[Input],
        cancel: threading.Event | None = None,
        pause: threading.Event | None = None,
        profile: Profile | None = None,
    ) -> Iterator[Report]:
        """One Report per input, in the order of the inputs, which are drawn a bounded number ahead.

        `profile` stands in for that of the options.

        While `pause` is set no new file is begun. Once `cancel` is set none is, and the run ends after the files in
        hand, before the first that was not done: the reports never leave out one and give a later one, so that a run
        can be resumed from where they end. Raises SetupError when no worker can be started.

        One scan at a time: a scan that ends, ends every worker of this Scanner that is still busy. A second one
        raises RuntimeError until the first is used up or closed.
        """
        if not self._one_scan.acquire(blocking=False):
            raise RuntimeError("a Scanner runs one scan at a time: use up or close the first")
        try:
            run = _Run(
                cancel or threading.Event(),
                pause or threading.Event(),
                self._closed,
                profile or self.options.profile,
                self._points(),
            )
            yield from self._in_order(inputs, run, self._report)
        finally:
            self._one_scan.release()

    def fingerprints(
        self, inputs: Iterable[Input], cancel: threading.Event | None = None, pause: threading.Event | None = None
    ) -> Iterator[Fingerprinted]:
        """One Fingerprinted per input, in the order of the inputs: no detector runs and no model is loaded.

        Order, `pause`, `cancel`, one run at a time and what is raised: all as for `scan`.
        """
        if not self._one_scan.acquire(blocking=False):
            raise RuntimeError("a Scanner runs one scan at a time: use up or close the first")
        try:
            run = _Run(cancel or threading.Event(), pause or threading.Event(), self._closed, self.options.profile, {})
            yield from self._in_order(inputs, run, self._fingerprinted)
        finally:
            self._one_scan.release()

    def fingerprint(self, path: str) -> Fingerprinted:
        """One file's fingerprints, also while a scan runs. Any thread may ask. What is wrong with the file is in
        `error`. Raises SetupError when no worker can be started."""
        with self._one_preview:
            return self._fingerprints_of(path, self._preview_pool, lambda: False)

    def _in_order(self, inputs: Iterable[Input], run: _Run, work: Callable[[Input, _Run], _T | None]) -> Iterator[_T]:
        """What `work` makes of each input, as `scan` says."""
        ahead: deque[Future[_T | None]] = deque()
        pool = ThreadPoolExecutor(self.options.jobs, thread_name_prefix="scan")
        try:
            if self._sources is not None:
                with contextlib.suppress(CancelledError):
                    self._sources.read(run.over)
            for item in inputs:
                if run.over():
                    break
                ahead.append(pool.submit(work, item, run))
                while ahead and (ahead[0].done() or len(ahead) >= _AHEAD * self.options.jobs):
                    report = self._awaited(ahead.popleft(), run)
                    if report is None:
                        return
                    yield report
            while ahead:
                report = self._awaited(ahead.popleft(), run)
                if report is None:
                    return
                yield report
        finally:
            run.ended.set()
            pool.shutdown(wait=False, cancel_futures=True)
            self._pool.finish(_GRACE_SECONDS)
            self._added.finish(0)
            if self._sources is not None:
                self._sources.finish(0)
            pool.shutdown(wait=True)

    def read_references(self, cancel: threading.Event | None = None) -> tuple[Input, ...]:
        """Read the reference photos, once; those that cannot be used, with the reasons. A scan does it by itself.

        Raises SetupError when there is none to compare with, CancelledError once `cancel` is set.
        """
        stop = cancel or threading.Event()
        return () if self._sources is None else self._sources.read(lambda: stop.is_set() or self._closed.is_set())

    def use_references(
        self, paths: Sequence[str], cancel: threading.Event | None = None
    ) -> tuple[tuple[str, ...], tuple[Input, ...]]:
        """From now on compare with the photos at `paths` (files and folders), or with none, and not those of before.

        Gives the photos that are used, each content once, and those that cannot be, with the reasons. Raises
        SetupError when there is none to compare with, CancelledError once `cancel` is set, RuntimeError while a scan
        runs; what was used before is used then, as before.
        """
        if not self._one_scan.acquire(blocking=False):
            raise RuntimeError("a Scanner's reference photos change between two scans: use up or close the first")
        try:
            before, self._sources = self._sources, self._sources_of(paths)
            new = self._sources
            try:
                problems = self.read_references(cancel)
            except BaseException:
                self._sources = before
                if new is not None:
                    new.close()
                raise
            if before is not None:
                before.close()
            if new is None:
                return (), ()
            new.finish(0)
            return new.used, problems
        finally:
            self._one_scan.release()

    def preview(self, path: str, longest: int, blurred: bool) -> Preview:
        """The picture at most `longest` px, or only a grey veil of it. Any thread may ask. Raises CounterproofError."""
        return self.preview_of(read_file(path, self.options.limits), longest, blurred)

    def preview_of(self, data: bytes, longest: int, blurred: bool) -> Preview:
        """As `preview`, of a file's bytes, which then lie nowhere else. Raises CounterproofError."""
        longest = min(longest, MAX_PREVIEW_SIDE)
        request = {"op": "preview", "sha256": hashlib.sha256(data).hexdigest(), "longest": longest, "blurred": blurred}
        try:
            with self._one_preview, self._preview_pool.worker() as worker:
                header, rgb = worker.ask(request, data)
                if "error" not in header:
                    return _preview_of(header, rgb, longest)
                error = error_of(header)
        except WorkerDied as e:
            raise e.error from e
        except ProtocolError as e:
            raise malformed_answer() from e
        raise error

    def protections(self) -> tuple[Protection, ...]:
        """What a worker is kept from doing on this platform, as a worker reports it. Raises SetupError."""
        with self._one_preview, self._preview_pool.worker():
            return self._preview_pool.protections

    def close(self) -> None:
        """End all workers and threads. A scan under way ends early."""
        self._closed.set()
        self._pool.close()
        self._preview_pool.close()
        self._added.close()
        sources = self._sources
        if sources is not None:
            sources.close()

    def _sources_of(self, paths: Sequence[str]) -> Sources | None:
        """The photos at these paths, still unread."""
        if not paths:
            return None
        # Only then: it needs NumPy, which a scan does not.
        from detectors.fingerprints.source_match import Sources

        threads = max(1, cores() // self.options.jobs)
        return Sources(paths, self.options.limits, self.options.jobs, threads, self._worker_command)

    def _points(self) -> Mapping[Profile, Mapping[str, Bands]]:
        """The operating points that verdicts are read from, by check. Raises SetupError."""
        if self.options.points is not None:
            return dict.fromkeys(CHECKS, self.options.points)
        from detectors.inference import manifest

        return {check: manifest.operating_points(check) for check in CHECKS}

    def _awaited(self, future: Future[_T | None], run: _Run) -> _T | None:
        """The result, or None where a run that is over dropped the input."""
        deadline: float | None = None
        while True:
            if run.over() and deadline is None:
                future.cancel()
                deadline = time.monotonic() + _GRACE_SECONDS
            if deadline is not None and time.monotonic() > deadline:
                self._pool.kill_busy()
                self._added.kill_busy()
                if self._sources is not None:
                    self._sources.kill_busy()
            try:
                return future.result(_POLL_SECONDS)
            except TimeoutError:
                continue
            except CancelledError:
                return None

    def _report(self, item: Input, run: _Run) -> Report | None:
        """One input's report, or None or CancelledError when the run is over first. Runs in a pool thread."""
        while run.pause.is_set() and not run.over():
            time.sleep(_POLL_SECONDS)
        if run.over():
            return None
        started = time.perf_counter()
        sha256 = None
        try:
            if item.error is not None:
                raise item.error
            data = read_file(item.path, self.options.limits)
            digest = hashlib.sha256(data).digest()
            sha256 = digest.hex()
            outcome, cached = self._outcome(data, digest, run)
            if outcome.error is not None:
                raise outcome.error
            analysis = outcome.analysis
            if analysis is not None:
                ours, over = analysis.findings, run.over
                others, known = self._added.findings(data, sha256, ours, self.options.cache, over)
                if self._sources is not None:  # always anew: what it is compared with is not in the cache's key
                    others = (*others, self._sources.finding(data, sha256, over))
                analysis, cached = replace(analysis, findings=(*ours, *others)), cached and known
        except (FileRefused, FileUnreadable) as e:
            return Report(item.path, error=e, sha256=sha256, ms=_ms_since(started))
        except WorkerDied as e:
            # A worker that was ended because the run is over says nothing about the file.
            if run.over():
                return None
            return Report(item.path, error=e.error, sha256=sha256, ms=_ms_since(started))
        except SetupError:
            if run.over():
                return None
            raise
        points = {} if analysis is None else {**run.points[analysis.profile], **self._added.points}
        verdict = None if analysis is None else decide(analysis.findings, points)
        return Report(item.path, analysis, verdict, None, sha256, _ms_since(started), cached, outcome.thumbnail)

    def _fingerprinted(self, item: Input, run: _Run) -> Fingerprinted | None:
        """One input's fingerprints, or None or CancelledError when the run is over first. Runs in a pool thread."""
        while run.pause.is_set() and not run.over():
            time.sleep(_POLL_SECONDS)
        if run.over():
            return None
        if item.error is not None:
            return Fingerprinted(item.path, error=item.error)
        try:
            found = self._fingerprints_of(item.path, self._pool, run.over)
        except SetupError:
            if run.over():
                return None
            raise
        # A worker that was ended because the run is over says nothing about the file.
        return None if found.error is not None and found.error.code in _PASSING and run.over() else found

    def _fingerprints_of(self, path: str, pool: Pool, over: Callable[[], bool]) -> Fingerprinted:
        """The fingerprints of the file at `path`, from the cache or a worker. Raises SetupError, CancelledError."""
        started, cache, sha256 = time.perf_counter(), self.options.cache, None
        try:
            data = read_file(path, self.options.limits)
            digest = hashlib.sha256(data).digest()
            sha256 = digest.hex()
            context = b"fingerprint" + engine_id() + repr(astuple(self.options.limits)).encode() if cache else b""
            if cache is not None and (kept := cache.get(digest, context)) is not None:
                with contextlib.suppress(ProtocolError):
                    found = fingerprinted_of(unpack(kept)[0], path, sha256)
                    return replace(found, ms=_ms_since(started), cached=True)
            with pool.worker(over) as worker:
                header, _ = worker.ask({"op": "fingerprint", "sha256": sha256}, data)
                try:
                    found = fingerprinted_of(header, path, sha256)
                except ProtocolError as e:
                    raise WorkerDied(malformed_answer()) from e
        except (FileRefused, FileUnreadable) as e:
            return Fingerprinted(path, error=e, sha256=sha256, ms=_ms_since(started))
        except WorkerDied as e:
            return Fingerprinted(path, error=e.error, sha256=sha256, ms=_ms_since(started))
        if cache is not None and (found.error is None or found.error.code not in _PASSING):
            cache.put(digest, context, pack(header))
        return replace(found, ms=_ms_since(started))

    def _outcome(self, data: bytes, digest: bytes, run: _Run) -> tuple[Outcome, bool]:
        """What is known of these bytes, and whether it was known before. Raises as `_analysed`."""
        cache = self.options.cache
        if cache is None:
            return self._analysed(data, digest.hex(), run)[0], False
        context = engine_id() + repr((str(run.profile), astuple(self.options.limits))).encode()
        with self._same_bytes[digest[0]]:
            kept = cache.get(digest, context)
            if kept is not None:
                with contextlib.suppress(ProtocolError):
                    outcome = outcome_of(*unpack(kept), digest.hex())
                    if outcome.error or outcome.thumbnail or not self.options.thumbnails:
                        return outcome, True
            outcome, frame = self._analysed(data, digest.hex(), run)
            if _lasting(outcome):
                cache.put(digest, context, frame)
        return outcome, False

    def _analysed(self, data: bytes, sha256: str, run: _Run) -> tuple[Outcome, bytes]:
        """A worker's checked outcome, and its frame. Raises WorkerDied, SetupError, CancelledError."""
        request = {
            "op": "analyse",
            "sha256": sha256,
            "profile": str(run.profile),
            "thumbnail": self.options.thumbnails,
        }
        with self._pool.worker(run.over) as worker:
            header, payload = worker.ask(request, data)
            try:
                outcome = outcome_of(header, payload, sha256)
            except ProtocolError as e:
                raise WorkerDied(malformed_answer()) from e
        return outcome, pack(header, payload)


def cores() -> int:
    """The processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _preview_of(header: Mapping[str, Any], rgb: bytes, longest: int) -> Preview:
    """The checked preview from a worker's answer. Raises ProtocolError."""
    try:
        width, height = int(header["width"]), int(header["height"])
    except (KeyError, TypeError, ValueError, OverflowError) as e:
        raise ProtocolError("malformed preview") from e
    if min(width, height) < 1 or max(width, height) > longest or len(rgb) != width * height * 3:
        raise ProtocolError("a preview has the wrong size")
    return Preview(width, height, rgb)


def _lasting(outcome: Outcome) -> bool:
    """Whether the same bytes would come out the same next time."""
    if outcome.error is not None:
        return outcome.error.code not in _PASSING
    return outcome.analysis is not None and all(f.state is not State.FAILED for f in outcome.analysis.findings)


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
