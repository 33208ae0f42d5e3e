"""Report: everything about one input, and its form as one line of `counterproof.scan/1`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from detectors.errors import CounterproofError
from detectors.finding import CHECKS, Finding, Profile, Region, State
from detectors.intake.media import Media
from detectors.verdict import Verdict

SCHEMA = "counterproof.scan/1"
VIEW_KINDS = ("whole", "trimmed", "region")
_PDQ = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Hashes:
    """Fingerprints of one file. `pdq` (64 hex) and `pdq_quality` (0..100) are None when no PDQ could be made;
    `phash` is 16 hex. `note` says why a value is missing, in one plain sentence, or is empty."""

    sha256: str
    md5: str
    pdq: str | None = None
    pdq_quality: int | None = None
    phash: str | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The `hashes` object of `counterproof.scan/1`."""
        return {
            "sha256": self.sha256,
            "md5": self.md5,
            "pdq": self.pdq,
            "pdq_quality": self.pdq_quality,
            "phash": self.phash,
        }

    def to_record(self) -> dict[str, Any]:
        """The same with the note."""
        return {**self.to_json(), "note": self.note}

    @classmethod
    def from_record(cls, obj: Mapping[str, Any]) -> Hashes:
        """The inverse of `to_record`. Raises KeyError, TypeError or ValueError when the object is malformed."""
        return cls(
            sha256=str(obj["sha256"]),
            md5=str(obj["md5"]),
            pdq=None if obj["pdq"] is None else str(obj["pdq"]),
            pdq_quality=None if obj["pdq_quality"] is None else int(obj["pdq_quality"]),
            phash=None if obj["phash"] is None else str(obj["phash"]),
            note=str(obj["note"]),
        )


@dataclass(frozen=True, slots=True)
class View:
    """One part of a picture that is looked for on its own, and its PDQ.

    `kind` is `whole`, `trimmed` (without border, bars, caption or a screenshot's surround) or `region` (a part, so that
    a cropped copy is found); `box` is x, y, width, height in pixels of the upright picture at full size; `pdq` is 64
    hex, `quality` 0..100.
    """

    kind: str
    box: tuple[int, int, int, int]
    pdq: str
    quality: int

    def to_json(self) -> dict[str, Any]:
        """The view as JSON-able values."""
        return {"kind": self.kind, "box": list(self.box), "pdq": self.pdq, "quality": self.quality}

    @classmethod
    def from_json(cls, obj: Mapping[str, Any]) -> View:
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError when the object is malformed."""
        x, y, w, h = (int(v) for v in obj["box"])
        pdq, quality = str(obj["pdq"]), int(obj["quality"])
        if obj["kind"] not in VIEW_KINDS or min(x, y) < 0 or min(w, h) < 1 or not 0 <= quality <= 100:
            raise ValueError("not a view of a picture")
        if not is_pdq(pdq):
            raise ValueError("a PDQ has 64 hex digits")
        return cls(str(obj["kind"]), (x, y, w, h), pdq, quality)


@dataclass(frozen=True, slots=True)
class Fingerprinted:
    """One input's fingerprints without any detector's findings: `media`, `hashes` and `views`, or `error`.

    `views` are those with a PDQ that can be matched, the whole picture first. They are empty when there is none;
    `hashes.note` then says why. `cached` says that it was not redone.
    """

    path: str
    media: Media | None = None
    hashes: Hashes | None = None
    views: tuple[View, ...] = ()
    error: CounterproofError | None = None
    sha256: str | None = None
    ms: float = 0.0
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the worker learnt from one file's bytes, before any verdict. This is what the cache keeps.

    `profile` is the check that the learned findings rest on, FAST or THOROUGH.
    """

    media: Media
    hashes: Hashes
    findings: tuple[Finding, ...]
    ms: float
    model_ms: float = 0.0
    metadata: Mapping[str, str] = field(default_factory=dict)
    profile: Profile = Profile.FAST

    def to_record(self) -> dict[str, Any]:
        """Everything as JSON-able values, for the pipe from the worker and for the cache."""
        return {
            "media": self.media.to_record(),
            "hashes": self.hashes.to_record(),
            "findings": [f.to_record() for f in self.findings],
            "ms": self.ms,
            "model_ms": self.model_ms,
            "metadata": dict(self.metadata),
            "profile": str(self.profile),
        }

    @classmethod
    def from_record(cls, obj: Mapping[str, Any]) -> Analysis:
        """The inverse of `to_record`. Raises KeyError, TypeError or ValueError when the object is malformed."""
        h, profile = obj["hashes"], Profile(obj["profile"])
        if profile not in CHECKS:
            raise ValueError("findings rest on one of the checks")
        return cls(
            media=Media.from_json(obj["media"]),
            hashes=Hashes.from_record(h),
            findings=tuple(Finding.from_record(f) for f in obj["findings"]),
            ms=float(obj["ms"]),
            model_ms=float(obj["model_ms"]),
            metadata={str(k): str(v) for k, v in obj["metadata"].items()},
            profile=profile,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """One input's outcome: `analysis` and `verdict`, or `error`; never both. `cached` says that it was not redone.

    `thumbnail` is a small blurred JPEG that the worker encoded, when it was asked for.
    """

    path: str
    analysis: Analysis | None = None
    verdict: Verdict | None = None
    error: CounterproofError | None = None
    sha256: str | None = None
    ms: float = 0.0
    cached: bool = False
    thumbnail: bytes | None = None

    @property
    def status(self) -> str:
        """`scanned`, `unreadable` or `refused`."""
        return "scanned" if self.error is None else self.error.status

    def to_json(self) -> dict[str, Any]:
        """The `counterproof.scan/1` object, with exactly its keys."""
        a, v = self.analysis, self.verdict
        return {
            "schema": SCHEMA,
            "path": self.path,
            "status": self.status,
            "error": None if self.error is None else self.error.to_json(),
            "sha256": self.sha256,
            "media": None if a is None else a.media.to_json(),
            "verdict": None if v is None else str(v.band),
            "p_synthetic": None if v is None or v.p_synthetic is None else round(v.p_synthetic, 4),
            "reasons": [] if v is None else list(v.reasons),
            "intimacy": None if a is None else intimacy(a.findings),
            "findings": [] if a is None else [f.to_json() for f in a.findings],
            "hashes": None if a is None else a.hashes.to_json(),
            "ms": round(self.ms, 2),
        }

    def to_line(self) -> str:
        """One line of JSON without the newline. ASCII only, so names that are not UTF-8 survive as \\udcXX."""
        return json.dumps(self.to_json(), ensure_ascii=True, separators=(",", ":"))


def is_pdq(text: str) -> bool:
    """Whether the text is a PDQ as it is exchanged: 64 lower-case hex digits."""
    return _PDQ.fullmatch(text) is not None


def intimacy(findings: tuple[Finding, ...]) -> dict[str, Any]:
    """The `intimacy` object: level `explicit`, `suggestive` or `none_found`; level and p None if it did not run."""
    f = next((f for f in findings if f.detector == "intimacy"), None)
    if f is None or f.state is not State.OK:
        return {"level": None, "p": None, "regions": []}
    regions: list[Region] = [r for r in f.regions if r.kind != "face"]
    return {"level": f.details["level"], "p": f.score, "regions": [r.to_json() for r in regions]}
