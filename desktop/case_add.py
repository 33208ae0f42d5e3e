"""`counterproof case add`: pictures into a casebook, one by one, with what was found and where they were seen."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from desktop import case_show, match_cli, settings, words
from desktop.batch import Stop
from desktop.listing import auto_profile, listed
from detectors.errors import CounterproofError, FileRefused, FileUnreadable
from detectors.finding import Profile
from detectors.inputs import Input, find_inputs, read_file
from detectors.scan import Scanner, ScanOptions, cores

if TYPE_CHECKING:
    import argparse

    from desktop.casebook.casebook import Casebook
    from desktop.casebook.records import Item
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
    """Check the files of `args.paths` and record each that could be checked.

    Nothing is remembered outside the casebook: no cache is used. What was added before a stop or an error stays.
    Raises CounterproofError when the casebook or a worker fails.
    """
    chosen, done, stop = settings.load(), Outcome(), Stop()
    own = os.path.realpath(book.path)
    skip = {own, f"{own}-wal"}
    asked = args.profile or chosen.profile
    wanted = auto_profile(args.paths, listed(args.paths, stop.cancel, skip)) if asked == "auto" else Profile(asked)
    known = [r.path for r in book.references(incident_id) if os.path.isfile(r.path)]
    options = ScanOptions(
        wanted,
        args.jobs or chosen.jobs or cores(),
        chosen.limits,
        thumbnails=args.keep_image,
        references=(*args.references, *known),
    )
    before = {item.id for item in book.items(incident_id, brief=True)}
    with stop, Scanner(options) as scanner:
        stop.scanner = scanner
        _remember_references(book, incident_id, args, scanner, adults)
        new = _not_there_yet(book, incident_id, args, listed(args.paths, stop.cancel, skip), done)
        for report in scanner.scan(new, stop.cancel):
            try:
                _record(book, incident_id, args, report, scanner, done, adults)
            except (FileRefused, FileUnreadable) as e:
                done.not_added.append((report.path, e))
                _say(args, f"Not added: {words.visible(report.path)}. {e.message} {e.remedy}", sys.stderr)
        done.stopped = stop.cancel.is_set()
    _look_for_copies(book, incident_id, args, before, done)
    return done


def _remember_references(
    book: Casebook,
    incident_id: int,
    args: argparse.Namespace,
    scanner: Scanner,
    adults: Adults,  # noqa: ARG001 - without it, nothing is recorded
) -> None:
    """Record the photos of `--references`, each content once; later runs look for them without being told."""
    there = {r.hashes.sha256 for r in book.references(incident_id) if r.hashes}
    for photo in find_inputs(args.references):
        found = scanner.fingerprint(photo.path) if photo.error is None else None
        if found is None or found.hashes is None:
            error = photo.error or (found.error if found else None)
            why = f"{error.message} {error.remedy}" if error else ""
            _say(args, f"Not a reference photo: {words.visible(photo.path)}. {why}", sys.stderr)
        elif found.hashes.sha256 not in there:
            there.add(found.hashes.sha256)
            path, name = os.path.abspath(photo.path), os.path.basename(photo.path)
            book.add_reference(incident_id, path, label=name, hashes=found.hashes, views=found.views)


def _not_there_yet(
    book: Casebook, incident_id: int, args: argparse.Namespace, inputs: Iterator[Input], done: Outcome
) -> Iterator[Input]:
    """The inputs whose bytes are not in the incident; of the others, where they were seen is recorded."""
    limits = settings.load().limits
    for item in inputs:
        if item.error is None:
            try:
                sha256 = hashlib.sha256(read_file(item.path, limits)).hexdigest()
            except CounterproofError:
                sha256 = ""  # the scan says why, in its turn
            if sha256 and _there(book, incident_id, item.path, sha256, args, done):
                continue
        yield item


def _there(book: Casebook, incident_id: int, path: str, sha256: str, args: argparse.Namespace, done: Outcome) -> bool:
    """Whether these bytes are an item already; if so, adds the sighting to it."""
    found = next((i for i in book.find_items(sha256) if i.incident_id == incident_id), None)
    if found is None:
        return False
    done.already.append((path, found.id))
    new = _seen(args) and not _recorded(book, args, found)
    if new:
        _sighting(book, args, found)
    seen = " Where it was seen is added." if new else ""
    _say(args, f"Already there: {words.visible(path)} is item {found.id}.{seen}")
    return True


def _record(
    book: Casebook,
    incident_id: int,
    args: argparse.Namespace,
    report: Report,
    scanner: Scanner,
    done: Outcome,
    adults: Adults,  # noqa: ARG001 - without it, nothing is recorded
) -> None:
    """One report as an item. Raises FileRefused or FileUnreadable when its file was changed meanwhile."""
    shown = words.visible(report.path)
    if report.error is not None or report.analysis is None or report.sha256 is None:
        error = report.error or FileUnreadable("not_checked", "It could not be checked.", "Try it again.")
        done.not_added.append((report.path, error))
        _say(args, f"Not added: {shown}. {error.message} {error.remedy}", sys.stderr)
        return
    if _there(book, incident_id, report.path, report.sha256, args, done):  # twice in the same folder
        return
    fingerprinted = scanner.fingerprint(report.path)
    views = fingerprinted.views if fingerprinted.hashes is not None else ()
    if fingerprinted.hashes is not None and fingerprinted.hashes.sha256 != report.sha256:
        raise _changed()
    image = _image(report) if args.keep_image else None
    item = book.add_item(
        incident_id,
        report,
        views,
        label=args.label or os.path.basename(report.path),
        description=args.description,
        image=image,
        media_type=f"image/{report.analysis.media.format.lower()}" if image else "",
        thumbnail=report.thumbnail if image else None,
    )
    _sighting(book, args, item)
    done.added.append((report.path, item.id))
    _say(args, f"Item {item.id}: {shown}. {case_show.verdict(item)}.")


def _image(report: Report) -> bytes:
    """The bytes that the report is about. Raises FileUnreadable when they are no longer there."""
    data = read_file(report.path, settings.load().limits)
    if hashlib.sha256(data).hexdigest() != report.sha256:
        raise _changed()
    return data


def _changed() -> FileUnreadable:
    return FileUnreadable(
        "changed_meanwhile",
        "The file was changed while it was being checked.",
        "Add it again when nothing writes to it.",
    )


def _seen(args: argparse.Namespace) -> bool:
    """Whether anything was said about where it was seen."""
    return any((args.url, args.platform, args.handle, args.seen_at))


def _recorded(book: Casebook, args: argparse.Namespace, item: Item) -> bool:
    """Whether the item has this sighting: going on after a stop must not double it. `--seen-at` makes it another."""
    at = datetime.fromisoformat(sighting_fields(args)["seen_at"]) if args.seen_at else None
    return any(
        (s.url, s.platform, s.handle) == (args.url, args.platform, args.handle)
        and at in (None, datetime.fromisoformat(s.seen_at))
        for s in book.sightings(item_id=item.id)
    )


def _sighting(book: Casebook, args: argparse.Namespace, item: Item) -> None:
    if _seen(args):
        book.add_sighting(item.incident_id, args.url, item_id=item.id, **sighting_fields(args))


def sighting_fields(args: argparse.Namespace) -> dict[str, Any]:
    """What `Casebook.add_sighting` takes besides incident, address and item. Raises CounterproofError for a time that
    is none."""
    zone = args.time_zone or case_show.local_zone()
    return {
        "platform": args.platform,
        "handle": args.handle,
        "seen_at": case_show.moment(args.seen_at, zone) if args.seen_at else "",
        "time_zone": zone,
        "captured_how": args.how,
        "captured_by": args.by,
        "note": args.note,
    }


def _look_for_copies(
    book: Casebook, incident_id: int, args: argparse.Namespace, before: set[int], done: Outcome
) -> None:
    """Say of each new item which item it is a copy of: the nearest that was there before, or came before it."""
    from detectors.fingerprints import near_duplicates

    new = {i for _, i in done.added}
    items = book.items(incident_id)
    if not new or len(items) < 2:
        return
    numbers = {item.id: n for n, item in enumerate(items)}
    wrong = [frozenset(numbers[i] for i in pair) for pair in book.wrong_matches() if pair <= numbers.keys()]
    told: set[int] = set()
    for match in near_duplicates.matches(items, wrong=wrong):
        of, copy = sorted((items[match.a].id, items[match.b].id))
        if copy in new and copy not in told:
            told.add(copy)
            done.matches.append((copy, of, match.distance))
            was = "" if of in before else ", which is new too"
            how = match_cli.how(match.variant, match.same_bytes, match.view_a, match.view_b)
            _say(args, f"Item {copy} shows the same as item {of}{was} (distance {match.distance} of 256; {how}).")
    done.matches.sort()


def _say(args: argparse.Namespace, text: str, stream: Any = None) -> None:
    """A line for a person; with --json, standard output belongs to the one object at the end."""
    out = sys.stderr if args.json else stream or sys.stdout
    out.write(text + "\n")
    out.flush()
