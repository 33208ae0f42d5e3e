"""Casebook: an encrypted record of what happened. Every change is durable before its call returns, and is logged.

The file is in `store`, the records in `people`, `items`, `requests` and `packets`; here is what goes across them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from desktop.casebook import custody, database, tables
from desktop.casebook.changes import condition
from desktop.casebook.custody import Entry
from desktop.casebook.items import Items
from desktop.casebook.packets import Packets
from desktop.casebook.people import People
from desktop.casebook.records import Event, LogRow, Overview, Request
from desktop.casebook.values import moment, now

SCHEMA = "counterproof.casebook/1"


class Casebook(Items, Packets, People):
    """One open casebook. Use it as a context manager, or call `close`.

    `path` is its file, `actor` who is at work (recorded in the log with everything done), `notices` are plain
    sentences on what was noticed while opening.
    """

    # Across

    def timeline(self, item_id: int) -> list[Event]:
        """Sightings, requests, answers, notes and log rows about an item, by time."""
        with self._reading() as db:
            tables.one(db, "item", item_id)
            events = [
                Event(s.seen_at, "sighting", " ".join(filter(None, (s.platform, s.handle, s.url))), s.id)
                for s in tables.sightings(db, "item_id = ?", [item_id])
            ]
            seen = [e.id for e in events]
            for r in tables.requests(db):
                if item_id in r.item_ids or set(seen) & set(r.sighting_ids):
                    text = ", ".join(filter(None, (r.recipient, r.legal_basis, r.state)))
                    events.append(Event(r.sent_at or r.created_at, "request", text, r.id))
                    for row in tables.rows(db, "answer", request_id=r.id):
                        text = ": ".join(filter(None, (row["outcome"], row["text"])))
                        events.append(Event(row["at"], "answer", text, row["id"]))
                    for row in tables.rows(db, "packet", request_id=r.id):
                        events.append(Event(row["built_at"], "packet", row["name"], row["id"]))
            events += [Event(n["at"], "note", n["text"], n["id"]) for n in tables.rows(db, "note", item_id=item_id)]
            for seq, at, actor, action in db.execute(
                "SELECT seq, at, actor, action FROM log WHERE subject = ? ORDER BY seq", [f"item {item_id}"]
            ):
                events.append(Event(at, "log", f"{action} by {actor}" if actor else action, seq))
            return sorted(events, key=lambda e: moment(e.at))

    def log(self, start: int = 0) -> Iterator[LogRow]:
        """Rows of the custody log with `seq` greater than `start`, in order."""
        while True:
            with self._reading() as db:
                rows = custody.rows(db, start)
            if not rows:
                return
            yield from rows
            start = rows[-1].seq

    def log_about(self, subjects: Iterable[str]) -> tuple[list[LogRow], str]:
        """The rows of the custody log about these records ("item 7"), in order, and the head of the log as it is then,
        in its short form."""
        with self._reading() as db:
            return custody.rows_about(db, subjects), custody.head(db)

    def export(self, to_path: Path, incident_id: int | None = None) -> None:
        """Write everything but pixels as JSON (`counterproof.casebook/1`), in clear, and record it in the log, one row
        for each item. Raises casebook_exists when something is there, disk_full, no_such_record."""
        to_path = Path(to_path).resolve()
        with self._lock, database.guarded():
            if incident_id is not None:
                self.incident(incident_id)
            data = json.dumps(self._exported(incident_id), ensure_ascii=True, indent=1).encode()
            database.claim(to_path)
            new = database.beside(to_path)
            try:
                database.write_file(new, data)
                with self._changing() as (db, entries):
                    what = "casebook" if incident_id is None else f"incident {incident_id}"
                    entries.append(Entry("exported", what, {"file": to_path.name, "what": "everything but pictures"}))
                    for row in tables.rows(db, "item", incident_id=incident_id):
                        entries.append(Entry("exported", f"item {row['id']}", {"sha256": row["sha256"]}))
                new.replace(to_path)
            except BaseException:
                new.unlink(missing_ok=True)
                if not to_path.stat().st_size:
                    to_path.unlink()
                raise
            database.sync_folder(to_path.parent)

    def _exported(self, incident_id: int | None) -> dict[str, Any]:
        """The object of `counterproof.casebook/1`: incidents with all their records, and the log for a whole one."""
        with self._reading() as db:
            head = custody.head(db)
        incidents = self.incidents() if incident_id is None else [self.incident(incident_id)]
        out: dict[str, Any] = {"schema": SCHEMA, "exported_at": now(), "head": head}
        out["incidents"] = [
            {
                **asdict(incident),
                "consents": [asdict(r) for r in self.consents(incident.id)],
                "items": [asdict(r) for r in self.items(incident.id)],
                "sightings": [asdict(r) for r in self.sightings(incident.id)],
                "requests": [self._exported_request(r) for r in self.requests(incident.id)],
                "contacts": [asdict(r) for r in self.contacts(incident.id)],
                "references": [asdict(r) for r in self.references(incident.id)],
                "notes": [asdict(r) for r in self.notes(incident.id)],
            }
            for incident in incidents
        ]
        held = {item["id"] for incident in out["incidents"] for item in incident["items"]}
        out["wrong_matches"] = sorted(sorted(pair) for pair in self.wrong_matches() if pair <= held)
        if incident_id is None:
            out["log"] = [asdict(row) for row in self.log()]
        return out

    def _exported_request(self, request: Request) -> dict[str, Any]:
        with self._reading() as db:
            form = next(iter(tables.forms(db, "form.request_id = ?", [request.id])), None)
        return {
            **asdict(request),
            "answers": [asdict(a) for a in self.answers(request.id)],
            "packets": [asdict(p) for p in self.packets(request.id)],
            "form": None if form is None else {**asdict(form), "form": json.loads(form.form)},
        }

    def overview(self, incident_id: int | None = None) -> Overview:
        """Counts of what is in the casebook, or in one incident."""
        with self._reading() as db:
            if incident_id is not None:
                tables.one(db, "incident", incident_id)
            where, values = condition(incident_id=incident_id)

            def count(table: str, condition: str = "1") -> int:
                sql = f"SELECT count(*) FROM {table} WHERE {condition} AND {where}"
                return int(db.execute(sql, values).fetchone()[0])

            def by(table: str, column: str) -> dict[str, int]:
                sql = f"SELECT coalesce({column}, 'not_checked'), count(*) FROM {table} WHERE {where} GROUP BY 1"
                return dict(db.execute(sql, values).fetchall())

            at = moment(now())
            due = [r for r in self.due() if incident_id in (None, r.incident_id)]
            return Overview(
                incidents=count("incident") if incident_id is None else 1,
                items=count("item"),
                with_image=count("item", "id IN (SELECT item_id FROM image)"),
                verdicts=by("item", "verdict"),
                sightings=count("sighting"),
                maybe_minor=count("sighting", "maybe_minor"),
                requests=by("request", "state"),
                overdue=sum(moment(r.due_at or "") < at for r in due),
                next_due=next((r.due_at for r in due if moment(r.due_at or "") >= at), None),
                notes=count("note"),
                contacts=count("contact"),
                references=count("reference"),
                log_rows=int(db.execute("SELECT count(*) FROM log").fetchone()[0]),
            )
