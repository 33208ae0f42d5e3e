"""The face network: from photographs and labelled swaps to weights, card, manifest entry and golden values.

    COUNTERPROOF_SHARED=… python -m models.training.face_swap [--until STAGE]

Needs the distilled network (`python -m models.training.distil`). Stages, each kept in the cache folder and resumed from
there: `index` (faces of every labelled picture, by the product's own code), `pairs` (self-blended faces), `blends` (a
network that learns from them alone), `folds` (that network taught further on the labelled swaps, five times without a
fifth of their scenes), `figures` (these two beside a probe on the distilled network, which is what ships), `export`.

What is held apart: the labelled swaps by video; the photographs of HELD_OUT by source, from every network, the shipped
one included. Seeded. One processor core.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from numpy.random import Generator
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from detectors.inference.faces import (
    SHARPEST_BLUR,
    SIDE,
    SMALLEST,
    Box,
    Pixels,
    around,
    faces,
    network_input,
    sharpness,
    square,
)
from detectors.inference.manifest import Calibration
from detectors.inference.preprocess import CLIP_MEAN, CLIP_STD, VIEW, normalise
from detectors.intake.media import Media
from detectors.intake.picture import Picture
from models.training import card, clip, data, degrade, export, metrics, probes
from models.training.distil import FROZEN, imagenet_file, learning
from models.training.network import Lite0, load_imagenet
from models.training.self_blend import LARGEST, blended, degraded

MODEL = "face-swap"
MOST = 16  # faces of one picture
SEED = 20260102
FOLDS = 5
PAIRS, VIDEO_PAIRS, COPIES = 3_000, 800, 4
SHARE_OTHER = 0.2  # of the pairs in which the face of somebody else is blended in
BATCH = 12  # of either class
CROP = 144  # px: what is learnt from at a time; it is cheaper, and no two looks at a picture are the same
STEPS, FOLD_STEPS = 600, 54
SAME_SCENE = 0.85  # correlation of surroundings from which two crops count as one video
INCONCLUSIVE = 0.05  # at most this share of photographs may reach `clear`
BUDGET = 0.002  # share of photographs that may reach `likely`
LEAK_LIMIT = 0.65
DERIVED_FROM = (
    "EfficientNet-Lite0 ImageNet weights (Google, Apache-2.0), distilled from CLIP, probed on faces by models/training"
)
GOLDEN = "tests/golden/face_swap.json"
TOLERANCE = 1e-3
PROBE_COPIES, PROBE_RIDGE = 1, 0.1

# Sources that no network here learns from: politicians, stock pages and communities, and what shares a site with them.
HELD_OUT = frozenset(
    {"pirati_praha_people", "pirati_praha_news", "thailand_mps", "india_bvpcsi", "real-or-ai-game"}
    | {"website_templates", "website_templates_b", "website_templates_c"}
)
# Labelled real by its site alone, and generated faces of that kind exist: neither trained on nor in the pooled figures.
DOUBTFUL = "ffhq_real_faces"

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled picture and its checkable faces (x, y, width, height in px), largest first. `label` 1 = swapped."""

    path: Path
    kind: str
    group: str
    repo: str
    boxes: tuple[Box, ...]
    unchecked: int

    @property
    def video(self) -> bool:
        """Whether this is a crop from one of the labelled videos."""
        return self.group == "dfdc"


def say(text: str) -> None:
    """Progress, to the error stream."""
    print(text, file=sys.stderr, flush=True)


# Faces and their groups -----------------------------------------------------------------------------------------


def index() -> list[Item]:
    """Every labelled picture with its faces, found by the product's code and kept in the cache."""
    base, path = data.shared() / "data/images", data.cache_dir() / "faces.json"
    with (base / "labels.csv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    found: list[list[list[float]]] = json.loads(path.read_text()) if path.exists() else []
    if len(found) < len(rows):
        for k in range(len(found), len(rows)):
            rgb = data.pixels(base / rows[k]["file"])
            picture = Picture(rgb, Media("JPEG", rgb.shape[1], rgb.shape[0], 1), "0" * 64, b"")
            found.append([[*f.box, round(sharpness(rgb, f.box), 5)] for f in faces(picture)])
            if k % 200 == 0:
                say(f"faces of picture {k}")
        path.write_text(json.dumps(found))
    out = []
    for row, seen in zip(rows, found, strict=True):
        clear = [(b[0], b[1], b[2], b[3]) for b in seen if min(b[2:4]) >= SMALLEST and b[4] >= SHARPEST_BLUR]
        out.append(
            Item(base / row["file"], row["kind"], row["group"], row["repo"], tuple(clear), len(seen) - len(clear))
        )
    return out


def scenes(paths: list[Path]) -> Labels:
    """Which crops show one scene of one video, as a number for each (n,).

    File names tell nothing, and labels are per video, but a swap leaves hair and background as they were: crops whose
    surroundings correlate by SAME_SCENE are joined, and what is joined with them.
    """
    y, x = np.mgrid[0:32, 0:32] - 15.5
    outside = (x / 11) ** 2 + (y / 13) ** 2 > 1
    rows = []
    for path in paths:
        small = Image.fromarray(data.pixels(path)).resize((32, 32), Image.Resampling.BOX)
        rows.append(np.asarray(small, np.float64)[outside].ravel())
    z = np.array(rows)
    z = (z - z.mean(1, keepdims=True)) / z.std(1, keepdims=True)
    alike = z @ z.T / z.shape[1] >= SAME_SCENE
    scene = np.arange(len(paths))
    while True:
        lowest = np.where(alike, scene[np.newaxis], len(paths)).min(1)
        if (lowest == scene).all():
            return scene
        scene = lowest


def folds_of(scene: Labels) -> Labels:
    """A fold for each crop (n,): whole scenes, the largest first, each into the smallest fold so far."""
    rng, fold = np.random.default_rng(SEED), np.zeros(len(scene), np.int64)
    names, sizes = np.unique(scene, return_counts=True)
    filled = np.zeros(FOLDS)
    for k in np.lexsort((rng.random(len(names)), -sizes)):
        f = int(filled.argmin())
        fold[scene == names[k]] = f
        filled[f] += sizes[k]
    return fold


def leak(crops: list[Item], y: Labels, fold: Labels) -> float:
    """ROC area, out of fold, of a classifier on what is no face: JPEG tables, file size, and the box's size."""
    rows = []
    for item in crops:
        with Image.open(item.path) as image:
            tables = image.quantization
        rows.append([np.mean(tables[0]), np.mean(tables[1]), *item.boxes[0][2:]])
    x = np.array(rows, np.float64)
    x = np.concatenate([x, x**2], 1)
    return metrics.auc(linear(x, y, fold, 1e-2), y)


def linear(x: Floats, y: Labels, fold: Labels, ridge: float) -> Floats:
    """Logits (n,) of a linear probe on features (n, d), each by one that was fitted without its fold."""
    out = np.zeros(len(y))
    for f in range(FOLDS):
        kept = fold != f
        z = (x - x[kept].mean(0)) / (x[kept].std(0) + 1e-6)
        if x.shape[1] > kept.sum():  # on the main axes of the training crops it is the same probe, in less time
            values, vectors = np.linalg.eigh(z[kept] @ z[kept].T)
            real = values > values.max() * 1e-6
            z = z @ (z[kept].T @ (vectors[:, real] / np.sqrt(values[real])))
        beta = metrics.logistic(z[kept], y[kept], metrics.balanced(y[kept]), ridge)
        out[~kept] = z[~kept] @ beta[:-1] + beta[-1]
    return out


# Training pictures ----------------------------------------------------------------------------------------------


def patch(rgb: Pixels, box: Box) -> tuple[Pixels, Box]:
    """A face with ample surroundings, its box at most LARGEST px long, and its box there."""
    left, top, right, bottom = (int(v) for v in around(box, (rgb.shape[1], rgb.shape[0]), 1.55))
    image = Image.fromarray(rgb[top:bottom, left:right])
    scale = min(1.0, LARGEST / max(box[2:]))
    if scale < 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    x, y, w, h = (v * scale for v in (box[0] - left, box[1] - top, box[2], box[3]))
    return np.asarray(image), (x, y, w, h)


def make_pairs(name: str, known: list[Item], count: int) -> tuple[Pixels, Labels]:
    """Photographs of faces beside self-blends of them, degraded alike: (count, 2, SIDE, SIDE, 3), and which item each
    comes from (count,). Sources are drawn by the square root of their size. Resumes."""
    path = data.cache_dir() / f"face-{name}.npy"
    done_file = path.with_suffix(".done")
    done = int(done_file.read_text()) if done_file.exists() else 0
    out = np.lib.format.open_memmap(path, "r+" if done else "w+", np.uint8, (count, 2, SIDE, SIDE, 3))
    usable = [(k, b) for k, i in enumerate(known) for b in i.boxes]
    sizes: dict[str, int] = {}
    for k, _ in usable:
        sizes[known[k].group] = sizes.get(known[k].group, 0) + 1
    weight = np.array([sizes[known[k].group] ** -0.5 for k, _ in usable])
    weight /= weight.sum()
    which = np.zeros(count, np.int64)
    for n in range(count):
        rng = np.random.default_rng((SEED, n))
        one, two = (usable[int(k)] for k in rng.choice(len(usable), 2, p=weight))
        which[n] = one[0]
        if n < done:
            continue
        pixels, box = patch(data.pixels(known[one[0]].path), one[1])
        other = patch(data.pixels(known[two[0]].path), two[1]) if rng.random() < SHARE_OTHER else None
        out[n] = degraded([pixels, blended(pixels, box, rng, other)], box, SIDE, rng)
        if (n + 1) % 250 == 0:
            out.flush()
            done_file.write_text(str(n + 1))
            say(f"{name} {n + 1}")
    done_file.write_text(str(count))
    return out, which


def video_copies(crops: list[Item], scene: Labels) -> Pixels:
    """Degraded copies of the crops from videos, (n, COPIES, SIDE, SIDE, 3); crops of one scene are degraded alike."""
    path = data.cache_dir() / "face-videos.npy"
    if not path.exists():
        rows = []
        for item, s in zip(crops, scene, strict=True):
            pixels, box = patch(data.pixels(item.path), item.boxes[0])
            rngs = [np.random.default_rng((SEED, int(s), c)) for c in range(COPIES)]
            rows.append(np.concatenate([degraded([pixels], box, SIDE, rng) for rng in rngs]))
        np.save(path, np.stack(rows))
    return np.asarray(np.load(path, mmap_mode="r"))


# The network ----------------------------------------------------------------------------------------------------


class FaceNetwork(nn.Module):
    """EfficientNet-Lite0, pooled at three levels, and one logit a face."""

    def __init__(self) -> None:
        super().__init__()
        self.features = Lite0()
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(944, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, SIDE, SIDE) normalised pixels -> (n, 1): above 0 rather swapped."""
        out: Tensor = self.head(self.drop(self.features(x)))
        return out


Sample = Callable[[Generator], tuple[Pixels, Labels]]


def teach(net: FaceNetwork, sample: Sample, steps: int, rate: float, checkpoint: Path, seed: int) -> None:
    """`steps` of gradient descent on what `sample` gives; leaves the running mean of the weights in `net`. Resumes."""
    torch.manual_seed(seed)
    net.train()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learning(net.features)
    for part in (net.features.stem, *net.features.blocks[:FROZEN]):
        part.requires_grad_(False)
    trunk = list(net.features.blocks[FROZEN:].parameters())
    top = [*net.features.norm.parameters(), *net.head.parameters()]
    optimiser = torch.optim.AdamW([{"params": trunk}, {"params": top}], lr=rate, weight_decay=0.02)
    mean, start = {k: v.clone() for k, v in net.state_dict().items()}, 0
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(kept["net"])
        optimiser.load_state_dict(kept["optimiser"])
        mean, start = kept["mean"], kept["step"]
    began, losses = time.monotonic(), []
    for step in range(start, steps):
        share = (
            min(1.0, (step + 1) / 30, (steps - step) / (steps / 6)) * 0.5 * (1 + math.cos(math.pi * step / steps / 1.5))
        )
        for group, times in zip(optimiser.param_groups, (1.0, 4.0), strict=True):
            group["lr"] = rate * share * times
        pixels, y = sample(np.random.default_rng((seed, step)))
        x = torch.from_numpy(network_input(pixels)).to(memory_format=torch.channels_last)
        logits = net(x)[:, 0]
        loss = functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(0.02 + 0.96 * y).float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        keep = min(0.98, (step + 1) / (step + 10))
        for k, v in net.state_dict().items():
            mean[k] = v.clone() if not v.is_floating_point() else mean[k].mul_(keep).add_(v, alpha=1 - keep)
        losses.append(loss.item())
        if (step + 1) % 25 == 0:
            say(f"{checkpoint.stem} step {step + 1} loss {np.mean(losses[-25:]):.4f} {time.monotonic() - began:.0f} s")
        if (step + 1) % 100 == 0:
            kept = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "mean": mean, "step": step + 1}
            torch.save(kept, checkpoint)
    net.load_state_dict(mean)


def cut(pixels: Pixels, rng: Generator) -> Pixels:
    """A window of each picture (n, h, w, 3) at a random place, half of them mirrored: (n, CROP, CROP, 3)."""
    out = np.empty((len(pixels), CROP, CROP, 3), np.uint8)
    for k, (y, x) in enumerate(rng.integers(0, SIDE - CROP + 1, (len(pixels), 2))):
        window = pixels[k, y : y + CROP, x : x + CROP]
        out[k] = window[:, ::-1] if rng.random() < 0.5 else window
    return out


def from_pairs(pairs: Pixels, chosen: Labels, count: int, rng: Generator) -> Pixels:
    """`count` photographs, then their self-blends, from the `chosen` pairs."""
    k = np.sort(rng.choice(chosen, count, replace=False))
    both = np.asarray(pairs[k])
    return np.concatenate([both[:, 0], both[:, 1]])


def blends_network(pairs: Pixels) -> FaceNetwork:
    """The network that has seen nothing but photographs and self-blends of them."""
    path, net = data.cache_dir() / "face-blends.pt", FaceNetwork()
    if path.exists():
        net.load_state_dict(torch.load(path, weights_only=True))
        return net.eval()
    load_imagenet(net.features, imagenet_file())

    def sample(rng: Generator) -> tuple[Pixels, Labels]:
        pixels = from_pairs(pairs, np.arange(len(pairs)), BATCH, rng)
        return cut(pixels, rng), np.repeat([0, 1], BATCH)

    teach(net, sample, STEPS, 4e-4, path.with_suffix(".ckpt"), SEED)
    torch.save(net.state_dict(), path)
    return net.eval()


@dataclass(frozen=True, slots=True)
class Videos:
    """The labelled crops in which a face was found, with what was made of them."""

    crops: list[Item]
    y: Labels
    scene: Labels
    fold: Labels
    copies: Pixels
    pairs: Pixels
    pair_fold: Labels


def fold_network(held_out: int | None, start: FaceNetwork, photographs: Pixels, videos: Videos) -> FaceNetwork:
    """`start` taught further on the videos outside one fold (all for None), beside self-blends of both kinds."""
    path, net = data.cache_dir() / f"face-fold-{held_out}.pt", FaceNetwork()
    if path.exists():
        net.load_state_dict(torch.load(path, weights_only=True))
        return net.eval()
    net.load_state_dict(start.state_dict())
    swapped, real = (np.flatnonzero((videos.y == y) & (videos.fold != held_out)) for y in (1, 0))
    mine = np.flatnonzero(videos.pair_fold != held_out)

    def sample(rng: Generator) -> tuple[Pixels, Labels]:
        copy = int(rng.integers(COPIES))
        chosen = np.concatenate([rng.choice(k, BATCH // 2, replace=False) for k in (real, swapped)])
        parts = [np.asarray(videos.copies[np.sort(chosen[: BATCH // 2]), copy])]
        parts.append(np.asarray(videos.copies[np.sort(chosen[BATCH // 2 :]), copy]))
        parts.append(from_pairs(videos.pairs, mine, BATCH // 4, rng))
        parts.append(from_pairs(photographs, np.arange(len(photographs)), BATCH // 4, rng))
        counts = (BATCH // 2, BATCH // 2, BATCH // 4, BATCH // 4, BATCH // 4, BATCH // 4)
        return cut(np.concatenate(parts), rng), np.repeat([0, 1, 0, 1, 0, 1], counts)

    teach(
        net, sample, FOLD_STEPS, 2e-4, path.with_suffix(".ckpt"), SEED + 1 + (FOLDS if held_out is None else held_out)
    )
    torch.save(net.state_dict(), path)
    return net.eval()


def distilled() -> Lite0:
    """The network that `models.training.distil` taught to see as CLIP's middle blocks see."""
    net = Lite0()
    net.load_state_dict(torch.load(data.cache_dir() / "distilled.pt", weights_only=True))
    return net.eval()


def learnt_from(net: Lite0, videos: Videos) -> list[Floats]:
    """What the shipped probe is fitted on: the features (n, 944) of the crops as they are, mirrored, and degraded."""
    pixels, owner = squares("videos", videos.crops, "untouched")
    first = np.asarray(pixels[np.unique(owner, return_index=True)[1]])
    copies = [first, first[:, :, ::-1], *(np.asarray(videos.copies[:, c]) for c in range(PROBE_COPIES))]
    return [features(net, c) for c in copies]


def probe_network(held_out: int | None, net: Lite0, seen: list[Floats], videos: Videos) -> FaceNetwork:
    """`net` with a head fitted on the swaps and real crops outside one fold (all for None).

    No other photographs: a probe that had them among its real faces learnt to tell videos from photographs.
    """
    kept = videos.fold != held_out
    y = np.tile(videos.y[kept], len(seen))
    beta = probes.probe(np.concatenate([x[kept] for x in seen]), y, metrics.balanced(y), PROBE_RIDGE)
    out = FaceNetwork()
    out.features.load_state_dict(net.state_dict())
    with torch.no_grad():
        out.head.weight.copy_(torch.from_numpy(beta[:-1].astype(np.float32))[None])
        out.head.bias.fill_(float(beta[-1]))
    return out.eval()


def logits(net: nn.Module, pixels: Pixels) -> Floats:
    """(n, SIDE, SIDE, 3) -> (n,) logits."""
    out = []
    with torch.inference_mode():
        for k in range(0, len(pixels), 16):
            out.append(net(torch.from_numpy(network_input(pixels[k : k + 16])))[:, 0].numpy())
    return np.concatenate(out).astype(np.float64) if out else np.zeros(0)


# Figures --------------------------------------------------------------------------------------------------------


def untouched(item: Item) -> Pixels:
    """The squares that the product cuts around a picture's faces, (faces, SIDE, SIDE, 3)."""
    rgb = data.pixels(item.path)
    return np.stack([square(rgb, box) for box in item.boxes[:MOST]])


def saved_again(item: Item) -> Pixels:
    """The same squares after the picture was shrunk to 60-100 % (no face below SMALLEST) and saved as JPEG 70-92, in a
    third of the cases after another JPEG; the same pixels in every run."""
    rng = np.random.default_rng((SEED, *item.path.stem.encode()))
    image = Image.fromarray(data.pixels(item.path))
    if rng.random() < 1 / 3:
        image = Image.open(io.BytesIO(degrade.jpeg(image, int(rng.integers(75, 96))))).convert("RGB")
    least = SMALLEST / min(min(box[2:]) for box in item.boxes[:MOST])
    wide = image.width
    image = degrade.to_long_side(image, round(max(image.size) * max(least, rng.uniform(0.6, 1.0))), rng)
    image = Image.open(io.BytesIO(degrade.jpeg(image, int(rng.integers(70, 93))))).convert("RGB")
    rgb, scale = np.asarray(image), image.width / wide
    boxes = [tuple(v * scale for v in box) for box in item.boxes[:MOST]]
    return np.stack([square(rgb, (b[0], b[1], b[2], b[3])) for b in boxes])


COPY_KINDS: dict[str, Callable[[Item], Pixels]] = {"untouched": untouched, "saved_again": saved_again}


def squares(name: str, chosen: list[Item], kind: str) -> tuple[Pixels, Labels]:
    """All faces of pictures as the network sees them, (faces, SIDE, SIDE, 3), and whose each is (faces,); cached."""
    path = data.cache_dir() / f"face-squares-{name}-{kind}.npy"
    owner = np.repeat(np.arange(len(chosen)), [min(MOST, len(i.boxes)) for i in chosen])
    if not path.exists():
        np.save(path, np.concatenate([COPY_KINDS[kind](i) for i in chosen]))
    found = np.asarray(np.load(path, mmap_mode="r"))
    if len(found) != len(owner):
        raise ValueError(f"{path.name} is of other pictures: delete it")
    return found, owner


def worst(scores: Floats, owner: Labels) -> Floats:
    """The highest logit of each picture, (pictures,), from its faces' (faces,)."""
    out = np.full(owner.max() + 1, -np.inf)
    np.maximum.at(out, owner, scores)
    return out


def calibration(raw: Floats, y: Labels) -> dict[str, list[float]]:
    """The table for the manifest: a logistic curve (Platt 1999) through swaps against real crops of the same scenes,
    both classes weighing the same. Raises ValueError when it would fall."""
    slope, offset = metrics.logistic(raw[:, np.newaxis] / raw.std(), y, metrics.balanced(y), 1e-4)
    if slope <= 0:
        raise ValueError("scores fall where they should rise")
    points = np.linspace(raw.min() - 2 * raw.std(), raw.max() + 2 * raw.std(), 41).round(4)
    p = 1 / (1 + np.exp(-(slope * points / raw.std() + offset)))
    return {"raw": [float(v) for v in points], "probability": [round(float(v), 5) for v in p]}


def probability(table: dict[str, list[float]], raw: Floats) -> Floats:
    """The product's own calibration, element by element."""
    function = Calibration(tuple(table["raw"]), tuple(table["probability"]))
    return np.array([function(float(v)) for v in raw])


def step(score: Floats, y: Labels) -> dict[str, Any]:
    """One line of the table of what was tried."""
    return {
        "auc": round(metrics.auc(score, y), 4),
        "auc_interval": metrics.interval(metrics.auc, score, y),
        "recall_1": round(metrics.recall_at(score, y, 0.01), 4),
        "recall_5": round(metrics.recall_at(score, y, 0.05), 4),
    }


def features(net: Lite0, pixels: Pixels) -> Floats:
    """(n, SIDE, SIDE, 3) -> (n, 944)."""
    with torch.inference_mode():
        parts = [net(torch.from_numpy(network_input(pixels[k : k + 16]))).numpy() for k in range(0, len(pixels), 16)]
    return np.concatenate(parts).astype(np.float64)


def clip_features(pixels: Pixels) -> Floats | None:
    """Class tokens of CLIP's blocks 5 to 7 of each face, (n, 2304), kept in the cache; None without COUNTERPROOF_CLIP.

    For the table of what was tried: too slow to run on every face.
    """
    path, wheel = data.cache_dir() / "face-clip.npy", os.environ.get("COUNTERPROOF_CLIP")
    if not path.exists():
        if wheel is None:
            return None
        net, rows = clip.tower(Path(wheel), 8), []
        for k in range(0, len(pixels), 8):
            views = [Image.fromarray(p).resize((VIEW, VIEW), Image.Resampling.BICUBIC) for p in pixels[k : k + 8]]
            x = normalise(np.stack([np.asarray(v) for v in views]), CLIP_MEAN * 255, CLIP_STD * 255)
            with torch.inference_mode():
                rows.append(net(torch.from_numpy(x))[:, 5:8, 0].flatten(1).numpy())
        np.save(path, np.concatenate(rows))
    return np.asarray(np.load(path), np.float64)


def shares(p: Floats, bands: dict[str, float], groups: list[str]) -> dict[str, dict[str, float]]:
    """For each group of pictures: how many, and the share of them at or above `likely` and at or above `clear`."""
    out = {}
    for g in sorted(set(groups)):
        mine = p[np.array(groups) == g]
        out[g] = {
            "pictures": len(mine),
            "likely": round(float((mine >= bands["likely"]).mean()), 4),
            "above_clear": round(float((mine >= bands["clear"]).mean()), 4),
        }
    return out


def thresholds(photographs: list[Floats]) -> dict[str, float]:
    """`likely` and `clear` on the probability, from real pictures' scores, one array for each kind of them: at most
    BUDGET of any kind reach the first, at most INCONCLUSIVE the second."""
    found = {}
    for name, share in (("likely", BUDGET), ("clear", INCONCLUSIVE)):
        top = max(metrics.threshold_at(p, np.zeros(len(p), np.int64), share) for p in photographs)
        found[name] = round(min(top + 5e-4, 0.9999), 4)
    return found


def held_out_logits(networks: list[FaceNetwork], pixels: Pixels, owner: Labels, fold: Labels) -> Floats:
    """Each crop's logit (n,) by the network that was taught without its fold."""
    scores = np.zeros(len(owner))
    for f in range(FOLDS):
        scores[fold[owner] == f] = logits(networks[f], pixels[fold[owner] == f])
    return worst(scores, owner)


def tried(videos: Videos, base: FaceNetwork, tuned: list[FaceNetwork], shipped: Floats) -> dict[str, Any]:
    """The table of what was tried, on untouched crops of held-out videos."""
    y, fold = videos.y, videos.fold
    pixels, owner = squares("videos", videos.crops, "untouched")
    first = np.asarray(pixels[np.unique(owner, return_index=True)[1]])
    imagenet = Lite0()
    load_imagenet(imagenet, imagenet_file())
    steps = {
        "ImageNet features, linear probe": step(linear(features(imagenet.eval(), first), y, fold, 0.1), y),
        "self-blends alone, no swap ever seen": step(worst(logits(base, pixels), owner), y),
        "self-blends, linear probe on swaps": step(linear(features(base.features, first), y, fold, 0.1), y),
        "self-blends, then swaps": step(held_out_logits(tuned, pixels, owner, fold), y),
        "distilled from CLIP, linear probe (shipped)": step(shipped, y),
    }
    if (seen := clip_features(first)) is not None:
        score = linear(seen, y, fold, 0.3)
        steps["CLIP, blocks 5, 6, 7 of the face, linear probe"] = step(score, y)
        both = score / score.std() + 0.5 * shipped / shipped.std()
        steps["CLIP probe plus the shipped network"] = step(both, y)
    return steps


def figures(
    known: list[Item], videos: Videos, base: FaceNetwork, tuned: list[FaceNetwork], networks: list[FaceNetwork]
) -> dict[str, Any]:
    """Every figure of the card; `networks` are those of the folds, then the one that ships; `tuned` those of the folds
    that were taught further from `base`.

    Raises SystemExit when encoder and size alone tell the labelled swaps.
    """
    photographs = [i for i in known if i.kind == "real" and i.boxes and not i.video and i.group != DOUBTFUL]
    held = [i for i in photographs if i.group in HELD_OUT]
    y, fold = videos.y, videos.fold
    trace_auc = leak(videos.crops, y, fold)
    say(f"encoder and size alone: AUC {trace_auc:.3f}")
    if trace_auc > LEAK_LIMIT:
        raise SystemExit(f"leak: encoder and size alone reach AUC {trace_auc:.3f}, over {LEAK_LIMIT}")
    out_of_fold, on_held = {}, {}
    for kind in COPY_KINDS:
        pixels, owner = squares("videos", videos.crops, kind)
        out_of_fold[kind] = held_out_logits(networks, pixels, owner, fold)
        pixels, owner = squares("held", held, kind)
        on_held[kind] = worst(logits(networks[FOLDS], pixels), owner)
    steps = tried(videos, base, tuned, out_of_fold["untouched"])
    table = calibration(out_of_fold["untouched"], y)
    p_videos = {k: probability(table, v) for k, v in out_of_fold.items()}
    p_held = {k: probability(table, v) for k, v in on_held.items()}
    # Real crops of the videos count as much as photographs: they are what a bad camera gives.
    bands = thresholds([*p_held.values(), *(p[y == 0] for p in p_videos.values())])
    sources = [i.group for i in held]
    half = np.array([sorted(set(sources)).index(g) % 2 for g in sources])
    hits, found = np.zeros(len(held), np.int64), np.zeros(len(y), np.int64)  # 0 clear, 1 unsure, 2 likely
    for h in (0, 1):
        own, mine = half == h, fold % 2 == h
        rest = [p[~own] for p in p_held.values()] + [p[~mine & (y == 0)] for p in p_videos.values()]
        limits = thresholds(rest)
        hits[own] = placed(p_held["saved_again"][own], limits)
        found[mine] = placed(p_videos["saved_again"][mine], limits)
    real = np.concatenate([hits, found[y == 0]])
    return {
        "seed": SEED,
        "folds": FOLDS,
        "videos": {"swapped": int((y == 1).sum()), "real": int((y == 0).sum()), "scenes": len(set(videos.scene))},
        "without_face": {
            name: sum(i.video and not i.boxes and i.kind == kind for i in known)
            for name, kind in (("swapped", "face_swap"), ("real", "real"))
        },
        "trained_on": sum(i.group not in HELD_OUT for i in photographs),
        "held_out": len(held),
        "leak_auc": round(trace_auc, 4),
        "steps": steps,
        "copies": {k: step(v, y) for k, v in out_of_fold.items()},
        "pairs_right": round(pairs_right(out_of_fold["untouched"], y, videos.scene), 4),
        "calibration": table,
        "calibration_error": round(calibration_error(out_of_fold["untouched"], y, fold), 4),
        "bands": {
            **bands,
            "false_positive_rate": round(float((real == 2).mean()), 4),
            "recall": round(float((found[y == 1] == 2).mean()), 4),
            "miss_rate": round(float((found[y == 1] == 0).mean()), 4),
            "n_real": len(real),
            "n_synthetic": int((y == 1).sum()),
        },
        "shipped": {
            kind: {
                "photographs_over_half": round(float((p_held[kind] >= 0.5).mean()), 4),
                "photographs_likely": round(float((p_held[kind] >= bands["likely"]).mean()), 4),
                "photographs_above_clear": round(float((p_held[kind] >= bands["clear"]).mean()), 4),
                "video_reals_likely": round(float((p_videos[kind][y == 0] >= bands["likely"]).mean()), 4),
                "video_reals_above_clear": round(float((p_videos[kind][y == 0] >= bands["clear"]).mean()), 4),
                "swaps_likely": round(float((p_videos[kind][y == 1] >= bands["likely"]).mean()), 4),
                "swaps_above_clear": round(float((p_videos[kind][y == 1] >= bands["clear"]).mean()), 4),
            }
            for kind in COPY_KINDS
        },
        "held_out_sources": shares(p_held["saved_again"], bands, sources),
        "others": others(known, networks[FOLDS], table, bands),
    }


def pairs_right(score: Floats, y: Labels, scene: Labels) -> float:
    """Of all pairs of a swap and a real crop of one scene, the share in which the swap scores higher."""
    right = [
        float(score[a] > score[b])
        for s in np.unique(scene)
        for a in np.flatnonzero((scene == s) & (y == 1))
        for b in np.flatnonzero((scene == s) & (y == 0))
    ]
    return float(np.mean(right))


def calibration_error(raw: Floats, y: Labels, fold: Labels) -> float:
    """Expected calibration error of the untouched crops (n,), each under a table fitted without its fold."""
    p = np.zeros(len(y))
    for f in range(FOLDS):
        p[fold == f] = probability(calibration(raw[fold != f], y[fold != f]), raw[fold == f])
    return metrics.calibration_error(p, y)


def placed(p: Floats, limits: dict[str, float]) -> Labels:
    """0 clear, 1 unsure, 2 likely; (n,)."""
    return (p >= limits["clear"]).astype(np.int64) + (p >= limits["likely"])


def others(known: list[Item], net: FaceNetwork, table: dict[str, list[float]], bands: dict[str, float]) -> Any:
    """What the shipped network says of pictures that it is not measured on: sources that it learnt from, the doubtful
    source, generated pictures and splices."""
    out = {}
    for name, chosen in {
        "sources_trained_on": [i for i in known if i.kind == "real" and i.group not in HELD_OUT and not i.video],
        "generated": [i for i in known if i.kind == "generated"],
        "splices": [i for i in known if i.kind == "splice"],
    }.items():
        with_faces = [i for i in chosen if i.boxes]
        pixels, owner = squares(name, with_faces, "untouched")
        p = probability(table, worst(logits(net, pixels), owner))
        out[name] = shares(p, bands, [i.group for i in with_faces])
    return out


def material(known: list[Item]) -> tuple[Pixels, Videos]:
    """Everything that is learnt from: pairs made of photographs, and the videos."""
    learnt = [i for i in known if i.kind == "real" and i.boxes and not i.video]
    learnt = [i for i in learnt if i.group not in HELD_OUT and i.group != DOUBTFUL]
    photographs, _ = make_pairs("pairs", learnt, PAIRS)
    crops = [i for i in known if i.video and i.boxes]
    y = np.array([int(i.kind == "face_swap") for i in crops])
    scene = scenes([i.path for i in crops])
    fold = folds_of(scene)
    real = [k for k in range(len(crops)) if y[k] == 0]
    pairs, which = make_pairs("video-pairs", [crops[k] for k in real], VIDEO_PAIRS)
    return photographs, Videos(crops, y, scene, fold, video_copies(crops, scene), pairs, fold[np.array(real)[which]])


# Files of the product -------------------------------------------------------------------------------------------


def golden_squares() -> Pixels:
    """Three squares made of nothing but arithmetic, (3, SIDE, SIDE, 3)."""
    return np.stack([square(p, (40.0, 30.0, 90.0, 100.0)) for p in export.golden_pictures()])


def write_model(net: FaceNetwork, target: Path) -> npt.NDArray[np.float32]:
    """The ONNX file, input `pixels`, output `logits`; gives its answers to the golden squares, (3, 1).

    Raises RuntimeError when they differ from PyTorch's.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter is deprecated; it needs no further package and folds norms
        torch.onnx.export(
            net, (torch.zeros(2, 3, SIDE, SIDE),), str(target), input_names=["pixels"], output_names=["logits"],
            dynamic_axes={"pixels": {0: "n"}, "logits": {0: "n"}}, dynamo=False, opset_version=17,
        )  # fmt: skip
    pixels = network_input(golden_squares())
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    found: npt.NDArray[np.float32] = session.run(None, {"pixels": pixels})[0]
    with torch.inference_mode():
        gap = float(np.abs(found - net(torch.from_numpy(pixels)).numpy()).max())
    if not gap < TOLERANCE:
        raise RuntimeError(f"{target.name} differs from PyTorch by {gap}")
    return found


def manifest_entry(target: Path, table: dict[str, Any], bands: dict[str, Any]) -> str:
    """The entry's TOML."""
    content = target.read_bytes()
    lines = [
        f"# {MODEL}: written by models/training/face_swap.py",
        "[[model]]",
        f'id = "{MODEL}"',
        f'file = "{target.name}"',
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
        f"bytes = {len(content)}",
        'licence = "AGPL-3.0-or-later"',
        f'derived_from = "{DERIVED_FROM}"',
        'preprocess = "face-square/1"',
        'detector = "face_swap"',
        'outputs = ["logits"]',
        f'golden = "{GOLDEN}"',
        f'input = [{{ name = "pixels", shape = ["n", 3, {SIDE}, {SIDE}] }}]',
        f"calibration = {{ raw = {table['raw']}, probability = {table['probability']} }}",
        "",
        "[model.bands]  # on the probability; rates measured as cards/face_swap.md says",
    ]
    lines += [f"{name} = {value}" for name, value in bands.items()]
    return "\n".join([*lines, f"# end of {MODEL}"])


def publish(net: FaceNetwork, found: dict[str, Any]) -> None:
    """Weights, manifest entry, golden values, and the card with its figures."""
    models = data.ROOT / "models"
    target = models / f"{MODEL}.onnx"
    answers = write_model(net, target)
    export.write_entry(models / "manifest.toml", manifest_entry(target, found["calibration"], found["bands"]))
    cases = [
        {
            "square_sha256": hashlib.sha256(s.tobytes()).hexdigest(),
            "mean": [round(float(v), 4) for v in s.mean((0, 1))],
            "samples": [int(v) for v in s[8::37, 12::41].ravel()],
            "logit": round(float(a[0]), 4),
        }
        for s, a in zip(golden_squares(), answers, strict=True)
    ]
    (data.ROOT / GOLDEN).write_text(json.dumps({"model": MODEL, "cases": cases}, indent=1) + "\n", encoding="utf-8")
    card.write("face_swap", found)


def main() -> None:
    """All stages, or those up to one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--until", choices=("index", "pairs", "blends", "folds", "figures", "export"), default="export")
    until = parser.parse_args().until
    torch.set_num_threads(1)
    known = index()
    if until == "index":
        return
    photographs, videos = material(known)
    if until == "pairs":
        return
    base = blends_network(photographs)
    if until == "blends":
        return
    tuned = [fold_network(f, base, photographs, videos) for f in range(FOLDS)]
    if until == "folds":
        return
    net = distilled()
    seen = learnt_from(net, videos)
    networks = [probe_network(f, net, seen, videos) for f in (*range(FOLDS), None)]
    found = figures(known, videos, base, tuned, networks)
    say(json.dumps({k: v for k, v in found.items() if k not in ("calibration", "others")}, indent=1))
    if until == "export":
        publish(networks[-1], found)


if __name__ == "__main__":
    main()
