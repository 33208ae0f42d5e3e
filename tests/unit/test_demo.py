"""The demo pictures: complete, small, readable, and each says what resources/DEMO.md promises."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from detectors.errors import FileUnreadable
from detectors.finding import Profile, Role
from detectors.signals import c2pa as content_credentials
from detectors.signals import camera, declared, parameters, watermark
from resources import make_demo
from tests.unit.signal_pictures import from_bytes

SIGNALS = (content_credentials, declared, parameters, watermark, camera)
# File -> the signals that must declare it synthetic. Every other file must declare nothing.
DECLARED = {
    "05-with-web-ui-settings.png": {"generation_parameters"},
    "06-with-comfyui-workflow.png": {"generation_parameters"},
    "07-signed-as-made-by-ai.jpg": {"c2pa"},
    "08-with-invisible-watermark.png": {"watermark"},
    "09-labelled-as-edited-with-ai.jpg": {"declared_metadata"},
}
CUT_SHORT = "14-cut-short.jpg"
FORMATS = {".jpg": "JPEG", ".png": "PNG", ".heic": "HEIF", ".avif": "AVIF"}


def names() -> list[str]:
    return sorted(p.name for p in make_demo.HERE.iterdir() if p.name != make_demo.REQUEST)


def test_the_folder_holds_only_the_pictures_and_the_list_describes_each() -> None:
    listed = re.findall(
        r"^\| `(\d\d-[\w.-]+)` \|", (make_demo.HERE.parent / "DEMO.md").read_text("utf-8"), re.MULTILINE
    )
    assert len(names()) == 14
    assert names() == listed
    assert sum(p.stat().st_size for p in make_demo.HERE.iterdir()) < 3_000_000


@pytest.mark.parametrize("name", [n for n in names() if n != CUT_SHORT])
def test_each_picture_declares_what_it_should_and_nothing_else(demo: Path, name: str) -> None:
    picture = from_bytes((demo / name).read_bytes())
    assert picture.media.format == FORMATS[Path(name).suffix]
    assert min(picture.rgb.shape[:2]) >= 300
    assert picture.rgb.std() > 20  # a picture, not a blank
    findings = [s.detector.find(picture, Profile.FAST) for s in SIGNALS]
    declared_by = {f.detector for f in findings if f.role is Role.DECLARED and f.score == 1.0}
    assert declared_by == DECLARED.get(name, set())
    assert all(f.score == 0.0 for f in findings if f.role is Role.DECLARED and f.detector not in declared_by)


def test_the_cut_file_is_unreadable_with_a_remedy(demo: Path) -> None:
    with pytest.raises(FileUnreadable) as caught:
        from_bytes((demo / CUT_SHORT).read_bytes())
    assert caught.value.remedy


def test_only_one_picture_names_a_camera(demo: Path) -> None:
    named = [n for n in names() if n != CUT_SHORT and from_bytes((demo / n).read_bytes()).untrusted_exif.get("Model")]
    assert named == ["04-photo-with-camera-details.jpg"]


def test_the_edit_is_local(demo: Path) -> None:
    source, edited = (
        from_bytes((demo / n).read_bytes()).rgb.astype(int) for n in ("10-photo-source.jpg", "11-photo-edited.jpg")
    )
    changed = np.abs(source - edited).max(axis=-1) > 40
    left, top, right, bottom = make_demo.EDITED_BOX
    assert changed[top:bottom, left:right].mean() > 0.3
    changed[top:bottom, left:right] = False
    assert changed.mean() < 0.001


@pytest.mark.skipif(importlib.util.find_spec("skimage") is None, reason="scikit-image is not installed")
def test_the_script_makes_these_files(demo: Path) -> None:
    made = make_demo.files()
    assert sorted(made) == names()
    for name, content in made.items():
        if name != CUT_SHORT:
            ours, theirs = from_bytes(content), from_bytes((demo / name).read_bytes())
            assert np.abs(ours.rgb.astype(int) - theirs.rgb).mean() < 2  # encoders differ a little between versions
            assert (ours.untrusted_text, ours.untrusted_exif) == (theirs.untrusted_text, theirs.untrusted_exif)
            assert ours.untrusted_xmp == theirs.untrusted_xmp
