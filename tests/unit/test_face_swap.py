"""`face_swap`: which faces are checked, what is said of the others, and the words and regions. Scores are planted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detectors.errors import SetupError
from detectors.finding import Finding, Profile, Role, State
from detectors.inference import clip, manifest, sessions
from detectors.inference.faces import (
    CLIP_SIDE,
    SHARPEST_BLUR,
    SIDE,
    SMALLEST,
    Face,
    clip_input,
    network_input,
    square,
)
from detectors.inference.guard import Graphic
from detectors.intake.media import Media
from detectors.intake.picture import Picture
from detectors.signals import Detector, face_swap

ROOT = Path(__file__).resolve().parents[2]
GOLDEN: dict[str, Any] = json.loads((ROOT / "tests/golden/face_swap.json").read_text(encoding="utf-8"))
CLOSE_GOLDEN: dict[str, Any] = json.loads((ROOT / "tests/golden/face_swap_clip.json").read_text(encoding="utf-8"))
BANDS = manifest.bands(Profile.FAST, "face_swap")
CLOSE_BANDS = manifest.bands(Profile.THOROUGH, "face_swap")
QUICK_MODEL, CLOSE_MODEL = face_swap.MODELS[Profile.FAST], face_swap.MODELS[Profile.THOROUGH]
WIDTH = 9 * 768  # class token, mean and deviation of three blocks


def raw(probability: float, model_id: str = QUICK_MODEL) -> float:
    """A logit whose calibrated probability is the given one."""
    table = manifest.entry(model_id).calibration
    assert table is not None
    return float(np.interp(probability, table.probability, table.raw))


HIGH, LOW = (BANDS.likely + 1) / 2, BANDS.clear / 2
MIDDLE = (BANDS.likely + BANDS.clear) / 2
CLOSE_HIGH, CLOSE_LOW = (CLOSE_BANDS.likely + 1) / 2, CLOSE_BANDS.clear / 2
CLOSE_MIDDLE = (CLOSE_BANDS.likely + CLOSE_BANDS.clear) / 2


def picture(width: int = 600, height: int = 400, scale: float = 1.0) -> Picture:
    rgb = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    return Picture(rgb, Media("PNG", round(width / scale), round(height / scale), 10), "0" * 64, b"", scale=scale)


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Finding]:
    """The finding on a picture with the given faces, whose calibrated probabilities are the given ones."""

    def find(
        boxes: list[tuple[int, int, int, int]],
        scores: list[float],
        profile: Profile = Profile.FAST,
        blurred: tuple[int, ...] = (),
        scale: float = 1.0,
    ) -> Finding:
        monkeypatch.setattr(face_swap, "not_a_photograph", lambda _: None)
        monkeypatch.setattr(face_swap, "faces", lambda _picture, _profile: tuple(Face(b, 0.9) for b in boxes))
        places = [tuple(v * scale for v in boxes[k]) for k in blurred]
        monkeypatch.setattr(face_swap, "sharpness", lambda _, box: 0.0 if box in places else SHARPEST_BLUR)

        closely = face_swap.CLOSELY if profile is Profile.THOROUGH else 0
        first, rest = scores[:closely], scores[closely:]

        def run(
            model_id: str, feeds: dict[str, npt.NDArray[np.float32]], names: Sequence[str] | None = None
        ) -> list[npt.NDArray[np.float32]]:
            if model_id == clip.TRUNK:
                assert feeds["pixels"].shape == (len(first), 3, CLIP_SIDE, CLIP_SIDE)
                assert names == (clip.FEATURES,)
                return [np.full((len(first), WIDTH), 7.0, np.float32)]
            if model_id == CLOSE_MODEL:
                assert feeds["features"].shape == (len(first), WIDTH)
                assert (feeds["features"] == 7.0).all()
                return [np.array([[raw(s, CLOSE_MODEL)] for s in first], np.float32)]
            assert model_id == QUICK_MODEL
            assert feeds["pixels"].shape == (len(rest), 3, SIDE, SIDE)
            return [np.array([[raw(s)] for s in rest], np.float32)]

        monkeypatch.setattr(sessions, "run", run)
        return face_swap.detector.find(picture(scale=scale), profile)

    return find


LARGE, SECOND, THIRD = (10, 10, 120, 140), (200, 20, 100, 100), (400, 30, 70, 80)


def test_is_a_learned_detector() -> None:
    assert isinstance(face_swap.detector, Detector)
    assert (face_swap.detector.name, face_swap.detector.role) == ("face_swap", Role.LEARNED)


@pytest.mark.parametrize(
    ("profile", "score", "kind", "says"),
    [
        (Profile.FAST, HIGH, "swapped_face", face_swap.LIKELY_ONE),
        (Profile.FAST, MIDDLE, "face", face_swap.UNSURE),
        (Profile.FAST, LOW, "face", face_swap.CLEAR_ONE),
        (Profile.THOROUGH, CLOSE_HIGH, "swapped_face", face_swap.LIKELY_ONE),
        (Profile.THOROUGH, CLOSE_MIDDLE, "face", face_swap.UNSURE),
        (Profile.THOROUGH, CLOSE_LOW, "face", face_swap.CLEAR_ONE),
    ],
)
def test_one_face(find: Callable[..., Finding], profile: Profile, score: float, kind: str, says: str) -> None:
    found = find([LARGE], [score], profile)
    assert (found.state, found.says) == (State.OK, says)
    assert found.score == pytest.approx(score, abs=1e-4)
    assert [(r.kind, r.box) for r in found.regions] == [(kind, LARGE)]
    assert found.regions[0].score == pytest.approx(score, abs=1e-3)
    assert found.model == manifest.entry(face_swap.MODELS[profile]).ref
    limits = manifest.bands(profile, "face_swap")
    assert found.details["thresholds"] == {"likely": limits.likely, "clear": limits.clear}
    assert Finding.from_record(found.to_record()) == found


def test_the_worst_face_decides_and_each_is_shown(find: Callable[..., Finding]) -> None:
    found = find([LARGE, SECOND], [LOW, HIGH])
    assert found.score == pytest.approx(HIGH, abs=1e-4)
    assert [r.kind for r in found.regions] == ["face", "swapped_face"]
    assert found.says == face_swap.LIKELY_ONE
    assert find([LARGE, SECOND], [HIGH, HIGH]).says == "2 faces look swapped or blended in."
    assert find([LARGE, SECOND], [LOW, LOW]).says == face_swap.CLEAR_MANY.format(n=2)


def test_fast_checks_two_faces_and_thorough_sixteen(find: Callable[..., Finding]) -> None:
    found = find([LARGE, SECOND, THIRD], [LOW, LOW])
    assert found.says.endswith(" Not checked: 1 face beyond the largest that this check looks at.")
    assert len(find([LARGE, SECOND, THIRD], [LOW] * 3, Profile.THOROUGH).regions) == 3
    assert len(find([LARGE] * 20, [LOW] * 16, Profile.THOROUGH).regions) == 16


def test_thorough_looks_closely_at_the_largest_faces_and_says_so(find: Callable[..., Finding]) -> None:
    both = find([LARGE, SECOND], [CLOSE_LOW, CLOSE_LOW], Profile.THOROUGH)
    assert both.says == face_swap.CLEAR_MANY.format(n=2)
    assert (both.details["checked"], both.details["closely"]) == (2, face_swap.CLOSELY)
    three = find([LARGE, SECOND, THIRD], [CLOSE_LOW] * 3, Profile.THOROUGH)
    assert three.says == face_swap.CLEAR_MANY.format(n=3) + face_swap.QUICK.format(n=2)
    assert (three.details["checked"], three.details["closely"]) == (3, face_swap.CLOSELY)
    quick = find([LARGE, SECOND, THIRD], [LOW, LOW])
    assert "closely" not in quick.says
    assert quick.details["closely"] == 0


def test_each_face_is_read_by_the_table_of_its_own_network(find: Callable[..., Finding]) -> None:
    over = CLOSE_BANDS.likely + 0.002  # the small network's table ends little above
    scores = [CLOSE_LOW, CLOSE_MIDDLE, over]
    found = find([LARGE, SECOND, THIRD], scores, Profile.THOROUGH)
    assert [r.score for r in found.regions] == pytest.approx(scores, abs=1e-3)
    assert found.score == pytest.approx(over, abs=1e-4)
    assert [r.kind for r in found.regions] == ["face", "face", "swapped_face"]
    # A probability that is likely in the fast profile is not yet so in this one, whose threshold holds for every face.
    assert BANDS.likely < HIGH < CLOSE_BANDS.likely
    assert find([LARGE, SECOND, THIRD], [CLOSE_LOW, CLOSE_LOW, HIGH], Profile.THOROUGH).says.startswith(
        face_swap.UNSURE
    )


def test_small_and_blurred_faces_are_named_and_not_judged(find: Callable[..., Finding]) -> None:
    small = (500, 300, 90, SMALLEST - 1)
    found = find([LARGE, SECOND, small], [LOW], blurred=(0,))
    assert [r.box for r in found.regions] == [SECOND]
    assert found.says == f"{face_swap.CLEAR_ONE} Not checked: 1 face under 64 pixels, 1 face too blurred."
    nothing = find([SECOND, small, small], [], blurred=(0,))
    assert (nothing.state, nothing.score, nothing.model) == (State.NOT_APPLICABLE, None, None)
    assert nothing.says.endswith(" Not checked: 2 faces under 64 pixels, 1 face too blurred.")


def test_size_is_counted_in_the_pixels_that_were_decoded(find: Callable[..., Finding]) -> None:
    assert find([(20, 20, 127, 127)], [], scale=0.5).state is State.NOT_APPLICABLE
    assert find([(20, 20, 128, 128)], [LOW], scale=0.5).state is State.OK


def test_no_face_is_not_applicable(find: Callable[..., Finding]) -> None:
    found = find([], [])
    assert (found.state, found.score, found.says) == (State.NOT_APPLICABLE, None, face_swap.NO_FACE)


def test_what_is_no_photograph_is_not_judged(find: Callable[..., Finding], monkeypatch: pytest.MonkeyPatch) -> None:
    find([LARGE], [HIGH])
    monkeypatch.setattr(face_swap, "not_a_photograph", lambda _: Graphic(0.9, "A drawing."))
    found = face_swap.detector.find(picture(), Profile.THOROUGH)
    assert (found.state, found.score, found.says) == (State.NOT_APPLICABLE, None, "A drawing.")


@pytest.mark.parametrize("profile", face_swap.MODELS)
def test_a_model_that_gives_no_numbers_is_an_error(
    find: Callable[..., Finding], monkeypatch: pytest.MonkeyPatch, profile: Profile
) -> None:
    find([LARGE], [LOW], profile)
    monkeypatch.setattr(sessions, "run", lambda *_: [np.full((1, 1), np.nan, np.float32)])
    with pytest.raises(SetupError) as caught:
        face_swap.detector.find(picture(), profile)
    assert caught.value.code == "model_unusable"


@pytest.mark.parametrize("profile", face_swap.MODELS)
def test_a_model_without_a_calibration_is_an_error(
    find: Callable[..., Finding], monkeypatch: pytest.MonkeyPatch, profile: Profile
) -> None:
    model = face_swap.MODELS[profile]
    bare = replace(manifest.entry(model), calibration=None)
    monkeypatch.setattr(face_swap, "entry", lambda i: bare if i == model else manifest.entry(i))
    with pytest.raises(SetupError) as caught:
        find([LARGE], [LOW], profile)
    assert caught.value.code == "model_uncalibrated"


# The model ------------------------------------------------------------------------------------------------------


def golden_square(seed: int, side: int = SIDE) -> npt.NDArray[np.uint8]:
    """The arithmetic square that models/training/face_swap.py describes, made here without PyTorch."""
    h, w = ((700, 900), (640, 480), (150, 200))[seed]
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    waves = [np.sin(x / (7 + 9 * c + seed)) + np.cos(y / (11 + 5 * c)) + np.sin((x + y) / 3) for c in range(3)]
    grain = np.random.default_rng(seed).normal(0, 0.15, (h, w, 3))
    rgb = ((np.stack(waves, 2) / 6 + 0.5 + grain).clip(0, 1) * 255).astype(np.uint8)
    return square(rgb, (40.0, 30.0, 90.0, 100.0), side)


def close_logits(cuts: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What the shipped files of the thorough profile say of squares (n, 224, 224, 3)."""
    return sessions.run(CLOSE_MODEL, clip.seen(clip_input(cuts), clip.FEATURES))[0].ravel()


@pytest.mark.parametrize("seed", range(3))
def test_golden_of_the_closer_look(seed: int) -> None:
    case, cut = CLOSE_GOLDEN["cases"][seed], golden_square(seed, CLIP_SIDE)
    assert CLOSE_GOLDEN["model"] == CLOSE_MODEL
    assert cut.mean((0, 1)) == pytest.approx(case["mean"], abs=0.05)
    assert np.abs(cut[8::53, 12::59].ravel().astype(int) - case["samples"]).max() <= 1
    assert close_logits(cut[np.newaxis]) == pytest.approx([case["logit"]], abs=0.1)  # processors differ by some 0.05
    assert close_logits(np.ascontiguousarray(cut[np.newaxis, :, ::-1])) != pytest.approx([case["logit"]], abs=0.1)


def test_a_batch_of_the_closer_look_gives_what_each_face_gives_alone() -> None:
    cuts = np.stack([golden_square(k, CLIP_SIDE) for k in range(2)])
    alone = [float(close_logits(c[np.newaxis])[0]) for c in cuts]
    assert close_logits(cuts) == pytest.approx(alone, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_golden(seed: int) -> None:
    case, cut = GOLDEN["cases"][seed], golden_square(seed)
    assert cut.mean((0, 1)) == pytest.approx(case["mean"], abs=0.05)
    assert np.abs(cut[8::37, 12::41].ravel().astype(int) - case["samples"]).max() <= 1
    (logits,) = sessions.run(GOLDEN["model"], {"pixels": network_input(cut[np.newaxis])})
    assert logits.ravel() == pytest.approx([case["logit"]], abs=0.02)
    shifted = np.roll(cut, 1, axis=1)
    assert np.abs(shifted[8::37, 12::41].ravel().astype(int) - case["samples"]).max() > 1


def test_a_batch_gives_what_each_face_gives_alone() -> None:
    pixels = network_input(np.stack([golden_square(k) for k in range(3)]))
    together = sessions.run(QUICK_MODEL, {"pixels": pixels})[0].ravel()
    alone = [float(sessions.run(QUICK_MODEL, {"pixels": p[np.newaxis]})[0][0, 0]) for p in pixels]
    assert together == pytest.approx(alone, abs=1e-3)


@pytest.mark.parametrize(
    ("profile", "preprocess", "most"),
    [(Profile.FAST, "face-square/1", 14_000_000), (Profile.THOROUGH, "clip-face-square/1", 100_000)],
)
def test_manifest_pins_the_models(profile: Profile, preprocess: str, most: int) -> None:
    model = manifest.entry(face_swap.MODELS[profile])
    assert (model.detector, model.profile, model.preprocess) == ("face_swap", profile, preprocess)
    assert model.path() is not None
    assert hashlib.sha256(manifest.verified_bytes(model)).hexdigest() == model.sha256
    assert model.bytes < most


def test_the_thorough_probe_reads_what_the_trunk_gives() -> None:
    assert manifest.entry(clip.TRUNK).outputs == (clip.FEATURES, clip.TOKENS, clip.PATCHES)
    assert manifest.entry(CLOSE_MODEL).inputs == {clip.FEATURES: (None, WIDTH)}
