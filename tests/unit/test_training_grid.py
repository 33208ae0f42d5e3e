"""The degradation grid: every cell does what it says, alike for both classes; losses are paired; the peer is scored."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detectors.inference.preprocess import canonical, two_views
from models.training import data, diagrams, grid, metrics, peers

SIZES = [(300, 200), (240, 320)]


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[data.Item]:
    """Twelve coloured pictures with texture, both classes in the same shapes, in three groups."""
    monkeypatch.setenv("COUNTERPROOF_CACHE", str(tmp_path / "cache"))
    found = []
    for k in range(12):
        rng = np.random.default_rng(k)
        smooth = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8)).resize(
            (400, 300), Image.Resampling.BICUBIC
        )
        noisy = np.asarray(smooth).astype(int) + rng.integers(-20, 21, (300, 400, 3))
        path = tmp_path / f"{k}.png"
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)
        found.append(data.Item(path, k % 2, f"group {k % 3}", f"site {k % 3}", k % 3))
    return found


def opened(pictures: list[data.Item], index: int, cell: str) -> Image.Image:
    return Image.open(io.BytesIO(grid.content(pictures, index, cell, SIZES)))


def grain(image: Image.Image) -> float:
    """Mean step between neighbours, in grey levels."""
    return float(np.abs(np.diff(np.asarray(image.convert("L"), np.float64), axis=1)).mean())


@pytest.mark.parametrize("cell", grid.CELLS)
def test_cells_are_seeded_and_differ_between_pictures(pictures: list[data.Item], cell: str) -> None:
    first, again, other = (grid.content(pictures, k, cell, SIZES) for k in (0, 0, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("index", [0, 1])
def test_cells_do_what_they_say(pictures: list[data.Item], index: int) -> None:
    made = {cell: opened(pictures, index, cell) for cell in grid.CELLS}
    width, height = made[grid.ORIGINAL].size
    for share in (75, 50, 35):
        assert made[f"resize {share} %"].size == (round(width * share / 100), round(height * share / 100))
    assert made["crop 70 %"].size == (round(width * 0.7), round(height * 0.7))
    assert made["WebP 75"].format == "WEBP"
    coarse = [np.mean(made[f"JPEG {q}"].quantization[0]) for q in (90, 75, 60)]
    assert coarse == sorted(coarse)
    assert coarse[0] < coarse[2]
    assert made["messenger twice"].format == "JPEG"
    assert max(made["messenger twice"].size) < max(width, height)
    assert np.ptp(np.asarray(made["greyscale"]), axis=2).max() == 0
    assert np.ptp(np.asarray(made[grid.ORIGINAL]), axis=2).max() > 50
    assert grain(made["mild blur"]) < 0.7 * grain(made[grid.ORIGINAL])
    assert made["portrait retouching"].size == made["mild blur"].size == (width, height)


def test_retouching_smooths_skin_and_leaves_the_rest_sharp() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(-12, 13, (80, 80, 1))
    skin, sky = (np.clip(np.array(c) + noise, 0, 255).astype(np.uint8) for c in ((205, 150, 125), (90, 140, 210)))
    before = [grain(Image.fromarray(p)) for p in (skin, sky)]
    after = [grain(grid.retouched(Image.fromarray(p), np.random.default_rng(1))) for p in (skin, sky)]
    assert after[0] < 0.6 * before[0]
    assert after[1] > 0.9 * before[1]


def test_a_screenshot_is_the_picture_on_a_plain_page() -> None:
    red = Image.new("RGB", (200, 150), (255, 0, 0))
    page = np.asarray(grid.screenshot(red, np.random.default_rng(2))).astype(int)
    is_red = (page == (255, 0, 0)).all(2)
    rows, columns = np.flatnonzero(is_red.any(1)), np.flatnonzero(is_red.any(0))
    assert 0.5 < is_red.mean() < 0.95
    assert is_red[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert np.ptp(page[~is_red], axis=1).max() == 0


def test_any_beginning_holds_both_classes_and_every_group_in_its_share() -> None:
    groups = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    items = [data.Item(Path("x"), label, g + str(label), g, 0) for label in (0, 1) for g in groups]
    chosen = grid.order(items, 40)
    assert len(set(chosen.tolist())) == 80
    assert [items[k].label for k in chosen[:6]] == [0, 1] * 3
    for beginning in (chosen[:20], chosen[:80]):
        named = [items[k].group for k in beginning]
        assert abs(named.count("a0") / len(named) - 0.30) <= 0.05
        assert abs(named.count("b1") / len(named) - 0.15) <= 0.05
    assert grid.order(items, 500).size == 200


def test_files_are_made_once_and_read_back(pictures: list[data.Item], monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = grid.order(pictures, 2)
    grid.make_files(pictures, chosen)
    assert grid.picture("greyscale", int(chosen[0])).shape[2] == 3
    monkeypatch.setattr(grid, "content", lambda *_: pytest.fail("made again"))
    grid.make_files(pictures, chosen)
    with pytest.raises(FileNotFoundError):
        grid.picture("greyscale", 999)
    assert len({grid.folder(cell) for cell in grid.CELLS}) == len(grid.CELLS)


def test_features_go_on_where_they_stopped_and_every_cell_has_the_same_pictures(
    pictures: list[data.Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, calls = grid.order(pictures, 3), 0
    grid.make_files(pictures, chosen)

    def see(views: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls == len(grid.CELLS) + 4:
            raise KeyboardInterrupt
        return views.reshape(len(views), -1)[:, :5].astype(float)

    with pytest.raises(KeyboardInterrupt):
        grid.extract("plain", (5,), see, chosen, batch=4)
    assert grid.common("plain") == 4
    grid.extract("plain", (5,), see, chosen, batch=4)
    assert grid.common("plain") == 6
    assert calls == 2 * len(grid.CELLS) + 1  # what was done is not done again
    for cell in ("original", "JPEG 60"):
        kept = np.load(grid.features_file("plain", cell))
        views = np.stack([two_views(canonical(grid.picture(cell, int(k)))) for k in chosen])
        assert (kept == views.reshape(6, -1)[:, :5]).all()
    (grid.features_file("plain", "JPEG 60").with_suffix(".done")).write_text("3")
    assert grid.common("plain") == 2


def test_losses_are_paired_and_shown_in_bold_beyond_the_goal() -> None:
    rng = np.random.default_rng(3)
    y = np.tile([0, 1], 300)
    clean = rng.normal(0, 1, 600) + 2 * y
    same, worse = clean + rng.normal(0, 0.05, 600), rng.normal(0, 1, 600) + 0.8 * y
    found = grid.cell_figures({grid.ORIGINAL: clean, "same": same, "worse": worse}, y, 2.0)
    assert found[grid.ORIGINAL]["auc"] == round(metrics.auc(clean, y), 4)
    assert found[grid.ORIGINAL]["loss_interval"] == [0, 0]
    low, high = found["same"]["loss_interval"]
    own_low, own_high = found["same"]["auc_interval"]
    assert high - low < 0.3 * (own_high - own_low)  # pairing is what makes small losses visible
    assert found["worse"]["loss_interval"][0] > grid.ALLOWED_LOSS
    assert found[grid.ORIGINAL]["false_positive_rate"] == pytest.approx((clean[y == 0] >= 2).mean(), abs=1e-4)
    block = {"per_class": 300, "cells": dict.fromkeys(grid.CELLS, found["same"]) | {"JPEG 60": found["worse"]}}
    text = grid.render(
        {"seed": 1, "size_auc": 0.5, "too_small": dict.fromkeys(grid.CELLS, 0), "fast": block, "thorough": block}
    )
    assert [line.split(" |")[0] for line in text.splitlines() if "**" in line] == ["| JPEG 60"]


def test_scores_come_from_the_probe_of_the_own_fold() -> None:
    betas = [np.array([1.0, 0.0]), np.array([0.0, 7.0])]
    assert metrics.by_fold(np.array([[3.0], [3.0]]), betas, np.array([0, 1])).tolist() == [3.0, 7.0]


def test_threshold_on_the_probability_is_found_on_the_raw_score() -> None:
    assert grid.raw_at({"raw": [-2.0, 0.0, 4.0], "probability": [0.1, 0.5, 0.9]}, 0.7) == pytest.approx(2.0)


def test_a_peer_that_fails_on_a_file_gains_nothing(tmp_path: Path) -> None:
    rows = [("00003", 0.9, "likely_synthetic"), ("00001", None, None), ("00002", 0.1, "no_signs")]
    lines = [json.dumps({"path": f"in/{n}.jpg", "p_synthetic": p, "verdict": v}) for n, p, v in rows]
    (tmp_path / "out.jsonl").write_text("\n".join(lines), encoding="utf-8")
    p, said = peers.probabilities(tmp_path / "out.jsonl", np.array([1, 2, 3]))
    assert p.tolist() == [0.5, 0.1, 0.9]
    assert said == ["inconclusive", "no_signs", "likely_synthetic"]
    with pytest.raises(KeyError):
        peers.probabilities(tmp_path / "out.jsonl", np.array([4]))


def test_peer_columns_count_its_own_verdicts() -> None:
    y, p = np.array([0] * 20 + [1] * 20), np.r_[np.linspace(0, 0.4, 20), np.linspace(0.3, 1, 20)]
    said = ["likely_synthetic" if v > 0.35 else "no_signs" for v in p]
    found = peers.column(p, said, y, ["photos"] * 20 + ["g1"] * 12 + ["g2"] * 8)
    assert found["auc"] == round(metrics.auc(p, y), 4)
    assert found["own_false_positive_rate"] == pytest.approx((p[:20] > 0.35).mean())
    assert found["pictures"] == {"g1": 12}
    text = peers.render({"real": 20, "synthetic": 20, "columns": {peers.PEER: found, "ours": found}})
    assert "| AUC, g1 (12) |" in text
    assert text.count(f"{found['auc']:.3f}") >= 2


def test_a_diagram_shows_each_curve_once_and_refuses_none() -> None:
    rows = [[0.2, 0.25, 40], [0.9, 0.8, 12], [0.95, 0.1, diagrams.FEWEST - 1]]
    found = diagrams.curves({"seed": 1, "thorough": {"reliability": rows}, "x": {"reliability": rows}}, {"x": "a & b"})
    assert found == {"thorough": rows, "a & b": rows}
    assert diagrams.curves({"reliability": rows}, {}) == {"all": rows}
    text = diagrams.svg(found)
    assert text.count("<polyline") == 2
    assert text.count("<circle") == 4
    assert "a &amp; b" in text
    left, bottom = diagrams.LEFT, diagrams.TOP + diagrams.SIDE
    assert f'cx="{left + 0.2 * diagrams.SIDE:.1f}" cy="{bottom - 0.25 * diagrams.SIDE:.1f}"' in text
    with pytest.raises(ValueError, match="curves"):
        diagrams.svg({})
