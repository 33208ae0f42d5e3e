"""The camera's EXIF: shown as a hint, never scored."""

from __future__ import annotations

import pytest

from detectors.finding import Profile, Role, State
from detectors.signals.camera import detector
from tests.unit.signal_pictures import by_hand


def find(**exif: str):
    return detector.find(by_hand(untrusted_exif=exif), Profile.FAST)


def test_camera_lens_and_date_are_told_with_the_caution() -> None:
    finding = find(
        Make="Canon", Model="Canon EOS 350D", LensModel="EF 50mm", DateTimeOriginal="2024:05:17 10:20:30", Software="x"
    )
    assert (finding.role, finding.state, finding.score) == (Role.CONTEXT, State.OK, None)
    assert "Canon EOS 350D, lens EF 50mm, on 2024-05-17 10:20." in finding.says
    assert "easily forged, easily lost" in finding.says
    assert finding.details["software"] == "x"


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("NIKON CORPORATION", "NIKON D1X", "NIKON D1X"),
        ("Apple", "iPhone 15", "Apple iPhone 15"),
        ("", "EX-1", "EX-1"),
        ("Sony", "", "Sony"),
    ],
)
def test_make_and_model_are_joined_without_repeating(make: str, model: str, camera: str) -> None:
    assert f"names a camera: {camera}." in find(Make=make, Model=model).says


@pytest.mark.parametrize("date", ["0000:00:00 00:00:00", "yesterday", "2024-05-17", ""])
def test_dates_that_make_no_sense_are_left_out(date: str) -> None:
    finding = find(Make="Sony", DateTimeOriginal=date)
    assert " on " not in finding.says
    assert "date" not in finding.details


def test_no_camera_means_nothing_and_is_still_not_scored() -> None:
    finding = find(Software="GIMP")
    assert (finding.state, finding.score) == (State.OK, None)
    assert "means nothing" in finding.says


def test_names_from_the_file_are_made_harmless() -> None:
    says = find(Make="Son\u202ey\n", Model="z" * 5000).says
    assert "\u202e" not in says
    assert len(says) < 300
