"""The casebook's view models without a window: days and times in words, the order of requests, the thread's rules."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from desktop.casebook.records import CasebookError, Request, RequestState
from desktop.window import case_view
from desktop.window.case_runner import Answer, CaseRunner
from desktop.window.look_alikes import Picture, compare
from detectors.report import Hashes, View

TODAY = datetime.date(2026, 11, 24)
REQUEST = Request(1, 1, (), (), "A host", "", "", None, "", None, RequestState.DRAFT, "2026-11-01T12:00:00+00:00")


def request(state: RequestState, due: str | None = None, number: int = 1) -> Request:
    return replace(REQUEST, id=number, state=state, due_at=due)


@pytest.mark.parametrize(
    ("state", "due", "said"),
    [
        (RequestState.SENT, "2026-11-26T12:00:00+00:00", "A host should answer by 26 November"),
        (RequestState.ACKNOWLEDGED, "2027-01-02T12:00:00+00:00", "A host should answer by 2 January 2027"),
        (RequestState.SENT, "2026-11-20T12:00:00+00:00", "A host should have answered by 20 November"),
        (RequestState.SENT, None, "A host: sent, no day named"),
        (RequestState.DRAFT, "2026-11-26T12:00:00+00:00", "A host: not sent yet"),
        (RequestState.DONE, "2026-11-20T12:00:00+00:00", "A host: done"),
    ],
)
def test_a_request_says_the_day_and_never_how_many_are_left(state: RequestState, due: str | None, said: str) -> None:
    assert case_view.request_line(request(state, due), TODAY) == said


def test_what_is_due_first_comes_first_and_what_is_settled_last() -> None:
    requests = [
        request(RequestState.DONE, None, 1),
        request(RequestState.DRAFT, None, 2),
        request(RequestState.SENT, None, 3),
        request(RequestState.SENT, "2026-12-01T12:00:00+00:00", 4),
        request(RequestState.ACKNOWLEDGED, "2026-11-26T12:00:00+00:00", 5),
    ]
    assert [r.id for r in case_view.ordered(requests)] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("at", "zone", "said"),
    [
        ("2026-11-23T18:14:00+00:00", "Africa/Nairobi", "23 November 2026, 21:14 (Africa/Nairobi, UTC+03:00)"),
        ("2026-07-01T00:30:00+00:00", "America/New_York", "30 June 2026, 20:30 (America/New_York, UTC-04:00)"),
        ("2026-11-23T18:14:00+00:00", "UTC", "23 November 2026, 18:14 (UTC)"),
        ("2026-11-23T18:14:00+05:30", "Nowhere/Town", "23 November 2026, 18:14 (Nowhere/Town, UTC+05:30)"),
    ],
)
def test_a_time_is_said_on_the_clock_where_it_was_seen(at: str, zone: str, said: str) -> None:
    assert case_view.when(at, zone) == said


def picture(number: int, pdq: str | None) -> Picture:
    views = () if pdq is None else (View("whole", (0, 0, 80, 60), pdq, 90),)
    hashes = Hashes(f"{number:064x}", f"{number:032x}", pdq, None if pdq is None else 90)
    return Picture(number, f"{number}.jpg", hashes, views, (80, 60), True)


def test_a_pair_marked_as_no_match_leaves_its_group_and_is_still_listed() -> None:
    pictures = [picture(1, "f0" * 32), picture(2, "f0" * 32), picture(3, "0f" * 32), picture(4, None)]
    found = compare(pictures, ())
    assert [[p.key for p in g.pictures] for g in found.groups] == [[1, 2]]
    assert (found.compared, [p.key for p in found.not_compared]) == (3, [4])
    marked = compare(pictures, {frozenset((1, 2))})
    assert marked.groups == ()
    assert [pair.keys for pair in marked.wrong] == [frozenset((1, 2))]
    assert compare(pictures, {frozenset((1, 99))}).groups == found.groups, "a mark of what is not there changes nothing"


class Book:
    """As much of a casebook as the runner touches."""

    def __init__(self) -> None:
        self.closed = False
        self.threads: set[str] = set()

    def close(self) -> None:
        self.closed = True
        self.threads.add(threading.current_thread().name)


@pytest.fixture
def answers() -> list[Answer]:
    return []


@pytest.fixture
def runner(answers: list[Answer]) -> Iterator[CaseRunner]:
    made = CaseRunner(answers.append)
    yield made
    made.end()


def test_jobs_run_in_order_in_one_thread_and_closing_comes_after_them(
    runner: CaseRunner, answers: list[Answer]
) -> None:
    book, done = Book(), []

    def note(what: str) -> Any:
        def job(on: Book) -> str:
            assert not on.closed
            on.threads.add(threading.current_thread().name)
            done.append(what)
            return what

        return job

    runner.open(lambda: (book, "opened"))
    for what in ("a", "b", "c"):
        runner.ask(note(what))
    runner.close()
    runner.ask(note("too late"))
    runner.end()
    assert done == ["a", "b", "c"]
    assert book.closed
    assert len(book.threads) == 1
    assert threading.current_thread().name not in book.threads
    assert [a.value for a in answers[:4]] == ["opened", "a", "b", "c"]
    assert answers[-1].error is not None
    assert answers[-1].error.code == "casebook_closed"


def test_an_error_is_an_answer(runner: CaseRunner, answers: list[Answer]) -> None:
    def refuse() -> Any:
        raise CasebookError("wrong_passphrase", "No.", "Try again.")

    ticket = runner.open(refuse)
    runner.end()
    assert [(a.ticket, a.error.code if a.error else "") for a in answers] == [(ticket, "wrong_passphrase")]


@pytest.mark.expects_log
def test_a_fault_is_said_in_plain_words_and_its_text_is_not_logged(
    runner: CaseRunner, answers: list[Answer], caplog: pytest.LogCaptureFixture
) -> None:
    written = "what she wrote"

    def fault(_book: Book) -> None:
        raise ValueError(written)

    runner.open(lambda: (Book(), None))
    runner.ask(fault)
    runner.end()
    assert answers[-1].error is not None
    assert answers[-1].error.code == "case_fault"
    assert "ValueError" in caplog.text
    assert "what she wrote" not in caplog.text


def test_opening_another_one_closes_the_first(runner: CaseRunner) -> None:
    first, second = Book(), Book()
    runner.open(lambda: (first, None))
    runner.open(lambda: (second, None))
    runner.end()
    assert first.closed
    assert second.closed


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_at_the_ends_of_time_is_shown_as_it_was_written(at: str) -> None:
    for zone in ("Asia/Tokyo", "America/New_York", ""):
        assert case_view.when(at, zone)
    assert case_view.local_day(at)
