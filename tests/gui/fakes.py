"""A fake engine for the window's tests: reports without pictures, previews of one colour. It is not the real one."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from detectors.errors import CounterproofError, FileRefused, FileUnreadable
from detectors.finding import Finding, ModelRef, Profile, Region, Role, State
from detectors.intake.media import Media
from detectors.report import Analysis, Hashes, Report
from detectors.verdict import Band, Verdict

REASONS = {
    Band.DECLARED_SYNTHETIC: (
        "The file carries Content Credentials that name a generative tool.",
        "Such a mark is strong evidence, but it can be copied onto another picture or removed.",
    ),
    Band.MATCHED_SOURCE: ("The photo that this was made from was found; the face was changed.",),
    Band.LIKELY_SYNTHETIC: ("The whole picture looks generated.", "Of 1000 real photographs, 1.0 % were placed here."),
    Band.INCONCLUSIVE: ("Can't tell. Neither answer would be safe.",),
    Band.NO_SIGNS: ("No signs found; that is not proof that it is real.",),
}


TYPICAL_P = {
    Band.DECLARED_SYNTHETIC: 0.99,
    Band.MATCHED_SOURCE: 0.97,
    Band.LIKELY_SYNTHETIC: 0.93,
    Band.INCONCLUSIVE: 0.48,
    Band.NO_SIGNS: 0.06,
}


@dataclass(frozen=True)
class FakeInput:
    """As the engine's Input."""

    path: str
    error: CounterproofError | None = None


@dataclass(frozen=True)
class FakePixels:
    """As the engine's Preview."""

    width: int
    height: int
    rgb: bytes


def fake_inputs(paths: Iterable[str]) -> Iterator[FakeInput]:
    """Each path is its own file; "folder/*N" stands for N files."""
    for path in paths:
        if "/*" in path:
            folder, number = path.split("/*")
            yield from (FakeInput(os.path.join(folder, f"picture {i:05}.jpg")) for i in range(int(number)))
        else:
            yield FakeInput(path)


def scanned(path: str, band: Band, level: str = "none_found", p: float | None = 0.5, **details: Any) -> Report:
    """A report whose findings show all four states."""
    regions = (Region("face", (100, 80, 200, 200), 0.9), Region("FEMALE_BREAST_COVERED", (80, 300, 260, 180), 0.7))
    findings = (
        Finding("c2pa", Role.DECLARED, State.INCONCLUSIVE, None, "The manifest is kept elsewhere; it was not fetched."),
        Finding("generation_parameters", Role.DECLARED, State.OK, 0.0, "No generation settings.", details=details),
        Finding("watermark", Role.DECLARED, State.NOT_APPLICABLE, None, "The picture is too small for a watermark."),
        Finding("generated", Role.LEARNED, State.OK, p, "A learned detector.", model=ModelRef("lite0", "ab" * 32)),
        Finding("intimacy", Role.INTIMACY, State.OK, 0.2, "No nudity found.", regions, details={"level": level}),
        Finding("camera_exif", Role.CONTEXT, State.FAILED, None, "The camera data could not be read."),
    )
    analysis = Analysis(
        media=Media("JPEG", 800, 600, 123456),
        hashes=Hashes("ab" * 32, "cd" * 16, "ef" * 32, 97, "01" * 8),
        findings=findings,
        ms=10.0,
        metadata={"Camera": "Example 5", "Software": "<b>not bold</b>"},
    )
    return Report(path, analysis, Verdict(band, p, REASONS[band]), None, "ab" * 32, 12.0)


def several(path: str, profile: Profile = Profile.THOROUGH) -> Report:
    """A report with all learned detectors, a map in the left half, and a model that the user added."""
    made = scanned(path, Band.LIKELY_SYNTHETIC, p=0.2)
    assert made.analysis is not None
    half = {"rows": 1, "columns": 2, "values": base64.b64encode(b"\xff\0").decode(), "box": [0, 0, 800, 600]}
    edited = (Region("edited", (9, 9, 90, 90), 0.9),)
    swapped = (Region("swapped_face", (100, 80, 200, 200), 0.96),)
    more = (
        Finding("face_swap", Role.LEARNED, State.OK, 0.96, "One face looks swapped.", swapped),
        Finding("local_edit", Role.LEARNED, State.OK, 0.95, "It does not fit.", edited, details={"map": half}),
        Finding("compression", Role.CONTEXT, State.OK, None, "Saved once."),
        Finding("third_party:nadia", Role.CONTEXT, State.OK, 0.4, "It gives 0.40."),
    )
    findings = (*made.analysis.findings, *more)
    return replace(made, analysis=replace(made.analysis, findings=findings, profile=profile))


def problem(path: str, *, refused: bool = False) -> Report:
    """A report on a file that was not read."""
    kind = FileRefused if refused else FileUnreadable
    error = kind("truncated", "The file ends too early.", "Download it again, or ask for another copy.")
    return Report(path, error=error)


def report_for(path: str, number: int) -> Report:
    """A mix: every band in turn, and now and then a file that could not be read."""
    if "several" in path:
        return several(path)
    if number % 13 == 12:
        return problem(path, refused=number % 2 == 0)
    levels = ("none_found", "suggestive", "explicit")
    band = list(Band)[number % 5]
    return scanned(path, band, levels[number % 3], p=TYPICAL_P[band])


@dataclass
class FakeEngine:
    """Answers at once, unless `gate` is held; `asked` lists the previews."""

    gate: threading.Event = field(default_factory=threading.Event)
    preview_gate: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, bool]] = field(default_factory=list)
    scanned_paths: list[str] = field(default_factory=list)
    profiles: list[Profile | None] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    scan_error: Exception | None = None
    preview_error: Exception | None = None
    blurred_pixel: bytes = b"\x90\x90\x90"
    closed: bool = False

    def __post_init__(self) -> None:
        self.gate.set()
        self.preview_gate.set()

    def scan(
        self,
        inputs: Iterable[FakeInput],
        cancel: threading.Event | None = None,
        pause: threading.Event | None = None,
        profile: Profile | None = None,
    ) -> Iterator[Report]:
        """Reports in order, one step each time the gate is open."""
        self.profiles.append(profile)
        assert cancel is not None
        assert pause is not None
        if self.scan_error is not None:
            raise self.scan_error
        for number, item in enumerate(inputs):
            while (pause.is_set() or not self.gate.is_set()) and not cancel.is_set() and not self.closed:
                cancel.wait(0.005)
            if cancel.is_set() or self.closed:
                return
            self.threads.add(threading.current_thread().name)
            self.scanned_paths.append(item.path)
            made = report_for(item.path, number)
            if profile is Profile.THOROUGH and made.analysis is not None:
                made = replace(made, analysis=replace(made.analysis, profile=profile))
            yield made

    def preview(self, path: str, longest: int, blurred: bool) -> FakePixels:
        """Light grey when blurred, a strong colour when clear."""
        self.asked.append((path, blurred))
        self.threads.add(threading.current_thread().name)
        while not self.preview_gate.wait(0.005) and not self.closed:
            pass
        if self.preview_error is not None:
            raise self.preview_error
        width = longest
        height = longest * 3 // 4
        pixel = self.blurred_pixel if blurred else b"\x20\xc0\x40"
        return FakePixels(width, height, (pixel * (width * height))[: width * height * 3])

    def close(self) -> None:
        """Ends whatever waits."""
        self.closed = True
        self.gate.set()
        self.preview_gate.set()
