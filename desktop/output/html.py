"""One self-contained report page: it loads nothing, holds no clear picture, and is written row by row."""

from __future__ import annotations

import base64
import html
import os
import shutil
import struct
import tempfile
import time
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from desktop import words
from desktop.output import page
from desktop.output.writer import Tally, cannot_write, check_replaceable
from desktop.words import MAP_COLOUR, MAP_OPACITY
from detectors import __version__, wording
from detectors.finding import CHECKS, Overlay, Profile, Role
from detectors.report import Report
from detectors.verdict import Bands

Points = Mapping[Profile, Mapping[str, Bands]]
TITLE = "Counterproof report"
# A prompt or a workflow can be megabytes; a page is for reading.
_LONGEST = 1500
_INTIMACY_RANK: Mapping[str | None, int] = {"explicit": 0, "suggestive": 1, "none_found": 2, None: 3}


class HtmlWriter:
    """Rows go to a file without a name beside the target; at the end the page is put together and renamed into place.

    So a kill in the middle of a scan leaves no file names or fingerprints behind; only one in the moment in which the
    page is put together could.
    """

    def __init__(self, path: str, points: Points) -> None:
        """`points` are the operating points of the checks that are used. Raises OutputError."""
        check_replaceable(path, (page.MARK,))
        self._path, self._points, self._count = path, points, 0
        self._parent = os.path.dirname(os.path.abspath(path))
        try:
            if os.path.exists(path) and not os.access(path, os.W_OK):
                raise PermissionError(13, os.strerror(13))
            self._rows = tempfile.TemporaryFile(dir=self._parent, prefix=".counterproof-")  # noqa: SIM115 - see `abandon`
        except OSError as error:
            raise cannot_write(path, error) from error

    def write(self, record: Mapping[str, Any], report: Report | None) -> None:
        """One row. Raises OutputError."""
        self._count += 1
        try:
            self._rows.write(row(record, report, self._count).encode("utf-8"))
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def finish(self, tally: Tally) -> None:
        """The whole page, in place at once; until then the old one, if any, stands. Raises OutputError."""
        try:
            self._rows.seek(0)
            # It needs a name, and one in the same folder, to take the target's place at once.
            whole = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed below, and kept under another name
                dir=self._parent, prefix=".counterproof-", suffix=".tmp", delete=False
            )
            try:
                with whole:
                    whole.write((page.head(TITLE) + top(tally)).encode("utf-8"))
                    shutil.copyfileobj(self._rows, whole, 1 << 20)
                    whole.write((bottom(tally, self._points) + page.script() + "</body>\n</html>\n").encode("utf-8"))
                    whole.flush()
                    os.fsync(whole.fileno())
                os.replace(whole.name, self._path)
            except OSError:
                os.unlink(whole.name)
                raise
        except OSError as error:
            raise cannot_write(self._path, error) from error
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the rows that were set aside; the system then deletes them."""
        self._rows.close()

    @property
    def temporary(self) -> str | None:
        """The path of the rows on Windows, where they must have one: they are no input of the scan. Else None."""
        return self._rows.name if isinstance(self._rows.name, str) else None


def _text(value: object) -> str:
    """Any text from a file, on one line, without hidden characters, escaped for HTML."""
    shown = words.visible(str(value))
    return html.escape(shown if len(shown) <= _LONGEST else shown[:_LONGEST] + " … (cut)")


def top(tally: Tally) -> str:
    """Heading, counts with the filter, what was not checked and why, and the table's head."""
    when = time.strftime("%d %B %Y, %H:%M").lstrip("0")
    stopped = "<p>The scan was stopped before all files were checked. This page holds what was done.</p>"
    boxes = "".join(
        f'<label><input type="checkbox" checked value="{key}">{_text(label)}: {n:,}</label>'
        for key, label in words.VERDICTS.items()
        if (n := tally.verdicts.get(key, 0))
    )
    return (
        f"<body>\n<header><h1>{TITLE}</h1>"
        f'<p class="soft">{words.count(tally.total, "file", "files")}, checked on this computer on {when}. '
        "Pictures are shown small, grey and blurred; no clear one is in this page. "
        "It does hold file names and fingerprints, so share it with care.</p>"
        f"{stopped if tally.stopped else ''}</header>\n<main>\n"
        f'<fieldset class="counts"><legend>Show</legend>{boxes}</fieldset>'
        '<p class="find"><label>Part of a file name <input type="search" id="search"></label></p>'
        f"{_not_checked(tally)}{_failed(tally)}"
        '<p class="soft" id="shown" role="status"></p><table role="table"><thead role="rowgroup"><tr role="row">'
        '<th role="columnheader" scope="col" class="c-pic">Picture</th>'
        f"{_heading('verdict', 'Verdict')}{_heading('chance', 'Likelihood')}{_heading('intimacy', 'Intimacy')}"
        f"{_heading('format', 'Format')}{_heading('file', 'File')}"
        '</tr></thead>\n<tbody role="rowgroup">\n'
    )


def _heading(key: str, label: str) -> str:
    return (
        f'<th role="columnheader" scope="col" class="c-{key}">'
        f'<button type="button" data-key="{key}">{label}</button></th>'
    )


def _not_checked(tally: Tally) -> str:
    if not tally.errors:
        return ""
    items = "".join(
        f"<li>{words.count(n, 'file', 'files')}: {_text(message)} {_text(remedy)}</li>"
        for message, remedy, n in tally.errors.values()
    )
    return f"<h2>Not checked, and why</h2><ul>{items}</ul>"


def _failed(tally: Tally) -> str:
    if not tally.failed:
        return ""
    items = "".join(f"<li>{words.count(n, 'file', 'files')}: {_text(says)}</li>" for says, n in tally.failed.values())
    return f"<h2>Checks that did not run</h2><ul>{items}</ul>"


def row(record: Mapping[str, Any], report: Report | None, number: int) -> str:
    """One file's row; reasons, findings and fingerprints unfold inside it. A late one waits as a comment."""
    key, error = words.verdict_key(record), record["error"]
    likelihood = words.likelihood(key, record["p_synthetic"])
    # The column is sorted by what it shows.
    p = record["p_synthetic"] if likelihood else None
    level = record["intimacy"]["level"] if record["intimacy"] else None
    media = record["media"] or {}
    blurred = None if report is None else report.thumbnail
    picture = (
        '<span class="nopic"></span>'
        if blurred is None
        else f'<img alt="" decoding="async" src="data:image/jpeg;base64,{base64.b64encode(blurred).decode()}">'
    )
    body = f"<p>{_text(error['message'])} {_text(error['remedy'])}</p>" if error else _why(record, report, number)
    element = (
        f'<tr role="row" class="v-{_text(key)}" data-n="{number}" data-v="{_text(key)}"'
        f' data-p="{"" if p is None else p}" data-i="{_INTIMACY_RANK.get(level, 3)}"'
        f' data-f="{_text(media.get("format") or "")}">'
        f'<td role="cell" class="pic">{picture}</td>'
        f'<td role="cell"><span class="chip">{_text(words.VERDICTS.get(key, key))}</span></td>'
        + _cell("Likelihood", likelihood)
        + _cell("Intimacy", "" if error else words.INTIMACY.get(level, ""))
        + _cell("Format", media.get("format") or "")
        + f'<th role="rowheader" scope="row"><bdi class="name">{_text(record["path"])}</bdi>{body}</th></tr>'
    )
    # No text from a file can end the comment early: every ">" in it is escaped.
    return f"{element}\n" if number <= page.DRAWN else f"<!--{element}-->\n"


def _cell(label: str, value: str) -> str:
    named = f' data-label="{label}"' if value else ""
    return f'<td role="cell"{named}>{_text(value)}</td>'


def _why(record: Mapping[str, Any], report: Report | None, number: int) -> str:
    reasons = "".join(f"<li>{_text(r)}</li>" for r in record["reasons"])
    # Without words taken from the file, where that is known: a prompt can be abusive, so it unfolds only on request.
    known = report.analysis.findings if report is not None and report.analysis is not None else ()
    in_short = {f.detector: f.in_short for f in known}
    ours, others = "", ""
    for f in record["findings"]:
        line = _finding(f, in_short.get(f["detector"], f["says"]))
        ours, others = (ours, others + line) if words.third_party(f["detector"]) else (ours + line, others)
    added = f"<h3>Other models that you added</h3><dl>{others}</dl>" if others else ""
    return (
        f'<details class="why"><summary>Reasons and details</summary><div><h3>Why</h3><ul>{reasons}</ul>'
        f"{_where(report, number)}<h3>What was looked at</h3>{_check(report)}<dl>{ours}</dl>{added}"
        f"{_facts(record, report)}{_fingerprints(record)}</div></details>"
    )


def _where(report: Report | None, number: int) -> str:
    """The areas that learned detectors and the source match marked, and their maps, over the veiled picture.

    Without those of the intimacy check: an outline of a body part would tell what the veil hides.
    """
    analysis = None if report is None else report.analysis
    if report is None or analysis is None:
        return ""
    learned = [f for f in analysis.findings if f.role in (Role.LEARNED, Role.SOURCE)]
    marked = [(f, r) for f in learned for r in f.regions]
    maps = [overlay for f in learned if (overlay := f.overlay) is not None]
    if not marked and not maps:
        return ""
    width, height = analysis.media.width, analysis.media.height
    layers = "".join(_image(f"image/png;base64,{_coloured(m)}", m.box, "layer") for m in maps)
    veiled = report.thumbnail or b""
    under = _image(f"image/jpeg;base64,{base64.b64encode(veiled).decode()}", (0, 0, width, height)) if veiled else ""
    outlines = "".join(_outline(r.box, n, max(width, height)) for n, (_, r) in enumerate(marked, start=1))
    names = "".join(f"<li>{_text(words.region(r.kind))}. {_text(words.detector(f.detector))}.</li>" for f, r in marked)
    switch = f'<input type="checkbox" id="m{number}" checked> <label for="m{number}">Show the map</label>'
    return (
        f'<h3>Where</h3><div class="where">{switch if maps else ""}'
        f'<svg role="img" aria-label="The veiled picture with what was marked" viewBox="0 0 {width} {height}">'
        f'<rect width="{width}" height="{height}" class="sheet"/>{under}{layers}{outlines}</svg><ol>{names}</ol></div>'
    )


def _image(data: str, box: tuple[int, int, int, int], kind: str = "") -> str:
    x, y, width, height = box
    place = f'x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="none"'
    return f'<image class="{kind}" {place} href="data:{data}"/>'


def _outline(box: tuple[int, int, int, int], number: int, longest: int) -> str:
    """A light line on a dark one, seen on any picture, and the number of the area."""
    x, y, width, height = box
    place = f'x="{x}" y="{y}" width="{width}" height="{height}"'
    size = longest / 16
    wide = size * (0.3 + 0.7 * len(str(number)))
    return (
        f'<rect class="dark" {place}/><rect class="light" {place}/>'
        f'<rect class="tag" x="{x}" y="{y}" width="{wide:.0f}" height="{size:.0f}"/>'
        f'<text x="{x + size * 0.15:.0f}" y="{y + size * 0.82:.0f}" font-size="{size:.0f}">{number}</text>'
    )


def _coloured(overlay: Overlay) -> str:
    """A map as PNG (base64): one colour, the more of it the more the detector saw. Palette images need no encoder."""
    red, green, blue = MAP_COLOUR
    lines = (overlay.values[i : i + overlay.columns] for i in range(0, len(overlay.values), overlay.columns))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", overlay.columns, overlay.rows, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes((red, green, blue)) * 256),
        (b"tRNS", bytes(v * MAP_OPACITY // 255 for v in range(256))),
        (b"IDAT", zlib.compress(b"".join(b"\0" + line for line in lines))),
        (b"IEND", b""),
    )
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(packed)).decode()


def _check(report: Report | None) -> str:
    """Which check the learned detectors' answers are from; known only for results of this run."""
    if report is None or report.analysis is None:
        return ""
    return f'<p class="soft">{words.CHECKS[report.analysis.profile]}.</p>'


def _finding(finding: Mapping[str, Any], says: str) -> str:
    name = words.detector(finding["detector"])
    state = words.STATES.get(finding["state"], finding["state"])
    return f'<dt>{_text(name)}<br><span class="state">{_text(state)}</span></dt><dd>{_text(says)}</dd>'


def _facts(record: Mapping[str, Any], report: Report | None) -> str:
    """What the file says of itself; known only for results of this run, as JSON lines do not carry it.

    Prompts and comments can be distressing to read, so they unfold only on request.
    """
    media = record["media"]
    facts: list[tuple[str, object]] = [("Size", f"{media['width']} × {media['height']}, {media['bytes']:,} bytes")]
    if report is None or report.analysis is None:
        return f"<h3>The file</h3>{_list(facts)}"
    facts += [("Note", note) for note in report.analysis.media.notes]
    inside: list[tuple[str, object]] = []
    for finding in report.analysis.findings:
        if finding.role in ("declared", "context"):
            inside += _flat(finding.details)
    inside += report.analysis.metadata.items()
    more = f"<details><summary>Show the text inside the file</summary>{_list(inside)}</details>" if inside else ""
    return f"<h3>The file</h3>{_list(facts)}{more}"


def _list(pairs: Iterable[tuple[str, object]]) -> str:
    return "<dl>" + "".join(f"<dt>{_text(k)}</dt><dd>{_text(v)}</dd>" for k, v in pairs) + "</dl>"


def _flat(details: Mapping[str, Any]) -> Iterable[tuple[str, object]]:
    for key, value in details.items():
        if value is not None and value != "" and not isinstance(value, dict | list | tuple):
            yield key.replace("_", " "), value


def _fingerprints(record: Mapping[str, Any]) -> str:
    hashes = record["hashes"] or {}
    names = (("sha256", "SHA-256"), ("md5", "MD5"), ("pdq", "PDQ"), ("pdq_quality", "PDQ quality"), ("phash", "pHash"))
    listed = "".join(
        f"<dt>{name}</dt><dd><code>{_text(hashes[key])}</code></dd>"
        for key, name in names
        if hashes.get(key) is not None
    )
    return (
        "<details><summary>Show fingerprints</summary>"
        '<p class="soft">Fingerprints help to find copies. PDQ and pHash carry a faint trace of the picture itself, '
        f"so treat them like the picture.</p><dl>{listed}</dl></details>"
    )


def bottom(tally: Tally, points: Points) -> str:
    """The table's end and how far the results can be trusted: measured error rates, engine and models."""
    models = "".join(
        f"<li>{_text(name)}: <code>{_text(sha256)}</code></li>" for name, sha256 in sorted(tally.models.items())
    )
    used = f"<p>Models used, with their SHA-256:</p><ul>{models}</ul>" if models else "<p>No model was used.</p>"
    trust = "".join(
        f"<h3>{words.CHECKS[check]}</h3><ul>{''.join(f'<li>{_text(line)}</li>' for line in rates(own))}</ul>"
        for check, own in points.items()
    )
    if "matched_source" in tally.verdicts:
        trust += f"<h3>Comparison with your own photos</h3><p>{wording.SOURCE_MEASURED} {wording.SOURCE_LIMIT}</p>"
    only_drawn = (
        f"<noscript><p>Only the first {page.DRAWN} files are shown without scripts.</p></noscript>"
        if tally.total > page.DRAWN
        else ""
    )
    return (
        f'</tbody></table>\n<button type="button" id="more" hidden>Show more</button>{only_drawn}\n</main>\n'
        "<footer><h2>How far to trust this</h2>"
        f"{trust}"
        "<p>“No signs found” is not proof that a picture is real. A label inside a file is strong evidence, "
        "but it can be copied or removed. Intimacy is a help for sorting, and proves nothing.</p>"
        f"<h2>Made with</h2><p>Counterproof {__version__}</p>{used}</footer>\n"
    )


def shipped_points(profile: Profile) -> Points:
    """This build's operating points for each check that the profile makes use of. Raises SetupError."""
    from detectors.inference.manifest import operating_points

    checks = CHECKS if profile is Profile.CASCADE else (profile,)
    return {check: operating_points(check) for check in checks}


def rates(points: Mapping[str, Bands]) -> list[str]:
    """The measured error rates of one check in words, a sentence or two for each learned detector."""
    return [
        f"{words.detector(name)}. Measured on pictures whose sources and generators were kept out of training: of "
        f"{b.n_real:,} real photographs, {b.false_positive_rate * 100:.1f}\u00a0% were wrongly called likely "
        f"synthetic; of {b.n_synthetic:,} synthetic pictures, {b.recall * 100:.1f}\u00a0% were found and "
        f"{b.miss_rate * 100:.1f}\u00a0% showed no signs. The rest could not be told either way."
        for name, b in points.items()
    ]
