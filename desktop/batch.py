"""The `scan` verb: inputs in, reports out to every writer that was asked for, with progress, Ctrl-C and resume."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from desktop import settings, words
from desktop.cli import DONE, INTERRUPTED, SOME_NOT, USAGE
from desktop.listing import MANY, auto_profile, listed
from desktop.output import jsonl
from desktop.output.progress import Progress
from desktop.output.writer import OutputError, Tally, Writer, check_replaceable, forget_stdout
from desktop.safety import age_gate
from detectors.errors import CounterproofError
from detectors.finding import Profile
from detectors.inputs import Input
from detectors.report import Report
from detectors.scan import Scanner, ScanOptions, cores

if TYPE_CHECKING:
    from argparse import Namespace

_ONLY_QUICK = (
    f"These are more than {MANY:,} files, so each gets the quick check only. To check those thoroughly that it cannot "
    "settle, add --profile cascade."
)


def run(args: Namespace) -> int:
    """Scan and return the exit status."""
    if problem := _usage_problem(args):
        sys.stderr.write(f"counterproof scan: {problem}\n")
        return USAGE
    if not age_gate.scan_may_start(args):
        return SOME_NOT
    stop, tally, progress, chosen = Stop(), Tally(), Progress(args.quiet), settings.load()
    started = time.monotonic()
    try:
        if args.references:
            from detectors.fingerprints.source_match import listed as listed_references

            listed_references(args.references)  # a wrong folder is said before any result is touched
        skip = {os.path.realpath(p) for p in _files(args)}
        profile = _profile(args, chosen, listed(args.paths, stop.cancel, skip))
        inputs = listed(args.paths, stop.cancel, skip)
        writers = _open_writers(args, profile, inputs, tally, skip)
    except CounterproofError as error:
        sys.stderr.write(f"{error.message} {error.remedy}\n")
        return USAGE
    except BrokenPipeError:
        return _reader_gone([], tally, progress)
    if progress.wanted and profile is Profile.FAST and (args.profile or chosen.profile) == "auto":
        progress.say(_ONLY_QUICK)
    if progress.wanted and "-" not in args.paths:
        _count_in_background(args.paths, progress, stop.cancel, skip)
    try:
        with stop:
            jobs = args.jobs or chosen.jobs or cores()
            options = ScanOptions(profile, jobs, chosen.limits, thumbnails=bool(args.html), references=args.references)
            _scan(options, chosen.cache and not args.no_cache, inputs, writers, tally, progress, stop)
            tally.seconds = time.monotonic() - started
            tally.stopped = stop.cancel.is_set()
            progress.clear()
            _finish(writers, tally)
    except BrokenPipeError:
        return _reader_gone(writers, tally, progress)
    except CounterproofError as error:
        _abandon(writers)
        progress.say(f"{error.message} {error.remedy}")
        if tally.total and args.jsonl not in (None, "-"):
            progress.say(f"What was done before is kept in {words.visible(args.jsonl)}; --resume goes on from there.")
        return SOME_NOT
    return _closing(args, tally, progress)


def _usage_problem(args: Namespace) -> str | None:
    """What is wrong with the combination of options, or None."""
    if args.jsonl == "-" and args.csv == "-":
        return "only one kind of result can go to standard output. Give a file name for the other."
    if args.html == "-":
        return "the page needs a file name, such as --html report.html."
    if args.resume and args.jsonl in (None, "-"):
        return "--resume needs the file of the scan to go on with: --jsonl FILE."
    if len({os.path.realpath(p) for p in _files(args)}) < len(_files(args)):
        return "two kinds of result have the same file name. Give each its own."
    return None


def _files(args: Namespace) -> list[str]:
    """The files that results go to."""
    return [p for p in (args.jsonl, args.csv, args.html) if p not in (None, "-")]


def _open_writers(
    args: Namespace, profile: Profile, inputs: Iterator[Input], tally: Tally, skip: set[str]
) -> list[Writer]:
    """Every writer, opened before any work; on resume, filled with what is done, which `inputs` is past by then."""
    done = jsonl.finished_for(args.jsonl, (i.path for i in inputs)) if args.resume else 0
    writers: list[Writer] = []
    try:
        if args.html:
            from desktop.output.html import HtmlWriter, shipped_points

            page = HtmlWriter(args.html, shipped_points(profile))
            if page.temporary is not None:
                skip.add(os.path.realpath(page.temporary))
            writers.append(page)
        # Opening the next two empties what is there, so each is looked at before either is opened.
        if args.jsonl not in (None, "-"):
            check_replaceable(args.jsonl, jsonl.MARKS)
        if args.csv:
            from desktop.output.csv import CsvWriter

            writers.append(CsvWriter(args.csv))
        if args.jsonl:
            if args.resume:
                jsonl.drop_torn_tail(args.jsonl, done)
            writers.append(jsonl.JsonlWriter(args.jsonl, append=args.resume))
        if not writers:
            from desktop.output.table import TableWriter

            writers.append(TableWriter())
        if done:
            for record, _ in jsonl.read_finished(args.jsonl):
                tally.add(record)
                for writer in writers:
                    writer.write(record, None)
    except CounterproofError:
        _abandon(writers)
        raise
    return writers


def _scan(
    options: ScanOptions,
    remember: bool,
    inputs: Iterator[Input],
    writers: list[Writer],
    tally: Tally,
    progress: Progress,
    stop: Stop,
) -> None:
    """Every report to every writer, in the order of the inputs."""
    cache, told = None, ""
    if remember:
        from detectors.cache import Cache, default_path

        cache = Cache(default_path())
        if told := cache.notice:
            progress.say(told)
    to_terminal = sys.stdout.isatty()
    progress.update(tally)
    with Scanner(replace(options, cache=cache)) as scanner:
        stop.scanner = scanner
        if options.references:
            _read_references(scanner, progress, stop)
        for report in scanner.scan(inputs, stop.cancel):
            record = report.to_json()
            if to_terminal:
                progress.clear()
            for writer in writers:
                writer.write(record, report)
            tally.add(record, report.cached, unsettled=options.profile is Profile.CASCADE and _thorough(report))
            progress.update(tally)
            if cache is not None and cache.notice not in ("", told):
                told = cache.notice
                progress.say(told)


def _read_references(scanner: Scanner, progress: Progress, stop: Stop) -> None:
    """Read the person's own photos; say which of them cannot be used, and why."""
    if progress.wanted:
        progress.say("Reading your own photos first.")
    with contextlib.suppress(CancelledError):
        for photo in scanner.read_references(stop.cancel):
            if photo.error is not None:
                progress.say(
                    f"Your photo {words.visible(photo.path)} is left out: {photo.error.message} {photo.error.remedy}"
                )


def _thorough(report: Report) -> bool:
    """Whether the result rests on the thorough check."""
    return report.analysis is not None and report.analysis.profile is Profile.THOROUGH


def _profile(args: Namespace, chosen: settings.Settings, inputs: Iterator[Input]) -> Profile:
    """The profile that was asked for, in the command or in the settings; `inputs` are drawn as far as it takes."""
    asked = args.profile or chosen.profile
    return auto_profile(args.paths, inputs) if asked == "auto" else Profile(asked)


def _count_in_background(paths: list[str], progress: Progress, cancel: threading.Event, skip: set[str]) -> None:
    """Count the inputs beside the scan, for the time left; a list on standard input cannot be read twice."""

    def count() -> None:
        found = listed(paths, cancel, skip)
        progress.total = sum(1 for _ in itertools.takewhile(lambda _: not cancel.is_set(), found))

    threading.Thread(target=count, name="count", daemon=True).start()


def _finish(writers: list[Writer], tally: Tally) -> None:
    """Complete every output, also those after one that fails; then raise the first failure."""
    failure: CounterproofError | None = None
    for writer in writers:
        try:
            writer.finish(tally)
        except CounterproofError as error:
            failure = failure or error
    if failure:
        raise failure


def _abandon(writers: list[Writer]) -> None:
    for writer in writers:
        with contextlib.suppress(OutputError):
            writer.abandon()


def _reader_gone(writers: list[Writer], tally: Tally, progress: Progress) -> int:
    """Whoever read standard output has had enough (`| head`): keep the files, say nothing."""
    tally.stopped = True
    progress.clear()
    for writer in writers:
        with contextlib.suppress(CounterproofError, BrokenPipeError):
            writer.finish(tally)
    forget_stdout()
    return SOME_NOT


def _closing(args: Namespace, tally: Tally, progress: Progress) -> int:
    """The last words on standard error, and the exit status."""
    progress.clear()
    if tally.unsettled and not args.quiet:
        pictures = words.count(tally.unsettled, "picture", "pictures")
        progress.say(f"Thorough check of {pictures} that the quick one could not settle.")
    if tally.stopped:
        progress.say(_how_to_go_on(args, tally))
        return INTERRUPTED
    if not tally.total:
        progress.say("There was nothing to check: no files were found.")
        return SOME_NOT
    if not args.quiet and (args.jsonl or args.csv or args.html):
        progress.say(f"{tally.sentence()}. Took {words.duration(tally.seconds)}.")
        for path in _files(args):
            progress.say(f"Written: {words.visible(path)}")
    return SOME_NOT if tally.not_checked else DONE


def _how_to_go_on(args: Namespace, tally: Tally) -> str:
    done = words.count(tally.total, "file is", "files are")
    if args.jsonl not in (None, "-"):
        again = "the same command" if args.resume else "the same command with --resume added"
        return f"Stopped. {done} done and kept in {words.visible(args.jsonl)}. To go on, run {again}."
    if args.no_cache:
        return f"Stopped. {done} done."
    return f"Stopped. {done} done. Running the same command again goes quickly over them."


class Stop:
    """Ctrl-C and a polite kill. The first lets the files in hand finish, the second ends them, the third ends all."""

    def __init__(self) -> None:
        self.cancel = threading.Event()
        self.scanner: Scanner | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():  # only there may handlers be set
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:  # noqa: ARG002 - the signature of a signal handler
        if self.cancel.is_set():
            signal.signal(number, signal.SIG_DFL)
            if self.scanner is not None:
                # From another thread: the main thread may hold the scanner's lock at this moment.
                threading.Thread(target=self.scanner.close, name="stop-at-once").start()
            return
        self.cancel.set()
        # The main thread may be inside sys.stderr at this moment, which cannot be entered twice.
        os.write(2, b"\nFinishing the files in hand. Press Ctrl-C again to stop at once.\n")
