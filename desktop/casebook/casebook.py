"""Casebook: an encrypted record of what happened. Every change is durable before its call returns, and is logged.

Each change is one transaction together with its row of the custody log. One thread at a time works on a casebook; a
lock sees to it. Errors are CasebookError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from desktop.casebook.records import (
    Answer,
    Consent,
    Contact,
    Event,
    Incident,
    Item,
    LogRow,
    NewItem,
    Note,
    Overview,
    ReferencePhoto,
    Request,
    RequestState,
    Sighting,
    Verification,
)

if TYPE_CHECKING:
    from detectors.fingerprints.views import View
    from detectors.report import Hashes, Report


class Casebook:
    """One open casebook. Use it as a context manager, or call `close`.

    `path` is its file, `actor` who is at work (recorded in the log with everything done), `notices` are plain
    sentences on what was noticed while opening.
    """

    path: Path
    actor: str
    notices: tuple[str, ...]

    @classmethod
    def create(cls, path: Path, passphrase: str, actor: str) -> tuple[Casebook, str]:
        """A new casebook at `path`, and its recovery code, which is to be shown once and kept nowhere.

        Deriving the key takes about half a second to a second. The passphrase must have 8 characters or more.
        Raises weak_passphrase, casebook_exists (nothing is overwritten), casebook_read_only, disk_full.
        """
        raise NotImplementedError

    @classmethod
    def open(cls, path: Path, passphrase: str, actor: str) -> Casebook:
        """Open with the passphrase; checks every page, the journal and the structure, and brings it up to date.

        Raises casebook_missing, not_a_casebook, wrong_passphrase, casebook_damaged, casebook_newer,
        casebook_open_elsewhere, casebook_read_only, memory_short, disk_full.
        """
        raise NotImplementedError

    @classmethod
    def open_with_code(cls, path: Path, code: str, actor: str) -> Casebook:
        """Open with the recovery code; spaces, hyphens and case do not matter. Raises as `open`, and
        wrong_recovery_code (mistyped, or of another casebook, or of an earlier passphrase)."""
        raise NotImplementedError

    def __enter__(self) -> Casebook:
        raise NotImplementedError

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Fold the journal into the file and close it; twice does no harm. Later calls raise casebook_closed."""
        raise NotImplementedError

    # The file

    def change_passphrase(self, new: str) -> str:
        """Write the casebook anew under another key and put it in place of the old file; returns its recovery code.

        Afterwards neither the old passphrase nor the old code opens the file; copies and backups made before keep
        theirs. A kill at any moment leaves one whole file. Raises weak_passphrase, disk_full.
        """
        raise NotImplementedError

    def backup(self, to_path: Path) -> None:
        """Write a whole, checked copy, which opens with the same passphrase and code. Raises casebook_exists,
        disk_full, disk_failed."""
        raise NotImplementedError

    def compact(self) -> int:
        """Write the file anew without its free space, in place of the old one; returns the bytes saved."""
        raise NotImplementedError

    def verify(self, head: str | None = None) -> Verification:
        """Check every page and record and recompute the custody log. With a `head` from a packet, also check that
        the log still contains the row it was printed after. Notices what was noticed on opening too."""
        raise NotImplementedError

    # Incidents and consents

    def add_incident(self, title: str, *, depicted: str = "", wanted: str = "", country: str = "") -> Incident:
        """Begin an incident. Raises bad_record when `country` is neither empty nor two letters."""
        raise NotImplementedError

    def incidents(self) -> list[Incident]:
        """All incidents, oldest first."""
        raise NotImplementedError

    def incident(self, incident_id: int) -> Incident:
        """One incident. Raises no_such_record."""
        raise NotImplementedError

    def update_incident(
        self,
        incident_id: int,
        *,
        title: str | None = None,
        depicted: str | None = None,
        wanted: str | None = None,
        country: str | None = None,
    ) -> Incident:
        """Change what is given and leave the rest."""
        raise NotImplementedError

    def add_consent(
        self, incident_id: int, who: str, *, role: str = "", authority: str = "", scope: str = "", given_at: str = ""
    ) -> Consent:
        """Record who may act for the depicted person; `given_at` is now when empty."""
        raise NotImplementedError

    def withdraw_consent(self, consent_id: int, at: str = "") -> Consent:
        """Record that it no longer holds, from `at` (now when empty)."""
        raise NotImplementedError

    def consents(self, incident_id: int) -> list[Consent]:
        """All consents of an incident, oldest first, withdrawn ones too."""
        raise NotImplementedError

    # Items

    def add_item(
        self,
        incident_id: int,
        report: Report,
        views: Sequence[View] = (),
        *,
        label: str = "",
        description: str = "",
        image: bytes | None = None,
        media_type: str = "",
        thumbnail: bytes | None = None,
    ) -> Item:
        """Record an image by its report. The report's path is not kept: `label` is what it shall be called.

        `image` is the file's bytes, only on the user's express wish; `thumbnail` is the blurred JPEG of the report and
        is kept only with the image. Raises no_such_record, bad_record.
        """
        raise NotImplementedError

    def add_items(self, incident_id: int, new: Iterable[NewItem]) -> list[Item]:
        """Record many in one transaction, one log row each: all or none. Ten times quicker than one by one."""
        raise NotImplementedError

    def items(self, incident_id: int | None = None) -> list[Item]:
        """All items of an incident, or of the casebook, oldest first."""
        raise NotImplementedError

    def item(self, item_id: int) -> Item:
        """One item. Raises no_such_record."""
        raise NotImplementedError

    def find_items(self, sha256: str) -> list[Item]:
        """Items whose file had exactly these bytes, in any incident: ask before adding the same file again."""
        raise NotImplementedError

    def viewed(self, item_id: int) -> None:
        """Record in the log that an item was looked at (its facts or its blurred form)."""
        raise NotImplementedError

    def revealed(self, item_id: int) -> None:
        """Record in the log that an item was shown without blur."""
        raise NotImplementedError

    def describe_item(self, item_id: int, text: str) -> Item:
        """Replace the description in words, so that nobody needs to look again."""
        raise NotImplementedError

    def keep_image(self, item_id: int, image: bytes, media_type: str = "", thumbnail: bytes | None = None) -> Item:
        """Keep (or replace) the bytes of an item's image, on the user's express wish."""
        raise NotImplementedError

    def image(self, item_id: int) -> bytes:
        """The bytes that were kept; the log records it as an export. Raises no_such_record when none were."""
        raise NotImplementedError

    def thumbnail(self, item_id: int) -> bytes | None:
        """The blurred JPEG, or None."""
        raise NotImplementedError

    def delete_item(self, item_id: int) -> None:
        """Delete an item with its image, notes, sightings and screenshots, and what the log said of them.

        The fact of deletion remains, and the log still verifies. Requests stay, without the item.
        """
        raise NotImplementedError

    def mark_maybe_minor(self, item_id: int) -> None:
        """Someone in the picture may be under 18: delete the item as `delete_item` does, but keep of its sightings
        URL, platform, handle and time, as text, marked `maybe_minor`."""
        raise NotImplementedError

    # Sightings

    def add_sighting(
        self,
        incident_id: int,
        url: str,
        *,
        item_id: int | None = None,
        platform: str = "",
        handle: str = "",
        seen_at: str = "",
        time_zone: str = "UTC",
        captured_how: str = "",
        captured_by: str = "",
        note: str = "",
        maybe_minor: bool = False,
        screenshot: bytes | None = None,
        media_type: str = "",
        thumbnail: bytes | None = None,
    ) -> Sighting:
        """Record where something was seen. `seen_at` is now when empty, `captured_by` the actor.

        Raises maybe_minor when such a sighting is given an item or a screenshot, bad_record for an unknown time
        zone, a malformed time, or an item of another incident.
        """
        raise NotImplementedError

    def sightings(self, incident_id: int | None = None, item_id: int | None = None) -> list[Sighting]:
        """Sightings of an incident, of an item, or all, by the time seen."""
        raise NotImplementedError

    def screenshot(self, sighting_id: int) -> bytes:
        """The bytes that were kept; the log records it as an export. Raises no_such_record when none were."""
        raise NotImplementedError

    def delete_sighting(self, sighting_id: int) -> None:
        """Delete a sighting with its notes and screenshot, and what the log said of them."""
        raise NotImplementedError

    # Requests

    def add_request(
        self,
        incident_id: int,
        recipient: str,
        *,
        item_ids: Sequence[int] = (),
        sighting_ids: Sequence[int] = (),
        legal_basis: str = "",
        channel: str = "",
        sent_at: str | None = None,
        reference: str = "",
        due_at: str | None = None,
        state: RequestState = RequestState.DRAFT,
    ) -> Request:
        """Record a request to a platform, an authority or a person."""
        raise NotImplementedError

    def request(self, request_id: int) -> Request:
        """One request. Raises no_such_record."""
        raise NotImplementedError

    def update_request(
        self,
        request_id: int,
        *,
        channel: str | None = None,
        sent_at: str | None = None,
        reference: str | None = None,
        due_at: str | None = None,
        state: RequestState | None = None,
    ) -> Request:
        """Change what is given and leave the rest; an empty `sent_at` or `due_at` clears it."""
        raise NotImplementedError

    def add_answer(
        self,
        request_id: int,
        outcome: str,
        text: str = "",
        *,
        at: str = "",
        state: RequestState | None = RequestState.ANSWERED,
    ) -> Answer:
        """Record an answer (`at` is now when empty) and, unless None, the state that the request is in after it."""
        raise NotImplementedError

    def answers(self, request_id: int) -> list[Answer]:
        """All answers to a request, by time."""
        raise NotImplementedError

    def requests(self, incident_id: int | None = None) -> list[Request]:
        """Requests of an incident, or all, oldest first."""
        raise NotImplementedError

    def due(self, before: str | None = None) -> list[Request]:
        """Requests that wait for an answer and are due (before a time, if given), the earliest first."""
        raise NotImplementedError

    # Contacts, reference photos, notes

    def add_contact(self, incident_id: int, name: str, *, role: str = "", address: str = "", note: str = "") -> Contact:
        """Record someone who helps or decides."""
        raise NotImplementedError

    def contacts(self, incident_id: int | None = None) -> list[Contact]:
        """Contacts of an incident, or all."""
        raise NotImplementedError

    def add_reference(
        self,
        incident_id: int,
        path: str,
        *,
        label: str = "",
        taken_on: str = "",
        hashes: Hashes | None = None,
        views: Sequence[View] = (),
    ) -> ReferencePhoto:
        """Record one of the person's own public photos; its file stays where it is."""
        raise NotImplementedError

    def references(self, incident_id: int | None = None) -> list[ReferencePhoto]:
        """Reference photos of an incident, or all."""
        raise NotImplementedError

    def add_note(
        self,
        incident_id: int,
        text: str,
        *,
        item_id: int | None = None,
        sighting_id: int | None = None,
        request_id: int | None = None,
    ) -> Note:
        """Record somebody's words on an incident, or on one item, sighting or request of it."""
        raise NotImplementedError

    def notes(self, incident_id: int | None = None, item_id: int | None = None) -> list[Note]:
        """Notes of an incident, on an item, or all, by time."""
        raise NotImplementedError

    # Across

    def timeline(self, item_id: int) -> list[Event]:
        """Sightings, requests, answers, notes and log rows about an item, by time."""
        raise NotImplementedError

    def log(self, start: int = 0) -> Iterator[LogRow]:
        """Rows of the custody log with `seq` greater than `start`, in order."""
        raise NotImplementedError

    def not_a_match(self, item_a: int, item_b: int, wrong: bool = True) -> None:
        """Remember that two items are not the same picture, or (wrong=False) forget it."""
        raise NotImplementedError

    def wrong_matches(self) -> set[frozenset[int]]:
        """The pairs of item ids that were marked as no match."""
        raise NotImplementedError

    def export(self, to_path: Path, incident_id: int | None = None) -> None:
        """Write everything but pixels as JSON (`counterproof.casebook/1`), in clear, and record it in the log, one row
        for each item. Raises casebook_exists when something is there, disk_full, no_such_record."""
        raise NotImplementedError

    def overview(self, incident_id: int | None = None) -> Overview:
        """Counts of what is in the casebook, or in one incident."""
        raise NotImplementedError
