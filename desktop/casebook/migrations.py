"""Layouts of a casebook's tables, one function a step. Steps are never edited once released; new ones are added."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from desktop.casebook.records import CasebookError

if TYPE_CHECKING:
    from sqlite_utils import Database

_FIRST = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE incident (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL, depicted TEXT NOT NULL, wanted TEXT NOT NULL,
    country TEXT NOT NULL CHECK (country = '' OR country GLOB '[A-Z][A-Z]'),
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE consent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id INTEGER NOT NULL REFERENCES incident ON DELETE CASCADE,
    who TEXT NOT NULL, role TEXT NOT NULL, authority TEXT NOT NULL, scope TEXT NOT NULL,
    given_at TEXT NOT NULL, withdrawn_at TEXT
) STRICT;

CREATE TABLE item (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id INTEGER NOT NULL REFERENCES incident ON DELETE CASCADE,
    label TEXT NOT NULL, description TEXT NOT NULL, added_at TEXT NOT NULL,
    profile TEXT, verdict TEXT, p_synthetic REAL,
    sha256 TEXT, md5 TEXT, pdq TEXT, pdq_quality INTEGER, phash TEXT, hash_note TEXT NOT NULL,
    -- The long ones last, so that lists need not read them.
    media TEXT, intimacy TEXT, reasons TEXT NOT NULL, views BLOB NOT NULL, findings TEXT NOT NULL
) STRICT;
CREATE INDEX item_incident ON item (incident_id);
CREATE INDEX item_sha256 ON item (sha256);

CREATE TABLE sighting (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id INTEGER NOT NULL REFERENCES incident ON DELETE CASCADE,
    item_id INTEGER REFERENCES item ON DELETE CASCADE,
    url TEXT NOT NULL, platform TEXT NOT NULL, handle TEXT NOT NULL,
    seen_at TEXT NOT NULL, time_zone TEXT NOT NULL,
    captured_how TEXT NOT NULL, captured_by TEXT NOT NULL, note TEXT NOT NULL,
    maybe_minor INTEGER NOT NULL CHECK (maybe_minor IN (0, 1)),
    -- Material that may show a minor is never opened, hashed or kept.
    CHECK (NOT maybe_minor OR item_id IS NULL)
) STRICT;
CREATE INDEX sighting_incident ON sighting (incident_id);
CREATE INDEX sighting_item ON sighting (item_id);

CREATE TABLE image (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id INTEGER UNIQUE REFERENCES item ON DELETE CASCADE,
    sighting_id INTEGER UNIQUE REFERENCES sighting ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('image', 'screenshot')),
    media_type TEXT NOT NULL, thumbnail BLOB, bytes BLOB NOT NULL,
    CHECK ((kind = 'image') = (item_id IS NOT NULL) AND (kind = 'screenshot') = (sighting_id IS NOT NULL))
) STRICT;
CREATE TRIGGER image_of_a_minor_added BEFORE INSERT ON image
WHEN EXISTS (SELECT 1 FROM sighting WHERE id = NEW.sighting_id AND maybe_minor)
BEGIN SELECT RAISE(ABORT, 'maybe_minor'); END;
CREATE TRIGGER image_of_a_minor_marked BEFORE UPDATE OF maybe_minor ON sighting
WHEN NEW.maybe_minor AND EXISTS (SELECT 1 FROM image WHERE sighting_id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'maybe_minor'); END;

CREATE TABLE request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id INTEGER NOT NULL REFERENCES incident ON DELETE CASCADE,
    recipient TEXT NOT NULL, legal_basis TEXT NOT NULL, channel TEXT NOT NULL,
    sent_at TEXT, reference TEXT NOT NULL, due_at TEXT,
    state TEXT NOT NULL
        CHECK (state IN ('draft', 'sent', 'acknowledged', 'answered', 'refused', 'withdrawn', 'done')),
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX request_incident ON request (incident_id);
CREATE TABLE request_item (
    request_id INTEGER NOT NULL REFERENCES request ON DELETE CASCADE,
    item_id INTEGER NOT NULL REFERENCES item ON DELETE CASCADE,
    PRIMARY KEY (request_id, item_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_item_item ON request_item (item_id);
CREATE TABLE request_sighting (
    request_id INTEGER NOT NULL REFERENCES request ON DELETE CASCADE,
    sighting_id INTEGER NOT NULL REFERENCES sighting ON DELETE CASCADE,
    PRIMARY KEY (request_id, sighting_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_sighting_sighting ON request_sighting (sighting_id);
CREATE TABLE answer (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id INTEGER NOT NULL REFERENCES request ON DELETE CASCADE,
    at TEXT NOT NULL, outcome TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE INDEX answer_request ON answer (request_id);

CREATE TABLE contact (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id INTEGER NOT NULL REFERENCES incident ON DELETE CASCADE,
    name TEXT NOT NULL, role TEXT NOT NULL, address TEXT NOT NULL, note TEXT NOT NULL
) STRICT;

CREATE TABLE reference (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id INTEGER NOT NULL REFERENCES incident ON DELETE CASCADE,
    -- As the operating system has it: not every path is text.
    path BLOB NOT NULL,
    label TEXT NOT NULL, taken_on TEXT NOT NULL,
    sha256 TEXT, md5 TEXT, pdq TEXT, pdq_quality INTEGER, phash TEXT, hash_note TEXT NOT NULL, views BLOB NOT NULL
) STRICT;

CREATE TABLE note (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id INTEGER NOT NULL REFERENCES incident ON DELETE CASCADE,
    item_id INTEGER REFERENCES item ON DELETE CASCADE,
    sighting_id INTEGER REFERENCES sighting ON DELETE CASCADE,
    request_id INTEGER REFERENCES request ON DELETE CASCADE,
    text TEXT NOT NULL, at TEXT NOT NULL, actor TEXT NOT NULL
) STRICT;
CREATE INDEX note_incident ON note (incident_id);
CREATE INDEX note_item ON note (item_id);
CREATE INDEX note_sighting ON note (sighting_id);
CREATE INDEX note_request ON note (request_id);

CREATE TABLE wrong_match (
    item_a INTEGER NOT NULL REFERENCES item ON DELETE CASCADE,
    item_b INTEGER NOT NULL REFERENCES item ON DELETE CASCADE,
    PRIMARY KEY (item_a, item_b), CHECK (item_a < item_b)
) STRICT, WITHOUT ROWID;
CREATE INDEX wrong_match_b ON wrong_match (item_b);

CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,
    details TEXT, salt BLOB, commitment BLOB NOT NULL, previous BLOB NOT NULL, digest BLOB NOT NULL,
    CHECK ((details IS NULL) = (salt IS NULL))
) STRICT;
CREATE INDEX log_subject ON log (subject);
CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1), rows INTEGER NOT NULL, digest BLOB NOT NULL, signature BLOB NOT NULL
) STRICT;
"""


# What requests are made from, and the packets that were made. Only these are sealed: `packets` says why.
_SECOND = """
CREATE TABLE form (
    request_id INTEGER PRIMARY KEY REFERENCES request ON DELETE CASCADE,
    form TEXT NOT NULL, step TEXT NOT NULL, updated_at TEXT NOT NULL,
    follows INTEGER REFERENCES request ON DELETE SET NULL
) STRICT;
CREATE INDEX form_follows ON form (follows);

CREATE TABLE packet (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id INTEGER NOT NULL REFERENCES request ON DELETE CASCADE,
    name TEXT NOT NULL, sha256 TEXT NOT NULL, head TEXT NOT NULL,
    law TEXT NOT NULL, platform TEXT NOT NULL, channel TEXT NOT NULL,
    built_at TEXT NOT NULL
) STRICT;
CREATE INDEX packet_request ON packet (request_id);
"""


def _first(db: Database) -> None:
    for statement in _statements(_FIRST):
        db.execute(statement)


def _second(db: Database) -> None:
    for statement in _statements(_SECOND):
        db.execute(statement)


_LAYOUT = "SELECT type, name, tbl_name, sql FROM sqlite_schema"

# Step n takes a casebook from layout n to n + 1.
STEPS: tuple[Callable[[Database], None], ...] = (_first, _second)


def migrate(db: Database, steps: tuple[Callable[[Database], None], ...] = STEPS) -> None:
    """Bring a casebook to the newest layout, each step in one transaction. Raises casebook_newer."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(steps):
        raise CasebookError(
            "casebook_newer",
            "This casebook was written by a newer version of Counterproof. It was left as it is.",
            "Open it with that version, or update this one.",
        )
    for number in range(version, len(steps)):
        with db.atomic():
            steps[number](db)
            db.execute(f"PRAGMA user_version = {number + 1}")


def is_known(db: Database) -> bool:
    """Whether a casebook has a layout of this version or of an earlier one."""
    return bool(0 < db.execute("PRAGMA user_version").fetchone()[0] <= len(STEPS))


def check_layout(db: Database) -> list[str]:
    """What is not laid out as this version does it, in plain sentences. A trigger that somebody put in could change
    records as they are written."""
    from sqlcipher3 import dbapi2
    from sqlite_utils import Database

    fresh = Database(dbapi2.connect(":memory:", isolation_level=None), execute_plugins=False)
    migrate(fresh)
    found, expected = ({tuple(row) for row in d.execute(_LAYOUT).fetchall()} for d in (db, fresh))
    fresh.close()
    return [
        f"The {kind} {name} of the file was added, changed or removed."
        for kind, name in sorted({row[:2] for row in found ^ expected})
    ]


def _statements(script: str) -> list[str]:
    """The statements of a script; a trigger's body stays whole. Each ends with a semicolon at the end of a line."""
    from sqlite3 import complete_statement

    statements, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if complete_statement(current):
            statements.append(current)
            current = ""
    return [s for s in statements if s.strip()]
