"""The longest time for which the window's event loop is held up, while 20,000 results stream in and while scrolling.

Run: python -m tests.benchmarks.bench_window [--rows 20000] [--limit-ms 100]

Offscreen, with the fake engine of tests/gui, which yields 20,000 reports as fast as it can: the window has more to do
per second than any real scan gives it. A timer that should fire every 2 ms shows how long the loop was away, by the
clock and by the processor time of the window's own thread. On a machine that is busy with other work only the second
says what the window itself costs; the line for doing nothing shows what the machine adds. Exits with 1 when the
processor time is above the limit while streaming or scrolling.
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
    """The longest time between two turns of the event loop since the last `take`, in ms: clock, processor."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.setInterval(2)
        self._timer.timeout.connect(self._turn)
        self._last = self._now()
        self._longest = (0.0, 0.0)
        self._timer.start()

    def take(self) -> tuple[float, float]:
        """The longest gaps, and a fresh start."""
        self._turn()
        longest, self._longest = self._longest, (0.0, 0.0)
        return longest

    def _turn(self) -> None:
        now, (clock, processor) = self._now(), self._last
        self._longest = (max(self._longest[0], now[0] - clock), max(self._longest[1], now[1] - processor))
        self._last = now

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter() * 1000, time.thread_time() * 1000


def measure(rows: int) -> tuple[dict[str, tuple[float, float]], float, float]:
    """Longest gaps by phase in ms (clock, processor), seconds for the stream, and MiB for the rows."""
    app = QApplication.instance() or QApplication([])
    engine = FakeEngine()
    window = MainWindow(Session(lambda: engine, fake_inputs))
    window.adults_only = True
    window.resize(1000, 640)
    window.show()
    QTest.qWait(200)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found: dict[str, tuple[float, float]] = {}
    gaps = Gaps()
    QTest.qWait(3000)
    found["doing nothing (the machine)"] = gaps.take()
    started = time.perf_counter()
    window.add([f"in/*{rows}"])
    bar = window.view.verticalScrollBar()
    step = 0
    while window.session.busy:
        QTest.qWait(10)
        step += 1
        bar.setValue((step * 37) % max(1, bar.maximum()))
    found["streaming and scrolling"] = gaps.take()
    seconds = time.perf_counter() - started
    if window.model.table.counts().done != rows:
        raise SystemExit(f"only {window.model.table.counts().done} of {rows} results arrived")
    for position in range(0, bar.maximum(), max(1, bar.maximum() // 200)):
        bar.setValue(position)
        QTest.qWait(1)
    found["scrolling a full list"] = gaps.take()
    for number in range(100):
        window.view.setCurrentIndex(window.model.index(number * 97 % rows, 0))
        QTest.qWait(1)
    found["moving through the list"] = gaps.take()
    for column in Column:
        window.view.sort_by(column)
        QTest.qWait(20)
    found["sorting"] = gaps.take()
    window.top.text.setText("0001")
    QTest.qWait(400)
    window.top.show_only.setCurrentIndex(3)
    QTest.qWait(50)
    found["filtering"] = gaps.take()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    window.hide()
    window.shutdown()
    app.processEvents()
    return found, seconds, memory


def main() -> int:
    """Prints the figures; 1 when scrolling or streaming stalled longer than the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--limit-ms", type=float, default=100.0)
    options = parser.parse_args()
    found, seconds, memory = measure(options.rows)
    print(f"{'longest gap, ms':28} {'clock':>8} {'processor':>10}")
    for name, (clock, processor) in found.items():
        print(f"{name:28} {clock:8.1f} {processor:10.1f}")
    print(f"{options.rows} results streamed in {seconds:.1f} s; memory for the rows {memory:.0f} MiB")
    stalled = [n for n, (_, processor) in found.items() if "scrolling" in n and processor > options.limit_ms]
    if stalled:
        print(f"above {options.limit_ms:.0f} ms: {', '.join(stalled)}")
    return 1 if stalled else 0


if __name__ == "__main__":
    sys.exit(main())
