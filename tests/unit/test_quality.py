"""The class of quality: what is small, what is compressed, and that training and product sort alike."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from detectors import quality
from detectors.inference.preprocess import canonical
from tests.unit.signal_pictures import by_hand, from_bytes, jpeg, scene


def noisy(height: int = 400, width: int = 500) -> np.ndarray:
    """A scene with enough detail to count as sharp."""
    rng = np.random.default_rng(3)
    return np.clip(scene(height, width).astype(int) + rng.normal(0, 9, (height, width, 1)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("short", "jpeg_q", "sharp", "found"),
    [
        (223, 95, 500.0, "small"),
        (223, 10, 0.0, "small"),
        (224, 80, 60.0, "good"),
        (224, 79, 60.0, "compressed"),
        (224, 80, 59.9, "compressed"),
        (512, None, 60.0, "good"),
        (512, None, 59.9, "compressed"),
    ],
)
def test_the_classes_meet_at_their_thresholds(short: int, jpeg_q: int | None, sharp: float, found: str) -> None:
    assert quality.quality_class(short, jpeg_q, sharp) == found
    assert found in quality.CLASSES


@pytest.mark.parametrize("q", [20, 40, 50, 60, 75, 79, 80, 90, 97])
def test_the_quality_of_a_save_is_read_off_its_tables(q: int) -> None:
    picture = from_bytes(jpeg(scene(), q))
    found = quality.jpeg_quality(picture.quantisation)
    assert found is not None
    assert abs(found - q) <= 1
    with Image.open(io.BytesIO(jpeg(scene(), q))) as image:  # as training reads them
        assert quality.jpeg_quality(image.quantization) == found


def test_without_tables_there_is_no_quality() -> None:
    assert quality.jpeg_quality({}) is None


def test_blur_lowers_sharpness() -> None:
    sharp = Image.fromarray(noisy())
    steps = [quality.sharpness(sharp.filter(ImageFilter.GaussianBlur(r))) for r in (0, 0.7, 1.5, 3)]
    assert steps == sorted(steps, reverse=True)
    assert steps[0] > quality.BLURRED > steps[-1]
    assert quality.sharpness(Image.new("RGB", (2, 9))) == 0.0


def test_a_picture_is_sorted_as_its_pixels_and_tables_are() -> None:
    for q, found in ((92, "good"), (70, "compressed")):
        picture = from_bytes(jpeg(noisy(), q))
        assert quality.of_picture(picture) == found
        small = canonical(picture.rgb)
        pure = quality.quality_class(
            min(small.size), quality.jpeg_quality(picture.quantisation), quality.sharpness(small)
        )
        assert pure == found
    assert quality.of_picture(from_bytes(jpeg(noisy(200, 500), 92))) == "small"
    assert quality.of_picture(by_hand(rgb=noisy())) == "good"


def test_the_save_of_a_large_picture_does_not_matter_once_it_is_shrunk() -> None:
    large = np.kron(noisy(), np.ones((3, 3, 1), np.uint8))
    assert quality.of_picture(from_bytes(jpeg(large, 60))) == "good"


def test_it_is_worked_out_once_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = from_bytes(jpeg(noisy(), 92))
    first = quality.of_picture(picture)
    monkeypatch.setattr(quality, "sharpness", lambda _: 1 / 0)
    assert quality.of_picture(picture) == first


def test_grey_is_grey_up_to_what_jpeg_leaves() -> None:
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (50, 50, 1), np.uint8), 3, 2)
    assert quality.is_grey(grey)
    tinted = grey.copy()
    tinted[:5, :10, 0] ^= 64
    assert not quality.is_grey(tinted)


@pytest.mark.parametrize(("levels", "grey"), [(0, True), (3, True), (5, False), (30, False)])
def test_a_faint_tint_is_colour(levels: int, grey: bool) -> None:
    rgb = np.random.default_rng(1).integers(40, 200, (60, 80, 1), np.uint8).repeat(3, 2)
    rgb[:, :, 0] += np.uint8(levels)
    assert quality.is_grey(rgb) is grey
