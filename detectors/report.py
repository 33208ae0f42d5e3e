"""Report: everything about one input, and its form as one line of `counterproof.scan/1`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from detectors.errors import CounterproofError
from detectors.finding import CHECKS, Finding, Profile, Region, State
from detectors.intake.media import Media
from detectors.verdict import Verdict

SCHEMA = "counterproof.scan/1"


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
            "media": {**self.media.to_json(), "frames": self.media.frames, "notes": list(self.media.notes)},
            "hashes": {**self.hashes.to_json(), "note": self.hashes.note},
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
            hashes=Hashes(
                sha256=str(h["sha256"]),
                md5=str(h["md5"]),
                pdq=None if h["pdq"] is None else str(h["pdq"]),
                pdq_quality=None if h["pdq_quality"] is None else int(h["pdq_quality"]),
                phash=None if h["phash"] is None else str(h["phash"]),
                note=str(h["note"]),
            ),
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


def intimacy(findings: tuple[Finding, ...]) -> dict[str, Any]:
    """The `intimacy` object: level `explicit`, `suggestive` or `none_found`; level and p None if it did not run."""
    f = next((f for f in findings if f.detector == "intimacy"), None)
    if f is None or f.state is not State.OK:
        return {"level": None, "p": None, "regions": []}
    regions: list[Region] = [r for r in f.regions if r.kind != "face"]
    return {"level": f.details["level"], "p": f.score, "regions": [r.to_json() for r in regions]}
