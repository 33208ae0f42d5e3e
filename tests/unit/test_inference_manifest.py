"""The manifest: what it pins, and that missing or altered weights are noticed."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from detectors.errors import SetupError
from detectors.finding import Profile
from detectors.inference import manifest as m


def test_every_model_is_there_and_unaltered() -> None:
    entries = list(m.manifest().values())
    assert {e.id for e in entries} >= {"generated-lite0", "nudenet-320n"}
    assert [e.id for e in entries if m.check(e) is not m.Presence.OK] == []


def test_shipped_files_are_small_and_listed() -> None:
    files = {p.name for p in m.MODELS.glob("*.onnx")}
    listed = {e.file: e for e in m.manifest().values() if e.package is None}
    assert files == set(listed)
    for e in listed.values():
        path = e.path()
        assert path is not None
        assert path.stat().st_size == e.bytes < 60_000_000


def test_an_altered_file_is_noticed_and_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = b"weights"
    e = dataclasses.replace(
        m.entry("nudenet-320n"), package=None, file="x.onnx", sha256=hashlib.sha256(good).hexdigest()
    )
    monkeypatch.setattr(m, "MODELS", tmp_path)
    assert m.check(e) is m.Presence.MISSING
    with pytest.raises(SetupError) as missing:
        m.verified_bytes(e)
    assert missing.value.code == "model_missing"
    assert missing.value.remedy
    (tmp_path / "x.onnx").write_bytes(good)
    assert m.check(e) is m.Presence.OK
    assert m.verified_bytes(e) == good
    (tmp_path / "x.onnx").write_bytes(b"weightz")
    assert m.check(e) is m.Presence.ALTERED
    with pytest.raises(SetupError) as altered:
        m.verified_bytes(e)
    assert altered.value.code == "model_altered"


def test_a_package_that_is_not_installed_is_missing() -> None:
    e = dataclasses.replace(m.entry("nudenet-320n"), package="no_such_package_here")
    assert e.path() is None
    assert m.check(e) is m.Presence.MISSING


@pytest.mark.parametrize(
    "text",
    ["", "model = 3", "[[model]]\nid = 'a'\n", "not toml at all ="],
    ids=["empty", "no table", "fields missing", "not TOML"],
)
def test_a_broken_manifest_is_a_setup_error(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "manifest.toml").write_text(text)
    monkeypatch.setattr(m, "MODELS", tmp_path)
    m.manifest.cache_clear()
    try:
        with pytest.raises(SetupError):
            m.manifest()
    finally:
        m.manifest.cache_clear()


def test_unknown_model_is_a_setup_error() -> None:
    with pytest.raises(SetupError):
        m.entry("no-such-model")


def test_reading_the_manifest_loads_neither_numpy_nor_onnxruntime() -> None:
    code = (
        "import sys; from detectors.inference.manifest import manifest, bands, check;"
        "from detectors.finding import Profile; bands(Profile.FAST);"
        "[check(e) for e in manifest().values()];"
        "print([n for n in ('numpy', 'onnxruntime', 'PIL', 'nudenet', 'cv2') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=m.MODELS.parent)
    assert done.stdout.strip() == "[]"


def test_calibration_is_a_rising_table() -> None:
    c = m.Calibration((-1.0, 0.0, 2.0), (0.1, 0.5, 0.9))
    assert [c(x) for x in (-9.0, -1.0, -0.5, 0.0, 1.0, 2.0, 9.0)] == pytest.approx([0.1, 0.1, 0.3, 0.5, 0.7, 0.9, 0.9])
    for raw, p in (
        ((0.0, 0.0), (0.1, 0.2)),
        ((0.0, 1.0), (0.3, 0.2)),
        ((0.0, 1.0), (0.1, 1.2)),
        ((0.0,), (0.1,)),
        ((0.0, 1.0), (0.1,)),
    ):
        with pytest.raises(ValueError, match=r"calibration|probabilities"):
            m.Calibration(raw, p)
    with pytest.raises(ValueError, match="no number"):
        c(float("nan"))


@pytest.mark.parametrize("profile", list(Profile))
def test_shipped_bands_are_ordered_rates(profile: Profile) -> None:
    b = m.bands(profile)
    assert 0 < b.clear < b.likely < 1
    # Thresholds are set at 1 %; the rate stated is that on folds that did not set them, so it may lie above.
    assert 0 < b.false_positive_rate <= 0.02
    assert b.n_real > 500
    assert b.n_synthetic > 500
