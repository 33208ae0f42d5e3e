"""Faces to teach `face_swap` with and to test it on: found by the product, joined by scene, blended with themselves.

What is held apart: the labelled swaps by scene; the photographs of HELD_OUT by source, from every network, the shipped
one included. Seeded; what is made is kept in the cache folder.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from detectors.inference.faces import SHARPEST_BLUR, SIDE, SMALLEST, Box, Pixels, around, faces, sharpness, square
from detectors.intake.media import Media
from detectors.intake.picture import Picture
from models.training import data, degrade
from models.training.self_blend import LARGEST, blended, degraded

MODEL = "face-swap"
MOST = 16  # faces of one picture
SEED = 20260102
FOLDS = 5
PAIRS, VIDEO_PAIRS, COPIES = 3_000, 800, 4
SHARE_OTHER = 0.2  # of the pairs in which the face of somebody else is blended in
SAME_SCENE = 0.85  # correlation of surroundings from which two crops count as one video
# Sources that no network here learns from: politicians, stock pages and communities, and what shares a site with them.
HELD_OUT = frozenset(
    {"pirati_praha_people", "pirati_praha_news", "thailand_mps", "india_bvpcsi", "real-or-ai-game"}
    | {"website_templates", "website_templates_b", "website_templates_c"}
)
# Labelled real by its site alone, and generated faces of that kind exist: neither trained on nor in the pooled figures.
DOUBTFUL = "ffhq_real_faces"
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled picture and its checkable faces (x, y, width, height in px), largest first. `label` 1 = swapped."""

    path: Path
    kind: str
    group: str
    repo: str
    boxes: tuple[Box, ...]
    unchecked: int

    @property
    def video(self) -> bool:
        """Whether this is a crop from one of the labelled videos."""
        return self.group == "dfdc"


def say(text: str) -> None:
    """Progress, to the error stream."""
    print(text, file=sys.stderr, flush=True)


def index() -> list[Item]:
    """Every labelled picture with its faces, found by the product's code and kept in the cache."""
    base, path = data.shared() / "data/images", data.cache_dir() / "faces.json"
    with (base / "labels.csv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    found: list[list[list[float]]] = json.loads(path.read_text()) if path.exists() else []
    if len(found) < len(rows):
        for k in range(len(found), len(rows)):
            rgb = data.pixels(base / rows[k]["file"])
            picture = Picture(rgb, Media("JPEG", rgb.shape[1], rgb.shape[0], 1), "0" * 64, b"")
            found.append([[*f.box, round(sharpness(rgb, f.box), 5)] for f in faces(picture)])
            if k % 200 == 0:
                say(f"faces of picture {k}")
        path.write_text(json.dumps(found))
    out = []
    for row, seen in zip(rows, found, strict=True):
        clear = [(b[0], b[1], b[2], b[3]) for b in seen if min(b[2:4]) >= SMALLEST and b[4] >= SHARPEST_BLUR]
        out.append(
            Item(base / row["file"], row["kind"], row["group"], row["repo"], tuple(clear), len(seen) - len(clear))
        )
    return out


def scenes(paths: list[Path]) -> Labels:
    """Which crops show one scene of one video, as a number for each (n,).

    File names tell nothing, and labels are per video, but a swap leaves hair and background as they were: crops whose
    surroundings correlate by SAME_SCENE are joined, and what is joined with them.
    """
    y, x = np.mgrid[0:32, 0:32] - 15.5
    outside = (x / 11) ** 2 + (y / 13) ** 2 > 1
    rows = []
    for path in paths:
        small = Image.fromarray(data.pixels(path)).resize((32, 32), Image.Resampling.BOX)
        rows.append(np.asarray(small, np.float64)[outside].ravel())
    z = np.array(rows)
    z = (z - z.mean(1, keepdims=True)) / z.std(1, keepdims=True)
    alike = z @ z.T / z.shape[1] >= SAME_SCENE
    scene = np.arange(len(paths))
    while True:
        lowest = np.where(alike, scene[np.newaxis], len(paths)).min(1)
        if (lowest == scene).all():
            return scene
        scene = lowest


def folds_of(scene: Labels) -> Labels:
    """A fold for each crop (n,): whole scenes, the largest first, each into the smallest fold so far."""
    rng, fold = np.random.default_rng(SEED), np.zeros(len(scene), np.int64)
    names, sizes = np.unique(scene, return_counts=True)
    filled = np.zeros(FOLDS)
    for k in np.lexsort((rng.random(len(names)), -sizes)):
        f = int(filled.argmin())
        fold[scene == names[k]] = f
        filled[f] += sizes[k]
    return fold


def patch(rgb: Pixels, box: Box) -> tuple[Pixels, Box]:
    """A face with ample surroundings, its box at most LARGEST px long, and its box there."""
    left, top, right, bottom = (int(v) for v in around(box, (rgb.shape[1], rgb.shape[0]), 1.55))
    image = Image.fromarray(rgb[top:bottom, left:right])
    scale = min(1.0, LARGEST / max(box[2:]))
    if scale < 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    x, y, w, h = (v * scale for v in (box[0] - left, box[1] - top, box[2], box[3]))
    return np.asarray(image), (x, y, w, h)


def make_pairs(name: str, known: list[Item], count: int) -> tuple[Pixels, Labels]:
    """Photographs of faces beside self-blends of them, degraded alike: (count, 2, SIDE, SIDE, 3), and which item each
    comes from (count,). Sources are drawn by the square root of their size. Resumes."""
    path = data.cache_dir() / f"face-{name}.npy"
    done_file = path.with_suffix(".done")
    done = int(done_file.read_text()) if done_file.exists() else 0
    out = np.lib.format.open_memmap(path, "r+" if done else "w+", np.uint8, (count, 2, SIDE, SIDE, 3))
    usable = [(k, b) for k, i in enumerate(known) for b in i.boxes]
    sizes: dict[str, int] = {}
    for k, _ in usable:
        sizes[known[k].group] = sizes.get(known[k].group, 0) + 1
    weight = np.array([sizes[known[k].group] ** -0.5 for k, _ in usable])
    weight /= weight.sum()
    which = np.zeros(count, np.int64)
    for n in range(count):
        rng = np.random.default_rng((SEED, n))
        one, two = (usable[int(k)] for k in rng.choice(len(usable), 2, p=weight))
        which[n] = one[0]
        if n < done:
            continue
        pixels, box = patch(data.pixels(known[one[0]].path), one[1])
        other = patch(data.pixels(known[two[0]].path), two[1]) if rng.random() < SHARE_OTHER else None
        out[n] = degraded([pixels, blended(pixels, box, rng, other)], box, SIDE, rng)
        if (n + 1) % 250 == 0:
            out.flush()
            done_file.write_text(str(n + 1))
            say(f"{name} {n + 1}")
    done_file.write_text(str(count))
    return out, which


def video_copies(crops: list[Item], scene: Labels) -> Pixels:
    """Degraded copies of the crops from videos, (n, COPIES, SIDE, SIDE, 3); crops of one scene are degraded alike."""
    path = data.cache_dir() / "face-videos.npy"
    if not path.exists():
        rows = []
        for item, s in zip(crops, scene, strict=True):
            pixels, box = patch(data.pixels(item.path), item.boxes[0])
            rngs = [np.random.default_rng((SEED, int(s), c)) for c in range(COPIES)]
            rows.append(np.concatenate([degraded([pixels], box, SIDE, rng) for rng in rngs]))
        np.save(path, np.stack(rows))
    return np.asarray(np.load(path, mmap_mode="r"))


@dataclass(frozen=True, slots=True)
class Videos:
    """The labelled crops in which a face was found, with what was made of them."""

    crops: list[Item]
    y: Labels
    scene: Labels
    fold: Labels
    copies: Pixels
    pairs: Pixels
    pair_fold: Labels


def untouched(item: Item, side: int = SIDE, most: int = MOST) -> Pixels:
    """The squares that the product cuts around a picture's `most` largest faces, (faces, side, side, 3)."""
    rgb = data.pixels(item.path)
    return np.stack([square(rgb, box, side) for box in item.boxes[:most]])


def saved_again(item: Item, side: int = SIDE, most: int = MOST) -> Pixels:
    """The same squares after the picture was shrunk to 60-100 % (no face below SMALLEST) and saved as JPEG 70-92, in a
    third of the cases after another JPEG; the same pixels in every run."""
    rng = np.random.default_rng((SEED, *item.path.stem.encode()))
    image = Image.fromarray(data.pixels(item.path))
    if rng.random() < 1 / 3:
        image = Image.open(io.BytesIO(degrade.jpeg(image, int(rng.integers(75, 96))))).convert("RGB")
    least = SMALLEST / min(min(box[2:]) for box in item.boxes[:MOST])
    wide = image.width
    image = degrade.to_long_side(image, round(max(image.size) * max(least, rng.uniform(0.6, 1.0))), rng)
    image = Image.open(io.BytesIO(degrade.jpeg(image, int(rng.integers(70, 93))))).convert("RGB")
    rgb, scale = np.asarray(image), image.width / wide
    boxes = [tuple(v * scale for v in box) for box in item.boxes[:most]]
    return np.stack([square(rgb, (b[0], b[1], b[2], b[3]), side) for b in boxes])


COPY_KINDS: dict[str, Callable[..., Pixels]] = {"untouched": untouched, "saved_again": saved_again}


def squares(name: str, chosen: list[Item], kind: str) -> tuple[Pixels, Labels]:
    """All faces of pictures as the network sees them, (faces, SIDE, SIDE, 3), and whose each is (faces,); cached."""
    path = data.cache_dir() / f"face-squares-{name}-{kind}.npy"
    owner = np.repeat(np.arange(len(chosen)), [min(MOST, len(i.boxes)) for i in chosen])
    if not path.exists():
        np.save(path, np.concatenate([COPY_KINDS[kind](i) for i in chosen]))
    found = np.asarray(np.load(path, mmap_mode="r"))
    if len(found) != len(owner):
        raise ValueError(f"{path.name} is of other pictures: delete it")
    return found, owner


def material(known: list[Item]) -> tuple[Pixels, Videos]:
    """Everything that is learnt from: pairs made of photographs, and the videos."""
    learnt = [i for i in known if i.kind == "real" and i.boxes and not i.video]
    learnt = [i for i in learnt if i.group not in HELD_OUT and i.group != DOUBTFUL]
    photographs, _ = make_pairs("pairs", learnt, PAIRS)
    crops = [i for i in known if i.video and i.boxes]
    y = np.array([int(i.kind == "face_swap") for i in crops])
    scene = scenes([i.path for i in crops])
    fold = folds_of(scene)
    real = [k for k in range(len(crops)) if y[k] == 0]
    pairs, which = make_pairs("video-pairs", [crops[k] for k in real], VIDEO_PAIRS)
    return photographs, Videos(crops, y, scene, fold, video_copies(crops, scene), pairs, fold[np.array(real)[which]])
