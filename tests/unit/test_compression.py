"""`compression`: qualities from tables, a comb after two saves, block borders in files that are no JPEG."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from detectors.finding import Finding, Profile, Role, State
from detectors.intake.media import Media
from detectors.intake.picture import Picture
from detectors.signals import Detector, compression
from tests.unit import signal_pictures

Pixels = npt.NDArray[np.uint8]
Tables = Mapping[int, tuple[int, ...]]


def scene(seed: int = 1, h: int = 400, w: int = 520) -> Image.Image:
    """Smooth shapes with grain: enough detail for every coefficient, no grid of its own."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (h // 12, w // 12, 3), np.uint8)).resize((w, h), 3)
    fine = np.asarray(coarse, np.float64) + rng.normal(0, 6, (h, w, 3))
    return Image.fromarray(fine.clip(0, 255).astype(np.uint8))


def saved(image: Image.Image, quality: int) -> tuple[Image.Image, Tables]:
    """The picture after one save, and its tables."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as file:
        return file.convert("RGB"), {k: tuple(v) for k, v in file.quantization.items()}


def find(image: Image.Image, tables: Tables | None = None, **facts: object) -> Finding:
    rgb = np.asarray(image)
    media = Media("JPEG" if tables else "PNG", image.width, image.height, 10)
    picture = Picture(rgb=rgb, media=media, sha256="0" * 64, data=b"", quantisation=tables or {}, **facts)  # type: ignore[arg-type]
    return compression.detector.find(picture, Profile.FAST)


def test_is_context_and_never_scored() -> None:
    assert isinstance(compression.detector, Detector)
    assert compression.detector.role is Role.CONTEXT
    found = find(*saved(scene(), 85))
    assert (found.state, found.score, found.regions) == (State.OK, None, ())
    assert "quality of about 85 of 100" in found.says


@pytest.mark.parametrize(("first", "last"), [(60, 75), (65, 90), (75, 85), (80, 95)])
def test_a_second_weaker_save_leaves_a_comb(first: int, last: int) -> None:
    for seed in range(3):
        once, twice = saved(scene(seed), last), saved(saved(scene(seed), first)[0], last)
        assert compression.AGAIN in find(*twice).says
        assert compression.ONCE in find(*once).says
        assert find(*twice).details["comb"] >= compression.COMB_AT > find(*once).details["comb"]


def test_borders_of_blocks_show_in_other_files_and_where_they_begin() -> None:
    image, _ = saved(scene(), 70)
    found = find(image.crop((3, 5, image.width, image.height)))
    assert found.says == compression.BEFORE
    assert found.details["grid"] == [5, 3]
    assert find(scene()).says == compression.NEVER
    assert "grid" not in find(scene()).details


def test_a_flat_picture_has_too_little_detail() -> None:
    found = find(*saved(Image.new("RGB", (300, 300), (90, 120, 140)), 80))
    assert compression.PLAIN in found.says
    assert found.details["comb"] is None


def test_the_window_begins_on_the_grid() -> None:
    marks = np.zeros((1000, 1300, 3), np.uint8)
    marks[::8, ::8] = 255
    grey = compression.brightness(marks)
    assert grey.shape == (512, 512)
    assert grey[0, 0] == pytest.approx(255)


@pytest.mark.parametrize(
    ("facts", "side", "says"),
    [
        ({}, 127, compression.TOO_SMALL),
        ({"scale": 0.5}, 300, compression.REDUCED),
    ],
)
def test_pictures_that_it_does_not_judge(facts: dict[str, object], side: int, says: str) -> None:
    image, tables = saved(scene(h=side, w=400), 80)
    found = find(image, tables, **facts)
    assert (found.state, found.score, found.says) == (State.NOT_APPLICABLE, None, says)


def test_a_turned_photograph_is_not_judged() -> None:
    """Its blocks begin at another border than those of the upright picture."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    scene().save(buffer, "JPEG", quality=80, exif=exif)
    picture = signal_pictures.from_bytes(buffer.getvalue())
    assert picture.rgb.shape[0] > picture.rgb.shape[1]
    assert compression.detector.find(picture, Profile.FAST).says == compression.REDUCED
