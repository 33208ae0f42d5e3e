"""A real scan makes no system call that reaches for a network: the whole process tree is watched while it runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import DEMO, ROOT

# Only sockets that never leave the machine may be made, and nothing may be sent or joined through any of them.
REACHES_OUT = re.compile(r"\d+ +(?:socket\((?!AF_UNIX|AF_LOCAL)|(?:connect|sendto|sendmsg|sendmmsg)\()")
OPENS_A_SOCKET = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()"
CONNECTS = "import socket; socket.socket(socket.AF_UNIX).connect_ex('/nowhere')"
IN_A_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {OPENS_A_SOCKET!r}], check=True)"


def watched(command: Sequence[str], folder: Path) -> tuple[int, list[str]]:
    """The command's exit code, and every network call and program start of it and all its children."""
    log = folder / "calls"
    strace = ["strace", "-f", "-qq", "-e", "trace=network,execve", "-e", "signal=none", "-o", str(log)]
    done = subprocess.run([*strace, *command], cwd=ROOT, capture_output=True, timeout=120)
    return done.returncode, log.read_text("utf-8", "replace").splitlines() if log.exists() else []


def reaches_out(calls: list[str]) -> list[str]:
    return [call for call in calls if REACHES_OUT.match(call)]


@pytest.fixture(autouse=True)
def strace(tmp_path: Path) -> None:
    """Skips where the watching itself is not possible."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (Linux only: apt-get install strace)")
    code, calls = watched(["true"], tmp_path)
    if code != 0 or not calls:
        pytest.skip("strace is installed, but this machine does not let it watch a program (ptrace is not permitted)")


def test_a_scan_reaches_for_no_network(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    scan = [sys.executable, "-m", "desktop", "scan", str(DEMO), "--no-cache", "--quiet", "--jsonl", str(out)]
    _, calls = watched(scan, tmp_path)
    records = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert len(records) == sum(1 for _ in DEMO.iterdir())
    # All were opened and looked at, by workers that were watched too, but for the one that is cut short and the text.
    assert sum(record["status"] == "scanned" for record in records) == len(records) - 2
    assert any("detectors.intake.worker" in call for call in calls)
    assert reaches_out(calls) == []


def test_a_packet_is_built_and_checked_without_a_network(tmp_path: Path) -> None:
    """With a blurred picture, so that the worker is watched too."""
    picture = DEMO / "01-plain-photo-cat.jpg"
    lines = (DEMO / "request.toml").read_text("utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("sha256"))
    (tmp_path / "request.toml").write_text(text.replace("[[item]]", f"[[item]]\nfile = {json.dumps(str(picture))}"))
    packet = [sys.executable, "-m", "desktop", "packet"]
    how = ["-o", str(tmp_path / "out"), "--key", str(tmp_path / "key.pem"), "--image", "blurred", "--yes"]
    code, calls = watched([*packet, "build", str(tmp_path / "request.toml"), *how], tmp_path)
    assert code == 0
    assert any("detectors.intake.worker" in call for call in calls)
    assert reaches_out(calls) == []
    (made,) = (tmp_path / "out").glob("*.zip")
    for rest in (["verify", str(made)], ["facts"], ["routes", str(tmp_path / "request.toml")]):
        code, calls = watched([*packet, *rest], tmp_path)
        assert code == 0
        assert calls
        assert reaches_out(calls) == []


@pytest.mark.parametrize("fault", [OPENS_A_SOCKET, CONNECTS, IN_A_CHILD], ids=["socket", "connect", "child"])
def test_the_watch_notices(fault: str, tmp_path: Path) -> None:
    code, calls = watched([sys.executable, "-c", fault], tmp_path)
    assert code == 0
    assert len(reaches_out(calls)) == 1
