"""Items and sightings of a casebook: what was found, where it was seen, and what of it is deleted for good."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from desktop.casebook import tables
from desktop.casebook.changes import (
    condition,
    delete_records,
    entry_about,
    entry_added,
    keep_bytes,
    one_item,
    only_text,
    only_text_left,
    parts_of,
    same_incident,
    sha256_of,
    whole_sightings,
)
from desktop.casebook.custody import Entry
from desktop.casebook.packets import forget_in_forms, forget_sighting_in_forms
from desktop.casebook.records import CasebookError, Item, NewItem, NewSighting, Sighting
from desktop.casebook.store import Store
from desktop.casebook.values import moment, now, time_text, zone_name

if TYPE_CHECKING:
    from sqlite_utils import Database

    from detectors.report import Report, View


class Items(Store):
    """What a casebook does with items and sightings."""

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
        new = NewItem(report, tuple(views), label, description, image, media_type, thumbnail)
        return self.add_items(incident_id, [new])[0]

    def add_items(self, incident_id: int, new: Iterable[NewItem]) -> list[Item]:
        """Record many in one transaction, one log row each: all or none. Ten times quicker than one by one."""
        with self._changing() as (db, entries):
            tables.one(db, "incident", incident_id)
            ids = []
            for one in new:
                columns = tables.item_columns(one.report, one.views, one.label, one.description)
                item_id = tables.insert(db, "item", incident_id=incident_id, **columns, added_at=now())
                entries.append(entry_added(db, "item", item_id, sha256=columns["sha256"], pdq=columns["pdq"]))
                if one.image is not None:
                    entries += keep_bytes(db, "item", item_id, one.image, one.media_type, one.thumbnail)
                ids.append(item_id)
            return tables.items(db, "id BETWEEN ? AND ?", (ids[0], ids[-1])) if ids else []

    def items(self, incident_id: int | None = None, *, brief: bool = False) -> list[Item]:
        """All items of an incident, or of the casebook, oldest first.

        With `brief` they come ten times quicker and without hashes, views, media, reasons, findings and intimacy, for
        lists of thousands; `item` has the whole of one.
        """
        with self._reading() as db:
            return tables.items(db, *condition(incident_id=incident_id), brief=brief)

    def item(self, item_id: int) -> Item:
        """One item. Raises no_such_record."""
        with self._reading() as db:
            return one_item(db, item_id)

    def find_items(self, sha256: str) -> list[Item]:
        """Items whose file had exactly these bytes, in any incident: ask before adding the same file again."""
        with self._reading() as db:
            return tables.items(db, "sha256 = ?", [sha256])

    def viewed(self, item_id: int) -> None:
        """Record in the log that an item was looked at (its facts or its blurred form)."""
        with self._changing() as (db, entries):
            entries.append(entry_about(db, "viewed", item_id))

    def revealed(self, item_id: int) -> None:
        """Record in the log that an item was shown without blur."""
        with self._changing() as (db, entries):
            entries.append(entry_about(db, "revealed", item_id))

    def describe_item(self, item_id: int, text: str) -> Item:
        """Replace the description in words, so that nobody needs to look again."""
        self._update("item", item_id, {"description": text})
        return self.item(item_id)

    def keep_image(self, item_id: int, image: bytes, media_type: str = "", thumbnail: bytes | None = None) -> Item:
        """Keep (or replace) the bytes of an item's image, on the user's express wish."""
        with self._changing() as (db, entries):
            tables.one(db, "item", item_id)
            gone = [part for part in parts_of(db, "item", item_id) if part[0] == "image"]
            entries += delete_records(db, gone)
            entries += keep_bytes(db, "item", item_id, image, media_type, thumbnail)
            return one_item(db, item_id)

    def image(self, item_id: int) -> bytes:
        """The bytes that were kept; the log records it as an export. Raises no_such_record when none were."""
        return self._exported_image("item", item_id)

    def image_to_reveal(self, item_id: int) -> bytes:
        """The bytes that were kept, to be shown without blur; the log records that. Raises as `image`."""
        return self._exported_image("item", item_id, "revealed")

    def _exported_image(self, kind: str, row_id: int, action: str = "exported") -> bytes:
        with self._changing() as (db, entries):
            row = tables.one(db, kind, row_id)
            found = db.execute(f"SELECT id, bytes FROM image WHERE {kind}_id = ?", [row_id]).fetchone()
            if found is None:
                raise CasebookError(
                    "no_such_record",
                    f"The picture of {kind} {row_id} is not kept in this casebook: only facts about it are.",
                    "Look for the file where it was saved.",
                )
            entries.append(Entry(action, f"{kind} {row_id}", {"what": "image", "sha256": row.get("sha256")}))
            return bytes(found[1])

    def thumbnail(self, item_id: int) -> bytes | None:
        """The blurred JPEG, or None."""
        return self._thumbnail("item", item_id)

    def _thumbnail(self, kind: str, row_id: int) -> bytes | None:
        with self._reading() as db:
            tables.one(db, kind, row_id)
            found = db.execute(f"SELECT thumbnail FROM image WHERE {kind}_id = ?", [row_id]).fetchone()
            return None if found is None or found[0] is None else bytes(found[0])

    def delete_item(self, item_id: int) -> None:
        """Delete an item with its image, notes, sightings and screenshots, and what the log said of them.

        The fact of deletion remains, and the log still verifies. Requests and their forms stay, without the item.
        """
        with self._changing() as (db, entries):
            tables.one(db, "item", item_id)
            entries += forget_in_forms(db, item_id)
            sightings = whole_sightings(db, [row["id"] for row in tables.rows(db, "sighting", item_id=item_id)])
            entries += delete_records(db, [("item", item_id), *parts_of(db, "item", item_id), *sightings])
        with self._reading() as db:
            self._fold(db)  # or the file itself would hold the item until it is closed

    def mark_maybe_minor(self, item_id: int) -> None:
        """Someone in the picture may be under 18: delete the item as `delete_item` does, but keep of its sightings
        URL, platform, handle and time, as text, marked `maybe_minor`. So with each item, in any incident, whose file
        has the same bytes: it is the same picture. The forms of requests about it are deleted whole."""
        with self._changing() as (db, entries):
            sha256 = sha256_of(db, item_id)
            for row in [{"id": item_id}] if sha256 is None else tables.rows(db, "item", sha256=sha256):
                entries += forget_in_forms(db, row["id"], whole=True)
                entries += only_text_left(db, row["id"])
        with self._reading() as db:
            self._fold(db)

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
        if maybe_minor and (item_id is not None or screenshot is not None):
            raise only_text()
        place = NewSighting(
            url, item_id, platform, handle, seen_at, time_zone, captured_how, captured_by, note, maybe_minor=maybe_minor
        )
        with self._changing() as (db, entries):
            new = self._insert_sighting(db, entries, incident_id, place)
            if screenshot is not None:
                entries += keep_bytes(db, "sighting", new, screenshot, media_type, thumbnail)
            return tables.sightings(db, "id = ?", [new])[0]

    def add_sightings(self, incident_id: int, places: Iterable[NewSighting]) -> list[int]:
        """Record many places where something was seen, all of them or, where one is bad, none; their ids, in order.

        Each has its own row in the custody log. Raises as `add_sighting`.
        """
        with self._changing() as (db, entries):
            return [self._insert_sighting(db, entries, incident_id, place) for place in places]

    def _insert_sighting(self, db: Database, entries: list[Entry], incident_id: int, place: NewSighting) -> int:
        if place.maybe_minor and place.item_id is not None:
            raise only_text()
        item_id = place.item_id
        tables.one(db, "incident", incident_id)
        same_incident(db, incident_id, "item", [] if item_id is None else [item_id])
        new = tables.insert(
            db,
            "sighting",
            incident_id=incident_id,
            item_id=item_id,
            url=place.url,
            platform=place.platform,
            handle=place.handle,
            seen_at=time_text(place.seen_at),
            time_zone=zone_name(place.time_zone),
            captured_how=place.captured_how,
            captured_by=place.captured_by or self.actor,
            note=place.note,
            maybe_minor=int(place.maybe_minor),
        )
        about = {"item": item_id, "sha256": sha256_of(db, item_id)} if item_id is not None else {}
        entries.append(entry_added(db, "sighting", new, **about))
        return new

    def sightings(self, incident_id: int | None = None, item_id: int | None = None) -> list[Sighting]:
        """Sightings of an incident, of an item, or all, by the time seen."""
        with self._reading() as db:
            where, values = condition(incident_id=incident_id, item_id=item_id)
            return sorted(tables.sightings(db, where, values), key=lambda s: moment(s.seen_at))

    def screenshot(self, sighting_id: int) -> bytes:
        """The bytes that were kept; the log records it as an export. Raises no_such_record when none were."""
        return self._exported_image("sighting", sighting_id)

    def screenshot_to_reveal(self, sighting_id: int) -> bytes:
        """The bytes that were kept, to be shown without blur; the log records that. Raises as `screenshot`."""
        return self._exported_image("sighting", sighting_id, "revealed")

    def screenshot_thumbnail(self, sighting_id: int) -> bytes | None:
        """The blurred JPEG, or None."""
        return self._thumbnail("sighting", sighting_id)

    def keep_screenshot(
        self, sighting_id: int, image: bytes, media_type: str = "", thumbnail: bytes | None = None
    ) -> Sighting:
        """Keep (or replace) a screenshot of a sighting. Raises maybe_minor where only text may be recorded."""
        with self._changing() as (db, entries):
            if tables.one(db, "sighting", sighting_id)["maybe_minor"]:
                raise only_text()
            entries += delete_records(
                db, [part for part in parts_of(db, "sighting", sighting_id) if part[0] == "image"]
            )
            entries += keep_bytes(db, "sighting", sighting_id, image, media_type, thumbnail)
            return tables.sightings(db, "id = ?", [sighting_id])[0]

    def delete_sighting(self, sighting_id: int) -> None:
        """Delete a sighting with its notes and screenshot, and what the log said of them."""
        with self._changing() as (db, entries):
            tables.one(db, "sighting", sighting_id)
            forget_sighting_in_forms(db, sighting_id)
            entries += delete_records(db, whole_sightings(db, [sighting_id]))
        with self._reading() as db:
            self._fold(db)

    def not_a_match(self, item_a: int, item_b: int, wrong: bool = True) -> None:
        """Remember that two items are not the same picture, or (wrong=False) forget it."""
        with self._changing() as (db, entries):
            pair = sorted((item_a, item_b))
            for row_id in pair:
                tables.one(db, "item", row_id)
            if pair[0] == pair[1]:
                raise CasebookError("bad_record", "These are the same item.", "Name two different items.")
            if wrong:
                db.execute("INSERT OR IGNORE INTO wrong_match VALUES (?, ?)", pair)
            else:
                db.execute("DELETE FROM wrong_match WHERE item_a = ? AND item_b = ?", pair)
            action = "marked as no match" if wrong else "marked as match"
            entries += [entry_about(db, action, one, other=other) for one, other in (pair, reversed(pair))]

    def wrong_matches(self) -> set[frozenset[int]]:
        """The pairs of item ids that were marked as no match."""
        with self._reading() as db:
            return {frozenset(pair) for pair in db.execute("SELECT item_a, item_b FROM wrong_match")}
