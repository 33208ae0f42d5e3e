"""What the worker's thread does for requests: facts, assessments, the form's texts, packets. Qt-free.

Only this module loads the facts, the letters and the libraries behind them, and only when it is first asked.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from desktop.packets.elements import ELEMENTS
from desktop.packets.request import MOST_SIGHTINGS, Request
from desktop.safety.helplines import EVERYWHERE, added
from desktop.window.packet_questions import Group, Outlook, element_name
from desktop.window.packet_view import FormText, Place, carried, place_of, with_places
from desktop.window.words import translate

_OFFICES = ("police", "court", "regulator", "support")
# Where offices work in one of the languages of the letters, as far as one is enough there.
_WRITE = {
    "es": "AR BO CL CO CR CU DO EC ES GT HN MX NI PA PE PY SV UY VE",
    "pt": "AO BR CV MZ PT ST",
    "fr": "BF BJ CG CI FR GA GN NE SN TG",
    "ar": "AE BH EG JO KW LB LY OM QA SA SY TN YE",
    "sw": "TZ",
    "ko": "KR",
}


def facts() -> Any:
    """The laws and platforms, with those that were added by hand."""
    from desktop.packets import facts as facts_

    return facts_.load(added=added())


def all_facts() -> tuple[dict[str, Any], dict[str, Any]]:
    """All laws and platforms, each read."""
    known = facts()
    return dict(known.laws), dict(known.platforms)


def check_facts(path: str) -> Any:
    """What a file of newer facts would change. Raises FactsError for what is none."""
    from desktop.packets import facts_import

    return facts_import.check_import(Path(path), facts())


def use_facts(proposal: Any) -> None:
    """Uses newer facts from now on."""
    from desktop.packets import facts_import

    facts_import.apply_import(proposal, added())


def look(request: Request, images: Set[int], wide: Request | None = None) -> Outlook:
    """What the form shows about a request: where a way is chosen, what is there and missing.

    With `wide`, which is the request with all places that were chosen, also the ways for them. `images` are the items
    whose picture the casebook keeps.
    """
    from desktop.packets import complete, routes

    if request.gate.age != "adults":
        return Outlook(request)
    known = facts()
    found = () if wide is None else _ways(wide, known)
    places = routes.places_for(wide, [r.platform_id for r in found if r.platform_id], known) if wide and found else {}
    languages = {id: _language(known.platforms[id], request.depicted.country) for id in places}
    groups = tuple(_group(replace(request, sightings=places.get(r.platform_id, ())), known, r) for r in found)
    if not request.platform:
        return Outlook(request, routes=found, groups=groups, places=places, languages=languages)
    assessment = complete.assess(request, known)
    return Outlook(
        request,
        assessment,
        found,
        groups,
        _grouped(request, assessment.platform, assessment.channel),
        places,
        languages,
        sentences=sentences(request),
        no_image=_no_image(request, known),
        kept_images=any(item.id in images for item in request.items),
    )


def _ways(wide: Request, known: Any) -> tuple[Any, ...]:
    """The ways in the same order whichever is chosen now; where that is none of them, with it."""
    from desktop.packets import routes

    found = routes.routes(replace(wide, law="", platform="", channel=""), known)
    chosen = any((r.platform_id, r.law_id) == (wide.platform, wide.law) for r in found if not r.refused)
    return found if chosen or not (wide.platform or wide.law) else routes.routes(wide, known)


def _language(platform: Any, country: str) -> str:
    """In which of the languages of the letters an office works; English for companies, and where it is not known."""
    if platform.kind not in _OFFICES:
        return "en"
    own = platform.countries[0] if len(platform.countries) == 1 else EVERYWHERE
    where = country if own == EVERYWHERE else own
    return next((language for language, countries in _WRITE.items() if where in countries.split()), "en")


def _group(request: Request, known: Any, route: Any) -> Group | None:
    """How a way takes the addresses; None where no packet is made for it."""
    platform = known.platforms.get(route.platform_id)
    channel = None if platform is None else platform.channel(route.channel_id)
    return None if platform is None or channel is None else _grouped(request, platform, channel)


def _grouped(request: Request, platform: Any, channel: Any) -> Group:
    """Into how many reports a channel makes the addresses. Those of one address each are counted without being made."""
    from desktop.packets import batches

    if channel.batch == "one" and request.sightings:
        shown = {s.item for s in request.sightings}
        unseen = sum(item.id not in shown for item in request.items) if None not in shown else 0
        number = len(request.sightings) + unseen
    else:
        number = len(batches.split(request, platform, channel))
    return Group(number, channel.batch, channel.batch_max)


def _no_image(request: Request, known: Any) -> str:
    """Why no picture may go in on this way; empty where one may."""
    from desktop.packets import complete

    asked = replace(request, sightings=request.sightings[:1], include=replace(request.include, image="full"))
    refusals = complete.assess(asked, known).refusals
    return next((r.says for r in refusals if r.code == "image_not_here"), "")


def sentences(request: Request) -> dict[str, str]:
    """The statements by element, in the words in which the letter has them."""
    from desktop.packets.catalogue import catalogue

    texts = catalogue("en")
    whose = "depicted" if request.sender.role == "depicted" else "other"
    found = {}
    for element in ELEMENTS.values():
        if element.statement:
            name = element.fields[0].partition(".")[2]
            keys = (f"statement.{name}", f"statement.{name}_{whose}")
            found[element.id] = next((texts.text(k) for k in keys if texts.has(k)), element.title)
    return found


def parts(request: Request) -> Sequence[Request]:
    """The request as the reports that their form makes of it, in order."""
    from desktop.packets import batches, complete

    assessment = complete.assess(request, facts())
    return batches.split(request, assessment.platform, assessment.channel)


def form_texts(request: Request, number: int) -> list[FormText]:
    """The fields of their form for one of the reports, in the form's order, with the text for each.

    Where the form is not known, what they ask for; and the whole letter where it goes by e-mail or post.
    """
    from desktop.packets import complete
    from desktop.packets.catalogue import catalogue
    from desktop.packets.letter_bodies import Letter
    from desktop.packets.letter_sheet import field_text

    known = facts()
    part = parts(request)[number]
    assessment = complete.assess(part, known)
    letter = Letter(catalogue(part.language), assessment, known, draft=False)
    channel, found = assessment.channel, []
    if channel.address:
        found.append(FormText(translate("packet", "Where it goes"), channel.address))
    for field in channel.fields:
        chosen = bool(field.choose) and field.value in ("role", "none")
        text = "" if chosen else field_text(letter, field.value)
        found.append(FormText(field.label, text, field.choose, field.note, field.max))
    if not channel.fields:
        asked = dict.fromkeys(check.element for check in assessment.checks if check.needed_by)
        found += [FormText(element_name(e), text) for e in asked if (text := field_text(letter, e))]
    with_letter = any(field.value == "letter" for field in channel.fields)
    if not with_letter and channel.kind in ("email", "post", "portal"):
        found.append(FormText(translate("packet", "The whole letter"), field_text(letter, "letter")))
    return found


@dataclass(frozen=True, slots=True)
class Built:
    """A packet that was written: its name and SHA-256, the ids of what it goes by, and whether it is a draft."""

    name: str
    sha256: str
    head: str
    law: str
    platform: str
    channel: str
    draft: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a packet is saved: in which folder, with which passphrase or to whose age key, and whether with the sheet."""

    folder: str
    passphrase: str = ""
    key: str = ""
    sheet: bool = True


def build(part: Request, materials: Materials, wanted: Wanted) -> Built:
    """Makes the packet of one report and writes it, with the sheet for the sender unless it is left out.

    With a passphrase or somebody's age key, only the encrypted packet is written. One that is incomplete is a draft.
    Raises PacketError.
    """
    from desktop.packets import age_files, bag, complete, letters

    known = facts()
    assessment = complete.assess(part, known)
    draft = not assessment.complete
    packet = bag.build(
        assessment, known, key=materials.key, custody=materials.custody, images=materials.of(part), draft=draft
    )
    pdf, text = b"", ""
    if wanted.sheet:
        sheet, text = letters.sheet(assessment, known, draft=draft)
        pdf = sheet.pdf
    locked = b""
    if wanted.passphrase or wanted.key:
        to = [wanted.key] if wanted.key else ()
        locked = age_files.encrypt(packet.zip, recipients=to, passphrase=wanted.passphrase)
    bag.save(Path(wanted.folder), bag.outputs(packet, pdf, text, locked))
    law = "" if assessment.law is None else assessment.law.id
    head = materials.custody.head if materials.custody and part.include.custody else ""
    return Built(packet.name, packet.sha256, head, law, assessment.platform.id, assessment.channel.id, draft)


# In the casebook's thread


@dataclass(frozen=True, slots=True)
class Begun:
    """What a form starts from: the request, all that could be chosen for it, and what is known of it so far.

    `images` are the items whose picture the casebook keeps, `asked` the places that another request is about already.
    `carried`: answers of the request before it were taken over.
    """

    request: Request
    everything: Request
    request_id: int | None = None
    step: str = ""
    built: str = ""
    sent: bool = False
    images: frozenset[int] = frozenset()
    follows: int | None = None
    asked: frozenset[Place] = frozenset()
    carried: bool = False


def begin(book: Any, incident_id: int, sighting_ids: Sequence[int], item_ids: Sequence[int]) -> Begun:
    """A new request about these sightings and items, or about the whole incident."""
    from desktop.packets import gather

    everything = _everything(book, incident_id)
    asked = _asked_about(book, incident_id)
    request = everything
    if sighting_ids or item_ids:
        request = gather.prefilled(book, incident_id, sighting_ids=sighting_ids, item_ids=item_ids)
    elif left := [s for s in everything.sightings if place_of(s) not in asked]:
        request = with_places(everything, left, everything)
    before = _last(book, incident_id)
    if before is not None:
        request = carried(request, before)
    return Begun(request, everything, images=_images(book, incident_id), asked=asked, carried=before is not None)


def resume(book: Any, request_id: int) -> Begun:
    """A request whose form was left, as it was left."""
    from desktop.casebook.records import RequestState
    from desktop.packets.request import from_json

    kept, record = book.packet_form(request_id), book.request(request_id)
    request = from_json(kept.form)
    return Begun(
        request,
        _everything(book, kept.incident_id),
        request_id,
        kept.step,
        kept.built_name or "",
        record.state is not RequestState.DRAFT,
        _images(book, kept.incident_id),
        kept.follows,
        _asked_about(book, kept.incident_id, request_id),
    )


def keep(book: Any, incident_id: int, request_id: int | None, request: Request, step: str, follows: int | None) -> int:
    """Saves a form, as a new request where it is none yet, and what it is about; gives the request's id.

    Addresses that the casebook does not have yet become sightings. Raises RequestError for what could not be read
    again.
    """
    from desktop.casebook.records import NewSighting
    from desktop.packets.request import from_json, to_json

    known = [s for s in book.sightings(incident_id=incident_id) if not s.maybe_minor]
    items = {i.id for i in book.items(incident_id, brief=True)}
    urls = {s.url for s in known}
    new = {s.url: s for s in request.sightings if s.url and s.url not in urls}
    # The places of the casebook were read as a request holds them when the form began: what is new is read again.
    few = replace(request, sightings=tuple(new.values()))
    from_json(to_json(request if len(request.sightings) > MOST_SIGHTINGS else few))
    text = to_json(request)
    added_ids = book.add_sightings(
        incident_id,
        [NewSighting(s.url, s.item if s.item in items else None, seen_at=s.seen_at) for s in new.values()],
    )
    chosen = {(s.url, s.handle) for s in request.sightings}
    sighting_ids = (*(s.id for s in known if (s.url, s.handle) in chosen), *added_ids)
    item_ids = tuple(i.id for i in request.items if i.id in items and i.sha256)
    if request_id is None:
        made = book.new_packet(
            incident_id, text, step=step, item_ids=item_ids, sighting_ids=sighting_ids, follows=follows
        )
        return int(made.id)
    book.save_packet_form(request_id, text, step)
    record = book.request(request_id)
    if (set(record.item_ids), set(record.sighting_ids)) != (set(item_ids), set(sighting_ids)):
        book.update_request(request_id, item_ids=item_ids, sighting_ids=sighting_ids)
    return request_id


def name(book: Any, request_id: int, recipient: str, basis: str, channel: str) -> None:
    """Writes down to whom a request goes, where that is not what is written there."""
    record = book.request(request_id)
    if (record.recipient, record.legal_basis, record.channel) != (recipient, basis, channel):
        book.update_request(request_id, recipient=recipient, legal_basis=basis, channel=channel)


def drop(book: Any, request_id: int) -> None:
    """Somebody in it may be under 18: the form goes, and the request with it is withdrawn."""
    from desktop.casebook.records import RequestState

    book.delete_packet_form(request_id)
    book.update_request(request_id, state=RequestState.WITHDRAWN, item_ids=(), sighting_ids=())


def _everything(book: Any, incident_id: int) -> Request:
    """All items of an incident and where they were seen. None where someone may be under 18."""
    from desktop.packets import gather

    items = [i.id for i in book.items(incident_id, brief=True)]
    sightings = [s.id for s in book.sightings(incident_id) if not s.maybe_minor]
    return gather.prefilled(book, incident_id, sighting_ids=sightings, item_ids=items)


def _asked_about(book: Any, incident_id: int, but: int | None = None) -> frozenset[Place]:
    """The places that requests of an incident are about, but for one request."""
    from desktop.casebook.records import RequestState
    from desktop.packets import gather

    of = [r for r in book.requests(incident_id) if r.id != but and r.state is not RequestState.WITHDRAWN]
    ids = {n for r in of for n in r.sighting_ids}
    if not ids:
        return frozenset()
    return frozenset(place_of(gather.as_sighting(s)) for s in book.sightings(incident_id) if s.id in ids)


def _last(book: Any, incident_id: int) -> Request | None:
    """The request of an incident that was prepared last, as far as it can still be read."""
    from desktop.packets.request import RequestError, from_json

    for form in reversed(book.packet_forms(incident_id)):
        try:
            return from_json(form.form)
        except RequestError:  # of a later version
            continue
    return None


def _images(book: Any, incident_id: int) -> frozenset[int]:
    return frozenset(i.id for i in book.items(incident_id, brief=True) if i.has_image)


@dataclass(frozen=True, slots=True)
class Materials:
    """What a packet needs from the casebook: its signing key, the extract of its log, and pictures that were chosen, by
    item."""

    key: Any
    custody: Any
    images: Mapping[int, bytes]

    def of(self, part: Request) -> dict[int, bytes]:
        """The pictures of one report."""
        items = {item.id for item in part.items}
        return {number: data for number, data in self.images.items() if number in items}


def materials(book: Any, request_id: int, request: Request) -> Materials:
    """What the packet of a request needs. That a picture goes along stands in the custody log: it was exported."""
    from desktop.packets import gather

    kept = {i.id for i in book.items(book.request(request_id).incident_id, brief=True) if i.has_image}
    wanted = [] if request.include.image == "none" else [i.id for i in request.items if i.id in kept and i.sha256]
    images = {i: book.image(i) for i in wanted}
    custody = None
    if request.include.custody:
        custody = gather.custody_of(book, gather.items_of(book, request), request_id)
    return Materials(book.signing_key(), custody, images)


def record(book: Any, request_id: int, built: Built) -> None:
    """Notes a packet in the casebook; a draft, which nobody is to send, is not noted."""
    if not built.draft:
        book.packet_built(
            request_id,
            built.name,
            built.sha256,
            built.head,
            law=built.law,
            platform=built.platform,
            channel=built.channel,
        )


# Requests that are under way


@dataclass(frozen=True, slots=True)
class Tracked:
    """A request of the casebook with what belongs to it, and what can be done next."""

    record: Any
    form: Any
    answers: Sequence[Any]
    packets: Sequence[Any]
    steps: Sequence[Any]


def tracked(book: Any, incident_id: int, now: datetime.datetime) -> list[Tracked]:
    """The requests of an incident, those that wait for an answer first."""
    from desktop.packets import tracking
    from desktop.window.case_view import ordered

    known = facts()
    records = book.requests(incident_id)
    forms = {form.request_id: form for form in book.packet_forms(incident_id)}
    # What is in no request yet, once for all of them.
    asked = {n for one in records for n in one.sighting_ids}
    new = [s for s in book.sightings(incident_id) if s.id not in asked]
    made: dict[int, list[Any]] = {}
    for packet in book.packets():
        made.setdefault(packet.request_id, []).append(packet)
    begun: dict[int, set[str]] = {}
    for form in forms.values():
        if form.follows is not None:
            begun.setdefault(form.follows, set()).add(form.platform)
    found = []
    for one in ordered(records):
        form, packets, answers = forms.get(one.id), made.get(one.id, []), book.answers(one.id)
        law, platform, channel = tracking.way(packets, form, known)
        steps = tracking.next_steps(
            one,
            law,
            platform,
            tracking.due_of(one, law, platform, channel),
            now,
            known,
            answers=answers,
            seen_again=tracking.seen_again(one, new, ()),
            begun=begun.get(one.id, set()),
            built=bool(packets),
        )
        found.append(Tracked(one, form, answers, packets, steps))
    return found


def mark_sent(book: Any, request_id: int, sent_at: str, reference: str) -> Any:
    """Notes that a request was sent, and by when an answer is due, by the clock of the law."""
    from desktop.packets import tracking

    return tracking.mark_sent(book, request_id, sent_at, facts(), reference=reference)


def complaint(book: Any, request_id: int, step: Any) -> Begun:
    """A request to whoever a next step turns to, about an earlier request."""
    from desktop.packets import tracking

    one = book.request(request_id)
    request = tracking.complaint_from(_asked(book, one), one, step, facts(), answers=book.answers(request_id))
    everything = _everything(book, one.incident_id)
    return Begun(request, everything, images=_images(book, one.incident_id), follows=request_id)


def again(book: Any, request_id: int, sighting_ids: Sequence[int] = ()) -> Begun:
    """The same request for where it was seen since: at these places, or at all that are in no request yet."""
    from desktop.packets import gather, tracking

    one = book.request(request_id)
    sightings = book.sightings(one.incident_id)
    new = [s for s in sightings if s.id in set(sighting_ids)]
    new = new or list(tracking.seen_again(one, sightings, book.requests(one.incident_id)))
    items = [gather.as_item(book.item(n)) for n in dict.fromkeys(s.item_id for s in new) if n is not None]
    request = tracking.again(
        _asked(book, one),
        [gather.as_sighting(s) for s in new],
        facts(),
        items=items,
        record=one,
        answers=book.answers(request_id),
    )
    everything = _everything(book, one.incident_id)
    return Begun(request, everything, images=_images(book, one.incident_id), follows=request_id)


def _asked(book: Any, one: Any) -> Request:
    """What was asked in a request of the casebook: its form, or, where it was only noted, what it was about."""
    from desktop.packets import gather
    from desktop.packets.request import from_json

    if forms := book.packet_forms(request_id=one.id):
        return from_json(forms[0].form)
    return gather.prefilled(book, one.incident_id, sighting_ids=one.sighting_ids, item_ids=one.item_ids)
