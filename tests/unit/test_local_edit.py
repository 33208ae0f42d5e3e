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
from detectors.inference import clip, manifest, sessions
from detectors.inference.guard import Graphic
from detectors.inference.preprocess import canonical
from detectors.intake.media import Media
from detectors.intake.picture import Picture
from detectors.signals import Detector, local_edit
from detectors.verdict import Band, Bands
from tests.unit.test_inference_golden import SHAPES, golden_picture

ROOT = Path(__file__).resolve().parents[2]
FIGURES = json.loads((ROOT / "models/cards/local_edit.json").read_text(encoding="utf-8"))
POINT = Bands(0.9, 0.5, 0.0, 0.0, 0.0, 100, 100)
SHIPPED = manifest.entry(local_edit.MODEL)
ENTRY = replace(SHIPPED, calibration=manifest.Calibration((-5.0, 5.0), (0.01, 0.99)))
GOLDEN = json.loads((ROOT / "tests/golden/local_edit.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard takes this file's grain for what it is, no photograph; maps are read by round numbers here."""
    monkeypatch.setattr(local_edit, "not_a_photograph", lambda _: None)
    monkeypatch.setattr(local_edit, "entry", lambda _: ENTRY)
    monkeypatch.setattr(local_edit, "bands", lambda *_: POINT)


def picture(h: int = 480, w: int = 640, scale: float = 1.0, seed: int = 3, **facts: Any) -> Picture:
    """Coarse grain, as from a photograph; `scale` rgb pixels per full-size pixel."""
    grain = np.random.default_rng(seed).integers(60, 200, (-(-h // 4), -(-w // 4), 3), np.uint8)
    rgb = np.ascontiguousarray(grain.repeat(4, 0).repeat(4, 1)[:h, :w])
    media = Media("PNG", round(w / scale), round(h / scale), 10)
    return Picture(rgb=rgb, media=media, sha256=hashlib.sha256(b"x").hexdigest(), data=b"", scale=scale, **facts)


def planted(monkeypatch: pytest.MonkeyPatch, cells: npt.NDArray[np.float32]) -> None:
    """Has the heads answer with this map, and CLIP with nothing of interest."""

    def run(model: str, feeds: dict[str, npt.NDArray[np.float32]], _names: Any = None) -> list[npt.NDArray[np.float32]]:
        if model in (clip.TRUNK, local_edit.AXES):
            return [np.zeros((1, 196, 8), np.float32)]
        assert feeds["cells"].shape == (1, *cells.shape, 8)
        return [cells[np.newaxis, np.newaxis]]

    monkeypatch.setattr(sessions, "run", run)


def flat(h: int = 24, w: int = 32, level: float = -6.0) -> npt.NDArray[np.float32]:
    """A map of a picture of 4 to 3: 512 x 384 px for the detector."""
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
    cells[4:12, 16:24] = 6.0
    cells[20:21, 2:5] = 5.0
    cells[2, 2] = 6.0  # a single cell is no region
    planted(monkeypatch, cells)
    found = find(picture())
    assert (found.state, found.says) == (State.OK, local_edit.LIKELY)
    assert POINT.place(found) is Band.LIKELY_SYNTHETIC
    assert [r.box for r in found.regions] == [(320, 80, 160, 160), (40, 400, 60, 20)]
    assert {r.kind for r in found.regions} == {"edited"}
    assert found.model == ENTRY.ref


def test_boxes_and_map_are_at_full_size(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = flat()  # 3072 px, of which the picture has half, shrunk to 512
    cells[:12, :16] = 6.0
    planted(monkeypatch, cells)
    found = find(picture(1152, 1536, scale=0.5))
    assert found.regions[0].box == (0, 0, 1536, 1152)
    assert found.details["map"]["box"] == [0, 0, 3072, 2304]


def test_a_map_that_reaches_beyond_the_picture_keeps_its_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, flat(19, 26, 6.0))
    assert find(picture(300, 401)).details["map"]["box"] == [0, 0, 416, 304]


def test_the_map_can_be_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = flat()
    cells[4:12, 16:24] = 6.0
    planted(monkeypatch, cells)
    shown = find(picture()).details["map"]
    assert (shown["rows"], shown["columns"]) == (24, 32)
    values = np.frombuffer(base64.b64decode(shown["values"]), np.uint8).reshape(24, 32)
    assert (values[4:12, 16:24] > 250).all()
    assert values[0, 0] < 5
    json.dumps(shown)


def test_tiles_cover_what_they_can_and_lie_on_the_grid() -> None:
    assert local_edit.tiles(224, 224) == [(0, 0)]
    for h, w in ((224, 448), (400, 304), (448, 448)):
        seen = np.zeros((h, w), bool)
        for y, x in local_edit.tiles(h, w):
            seen[y : y + 224, x : x + 224] = True
        assert seen.all()
    large = local_edit.tiles(384, 512)
    assert (len(large), large[-1]) == (5, (80, 144))
    assert all(y % 16 == x % 16 == 0 for y, x in large)
    assert local_edit.padded(np.zeros((200, 301, 3), np.uint8)).shape == (224, 304, 3)


def mean_colours(tile: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Stands in for CLIP: each patch is its mean colour, so the map must be the picture made small."""
    return tile.reshape(1, 3, 14, 16, 14, 16).mean((3, 5)).reshape(1, 3, 196).transpose(0, 2, 1)


def test_patches_lie_where_the_picture_has_them() -> None:
    ramp = np.add.outer(np.arange(300) // 3, np.arange(400) // 3)
    found = local_edit.patches(np.repeat(ramp[..., None], 3, 2).astype(np.uint8), mean_colours)
    assert found.shape == (19, 25, 3)
    assert (np.diff(found[:18, :, 0], axis=0) > 0).all()
    assert (np.diff(found[:, :, 0], axis=1) > 0).all()


def test_where_no_tile_lies_the_nearest_cell_stands() -> None:
    pixels = np.zeros((512, 512, 3), np.uint8)
    pixels[:240, 240:272] = 255  # between the upper corners' tiles and above the middle's, for its most part
    found = local_edit.patches(pixels, mean_colours)
    assert found.shape == (32, 32, 3)
    assert (found[:7, 15:17] == found[0, 0]).all()
    assert (found[8:14, 15:17] > 0).all()


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
    planted(monkeypatch, flat())
    assert find(picture(1152, 1536, scale=0.5, quantisation={0: (60,) * 64})).score is not None


def test_what_is_no_photograph_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_edit, "not_a_photograph", lambda _: Graphic(0.9))
    monkeypatch.setattr(sessions, "run", lambda *_: pytest.fail("the network was run"))
    found = find(picture())
    assert (found.state, found.score, found.says) == (State.NOT_APPLICABLE, None, Graphic(0.9).says)


def test_without_a_model_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_edit, "manifest", dict)
    found = find(picture())
    assert (found.state, found.score, found.says) == (State.NOT_APPLICABLE, None, local_edit.NOT_IN_USE)


def test_the_manifest_says_what_the_model_reads() -> None:
    assert (SHIPPED.detector, SHIPPED.profile, SHIPPED.preprocess) == ("local_edit", "thorough", "edit-tiles/1")
    assert SHIPPED.inputs == {"cells": (1, None, None, 358)}
    first = manifest.entry(local_edit.AXES)
    assert (first.inputs, first.outputs) == ({"patches": (1, 196, 4608)}, ("cells",))
    assert first.golden == SHIPPED.golden == "tests/golden/local_edit.json"


@pytest.mark.parametrize("seed", range(len(SHAPES)))
def test_golden(seed: int) -> None:
    case, pixels = GOLDEN["cases"][seed], np.asarray(canonical(golden_picture(seed)))
    assert (GOLDEN["models"], GOLDEN["preprocess"]) == ([local_edit.AXES, SHIPPED.id], SHIPPED.preprocess)
    assert hashlib.sha256(golden_picture(seed).tobytes()).hexdigest() == case["picture_sha256"]
    seen = local_edit.patches(pixels, lambda tile: clip.seen(tile, clip.PATCHES)[clip.PATCHES])
    assert list(seen.shape) == case["shape"]
    blocks = seen.reshape(-1, 6, 768)
    assert blocks.mean((0, 2)) == pytest.approx(case["mean"], abs=1e-3)
    assert blocks.std((0, 2)) == pytest.approx(case["deviation"], rel=0.02)
    logits = local_edit.cell_logits(pixels)
    # CLIP's int8 weights are rounded as the processor does: see test_inference_golden.py
    assert logits[::5, ::4].ravel() == pytest.approx(case["logits"], abs=0.25)
    assert local_edit.raw_score(logits) == pytest.approx(case["raw"], abs=0.1)


def test_a_map_that_lies_askew_would_be_noticed() -> None:
    turned = local_edit.cell_logits(np.asarray(canonical(golden_picture(0)))[::-1])
    assert turned[::5, ::4].ravel() != pytest.approx(GOLDEN["cases"][0]["logits"], abs=0.25)


def test_no_model_is_shipped_that_failed_its_test() -> None:
    found, check = FIGURES["test"]["inpaintings"], FIGURES["sanity"]
    passed = found["auc"] >= 0.85 and found["f1"] >= 0.5
    passed = passed and check["drop_undone"] > max(0.0, check["drop_undone_elsewhere"])
    assert passed
