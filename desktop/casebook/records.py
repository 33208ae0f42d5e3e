"""What a casebook holds, as plain records, and the error that a person sees when it cannot be used.

Ids are row numbers of one casebook and are never used again. Times are ISO 8601 text with an offset and whole seconds
(`2026-11-24T18:00:00+00:00`). None means unknown; an empty text means that nothing was said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from detectors.errors import CounterproofError
from detectors.report import Hashes

if TYPE_CHECKING:
    from detectors.fingerprints.views import View


class CasebookError(CounterproofError):
    """A casebook could not be opened or changed. Nothing that was recorded before is lost by it.

    Codes: wrong_passphrase, wrong_recovery_code, weak_passphrase, casebook_missing, casebook_exists, not_a_casebook,
    casebook_damaged, casebook_newer, casebook_open_elsewhere, casebook_read_only, casebook_closed, disk_full,
    disk_failed, memory_short, no_such_record, bad_record, bad_name, maybe_minor.
    """


class RequestState(StrEnum):
    """Where a request stands. A draft has not been sent; answered, refused, withdrawn and done are settled."""

    DRAFT = "draft"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    ANSWERED = "answered"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    DONE = "done"


# An answer is still waited for in these.
AWAITING = (RequestState.SENT, RequestState.ACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class Incident:
    """Who is depicted, in her own words, and what is wanted. `country` is ISO 3166 alpha-2 or empty."""

    id: int
    title: str
    depicted: str
    wanted: str
    country: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Consent:
    """Who may act for the depicted person, in what role and for what; `authority` is the written authority, in words.

    `withdrawn_at` is None while it holds.
    """

    id: int
    incident_id: int
    who: str
    role: str
    authority: str
    scope: str
    given_at: str
    withdrawn_at: str | None


@dataclass(frozen=True, slots=True)
class Item:
    """One image, as its fingerprints and findings. `has_image` says that its bytes are kept too.

    `media` is the container's facts (Media.from_json reads them), `findings` are in `Finding.to_record` form,
    `intimacy` is the object of `counterproof.scan/1`, `verdict` and `profile` are the words of Band and Profile.
    `verdict` is None when the file could not be checked; `reasons` then say why. `p_synthetic` is 0..1 or None.
    """

    id: int
    incident_id: int
    label: str
    hashes: Hashes | None
    views: tuple[View, ...]
    media: Mapping[str, Any] | None
    profile: str | None
    verdict: str | None
    p_synthetic: float | None
    reasons: tuple[str, ...]
    findings: tuple[Mapping[str, Any], ...]
    intimacy: Mapping[str, Any] | None
    description: str
    added_at: str
    has_image: bool


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where something was seen, when and by whom. `time_zone` is the IANA name in which `seen_at` was noted.

    With `maybe_minor` there is text only: such a sighting never has an item or a screenshot.
    """

    id: int
    incident_id: int
    item_id: int | None
    url: str
    platform: str
    handle: str
    seen_at: str
    time_zone: str
    captured_how: str
    captured_by: str
    note: str
    maybe_minor: bool
    has_screenshot: bool


@dataclass(frozen=True, slots=True)
class NewSighting:
    """A place to be recorded. `seen_at` is now when empty, `captured_by` the actor."""

    url: str
    item_id: int | None = None
    platform: str = ""
    handle: str = ""
    seen_at: str = ""
    time_zone: str = "UTC"
    captured_how: str = ""
    captured_by: str = ""
    note: str = ""
    maybe_minor: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A packet: to whom, on what legal basis, about which items and sightings, and when an answer is due.

    `sent_at` and `due_at` are None until known. `reference` is the recipient's number for it.
    """

    id: int
    incident_id: int
    item_ids: tuple[int, ...]
    sighting_ids: tuple[int, ...]
    recipient: str
    legal_basis: str
    channel: str
    sent_at: str | None
    reference: str
    due_at: str | None
    state: RequestState
    created_at: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a recipient answered, when, and with what outcome (in a word or two)."""

    id: int
    request_id: int
    at: str
    outcome: str
    text: str


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet that was made from a request: its file's name and SHA-256 (hex), and never where it was put.

    `head` is the head of the custody log that is printed in it; `law`, `platform` and `channel` are ids of the facts,
    or empty.
    """

    id: int
    request_id: int
    name: str
    sha256: str
    head: str
    law: str
    platform: str
    channel: str
    built_at: str


@dataclass(frozen=True, slots=True)
class PacketForm:
    """What a request is made from, as far as it has come: `form` is a request as JSON, `step` where it was left.

    `law`, `platform` and `channel` are what the form says of them, or empty. `follows` is the request that this one
    goes on from (a complaint, or the same picture seen again) or None. `built_*` are of the packet that was made last,
    or None.
    """

    request_id: int
    incident_id: int
    form: str
    step: str
    updated_at: str
    follows: int | None
    built_name: str | None
    built_sha256: str | None
    built_at: str | None
    law: str
    platform: str
    channel: str


@dataclass(frozen=True, slots=True)
class Contact:
    """Someone who helps or decides: a lawyer, a moderator, an officer. `address` is however they are reached."""

    id: int
    incident_id: int
    name: str
    role: str
    address: str
    note: str


@dataclass(frozen=True, slots=True)
class ReferencePhoto:
    """One of the person's own public photos, from which fakes may have been made. `taken_on` is a date or empty."""

    id: int
    incident_id: int
    path: str
    label: str
    taken_on: str
    hashes: Hashes | None
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Somebody's words on an incident, or on one item, sighting or request of it."""

    id: int
    incident_id: int
    item_id: int | None
    sighting_id: int | None
    request_id: int | None
    text: str
    at: str
    actor: str


@dataclass(frozen=True, slots=True)
class NewItem:
    """What `Casebook.add_items` needs for one image; the fields are the arguments of `Casebook.add_item`."""

    report: Any  # detectors.report.Report
    views: tuple[View, ...] = ()
    label: str = ""
    description: str = ""
    image: bytes | None = field(default=None, repr=False)
    media_type: str = ""
    thumbnail: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an item's timeline. `kind`: sighting, request, packet, answer, note or log; `id` is that record's."""

    at: str
    kind: str
    text: str
    id: int


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of the custody log. `subject` names a record ("item 7"); `previous` and `digest` are hex SHA-256.

    `details` is None when there were none, or when they were erased with the record that they were about (`erased`).
    """

    seq: int
    at: str
    actor: str
    action: str
    subject: str
    details: Mapping[str, Any] | None
    erased: bool
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What checking a casebook found. `rows` is the number of log rows that were checked, `problems` plain sentences.

    `head` is the short form of the log's head, for packets; it is empty when the log has no sound head.
    `checked_bytes` is how much of the file was checked against its seals.
    """

    rows: int
    ok: bool
    problems: tuple[str, ...]
    head: str
    checked_bytes: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts over a casebook or one incident. `overdue` are requests whose answer was due before now.

    `next_due` is the earliest `due_at` still to come of a request that waits for an answer, or None.
    """

    incidents: int
    items: int
    with_image: int
    verdicts: Mapping[str, int]
    sightings: int
    maybe_minor: int
    requests: Mapping[str, int]
    overdue: int
    next_due: str | None
    notes: int
    contacts: int
    references: int
    log_rows: int
