"""`counterproof models` as a person uses it: add, list, scan, calibrate, count, stop, remove; and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from desktop import settings
from tests import onnx_files as onnx
from tests.conftest import DEMO
from tests.security.test_no_network import reaches_out, watched
from tests.unit.test_third_party_model import CARD, HOSTILE

PATIENCE = 300.0
MODEL = onnx.brightness([4.0, 4.0, 4.0], bias=[-6.0])
NAME = "mean-brightness-1.0"


def run(*args: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "desktop", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def models(*args: str | Path, code: int = 0) -> str:
    done = run("models", *args)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def listed() -> list[dict[str, Any]]:
    found = json.loads(models("list", "--json"))
    assert found["schema"] == "counterproof.models/1"
    return list(found["models"])


def scanned(path: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The record of one picture, and the added model's finding in it."""
    done = run("scan", path, "--jsonl", "-", "--profile", "fast", "--quiet")
    assert done.returncode == 0, done.stderr
    (record,) = (json.loads(line) for line in done.stdout.splitlines())
    return record, next((f for f in record["findings"] if f["detector"].startswith("third_party:")), None)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a sound model, its card, and labelled pictures, the synthetic ones brighter but for a few."""
    config = Path(settings.config_path())
    config.parent.mkdir(parents=True)
    config.write_text("[limits]\nseconds = 200\n")  # these tests are of models, not of how busy the machine is
    (tmp_path / "model.onnx").write_bytes(MODEL)
    (tmp_path / "card.toml").write_text(CARD)
    rng = np.random.default_rng(5)
    for folder, light in (("real", 90), ("synthetic", 170)):
        (tmp_path / folder).mkdir()
        for i in range(60):
            noise = rng.normal(light + rng.normal(0, 25), 40, (48, 48, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noise).save(tmp_path / folder / f"{i:02}.png")
    # Of a size and kind that our own detector judges, and bright.
    photo = np.asarray(Image.open(DEMO / "02-plain-photo-rocket.jpg").convert("RGB"), np.float32)
    Image.fromarray((255 - photo * 0.2).astype(np.uint8)).save(tmp_path / "bright.png")
    return tmp_path


def test_a_model_from_adding_to_removing(files: Path) -> None:
    bright = files / "bright.png"
    before, none = scanned(bright)
    assert none is None
    assert before["verdict"] in ("no_signs", "inconclusive")
    assert listed() == []
    assert models("list") == "No models are added.\n"

    said = models("add", files / "model.onnx", "--card", files / "card.toml")
    assert f"Added “{NAME}”" in said
    assert "not counted" in said
    (row,) = listed()
    assert (row["name"], row["state"], row["counted"], row["calibration"]) == (NAME, "ok", False, None)
    assert "Not calibrated" in models("list")
    assert "added already" in models("add", files / "model.onnx", "--card", files / "card.toml", code=1)

    shown, finding = scanned(bright)
    assert finding is not None
    assert (finding["detector"], finding["state"]) == (f"third_party:{NAME}", "ok")
    assert finding["score"] > 0.9
    assert finding["model"] == {"id": f"third_party:{NAME}", "sha256": row["sha256"]}
    assert "not counted" in finding["says"]
    verdict = ("verdict", "p_synthetic", "reasons")
    assert [shown[k] for k in verdict] == [before[k] for k in verdict]

    shutil.copy(files / "real" / "00.png", files / "real" / "again.png")
    (files / "real" / "notes.txt").write_text("no picture")
    done = run("models", "calibrate", NAME, "--real", files / "real", "--synthetic", files / "synthetic")
    assert done.returncode == 0, done.stderr
    assert "Photographs: 60. Synthetic pictures: 60." in done.stdout
    assert "notes.txt" in done.stderr
    (row,) = listed()
    assert row["calibration"]["auc"] > 0.9
    assert (row["calibration"]["n_real"], row["counted"]) == (60, False)
    calibrated, measured = scanned(bright)
    assert measured is not None
    assert measured["score"] != finding["score"]
    assert [calibrated[k] for k in verdict] == [before[k] for k in verdict]

    args = ("calibrate", NAME, "--real", files / "real", "--synthetic", files / "synthetic", "--count-it")
    assert "takes part in verdicts" in models(*args)
    assert listed()[0]["counted"]
    counted, _ = scanned(bright)
    assert counted["verdict"] == "likely_synthetic"
    assert counted["p_synthetic"] > before["p_synthetic"]
    reasons = " ".join(counted["reasons"])
    assert "a model that you added, found signs that it is synthetic" in reasons
    assert "60 photographs and 60 synthetic pictures that you calibrated it with" in reasons

    models("stop-counting", NAME)
    assert scanned(bright)[0]["verdict"] == before["verdict"]

    kept = next(p for p in Path(os.environ["HOME"]).rglob("model.onnx"))
    kept.write_bytes(MODEL + b"\x00")
    (row,) = listed()
    assert row["state"] == "altered"
    altered, failed = scanned(DEMO / "01-plain-photo-cat.jpg")
    assert altered["status"] == "scanned"
    assert failed is not None
    assert (failed["state"], failed["score"]) == ("failed", None)
    assert "is not the one that was added" in failed["says"]
    assert "has been changed" in models(*args, code=1)

    models("remove", NAME)
    assert listed() == []
    assert not kept.exists()
    assert scanned(bright)[1] is None
    assert "no added model" in models("remove", NAME, code=1)


@pytest.mark.parametrize("fault", ["external data", "custom operator", "truncated", "not ONNX", "giant output", "NaN"])
def test_a_hostile_file_is_refused_and_not_kept(fault: str, files: Path) -> None:
    make, says = HOSTILE[fault]
    (files / "model.onnx").write_bytes(make())
    assert says in models("add", files / "model.onnx", "--card", files / "card.toml", code=1)
    assert listed() == []


def test_what_calibration_refuses(files: Path) -> None:
    models("add", files / "model.onnx", "--card", files / "card.toml")
    real, synthetic = files / "real", files / "synthetic"
    wrong = models("calibrate", NAME, "--real", synthetic, "--synthetic", real, code=1)
    assert "gives your photographs higher scores" in wrong
    assert "There is no folder" in models("calibrate", NAME, "--real", files / "no", "--synthetic", real, code=1)
    assert "the same picture" in models("calibrate", NAME, "--real", real, "--synthetic", real, code=1).lower()
    for path in list(synthetic.iterdir())[:11]:
        path.unlink()
    few = models("calibrate", NAME, "--real", real, "--synthetic", synthetic, code=1)
    assert "60 photographs and 49 synthetic pictures could be used; 50 of each are the least" in few
    assert listed()[0]["calibration"] is None


def test_a_model_that_finds_nothing_is_not_counted_whatever_is_asked(files: Path) -> None:
    models("add", files / "model.onnx", "--card", files / "card.toml")
    for side in range(40, 46):  # as high as any score can be, in every fold
        Image.new("RGB", (side, side), "white").save(files / "real" / f"white-{side}.png")
    args = ("calibrate", NAME, "--real", files / "real", "--synthetic", files / "synthetic", "--count-it")
    assert "shown and not counted" in models(*args, code=1)
    (row,) = listed()
    assert row["calibration"]["recall"] == 0
    assert not row["counted"]


def test_a_card_for_another_file_is_refused(files: Path) -> None:
    (files / "card.toml").write_text(CARD.replace('licence = "CC0"', f'licence = "CC0"\nsha256 = "{"0" * 64}"'))
    assert "for another file" in models("add", files / "model.onnx", "--card", files / "card.toml", code=1)
    assert "no file" in models("add", files / "none.onnx", "--card", files / "card.toml", code=1)
    assert "no file" in models("add", files / "model.onnx", "--card", files / "none.toml", code=1)


def test_adding_and_asking_a_model_reaches_for_no_network(files: Path, tmp_path: Path) -> None:
    if shutil.which("strace") is None or not watched(["true"], tmp_path)[1]:
        pytest.skip("strace is not installed here, or may not watch a program")
    python = [sys.executable, "-m", "desktop"]
    add = ["models", "add", str(files / "model.onnx"), "--card", str(files / "card.toml")]
    code, calls = watched([*python, *add], tmp_path)
    assert code == 0
    assert any("detectors.intake.worker" in call for call in calls)
    assert reaches_out(calls) == []
    code, calls = watched([*python, "scan", str(files / "bright.png"), "--profile", "fast"], tmp_path)
    assert code == 0
    assert sum("detectors.intake.worker" in call for call in calls) >= 2
    assert reaches_out(calls) == []
