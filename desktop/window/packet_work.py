"""A thread of its own for facts, assessments, letters and packets, so that the window never waits for them.

`Worker` hands answers over in the window's thread. What is given to `ask` runs in the order in which it was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, Signal

from desktop.window.case_runner import Answer
from desktop.window.runner import log_fault
from desktop.window.words import translate
from detectors.errors import CounterproofError

Then = Callable[[Any], None]
Problem = Callable[[CounterproofError], None]


class Worker(QObject):
    """One thread, started when it is first asked. `end` waits for it."""

    _came = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: dict[int, tuple[Then, Problem]] = {}
        self._next = 0
        self._ended = False
        self._came.connect(self._arrived)

    def ask(self, job: Callable[[], Any], then: Then, problem: Problem) -> None:
        """Runs `job` in the thread, then `then` with its value or `problem` with its error in the window's."""
        if self._ended:
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "packet")
        ticket, self._next = self._next, self._next + 1
        self._waiting[ticket] = (then, problem)
        self._thread.submit(self._run, ticket, job)

    def forget(self) -> None:
        """Nobody waits any more for what was asked before; what has begun ends, and its answer is dropped."""
        self._waiting.clear()

    def end(self) -> None:
        """Drops what has not begun, and waits for the thread."""
        self._ended = True
        self.forget()
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)

    def _run(self, ticket: int, job: Callable[[], Any]) -> None:
        try:
            answer = Answer(ticket, job())
        except CounterproofError as error:
            answer = Answer(ticket, error=error)
        except Exception as error:  # noqa: BLE001 - whatever it is, someone waits for an answer
            log_fault(error)
            answer = Answer(ticket, error=_fault())
        self._came.emit(answer)

    def _arrived(self, answer: Answer) -> None:
        then, problem = self._waiting.pop(answer.ticket, (None, None))
        if answer.error is None and then is not None:
            then(answer.value)
        elif answer.error is not None and problem is not None:
            problem(answer.error)


def _fault() -> CounterproofError:
    return CounterproofError(
        "packet_fault",
        translate("packet", "That did not work because of a fault in Counterproof. What you wrote is saved."),
        translate("packet", "Try once more. If it stays so, leave the request for now and report the fault."),
    )
