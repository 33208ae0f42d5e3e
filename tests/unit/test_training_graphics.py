"""How the guard is fitted: groups held out together, the same steps for every class, rates that are kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("onnx", reason="training needs the extra `train`")

from models.training import data, graphics, guard

FIGURES = Path(__file__).resolve().parents[2] / "models/cards/guard.json"


def planted(n: int = 1200, shift: float = 4.0) -> guard.Examples:
    """Noise in which graphics stand apart by `shift`; every fold holds all three classes."""
    rng = np.random.default_rng(2)
    label, fold = np.arange(n) % 3, np.arange(n) // 3 % data.FOLDS
    features = {kind: rng.normal(0, 1, (n, 60)) for kind in guard.KINDS}
    for x in features.values():
        x[label == 2, 0] += shift
    group = np.array([f"{k}-{f}" for k, f in zip(label, fold, strict=True)])
    return guard.Examples(features, label, group, fold)


def test_every_group_has_a_fold_and_looks_alike_share_it() -> None:
    assert set(graphics.PACKAGED) | set(graphics.MADE) <= set(graphics.FOLD_OF)
    assert set(graphics.FOLD_OF.values()) == set(range(data.FOLDS))
    for alike in (("text", "scan", "chat"), ("wesnoth", "flare"), ("icons", "emoji"), ("children", "paintings")):
        assert len({graphics.FOLD_OF[g] for g in alike}) == 1


@pytest.mark.parametrize("kind", guard.KINDS)
def test_copies_are_seeded_and_never_larger(kind: str) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 420, 3), np.uint8))
    first, second = (guard.degraded(image, kind, (400, 500), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(np.asarray(first), np.asarray(second))
    assert max(first.size) <= 420
    assert first.size != image.size


def test_graphics_go_through_the_steps_of_the_labelled_pictures() -> None:
    made = graphics.as_labelled(Image.new("RGB", (1000, 600), (9, 200, 90)), np.random.default_rng(1))
    assert made.size == (512, 307)


def test_the_probe_finds_planted_graphics_and_nothing_in_noise() -> None:
    seen = planted()
    figures, shipped = guard.evaluate(seen, draws=5)
    assert figures["nested"]["messenger"]["graphics_rejected"] > 0.8
    assert figures["shipped"]["messenger"]["photographs_rejected"] <= 0.01
    assert np.isfinite(shipped)
    noise, _ = guard.evaluate(planted(shift=0.0), draws=5)
    assert noise["nested"]["messenger"]["graphics_rejected"] < 0.1


def test_the_threshold_keeps_both_rates() -> None:
    seen = planted()
    scores = {kind: x[:, 0] for kind, x in seen.features.items()}
    limit = guard.threshold(scores, seen, np.ones(len(seen.label), bool))
    for value, rate in ((0, guard.REAL_RATE), (1, guard.GENERATED_RATE)):
        assert np.concatenate([s[seen.label == value] > limit for s in scores.values()]).mean() <= rate


def test_figures_keep_their_promises() -> None:
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    assert set(figures["nested"]) == set(guard.KINDS)
    for found in figures["shipped"].values():
        assert found["photographs_rejected"] <= 0.005
        assert found["generated_rejected"] <= 0.02
    assert figures["nested"]["messenger"]["graphics_rejected"] >= 0.6
    assert figures["counts"]["graphics"] > 1000
