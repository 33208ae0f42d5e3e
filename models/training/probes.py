"""Linear probes: what they read, how they are fitted, and how each picture is scored by one that never saw it."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from detectors.inference.preprocess import normalise
from models.training import data, export, metrics, teacher
from models.training.network import Lite0

CLIP_BLOCKS = (5, 6, 7)
CLIP_RIDGE, NETWORK_RIDGE = 0.3, 0.3
AXES = 500  # of wide features

Floats = npt.NDArray[np.float64]


def clip_features(kind: str, blocks: tuple[int, ...] = CLIP_BLOCKS, parts: tuple[int, ...] = (0,)) -> Floats:
    """(n, 2 * blocks * parts * 768): the teacher's class tokens (part 0) and token means (1), first view first."""
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
        options.intra_op_num_threads = os.cpu_count() or 1
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
            axes = z.T @ (vectors[:, -AXES:] / np.sqrt(values[-AXES:]))
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
    weight = data.group_weights([all_items[k] for k in chosen])
    bins = data.size_bins(teacher.short_sides(all_items))[chosen]
    weight, times = data.size_weights(bins, y, weight) / len(copies), len(copies)
    return probe(np.concatenate([x[chosen] for x in copies]), np.tile(y, times), np.tile(weight, times), ridge)


def out_of_fold(copies: list[Floats], all_items: list[data.Item], ridge: float) -> tuple[list[Floats], list[Floats]]:
    """Logits (n,) for each kind of copy, each picture scored by a probe that saw neither its group nor its site; and
    the probes, one per fold."""
    fold = np.array([i.fold for i in all_items])
    scores, betas = [np.zeros(len(fold)) for _ in copies], []
    for f in range(data.FOLDS):
        beta = fit(copies, all_items, ridge, f)
        for x, out in zip(copies, scores, strict=True):
            out[fold == f] = x[fold == f] @ beta[:-1] + beta[-1]
        betas.append(beta)
    return scores, betas
