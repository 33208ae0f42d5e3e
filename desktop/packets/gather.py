"""From a casebook to a request and back: what is known already, the custody log of a packet, and that it was made.

Only what the recipient needs is carried over. No note, no name of a file or folder, and nobody's account on this
computer leaves the casebook by way of a request.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from desktop.casebook.records import CasebookError, RequestState
from desktop.packets.complete import assess
from desktop.packets.request import (
    Depicted,
    Gate,
    ItemFindings,
    Request,
    RequestError,
    RequestItem,
    RequestSighting,
    Sender,
    from_json,
    to_json,
)

if TYPE_CHECKING:
    from desktop.casebook.casebook import Casebook
    from desktop.casebook.records import Consent, Contact, Item, Sighting
    from desktop.casebook.records import Request as Record
    from desktop.packets.bag import Packet
    from desktop.packets.facts import Facts
    from desktop.packets.letters import Custody

# The ending of a file, or what phones, cameras and programs call theirs.
_FILE = re.compile(
    r"\.[a-z0-9]{2,5}$|^(?:img|dsc|dscn|pxl|mvimg|vid|dcim|screenshot|screen shot|bildschirmfoto|whatsapp|signal|"
    r"telegram|photo|image|download|unnamed|file)?[\W_]*[\dx_.\-() ]*\d{3,}[\w.\-() ]*$|^[0-9a-f-]{16,}$",
    re.IGNORECASE,
)
_NOT_A_NAME = frozenset({"i", "i am", "me", "myself", "it is me", "it's me", "me.", "self", "unknown"})
_LONGEST_NAME = 100
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_PHONE = re.compile(r"\+?[\d\s()./-]{6,30}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def prefilled(
    casebook: Casebook, incident_id: int, *, sighting_ids: Sequence[int] = (), item_ids: Sequence[int] = ()
) -> Request:
    """A request with what the casebook knows: who is depicted, who acts for her, the items and where they were seen.

    With items alone, all of their sightings are taken; with sightings, these and their items too. What a person must
    say herself (statements, signature, the answers that come first) stays empty; where someone in it may be under 18
    the age is unsure, and no item goes in. Raises no_such_record, and RequestError for what no request can hold.
    """
    incident = casebook.incident(incident_id)
    known = {s.id: s for s in casebook.sightings(incident_id)}
    chosen = [_of_it(known, "sighting", n) for n in dict.fromkeys(sighting_ids)]
    if not chosen:
        chosen = [s for s in known.values() if s.item_id is not None and s.item_id in item_ids]
    everything = {i.id: i for i in casebook.items(incident_id)}
    wanted = dict.fromkeys([*item_ids, *(s.item_id for s in chosen if s.item_id is not None)])
    items = [_of_it(everything, "item", n) for n in wanted]
    minor = any(s.maybe_minor for s in chosen)
    depicted = _name(incident.depicted)
    return readable(
        Request(
            gate=Gate(age="unsure" if minor else ""),
            depicted=Depicted(name=depicted, country=incident.country),
            sender=_sender(casebook, incident_id, depicted),
            items=() if minor else tuple(as_item(i) for i in items),
            sightings=tuple(as_sighting(s, with_item=not minor) for s in chosen),
        )
    )


def as_item(item: Item) -> RequestItem:
    """An item of the casebook in a request, under the same number. Its findings go into a packet only if the sender
    chooses so."""
    media: Mapping[str, Any] = item.media or {}
    kind = str(media.get("format") or "").lower()
    hashes = item.hashes
    return RequestItem(
        id=item.id,
        label=label_of(item.label),
        sha256=hashes.sha256 if hashes else "",
        md5=hashes.md5 if hashes else "",
        pdq=(hashes.pdq or "") if hashes else "",
        pdq_quality=hashes.pdq_quality if hashes else None,
        media_type=f"image/{kind}" if re.fullmatch(r"[a-z0-9.+-]{1,30}", kind) else "",
        width=_side(media.get("width")),
        height=_side(media.get("height")),
        findings=_findings(item),
    )


def as_sighting(sighting: Sighting, *, with_item: bool = True) -> RequestSighting:
    """A sighting of the casebook in a request. Its note and who saw it stay at home."""
    return RequestSighting(
        item=sighting.item_id if with_item else None,
        url=plain(sighting.url),
        platform=plain(sighting.platform),
        handle=plain(sighting.handle),
        seen_at=sighting.seen_at,
        time_zone=sighting.time_zone,
    )


def label_of(label: str) -> str:
    """A label as a request may hold it: empty where it looks like the name of a file or folder, or spans lines."""
    text = label.strip()
    like_a_file = "/" in text or "\\" in text or _FILE.search(text)
    return "" if like_a_file or _CONTROL.search(text) or len(text) > _LONGEST_NAME else text


def items_of(casebook: Casebook, request: Request) -> dict[int, int]:
    """The items of the casebook that a request is about, known by their SHA-256, in any incident, each with the number
    that the letters give it: its place in the request."""
    found: dict[int, int] = {}
    for number, one in enumerate(request.items, 1):
        for item in casebook.find_items(one.sha256) if one.sha256 else ():
            found.setdefault(item.id, number)
    return found


def custody_of(
    casebook: Casebook, item_ids: Mapping[int, int] | Sequence[int], request_id: int | None = None
) -> Custody:
    """The rows of the custody log about these items, their sightings and pictures, and about a request, with the head.

    Items are named as the letters name them: by the numbers given (see `items_of`), or by their place in the list. Who
    did it is "person 1", "person 2" in the order of their first row here. The details of the rows stay at home; their
    digests tie each row to the log that the head stands for. Raises no_such_record.
    """
    from desktop.packets.letters import Custody, CustodyRow

    numbers = item_ids if isinstance(item_ids, Mapping) else {n: k for k, n in enumerate(dict.fromkeys(item_ids), 1)}
    names = {f"item {casebook.item(n).id}": f"image {number}" for n, number in numbers.items()}
    seen = [s for s in casebook.sightings() if s.item_id in numbers]
    names |= {f"sighting {s.id}": f"sighting of image {numbers[s.item_id]}" for s in seen if s.item_id is not None}
    if request_id is not None:
        names[f"request {casebook.request(request_id).id}"] = "this request"
        names |= {f"packet {p.id}": p.name for p in casebook.packets(request_id)}
    rows, head = casebook.log_about(names)
    people: dict[str, str] = {}
    for row in rows:
        people.setdefault(row.actor, f"person {len(people) + 1}")
    return Custody(
        rows=tuple(CustodyRow(r.seq, r.at, people[r.actor], r.action, names[r.subject], r.digest) for r in rows),
        head=head,
    )


def record_built(
    casebook: Casebook,
    packet: Packet,
    request: Request,
    facts: Facts,
    *,
    head: str = "",
    channel: str = "",
    request_id: int | None = None,
    incident_id: int | None = None,
) -> Record:
    """Record that a packet was made: with the request of the casebook that it came from, or with a new one.

    `channel` is the one that was used where the request names none, `head` the head of the log that is printed in the
    packet. Without `request_id`, a draft that asks the same is that request; a new one goes to the incident of its
    items, else to the only one. Raises which_incident, no_such_record, and FactsError for ids that there are not.
    """
    asked = assess(replace(request, channel=channel) if channel else request, facts)
    law, platform = asked.law, asked.platform
    says: dict[str, Any] = {
        "recipient": request.recipient.name or platform.name,
        "legal_basis": ", ".join(filter(None, (law.name, law.citation))) if law else "",
        "channel": asked.channel.name,
    }
    if request_id is None:
        where = _incident_of(casebook, request, incident_id)
        items = [n for n in items_of(casebook, request) if casebook.item(n).incident_id == where]
        form = _numbered_as_here(casebook, request, items)
        request_id = _draft_of(casebook, form, where)
    if request_id is None:
        urls = {s.url for s in request.sightings if s.url}
        seen = [s.id for s in casebook.sightings(where) if s.url in urls and not s.maybe_minor]
        record = casebook.new_packet(where, to_json(form), **says, item_ids=items, sighting_ids=seen)
    else:
        record = casebook.request(request_id)
        if any(getattr(record, name) != value for name, value in says.items()):
            record = casebook.update_request(request_id, **says)
    if any(made.sha256 == packet.sha256 for made in casebook.packets(record.id)):
        return record  # the same bytes once more
    casebook.packet_built(
        record.id,
        packet.name,
        packet.sha256,
        head,
        law=law.id if law else "",
        platform=platform.id,
        channel=asked.channel.id,
    )
    return record


def _numbered_as_here(casebook: Casebook, request: Request, item_ids: Sequence[int]) -> Request:
    """The request with its items under the numbers of the casebook, others after all of them, and without the paths of
    files."""
    here = {(item.hashes.sha256 if item.hashes else ""): item.id for item in map(casebook.item, item_ids)}
    after = itertools.count(max([0, *(i.id for i in casebook.items(brief=True))]) + 1)
    numbers = {i.id: (here.pop(i.sha256, 0) if i.sha256 else 0) or next(after) for i in request.items}
    return replace(
        request,
        items=tuple(replace(i, id=numbers[i.id], file="") for i in request.items),
        sightings=tuple(replace(s, item=None if s.item is None else numbers[s.item]) for s in request.sightings),
    )


def _draft_of(casebook: Casebook, form: Request, incident_id: int) -> int | None:
    """The draft that asks the same, at whatever time: a packet that is made again is no second request."""
    same = to_json(replace(form, created_at=None))
    for kept in casebook.packet_forms(incident_id):
        if casebook.request(kept.request_id).state is RequestState.DRAFT:
            try:
                asked = from_json(kept.form)
            except RequestError:  # half filled in, or of another version: not this one
                continue
            if to_json(replace(asked, created_at=None)) == same:
                return kept.request_id
    return None


def _incident_of(casebook: Casebook, request: Request, incident_id: int | None) -> int:
    if incident_id is not None:
        return casebook.incident(incident_id).id
    of_items = {casebook.item(n).incident_id for n in items_of(casebook, request)}
    candidates = sorted(of_items) or [i.id for i in casebook.incidents()]
    if len(candidates) != 1:
        raise CasebookError(
            "which_incident",
            "It is not clear to which incident of the casebook this request belongs.",
            "Say which with --incident N." if candidates else "Begin one: counterproof case incident FILE --new",
        )
    return candidates[0]


def _of_it(known: Mapping[int, Any], kind: str, number: int) -> Any:
    if number not in known:
        raise CasebookError(
            "no_such_record",
            f"This incident has no {kind} {number}.",
            "Choose one of this incident, or record it there.",
        )
    return known[number]


def _name(text: str) -> str:
    """Who is depicted, where that is a name and not a sentence about her."""
    text = text.strip()
    plain = len(text) <= _LONGEST_NAME and not _CONTROL.search(text) and not re.search(r"[?!;:]|\.\s", text)
    return text if plain and text.casefold() not in _NOT_A_NAME else ""


def _sender(casebook: Casebook, incident_id: int, depicted: str) -> Sender:
    """Who asks: the person at work, or the only one who may act for her; nobody where that is not clear."""
    holds = [c for c in casebook.consents(incident_id) if c.withdrawn_at is None]
    mine = [c for c in holds if c.who.strip().casefold() == casebook.actor.strip().casefold()]
    chosen = (mine or holds)[-1:] if mine or len(holds) == 1 else []
    if not chosen:
        return Sender()
    consent = chosen[0]
    name = _name(consent.who)
    if name and name.casefold() == depicted.casefold():
        return Sender(role="depicted", name=name)
    contact = next((c for c in casebook.contacts(incident_id) if c.name.strip().casefold() == name.casefold()), None)
    role, authority = _authority(consent)
    given = consent.given_at if consent.authority else ""
    return Sender(
        role=role,
        name=name,
        authority=authority,
        authority_note=plain(consent.authority),
        authority_date=datetime.fromisoformat(given).date() if given else None,
        **_reached(contact),
    )


def _authority(consent: Consent) -> tuple[str, str]:
    text = f"{consent.role} {consent.authority}".casefold()
    if re.search(r"\b(?:parent|mother|father|guardian)\b", text):
        return "guardian", "parent"
    if "power of attorney" in text:
        return "agent", "attorney"
    return "agent", "written" if consent.authority.strip() else "none"


def _reached(contact: Contact | None) -> dict[str, str]:
    if contact is None:
        return {}
    address = contact.address.strip()
    if _EMAIL.fullmatch(address):
        return {"email": address}
    return {"phone": address} if _PHONE.fullmatch(address) else {"address": plain(address)}


def _findings(item: Item) -> ItemFindings | None:
    if item.verdict is None:
        return None
    hidden = [str(path) for f in item.findings if (path := _source(f))]
    made = ItemFindings(
        verdict=item.verdict,
        p_synthetic=item.p_synthetic,
        reasons=tuple(_without(reason, hidden) for reason in item.reasons),
        findings=tuple(_said(f, hidden) for f in item.findings),
        scanned_at=item.added_at,
    )
    try:
        return readable(Request(items=(RequestItem(findings=made),))).items[0].findings
    except RequestError:  # of a later version, or damaged: a request does without
        return None


def _said(finding: Mapping[str, Any], hidden: Sequence[str]) -> dict[str, Any]:
    """What a finding says, in short too where it does, and none of its other details: her photo's path is in them."""
    details = finding.get("details")
    short = details.get("in_short") if isinstance(details, Mapping) else None
    kept = {"in_short": _without(short, hidden)} if isinstance(short, str) else {}
    return {**finding, "says": _without(str(finding.get("says", "")), hidden), "details": kept}


def _source(finding: Mapping[str, Any]) -> object:
    """Where her own photo lies that a picture was made from."""
    details = finding.get("details")
    source = details.get("source") if isinstance(details, Mapping) else None
    return source.get("reference") if isinstance(source, Mapping) else None


def _without(text: str, paths: Iterable[str]) -> str:
    for path in paths:
        text = text.replace(f" “{os.path.basename(path)}”", "").replace(path, "")
    return plain(text)


def plain(text: str) -> str:
    """A text on one line: control characters, which no request may hold, become spaces."""
    return _CONTROL.sub(" ", text).strip()


def _side(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def readable(request: Request) -> Request:
    """The request as it will be read again. Raises RequestError for what it cannot hold, such as an endless address."""
    return from_json(to_json(request))
