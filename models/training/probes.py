"""Linear probes: what they read, how they are fitted, and how each picture is scored by one that never saw it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from detectors.inference.preprocess import CLIP_MEAN, CLIP_STD, canonical, normalise, two_views
from models.training import clip, data, export, metrics, teacher
from models.training.network import Lite0

CLIP_BLOCKS = (5, 6, 7)
CLIP_PARTS = (0, 1, 2)
CLIP_RIDGE, NETWORK_RIDGE = 0.3, 0.3
AXES = 500  # of wide features

Floats = npt.NDArray[np.float64]


def clip_features(kind: str, blocks: tuple[int, ...] = CLIP_BLOCKS, parts: tuple[int, ...] = CLIP_PARTS) -> Floats:
    """(n, 2 * blocks * parts * 768), first view first: class tokens (part 0), means (1), deviations (2)."""
    chosen = teacher.features(kind)[:, :, list(blocks)][:, :, :, list(parts)]
    return np.asarray(chosen, np.float64).reshape(len(chosen), -1)


class Network:
    """The distilled network as a function from views to features."""

    def __init__(self) -> None:
        graph = data.cache_dir() / "distilled.onnx"
        net = Lite0()
        net.load_state_dict(torch.load(data.cache_dir() / "distilled.pt", weights_only=True))
        export.write_graph(net.eval(), graph)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
        self.session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])

    def __call__(self, views: npt.NDArray[np.uint8]) -> Floats:
        """(n, 2, 224, 224, 3) -> (n, 2 * 944)."""
        rows = [self.session.run(None, {"pixels": normalise(v, 127.0, 128.0)})[0].ravel() for v in views]
        return np.stack(rows).astype(np.float64)

    def of_copies(self, kind: str) -> Floats:
        """Features of one copy of each picture, (n, 1888), kept in the cache."""
        path = data.cache_dir() / f"network-{kind}.npy"
        if not path.exists():
            np.save(path, self(teacher.views(kind)).astype(np.float32))
        return np.asarray(np.load(path), np.float64)


def probe(x: Floats, y: npt.NDArray[np.int64], weight: Floats, ridge: float) -> Floats:
    """Coefficients (d + 1,) of a linear probe; wide features are first turned onto their main axes, and back after."""
    scale = x.std(0) + 1e-6
    z = (x - x.mean(0)) / scale
    if x.shape[1] > AXES:
        if len(z) < x.shape[1]:
            values, vectors = np.linalg.eigh(z @ z.T)
            real = np.flatnonzero(values > values.max() * 1e-9)[-AXES:]  # fewer than AXES pictures have fewer axes
            axes = z.T @ (vectors[:, real] / np.sqrt(values[real]))
        else:
            axes = np.linalg.eigh(z.T @ z)[1][:, -AXES:]
        wide = axes @ (beta := metrics.logistic(z @ axes, y, weight, ridge))[:-1]
    else:
        wide = (beta := metrics.logistic(z, y, weight, ridge))[:-1]
    wide = wide / scale
    return np.append(wide, beta[-1] - x.mean(0) @ wide)


def fit(copies: list[Floats], all_items: list[data.Item], ridge: float, held_out: int | None) -> Floats:
    """Coefficients (d + 1,) from all kinds of copies of the pictures that may be trained on."""
    chosen = data.training_items(all_items, held_out)
    y = np.array([all_items[k].label for k in chosen])
    weight, times = data.group_weights([all_items[k] for k in chosen]) / len(copies), len(copies)
    return probe(np.concatenate([x[chosen] for x in copies]), np.tile(y, times), np.tile(weight, times), ridge)


def folds(copies: list[Floats], all_items: list[data.Item], ridge: float) -> list[Floats]:
    """One probe per fold, which saw neither its groups nor its sites."""
    return [fit(copies, all_items, ridge, f) for f in range(data.FOLDS)]


def out_of_fold(x: Floats, betas: list[Floats], all_items: list[data.Item]) -> Floats:
    """Logits (n,) of one kind of copy, each picture's by the probe of its own fold."""
    return np.array([row @ betas[i.fold][:-1] + betas[i.fold][-1] for row, i in zip(x, all_items, strict=True)])


@dataclass(frozen=True)
class Fast:
    """The fast profile's score of any pixels, by the probe of a given fold."""

    network: Network
    betas: list[Floats]

    def logits(self, pixels: npt.NDArray[np.uint8], fold: int) -> float:
        """`pixels` (h, w, 3) uint8 -> the raw score."""
        seen = self.network(two_views(canonical(pixels))[np.newaxis])[0]
        return float(seen @ self.betas[fold][:-1] + self.betas[fold][-1])


@dataclass(frozen=True)
class Thorough:
    """The thorough profile's score: CLIP's probe, plus the fast one's by its weight."""

    tower: torch.nn.Module
    betas: list[Floats]
    fast: Fast
    weight: float

    def logits(self, pixels: npt.NDArray[np.uint8], fold: int) -> float:
        """`pixels` (h, w, 3) uint8 -> the raw score."""
        views = normalise(two_views(canonical(pixels)), CLIP_MEAN * 255, CLIP_STD * 255)
        with torch.inference_mode():
            seen = self.tower(torch.from_numpy(views))[:, list(CLIP_BLOCKS)][:, :, list(CLIP_PARTS)].numpy().ravel()
        own = float(seen @ self.betas[fold][:-1] + self.betas[fold][-1])
        return own + self.weight * self.fast.logits(pixels, fold)


def fast(all_items: list[data.Item], network: Network) -> Fast:
    """Fold probes on the small network's features of degraded and untouched copies."""
    copies = [network.of_copies(kind) for kind in (*teacher.COPIES, "untouched")]
    return Fast(network, folds(copies, all_items, NETWORK_RIDGE))


def thorough(all_items: list[data.Item], fast_one: Fast) -> Thorough:
    """Fold probes on CLIP's features of degraded copies, and how much the small network's score adds to theirs.

    That share comes from a logistic model of the two scores out of fold, both classes counting the same; it is never
    negative.
    """
    copies = [clip_features(kind) for kind in teacher.COPIES]
    betas = folds(copies, all_items, CLIP_RIDGE)
    own = out_of_fold(copies[0], betas, all_items)
    other = out_of_fold(fast_one.network.of_copies(teacher.COPIES[0]), fast_one.betas, all_items)
    y = np.array([i.label for i in all_items])
    first, second, _ = metrics.logistic(np.stack([own, other], 1), y, metrics.balanced(y), 1e-4)
    tower = clip.tower(Path(os.environ["COUNTERPROOF_CLIP"]), max(CLIP_BLOCKS) + 1)
    return Thorough(tower, betas, fast_one, round(max(0.0, float(second / first)), 3))
