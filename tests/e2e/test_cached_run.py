"""A second run of an unchanged folder loads nothing that reads a picture, starts no worker, and says the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import subprocess, sys
started = []
class Popen(subprocess.Popen):
    def __init__(self, *args, **more):
        started.append(args)
        super().__init__(*args, **more)
subprocess.Popen = Popen
from desktop.cli import main
status = main(sys.argv[1:])
print(len(started), *sorted({m.split(".")[0] for m in sys.modules}), file=sys.stderr)
sys.exit(status)
"""
HEAVY = {"numpy", "PIL", "onnxruntime", "pillow_heif", "c2pa", "pdqhash", "nudenet", "cv2", "PySide6"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for i in range(4):
        gradient = Image.radial_gradient("L").point(lambda v, i=i: (v + 40 * i) % 256)
        gradient.convert("RGB").save(tmp_path / "in" / f"{i}.jpg")
    return tmp_path / "in"


def scan(folder: Path) -> tuple[list[dict[str, object]], int, set[str]]:
    command = [sys.executable, "-c", SCRIPT, "scan", str(folder), "--jsonl", "-", "--jobs", "1", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    started, *modules = done.stderr.splitlines()[-1].split()
    return [json.loads(line) for line in done.stdout.splitlines()], int(started), set(modules)


def test_second_run(folder: Path) -> None:
    first, workers_first, _ = scan(folder)
    second, workers_second, loaded = scan(folder)
    assert len(first) == 4
    assert workers_first >= 1
    assert workers_second == 0
    assert "detectors" in loaded
    assert not loaded & HEAVY
    assert [{**line, "ms": 0} for line in first] == [{**line, "ms": 0} for line in second]
