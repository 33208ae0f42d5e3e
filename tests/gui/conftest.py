"""The window's tests run without a screen. A Qt warning, a timer or a thread left running fails a test."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt, QThread, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from desktop.safety import age_gate
from desktop.window.case_session import CaseSession, Store
from desktop.window.main_window import MainWindow
from desktop.window.session import Session
from tests.gui.fakes import FakeEngine, FakeStore, fake_inputs
from tests.gui.leaks import Started, running

MakeWindow = Callable[..., MainWindow]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The offscreen platform warns that it has no window manager to tell sizes to; that is all we overlook."""
    for item in items:
        if "/gui/" in item.path.as_posix():
            item.add_marker(pytest.mark.qt_log_ignore("This plugin does not support propagateSizeHints"))


@pytest.fixture(autouse=True)
def nothing_left_running(monkeypatch: pytest.MonkeyPatch, qapp: QApplication) -> Iterator[None]:
    """A QTimer or QThread that the test started and that still runs fails it, with the place where it was started."""
    started = Started()
    for kind in (QTimer, QThread):
        monkeypatch.setattr(kind, "start", started.recording(kind.start))
    yield
    qapp.processEvents()
    if qapp.keyboardModifiers() != Qt.KeyboardModifier.NoModifier:
        QTest.keyRelease(QWidget(), Qt.Key.Key_Control)  # or it would count as held when the next test chooses a row
    left = running(started)
    if left:
        pytest.fail("left running:\n" + "\n".join(left))


@pytest.fixture
def engine() -> FakeEngine:
    """The fake engine that the test's window uses."""
    return FakeEngine()


@pytest.fixture
def make_window(qapp: QApplication, engine: FakeEngine) -> Iterator[MakeWindow]:
    """Makes windows with the fake engine, and ends them."""
    windows: list[MainWindow] = []

    def make(*, adults: bool = True, store: Store | None = None) -> MainWindow:
        made = FakeStore() if store is None else store
        window = MainWindow(Session(lambda: engine, fake_inputs), CaseSession(lambda: made, 10))
        window.adults = age_gate.admit(age_gate.Answer.ADULTS) if adults else None
        windows.append(window)
        window.show()
        window.activateWindow()
        return window

    yield make
    for window in windows:
        window.hide()
        window.shutdown()
        window.session.deleteLater()
        window.cases.deleteLater()
        window.deleteLater()
    qapp.sendPostedEvents()
    qapp.processEvents()


@pytest.fixture
def window(make_window: MakeWindow) -> MainWindow:
    """A window in which the age question was answered with "all adults"."""
    return make_window()
