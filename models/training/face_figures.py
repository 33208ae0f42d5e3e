"""What was tried on faces and what ships, out of fold: every figure of the card of `face_swap`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from detectors.inference.faces import Pixels
from detectors.inference.manifest import Calibration
from detectors.inference.preprocess import CLIP_MEAN, CLIP_STD, VIEW, normalise
from models.training import clip, data, metrics
from models.training.distil import imagenet_file
from models.training.face_network import FaceNetwork, features, logits
from models.training.face_samples import (
    COPY_KINDS,
    DOUBTFUL,
    FOLDS,
    HELD_OUT,
    SEED,
    Floats,
    Item,
    Labels,
    Videos,
    say,
    squares,
)
from models.training.network import Lite0, load_imagenet

INCONCLUSIVE = 0.05  # at most this share of photographs may reach `clear`
BUDGET = 0.002  # share of photographs that may reach `likely`
LEAK_LIMIT = 0.65
MARGIN = 5e-4  # of the thresholds over the real pictures that set them


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


def shares(p: Floats, bands: dict[str, Any], groups: list[str]) -> dict[str, dict[str, float]]:
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


def thresholds(photographs: list[Floats], margin: float = MARGIN) -> dict[str, float]:
    """`likely` and `clear` on the probability, from real pictures' scores, one array for each kind of them: at most
    BUDGET of any kind reach the first, at most INCONCLUSIVE the second, even `margin` higher."""
    found = {}
    for name, share in (("likely", BUDGET), ("clear", INCONCLUSIVE)):
        top = max(metrics.threshold_at(p, np.zeros(len(p), np.int64), share) for p in photographs)
        found[name] = round(min(top + margin, 0.9999), 4)
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
    sources = [i.group for i in held]
    bands = operating_point(p_held, p_videos, sources, y, fold)
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
        "bands": bands,
        "shipped": at_the_point(p_held, p_videos, y, bands),
        "held_out_sources": shares(p_held["saved_again"], bands, sources),
        "others": others(known, lambda name, items: shipped_probability(name, items, networks[FOLDS], table), bands),
    }


def operating_point(
    p_held: dict[str, Floats],
    p_videos: dict[str, Floats],
    sources: list[str],
    y: Labels,
    fold: Labels,
    margin: float = MARGIN,
) -> dict[str, Any]:
    """Thresholds from each kind of copy's probabilities of the held-out photographs and the crops, and the rates that
    the product states: those with thresholds of one half of the sources and folds, counted on the other half.

    Real crops of the videos count as much as photographs: they are what a bad camera gives.
    """
    half = np.array([sorted(set(sources)).index(g) % 2 for g in sources])
    hits, found = np.zeros(len(sources), np.int64), np.zeros(len(y), np.int64)  # 0 clear, 1 unsure, 2 likely
    for h in (0, 1):
        own, mine = half == h, fold % 2 == h
        rest = [p[~own] for p in p_held.values()] + [p[~mine & (y == 0)] for p in p_videos.values()]
        limits = thresholds(rest, margin)
        hits[own] = placed(p_held["saved_again"][own], limits)
        found[mine] = placed(p_videos["saved_again"][mine], limits)
    real = np.concatenate([hits, found[y == 0]])
    return {
        **thresholds([*p_held.values(), *(p[y == 0] for p in p_videos.values())], margin),
        "false_positive_rate": round(float((real == 2).mean()), 4),
        "recall": round(float((found[y == 1] == 2).mean()), 4),
        "miss_rate": round(float((found[y == 1] == 0).mean()), 4),
        "n_real": len(real),
        "n_synthetic": int((y == 1).sum()),
    }


def at_the_point(
    p_held: dict[str, Floats], p_videos: dict[str, Floats], y: Labels, bands: dict[str, Any]
) -> dict[str, dict[str, float]]:
    """For each kind of copy the shares of photographs, real crops and swaps at or above the thresholds."""
    out = {}
    for kind in COPY_KINDS:
        groups = {"photographs": p_held[kind], "video_reals": p_videos[kind][y == 0], "swaps": p_videos[kind][y == 1]}
        out[kind] = {"photographs_over_half": round(float((p_held[kind] >= 0.5).mean()), 4)}
        for name, p in groups.items():
            out[kind][f"{name}_likely"] = round(float((p >= bands["likely"]).mean()), 4)
            out[kind][f"{name}_above_clear"] = round(float((p >= bands["clear"]).mean()), 4)
    return out


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


def shipped_probability(name: str, items: list[Item], net: FaceNetwork, table: dict[str, list[float]]) -> Floats:
    """What the fast profile says of untouched pictures (n,)."""
    pixels, owner = squares(name, items, "untouched")
    return probability(table, worst(logits(net, pixels), owner))


OTHERS: dict[str, Callable[[Item], bool]] = {
    "sources_trained_on": lambda i: i.kind == "real" and i.group not in HELD_OUT and not i.video,
    "generated": lambda i: i.kind == "generated",
    "splices": lambda i: i.kind == "splice",
}


def others(
    known: list[Item], score: Callable[[str, list[Item]], Floats], bands: dict[str, Any], names: Iterable[str] = OTHERS
) -> dict[str, dict[str, dict[str, float]]]:
    """What a profile says of pictures that it is not measured on: other photographs, generated pictures and splices, as
    far as they are named. `score`: name and pictures to probabilities."""
    out = {}
    for name in names:
        chosen = [i for i in known if i.boxes and OTHERS[name](i)]
        out[name] = shares(score(name, chosen), bands, [i.group for i in chosen])
    return out
