"""What requests are made from, and the packets that were made.

The form of a request is saved at every step that a person takes, and each step in the custody log would bury what
counts there. So the log says once for each opening of the casebook that somebody worked on a form, and a form is not
sealed: like any record it is encrypted, and a change past the program would not be named by `verify`. The packet is
sealed: its name and SHA-256 stand in the log from the moment it is made, with the law and the platform.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from desktop.casebook import tables
from desktop.casebook.changes import condition, same_incident
from desktop.casebook.custody import Entry
from desktop.casebook.records import CasebookError, Packet, PacketForm, Request, RequestState
from desktop.casebook.requests import Requests, insert_request
from desktop.casebook.values import now

if TYPE_CHECKING:
    from sqlite_utils import Database


class Packets(Requests):
    """What a casebook does with the forms of requests and with packets."""

    def new_packet(
        self,
        incident_id: int,
        form: str,
        *,
        step: str = "",
        recipient: str = "",
        legal_basis: str = "",
        channel: str = "",
        item_ids: Sequence[int] = (),
        sighting_ids: Sequence[int] = (),
        follows: int | None = None,
    ) -> Request:
        """Begin a request with its form; it is a draft until `update_request` says that it was sent.

        `form` is a request as JSON, its items under the numbers that they have here; `follows` is the request that it
        goes on from. Raises no_such_record, bad_record.
        """
        columns = {
            "recipient": recipient,
            "legal_basis": legal_basis,
            "channel": channel,
            "reference": "",
            "state": str(RequestState.DRAFT),
        }
        with self._changing() as (db, entries):
            if follows is not None:
                same_incident(db, incident_id, "request", [follows])
            new = insert_request(db, entries, incident_id, columns, item_ids, sighting_ids)
            tables.insert(db, "form", request_id=new, form=_object(form), step=step, updated_at=now(), follows=follows)
            made = tables.requests(db, "id = ?", [new])[0]
        self._edited.add(new)  # that it was begun says so already
        return made

    def packet_forms(self, incident_id: int | None = None, request_id: int | None = None) -> list[PacketForm]:
        """The forms of an incident, of a request (one or none), or all, oldest request first."""
        with self._reading() as db:
            return tables.forms(db, *condition(**{"incident_id": incident_id, "form.request_id": request_id}))

    def packet_form(self, request_id: int) -> PacketForm:
        """The form of a request. Raises no_such_record where there is none."""
        with self._reading() as db:
            return _form(db, request_id)

    def save_packet_form(self, request_id: int, form: str, step: str = "") -> PacketForm:
        """Save the form of a request as it is now, and where it was left; the one before is gone.

        The log says so once for each opening of the casebook. Raises no_such_record, bad_record.
        """
        with self._changing() as (db, entries):
            tables.one(db, "request", request_id)
            db.execute(
                "INSERT INTO form (request_id, form, step, updated_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (request_id) DO UPDATE"
                " SET form = excluded.form, step = excluded.step, updated_at = excluded.updated_at",
                tables.clean([request_id, _object(form), step, now()]),
            )
            if request_id not in self._edited:
                entries.append(Entry("form edited", f"request {request_id}"))
            saved = _form(db, request_id)
        self._edited.add(request_id)
        return saved

    def delete_packet_form(self, request_id: int) -> None:
        """Delete the form of a request; the request and its packets' records stay. Raises no_such_record."""
        with self._changing() as (db, entries):
            _form(db, request_id)
            entries += _delete_forms(db, [request_id])
        with self._reading() as db:
            self._fold(db)  # or the file itself would hold it until it is closed
        self._edited.discard(request_id)

    def packet_built(
        self,
        request_id: int,
        name: str,
        sha256: str,
        head: str = "",
        *,
        law: str = "",
        platform: str = "",
        channel: str = "",
    ) -> Packet:
        """Record a packet that was made: its file's name, never where it is, and its SHA-256 (hex).

        `head` is the head of the log that was printed in it. Raises no_such_record, bad_record.
        """
        if "/" in name or "\\" in name:
            raise CasebookError(
                "bad_record", f"{name!r} is a path.", "Only the name of a packet is recorded, not where it lies."
            )
        with self._changing() as (db, entries):
            tables.one(db, "request", request_id)
            new = tables.insert(
                db,
                "packet",
                request_id=request_id,
                name=name,
                sha256=sha256,
                head=head,
                law=law,
                platform=platform,
                channel=channel,
                built_at=now(),
            )
            details = {"request": request_id, "name": name, "sha256": sha256, "record": tables.seal(db, "packet", new)}
            entries.append(Entry("packet built", f"packet {new}", details))
            return Packet(**tables.one(db, "packet", new))

    def packets(self, request_id: int | None = None) -> list[Packet]:
        """The packets that were made of a request, or all, oldest first."""
        with self._reading() as db:
            return [Packet(**row) for row in tables.rows(db, "packet", request_id=request_id)]


def forget_in_forms(db: Database, item_id: int, whole: bool = False) -> list[Entry]:
    """Take an item and where it was seen out of the forms, before it is deleted; with `whole`, delete those forms.

    A form names an item by its number where its request is about it, and anywhere by a SHA-256 that no other item has.
    """
    sha256 = tables.one(db, "item", item_id)["sha256"]
    unique = whole or len(tables.rows(db, "item", sha256=sha256)) == 1
    linked = {row[0] for row in db.execute("SELECT request_id FROM request_item WHERE item_id = ?", [item_id])}
    places = {row["url"] for row in tables.rows(db, "sighting", item_id=item_id)}
    concerned = []
    for request_id, text in db.execute("SELECT request_id, form FROM form ORDER BY request_id").fetchall():
        form = json.loads(text)

        def is_it(one: Any, about_it: bool = request_id in linked) -> bool:
            return (about_it and _number(one) == item_id) or (
                sha256 is not None and unique and _value(one, "sha256") == sha256
            )

        gone = {_number(one) for one in _listed(form, "item") if is_it(one)}
        if not gone and request_id not in linked:
            continue
        concerned.append(request_id)
        form["item"] = [one for one in _listed(form, "item") if not is_it(one)]
        form["sighting"] = [
            one
            for one in _listed(form, "sighting")
            if (_value(one, "url") not in places if _value(one, "item") is None else _value(one, "item") not in gone)
        ]
        _rewrite(db, request_id, form)
    return _delete_forms(db, concerned, "maybe_minor") if whole else []


def forget_sighting_in_forms(db: Database, sighting_id: int) -> None:
    """Take an address that is about to be deleted out of the forms of its incident, unless it was seen there twice."""
    row = tables.one(db, "sighting", sighting_id)
    if len(tables.rows(db, "sighting", incident_id=row["incident_id"], url=row["url"])) > 1:
        return
    for kept in tables.forms(db, "incident_id = ?", [row["incident_id"]]):
        form = json.loads(kept.form)
        form["sighting"] = [one for one in _listed(form, "sighting") if _value(one, "url") != row["url"]]
        _rewrite(db, kept.request_id, form)


def _rewrite(db: Database, request_id: int, form: dict[str, Any]) -> None:
    db.execute("UPDATE form SET form = ? WHERE request_id = ?", [tables.compact(form), request_id])


def _listed(form: dict[str, Any], name: str) -> list[Any]:
    value = form.get(name)
    return value if isinstance(value, list) else []


def _number(item: Any) -> Any:
    return _value(item, "id") or 1  # which is left out in the JSON of a request


def _value(one: Any, name: str) -> Any:
    value = one.get(name) if isinstance(one, dict) else None
    return value if isinstance(value, str | int) else None


def _delete_forms(db: Database, request_ids: Sequence[int], reason: str = "") -> list[Entry]:
    for request_id in request_ids:
        db.execute("DELETE FROM form WHERE request_id = ?", [request_id])
    details = {"reason": reason} if reason else None
    return [Entry("form deleted", f"request {request_id}", details) for request_id in request_ids]


def _form(db: Database, request_id: int) -> PacketForm:
    found = tables.forms(db, "form.request_id = ?", [request_id])
    if not found:
        raise CasebookError(
            "no_such_record",
            f"This casebook has no form for a request {request_id}.",
            "Begin another request; a deleted form does not come back.",
        )
    return found[0]


def _object(form: str) -> str:
    """The form, if it is a JSON object. Raises bad_record."""
    try:
        value = json.loads(form)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise CasebookError("bad_record", "The form is not a JSON object.", "Write it with packets.request.to_json.")
    return form
