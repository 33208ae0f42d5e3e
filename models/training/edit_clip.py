"""Edited areas by CLIP's patch tokens: the shipped trunk, a small head of convolutions, and what it finds.

    COUNTERPROOF_SHARED=… python -m models.training.edit_clip [--train N] [--check N] [--without METHOD …] [--test]

Figures only, nothing is shipped. The trunk is `clip-trunk.onnx` as it lies in `models/`. A picture is seen at its
own scale as 224 px tiles, the corners and, of large ones, the middle; a token is a 16 px cell, and the head reads its
difference from the picture's mean, block by block on main axes that were fitted without labels. Samples are those of
edit_samples: set `a` teaches, set `b` chooses, `--test` adds the test folds. Tokens are kept in the cache folder; a run
that was cut off resumes. Seeded; one processor core.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn
from torch.nn import functional

from detectors.inference.clip import TRUNK
from detectors.inference.preprocess import CLIP_MEAN, CLIP_STD, VIEW, normalise
from models.training import data, metrics
from models.training.edit_figures import mean_interval, resaved
from models.training.edit_samples import INPAINTINGS, METHODS, SEED, TEST, folder, of_folds, samples, seed_of, test_set
from models.training.edits import Mask, Pixels, Sample

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]

PATCH, WIDTH = 16, 768
BLOCKS = (2, 3, 4, 5, 6, 7)  # of the trunk's eight, from 0
AXES, AXES_FROM = 48, 100  # main axes of each block, and teaching samples that they come from
STRIP = (VIEW, 2 * VIEW)  # px: as much of a teaching sample is looked at, for speed
HIDDEN, NEAR = 32, 2  # channels, and layers that see a cell's neighbours
EPOCHS, BATCH, RATE, DECAY, DROPPED, WARM_UP = 20, 12, 1.5e-3, 0.05, 0.3, 20
TOPS = (0.02, 0.04, 0.08)  # shares of the cells whose mean may be the raw score; set `b` chooses
BORDERS = np.arange(-3, 2.01, 0.25)  # logits that may be the border of `edited`; set `b` chooses
TESTS = {"painter": 160, "real_esrgan": 100, "untouched": 300, "generated_in_photo": 50, "splice": 40,
         "photo_in_generated": 30}  # how many of each  # fmt: skip


def trunk(blocks: tuple[int, ...] = BLOCKS) -> onnxruntime.InferenceSession:
    """The shipped blocks with all tokens (n, 197, 768) of some blocks as outputs, in that order."""
    model = onnx.load(str(data.ROOT / "models" / f"{TRUNK}.onnx"))
    sums = {b: [n for n in model.graph.node if n.op_type == "Add" and f"layers.{b}/" in n.name] for b in blocks}
    del model.graph.output[:]
    for found in sums.values():
        shape = ["n", 1 + (VIEW // PATCH) ** 2, WIDTH]
        model.graph.output.append(helper.make_tensor_value_info(found[-1].output[0], TensorProto.FLOAT, shape))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def tiles(height: int, width: int) -> list[tuple[int, int]]:
    """Top and left of each 224 px tile, on the 16 px grid: the corners, and the middle where corners leave gaps.
    Sides are multiples of 16, at least 224."""
    rows, columns = (sorted({0, side - VIEW}) for side in (height, width))
    found = [(y, x) for y in rows for x in columns]
    if max(height, width) > 2 * VIEW:
        found.append(((height - VIEW) // 2 // PATCH * PATCH, (width - VIEW) // 2 // PATCH * PATCH))
    return found


def padded(pixels: Pixels) -> Pixels:
    """Mirrored right and below up to multiples of 16, at least 224."""
    h, w = (max(VIEW, -(-side // PATCH) * PATCH) - side for side in pixels.shape[:2])
    return np.pad(pixels, ((0, h), (0, w), (0, 0)), "symmetric")


def tokens(session: onnxruntime.InferenceSession, pixels: Pixels) -> npt.NDArray[np.float16]:
    """(rows, columns, blocks * 768) of a picture (h, w, 3), a cell for each 16 px begun; where tiles overlap their
    mean, where none lies the nearest cell's."""
    whole, side = padded(pixels), VIEW // PATCH
    rows, columns = (s // PATCH for s in whole.shape[:2])
    total, count = np.zeros((rows, columns, 0), np.float32), np.zeros((rows, columns), np.float32)
    for y, x in tiles(whole.shape[0], whole.shape[1]):
        cut = normalise(whole[np.newaxis, y : y + VIEW, x : x + VIEW], CLIP_MEAN * 255, CLIP_STD * 255)
        seen = np.concatenate([v[0, 1:] for v in session.run(None, {"pixels": cut})], 1).reshape(side, side, -1)
        if not total.shape[2]:
            total = np.zeros((rows, columns, seen.shape[2]), np.float32)
        r, c = y // PATCH, x // PATCH
        total[r : r + side, c : c + side] += seen
        count[r : r + side, c : c + side] += 1
    total /= np.maximum(count, 1)[..., np.newaxis]
    covered = np.argwhere(count)
    for r, c in np.argwhere(count == 0):
        total[r, c] = total[tuple(covered[np.argmin(((covered - (r, c)) ** 2).sum(1))])]
    h, w = (-(-s // PATCH) for s in pixels.shape[:2])
    return total[:h, :w].astype(np.float16)


def cells(region: Mask) -> Floats:
    """Share of each 16 px cell that is edited, (rows, columns)."""
    h, w = region.shape
    missing = ((0, -h % PATCH), (0, -w % PATCH))
    whole, there = (np.pad(v, missing).astype(np.float32) for v in (region, np.ones((h, w), bool)))
    shape = (whole.shape[0] // PATCH, PATCH, whole.shape[1] // PATCH, PATCH)
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


class Axes:
    """The main axes of each block's tokens less their picture's mean, by the first teaching samples. No labels."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        target = folder() / "token-axes.npy"
        if not target.is_file():
            pool = pool_of("a")
            seen = [tokens(session, strip(pool[k], k)[0]) for k in sorted(pool)[:AXES_FROM]]
            np.save(target, np.stack([self.fitted(seen, k) for k in range(len(BLOCKS))]))
        self.vectors: Floats = np.load(target)

    @staticmethod
    def fitted(seen: list[Halves], k: int) -> Floats:
        """(768, AXES) of block `k`, scaled so that each axis has deviation 1."""
        x = np.concatenate([relative(t, k) for t in seen])
        scale = x.std(0) + 1e-3
        x /= scale
        values, vectors = np.linalg.eigh(x.T @ x / len(x))
        return np.asarray(vectors[:, ::-1][:, :AXES] / np.sqrt(values[::-1][:AXES] + 1e-6) / scale[:, np.newaxis])

    def __call__(self, seen: Halves) -> Halves:
        """(rows, columns, blocks * 768) -> (rows, columns, blocks * AXES)."""
        parts = [relative(seen, k) @ v for k, v in enumerate(self.vectors)]
        return np.concatenate(parts, 1).reshape(*seen.shape[:2], -1).astype(np.float16)


def relative(seen: Halves, k: int) -> Floats:
    """(cells, 768): block `k` less its mean over the picture."""
    x = seen[..., k * WIDTH : (k + 1) * WIDTH].reshape(-1, WIDTH).astype(np.float32)
    return np.asarray(x - x.mean(0))


def pool_of(name: str) -> dict[int, Sample]:
    """All samples of a set, by number."""
    return {**samples(name, "base"), **samples(name, "decoder")}


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of one sample: tokens on the axes (rows, columns, d), cells, mask, method and source."""

    tokens: Halves
    cells: Floats
    mask: Mask
    method: str
    group: str = ""


class Eye:
    """The trunk and the axes; what they gave is kept in the cache folder."""

    def __init__(self) -> None:
        self.session = trunk()
        self.axes = Axes(self.session)

    def __call__(self, name: str, pixels: Pixels, region: Mask, method: str, group: str = "") -> Looked:
        """One picture; `name` is the file it is kept in."""
        target = folder() / f"tokens/{name}.npy"
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_suffix(".part.npy")
            np.save(partial, self.axes(tokens(self.session, pixels)))
            partial.rename(target)
        return Looked(np.load(target), cells(region), region, method, group)

    def of_set(self, name: str, count: int) -> Iterator[Looked]:
        """The first `count` samples of a set; of those that teach a strip each."""
        pool = pool_of(name)
        for n, k in enumerate(sorted(pool)[:count]):
            one = pool[k]
            pixels, region = strip(one, k) if name == "a" else (one.pixels(), one.mask)
            if n % 100 == 0:
                print(f"{name}: {n} of {count}", file=sys.stderr, flush=True)
            yield self(f"{name}-{k}", pixels, region, one.method)

    def of_test(self, method: str) -> Iterator[Looked]:
        """Pictures of the test folds after the samples' own save."""
        photos, known = of_folds(TEST, 0), list(test_set(method).items())
        # at random, since they lie in the order of their sources
        for k, one in (known[int(n)] for n in seed_of("test order", method).permutation(len(known))[: TESTS[method]]):
            again = resaved(one, k)
            group = photos[k].group if method == "untouched" else ""
            yield self(f"test-{method}-{k}", again.pixels(), again.mask, method, group)


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
    """As `edit_network.loss_of`, over the cells that are there."""
    logits = net(x, there)
    per_cell = functional.binary_cross_entropy_with_logits(logits, wanted, 1 + 2 * wanted, reduction="none")
    has = (wanted.amax((1, 2, 3)) > 0.5).float()
    p = logits.sigmoid() * there
    overlap = (2 * (p * wanted).sum((1, 2, 3)) + 1) / ((p + wanted).sum((1, 2, 3)) + 1)
    top = []
    for one, inside in zip(logits, there, strict=True):
        values = one[inside > 0]
        top.append(values.topk(max(1, round(TOPS[1] * len(values)))).values.mean())
    whole = functional.binary_cross_entropy_with_logits(net.scale * torch.stack(top) + net.offset, has)
    cell = (per_cell * there).sum() / there.sum()
    return cell + 0.5 * ((1 - overlap) * has).sum() / has.sum().clamp(min=1) + 0.5 * whole


def train(taught: list[Looked]) -> Head:
    """The head. Takes a minute, so it is not kept."""
    torch.manual_seed(SEED)
    rng, net = seed_of("head"), Head(taught[0].tokens.shape[2])
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
    return net.eval()


def shown(net: Head, one: Looked) -> Floats:
    """The map of one picture, (rows, columns) of logits."""
    x, there, _ = batch([one], np.zeros(1, bool))
    with torch.inference_mode():
        return np.asarray(net(x, there)[0, 0].numpy())


def raw_score(cells_shown: Floats, top: float) -> float:
    """The mean of the map's highest cells."""
    count = max(1, round(top * cells_shown.size))
    return float(np.partition(cells_shown.ravel(), -count)[-count:].mean())


def f1(cells_shown: Floats, region: Mask, border: float) -> float:
    """Pixel F1 of one edited picture, the map brought to its size by straight lines between the cells' middles."""
    (rows, columns), (h, w) = cells_shown.shape, region.shape
    big = cv2.resize(cells_shown, (columns * PATCH, rows * PATCH), interpolation=cv2.INTER_LINEAR)[:h, :w] > border
    return 2 * float((big & region).sum()) / max(1.0, float(big.sum() + region.sum()))


@dataclass(frozen=True)
class Choice:
    """What set `b` chose."""

    top: float
    border: float


class Result:
    """Maps of some pictures, and figures over them."""

    def __init__(self, net: Head, pictures: list[Looked]) -> None:
        self.pictures, self.maps = pictures, [shown(net, one) for one in pictures]
        self.kind = np.array([one.method for one in pictures])

    def raw(self, top: float) -> npt.NDArray[np.float64]:
        """Raw scores (n,)."""
        return np.array([raw_score(m, top) for m in self.maps])

    def f1s(self, border: float, mine: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Pixel F1 of some pictures."""
        return np.array([f1(self.maps[int(k)], self.pictures[int(k)].mask, border) for k in np.flatnonzero(mine)])

    def choose(self) -> Choice:
        """The share of cells with the largest area, and the border with the largest mean F1."""
        edited = self.kind != "untouched"
        top = max(TOPS, key=lambda t: metrics.auc(self.raw(t), edited.astype(np.int64)))
        return Choice(top, float(max(BORDERS, key=lambda b: self.f1s(float(b), edited).mean())))

    def against(self, methods: tuple[str, ...], choice: Choice, likely: float) -> dict[str, Any]:
        """Figures of pictures edited by some methods against the untouched; `likely` is a raw score."""
        raw, mine = self.raw(choice.top), np.isin(self.kind, methods)
        judged = mine | (self.kind == "untouched")
        x, y, values = raw[judged], mine[judged].astype(np.int64), self.f1s(choice.border, mine)
        return {
            "n": int(mine.sum()),
            "n_real": int(judged.sum() - mine.sum()),
            "auc": round(metrics.auc(x, y), 4),
            "auc_interval": metrics.interval(metrics.auc, x, y),
            "recall_1": round(metrics.recall_at(x, y, 0.01), 4),
            "recall_likely": round(float((raw[mine] > likely).mean()), 4),
            "f1": round(float(values.mean()), 4),
            "f1_interval": mean_interval(values),
        }


def main() -> None:
    """Prints the figures as JSON and keeps them in the cache folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--check", type=int, default=300)
    parser.add_argument("--without", nargs="*", default=[], choices=list(METHODS), help="not taught")
    parser.add_argument("--test", action="store_true", help="the test folds too: once, when all is chosen")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    eye = Eye()
    taught = [one for one in eye.of_set("a", args.train) if one.method not in args.without]
    net = train(taught)
    valid = Result(net, list(eye.of_set("b", args.check)))
    choice = valid.choose()
    plain = np.sort(valid.raw(choice.top)[valid.kind == "untouched"])
    likely = float(plain[-1 - len(plain) // 100])  # one in a hundred may lie above
    known = [m for m in METHODS if (valid.kind == m).any()]
    out: dict[str, Any] = {
        "taught": len(taught),
        "without": args.without,
        "top": choice.top,
        "border": choice.border,
        "validation": {
            "all": valid.against(tuple(METHODS), choice, likely),
            **{m: valid.against((m,), choice, likely) for m in known},
        },
    }
    if args.test:
        test = Result(net, [one for m in TESTS for one in eye.of_test(m)])
        over = test.raw(choice.top)[test.kind == "untouched"] > likely
        out["test"] = {
            "inpaintings": test.against(INPAINTINGS, choice, likely),
            **{m: test.against((m,), choice, likely) for m in TESTS if m != "untouched"},
        }
        out["false_positives"] = [int(over.sum()), len(over)]
    text = json.dumps(out, indent=1)
    (folder() / "clip-figures.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
