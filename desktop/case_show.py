"""What a casebook's records look like in a terminal: times, items, requests, the custody log."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from desktop import words
from detectors.errors import CounterproofError
from detectors.verdict import Band

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from desktop.casebook.records import (
        Answer,
        Consent,
        Incident,
        Item,
        LogRow,
        Overview,
        Packet,
        PacketForm,
        Request,
        Sighting,
    )
    from desktop.packets.deadlines import Due
    from desktop.packets.tracking import NextStep

# What was seen, sent or is due lies in these; another year is a slip of the hand, and some have no local time.
_YEARS = range(1980, 2100)
_ZONE_FOLDER = "zoneinfo/"
_FINGERPRINTS = frozenset({"sha256", "md5", "pdq", "phash"})

_STATES = {
    "draft": "not sent yet",
    "sent": "sent, no answer yet",
    "acknowledged": "received, no decision yet",
    "answered": "answered",
    "refused": "refused",
    "withdrawn": "withdrawn",
    "done": "done",
}


def local(at: str) -> str:
    """A time of the casebook in this computer's time zone: `2026-11-24 18:30 +01:00`; as it is at the ends of time."""
    try:
        moment = datetime.fromisoformat(at).astimezone()
    except (OverflowError, OSError, ValueError):  # the year 1 or 9999, which another zone does not have
        return at
    offset = moment.strftime("%z")
    return f"{moment:%Y-%m-%d %H:%M} {offset[:3]}:{offset[3:5]}"


def now() -> str:
    """This moment, as the casebook writes times."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def local_zone() -> str:
    """The IANA name of this computer's time zone, or UTC where it cannot be told."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name:
        with contextlib.suppress(OSError):
            name = os.readlink("/etc/localtime").partition(_ZONE_FOLDER)[2]
    return name if name and _zone(name) else "UTC"


def _zone(name: str) -> ZoneInfo | None:
    """The time zone of an IANA name, or None where there is none."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def moment(text: str, zone: str, end_of_day: bool = False) -> str:
    """A time that somebody typed, as the casebook writes times: ISO 8601, or with a space, or a date alone, or `now`.

    Without an offset it is a time in `zone` (IANA). A date alone is its first minute, or with `end_of_day` its last.
    Raises CounterproofError when it is no time or no zone, or of another century.
    """
    text = text.strip()
    if text.casefold() == "now":
        return now()
    where = _zone(zone)
    if where is None:
        raise CounterproofError(
            "unknown_time_zone",
            f"There is no time zone called {words.visible(zone)}.",
            "Give a name such as Europe/London or America/Mexico_City.",
        )
    try:
        found = datetime.fromisoformat(re.sub(r"(?<=[ T])(?=\d:)", "0", text))  # 6:30 is 06:30
        if found.year not in _YEARS:
            raise ValueError
    except ValueError as e:
        raise CounterproofError(
            "not_a_time",
            f"“{words.visible(text)}” is not a time that Counterproof understands.",
            "Write it as 2026-11-24 18:30, or with an offset as 2026-11-24T18:30+01:00, or now.",
        ) from e
    if end_of_day and len(text) <= len("2026-11-24"):
        found = found.replace(hour=23, minute=59, second=59)
    return (found if found.tzinfo else found.replace(tzinfo=where)).isoformat(timespec="seconds")


def due(text: str, zone: str, sent_at: str | None) -> str:
    """When an answer is due: a time as `moment`, or `48h` or `7d` after `sent_at` (after now when it is None)."""
    number, unit = text[:-1], text[-1:]
    if number.isascii() and number.isdigit() and len(number) < 5 and unit in ("h", "d"):
        length = timedelta(hours=int(number)) if unit == "h" else timedelta(days=int(number))
        return (datetime.fromisoformat(sent_at or now()) + length).isoformat(timespec="seconds")
    return moment(text, zone, end_of_day=True)


def plain(text: str) -> str:
    """Somebody's words on one line, with nothing hidden in them."""
    return words.visible(" ".join(text.split()))


def verdict(item: Item) -> str:
    """The verdict with its likelihood: `Likely synthetic, about 9 in 10`.

    “Can't tell” stands alone: in one line with a likelihood it would seem to take itself back.
    """
    key = item.verdict or words.NOT_CHECKED
    told = item.p_synthetic is not None and key != Band.INCONCLUSIVE
    likelihood = words.likelihood(key, item.p_synthetic) if told else ""
    return ", ".join(filter(None, (words.VERDICTS[key], likelihood)))


def incident_lines(incident: Incident, overview: Overview) -> Iterator[str]:
    """An incident with its counts."""
    yield f"Incident {incident.id}: {plain(incident.title)}"
    for name, text in (("who is depicted", incident.depicted), ("what is wanted", incident.wanted)):
        if text:
            yield f"  {name}: {plain(text)}"
    if incident.country:
        yield f"  country: {incident.country}"
    kept = f", {overview.with_image} with the image itself" if overview.with_image else ""
    yield f"  {words.count(overview.items, 'item', 'items')}{kept}"
    for key, (one, many) in words.COUNTED.items():
        if n := overview.verdicts.get(key, 0):
            yield f"    {n} {one if n == 1 else many}"
    text_only = f", {overview.maybe_minor} as text only (someone may be under 18)" if overview.maybe_minor else ""
    yield f"  {words.count(overview.sightings, 'sighting', 'sightings')}{text_only}"
    states = "; ".join(f"{n} {_STATES[state]}" for state, n in overview.requests.items() if n)
    total = sum(overview.requests.values())
    yield f"  {words.count(total, 'request', 'requests')}{f': {states}' if states else ''}"


def item_line(item: Item, sightings: int) -> str:
    """An item in one line of a list."""
    seen = words.count(sightings, "sighting", "sightings")
    image = ", image kept" if item.has_image else ""
    return f"{item.id:>5}  {plain(item.label)}: {verdict(item)} ({seen}{image})"


def item_lines(item: Item, fingerprints: bool = False) -> Iterator[str]:
    """All of an item but its timeline; its fingerprints only with `fingerprints`, for a PDQ shows part of a picture."""
    yield f"Item {item.id}: {plain(item.label)}"
    yield f"  added {local(item.added_at)}; {'the image is kept' if item.has_image else 'the image is not kept'}"
    if item.media:
        form, width, height, size = (item.media.get(key) for key in ("format", "width", "height", "bytes"))
        yield f"  {form}, {width} × {height} pixels, {size} bytes"
    yield f"  {verdict(item)}"
    for reason in item.reasons:
        yield f"    - {plain(reason)}"
    if item.intimacy and item.intimacy.get("level"):
        yield f"  intimacy: {words.INTIMACY[item.intimacy['level']]} (never proof)"
    if item.hashes and not fingerprints:
        none = "" if item.hashes.pdq else f" No PDQ: {plain(item.hashes.note)}" if item.hashes.note else " No PDQ."
        yield f"  fingerprints: kept, not shown (--fingerprints shows them).{none}"
    elif item.hashes:
        yield f"  SHA-256 {item.hashes.sha256}"
        yield f"  MD5 {item.hashes.md5}"
        if item.hashes.pdq:
            low = "" if item.views else ", too low to find edited copies by"
            yield f"  PDQ {item.hashes.pdq} (quality {item.hashes.pdq_quality} of 100{low})"
        elif item.hashes.note:
            yield f"  no PDQ: {plain(item.hashes.note)}"
    if item.description:
        yield f"  in words: {plain(item.description)}"
    yield "  findings:"
    for finding in item.findings:
        state = words.STATES.get(str(finding.get("state")), "")
        yield f"    - {words.detector(str(finding.get('detector')))} ({state}): {plain(str(finding.get('says')))}"


def sighting_line(sighting: Sighting) -> str:
    """A sighting in one line: when, where, by which account, noted by whom."""
    by = f"noted by {sighting.captured_by}" if sighting.captured_by else ""
    parts = [sighting.url, sighting.platform, sighting.handle, sighting.captured_how, by]
    about = f"item {sighting.item_id}" if sighting.item_id is not None else "no item"
    if sighting.maybe_minor:
        about = "text only, because someone may be under 18"
    text = plain(", ".join(filter(None, parts)))
    there = _there(sighting.seen_at, sighting.time_zone)
    zone = f" ({there} in {plain(sighting.time_zone)})" if there not in ("", local(sighting.seen_at)[:16]) else ""
    note = f". {plain(sighting.note)}" if sighting.note else ""
    return f"{sighting.id:>5}  {local(sighting.seen_at)}{zone}: {text} [{about}]{note}"


def _there(at: str, name: str) -> str:
    """The time in another zone; empty where that zone is not known here."""
    try:
        zone = _zone(name)
        return f"{datetime.fromisoformat(at).astimezone(zone):%Y-%m-%d %H:%M}" if zone else ""
    except OverflowError:
        return ""


def request_lines(
    request: Request, answers: Sequence[Answer] = (), packets: Sequence[Packet] = (), form: PacketForm | None = None
) -> Iterator[str]:
    """A request, the packets that were made of it, what was answered, and whether a form of it is kept."""
    yield f"{request.id:>5}  to {plain(request.recipient)}: {_STATES[request.state]}"
    basis, channel, number = map(plain, (request.legal_basis, request.channel, request.reference))
    about = [f"item {i}" for i in request.item_ids] + [f"sighting {i}" for i in request.sighting_ids]
    for name, text in (
        ("about", ", ".join(about)),
        ("on the basis of", basis),
        ("by", channel),
        ("sent", local(request.sent_at) if request.sent_at else ""),
        ("their number", number),
        ("answer due by", local(request.due_at) if request.due_at else ""),
    ):
        if text:
            yield f"       {name} {text}"
    for packet in packets:
        yield f"       {local(packet.built_at)} packet made: {plain(packet.name)}"
    if form is not None:
        after = f", after request {form.follows}" if form.follows is not None else ""
        yield f"       form last saved {local(form.updated_at)}{after}"
    for answer in answers:
        text = f". {plain(answer.text)}" if answer.text else ""
        yield f"       {local(answer.at)} answer: {plain(answer.outcome)}{text}"


def due_lines(due: Sequence[tuple[Request, Due | None, Sequence[NextStep]]]) -> Iterator[str]:
    """What should have been answered by now, and what is due next, each with whose clock that is and what can be done.
    Of the platforms, not of the person."""
    at = datetime.now(UTC)
    for request, limit, steps in due:
        if request.due_at is None:
            continue
        who = f"{plain(request.recipient)} (request {request.id})"
        clock = ""
        if limit is not None and limit.at == datetime.fromisoformat(request.due_at):
            clock = f" ({'the law' if limit.basis == 'law' else 'the platform itself'} says: {plain(limit.words)})"
        if datetime.fromisoformat(request.due_at) < at:
            yield f"{who} should have answered by {local(request.due_at)}{clock}."
        else:
            yield f"{who} has until {local(request.due_at)} to answer{clock}."
        if first := next(iter(steps), None):
            if first.kind != "wait":  # that it has time was said
                yield f"  What you can do: {plain(first.title)}."
            yield from (f"    {plain(doubt)}" for doubt in first.doubts)


def consent_line(consent: Consent) -> str:
    """Who may act for her, and since when."""
    until = f", withdrawn {local(consent.withdrawn_at)}" if consent.withdrawn_at else ""
    parts = [consent.role, consent.scope, f"authority: {consent.authority}" if consent.authority else ""]
    text = plain("; ".join(filter(None, parts)))
    return f"{consent.id:>5}  {plain(consent.who)}{f' ({text})' if text else ''}, from {local(consent.given_at)}{until}"


def log_lines(row: LogRow, fingerprints: bool = False) -> Iterator[str]:
    """A row of the custody log, and what it holds of the record concerned; fingerprints only with `fingerprints`."""
    subject = f" {plain(row.subject)}" if row.subject else ""
    yield f"{row.seq:>6}  {local(row.at)}  {plain(row.actor)}: {plain(row.action).replace('_', ' ')}{subject}"
    if row.erased:
        yield "        (what it held was deleted with the record)"
    elif row.details:
        # Not the seal of the row that it concerns, which only `verify` reads.
        hidden = {"record"} if fingerprints else {"record", *_FINGERPRINTS}
        shown = {
            key: value for key, value in row.details.items() if value not in (None, "", [], {}) and key not in hidden
        }
        if shown:
            yield f"        {plain('; '.join(f'{key} {_listed(value)}' for key, value in shown.items()))}"


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
