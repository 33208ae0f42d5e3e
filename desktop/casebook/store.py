"""The casebook as a file: made, opened, checked, copied and closed, and how each change to it is made.

Each change is one transaction together with its rows of the custody log, and durable before its call returns. One
thread at a time works on a casebook; a lock sees to it. Errors are CasebookError.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from desktop.casebook import custody, database, keys, tables
from desktop.casebook.changes import entry_changed
from desktop.casebook.custody import Entry
from desktop.casebook.migrations import check_layout, is_known, migrate
from desktop.casebook.records import CasebookError, Verification
from desktop.casebook.values import now

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from sqlite_utils import Database

# Files that this process has open, by device and number. To read one of them by another descriptor and close that would
# drop the locks that SQLite holds on it: POSIX locks belong to the process.
_open: set[tuple[int, int]] = set()
_open_lock = threading.Lock()


class Store:
    """An open casebook as a file. Use it as a context manager, or call `close`.

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
        self._edited: set[int] = set()  # the requests whose form was worked on since the casebook was opened

    @classmethod
    def create(cls, path: Path, passphrase: str, actor: str, *, _cost: keys.Cost | None = None) -> tuple[Self, str]:
        """A new casebook at `path`, and its recovery code, which is to be shown once and kept nowhere.

        Deriving the key takes about half a second to a second. The passphrase must have 8 characters or more.
        Raises weak_passphrase, casebook_exists (nothing is overwritten), casebook_read_only, disk_full.
        """
        path = Path(path).resolve()
        keys.check_passphrase(passphrase)
        key = keys.new_key(passphrase, _cost or keys.choose_cost())
        with database.guarded():
            database.claim(path)
            new = database.beside(path)
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
    def open(cls, path: Path, passphrase: str, actor: str) -> Self:
        """Open with the passphrase; checks every page, the journal and the structure, and brings it up to date.

        Raises casebook_missing, not_a_casebook, wrong_passphrase, casebook_damaged, casebook_newer,
        casebook_open_elsewhere, casebook_read_only, memory_short, disk_full.
        """
        return cls._opened(path, actor, lambda header: keys.key_from_passphrase(passphrase, header))

    @classmethod
    def open_with_code(cls, path: Path, code: str, actor: str) -> Self:
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
    def _opened(cls, path: Path, actor: str, unlock: Callable[[bytes], keys.Key]) -> Self:
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
        database.remove_leftovers(database.beside(self.path))
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
        self._migrate(db)
        if journal.damaged:
            with db.atomic():
                custody.append(db, now(), self.actor, [Entry("journal damaged", "casebook")])
        if wrong := custody.check_head(db):
            notices.append(wrong)
        return tuple(notices)

    def _migrate(self, db: Database) -> None:
        from sqlcipher3 import dbapi2

        try:
            migrate(db)
        except dbapi2.Error as e:
            database.after_failure(self.path, e)
            raise

    def __enter__(self) -> Self:
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
                    custody.append(db, now(), self.actor, entries)
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
            new = database.beside(to_path)
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
            new = database.beside(self.path)

            def finish(copy: Database) -> None:
                with copy.atomic():
                    custody.append(copy, now(), self.actor, [Entry(action, "casebook")])

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

    def signing_key(self) -> Ed25519PrivateKey:
        """The key that signs the head of the custody log, for the manifest of a packet (Ed25519, RFC 8032)."""
        with self._reading() as db:
            return custody.private_key(db)

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

    def _update(self, kind: str, row_id: int, given: dict[str, Any]) -> dict[str, Any]:
        """Replace the columns that are not None, and record which; the row as it is then."""
        changed = {name: value for name, value in given.items() if value is not None}
        with self._changing() as (db, entries):
            tables.one(db, kind, row_id)
            if changed:
                tables.update(db, kind, row_id, **changed)
                entries.append(entry_changed(db, kind, row_id, fields=sorted(changed)))
            return tables.one(db, kind, row_id)


# The file


def _begin(db: Database, actor: str) -> None:
    migrate(db)
    with db.atomic():
        custody.begin(db)
        custody.append(db, now(), actor, [Entry("created", "casebook")])


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
                    if held and is_known(db):  # a newer layout is not ours to read
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
