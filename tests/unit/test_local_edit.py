"""`local_edit`: where a picture disagrees with itself. Maps are planted where the network is not the question."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detectors.finding import Finding, Profile, Role, State
from detectors.inference import manifest, sessions
from detectors.inference.guard import Graphic
from detectors.intake.media import Media
from detectors.intake.picture import Picture
from detectors.signals import Detector, local_edit
from detectors.verdict import Band, Bands

ROOT = Path(__file__).resolve().parents[2]
FIGURES = json.loads((ROOT / "models/cards/local_edit.json").read_text(encoding="utf-8"))
POINT = Bands(0.9, 0.5, 0.0, 0.0, 0.0, 100, 100)
ENTRY = replace(
    manifest.entry("generated-lite0"), id=local_edit.MODEL, calibration=manifest.Calibration((-5.0, 5.0), (0.01, 0.99))
)


@pytest.fixture(autouse=True)
def photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard takes this file's grain for what it is, no photograph; and no model is shipped. Here both are there."""
    monkeypatch.setattr(local_edit, "not_a_photograph", lambda _: None)
    monkeypatch.setattr(local_edit, "manifest", lambda: {ENTRY.id: ENTRY})
    monkeypatch.setattr(local_edit, "entry", lambda _: ENTRY)
    monkeypatch.setattr(local_edit, "bands", lambda *_: POINT)


def picture(h: int = 480, w: int = 640, scale: float = 1.0, seed: int = 3, **facts: Any) -> Picture:
    """Coarse grain, as from a photograph; `scale` rgb pixels per full-size pixel."""
    grain = np.random.default_rng(seed).integers(60, 200, (-(-h // 4), -(-w // 4), 3), np.uint8)
    rgb = np.ascontiguousarray(grain.repeat(4, 0).repeat(4, 1)[:h, :w])
    media = Media("PNG", round(w / scale), round(h / scale), 10)
    return Picture(rgb=rgb, media=media, sha256=hashlib.sha256(b"x").hexdigest(), data=b"", scale=scale, **facts)


def planted(monkeypatch: pytest.MonkeyPatch, cells: npt.NDArray[np.float32]) -> None:
    """Has the network answer with this map, on whatever it is asked."""

    def run(_model: str, feeds: dict[str, npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
        (x,) = feeds.values()
        out = np.full((1, 1, x.shape[2] // 8, x.shape[3] // 8), 9.0, np.float32)  # what was added must not be read
        out[0, 0, : cells.shape[0], : cells.shape[1]] = cells
        return [out]

    monkeypatch.setattr(sessions, "run", run)


def flat(h: int = 60, w: int = 80, level: float = -6.0) -> npt.NDArray[np.float32]:
    return np.full((h, w), level, np.float32)


def find(shown: Picture, profile: Profile = Profile.THOROUGH) -> Finding:
    return local_edit.detector.find(shown, profile)


def test_is_a_learned_detector_that_the_quick_check_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(local_edit.detector, Detector)
    assert local_edit.detector.role is Role.LEARNED
    monkeypatch.setattr(sessions, "run", lambda *_: pytest.fail("the network was run"))
    found = find(picture(), Profile.FAST)
    assert (found.state, found.score, found.says) == (State.NOT_APPLICABLE, None, local_edit.QUICK)


def test_nothing_stands_out(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, flat())
    found = find(picture())
    assert (found.state, found.says, found.regions) == (State.OK, local_edit.CLEAR, ())
    assert found.score is not None
    assert POINT.place(found) is Band.NO_SIGNS
    assert "map" not in found.details


def test_a_region_is_found_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = flat()
    cells[10:30, 40:60] = 6.0
    cells[50:52, 4:10] = 5.0
    cells[5, 5] = 6.0  # a single cell is no region
    planted(monkeypatch, cells)
    found = find(picture())
    assert (found.state, found.says) == (State.OK, local_edit.LIKELY)
    assert POINT.place(found) is Band.LIKELY_SYNTHETIC
    assert [r.box for r in found.regions] == [(320, 80, 160, 160), (32, 400, 48, 16)]
    assert {r.kind for r in found.regions} == {"edited"}
    assert found.model == ENTRY.ref


def test_boxes_and_map_are_at_full_size(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = flat(72, 96)  # 1536 px shrunk to a sheet of 768
    cells[:36, :48] = 6.0
    planted(monkeypatch, cells)
    found = find(picture(1152, 1536, scale=0.5))
    assert found.regions[0].box == (0, 0, 1536, 1152)
    assert found.details["map"]["box"] == [0, 0, 3072, 2304]


def test_the_map_can_be_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = flat()
    cells[10:30, 40:60] = 6.0
    planted(monkeypatch, cells)
    shown = find(picture()).details["map"]
    assert (shown["rows"], shown["columns"]) == (60, 80)
    values = np.frombuffer(base64.b64decode(shown["values"]), np.uint8).reshape(60, 80)
    assert (values[10:30, 40:60] > 250).all()
    assert values[0, 0] < 5
    json.dumps(shown)


def test_groups_do_not_join_at_corners() -> None:
    marked = np.array([[1, 1, 0], [0, 0, 1], [0, 0, 1]], bool)
    assert [len(g) for g in local_edit.groups(marked)] == [2, 2]
    marked[0, 2] = True
    assert [len(g) for g in local_edit.groups(marked)] == [5]
    assert local_edit.groups(np.zeros((3, 3), bool)) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_map_without_numbers_is_no_result(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = flat()
    cells[3, 3] = value
    planted(monkeypatch, cells)
    with pytest.raises(ValueError, match="no number"):
        find(picture())


@pytest.mark.parametrize(("h", "w"), [(191, 400), (400, 191)])
def test_small_pictures_are_not_judged(h: int, w: int) -> None:
    found = find(picture(h, w))
    assert (found.state, found.score, found.says) == (State.NOT_APPLICABLE, None, local_edit.TOO_SMALL)


def test_rough_saves_and_blur_are_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "run", lambda *_: pytest.fail("the network was run"))
    rough = find(picture(quantisation={0: (60,) * 64}))
    assert (rough.state, rough.score, rough.says) == (State.NOT_APPLICABLE, None, local_edit.TOO_COMPRESSED)
    soft = picture()
    soft.rgb[...] = np.linspace(20, 230, 640, dtype=np.uint8)[None, :, None]
    assert find(soft).says == local_edit.TOO_BLURRED


def test_a_rough_save_that_is_shrunk_away_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, flat(72, 96))
    assert find(picture(1152, 1536, scale=0.5, quantisation={0: (60,) * 64})).score is not None


def test_what_is_no_photograph_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_edit, "not_a_photograph", lambda _: Graphic(0.9))
    monkeypatch.setattr(sessions, "run", lambda *_: pytest.fail("the network was run"))
    found = find(picture())
    assert (found.state, found.score, found.says) == (State.NOT_APPLICABLE, None, Graphic(0.9).says)


def test_without_a_model_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_edit, "manifest", manifest.manifest)
    assert local_edit.MODEL not in manifest.manifest()
    found = find(picture())
    assert (found.state, found.score, found.says) == (State.NOT_APPLICABLE, None, local_edit.NOT_IN_USE)


def test_no_model_is_shipped_that_failed_its_test() -> None:
    found, check = FIGURES["test"]["inpaintings"], FIGURES["sanity"]
    passed = found["auc"] >= 0.85 and found["f1"] >= 0.5
    passed = passed and check["score_drop_shown"] > max(0.0, check["score_drop_elsewhere"])
    assert passed or local_edit.MODEL not in manifest.manifest()
