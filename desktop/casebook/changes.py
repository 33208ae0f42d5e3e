"""What the changes of a casebook have in common: rows of the custody log, and the parts of records that go together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from desktop.casebook import custody, tables
from desktop.casebook.custody import Entry
from desktop.casebook.records import CasebookError, Item

if TYPE_CHECKING:
    from sqlite_utils import Database

# Log entries


def entry_added(db: Database, kind: str, row_id: int, **details: Any) -> Entry:
    return Entry("added", f"{kind} {row_id}", {**details, "record": tables.seal(db, kind, row_id)})


def entry_changed(db: Database, kind: str, row_id: int, **details: Any) -> Entry:
    return Entry("changed", f"{kind} {row_id}", {**details, "record": tables.seal(db, kind, row_id)})


def entry_about(db: Database, action: str, item_id: int, **details: Any) -> Entry:
    """Something that was done with an item, with its fingerprint."""
    return Entry(action, f"item {item_id}", {**details, "sha256": sha256_of(db, item_id)})


def sha256_of(db: Database, item_id: int) -> str | None:
    sha256 = tables.one(db, "item", item_id)["sha256"]
    return None if sha256 is None else str(sha256)


# Parts of items and sightings

Record = tuple[str, int]


def only_text() -> CasebookError:
    return CasebookError(
        "maybe_minor",
        "Where someone may be under 18, only text is recorded: no item and no screenshot.",
        "Record the address, the platform and the time, and turn to one of the help lines.",
    )


def one_item(db: Database, item_id: int) -> Item:
    found = tables.items(db, "id = ?", [item_id])
    if not found:
        raise tables.no_such("item", item_id)
    return found[0]


def keep_bytes(
    db: Database, kind: str, row_id: int, image: bytes, media_type: str, thumbnail: bytes | None
) -> list[Entry]:
    owner: dict[str, Any] = {f"{kind}_id": row_id, "kind": "image" if kind == "item" else "screenshot"}
    new = tables.insert(db, "image", **owner, media_type=media_type, thumbnail=thumbnail, bytes=image)
    return [entry_added(db, "image", new, **{kind: row_id}, sha256=hashlib.sha256(image).hexdigest())]


def parts_of(db: Database, kind: str, row_id: int) -> list[Record]:
    """The notes on an item or a sighting, and its image."""
    return [
        (part, row[0])
        for part in ("note", "image")
        for row in db.execute(f"SELECT id FROM {part} WHERE {kind}_id = ? ORDER BY id", [row_id])
    ]


def whole_sightings(db: Database, sightings: Sequence[int]) -> list[Record]:
    return [part for one in sightings for part in (("sighting", one), *parts_of(db, "sighting", one))]


def delete_records(
    db: Database, records: Sequence[Record], also_erase: Sequence[Record] = (), **details: Any
) -> list[Entry]:
    """Delete records and what the log said of them; the row that says so names the first, and no fingerprint."""
    if not records:
        return []
    for kind, row_id in records:
        db.execute(f"DELETE FROM {kind} WHERE id = ?", [row_id])
    subjects = [f"{kind} {row_id}" for kind, row_id in records]
    erased = custody.erase(db, [*subjects, *(f"{kind} {row_id}" for kind, row_id in also_erase)])
    return [Entry("deleted", subjects[0], {**details, "with": subjects[1:], "erased": erased})]


def only_text_left(db: Database, item_id: int) -> list[Entry]:
    """Delete an item, and leave of its sightings what is text and no description."""
    sightings = [row["id"] for row in tables.rows(db, "sighting", item_id=item_id)]
    parts = [part for sighting in sightings for part in parts_of(db, "sighting", sighting)]
    kept = [("sighting", sighting) for sighting in sightings]
    for sighting in sightings:  # before the item goes, or they would go with it
        db.execute("DELETE FROM image WHERE sighting_id = ?", [sighting])
        tables.update(db, "sighting", sighting, item_id=None, maybe_minor=1, note="", captured_how="")
    gone = [("item", item_id), *parts_of(db, "item", item_id), *parts]
    entries = delete_records(db, gone, also_erase=kept, reason="maybe_minor")
    return entries + [entry_changed(db, kind, row_id, maybe_minor=True) for kind, row_id in kept]


def same_incident(db: Database, incident_id: int, kind: str, ids: Sequence[int]) -> None:
    # One look for all of them: a request can be about thousands.
    of_it = {row[0] for row in db.execute(f'SELECT id FROM "{kind}" WHERE incident_id = ?', [incident_id])}
    for row_id in ids:
        if row_id not in of_it and tables.one(db, kind, row_id)["incident_id"] != incident_id:
            raise CasebookError(
                "bad_record",
                f"The {kind} {row_id} belongs to another incident.",
                "Choose one of this incident, or record it there.",
            )


def condition(**conditions: int | None) -> tuple[str, list[int]]:
    held = {name: value for name, value in conditions.items() if value is not None}
    return " AND ".join(f"{name} = ?" for name in held) or "1", list(held.values())
