"""How edited pictures are made: masks, fills, one way of saving for both classes, and folds that do not leak."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="training needs the extra `train`")

from models.training import edits

Pixels = npt.NDArray[np.uint8]


def scene(seed: int = 1, h: int = 300, w: int = 400) -> Pixels:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (h // 10, w // 10, 3), np.uint8)).resize((w, h), 3)
    return np.asarray(np.clip(np.asarray(coarse) + rng.normal(0, 5, (h, w, 3)), 0, 255), np.uint8)


def swap(picture: Pixels, region: edits.Mask, rng: np.random.Generator) -> Pixels:
    return np.asarray(255 - picture, np.uint8)


@pytest.mark.parametrize("seed", range(25))
def test_masks_cover_about_the_wanted_share(seed: int) -> None:
    found = edits.mask((300, 400), (0.05, 0.2), np.random.default_rng(seed))
    assert found.shape == (300, 400)
    assert found.dtype == bool
    assert 0.004 < found.mean() < 0.35


@pytest.mark.parametrize("seed", range(8))
def test_the_mask_says_where_pixels_changed(seed: int) -> None:
    picture = scene()
    changed, region = edits.edited(picture, swap, np.random.default_rng(seed))
    differs = (changed != picture).any(2)
    assert region.any()
    assert differs[region].mean() > 0.95
    assert differs[~region].mean() < 0.2  # the soft border


@pytest.mark.parametrize("seed", range(12))
def test_a_window_holds_its_region_and_suits_the_networks(seed: int) -> None:
    region = edits.mask((300, 412), (0.02, 0.3), np.random.default_rng(seed))
    rows, columns = edits.window(region, 16)
    assert (rows.stop - rows.start) % 8 == 0
    assert (columns.stop - columns.start) % 8 == 0
    lost = region.copy()
    lost[rows, columns] = False
    assert lost.mean() < 0.02  # at most a strip under 8 px at a border


def test_fills_leave_the_rest_alone() -> None:
    picture, donor = scene(1), scene(2)
    region = np.zeros(picture.shape[:2], bool)
    region[100:180, 120:220] = True
    far = np.ones_like(region)
    far[60:220, 80:260] = False
    fills = {
        "resampled": edits.in_window(edits.resampled),
        "classical": edits.classical,
        "splice": lambda p, r, g: edits.spliced(p, r, g, donor),
    }
    for name, fill in fills.items():
        for seed in range(4):
            out = fill(picture, region, np.random.default_rng(seed))
            assert out.shape == picture.shape
            assert (out[region] != picture[region]).any(), name
            assert (out[far] == picture[far]).all(), name


def test_saving_treats_edited_and_untouched_alike() -> None:
    """The same draws give the same size and tables, whatever is in the picture; sizes and tables say nothing."""
    picture = scene()
    changed, region = edits.edited(picture, swap, np.random.default_rng(3))
    for seed in range(10):
        one = edits.save(changed, region, "x", np.random.default_rng(seed))
        two = edits.save(picture, np.zeros_like(region), "untouched", np.random.default_rng(seed))
        with Image.open(io.BytesIO(one.content)) as a, Image.open(io.BytesIO(two.content)) as b:
            assert a.size == b.size
            assert a.quantization == b.quantization
        assert one.mask.shape == one.pixels().shape[:2]
        assert one.mask.mean() == pytest.approx(region.mean(), abs=0.02)
        assert not two.mask.any()


def test_harmless_changes_keep_size_and_most_of_the_picture() -> None:
    picture = scene()
    for seed in range(20):
        out = edits.harmless(picture, np.random.default_rng(seed))
        assert out.shape == picture.shape
        assert out.dtype == np.uint8


def test_samples_survive_packing(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    made = {}
    for k in (7, 3, 12):
        changed, region = edits.edited(scene(k), swap, rng)
        made[k] = edits.save(changed, region, f"m{k}", rng)
    edits.pack(made, tmp_path / "some.npz")
    again = edits.unpack(tmp_path / "some.npz")
    assert sorted(again) == [3, 7, 12]
    for k, one in again.items():
        assert one.content == made[k].content
        assert one.method == f"m{k}"
        assert (one.mask == made[k].mask).all()


torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("onnx", reason="training needs the extra `train`")

from detectors.signals.local_edit import CELL  # noqa: E402
from models.training import data, edit_figures, edit_network, edit_samples, local_edit  # noqa: E402


def test_samples_and_batches_are_seeded() -> None:
    pool = {}
    for k in range(40):
        rng = np.random.default_rng(k)
        picture, region = scene(k), np.zeros((300, 400), bool)
        if k % 2 == 0:
            picture, region = edits.edited(picture, swap, rng)
        pool[k] = edits.save(picture, region, "untouched" if k % 2 else "x", rng)
    (a, ya), (b, yb), (c, _) = (edit_network.batch(pool, step) for step in (5, 5, 6))
    side = edit_network.CROP // CELL
    assert a.shape == (edit_network.BATCH, 3, edit_network.CROP, edit_network.CROP)
    assert ya.shape == (edit_network.BATCH, 1, side, side)
    assert torch.equal(a, b)
    assert torch.equal(ya, yb)
    assert not torch.equal(a, c)
    edited = ya.amax((1, 2, 3)) > 0
    assert edited[: edit_network.BATCH // 2].float().mean() > 0.8
    assert not edited[edit_network.BATCH // 2 :].any()


def test_half_of_the_samples_are_untouched_and_no_test_method_is_among_them() -> None:
    methods = [edit_samples.method_of("a", k) for k in range(400)]
    assert methods.count("untouched") == 200
    assert set(methods) == {"untouched", *edit_samples.METHODS}
    assert not set(methods) & set(edit_samples.INPAINTINGS)


def test_no_fold_has_two_uses() -> None:
    a, b, test = (set(f) for f in (*edit_samples.SETS.values(), edit_samples.TEST))
    assert not a & b
    assert not (a | b) & test
    assert a | b | test == set(range(data.FOLDS))
    assert data.FOLD_OF["imd2020"] in test


def test_the_map_fits_the_picture_and_its_onnx_form_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    net = edit_network.EditNet().eval()
    assert net(torch.zeros(1, 3, 224, 320)).shape == (1, 1, 28, 40)
    local_edit.to_onnx(net, 0.5, tmp_path / "local-edit.onnx")
    monkeypatch.setattr(local_edit, "TOLERANCE", -1.0)
    with pytest.raises(RuntimeError, match="differs"):
        local_edit.to_onnx(net, 0.5, tmp_path / "local-edit.onnx")


def test_f1_and_border_by_hand() -> None:
    mask = np.zeros((64, 64), bool)
    mask[:32] = True
    cells = np.where(np.arange(8)[:, None] < 4, 2.0, -2.0).repeat(8, 1).astype(np.float32)
    right = edit_figures.Seen(cells, mask, "x", "", 90)
    wrong = edit_figures.Seen(-cells, mask, "x", "", 90)
    assert edit_figures.f1(right, 0.0) == pytest.approx(1.0, abs=0.07)
    assert edit_figures.f1(wrong, 0.0) < 0.1
    assert right.raw == pytest.approx(2.0)


def test_a_threshold_lets_through_what_it_promises() -> None:
    raw = np.arange(1000, dtype=np.float64)
    assert (raw > edit_figures.highest_allowed(raw, 0.001)).sum() <= 1
    assert (raw > edit_figures.highest_allowed(raw, 0.04)).sum() <= 40
    assert (raw > edit_figures.highest_allowed(raw, 0.04)).sum() >= 39
