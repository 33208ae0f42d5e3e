"""Incidents, who may act, contacts, reference photos and notes of a casebook."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from desktop.casebook import tables
from desktop.casebook.changes import entry_added, same_incident, sha256_of
from desktop.casebook.records import Consent, Contact, Incident, Note, ReferencePhoto
from desktop.casebook.store import Store
from desktop.casebook.values import country_code, now, time_text

if TYPE_CHECKING:
    from detectors.report import Hashes, View


class People(Store):
    """What a casebook does with incidents and the people and words around them."""

    # Incidents and consents

    def add_incident(self, title: str, *, depicted: str = "", wanted: str = "", country: str = "") -> Incident:
        """Begin an incident. Raises bad_record when `country` is neither empty nor two letters."""
        with self._changing() as (db, entries):
            new = tables.insert(
                db,
                "incident",
                title=title,
                depicted=depicted,
                wanted=wanted,
                country=country_code(country),
                created_at=now(),
            )
            entries.append(entry_added(db, "incident", new))
            return Incident(**tables.one(db, "incident", new))

    def incidents(self) -> list[Incident]:
        """All incidents, oldest first."""
        with self._reading() as db:
            return [Incident(**row) for row in tables.rows(db, "incident")]

    def incident(self, incident_id: int) -> Incident:
        """One incident. Raises no_such_record."""
        with self._reading() as db:
            return Incident(**tables.one(db, "incident", incident_id))

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
        given = {
            "title": title,
            "depicted": depicted,
            "wanted": wanted,
            "country": None if country is None else country_code(country),
        }
        return Incident(**self._update("incident", incident_id, given))

    def add_consent(
        self, incident_id: int, who: str, *, role: str = "", authority: str = "", scope: str = "", given_at: str = ""
    ) -> Consent:
        """Record who may act for the depicted person; `given_at` is now when empty."""
        with self._changing() as (db, entries):
            tables.one(db, "incident", incident_id)
            new = tables.insert(
                db,
                "consent",
                incident_id=incident_id,
                who=who,
                role=role,
                authority=authority,
                scope=scope,
                given_at=time_text(given_at),
            )
            entries.append(entry_added(db, "consent", new, incident=incident_id))
            return Consent(**tables.one(db, "consent", new))

    def withdraw_consent(self, consent_id: int, at: str = "") -> Consent:
        """Record that it no longer holds, from `at` (now when empty)."""
        return Consent(**self._update("consent", consent_id, {"withdrawn_at": time_text(at)}))

    def consents(self, incident_id: int) -> list[Consent]:
        """All consents of an incident, oldest first, withdrawn ones too."""
        with self._reading() as db:
            return [Consent(**row) for row in tables.rows(db, "consent", incident_id=incident_id)]

    # Contacts, reference photos, notes

    def add_contact(self, incident_id: int, name: str, *, role: str = "", address: str = "", note: str = "") -> Contact:
        """Record someone who helps or decides."""
        with self._changing() as (db, entries):
            tables.one(db, "incident", incident_id)
            new = tables.insert(
                db, "contact", incident_id=incident_id, name=name, role=role, address=address, note=note
            )
            entries.append(entry_added(db, "contact", new, incident=incident_id))
            return Contact(**tables.one(db, "contact", new))

    def update_contact(
        self,
        contact_id: int,
        *,
        name: str | None = None,
        role: str | None = None,
        address: str | None = None,
        note: str | None = None,
    ) -> Contact:
        """Change what is given and leave the rest. Raises no_such_record."""
        given = {"name": name, "role": role, "address": address, "note": note}
        return Contact(**self._update("contact", contact_id, given))

    def contacts(self, incident_id: int | None = None) -> list[Contact]:
        """Contacts of an incident, or all."""
        with self._reading() as db:
            return [Contact(**row) for row in tables.rows(db, "contact", incident_id=incident_id)]

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
        with self._changing() as (db, entries):
            tables.one(db, "incident", incident_id)
            new = tables.insert(
                db,
                "reference",
                incident_id=incident_id,
                path=os.fsencode(path),
                label=label,
                taken_on=taken_on,
                **tables.hash_columns(hashes, views),
            )
            entries.append(entry_added(db, "reference", new, sha256=hashes.sha256 if hashes else None))
            return tables.reference(tables.one(db, "reference", new))

    def update_reference(
        self, reference_id: int, *, label: str | None = None, taken_on: str | None = None
    ) -> ReferencePhoto:
        """Change what is given and leave the rest: what a photo is called, and when it was taken."""
        return tables.reference(self._update("reference", reference_id, {"label": label, "taken_on": taken_on}))

    def references(self, incident_id: int | None = None) -> list[ReferencePhoto]:
        """Reference photos of an incident, or all."""
        with self._reading() as db:
            return [tables.reference(row) for row in tables.rows(db, "reference", incident_id=incident_id)]

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
        with self._changing() as (db, entries):
            tables.one(db, "incident", incident_id)
            about = {"item": item_id, "sighting": sighting_id, "request": request_id}
            for kind, row_id in about.items():
                same_incident(db, incident_id, kind, [] if row_id is None else [row_id])
            new = tables.insert(
                db,
                "note",
                incident_id=incident_id,
                item_id=item_id,
                sighting_id=sighting_id,
                request_id=request_id,
                text=text,
                at=now(),
                actor=self.actor,
            )
            known: dict[str, Any] = {kind: row_id for kind, row_id in about.items() if row_id is not None}
            if item_id is not None:
                known["sha256"] = sha256_of(db, item_id)
            entries.append(entry_added(db, "note", new, **known))
            return Note(**tables.one(db, "note", new))

    def notes(self, incident_id: int | None = None, item_id: int | None = None) -> list[Note]:
        """Notes of an incident, on an item, or all, by time."""
        with self._reading() as db:
            found = tables.rows(db, "note", incident_id=incident_id, item_id=item_id)
            return [Note(**row) for row in found]
