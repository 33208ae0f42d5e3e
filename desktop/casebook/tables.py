"""Rows of a casebook's tables and the records made from them, and the seals that bind records to the custody log."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from desktop.casebook import custody
from desktop.casebook.records import (
    CasebookError,
    Item,
    PacketForm,
    ReferencePhoto,
    Request,
    RequestState,
    Sighting,
)
from detectors.report import Hashes, View, intimacy

if TYPE_CHECKING:
    from sqlite_utils import Database

    from detectors.report import Report

# What is sealed of each kind of record. Never edited once released: seals in old logs are over exactly these columns.
_HASHES = ("sha256", "md5", "pdq", "pdq_quality", "phash", "hash_note", "views")
SEALED: Mapping[str, tuple[str, ...]] = {
    "incident": ("title", "depicted", "wanted", "country", "created_at"),
    "consent": ("incident_id", "who", "role", "authority", "scope", "given_at", "withdrawn_at"),
    "item": (
        *("incident_id", "label", *_HASHES, "media", "profile", "verdict", "p_synthetic"),
        *("reasons", "intimacy", "findings", "description", "added_at"),
    ),
    "sighting": (
        *("incident_id", "item_id", "url", "platform", "handle", "seen_at", "time_zone"),
        *("captured_how", "captured_by", "note", "maybe_minor"),
    ),
    "image": ("item_id", "sighting_id", "kind", "media_type", "thumbnail", "bytes"),
    "request": (
        *("incident_id", "recipient", "legal_basis", "channel", "sent_at", "reference", "due_at"),
        *("state", "created_at"),
    ),
    "answer": ("request_id", "at", "outcome", "text"),
    "contact": ("incident_id", "name", "role", "address", "note"),
    "reference": ("incident_id", "path", "label", "taken_on", *_HASHES),
    "note": ("incident_id", "item_id", "sighting_id", "request_id", "text", "at", "actor"),
    "packet": ("request_id", "name", "sha256", "head", "law", "platform", "channel", "built_at"),
}


def insert(db: Database, table: str, **values: Any) -> int:
    """Insert a row; the new id."""
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    return int(db.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', clean(values.values())).lastrowid or 0)


def update(db: Database, table: str, row_id: int, **values: Any) -> None:
    """Replace columns of a row."""
    names = ", ".join(f"{name} = ?" for name in values)
    db.execute(f'UPDATE "{table}" SET {names} WHERE id = ?', [*clean(values.values()), row_id])


def one(db: Database, table: str, row_id: int) -> dict[str, Any]:
    """A row. Raises no_such_record."""
    found = next(iter(db.query(f'SELECT * FROM "{table}" WHERE id = ?', [row_id])), None)
    if found is None:
        raise no_such(table, row_id)
    return found


def no_such(kind: str, row_id: int) -> CasebookError:
    """The error for a record that is not there."""
    return CasebookError(
        "no_such_record",
        f"This casebook has no {kind} {row_id}.",
        "List what it holds to find the number; a deleted record does not come back.",
    )


def rows(db: Database, table: str, order: str = "id", **where: Any) -> list[dict[str, Any]]:
    """Rows whose columns have these values; a None is no condition."""
    held = {name: value for name, value in where.items() if value is not None}
    condition = " AND ".join(f"{name} = ?" for name in held) or "1"
    return list(db.query(f'SELECT * FROM "{table}" WHERE {condition} ORDER BY {order}', list(held.values())))


def clean(values: Iterable[Any]) -> list[Any]:
    """Values to be stored; text that is not Unicode is kept readable, with its bytes escaped."""
    return [v.encode("utf-8", "backslashreplace").decode() if isinstance(v, str) else v for v in values]


# Seals


def seal(db: Database, kind: str, row_id: int) -> str:
    """A SHA-256 (hex) over a record as it stands, for the details of its log row."""
    names = ", ".join(SEALED[kind])
    return _seal(db.execute(f'SELECT {names} FROM "{kind}" WHERE id = ?', [row_id]).fetchone())


def _seal(row: Sequence[Any]) -> str:
    plain = [hashlib.sha256(v).hexdigest() if isinstance(v, bytes) else v for v in row]
    return hashlib.sha256(json.dumps(plain, ensure_ascii=True).encode()).hexdigest()


def check_seals(db: Database) -> list[str]:
    """Compare every record with what the custody log says of it; what is wrong, in plain sentences."""
    sealed: dict[str, str] = {}
    links: set[_Link] = set()
    about_requests: dict[tuple[str, str], set[_Link]] = {}
    gone: set[str] = set()  # for good: a number is never used again
    for action, subject, details in db.execute(
        "SELECT action, subject, details FROM log WHERE seq > 0 AND action IN"
        " ('added', 'packet built', 'changed', 'deleted', 'marked as no match', 'marked as match') ORDER BY seq"
    ):
        known = custody.known_details(details)
        if action == "deleted":
            for one in (subject, *custody.listed(known, "with", str)):
                gone.add(one)
                sealed.pop(one, None)
        elif action in ("added", "packet built", "changed"):
            sealed[subject] = known.get("record", "")
            for kind in ("item", "sighting") if subject.startswith("request ") else ():
                if f"{kind}s" in known:  # all that it is about from then on
                    about = about_requests.setdefault((subject, kind), set())
                    links -= about
                    about.clear()
                    about.update(frozenset((subject, f"{kind} {n}")) for n in custody.listed(known, f"{kind}s", int))
                    links |= about
        elif details is not None:
            pair = frozenset((subject, f"item {known.get('other')}"))
            (links.add if action == "marked as no match" else links.discard)(pair)
    problems = _check_links(db, {link for link in links if gone.isdisjoint(link)})
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for kind, names in SEALED.items():
        if kind not in there:  # an earlier layout; a table that was taken out is named by `check_layout`
            continue
        for row_id, *row in db.execute(f'SELECT id, {", ".join(names)} FROM "{kind}" ORDER BY id'):
            subject = f"{kind} {row_id}"
            expected = sealed.pop(subject, None)
            if expected is None:
                problems.append(f"The custody log knows nothing of {subject}, which is in the casebook.")
            elif expected != _seal(row):
                problems.append(f"The record {subject} is not as the custody log has it: it was changed.")
    problems += [f"The record {subject} is in the custody log and not in the casebook." for subject in sealed]
    return problems


_Link = frozenset[str]


def _check_links(db: Database, expected: set[_Link]) -> list[str]:
    """Compare what requests are about, and which items are no match, with what the custody log says."""
    found: set[_Link] = {frozenset((f"item {a}", f"item {b}")) for a, b in db.execute("SELECT * FROM wrong_match")}
    for kind in ("item", "sighting"):
        for one, other in db.execute(f"SELECT request_id, {kind}_id FROM request_{kind}"):
            found.add(frozenset((f"request {one}", f"{kind} {other}")))
    return [
        f"That {' and '.join(sorted(link))} belong together is in the casebook and not in the custody log."
        for link in sorted(found - expected, key=sorted)
    ] + [
        f"That {' and '.join(sorted(link))} belong together is in the custody log and not in the casebook."
        for link in sorted(expected - found, key=sorted)
    ]


# Hashes and views

# A picture has dozens of views, so they are packed: kind, box, PDQ, quality. The order of the kinds is never changed.
_VIEW = struct.Struct("<B4I32sB")
_VIEW_KINDS = ("whole", "trimmed", "region")


def hash_columns(hashes: Hashes | None, views: Sequence[View], sha256: str | None = None) -> dict[str, Any]:
    """The columns of fingerprints; with `sha256` alone where a file could not be read."""
    return {
        "sha256": hashes.sha256 if hashes else sha256,
        "md5": hashes.md5 if hashes else None,
        "pdq": hashes.pdq if hashes else None,
        "pdq_quality": hashes.pdq_quality if hashes else None,
        "phash": hashes.phash if hashes else None,
        "hash_note": hashes.note if hashes else "",
        "views": b"".join(
            _VIEW.pack(_VIEW_KINDS.index(v.kind), *v.box, bytes.fromhex(v.pdq), v.quality) for v in views
        ),
    }


def _hashes(row: Mapping[str, Any]) -> Hashes | None:
    if row["sha256"] is None:
        return None
    return Hashes(
        sha256=row["sha256"],
        md5=row["md5"] or "",
        pdq=row["pdq"],
        pdq_quality=row["pdq_quality"],
        phash=row["phash"],
        note=row["hash_note"],
    )


def _views(row: Mapping[str, Any]) -> tuple[View, ...]:
    return tuple(
        View(_VIEW_KINDS[kind], (x, y, w, h), pdq.hex(), quality)
        for kind, x, y, w, h, pdq, quality in _VIEW.iter_unpack(row["views"])
    )


def compact(value: Any) -> str:
    """JSON without spaces, in ASCII: file names that are not Unicode survive in it."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


# Records


def item_columns(report: Report, views: Sequence[View], label: str, description: str) -> dict[str, Any]:
    """The columns of an item, from a scan's report. Neither its path nor the file's own metadata is kept."""
    analysis, verdict, error = report.analysis, report.verdict, report.error
    record = analysis.to_record() if analysis else None
    reasons = list(verdict.reasons) if verdict else [error.message] if error else []
    return {
        "label": label,
        **hash_columns(analysis.hashes if analysis else None, views, report.sha256),
        "media": compact(record["media"]) if record else None,
        "profile": record["profile"] if record else None,
        "verdict": str(verdict.band) if verdict else None,
        "p_synthetic": verdict.p_synthetic if verdict else None,
        "reasons": compact(reasons),
        "intimacy": compact(intimacy(analysis.findings)) if analysis else None,
        "findings": compact(record["findings"] if record else []),
        "description": description,
    }


# What is short of an item, and nothing for the rest.
_BRIEF = (
    "id, incident_id, label, profile, verdict, p_synthetic, description, added_at, NULL AS sha256, x'' AS views,"
    " NULL AS media, '[]' AS reasons, '[]' AS findings, NULL AS intimacy"
)


def item(row: Mapping[str, Any]) -> Item:
    """An item, from its row with `has_image`."""
    return Item(
        id=row["id"],
        incident_id=row["incident_id"],
        label=row["label"],
        hashes=_hashes(row),
        views=_views(row),
        media=json.loads(row["media"]) if row["media"] else None,
        profile=row["profile"],
        verdict=row["verdict"],
        p_synthetic=row["p_synthetic"],
        reasons=tuple(json.loads(row["reasons"])),
        findings=tuple(json.loads(row["findings"])),
        intimacy=json.loads(row["intimacy"]) if row["intimacy"] else None,
        description=row["description"],
        added_at=row["added_at"],
        has_image=bool(row["has_image"]),
    )


def items(db: Database, where: str = "1", values: Sequence[Any] = (), brief: bool = False) -> list[Item]:
    """Items that fulfil a condition, oldest first; `brief` as in `Casebook.items`."""
    names = _BRIEF if brief else "item.*"
    found = db.query(
        f"SELECT {names}, EXISTS (SELECT 1 FROM image WHERE image.item_id = item.id) AS has_image"
        f" FROM item WHERE {where} ORDER BY id",
        list(values),
    )
    # Dozens of views an item make millions of objects, none of them garbage: looking for some doubles the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return [item(row) for row in found]
    finally:
        if collecting:
            gc.enable()


def sightings(db: Database, where: str = "1", values: Sequence[Any] = ()) -> list[Sighting]:
    """Sightings that fulfil a condition, oldest first."""
    found = db.query(
        "SELECT sighting.*, EXISTS (SELECT 1 FROM image WHERE image.sighting_id = sighting.id) AS has_screenshot"
        f" FROM sighting WHERE {where} ORDER BY id",
        list(values),
    )
    return [
        Sighting(**{**row, "maybe_minor": bool(row["maybe_minor"]), "has_screenshot": bool(row["has_screenshot"])})
        for row in found
    ]


def requests(db: Database, where: str = "1", values: Sequence[Any] = ()) -> list[Request]:
    """Requests that fulfil a condition, oldest first."""
    links: dict[str, dict[int, list[int]]] = {}
    for kind in ("item", "sighting"):
        links[kind] = {}
        of_them = f"SELECT request_id, {kind}_id FROM request_{kind} WHERE request_id IN (SELECT id FROM request"
        for request_id, other in db.execute(f"{of_them} WHERE {where}) ORDER BY 1, 2", list(values)):
            links[kind].setdefault(request_id, []).append(other)
    return [
        Request(
            **{**row, "state": RequestState(row["state"])},
            item_ids=tuple(links["item"].get(row["id"], ())),
            sighting_ids=tuple(links["sighting"].get(row["id"], ())),
        )
        for row in db.query(f"SELECT * FROM request WHERE {where} ORDER BY id", list(values))
    ]


def forms(db: Database, where: str = "1", values: Sequence[Any] = ()) -> list[PacketForm]:
    """Forms that fulfil a condition, oldest request first, each with the packet that was made last."""
    found = db.query(
        "SELECT form.*, incident_id, name AS built_name, sha256 AS built_sha256, built_at"
        " FROM form JOIN request ON request.id = form.request_id LEFT JOIN packet ON packet.id ="
        " (SELECT max(id) FROM packet WHERE packet.request_id = form.request_id)"
        f" WHERE {where} ORDER BY form.request_id",
        list(values),
    )
    out = []
    for row in found:
        said = json.loads(row["form"])
        asked = {name: value for name in ("law", "platform", "channel") if isinstance(value := said.get(name), str)}
        out.append(PacketForm(**{"law": "", "platform": "", "channel": "", **row, **asked}))
    return out


def reference(row: Mapping[str, Any]) -> ReferencePhoto:
    """A reference photo, from its row."""
    return ReferencePhoto(
        id=row["id"],
        incident_id=row["incident_id"],
        path=os.fsdecode(row["path"]),
        label=row["label"],
        taken_on=row["taken_on"],
        hashes=_hashes(row),
        views=_views(row),
    )
