"""The head behind `local_edit`: what CLIP's patch tokens say of each cell, and what is learnt from it. Seeded.

CLIP itself is not trained. Its tokens of every picture that is looked at are kept in the cache folder, on a few axes
of each block, so training the heads takes minutes.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
import warnings
from collections.abc import Iterable
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
from models.training.edit_samples import METHODS, SEED, folder, samples, seed_of
from models.training.edits import Mask, Pixels, Sample

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]

PATCHES_A_TILE = (VIEW // CELL) ** 2
WIDTH, BLOCKS = 768, 6  # of CLIP's tokens, and of its blocks that the trunk gives patches of
MAIN = 48  # main axes of each block
OWN = MAIN + len(METHODS)  # axes of each block: for each of METHODS one more, which tells it apart
AXES = BLOCKS * OWN + len(METHODS)  # of all: for each of METHODS one that reads all blocks
RIDGE = 0.02  # of what tells apart, beside variances of 1
AXES_FROM, SPREAD_FROM = 6000, 800  # teaching strips that axes come from, and their covariances
TAUGHT = 7400  # samples
STRIP = (VIEW, 2 * VIEW)  # px: as much of a teaching sample is looked at, for speed
HIDDEN, NEAR, HEADS = 32, 2, 2  # channels, layers that see a cell's neighbours, and networks whose mean is taken
EPOCHS, BATCH, RATE, DECAY, DROPPED, WARM_UP = 8, 12, 1.5e-3, 0.05, 0.3, 20


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


def teaching() -> list[tuple[Pixels, Floats, str]]:
    """Strips of the first TAUGHT teaching samples, what share of each cell is edited, and by which method."""
    pool, found = {**samples("a", "base"), **samples("a", "decoder")}, []
    for k in sorted(pool)[:TAUGHT]:
        pixels, region = strip(pool[k], k)
        found.append((pixels, cells(region), pool[k].method))
    return found


class Tokens:
    """The shipped trunk and the axes: a picture (h, w, 3) uint8 -> (rows, columns, AXES). Kept by content."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        path = str(data.ROOT / "models" / f"{TRUNK}.onnx")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        target = axes_file()
        if not target.is_file():
            seen = ((self.of_cells(pixels), share, method) for pixels, share, method in teaching()[:AXES_FROM])
            np.save(target, axes_of(*gathered(seen)))
        self.axes: Floats = np.load(target)  # (BLOCKS, 768, OWN + methods)

    def of_cells(self, pixels: Pixels) -> Floats:
        """(rows, columns, BLOCKS * 768), through the product's own preprocessing."""
        small = np.asarray(canonical(pixels))
        return patches(small, self.of_tile)

    def of_tile(self, tile: Floats) -> Floats:
        """What the trunk gives of a normalised tile, (1, 196, BLOCKS * 768)."""
        return np.asarray(self.session.run([PATCHES], {"pixels": tile})[0])

    def __call__(self, pixels: Pixels) -> Halves:
        """See the class."""
        told = hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()
        target = axes_file().with_suffix("") / f"{told[:20]}.npy"
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            seen = self.of_cells(pixels)
            partial = target.with_suffix(f".{os.getpid()}.npy")
            np.save(partial, on_axes(relative(seen), self.axes).reshape(*seen.shape[:2], -1).astype(np.float16))
            partial.rename(target)
        return np.asarray(np.load(target))


def digest(*recipe: object) -> str:
    """What tells files of one recipe from those of another."""
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:8]


def axes_file() -> Path:
    """Where the axes are kept; tokens lie in a folder of the same name."""
    return folder() / f"tokens-{digest(AXES_FROM, METHODS, MAIN, RIDGE, SPREAD_FROM)}.npy"


def relative(seen: Floats) -> Floats:
    """(cells, BLOCKS * 768) of (rows, columns, BLOCKS * 768): less the mean over the picture."""
    x = seen.reshape(-1, BLOCKS * WIDTH).astype(np.float32)
    return np.asarray(x - x.mean(0))


def on_axes(x: Floats, axes: Floats) -> Floats:
    """(cells, AXES) of `relative` ones: each block on its own axes, then all on those that read all."""
    parts = [x[:, k * WIDTH : (k + 1) * WIDTH] @ axes[k] for k in range(BLOCKS)]
    return np.concatenate([*(p[:, :OWN] for p in parts), sum(p[:, OWN:] for p in parts)], 1)


def gathered(seen: Iterable[tuple[Floats, Floats, str]]) -> tuple[Floats, Floats]:
    """Covariance of cells within a picture, of the first SPREAD_FROM (BLOCKS * 768, BLOCKS * 768), and how the cells
    that each of METHODS made differ from the rest of the picture (methods, BLOCKS * 768), 0 for one that is not there.

    `seen`: tokens (rows, columns, BLOCKS * 768), share of each cell that is edited (rows, columns), and method.
    """
    width, count = BLOCKS * WIDTH, 0
    spread = np.zeros((width, width), np.float32)
    apart, weights = np.zeros((len(METHODS), width), np.float32), np.zeros(len(METHODS), np.float32)
    for n, (tokens, share, method) in enumerate(seen):
        x, edited, rest = relative(tokens), share.ravel() > 0.5, share.ravel() < 0.05
        if n < SPREAD_FROM:
            spread += x.T @ x
            count += len(x)
        if method in METHODS and edited.sum() > 3 and rest.sum() > 20:
            own, weight = list(METHODS).index(method), min(1.0, edited.sum() / 20)
            apart[own] += weight * (x[edited].mean(0) - x[rest].mean(0))
            weights[own] += weight
    return spread / count, apart / np.maximum(weights, 1e-6)[:, np.newaxis]


def axes_of(spread: Floats, apart: Floats) -> Floats:
    """(BLOCKS, 768, OWN + methods), each of deviation 1: a block's main axes, without labels; then for each of METHODS
    the direction that best tells what it made from the rest of the picture (Fisher 1936), by the block alone and, last,
    this block's part of one by all blocks. See `gathered`."""
    scale = np.sqrt(np.diag(spread)) + 1e-3
    related, differ = spread / scale / scale[:, np.newaxis], apart / scale
    shared, axes = telling(related, differ), []
    for k in range(BLOCKS):
        own = slice(k * WIDTH, (k + 1) * WIDTH)
        values, vectors = np.linalg.eigh(related[own, own])
        main = vectors[:, ::-1][:, :MAIN] / np.sqrt(values[::-1][:MAIN] + 1e-6)
        parts = [main, telling(related[own, own], differ[:, own]), shared[own]]
        axes.append(np.hstack(parts) / scale[own, np.newaxis])
    return np.asarray(axes, np.float32)


def telling(related: Floats, differ: Floats) -> Floats:
    """(d, methods) of deviation 1, from the correlations (d, d) and the differences (methods, d)."""
    found = np.linalg.solve(related + RIDGE * np.eye(len(related)), differ.T)
    return np.asarray(found / np.sqrt(np.einsum("ij,ij->j", found, related @ found) + 1e-12))


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
    told = digest(axes_file().name, TAUGHT, TOP, HIDDEN, NEAR, EPOCHS, BATCH, RATE, DECAY, DROPPED, WARM_UP)
    files = [folder() / f"head-{told}-{k}.pt" for k in range(HEADS)]
    heads, missing = [], []
    for k, target in enumerate(files):
        heads.append(Head(AXES).eval())
        if target.is_file():
            heads[k].load_state_dict(torch.load(target, weights_only=True))
        else:
            missing.append(k)
    taught = [Looked(tokens(pixels), share) for pixels, share, _ in (teaching() if missing else [])]
    for k in missing:
        heads[k] = learn(taught, k)
        torch.save(heads[k].state_dict(), files[k])
    return heads


class Projected(nn.Module):
    """The first of the two models: patches on the axes, tile by tile."""

    def __init__(self, axes: Floats) -> None:
        super().__init__()
        self.axes = nn.Parameter(torch.from_numpy(axes))

    def forward(self, x: Tensor) -> Tensor:
        """(1, 196, BLOCKS * 768) -> (1, 196, AXES)."""
        parts = [x[..., k * WIDTH : (k + 1) * WIDTH] @ self.axes[k] for k in range(BLOCKS)]
        return torch.cat([*(p[..., :OWN] for p in parts), torch.stack([p[..., OWN:] for p in parts]).sum(0)], 2)


class Shipped(nn.Module):
    """The second: the mean of all heads' maps, moved so that 0 is the border of `edited`."""

    def __init__(self, heads: list[Head], border: float) -> None:
        super().__init__()
        self.heads, self.border = nn.ModuleList(heads), border

    def forward(self, cells: Tensor) -> Tensor:
        """(1, rows, columns, AXES) -> (1, 1, rows, columns). What all cells have in common does not matter."""
        on = (cells - cells.mean((1, 2), keepdim=True)).permute(0, 3, 1, 2)
        there = torch.ones_like(on[:, :1])
        return torch.stack([head(on, there) for head in self.heads]).mean(0) - self.border


def write_graphs(heads: list[Head], axes: Floats, border: float, first: Path, second: Path) -> None:
    """Both models as ONNX: `patches` -> `cells`, and `cells`, free in rows and columns, -> `logits`."""
    free = {"cells": {1: "rows", 2: "columns"}, "logits": {2: "rows", 3: "columns"}}
    for net, like, target, names, dynamic in (
        (Projected(axes), torch.zeros(1, PATCHES_A_TILE, BLOCKS * WIDTH), first, ("patches", "cells"), None),
        (Shipped(heads, border), torch.zeros(1, 14, 20, AXES), second, ("cells", "logits"), free),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the older exporter is deprecated; it needs no further package
            torch.onnx.export(
                net.eval(), (like,), str(target), input_names=[names[0]], output_names=[names[1]],
                dynamic_axes=dynamic, dynamo=False, opset_version=17,
            )  # fmt: skip
