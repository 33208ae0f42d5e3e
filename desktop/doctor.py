"""`counterproof doctor`: what is here, what holds on this computer, and whether two known pictures come out right."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from desktop import settings, system_libraries, words
from desktop.output import html
from desktop.safety import helplines
from detectors import __version__, scan
from detectors.cache import Cache, default_path
from detectors.errors import CounterproofError
from detectors.finding import CHECKS, Finding, Profile, Role, State
from detectors.inference import manifest
from detectors.inputs import Input
from detectors.report import Report
from detectors.verdict import WHOLE_PICTURE, Band

DEMO = Path(__file__).resolve().parents[1] / "resources" / "demo"
REAL = "02-plain-photo-rocket.jpg"
SYNTHETIC = "05-with-web-ui-settings.png"

_REINSTALL = "Install Counterproof again from a source that you trust."


class Outcome(StrEnum):
    """How a check ended: good, worth knowing, or wrong."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's answer: which part, how it is, one plain sentence, and what to do."""

    part: str
    outcome: Outcome
    says: str
    remedy: str = ""


def run(as_json: bool, demo: Path = DEMO) -> int:
    """Check everything and print it. Returns 1 when something is wrong, else 0."""
    checks: list[Check] = []
    for check in examine(demo):
        checks.append(check)
        if not as_json:
            _print(check, first=len(checks) == 1 or checks[-2].part != check.part)
    wrong = sum(c.outcome is Outcome.PROBLEM for c in checks)
    if as_json:
        answer = {
            "schema": "counterproof.doctor/1",
            "version": __version__,
            "python": platform.python_version(),
            "system": platform.platform(),
            "ok": not wrong,
            "checks": [asdict(c) for c in checks],
        }
        sys.stdout.write(json.dumps(answer, indent=1) + "\n")
    elif wrong:
        is_wrong = "one thing is" if wrong == 1 else f"{wrong} things are"
        sys.stdout.write(f"\nNOT FIT FOR USE: {is_wrong} wrong, see above. Please do not rely on results until then.\n")
    else:
        sys.stdout.write("\nAll is well.\n")
    return 1 if wrong else 0


def examine(demo: Path) -> Iterator[Check]:
    """Every check, in the order in which a person would want to know. Raises nothing for what it finds."""
    yield Check("Version", Outcome.OK, f"Counterproof {__version__}, Python {platform.python_version()}.")
    yield from _models()
    with _scanner(Profile.FAST) as scanner:
        yield from _protections(scanner)
    yield from _window()
    yield from _cache()
    yield from _casebook()
    yield from _helplines()
    for profile in CHECKS:
        with _scanner(profile) as scanner:
            yield from _self_test(scanner, f"Self-test, {profile}", demo)


def _scanner(profile: Profile) -> scan.Scanner:
    return scan.Scanner(scan.ScanOptions(profile, jobs=1, limits=settings.load().limits, added=()))


def _models() -> Iterator[Check]:
    """Each model of the manifest, against its SHA-256; then the measured error rates."""
    part = "Models"
    try:
        entries = manifest.manifest()
        for entry in entries.values():
            found = manifest.check(entry)
            says = {
                manifest.Presence.OK: f"{entry.id}: present, and exactly the one that this version came with.",
                manifest.Presence.MISSING: f"{entry.id}: missing.",
                manifest.Presence.ALTERED: f"{entry.id}: not the one that this version came with. It is not used.",
            }[found]
            good = found is manifest.Presence.OK
            yield Check(part, Outcome.OK if good else Outcome.PROBLEM, says, "" if good else _REINSTALL)
        for check in CHECKS:
            for line in html.rates(manifest.operating_points(check)):
                yield Check(part, Outcome.OK, f"{words.CHECKS[check]}. {line}")
    except CounterproofError as error:
        yield Check(part, Outcome.PROBLEM, error.message, error.remedy)
    except OSError as error:
        yield Check(part, Outcome.PROBLEM, f"A model could not be read ({error.strerror}).", _REINSTALL)


def _protections(scanner: scan.Scanner) -> Iterator[Check]:
    """What the process that opens files is kept from doing, as one such process reports it."""
    part = "Protections"
    try:
        for protection in scanner.protections():
            yield Check(part, Outcome.OK if protection.holds else Outcome.NOTE, protection.says)
    except CounterproofError as error:
        yield Check(part, Outcome.PROBLEM, error.message, error.remedy)


def _window() -> Iterator[Check]:
    """What the window needs. Without it the command line still works, so nothing here is a problem."""
    part = "Window"
    if importlib.util.find_spec("PySide6") is None:
        yield Check(part, Outcome.NOTE, "PySide6 is not installed, so only the command line works.", _REINSTALL)
    elif missing := system_libraries.missing():
        yield Check(
            part,
            Outcome.NOTE,
            "The window needs system libraries that are not here. The command line works without them.",
            system_libraries.install_command(missing),
        )
    else:
        yield Check(part, Outcome.OK, "All that the window needs is here.")


def _cache() -> Iterator[Check]:
    """Where earlier results are remembered, and how much there is."""
    part = "Earlier results"
    path = default_path()
    cache = Cache(path)
    cache.close()
    if cache.notice:
        yield Check(part, Outcome.NOTE, cache.notice)
        return
    size = sum(os.path.getsize(p) for p in path.parent.glob(path.name + "*"))
    yield Check(part, Outcome.OK, f"Remembered, encrypted, in {words.visible(str(path))} ({size / 1e6:.1f} MB).")


def _casebook() -> Iterator[Check]:
    """The libraries that casebooks need, and how long opening one takes here."""
    part = "Casebooks"
    try:
        from sqlcipher3 import dbapi2

        from desktop.casebook import keys

        with contextlib.closing(dbapi2.connect(":memory:")) as db:
            version = db.execute("PRAGMA cipher_version").fetchone()
        if version is None:  # a plain SQLite under that name would write in clear
            yield Check(part, Outcome.PROBLEM, "The library that should encrypt casebooks does not.", _REINSTALL)
            return
        cost = keys.choose_cost()
        started = time.perf_counter()
        keys.new_key("how long does it take", cost)
        seconds = time.perf_counter() - started
    except ImportError as error:
        yield Check(part, Outcome.PROBLEM, f"A library for casebooks does not load ({error}).", _REINSTALL)
        return
    except CounterproofError as error:
        yield Check(part, Outcome.NOTE, error.message, error.remedy)
        return
    price = f"{(1 << cost.log2_kib) >> 10} MiB, {cost.passes} passes"
    yield Check(
        part, Outcome.OK, f"SQLCipher {version[0]}. Opening a new one takes {seconds:.1f} s (Argon2id, {price})."
    )


def _helplines() -> Iterator[Check]:
    """How many places to turn there are, how many were verified, and how old the oldest entry is."""
    part = "Helplines"
    try:
        found = helplines.load()
    except CounterproofError as error:
        yield Check(part, Outcome.PROBLEM, error.message, error.remedy)
        return
    verified = sum(h.confidence is helplines.Confidence.VERIFIED for h in found)
    unread = sum(h.verified_on is None for h in found)
    oldest = min((h.verified_on for h in found if h.verified_on), default=None)
    when = f" The oldest entry is of {oldest:%Y-%m-%d}." if oldest else ""
    says = f"{len(found)}, of which {verified} were read on official pages and {unread} nowhere yet.{when}"
    yield Check(part, Outcome.OK, f"{says} Each says how sure it is.")


def _self_test(scanner: scan.Scanner, part: str, demo: Path) -> Iterator[Check]:
    """The whole engine on a real photograph and on a picture that says it is synthetic."""
    files = [Input(str(demo / REAL)), Input(str(demo / SYNTHETIC))]
    try:
        reports = list(scanner.scan(files))
    except CounterproofError as error:
        yield Check(part, Outcome.PROBLEM, error.message, error.remedy)
        return
    if len(reports) != len(files):
        yield Check(part, Outcome.PROBLEM, "The built-in pictures were not checked.", _REINSTALL)
        return
    real, synthetic = reports
    yield from _judged(real, part, "the built-in photograph", {Band.NO_SIGNS, Band.INCONCLUSIVE})
    yield from _judged(synthetic, part, "the built-in synthetic picture", {Band.DECLARED_SYNTHETIC})


def _judged(report: Report, part: str, name: str, right: set[Band]) -> Iterator[Check]:
    """Whether the verdict on one known picture is right, and every detector ran."""
    if report.error is not None or report.verdict is None or report.analysis is None:
        why = "" if report.error is None else f" {report.error.message}"
        yield Check(part, Outcome.PROBLEM, f"{name.capitalize()} could not be checked.{why}", _REINSTALL)
        return
    verdict = words.VERDICTS[report.verdict.band]
    good = report.verdict.band in right
    says = f"{name.capitalize()}: “{verdict}”, which is {'right' if good else 'WRONG'}."
    yield Check(part, Outcome.OK if good else Outcome.PROBLEM, says, "" if good else _REINSTALL)
    findings = report.analysis.findings
    for finding in findings:
        if finding.state is State.FAILED:
            yield Check(part, Outcome.PROBLEM, f"On {name}: {words.visible(finding.says)}", _REINSTALL)
    if not any(f.detector == WHOLE_PICTURE for f in findings):
        yield Check(part, Outcome.PROBLEM, f"No learned detector looked at {name}.", _REINSTALL)
    for finding in findings:
        if finding.role is Role.LEARNED and finding.state is not State.FAILED:
            yield _learned(finding, part, name)


def _learned(finding: Finding, part: str, name: str) -> Check:
    """Whether a learned detector said something, which need not be right on a single picture.

    The one for the whole picture must; the others may find nothing there that they are for, such as a face.
    """
    who = words.detector(finding.detector)
    if finding.score is None and finding.detector == WHOLE_PICTURE:
        return Check(part, Outcome.PROBLEM, f"{who}: no answer on {name}.", _REINSTALL)
    return Check(part, Outcome.OK, f"{who}, on {name}: {words.visible(finding.in_short)}")


def _print(check: Check, first: bool) -> None:
    if first:
        sys.stdout.write(f"{'' if check.part == 'Version' else chr(10)}{check.part}\n")
    mark = {Outcome.OK: "ok     ", Outcome.NOTE: "note   ", Outcome.PROBLEM: "PROBLEM"}[check.outcome]
    indent = " " * 11
    for text, start in ((check.says, f"  {mark}  "), (check.remedy, indent)):
        lines = textwrap.wrap(text, 100, initial_indent=start, subsequent_indent=indent, break_long_words=False)
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
