"""What `local_edit` finds of edits by methods and in sources that it never saw: every figure of its card."""

from __future__ import annotations

import copy
import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter

from detectors.inference.manifest import Calibration
from detectors.quality import jpeg_quality
from detectors.signals import compression
from detectors.signals.local_edit import CELL, raw_score
from models.training import data, degrade, edits, metrics
from models.training import evaluate as evaluation
from models.training.edit_network import Head, Shipped, Tokens
from models.training.edit_samples import (
    INPAINTINGS,
    METHODS,
    SEED,
    SETS,
    TEST,
    TESTS,
    of_folds,
    samples,
    seed_of,
    test_set,
)
from models.training.edits import Mask, Pixels, Sample

Maps = Callable[[Pixels], npt.NDArray[np.float32]]


def runner(heads: list[Head], tokens: Tokens) -> Maps:
    """Maps of pictures: the mean of the heads', not yet moved by the border."""
    net = Shipped(heads, 0.0).eval()

    def maps(rgb: Pixels) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(net(torch.from_numpy(tokens(rgb).astype(np.float32))[np.newaxis])[0, 0].numpy())

    return maps


@dataclass(frozen=True, slots=True)
class Seen:
    """What a network made of one picture: its map, where the edit is, and what the picture is."""

    cells: npt.NDArray[np.float32]
    mask: Mask
    kind: str
    group: str
    quality: int

    @property
    def raw(self) -> float:
        """The picture's raw score."""
        return raw_score(self.cells)


def seen(maps: Maps, one: Sample, group: str = "") -> Seen:
    """One saved sample through a network."""
    with Image.open(io.BytesIO(one.content)) as image:
        quality = jpeg_quality(getattr(image, "quantization", {}))
    return Seen(maps(one.pixels()), one.mask, one.method, group, 100 if quality is None else quality)


def at_pixels(cells: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """The map brought to the picture's (h, w), straight lines between the cells' middles."""
    h, w = cells.shape
    big = cv2.resize(cells, (w * CELL, h * CELL), interpolation=cv2.INTER_LINEAR)
    return np.asarray(big[: size[0], : size[1]], np.float32)


def f1(one: Seen, border: float) -> float:
    """Pixel F1 of one edited picture."""
    marked = at_pixels(one.cells, (one.mask.shape[0], one.mask.shape[1])) > border
    return 2 * float((marked & one.mask).sum()) / max(1.0, float(marked.sum() + one.mask.sum()))


def mean_interval(values: npt.NDArray[np.float64], draws: int = 1000) -> list[float]:
    """95 % interval of a mean by resampling."""
    rng = np.random.default_rng(1)
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(1)
    return [round(float(v), 4) for v in np.quantile(means, [0.025, 0.975])]


def against(edited: list[Seen], untouched: list[Seen], border: float, likely: float) -> dict[str, Any]:
    """Figures of some edited pictures against untouched ones; `likely` is a raw score."""
    raw = np.array([s.raw for s in edited + untouched])
    y = np.array([1] * len(edited) + [0] * len(untouched))
    out = {
        "n": len(edited),
        "n_real": len(untouched),
        "auc": round(metrics.auc(raw, y), 4),
        "auc_interval": metrics.interval(metrics.auc, raw, y),
        "recall_1": round(metrics.recall_at(raw, y, 0.01), 4),
        "recall_5": round(metrics.recall_at(raw, y, 0.05), 4),
        "recall_likely": round(float((raw[y == 1] >= likely).mean()), 4),
    }
    if any(s.mask.any() for s in edited):
        values = np.array([f1(s, border) for s in edited])
        out |= {"f1": round(float(values.mean()), 4), "f1_interval": mean_interval(values)}
    return out


def best_border(edited: list[Seen]) -> float:
    """The logit that gives the highest mean F1 on validation samples."""
    tried = np.arange(-3, 3.01, 0.25)
    return float(tried[int(np.argmax([np.mean([f1(s, float(t)) for s in edited]) for t in tried]))])


def validation(maps: Maps, each: int = 250) -> list[Seen]:
    """`each` edited and as many untouched samples of the folds that set thresholds, first ones first."""
    pool = {**samples("b", "base"), **samples("b", "decoder")}
    chosen = [k for odd in (0, 1) for k in [k for k in sorted(pool) if k % 2 == odd][:each]]
    return [seen(maps, pool[k]) for k in chosen]


def photographs(maps: Maps, chosen: list[data.Item], kind: str) -> Iterator[Seen]:
    """Whole labelled pictures: `original` as they lie there, `saved` after the samples' own save."""
    for k, item in enumerate(chosen):
        picture = data.pixels(item.path)
        nothing = np.zeros(picture.shape[:2], bool)
        if kind == "original":
            yield seen(maps, Sample(item.path.read_bytes(), nothing, "untouched"), item.group)
        else:
            yield seen(maps, edits.save(picture, nothing, "untouched", seed_of("saved", k, item.fold)), item.group)


def resaved(one: Sample, k: int) -> Sample:
    """A test picture after the samples' own save."""
    return edits.save(one.pixels(), one.mask, one.method, seed_of("test save", one.method, k))


def tested(maps: Maps) -> dict[str, list[Seen]]:
    """Every test set, and the labelled splices, which are as they lie there."""
    photos, found = of_folds(TEST, 0), {}
    for method in TESTS:
        pictures = test_set(method).items()
        found[method] = [
            seen(maps, resaved(one, k), photos[k].group if method == "untouched" else "") for k, one in pictures
        ]
    for name in ("imd2020", "comofod"):
        found[f"splice_{name}"] = list(splices(maps, name))
    return found


def splices(maps: Maps, group: str) -> Iterator[Seen]:
    """The labelled splices of one source; where they are spliced is not known."""
    base = data.shared() / "data/images"
    with (base / "labels.csv").open(encoding="utf-8", newline="") as f:
        rows = [r for r in csv.DictReader(f) if r["kind"] == "splice" and r["group"] == group]
    for row in rows:
        path = base / row["file"]
        if min(data.size(path)) >= edits.SHORTEST:
            nothing = np.zeros(data.pixels(path).shape[:2], bool)
            yield seen(maps, Sample(path.read_bytes(), nothing, "splice"), group)


GRID = {
    "jpeg 75": (1.0, 75, 0.0), "jpeg 60": (1.0, 60, 0.0), "jpeg 40": (1.0, 40, 0.0),
    "75 %, jpeg 85": (0.75, 85, 0.0), "50 %, jpeg 85": (0.5, 85, 0.0), "blur 1 px, jpeg 90": (1.0, 90, 1.0),
    "blur 2 px, jpeg 90": (1.0, 90, 2.0),
}  # size, quality, blur  # fmt: skip


def degraded(one: Sample, cell: tuple[float, int, float]) -> Sample:
    """A test picture in one cell of the grid. At half its size it may be smaller than the product judges."""
    size, quality, blur = cell
    image = Image.fromarray(one.pixels())
    if blur:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    if size < 1:
        image = image.resize((round(image.width * size), round(image.height * size)), Image.Resampling.LANCZOS)
    region = np.asarray(Image.fromarray(one.mask).convert("L").resize(image.size, Image.Resampling.BOX)) > 127
    return Sample(degrade.jpeg(image, quality), region, one.method)


def grid(maps: Maps, border: float, likely: float, each: int = 16) -> dict[str, Any]:
    """Inpaintings against photographs by JPEG quality, size and blur."""
    out = {}
    for name, cell in GRID.items():
        found = []
        for method in (*INPAINTINGS, "untouched"):
            count = each * (len(INPAINTINGS) if method == "untouched" else 1)
            found += [seen(maps, degraded(one, cell)) for one in list(test_set(method).values())[:count]]
        edited, untouched = ([s for s in found if (s.kind == "untouched") == real] for real in (False, True))
        figures = against(edited, untouched, border, likely)
        figures["false_positive_rate"] = round(float(np.mean([s.raw >= likely for s in untouched])), 4)
        out[name] = figures
    return out


def ranks(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Ranks of a map's cells, standardised."""
    r = values.ravel().argsort().argsort().astype(np.float64)
    return np.asarray((r - r.mean()) / r.std())


def sanity(maps: Maps, heads: list[Head], tokens: Tokens, each: int = 16) -> dict[str, Any]:
    """Does the map show what the score rests on? Rank correlation with the maps of the heads with their weights
    shuffled, and what happens to the score when the region shown is given the photograph's own pixels back, beside one
    of the same shape elsewhere. Blurring both is given too, but blur is itself a trace.
    """
    torch.manual_seed(SEED)
    shuffled = copy.deepcopy(heads)
    with torch.no_grad():
        for p in (p for head in shuffled for p in head.parameters()):
            if p.dim() > 1:
                p.copy_(p.flatten()[torch.randperm(p.numel())].view_as(p))
    random = runner(shuffled, tokens)
    correlation, photos = [], of_folds(TEST, 0)
    moved: dict[str, list[float]] = {"undone": [], "undone_elsewhere": [], "blurred": [], "blurred_elsewhere": []}
    for method in INPAINTINGS:
        for k, one in list(test_set(method).items())[:each]:
            picture = resaved(one, k).pixels()
            cells = maps(picture)
            correlation.append(float((ranks(cells) * ranks(random(picture))).mean()))
            marked = cells >= np.quantile(cells, 0.9)
            rng = seed_of("elsewhere", k)
            away = np.roll(marked, (int(rng.integers(4, 10)), int(rng.integers(4, 10))), (0, 1)) & ~marked
            before = raw_score(cells)
            for place, where in ((marked, ""), (away, "_elsewhere")):
                again = resaved(undone(one, data.pixels(photos[k].path), place), k).pixels()
                moved["undone" + where].append(before - raw_score(maps(again)))
                moved["blurred" + where].append(before - raw_score(maps(blurred(picture, place))))
    return {
        "n": len(correlation),
        "rank_correlation_shuffled": round(float(np.mean(correlation)), 4),
        **{f"drop_{name}": round(float(np.mean(values)), 4) for name, values in moved.items()},
        "undone_drops_more": round(float(np.mean(np.array(moved["undone"]) > np.array(moved["undone_elsewhere"]))), 4),
    }


def undone(one: Sample, photo: Pixels, cells: Mask) -> Sample:
    """An edited picture that is not saved yet, with the photograph's own pixels back in some cells of its map."""
    height, width = one.mask.shape
    region = cv2.resize(cells.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    buffer = io.BytesIO()
    Image.fromarray(np.where(region[..., np.newaxis], photo, one.pixels())).save(buffer, "PNG", compress_level=1)
    return Sample(buffer.getvalue(), one.mask & ~region, one.method)


def blurred(picture: Pixels, cells: Mask) -> Pixels:
    """The picture with some cells blurred away."""
    region = np.kron(cells, np.ones((CELL, CELL), bool))[: picture.shape[0], : picture.shape[1]]
    alpha = cv2.GaussianBlur(region.astype(np.float32), (0, 0), 4)
    return edits.blend(picture, np.asarray(cv2.GaussianBlur(picture, (0, 0), 6), np.uint8), np.asarray(alpha))


def raws(found: list[Seen]) -> npt.NDArray[np.float64]:
    """Raw scores."""
    return np.array([s.raw for s in found])


def highest_allowed(raw: npt.NDArray[np.float64], rate: float) -> float:
    """The raw score that at most `rate` of these photographs exceed."""
    return float(np.sort(raw)[::-1][int(rate * len(raw))]) + 1e-3


def false_positives(parts: dict[str, list[Seen]], limit: float) -> dict[str, Any]:
    """Photographs over the raw score `limit`: of the folds that set it, of the test, and of each source."""
    everyone = [s for found in parts.values() for s in found]
    per_source: dict[str, list[bool]] = {}
    for s in everyone:
        per_source.setdefault(s.group, []).append(s.raw > limit)
    return {
        **{name: [int(np.sum(raws(found) > limit)), len(found)] for name, found in parts.items()},
        "per_source": {g: [int(np.sum(v)), len(v)] for g, v in sorted(per_source.items()) if len(v) >= 20},
    }


LIKELY_RATE, UNCLEAR_RATE = 0.001, 0.04  # shares of photographs at or above `likely`, and at or above `clear`
DISTANCE = 0.25  # of `likely` from the photographs that set it: as much as processors may differ by (logits)


def evaluate(heads: list[Head], tokens: Tokens) -> dict[str, Any]:
    """Every figure of the card."""
    maps = runner(heads, tokens)
    valid = validation(maps)
    edited, plain = ([s for s in valid if (s.kind == "untouched") == real] for real in (False, True))
    border = best_border(edited)
    y = np.array([1] * len(edited) + [0] * len(plain))
    table = evaluation.table(np.concatenate([raws(edited), raws(plain)]) - border, y)
    calibrate = Calibration(tuple(table["raw"]), tuple(table["probability"]))
    folds = {"validation": SETS["b"], "test": TEST}
    saved = list(photographs(maps, of_folds(SETS["b"], 0), "saved"))
    tests = tested(maps)
    untouched = tests["untouched"]
    some = [p for k, p in enumerate(of_folds(TEST, 0)) if k % 3 == 0 or p.group == "imd2020"]  # the others take long
    as_they_lie = list(photographs(maps, some, "original"))
    likely, clear = (highest_allowed(raws(saved), rate) for rate in (LIKELY_RATE, UNCLEAR_RATE))
    likely += DISTANCE
    held_out = [s for m in (*INPAINTINGS, "generated_in_photo") for s in tests[m]]
    imd = [s for s in as_they_lie if s.group == "imd2020"]
    known = {m: [s for s in edited if s.kind == m] for m in METHODS}
    p_test = np.array([calibrate(s.raw - border) for s in held_out + untouched])
    y_test = np.array([1] * len(held_out) + [0] * len(untouched))
    return {
        "seed": SEED,
        "folds": {"teach": list(SETS["a"]), **{part: list(f) for part, f in folds.items()}},
        "photographs": {
            "teach": len(of_folds(SETS["a"], 0)),
            **{part: len(of_folds(f, 0)) for part, f in folds.items()},
        },
        "calibration": table,
        "bands": {
            "likely": round(calibrate(likely - border), 4),
            "clear": round(calibrate(clear - border), 4),
            "false_positive_rate": round(float((raws(untouched) > likely).mean()), 4),
            "recall": round(float((raws(held_out) > likely).mean()), 4),
            "miss_rate": round(float((raws(held_out) < clear).mean()), 4),
            "n_real": len(untouched),
            "n_synthetic": len(held_out),
        },
        "border": border,
        "validation": {
            "all": against(edited, plain, border, likely),
            **{m: against(v, plain, border, likely) for m, v in known.items() if v},
        },
        "test": {
            "inpaintings": against([s for m in INPAINTINGS for s in tests[m]], untouched, border, likely),
            **{m: against(tests[m], untouched, border, likely) for m in TESTS if m != "untouched"},
            "imd2020_splices": against(tests["splice_imd2020"], imd, border, likely),
            "comofod_copy_moves": against(tests["splice_comofod"], imd, border, likely),
        },
        "calibration_error": round(metrics.calibration_error(p_test, y_test), 4),
        "false_positives": {
            "saved": false_positives({"validation": saved, "test": untouched}, likely),
            "original": false_positives({"test": as_they_lie}, likely),
        },
        "generated_as_a_whole": false_positives({"test": list(photographs(maps, of_folds(TEST, 1), "saved"))}, likely),
        "unclear_test": round(float(np.mean((raws(untouched) >= clear) & (raws(untouched) < likely))), 4),
        "grid": grid(maps, border, likely),
        "sanity": sanity(maps, heads, tokens),
        "compression": compression_figures(),
    }


def compression_figures(count: int = 150) -> dict[str, Any]:
    """How often `compression` is wrong on photographs of the test folds, shrunk to 80 % first, which wipes out their
    own JPEG past: saved once or twice; not saved, or saved and then cut by 3 and 5 px."""
    rng = seed_of("compression")
    chosen = of_folds(TEST, 0)
    once, twice, gap, never, before = [], [], [], [], []
    for k in rng.choice(len(chosen), count, replace=False):
        image = Image.fromarray(data.pixels(chosen[int(k)].path))
        image = image.resize((round(image.width * 0.8), round(image.height * 0.8)), Image.Resampling.BILINEAR)
        first, last = int(rng.integers(60, 96)), int(rng.integers(70, 96))
        earlier = edits.recoded(image, first)
        for source, found in ((image, once), (earlier, twice)):
            with Image.open(io.BytesIO(degrade.jpeg(source, last))) as file:
                table = tuple(file.quantization[0])
                found.append(compression.comb(compression.brightness(np.asarray(file.convert("RGB"))), table) or 0.0)
        gap.append(last - first)
        cut = np.asarray(earlier)[5:, 3:]
        never.append(compression.borders(compression.brightness(np.asarray(image)))[0])
        strength, place = compression.borders(compression.brightness(cut))
        before.append(strength if place == (5, 3) else 0.0)
    again, stronger = np.array(twice) >= compression.COMB_AT, np.array(gap) >= 5
    return {
        "n": count,
        "again_false": round(float(np.mean(np.array(once) >= compression.COMB_AT)), 4),
        "again_found": round(float(again.mean()), 4),
        "again_found_when_5_stronger": round(float(again[stronger].mean()), 4),
        "borders_false": round(float(np.mean(np.array(never) >= compression.BORDER_AT)), 4),
        "borders_found": round(float(np.mean(np.array(before) >= compression.BORDER_AT)), 4),
    }
