"""A fake engine and a fake casebook for the window's tests: reports without pictures, previews of one colour, records
in memory. They are not the real ones."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from desktop.casebook.records import (
    Answer,
    CasebookError,
    Consent,
    Contact,
    Event,
    Incident,
    Item,
    NewItem,
    Note,
    ReferencePhoto,
    Request,
    RequestState,
    Sighting,
    Verification,
)
from detectors.errors import CounterproofError, FileRefused, FileUnreadable
from detectors.finding import Finding, ModelRef, Profile, Region, Role, State
from detectors.intake.media import Media
from detectors.report import Analysis, Fingerprinted, Hashes, Report, View
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
    references: tuple[str, ...] = ()
    references_error: Exception | None = None
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

    def preview_of(self, data: bytes, longest: int, blurred: bool) -> FakePixels:
        """As `preview`, of bytes."""
        return self.preview(f"{len(data)} bytes", longest, blurred)

    def fingerprint(self, path: str) -> Fingerprinted:
        """The same PDQ for all pictures whose names end alike, and far from it for the others."""
        made = report_for(path, 0).analysis
        assert made is not None
        turned = "0f" if os.path.splitext(path)[0].endswith("other") else "f0"
        pdq = turned * 32
        sha256 = hashlib.sha256(os.fsencode(path)).hexdigest()
        hashes = Hashes(sha256, sha256[:32], pdq, 97, "01" * 8)
        return Fingerprinted(path, made.media, hashes, (View("whole", (0, 0, 800, 600), pdq, 97),), sha256=sha256)

    def fingerprints(
        self,
        inputs: Iterable[FakeInput],
        cancel: threading.Event | None = None,
        pause: threading.Event | None = None,
    ) -> Iterator[Fingerprinted]:
        """One after the other."""
        for item in inputs:
            yield self.fingerprint(item.path)

    def use_references(
        self, paths: Sequence[str], cancel: threading.Event | None = None
    ) -> tuple[tuple[str, ...], tuple[FakeInput, ...]]:
        """Two photos in each folder, and one that cannot be read; a file is itself."""
        while not self.gate.is_set() and not self.closed:
            if cancel is not None and cancel.wait(0.005):
                raise CancelledError
        if self.references_error is not None:
            raise self.references_error
        self.references = tuple(paths)
        folders = [p for p in paths if "." not in os.path.basename(p)]
        used = tuple(p for p in paths if p not in folders) + tuple(f"{f}/{n}.jpg" for f in folders for n in (1, 2))
        error = FileUnreadable("truncated", "The file ends too early.", "Download it again.")
        return used, tuple(FakeInput(f"{f}/bad.jpg", error) for f in folders)

    def close(self) -> None:
        """Ends whatever waits."""
        self.closed = True
        self.gate.set()
        self.preview_gate.set()


NOW = "2026-11-24T18:00:00+00:00"
RIGHT = "correct horse battery staple"


class FakeStore:
    """A fake: makes fake casebooks, which live as long as it does. `gate` holds back whatever is asked of one."""

    def __init__(self) -> None:
        self.books: dict[Path, FakeCasebook] = {}
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()

    def create(self, path: Path, passphrase: str, actor: str) -> tuple[FakeCasebook, str]:
        """A casebook in memory."""
        self.wait()
        self.books[path] = FakeCasebook(self, path)
        return self.books[path], "ABCD-EFGH-JKMN"

    def open(self, path: Path, passphrase: str, actor: str) -> FakeCasebook:
        """The one that was made there, for the one right passphrase."""
        self.wait()
        if passphrase != RIGHT:
            raise CasebookError("wrong_passphrase", "That is not the passphrase.", "Try again.")
        book = self.books.setdefault(path, FakeCasebook(self, path))
        book.closed = False
        return book

    def open_with_code(self, path: Path, code: str, actor: str) -> FakeCasebook:
        """The one that was made there."""
        if code != "ABCD-EFGH-JKMN":
            raise CasebookError("wrong_recovery_code", "That is not the code.", "Look at it once more.")
        return self.open(path, RIGHT, actor)

    def wait(self) -> None:
        """Notes the thread, and waits for the gate."""
        self.threads.add(threading.current_thread().name)
        self.gate.wait(20)


class FakeCasebook:
    """A fake: as Casebook, as far as the window uses it, in memory."""

    notices: tuple[str, ...] = ()

    def __init__(self, store: FakeStore, path: Path) -> None:
        self.store, self.path = store, path
        self.closed = False
        self.error: CasebookError | None = None
        self.logged: list[tuple[str, int]] = []
        self.rows: dict[str, dict[int, Any]] = {
            k: {}
            for k in ("incident", "consent", "item", "sighting", "request", "answer", "note", "reference", "contact")
        }
        self.images: dict[int, bytes] = {}
        self.screenshots: dict[int, tuple[bytes, bytes]] = {}
        self.wrong: set[frozenset[int]] = set()
        self.passphrase = RIGHT
        self._ids = count(1)

    def _add(self, kind: str, make: Any) -> Any:
        self.store.wait()
        if self.error is not None:
            raise self.error
        number = next(self._ids)
        self.rows[kind][number] = make(number)
        return self.rows[kind][number]

    def _of(self, kind: str, **wanted: Any) -> list[Any]:
        self.store.wait()
        rows = self.rows[kind].values()
        return [r for r in rows if all(v is None or getattr(r, k) == v for k, v in wanted.items())]

    def close(self) -> None:
        self.closed = True

    def check_secret(self, secret: str) -> None:
        if secret not in (self.passphrase, "ABCD-EFGH-JKMN"):
            raise CasebookError("wrong_passphrase", "That is not the passphrase.", "Try again.")

    def change_passphrase(self, new: str) -> str:
        self.passphrase = new
        return "WXYZ-1234"

    def backup(self, to_path: Path) -> None:
        self.logged.append(("backup", 0))

    def verify(self) -> Verification:
        self.store.wait()
        return Verification(12, True, (), "head-of-12", 4096)

    def add_incident(self, title: str, *, depicted: str = "", wanted: str = "", country: str = "") -> Incident:
        return self._add("incident", lambda n: Incident(n, title, depicted, wanted, country, NOW))

    def incidents(self) -> list[Incident]:
        return self._of("incident")

    def update_incident(self, incident_id: int, **changes: Any) -> Incident:
        self.rows["incident"][incident_id] = replace(self.rows["incident"][incident_id], **changes)
        return self.rows["incident"][incident_id]

    def add_consent(self, incident_id: int, who: str, *, role: str, authority: str, scope: str) -> Consent:
        return self._add("consent", lambda n: Consent(n, incident_id, who, role, authority, scope, NOW, None))

    def withdraw_consent(self, consent_id: int) -> None:
        self.rows["consent"][consent_id] = replace(self.rows["consent"][consent_id], withdrawn_at=NOW)

    def consents(self, incident_id: int) -> list[Consent]:
        return self._of("consent", incident_id=incident_id)

    def add_items(self, incident_id: int, new: list[NewItem]) -> list[Item]:
        return [self._item(incident_id, one) for one in new]

    def _item(self, incident_id: int, new: NewItem) -> Item:
        report: Report = new.report
        assert report.analysis is not None
        assert report.verdict is not None
        analysis, verdict = report.analysis, report.verdict
        item = self._add(
            "item",
            lambda n: Item(
                n,
                incident_id,
                new.label,
                analysis.hashes,
                new.views,
                analysis.media.to_record(),
                str(analysis.profile),
                str(verdict.band),
                verdict.p_synthetic,
                verdict.reasons,
                tuple(f.to_record() for f in analysis.findings),
                None,
                new.description,
                NOW,
                new.image is not None,
            ),
        )
        if new.image is not None:
            self.images[item.id] = new.image
        self.logged.append(("added", item.id))
        return item

    def find_items(self, sha256: str) -> list[Item]:
        return [i for i in self._of("item") if f"{i.label} {sha256}" == f"again.jpg {sha256}"]

    def items(self, incident_id: int, *, brief: bool = False) -> list[Item]:
        return self._of("item", incident_id=incident_id)

    def item(self, item_id: int) -> Item:
        return self.rows["item"][item_id]

    def viewed(self, item_id: int) -> None:
        self.logged.append(("viewed", item_id))

    def thumbnail(self, item_id: int) -> bytes:
        return b"blurred"

    def image_to_reveal(self, item_id: int) -> bytes:
        self.logged.append(("revealed", item_id))
        return self.images[item_id]

    def describe_item(self, item_id: int, text: str) -> None:
        self.rows["item"][item_id] = replace(self.rows["item"][item_id], description=text)

    def delete_item(self, item_id: int) -> None:
        del self.rows["item"][item_id]
        self.logged.append(("deleted", item_id))

    def mark_maybe_minor(self, item_id: int) -> None:
        self.delete_item(item_id)

    def add_sighting(self, incident_id: int, url: str, **fields: Any) -> Sighting:
        fields = {"seen_at": NOW, "time_zone": "UTC", **fields}
        return self._add(
            "sighting", lambda n: Sighting(id=n, incident_id=incident_id, url=url, has_screenshot=False, **fields)
        )

    def sightings(self, incident_id: int | None = None, item_id: int | None = None) -> list[Sighting]:
        return self._of("sighting", incident_id=incident_id, item_id=item_id)

    def keep_screenshot(self, sighting_id: int, image: bytes, media_type: str, thumbnail: bytes) -> None:
        self.screenshots[sighting_id] = image, thumbnail
        self.rows["sighting"][sighting_id] = replace(self.rows["sighting"][sighting_id], has_screenshot=True)

    def screenshot_thumbnail(self, sighting_id: int) -> bytes:
        return self.screenshots[sighting_id][1]

    def screenshot_to_reveal(self, sighting_id: int) -> bytes:
        self.logged.append(("screenshot revealed", sighting_id))
        return self.screenshots[sighting_id][0]

    def delete_sighting(self, sighting_id: int) -> None:
        del self.rows["sighting"][sighting_id]

    def add_contact(self, incident_id: int, name: str, **fields: Any) -> Contact:
        return self._add("contact", lambda n: Contact(id=n, incident_id=incident_id, name=name, **fields))

    def contacts(self, incident_id: int) -> list[Contact]:
        return self._of("contact", incident_id=incident_id)

    def export(self, to_path: Path, incident_id: int | None) -> None:
        self.logged.append((f"export to {to_path.name}", incident_id or 0))

    def add_request(self, incident_id: int, recipient: str, **fields: Any) -> Request:
        fields = {"item_ids": (), "legal_basis": "", "channel": "", "sent_at": None, "due_at": None, **fields}
        fields = {"sighting_ids": (), "reference": "", "state": RequestState.DRAFT, **fields}
        return self._add(
            "request", lambda n: Request(id=n, incident_id=incident_id, recipient=recipient, created_at=NOW, **fields)
        )

    def request(self, request_id: int) -> Request:
        return self.rows["request"][request_id]

    def update_request(self, request_id: int, **changes: Any) -> None:
        self.rows["request"][request_id] = replace(self.rows["request"][request_id], **changes)

    def requests(self, incident_id: int) -> list[Request]:
        return self._of("request", incident_id=incident_id)

    def packet_forms(self, incident_id: int) -> list[Any]:
        """None: the tests of requests use a real casebook."""
        return []

    def add_answer(self, request_id: int, outcome: str, text: str, *, at: str, state: RequestState) -> Answer:
        self.update_request(request_id, state=state)
        return self._add("answer", lambda n: Answer(n, request_id, at or NOW, outcome, text))

    def answers(self, request_id: int) -> list[Answer]:
        return self._of("answer", request_id=request_id)

    def add_note(self, incident_id: int, text: str, *, item_id: int | None = None) -> Note:
        return self._add("note", lambda n: Note(n, incident_id, item_id, None, None, text, NOW, "ana"))

    def notes(self, incident_id: int | None = None, item_id: int | None = None) -> list[Note]:
        return self._of("note", incident_id=incident_id, item_id=item_id)

    def add_reference(self, incident_id: int, path: str, **fields: Any) -> ReferencePhoto:
        fields = {"label": "", "taken_on": "", "hashes": None, "views": (), **fields}
        return self._add("reference", lambda n: ReferencePhoto(n, incident_id, path, **fields))

    def references(self, incident_id: int) -> list[ReferencePhoto]:
        return self._of("reference", incident_id=incident_id)

    def timeline(self, item_id: int) -> list[Event]:
        events = [Event(s.seen_at, "sighting", s.url, s.id) for s in self._of("sighting", item_id=item_id)]
        events += [Event(n.at, "note", n.text, n.id) for n in self._of("note", item_id=item_id)]
        events += [Event(NOW, "log", f"{action} by ana", 0) for action, number in self.logged if number == item_id]
        return events

    def wrong_matches(self) -> set[frozenset[int]]:
        return set(self.wrong)

    def not_a_match(self, item_a: int, item_b: int, wrong: bool) -> None:
        if wrong:
            self.wrong.add(frozenset((item_a, item_b)))
        else:
            self.wrong.discard(frozenset((item_a, item_b)))
