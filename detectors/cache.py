"""What was worked out before, kept between runs so that an unchanged folder is nearly free to check again.

Encrypted with keys made from the picture itself. Whoever has this file and not the picture learns nothing from it:
no path, no hash and no finding. Whoever has both, or the file and the picture's exact SHA-256, can tell that it was
checked here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import sys
import threading
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# About 150,000 pictures with thumbnails. Beyond it, the oldest tenth goes.
MAX_BYTES = 512 * 1024 * 1024
_NONCE_BYTES = 12
_LAYOUT = 1
# An answer is a few KB. Inflating more than this is not an answer.
_MAX_VALUE = 64 * 1024 * 1024
# Their versions change what comes out of the same bytes.
_LIBRARIES = ("c2pa_python-", "numpy-", "nudenet-", "onnxruntime-", "pdqhash-", "pillow-", "pillow_heif-")


class Cache:
    """Values by content, in one SQLite file that several processes may use and any of them may be killed over.

    Never raises: a cache that cannot be used is one that finds nothing. `notice` then says so in plain words.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self.notice = ""
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._open()

    def get(self, content: bytes, context: bytes) -> bytes | None:
        """The value for a file's SHA-256 (32 bytes) in a context (engine, profile, limits), or None."""
        key = _key(content, context)
        row = None
        with self._lock, self._guarded():
            if self._db is not None:
                row = self._db.execute("SELECT value FROM entry WHERE key = ?", (key,)).fetchone()
        return None if row is None else _unsealed(bytes(row[0]), content, key)

    def put(self, content: bytes, context: bytes, value: bytes) -> None:
        """Keep a value. Each is committed at once: in write-ahead mode that needs no flush to disk."""
        key = _key(content, context)
        sealed = _sealed(value, content, key)
        with self._lock, self._guarded():
            if self._db is not None:
                self._db.execute("INSERT OR REPLACE INTO entry (key, value) VALUES (?, ?)", (key, sealed))
                self._evict(self._db)

    def close(self) -> None:
        """Close the file. Later calls find and keep nothing."""
        with self._lock:
            if self._db is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._db.close()
                self._db = None

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Made by us first, because SQLite would leave the mode to the umask. Its side files take the same mode.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = self._connect()
        except sqlite3.DatabaseError as e:
            self._set_aside(e)
        except OSError as e:
            self._off(
                f"Results are not kept between runs, because {self.path.parent} cannot be written ({e.strerror})."
            )

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=2.0, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            if db.execute("PRAGMA user_version").fetchone()[0] not in (0, _LAYOUT):
                raise sqlite3.DatabaseError("the cache has another layout")
            db.execute(f"PRAGMA user_version = {_LAYOUT}")
            db.execute("CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB) STRICT")
        except BaseException:
            db.close()
            raise
        return db

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn a failing database into none: busy means not this time, damaged means start afresh."""
        try:
            yield
        except sqlite3.OperationalError as e:
            if e.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                self._off(f"Results are no longer kept between runs: {e}.")
        except sqlite3.DatabaseError as e:
            self._set_aside(e)

    def _set_aside(self, e: sqlite3.Error) -> None:
        """Keep a damaged file beside its successor, once, and go on with a new one."""
        self._off("")
        aside = self.path.with_name(self.path.name + ".damaged")
        try:
            self.path.replace(aside)
            for suffix in ("-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = self._connect()
            self.notice = (
                f"The record of earlier results was damaged and was set aside as {aside}. A new one was begun."
            )
        except (OSError, sqlite3.Error):
            self._off(f"Results are not kept between runs, because {self.path} is damaged ({e}).")

    def _off(self, notice: str) -> None:
        self.notice = notice
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _evict(self, db: sqlite3.Connection) -> None:
        """Drop the oldest tenth when the pages in use exceed the bound; freed pages are used again."""
        pages, free, size = (
            db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size > self._max_bytes:
            count = db.execute("SELECT count(*) FROM entry").fetchone()[0]
            db.execute(
                "DELETE FROM entry WHERE id IN (SELECT id FROM entry ORDER BY id LIMIT ?)", (max(1, count // 10),)
            )


def default_path() -> Path:
    """Where the cache lies: the user's cache folder on this platform."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("counterproof", appauthor=False)) / "results.sqlite"


@cache
def engine_id() -> bytes:
    """32 bytes that change with the code of this package, the model manifest, or a library that decodes or infers."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    if getattr(sys, "frozen", False):
        digest.update(Path(sys.executable).stat().st_mtime_ns.to_bytes(8, "big"))
    sources = [*sorted(package.rglob("*.py")), package.parent / "models" / "manifest.toml"]
    for source in sources:
        if source.is_file():
            digest.update(hashlib.sha256(source.read_bytes()).digest())
    for folder in sys.path:
        with contextlib.suppress(OSError):
            names = (n for n in os.listdir(folder or ".") if n.endswith(".dist-info"))
            digest.update("\n".join(sorted(n for n in names if n.lower().startswith(_LIBRARIES))).encode())
    return digest.digest()


def _key(content: bytes, context: bytes) -> bytes:
    return hashlib.sha256(b"counterproof cache key" + content + context).digest()


def _sealed(value: bytes, content: bytes, key: bytes) -> bytes:
    """Compressed and encrypted: AES-256-GCM, random nonce first, bound to its key."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(_value_key(content)).encrypt(nonce, zlib.compress(value), key)


def _unsealed(sealed: bytes, content: bytes, key: bytes) -> bytes | None:
    """The inverse of `_sealed`; None when the bytes were not written by it."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        packed = AESGCM(_value_key(content)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], key)
        inflater = zlib.decompressobj()
        value = inflater.decompress(packed, _MAX_VALUE)
    except (InvalidTag, ValueError, zlib.error):
        return None
    return value if inflater.eof else None


def _value_key(content: bytes) -> bytes:
    return hashlib.sha256(b"counterproof cache value" + content).digest()
