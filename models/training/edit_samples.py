"""Edited pictures to teach `local_edit` with and to test it on: which folds, which methods, and the networks that fill.

Three folds of the labelled pictures teach, three set the thresholds, and the last two are for the figures only. Seeded;
what is made is kept in the cache folder.
"""

from __future__ import annotations

import io
import math
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from models.training import data, edits
from models.training.edits import Fill, Mask, Pixels, Sample

SEED = 20260505
SETS = {"a": (0, 2, 4), "b": (1, 3, 5)}  # a teaches, b sets thresholds
TEST = (6, 7)
SAMPLES = {"a": 7400, "b": 1200}  # half of them untouched
LARGER = 6000  # what comes after so many samples is edited in a small part only: small edits are found least
SHARES = {"classical": (0.01, 0.06), "larger": (0.02, 0.3), "small": (0.01, 0.08)}  # of a picture, that is edited
DECODER_STEPS, DECODER_CROP, DECODER_BATCH = 350, 64, 16
PAINTER_STEPS = 300
# Shares of what fills a region in training samples. The decoders come last: they must be trained first.
METHODS = {
    "span": 0.12, "realcugan": 0.11, "waifu2x": 0.09, "splice": 0.16, "resampled": 0.1, "classical": 0.05,
    "generated_in_photo": 0.11, "photo_in_generated": 0.06, "nearest": 0.1, "transposed": 0.1,
}  # fmt: skip
DECODERS = ("nearest", "transposed")


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
    share = method if method == "classical" else "larger" if k < LARGER else "small"
    changed, region = edits.edited(picture, fill, rng, SHARES[share])
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
            **{kind: edits.in_window(edits.rebuilt(kind)) for kind in edits.UPSCALERS},
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
