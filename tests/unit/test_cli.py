"""The command line around a made-up engine: exit statuses, outputs, resume, lists on standard input, progress."""

from __future__ import annotations

import io
import itertools
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from desktop import batch, cli, listing, system_libraries
from desktop.output import html
from desktop.output.progress import Progress
from desktop.output.writer import Tally
from detectors.errors import SetupError
from detectors.finding import Profile
from detectors.inference import manifest
from detectors.inputs import Input
from detectors.report import Report
from detectors.scan import ScanOptions
from tests.unit.sample_reports import BANDS, report, unreadable


class MadeUpScanner:
    """Reports on each input from its name alone; keeps the options of the last run, and what it was asked."""

    options: ScanOptions
    seen: list[str]
    failure: Exception | None = None

    def __init__(self, options: ScanOptions) -> None:
        MadeUpScanner.options, MadeUpScanner.seen = options, []

    def __enter__(self) -> MadeUpScanner:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to end."""

    def scan(self, inputs: Iterable[Input], cancel: threading.Event) -> Iterator[Report]:
        for item in inputs:
            if self.failure:
                raise self.failure
            MadeUpScanner.seen.append(item.path)
            bad = item.error is not None or "bad" in item.path
            yield unreadable(item.path) if bad else report(item.path)
            if "b-stop" in item.path:
                cancel.set()
                return


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "Scanner", MadeUpScanner)
    monkeypatch.setattr(MadeUpScanner, "failure", None)
    monkeypatch.setattr(html, "shipped_points", lambda _: {Profile.FAST: {"generated": BANDS}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files to check."""
    found = tmp_path / "in"
    found.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (found / name).write_bytes(name.encode())
    return found


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def names(path: Path) -> list[str]:
    return [os.path.basename(r["path"]) for r in lines(path)]


def test_a_cache_that_fails_on_the_way_is_told_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = MadeUpScanner.scan

    def failing(self: MadeUpScanner, inputs: Iterable[Input], cancel: threading.Event) -> Iterator[Report]:
        for number, found in enumerate(real(self, inputs, cancel)):
            if number == 1 and self.options.cache is not None:
                self.options.cache.notice = "Results are no longer kept between runs: disk full."
            yield found

    monkeypatch.setattr(MadeUpScanner, "scan", failing)
    assert cli.main(["scan", str(folder)]) == 0
    assert capsys.readouterr().err.count("no longer kept") == 1


def test_all_scanned_is_0_and_some_not_is_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scan", str(folder)]) == 0
    (folder / "bad.jpg").touch()
    assert cli.main(["scan", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "4 files: 3 likely synthetic, 1 not checked." in out


@pytest.mark.parametrize(
    "argv",
    [
        ["scan"], ["wrong"],
        ["scan", ".", "--jobs", "0"], ["scan", ".", "--jobs", "x"], ["scan", ".", "--profile", "q"],
        ["scan", ".", "--jsonl", "-", "--csv", "-"], ["scan", ".", "--html", "-"], ["scan", ".", "--resume"],
        ["scan", ".", "--resume", "--jsonl", "-"], ["scan", ".", "--jsonl", "x", "--csv", "./x"],
    ],
)  # fmt: skip
def test_wrong_usage_is_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = cli.main(argv)
    except SystemExit as e:
        status = e.code if isinstance(e.code, int) else -1
    assert status == 2
    seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err


def test_unwritable_output_is_2_before_anything_is_scanned(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MadeUpScanner.seen = []
    assert cli.main(["scan", str(folder), "--csv", str(folder.parent / "no" / "x.csv")]) == 2
    assert MadeUpScanner.seen == []
    assert "Make the folder first" in capsys.readouterr().err


def test_a_photo_given_as_output_survives(folder: Path) -> None:
    """What `--csv *.jpg` does when a shell expands it."""
    assert cli.main(["scan", "--csv", *(str(folder / n) for n in ("a.jpg", "b.jpg"))]) == 2
    assert (folder / "a.jpg").read_bytes() == b"a.jpg"


@pytest.mark.parametrize("refused", ["--jsonl", "--csv", "--html"])
def test_one_refused_output_leaves_the_others_as_they_were(folder: Path, refused: str) -> None:
    outs = {k: folder.parent / f"o{k}" for k in ("--jsonl", "--csv", "--html")}
    argv = ["scan", str(folder), *(str(part) for pair in outs.items() for part in pair)]
    assert cli.main(argv) == 0
    before = {k: path.read_bytes() for k, path in outs.items()}
    before[refused] = b"something else"
    outs[refused].write_bytes(b"something else")
    assert cli.main(argv) == 2
    assert {k: path.read_bytes() for k, path in outs.items()} == before


def test_nothing_to_check_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scan", str(tmp_path)]) == 1
    assert "nothing to check" in capsys.readouterr().err


def test_a_broken_installation_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MadeUpScanner.failure = SetupError("model_missing", "A model is missing.", "Install it again.")
    out = folder.parent / "out.html"
    assert cli.main(["scan", str(folder), "--html", str(out)]) == 1
    assert "A model is missing. Install it again." in capsys.readouterr().err
    assert os.listdir(folder.parent) == ["in"]


def test_every_output_at_once_and_standard_output_is_only_results(
    folder: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    page, sheet = folder.parent / "o.html", folder.parent / "o.csv"
    assert cli.main(["scan", str(folder), "--jsonl", "-", "--csv", str(sheet), "--html", str(page)]) == 0
    seen = capsysbinary.readouterr()
    assert [json.loads(line)["schema"] for line in seen.out.splitlines()] == ["counterproof.scan/1"] * 3
    assert len(sheet.read_bytes().splitlines()) == 4
    assert page.read_text("utf-8").count("<tr role") == 4
    assert b"Written: " in seen.err


def test_results_in_the_scanned_folder_are_no_inputs(folder: Path) -> None:
    out = folder / "out.jsonl"
    for _ in range(2):
        argv = [
            "scan",
            str(folder),
            "--jsonl",
            str(out),
            "--csv",
            str(folder / "b.csv"),
            "--html",
            str(folder / "c.html"),
        ]
        assert cli.main(argv) == 0
        assert names(out) == ["a.jpg", "b.jpg", "c.jpg"]


class TestResume:
    def test_goes_on_after_the_last_whole_line(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out, sheet = folder.parent / "o.jsonl", folder.parent / "o.csv"
        argv = ["scan", str(folder), "--jsonl", str(out), "--csv", str(sheet), "--html", str(folder.parent / "o.html")]
        assert cli.main(argv) == 0
        whole = out.read_bytes()
        first = whole.index(b"\n") + 1
        out.write_bytes(whole[: first + 40])
        assert cli.main([*argv, "--resume"]) == 0
        assert out.read_bytes() == whole
        assert [os.path.basename(p) for p in MadeUpScanner.seen] == ["b.jpg", "c.jpg"]
        assert len(sheet.read_bytes().splitlines()) == 4
        assert (folder.parent / "o.html").read_text("utf-8").count("<tr role") == 4
        assert "3 files: 3 likely synthetic" in capsys.readouterr().err

    def test_counts_what_an_earlier_run_could_not_check(self, folder: Path) -> None:
        out = folder.parent / "o.jsonl"
        (folder / "bad.jpg").touch()
        assert cli.main(["scan", str(folder), "--jsonl", str(out)]) == 1
        assert cli.main(["scan", str(folder), "--jsonl", str(out), "--resume"]) == 1
        assert MadeUpScanner.seen == []

    def test_another_input_leaves_all_files_as_they_are(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out, sheet = folder.parent / "o.jsonl", folder.parent / "o.csv"
        cli.main(["scan", str(folder), "--jsonl", str(out), "--csv", str(sheet)])
        with out.open("ab") as file:
            file.write(b"torn")
        (folder / "0.jpg").touch()
        before, cells = out.read_bytes(), sheet.read_bytes()
        assert cli.main(["scan", str(folder), "--jsonl", str(out), "--csv", str(sheet), "--resume"]) == 2
        assert (out.read_bytes(), sheet.read_bytes()) == (before, cells)
        assert "Line 1 of" in capsys.readouterr().err

    def test_without_an_earlier_file_it_begins(self, folder: Path) -> None:
        out = folder.parent / "o.jsonl"
        assert cli.main(["scan", str(folder), "--jsonl", str(out), "--resume"]) == 0
        assert names(out) == ["a.jpg", "b.jpg", "c.jpg"]


def test_a_stopped_run_keeps_what_is_done_and_says_how_to_go_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = folder.parent / "o.jsonl", folder.parent / "o.html"
    (folder / "b-stop.jpg").touch()
    assert cli.main(["scan", str(folder), "--jsonl", str(out), "--html", str(page)]) == 130
    assert names(out) == ["a.jpg", "b-stop.jpg"]
    assert "--resume" in capsys.readouterr().err
    assert "stopped before all files were checked" in page.read_text("utf-8")
    assert cli.main(["scan", str(folder), "--jsonl", str(out), "--html", str(page), "--resume"]) == 0
    assert names(out) == ["a.jpg", "b-stop.jpg", "b.jpg", "c.jpg"]


class TestOptions:
    def test_auto_is_thorough_for_a_few_named_files(self, folder: Path) -> None:
        files = [str(folder / f"{n}.jpg") for n in "abc"]
        cli.main(["scan", *files])
        assert MadeUpScanner.options.profile is Profile.THOROUGH
        for several in ([*files, *files], [str(folder)], [files[0], str(folder / "gone.jpg")]):
            cli.main(["scan", *several])
            assert MadeUpScanner.options.profile is Profile.CASCADE

    @pytest.mark.parametrize("profile", list(Profile))
    def test_a_profile_that_is_asked_for_holds(self, folder: Path, profile: Profile) -> None:
        for paths in ([str(folder)], [str(folder / "a.jpg")]):
            cli.main(["scan", *paths, "--profile", str(profile)])
            assert MadeUpScanner.options.profile is profile

    def test_auto_is_fast_for_very_many_files_and_says_how_to_ask_for_more(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for limit, profile in ((3, Profile.CASCADE), (2, Profile.FAST)):
            monkeypatch.setattr(listing, "MANY", limit)
            cli.main(["scan", str(folder)])
            assert MadeUpScanner.options.profile is profile
            assert ("--profile cascade" in capsys.readouterr().err) is (profile is Profile.FAST)
        cli.main(["scan", str(folder), "--quiet"])
        cli.main(["scan", str(folder), "--profile", "fast"])
        assert "--profile cascade" not in capsys.readouterr().err

    def test_auto_counts_no_further_than_it_must(self) -> None:
        drawn = itertools.count()
        assert listing.auto_profile(["in"], drawn) is Profile.FAST
        assert next(drawn) == listing.MANY + 1
        assert listing.auto_profile(["in"], range(listing.MANY)) is Profile.CASCADE

    def test_auto_does_not_wait_for_the_end_of_a_list(self) -> None:
        def never() -> Iterator[Input]:
            raise AssertionError("a list on standard input was drawn before the scan")
            yield

        assert listing.auto_profile(["-"], never()) is Profile.CASCADE

    def test_what_the_quick_check_could_not_settle_is_counted(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def checked(self: MadeUpScanner, inputs: Iterable[Input], cancel: threading.Event) -> Iterator[Report]:
            for item in inputs:
                made = report(item.path)
                assert made.analysis is not None
                twice = item.path.endswith(("a.jpg", "c.jpg"))
                check = Profile.THOROUGH if twice else Profile.FAST
                yield replace(made, analysis=replace(made.analysis, profile=check))

        monkeypatch.setattr(MadeUpScanner, "scan", checked)
        said = "Thorough check of 2 pictures that the quick one could not settle."
        for profile, told in (("cascade", True), ("thorough", False), ("fast", False)):
            cli.main(["scan", str(folder), "--profile", profile])
            assert (said in capsys.readouterr().err) is told
        cli.main(["scan", str(folder), "--quiet"])
        assert said not in capsys.readouterr().err

    def test_the_page_has_the_rates_of_the_profile(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rated = {Profile.FAST: replace(BANDS, n_real=1234), Profile.THOROUGH: replace(BANDS, n_real=5678)}
        monkeypatch.undo()
        monkeypatch.setattr(batch, "Scanner", MadeUpScanner)
        monkeypatch.setattr(manifest, "operating_points", lambda profile: {"generated": rated[profile]})
        for profile, numbers in (("fast", {"1,234"}), ("thorough", {"5,678"}), ("cascade", {"1,234", "5,678"})):
            cli.main(["scan", str(folder), "--html", str(tmp_path / "o.html"), "--profile", profile])
            page = (tmp_path / "o.html").read_text("utf-8")
            assert {n for n in ("1,234", "5,678") if f"of {n} real" in page} == numbers

    def test_cache_jobs_and_thumbnails(self, folder: Path) -> None:
        cli.main(["scan", str(folder), "--jobs", "3"])
        assert MadeUpScanner.options.jobs == 3
        assert MadeUpScanner.options.cache is not None
        assert not MadeUpScanner.options.thumbnails
        cli.main(["scan", str(folder), "--no-cache", "--html", str(folder.parent / "o.html")])
        assert MadeUpScanner.options.cache is None
        assert MadeUpScanner.options.thumbnails


def from_list(monkeypatch: pytest.MonkeyPatch, data: bytes) -> list[str]:
    """The inputs for a list on standard input."""
    out, into = os.pipe()
    os.write(into, data)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(pipe))
        return [i.path for i in listing.listed(["-"], threading.Event(), set())]


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        (b"a.jpg\nb.jpg\n", ["a.jpg", "b.jpg"]),
        (b"a.jpg\n\nb.jpg", ["a.jpg", "b.jpg"]),
        (b"a\nb.jpg\0c.jpg\0", ["a\nb.jpg", "c.jpg"]),
        (b"caf\xe9.jpg\n", ["caf\udce9.jpg"]),
        (b" spaced \n", [" spaced "]),
        (b"", []),
    ],
)
def test_a_list_on_standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes, paths: list[str]) -> None:
    assert from_list(monkeypatch, data) == paths


def test_waiting_for_a_list_ends_when_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    out, into = os.pipe()
    stopped = threading.Event()
    stopped.set()
    with os.fdopen(out, "rb") as pipe:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(pipe))
        assert list(listing.listed(["-"], stopped, set())) == []
    os.close(into)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestProgress:
    def tally(self, n: int) -> Tally:
        return Tally(verdicts={"likely_synthetic": n, "not_checked": 1})

    def test_a_bar_on_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "200")
        clock = itertools.count(100.0, 1.0)
        monkeypatch.setattr("desktop.output.progress.time.monotonic", lambda: next(clock))
        err = Terminal()
        progress = Progress(err=err)
        progress.total = 100
        progress.update(self.tally(0))
        progress.update(self.tally(9))
        drawn = err.getvalue().split("\r\x1b[K")[-1]
        assert drawn.startswith("[#---------] 10 of 100 files, 5 a second, about ")
        assert drawn.endswith("left, 9 with signs, 1 not checked")
        progress.clear()
        assert err.getvalue().endswith("\r\x1b[K")

    def test_a_line_now_and_then_elsewhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = itertools.count(100.0, 4.0)
        monkeypatch.setattr("desktop.output.progress.time.monotonic", lambda: next(clock))
        err = io.StringIO()
        progress = Progress(err=err)
        for n in range(6):
            progress.update(self.tally(n))
        assert 1 <= len(err.getvalue().splitlines()) <= 3
        assert "\r" not in err.getvalue()

    def test_nobody_reading_it_does_not_stop_the_scan(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        err = os.fdopen(writer, "w")
        progress = Progress(err=err)
        progress.say("hello")
        progress.say("again")
        with pytest.raises(BrokenPipeError):
            err.close()

    def test_quiet_is_quiet(self) -> None:
        err = Terminal()
        Progress(quiet=True, err=err).update(self.tally(3))
        assert err.getvalue() == ""


class TestWindow:
    @pytest.fixture
    def opened(self, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        calls: list[list[str]] = []
        from desktop.window import app

        run: Callable[[list[str]], int] = lambda paths: calls.append(paths) or 0  # noqa: E731
        monkeypatch.setattr(app, "run", run)
        return calls

    def test_no_verb_opens_it(self, opened: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(system_libraries, "problem", lambda: None)
        assert cli.main([]) == 0
        assert cli.main(["window", "a", "b"]) == 0
        assert opened == [[], ["a", "b"]]

    def test_what_is_missing_is_one_line(
        self, opened: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(system_libraries, "problem", lambda: "sudo apt install libegl1")
        assert cli.main([]) == 2
        assert opened == []
        assert capsys.readouterr().err.splitlines() == ["sudo apt install libegl1"]


def test_worker_is_routed_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    from detectors.intake import worker

    monkeypatch.setattr(worker, "main", lambda: 7)
    assert cli.main(["--worker"]) == 7


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for argv, said in (
        (["--help"], "check files and folders"),
        (["scan", "--help"], "exit status"),
        (["scan", "--help"], "under 18"),
        (["--version"], "0."),
    ):
        with pytest.raises(SystemExit) as stopped:
            cli.main(argv)
        assert stopped.value.code == 0
        assert said in capsys.readouterr().out
