"""Requests of a casebook: whom was asked, what was answered, and when an answer is due."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from desktop.casebook import tables
from desktop.casebook.changes import condition, entry_about, entry_added, entry_changed, same_incident
from desktop.casebook.records import AWAITING, Answer, Request, RequestState
from desktop.casebook.store import Store
from desktop.casebook.values import moment, now, time_text


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
            tables.one(db, "incident", incident_id)
            same_incident(db, incident_id, "item", item_ids)
            same_incident(db, incident_id, "sighting", sighting_ids)
            new = tables.insert(
                db,
                "request",
                incident_id=incident_id,
                recipient=recipient,
                legal_basis=legal_basis,
                channel=channel,
                sent_at=time_text(sent_at) if sent_at else None,
                reference=reference,
                due_at=time_text(due_at) if due_at else None,
                state=str(RequestState(state)),
                created_at=now(),
            )
            for item_id in dict.fromkeys(item_ids):
                tables.insert(db, "request_item", request_id=new, item_id=item_id)
                entries.append(entry_about(db, "requested", item_id, request=new))
            for sighting_id in dict.fromkeys(sighting_ids):
                tables.insert(db, "request_sighting", request_id=new, sighting_id=sighting_id)
            entries.append(entry_added(db, "request", new, items=list(item_ids), sightings=list(sighting_ids)))
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
        channel: str | None = None,
        sent_at: str | None = None,
        reference: str | None = None,
        due_at: str | None = None,
        state: RequestState | None = None,
    ) -> Request:
        """Change what is given and leave the rest; an empty `sent_at` or `due_at` clears it."""
        given: dict[str, Any] = {"channel": channel, "reference": reference}
        given["state"] = None if state is None else str(RequestState(state))
        # An empty text clears a time: SQL's NULL, which `_update` would take for "not given".
        times = {"sent_at": sent_at, "due_at": due_at}
        given |= {name: time_text(value) for name, value in times.items() if value}
        with self._lock:
            self._update("request", request_id, given)
            if cleared := [name for name, value in times.items() if value == ""]:
                with self._changing() as (db, entries):
                    tables.update(db, "request", request_id, **dict.fromkeys(cleared))
                    entries.append(entry_changed(db, "request", request_id, fields=cleared))
            return self.request(request_id)

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
