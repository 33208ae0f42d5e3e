"""Sandbox: each protection that it reports as holding is tried out from inside a locked process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these limits are tried out on Linux")

LOCK = """
import json, os, sys, tempfile
from detectors.intake import sandbox
from detectors.intake.limits import Limits
limits = Limits(worker_memory=1 << 30, seconds=SECONDS)
print(json.dumps({p.name: p.holds for p in sandbox.lock(limits)}), flush=True)
"""


def locked(
    script: str, tmp_path: Path, seconds: float = 20
) -> tuple[dict[str, bool], subprocess.CompletedProcess[str]]:
    code = LOCK.replace("SECONDS", str(seconds)) + script
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout.splitlines()[0]), done


@pytest.mark.parametrize(
    ("name", "attempt", "stopped_by"),
    [
        ("memory_limit", "bytearray(2 << 30)", "MemoryError"),
        ("no_writing", "os.write(os.open('PLACE/new', os.O_WRONLY | os.O_CREAT), b'x')", "File too large"),
        ("open_file_limit", "[os.open(os.devnull, os.O_RDONLY) for _ in range(500)]", "Too many open files"),
    ],
)
def test_each_limit_stops_what_it_says(name: str, attempt: str, stopped_by: str, tmp_path: Path) -> None:
    attempt = attempt.replace("PLACE", str(tmp_path))
    told, done = locked(attempt, tmp_path)
    assert told[name] is True
    assert done.returncode != 0
    assert stopped_by in done.stderr
    unlocked = subprocess.run([sys.executable, "-c", f"import os; {attempt}"], capture_output=True, timeout=60)
    assert unlocked.returncode == 0, "the attempt must succeed where nothing is locked"


def test_a_limit_cannot_be_raised_again(tmp_path: Path) -> None:
    script = (
        "import resource; print(resource.getrlimit(resource.RLIMIT_AS)[1], resource.getrlimit(resource.RLIMIT_CORE))"
    )
    _, done = locked(script, tmp_path)
    assert done.stdout.splitlines()[1] == f"{1 << 30} (0, 0)"


def test_processor_time_runs_out_without_any_parent(tmp_path: Path) -> None:
    script = "sandbox._CPU_SECONDS_PER_SECOND = 1; sandbox.allow_cpu(limits)\nwhile True: pass"
    _, done = locked(script, tmp_path, seconds=1)
    assert done.returncode == -signal.SIGXCPU


def test_processor_time_is_given_anew_for_each_file(tmp_path: Path) -> None:
    script = (
        "import time\nsandbox._CPU_SECONDS_PER_SECOND = 1\n"
        "for _ in range(3):\n"
        "    sandbox.allow_cpu(limits); until = time.process_time() + 0.7\n"
        "    while time.process_time() < until: pass\n"
        "print('done')"
    )
    _, done = locked(script, tmp_path, seconds=1)
    assert done.stdout.splitlines()[1:] == ["done"], done.returncode


def test_a_limit_that_cannot_be_set_is_reported_as_not_holding(tmp_path: Path) -> None:
    from detectors.intake import sandbox
    from detectors.intake.limits import Limits

    beyond = Limits(worker_memory=1 << 70)  # more than the system can hold in a number
    script = f"""
import detectors.intake.sandbox as s
told = {{p.name: p for p in s._resource_limits(Limits(worker_memory={beyond.worker_memory}))}}
print(told["memory_limit"].holds, told["memory_limit"].says)
"""
    _, done = locked(script, tmp_path)
    assert done.stdout.splitlines()[1].startswith("False Not on this system")
    assert sandbox.Protection("a", True, "b").to_json() == {"name": "a", "holds": True, "says": "b"}


def test_a_worker_starts_without_opencv() -> None:
    """17 MB in each worker that only scans would never be used."""
    code = (
        "import sys, detectors.intake.worker; from detectors.signals import detectors; detectors(); "
        "sys.exit('cv2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
