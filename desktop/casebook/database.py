"""The encrypted file under a casebook: opening, the journal, checks, whole copies, and failures in plain words.

While a casebook is open, changes go to the journal beside it (write-ahead log) and the file itself stays as it is, so
that a plain copy of the file is whole, if older. The journal is folded in on closing, and beyond JOURNAL_BYTES.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from desktop.casebook.keys import Key, damaged
from desktop.casebook.records import CasebookError

if TYPE_CHECKING:
    from sqlite_utils import Database

JOURNAL_BYTES = 64 * 1024 * 1024
PAGE_BYTES = 4096
# A file that is being written, beside the one whose place it will take. What is left of one is removed on opening, so
# that it is a name that nobody gives to a file of their own.
UNFINISHED = ".counterproof-unfinished"
_JOURNAL_HEADER = 32
_FRAME_HEADER = 24
_FRAME = _FRAME_HEADER + PAGE_BYTES
# The format's magic number, whose last bit says that check sums read big-endian words.
# https://www.sqlite.org/fileformat2.html#the_write_ahead_log
_JOURNAL_MAGIC = 0x377F0682
_FRAMES_AT_ONCE = 2048
_ASIDE = "-damaged-journal-"
_SIDE_FILES = ("-wal", "-journal", "-shm")
# Primary result codes of SQLite that mean something to a person, https://www.sqlite.org/rescode.html
_BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _TOOBIG, _NOTADB = 5, 6, 8, 10, 11, 13, 14, 18, 26


def beside(path: Path) -> Path:
    """Where a new file is written before it takes the place of `path`: the same folder, so that it can."""
    return path.with_name(path.name + UNFINISHED)


def connect(path: Path, key: Key, unreadable: Callable[[], None] | None = None) -> Database:
    """Open the file for this process alone, with every protection on. Raises sqlcipher3 errors: use `guarded`.

    `unreadable` is called when the file cannot be read together with the journal beside it, before it is closed, which
    would fold the journal in. Without it, both stay as they are.
    """
    from sqlcipher3 import dbapi2
    from sqlite_utils import Database

    connection = dbapi2.connect(str(path), isolation_level=None, check_same_thread=False, timeout=0.5)
    try:
        # Plugins of sqlite-utils would be given the keyed connection: none are loaded.
        db = Database(connection, recursive_triggers=False, execute_plugins=False)
        # SQLCipher would write to standard error what it thinks of the file.
        db.execute("PRAGMA cipher_log_level = NONE")
        db.execute(f'PRAGMA key = "{key.to_sqlcipher()}"')
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # keeps others out, and the journal's index out of the folder
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute("PRAGMA cache_spill = OFF")  # the journal holds whole changes only
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA fullfsync = ON")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA trusted_schema = OFF")
    except BaseException as e:
        if unreadable and _primary(e) in (_CORRUPT, _NOTADB):
            close_after(connection, path, unreadable)
        else:
            close_as_it_is(connection, path)
        raise
    return db


def close_as_it_is(db: Any, path: Path) -> None:
    """Close without folding the journal in: whether it belongs to the file is not known, or could not be dealt with.

    SQLite leaves both alone when the file has another name by then, which it has for a moment. Windows does not let an
    open file be renamed and folds the journal in.
    """
    if not journal_bytes(path):
        db.close()
        return
    names = (path.with_name(f"{path.name}-closing-{i}") for i in range(1, 1000))
    away = next(name for name in names if not name.exists())
    try:
        path.rename(away)
    except OSError:
        db.close()
        return
    try:
        db.close()
    finally:
        away.rename(path)


def close_after(db: Any, path: Path, first: Callable[[], None]) -> None:
    """Close once `first` has dealt with the journal; where it fails, leave everything as it is."""
    try:
        first()
    except BaseException:
        close_as_it_is(db, path)
        raise
    db.close()


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Failures of SQLite and of the operating system as CasebookError."""
    from sqlcipher3 import dbapi2

    try:
        yield
    except dbapi2.Error as e:
        raise explained(e) from e
    except OSError as e:
        raise _explained_os(e) from e


def explained(e: Exception) -> CasebookError:
    """The CasebookError for a failure of SQLite."""
    primary = _primary(e)
    if primary == _FULL:
        return _disk_full()
    if primary in (_BUSY, _LOCKED):
        return open_elsewhere()
    if primary in (_READONLY, _CANTOPEN):
        return read_only()
    if primary in (_CORRUPT, _NOTADB):
        return damaged("a part of it does not fit its seal")
    if primary == _TOOBIG:
        return CasebookError("bad_record", "This is too large for a casebook.", "Keep the file elsewhere.")
    if primary == _IOERR:
        return _disk_failed(str(e))
    return CasebookError("bad_record", f"The casebook refused this: {e}.", "Please report this; nothing was changed.")


def _primary(e: BaseException) -> int:
    """SQLite's primary result code; 0 when there is none."""
    return int(getattr(e, "sqlite_errorcode", None) or 0) & 0xFF


def _explained_os(e: OSError) -> CasebookError:
    if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _disk_full()
    if e.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return read_only()
    if e.errno in (errno.ENOENT, errno.ENOTDIR):
        return CasebookError(
            "casebook_missing", f"There is no such file or folder: {e.filename}.", "Check the name and try again."
        )
    return _disk_failed(e.strerror or "unknown reason")


def _disk_full() -> CasebookError:
    return CasebookError(
        "disk_full",
        "There is no room on the disk for this. Nothing that was recorded before is lost.",
        "Free some space on the disk of the casebook, then do it again.",
    )


def _disk_failed(why: str) -> CasebookError:
    return CasebookError(
        "disk_failed",
        f"The disk could not be read or written ({why}). Nothing that was recorded before was changed.",
        "Check that the disk or stick is still connected, then open the casebook again.",
    )


def read_only() -> CasebookError:
    """The error for a casebook that cannot be written."""
    return CasebookError(
        "casebook_read_only",
        "The casebook, or the folder that it lies in, cannot be written.",
        "Copy the file to a folder of your own, and open it there.",
    )


def open_elsewhere() -> CasebookError:
    """The error for a casebook that is already open."""
    return CasebookError(
        "casebook_open_elsewhere",
        "This casebook is open in another window or program.",
        "Close it there first, then try again.",
    )


# The journal


@dataclass(frozen=True, slots=True)
class Journal:
    """What a journal left behind holds. `whole` is how many of its `bytes` belong to finished changes.

    `damaged` says that something after those is not merely an unfinished change: SQLite would drop it in silence.
    """

    bytes: int
    whole: int
    damaged: bool


def journal_path(path: Path) -> Path:
    """Where SQLite keeps the journal of a file."""
    return path.with_name(path.name + "-wal")


def journal_bytes(path: Path) -> int:
    """The size of the journal of a file; 0 when there is none."""
    try:
        return journal_path(path).stat().st_size
    except FileNotFoundError:
        return 0


def read_journal(path: Path) -> Journal:
    """Check the journal of the casebook at `path`, frame by frame, as SQLite will when it recovers it.

    A change that was being written when the process died leaves sound frames without an end, or a piece of a frame.
    A whole frame whose check sum or salts are wrong is damage.
    """
    try:
        with open(journal_path(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < _JOURNAL_HEADER:
                return Journal(size, 0, False)
            return _read_frames(file, size)
    except FileNotFoundError:
        return Journal(0, 0, False)


def _read_frames(file: Any, size: int) -> Journal:
    import numpy as np

    header = file.read(_JOURNAL_HEADER)
    magic, version, page = (int.from_bytes(header[i : i + 4], "big") for i in (0, 4, 8))
    if magic & ~1 != _JOURNAL_MAGIC or version != 3_007_000 or page != PAGE_BYTES:
        return Journal(size, 0, True)
    words = np.dtype(">u4" if magic & 1 else "<u4")
    state = _sums(np.frombuffer(header[:24], words)[None], (0, 0))[0]
    if state != (int.from_bytes(header[24:28], "big"), int.from_bytes(header[28:], "big")):
        return Journal(size, 0, True)
    whole, position = _JOURNAL_HEADER, _JOURNAL_HEADER
    while frames := file.read(_FRAME * _FRAMES_AT_ONCE):
        count = len(frames) // _FRAME
        rows = np.frombuffer(frames, np.uint8, count * _FRAME).reshape(count, _FRAME)
        summed = np.concatenate([rows[:, :8], rows[:, _FRAME_HEADER:]], axis=1).view(words)
        for row, sums in zip(rows[:, :_FRAME_HEADER], _sums(summed, state), strict=True):
            head = row.tobytes()
            stored = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:], "big")
            if head[8:16] != header[16:24] or sums != stored or not any(head[:4]):
                return Journal(size, whole, True)
            position, state = position + _FRAME, sums
            if any(head[4:8]):  # the size of the file after a finished change
                whole = position
    return Journal(size, whole, False)


def _sums(rows: Any, state: tuple[int, int]) -> list[tuple[int, int]]:
    """SQLite's running check sum after each row of 32-bit words, (n, 2 m), starting from `state`.

    For each pair (a, b) of words: s1 += a + s2; s2 += b + s1, modulo 2**32. That is linear, so that a row's share is
    one product with fixed weights, and what went before is multiplied by a fixed matrix.
    """
    import numpy as np

    (m11, m12, m21, m22), weights = _weights(rows.shape[1] // 2)
    words = rows.astype(np.uint32)
    shares = [(words * np.array(w, np.uint32)).sum(axis=1, dtype=np.uint32).tolist() for w in weights]
    out, (s1, s2) = [], state
    for one, two in zip(*shares, strict=True):
        s1, s2 = (m11 * s1 + m12 * s2 + one) & 0xFFFFFFFF, (m21 * s1 + m22 * s2 + two) & 0xFFFFFFFF
        out.append((s1, s2))
    return out


@functools.cache
def _weights(pairs: int) -> tuple[tuple[int, int, int, int], tuple[list[int], list[int]]]:
    """The matrix for a row of so many pairs, and the weights of its words in s1 and in s2."""
    matrix, weights = [], []
    for a, b in ((1, 0), (0, 1)):  # what a share of s1 and of s2 after a pair adds to the final sum, from the last pair
        own: list[int] = []
        for _ in range(pairs):
            own[:0] = [(a + b) & 0xFFFFFFFF, b]
            a, b = (a + b) & 0xFFFFFFFF, (a + 2 * b) & 0xFFFFFFFF
        matrix += [a, b]
        weights.append(own)
    return (matrix[0], matrix[1], matrix[2], matrix[3]), (weights[0], weights[1])


def put_back_journal(path: Path, aside: Path) -> None:
    """Undo `set_aside_journal`, of a file that is closed."""
    aside.replace(journal_path(path))
    sync_folder(path.parent)


def asides(path: Path) -> list[Path]:
    """What `set_aside_journal` has left beside a casebook."""
    return [p for p in path.parent.iterdir() if p.name.startswith(path.name + _ASIDE)]


def set_aside_journal(path: Path) -> Path:
    """Copy a journal beside the casebook, under a name that is free, and return that. It is encrypted like it."""
    import shutil

    names = (path.with_name(f"{path.name}{_ASIDE}{i}") for i in range(1, 1000))
    aside = next(name for name in names if not name.exists())
    try:
        with open(journal_path(path), "rb") as source, os.fdopen(_new_file(aside), "wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            _sync(target.fileno())
    except BaseException:
        aside.unlink(missing_ok=True)  # half a copy would take the last room, and be taken for whole
        raise
    return aside


def after_failure(path: Path, e: Exception) -> None:
    """Cut off what a failed change left at the journal's end, so that it cannot be taken for damage later.

    Raises OSError with the system's own reason where SQLite knew no more than that the disk failed.
    """
    try:
        if _primary(e) == _IOERR:
            _try_to_grow(journal_path(path))
    finally:
        journal = read_journal(path)
        if journal.whole < journal.bytes and journal.whole:
            os.truncate(journal_path(path), journal.whole)


def _try_to_grow(path: Path) -> None:
    """Write a page at the end of a file and take it off again. Raises the OSError of a disk that has no room."""
    fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        size = os.lseek(fd, 0, os.SEEK_END)
        try:
            while os.lseek(fd, 0, os.SEEK_END) < size + PAGE_BYTES:
                os.write(fd, bytes(PAGE_BYTES))
        finally:
            os.ftruncate(fd, size)
    finally:
        os.close(fd)


def fold_journal(db: Database, path: Path) -> None:
    """Write the journal's changes into the file, and empty it."""
    busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise open_elsewhere()
    with contextlib.suppress(FileNotFoundError):
        fd = os.open(journal_path(path), os.O_RDWR)
        try:
            _sync(fd)  # or a power cut could bring the old journal back beside a file that has a new key
        finally:
            os.close(fd)


# Checks


def check_pages(db: Database, size: int, whole: bool = False) -> list[str]:
    """What is wrong with the file of `size` bytes, in plain sentences: seals of all pages, structure, references.

    `whole` also compares every index with its table.
    """
    problems = [str(row[0]) for row in db.execute("PRAGMA cipher_integrity_check")]
    if size % PAGE_BYTES:
        problems.append(f"the file has {size % PAGE_BYTES} bytes beyond its last page")
    return problems + check_records(db, whole)


def check_records(db: Database, whole: bool = False) -> list[str]:
    """The same without the seals of pages: what is read here comes from the file and its journal together."""
    structure = db.execute("PRAGMA integrity_check" if whole else "PRAGMA quick_check").fetchall()
    problems = [str(row[0]) for row in structure if row[0] != "ok"]
    return problems + [
        f"a record of {row[0]} refers to a missing one" for row in db.execute("PRAGMA foreign_key_check")
    ]


# Whole copies


def write_new(to: Path, key: Key, fill: Callable[[Database], None]) -> None:
    """Write a new file at `to` under `key`, check it, and make it durable. Removed again when anything fails.

    What is left there of an earlier attempt is overwritten.
    """
    remove_leftovers(to)
    os.close(_new_file(to))
    try:
        _finish(to, key, fill)
    except BaseException:
        remove_leftovers(to)
        raise


def write_copy(db: Database, to: Path, key: Key, finish: Callable[[Database], None]) -> None:
    """Write all of `db` under `key` to a new file at `to`, as `write_new` does; `finish` may add to it."""
    from sqlcipher3 import dbapi2

    remove_leftovers(to)
    os.close(_new_file(to))
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        # As bytes: not every path is text.
        db.execute("ATTACH DATABASE ? AS copy KEY ?", (os.fsencode(to), key.to_sqlcipher()))
        try:
            # Half a copy is thrown away, but without a journal SQLite could not let go of it after a failure.
            db.execute("PRAGMA copy.journal_mode = MEMORY")
            db.execute("PRAGMA copy.synchronous = OFF")
            db.execute("SELECT sqlcipher_export('copy')").fetchone()
            db.execute(f"PRAGMA copy.user_version = {version:d}")
        except dbapi2.Error:
            _try_to_grow(to)  # why SQLCipher's function failed is not to be had from it
            raise
        finally:
            db.execute("DETACH DATABASE copy")
        _finish(to, key, finish)
    except BaseException:
        remove_leftovers(to)
        raise


def _finish(to: Path, key: Key, fill: Callable[[Database], None]) -> None:
    """Let `fill` write to a file that nobody else knows of yet, check all of it, and make it durable."""
    db = connect(to, key)
    try:
        fill(db)
        fold_journal(db, to)
        if problems := check_pages(db, to.stat().st_size):
            raise CasebookError(
                "disk_failed",
                f"The new file did not come out whole ({problems[0]}). The casebook itself was not changed.",
                "Try another disk or stick.",
            )
    finally:
        db.close()
    sync_file(to)


def write_file(to: Path, data: bytes) -> None:
    """Write a new plain file that only this person may read, and make it durable."""
    to.unlink(missing_ok=True)
    with os.fdopen(_new_file(to), "wb") as file:
        file.write(data)
        file.flush()
        _sync(file.fileno())


def remove_leftovers(path: Path) -> None:
    """Remove a file that was being written, with its side files. One that is not there is no error."""
    for suffix in ("", *_SIDE_FILES):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _new_file(path: Path) -> int:
    """A descriptor of a new file that only this person may read. SQLite would leave the mode to the umask."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)


def claim(path: Path) -> None:
    """Make an empty file at `path` for what will replace it. An empty one that is there serves too.

    Raises casebook_exists when anything else is there, bad_name for the names of side files, and casebook_read_only
    when that folder cannot be written.
    """
    if path.name.endswith((*_SIDE_FILES, UNFINISHED)):
        raise CasebookError(
            "bad_name",
            f"A name that ends like {path.name} is kept for the casebook’s own files.",
            "Choose another.",
        )
    try:
        os.close(_new_file(path))
    except FileExistsError:
        if not path.is_file() or path.stat().st_size:
            raise CasebookError(
                "casebook_exists", f"There is already something at {path}.", "Choose another name; nothing was changed."
            ) from None
    except OSError as e:
        if e.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise CasebookError(
            "casebook_read_only",
            f"The folder {path.parent} cannot be written.",
            "Choose a folder of your own, or another disk; nothing was changed.",
        ) from e


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        _sync(fd)
    finally:
        os.close(fd)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Windows has no such call and does without."""
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        _sync(fd)
    finally:
        os.close(fd)


def _sync(fd: int) -> None:
    try:
        from fcntl import F_FULLFSYNC, fcntl  # type: ignore[attr-defined,unused-ignore]
    except ImportError:
        os.fsync(fd)
    else:
        fcntl(fd, F_FULLFSYNC)  # macOS: fsync alone leaves the data in the drive's own memory
