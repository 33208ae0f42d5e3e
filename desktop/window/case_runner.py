"""Runs every call of a casebook in one thread of its own. Qt-free: answers are handed to a callback in that thread.

The casebook is made, used and closed there and nowhere else. Jobs run in the order in which they were asked for, so
what was written before a lock is written, and the casebook closes after it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from desktop.window.runner import log_fault
from desktop.window.words import translate
from detectors.errors import CounterproofError

Book = Any
"""A `desktop.casebook.casebook.Casebook`, which is imported only in the thread: it brings the crypto libraries."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a job ended: `value`, or `error`. `ticket` is what `ask` gave out."""

    ticket: int
    value: Any = None
    error: CounterproofError | None = None


class CaseRunner:
    """At most one open casebook. Every method returns at once; only `end` waits."""

    def __init__(self, answered: Callable[[Answer], None]) -> None:
        """`answered` is called in the casebook's thread, once for every job."""
        self._answered = answered
        self._thread = ThreadPoolExecutor(1, "casebook")
        self._book: Book | None = None
        self._next = 0
        self._ended = False

    def open(self, make: Callable[[], tuple[Book, Any]]) -> int:
        """Closes what is open and opens what `make` gives: a casebook, and the value of the answer."""

        def job() -> Any:
            self._close()
            self._book, value = make()
            return value

        return self._submit(job)

    def ask(self, job: Callable[[Book], Any]) -> int:
        """Runs `job` on the open casebook. Its answer is an error when none is open."""

        def run() -> Any:
            if self._book is None:
                raise closed_error()
            return job(self._book)

        return self._submit(run)

    def close(self) -> int:
        """Closes the casebook after what was asked for before."""
        return self._submit(self._close)

    def end(self) -> None:
        """Closes the casebook, after what was asked for before, and waits for the thread to end. Twice does no harm."""
        if not self._ended:
            self._ended = True
            self._thread.submit(self._close)
            self._thread.shutdown(wait=True)

    def _submit(self, job: Callable[[], Any]) -> int:
        ticket, self._next = self._next, self._next + 1
        self._thread.submit(self._run, ticket, job)
        return ticket

    def _run(self, ticket: int, job: Callable[[], Any]) -> None:
        try:
            answer = Answer(ticket, job())
        except CounterproofError as error:
            answer = Answer(ticket, error=error)
        except Exception as error:  # noqa: BLE001 - whatever it is, someone waits for an answer
            log_fault(error)
            answer = Answer(ticket, error=_fault())
        self._answered(answer)

    def _close(self) -> None:
        book, self._book = self._book, None
        if book is not None:
            book.close()


def closed_error() -> CounterproofError:
    """What is asked of a casebook that has been closed meanwhile."""
    return CounterproofError(
        "casebook_closed",
        translate("case", "The casebook is closed."),
        translate("case", "Open it with its passphrase and try again."),
    )


def _fault() -> CounterproofError:
    return CounterproofError(
        "case_fault",
        translate("case", "That did not work because of a fault in Counterproof. What was saved before is safe."),
        translate("case", "Close the casebook, open it again, and try once more."),
    )
