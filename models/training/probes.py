"""Linear probes: what they read, how they are fitted, and how each picture is scored by one that never saw it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from detectors.inference.preprocess import canonical, normalise, two_views
from models.training import class_tokens, clip, data, export, metrics, newer, teacher
from models.training.network import ClipTower, Lite0

CLIP_RIDGE, NETWORK_RIDGE = 0.1, 0.3  # of linear probes
KERNEL_RIDGE, KERNEL_AXES = 3e-5, 700
KERNEL_KINDS = (*teacher.COPIES, teacher.FRAMED)  # copies of each picture that the kernel classifier learns from
AXES = 700  # of wide features

Floats = npt.NDArray[np.float64]


def clip_features(kind: str, blocks: tuple[int, ...] = class_tokens.BLOCKS) -> Floats:
    """(n, blocks * 768): class tokens of the whole picture, block by block."""
    places = [class_tokens.BLOCKS.index(b) for b in blocks]
    chosen = class_tokens.features(kind)[:, places]
    return np.asarray(chosen, np.float64).reshape(len(chosen), -1)


class Network:
    """The distilled network as a function from views to features: the cache folder's, or else the shipped one."""

    def __init__(self) -> None:
        self.graph = graph = data.cache_dir() / "distilled.onnx"
        if (weights := data.cache_dir() / "distilled.pt").exists():
            net = Lite0()
            net.load_state_dict(torch.load(weights, weights_only=True))
            export.write_graph(net.eval(), graph)
        elif not graph.exists():
            export.without_probe(data.ROOT / "models" / f"{export.FAST}.onnx", graph)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
        self.session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])

    def __call__(self, views: npt.NDArray[np.uint8]) -> Floats:
        """(n, 2, 224, 224, 3) -> (n, 2 * 944)."""
        rows = [self.session.run(None, {"pixels": normalise(v, 127.0, 128.0)})[0].ravel() for v in views]
        return np.stack(rows).astype(np.float64)

    def of_copies(self, kind: str) -> Floats:
        """Features of one copy of each picture, (n, 1888), kept in the cache."""
        return self._kept(kind, lambda: teacher.views(kind))

    def of_newer(self, all_items: list[data.Item]) -> Floats:
        """Features of the samples of newer generators, (m, 1888), kept in the cache."""
        sizes = teacher.photo_sizes(all_items)

        def views() -> npt.NDArray[np.uint8]:
            return np.stack([two_views(canonical(newer.copy(all_items, s, sizes))) for s in newer.samples(all_items)])

        return self._kept(class_tokens.NEWER, views)

    def _kept(self, kind: str, views: Callable[[], npt.NDArray[np.uint8]]) -> Floats:
        path = data.cache_dir() / f"network-{kind}.npy"
        if not path.exists():
            np.save(path, self(views()).astype(np.float32))
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


@dataclass(frozen=True)
class Newer:
    """Samples of newer generators, and photographs saved as they were, with their features (m, d)."""

    x: Floats
    samples: list[newer.Sample]


def fit(
    copies: list[Floats], all_items: list[data.Item], ridge: float, held_out: int | None, more: Newer | None = None
) -> Floats:
    """Coefficients (d + 1,) from all kinds of copies of the pictures that may be trained on, and from newer ones."""
    return probe(*learnt(copies, all_items, held_out, more), ridge)


def learnt(
    copies: list[Floats], all_items: list[data.Item], held_out: int | None, more: Newer | None
) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """What is learnt from when a fold is held out: features, labels and weights."""
    chosen = data.training_items(all_items, held_out)
    y = np.array([all_items[k].label for k in chosen])
    weight, times = data.group_weights([all_items[k] for k in chosen]) / len(copies), len(copies)
    x, y, weight = np.concatenate([c[chosen] for c in copies]), np.tile(y, times), np.tile(weight, times)
    if more is not None:
        rows = newer.learnt(more.samples, all_items, held_out)
        own = [more.samples[k] for k in rows]
        x = np.concatenate([x, more.x[rows]])
        y = np.concatenate([y, [s.label for s in own]])
        weight = np.concatenate([weight * (1 - newer.SHARE), newer.weights(own)])
    return x, np.asarray(y, np.int64), weight


@dataclass(frozen=True)
class Kernel:
    """A classifier with a Gaussian kernel: the sum of `weight` (m,) times exp(-|z - point|^2 / 2) over its `points`
    (m, axes), plus `bias`; z is (x - `shift` (d,)) @ `turn` (d, axes), with a mean square length of 1 where it learnt.
    """

    shift: Floats
    turn: Floats
    points: Floats
    weight: Floats
    bias: float

    def __call__(self, x: Floats) -> Floats:
        """Raw scores (n,) of features (n, d)."""
        return near((x - self.shift) @ self.turn, self.points) @ self.weight + self.bias


def near(a: Floats, b: Floats) -> Floats:
    """The kernel of every pair, (n, m): 1 where two points are the same."""
    apart = (a**2).sum(1)[:, np.newaxis] + (b**2).sum(1)[np.newaxis] - 2 * a @ b.T
    return np.asarray(np.exp(-np.maximum(apart, 0) / 2))


def kernel(x: Floats, y: npt.NDArray[np.int64], sample_weight: Floats) -> Kernel:
    """Kernel ridge regression on labels of -1 and 1 (Saunders et al., ICML 1998), weighted, with a free intercept."""
    shift, scale = x.mean(0), x.std(0) + 1e-6
    z = (x - shift) / scale
    turn = np.linalg.eigh(z.T @ z)[1][:, -KERNEL_AXES:] / scale[:, np.newaxis]
    turn /= np.sqrt((((x - shift) @ turn) ** 2).sum(1).mean())
    points = (x - shift) @ turn
    w = sample_weight / sample_weight.sum()
    pairs, root = near(points, points), np.sqrt(w * len(w))
    average = pairs @ w
    centred = pairs - average[:, np.newaxis] - average[np.newaxis] + w @ average
    inside = centred * root[:, np.newaxis] * root[np.newaxis] + KERNEL_RIDGE * len(w) * np.eye(len(w))
    label = np.where(y == 1, 1.0, -1.0)
    a = root * np.linalg.solve(inside, root * (label - w @ label))
    weight = a - w * a.sum()
    return Kernel(shift, turn, points, weight, float(w @ label - average @ a + (w @ average) * a.sum()))


def fit_kernel(all_items: list[data.Item], held_out: int | None, more: Newer | None) -> Kernel:
    """As `fit`, from CLIP's features of KERNEL_KINDS."""
    return kernel(*learnt([clip_features(kind) for kind in KERNEL_KINDS], all_items, held_out, more))


def folds(copies: list[Floats], all_items: list[data.Item], ridge: float, more: Newer | None = None) -> list[Floats]:
    """One probe per fold, which saw neither its groups nor its sites nor its families."""
    return [fit(copies, all_items, ridge, f, more) for f in range(data.FOLDS)]


def out_of_fold(x: Floats, betas: list[Floats], all_items: list[data.Item]) -> Floats:
    """Logits (n,) of one kind of copy, each picture's by the probe of its own fold."""
    return metrics.by_fold(x, betas, np.array([i.fold for i in all_items]))


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

    tower: ClipTower
    kernels: list[Kernel]
    fast: Fast
    weight: float

    def logits(self, pixels: npt.NDArray[np.uint8], fold: int) -> float:
        """`pixels` (h, w, 3) uint8 -> the raw score."""
        seen = class_tokens.see(self.tower, [pixels]).reshape(1, -1).astype(np.float64)
        return float(self.kernels[fold](seen)[0]) + self.weight * self.fast.logits(pixels, fold)


def newer_for_fast(all_items: list[data.Item], network: Network) -> Newer:
    """What the small network sees of the newer generators' samples."""
    return Newer(network.of_newer(all_items), newer.samples(all_items))


def newer_for_thorough(all_items: list[data.Item]) -> Newer:
    """What CLIP sees of them."""
    return Newer(clip_features(class_tokens.NEWER), newer.samples(all_items))


def kernel_folds(all_items: list[data.Item], more: Newer | None) -> list[Kernel]:
    """One kernel classifier per fold; kept in the cache."""
    found = []
    for f in range(data.FOLDS):
        recipe = (f, KERNEL_RIDGE, KERNEL_AXES, KERNEL_KINDS, newer.SHARE, class_tokens.BLOCKS)
        seen = [i.path.name for i in all_items], None if more is None else newer.listed()
        told = hashlib.sha256(repr((recipe, seen)).encode()).hexdigest()
        path = data.cache_dir() / f"kernel-{told[:12]}.npz"
        if not path.exists():
            fitted = fit_kernel(all_items, f, more)
            np.savez(path, **{name: getattr(fitted, name) for name in Kernel.__dataclass_fields__})
        with np.load(path) as kept:
            found.append(Kernel(**{name: kept[name] for name in Kernel.__dataclass_fields__}))
    return found


def by_kernel(x: Floats, kernels: list[Kernel], fold: npt.NDArray[np.int64]) -> Floats:
    """Raw scores (n,) of features (n, d), each by the classifier that its fold was held out of."""
    out = np.zeros(len(x))
    for f, k in enumerate(kernels):
        if (own := fold == f).any():
            out[own] = k(x[own])
    return out


def fast(all_items: list[data.Item], network: Network) -> Fast:
    """Fold probes on the small network's features of degraded and untouched copies."""
    copies = [network.of_copies(kind) for kind in (*teacher.COPIES, "untouched")]
    return Fast(network, folds(copies, all_items, NETWORK_RIDGE, newer_for_fast(all_items, network)))


def thorough(all_items: list[data.Item], fast_one: Fast) -> Thorough:
    """Fold probes on CLIP's features of degraded copies, and how much the small network's score adds to theirs.

    That share comes from a logistic model of the two scores out of fold, both classes counting the same; it is never
    negative.
    """
    kernels = kernel_folds(all_items, newer_for_thorough(all_items))
    own = by_kernel(clip_features(teacher.COPIES[0]), kernels, np.array([i.fold for i in all_items]))
    other = out_of_fold(fast_one.network.of_copies(teacher.COPIES[0]), fast_one.betas, all_items)
    y = np.array([i.label for i in all_items])
    first, second, _ = metrics.logistic(np.stack([own, other], 1), y, metrics.balanced(y), 1e-4)
    tower = clip.tower(Path(os.environ["COUNTERPROOF_CLIP"]), class_tokens.DEPTH)
    return Thorough(tower, kernels, fast_one, round(max(0.0, float(second / first)), 3))
