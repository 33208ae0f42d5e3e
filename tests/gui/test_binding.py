"""The Qt binding itself: PySide6 6.12.0 under Python 3.11 gives back None without owning it, and the process aborts."""

from __future__ import annotations

import sys

from PySide6.QtCore import QObject, QTimer


def test_calls_into_qt_keep_the_count_of_none_and_bool() -> None:
    thing, timer = QObject(), QTimer()
    before = sys.getrefcount(None), sys.getrefcount(False)
    for _ in range(500):
        thing.setObjectName("name")
        thing.parent()
        timer.isActive()
    after = sys.getrefcount(None), sys.getrefcount(False)
    assert abs(after[0] - before[0]) < 100
    assert abs(after[1] - before[1]) < 100
