"""The custody log: append-only rows, each bound to the one before, and a signed head.

A row's digest is SHA-256 over the digest before it, its number, time, actor, action and subject, and a commitment to
its details: SHA-256 of a random salt and the details as JSON. When a record is deleted, details and salt of the rows
about it are erased; the commitments stay, so that the chain still verifies and nobody can guess what was there.

The head is an Ed25519 signature (RFC 8032) over the casebook's id, the number of rows and the last digest, by a key in
the casebook, renewed in the same transaction as each row. Whoever has the passphrase could sign a shortened log anew;
the short form of the head on a packet that has left the house shows that.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from desktop.casebook.keys import base32, damaged
from desktop.casebook.records import CasebookError, LogRow

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from sqlite_utils import Database

_HEAD_BYTES = 10
_CHUNK = 500
# For how many wrong rows it is looked up whether they are others that were moved: each takes as long as the log is.
_MOST_LOOKED_UP = 20


def begin(db: Database) -> None:
    """Give a new casebook its id and its signing key, and sign the head of the empty log."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    db.execute("INSERT INTO meta VALUES ('casebook_id', ?)", (os.urandom(16),))
    db.execute("INSERT INTO meta VALUES ('signing_key', ?)", (Ed25519PrivateKey.generate().private_bytes_raw(),))
    _sign(db, 0, _genesis(db))


@dataclass(frozen=True, slots=True)
class Entry:
    """A row to be written: what was done to which record ("item 7"), and JSON-able details or None."""

    action: str
    subject: str
    details: Mapping[str, Any] | None = None


def append(db: Database, at: str, actor: str, entries: Iterable[Entry]) -> None:
    """Write rows and renew the head, inside the caller's transaction."""
    rows, previous = db.execute("SELECT rows, digest FROM head").fetchone()
    actor = actor.encode("utf-8", "backslashreplace").decode()  # the name of an account may be no Unicode
    before = rows
    for entry in entries:
        rows += 1
        details = None if entry.details is None else _json(entry.details)
        salt = None if details is None else os.urandom(16)
        commitment = _commitment(salt, details)
        digest = _digest(previous, rows, at, actor, entry.action, entry.subject, commitment)
        db.execute(
            "INSERT INTO log (seq, at, actor, action, subject, details, salt, commitment, previous, digest)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (rows, at, actor, entry.action, entry.subject, details, salt, commitment, previous, digest),
        )
        previous = digest
    if rows != before:
        _sign(db, rows, previous)


def erase(db: Database, subjects: Sequence[str]) -> list[int]:
    """Erase details and salts of the rows about these records; the numbers of those rows, for the deletion's row."""
    erased: list[int] = []
    for subject in subjects:
        found = db.execute("SELECT seq FROM log WHERE subject = ? AND salt IS NOT NULL", (subject,)).fetchall()
        db.execute("UPDATE log SET details = NULL, salt = NULL WHERE subject = ?", (subject,))
        erased += [seq for (seq,) in found]
    return sorted(erased)


def rows(db: Database, start: int) -> list[LogRow]:
    """The next rows after number `start`, in order, some hundreds at a time; empty at the end."""
    return _read(db, "seq > ? ORDER BY seq LIMIT ?", (start, _CHUNK))


def _read(db: Database, condition: str, values: tuple[int | str, ...]) -> list[LogRow]:
    out = []
    for seq, at, actor, action, subject, details, commitment, previous, digest in db.execute(
        f"SELECT seq, at, actor, action, subject, details, commitment, previous, digest FROM log WHERE {condition}",
        values,
    ).fetchall():
        erased = details is None and commitment != _commitment(None, None)
        known = None if details is None else known_details(details)
        out.append(LogRow(seq, at, actor, action, subject, known, erased, previous.hex(), digest.hex()))
    return out


def rows_about(db: Database, subjects: Iterable[str]) -> list[LogRow]:
    """The rows about these records ("item 7"), in order."""
    found = [row for one in dict.fromkeys(subjects) for row in _read(db, "subject = ?", (one,))]
    return sorted(found, key=lambda row: row.seq)


def known_details(details: str | None) -> dict[str, Any]:
    """The details of a row; empty where there are none, or where somebody wrote what is no object over them."""
    try:
        known = json.loads(details or "{}")
    except (ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def listed(known: Mapping[str, Any], name: str, kind: type) -> list[Any]:
    """What is listed under a name of a row's details, without what is of another kind."""
    values = known.get(name)
    return [v for v in values if isinstance(v, kind)] if isinstance(values, list) else []


def head(db: Database) -> str:
    """The short form of the head, for packets: the number of rows, and 80 bits of the last digest in base32."""
    count, digest = db.execute("SELECT rows, digest FROM head").fetchone()
    return _short(count, digest)


def check_head(db: Database) -> str:
    """What is wrong with the head, in one sentence, or nothing. Quick: it looks at the last row only."""
    if wrong := _check_keys(db):
        return wrong
    found = db.execute("SELECT rows, digest, signature FROM head").fetchone()
    if found is None:
        return "The head of the custody log is missing."
    count, digest, signature = found
    if not _signed(db, count, digest, signature):
        return "The head of the custody log is forged: its signature does not fit."
    last = db.execute("SELECT seq, digest FROM log ORDER BY seq DESC LIMIT 1").fetchone() or (0, _genesis(db))
    if last[0] < count:
        return f"The end of the custody log is cut off: {_rows(last[0] + 1, count)} missing."
    if last[0] > count:
        return f"The custody log has rows that its head does not know: {_rows(count + 1, last[0])} added."
    if last[1] != digest:
        return f"Row {count} of the custody log is not the one that its head was signed over."
    return ""


def verify(db: Database) -> tuple[int, list[str]]:
    """Recompute the whole log: the number of rows checked, and what is wrong with which row, in plain sentences.

    Each row is judged by itself and against the row before, so that the first wrong one is named.
    """
    if wrong := _check_keys(db):
        return 0, [wrong]
    problems: list[str] = []
    checked, expected, previous, sound = 0, 1, _genesis(db), True
    erased: dict[int, str] = {}
    accounted: set[int] = set()
    looked_up = start = 0
    if db.execute("SELECT 1 FROM log WHERE seq < 1 LIMIT 1").fetchone():
        problems.append("The custody log has rows that were added before its first one.")
    while found := db.execute("SELECT * FROM log WHERE seq > ? ORDER BY seq LIMIT ?", (start, _CHUNK)).fetchall():
        for seq, at, actor, action, subject, details, salt, commitment, stored_previous, digest in found:
            if seq != expected:
                problems.append(f"{_rows(expected, seq - 1)} missing from the custody log.")
            sealed = _digest(stored_previous, seq, at, actor, action, subject, commitment) == digest
            if not sealed:
                moved = None
                if (looked_up := looked_up + 1) <= _MOST_LOOKED_UP:
                    moved = _number_of(db, (at, actor, action, subject, commitment, stored_previous, digest))
                was = f" was put in the place of another: it was written as row {moved}" if moved else " was changed"
                problems.append(f"Row {seq} of the custody log{was}.")
            elif stored_previous != previous and seq == expected and sound:
                problems.append(
                    f"Row {seq - 1} of the custody log was replaced: row {seq} was written after another."
                    if seq > 1
                    else "Row 1 of the custody log was replaced: it is not the first row of this casebook."
                )
            if salt is None and commitment != _commitment(None, None):
                erased[seq] = subject
            elif _commitment(salt, details) != commitment:
                problems.append(f"The details of row {seq} of the custody log were changed.")
            elif action == "deleted" and details is not None:
                accounted.update(listed(known_details(details), "erased", int))
            checked, expected, previous, start, sound = checked + 1, seq + 1, digest, seq, sealed
    problems += [
        f"The details of row {seq} of the custody log ({subject}) were erased without a deletion."
        for seq, subject in erased.items()
        if seq not in accounted
    ]
    if wrong := check_head(db):
        problems.append(wrong)
    return checked, problems


def check_printed(db: Database, printed: str) -> str:
    """What is wrong with a head that was printed on a packet, against today's log, in one sentence, or nothing."""
    number = printed.strip().split("-", 1)[0]
    if not number.isdecimal() or len(number) > 12:
        return "The head on the packet cannot be read: it begins with a number and a hyphen."
    found = db.execute("SELECT digest FROM log WHERE seq = ?", (int(number),)).fetchone()
    if int(number) == 0:
        found = (_genesis(db),)
    if found is None:
        return f"The custody log no longer has row {number}, after which the packet was made: its end was cut off."
    if _short(int(number), found[0]) != printed.strip().upper():
        return f"The custody log up to row {number} is not the one from which the packet was made."
    return ""


def _number_of(db: Database, row: tuple[str, str, str, str, bytes, bytes, bytes]) -> int | None:
    """The number under which a row was sealed, looked for among all likely numbers, or None when it was changed."""
    at, actor, action, subject, commitment, previous, digest = row
    rows = db.execute("SELECT count(*) FROM log").fetchone()[0]  # not the highest number: that can be anything
    for seq in range(1, 2 * rows + 2):
        if _digest(previous, seq, at, actor, action, subject, commitment) == digest:
            return seq
    return None


def _rows(first: int, last: int) -> str:
    return f"Row {first} is" if first == last else f"Rows {first} to {last} are"


def _short(count: int, digest: bytes) -> str:
    return f"{count}-{base32(digest[:_HEAD_BYTES])}"


def _meta(db: Database, name: str) -> bytes:
    found = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    if found is None:
        raise damaged("the keys of its custody log are missing")
    return bytes(found[0])


def private_key(db: Database) -> Ed25519PrivateKey:
    """The casebook's signing key. Raises casebook_damaged."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        return Ed25519PrivateKey.from_private_bytes(_meta(db, "signing_key"))
    except ValueError:
        raise damaged("the keys of its custody log are no keys") from None


def _check_keys(db: Database) -> str:
    try:
        _genesis(db)
    except CasebookError as e:
        return e.message
    return ""


def _genesis(db: Database) -> bytes:
    """What stands for the digest before the first row: the casebook and its public key, so that neither is swapped."""
    public = private_key(db).public_key().public_bytes_raw()
    return hashlib.sha256(b"counterproof custody log" + _meta(db, "casebook_id") + public).digest()


def _statement(db: Database, count: int, digest: bytes) -> bytes:
    return b"counterproof custody head" + _meta(db, "casebook_id") + count.to_bytes(8, "big") + digest


def _sign(db: Database, count: int, digest: bytes) -> None:
    signature = private_key(db).sign(_statement(db, count, digest))
    db.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?)", (count, digest, signature))


def _signed(db: Database, count: int, digest: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        private_key(db).public_key().verify(signature, _statement(db, count, digest))
    except (InvalidSignature, OverflowError):
        return False
    return True


def _json(details: Mapping[str, Any]) -> str:
    return json.dumps(details, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _commitment(salt: bytes | None, details: str | None) -> bytes:
    return hashlib.sha256((salt or b"") + (details or "").encode()).digest()


def _digest(previous: bytes, seq: int, at: str, actor: str, action: str, subject: str, commitment: bytes) -> bytes:
    row = [previous.hex(), seq, at, actor, action, subject, commitment.hex()]
    return hashlib.sha256(json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode()).digest()
