"""`counterproof doctor` as its own process, on this installation and on copies of it with a planted fault."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from desktop.doctor import REAL, SYNTHETIC
from detectors.finding import CHECKS, Profile
from detectors.signals.generated import MODELS

ROOT = Path(__file__).resolve().parents[2]


def examined(folder: Path) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and problems of the installation in `folder`."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-m", "desktop", "doctor", "--json"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, timeout=240, check=False)
    answer = json.loads(done.stdout)
    assert answer["ok"] == (done.returncode == 0), done.stderr
    assert len(answer["checks"]) > 8
    return done.returncode, [c for c in answer["checks"] if c["outcome"] == "problem"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of this installation that may be spoilt."""
    for part in ("detectors", "desktop", "models", "resources"):
        ignored = shutil.ignore_patterns("__pycache__", "training", "window")
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignored)
    return tmp_path


def test_this_installation_is_well() -> None:
    assert examined(ROOT) == (0, [])


@pytest.mark.parametrize("profile", CHECKS)
def test_an_altered_model_is_found_and_not_used(copy: Path, profile: Profile) -> None:
    model = copy / "models" / f"{MODELS[profile]}.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    status, problems = examined(copy)
    assert status == 1
    checks = CHECKS if profile is Profile.FAST else [profile]  # the thorough check leans on the small network as well
    assert [p["part"] for p in problems] == ["Models", *(f"Self-test, {check}" for check in checks for _ in range(2))]
    assert "not the one that this version came with" in problems[0]["says"]


@pytest.mark.parametrize(("spoilt", "with_"), [(REAL, SYNTHETIC), (SYNTHETIC, REAL)])
def test_a_wrong_answer_on_a_built_in_picture_is_found(copy: Path, spoilt: str, with_: str) -> None:
    demo = copy / "resources" / "demo"
    shutil.copy(demo / with_, demo / spoilt)
    status, problems = examined(copy)
    assert status == 1
    assert ["WRONG" in p["says"] for p in problems] == [True] * len(CHECKS)
