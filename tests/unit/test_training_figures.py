"""The card says what was measured; the figures themselves are computed right; the folds do not leak."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from detectors.finding import Profile
from detectors.inference import manifest
from detectors.signals.generated import MODELS
from models.training import data, degrade, generated_card, metrics

CARDS = Path(__file__).resolve().parents[2] / "models/cards"


@pytest.fixture
def figures() -> dict[str, Any]:
    return json.loads((CARDS / "generated.json").read_text(encoding="utf-8"))


def test_manifest_carries_the_measured_operating_point(figures: dict[str, Any]) -> None:
    for profile, model in MODELS.items():
        bands = manifest.bands(profile)
        stated = asdict(bands)
        assert {k: stated[k] for k in figures[model]["bands"]} == figures[model]["bands"]
    for model in MODELS.values():
        calibration = manifest.entry(model).calibration
        assert calibration is not None
        assert list(calibration.raw) == figures[model]["calibration"]["raw"]
        assert list(calibration.probability) == figures[model]["calibration"]["probability"]


def test_readme_shows_the_measured_figures(figures: dict[str, Any]) -> None:
    readme = (CARDS.parents[1] / "README.md").read_text(encoding="utf-8")
    rates = [figures[MODELS[profile]]["bands"] for profile in (Profile.FAST, Profile.THOROUGH)]
    rates.append(figures["cascade_rates"])
    for name in ("false_positive_rate", "recall", "miss_rate"):
        assert " | ".join(f"{own[name] * 100:.1f} %" for own in rates) in readme
    columns = [figures[kind] for kind in ("messenger", "thorough", "cascade")]
    aucs = [f"{c['auc']:.3f} ({c['auc_interval'][0]:.3f}–{c['auc_interval'][1]:.3f})" for c in columns]
    assert " | ".join(aucs) in readme


def test_figures_keep_their_promises(figures: dict[str, Any]) -> None:
    assert set(generated_card.COPIES) <= set(figures)
    for kind in generated_card.COPIES:
        assert figures[kind]["shipped"]["false_positive_rate"] <= 0.01
        low, high = figures[kind]["auc_interval"]
        assert low <= figures[kind]["auc"] <= high
    assert figures["leak_auc"] < 0.55
    assert figures["messenger"]["pictures"]


def test_auc_and_recall_by_hand() -> None:
    y = np.array([0, 0, 0, 0, 1, 1])
    s = np.array([0.1, 0.2, 0.3, 0.4, 0.4, 0.9])
    assert metrics.auc(s, y) == pytest.approx((3.5 + 4) / 8)
    assert metrics.recall_at(s, y, 0.0) == 0.5
    assert metrics.recall_at(s, y, 0.25) == 1.0
    with pytest.raises(ValueError, match="both classes"):
        metrics.auc(s, np.ones(6, int))


def test_calibration_error_counts_both_classes_alike() -> None:
    rng = np.random.default_rng(5)
    raw = rng.normal(0, 2, 20000)
    p = 1 / (1 + np.exp(-raw))
    y = (rng.random(20000) < p).astype(int)
    assert metrics.calibration_error(p, y) < 0.02
    assert metrics.calibration_error(np.full(20000, 0.95), y) == pytest.approx(0.45, abs=0.01)


def test_logistic_finds_a_plane() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(0, 1, (500, 3))
    y = (x[:, 0] - x[:, 1] + 0.5 > 0).astype(int)
    beta = metrics.logistic(x, y, np.full(500, 1 / 500), 1e-4)
    assert ((x @ beta[:-1] + beta[-1] > 0) == y).mean() > 0.98


def test_weights_treat_classes_alike_and_tame_large_groups() -> None:
    def item(label: int, group: str) -> data.Item:
        return data.Item(Path("x"), label, group, "r", 0)

    chosen = [item(0, "a")] * 90 + [item(0, "b")] * 10 + [item(1, "c")] * 5
    w = data.group_weights(chosen)
    assert w[:100].sum() == pytest.approx(0.5)
    assert w[100:].sum() == pytest.approx(0.5)
    assert w[:90].sum() / w[90:100].sum() == pytest.approx(3)


def test_size_cannot_tell_the_classes_apart_after_matching() -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 3000)
    short = (rng.normal(250, 60, 3000) + 60 * y).astype(np.int64)
    assert metrics.auc(short.astype(float), y) > 0.7
    bins = data.size_bins(short)
    assert bins.max() == 15
    kept = data.size_matched(bins, y)
    assert y[kept].mean() == 0.5
    assert abs(metrics.auc(short[kept].astype(float), y[kept]) - 0.5) < 0.05


def test_no_picture_of_a_held_out_group_or_site_is_trained_on() -> None:
    def item(group: str, repo: str, fold: int) -> data.Item:
        return data.Item(Path("x"), 0, group, repo, fold)

    all_items = [item("a", "r1", 0), item("b", "r1", 1), item("b", "r2", 1), item("c", "r3", 2)]
    assert data.training_items(all_items, 0) == [2, 3]
    assert data.training_items(all_items, None) == [0, 1, 2, 3]


def test_labelled_pictures_split_by_generator_and_source() -> None:
    try:
        all_items = data.items()
    except FileNotFoundError as e:
        pytest.skip(str(e))
    assert len(all_items) > 3000
    for f in range(data.FOLDS):
        train = [all_items[k] for k in data.training_items(all_items, f)]
        held = [i for i in all_items if i.fold == f]
        assert {i.label for i in held} == {0, 1}
        assert not {i.group for i in train} & {i.group for i in held}
        assert not {i.repo for i in train} & {i.repo for i in held}
        assert len(train) > 1500


@pytest.mark.parametrize("photo", [None, (400, 250)])
@pytest.mark.parametrize("seed", range(6))
def test_degraded_copies_are_seeded_and_never_larger(seed: int, photo: tuple[int, int] | None) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 420, 3), np.uint8))
    first, second = (degrade.messenger(image, photo, np.random.default_rng(seed)) for _ in range(2))
    assert first == second
    with Image.open(io.BytesIO(first)) as copy:
        assert copy.format == "JPEG"
        assert 160 <= max(copy.size) <= 420


def test_generated_pictures_take_the_shape_and_size_of_a_photograph() -> None:
    square = Image.new("RGB", (512, 512))
    for seed in range(40):
        framed = degrade.framed(square, (250, 400), np.random.default_rng(seed))
        assert framed.width / framed.height == pytest.approx(250 / 400, abs=0.02)
        assert 160 <= framed.height <= 400
    assert {degrade.framed(square, None, np.random.default_rng(s)).size[0] > 400 for s in range(20)} == {True, False}
