"""`generated`: bands, the stability check, and the pictures it does not judge. Scores are planted, not computed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from detectors.finding import Profile, Role, State
from detectors.inference import manifest
from detectors.intake.media import Media
from detectors.intake.picture import Picture
from detectors.signals import Detector, generated

RAW = {"likely": 7.9, "unsure": 0.0, "clear": -7.9}


def picture(h: int, w: int, level: int | None = None) -> Picture:
    """Grain, or one flat level."""
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (h, w, 3), np.uint8) if level is None else np.full((h, w, 3), level, np.uint8)
    return Picture(rgb=rgb, media=Media("PNG", w, h, 10), sha256=hashlib.sha256(b"x").hexdigest(), data=b"")


class Planted:
    """Stands in for the model: the given raw score for each picture of each call."""

    def __init__(self, *calls: Sequence[float]) -> None:
        self.calls = list(calls)
        self.sizes: list[list[tuple[int, int]]] = []

    def __call__(self, _model: object, pictures: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        self.sizes.append([p.size for p in pictures])
        raw = self.calls.pop(0)
        assert len(raw) == len(pictures)
        return np.array([[r, r] for r in raw], np.float32)


def find(
    monkeypatch: pytest.MonkeyPatch, *calls: Sequence[float], profile: Profile = Profile.FAST
) -> tuple[generated.Finding, Planted]:
    planted = Planted(*calls)
    monkeypatch.setattr(generated, "_logits", planted)
    found = generated.detector.find(picture(400, 600), profile)
    assert planted.calls == []
    return found, planted


def test_is_a_learned_detector() -> None:
    assert isinstance(generated.detector, Detector)
    assert generated.detector.name == "generated"
    assert generated.detector.role is Role.LEARNED


def test_low_and_middle_scores_cost_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    bands = manifest.bands()
    low, _ = find(monkeypatch, [RAW["clear"]])
    assert (low.state, low.says) == (State.OK, generated.CLEAR)
    assert low.score is not None
    assert low.score < bands.clear
    middle = (bands.clear + bands.likely) / 2
    calibration = manifest.entry(generated.MODEL).calibration
    assert calibration is not None
    raw = float(np.interp(middle, calibration.probability, calibration.raw))
    unsure, _ = find(monkeypatch, [raw])
    assert (unsure.state, unsure.says) == (State.OK, generated.UNSURE)
    assert unsure.score == pytest.approx(middle, abs=1e-4)


def test_a_high_score_that_its_copies_share_is_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    found, planted = find(monkeypatch, [RAW["likely"]], [RAW["likely"], RAW["likely"]])
    assert (found.state, found.says) == (State.OK, generated.LIKELY)
    assert found.score is not None
    assert found.score >= manifest.bands().likely
    assert planted.sizes == [[(512, 341)], [(384, 256), (512, 341)]]
    assert set(found.details["stability"]) == {"resized_75", "jpeg_70"}
    assert set(found.details["raw"]) == {"whole", "detail"}
    assert found.model == manifest.entry(generated.MODEL).ref


@pytest.mark.parametrize("copies", [(RAW["clear"], RAW["likely"]), (RAW["likely"], RAW["clear"])])
def test_a_high_score_that_a_copy_loses_is_inconclusive(
    copies: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = find(monkeypatch, [RAW["likely"]], copies)
    assert (found.state, found.says) == (State.INCONCLUSIVE, generated.UNSTEADY)


def test_thorough_always_looks_at_the_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = find(monkeypatch, [RAW["clear"]], [RAW["clear"], RAW["clear"]], profile=Profile.THOROUGH)
    assert found.state is State.OK
    assert set(found.details["stability"]) == {"resized_75", "jpeg_70"}


@pytest.mark.parametrize(
    ("h", "w", "level", "says"),
    [(95, 400, None, generated.TOO_SMALL), (400, 95, None, generated.TOO_SMALL), (400, 400, 255, generated.BLANK)],
)
def test_pictures_that_it_does_not_judge(
    h: int, w: int, level: int | None, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generated, "_logits", Planted())
    found = generated.detector.find(picture(h, w, level), Profile.THOROUGH)
    assert (found.state, found.score, found.says, found.model) == (State.NOT_APPLICABLE, None, says, None)


def test_the_real_model_runs_on_every_size() -> None:
    for h, w in ((96, 96), (300, 97), (1200, 800)):
        found = generated.detector.find(picture(h, w), Profile.THOROUGH)
        assert found.score is not None
        assert 0 <= found.score <= 1
        assert found.ms == 0.0
