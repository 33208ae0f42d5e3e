"""The networks that were tried on faces, and their training. Seeded; each is kept in the cache folder once made."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn import functional

from detectors.inference.faces import SIDE, Pixels, network_input
from models.training import data, metrics, probes
from models.training.distil import FROZEN, imagenet_file, learning
from models.training.face_samples import COPIES, FOLDS, SEED, Floats, Labels, Videos, say, squares
from models.training.network import Lite0, load_imagenet

BATCH = 12  # of either class
CROP = 144  # px: what is learnt from at a time; it is cheaper, and no two looks at a picture are the same
STEPS, FOLD_STEPS = 600, 54
PROBE_COPIES, PROBE_RIDGE = 1, 0.1


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


def features(net: Lite0, pixels: Pixels) -> Floats:
    """(n, SIDE, SIDE, 3) -> (n, 944)."""
    with torch.inference_mode():
        parts = [net(torch.from_numpy(network_input(pixels[k : k + 16]))).numpy() for k in range(0, len(pixels), 16)]
    return np.concatenate(parts).astype(np.float64)
