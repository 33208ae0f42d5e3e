"""One report in words: for the detail pane (HTML for a text view that loads nothing) and for the clipboard. Qt-free.

Everything that comes from a file is escaped and cut to a sane length; long free text that a file carries (prompts,
comments) can be distressing, so it is shown only on request.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from desktop.window import words
from desktop.window.table import Row, Status, status_word
from desktop.window.words import translate
from detectors.errors import CounterproofError
from detectors.finding import Finding, Overlay, Profile, Region, Role
from detectors.report import Analysis, Hashes, Report
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
        parts += _verdict(report.verdict, report.analysis)
    if report.analysis is not None:
        parts += _analysis(report, report.analysis, wanted)
    return parts


def has_free_text(row: Row) -> bool:
    """Whether there is text from the file that is shown only on request."""
    report = row.report
    analysis = None if report is None else report.analysis
    if analysis is None:
        return False
    shown = [analysis.metadata, *(_noted(f) for f in analysis.findings)]
    return any(_is_free_text(k, _text(v)) for facts in shown for k, v in facts.items())


def as_html(row: Row, wanted: Wanted) -> str:
    """The detail as rich text."""
    return html_of(sections(row, wanted))


def html_of(parts: Iterable[Section], first: str = "h2", others: str = "h3") -> str:
    """Rich text: headings, paragraphs, tables. Holds no link, no image and no style of its own."""
    out: list[str] = []
    for number, section in enumerate(parts):
        level = first if number == 0 else others
        out.append(f"<{level}>{html.escape(section.title)}</{level}>")
        out += [f"<p>{html.escape(p)}</p>" for p in section.paragraphs]
        if section.pairs:
            cells = "".join(
                f'<tr><td width="38%" style="padding: 2px 10px 2px 0">{html.escape(k)}</td>'
                f'<td style="padding: 2px 0">{html.escape(v)}</td></tr>'
                for k, v in section.pairs
            )
            out.append(f'<table width="100%" cellspacing="0" cellpadding="0">{cells}</table>')
    return "".join(out)


def as_text(row: Row, wanted: Wanted) -> str:
    """The same as plain text, for the clipboard."""
    return text_of(row.name, sections(row, wanted))


def text_of(name: str, parts: Iterable[Section]) -> str:
    """Plain text, with `name` on top."""
    out = [name]
    for section in parts:
        out += ["", section.title]
        out += list(section.paragraphs)
        out += [f"{k}: {v}" for k, v in section.pairs]
    return "\n".join(out) + "\n"


def numbered_regions(report: Report) -> list[Region]:
    """All regions of all findings, in the order in which they are numbered on the picture and in the list.

    The learned detectors' and the source match's come first. A face that two detectors mark is there once.
    """
    return [] if report.analysis is None else regions_of(report.analysis.findings)


def regions_of(findings: Iterable[Finding]) -> list[Region]:
    """As `numbered_regions`, of findings."""
    return [r for _, r in _marked(findings)]


def overlays(report: Report) -> dict[str, Overlay]:
    """The maps to lay over the picture, by detector."""
    found = () if report.analysis is None else report.analysis.findings
    return {f.detector: overlay for f in found if (overlay := f.overlay) is not None}


def _marked(findings: Iterable[Finding]) -> list[tuple[Finding, Region]]:
    found: dict[tuple[str, tuple[int, int, int, int]], tuple[Finding, Region]] = {}
    for finding in sorted(findings, key=lambda f: f.role not in (Role.LEARNED, Role.SOURCE)):
        for region in finding.regions:
            kind = "face" if region.kind in ("face", "swapped_face") else region.kind
            found.setdefault((kind, region.box), (finding, region))
    return list(found.values())


def _no_report(status: Status) -> str:
    if status is Status.STOPPED:
        return translate("detail", "You stopped before this file’s turn. Add it again to have it checked.")
    if status is Status.LEFT_OUT:
        return translate(
            "detail",
            "You left this file out: it is not opened, and nothing of it is kept. To have it checked, add it again.",
        )
    return translate("detail", "This file is waiting for its turn.")


def _error(error: CounterproofError, status: Status) -> Section:
    return Section(status_word(status), (words.visible(error.message), words.visible(error.remedy)))


def _verdict(verdict: Verdict, analysis: Analysis | None) -> list[Section]:
    paragraphs = [words.verdict_meaning(verdict.band)]
    if likelihood := words.likelihood(verdict.band, verdict.p_synthetic):
        said = translate("detail", "Estimated likelihood that a generative tool made or changed it: {likelihood}.")
        paragraphs.append(said.format(likelihood=likelihood))
    if analysis is not None:
        paragraphs.append(_check(analysis.profile))
    reasons = tuple(shorten(words.visible(r)) for r in verdict.reasons)
    parts = [Section(words.verdict(verdict.band), tuple(paragraphs))]
    if reasons:
        parts.append(Section(translate("detail", "Why"), reasons))
    return parts


def _check(profile: Profile) -> str:
    """Which check the verdict rests on, and what that means."""
    if profile is Profile.THOROUGH:
        return translate("detail", "This rests on the thorough check.")
    return translate(
        "detail", "This rests on the quick check. The thorough one takes about a second and looks for more."
    )


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
        *_third_party(analysis),
        Section(translate("detail", "Marked areas"), *_regions(report)),
        Section(translate("detail", "The file"), pairs=(*facts, *_facts(analysis.metadata, wanted))),
    ]
    technical = _technical(analysis, wanted)
    if technical:
        parts.append(Section(translate("detail", "Technical details"), pairs=technical))
    if wanted.hashes:
        parts.append(fingerprints(analysis.hashes))
    return parts


def _technical(analysis: Analysis, wanted: Wanted) -> Pairs:
    """What the detectors noted beyond their sentence, and the exact models that spoke."""
    pairs: list[tuple[str, str]] = []
    for finding in analysis.findings:
        name = words.detector(finding.detector)
        pairs += [(f"{name}: {key.replace('_', ' ')}", value) for key, value in _facts(_noted(finding), wanted)]
        if finding.model is not None:
            pairs.append((f"{name}: {translate('detail', 'model')}", f"{finding.model.id}, {finding.model.sha256}"))
    return tuple(pairs)


def _findings(analysis: Analysis) -> Pairs:
    """Every detector with its state in words, whatever the state; intimacy and hints after what counts."""
    order = (Role.DECLARED, Role.SOURCE, Role.LEARNED, Role.INTIMACY, Role.CONTEXT)
    pairs: list[tuple[str, str]] = []
    ours = [f for f in analysis.findings if not words.third_party(f.detector)]
    for finding in sorted(ours, key=lambda f: order.index(f.role)):
        pairs.append((words.detector(finding.detector), _finding(finding)))
    return tuple(pairs)


def _third_party(analysis: Analysis) -> list[Section]:
    """What models say that the user added, apart from ours; nothing where there are none."""
    others = [f for f in analysis.findings if words.third_party(f.detector)]
    if not others:
        return []
    counted = any(f.role is Role.LEARNED for f in others)
    note = (
        translate("detail", "Those that you chose to count take part in the verdict; the others do not.")
        if counted
        else translate("detail", "They take no part in the verdict.")
    )
    pairs = tuple((words.detector(f.detector), _finding(f)) for f in others)
    return [Section(translate("detail", "Other models that you added"), (note,), pairs)]


def _noted(finding: Finding) -> Mapping[str, Any]:
    """What a detector noted, without what is shown elsewhere: the map on the picture, the sentence in the list."""
    return {k: v for k, v in finding.details.items() if k not in ("map", "in_short")}


def _finding(finding: Finding) -> str:
    return f"{words.finding_state(finding.state)}. {shorten(words.visible(finding.in_short))}"


def _regions(report: Report) -> tuple[tuple[str, ...], Pairs]:
    marked = [] if report.analysis is None else _marked(report.analysis.findings)
    if not marked:
        return (translate("detail", "No area is marked."),), ()
    place = translate("detail", "{x}, {y} from the top left corner; {width} × {height} pixels")
    pairs = []
    for number, (finding, region) in enumerate(marked, start=1):
        x, y, width, height = region.box
        name = f"{number}. {words.region(region.kind)}"
        where = place.format(x=x, y=y, width=width, height=height)
        by = f"; {words.detector(finding.detector)}" if finding.role is Role.LEARNED else ""
        pairs.append((name, where + by))
    return (), tuple(pairs)


def fingerprints(h: Hashes) -> Section:
    """Hashes, with what they are for."""
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
            pairs.append((_fact_name(words.visible(str(key))), shorten(text)))
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


def shorten(text: str) -> str:
    """A text cut to a sane length."""
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"
