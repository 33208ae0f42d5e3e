"""Faces: where they are, found in the run that looks for body parts, and the squares that are cut around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from detectors.finding import Profile
from detectors.inference import sessions
from detectors.inference.faces import (
    CLOSE_LOOK,
    CONTEXT,
    LEAST,
    SIDE,
    Face,
    around,
    faces,
    network_input,
    sharpness,
    square,
)
from detectors.inference.nudenet import CLASSES, MODEL
from detectors.intake.media import Media
from detectors.intake.picture import Picture
from detectors.signals import intimacy

Row = tuple[int, float, tuple[float, float, float, float]]  # class, score, (centre x, centre y, width, height)
MALE, FEMALE = 12, 1


def picture(width: int, height: int, scale: float = 1.0) -> Picture:
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Picture(rgb, Media("PNG", round(width / scale), round(height / scale), 1), "0" * 64, b"", scale=scale)


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Makes NudeNet answer with given boxes, by the long side of the view; gives the long sides that it was shown."""

    def plant(answers: dict[int, list[Row]]) -> list[int]:
        fed: list[int] = []

        def run(model_id: str, feeds: dict[str, npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
            assert model_id == MODEL
            side = max(feeds["images"].shape[2:])
            fed.append(side)
            output = np.zeros((1, 4 + len(CLASSES), 30), np.float32)
            for i, (label, score, box) in enumerate(answers.get(side, [])):
                output[0, :4, i], output[0, 4 + label, i] = box, score
            return [output]

        monkeypatch.setattr(sessions, "run", run)
        return fed

    return plant


def test_largest_first_and_at_full_size(plant: Callable[..., Any]) -> None:
    plant({320: [(MALE, 0.9, (60, 60, 40, 40)), (FEMALE, 0.5, (200, 100, 60, 80))]})
    found = faces(picture(640, 480, scale=0.5))
    assert found == (Face((680, 240, 240, 320), 0.5), Face((160, 160, 160, 160), 0.9))


def test_only_clear_faces_and_no_other_parts(plant: Callable[..., Any]) -> None:
    plant(
        {320: [(MALE, LEAST + 0.01, (60, 60, 40, 40)), (MALE, LEAST - 0.01, (200, 60, 40, 40)), (7, 0.9, (9, 9, 9, 9))]}
    )
    assert [f.box for f in faces(picture(640, 480))] == [(80, 80, 80, 80)]


def test_one_face_in_two_views_is_one_face(plant: Callable[..., Any]) -> None:
    plant(
        {320: [(MALE, 0.9, (60, 60, 40, 40))], 640: [(MALE, 0.8, (121, 120, 80, 80)), (MALE, 0.7, (400, 90, 36, 36))]}
    )
    large = picture(960, 640)
    assert [f.score for f in faces(large, Profile.THOROUGH)] == [0.9, 0.7]
    assert [f.score for f in faces(large, Profile.FAST)] == [0.9]


def test_body_parts_and_faces_share_one_run(plant: Callable[..., Any]) -> None:
    fed = plant({320: [(MALE, 0.9, (60, 60, 40, 40))]})
    same = picture(640, 480)
    intimacy.detector.find(same, Profile.FAST)
    assert fed == [320]
    assert len(faces(same)) == 1
    assert faces(same) is faces(same)
    assert fed == [320]
    faces(picture(640, 480))
    assert fed == [320, 320]


def test_a_face_that_fills_the_picture_is_found_in_a_smaller_view(plant: Callable[..., Any]) -> None:
    filling, small = (MALE, 0.8, (64, 64, 100, 120)), (MALE, 0.8, (64, 64, 30, 30))
    fed = plant({CLOSE_LOOK: [filling, (MALE, 0.9, (15, 15, 20, 20))]})
    assert len(faces(picture(256, 256))) == 1
    assert fed == [320, CLOSE_LOOK]
    plant({CLOSE_LOOK: [small]})
    assert faces(picture(256, 256)) == ()
    fed = plant({320: [(MALE, 0.9, (60, 60, 40, 40))], CLOSE_LOOK: [filling]})
    assert len(faces(picture(256, 256))) == 1
    assert fed == [320]


@given(
    size=st.tuples(st.integers(20, 900), st.integers(20, 900)),
    place=st.tuples(*[st.floats(0, 0.9)] * 2),
    extent=st.tuples(*[st.floats(0.02, 1.0)] * 2),
)
def test_a_square_lies_in_the_picture(
    size: tuple[int, int], place: tuple[float, float], extent: tuple[float, float]
) -> None:
    x, y = place[0] * size[0], place[1] * size[1]
    w, h = min(extent[0] * size[0], size[0] - x), min(extent[1] * size[1], size[1] - y)
    left, top, right, bottom = around((x, y, w, h), size)
    assert right - left == pytest.approx(bottom - top)
    assert right - left == pytest.approx(min(CONTEXT * max(w, h), *size))
    assert left >= 0
    assert top >= 0
    assert right <= size[0] + 1e-6
    assert bottom <= size[1] + 1e-6


def test_a_square_is_centred_on_its_face_where_there_is_room() -> None:
    assert around((100, 100, 40, 60), (400, 400)) == pytest.approx([81, 91, 159, 169])


def test_square_shows_the_face_at_its_place() -> None:
    rgb = np.zeros((300, 500, 3), np.uint8)
    rgb[100:160, 200:260] = 255
    cut = square(rgb, (200, 100, 60, 60))
    assert cut.shape == (SIDE, SIDE, 3)
    margin = round(SIDE * (1 - 1 / CONTEXT) / 2)
    inside = cut[margin + 3 : SIDE - margin - 3, margin + 3 : SIDE - margin - 3]
    assert inside.min() == 255
    assert cut[: margin - 3].max() == 0


def test_sharpness_falls_with_blur_and_not_with_contrast() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (120, 120), np.uint8)
    image = Image.fromarray(np.repeat(noise[:, :, np.newaxis], 3, 2))
    box = (10, 10, 90, 90)
    values = [sharpness(np.asarray(image.filter(ImageFilter.GaussianBlur(r))), box) for r in (0, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 5 * values[2]
    dark = (np.asarray(image) * 0.3).astype(np.uint8)
    assert sharpness(dark, box) == pytest.approx(values[0], rel=0.1)
    assert sharpness(np.full((50, 50, 3), 90, np.uint8), (0, 0, 50, 50)) == 0
    assert sharpness(np.asarray(image), (5, 5, 1, 1)) == 0


def test_network_input_is_scaled_and_planar() -> None:
    pixels = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    pixels[1, :, :, 2] = 255
    seen = network_input(pixels)
    assert (seen.shape, seen.dtype) == ((2, 3, SIDE, SIDE), np.float32)
    assert np.allclose(seen[1, :, 0, 0], [-127 / 128, -127 / 128, 1.0])
