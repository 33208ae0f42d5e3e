"""How edited pictures are made: masks, fills, one way of saving for both classes, and folds that do not leak."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

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
from models.training import data, edit_clip, edit_figures, edit_network, edit_samples, local_edit  # noqa: E402


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


def test_tiles_cover_what_they_can_and_lie_on_the_grid() -> None:
    assert edit_clip.tiles(224, 224) == [(0, 0)]
    for h, w in ((224, 448), (400, 304), (448, 448)):
        seen = np.zeros((h, w), bool)
        for y, x in edit_clip.tiles(h, w):
            seen[y : y + 224, x : x + 224] = True
        assert seen.all()
    large = edit_clip.tiles(384, 512)
    assert (len(large), large[-1]) == (5, (80, 144))
    assert all(y % 16 == x % 16 == 0 for y, x in large)
    assert edit_clip.padded(np.zeros((200, 301, 3), np.uint8)).shape == (224, 304, 3)


class Coordinates:
    """Stands in for the trunk: each token is its cell's mean colour, so the map must be the picture made small."""

    def run(self, _names: None, feeds: dict[str, Any]) -> list[Any]:
        x = feeds["pixels"]
        means = x.reshape(1, 3, 14, 16, 14, 16).mean((3, 5)).reshape(1, 3, 196).transpose(0, 2, 1)
        return [np.concatenate([np.full((1, 1, 3), 99.0, np.float32), means], 1)]


def test_tokens_lie_where_the_picture_has_them() -> None:
    ramp = np.add.outer(np.arange(300) // 3, np.arange(400) // 3)
    pixels = np.repeat(ramp[..., None], 3, 2).astype(np.uint8)
    found = edit_clip.tokens(Coordinates(), pixels)  # type: ignore[arg-type]
    assert found.shape == (19, 25, 3)
    assert (np.diff(found[:18, :, 0], axis=0) > 0).all()
    assert (np.diff(found[:, :, 0], axis=1) > 0).all()


def test_a_cell_at_the_border_counts_only_what_is_there() -> None:
    region = np.zeros((40, 40), bool)
    region[32:, 32:] = True
    found = edit_clip.cells(region)
    assert found.shape == (3, 3)
    assert found[2, 2] == 1
    assert found.sum() == 1


def looked(k: int, rng: np.random.Generator) -> edit_clip.Looked:
    """Grain around a mean of the picture's own; every other one has a region that differs a little."""
    x, where = rng.normal(0, 1, (12, 14, 20)) + rng.normal(0, 4, 20), np.zeros((12, 14), np.float32)
    if k % 2 == 0:
        top, left = rng.integers(0, 7, 2)
        where[top : top + 5, left : left + 5] = 1
        x += where[..., None] * (np.arange(20) < 6) * 1.5
    region = np.kron(where, np.ones((16, 16))) > 0.5
    return edit_clip.Looked(x.astype(np.float16), where, region, "untouched" if k % 2 else "span")


def test_the_head_finds_what_differs_within_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edit_clip, "EPOCHS", 30)
    rng = np.random.default_rng(4)
    net = edit_clip.train([looked(k, rng) for k in range(48)])
    found = edit_clip.Result(net, [looked(k, rng) for k in range(20)])
    choice = found.choose()
    good = found.against(("span",), choice, likely=0.0)
    assert (good["n"], good["n_real"]) == (10, 10)
    assert good["auc"] > 0.95
    assert good["f1"] > 0.7
    found.maps = found.maps[::-1]  # the planted fault: each map is another picture's
    wrong = found.against(("span",), choice, likely=0.0)
    assert wrong["auc"] < 0.1
    assert wrong["f1"] < 0.4


def test_what_fills_a_batch_changes_no_map() -> None:
    rng = np.random.default_rng(5)
    net = edit_clip.Head(20).eval()
    small, large = looked(1, rng), looked(0, rng)
    small = edit_clip.Looked(small.tokens[:7, :9], small.cells[:7, :9], small.mask[:112, :144], small.method)
    x, there, _ = edit_clip.batch([small, large], np.zeros(2, bool))
    with torch.inference_mode():
        together = net(x, there)[0, 0, :7, :9].numpy()
    assert np.abs(together - edit_clip.shown(net, small)).max() < 1e-4


def test_axes_know_no_picture_as_a_whole() -> None:
    rng = np.random.default_rng(6)
    width = edit_clip.WIDTH
    seen = [(rng.normal(0, 1, (5, 6, width)) + rng.normal(0, 9, width)).astype(np.float16) for _ in range(3)]
    vectors = edit_clip.Axes.fitted(seen, 0)
    assert vectors.shape == (width, edit_clip.AXES)
    on = np.concatenate([edit_clip.relative(s, 0) @ vectors for s in seen])
    assert np.abs(on.std(0) - 1).max() < 0.1
