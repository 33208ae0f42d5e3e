"""The runner as a QObject: a few times a second it takes what is new and tells the window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.window.reveal import Pixels, Request
from desktop.window.runner import Engine, Runner, log_fault
from desktop.window.words import translate
from detectors.errors import CounterproofError
from detectors.finding import Profile
from detectors.report import Fingerprinted

# 14 updates a second look continuous, and leave the thread free for the user between them.
INTERVAL_MS = 70
# More than this at once would be felt while scrolling; the rest waits for the next update.
LIMIT = 400


class Session(QObject):
    """One window's scanning. All signals are emitted in the window's thread."""

    # Lists go as `object`: as `list` Qt would convert them, and names that are not UTF-8 would lose their bytes.
    found = Signal(object)
    """New paths, in order; their rows get the next ids."""
    again = Signal(object)
    """Row ids that wait once more."""
    results = Signal(object)
    """(row id, Packed) pairs."""
    busy_changed = Signal(bool)
    failed = Signal(str, str)
    """What went wrong and what to do."""
    preview_ready = Signal(object, object)
    preview_failed = Signal(object, object)
    _came = Signal(object, object)

    def __init__(
        self,
        engine: Callable[[], Engine],
        list_inputs: Callable[[Iterable[str]], Iterator[Any]],
        profile: Profile | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner = Runner(engine, list_inputs, profile)
        self._busy = False
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._update)
        self._came.connect(self._hand_over)

    @property
    def busy(self) -> bool:
        """Whether files are being listed or scanned."""
        return self._busy

    @property
    def paused(self) -> bool:
        """Whether scanning rests."""
        return self._runner.paused

    def add(self, paths: list[str], again: Profile | None = None) -> None:
        """Starts on files and folders, or queues them; `again` checks also those that are done, with that profile."""
        self._runner.add(paths, again)
        self._timer.start()
        self._set_busy(True)

    def pause(self, resting: bool) -> None:
        """Rests or goes on."""
        if resting:
            self._runner.pause()
        else:
            self._runner.resume()

    def cancel(self) -> None:
        """Stops soon; keeps what is done."""
        self._runner.cancel()

    def leave_out(self, ids: Iterable[int]) -> None:
        """Opens these files no more, until they are added again."""
        self._runner.leave_out(ids)

    def forget(self) -> None:
        """Forgets all paths; only while nothing runs."""
        self._runner.forget()

    def preview(self, request: Request, longest: int, data: bytes | None = None) -> None:
        """Asks for pixels, of `data` where the source is no path; the answer is `preview_ready` or `preview_failed`."""
        # The two signals are emitted in the preview thread; Qt carries them over to the receiver's thread.
        self._runner.preview(request, longest, self._preview_done, self._preview_problem, data)

    def fetch(
        self,
        job: Callable[[Engine], Any],
        then: Callable[[Any], None],
        problem: Callable[[CounterproofError], None],
    ) -> None:
        """Runs an errand with the engine in a thread, then `then` with its value or `problem` with its error here."""
        self._runner.fetch(job, lambda v: self._came.emit(then, v), lambda e: self._came.emit(problem, e))

    def fingerprint(
        self,
        paths: list[str],
        then: Callable[[list[Fingerprinted]], None],
        problem: Callable[[CounterproofError], None],
        told: Callable[[int], None],
    ) -> None:
        """Fingerprints files in the scanning thread; counts as busy. Answers as `fetch`; `told` hears how far it is."""
        done, failed, so_far = (partial(self._came.emit, answer) for answer in (then, problem, told))
        self._runner.fingerprint(paths, done, failed, so_far)
        self._timer.start()
        self._set_busy(True)

    def use_references(
        self, paths: Sequence[str], then: Callable[[Any], None], problem: Callable[[CounterproofError], None]
    ) -> None:
        """Compares with the photos at these paths from now on, none for no paths; read in the scanning thread, counts
        as busy. Answers as `fetch`, with the photos that are used and those that cannot be; not when it is stopped."""
        done, failed = (partial(self._came.emit, answer) for answer in (then, problem))
        self._runner.use_references(paths, done, failed)
        self._timer.start()
        self._set_busy(True)

    def close(self) -> None:
        """Stops everything and waits for the threads to end."""
        self._timer.stop()
        self._runner.close()

    def _hand_over(self, then: Callable[[Any], None], value: Any) -> None:
        then(value)

    def _preview_done(self, request: Request, pixels: Pixels) -> None:
        self.preview_ready.emit(request, pixels)

    def _preview_problem(self, request: Request, error: CounterproofError) -> None:
        self.preview_failed.emit(request, error)

    def _update(self) -> None:
        news = self._runner.drain(LIMIT)
        if news.found:
            self.found.emit(news.found)
        if news.again:
            self.again.emit(news.again)
        if news.results:
            self.results.emit(news.results)
        if not news.busy:
            self._timer.stop()
            self._set_busy(False)
        if news.error is not None:
            self._tell(news.error)

    def _set_busy(self, busy: bool) -> None:
        if busy != self._busy:
            self._busy = busy
            self.busy_changed.emit(busy)

    def _tell(self, error: BaseException) -> None:
        if isinstance(error, CounterproofError):
            self.failed.emit(error.message, error.remedy)
            return
        log_fault(error)
        self.failed.emit(
            translate("session", "Checking stopped because of a fault in Counterproof. Your files are not changed."),
            translate("session", "Close Counterproof, open it again, and add the files once more."),
        )
