"""`counterproof case add`: pictures into a casebook, one by one, with what was found and where they were seen."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from desktop import case_show, settings, words
from desktop.batch import Stop
from desktop.listing import auto_profile, listed
from detectors.errors import CounterproofError, FileRefused, FileUnreadable
from detectors.finding import Profile
from detectors.inputs import Input, find_inputs, read_file
from detectors.intake.limits import Limits
from detectors.scan import Scanner, ScanOptions, cores

if TYPE_CHECKING:
    import argparse

    from desktop.casebook.casebook import Casebook
    from desktop.safety.age_gate import Adults
    from detectors.report import Report


@dataclass
class Outcome:
    """What became of each file: added with the id of its item, there already, or not added with the reason."""

    added: list[tuple[str, int]] = field(default_factory=list)
    already: list[tuple[str, int]] = field(default_factory=list)
    not_added: list[tuple[str, CounterproofError]] = field(default_factory=list)
    matches: list[tuple[int, int, int]] = field(default_factory=list)  # a new item, an item, the distance
    stopped: bool = False


def add(book: Casebook, incident_id: int, args: argparse.Namespace, adults: Adults) -> Outcome:
    """Check the files of `args.paths` and of the `--sightings` table, and record each that could be checked.

    Nothing is remembered outside the casebook: no cache is used. What was added before a stop or an error stays.
    Raises CounterproofError when the table or a time is malformed (nothing is opened then), or when the casebook or a
    worker fails.
    """
    seen, table = places(args)
    run = _Run(book, incident_id, args, seen, {os.path.realpath(path): rows for path, rows in table.items()})
    run.add([*args.paths, *table], adults)
    return run.done


def places(args: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """Where the files of `args.paths` were seen, by the options, and where those of the table were: arguments of
    `Casebook.add_sighting`. Raises CounterproofError when a time or the table is malformed."""
    fields = {"url": args.url, **sighting_fields(args)}
    said = any((args.url, args.platform, args.handle, args.seen_at)) and (args.paths or not args.sightings)
    return [fields] if said else [], read_table(args.sightings, args) if args.sightings else {}


class _Run:
    """One run of `add`. `seen_by_file` (by real path) is where single files were seen, `seen` where all others were."""

    def __init__(
        self,
        book: Casebook,
        incident_id: int,
        args: argparse.Namespace,
        seen: list[dict[str, Any]],
        seen_by_file: dict[str, list[dict[str, Any]]],
    ) -> None:
        self.done = Outcome()
        self._book, self._incident_id, self._args = book, incident_id, args
        self._seen, self._seen_by_file = seen, seen_by_file
        self._limits = settings.load().limits

    def add(self, paths: list[str], adults: Adults) -> None:
        """Everything, in the order of the paths; then which of the new items are copies."""
        book, args, chosen, stop = self._book, self._args, settings.load(), Stop()
        own = os.path.realpath(book.path)
        skip = {own, f"{own}-wal"}
        asked = args.profile or chosen.profile
        wanted = auto_profile(paths, listed(paths, stop.cancel, skip)) if asked == "auto" else Profile(asked)
        known = [r.path for r in book.references(self._incident_id) if os.path.isfile(r.path)]
        options = ScanOptions(
            wanted,
            args.jobs or chosen.jobs or cores(),
            chosen.limits,
            thumbnails=args.keep_image,
            references=(*args.references, *known),
        )
        before = {item.id for item in book.items(self._incident_id, brief=True)}
        with stop, Scanner(options) as scanner:
            stop.scanner = scanner
            self._remember_references(scanner, adults)
            for report in scanner.scan(self._not_there_yet(listed(paths, stop.cancel, skip)), stop.cancel):
                try:
                    self._record(report, scanner, adults)
                except (FileRefused, FileUnreadable) as e:
                    self._not_added(report.path, e)
            self.done.stopped = stop.cancel.is_set()
        self._look_for_copies(before)

    def _remember_references(self, scanner: Scanner, adults: Adults) -> None:  # noqa: ARG002 - without it, nothing is
        """Record the photos of `--references`, each content once; later runs look for them without being told."""
        there = {r.hashes.sha256 for r in self._book.references(self._incident_id) if r.hashes}
        for photo in find_inputs(self._args.references):
            found = scanner.fingerprint(photo.path) if photo.error is None else None
            if found is None or found.hashes is None:
                error = photo.error or (found.error if found else None)
                why = f"{error.message} {error.remedy}" if error else ""
                self._say(f"Not a reference photo: {words.visible(photo.path)}. {why}", sys.stderr)
            elif found.hashes.sha256 not in there:
                there.add(found.hashes.sha256)
                path, name = os.path.abspath(photo.path), os.path.basename(photo.path)
                self._book.add_reference(self._incident_id, path, label=name, hashes=found.hashes, views=found.views)

    def _not_there_yet(self, inputs: Iterator[Input]) -> Iterator[Input]:
        """The inputs whose bytes are not in the incident; of the others, where they were seen is recorded."""
        for item in inputs:
            if item.error is None:
                try:
                    sha256 = hashlib.sha256(read_file(item.path, self._limits)).hexdigest()
                except CounterproofError:
                    sha256 = ""  # the scan says why, in its turn
                if sha256 and self._there(item.path, sha256):
                    continue
            yield item

    def _there(self, path: str, sha256: str) -> bool:
        """Whether these bytes are an item already; if so, adds where they were seen to it."""
        found = next((i for i in self._book.find_items(sha256) if i.incident_id == self._incident_id), None)
        if found is None:
            return False
        self.done.already.append((path, found.id))
        seen = " Where it was seen is added." if self._add_sightings(path, found.id) else ""
        self._say(f"Already there: {words.visible(path)} is item {found.id}.{seen}")
        return True

    def _record(self, report: Report, scanner: Scanner, adults: Adults) -> None:  # noqa: ARG002 - without it, nothing is
        """One report as an item. Raises FileRefused or FileUnreadable when its file was changed meanwhile."""
        if report.error is not None or report.analysis is None or report.sha256 is None:
            raise report.error or FileUnreadable("not_checked", "It could not be checked.", "Try it again.")
        if self._there(report.path, report.sha256):  # twice in the same folder
            return
        fingerprinted = scanner.fingerprint(report.path)
        views = fingerprinted.views if fingerprinted.hashes is not None else ()
        if fingerprinted.hashes is not None and fingerprinted.hashes.sha256 != report.sha256:
            raise _changed()
        image = self._image(report) if self._args.keep_image else None
        item = self._book.add_item(
            self._incident_id,
            report,
            views,
            label=self._args.label or os.path.basename(report.path),
            description=self._args.description,
            image=image,
            media_type=f"image/{report.analysis.media.format.lower()}" if image else "",
            thumbnail=report.thumbnail if image else None,
        )
        self._add_sightings(report.path, item.id)
        self.done.added.append((report.path, item.id))
        self._say(f"Item {item.id}: {words.visible(report.path)}. {case_show.verdict(item)}.")

    def _not_added(self, path: str, error: CounterproofError) -> None:
        self.done.not_added.append((path, error))
        self._say(f"Not added: {words.visible(path)}. {error.message} {error.remedy}", sys.stderr)

    def _image(self, report: Report) -> bytes:
        """The bytes that the report is about. Raises FileUnreadable when they are no longer there."""
        data = read_file(report.path, self._limits)
        if hashlib.sha256(data).hexdigest() != report.sha256:
            raise _changed()
        return data

    def _add_sightings(self, path: str, item_id: int) -> bool:
        """Record where the file was seen, but what the item has already: going on after a stop must not double it.

        The same place at another time, where a time is given, is another sighting. Returns whether any was new.
        """
        there = [(s.url, s.platform, s.handle, s.seen_at) for s in self._book.sightings(item_id=item_id)]
        any_new = False
        for seen in self._seen_by_file.get(os.path.realpath(path), self._seen):
            place, at = (seen["url"], seen["platform"], seen["handle"]), seen["seen_at"]
            if any(s[:3] == place and (not at or _same_time(at, s[3])) for s in there):
                continue
            made = self._book.add_sighting(self._incident_id, item_id=item_id, **seen)
            there.append((made.url, made.platform, made.handle, made.seen_at))
            any_new = True
        return any_new

    def _look_for_copies(self, before: set[int]) -> None:
        """Say of each new item which item it is a copy of: the nearest that was there before, or came before it."""
        from desktop import match_cli
        from detectors.fingerprints import near_duplicates

        new = {i for _, i in self.done.added}
        items = self._book.items(self._incident_id) if new else []
        if len(items) < 2:
            return
        numbers = {item.id: n for n, item in enumerate(items)}
        wrong = [frozenset(numbers[i] for i in pair) for pair in self._book.wrong_matches() if pair <= numbers.keys()]
        told: set[int] = set()
        for match in near_duplicates.matches(items, wrong=wrong):
            of, copy = sorted((items[match.a].id, items[match.b].id))
            if copy in new and copy not in told:
                told.add(copy)
                self.done.matches.append((copy, of, match.distance))
                was = "" if of in before else ", which is new too"
                how = match_cli.how(match.variant, match.same_bytes, match.view_a, match.view_b)
                self._say(f"Item {copy} shows the same as item {of}{was} (distance {match.distance} of 256; {how}).")
        self.done.matches.sort()

    def _say(self, text: str, stream: Any = None) -> None:
        """A line for a person; with --json, standard output belongs to the one object at the end."""
        out = sys.stderr if self._args.json else stream or sys.stdout
        out.write(text + "\n")
        out.flush()


def _changed() -> FileUnreadable:
    return FileUnreadable(
        "changed_meanwhile",
        "The file was changed while it was being checked.",
        "Add it again when nothing writes to it.",
    )


def _same_time(one: str, other: str) -> bool:
    return datetime.fromisoformat(one) == datetime.fromisoformat(other)


def sighting_fields(args: argparse.Namespace) -> dict[str, Any]:
    """What `Casebook.add_sighting` takes besides incident, address and item. Raises CounterproofError for a time that
    is none."""
    zone = args.time_zone or case_show.local_zone()
    case_show.moment("2026-01-01", zone)  # so that an unknown zone is said before anything is recorded
    return {
        "platform": args.platform,
        "handle": args.handle,
        "seen_at": case_show.moment(args.seen_at, zone) if args.seen_at else "",
        "time_zone": zone,
        "captured_how": args.how,
        "captured_by": args.by,
        "note": args.note,
    }


# The columns of a table of sightings, and what they are called in the casebook.
COLUMNS = {
    "file": "file",
    "url": "url",
    "platform": "platform",
    "handle": "handle",
    "seen_at": "seen_at",
    "how": "captured_how",
    "by": "captured_by",
    "note": "note",
}
_MOST_TABLE_BYTES = 64 << 20


def read_table(path: str, args: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """A table (CSV in UTF-8, with a header of COLUMNS): for each file, where it was seen. What a row leaves empty is
    taken from the options. Files are given from the table's own folder. Raises CounterproofError, with the line."""
    import csv

    text = read_file(path, Limits(max_bytes=_MOST_TABLE_BYTES)).decode("utf-8-sig", errors="surrogateescape")
    rows = csv.DictReader(text.splitlines(keepends=True), strict=True, restval="")
    common = sighting_fields(args)
    found: dict[str, list[dict[str, Any]]] = {}
    try:
        header = rows.fieldnames or []
        if unknown := [name for name in header if name not in COLUMNS]:
            raise _bad_table(f"there is no column called {words.visible(str(unknown[0]))}")
        if "file" not in header:
            raise _bad_table("the column file is missing")
        for row in rows:
            if None in row or not row["file"].strip():
                raise _bad_table(f"line {rows.line_num} names no file, or has too many fields")
            given = {COLUMNS[name]: value.strip() for name, value in row.items() if value.strip()}
            file = os.path.join(os.path.dirname(path), given.pop("file"))
            if at := given.get("seen_at"):
                given["seen_at"] = case_show.moment(at, common["time_zone"])
            found.setdefault(file, []).append({"url": args.url, **common, **given})
    except csv.Error as e:
        raise _bad_table(f"line {rows.line_num}: {e}") from e
    if not found:
        raise _bad_table("it has no rows")
    return found


def _bad_table(why: str) -> CounterproofError:
    return CounterproofError(
        "bad_table",
        f"The table of sightings was not understood: {why}. Nothing was opened.",
        f"It needs a header with some of: {', '.join(COLUMNS)}.",
    )
