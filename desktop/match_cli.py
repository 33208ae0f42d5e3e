"""The verbs `group` and `match`: which pictures are copies of each other, and which are on a hash list."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from desktop import settings, words
from desktop.cli import DONE, INTERRUPTED, SOME_NOT, USAGE, jobs
from desktop.safety import age_gate
from detectors.errors import CounterproofError

if TYPE_CHECKING:
    import argparse

    from detectors.fingerprints.hash_lists import HashList
    from detectors.fingerprints.near_duplicates import Group, ListMatch
    from detectors.report import Fingerprinted, View

GROUPS, MATCHES = "counterproof.groups/1", "counterproof.matches/1"

_GROUP_EPILOG = """\
Copies are found although they were resized, saved again, mirrored, turned, cropped a little, framed, given a caption,
or photographed from a screen with the app around them. In each group the first picture is the one that the others
were compared with; the distance counts the bits of 256 in which the fingerprints differ.

examples:
  counterproof group folder
  counterproof group folder --json groups.json
  counterproof group folder --hashes hashes.csv
"""
_MATCH_EPILOG = """\
A list holds one PDQ a line, or is a CSV or JSON; docs/matching.md describes the forms. A list holds the fingerprint of
the whole picture only: a copy that was cropped from it cannot be found by that.

examples:
  counterproof match folder --against hashes.txt
  counterproof match a.jpg --against list.csv --json -
"""
_STATUS = """
PDQ fingerprints are sensitive: keep lists and results as private as the pictures.
exit status: 0 every file was compared, 1 some were not, 2 the command was not understood or could not start,
130 stopped with Ctrl-C (what was done is shown)"""

_VARIANTS: Mapping[str, str] = {
    "as_it_is": "",
    "mirrored": "mirrored",
    "upside_down_mirrored": "upside down and mirrored",
    "turned_180": "upside down",
    "turned_left": "turned to the left",
    "turned_right": "turned to the right",
    "turned_left_mirrored": "turned and mirrored",
    "turned_right_mirrored": "turned and mirrored",
}
_VIEWS: Mapping[str, str] = {
    "whole": "the whole picture",
    "trimmed": "without its border, bars or caption",
    "region": "a part of it",
}
_DRAW_SECONDS, _LINE_SECONDS = 0.2, 10.0
_SHOWN_REJECTS = 5


def arguments(verbs: Any) -> None:
    """Add both verbs to the parser's."""
    import argparse

    group = verbs.add_parser(
        "group",
        help="find the copies of each other among files",
        description="Groups files that show the same picture, also where it was edited.",
        epilog=_GROUP_EPILOG + _STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    match = verbs.add_parser(
        "match",
        help="find the pictures of a hash list among files",
        description="Compares files with a list of fingerprints.",
        epilog=_MATCH_EPILOG + _STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    group.add_argument(
        "--hashes", metavar="FILE", help="write the fingerprints as a hash list: one PDQ a line for FILE.txt, else CSV"
    )
    match.add_argument("--against", required=True, metavar="LIST", help="the file with the hash list")
    for verb in (group, match):
        verb.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, patterns; - reads a list of files")
        verb.add_argument("--json", metavar="FILE", help="write the result as one JSON object; - for standard output")
        verb.add_argument("--jobs", type=jobs, metavar="N", help="worker processes (as many as processor cores)")
        verb.add_argument("--no-cache", action="store_true", help="read every file anew, and remember nothing")
        verb.add_argument("--quiet", action="store_true", help="show no progress on standard error")
        age_gate.arguments(verb)


def run(args: argparse.Namespace) -> int:
    """Run one of the verbs and return the exit status."""
    if not age_gate.scan_may_start(args):  # before any file is opened
        return SOME_NOT
    from desktop.output.writer import check_replaceable

    try:
        if args.json not in (None, "-"):
            check_replaceable(args.json, (b'{"schema":"counterproof.',))
        if hashes := getattr(args, "hashes", None):
            check_replaceable(hashes, (b"sha256,pdq,", _first_hash(hashes)))
        against = _list(args) if args.verb == "match" else None
        files, stopped = _fingerprinted(args)
        if not files and not stopped:
            _say("There was nothing to compare: no files were found.")
            return SOME_NOT
        _report(args, files, against)
    except CounterproofError as e:
        _say(words.visible(f"{e.message} {e.remedy}"))
        return USAGE
    if stopped:
        _say(f"Stopped. {words.count(len(files), 'file was', 'files were')} compared before that.")
        return INTERRUPTED
    return SOME_NOT if any(f.error is not None for f in files) else DONE


def _list(args: argparse.Namespace) -> HashList:
    """The list to compare with; what is wrong with it is said at once. Raises CounterproofError."""
    from detectors.fingerprints import hash_lists

    found = hash_lists.read(args.against)
    if not args.quiet or found.n_rejected:
        gone = f" {found.n_withdrawn:,} withdrawn or deleted, left out." if found.n_withdrawn else ""
        _say(f"{words.count(len(found.entries), 'entry', 'entries')} in {words.visible(args.against)}.{gone}")
    if found.n_rejected:
        _say(
            words.count(
                found.n_rejected, "line is no entry and was not used:", "lines are no entries and were not used:"
            )
        )
        for rejected in found.rejected[:_SHOWN_REJECTS]:
            _say(f"  line {rejected.line:,}: {words.visible(rejected.reason)}")
        if found.n_rejected > _SHOWN_REJECTS:
            _say(f"  and {found.n_rejected - _SHOWN_REJECTS:,} more (--json lists them)")
    return found


def _fingerprinted(args: argparse.Namespace) -> tuple[list[Fingerprinted], bool]:
    """Every file's fingerprints, and whether Ctrl-C ended it early. Raises CounterproofError."""
    from desktop.batch import Stop
    from desktop.listing import listed
    from detectors.cache import Cache, default_path
    from detectors.scan import Scanner, ScanOptions, cores

    chosen, stop, files = settings.load(), Stop(), []
    cache = Cache(default_path()) if chosen.cache and not args.no_cache else None
    if cache is not None and cache.notice:
        _say(cache.notice)
    own = (args.json, getattr(args, "against", None), getattr(args, "hashes", None))
    skip = {os.path.realpath(p) for p in own if p not in (None, "-")}
    options = ScanOptions(jobs=args.jobs or chosen.jobs or cores(), limits=chosen.limits, cache=cache, added=())
    progress = _Progress(args.quiet)
    try:
        with stop, Scanner(options) as scanner:
            stop.scanner = scanner
            for found in scanner.fingerprints(listed(args.paths, stop.cancel, skip), stop.cancel):
                files.append(found)
                progress.update(len(files))
    finally:
        progress.clear()
        if cache is not None:
            cache.close()
    return files, stop.cancel.is_set()


def _report(args: argparse.Namespace, files: list[Fingerprinted], against: HashList | None) -> None:
    """Compare, and give the result in the form that was asked for. Raises CounterproofError."""
    from detectors.fingerprints import near_duplicates

    if against is None:
        groups = near_duplicates.groups(files)
        record = {"schema": GROUPS, **_common(files), "groups": [_group_json(files, g) for g in groups]}
    else:
        entries = [(e.pdq, e.sha256, e.md5) for e in against.entries]
        found = near_duplicates.match_list(files, entries)
        record = {
            "schema": MATCHES,
            **_common(files),
            "list": {
                "path": args.against,
                "entries": len(against.entries),
                "withdrawn": against.n_withdrawn,
                "n_rejected": against.n_rejected,
                "rejected": [{"line": r.line, "reason": r.reason} for r in against.rejected],
            },
            "matches": [_match_json(files, against, m) for m in found],
        }
    if getattr(args, "hashes", None):
        _write_hashes(args.hashes, files, args.quiet)
    if args.json:
        _write_json(args.json, record)
    if args.json == "-":
        return
    table = _Table()
    if against is None:
        _show_groups(table, files, groups)
    else:
        _show_matches(table, files, against, found)
    _show_rest(table, files)


def _common(files: Sequence[Fingerprinted]) -> dict[str, Any]:
    """What both kinds of result hold."""
    from detectors.fingerprints.search import MATCH_DISTANCE

    return {
        "files": len(files),
        "distance": MATCH_DISTANCE,
        "not_compared": [
            {"path": f.path, "status": f.error.status, "error": f.error.to_json()} for f in files if f.error is not None
        ],
        "without_pdq": [{"path": f.path, "why": _why_not(f)} for f in files if _why_not(f)],
    }


def _why_not(file: Fingerprinted) -> str:
    """Why a file that was read has no reliable PDQ, and what is found of it all the same; or nothing."""
    from detectors.fingerprints.near_duplicates import found_as_a_whole

    if file.hashes is None or file.views:
        return ""
    if found_as_a_whole(file.hashes):
        return f"{file.hashes.note} Only copies of the whole are found: resized, saved again, mirrored or turned."
    return file.hashes.note or "No part of this picture has a reliable PDQ fingerprint."


def _group_json(files: Sequence[Fingerprinted], group: Group) -> dict[str, Any]:
    first = files[group.members[0]]
    members: list[dict[str, Any]] = [{"path": first.path, "sha256": first.sha256}]
    for match in group.matches:
        file = files[match.b]
        members.append(
            {
                "path": file.path,
                "sha256": file.sha256,
                "distance": match.distance,
                "same_bytes": match.same_bytes,
                "variant": match.variant,
                "view": _view_json(match.view_b),
                "view_of_first": _view_json(match.view_a),
            }
        )
    return {"members": members}


def _match_json(files: Sequence[Fingerprinted], against: HashList, match: ListMatch) -> dict[str, Any]:
    file, entry = files[match.picture], against.entries[match.entry]
    return {
        "path": file.path,
        "sha256": file.sha256,
        "distance": match.distance,
        "same_bytes": match.view is None,
        "variant": match.variant,
        "view": _view_json(match.view),
        "entry": {"line": entry.line, "pdq": entry.pdq, "sha256": entry.sha256, "md5": entry.md5, "label": entry.label},
    }


def _view_json(view: View | None) -> dict[str, Any] | None:
    return None if view is None else view.to_json()


def how(variant: str, same_bytes: bool, *views: View | None) -> str:
    """How a copy was recognised, in a few words."""
    if same_bytes:
        return "the same file"
    kinds = [v.kind for v in views if v is not None]
    kind = next((k for k in ("region", "trimmed") if k in kinds), "whole")
    return ", ".join(filter(None, (_VARIANTS[variant], _VIEWS[kind])))


def _show_groups(table: _Table, files: Sequence[Fingerprinted], groups: Sequence[Group]) -> None:
    for number, group in enumerate(groups, 1):
        table.heading(f"Group {number}: {words.count(len(group.members), 'picture', 'pictures')}")
        table.row("Distance", "How", "File", "2")
        table.row("", "the others were compared with this one", files[group.members[0]].path)
        for match in group.matches:
            kind = how(match.variant, match.same_bytes, match.view_a, match.view_b)
            table.row(str(match.distance), kind, files[match.b].path)
        table.line()
    grouped = sum(len(g.members) for g in groups)
    if groups:
        table.line(
            f"{words.count(len(groups), 'group', 'groups')} with {words.count(grouped, 'picture', 'pictures')}, of "
            f"{words.count(len(files), 'file', 'files')}."
        )
    else:
        table.line(f"No copies of each other were found among {words.count(len(files), 'file', 'files')}.")


def _show_matches(table: _Table, files: Sequence[Fingerprinted], against: HashList, found: Sequence[ListMatch]) -> None:
    if found:
        table.row("Distance", "How", "File", "2")
    for match in found:
        entry = against.entries[match.entry]
        kind = how(match.variant, match.view is None, match.view)
        table.row(str(match.distance), kind, files[match.picture].path)
        label = f" ({words.visible(entry.label)})" if entry.label else ""
        table.paragraph(f"entry on line {entry.line:,} of the list{label}", "            ")
    if found:
        table.line()
    matched = len({m.picture for m in found})
    table.line(
        f"{words.count(matched, 'file matches', 'files match')} an entry of the list, of "
        f"{words.count(len(files), 'file', 'files')}."
    )


def _show_rest(table: _Table, files: Sequence[Fingerprinted]) -> None:
    """What could not be compared, and why."""
    for title, rest in (
        ("Without a reliable PDQ", [(f.path, _why_not(f)) for f in files if _why_not(f)]),
        ("Not compared", [(f.path, f"{f.error.message} {f.error.remedy}") for f in files if f.error is not None]),
    ):
        if rest:
            table.line()
            table.heading(f"{title}: {words.count(len(rest), 'file', 'files')}")
        for path, why in rest:
            table.name(path)
            table.paragraph(words.visible(why), "    ")


class _Table:
    """Prints for people: rows cut to the width of a terminal, whole where there is none. Raises OutputError."""

    _WIDTHS = (8, 44)

    def __init__(self) -> None:
        terminal = sys.stdout.isatty()
        self._columns = words.terminal_columns() if terminal else None
        self._styled = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"

    def row(self, distance: str, how: str, path: str, style: str = "") -> None:
        """A file: on a narrow terminal the words go under the name, so that neither is cut beyond use."""
        if self._columns is not None and self._columns < 100:
            self.line(f"  {distance:>8}  {words.fit(words.visible(path), max(12, self._columns - 12))}", style)
            if how != "How":
                self.line(f"            {how}", "2")
            return
        left = f"  {distance:>8}  {how:<{self._WIDTHS[1]}}  "
        self.line(left + self._fitted(words.visible(path), len(left)), style)

    def name(self, path: str) -> None:
        """A file's name on a line of its own."""
        self.line("  " + self._fitted(words.visible(path), 2))

    def heading(self, text: str) -> None:
        """A line that stands out."""
        self.line(text, "1")

    def paragraph(self, text: str, indent: str) -> None:
        """Text over as many lines as it takes."""
        width = min(100, self._columns or 100)
        for line in textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False):
            self.line(line, "2")

    def line(self, text: str = "", style: str = "") -> None:
        """One line."""
        from desktop.output.writer import cannot_write

        try:
            sys.stdout.write(f"\x1b[{style}m{text}\x1b[0m\n" if self._styled and style else text + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as e:
            raise cannot_write("-", e) from e

    def _fitted(self, text: str, used: int) -> str:
        return text if self._columns is None else words.fit(text, max(12, self._columns - used))


class _Progress:
    """How many files are read, on standard error: one changing line on a terminal, else a line every ten seconds."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + (0.0 if self._terminal else _LINE_SECONDS)

    def update(self, done: int) -> None:
        """Say so when it is time to."""
        now = time.monotonic()
        if self._quiet or now < self._next:
            return
        self._next = now + (_DRAW_SECONDS if self._terminal else _LINE_SECONDS)
        text = f"{words.count(done, 'file', 'files')} read"
        sys.stderr.write(f"\r\x1b[K{text}" if self._terminal else text + "\n")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._terminal and not self._quiet:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _write_json(path: str, record: Mapping[str, Any]) -> None:
    """The whole result as one line. Raises OutputError."""
    import json

    from desktop.output.writer import LineFile

    out = LineFile(path)
    try:
        # ASCII only, so names that are not UTF-8 survive as \\udcXX.
        out.write(json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n")
    finally:
        out.close()


def _first_hash(path: str) -> bytes:
    """The first line of a list of PDQs that is there already; for anything else what no file begins with."""
    from detectors.report import is_pdq

    try:
        with open(path, "rb") as file:
            head = file.read(64)
    except OSError:
        head = b""
    return head if is_pdq(head.decode("ascii", "replace")) else b"\0" * 65


def _write_hashes(path: str, files: Sequence[Fingerprinted], quiet: bool) -> None:
    """Each different file's fingerprints as a hash list, without its name. Raises OutputError."""
    import io
    from datetime import UTC, datetime

    from desktop.output.writer import LineFile
    from detectors.fingerprints import hash_lists
    from detectors.fingerprints.pdq import RELIABLE_QUALITY

    now = datetime.now(UTC).isoformat(timespec="seconds")
    entries = {
        h.sha256: hash_lists.Entry(
            h.pdq if h.pdq and (h.pdq_quality or 0) >= RELIABLE_QUALITY else "",
            h.sha256,
            h.md5,
            pdq_quality=h.pdq_quality,
            media_type=m.format,
            width=m.width,
            height=m.height,
            created_utc=now,
        )
        for f in files
        if (h := f.hashes) is not None and (m := f.media) is not None
    }
    text, left_out = io.StringIO(), 0
    if path.lower().endswith(".txt"):
        left_out = hash_lists.write_plain(entries.values(), text)
    else:
        hash_lists.write_csv(entries.values(), text)
    out = LineFile(path)
    try:
        out.write(text.getvalue().encode("ascii"))
    finally:
        out.close()
    if left_out:
        _say(f"{words.count(left_out, 'file has', 'files have')} no reliable PDQ and cannot be on such a list.")
    if not quiet:
        _say(f"Written: {words.visible(path)}. A picture can be partly guessed from its PDQ: keep the list as private.")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
