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


class Enlarger:
    """Stands for a super-resolution network: nearest-neighbour enlarging that gives back 7 px less on each side."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def create_extractor(self) -> Enlarger:
        return self

    def input_names(self) -> list[str]:
        return ["in"]

    output_names = input_names

    def input(self, _name: str, planes: Any) -> None:
        self.planes = np.array(planes)[:, 7:-7, 7:-7]

    def extract(self, _name: str) -> tuple[int, Any]:
        return 0, self.planes.repeat(self.factor, 1).repeat(self.factor, 2)


@pytest.mark.parametrize(("factor", "times"), [(2, 1), (2, 2), (3, 1), (4, 1)])
def test_what_is_rebuilt_stays_in_its_place(factor: int, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ncnn", reason="training needs the extra `train`")
    monkeypatch.setattr(edits, "upscaler", lambda *_: Enlarger(factor))
    y, x = np.mgrid[:120, :168]
    picture = np.stack([y, x, (x + y) // 2], 2).astype(np.uint8)
    found = edits.upscaled(picture, "package", "network", factor, times)
    assert found.shape == picture.shape
    assert np.abs(found.astype(int) - picture).max() <= factor**times


def test_shares_of_networks_add_up() -> None:
    for _, networks in edits.UPSCALERS.values():
        assert sum(share for *_, share in networks.values()) == pytest.approx(1)


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

from detectors.inference.preprocess import canonical  # noqa: E402
from models.training import data, edit_figures, edit_network, edit_samples, export, local_edit  # noqa: E402

OWN, METHODS = edit_network.OWN, len(edit_network.METHODS)


def sample(k: int) -> edits.Sample:
    """Odd ones are untouched."""
    rng = np.random.default_rng(k)
    picture, region = scene(k), np.zeros((300, 400), bool)
    if k % 2 == 0:
        picture, region = edits.edited(picture, swap, rng)
    return edits.save(picture, region, "untouched" if k % 2 else "x", rng)


def test_strips_are_seeded_and_show_the_edit() -> None:
    shares = []
    for k in range(16):
        (first, region), (again, _) = (edit_network.strip(sample(k), k) for _ in range(2))
        assert np.array_equal(first, again)
        assert first.shape[:2] == region.shape
        assert max(region.shape) <= max(edit_network.STRIP)
        shares.append(region.mean())
    assert not any(shares[1::2])
    assert np.mean([0.02 <= v <= 0.6 for v in shares[::2]]) > 0.8


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


class Grain:
    """Stands in for the trunk: tokens without meaning, the same for the same tile."""

    def run(self, _names: list[str], feeds: dict[str, Any]) -> list[Any]:
        rng = np.random.default_rng(int(np.abs(feeds["pixels"]).sum()))
        return [rng.normal(0, 1, (1, 196, edit_network.BLOCKS * edit_network.WIDTH)).astype(np.float32)]


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> edit_network.Tokens:
    """Axes of nothing, kept in an empty folder."""
    monkeypatch.setattr(edit_network, "folder", lambda: tmp_path)
    axes = np.random.default_rng(3).normal(0, 0.03, (edit_network.BLOCKS, edit_network.WIDTH, OWN + METHODS))
    np.save(edit_network.axes_file(), axes.astype(np.float32))
    found = edit_network.Tokens()
    found.session = Grain()  # type: ignore[assignment]
    return found


def test_tokens_are_kept_by_content(tokens: edit_network.Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tokens(scene(1))
    assert first.shape == (19, 25, edit_network.AXES)
    monkeypatch.setattr(edit_network.Tokens, "of_cells", lambda *_: pytest.fail("it was looked at again"))
    assert np.array_equal(tokens(scene(1)), first)
    with pytest.raises(pytest.fail.Exception):
        tokens(scene(2))


def test_the_onnx_form_gives_the_same_map_and_the_check_can_fail(
    tokens: edit_network.Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    heads = [edit_network.Head(edit_network.AXES).eval() for _ in range(2)]
    files = tmp_path / "axes.onnx", tmp_path / "local-edit.onnx"
    local_edit.to_onnx(heads, tokens, 0.5, *files)
    maps = edit_figures.runner(heads, tokens)
    found = local_edit.golden(tokens, *files)["cases"]
    for case, picture in zip(found, export.golden_pictures(), strict=True):
        shown = maps(np.asarray(canonical(picture)))
        assert case["shape"][:2] == list(shown.shape)
        assert case["logits"] == pytest.approx((shown[::5, ::4] - 0.5).ravel().tolist(), abs=0.05)
    monkeypatch.setattr(local_edit, "TOLERANCE", -1.0)
    with pytest.raises(RuntimeError, match="differs"):
        local_edit.to_onnx(heads, tokens, 0.5, *files)


def test_f1_and_border_by_hand() -> None:
    mask = np.zeros((64, 64), bool)
    mask[:32] = True
    cells = np.where(np.arange(4)[:, None] < 2, 2.0, -2.0).repeat(4, 1).astype(np.float32)
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


def test_a_cell_at_the_border_counts_only_what_is_there() -> None:
    region = np.zeros((40, 40), bool)
    region[32:, 32:] = True
    found = edit_network.cells(region)
    assert found.shape == (3, 3)
    assert found[2, 2] == 1
    assert found.sum() == 1


def looked(k: int, rng: np.random.Generator) -> edit_network.Looked:
    """Grain around a mean of the picture's own; every other one has a region that differs a little."""
    x, where = rng.normal(0, 1, (12, 14, 20)) + rng.normal(0, 4, 20), np.zeros((12, 14), np.float32)
    if k % 2 == 0:
        top, left = rng.integers(0, 7, 2)
        where[top : top + 5, left : left + 5] = 1
        x += where[..., None] * (np.arange(20) < 6) * 1.5
    return edit_network.Looked(x.astype(np.float16), where)


def shown(net: edit_network.Head, one: edit_network.Looked) -> Any:
    """Its map."""
    x, there, _ = edit_network.batch([one], np.zeros(1, bool))
    with torch.inference_mode():
        return net(x, there)[0, 0].numpy()


def test_a_head_finds_what_differs_within_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edit_network, "EPOCHS", 30)
    rng = np.random.default_rng(4)
    net = edit_network.learn([looked(k, rng) for k in range(48)], 0)
    others = [looked(k, rng) for k in range(20)]

    def seen(maps: list[Any]) -> tuple[list[edit_figures.Seen], list[edit_figures.Seen]]:
        both = [
            edit_figures.Seen(m, np.kron(one.cells, np.ones((16, 16))) > 0.5, "", "", 90)
            for m, one in zip(maps, others, strict=True)
        ]
        return both[::2], both[1::2]

    maps = [shown(net, one) for one in others]
    edited, plain = seen(maps)
    border = edit_figures.best_border(edited)
    good = edit_figures.against(edited, plain, border, likely=0.0)
    assert (good["n"], good["n_real"]) == (10, 10)
    assert good["auc"] > 0.95
    assert good["f1"] > 0.7
    wrong = edit_figures.against(*seen(maps[::-1]), border, likely=0.0)  # the planted fault: another picture's map
    assert wrong["auc"] < 0.1
    assert wrong["f1"] < 0.4


def test_what_fills_a_batch_changes_no_map() -> None:
    rng = np.random.default_rng(5)
    net = edit_network.Head(20).eval()
    small, large = looked(1, rng), looked(0, rng)
    small = edit_network.Looked(small.tokens[:7, :9], small.cells[:7, :9])
    x, there, _ = edit_network.batch([small, large], np.zeros(2, bool))
    with torch.inference_mode():
        together = net(x, there)[0, 0, :7, :9].numpy()
    assert np.abs(together - shown(net, small)).max() < 1e-4


def grains(count: int, rng: np.random.Generator) -> list[tuple[Any, Any, str]]:
    """Tokens around means of the picture's own, mostly along 60 directions; `span` moves a corner along a quiet one."""
    width, found = edit_network.BLOCKS * edit_network.WIDTH, []
    loud = np.where(np.arange(width) % edit_network.WIDTH < 60, 3.0, 0.3)
    for k in range(count):
        x, share = rng.normal(0, loud, (8, 9, width)) + rng.normal(0, 9, width), np.zeros((8, 9), np.float32)
        if k % 2 == 0:
            share[:4, :5] = 1
            x[:4, :5, 700 :: edit_network.WIDTH] += 1.5
        found.append((x.astype(np.float32), share, "span" if k % 2 == 0 else "untouched"))
    return found


def test_axes_know_no_picture_as_a_whole_and_tell_a_method_apart() -> None:
    seen = grains(40, np.random.default_rng(1))
    axes = edit_network.axes_of(*edit_network.gathered(seen))
    assert axes.shape == (edit_network.BLOCKS, edit_network.WIDTH, OWN + METHODS)
    on = np.concatenate([edit_network.on_axes(edit_network.relative(x), axes) for x, _, _ in seen])
    assert on.shape[1] == edit_network.AXES
    edited = np.concatenate([share.ravel() > 0 for _, share, _ in seen])
    apart = np.abs(on[edited].mean(0) - on[~edited].mean(0))
    by_block, by_all = apart[:-METHODS].reshape(edit_network.BLOCKS, OWN), apart[-METHODS:]
    span = list(edit_network.METHODS).index("span")
    telling = edit_network.MAIN + span
    assert np.abs(on.std(0)[apart > 0] - 1).max() < 0.1
    assert by_block[:, telling].min() > 1.5
    assert by_all[span] > by_block[:, telling].max()
    assert by_block[:, : edit_network.MAIN].max() < 0.5
    absent = [k for k in range(METHODS) if k != span]
    assert not by_all[absent].any()
    assert not by_block[:, [edit_network.MAIN + k for k in absent]].any()


def test_heads_are_kept_for_their_recipe_alone(
    tokens: edit_network.Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught, none, width = [], np.zeros((19, 25), np.float32), edit_network.AXES
    monkeypatch.setattr(edit_network, "teaching", lambda: [(scene(k), none, "x") for k in range(3)])
    monkeypatch.setattr(edit_network, "learn", lambda _, number: (taught.append(number), edit_network.Head(width))[1])
    first = edit_network.train(tokens)
    again = edit_network.train(tokens)
    assert taught == list(range(edit_network.HEADS))
    assert torch.equal(first[0].first.weight, again[0].first.weight)
    monkeypatch.setattr(edit_network, "EPOCHS", edit_network.EPOCHS + 1)
    edit_network.train(tokens)
    assert len(taught) == 2 * edit_network.HEADS


def test_what_is_undone_is_the_photograph_again() -> None:
    photo, edited = scene(1), 255 - scene(1)
    buffer = io.BytesIO()
    Image.fromarray(edited).save(buffer, "PNG")
    shown = np.zeros((10, 20), bool)
    shown[:5, :10] = True  # the upper left quarter of the map
    found = edit_figures.undone(edits.Sample(buffer.getvalue(), np.ones((300, 400), bool), "x"), photo, shown)
    assert np.array_equal(found.pixels()[:150, :200], photo[:150, :200])
    assert np.array_equal(found.pixels()[150:], edited[150:])
    assert not found.mask[:150, :200].any()
    assert found.mask[:, 200:].all()


@pytest.mark.parametrize(
    ("auc", "f1", "here", "elsewhere", "good"),
    [(0.85, 0.5, 2.0, 0.1, True), (0.84, 0.6, 2.0, 0.1, False), (0.9, 0.49, 2.0, 0.1, False),
     (0.9, 0.6, 0.1, 0.2, False), (0.9, 0.6, -0.1, -0.2, False)],
)  # fmt: skip
def test_only_what_keeps_its_promises_ships(auc: float, f1: float, here: float, elsewhere: float, good: bool) -> None:
    check = {"drop_undone": here, "drop_undone_elsewhere": elsewhere}
    assert local_edit.good_enough({"test": {"inpaintings": {"auc": auc, "f1": f1}}, "sanity": check}) is good


def test_the_first_samples_teach(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = {k: sample(k) for k in range(24)}
    monkeypatch.setattr(edit_network, "samples", lambda _, part: pool if part == "base" else {30: sample(30)})
    monkeypatch.setattr(edit_network, "TAUGHT", 4)
    assert len(edit_network.teaching()) == 4
    monkeypatch.setattr(edit_network, "TAUGHT", 100)
    assert len(edit_network.teaching()) == 25
