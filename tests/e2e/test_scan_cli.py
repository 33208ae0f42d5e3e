"""`counterproof scan` as its own process: the demo folder, interruptions of every kind, pipes, and a lean start."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT

PATIENCE = 120.0
HEAVY = {"numpy", "PIL", "PySide6", "onnxruntime", "cv2", "c2pa", "pillow_heif", "nudenet"}
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "desktop", "scan", *map(str, args)]


def run(*args: str | Path, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(*args), input=data, capture_output=True, timeout=PATIENCE, check=False)


def start(*args: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def until(process: subprocess.Popen[bytes], holds: Callable[[], bool]) -> None:
    """Wait until something holds while the process runs."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough different pictures that a scan is still under way when it is interrupted."""
    folder = tmp_path_factory.mktemp("many")
    noise = np.random.default_rng(1)
    for i in range(60):
        Image.fromarray(noise.integers(0, 255, (64, 64, 3), dtype=np.uint8)).resize((900, 900)).save(
            folder / f"{i:03}.jpg"
        )
    return folder


def test_the_demo_folder(demo: Path, tmp_path: Path) -> None:
    sheet, page = tmp_path / "o.csv", tmp_path / "o.html"
    done = run(demo, "--jsonl", "-", "--csv", sheet, "--html", page)
    assert done.returncode == 1, done.stderr
    found = lines(done.stdout)
    assert [r["path"] for r in found] == [str(p) for p in sorted(demo.iterdir())]
    assert {r["schema"] for r in found} == {"counterproof.scan/1"}
    by_name = {Path(r["path"]).name: r for r in found}
    assert by_name.pop("request.toml")["status"] == "refused"
    cut = by_name.pop("14-cut-short.jpg")
    assert (cut["status"], cut["verdict"], cut["p_synthetic"]) == ("unreadable", None, None)
    assert cut["error"]["remedy"]
    verdicts = {name: r["verdict"] for name, r in by_name.items()}
    declared = {n for n, v in verdicts.items() if v == "declared_synthetic"}
    assert declared == {n for n in verdicts if n[:2] in {"05", "06", "07", "08", "09"}}
    assert {v for n, v in verdicts.items() if "photo" in n and "edited" not in n} <= {"inconclusive", "no_signs"}
    assert not [(n, f["says"]) for n, r in by_name.items() for f in r["findings"] if f["state"] == "failed"]
    assert len(sheet.read_bytes().splitlines()) == 1 + len(found)
    text = page.read_text("utf-8")
    assert text.count("<tr role") == 1 + len(found)
    assert text.count("<img ") == len(by_name)


def test_an_unchanged_folder_starts_lean(demo: Path, tmp_path: Path) -> None:
    first = run(demo, "--jsonl", tmp_path / "1.jsonl")
    assert first.returncode == 1, first.stderr
    traced = [sys.executable, "-X", "importtime", *command(demo, "--jsonl", tmp_path / "2.jsonl")[1:]]
    second = subprocess.run(traced, capture_output=True, timeout=PATIENCE, check=False)
    assert second.returncode == 1
    imported = {
        line.rpartition(b"|")[2].strip().decode().partition(".")[0]
        for line in second.stderr.splitlines()
        if line.startswith(b"import time:")
    }
    assert "detectors" in imported
    assert imported & HEAVY == set()
    again = [[{**r, "ms": 0} for r in lines((tmp_path / name).read_bytes())] for name in ("1.jsonl", "2.jsonl")]
    assert again[0] == again[1]


def finished_in_order(out: Path, folder: Path) -> int:
    """How many lines there are; they must be the first files of the folder, each whole."""
    found = [r["path"] for r in lines(out.read_bytes())]
    assert found == [str(p) for p in sorted(folder.iterdir())][: len(found)]
    return len(found)


def goes_on(out: Path, folder: Path) -> None:
    """The same command with --resume completes the file."""
    before = out.read_bytes()
    done = run(folder, "--no-cache", "--jsonl", out, "--resume")
    assert done.returncode == 0, done.stderr
    assert out.read_bytes().startswith(before[: before.rindex(b"\n") + 1])
    assert finished_in_order(out, folder) == 60


def three_lines(out: Path) -> bool:
    return out.exists() and out.read_bytes().count(b"\n") >= 3


@posix
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_is_done(many: Path, tmp_path: Path, sent: signal.Signals) -> None:
    out = tmp_path / "o.jsonl"
    process = start(many, "--no-cache", "--jobs", "1", "--jsonl", out)
    until(process, lambda: three_lines(out))
    process.send_signal(sent)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert b"--resume" in err
    assert b"Traceback" not in err
    assert 3 <= finished_in_order(out, many) < 60
    goes_on(out, many)


@posix
def test_a_second_ctrl_c_stops_at_once(many: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    process = start(many, "--no-cache", "--jobs", "1", "--jsonl", out)
    until(process, lambda: three_lines(out))
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    # The files in hand may be done before the second one arrives; the system then ends what is left of the process.
    assert process.returncode in (130, -signal.SIGINT), err
    assert b"Traceback" not in err
    assert finished_in_order(out, many) < 60


@posix
def test_a_kill_loses_no_finished_line(many: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    process = start(many, "--no-cache", "--jobs", "1", "--jsonl", out)
    until(process, lambda: three_lines(out))
    process.kill()
    process.communicate(timeout=PATIENCE)
    goes_on(out, many)


@posix
def test_a_reader_that_goes_away_is_no_drama(many: Path) -> None:
    process = start(many, "--no-cache", "--jobs", "1", "--jsonl", "-", "--quiet")
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["status"] == "scanned"
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(PATIENCE) == 1
    assert err == b""


@posix
@posix
@pytest.mark.parametrize("more", [[], ["--jsonl", "-"], ["--csv", "-"]])
def test_a_full_disk_behind_standard_output_is_told_in_one_line(demo: Path, more: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command(demo / "01-plain-photo-cat.jpg", *more), stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE
        )
    assert done.returncode in (1, 2)
    assert done.stderr.decode().startswith("Standard output cannot be written (No space left on device).")
    assert done.stderr.count(b"\n") == 1


@posix
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_put_nothing_into_the_results(closed: str, demo: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    call = shlex.join(map(str, command(demo / "01-plain-photo-cat.jpg", demo / "14-cut-short.jpg", "--jsonl", out)))
    done = subprocess.run(["sh", "-c", f"{call} {closed}"], timeout=PATIENCE, stderr=subprocess.PIPE)
    assert done.returncode == 1, done.stderr
    assert len(lines(out.read_bytes())) == 2


@posix
def test_a_reader_that_leaves_the_doctor_is_no_drama() -> None:
    call = shlex.join([sys.executable, "-m", "desktop", "doctor"])
    done = subprocess.run(["sh", "-c", f"{call} | head -n 1"], capture_output=True, timeout=PATIENCE, cwd=ROOT)
    assert (done.stdout, done.stderr) == (b"Version\n", b"")


def test_a_list_with_names_of_every_kind(demo: Path, tmp_path: Path) -> None:
    source = next(iter(sorted(demo.glob("01*")))).read_bytes()
    names = [b"plain.jpg", b"caf\xe9.jpg", b"two\nlines.jpg", b" -dash.jpg"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(source)
    paths = [os.fsencode(tmp_path) + b"/" + n for n in names]
    done = run("-", "--jsonl", "-", data=b"\0".join(paths) + b"\0")
    assert done.returncode == 0, done.stderr
    assert [os.fsencode(r["path"]) for r in lines(done.stdout)] == paths
    table = run("-", data=b"\0".join(paths))
    assert table.returncode == 0, table.stderr
    assert b"caf\\xe9.jpg" in table.stdout
    assert b"two\\nlines.jpg" in table.stdout
