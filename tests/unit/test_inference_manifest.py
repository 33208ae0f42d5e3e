"""The manifest: what it pins, and that missing or altered weights are noticed."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectors.errors import SetupError
from detectors.finding import CHECKS, Profile
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


SHIPPED = (m.MODELS / "manifest.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fusion = {}\nmodel = 3",
        "[fusion]\ngenerated = 1\n[[model]]\nid = 'a'\n",
        "not toml at all =",
        SHIPPED.replace("[fusion]", "[confusion]"),
        SHIPPED.replace("generated = 0.6", "generated = 0"),
        SHIPPED.replace("generated = 0.6", "degenerated = 0.6"),
        SHIPPED.replace('detector = "generated"\n', "", 1),
        SHIPPED.replace("recall = ", "recoil = ", 1),
    ],
    ids=["empty", "no table", "fields missing", "not TOML", "no weights", "weight 0", "unweighed", "unnamed", "rate"],
)
def test_a_broken_manifest_is_a_setup_error(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "manifest.toml").write_text(text)
    monkeypatch.setattr(m, "MODELS", tmp_path)
    m._file.cache_clear()
    try:
        with pytest.raises(SetupError):
            m.manifest()
    finally:
        m._file.cache_clear()


def test_unknown_model_is_a_setup_error() -> None:
    with pytest.raises(SetupError):
        m.entry("no-such-model")


def test_reading_the_manifest_loads_neither_numpy_nor_onnxruntime() -> None:
    code = (
        "import sys; from detectors.inference.manifest import manifest, operating_points, check;"
        "from detectors.finding import Profile; operating_points(Profile.FAST);"
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


@pytest.mark.parametrize("profile", CHECKS)
def test_shipped_bands_are_ordered_rates(profile: Profile) -> None:
    b = m.bands(profile)
    assert 0 < b.clear < b.likely < 1
    # Thresholds are set at 1 %; the rate stated is that on folds that did not set them, so it may lie above.
    assert 0 < b.false_positive_rate <= 0.02
    assert b.n_real > 500
    assert b.n_synthetic > 500
    assert dict(m.operating_points(profile))["generated"] is b


def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *changes: tuple[str, str]) -> None:
    """Read the shipped manifest with each text replaced once, and nothing of the files."""
    text = SHIPPED
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (tmp_path / "manifest.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(m, "MODELS", tmp_path)
    m._file.cache_clear()


@pytest.fixture
def fresh() -> Iterator[None]:
    yield
    m._file.cache_clear()


OTHER = """
[[model]]
id = "planted"
file = "planted.onnx"
sha256 = "{}"
bytes = 1
licence = "x"
derived_from = "x"
preprocess = "x/1"
detector = "planted"
outputs = ["logits"]
input = []
calibration = {{ raw = [0, 1], probability = [0.1, 0.9] }}
[model.bands]
likely = 0.9
clear = 0.2
false_positive_rate = 0.002
recall = 0.5
miss_rate = 0.2
n_real = 2000
n_synthetic = 300
by_quality = {{ small = {{ false_positive_rate = 0.01, recall = 0.4, miss_rate = 0.3, n_real = 9, n_synthetic = 8 }} }}

""".format("0" * 64)


@pytest.mark.usefixtures("fresh")
def test_an_entry_without_a_profile_serves_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(
        tmp_path,
        monkeypatch,
        ("[fusion]", "[fusion]\nplanted = 0.125"),
        ("# generated-lite0", OTHER + "# generated-lite0"),
    )
    fast, thorough = (m.operating_points(p) for p in CHECKS)
    assert set(fast) & set(thorough) >= {"generated", "planted"}
    assert fast["planted"] == thorough["planted"] == m.bands(Profile.FAST, "planted")
    assert fast["generated"] != thorough["generated"]
    assert fast["planted"].weight == m.fusion()["planted"] == 0.125
    assert fast["planted"].by_quality["small"].n_real == 9


@pytest.mark.usefixtures("fresh")
def test_two_operating_points_for_one_detector_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(tmp_path, monkeypatch, ('profile = "thorough"', 'profile = "fast"'))
    with pytest.raises(SetupError) as twice:
        m.operating_points(Profile.FAST)
    assert twice.value.code == "bands_twice"
    with pytest.raises(SetupError) as missing:
        m.operating_points(Profile.THOROUGH)
    assert missing.value.code == "bands_missing"


def test_a_detector_without_measured_rates_is_a_setup_error() -> None:
    with pytest.raises(SetupError):
        m.bands(Profile.FAST, "no_such_detector")
