"""Rules for every test: no network beyond loopback, no unexpected log, no leaked threads, folders of its own."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "resources" / "demo"


@pytest.fixture(scope="session")
def demo() -> Path:
    """The folder of demo images."""
    return DEMO


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of labelled images, which is not part of the repository; skips where it is absent."""
    folder = Path(os.environ.get("COUNTERPROOF_SHARED", ROOT.parent / "shared"))
    if not (folder / "data" / "images" / "labels.csv").is_file():
        pytest.skip("the labelled images are not on this machine (set COUNTERPROOF_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and caches of a test never touch those of the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anything but this machine fails the test that opened it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else address
        if isinstance(address, tuple) and host not in ("127.0.0.1", "::1", "localhost"):
            pytest.fail(f"this test tried to reach the network: {host}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def quiet_log(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A warning or error in the log fails the test, unless it is marked `expects_log`."""
    yield
    loud = [r for r in caplog.get_records("call") if r.levelno >= logging.WARNING]
    if loud and not request.node.get_closest_marker("expects_log"):
        pytest.fail("unexpected log: " + "; ".join(f"{r.name}: {r.getMessage()}" for r in loud))


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    """Every thread that a test starts has ended when it ends."""
    before = set(threading.enumerate())
    yield
    leaked = [t for t in threading.enumerate() if t not in before and t.is_alive() and not _ends_soon(t)]
    if leaked:
        pytest.fail(f"threads left running: {[t.name for t in leaked]}")


def _ends_soon(thread: threading.Thread) -> bool:
    thread.join(timeout=2)
    return not thread.is_alive()
