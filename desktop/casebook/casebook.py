"""Casebook: an encrypted record of what happened. Every change is durable before its call returns, and is logged.

Each change is one transaction together with its row of the custody log. One thread at a time works on a casebook; a
lock sees to it. Errors are CasebookError.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from desktop.casebook import custody, database, keys, tables
from desktop.casebook.custody import Entry
from desktop.casebook.migrations import check_layout, is_newest, migrate
from desktop.casebook.records import (
    AWAITING,
    Answer,
    CasebookError,
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
    from sqlite_utils import Database

    from detectors.report import Hashes, Report, View

SCHEMA = "counterproof.casebook/1"

# Files that this process has open, by device and number. To read one of them by another descriptor and close that would
# drop the locks that SQLite holds on it: POSIX locks belong to the process.
_open: set[tuple[int, int]] = set()
_open_lock = threading.Lock()


class Casebook:
    """One open casebook. Use it as a context manager, or call `close`.

    `path` is its file, `actor` who is at work (recorded in the log with everything done), `notices` are plain
    sentences on what was noticed while opening.
    """

    def __init__(self, path: Path, actor: str, key: keys.Key, db: Database) -> None:
        """For the class methods, which open the file."""
        self.path = path
        self.actor = actor
        self.notices: tuple[str, ...] = ()
        self._damage: tuple[str, ...] = ()  # those of the notices that are damage to the journal
        self._key = key
        self._database: Database | None = db
        self._identity = _identity(path)
        self._lock = threading.RLock()

    @classmethod
    def create(cls, path: Path, passphrase: str, actor: str, *, _cost: keys.Cost | None = None) -> tuple[Casebook, str]:
        """A new casebook at `path`, and its recovery code, which is to be shown once and kept nowhere.

        Deriving the key takes about half a second to a second. The passphrase must have 8 characters or more.
        Raises weak_passphrase, casebook_exists (nothing is overwritten), casebook_read_only, disk_full.
        """
        path = Path(path).resolve()
        keys.check_passphrase(passphrase)
        key = keys.new_key(passphrase, _cost or keys.choose_cost())
        with database.guarded():
            database.claim(path)
            new = _beside(path)
            try:
                database.write_new(new, key, lambda db: _begin(db, actor))
                new.replace(path)
            except BaseException:
                if not path.stat().st_size:
                    path.unlink()
                raise
            database.sync_folder(path.parent)
        return cls._opened(path, actor, lambda _: key), keys.recovery_code(key)

    @classmethod
    def open(cls, path: Path, passphrase: str, actor: str) -> Casebook:
        """Open with the passphrase; checks every page, the journal and the structure, and brings it up to date.

        Raises casebook_missing, not_a_casebook, wrong_passphrase, casebook_damaged, casebook_newer,
        casebook_open_elsewhere, casebook_read_only, memory_short, disk_full.
        """
        return cls._opened(path, actor, lambda header: keys.key_from_passphrase(passphrase, header))

    @classmethod
    def open_with_code(cls, path: Path, code: str, actor: str) -> Casebook:
        """Open with the recovery code; spaces, hyphens and case do not matter. Raises as `open`, and
        wrong_recovery_code (mistyped, or of another casebook, or of an earlier passphrase)."""
        return cls._opened(path, actor, lambda header: keys.key_from_code(code, header))

    @staticmethod
    def look(path: Path) -> None:
        """Raises what `open` would of what can be told before a passphrase is asked for: casebook_missing,
        not_a_casebook, casebook_damaged (its first bytes), casebook_newer, casebook_open_elsewhere (here)."""
        path = Path(path).resolve()
        with database.guarded(), _registered(path):
            _header(path)
            with _open_lock:
                _open.discard(_identity(path))

    @classmethod
    def _opened(cls, path: Path, actor: str, unlock: Callable[[bytes], keys.Key]) -> Casebook:
        path = Path(path).resolve()
        _no_core_dump()
        with database.guarded(), _registered(path):
            key = unlock(_header(path))
            if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
                raise database.read_only()
            db, foreign = _connected(path, key)
            try:
                casebook = cls(path, actor, key, db)
                casebook.notices = (*foreign, *casebook._recover(db))
            except BaseException:
                database.close_as_it_is(db, path)
                raise
            return casebook

    def _recover(self, db: Database) -> tuple[str, ...]:
        """Take in what the last session left behind, and check that the file is whole and of a known layout."""
        database.remove_leftovers(_beside(self.path))
        notices = []
        journal = database.read_journal(self.path)
        if journal.damaged:
            aside = database.set_aside_journal(self.path)
            notices.append(
                "The journal of the last changes is damaged: what was recorded last may be missing. A copy of the "
                f"damaged journal is kept beside the casebook as {aside.name}."
            )
            self._damage = tuple(notices)
        if journal.bytes:
            if problems := database.check_records(db):
                raise keys.damaged(problems[0])  # before the journal is folded in: both stay as they are
            try:
                with database.guarded():
                    database.fold_journal(db, self.path)
            except CasebookError as e:
                if e.code != "disk_full":
                    raise
                notices.append("The disk is full: what is recorded can be read, but nothing can be added.")
        if problems := database.check_pages(db, self.path.stat().st_size):
            raise keys.damaged(problems[0])
        migrate(db)
        if journal.damaged:
            with db.atomic():
                custody.append(db, _now(), self.actor, [Entry("journal damaged", "casebook")])
        if wrong := custody.check_head(db):
            notices.append(wrong)
        return tuple(notices)

    def __enter__(self) -> Casebook:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Fold the journal into the file and close it; twice does no harm. Later calls raise casebook_closed."""
        with self._lock:
            db, self._database = self._database, None
            if db is None:
                return
            try:
                # What cannot be folded in now stays in the journal, and is taken in on the next opening.
                with contextlib.suppress(CasebookError), database.guarded():
                    database.fold_journal(db, self.path)
            finally:
                db.close()
                with _open_lock:
                    _open.discard(self._identity)

    def _db(self) -> Database:
        if self._database is None:
            raise CasebookError("casebook_closed", "The casebook is locked.", "Open it with its passphrase.")
        return self._database

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Database]:
        with self._lock, database.guarded():
            yield self._db()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[tuple[Database, list[Entry]]]:
        """One change: a transaction, and the rows of the custody log that belong to it."""
        from sqlcipher3 import dbapi2

        with self._lock, database.guarded():
            db, entries = self._db(), list[Entry]()
            try:
                with db.atomic():
                    yield db, entries
                    custody.append(db, _now(), self.actor, entries)
            except dbapi2.Error as e:
                database.after_failure(self.path, e)
                raise
            if database.journal_bytes(self.path) > database.JOURNAL_BYTES:
                self._fold(db)

    def _fold(self, db: Database) -> None:
        """Fold the journal in, where there is room. The change is durable without it."""
        with contextlib.suppress(CasebookError), database.guarded():
            database.fold_journal(db, self.path)

    # The file

    def change_passphrase(self, new: str, *, _cost: keys.Cost | None = None) -> str:
        """Write the casebook anew under another key and put it in place of the old file; returns its recovery code.

        Afterwards neither the old passphrase nor the old code opens the file; copies and backups made before keep
        theirs. A kill at any moment leaves one whole file. Raises weak_passphrase, disk_full.
        """
        # Whoever prepared the file may have made it too cheap to guess.
        least = keys.FLOOR
        cost = keys.Cost(max(self._key.cost.log2_kib, least.log2_kib), max(self._key.cost.passes, least.passes))
        key = keys.new_key(new, _cost or cost)
        self._rewrite(key, "passphrase changed")
        return keys.recovery_code(key)

    def check_secret(self, secret: str) -> None:
        """Raise wrong_passphrase unless this is the casebook's passphrase or its recovery code."""
        with self._lock:
            self._db()
            header = self._key.header
        with contextlib.suppress(CasebookError):
            keys.key_from_code(secret, header)
            return
        keys.key_from_passphrase(secret, header)

    def backup(self, to_path: Path) -> None:
        """Write a whole, checked copy, which opens with the same passphrase and code. Raises casebook_exists,
        disk_full, disk_failed."""
        to_path = Path(to_path).resolve()
        with self._lock, database.guarded():
            db = self._db()
            database.claim(to_path)
            new = _beside(to_path)
            try:
                database.write_copy(db, new, self._key, lambda _: None)
                new.replace(to_path)
            except BaseException:
                if not to_path.stat().st_size:
                    to_path.unlink()
                raise
            database.sync_folder(to_path.parent)
            with self._changing() as (_, entries):
                entries.append(Entry("backed up", "casebook", {"file": to_path.name}))

    def compact(self) -> int:
        """Write the file anew without its free space, in place of the old one; returns the bytes saved."""
        with self._lock:
            before = self.path.stat().st_size + database.journal_bytes(self.path)
            self._rewrite(self._key, "compacted")
            return max(0, before - self.path.stat().st_size)

    def _rewrite(self, key: keys.Key, action: str) -> None:
        """Write the casebook anew under `key`, put it in place of the file in one step, and go on with it."""
        with self._lock, database.guarded():
            db = self._db()
            database.fold_journal(db, self.path)
            new = _beside(self.path)

            def finish(copy: Database) -> None:
                with copy.atomic():
                    custody.append(copy, _now(), self.actor, [Entry(action, "casebook")])

            database.write_copy(db, new, key, finish)
            try:
                if os.name == "nt":
                    db.close()  # an open file cannot be replaced there, and that keeps others out until it is
                new.replace(self.path)  # elsewhere, while the old file is still locked
            except OSError:
                database.remove_leftovers(new)
                if os.name == "nt":
                    self._database = None
                    self._database = database.connect(self.path, self._key)
                raise
            self._database = None
            db.close()
            database.sync_folder(self.path.parent)
            with _open_lock:
                _open.discard(self._identity)
                self._identity = _identity(self.path)
                _open.add(self._identity)
            self._key = key
            self._database = database.connect(self.path, key)

    def set_aside(self) -> list[str]:
        """Names of the journals that were set aside beside the casebook. They stay as they are, with what was deleted
        since, and under the key of then."""
        return sorted(p.name for p in database.asides(self.path))

    def verify(self, head: str | None = None) -> Verification:
        """Check every page and record and recompute the custody log. With a `head` from a packet, also check that
        the log still contains the row it was printed after. Notices what was noticed on opening too."""
        with self._reading() as db:
            problems = list(self._damage)
            journal = database.read_journal(self.path)
            if journal.damaged:
                problems.append("The journal of the changes since opening is damaged.")
            size = self.path.stat().st_size
            problems += [f"The file is damaged: {p}." for p in database.check_pages(db, size, whole=True)]
            count, wrong = custody.verify(db)
            problems += wrong
            problems += tables.check_seals(db)
            problems += check_layout(db)
            if head is not None and (missed := custody.check_printed(db, head)):
                problems.append(missed)
            sound = "" if wrong else custody.head(db)
            return Verification(count, not problems, tuple(problems), sound, size + journal.whole)

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
                country=_country(country),
                created_at=_now(),
            )
            entries.append(_added(db, "incident", new))
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
            "country": None if country is None else _country(country),
        }
        return Incident(**self._update("incident", incident_id, given))

    def _update(self, kind: str, row_id: int, given: dict[str, Any]) -> dict[str, Any]:
        """Replace the columns that are not None, and record which; the row as it is then."""
        changed = {name: value for name, value in given.items() if value is not None}
        with self._changing() as (db, entries):
            tables.one(db, kind, row_id)
            if changed:
                tables.update(db, kind, row_id, **changed)
                entries.append(_changed(db, kind, row_id, fields=sorted(changed)))
            return tables.one(db, kind, row_id)

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
                given_at=_time(given_at),
            )
            entries.append(_added(db, "consent", new, incident=incident_id))
            return Consent(**tables.one(db, "consent", new))

    def withdraw_consent(self, consent_id: int, at: str = "") -> Consent:
        """Record that it no longer holds, from `at` (now when empty)."""
        return Consent(**self._update("consent", consent_id, {"withdrawn_at": _time(at)}))

    def consents(self, incident_id: int) -> list[Consent]:
        """All consents of an incident, oldest first, withdrawn ones too."""
        with self._reading() as db:
            return [Consent(**row) for row in tables.rows(db, "consent", incident_id=incident_id)]

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
                item_id = tables.insert(db, "item", incident_id=incident_id, **columns, added_at=_now())
                entries.append(_added(db, "item", item_id, sha256=columns["sha256"], pdq=columns["pdq"]))
                if one.image is not None:
                    entries += _keep_image(db, "item", item_id, one.image, one.media_type, one.thumbnail)
                ids.append(item_id)
            return tables.items(db, "id BETWEEN ? AND ?", (ids[0], ids[-1])) if ids else []

    def items(self, incident_id: int | None = None, *, brief: bool = False) -> list[Item]:
        """All items of an incident, or of the casebook, oldest first.

        With `brief` they come ten times quicker and without hashes, views, media, reasons, findings and intimacy, for
        lists of thousands; `item` has the whole of one.
        """
        with self._reading() as db:
            return tables.items(db, *_where(incident_id=incident_id), brief=brief)

    def item(self, item_id: int) -> Item:
        """One item. Raises no_such_record."""
        with self._reading() as db:
            return _item(db, item_id)

    def find_items(self, sha256: str) -> list[Item]:
        """Items whose file had exactly these bytes, in any incident: ask before adding the same file again."""
        with self._reading() as db:
            return tables.items(db, "sha256 = ?", [sha256])

    def viewed(self, item_id: int) -> None:
        """Record in the log that an item was looked at (its facts or its blurred form)."""
        with self._changing() as (db, entries):
            entries.append(_about(db, "viewed", item_id))

    def revealed(self, item_id: int) -> None:
        """Record in the log that an item was shown without blur."""
        with self._changing() as (db, entries):
            entries.append(_about(db, "revealed", item_id))

    def describe_item(self, item_id: int, text: str) -> Item:
        """Replace the description in words, so that nobody needs to look again."""
        self._update("item", item_id, {"description": text})
        return self.item(item_id)

    def keep_image(self, item_id: int, image: bytes, media_type: str = "", thumbnail: bytes | None = None) -> Item:
        """Keep (or replace) the bytes of an item's image, on the user's express wish."""
        with self._changing() as (db, entries):
            tables.one(db, "item", item_id)
            entries += _delete(db, [part for part in _parts(db, "item", item_id) if part[0] == "image"])
            entries += _keep_image(db, "item", item_id, image, media_type, thumbnail)
            return _item(db, item_id)

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

        The fact of deletion remains, and the log still verifies. Requests stay, without the item.
        """
        with self._changing() as (db, entries):
            tables.one(db, "item", item_id)
            sightings = [row["id"] for row in tables.rows(db, "sighting", item_id=item_id)]
            entries += _delete(db, [("item", item_id), *_parts(db, "item", item_id), *_whole_sightings(db, sightings)])
        with self._reading() as db:
            self._fold(db)  # or the file itself would hold the item until it is closed

    def mark_maybe_minor(self, item_id: int) -> None:
        """Someone in the picture may be under 18: delete the item as `delete_item` does, but keep of its sightings
        URL, platform, handle and time, as text, marked `maybe_minor`. So with each item, in any incident, whose file
        has the same bytes: it is the same picture."""
        with self._changing() as (db, entries):
            sha256 = _sha256(db, item_id)
            for row in [{"id": item_id}] if sha256 is None else tables.rows(db, "item", sha256=sha256):
                entries += _only_text_left(db, row["id"])
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
            raise _only_text()
        with self._changing() as (db, entries):
            tables.one(db, "incident", incident_id)
            _same_incident(db, incident_id, "item", [] if item_id is None else [item_id])
            new = tables.insert(
                db,
                "sighting",
                incident_id=incident_id,
                item_id=item_id,
                url=url,
                platform=platform,
                handle=handle,
                seen_at=_time(seen_at),
                time_zone=_time_zone(time_zone),
                captured_how=captured_how,
                captured_by=captured_by or self.actor,
                note=note,
                maybe_minor=int(maybe_minor),
            )
            about = {"item": item_id, "sha256": _sha256(db, item_id)} if item_id is not None else {}
            entries.append(_added(db, "sighting", new, **about))
            if screenshot is not None:
                entries += _keep_image(db, "sighting", new, screenshot, media_type, thumbnail)
            return tables.sightings(db, "id = ?", [new])[0]

    def sightings(self, incident_id: int | None = None, item_id: int | None = None) -> list[Sighting]:
        """Sightings of an incident, of an item, or all, by the time seen."""
        with self._reading() as db:
            where, values = _where(incident_id=incident_id, item_id=item_id)
            return sorted(tables.sightings(db, where, values), key=lambda s: _moment(s.seen_at))

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
                raise _only_text()
            entries += _delete(db, [part for part in _parts(db, "sighting", sighting_id) if part[0] == "image"])
            entries += _keep_image(db, "sighting", sighting_id, image, media_type, thumbnail)
            return tables.sightings(db, "id = ?", [sighting_id])[0]

    def delete_sighting(self, sighting_id: int) -> None:
        """Delete a sighting with its notes and screenshot, and what the log said of them."""
        with self._changing() as (db, entries):
            tables.one(db, "sighting", sighting_id)
            entries += _delete(db, _whole_sightings(db, [sighting_id]))
        with self._reading() as db:
            self._fold(db)

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
            _same_incident(db, incident_id, "item", item_ids)
            _same_incident(db, incident_id, "sighting", sighting_ids)
            new = tables.insert(
                db,
                "request",
                incident_id=incident_id,
                recipient=recipient,
                legal_basis=legal_basis,
                channel=channel,
                sent_at=_time(sent_at) if sent_at else None,
                reference=reference,
                due_at=_time(due_at) if due_at else None,
                state=str(RequestState(state)),
                created_at=_now(),
            )
            for item_id in dict.fromkeys(item_ids):
                tables.insert(db, "request_item", request_id=new, item_id=item_id)
                entries.append(_about(db, "requested", item_id, request=new))
            for sighting_id in dict.fromkeys(sighting_ids):
                tables.insert(db, "request_sighting", request_id=new, sighting_id=sighting_id)
            entries.append(_added(db, "request", new, items=list(item_ids), sightings=list(sighting_ids)))
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
        given |= {name: _time(value) for name, value in times.items() if value}
        with self._lock:
            self._update("request", request_id, given)
            if cleared := [name for name, value in times.items() if value == ""]:
                with self._changing() as (db, entries):
                    tables.update(db, "request", request_id, **dict.fromkeys(cleared))
                    entries.append(_changed(db, "request", request_id, fields=cleared))
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
            new = tables.insert(db, "answer", request_id=request_id, at=_time(at), outcome=outcome, text=text)
            entries.append(_added(db, "answer", new, request=request_id))
            if state is not None:
                tables.update(db, "request", request_id, state=str(RequestState(state)))
                entries.append(_changed(db, "request", request_id, fields=["state"]))
            return Answer(**tables.one(db, "answer", new))

    def answers(self, request_id: int) -> list[Answer]:
        """All answers to a request, by time."""
        with self._reading() as db:
            found = [Answer(**row) for row in tables.rows(db, "answer", request_id=request_id)]
            return sorted(found, key=lambda a: _moment(a.at))

    def requests(self, incident_id: int | None = None) -> list[Request]:
        """Requests of an incident, or all, oldest first."""
        with self._reading() as db:
            return tables.requests(db, *_where(incident_id=incident_id))

    def due(self, before: str | None = None) -> list[Request]:
        """Requests that wait for an answer and are due (before a time, if given), the earliest first."""
        limit = None if before is None else _moment(_time(before))
        waiting = [(_moment(r.due_at), r) for r in self.requests() if r.due_at and r.state in AWAITING]
        return [r for at, r in sorted(waiting, key=lambda w: w[0]) if limit is None or at < limit]

    # Contacts, reference photos, notes

    def add_contact(self, incident_id: int, name: str, *, role: str = "", address: str = "", note: str = "") -> Contact:
        """Record someone who helps or decides."""
        with self._changing() as (db, entries):
            tables.one(db, "incident", incident_id)
            new = tables.insert(
                db, "contact", incident_id=incident_id, name=name, role=role, address=address, note=note
            )
            entries.append(_added(db, "contact", new, incident=incident_id))
            return Contact(**tables.one(db, "contact", new))

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
            entries.append(_added(db, "reference", new, sha256=hashes.sha256 if hashes else None))
            return tables.reference(tables.one(db, "reference", new))

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
                _same_incident(db, incident_id, kind, [] if row_id is None else [row_id])
            new = tables.insert(
                db,
                "note",
                incident_id=incident_id,
                item_id=item_id,
                sighting_id=sighting_id,
                request_id=request_id,
                text=text,
                at=_now(),
                actor=self.actor,
            )
            known: dict[str, Any] = {kind: row_id for kind, row_id in about.items() if row_id is not None}
            if item_id is not None:
                known["sha256"] = _sha256(db, item_id)
            entries.append(_added(db, "note", new, **known))
            return Note(**tables.one(db, "note", new))

    def notes(self, incident_id: int | None = None, item_id: int | None = None) -> list[Note]:
        """Notes of an incident, on an item, or all, by time."""
        with self._reading() as db:
            found = tables.rows(db, "note", incident_id=incident_id, item_id=item_id)
            return [Note(**row) for row in found]

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
            events += [Event(n["at"], "note", n["text"], n["id"]) for n in tables.rows(db, "note", item_id=item_id)]
            for seq, at, actor, action in db.execute(
                "SELECT seq, at, actor, action FROM log WHERE subject = ? ORDER BY seq", [f"item {item_id}"]
            ):
                events.append(Event(at, "log", f"{action} by {actor}" if actor else action, seq))
            return sorted(events, key=lambda e: _moment(e.at))

    def log(self, start: int = 0) -> Iterator[LogRow]:
        """Rows of the custody log with `seq` greater than `start`, in order."""
        while True:
            with self._reading() as db:
                rows = custody.rows(db, start)
            if not rows:
                return
            yield from rows
            start = rows[-1].seq

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
            entries += [_about(db, action, one, other=other) for one, other in (pair, reversed(pair))]

    def wrong_matches(self) -> set[frozenset[int]]:
        """The pairs of item ids that were marked as no match."""
        with self._reading() as db:
            return {frozenset(pair) for pair in db.execute("SELECT item_a, item_b FROM wrong_match")}

    def export(self, to_path: Path, incident_id: int | None = None) -> None:
        """Write everything but pixels as JSON (`counterproof.casebook/1`), in clear, and record it in the log, one row
        for each item. Raises casebook_exists when something is there, disk_full, no_such_record."""
        to_path = Path(to_path).resolve()
        with self._lock, database.guarded():
            if incident_id is not None:
                self.incident(incident_id)
            data = json.dumps(self._exported(incident_id), ensure_ascii=True, indent=1).encode()
            database.claim(to_path)
            new = _beside(to_path)
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
        out: dict[str, Any] = {"schema": SCHEMA, "exported_at": _now(), "head": head}
        out["incidents"] = [
            {
                **asdict(incident),
                "consents": [asdict(r) for r in self.consents(incident.id)],
                "items": [asdict(r) for r in self.items(incident.id)],
                "sightings": [asdict(r) for r in self.sightings(incident.id)],
                "requests": [
                    {**asdict(r), "answers": [asdict(a) for a in self.answers(r.id)]}
                    for r in self.requests(incident.id)
                ],
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

    def overview(self, incident_id: int | None = None) -> Overview:
        """Counts of what is in the casebook, or in one incident."""
        with self._reading() as db:
            if incident_id is not None:
                tables.one(db, "incident", incident_id)
            where, values = _where(incident_id=incident_id)

            def count(table: str, condition: str = "1") -> int:
                sql = f"SELECT count(*) FROM {table} WHERE {condition} AND {where}"
                return int(db.execute(sql, values).fetchone()[0])

            def by(table: str, column: str) -> dict[str, int]:
                sql = f"SELECT coalesce({column}, 'not_checked'), count(*) FROM {table} WHERE {where} GROUP BY 1"
                return dict(db.execute(sql, values).fetchall())

            now = _moment(_now())
            due = [r for r in self.due() if incident_id in (None, r.incident_id)]
            return Overview(
                incidents=count("incident") if incident_id is None else 1,
                items=count("item"),
                with_image=count("item", "id IN (SELECT item_id FROM image)"),
                verdicts=by("item", "verdict"),
                sightings=count("sighting"),
                maybe_minor=count("sighting", "maybe_minor"),
                requests=by("request", "state"),
                overdue=sum(_moment(r.due_at or "") < now for r in due),
                next_due=next((r.due_at for r in due if _moment(r.due_at or "") >= now), None),
                notes=count("note"),
                contacts=count("contact"),
                references=count("reference"),
                log_rows=int(db.execute("SELECT count(*) FROM log").fetchone()[0]),
            )


# The file


def _begin(db: Database, actor: str) -> None:
    migrate(db)
    with db.atomic():
        custody.begin(db)
        custody.append(db, _now(), actor, [Entry("created", "casebook")])


def _beside(path: Path) -> Path:
    """Where a new file is written before it takes the place of `path`: the same folder, so that it can."""
    return path.with_name(path.name + database.UNFINISHED)


def _no_core_dump() -> None:
    """From now on a crash of this process leaves no copy of its memory on the disk: the key is in it."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def _registered(path: Path) -> Iterator[None]:
    """Enter the file among those that this process has open; taken out again when opening it fails."""
    try:
        identity = _identity(path)
    except FileNotFoundError:
        raise CasebookError(
            "casebook_missing", f"There is no file at {path}.", "Check the name, or make a new casebook."
        ) from None
    if not path.is_file():
        keys.check_header(b"")
    with _open_lock:
        if identity in _open:
            raise database.open_elsewhere()
        _open.add(identity)
    try:
        yield
    except BaseException:
        with _open_lock:
            _open.discard(identity)
        raise


def _connected(path: Path, key: keys.Key) -> tuple[Database, list[str]]:
    """Open the file, with the journal that a killed process left beside it, if the two belong together.

    SQLite would fold any journal into any file of that name: into a backup that was copied over the file since, and
    ruin it. So the records are checked first with the journal, and without it where they do not hold; where neither
    holds, the journal is not the cause and stays.
    """
    if not database.journal_bytes(path):
        return database.connect(path, key), []
    db, aside = _sound(path, key)
    if db:
        return db, []
    db, _ = _sound(path, key)
    if db is None or aside is None:
        if aside:
            database.put_back_journal(path, aside)
        return database.connect(path, key), []
    return db, [
        "The journal that lay beside the casebook belongs to another state of it, and was not taken in. It is kept as "
        f"{aside.name}."
    ]


def _sound(path: Path, key: keys.Key) -> tuple[Database | None, Path | None]:
    """The opened file if all of its records hold; otherwise where its journal, now empty, was copied to."""
    asides: list[Path] = []

    def empty() -> None:
        if database.journal_bytes(path):
            asides.append(database.set_aside_journal(path))
            os.truncate(database.journal_path(path), 0)

    try:
        with database.guarded():
            db = database.connect(path, key, empty)
            try:
                with database.guarded():
                    held = not database.check_records(db)
                    if held and is_newest(db):  # another layout is not ours to read
                        held = not custody.verify(db)[1] and not tables.check_seals(db)
            except BaseException as e:
                if not (isinstance(e, CasebookError) and e.code == "casebook_damaged"):
                    database.close_as_it_is(db, path)  # stopped, or out of memory: that says nothing of the journal
                    raise
                held = False
            if held:
                return db, None
            database.close_after(db, path, empty)
    except CasebookError as e:
        if e.code != "casebook_damaged":
            raise
    return None, asides[0] if asides else None


def _header(path: Path) -> bytes:
    with open(path, "rb") as file:
        header = file.read(keys.HEADER_BYTES)
        keys.check_header(header)
        if os.fstat(file.fileno()).st_size < database.PAGE_BYTES:
            raise keys.damaged("its end is cut off")
        return header


# Log entries


def _added(db: Database, kind: str, row_id: int, **details: Any) -> Entry:
    return Entry("added", f"{kind} {row_id}", {**details, "record": tables.seal(db, kind, row_id)})


def _changed(db: Database, kind: str, row_id: int, **details: Any) -> Entry:
    return Entry("changed", f"{kind} {row_id}", {**details, "record": tables.seal(db, kind, row_id)})


def _about(db: Database, action: str, item_id: int, **details: Any) -> Entry:
    """Something that was done with an item, with its fingerprint."""
    return Entry(action, f"item {item_id}", {**details, "sha256": _sha256(db, item_id)})


def _sha256(db: Database, item_id: int) -> str | None:
    sha256 = tables.one(db, "item", item_id)["sha256"]
    return None if sha256 is None else str(sha256)


# Parts of items and sightings

_Record = tuple[str, int]


def _only_text() -> CasebookError:
    return CasebookError(
        "maybe_minor",
        "Where someone may be under 18, only text is recorded: no item and no screenshot.",
        "Record the address, the platform and the time, and turn to one of the help lines.",
    )


def _item(db: Database, item_id: int) -> Item:
    found = tables.items(db, "id = ?", [item_id])
    if not found:
        raise tables.no_such("item", item_id)
    return found[0]


def _keep_image(
    db: Database, kind: str, row_id: int, image: bytes, media_type: str, thumbnail: bytes | None
) -> list[Entry]:
    owner: dict[str, Any] = {f"{kind}_id": row_id, "kind": "image" if kind == "item" else "screenshot"}
    new = tables.insert(db, "image", **owner, media_type=media_type, thumbnail=thumbnail, bytes=image)
    return [_added(db, "image", new, **{kind: row_id}, sha256=hashlib.sha256(image).hexdigest())]


def _parts(db: Database, kind: str, row_id: int) -> list[_Record]:
    """The notes on an item or a sighting, and its image."""
    return [
        (part, row[0])
        for part in ("note", "image")
        for row in db.execute(f"SELECT id FROM {part} WHERE {kind}_id = ? ORDER BY id", [row_id])
    ]


def _whole_sightings(db: Database, sightings: Sequence[int]) -> list[_Record]:
    return [part for one in sightings for part in (("sighting", one), *_parts(db, "sighting", one))]


def _delete(
    db: Database, records: Sequence[_Record], also_erase: Sequence[_Record] = (), **details: Any
) -> list[Entry]:
    """Delete records and what the log said of them; the row that says so names the first, and no fingerprint."""
    if not records:
        return []
    for kind, row_id in records:
        db.execute(f"DELETE FROM {kind} WHERE id = ?", [row_id])
    subjects = [f"{kind} {row_id}" for kind, row_id in records]
    erased = custody.erase(db, [*subjects, *(f"{kind} {row_id}" for kind, row_id in also_erase)])
    return [Entry("deleted", subjects[0], {**details, "with": subjects[1:], "erased": erased})]


def _only_text_left(db: Database, item_id: int) -> list[Entry]:
    """Delete an item, and leave of its sightings what is text and no description."""
    sightings = [row["id"] for row in tables.rows(db, "sighting", item_id=item_id)]
    parts = [part for sighting in sightings for part in _parts(db, "sighting", sighting)]
    kept = [("sighting", sighting) for sighting in sightings]
    for sighting in sightings:  # before the item goes, or they would go with it
        db.execute("DELETE FROM image WHERE sighting_id = ?", [sighting])
        tables.update(db, "sighting", sighting, item_id=None, maybe_minor=1, note="", captured_how="")
    gone = [("item", item_id), *_parts(db, "item", item_id), *parts]
    entries = _delete(db, gone, also_erase=kept, reason="maybe_minor")
    return entries + [_changed(db, kind, row_id, maybe_minor=True) for kind, row_id in kept]


def _same_incident(db: Database, incident_id: int, kind: str, ids: Sequence[int]) -> None:
    for row_id in ids:
        if tables.one(db, kind, row_id)["incident_id"] != incident_id:
            raise CasebookError(
                "bad_record",
                f"The {kind} {row_id} belongs to another incident.",
                "Choose one of this incident, or record it there.",
            )


def _where(**conditions: int | None) -> tuple[str, list[int]]:
    held = {name: value for name, value in conditions.items() if value is not None}
    return " AND ".join(f"{name} = ?" for name in held) or "1", list(held.values())


# Values


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _moment(at: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(at)


def _time(text: str) -> str:
    """ISO 8601 with an offset and whole seconds; now when empty. Raises bad_record."""
    if not text:
        return _now()
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CasebookError(
            "bad_record",
            f"{text!r} is not a time with an offset from UTC.",
            "Write it like 2026-11-24T18:00:00+00:00.",
        )
    return moment.isoformat(timespec="seconds")


def _time_zone(name: str) -> str:
    """An IANA name. Raises bad_record. Where the system has no list of zones (Windows), only its form is checked."""
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        plain = name.replace("/", "").replace("_", "").replace("-", "").replace("+", "").isalnum()
        if not plain or zoneinfo.available_timezones():
            raise CasebookError(
                "bad_record",
                f"{name!r} is not the name of a time zone.",
                "Write it like Europe/Copenhagen or Africa/Nairobi.",
            ) from None
    return name


def _country(code: str) -> str:
    if code and not (len(code) == 2 and code.isascii() and code.isalpha()):
        raise CasebookError(
            "bad_record", f"{code!r} is not the code of a country.", "Write its two letters, like KE or DK."
        )
    return code.upper()
