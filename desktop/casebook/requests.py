"""Requests of a casebook: whom was asked, what was answered, and when an answer is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from desktop.casebook import tables
from desktop.casebook.changes import condition, entry_about, entry_added, entry_changed, same_incident
from desktop.casebook.custody import Entry
from desktop.casebook.records import AWAITING, Answer, Request, RequestState
from desktop.casebook.store import Store
from desktop.casebook.values import moment, now, time_text

if TYPE_CHECKING:
    from sqlite_utils import Database


class Requests(Store):
    """What a casebook does with requests and answers."""

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
        with self._changing() as (db, entries):
            columns = {
                "recipient": recipient,
                "legal_basis": legal_basis,
                "channel": channel,
                "sent_at": time_text(sent_at) if sent_at else None,
                "reference": reference,
                "due_at": time_text(due_at) if due_at else None,
                "state": str(RequestState(state)),
            }
            new = insert_request(db, entries, incident_id, columns, item_ids, sighting_ids)
            return tables.requests(db, "id = ?", [new])[0]

    def request(self, request_id: int) -> Request:
        """One request. Raises no_such_record."""
        with self._reading() as db:
            tables.one(db, "request", request_id)
            return tables.requests(db, "id = ?", [request_id])[0]

    def update_request(
        self,
        request_id: int,
        *,
        recipient: str | None = None,
        legal_basis: str | None = None,
        channel: str | None = None,
        sent_at: str | None = None,
        reference: str | None = None,
        due_at: str | None = None,
        state: RequestState | None = None,
        item_ids: Sequence[int] | None = None,
        sighting_ids: Sequence[int] | None = None,
    ) -> Request:
        """Change what is given and leave the rest; an empty `sent_at` or `due_at` clears it, an empty list of items or
        sightings leaves none. Raises no_such_record, bad_record."""
        given: dict[str, Any] = {
            "recipient": recipient,
            "legal_basis": legal_basis,
            "channel": channel,
            "reference": reference,
            "state": None if state is None else str(RequestState(state)),
        }
        columns = {name: value for name, value in given.items() if value is not None}
        times = {"sent_at": sent_at, "due_at": due_at}
        columns |= {name: time_text(value) if value else None for name, value in times.items() if value is not None}
        about = {"item": item_ids, "sighting": sighting_ids}
        with self._changing() as (db, entries):
            incident_id = tables.one(db, "request", request_id)["incident_id"]
            links = {kind: list(dict.fromkeys(ids)) for kind, ids in about.items() if ids is not None}
            if columns:
                tables.update(db, "request", request_id, **columns)
            for kind, ids in links.items():
                same_incident(db, incident_id, kind, ids)
                _link(db, entries, request_id, kind, ids)
            if columns or links:
                details = {f"{kind}s": ids for kind, ids in links.items()}
                entries.append(entry_changed(db, "request", request_id, fields=sorted(columns), **details))
            return tables.requests(db, "id = ?", [request_id])[0]

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
        with self._changing() as (db, entries):
            tables.one(db, "request", request_id)
            new = tables.insert(db, "answer", request_id=request_id, at=time_text(at), outcome=outcome, text=text)
            entries.append(entry_added(db, "answer", new, request=request_id))
            if state is not None:
                tables.update(db, "request", request_id, state=str(RequestState(state)))
                entries.append(entry_changed(db, "request", request_id, fields=["state"]))
            return Answer(**tables.one(db, "answer", new))

    def answers(self, request_id: int) -> list[Answer]:
        """All answers to a request, by time."""
        with self._reading() as db:
            found = [Answer(**row) for row in tables.rows(db, "answer", request_id=request_id)]
            return sorted(found, key=lambda a: moment(a.at))

    def requests(self, incident_id: int | None = None) -> list[Request]:
        """Requests of an incident, or all, oldest first."""
        with self._reading() as db:
            return tables.requests(db, *condition(incident_id=incident_id))

    def due(self, before: str | None = None) -> list[Request]:
        """Requests that wait for an answer and are due (before a time, if given), the earliest first."""
        limit = None if before is None else moment(time_text(before))
        waiting = [(moment(r.due_at), r) for r in self.requests() if r.due_at and r.state in AWAITING]
        return [r for at, r in sorted(waiting, key=lambda w: w[0]) if limit is None or at < limit]


def insert_request(
    db: Database,
    entries: list[Entry],
    incident_id: int,
    columns: Mapping[str, Any],
    item_ids: Sequence[int],
    sighting_ids: Sequence[int],
) -> int:
    """A new request with what it is about, and its rows of the log; its id."""
    tables.one(db, "incident", incident_id)
    about = {"item": list(dict.fromkeys(item_ids)), "sighting": list(dict.fromkeys(sighting_ids))}
    for kind, ids in about.items():
        same_incident(db, incident_id, kind, ids)
    new = tables.insert(db, "request", incident_id=incident_id, **columns, created_at=now())
    for kind, ids in about.items():
        _link(db, entries, new, kind, ids)
    entries.append(entry_added(db, "request", new, items=about["item"], sightings=about["sighting"]))
    return new


def _link(db: Database, entries: list[Entry], request_id: int, kind: str, ids: Sequence[int]) -> None:
    """Let a request be about these items or sightings and no others; each item that is new to it gets its row."""
    before = {row[0] for row in db.execute(f"SELECT {kind}_id FROM request_{kind} WHERE request_id = ?", [request_id])}
    for gone in before - set(ids):
        db.execute(f"DELETE FROM request_{kind} WHERE request_id = ? AND {kind}_id = ?", [request_id, gone])
    for one in ids:
        if one not in before:
            db.execute(f"INSERT INTO request_{kind} VALUES (?, ?)", [request_id, one])
            if kind == "item":
                entries.append(entry_about(db, "requested", one, request=request_id))
