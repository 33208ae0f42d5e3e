"""Calibration on a user's own pictures: the curve, thresholds that keep to 1 %, and figures from held-out folds."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from detectors.errors import FileRefused
from detectors.finding import Finding, Role, State
from detectors.third_party import ask, figures, store
from detectors.third_party.card import Card
from detectors.verdict import Band, Bands, decide
from tests import onnx_files as onnx
from tests.unit.test_third_party_model import card

OURS = Bands(likely=0.9, clear=0.3, false_positive_rate=0.01, recall=0.5, miss_rate=0.1, n_real=100, n_synthetic=100)


def drawn(n: int, apart: float, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose true log-odds are `apart` * score, for two normal classes of n."""
    rng = np.random.default_rng(seed)
    raw = np.concatenate([rng.normal(-apart / 2, 1, n), rng.normal(apart / 2, 1, n)])
    return raw, np.repeat([0, 1], n)


def alone(n: int) -> list[str]:
    return [""] * (2 * n)


def test_the_curve_is_the_true_one() -> None:
    raw, labels = drawn(20_000, 2.0)
    slope, intercept = figures.fit(raw * 3 + 5, labels)
    assert slope == pytest.approx(2 / 3, rel=0.03)
    assert intercept == pytest.approx(-10 / 3, rel=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_classes_that_do_not_overlap_still_give_a_finite_curve(seed: int) -> None:
    raw, labels = drawn(60, 30.0, seed)
    found = figures.calibrated(raw, labels, alone(60))
    assert 0 < found.slope < 100
    assert (found.auc, found.recall, found.false_positive_rate) == (1.0, 1.0, 0.0)
    assert found.likely >= 0.5 >= found.clear


@pytest.mark.parametrize(("n", "allowed"), [(50, 0), (99, 0), (100, 1), (250, 2)])
def test_at_most_one_percent_of_her_photographs_reach_likely(n: int, allowed: int) -> None:
    raw, labels = drawn(n, 1.0)
    found = figures.calibrated(raw, labels, alone(n))
    p = np.array([found(r) for r in raw])
    assert (p[labels == 0] >= found.likely).sum() == allowed
    assert (p[labels == 1] < found.clear).mean() <= figures.MISSED


def test_the_figures_are_those_of_folds_that_set_no_threshold() -> None:
    """A photograph above all others sets the shipped threshold, but not that of the fold that holds it out."""
    raw, labels = drawn(60, 4.0)
    raw[7] = 9.0
    found = figures.calibrated(raw, labels, alone(60))
    p = np.array([found(r) for r in raw])
    assert (p[labels == 0] >= found.likely).sum() == 0
    assert found.false_positive_rate >= 1 / 60
    assert found.recall > 0  # in that one fold
    assert (p[labels == 1] >= found.likely).mean() == 0


def test_the_calibration_error_is_small_for_a_good_curve_and_large_for_a_bad_one() -> None:
    raw, labels = drawn(4000, 2.0)
    assert figures.calibrated(raw, labels, alone(4000)).calibration_error < 0.03
    sure = np.where(raw > 0, 0.999, 0.001)
    assert figures.calibration_error(sure, labels) > 0.1


def test_whole_folders_are_held_out_where_there_are_enough() -> None:
    raw, labels = drawn(60, 2.0)
    folders = [f"source{i % 6}" for i in range(120)]
    folds, held_out = figures._folds(labels, folders)
    assert held_out == "folders"
    for name in set(folders):
        for y in (0, 1):
            places = [i for i, f in enumerate(folders) if f == name and labels[i] == y]
            assert len(set(folds[places])) == 1
    assert all({0, 1} == set(labels[folds == f]) for f in range(5))
    assert figures.calibrated(raw, labels, folders).held_out == "folders"
    folds, held_out = figures._folds(labels, ["a", "b", "c", "d"] * 30)
    assert held_out == "files"
    assert {int((folds == f).sum()) for f in range(5)} == {24}


def test_the_bound_is_clopper_and_pearsons() -> None:
    # The last two are scipy.stats.beta.ppf(0.95, k + 1, n - k).
    assert figures.bound(0, 60) == pytest.approx(1 - 0.05 ** (1 / 60), abs=1e-6)
    assert figures.bound(1, 50) == pytest.approx(0.09140, abs=1e-4)
    assert figures.bound(17, 100) == pytest.approx(0.24402, abs=1e-4)
    assert figures.bound(5, 5) == 1.0


def test_too_few_pictures_and_a_model_that_points_the_wrong_way_are_refused() -> None:
    raw, labels = drawn(60, 2.0)
    with pytest.raises(FileRefused, match="too_few_pictures") as e:
        figures.calibrated(raw[:109], labels[:109], alone(60)[:109])
    assert "60 photographs and 49 synthetic" in e.value.message
    with pytest.raises(FileRefused, match="model_points_the_wrong_way"):
        figures.calibrated(-raw, labels, alone(60))


def added(**changes: object) -> store.Added:
    table = figures.calibrated(*drawn(60, 3.0), alone(60))
    base = store.Added("mine", store.folder() / "mine", "ab" * 32, 10, 1.0, card(), table, counts=True)
    return replace(base, **changes)  # type: ignore[arg-type]


def ours(score: float = 0.1, state: State = State.OK, says: str = "No traces.") -> Finding:
    return Finding("generated", Role.LEARNED, state, score if state is State.OK else None, says)


def verdict(model: store.Added, raw: float, score: float = 0.1) -> tuple[Band, float | None, str]:
    points = {"generated": OURS} | ({model.detector: model.calibration.bands} if model.calibration else {})
    found = decide([ours(score), ask.worded(model, raw)], points)
    return found.band, found.p_synthetic, " ".join(found.reasons)


def test_only_a_calibrated_model_that_the_user_lets_count_moves_a_verdict() -> None:
    before = decide([ours()], {"generated": OURS})
    for shown in (added(calibration=None), added(counts=False), added(problem="broken")):
        finding = ask.worded(shown, 9.0)
        assert finding.role is Role.CONTEXT
        assert "counted" in finding.says
        assert verdict(shown, 9.0)[:2] == (before.band, before.p_synthetic)
    assert before.band is Band.NO_SIGNS
    counted = ask.worded(added(), 9.0)
    assert counted.role is Role.LEARNED
    assert counted.detector == "third_party:mine"
    band, p, reasons = verdict(added(), 9.0)
    assert band is Band.LIKELY_SYNTHETIC
    assert p is not None
    assert before.p_synthetic is not None
    assert p > before.p_synthetic
    assert "60 photographs and 60 synthetic pictures that you calibrated it with" in reasons
    assert "never used in training" not in reasons
    assert verdict(added(), -9.0)[0] is Band.NO_SIGNS


def test_an_unclear_counted_model_quotes_its_own_figures_too() -> None:
    model = added()
    assert model.calibration is not None
    middle = (model.calibration.likely + model.calibration.clear) / 2
    raw = (np.log(middle / (1 - middle)) - model.calibration.intercept) / model.calibration.slope
    band, _, reasons = verdict(model, float(raw))
    assert band is Band.INCONCLUSIVE
    assert "that you calibrated it with" in reasons


def test_a_kept_model_comes_back_as_it_was() -> None:
    data = onnx.brightness([1, 1, 1])
    model = store.new(card(), data)
    store.add(replace(model, ms=3.0), data)
    assert store.installed() == (replace(model, ms=3.0),)
    store.save(replace(model, calibration=added().calibration, counts=True))
    (found,) = store.installed()
    assert found.counted
    assert found.calibration == added().calibration
    assert found.path.read_bytes() == data
    assert [p.name for p in store.folder().iterdir()] == [found.name]
    with pytest.raises(FileRefused, match="model_name_taken"):
        store.new(card(), data)
    store.remove(found)
    assert store.installed() == ()
    with pytest.raises(FileRefused, match="model_unknown"):
        store.find(found.name)


def test_the_cards_sha256_is_held() -> None:
    wrong: Card = replace(card(), sha256="0" * 64)
    with pytest.raises(FileRefused, match="model_not_the_cards"):
        store.new(wrong, b"data")


@pytest.mark.parametrize(
    "change",
    [
        {"layout": 2},
        {"card": None},
        {"card": {"name": "mean-brightness-1.0"}},
        {"calibration": {"slope": 1}},
        {"calibration": "NaN"},
        {"bytes": "many"},
    ],
)
def test_an_entry_that_makes_no_sense_is_kept_and_not_used(change: dict[str, object]) -> None:
    data = onnx.brightness([1, 1, 1])
    store.add(store.new(card(), data), data)
    path = store.folder() / "mean-brightness-1.0" / store.ENTRY
    entry = json.loads(path.read_text())
    table = asdict(figures.calibrated(*drawn(60, 3.0), alone(60)))
    path.write_text(json.dumps({**entry, "calibration": table, "counts": True}))
    assert store.installed()[0].counted, "the same entry without the fault"
    if change.get("calibration") == "NaN":
        change = {"calibration": {**table, "likely": float("nan")}}
    path.write_text(json.dumps({**entry, "counts": True, **change}))
    (found,) = store.installed()
    assert found.problem
    assert not found.counted
    assert path.exists()
