"""The longest time for which the window's event loop is held up, while 20,000 results stream in and while scrolling.

Run: python -m tests.benchmarks.bench_window [--rows 20000] [--limit-ms 100]

Offscreen, with the fake engine of tests/gui, which yields 20,000 reports as fast as it can: the window has more to do
per second than any real scan gives it. A timer that should fire every 2 ms shows how long the loop was away. Exits
with 1 when a gap is above the limit.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from desktop.window.main_window import MainWindow
from desktop.window.session import Session
from desktop.window.table import Column
from tests.gui.fakes import FakeEngine, fake_inputs


class Gaps:
    """The longest time between two turns of the event loop since the last `take`, in ms."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.setInterval(2)
        self._timer.timeout.connect(self._turn)
        self._last = time.perf_counter()
        self._longest = 0.0
        self._timer.start()

    def _turn(self) -> None:
        now = time.perf_counter()
        self._longest = max(self._longest, (now - self._last) * 1000)
        self._last = now

    def take(self) -> float:
        """The longest gap, and a fresh start."""
        self._turn()
        longest, self._longest = self._longest, 0.0
        return longest


def measure(rows: int) -> dict[str, float]:
    """Longest gaps in ms by phase, seconds for the stream, and MiB of memory."""
    app = QApplication.instance() or QApplication([])
    engine = FakeEngine()
    window = MainWindow(Session(lambda: engine, fake_inputs))
    window.adults_only = True
    window.resize(1000, 640)
    window.show()
    QTest.qWait(200)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found: dict[str, float] = {}
    gaps = Gaps()
    started = time.perf_counter()
    window.add([f"in/*{rows}"])
    bar = window.view.verticalScrollBar()
    step = 0
    while window.session.busy:
        QTest.qWait(10)
        step += 1
        bar.setValue((step * 37) % max(1, bar.maximum()))
    found["streaming and scrolling, ms"] = gaps.take()
    found["stream, s"] = time.perf_counter() - started
    if window.model.table.counts().done != rows:
        raise SystemExit(f"only {window.model.table.counts().done} of {rows} results arrived")
    for position in range(0, bar.maximum(), max(1, bar.maximum() // 200)):
        bar.setValue(position)
        QTest.qWait(1)
    found["scrolling a full list, ms"] = gaps.take()
    for number in range(100):
        window.view.setCurrentIndex(window.model.index(number * 97 % rows, 0))
        QTest.qWait(1)
    found["moving through the list, ms"] = gaps.take()
    for column in Column:
        window.view.sort_by(column)
        QTest.qWait(20)
    found["sorting, ms"] = gaps.take()
    window.top.text.setText("0001")
    QTest.qWait(400)
    window.top.show_only.setCurrentIndex(3)
    QTest.qWait(50)
    found["filtering, ms"] = gaps.take()
    found["memory for the rows, MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    window.hide()
    window.shutdown()
    app.processEvents()
    return found


def main() -> int:
    """Prints the figures; 1 when scrolling or streaming stalled longer than the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--limit-ms", type=float, default=100.0)
    options = parser.parse_args()
    found = measure(options.rows)
    for name, value in found.items():
        print(f"{name:32} {value:8.1f}")
    stalled = {n: v for n, v in found.items() if "scrolling" in n and v > options.limit_ms}
    if stalled:
        print(f"above {options.limit_ms:.0f} ms: {', '.join(stalled)}")
    return 1 if stalled else 0


if __name__ == "__main__":
    sys.exit(main())
