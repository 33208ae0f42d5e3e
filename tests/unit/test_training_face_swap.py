"""Self-blends change a face or its surroundings, classes are degraded alike, videos stay together, the card is true."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from detectors.finding import Profile
from detectors.inference import manifest
from detectors.inference.faces import SIDE, square
from models.training import self_blend

CARDS = Path(__file__).resolve().parents[2] / "models/cards"
BOX = (60.0, 50.0, 90.0, 100.0)


def portrait(seed: int = 0, width: int = 210, height: int = 200) -> npt.NDArray[np.uint8]:
    """Soft colours with grain, as a stand-in for a photograph of a face."""
    rng = np.random.default_rng(seed)
    soft = Image.fromarray(rng.integers(60, 200, (12, 12, 3), np.uint8)).resize((width, height))
    return np.clip(np.asarray(soft, np.float64) + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)


# Self-blends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_a_mask_covers_part_of_the_face_and_never_the_corners(seed: int) -> None:
    m = self_blend.mask((210, 200), BOX, np.random.default_rng(seed))
    assert m.shape == (200, 210, 1)
    assert m.min() == 0
    assert 0.3 < m.max() <= 1
    inside = m[50:150, 60:150].sum()
    assert inside > 0.6 * m.sum()
    assert m[:10, :10].max() == 0
    assert m[-10:, -10:].max() == 0


@pytest.mark.parametrize("other", [False, True])
def test_a_blend_is_seeded_and_changes_the_face_or_its_surroundings(other: bool) -> None:
    patch, second = portrait(), (portrait(9), (50.0, 60.0, 80.0, 90.0)) if other else None
    around = []
    for seed in range(16):
        made = [self_blend.blended(patch, BOX, np.random.default_rng(seed), second) for _ in range(2)]
        assert np.array_equal(*made)
        change = np.abs(made[0].astype(int) - patch).mean(2)
        around.append(change[:10, :10].max() > 0)
        assert around[-1] or change[60:140, 70:140].max() > 2
    # Another face is always put inside; a face is blended onto itself both ways, so neither look alone is the sign.
    assert set(around) == ({False} if other else {False, True})


def test_another_face_lands_on_the_box_with_its_colours() -> None:
    patch = portrait()
    bright = np.full((120, 120, 3), 20, np.uint8)
    bright[30:90, 20:70] = portrait(4, 50, 60) // 3 + 150
    image = np.asarray(self_blend.fitted((bright, (20.0, 30.0, 50.0, 60.0)), patch, BOX), np.float64)
    assert image.shape == patch.shape
    place = (slice(80, 130), slice(80, 130))
    assert image[place].mean((0, 1)) == pytest.approx(patch[place].mean((0, 1)), abs=12)


@pytest.mark.parametrize("seed", range(12))
def test_both_classes_are_degraded_alike(seed: int) -> None:
    patch = portrait()
    both = self_blend.degraded([patch, patch], BOX, SIDE, np.random.default_rng(seed))
    assert both.shape == (2, SIDE, SIDE, 3)
    assert np.array_equal(both[0], both[1])
    other = self_blend.degraded([patch], BOX, SIDE, np.random.default_rng(seed + 100))
    assert not np.array_equal(both[0], other[0])


# The card -------------------------------------------------------------------------------------------------------


FIGURES: dict[str, Any] = json.loads((CARDS / "face_swap.json").read_text(encoding="utf-8"))
PROFILES = {"face-swap": (Profile.FAST, FIGURES), "face-swap-clip": (Profile.THOROUGH, FIGURES["thorough"])}


@pytest.mark.parametrize("model", PROFILES)
def test_manifest_carries_the_measured_operating_point(model: str) -> None:
    profile, figures = PROFILES[model]
    bands = manifest.bands(profile, "face_swap")
    assert {k: getattr(bands, k) for k in figures["bands"]} == figures["bands"]
    calibration = manifest.entry(model).calibration
    assert calibration is not None
    assert list(calibration.raw) == figures["calibration"]["raw"]
    assert list(calibration.probability) == figures["calibration"]["probability"]


@pytest.mark.parametrize("model", PROFILES)
def test_figures_keep_their_promises(model: str) -> None:
    _, figures = PROFILES[model]
    for copy in figures["shipped"].values():
        assert copy["photographs_likely"] <= 0.002
        assert copy["video_reals_likely"] <= 0.002
    assert figures["calibration_error"] <= 0.05
    assert sum(g["pictures"] for g in figures["held_out_sources"].values()) == FIGURES["held_out"] > 300
    assert FIGURES["leak_auc"] < 0.65


def test_no_source_is_called_swapped_more_often_by_the_closer_look() -> None:
    fast, close = FIGURES, FIGURES["thorough"]
    for quick, near in (
        (fast["held_out_sources"], close["held_out_sources"]),
        (fast["others"]["sources_trained_on"], close["others"]["sources_trained_on"]),
    ):
        assert quick.keys() == near.keys()
        assert all(near[source]["likely"] <= quick[source]["likely"] for source in quick)


def test_the_closer_look_is_worth_its_time() -> None:
    assert FIGURES["thorough"]["copies"]["untouched"]["auc"] >= FIGURES["copies"]["untouched"]["auc"] + 0.05


# What needs PyTorch ---------------------------------------------------------------------------------------------


@pytest.fixture
def recipe() -> SimpleNamespace:
    """The parts of the recipe."""
    pytest.importorskip("torch", reason="training needs the extra `train`")
    pytest.importorskip("onnx", reason="training needs the extra `train`")
    from models.training import face_figures, face_network, face_samples, face_swap

    return SimpleNamespace(figures=face_figures, network=face_network, samples=face_samples, export=face_swap)


def test_crops_of_one_scene_stay_in_one_fold(recipe: SimpleNamespace, tmp_path: Path) -> None:
    paths = []
    for scene in range(12):
        for k in range(1 + scene % 3):
            pixels = portrait(scene, 224, 224)
            pixels[70:150, 80:140] = portrait(100 + k, 60, 80)  # another face in the same surroundings
            paths.append(tmp_path / f"{scene}-{k}.png")
            Image.fromarray(pixels).save(paths[-1])
    scene = recipe.samples.scenes(paths)
    names = [p.name.split("-")[0] for p in paths]
    assert len(set(scene)) == 12
    assert all((scene[a] == scene[b]) == (names[a] == names[b]) for a in range(len(paths)) for b in range(len(paths)))
    fold = recipe.samples.folds_of(scene)
    assert set(fold) == set(range(recipe.samples.FOLDS))
    assert all(len(set(fold[scene == s])) == 1 for s in set(scene))


def test_no_held_out_source_shares_a_site_with_one_that_is_learnt_from(recipe: SimpleNamespace) -> None:
    from models.training import data

    try:
        base = data.shared()
    except FileNotFoundError as e:
        pytest.skip(str(e))
    rows = (base / "data/images/labels.csv").read_text(encoding="utf-8").splitlines()
    columns = rows[0].split(",")
    known = [dict(zip(columns, r.split(","), strict=False)) for r in rows[1:]]
    sites = [
        {r["repo"] for r in known if r["kind"] == "real" and (r["group"] in recipe.samples.HELD_OUT) is w}
        for w in (True, False)
    ]
    assert sites[0]
    assert not sites[0] & sites[1]


def test_the_worst_face_stands_for_its_picture(recipe: SimpleNamespace) -> None:
    scores = np.array([0.1, -2.0, 3.0, 0.5])
    assert recipe.figures.worst(scores, np.array([0, 1, 1, 2])).tolist() == [0.1, 3.0, 0.5]


def test_calibration_weighs_both_classes_alike_and_must_rise(recipe: SimpleNamespace) -> None:
    rng = np.random.default_rng(2)
    raw, y = np.concatenate([rng.normal(2, 1, 300), rng.normal(0, 1, 3000)]), np.repeat([1, 0], [300, 3000])
    table = recipe.figures.calibration(raw, y)
    p = np.interp([1.0, 3.0, -1.0], table["raw"], table["probability"])
    assert p == pytest.approx([0.5, 0.98, 0.02], abs=0.03)
    with pytest.raises(ValueError, match="fall"):
        recipe.figures.calibration(-raw, y)


def test_thresholds_keep_the_budget_on_every_kind_of_copy(recipe: SimpleNamespace) -> None:
    rng = np.random.default_rng(3)
    copies = [rng.random(2000) * 0.8, rng.random(2000)]
    found = recipe.figures.thresholds(copies)
    assert all((p >= found["likely"]).mean() <= recipe.figures.BUDGET for p in copies)
    assert all((p >= found["clear"]).mean() <= recipe.figures.INCONCLUSIVE for p in copies)
    assert found["clear"] < found["likely"]
    near, wide = (recipe.figures.thresholds(copies[:1], margin) for margin in (recipe.figures.MARGIN, 0.003))
    assert wide["likely"] - near["likely"] == pytest.approx(0.003 - recipe.figures.MARGIN, abs=1.1e-4)


def test_a_patch_keeps_the_face_where_its_box_says(recipe: SimpleNamespace) -> None:
    rgb = np.zeros((700, 900, 3), np.uint8)
    rgb[200:500, 300:560] = 200
    pixels, box = recipe.samples.patch(rgb, (300.0, 200.0, 260.0, 300.0))
    assert max(box[2:]) == pytest.approx(self_blend.LARGEST)
    x, y, w, h = (round(v) for v in box)
    assert pixels[y + 3 : y + h - 3, x + 3 : x + w - 3].min() > 190
    assert pixels[: y - 3].max() < 10


def test_onnx_equals_torch_and_the_check_can_fail(
    recipe: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    torch.manual_seed(0)
    net = recipe.network.FaceNetwork().eval()
    assert recipe.export.write_model(net, tmp_path / "net.onnx").shape == (3, 1)
    monkeypatch.setattr(recipe.export, "TOLERANCE", -1.0)
    with pytest.raises(RuntimeError, match="differs"):
        recipe.export.write_model(net, tmp_path / "net.onnx")


def test_saved_again_keeps_faces_large_enough(recipe: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "photograph.jpg"
    Image.fromarray(portrait(1, 400, 300)).save(path)
    item = recipe.samples.Item(path, "real", "g", "r", ((100.0, 80.0, 70.0, 90.0),), 0)
    first, again = recipe.samples.saved_again(item), recipe.samples.saved_again(item)
    assert np.array_equal(first, again)
    assert first.shape == (1, SIDE, SIDE, 3)
    plain = square(np.asarray(Image.open(path)), item.boxes[0])
    assert 1 < np.abs(first[0].astype(int) - plain).mean() < 40


# The closer look ------------------------------------------------------------------------------------------------


@pytest.fixture
def close() -> Any:
    """The recipe of the thorough profile's probe."""
    pytest.importorskip("torch", reason="training needs the extra `train`")
    pytest.importorskip("onnx", reason="training needs the extra `train`")
    from models.training import face_clip

    return face_clip


def crops(close: Any, signal: float, seed: int = 0) -> Any:
    """What CLIP might see of 200 crops of 100 scenes: noise that tells each scene, and a `signal` of the label."""
    rng = np.random.default_rng(seed)
    y, scene = np.tile([0, 1], 100), np.repeat(np.arange(100), 2)
    x = np.repeat(rng.normal(0, 2, (100, 60)), 2, axis=0) + rng.normal(0, 0.1, (200, 60))
    x[:, 0] += signal * y
    return close.Videos(y, scene, scene % 5, [x], {"untouched": x})


def test_what_a_fold_is_scored_by_has_seen_nothing_of_it(close: Any) -> None:
    before, after = crops(close, 3.0), crops(close, 3.0)
    mine = after.fold == 2
    after.y[mine] = 1 - after.y[mine]
    after.fitted[0][mine] += 5
    for outer in range(5):
        probes = [close.Fits(v).probe(outer, close.Fits(v).choose(outer)) for v in (before, after)]
        assert np.array_equal(*probes) is (outer == 2)


def test_without_a_signal_the_figures_say_so(close: Any) -> None:
    from models.training import metrics

    found = {}
    for signal in (0.0, 6.0):
        fits = close.Fits(crops(close, signal))
        found[signal] = metrics.auc(fits.out_of_fold([fits.choose(f) for f in range(5)], "untouched"), fits.v.y)
    assert found[0.0] < 0.6
    assert found[6.0] > 0.9


def test_crops_of_one_scene_are_degraded_alike(close: Any, recipe: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "crop.png"
    Image.fromarray(portrait(2, 224, 224)).save(path)
    item = recipe.samples.Item(path, "real", "dfdc", "r", ((4.0, 4.0, 210.0, 210.0),), 0)
    first = close.learnt(item, 7, 0)
    assert first.shape == (1, 224, 224, 3)
    assert np.array_equal(first, close.learnt(item, 7, 0))
    assert not np.array_equal(first, close.learnt(item, 8, 0))
    straight = close.learnt(item, 7, 1)[0].astype(int)
    assert (
        np.abs(first[0, :, ::-1] - straight).mean() < np.abs(first[0] - straight).mean()
    )  # the even ones are mirrored


def test_the_largest_faces_are_judged_by_the_probe_and_the_others_by_the_small_network(
    close: Any, recipe: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    boxes = ((0.0, 0.0, 90.0, 90.0), (1.0, 0.0, 80.0, 80.0), (2.0, 0.0, 70.0, 70.0))
    items = [recipe.samples.Item(tmp_path, "real", "g", "r", boxes[:n], 0) for n in (1, 3)]
    owner = np.array([0, 1, 1, 1])
    monkeypatch.setattr(close, "squares", lambda *_: (np.zeros((4, SIDE, SIDE, 3), np.uint8), owner))
    trunk = SimpleNamespace(of_items=lambda *_: np.array([[0.1], [0.2], [0.3]]))
    table = {"raw": [0.0, 1.0], "probability": [0.0, 1.0]}
    for logit, expected in ((0.9, [0.1, 0.9]), (0.0, [0.1, 0.3])):
        monkeypatch.setattr(close, "quick", lambda pixels, logit=logit: np.full(len(pixels), logit))
        shipped = close.Shipped(trunk, np.array([1.0, 0.0]), table, table)
        assert shipped.probabilities("any", items) == pytest.approx(expected)
