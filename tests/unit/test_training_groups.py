"""Groups of photographs: the skin's angle by hand, who falls in which group, and rates that would show a difference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.training import data, groups


def face(lab_like: tuple[int, int, int]) -> np.ndarray:
    return np.broadcast_to(np.array(lab_like, np.uint8), (64, 64, 3)).copy()


def test_the_angle_orders_skin_as_a_chart_does() -> None:
    light, middle, dark = (groups.typology_angle(face(c)) for c in ((236, 205, 185), (200, 150, 120), (95, 62, 45)))
    assert light is not None
    assert middle is not None
    assert dark is not None
    assert light > middle > dark
    assert [groups.tone(a) for a in (light, middle, dark)] == [name for name, _ in groups.TONES]
    # by the CIE formula, L* of sRGB (200, 150, 120) is 66.10 and b* is 23.13: the angle is atan(16.10 / 23.13)
    assert middle == pytest.approx(34.84, abs=0.5)


def test_eyes_hair_and_gloss_do_not_move_the_angle() -> None:
    plain, marked = face((200, 150, 120)), face((200, 150, 120))
    marked[20:26, 12:52] = 10  # eyes and brows
    marked[40:43, 30:34] = 255  # gloss
    marked[:8] = marked[-8:] = (10, 60, 200)  # what lies around the face
    assert groups.typology_angle(marked) == pytest.approx(groups.typology_angle(plain), abs=1)


def test_skin_without_yellow_has_no_angle_and_no_group() -> None:
    assert groups.typology_angle(face((120, 130, 180))) is None
    assert groups.tone(None) is None


def test_wilson_by_hand() -> None:
    assert groups.wilson(0, 100) == [0.0, pytest.approx(0.037, abs=5e-4)]
    assert groups.wilson(5, 100) == [pytest.approx(0.0215, abs=5e-4), pytest.approx(0.1118, abs=5e-4)]


def test_the_ratio_is_not_made_up_where_nothing_was_hit() -> None:
    assert groups.ratio([6, 3], [100, 100])["ratio"] == pytest.approx(2.0)
    none = groups.ratio([6, 0], [100, 100])
    assert none["ratio"] is None
    assert none["interval"][1] > 4
    sure, unsure = (groups.ratio([k, k], [1000, 1000])["interval"] for k in (300, 3))
    assert sure[1] - sure[0] < unsure[1] - unsure[0]


def test_a_planted_difference_within_sources_shows_and_one_between_sources_does_not() -> None:
    rng = np.random.default_rng(5)
    source = np.repeat(["s1", "s2"], 300)
    hard = source == "s1"
    mixed = np.where(rng.random(600) < 0.5, "a", "b")
    planted = rng.random(600) < np.where(mixed == "a", 0.25, 0.05)
    assert groups.compare(planted, mixed.tolist(), source.tolist())["chance"] < 0.01
    follows = np.where(rng.random(600) < np.where(hard, 0.9, 0.1), "a", "b")  # group a comes from the hard source
    by_source = rng.random(600) < np.where(hard, 0.25, 0.05)
    found = groups.compare(by_source, follows.tolist(), source.tolist())
    assert found["ratio"] > 1.5
    assert found["chance"] > 0.05


def test_small_groups_and_pictures_in_no_group_are_left_out() -> None:
    group = ["a"] * 30 + ["b"] * 25 + ["c"] * (groups.ENOUGH - 1) + [None] * 40
    hit = np.zeros(len(group), bool)
    hit[[0, 1, 30]] = True
    hit[-40:] = True
    found = groups.compare(hit, group, ["s"] * len(group))
    assert {name: (r["n"], r["hits"]) for name, r in found["groups"].items()} == {"a": (30, 2), "b": (25, 1)}
    assert "ratio" not in groups.compare(hit, ["a"] * 30 + [None] * (len(group) - 30), ["s"] * len(group))


def test_figures_read_the_held_out_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERPROOF_CACHE", str(tmp_path))
    items = [data.Item(Path(f"{k}.jpg"), int(k >= 80), "s1" if k % 2 else "s2", "r", 0) for k in range(100)]
    monkeypatch.setattr(data, "items", lambda: items)
    seen = {
        i.path.name: {"angle": 60.0 if k < 40 else 0.0, "presents": None, "grey": k < 20} for k, i in enumerate(items)
    }
    (tmp_path / "traits.json").write_text(json.dumps(seen), encoding="utf-8")
    lines = [
        {
            "path": f"/x/{k}.jpg",
            "p_synthetic": k / 100,
            "verdict": "likely_synthetic" if k in (1, 41, 42, 90) else "no_signs",
        }
        for k in range(100)
    ]
    (tmp_path / "held-out-thorough.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    found = groups.figures({"thorough": "thorough, degraded"})
    tones = found["copies"]["thorough, degraded"]["tone"]["shipped"]["groups"]
    assert {name: (r["n"], r["hits"]) for name, r in tones.items()} == {
        groups.TONES[0][0]: (40, 1),
        groups.TONES[2][0]: (40, 2),
    }
    assert found["copies"]["thorough, degraded"]["colour"]["shipped"]["groups"]["greyscale"]["hits"] == 1
    assert found["copies"]["thorough, degraded"]["tone"]["at_5_percent"]["groups"][groups.TONES[2][0]]["hits"] == 4
    assert found["copies"]["thorough, degraded"]["presentation"]["shipped"] == {"groups": {}}
    text = groups.render(found)
    assert "2: 5.0 % (1.4–16.5)" in text
    with pytest.raises(FileNotFoundError):
        groups.figures({"messenger": "fast"})


def test_a_face_of_nobody_is_no_face() -> None:
    flat = np.full((200, 200, 3), 128, np.uint8)
    assert groups.traits(flat) == groups.Traits(None, None, True)
