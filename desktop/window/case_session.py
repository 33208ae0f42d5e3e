"""The casebook's runner as a QObject: answers arrive in the window's thread, and an idle casebook locks itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer, Signal

from desktop.window.case_runner import Answer, Book, CaseRunner
from detectors.errors import CounterproofError

# How often an open casebook looks whether it has been idle: a lock may come so much later than the minutes say.
LOOK_MS = 5000

_ACTIVITY = frozenset(
    {
        QEvent.Type.KeyPress,
        QEvent.Type.ShortcutOverride,
        QEvent.Type.InputMethod,
        QEvent.Type.MouseButtonPress,
        QEvent.Type.MouseMove,
        QEvent.Type.Wheel,
        QEvent.Type.TouchBegin,
        QEvent.Type.TouchUpdate,
        QEvent.Type.TabletMove,
    }
)


class Store(Protocol):
    """Makes and opens casebooks: `desktop.casebook.casebook.Casebook` has these as class methods."""

    def create(self, path: Path, passphrase: str, actor: str) -> tuple[Book, str]: ...
    def open(self, path: Path, passphrase: str, actor: str) -> Book: ...
    def open_with_code(self, path: Path, code: str, actor: str) -> Book: ...


class CaseState(StrEnum):
    """`closed`: there is none; `opening`: the key is being derived; `open`; `locked`: to be unlocked."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    LOCKED = "locked"


Then = Callable[[Any], None]
Problem = Callable[[CounterproofError], None]


class CaseSession(QObject):
    """One casebook at a time. All signals and callbacks come in the window's thread.

    After a lock no answer of before it arrives any more, so that nothing of the casebook comes back to the screen.
    """

    state_changed = Signal(object)
    """The new CaseState. At `locked` and `closed` everything of the casebook must leave the widgets."""
    about_to_lock = Signal()
    """The last moment at which something half-written can be saved with `ask`."""
    failed = Signal(object)
    """A CounterproofError that nobody asked to hear of."""
    _came = Signal(object)

    def __init__(self, store: Callable[[], Store], lock_minutes: int, parent: QObject | None = None) -> None:
        """`store` is called in the casebook's thread when it is first needed."""
        super().__init__(parent)
        self.path = ""
        self.actor = ""
        self.state = CaseState.CLOSED
        self.idle_seconds = lock_minutes * 60.0
        self._store = store
        self._waiting: dict[int, tuple[Then, Problem]] = {}
        self._runner = CaseRunner(self._came.emit)
        self._came.connect(self._arrived)
        self._last = (0.0, 0.0)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    @property
    def is_open(self) -> bool:
        """Whether there is an open casebook."""
        return self.state is CaseState.OPEN

    def create(self, path: str, passphrase: str, actor: str, then: Then, problem: Problem) -> None:
        """Makes a new casebook and opens it; `then` gets its recovery code."""
        self._open(path, actor, lambda store: store.create(Path(path), passphrase, actor), then, problem)

    def open(self, path: str, passphrase: str, actor: str, then: Then, problem: Problem) -> None:
        """Opens a casebook; `then` gets what was noticed, a tuple of sentences."""
        self._open(path, actor, lambda store: _noticed(store.open(Path(path), passphrase, actor)), then, problem)

    def open_with_code(self, path: str, code: str, actor: str, then: Then, problem: Problem) -> None:
        """Opens a casebook with its recovery code; `then` as with `open`."""
        self._open(path, actor, lambda store: _noticed(store.open_with_code(Path(path), code, actor)), then, problem)

    def ask(self, job: Callable[[Book], Any], then: Then | None = None, problem: Problem | None = None) -> None:
        """Runs `job` on the casebook in its thread, then `then` with its value or `problem` with its error here."""
        ticket = self._runner.ask(job)
        self._waiting[ticket] = (then or _nothing, problem or self.failed.emit)

    def lock(self) -> None:
        """Closes the casebook and remembers only where it is. What was written is saved first."""
        self._leave(CaseState.LOCKED)

    def close(self) -> None:
        """Closes the casebook and forgets where it is."""
        self._leave(CaseState.CLOSED)
        self.path = ""

    def end(self) -> None:
        """Closes the casebook and waits for its thread."""
        self.close()
        self._runner.end()

    def touched(self) -> None:
        """Someone is there: the time until the lock begins anew."""
        self._last = (time.monotonic(), time.time())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in _ACTIVITY:
            self.touched()
        return super().eventFilter(watched, event)

    def _open(
        self, path: str, actor: str, make: Callable[[Store], tuple[Book, Any]], then: Then, problem: Problem
    ) -> None:
        if self.is_open:
            self._leave(CaseState.CLOSED)
        before = self.state
        self._set(CaseState.OPENING)

        def opened(value: Any) -> None:
            self.path, self.actor = path, actor
            self._watch(True)
            self._set(CaseState.OPEN)
            then(value)

        def refused(error: CounterproofError) -> None:
            # Whoever tried another one is left without; whoever unlocked can try again.
            self._set(before)
            problem(error)

        ticket = self._runner.open(lambda: make(self._store()))
        self._waiting[ticket] = (opened, refused)

    def _leave(self, state: CaseState) -> None:
        if self.is_open:
            self.about_to_lock.emit()
        self._watch(False)
        self._waiting = dict.fromkeys(self._waiting, (_nothing, self._late))
        if self.state in (CaseState.OPEN, CaseState.OPENING):
            self._waiting[self._runner.close()] = (_nothing, self.failed.emit)
        # What never opened cannot be unlocked.
        after = state if self.path else CaseState.CLOSED
        if after is not self.state:
            self._set(after)

    def _late(self, error: CounterproofError) -> None:
        """An error of something that was asked for before a lock: what could not be saved is said all the same."""
        if error.code != "casebook_closed":
            self.failed.emit(error)

    def _arrived(self, answer: Answer) -> None:
        then, problem = self._waiting.pop(answer.ticket, (_nothing, self.failed.emit))
        if answer.error is None:
            then(answer.value)
        else:
            problem(answer.error)

    def _set(self, state: CaseState) -> None:
        self.state = state
        self.state_changed.emit(state)

    def _watch(self, wanted: bool) -> None:
        app = QCoreApplication.instance()
        if app is None:
            return
        app.removeEventFilter(self)
        self._timer.stop()
        if wanted:
            self.touched()
            app.installEventFilter(self)
            self._timer.start()

    def _look(self) -> None:
        """Locks when nobody was there for long enough, by the clock on the wall too: that one runs in a sleep."""
        idle = max(time.monotonic() - self._last[0], time.time() - self._last[1])
        if idle >= self.idle_seconds:
            self.lock()


def _noticed(book: Book) -> tuple[Book, tuple[str, ...]]:
    return book, tuple(book.notices)


def _nothing(_value: Any) -> None:
    """For answers that nobody waits for."""
