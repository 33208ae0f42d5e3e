"""One report in words: for the detail pane (HTML for a text view that loads nothing) and for the clipboard. Qt-free.

Everything that comes from a file is escaped and cut to a sane length; long free text that a file carries (prompts,
comments) can be distressing, so it is shown only on request.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from desktop.window import words
from desktop.window.table import Row, Status, status_word
from desktop.window.words import translate
from detectors.errors import CounterproofError
from detectors.finding import Finding, Region, Role
from detectors.report import Analysis, Report
from detectors.verdict import Verdict

MAX_VALUE = 2000
LONG = 80
FREE_TEXT = ("prompt", "parameters", "comment", "description", "caption", "workflow", "title", "keywords")

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with paragraphs and a two-column list under it; any of them may be empty."""

    title: str
    paragraphs: tuple[str, ...] = ()
    pairs: Pairs = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked to see beyond the usual."""

    hashes: bool = False
    free_text: bool = False


def sections(row: Row, wanted: Wanted) -> list[Section]:
    """The detail pane's content for one row."""
    report = row.report
    if report is None:
        return [Section(status_word(row.status), (_no_report(row.status),))]
    if report.error is not None:
        return [_error(report.error, row.status)]
    parts: list[Section] = []
    if report.verdict is not None:
        parts += _verdict(report.verdict)
    if report.analysis is not None:
        parts += _analysis(report, report.analysis, wanted)
    return parts


def has_free_text(row: Row) -> bool:
    """Whether there is text from the file that is shown only on request."""
    report = row.report
    analysis = None if report is None else report.analysis
    if analysis is None:
        return False
    shown = [analysis.metadata, *(f.details for f in analysis.findings)]
    return any(_is_free_text(k, _text(v)) for facts in shown for k, v in facts.items())


def as_html(row: Row, wanted: Wanted) -> str:
    """The detail as rich text: headings, paragraphs, tables. Holds no link, no image and no style of its own."""
    out: list[str] = []
    for number, section in enumerate(sections(row, wanted)):
        level = "h2" if number == 0 else "h3"
        out.append(f"<{level}>{html.escape(section.title)}</{level}>")
        out += [f"<p>{html.escape(p)}</p>" for p in section.paragraphs]
        if section.pairs:
            cells = "".join(
                f'<tr><td style="padding: 2px 10px 2px 0">{html.escape(k)}</td>'
                f'<td style="padding: 2px 0">{html.escape(v)}</td></tr>'
                for k, v in section.pairs
            )
            out.append(f'<table cellspacing="0" cellpadding="0">{cells}</table>')
    return "".join(out)


def as_text(row: Row, wanted: Wanted) -> str:
    """The same as plain text, for the clipboard."""
    out = [row.name]
    for section in sections(row, wanted):
        out += ["", section.title]
        out += list(section.paragraphs)
        out += [f"{k}: {v}" for k, v in section.pairs]
    return "\n".join(out) + "\n"


def numbered_regions(report: Report) -> list[Region]:
    """All regions of all findings, in the order in which they are numbered on the picture and in the list."""
    return [] if report.analysis is None else [r for f in report.analysis.findings for r in f.regions]


def _no_report(status: Status) -> str:
    if status is Status.STOPPED:
        return translate("detail", "You stopped before this file’s turn. Add it again to have it checked.")
    return translate("detail", "This file is waiting for its turn.")


def _error(error: CounterproofError, status: Status) -> Section:
    return Section(status_word(status), (words.visible(error.message), words.visible(error.remedy)))


def _verdict(verdict: Verdict) -> list[Section]:
    paragraphs = [words.verdict_meaning(verdict.band)]
    if likelihood := words.likelihood(verdict.band, verdict.p_synthetic):
        said = translate("detail", "Estimated likelihood that a generative tool made or changed it: {likelihood}.")
        paragraphs.append(said.format(likelihood=likelihood))
    reasons = tuple(_shorten(words.visible(r)) for r in verdict.reasons)
    parts = [Section(words.verdict(verdict.band), tuple(paragraphs))]
    if reasons:
        parts.append(Section(translate("detail", "Why"), reasons))
    return parts


def _analysis(report: Report, analysis: Analysis, wanted: Wanted) -> list[Section]:
    media = analysis.media
    size = translate("detail", "{width} × {height} pixels, {kilobytes} KB").format(
        width=media.width, height=media.height, kilobytes=max(1, round(media.bytes / 1024))
    )
    facts: list[tuple[str, str]] = [
        (translate("detail", "Format"), media.format),
        (translate("detail", "Size"), size),
        *((translate("detail", "Note"), words.visible(n)) for n in media.notes),
    ]
    parts = [
        Section(translate("detail", "What each detector found"), pairs=_findings(analysis)),
        Section(translate("detail", "Marked areas"), *_regions(report)),
        Section(translate("detail", "The file"), pairs=(*facts, *_facts(analysis.metadata, wanted))),
    ]
    technical = _technical(analysis, wanted)
    if technical:
        parts.append(Section(translate("detail", "Technical details"), pairs=technical))
    if wanted.hashes:
        parts.append(_hashes(analysis))
    return parts


def _technical(analysis: Analysis, wanted: Wanted) -> Pairs:
    """What the detectors noted beyond their sentence, and the exact models that spoke."""
    pairs: list[tuple[str, str]] = []
    for finding in analysis.findings:
        name = words.detector(finding.detector)
        pairs += [(f"{name}: {key.replace('_', ' ')}", value) for key, value in _facts(finding.details, wanted)]
        if finding.model is not None:
            pairs.append((f"{name}: {translate('detail', 'model')}", f"{finding.model.id}, {finding.model.sha256}"))
    return tuple(pairs)


def _findings(analysis: Analysis) -> Pairs:
    """Every detector with its state in words, whatever the state; intimacy and hints after what counts."""
    order = (Role.DECLARED, Role.LEARNED, Role.INTIMACY, Role.CONTEXT)
    pairs: list[tuple[str, str]] = []
    for finding in sorted(analysis.findings, key=lambda f: order.index(f.role)):
        pairs.append((words.detector(finding.detector), _finding(finding)))
    return tuple(pairs)


def _finding(finding: Finding) -> str:
    return f"{words.finding_state(finding.state)}. {_shorten(words.visible(finding.in_short))}"


def _regions(report: Report) -> tuple[tuple[str, ...], Pairs]:
    regions = numbered_regions(report)
    if not regions:
        return (translate("detail", "No area is marked."),), ()
    place = translate("detail", "{x}, {y} from the top left corner; {width} × {height} pixels")
    pairs = []
    for number, region in enumerate(regions, start=1):
        x, y, width, height = region.box
        name = f"{number}. {words.region(region.kind)}"
        pairs.append((name, place.format(x=x, y=y, width=width, height=height)))
    return (), tuple(pairs)


def _hashes(analysis: Analysis) -> Section:
    h = analysis.hashes
    pdq = h.pdq or translate("detail", "none")
    if h.pdq_quality is not None:
        pdq += " " + translate("detail", "(quality {quality} of 100)").format(quality=h.pdq_quality)
    pairs = (("SHA-256", h.sha256), ("MD5", h.md5), ("PDQ", pdq), ("pHash", h.phash or translate("detail", "none")))
    care = translate(
        "detail",
        "Fingerprints let a platform find copies without seeing the picture. "
        "Treat them as private: PDQ and pHash hint at what the picture looks like.",
    )
    return Section(translate("detail", "Fingerprints"), (care, *((h.note,) if h.note else ())), pairs)


def _facts(facts: Mapping[str, Any], wanted: Wanted) -> Pairs:
    hidden = translate("detail", "Text from the file; not shown until you ask for it.")
    pairs = []
    for key, value in facts.items():
        text = _text(value)
        if text and _is_free_text(key, text) and not wanted.free_text:
            text = hidden
        if text:
            pairs.append((_fact_name(words.visible(str(key))), _shorten(text)))
    return tuple(pairs)


def _fact_name(key: str) -> str:
    """The engine's "exif.Model" as "EXIF: Model"; other names as they are."""
    kind, dot, name = key.partition(".")
    return f"{kind.upper()}: {name}" if dot and kind in ("exif", "iptc", "xmp", "text") else key


def _text(value: object) -> str:
    """A JSON-able value as one line."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return translate("detail", "yes") if value else translate("detail", "no")
    if isinstance(value, Mapping):
        return "; ".join(f"{words.visible(str(k))}: {_text(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(v) for v in value)
    return words.visible(str(value))


def _is_free_text(key: str, text: str) -> bool:
    return len(text) > LONG or (bool(text) and any(word in key.casefold() for word in FREE_TEXT))


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"
