"""The network behind `local_edit`: samples, training, evaluation, export.

    python -m models.training.local_edit [--stage samples|decoders|train|evaluate|export]

Three folds of the labelled pictures teach, three set the thresholds, and the last two are for the figures only.
Seeded; each stage leaves its result in the cache folder and is skipped when it is there.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import math
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from numpy.random import Generator
from PIL import Image, ImageFilter
from torch import Tensor, nn
from torch.nn import functional

from detectors.inference.manifest import Calibration
from detectors.quality import jpeg_quality
from detectors.signals import compression
from detectors.signals.local_edit import CELL, MODEL, TOP, cells_of, network_input, raw_score, sheet
from models.training import card, data, degrade, distil, edits, export, metrics
from models.training import evaluate as evaluation
from models.training.edits import Fill, Mask, Pixels, Sample
from models.training.export import write_entry
from models.training.network import Block, ConvNorm, Lite0, load_imagenet

SEED = 20260505
SETS = {"a": (0, 2, 4), "b": (1, 3, 5)}  # a teaches, b sets thresholds
TEST = (6, 7)
SAMPLES = {"a": 6000, "b": 1200}  # half of them untouched
CROP, BATCH = 160, 16
RATES, DECAY, WARM_UP, EMA = (1.5e-3, 1.2e-3), 0.01, 30, 0.99
DECODER_STEPS, DECODER_CROP, DECODER_BATCH = 350, 64, 16
PAINTER_STEPS = 300

# Shares of what fills a region in training samples. The decoders come last: they must be trained first.
METHODS = {
    "span": 0.16, "splice": 0.18, "resampled": 0.12, "classical": 0.06, "generated_in_photo": 0.12,
    "photo_in_generated": 0.06, "nearest": 0.15, "transposed": 0.15,
}  # fmt: skip
DECODERS = ("nearest", "transposed")

STEPS = (500, 1050)  # where the first and the second cycle of the learning rate end
TOLERANCE = 1e-3
LEAST_AUC, LEAST_F1 = 0.85, 0.5
PREPROCESS_ID = "edit-sheet/1"
GOLDEN = "tests/golden/local_edit.json"
DERIVED_FROM = "EfficientNet-Lite0 ImageNet weights (Google, Apache-2.0), its first blocks, trained by models/training"


# Pictures


def crop_path(item: data.Item) -> Path:
    """Where the item's 288 px square at native resolution would be."""
    return item.path.parents[1] / "crop" / item.path.name


def of_folds(folds: tuple[int, ...], label: int) -> list[data.Item]:
    """The labelled pictures of some folds with a short side that the detector accepts."""
    found = [i for i in data.items() if i.fold in folds and i.label == label]
    return [i for i in found if min(data.size(i.path)) >= edits.SHORTEST]


def drawn(chosen: list[data.Item], rng: Generator) -> Pixels:
    """One picture: each group by the root of its size; a quarter of the time its native square where there is one."""
    sizes = Counter(i.group for i in chosen)
    weight = np.array([sizes[i.group] ** -0.5 for i in chosen])
    item = chosen[int(rng.choice(len(chosen), p=weight / weight.sum()))]
    native = crop_path(item)
    return data.pixels(native if rng.random() < 0.25 and native.is_file() else item.path)


def seed_of(*parts: object) -> Generator:
    """A generator that depends on names and numbers, the same in every run."""
    words = [int.from_bytes(p.encode(), "big") % 2**32 if isinstance(p, str) else int(str(p)) for p in parts]
    return np.random.default_rng([SEED, *words])


def method_of(name: str, k: int) -> str:
    """What sample `k` is: `untouched` when odd, otherwise a method by its share."""
    if k % 2:
        return "untouched"
    shares = np.array(list(METHODS.values()))
    return str(seed_of("method", name, k).choice(list(METHODS), p=shares / shares.sum()))


def sample(name: str, k: int, photos: list[data.Item], generated: list[data.Item], fills: dict[str, Fill]) -> Sample:
    """Training sample `k`; the same in every run."""
    rng, method = seed_of("sample", name, k), method_of(name, k)
    if method == "untouched":
        picture = edits.past(drawn(generated if rng.random() < 0.1 else photos, rng), rng)
        if rng.random() < 0.3:
            picture = edits.harmless(picture, rng)
        return edits.save(picture, np.zeros(picture.shape[:2], bool), method, rng)
    picture = edits.past(drawn(generated if method == "photo_in_generated" else photos, rng), rng)
    if method in fills:
        fill = fills[method]
    else:
        donors = generated if method == "generated_in_photo" else photos
        donor = picture if method == "splice" and rng.random() < 0.2 else drawn(donors, rng)
        fill = pasting(donor)
    share = (0.01, 0.06) if method == "classical" else (0.02, 0.3)
    changed, region = edits.edited(picture, fill, rng, share)
    if rng.random() < 0.1:
        changed = edits.harmless(changed, rng)
    return edits.save(changed, region, method, rng)


def pasting(donor: Pixels) -> Fill:
    """A fill that covers the region with a part of one picture."""
    return lambda picture, region, rng: edits.spliced(picture, region, rng, donor)


def folder() -> Path:
    """Where samples and networks are kept."""
    found = data.cache_dir() / "edits"
    found.mkdir(parents=True, exist_ok=True)
    return found


def samples(name: str, part: str) -> dict[int, Sample]:
    """Samples of one of SETS, by number; `part` is `decoder` for those that need the decoders, else `base`."""
    target = folder() / f"{name}-{part}.npz"
    if not target.is_file():
        photos, generated = of_folds(SETS[name], 0), of_folds(SETS[name], 1)
        fills: dict[str, Fill] = {
            "span": edits.in_window(edits.span),
            "resampled": edits.in_window(edits.resampled),
            "classical": edits.classical,
        }
        if part == "decoder":
            fills |= {way: edits.in_window(rebuilder(decoder(way))) for way in DECODERS}
        wanted = [k for k in range(SAMPLES[name]) if (method_of(name, k) in DECODERS) == (part == "decoder")]
        made = {}
        for n, k in enumerate(wanted):
            made[k] = sample(name, k, photos, generated, fills)
            if n % 200 == 0:
                print(f"{name} {part}: {n} of {len(wanted)}", file=sys.stderr, flush=True)
        edits.pack(made, target)
    return edits.unpack(target)


# Decoders that leave the traces of image generators


class AutoEncoder(nn.Module):
    """Squeezes a picture to `latent` channels at a quarter of its size and rebuilds it, with one of two decoders:
    nearest-neighbour enlarging and convolutions, or transposed convolutions."""

    def __init__(self, way: str, latent: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, 1), nn.SiLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.SiLU(), nn.Conv2d(64, latent, 3, 1, 1)
        )
        if way == "nearest":
            up = [nn.Upsample(scale_factor=2), nn.Conv2d(64, 32, 3, 1, 1), nn.SiLU()]
            last = [nn.Upsample(scale_factor=2), nn.Conv2d(32, 24, 3, 1, 1), nn.SiLU(), nn.Conv2d(24, 3, 3, 1, 1)]
        else:
            up = [nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.LeakyReLU(0.2)]
            last = [nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(16, 3, 3, 1, 1)]
        self.decoder = nn.Sequential(nn.Conv2d(latent, 64, 3, 1, 1), nn.SiLU(), *up, *last)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) in -1..1, sides divisible by 4 -> the same shape."""
        out: Tensor = self.decoder(self.encoder(x))
        return out


def crops(pictures: list[Pixels], side: int, count: int, rng: Generator) -> Tensor:
    """(count, 3, side, side) in -1..1, cut at random."""
    cut = []
    for k in rng.integers(0, len(pictures), count):
        p = pictures[int(k)]
        y, x = (int(rng.integers(0, p.shape[i] - side + 1)) for i in (0, 1))
        cut.append(p[y : y + side, x : x + side])
    return torch.from_numpy(np.stack(cut).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)


def decoder(name: str) -> AutoEncoder:
    """An auto-encoder trained on the teaching photographs."""
    net, target = AutoEncoder(name), folder() / f"decoder-{name}.pt"
    if not target.is_file():
        torch.manual_seed(SEED)
        net, rng = AutoEncoder(name), seed_of("decoder", name)
        chosen = of_folds(SETS["a"], 0)
        pictures = [data.pixels(chosen[int(k)].path) for k in rng.permutation(len(chosen))[:300]]
        optimiser = torch.optim.Adam(net.parameters(), 3e-3)
        for step in range(DECODER_STEPS):
            optimiser.param_groups[0]["lr"] = 3e-3 * (0.5 + 0.5 * math.cos(math.pi * step / DECODER_STEPS)) + 1e-5
            x = crops(pictures, DECODER_CROP, DECODER_BATCH, rng)
            y = net(x)
            # detail counts as much as colour, or the result is only a blur
            loss = functional.l1_loss(y, x) + functional.l1_loss(y.diff(dim=2), x.diff(dim=2)) * 2
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"decoder {name}: loss {float(loss.detach()):.4f}", file=sys.stderr)
        torch.save(net.state_dict(), target)
    net.load_state_dict(torch.load(target, weights_only=True))
    return net.eval()


def rebuilder(net: nn.Module) -> Callable[[Pixels, Generator], Pixels]:
    """What an auto-encoder makes of a picture."""

    def rebuild(picture: Pixels, _rng: Generator) -> Pixels:
        x = torch.from_numpy(picture.transpose(2, 0, 1)[np.newaxis].astype(np.float32) / 127.5 - 1)
        with torch.inference_mode():
            y = net(x)[0].numpy().transpose(1, 2, 0)
        return np.asarray(((y + 1) * 127.5).round().clip(0, 255), np.uint8)

    return rebuild


# What the figures are given for


class Gated(nn.Module):
    """Convolution whose output is let through by a second one (Yu et al., ICCV 2019)."""

    def __init__(self, cin: int, cout: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.both = nn.Conv2d(cin, 2 * cout, 3, stride, dilation, dilation)

    def forward(self, x: Tensor) -> Tensor:
        """(n, cin, h, w) -> (n, cout, h / stride, w / stride)."""
        value, gate = self.both(x).chunk(2, 1)
        return functional.elu(value) * gate.sigmoid()


class Painter(nn.Module):
    """Fills holes from what surrounds them: a U-Net of gated convolutions. For the test only."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Gated(4, 24)
        self.halved = nn.Sequential(Gated(24, 40, 2), Gated(40, 40))
        self.quartered = nn.Sequential(Gated(40, 64, 2), *(Gated(64, 64, dilation=d) for d in (1, 2, 4, 8, 1)))
        self.up = nn.ModuleList((Gated(104, 40), Gated(64, 24)))
        self.last = nn.Conv2d(24, 3, 3, 1, 1)

    def forward(self, x: Tensor, hole: Tensor) -> Tensor:
        """(n, 3, h, w) in -1..1 and (n, 1, h, w) with 1 in the hole -> (n, 3, h, w), the hole filled."""
        a = self.first(torch.cat([x * (1 - hole), hole], 1))
        b = self.halved(a)
        c = self.quartered(b)
        c = self.up[0](torch.cat([functional.interpolate(c, scale_factor=2.0), b], 1))
        c = self.up[1](torch.cat([functional.interpolate(c, scale_factor=2.0), a], 1))
        return x * (1 - hole) + self.last(c).tanh() * hole


def holes(count: int, side: int, rng: Generator) -> Tensor:
    """(count, 1, side, side) of masks."""
    return torch.from_numpy(
        np.stack([edits.mask((side, side), (0.05, 0.3), rng) for _ in range(count)])[:, None]
    ).float()


def painter() -> Painter:
    """The inpainting network, trained on the teaching photographs with L1 and a patch discriminator (hinge loss)."""
    net, target = Painter(), folder() / "painter.pt"
    if not target.is_file():
        torch.manual_seed(SEED)
        net, rng = Painter(), seed_of("painter")
        judge = nn.Sequential(
            nn.Conv2d(4, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 48, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(48, 64, 3, 1, 1), nn.LeakyReLU(0.2), nn.Conv2d(64, 1, 3, 1, 1),
        )  # fmt: skip
        chosen = of_folds(SETS["a"], 0)
        pictures = [data.pixels(chosen[int(k)].path) for k in rng.permutation(len(chosen))[:300]]
        paints = torch.optim.Adam(net.parameters(), 1.5e-3, betas=(0.5, 0.99))
        judges = torch.optim.Adam(judge.parameters(), 5e-4, betas=(0.5, 0.99))
        for step in range(PAINTER_STEPS):
            x, hole = crops(pictures, DECODER_CROP, 8, rng), holes(8, DECODER_CROP, rng)
            y = net(x, hole)
            adversarial = 0.0 if step < PAINTER_STEPS // 4 else 0.1
            loss = functional.l1_loss(y, x) * 10
            if adversarial:
                loss = loss - adversarial * judge(torch.cat([y, hole], 1)).mean()
            paints.zero_grad()
            loss.backward()
            paints.step()
            if adversarial:
                real, fake = judge(torch.cat([x, hole], 1)), judge(torch.cat([y.detach(), hole], 1))
                doubt = functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
                judges.zero_grad()
                doubt.backward()
                judges.step()
        print(f"painter: loss {float(loss.detach()):.4f}", file=sys.stderr)
        torch.save(net.state_dict(), target)
    net.load_state_dict(torch.load(target, weights_only=True))
    return net.eval()


def painted(net: Painter) -> Fill:
    """The region filled by the inpainting network from 48 px of surroundings."""

    def fill(picture: Pixels, region: Mask, _rng: Generator) -> Pixels:
        rows, columns = edits.window(region, 48)
        x = torch.from_numpy(picture[rows, columns].transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1)
        hole = torch.from_numpy(region[rows, columns][None, None]).float()
        with torch.inference_mode():
            y = net(x, hole)[0].numpy().transpose(1, 2, 0)
        out = picture.copy()
        out[rows, columns] = ((y + 1) * 127.5).round().clip(0, 255)
        return out

    return fill


TESTS = {"untouched": 0, "splice": 120, "generated_in_photo": 160, "photo_in_generated": 80, "real_esrgan": 100,
         "painter": 160}  # how many of each; 0 = all photographs  # fmt: skip
INPAINTINGS = ("real_esrgan", "painter")
LARGEST_REBUILT = 192  # px: Real-ESRGAN is slow


def test_set(method: str) -> dict[int, Sample]:
    """Pictures of the folds that teach nothing, edited by `method` but not yet saved (PNG), by index of the picture."""
    target = folder() / f"test-{method}.npz"
    if not target.is_file():
        photos, generated = of_folds(TEST, 0), of_folds(TEST, 1)
        base = generated if method == "photo_in_generated" else photos
        rng = seed_of("test", method)
        chosen = rng.choice(len(base), TESTS[method] or len(base), replace=False)
        made = {}
        for k in (int(v) for v in chosen):
            rng = seed_of("test", method, k)
            picture = data.pixels(base[k].path)
            region = np.zeros(picture.shape[:2], bool)
            if method != "untouched":
                if method == "real_esrgan":
                    fill = small_window(edits.in_window(edits.real_esrgan))
                elif method == "painter":
                    fill = painted(painter())
                else:
                    fill = pasting(drawn(generated if method == "generated_in_photo" else photos, rng))
                share = (0.02, 0.08) if method == "real_esrgan" else (0.02, 0.25)
                picture, region = edits.edited(picture, fill, rng, share)
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
            made[k] = Sample(buffer.getvalue(), region, method)
        edits.pack(made, target)
    return edits.unpack(target)


def small_window(fill: Fill) -> Fill:
    """A fill that leaves out what lies more than 96 px from the region's middle. The region is cut down in place."""

    def small(picture: Pixels, region: Mask, rng: Generator) -> Pixels:
        for axis in (0, 1):
            places = np.flatnonzero(region.any(1 - axis))
            reach = LARGEST_REBUILT // 2 - edits.MARGIN
            middle = (int(places[0]) + int(places[-1])) // 2
            outside = np.abs(np.arange(region.shape[axis]) - middle) > reach
            region[(outside, slice(None)) if axis == 0 else (slice(None), outside)] = False
        return fill(picture, region, rng)

    return small


# The network


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


# Figures


class Shipped(nn.Module):
    """The network's map, moved so that 0 is the border of `edited`."""

    def __init__(self, net: EditNet, border: float) -> None:
        super().__init__()
        self.net, self.border = net, border

    def forward(self, x: Tensor) -> Tensor:
        """(1, 3, h, w) -> (1, 1, h / 8, w / 8)."""
        out: Tensor = self.net(x) - self.border
        return out


Maps = Callable[[Pixels], npt.NDArray[np.float32]]


def write_graph(net: nn.Module, target: Path) -> None:
    """The network as ONNX: input `pixels`, free in height and width, output `logits`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter is deprecated; it needs no further package and folds norms
        torch.onnx.export(
            net, (torch.zeros(1, 3, 224, 320),), str(target), input_names=["pixels"], output_names=["logits"],
            dynamic_axes={"pixels": {2: "height", 3: "width"}, "logits": {2: "rows", 3: "columns"}},
            dynamo=False, opset_version=17,
        )  # fmt: skip


def runner(net: EditNet, name: str) -> Maps:
    """Maps by the network's ONNX form, through the product's own preprocessing."""
    target = folder() / f"{name}.onnx"
    write_graph(Shipped(net, 0.0).eval(), target)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(target), options, providers=["CPUExecutionProvider"])

    def maps(rgb: Pixels) -> npt.NDArray[np.float32]:
        pixels = sheet(rgb)
        return cells_of(session.run(None, {"pixels": network_input(pixels)})[0], pixels)

    return maps


@dataclass(frozen=True, slots=True)
class Seen:
    """What a network made of one picture: its map, where the edit is, and what the picture is."""

    cells: npt.NDArray[np.float32]
    mask: Mask
    kind: str
    group: str
    quality: int

    @property
    def raw(self) -> float:
        """The picture's raw score."""
        return raw_score(self.cells)


def seen(maps: Maps, one: Sample, group: str = "") -> Seen:
    """One saved sample through a network."""
    with Image.open(io.BytesIO(one.content)) as image:
        quality = jpeg_quality(getattr(image, "quantization", {}))
    return Seen(maps(one.pixels()), one.mask, one.method, group, 100 if quality is None else quality)


def scored(name: str, make: Callable[[], Iterator[Seen]]) -> list[Seen]:
    """The results of `make`, kept in the cache folder: maps are slow to compute."""
    target = folder() / f"seen-{name}.npz"
    if not target.is_file():
        found = list(make())
        np.savez(
            target,
            cells=np.concatenate([s.cells.ravel() for s in found]), shapes=np.array([s.cells.shape for s in found]),
            bits=np.concatenate([np.packbits(s.mask) for s in found]), sizes=np.array([s.mask.shape for s in found]),
            kinds=np.array([s.kind for s in found]), groups=np.array([s.group for s in found]),
            quality=np.array([s.quality for s in found]),
        )  # fmt: skip
    with np.load(target, allow_pickle=False) as f:
        parts = {k: f[k] for k in f.files}
    out, at, bit = [], 0, 0
    for (r, c), (h, w), kind, group, quality in zip(
        parts["shapes"], parts["sizes"], parts["kinds"], parts["groups"], parts["quality"], strict=True
    ):
        length = -(-int(h * w) // 8)
        region = np.unpackbits(parts["bits"][bit : bit + length], count=int(h * w)).reshape(h, w).astype(bool)
        out.append(Seen(parts["cells"][at : at + r * c].reshape(r, c), region, str(kind), str(group), int(quality)))
        at, bit = at + int(r * c), bit + length
    return out


def at_pixels(cells: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """The map brought to the picture's (h, w), straight lines between the cells' middles."""
    h, w = cells.shape
    big = cv2.resize(cells, (w * CELL, h * CELL), interpolation=cv2.INTER_LINEAR)
    return np.asarray(big[: size[0], : size[1]], np.float32)


def f1(one: Seen, border: float) -> float:
    """Pixel F1 of one edited picture."""
    marked = at_pixels(one.cells, (one.mask.shape[0], one.mask.shape[1])) > border
    return 2 * float((marked & one.mask).sum()) / max(1.0, float(marked.sum() + one.mask.sum()))


def mean_interval(values: npt.NDArray[np.float64], draws: int = 1000) -> list[float]:
    """95 % interval of a mean by resampling."""
    rng = np.random.default_rng(1)
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(1)
    return [round(float(v), 4) for v in np.quantile(means, [0.025, 0.975])]


def against(edited: list[Seen], untouched: list[Seen], border: float, likely: float) -> dict[str, Any]:
    """Figures of some edited pictures against untouched ones; `likely` is a raw score."""
    raw = np.array([s.raw for s in edited + untouched])
    y = np.array([1] * len(edited) + [0] * len(untouched))
    out = {
        "n": len(edited),
        "n_real": len(untouched),
        "auc": round(metrics.auc(raw, y), 4),
        "auc_interval": metrics.interval(metrics.auc, raw, y),
        "recall_1": round(metrics.recall_at(raw, y, 0.01), 4),
        "recall_5": round(metrics.recall_at(raw, y, 0.05), 4),
        "recall_likely": round(float((raw[y == 1] >= likely).mean()), 4),
    }
    if any(s.mask.any() for s in edited):
        values = np.array([f1(s, border) for s in edited])
        out |= {"f1": round(float(values.mean()), 4), "f1_interval": mean_interval(values)}
    return out


def best_border(edited: list[Seen]) -> float:
    """The logit that gives the highest mean F1 on validation samples."""
    tried = np.arange(-3, 3.01, 0.25)
    return float(tried[int(np.argmax([np.mean([f1(s, float(t)) for s in edited]) for t in tried]))])


def validation(maps: Maps, each: int = 250) -> list[Seen]:
    """`each` edited and as many untouched samples of the folds that set thresholds, first ones first."""

    def make() -> Iterator[Seen]:
        pool = {**samples("b", "base"), **samples("b", "decoder")}
        for odd in (0, 1):
            for k in [k for k in sorted(pool) if k % 2 == odd][:each]:
                yield seen(maps, pool[k])

    return scored("validation", make)


def photographs(maps: Maps, chosen: list[data.Item], kind: str) -> Iterator[Seen]:
    """Whole labelled photographs: `original` as they lie there, `saved` after the samples' own save."""
    for k, item in enumerate(chosen):
        picture = data.pixels(item.path)
        nothing = np.zeros(picture.shape[:2], bool)
        if kind == "original":
            yield seen(maps, Sample(item.path.read_bytes(), nothing, "untouched"), item.group)
        else:
            yield seen(maps, edits.save(picture, nothing, "untouched", seed_of("saved", k, item.fold)), item.group)


def resaved(one: Sample, k: int) -> Sample:
    """A test picture after the samples' own save."""
    return edits.save(one.pixels(), one.mask, one.method, seed_of("test save", one.method, k))


def tested(maps: Maps) -> dict[str, list[Seen]]:
    """The mean of both networks on every test set, and on the labelled splices, which are as they lie there."""

    def make(method: str) -> Iterator[Seen]:
        photos = of_folds(TEST, 0)
        for k, one in test_set(method).items():
            yield seen(maps, resaved(one, k), photos[k].group if method == "untouched" else "")

    found = {m: scored(f"test-{m}", lambda m=m: make(m)) for m in TESTS}
    for group in ("imd2020", "comofod"):
        found[f"splice_{group}"] = scored(f"splice-{group}", lambda group=group: splices(maps, group))
    return found


def splices(maps: Maps, group: str) -> Iterator[Seen]:
    """The labelled splices of one source; where they are spliced is not known."""
    base = data.shared() / "data/images"
    with (base / "labels.csv").open(encoding="utf-8", newline="") as f:
        rows = [r for r in csv.DictReader(f) if r["kind"] == "splice" and r["group"] == group]
    for row in rows:
        path = base / row["file"]
        if min(data.size(path)) >= edits.SHORTEST:
            nothing = np.zeros(data.pixels(path).shape[:2], bool)
            yield seen(maps, Sample(path.read_bytes(), nothing, "splice"), group)


GRID = {
    "jpeg 75": (1.0, 75, 0.0), "jpeg 60": (1.0, 60, 0.0), "jpeg 40": (1.0, 40, 0.0),
    "75 %, jpeg 85": (0.75, 85, 0.0), "50 %, jpeg 85": (0.5, 85, 0.0), "blur 1 px, jpeg 90": (1.0, 90, 1.0),
    "blur 2 px, jpeg 90": (1.0, 90, 2.0),
}  # size, quality, blur  # fmt: skip


def degraded(one: Sample, cell: tuple[float, int, float]) -> Sample:
    """A test picture in one cell of the grid. At half its size it may be smaller than the product judges."""
    size, quality, blur = cell
    image = Image.fromarray(one.pixels())
    if blur:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    if size < 1:
        image = image.resize((round(image.width * size), round(image.height * size)), Image.Resampling.LANCZOS)
    region = np.asarray(Image.fromarray(one.mask).convert("L").resize(image.size, Image.Resampling.BOX)) > 127
    return Sample(degrade.jpeg(image, quality), region, one.method)


def grid(maps: Maps, border: float, likely: float, each: int = 16) -> dict[str, Any]:
    """Inpaintings against photographs by JPEG quality, size and blur."""
    out = {}
    for name, cell in GRID.items():

        def make(cell: tuple[float, int, float] = cell) -> Iterator[Seen]:
            for method in (*INPAINTINGS, "untouched"):
                count = each * (len(INPAINTINGS) if method == "untouched" else 1)
                for one in list(test_set(method).values())[:count]:
                    yield seen(maps, degraded(one, cell))

        found = scored(f"grid-{name.replace(' ', '').replace('%', '').replace(',', '-')}", make)
        edited, untouched = ([s for s in found if (s.kind == "untouched") == real] for real in (False, True))
        figures = against(edited, untouched, border, likely)
        figures["false_positive_rate"] = round(float(np.mean([s.raw >= likely for s in untouched])), 4)
        out[name] = figures
    return out


def ranks(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Ranks of a map's cells, standardised."""
    r = values.ravel().argsort().argsort().astype(np.float64)
    return np.asarray((r - r.mean()) / r.std())


def sanity(maps: Maps, each: int = 16) -> dict[str, Any]:
    """Does the map show what the score rests on? Rank correlation with the maps of the network with its weights
    shuffled, and what blurring the region shown does to the score, beside blurring one of the same shape elsewhere.
    """
    torch.manual_seed(SEED)
    shuffled = train()
    with torch.no_grad():
        for p in shuffled.parameters():
            if p.dim() > 1:
                p.copy_(p.flatten()[torch.randperm(p.numel())].view_as(p))
    random = runner(shuffled, "shuffled")
    correlation, here, there = [], [], []
    for method in INPAINTINGS:
        for k, one in list(test_set(method).items())[:each]:
            picture = resaved(one, k).pixels()
            cells = maps(picture)
            correlation.append(float((ranks(cells) * ranks(random(picture))).mean()))
            marked = cells >= np.quantile(cells, 0.9)
            rng = seed_of("elsewhere", k)
            away = np.roll(marked, (int(rng.integers(8, 20)), int(rng.integers(8, 20))), (0, 1)) & ~marked
            before = raw_score(cells)
            for place, moved in ((marked, here), (away, there)):
                moved.append(before - raw_score(maps(blurred(picture, place))))
    return {
        "n": len(correlation),
        "rank_correlation_shuffled": round(float(np.mean(correlation)), 4),
        "score_drop_shown": round(float(np.mean(here)), 4),
        "score_drop_elsewhere": round(float(np.mean(there)), 4),
        "shown_drops_more": round(float(np.mean(np.array(here) > np.array(there))), 4),
    }


def blurred(picture: Pixels, cells: Mask) -> Pixels:
    """The picture with some cells blurred away."""
    region = np.kron(cells, np.ones((CELL, CELL), bool))[: picture.shape[0], : picture.shape[1]]
    alpha = cv2.GaussianBlur(region.astype(np.float32), (0, 0), 4)
    return edits.blend(picture, np.asarray(cv2.GaussianBlur(picture, (0, 0), 6), np.uint8), np.asarray(alpha))


def raws(found: list[Seen]) -> npt.NDArray[np.float64]:
    """Raw scores."""
    return np.array([s.raw for s in found])


def highest_allowed(raw: npt.NDArray[np.float64], rate: float) -> float:
    """The raw score that at most `rate` of these photographs exceed."""
    return float(np.sort(raw)[::-1][int(rate * len(raw))]) + 1e-3


def false_positives(parts: dict[str, list[Seen]], limit: float) -> dict[str, Any]:
    """Photographs over the raw score `limit`: of the folds that set it, of the test, and of each source."""
    everyone = [s for found in parts.values() for s in found]
    per_source: dict[str, list[bool]] = {}
    for s in everyone:
        per_source.setdefault(s.group, []).append(s.raw > limit)
    return {
        **{name: [int(np.sum(raws(found) > limit)), len(found)] for name, found in parts.items()},
        "per_source": {g: [int(np.sum(v)), len(v)] for g, v in sorted(per_source.items()) if len(v) >= 20},
    }


LIKELY_RATE, UNCLEAR_RATE = 0.001, 0.04  # shares of photographs at or above `likely`, and at or above `clear`


def evaluate(net: EditNet) -> dict[str, Any]:
    """Every figure of the card."""
    maps = runner(net, "net")
    valid = validation(maps)
    edited, plain = ([s for s in valid if (s.kind == "untouched") == real] for real in (False, True))
    border = best_border(edited)
    y = np.array([1] * len(edited) + [0] * len(plain))
    table = evaluation.table(np.concatenate([raws(edited), raws(plain)]) - border, y)
    calibrate = Calibration(tuple(table["raw"]), tuple(table["probability"]))
    folds = {"validation": SETS["b"], "test": TEST}
    saved = scored("saved", lambda: photographs(maps, of_folds(SETS["b"], 0), "saved"))
    tests = tested(maps)
    untouched = tests["untouched"]
    as_they_lie = scored("original", lambda: photographs(maps, of_folds(TEST, 0), "original"))
    likely, clear = highest_allowed(raws(saved), LIKELY_RATE), highest_allowed(raws(saved), UNCLEAR_RATE)
    held_out = [s for m in (*INPAINTINGS, "generated_in_photo") for s in tests[m]]
    imd = [s for s in as_they_lie if s.group == "imd2020"]
    known = {m: [s for s in edited if s.kind == m] for m in METHODS}
    p_test = np.array([calibrate(s.raw - border) for s in held_out + untouched])
    y_test = np.array([1] * len(held_out) + [0] * len(untouched))
    return {
        "seed": SEED,
        "folds": {"teach": list(SETS["a"]), **{part: list(f) for part, f in folds.items()}},
        "photographs": {
            "teach": len(of_folds(SETS["a"], 0)),
            **{part: len(of_folds(f, 0)) for part, f in folds.items()},
        },
        "calibration": table,
        "bands": {
            "likely": round(calibrate(likely - border), 4),
            "clear": round(calibrate(clear - border), 4),
            "false_positive_rate": round(float((raws(untouched) > likely).mean()), 4),
            "recall": round(float((raws(held_out) > likely).mean()), 4),
            "miss_rate": round(float((raws(held_out) < clear).mean()), 4),
            "n_real": len(untouched),
            "n_synthetic": len(held_out),
        },
        "border": border,
        "validation": {
            "all": against(edited, plain, border, likely),
            **{m: against(v, plain, border, likely) for m, v in known.items() if v},
        },
        "test": {
            "inpaintings": against([s for m in INPAINTINGS for s in tests[m]], untouched, border, likely),
            **{m: against(tests[m], untouched, border, likely) for m in TESTS if m != "untouched"},
            "imd2020_splices": against(tests["splice_imd2020"], imd, border, likely),
            "comofod_copy_moves": against(tests["splice_comofod"], imd, border, likely),
        },
        "calibration_error": round(metrics.calibration_error(p_test, y_test), 4),
        "false_positives": {
            "saved": false_positives({"validation": saved, "test": untouched}, likely),
            "original": false_positives({"test": as_they_lie}, likely),
        },
        "unclear_test": round(float(np.mean((raws(untouched) >= clear) & (raws(untouched) < likely))), 4),
        "grid": grid(maps, border, likely),
        "sanity": sanity(maps),
        "compression": compression_figures(),
    }


def compression_figures(count: int = 150) -> dict[str, Any]:
    """How often `compression` is wrong on photographs of the test folds, shrunk to 80 % first, which wipes out their
    own JPEG past: saved once or twice; not saved, or saved and then cut by 3 and 5 px."""
    rng = seed_of("compression")
    chosen = of_folds(TEST, 0)
    once, twice, gap, never, before = [], [], [], [], []
    for k in rng.choice(len(chosen), count, replace=False):
        image = Image.fromarray(data.pixels(chosen[int(k)].path))
        image = image.resize((round(image.width * 0.8), round(image.height * 0.8)), Image.Resampling.BILINEAR)
        first, last = int(rng.integers(60, 96)), int(rng.integers(70, 96))
        earlier = edits.recoded(image, first)
        for source, found in ((image, once), (earlier, twice)):
            with Image.open(io.BytesIO(degrade.jpeg(source, last))) as file:
                table = tuple(file.quantization[0])
                found.append(compression.comb(compression.brightness(np.asarray(file.convert("RGB"))), table) or 0.0)
        gap.append(last - first)
        cut = np.asarray(earlier)[5:, 3:]
        never.append(compression.borders(compression.brightness(np.asarray(image)))[0])
        strength, place = compression.borders(compression.brightness(cut))
        before.append(strength if place == (5, 3) else 0.0)
    again, stronger = np.array(twice) >= compression.COMB_AT, np.array(gap) >= 5
    return {
        "n": count,
        "again_false": round(float(np.mean(np.array(once) >= compression.COMB_AT)), 4),
        "again_found": round(float(again.mean()), 4),
        "again_found_when_5_stronger": round(float(again[stronger].mean()), 4),
        "borders_false": round(float(np.mean(np.array(never) >= compression.BORDER_AT)), 4),
        "borders_found": round(float(np.mean(np.array(before) >= compression.BORDER_AT)), 4),
    }


# The product's files


def to_onnx(trained: EditNet, border: float, target: Path) -> None:
    """Writes the model. Raises RuntimeError when it differs from PyTorch by more than a thousandth."""
    net = Shipped(trained, border).eval()
    write_graph(net, target)
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    for picture in export.golden_pictures():
        x = network_input(sheet(picture))
        with torch.inference_mode():
            apart = float(np.abs(net(torch.from_numpy(x)).numpy() - session.run(None, {"pixels": x})[0]).max())
        if not apart < TOLERANCE:
            raise RuntimeError(f"{target.name} differs from PyTorch by {apart}")


def golden(target: Path) -> dict[str, Any]:
    """Expected values for tests."""
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    cases = []
    for picture in export.golden_pictures():
        x = network_input(sheet(picture))
        logits = session.run(None, {"pixels": x})[0]
        cases.append(
            {
                "picture_sha256": hashlib.sha256(picture.tobytes()).hexdigest(),
                "shape": list(x.shape),
                "mean": [round(float(v), 5) for v in x.mean(axis=(0, 2, 3))],
                "samples": [round(float(v), 5) for v in x[0, :, 10::97, 20::91].ravel()],
                "logits": [round(float(v), 4) for v in logits[0, 0, ::9, ::7].ravel()],
                "raw": round(raw_score(cells_of(logits, picture)), 4),
            }
        )
    return {"model": MODEL, "preprocess": PREPROCESS_ID, "cases": cases}


def manifest_entry(target: Path, figures: dict[str, Any]) -> str:
    """The entry's TOML."""
    content, table = target.read_bytes(), figures["calibration"]
    lines = [
        f"# {MODEL}: written by models/training/local_edit.py",
        "[[model]]",
        f'id = "{MODEL}"',
        f'file = "{target.name}"',
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
        f"bytes = {len(content)}",
        'licence = "AGPL-3.0-or-later"',
        f'derived_from = "{DERIVED_FROM}"',
        f'preprocess = "{PREPROCESS_ID}"',
        'detector = "local_edit"',
        'profile = "thorough"',
        'outputs = ["logits"]',
        f'golden = "{GOLDEN}"',
        'input = [{ name = "pixels", shape = [1, 3, "height", "width"] }]',
        f"calibration = {{ raw = {table['raw']}, probability = {table['probability']} }}",
        "",
        "[model.bands]  # on the probability; rates measured on held-out sources and methods, see cards/local_edit.md",
        *(f"{name} = {value}" for name, value in figures["bands"].items()),
    ]
    return "\n".join([*lines, f"# end of {MODEL}"])


def main() -> None:
    """Everything that is not in the cache yet, then the files that the product reads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    net = train()
    figures = {"steps": STEPS[-1], **evaluate(net)}
    models, target = data.ROOT / "models", data.ROOT / f"models/{MODEL}.onnx"
    card.write("local_edit", figures)
    if not good_enough(figures):
        print("not good enough to ship: no model was written", file=sys.stderr)
        return
    to_onnx(net, figures["border"], target)
    write_entry(models / "manifest.toml", manifest_entry(target, figures))
    (data.ROOT / GOLDEN).write_text(json.dumps(golden(target), indent=1) + "\n", encoding="utf-8")


def good_enough(figures: dict[str, Any]) -> bool:
    """Whether the model may reach people: it finds held-out inpaintings, and its map shows what the score rests on."""
    found, check = figures["test"]["inpaintings"], figures["sanity"]
    shows = check["score_drop_shown"] > max(0.0, check["score_drop_elsewhere"])
    return bool(found["auc"] >= LEAST_AUC and found["f1"] >= LEAST_F1 and shows)


if __name__ == "__main__":
    main()
