"""The doctor on a made-up engine: each fault that it is there to find turns it red."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import pytest

from desktop import doctor
from desktop.casebook import keys
from desktop.safety import helplines
from detectors.errors import FileUnreadable, SetupError
from detectors.finding import CHECKS, Finding, Profile, Role, State
from detectors.inference import manifest
from detectors.inputs import Input
from detectors.intake.sandbox import Protection
from detectors.report import Report
from detectors.scan import ScanOptions
from detectors.verdict import Band, Bands
from tests.unit.sample_reports import BANDS, report

Change = Callable[[Report], Report]


def sound(path: str) -> Report:
    """What a sound engine says of the two built-in pictures."""
    real = Path(path).name == doctor.REAL
    made = report(path, Band.NO_SIGNS if real else Band.DECLARED_SYNTHETIC, 0.03 if real else 0.99)
    return with_findings(made, lambda found: [f for f in found if f.state is not State.FAILED])


def with_findings(made: Report, change: Callable[[Iterable[Finding]], Iterable[Finding]]) -> Report:
    assert made.analysis is not None
    return replace(made, analysis=replace(made.analysis, findings=tuple(change(made.analysis.findings))))


class MadeUpScanner:
    """Says what a sound engine would, changed by the test."""

    change: Change = staticmethod(lambda r: r)
    protected: Callable[[], list[Protection]]

    def __init__(self, options: ScanOptions) -> None:
        assert options.cache is None, "a remembered result would hide a fault"

    def __enter__(self) -> MadeUpScanner:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to end."""

    def protections(self) -> list[Protection]:
        return [
            Protection("memory_limit", True, "Memory is bounded."),
            Protection("network", False, "Not here: network."),
        ]

    def scan(self, inputs: Iterable[Input]) -> Iterator[Report]:
        for item in inputs:
            yield self.change(sound(item.path))


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A sound engine with its one model in a folder of its own, whose path is returned."""
    nudenet = manifest.manifest()["nudenet-320n"]
    source = nudenet.path()
    assert source is not None
    shutil.copy(source, tmp_path / "model.onnx")
    entry = replace(nudenet, package=None, file="model.onnx")
    monkeypatch.setattr(manifest, "MODELS", tmp_path)
    monkeypatch.setattr(manifest, "manifest", lambda: {entry.id: entry})
    monkeypatch.setattr(manifest, "operating_points", lambda _: {"generated": BANDS})
    monkeypatch.setattr(doctor.scan, "Scanner", MadeUpScanner)
    monkeypatch.setattr(MadeUpScanner, "change", staticmethod(lambda r: r))
    monkeypatch.setattr(keys, "choose_cost", lambda: keys.Cost(10, 1))
    return tmp_path / "model.onnx"


def examined(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str], str]:
    """Exit status, the sentences of the problems, and all that was said."""
    status = doctor.run(as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] == (status == 0)
    assert answer["schema"] == "counterproof.doctor/1"
    problems = [c["says"] for c in answer["checks"] if c["outcome"] == "problem"]
    assert all(c["remedy"] for c in answer["checks"] if c["outcome"] == "problem")
    return status, problems, " ".join(c["says"] for c in answer["checks"])


def test_a_sound_installation_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    status, problems, said = examined(capsys)
    assert (status, problems) == (0, [])
    for expected in ("nudenet-320n: present", "Memory is bounded.", "Not here: network.", "of 1,000 real", "right"):
        assert expected in said
    for picture in ("the built-in photograph", "the built-in synthetic picture"):
        assert f"Learned detector: whole picture, on {picture}: Looks generated." in said
    assert not re.search(r"\d in \d", said)


def test_for_people_it_is_loud_when_something_is_wrong(engine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.run(as_json=False) == 0
    assert capsys.readouterr().out.endswith("\nAll is well.\n")
    engine.unlink()
    assert doctor.run(as_json=False) == 1
    assert "NOT FIT FOR USE: one thing is wrong" in capsys.readouterr().out


def test_an_altered_model(engine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(engine.read_bytes())
    data[len(data) // 2] ^= 1
    engine.write_bytes(data)
    status, problems, _ = examined(capsys)
    assert status == 1
    assert problems == ["nudenet-320n: not the one that this version came with. It is not used."]


def test_a_missing_model(engine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine.unlink()
    assert examined(capsys)[:2] == (1, ["nudenet-320n: missing."])


def test_no_list_of_models(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def unreadable() -> manifest.Manifest:
        raise SetupError("manifest_unreadable", "The list of models could not be read.", "Install it again.")

    monkeypatch.setattr(manifest, "manifest", unreadable)
    assert examined(capsys)[:2] == (1, ["The list of models could not be read."])


def test_missing_libraries_are_a_note_with_the_command_that_the_window_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.system_libraries, "missing", lambda: ["libegl1", "libgl1"])
    [window] = [c for c in doctor.examine(doctor.DEMO) if c.part == "Window"]
    assert (window.outcome, window.remedy) == (doctor.Outcome.NOTE, "sudo apt install libegl1 libgl1")


def test_no_measured_error_rates(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(profile: Profile) -> dict[str, Bands]:
        if profile is Profile.THOROUGH:
            raise SetupError("bands_missing", "The error rates are missing.", "Install again.")
        return {"generated": BANDS}

    monkeypatch.setattr(manifest, "operating_points", missing)
    status, problems, _ = examined(capsys)
    assert (status, problems) == (1, ["The error rates are missing."])


def test_every_profile_is_tested_on_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def scanner(options: ScanOptions) -> MadeUpScanner:
        made = MadeUpScanner(options)
        if options.profile is Profile.THOROUGH:
            made.change = only(doctor.REAL, judged(Band.LIKELY_SYNTHETIC))  # type: ignore[method-assign]
        return made

    monkeypatch.setattr(doctor.scan, "Scanner", scanner)
    wrong = [c for c in doctor.examine(doctor.DEMO) if c.outcome is doctor.Outcome.PROBLEM]
    assert [c.part for c in wrong] == ["Self-test, thorough"]


def only(name: str, change: Change) -> Change:
    return lambda r: change(r) if Path(r.path).name == name else r


def judged(band: Band) -> Change:
    return lambda r: replace(r, verdict=r.verdict and replace(r.verdict, band=band))


def failed(found: Iterable[Finding]) -> list[Finding]:
    broken = Finding("c2pa", Role.DECLARED, State.FAILED, None, "The check “c2pa” did not run: no library.")
    return [broken if f.detector == "c2pa" else f for f in found]


FAULTS: dict[str, tuple[Change, str]] = {
    "real called likely": (only(doctor.REAL, judged(Band.LIKELY_SYNTHETIC)), "WRONG"),
    "real called declared": (only(doctor.REAL, judged(Band.DECLARED_SYNTHETIC)), "WRONG"),
    "synthetic not declared": (only(doctor.SYNTHETIC, judged(Band.LIKELY_SYNTHETIC)), "WRONG"),
    "synthetic called clean": (only(doctor.SYNTHETIC, judged(Band.NO_SIGNS)), "WRONG"),
    "a detector failed": (only(doctor.REAL, lambda r: with_findings(r, failed)), "“c2pa” did not run"),
    "no learned detector": (
        lambda r: with_findings(r, lambda found: [f for f in found if f.role is not Role.LEARNED]),
        "No learned detector",
    ),
    "learned without answer": (
        lambda r: with_findings(r, lambda found: [replace(f, score=None) for f in found]),
        "no answer on",
    ),
    "file not there": (
        lambda r: Report(r.path, error=FileUnreadable("no_such_file", "There is no file.", "Look.")),
        "There is no file.",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_turns_it_red(
    fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change, said = FAULTS[fault]
    monkeypatch.setattr(MadeUpScanner, "change", staticmethod(change))
    status, problems, _ = examined(capsys)
    assert status == 1
    assert any(said in p for p in problems)


def test_a_detector_that_does_not_apply_to_a_picture_is_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_face = Finding("face_swap", Role.LEARNED, State.NOT_APPLICABLE, None, "There is no face.")
    monkeypatch.setattr(
        MadeUpScanner, "change", staticmethod(lambda r: with_findings(r, lambda found: [*found, no_face]))
    )
    status, problems, said = examined(capsys)
    assert (status, problems) == (0, [])
    assert "Learned detector: faces, on the built-in photograph: There is no face." in said


def test_an_engine_that_reports_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(MadeUpScanner, "scan", lambda self, inputs: iter(()))
    assert examined(capsys)[:2] == (1, ["The built-in pictures were not checked."] * len(CHECKS))


def test_the_built_in_pictures_are_there(demo: Path) -> None:
    assert (demo / doctor.REAL).is_file()
    assert (demo / doctor.SYNTHETIC).is_file()


def test_a_library_that_does_not_encrypt_casebooks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "SQLCipher" in examined(capsys)[2]
    monkeypatch.setattr("sqlcipher3.dbapi2.connect", sqlite3.connect)
    status, problems, _ = examined(capsys)
    assert (status, problems) == (1, ["The library that should encrypt casebooks does not."])


def test_damaged_helplines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "The oldest entry is of 2026-05-31." in examined(capsys)[2]
    (tmp_path / "one.toml").write_text("name = 1")
    whole = helplines.load
    monkeypatch.setattr(helplines, "load", lambda: whole(tmp_path))
    status, problems, _ = examined(capsys)
    assert status == 1
    assert "one.toml" in problems[0]
