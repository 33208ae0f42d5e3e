"""`face_swap`: which faces are checked, what is said of the others, and the words and regions. Scores are planted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detectors.errors import SetupError
from detectors.finding import Finding, Profile, Role, State
from detectors.inference import manifest, sessions
from detectors.inference.faces import SHARPEST_BLUR, SIDE, SMALLEST, Face, network_input, square
from detectors.inference.guard import Graphic
from detectors.intake.media import Media
from detectors.intake.picture import Picture
from detectors.signals import Detector, face_swap

ROOT = Path(__file__).resolve().parents[2]
GOLDEN: dict[str, Any] = json.loads((ROOT / "tests/golden/face_swap.json").read_text(encoding="utf-8"))
BANDS = manifest.bands(Profile.FAST, "face_swap")


def raw(probability: float) -> float:
    """A logit whose calibrated probability is the given one."""
    table = manifest.entry(face_swap.MODEL).calibration
    assert table is not None
    return float(np.interp(probability, table.probability, table.raw))


HIGH, LOW = (BANDS.likely + 1) / 2, BANDS.clear / 2
MIDDLE = (BANDS.likely + BANDS.clear) / 2


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

        def run(model_id: str, feeds: dict[str, npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
            assert model_id == face_swap.MODEL
            assert feeds["pixels"].shape == (len(scores), 3, SIDE, SIDE)
            return [np.array([[raw(s)] for s in scores], np.float32)]

        monkeypatch.setattr(sessions, "run", run)
        return face_swap.detector.find(picture(scale=scale), profile)

    return find


LARGE, SECOND, THIRD = (10, 10, 120, 140), (200, 20, 100, 100), (400, 30, 70, 80)


def test_is_a_learned_detector() -> None:
    assert isinstance(face_swap.detector, Detector)
    assert (face_swap.detector.name, face_swap.detector.role) == ("face_swap", Role.LEARNED)


@pytest.mark.parametrize(
    ("score", "kind", "says"),
    [
        (HIGH, "swapped_face", face_swap.LIKELY_ONE),
        (MIDDLE, "face", face_swap.UNSURE),
        (LOW, "face", face_swap.CLEAR_ONE),
    ],
)
def test_one_face(find: Callable[..., Finding], score: float, kind: str, says: str) -> None:
    found = find([LARGE], [score])
    assert (found.state, found.says) == (State.OK, says)
    assert found.score == pytest.approx(score, abs=1e-4)
    assert [(r.kind, r.box) for r in found.regions] == [(kind, LARGE)]
    assert found.regions[0].score == pytest.approx(score, abs=1e-3)
    assert found.model == manifest.entry(face_swap.MODEL).ref
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


def test_a_model_that_gives_no_numbers_is_an_error(
    find: Callable[..., Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    find([LARGE], [LOW])
    monkeypatch.setattr(sessions, "run", lambda *_: [np.full((1, 1), np.nan, np.float32)])
    with pytest.raises(SetupError) as caught:
        face_swap.detector.find(picture(), Profile.FAST)
    assert caught.value.code == "model_unusable"


# The model ------------------------------------------------------------------------------------------------------


def golden_square(seed: int) -> npt.NDArray[np.uint8]:
    """The arithmetic square that models/training/face_swap.py describes, made here without PyTorch."""
    h, w = ((700, 900), (640, 480), (150, 200))[seed]
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    waves = [np.sin(x / (7 + 9 * c + seed)) + np.cos(y / (11 + 5 * c)) + np.sin((x + y) / 3) for c in range(3)]
    grain = np.random.default_rng(seed).normal(0, 0.15, (h, w, 3))
    rgb = ((np.stack(waves, 2) / 6 + 0.5 + grain).clip(0, 1) * 255).astype(np.uint8)
    return square(rgb, (40.0, 30.0, 90.0, 100.0))


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
    together = sessions.run(face_swap.MODEL, {"pixels": pixels})[0].ravel()
    alone = [float(sessions.run(face_swap.MODEL, {"pixels": p[np.newaxis]})[0][0, 0]) for p in pixels]
    assert together == pytest.approx(alone, abs=1e-3)


def test_manifest_pins_the_model() -> None:
    model = manifest.entry(face_swap.MODEL)
    assert (model.detector, model.profile, model.preprocess) == ("face_swap", None, "face-square/1")
    assert model.path() is not None
    assert hashlib.sha256(manifest.verified_bytes(model)).hexdigest() == model.sha256
    assert model.bytes < 14_000_000
