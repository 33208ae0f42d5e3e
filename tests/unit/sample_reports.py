"""Reports made up for the writers' tests: every verdict, a file that was not checked, and hostile text everywhere."""

from __future__ import annotations

from typing import Any

from detectors.errors import FileUnreadable
from detectors.finding import Finding, ModelRef, Region, Role, State
from detectors.intake.media import Media
from detectors.report import Analysis, Hashes, Report
from detectors.verdict import Band, Bands, Verdict

BANDS = Bands(
    likely=0.9, clear=0.2, false_positive_rate=0.01, recall=0.61, miss_rate=0.12, n_real=1000, n_synthetic=2000
)
MODEL = ModelRef("generated-test", "ab" * 32)
# Markup, a script, an attribute break, a bidi override, a line break, a NUL, a byte that is not UTF-8, an emoji.
HOSTILE = (
    "\"'><script>alert(1)</script><img src=x onerror=alert(2)>\u202egpj.exe\n"
    "=cmd|' /C calc'!A0\0\udce9 \U0001f469\u200d\U0001f680"
)


def report(
    path: str = "in/photo.jpg",
    band: Band = Band.LIKELY_SYNTHETIC,
    p: float | None = 0.93,
    says: str = "Looks generated.",
    details: dict[str, Any] | None = None,
    metadata: dict[str, str] | None = None,
    thumbnail: bytes | None = None,
    level: str = "none_found",
) -> Report:
    """A scanned file's report."""
    findings = (
        Finding("c2pa", Role.DECLARED, State.OK, 0.0, says, details=details or {}, ms=1.0),
        Finding("generated", Role.LEARNED, State.OK, p, says, (Region("face", (1, 2, 3, 4), 0.5),), MODEL, 41.0),
        Finding("intimacy", Role.INTIMACY, State.OK, 0.03, says, details={"level": level}),
        Finding("watermark", Role.DECLARED, State.FAILED, None, f"The watermark check did not run: {says}"),
    )
    hashes = Hashes("cd" * 32, "ef" * 16, "01" * 32, 100, "23" * 8)
    analysis = Analysis(Media("JPEG", 1024, 768, 123456), hashes, findings, 78.0, 40.0, metadata or {})
    verdict = Verdict(band, p, (says, "One more reason."))
    return Report(path, analysis, verdict, sha256="cd" * 32, ms=78.0, thumbnail=thumbnail)


def unreadable(path: str = "in/cut.jpg", message: str = "The file is cut short.") -> Report:
    """A file that could not be read."""
    return Report(path, error=FileUnreadable("truncated", message, "Ask for the file again."), sha256="00" * 32)


def one_of_each() -> list[Report]:
    """One report for each verdict, then one that was not checked."""
    chances = {Band.DECLARED_SYNTHETIC: 0.99, Band.NO_SIGNS: 0.04, Band.INCONCLUSIVE: 0.5}
    return [*(report(f"in/{b}.jpg", b, chances.get(b, 0.93)) for b in Band), unreadable()]
