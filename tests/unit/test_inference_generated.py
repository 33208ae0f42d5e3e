"""`generated`: bands, the stability check, and the pictures it does not judge. Scores are planted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from detectors.finding import CHECKS, Finding, Profile, Role, State
from detectors.inference import clip, guard, manifest, sessions
from detectors.intake.media import Media
from detectors.intake.picture import Picture
from detectors.signals import Detector, generated
from detectors.verdict import Band
from detectors.wording import looked

BANDS = manifest.bands(Profile.FAST)
HIGH, MIDDLE, LOW = BANDS.likely, (BANDS.likely + BANDS.clear) / 2 - 1e-3, BANDS.clear / 2


def picture(h: int, w: int, level: int | None = None) -> Picture:
    """Grain, or one flat level."""
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (h, w, 3), np.uint8) if level is None else np.full((h, w, 3), level, np.uint8)
    return Picture(rgb=rgb, media=Media("PNG", w, h, 10), sha256=hashlib.sha256(b"x").hexdigest(), data=b"")


@pytest.fixture(autouse=True)
def a_photograph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grain is not a photograph to the guard, which has tests of its own."""
    monkeypatch.setattr(guard, "not_a_photograph", lambda _picture: None)


class Planted:
    """Stands in for the models: the given probabilities, one for each picture asked about."""

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)
        self.views: list[npt.NDArray[np.uint8]] = []

    def __call__(self, _model: object, views: npt.NDArray[np.uint8]) -> tuple[float, dict[str, float]]:
        self.views.append(views)
        return self.scores.pop(0), {"whole": 0.0}


def find(
    monkeypatch: pytest.MonkeyPatch, *scores: float, profile: Profile = Profile.FAST
) -> tuple[Finding, list[npt.NDArray[np.uint8]]]:
    planted = Planted(*scores)
    monkeypatch.setattr(generated, "_score", planted)
    found = generated.detector.find(picture(400, 600), profile)
    assert planted.scores == []
    return found, planted.views


def test_is_a_learned_detector() -> None:
    assert isinstance(generated.detector, Detector)
    assert generated.detector.name == "generated"
    assert generated.detector.role is Role.LEARNED


def test_low_and_middle_scores_cost_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    low, _ = find(monkeypatch, LOW)
    assert (low.state, low.score, low.says) == (State.OK, LOW, generated.CLEAR)
    middle, _ = find(monkeypatch, MIDDLE)
    assert (middle.state, middle.score, middle.says) == (State.OK, MIDDLE, generated.UNSURE)


@pytest.mark.parametrize("profile", CHECKS)
def test_a_high_score_that_its_copies_share_is_likely(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    bands = manifest.bands(profile)
    high, enough = bands.likely, (bands.likely + bands.clear) / 2
    found, views = find(monkeypatch, high, high, enough, profile=profile)
    assert (found.state, found.score, found.says) == (State.OK, high, generated.LIKELY)
    small = generated.canonical(picture(400, 600).rgb)
    copies = generated.stability_copies(small)
    assert [copy.size for copy in copies.values()] == [(384, 256), (512, 341)]
    assert [v.tolist() for v in views] == [generated.two_views(i).tolist() for i in (small, *copies.values())]
    assert set(found.details["stability"]) == {"resized_75", "jpeg_70"}
    assert found.model == manifest.entry(generated.MODELS[profile]).ref


@pytest.mark.parametrize("copies", [(LOW, HIGH), (HIGH, LOW), (HIGH, MIDDLE)])
def test_a_high_score_that_a_copy_loses_is_inconclusive(
    copies: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = find(monkeypatch, HIGH, *copies)
    assert (found.state, found.score, found.says) == (State.INCONCLUSIVE, HIGH, generated.UNSTEADY)


@pytest.mark.parametrize("profile", CHECKS)
def test_copies_are_looked_at_only_where_the_answer_would_be_likely(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, views = find(monkeypatch, MIDDLE, profile=profile)
    assert (found.state, found.says) == (State.OK, generated.UNSURE)
    assert "stability" not in found.details
    assert len(views) == 1


def test_a_companion_adds_its_weight_of_its_own_score(monkeypatch: pytest.MonkeyPatch) -> None:
    model = manifest.entry(generated.MODELS[Profile.THOROUGH])
    assert model.companion is not None
    assert model.companion.id == generated.MODELS[Profile.FAST]
    assert model.calibration is not None
    logits = {model.id: [0.5], model.companion.id: [2.0, 4.0]}
    monkeypatch.setattr(generated, "_logits", lambda m, _views: logits[m.id])
    score, added = generated._score(model, generated.two_views(generated.canonical(picture(300, 300).rgb)))
    weight = model.companion.weight
    assert added == {"whole": 0.5, "companion": pytest.approx(6 * weight, abs=1e-4)}
    assert score == model.calibration(0.5 + 6 * weight)


def test_the_thorough_model_sees_the_whole_picture_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    views, fed = generated.two_views(generated.canonical(picture(300, 500).rgb)), []

    def run(
        model_id: str, feeds: dict[str, npt.NDArray[np.float32]], names: Sequence[str] | None = None
    ) -> list[npt.NDArray[np.float32]]:
        fed.append((model_id, {name: given.shape for name, given in feeds.items()}))
        shapes = {clip.FEATURES: (1, 6912), clip.TOKENS: (1, 197, 768)}
        return [np.zeros(shapes[n], np.float32) for n in names] if names else [np.array([[3.0]], np.float32)]

    monkeypatch.setattr(sessions, "run", run)
    assert generated._logits(manifest.entry(generated.MODELS[Profile.THOROUGH]), views) == [3.0]
    assert fed == [
        (clip.TRUNK, {"pixels": (1, 3, 224, 224)}),
        (generated.MODELS[Profile.THOROUGH], {clip.FEATURES: (1, 6912), clip.TOKENS: (1, 197, 768)}),
    ]


@pytest.mark.parametrize("profile", CHECKS)
def test_a_picture_without_colour_is_never_called_likely(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated, "_score", Planted(manifest.bands(profile).likely))
    coloured = picture(400, 600)
    rgb = np.repeat(coloured.rgb[:, :, :1], 3, 2)
    grey = Picture(rgb=rgb, media=coloured.media, sha256=coloured.sha256, data=b"")
    found = generated.detector.find(grey, profile)
    assert (found.state, found.says) == (State.INCONCLUSIVE, generated.COLOURLESS)
    assert "without colour" in looked([(found, Band.INCONCLUSIVE)])


def test_what_is_not_a_photograph_gets_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "not_a_photograph", lambda _picture: guard.Graphic(0.9))
    monkeypatch.setattr(generated, "_score", Planted())
    found = generated.detector.find(picture(400, 600), Profile.FAST)
    assert (found.state, found.score, found.says) == (State.NOT_APPLICABLE, None, guard.SAYS)


@pytest.mark.parametrize(
    ("h", "w", "level", "says"),
    [(95, 400, None, generated.TOO_SMALL), (400, 95, None, generated.TOO_SMALL), (400, 400, 255, generated.BLANK)],
)
def test_pictures_that_it_does_not_judge(
    h: int, w: int, level: int | None, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generated, "_score", Planted())
    found = generated.detector.find(picture(h, w, level), Profile.THOROUGH)
    assert (found.state, found.score, found.says, found.model) == (State.NOT_APPLICABLE, None, says, None)


@pytest.mark.parametrize("profile", CHECKS)
def test_the_real_models_run_on_every_size(profile: Profile) -> None:
    for h, w in ((96, 96), (300, 97), (1200, 800)):
        found = generated.detector.find(picture(h, w), profile)
        assert found.score is not None
        assert 0 <= found.score <= 1
        assert set(found.details["raw"]) == {"whole", "companion" if profile is Profile.THOROUGH else "detail"}
