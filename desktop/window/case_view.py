"""What the window shows of a casebook, as data and words. Qt-free; `load` and `load_item` run in its thread."""

from __future__ import annotations

import contextlib
import datetime
import zoneinfo
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from desktop.casebook.records import (
    AWAITING,
    Answer,
    Consent,
    Contact,
    Event,
    Incident,
    Item,
    Note,
    PacketForm,
    Request,
    RequestState,
    Sighting,
)
from desktop.window import describe, words
from desktop.window.case_runner import Book
from desktop.window.describe import Pairs, Section
from desktop.window.look_alikes import LookAlikes, Picture, compare
from desktop.window.words import translate
from detectors.finding import Finding, Region
from detectors.verdict import Band


@dataclass(frozen=True, slots=True)
class Contents:
    """What the sidebar shows: one incident of the casebook, and which others there are. `incident` None: none yet.

    `items` are in brief; `seen` counts the sightings of each; `text_only` are sightings
    that have no item; `packets` are the forms of those requests that have one.
    """

    incidents: Sequence[Incident]
    incident: Incident | None = None
    consents: Sequence[Consent] = ()
    items: Sequence[Item] = ()
    seen: Mapping[int, int] | None = None
    text_only: Sequence[Sighting] = ()
    requests: Sequence[Request] = ()
    packets: Mapping[int, PacketForm] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ItemContents:
    """What the detail pane shows of one item. `regions` are to be drawn on its image, if that is kept."""

    item: Item
    events: Sequence[Event]
    sightings: Sequence[Sighting]
    requests: Sequence[Request]
    notes: Sequence[Note]
    regions: Sequence[Region]


def load(book: Book, incident_id: int | None) -> Contents:
    """The contents for an incident, or for the newest when it is None or gone."""
    incidents = book.incidents()
    if not incidents:
        return Contents(incidents)
    incident = next((i for i in incidents if i.id == incident_id), incidents[-1])
    sightings = book.sightings(incident_id=incident.id)
    return Contents(
        incidents=incidents,
        incident=incident,
        consents=book.consents(incident.id),
        items=book.items(incident.id, brief=True),
        seen=Counter(s.item_id for s in sightings if s.item_id is not None),
        text_only=[s for s in sightings if s.item_id is None],
        requests=ordered(book.requests(incident.id)),
        packets={form.request_id: form for form in book.packet_forms(incident.id)},
    )


def load_alikes(book: Book, incident_id: int) -> LookAlikes:
    """Which items of an incident look alike."""
    return compare([_picture(item) for item in book.items(incident_id)], book.wrong_matches())


def _picture(item: Item) -> Picture:
    size = None if item.media is None else (int(item.media["width"]), int(item.media["height"]))
    return Picture(item.id, item_name(item), item.hashes, tuple(item.views), size, item.has_image)


def load_item(book: Book, item_id: int, *, look: bool) -> ItemContents:
    """An item and its timeline; with `look`, the custody log records that it was looked at."""
    if look:
        book.viewed(item_id)
    item = book.item(item_id)
    return ItemContents(
        item=item,
        events=book.timeline(item_id),
        sightings=book.sightings(item_id=item_id),
        requests=[r for r in ordered(book.requests(item.incident_id)) if item_id in r.item_ids],
        notes=book.notes(item_id=item_id),
        regions=describe.regions_of(Finding.from_record(f) for f in item.findings),
    )


def ordered(requests: Sequence[Request]) -> list[Request]:
    """Those that wait for an answer first, by when it is due; then drafts; then what is settled."""

    def rank(request: Request) -> tuple[int, str, int]:
        if request.state in AWAITING:
            return 0, request.due_at or "9999", request.id
        return (1 if request.state is RequestState.DRAFT else 2), "", request.id

    return sorted(requests, key=rank)


def day(date: datetime.date, today: datetime.date) -> str:
    """A day in words, "26 November", with the year where it is another one."""
    months = (
        translate("date", "January"),
        translate("date", "February"),
        translate("date", "March"),
        translate("date", "April"),
        translate("date", "May"),
        translate("date", "June"),
        translate("date", "July"),
        translate("date", "August"),
        translate("date", "September"),
        translate("date", "October"),
        translate("date", "November"),
        translate("date", "December"),
    )
    said = translate("date", "{day} {month}").format(day=date.day, month=months[date.month - 1])
    return said if date.year == today.year else f"{said} {date.year}"


def when(at: str, zone: str = "") -> str:
    """A time as it was on the clock in `zone` (an IANA name; here when empty), with the zone and its offset."""
    moment = datetime.datetime.fromisoformat(at)
    # A zone that this computer does not know: the time as it was written down, with its offset.
    # The years 1 and 9999 end in some: the same.
    with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError, ValueError, OverflowError):
        moment = moment.astimezone(zoneinfo.ZoneInfo(zone) if zone else None)
    name = zone or (moment.tzname() or "")
    offset = moment.strftime("%z")
    said = day(moment.date(), datetime.date.min)
    clock = translate("date", "{day}, {hour}:{minute}").format(day=said, hour=f"{moment:%H}", minute=f"{moment:%M}")
    away = "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:5]}"
    return f"{clock} ({', '.join(dict.fromkeys([name, away]))})"


def local_day(at: str) -> datetime.date:
    """The day of a time, on the clock here."""
    moment = datetime.datetime.fromisoformat(at)
    with contextlib.suppress(OverflowError):
        moment = moment.astimezone()
    return moment.date()


def state_word(state: RequestState) -> str:
    """Where a request stands, in a word."""
    return {
        RequestState.DRAFT: translate("request", "Not sent yet"),
        RequestState.SENT: translate("request", "Sent"),
        RequestState.ACKNOWLEDGED: translate("request", "Received by them"),
        RequestState.ANSWERED: translate("request", "Answered"),
        RequestState.REFUSED: translate("request", "Refused"),
        RequestState.WITHDRAWN: translate("request", "Withdrawn"),
        RequestState.DONE: translate("request", "Done"),
    }[RequestState(state)]


def request_entry(request: Request, today: datetime.date, packets: Container[int] = ()) -> tuple[str, str]:
    """A request for the list: to whom, and how it stands, in short: "answer by 30 November, 14:00".

    A plain day and never a count of days; with the time where it is known, for requests that a packet was prepared for
    (`packets`, by id).
    """
    name = words.visible(request.recipient) or translate("request", "A request")
    by, past = _due(request, today, packets)
    if by:
        said = translate("request", "answer was due by {day}") if past else translate("request", "answer by {day}")
        return name, said.format(day=by)
    if request.state in AWAITING:
        return name, translate("request", "sent, no day named")
    if request.state is RequestState.DRAFT and request.id in packets:
        return name, translate("request", "being prepared")
    return name, state_word(request.state).lower()


def request_line(request: Request, today: datetime.date, packets: Container[int] = ()) -> str:
    """The same as a sentence: "X should answer by 30 November, 14:00"."""
    name, said = request_entry(request, today, packets)
    by, past = _due(request, today, packets)
    if not by:
        return f"{name}: {said}"
    if past:
        return translate("request", "{name} should have answered by {day}").format(name=name, day=by)
    return translate("request", "{name} should answer by {day}").format(name=name, day=by)


def _due(request: Request, today: datetime.date, packets: Container[int]) -> tuple[str, bool]:
    """By when an answer that is waited for is due, and whether that is over; empty where no day is named."""
    if request.state not in AWAITING or not request.due_at:
        return "", False
    if request.id in packets:
        over = datetime.datetime.fromisoformat(request.due_at) <= datetime.datetime.now(datetime.UTC)
        return until(request.due_at, today), over
    due = local_day(request.due_at)
    return day(due, today), due < today


def until(at: str, today: datetime.date) -> str:
    """A limit on the clock here: "30 November, 14:00", or "the end of 30 November" where it ends with a day."""
    moment = datetime.datetime.fromisoformat(at).astimezone()
    if (moment.hour, moment.minute) == (0, 0):
        return translate("date", "the end of {day}").format(day=day(moment.date() - datetime.timedelta(days=1), today))
    clock = translate("date", "{day}, {hour}:{minute}")
    return clock.format(day=day(moment.date(), today), hour=f"{moment:%H}", minute=f"{moment:%M}")


def verdict_word(item: Item) -> str:
    """An item's verdict in words."""
    if item.verdict in set(Band):
        return words.verdict(Band(item.verdict))
    return translate("case", "Not checked")


def item_line(item: Item, seen: int) -> tuple[str, str]:
    """An item for the list: its name, and verdict and number of sightings."""
    if seen == 0:
        count = translate("case", "no sighting yet")
    elif seen == 1:
        count = translate("case", "seen once")
    else:
        count = translate("case", "seen {n} times").format(n=f"{seen:,}")
    return item_name(item), f"{verdict_word(item)}, {count}"


def item_name(item: Item) -> str:
    """What an item is called."""
    return words.visible(item.label) or translate("case", "Item {number}").format(number=item.id)


def sighting_line(sighting: Sighting) -> str:
    """A sighting in one line: platform, account, address."""
    parts = (sighting.platform, sighting.handle, sighting.url)
    return words.visible(" · ".join(p for p in parts if p)) or translate("case", "Somewhere")


def sighting_text(sighting: Sighting) -> str:
    """A sighting with all that was written down of it, a line each."""
    lines = (
        (translate("case", "Address"), sighting.url),
        (translate("case", "Platform"), sighting.platform),
        (translate("case", "Account"), sighting.handle),
        (translate("case", "Seen"), when(sighting.seen_at, sighting.time_zone)),
        (translate("case", "How"), sighting.captured_how),
        (translate("case", "By"), sighting.captured_by),
        (translate("case", "Note"), sighting.note),
    )
    return "\n".join(f"{name}: {words.visible(text)}" for name, text in lines if text)


def contact_text(contact: Contact) -> str:
    """A contact with all that was written down of it."""
    said = words.visible(contact.name)
    if contact.role:
        said += f" ({words.visible(contact.role)})"
    return "\n".join([said, *(words.visible(text) for text in (contact.address, contact.note) if text)])


def incident_sections(contents: Contents) -> list[Section]:
    """Who is depicted, in her words; what is wanted; who may act for her."""
    incident = contents.incident
    if incident is None:
        return []
    nothing = translate("case", "Nothing is written here yet.")
    may_act = [_consent(c) for c in contents.consents if c.withdrawn_at is None]
    return [
        Section(translate("case", "Who is in the pictures"), _paragraphs(incident.depicted) or (nothing,)),
        Section(translate("case", "What is wanted"), _paragraphs(incident.wanted) or (nothing,)),
        Section(
            translate("case", "Who else may act"),
            tuple(may_act) or (translate("case", "Nobody is named."),),
        ),
    ]


def _consent(consent: Consent) -> str:
    said = words.visible(consent.who)
    if consent.role:
        said += f" ({words.visible(consent.role)})"
    if consent.scope:
        said += f": {words.visible(consent.scope)}"
    if consent.authority:
        said += f". {translate('case', 'Written authority: {text}').format(text=words.visible(consent.authority))}"
    return said


def item_sections(contents: ItemContents, *, fingerprints: bool) -> list[Section]:
    """Everything about an item in words: description, verdict, where it was seen, requests, timeline."""
    item = contents.item
    nothing = translate("case", "No description yet. A few words here save you from looking at it again.")
    verdict: list[str] = []
    if item.verdict in set(Band):
        verdict.append(words.verdict_meaning(Band(item.verdict)))
    verdict += [words.visible(r) for r in item.reasons]
    parts = [
        Section(item_name(item), _paragraphs(item.description) or (nothing,)),
        Section(verdict_word(item), tuple(verdict)),
        Section(translate("case", "Timeline"), pairs=_timeline(contents)),
    ]
    if fingerprints:
        if item.hashes is not None:
            parts.append(describe.fingerprints(item.hashes))
        else:
            parts.append(Section(translate("detail", "Fingerprints"), (translate("case", "There are none."),)))
    return parts


def _timeline(contents: ItemContents) -> Pairs:
    zones = {s.id: s.time_zone for s in contents.sightings}
    kinds = {
        "sighting": translate("case", "Seen"),
        "request": translate("case", "Request"),
        "answer": translate("case", "Answer"),
        "note": translate("case", "Note"),
        "log": translate("case", "Custody log"),
    }
    pairs = []
    for event in contents.events:
        zone = zones.get(event.id, "") if event.kind == "sighting" else ""
        said = describe.shorten(words.visible(event.text))
        pairs.append((when(event.at, zone), f"{kinds.get(event.kind, event.kind)}: {said}"))
    return tuple(pairs)


def answer_line(answer: Answer) -> str:
    """An answer in one line."""
    said = f"{when(answer.at)}: {words.visible(answer.outcome)}"
    return f"{said}. {words.visible(answer.text)}" if answer.text else said


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(words.visible(line) for line in text.splitlines() if line.strip())
