"""The leak check itself: it must see a timer and a thread that are left running, and none that ended."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QThread, QTimer
from PySide6.QtWidgets import QApplication

from tests.gui.leaks import Started, running


def test_a_running_timer_and_thread_are_seen(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started()
    for kind in (QTimer, QThread):
        monkeypatch.setattr(kind, "start", started.recording(kind.start))
    timer, thread, ended = QTimer(), QThread(), QTimer()
    timer.start(1000)
    thread.start()
    ended.start(1000)
    ended.stop()
    try:
        left = running(started)
        assert len(left) == 2
        assert all("test_leaks" in line for line in left)
    finally:
        timer.stop()
        thread.quit()
        thread.wait()
    assert running(started) == []
