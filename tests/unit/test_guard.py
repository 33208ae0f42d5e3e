"""The guard turns graphics away, lets photographs through, and is asked once a picture."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from detectors.errors import SetupError
from detectors.finding import Profile, State
from detectors.inference import guard, manifest, sessions
from detectors.inference.preprocess import canonical, halved, two_views
from detectors.intake.picture import Picture
from detectors.signals import generated
from tests.unit.signal_pictures import by_hand, from_bytes, jpeg
from tests.unit.test_inference_golden import SHAPES, golden_picture

ROOT = Path(__file__).resolve().parents[2]
DEMO = sorted(p for p in (ROOT / "resources/demo").iterdir() if "cut-short" not in p.name and p.suffix != ".toml")


def page() -> Image.Image:
    """A window with a bar, a table of lines and many small words."""
    image = Image.new("RGB", (900, 700), (250, 250, 250))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 900, 50), fill=(40, 70, 120))
    for row in range(24):
        draw.line((0, 70 + row * 26, 900, 70 + row * 26), (190, 190, 190))
        for column in range(6):
            draw.text((12 + column * 150, 76 + row * 26), f"item {row * 37 + column} of 940", (20, 20, 20))
    return image


def saved(image: Image.Image, scale: float, quality: int) -> Picture:
    """What intake makes of a shrunk JPEG copy."""
    small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    return from_bytes(jpeg(np.asarray(small), quality))


def planted(monkeypatch: pytest.MonkeyPatch, score: float) -> list[Any]:
    """Has the network say `score`; gives the list of views that it was asked about."""
    asked: list[Any] = []

    def say(views: Any) -> float:
        asked.append(views)
        return score

    monkeypatch.setattr(guard, "graphic_score", say)
    return asked


@pytest.mark.parametrize("path", DEMO, ids=lambda p: p.name)
def test_the_demo_photographs_pass(path: Path) -> None:
    assert guard.not_a_photograph(from_bytes(path.read_bytes())) is None


@pytest.mark.parametrize(("scale", "quality"), [(1, 95), (1, 60), (0.5, 75), (0.5, 60)])
def test_a_screenshot_is_turned_away_whatever_was_done_to_it(scale: float, quality: int) -> None:
    found = guard.not_a_photograph(saved(page(), scale, quality))
    assert found is not None
    assert 0.5 < found.score <= 1
    assert found.says == guard.SAYS


def test_a_picture_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = planted(monkeypatch, 0.9)
    picture = by_hand(rgb=np.zeros((300, 900, 3), np.uint8))
    assert guard.not_a_photograph(picture) == guard.not_a_photograph(picture) == guard.Graphic(0.9)
    assert [views.shape for views in asked] == [(2, 224, 224, 3)]


@pytest.mark.parametrize(("score", "turned_away"), [(0.5, False), (0.51, True)])
def test_generated_gives_no_score_for_a_graphic(
    score: float, turned_away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(monkeypatch, score)
    rgb = np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8)
    found = generated.detector.find(by_hand(rgb=rgb), Profile.FAST)
    assert (found.score is None) is turned_away
    if turned_away:
        assert (found.state, found.says, found.details) == (State.NOT_APPLICABLE, guard.SAYS, {"graphic": score})


def test_the_guard_and_the_check_behind_it_share_their_views(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def counted(small: Image.Image) -> Any:
        made.append(two_views(small))
        return made[-1]

    for module in (guard, generated):
        monkeypatch.setattr(module, "two_views", counted)
    asked = planted(monkeypatch, 0.1)
    rgb = np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8)
    assert generated.detector.find(by_hand(rgb=rgb), Profile.FAST).score is not None
    assert len(made) == len(asked) == 1


@pytest.mark.parametrize("seed", range(len(SHAPES)))
def test_golden(seed: int) -> None:
    case = json.loads((ROOT / "tests/golden/guard.json").read_text(encoding="utf-8"))[seed]
    picture = golden_picture(seed)
    assert hashlib.sha256(picture.tobytes()).hexdigest() == case["picture_sha256"]
    (added,) = sessions.run(guard.MODEL, {"pixels": halved(two_views(canonical(picture)))})
    assert float(np.trace(added)) == pytest.approx(case["logit"], abs=5e-3)


def test_the_second_view_is_the_middle_at_its_own_scale() -> None:
    views = np.zeros((2, 224, 224, 3), np.uint8)
    views[0, ::2], views[1, 56:168, 56:168] = 254, 200
    pixels = halved(views)
    assert pixels.shape == (2, 3, 112, 112)
    assert pixels[0] == pytest.approx(0.0)
    assert pixels[1] == pytest.approx((200 - 127) / 128)


def test_without_its_model_nothing_passes_silently(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = dataclasses.replace(manifest.entry(guard.MODEL), id="gone", file="gone.onnx")
    monkeypatch.setattr(guard, "entry", lambda _id: gone)
    monkeypatch.setattr(sessions, "entry", lambda _id: gone)
    with pytest.raises(SetupError) as missing:
        guard.not_a_photograph(from_bytes(jpeg(np.asarray(page()))))
    assert missing.value.code == "model_missing"


def test_transparency_is_laid_over_white_before_the_guard_looks() -> None:
    clear = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    ImageDraw.Draw(clear).ellipse((80, 80, 320, 320), fill=(200, 30, 30, 255))
    out = io.BytesIO()
    clear.save(out, "PNG")
    assert guard.not_a_photograph(from_bytes(out.getvalue())) is not None
