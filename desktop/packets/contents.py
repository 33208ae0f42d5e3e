"""What lies beside the letters in a packet, for machines: the request, the addresses, the custody log, fingerprints.

None of it says more than the letters do. What a request holds for its sender alone (labels, notes, file names, numbers
of a casebook, PDQ) is left out here, field by field: a field that is not named below is in no packet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from desktop.packets import letter_bodies
from desktop.packets.elements import ELEMENTS
from desktop.packets.letter_bodies import Letter
from detectors import __version__

if TYPE_CHECKING:
    from desktop.packets.complete import Assessment
    from desktop.packets.letters import Custody, Document
    from desktop.packets.request import Request, RequestSighting

SCHEMA = "counterproof.packet/1"
TOOL = f"Counterproof {__version__}"
HASH_COLUMNS = ("sha256", "pdq", "pdq_quality", "md5", "media_type", "width", "height", "created_utc", "tool")
ADDRESS_COLUMNS = ("number", "address", "account", "seen_utc", "image")
CUSTODY_COLUMNS = ("row", "time_utc", "who", "action", "subject", "digest")

# As in the letters: these texts are given whenever they are there, these statements only to whoever asks for them.
_ALWAYS = frozenset({"reason", "relevant_information", "remedial_action"})
_ONLY_IF_ASKED = frozenset({"perjury_statement", "unauthorised_use_statement", "ownership_statement"})
_ENDINGS = {
    "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif", "image/heic": "heic",
    "image/avif": "avif", "image/tiff": "tif", "image/bmp": "bmp",
}  # fmt: skip


def payload(
    letter: Letter, documents: Iterable[Document], custody: Custody | None, images: Mapping[int, bytes]
) -> dict[str, bytes]:
    """The files of a packet's `data/`, by path. `images` holds bytes by the id of the item: PNG where the request says
    blurred, else a file of the kind that the item names."""
    request = letter.request
    files = {f"letters/{d.name}": d.pdf for d in documents}
    text = json.dumps(record(letter), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    # Direction marks and what is invisible are escaped, so that an editor shows the text as it is.
    shown = "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
    files["request.json"] = shown.encode("utf-8") + b"\n"
    if request.sightings:
        files["addresses.csv"] = table(ADDRESS_COLUMNS, _addresses(request))
    if custody is not None:
        rows = ((r.seq, r.at, r.who, r.action, r.subject, r.digest) for r in custody.rows)
        files["custody.csv"] = table(CUSTODY_COLUMNS, rows)
    if with_hashes(letter.assessment):
        files["hashes.csv"] = table(HASH_COLUMNS, _hashes(request))
    blurred = request.include.image == "blurred"
    for number, item in enumerate(request.items, 1):
        if item.id in images:
            name = f"{number}-blurred.png" if blurred else f"{number}.{_ENDINGS.get(item.media_type, 'bin')}"
            files[f"images/image-{name}"] = images[item.id]
    return files


def with_hashes(assessment: Assessment) -> bool:
    """Whether fingerprints for finding copies go along: only to who runs a hash programme, and only by choice."""
    return assessment.platform.kind == "hash_programme" and assessment.request.include.hashes


def record(letter: Letter) -> dict[str, Any]:
    """`request.json`: what the letters say, as values. Empty ones are left out."""
    a, request = letter.assessment, letter.request
    other, signature = request.recipient, request.signature
    found: dict[str, Any] = _filled(
        {
            "schema": SCHEMA,
            "kind": letter_bodies.letter_kind(a),
            "created_at": letter_bodies.moment(request).isoformat(timespec="seconds"),
            "language": request.language,
            "law": {"id": a.law.id, "name": a.law.name, "citation": a.law.citation} if a.law else {},
            "platform": {"id": a.platform.id, "name": a.platform.name},
            "channel": {"id": a.channel.id, "name": a.channel.name},
            "recipient": {"name": other.name, "address": other.address, "email": other.email},
            "depicted": _depicted(letter),
            "sender": _sender(request),
            "statements": _statements(letter),
            "signature": {"text": signature.text if signature.kind == "typed" else "", "date": _date(signature.date)},
            "texts": _texts(letter),
            "images": [
                {"number": n, "identification": item.identification, "made": item.made, "sha256": item.sha256}
                for n, item in enumerate(request.items, 1)
            ],
            "addresses": [dict(zip(ADDRESS_COLUMNS, row, strict=True)) for row in _addresses(request)],
            "earlier": _earlier(letter),
        }
    )
    return found


def table(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> bytes:
    """CSV as RFC 4180 has it, in which no cell is read as a formula."""
    from desktop.output.csv import cell, line

    return b"".join(line(tuple(map(cell, row))) for row in (columns, *rows))


def _depicted(letter: Letter) -> dict[str, str]:
    depicted, asked = letter.request.depicted, letter.asked_for
    return {
        "name": depicted.name,
        "known_as": depicted.known_as,
        "legal_name": depicted.legal_name if "legal_name" in asked or not depicted.name else "",
        "office": depicted.office,
        "country": depicted.country if "country" in asked else "",
    }


def _sender(request: Request) -> dict[str, str]:
    sender = request.sender
    authority = sender.role in ("agent", "guardian", "owner") and sender.authority != "none"
    return {
        "role": sender.role,
        "name": sender.name,
        "organisation": sender.organisation,
        "email": sender.email,
        "phone": sender.phone,
        "address": sender.address,
        "authority": sender.authority_note if authority else "",
        "authority_date": _date(sender.authority_date) if authority else "",
        "identity": sender.identity,
    }


def _earlier(letter: Letter) -> dict[str, str]:
    """The request that went before: whole in a complaint about it, else its number, to those who gave that number."""
    earlier = letter.request.earlier
    if letter_bodies.letter_kind(letter.assessment) != "complaint":
        return {"reference": earlier.reference} if earlier.platform == letter.request.platform else {}
    return {
        "platform": earlier.platform,
        "law": earlier.law,
        "sent_at": letter_bodies.utc(earlier.sent_at),
        "due_at": letter_bodies.utc(earlier.due_at),
        "reference": earlier.reference,
        "answer": earlier.answer,
    }


def _statements(letter: Letter) -> list[str]:
    """What the sender declared, as far as the letter gives it."""
    made = letter.request.statements
    declared = [e.id for e in ELEMENTS.values() if e.statement and getattr(made, e.fields[0].partition(".")[2])]
    return [element for element in declared if element not in _ONLY_IF_ASKED or element in letter.asked_for]


def _texts(letter: Letter) -> dict[str, str]:
    """What was said in the sender's own words, as far as the letter gives it."""
    given = letter.asked_for | _ALWAYS
    if letter_bodies.letter_kind(letter.assessment) != "notice":
        given |= {"circumstances"}
    own = [e.id for e in ELEMENTS.values() if e.fields[0].startswith("texts.") and e.id in given]
    return {element: letter_bodies.element_text(letter.request, element) for element in own}


def _place(sighting: RequestSighting) -> str:
    """The address, or what helps to find the place where there is none."""
    posted = letter_bodies.utc(sighting.posted_at, sighting.time_zone)
    return sighting.url or ", ".join(filter(None, (sighting.platform, sighting.handle, posted)))


def _addresses(request: Request) -> Iterable[tuple[object, ...]]:
    numbers = {item.id: n for n, item in enumerate(request.items, 1)}
    for n, s in enumerate(request.sightings, 1):
        image = "" if s.item is None else numbers.get(s.item, "")
        yield n, _place(s), s.handle, letter_bodies.utc(s.seen_at, s.time_zone), image


def _hashes(request: Request) -> Iterable[tuple[object, ...]]:
    from detectors.fingerprints.pdq import RELIABLE_QUALITY

    created = letter_bodies.moment(request).isoformat(timespec="seconds")
    for i in request.items:
        # One of a low quality is like those of many other pictures, which would be taken for this one.
        pdq = "" if i.pdq_quality is not None and i.pdq_quality < RELIABLE_QUALITY else i.pdq
        yield i.sha256, pdq, i.pdq_quality, i.md5, i.media_type, i.width, i.height, created, TOOL


def _date(date: object) -> str:
    return "" if date is None else str(date)


def _filled(value: Any) -> Any:
    """The same without what is empty."""
    if isinstance(value, dict):
        kept = {key: _filled(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part not in ("", {}, [], None)}
    return [_filled(part) for part in value] if isinstance(value, list) else value
