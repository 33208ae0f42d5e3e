"""The runner: order, queueing, pause, cancel, errors, previews beside a scan, and an end to its threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from desktop import listing
from desktop.window.packed import unpack
from desktop.window.reveal import Request
from desktop.window.runner import News, Runner
from detectors.errors import CounterproofError, FileUnreadable, SetupError
from detectors.finding import Profile
from tests.gui.fakes import FakeEngine, fake_inputs


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def runner(engine: FakeEngine) -> Iterator[Runner]:
    made = Runner(lambda: engine, fake_inputs)
    yield made
    made.close()


def collect(runner: Runner, until: Callable[[News], bool] | None = None, limit: int = 1000) -> News:
    """Everything until `until`, or until nothing runs any more."""
    total, deadline = News(), time.monotonic() + 100  # a busy machine is no fault
    while time.monotonic() < deadline:
        news = runner.drain(limit)
        total.found += news.found
        total.again += news.again
        total.results += news.results
        total.error = total.error or news.error
        if until(total) if until else not news.busy:
            return total
        time.sleep(0.005)
    raise AssertionError("the runner took too long")


def test_paths_then_results_in_order(runner: Runner) -> None:
    runner.add(["in/*1200", "b.jpg"])
    news = collect(runner)
    assert len(news.found) == 1201
    assert [i for i, _ in news.results] == list(range(1201))
    assert [unpack(r).path for _, r in news.results] == news.found


def test_a_drain_takes_no_more_than_about_its_limit(runner: Runner) -> None:
    runner.add(["in/*3000"])
    collect(runner, lambda total: len(total.found) == 3000)
    deadline = time.monotonic() + 100
    while len(runner._news) < 200 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(runner.drain(200).results) == 200
    collect(runner)


def test_what_was_scanned_is_not_scanned_again(runner: Runner, engine: FakeEngine) -> None:
    runner.add(["in/*5", "in/*5"])
    collect(runner)
    runner.add(["in/*7"])
    news = collect(runner)
    assert len(news.found) == 2
    assert [i for i, _ in news.results] == [5, 6]
    assert len(engine.scanned_paths) == 7


def test_a_file_that_is_done_is_checked_once_more_on_request(runner: Runner, engine: FakeEngine) -> None:
    runner.add(["in/*3"])
    collect(runner)
    runner.add([engine.scanned_paths[1]], Profile.THOROUGH)
    news = collect(runner)
    assert (news.found, news.again) == ([], [1])
    assert [i for i, _ in news.results] == [1]
    assert engine.profiles == [Profile.CASCADE, Profile.THOROUGH]


def test_a_file_with_a_problem_is_tried_again(runner: Runner) -> None:
    runner.add(["in/*13"])
    collect(runner)
    runner.add(["in/*13"])
    news = collect(runner)
    assert (news.found, news.again) == ([], [12])
    assert [i for i, _ in news.results] == [12]


def test_pause_rests_and_cancel_ends_what_waits_too(runner: Runner, engine: FakeEngine) -> None:
    runner.pause()
    runner.add(["in/*10"])
    runner.add(["more/*10"])
    collect(runner, lambda total: len(total.found) == 10)
    time.sleep(0.05)
    assert engine.scanned_paths == []
    runner.cancel()
    news = collect(runner)
    assert news.results == []
    assert not runner.paused
    runner.add(["in/*10"])
    news = collect(runner)
    assert news.again == list(range(10))
    assert len(news.results) == 10


def test_reports_are_matched_by_path_when_a_cancel_left_some_out(runner: Runner, engine: FakeEngine) -> None:
    whole = engine.scan

    def gaps(inputs: object, cancel: threading.Event, pause: threading.Event, profile: Profile) -> object:
        return (r for i, r in enumerate(whole(inputs, cancel, pause)) if i != 1)  # type: ignore[arg-type]

    engine.scan = gaps  # type: ignore[method-assign, assignment]
    runner.add(["in/*4"])
    assert [i for i, _ in collect(runner).results] == [0, 2, 3]


def test_how_much_time_a_picture_gets_depends_on_how_many_there_are(
    runner: Runner, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MANY", 20)
    files = [str(tmp_path / f"{n}.jpg") for n in range(5)]
    for file in files:
        Path(file).touch()
    for batch in (files[:4], files, [str(tmp_path / "gone.jpg")], ["in/*19"], ["more/*20"], ["most/*21"]):
        runner.add(batch)
        collect(runner)
    few, many, most = Profile.THOROUGH, Profile.CASCADE, Profile.FAST
    assert engine.profiles == [few, many, many, many, many, most]


@pytest.mark.parametrize("profile", list(Profile))
def test_a_profile_from_the_settings_is_for_all(
    engine: FakeEngine, tmp_path: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MANY", 20)
    (tmp_path / "a.jpg").touch()
    runner = Runner(lambda: engine, fake_inputs, profile)
    for batch in ([str(tmp_path / "a.jpg")], ["in/*21"]):
        runner.add(batch)
        collect(runner)
    runner.close()
    assert engine.profiles == [profile] * 2


def test_one_engine_serves_scans_and_previews(engine: FakeEngine) -> None:
    made: list[FakeEngine] = []
    runner = Runner(lambda: made.append(engine) or engine, fake_inputs)  # type: ignore[func-returns-value]
    for batch in (["in/*3"], ["in/*9"]):
        runner.add(batch)
        collect(runner)
    came = threading.Event()
    runner.preview(Request(1, "a.jpg", True), 64, lambda _r, _p: came.set(), lambda _r, _e: None)
    assert came.wait(5)
    runner.close()
    assert len(made) == 1
    assert engine.closed


@pytest.mark.parametrize("error", [SetupError("x", "A model is missing.", "Install again."), ValueError("planted")])
def test_an_error_in_the_thread_is_handed_over(runner: Runner, engine: FakeEngine, error: Exception) -> None:
    engine.scan_error = error
    runner.add(["a.jpg"])
    assert collect(runner).error is error
    engine.scan_error = None
    runner.add(["b.jpg"])
    assert collect(runner).error is None


def test_previews_come_while_a_scan_runs(runner: Runner, engine: FakeEngine) -> None:
    engine.gate.clear()
    runner.add(["in/*5"])
    came = threading.Event()
    runner.preview(Request(1, "a.jpg", True), 64, lambda _r, _p: came.set(), lambda _r, _e: None)
    assert came.wait(5)
    engine.gate.set()
    collect(runner)


def test_a_newer_preview_replaces_those_that_wait(runner: Runner, engine: FakeEngine) -> None:
    engine.preview_gate.clear()
    done: list[int] = []
    for number in range(20):
        runner.preview(
            Request(number, f"{number}.jpg", True), 64, lambda r, _p: done.append(r.ticket), lambda _r, _e: None
        )
        time.sleep(0.005)
    engine.preview_gate.set()
    deadline = time.monotonic() + 5
    while 19 not in done and time.monotonic() < deadline:
        time.sleep(0.01)
    assert done == [0, 19]


def test_a_preview_that_fails_says_why(runner: Runner, engine: FakeEngine) -> None:
    engine.preview_error = FileUnreadable("gone", "Gone.", "Look.")
    failed: list[str] = []
    runner.preview(Request(1, "a.jpg", True), 64, lambda _r, _p: None, lambda _r, e: failed.append(e.code))
    deadline = time.monotonic() + 5
    while not failed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert failed == ["gone"]


@pytest.mark.expects_log
def test_a_fault_of_ours_in_a_preview_is_said_and_logged_without_its_own_words(
    runner: Runner, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.preview_error = ValueError("private.jpg")
    failed: list[CounterproofError] = []
    runner.preview(Request(1, "a.jpg", True), 64, lambda _r, _p: None, lambda _r, e: failed.append(e))
    deadline = time.monotonic() + 5
    while not failed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [e.code for e in failed] == ["preview_failed"]
    assert "private" not in failed[0].message + failed[0].remedy + caplog.text
    assert "ValueError" in caplog.text


def test_closing_ends_the_threads_in_the_middle_of_work(engine: FakeEngine) -> None:
    runner = Runner(lambda: engine, fake_inputs)
    engine.gate.clear()
    runner.add(["in/*5"])
    engine.preview_gate.clear()
    runner.preview(Request(1, "a.jpg", True), 64, lambda _r, _p: None, lambda _r, _e: None)
    time.sleep(0.05)
    runner.close()
    assert engine.closed
    assert not [t for t in threading.enumerate() if t.name.startswith(("scan_", "preview_"))]
