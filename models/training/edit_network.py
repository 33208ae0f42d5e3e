"""The network behind `local_edit`, and its training. Seeded; resumes from its checkpoint in the cache folder."""

from __future__ import annotations

import math
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn import functional

from detectors.signals.local_edit import CELL, TOP, network_input
from models.training import distil
from models.training.edit_samples import SEED, folder, samples, seed_of
from models.training.edits import Pixels, Sample
from models.training.network import Block, ConvNorm, Lite0, load_imagenet

CROP, BATCH = 160, 16
RATES, DECAY, WARM_UP, EMA = (1.5e-3, 1.2e-3), 0.01, 30, 0.99
STEPS = (500, 1050)  # where the first and the second cycle of the learning rate end


def filters() -> Tensor:
    """Fixed high-pass filters (6, 3, 5, 5) on brightness and both colour differences: what is left of the content is
    noise and the traces of processing (as in Fridrich and Kodovsky, IEEE TIFS 2012)."""
    line = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    smooth = -line[:, None] * line[None]
    smooth[2, 2] += 1
    across, down, slant = torch.zeros(5, 5), torch.zeros(5, 5), torch.zeros(5, 5)
    across[2, 1:4] = torch.tensor([-0.5, 1, -0.5])
    down[1:4, 2] = torch.tensor([-0.5, 1, -0.5])
    slant[1, 1] = slant[3, 3] = slant[1, 3] = slant[3, 1] = 0.25
    slant[2, 2] = -1
    colours = torch.tensor([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])
    planes = [(0, smooth), (0, across), (0, down), (0, slant), (1, smooth), (2, smooth)]
    return torch.stack([colours[c][:, None, None] * f for c, f in planes])


class Filtered(nn.Sequential):
    """A 3 x 3 convolution with batch norm and ReLU, `stride` 1 or 2."""

    def __init__(self, cin: int, cout: int, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout, momentum=0.03), nn.ReLU())


class EditNet(nn.Module):
    """A map of where the picture disagrees with itself.

    One branch sees high-pass residuals of every pixel. The other, EfficientNet-Lite0's first blocks, sees the picture
    at half its size and is not trained: it knows what is there, at a quarter of the price. Every feature is given to
    the decoder as it is and as its difference from the picture's mean.
    """

    def __init__(self, trunk: Lite0 | None = None) -> None:
        super().__init__()
        trunk = trunk or Lite0()
        self.stem, self.blocks = trunk.stem.requires_grad_(False), trunk.blocks[:11].requires_grad_(False)
        self.register_buffer("high_pass", filters() * 16)
        self.traces = nn.Sequential(
            Filtered(6, 24, 2), Filtered(24, 32, 2), Filtered(32, 48), Filtered(48, 64, 2), Filtered(64, 64),
        )  # fmt: skip
        self.middle, self.deep = ConvNorm(40, 32, 1), ConvNorm(112, 32, 1)
        self.mix = nn.Sequential(
            ConvNorm(256, 96, 1), Block(96, 96, 5, 1, 2), Block(96, 96, 5, 1, 2), nn.Conv2d(96, 1, 1)
        )
        self.scale, self.offset = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) pixels as `network_input` gives them -> (n, 1, h / 8, w / 8) logits."""
        noise = functional.conv2d(x, self.get_buffer("high_pass"), padding=2).clamp(-1.5, 1.5)
        h = self.stem(functional.avg_pool2d(x, 2))
        for block in self.blocks[:5]:
            h = block(h)
        seen = [self.traces(noise), functional.interpolate(self.middle(h), scale_factor=2.0)]
        for block in self.blocks[5:]:
            h = block(h)
        seen.append(functional.interpolate(self.deep(h), scale_factor=4.0))
        all_seen = torch.cat(seen, 1)
        out: Tensor = self.mix(torch.cat([all_seen, all_seen - all_seen.mean((2, 3), keepdim=True)], 1))
        return out


def fresh() -> EditNet:
    """The network as training starts from it."""
    torch.manual_seed(SEED)
    trunk = Lite0()
    load_imagenet(trunk, distil.imagenet_file())
    net = EditNet(trunk)
    last = net.mix[3]
    if isinstance(last, nn.Conv2d) and last.bias is not None:
        nn.init.constant_(last.bias, -2.5)  # few cells are edited
    return net


def learning(net: EditNet) -> None:
    """Training mode, the trunk's batch norms excepted."""
    net.train()
    for part in (net.stem, *net.blocks):
        for inner in part.modules():
            if isinstance(inner, nn.BatchNorm2d):
                inner.eval()


def cells(region: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Share of each 8 px cell that is edited; sides divisible by 8."""
    h, w = region.shape
    return region.reshape(h // CELL, CELL, w // CELL, CELL).mean((1, 3))


def training_crop(one: Sample, rng: Generator) -> tuple[Pixels, npt.NDArray[np.float32]]:
    """A square of a sample on the 8 px grid of its file, and its cells. An edited one shows 2 to 60 % of edit, if one
    of eight tries does."""
    pixels, region = one.pixels(), one.mask.astype(np.float32)
    missing = [max(0, CROP - s) for s in region.shape]
    if any(missing):
        pixels = np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), "reflect")
        region = np.pad(region, ((0, missing[0]), (0, missing[1])), "reflect")
    for _ in range(8):
        y, x = (int(rng.integers(0, (s - CROP) // CELL + 1)) * CELL for s in region.shape)
        cut = region[y : y + CROP, x : x + CROP]
        if one.method == "untouched" or 0.02 <= cut.mean() <= 0.6:
            break
    square = pixels[y : y + CROP, x : x + CROP]
    if rng.random() < 0.5:
        square, cut = square[:, ::-1], cut[:, ::-1]
    return square, cells(cut)


def batch(pool: dict[int, Sample], step: int) -> tuple[Tensor, Tensor]:
    """(16, 3, 224, 224) and (16, 1, 28, 28): as many edited as untouched. Seeded by step."""
    rng = seed_of("batch", step)
    keys = np.array(sorted(pool))
    chosen = [int(k) for odd in (0, 1) for k in rng.choice(keys[keys % 2 == odd], BATCH // 2, replace=False)]
    cut = [training_crop(pool[k], rng) for k in chosen]
    x = np.concatenate([network_input(np.ascontiguousarray(p)) for p, _ in cut])
    return torch.from_numpy(x), torch.from_numpy(np.stack([c for _, c in cut])[:, None])


def loss_of(net: EditNet, x: Tensor, wanted: Tensor) -> Tensor:
    """Cells: cross-entropy, edited ones three times, and overlap (Milletari et al., 3DV 2016); pictures: cross-entropy
    of the mean of the highest cells."""
    logits = net(x)
    per_cell = functional.binary_cross_entropy_with_logits(logits, wanted, 1 + 2 * wanted)
    has = (wanted.amax((1, 2, 3)) > 0.5).float()
    p = logits.sigmoid()
    overlap = (2 * (p * wanted).sum((1, 2, 3)) + 1) / ((p + wanted).sum((1, 2, 3)) + 1)
    count = max(1, round(TOP * logits[0].numel()))
    top = logits.flatten(1).topk(count, 1).values.mean(1)
    whole = functional.binary_cross_entropy_with_logits(net.scale * top + net.offset, has)
    return per_cell + 0.5 * ((1 - overlap) * has).sum() / has.sum().clamp(min=1) + 0.5 * whole


def train() -> EditNet:
    """The network after both cycles, from its files when there are any; the second starts from the first's mean."""
    for cycle, end in enumerate(STEPS):
        target = folder() / f"net-{end}.pt"
        if not target.is_file():
            net = fresh() if cycle == 0 else loaded(STEPS[cycle - 1])
            learn(net, STEPS[cycle - 1] if cycle else 0, end, RATES[cycle])
            torch.save(net.state_dict(), target)
    return loaded(STEPS[-1])


def loaded(step: int) -> EditNet:
    """The network as a cycle left it."""
    net = EditNet()
    net.load_state_dict(torch.load(folder() / f"net-{step}.pt", weights_only=True))
    return net.eval()


def learn(net: EditNet, first: int, end: int, highest: float) -> None:
    """One cycle of training, from its checkpoint when there is one; leaves the running mean of the weights."""
    state_file = folder() / "net.state"
    pool = {**samples("a", "base"), **samples("a", "decoder")}
    learnt = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learnt, highest, weight_decay=DECAY)
    mean = {k: v.clone() for k, v in net.state_dict().items()}
    start = first
    if state_file.is_file():
        saved = torch.load(state_file, weights_only=True)
        net.load_state_dict(saved["net"])
        optimiser.load_state_dict(saved["optimiser"])
        mean, start = saved["mean"], int(saved["step"])
    begun, total = time.perf_counter(), 0.0
    for step in range(start, end):
        learning(net)
        done = (step - first) / (end - first)
        rate = min(1, (step - first + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * done))
        optimiser.param_groups[0]["lr"] = highest * rate
        loss = loss_of(net, *batch(pool, step))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learnt, 5.0)
        optimiser.step()
        keep = min(EMA, (step - first) / (step - first + 10))
        for k, v in net.state_dict().items():
            mean[k] = mean[k] * keep + v * (1 - keep) if v.is_floating_point() else v.clone()
        total += float(loss.detach())
        if (step + 1) % 50 == 0:
            spent = (time.perf_counter() - begun) / (step + 1 - start)
            print(f"{step + 1}: loss {total / 50:.4f}, {spent:.2f} s a step", file=sys.stderr, flush=True)
            total = 0.0
            state = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "mean": mean, "step": step + 1}
            torch.save(state, state_file)
    net.load_state_dict(mean)
    state_file.unlink(missing_ok=True)


class Shipped(nn.Module):
    """The network's map, moved so that 0 is the border of `edited`."""

    def __init__(self, net: EditNet, border: float) -> None:
        super().__init__()
        self.net, self.border = net, border

    def forward(self, x: Tensor) -> Tensor:
        """(1, 3, h, w) -> (1, 1, h / 8, w / 8)."""
        out: Tensor = self.net(x) - self.border
        return out


def write_graph(net: nn.Module, target: Path) -> None:
    """The network as ONNX: input `pixels`, free in height and width, output `logits`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter is deprecated; it needs no further package and folds norms
        torch.onnx.export(
            net, (torch.zeros(1, 3, 224, 320),), str(target), input_names=["pixels"], output_names=["logits"],
            dynamic_axes={"pixels": {2: "height", 3: "width"}, "logits": {2: "rows", 3: "columns"}},
            dynamo=False, opset_version=17,
        )  # fmt: skip
