"""The words that people read, in one place for command line, files and window; and file names made safe to show."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from typing import Any

NOT_CHECKED = "not_checked"
# How the name of a model that the user added begins among the detectors.
THIRD_PARTY = "third_party:"

# Strongest first: the order of lists, filters and sorting. `not_checked` stands for files without a verdict.
VERDICTS: Mapping[str, str] = {
    "declared_synthetic": "Says it is synthetic",
    "matched_source": "Source photo found",
    "likely_synthetic": "Likely synthetic",
    "inconclusive": "Can't tell",
    "no_signs": "No signs found",
    NOT_CHECKED: "Not checked",
}

# The same in a count: for one file, and for several.
COUNTED: Mapping[str, tuple[str, str]] = {
    "declared_synthetic": ("says it is synthetic", "say they are synthetic"),
    "matched_source": ("with its source photo found", "with their source photos found"),
    "likely_synthetic": ("likely synthetic", "likely synthetic"),
    "inconclusive": ("can't tell", "can't tell"),
    "no_signs": ("with no signs found", "with no signs found"),
    NOT_CHECKED: ("not checked", "not checked"),
}

_WITH_LIKELIHOOD = {"likely_synthetic", "inconclusive"}

INTIMACY: Mapping[str | None, str] = {
    "explicit": "Explicit",
    "suggestive": "Suggestive",
    "none_found": "None found",
    None: "Not checked",
}

STATES: Mapping[str, str] = {
    "ok": "Checked",
    "inconclusive": "Can't tell",
    "not_applicable": "Does not apply",
    "failed": "Did not run",
}

# The checks that a result can rest on.
CHECKS: Mapping[str, str] = {"fast": "Quick check", "thorough": "Thorough check"}

DETECTORS: Mapping[str, str] = {
    "c2pa": "Content Credentials (C2PA)",
    "declared_metadata": "Declared in the metadata",
    "generation_parameters": "Generation settings in the file",
    "watermark": "Invisible watermark",
    "visible_mark": "Visible mark of a generator",
    "source_match": "Comparison with your own photos",
    "camera_exif": "Camera information (only a hint)",
    "generated": "Learned detector: whole picture",
    "face_swap": "Learned detector: faces",
    "local_edit": "Learned detector: edited areas",
    "compression": "Compression traces (only a hint)",
    "intimacy": "Intimacy (never proof)",
}

# Maps are laid over pictures in a violet that few photographs have and that alarms nobody; so much covers them at most.
MAP_COLOUR = (112, 48, 224)
MAP_OPACITY = 170  # of 255

# Kinds of areas that detectors mark, where the name alone would not do.
REGIONS: Mapping[str, str] = {
    "face": "Face",
    "swapped_face": "Face that looks swapped",
    "edited": "Edited area",
    "kept": "Kept from your photo",
    "altered": "Replaced",
}

# Characters that draw nothing, reorder a line or end it: in a name they can only mislead.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Joiners are ordinary spelling in Persian, Indic scripts and emoji, and they reorder nothing.
_JOINERS = {"\u200c", "\u200d"}


def verdict_key(record: Mapping[str, Any]) -> str:
    """The key of `VERDICTS` for one `counterproof.scan/1` object."""
    verdict = record["verdict"]
    return NOT_CHECKED if verdict is None else str(verdict)


def detector(name: str) -> str:
    """A detector's name in words; one that is not known here keeps its own name, with spaces."""
    if third_party(name):
        return f"{visible(name.removeprefix(THIRD_PARTY))} (added by you)"
    return DETECTORS.get(name) or visible(name).replace("_", " ").capitalize()


def region(kind: str) -> str:
    """A marked area's kind in words."""
    return REGIONS.get(kind) or visible(kind).replace("_", " ").capitalize()


def third_party(name: str) -> bool:
    """Whether a detector is a model that the user added."""
    return name.startswith(THIRD_PARTY)


def likelihood(verdict: str, p: float | None) -> str:
    """The chance to show beside a verdict, or nothing where a number would mislead.

    Beside "No signs found" it would frighten, and what a file says of itself has no measured chance.
    """
    return chance(p) if verdict in _WITH_LIKELIHOOD else ""


def chance(p: float | None) -> str:
    """A probability, 0..1, as a count out of ten or so; a bare percentage would look more exact than it is."""
    if p is None:
        return "not known"
    if p < 0.015:
        return "under 2 in 100"
    if p < 0.075:
        return "about 1 in 20"
    if p >= 0.985:
        return "over 98 in 100"
    if p >= 0.925:
        return "about 19 in 20"
    return f"about {max(1, min(9, round(p * 10)))} in 10"


def visible(text: str) -> str:
    """The text on one line with nothing hidden in it: control, bidi and undecodable characters become escapes.

    A byte that was not UTF-8 (a lone surrogate U+DC80..DCFF, PEP 383) becomes \\xNN, the rest \\n, \\u202e and so on.
    """
    if text.isprintable():  # nearly always so; then none of its characters is in a hidden category
        return text
    return "".join(c if _plain(c) else _escape(c) for c in text)


def _plain(char: str) -> bool:
    return char in _JOINERS or unicodedata.category(char) not in _HIDDEN


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return ascii(char)[1:-1]


def width(text: str) -> int:
    """How many terminal columns the text takes: wide East Asian characters 2, combining marks and joiners 0."""
    if text.isascii():
        return len(text)
    return sum(_columns(c) for c in text)


def _columns(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def terminal_columns() -> int:
    """The terminal's width: COLUMNS where it is set, then what the terminal says, then 80."""
    # shutil.get_terminal_size does the same and costs a quick start four compression libraries.
    if (asked := os.environ.get("COLUMNS", "")).isdigit() and int(asked) > 0:
        return int(asked)
    for descriptor in (1, 2):
        try:
            return os.get_terminal_size(descriptor).columns
        except OSError:
            continue
    return 80


def fit(text: str, columns: int) -> str:
    """The text in at most that many columns, cut in the middle: the end of a path is what tells files apart."""
    if width(text) <= columns:
        return text
    tail_room = (columns - 1) * 2 // 3
    tail = _take(reversed(text), tail_room)[::-1]
    return _take(text, columns - 1 - width(tail)) + "…" + tail


def _take(chars: Any, columns: int) -> str:
    taken, used = [], 0
    for char in chars:
        used += _columns(char)
        if used > columns:
            break
        taken.append(char)
    return "".join(taken)


def count(n: int, one: str, many: str) -> str:
    """`1 file`, `2,000 files`."""
    return f"{n:,} {one if n == 1 else many}"


def duration(seconds: float) -> str:
    """A length of time as people say it: `40 s`, `3 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
