"""Cache: finds what was put, tells nothing to whoever lacks the picture, and never stands in the way."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from detectors import cache as cache_module
from detectors.cache import Cache, default_path, engine_id

ROOT = Path(__file__).resolve().parents[2]
A, B = hashlib.sha256(b"picture a").digest(), hashlib.sha256(b"picture b").digest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "results.sqlite"


def reopened(cache: Cache) -> Cache:
    cache.close()
    return Cache(cache.path)


def test_finds_what_was_put_and_nothing_else(path: Path) -> None:
    cache = Cache(path)
    cache.put(A, b"context", b"value of a")
    cache = reopened(cache)
    assert cache.notice == ""
    assert cache.get(A, b"context") == b"value of a"
    assert cache.get(B, b"context") is None
    assert cache.get(A, b"other context") is None
    cache.put(A, b"context", b"newer")
    assert cache.get(A, b"context") == b"newer"
    cache.close()
    assert cache.get(A, b"context") is None


def test_file_tells_nothing(path: Path) -> None:
    cache = Cache(path)
    value = b"detector says: synthetic " * 50
    cache.put(A, b"context", value)
    cache.close()
    raw = b"".join(p.read_bytes() for p in path.parent.iterdir())
    for secret in (A, A.hex().encode(), value[:20], zlib.compress(value)[2:30], b"context"):
        assert secret not in raw
    stored_key, sealed = sqlite3.connect(path).execute("SELECT key, value FROM entry").fetchone()
    assert stored_key == hashlib.sha256(b"counterproof cache key" + A + b"context").digest()
    assert cache_module._unsealed(sealed, A, stored_key) == value
    assert cache_module._unsealed(sealed, B, stored_key) is None


def test_a_value_moved_to_another_key_is_not_believed(path: Path) -> None:
    cache = Cache(path)
    cache.put(A, b"old engine", b"stale")
    new_key = hashlib.sha256(b"counterproof cache key" + A + b"new engine").digest()
    cache.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE entry SET key = ?", (new_key,))
    db.close()
    cache = Cache(path)
    assert cache.get(A, b"new engine") is None
    cache.close()


def test_a_value_that_inflates_without_end_is_not_believed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(path)
    cache.put(A, b"", bytes(1_000_000))
    assert cache.get(A, b"") == bytes(1_000_000)
    monkeypatch.setattr(cache_module, "_MAX_VALUE", 1000)
    assert cache.get(A, b"") is None
    cache.close()


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_only_its_owner_may_read_it(path: Path) -> None:
    before = os.umask(0)
    try:
        cache = Cache(path)
        cache.put(A, b"", b"v")
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    finally:
        os.umask(before)
        cache.close()
    assert len(modes) >= 2
    assert set(modes.values()) == {0o600}, modes
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_bounded_and_the_oldest_go_first(path: Path) -> None:
    cache = Cache(path, max_bytes=300_000)
    contents = [hashlib.sha256(str(i).encode()).digest() for i in range(400)]
    for content in contents:
        cache.put(content, b"", os.urandom(2000))
    kept = [cache.get(c, b"") is not None for c in contents]
    assert not kept[0]
    assert kept[-1]
    assert kept == sorted(kept)
    cache.close()
    assert path.stat().st_size < 500_000


@pytest.mark.parametrize("damage", ["noise", "truncated", "other_layout"])
def test_damaged_file_is_set_aside_and_said(path: Path, damage: str) -> None:
    cache = Cache(path)
    for i in range(50):
        cache.put(hashlib.sha256(str(i).encode()).digest(), b"", os.urandom(2000))
    cache.close()
    if damage == "noise":
        path.write_bytes(b"this is not a database" * 1000)
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
    cache = Cache(path)
    cache.get(hashlib.sha256(b"7").digest(), b"")
    cache.put(A, b"", b"v")
    if "damaged" not in cache.notice:  # a cut file may still open; it is noticed when the missing part is wanted
        for i in range(50):
            cache.get(hashlib.sha256(str(i).encode()).digest(), b"")
        cache.put(A, b"", b"v")
    assert "damaged" in cache.notice
    assert path.with_name("results.sqlite.damaged").exists()
    cache.put(A, b"", b"v")
    cache = reopened(cache)
    assert cache.get(A, b"") == b"v"
    assert cache.notice == ""
    cache.close()


def test_unwritable_place_means_no_cache_and_a_notice(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file" / "results.sqlite")
    assert "not kept" in cache.notice
    cache.put(A, b"", b"v")
    assert cache.get(A, b"") is None
    cache.close()


def test_full_disk_means_no_cache_and_a_notice(path: Path) -> None:
    cache = Cache(path)
    cache._db.execute("PRAGMA max_page_count = 5")  # type: ignore[union-attr]
    for i in range(20):
        cache.put(hashlib.sha256(str(i).encode()).digest(), b"", os.urandom(3000))
    assert "no longer kept" in cache.notice
    assert cache.get(A, b"") is None
    cache.close()


def test_locked_by_another_process_is_passed_over(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(path)
    cache._db.execute("PRAGMA busy_timeout = 10")  # type: ignore[union-attr]
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    cache.put(A, b"", b"v")
    other.execute("ROLLBACK")
    other.close()
    assert cache.notice == ""
    cache.put(A, b"", b"v")
    assert cache.get(A, b"") == b"v"
    cache.close()


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_killed_while_writing_keeps_what_was_put(path: Path) -> None:
    script = (
        "import sys, hashlib, pathlib; from detectors.cache import Cache; c = Cache(pathlib.Path(sys.argv[1]))\n"
        "for i in range(10**6): c.put(hashlib.sha256(str(i).encode()).digest(), b'', bytes(500)); print(i, flush=True)"
    )
    writer = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, cwd=ROOT)
    last = -1
    started = time.monotonic()
    while last < 50 and time.monotonic() < started + 60:
        last = int(writer.stdout.readline())  # type: ignore[union-attr]
    writer.kill()
    writer.communicate()
    cache = Cache(path)
    assert cache.notice == ""
    assert all(cache.get(hashlib.sha256(str(i).encode()).digest(), b"") == bytes(500) for i in range(last + 1))
    cache.close()


def test_two_processes_share_it(path: Path) -> None:
    first, second = Cache(path), Cache(path)
    first.put(A, b"", b"from first")
    assert second.get(A, b"") == b"from first"
    second.put(B, b"", b"from second")
    assert first.get(B, b"") == b"from second"
    first.close()
    second.close()


def test_default_path_is_in_the_users_cache_folder() -> None:
    assert default_path().name == "results.sqlite"
    assert str(default_path()).startswith(str(Path.home())) or "XDG_CACHE_HOME" in os.environ


def test_engine_id_changes_with_code_manifest_and_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, models, site = tmp_path / "detectors", tmp_path / "models", tmp_path / "site"
    for folder in (package / "signals", models, site):
        folder.mkdir(parents=True)
    (package / "cache.py").write_text("")
    monkeypatch.setattr(cache_module, "__file__", str(package / "cache.py"))
    monkeypatch.setattr(sys, "path", [str(site)])

    def now() -> bytes:
        engine_id.cache_clear()
        return engine_id()

    seen = [now()]
    assert now() == seen[0]
    steps = [
        lambda: (package / "signals" / "new.py").write_text("x = 1"),
        lambda: (package / "signals" / "new.py").write_text("x = 2"),
        lambda: (models / "manifest.toml").write_text("[[model]]"),
        lambda: (site / "pillow-13.0.0.dist-info").mkdir(),
        lambda: (site / "pillow-13.0.0.dist-info").rename(site / "pillow-13.0.1.dist-info"),
    ]
    for step in steps:
        step()
        seen.append(now())
    assert len(set(seen)) == len(steps) + 1
    engine_id.cache_clear()
