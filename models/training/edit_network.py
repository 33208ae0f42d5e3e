"""The head behind `local_edit`: what CLIP's patch tokens say of each cell, and what is learnt from it. Seeded.

CLIP itself is not trained. Its tokens of every picture that is looked at are kept in the cache folder, on main axes
that were fitted without labels, so training the heads takes minutes.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional

from detectors.inference.clip import PATCHES, TRUNK
from detectors.inference.preprocess import VIEW, canonical
from detectors.signals.local_edit import CELL, TOP, patches
from models.training import data
from models.training.edit_samples import SEED, folder, samples, seed_of
from models.training.edits import Mask, Pixels, Sample

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]

WIDTH, BLOCKS = 768, 6  # of CLIP's tokens, and of its blocks that the trunk gives patches of
AXES, AXES_FROM = 48, 100  # main axes of each block, and teaching samples that they come from
TAUGHT = 3400  # samples, whatever they are
MORE = {"span": 360, "resampled": 160, "untouched": 320}  # and so many more of these: what rebuilds is found least
STRIP = (VIEW, 2 * VIEW)  # px: as much of a teaching sample is looked at, for speed
HIDDEN, NEAR, HEADS = 32, 2, 2  # channels, layers that see a cell's neighbours, and networks whose mean is taken
EPOCHS, BATCH, RATE, DECAY, DROPPED, WARM_UP = 14, 12, 1.5e-3, 0.05, 0.3, 20


def cells(region: Mask) -> Floats:
    """Share of each 16 px cell that is edited, (rows, columns)."""
    h, w = region.shape
    missing = ((0, -h % CELL), (0, -w % CELL))
    whole, there = (np.pad(v, missing).astype(np.float32) for v in (region, np.ones((h, w), bool)))
    shape = (whole.shape[0] // CELL, CELL, whole.shape[1] // CELL, CELL)
    return np.asarray(whole.reshape(shape).sum((1, 3)) / there.reshape(shape).sum((1, 3)))


def strip(one: Sample, k: int) -> tuple[Pixels, Mask]:
    """Two tiles' worth of a sample, lying or standing, on its file's 8 px grid. An edited one shows 2 to 60 % of edit,
    if one of eight tries does."""
    rng, pixels = seed_of("strip", k), one.pixels()
    h, w = one.mask.shape
    for _ in range(8):
        tall, wide = STRIP if rng.random() < 0.5 else STRIP[::-1]
        tall, wide = min(tall, h), min(wide, w)
        y, x = int(rng.integers(0, (h - tall) // 8 + 1)) * 8, int(rng.integers(0, (w - wide) // 8 + 1)) * 8
        cut = one.mask[y : y + tall, x : x + wide]
        if one.method == "untouched" or 0.02 <= cut.mean() <= 0.6:
            break
    return pixels[y : y + tall, x : x + wide], cut


def teaching() -> list[tuple[Pixels, Mask]]:
    """Strips of the first TAUGHT teaching samples and of MORE of the others, and where they are edited."""
    pool = {**samples("a", "base"), **samples("a", "decoder")}
    chosen, others = sorted(pool)[:TAUGHT], sorted(pool)[TAUGHT:]
    for method, count in MORE.items():
        chosen += [k for k in others if pool[k].method == method][:count]
    return [strip(pool[k], k) for k in chosen]


class Tokens:
    """The shipped trunk and the axes: a picture (h, w, 3) uint8 -> (rows, columns, BLOCKS * AXES). Kept by content."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        path = str(data.ROOT / "models" / f"{TRUNK}.onnx")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        target = folder() / "token-axes.npy"
        if not target.is_file():
            seen = [self.of_cells(pixels) for pixels, _ in teaching()[:AXES_FROM]]
            np.save(target, np.stack([fitted(seen, k) for k in range(BLOCKS)]))
        self.axes: Floats = np.load(target)  # (BLOCKS, 768, AXES)

    def of_cells(self, pixels: Pixels) -> Floats:
        """(rows, columns, BLOCKS * 768), through the product's own preprocessing."""
        small = np.asarray(canonical(pixels))
        return patches(small, lambda tile: np.asarray(self.session.run([PATCHES], {"pixels": tile})[0]))

    def __call__(self, pixels: Pixels) -> Halves:
        """See the class."""
        told = hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()
        target = folder() / f"tokens/{told[:20]}.npy"
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            seen = self.of_cells(pixels)
            parts = [relative(seen, k) @ v for k, v in enumerate(self.axes)]
            partial = target.with_suffix(f".{os.getpid()}.npy")
            np.save(partial, np.concatenate(parts, 1).reshape(*seen.shape[:2], -1).astype(np.float16))
            partial.rename(target)
        return np.asarray(np.load(target))


def relative(seen: Floats, k: int) -> Floats:
    """(cells, 768): block `k` less its mean over the picture."""
    x = seen[..., k * WIDTH : (k + 1) * WIDTH].reshape(-1, WIDTH).astype(np.float32)
    return np.asarray(x - x.mean(0))


def fitted(seen: list[Floats], k: int) -> Floats:
    """(768, AXES): the main axes of block `k` of some pictures, scaled so that each has deviation 1. No labels."""
    x = np.concatenate([relative(t, k) for t in seen])
    scale = x.std(0) + 1e-3
    x /= scale
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    return np.asarray(vectors[:, ::-1][:, :AXES] / np.sqrt(values[::-1][:AXES] + 1e-6) / scale[:, np.newaxis])


@dataclass(frozen=True, slots=True)
class Looked:
    """What is taught of one picture: tokens on the axes (rows, columns, d), and what share of each cell is edited."""

    tokens: Halves
    cells: Floats


class Head(nn.Module):
    """Tokens to a logit for each cell: one layer that sees how the cell differs from the picture's mean, and some that
    see its neighbours too."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.drop = nn.Dropout(DROPPED)
        self.first = nn.Conv2d(width, HIDDEN, 1)
        self.near = nn.ModuleList(nn.Conv2d((1 if k else 2) * HIDDEN, HIDDEN, 3, 1, 1) for k in range(NEAR))
        self.last = nn.Conv2d(HIDDEN, 1, 1)
        nn.init.normal_(self.last.weight, std=0.05)
        if self.last.bias is not None:
            nn.init.constant_(self.last.bias, -2.0)  # few cells are edited
        self.scale, self.offset = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """(n, d, rows, columns) and (n, 1, rows, columns), 1 where the picture is -> (n, 1, rows, columns)."""
        x = (x - mean_of(x, there)) * there
        h = functional.gelu(self.first(self.drop(x))) * there
        h = torch.cat([h, h - mean_of(h, there)], 1) * there
        for layer in self.near:
            h = functional.gelu(layer(self.drop(h))) * there
        out: Tensor = self.last(h)
        return out


def mean_of(x: Tensor, there: Tensor) -> Tensor:
    """The mean over a picture's cells, (n, d, 1, 1)."""
    return (x * there).sum((2, 3), keepdim=True) / there.sum((2, 3), keepdim=True)


def batch(chosen: list[Looked], mirrored: npt.NDArray[np.bool_]) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, where the picture is, and the share of each cell that is edited; filled up to one size with zeros."""
    rows, columns = (max(one.cells.shape[i] for one in chosen) for i in (0, 1))
    x = np.zeros((len(chosen), rows, columns, chosen[0].tokens.shape[2]), np.float32)
    there, wanted = np.zeros((2, len(chosen), rows, columns), np.float32)
    for k, (one, turn) in enumerate(zip(chosen, mirrored, strict=True)):
        r, c = one.cells.shape
        way = slice(None, None, -1 if turn else 1)
        x[k, :r, :c], there[k, :r, :c], wanted[k, :r, :c] = one.tokens[:, way], 1, one.cells[:, way]
    return (
        torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))),
        torch.from_numpy(there[:, None]),
        torch.from_numpy(wanted[:, None]),
    )


def loss_of(net: Head, x: Tensor, there: Tensor, wanted: Tensor) -> Tensor:
    """Cells: cross-entropy, edited ones three times, and overlap (Milletari et al., 3DV 2016); pictures: cross-entropy
    of the mean of the highest cells."""
    logits = net(x, there)
    per_cell = functional.binary_cross_entropy_with_logits(logits, wanted, 1 + 2 * wanted, reduction="none")
    has = (wanted.amax((1, 2, 3)) > 0.5).float()
    p = logits.sigmoid() * there
    overlap = (2 * (p * wanted).sum((1, 2, 3)) + 1) / ((p + wanted).sum((1, 2, 3)) + 1)
    top = []
    for one, inside in zip(logits, there, strict=True):
        values = one[inside > 0]
        top.append(values.topk(max(1, round(TOP * len(values)))).values.mean())
    whole = functional.binary_cross_entropy_with_logits(net.scale * torch.stack(top) + net.offset, has)
    cell = (per_cell * there).sum() / there.sum()
    return cell + 0.5 * ((1 - overlap) * has).sum() / has.sum().clamp(min=1) + 0.5 * whole


def learn(taught: list[Looked], number: int) -> Head:
    """One head; `number` seeds it."""
    torch.manual_seed(SEED + number)
    rng, net = seed_of("head", number), Head(taught[0].tokens.shape[2])
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    each = len(taught) // BATCH
    for step in range(EPOCHS * each):
        if step % each == 0:
            order = rng.permutation(len(taught))
        rate = min(1, (step + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * step / (EPOCHS * each)))
        optimiser.param_groups[0]["lr"] = RATE * rate
        chosen = [taught[int(k)] for k in order[step % each * BATCH :][:BATCH]]
        loss = loss_of(net, *batch(chosen, rng.random(BATCH) < 0.5))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
    print(f"head {number}: loss {float(loss.detach()):.4f}", file=sys.stderr)
    return net.eval()


def train(tokens: Tokens) -> list[Head]:
    """All heads, from their files where this recipe left them."""
    recipe = (TAUGHT, MORE, TOP, HIDDEN, NEAR, EPOCHS, BATCH, RATE, DECAY, DROPPED, WARM_UP)
    told = hashlib.sha256(repr(recipe).encode()).hexdigest()[:8]
    files = [folder() / f"head-{told}-{k}.pt" for k in range(HEADS)]
    heads, missing = [], []
    for k, target in enumerate(files):
        heads.append(Head(BLOCKS * AXES).eval())
        if target.is_file():
            heads[k].load_state_dict(torch.load(target, weights_only=True))
        else:
            missing.append(k)
    taught = [Looked(tokens(pixels), cells(region)) for pixels, region in (teaching() if missing else [])]
    for k in missing:
        heads[k] = learn(taught, k)
        torch.save(heads[k].state_dict(), files[k])
    return heads


class Shipped(nn.Module):
    """The mean of all heads' maps, from the trunk's patches as they are, moved so that 0 is the border of `edited`."""

    def __init__(self, heads: list[Head], axes: Floats, border: float) -> None:
        super().__init__()
        self.heads, self.border = nn.ModuleList(heads), border
        self.axes = nn.Parameter(torch.from_numpy(axes))

    def forward(self, x: Tensor) -> Tensor:
        """(1, rows, columns, BLOCKS * 768) -> (1, 1, rows, columns)."""
        x = x - x.mean((1, 2), keepdim=True)
        parts = [x[..., k * WIDTH : (k + 1) * WIDTH] @ self.axes[k] for k in range(BLOCKS)]
        on = torch.cat(parts, 3).permute(0, 3, 1, 2)
        return self.of_tokens(on)

    def of_tokens(self, on: Tensor) -> Tensor:
        """(1, BLOCKS * AXES, rows, columns) on the axes -> (1, 1, rows, columns)."""
        there = torch.ones_like(on[:, :1])
        return torch.stack([head(on, there) for head in self.heads]).mean(0) - self.border


def write_graph(net: Shipped, target: Path) -> None:
    """The network as ONNX: input `patches`, free in rows and columns, output `logits`."""
    free = {"patches": {1: "rows", 2: "columns"}, "logits": {2: "rows", 3: "columns"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter is deprecated; it needs no further package
        torch.onnx.export(
            net, (torch.zeros(1, 14, 20, BLOCKS * WIDTH),), str(target), input_names=["patches"],
            output_names=["logits"], dynamic_axes=free, dynamo=False, opset_version=17,
        )  # fmt: skip
