"""Look-alikes among the files in the list: fingerprints, groups, and the window that shows them.

What is marked as not a match here is remembered until Counterproof is closed, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from desktop.window.look_alikes import LookAlikes, Pair, Picture, compare
from desktop.window.pair_view import PairWindow
from desktop.window.reveal import Source
from desktop.window.session import Session
from desktop.window.table import Row, Status
from desktop.window.words import translate
from detectors.errors import CounterproofError
from detectors.report import Fingerprinted


class ListAlikes(QObject):
    """One at a time. `show` opens a dialog, `failed` tells of an error."""

    def __init__(
        self,
        window: QWidget,
        session: Session,
        show: Callable[[QWidget], None],
        failed: Callable[[CounterproofError], None],
    ) -> None:
        super().__init__(window)
        self._window, self._session, self._show, self._failed = window, session, show, failed
        self._wrong: set[frozenset[Source]] = set()
        self._pictures: list[Picture] = []
        self._waiting = False
        self.shown: PairWindow | None = None

    def group(self, rows: Sequence[Row], *, hidden: bool) -> None:
        """Compares the files that were checked; `hidden`: pictures are hidden altogether."""
        checked = {row.path: row for row in rows if row.status is Status.SCANNED}
        note = translate("pair", "“Not a match” is remembered until you close Counterproof.")
        pairs = PairWindow(self._window, remembered=note)
        pairs.pictures.hidden_altogether = hidden
        pairs.pictures.wanted.connect(self._session.preview)
        pairs.marked.connect(self._marked)
        self._session.preview_ready.connect(pairs.pictures.arrived)
        self._session.preview_failed.connect(pairs.pictures.failed)
        self.shown = pairs
        pairs.wait(0, len(checked))
        pairs.finished.connect(self._closed)
        self._show(pairs)

        def fingerprinted(found: Sequence[Fingerprinted]) -> None:
            self._waiting = False
            self._pictures = [_picture(f, checked[f.path].name) for f in found if f.path in checked]
            self._compare()

        self._waiting = True

        def told(so_far: int) -> None:
            if isValid(pairs):
                pairs.wait(so_far, len(checked))

        self._session.fingerprint(list(checked), fingerprinted, self._problem, told)

    def forget(self) -> None:
        """The list was emptied."""
        self._pictures = []
        self._wrong.clear()

    def _compare(self) -> None:
        pictures, wrong = list(self._pictures), set(self._wrong)
        self._session.fetch(lambda _engine: compare(pictures, wrong), self._compared, self._problem)

    def _compared(self, found: LookAlikes) -> None:
        if self.shown is not None and isValid(self.shown):
            self.shown.show_found(found)

    def _marked(self, pair: Pair, wrong: bool) -> None:
        if wrong:
            self._wrong.add(pair.keys)
        else:
            self._wrong.discard(pair.keys)
        self._compare()

    def _closed(self) -> None:
        """Nobody waits for the fingerprints any more when the window is closed before they are there."""
        if self._waiting:
            self._waiting = False
            self._session.cancel()

    def _problem(self, error: CounterproofError) -> None:
        self._waiting = False
        if self.shown is not None and isValid(self.shown):
            self.shown.reject()
        self._failed(error)


def _picture(found: Fingerprinted, name: str) -> Picture:
    size = None if found.media is None else (found.media.width, found.media.height)
    return Picture(found.path, name, found.hashes, found.views, size, found.error is None)
