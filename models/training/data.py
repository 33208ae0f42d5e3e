"""The labelled pictures, their folds, and their decoded pixels.

Pictures lie outside this repository: COUNTERPROOF_SHARED names the folder, or `../shared` beside the checkout.
`generated` learns whole-picture generation, so face swaps, splices and the video crops paired with them stay out.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SMALLEST = 128  # px, short side: 102 thumbnails of one site are left out, since once degraded nothing of them is left
FOLDS = 8
FOSSASIA = ("fossasia_2016", "fossasia_2017", "fossasia_2018", "fossasia_gci_mentors")
PIRATI = ("pirati_praha_news", "pirati_praha_people", "pirati_stredocesky_news", "pirati_praha_2014")
SMALL_EVENTS = ("fab13_event_2017", "fab13_artists_2017", "writethedocs_events", "assorted_real")
# Every generator and every real source is held out once; families of generators, look-alikes and shared sites together.
FOLD_OF = {
    group: fold
    for fold, groups in enumerate(
        (
            ("stylegan2-tpdne", "ffhq_real_faces", "thailand_mps", "india_bvpcsi"),
            ("stable-diffusion-1.x", "stable-diffusion-1.5", "stable-diffusion-2.1", "imagenet_samples", "bsds500"),
            ("unknown-real-or-ai-game", "real-or-ai-game", "latam_metadocencia", "pyheif_tests"),
            ("stable-diffusion-3", "website_templates", "website_templates_b", "website_templates_c"),
            ("sdxl-realvisxl-turbo", "sdxl", "kolors", *FOSSASIA),
            ("flux.1-dev", "flux.1-schnell", *PIRATI),
            ("gpt-4o-image", "gpt-image-1", "dall-e-2", "18f_team", "18f_blog", "metadata_extractor", "exif_samples"),
            ("nano-banana-pro", "assorted", "djangogirls_global", "geomundus_2018", "imd2020", *SMALL_EVENTS),
        )
    )
    for group in groups
}


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled picture. `label` 1 = output of a generative model, 0 = photograph."""

    path: Path
    label: int
    group: str
    repo: str
    fold: int


def shared() -> Path:
    """The folder with the labelled data. Raises FileNotFoundError when there is none."""
    folder = Path(os.environ.get("COUNTERPROOF_SHARED", ROOT.parent / "shared"))
    if not (folder / "data/images/labels.csv").is_file():
        raise FileNotFoundError(f"no labelled pictures in {folder}: set COUNTERPROOF_SHARED")
    return folder


def cache_dir() -> Path:
    """Where features, runs and scores are kept: COUNTERPROOF_CACHE, or `.cache/training` in the checkout."""
    folder = Path(os.environ.get("COUNTERPROOF_CACHE", ROOT / ".cache" / "training"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def items() -> list[Item]:
    """All pictures that `generated` learns from or is measured on, in file order.

    Raises KeyError for a group that has no fold: a new group must be given one, never a default.
    """
    base = shared() / "data/images"
    with (base / "labels.csv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    kept = [r for r in rows if r["kind"] in ("real", "generated") and r["group"] != "dfdc"]
    found = [Item(base / r["file"], int(r["label"]), r["group"], r["repo"], FOLD_OF[r["group"]]) for r in kept]
    return [i for i in found if min(size(i.path)) >= SMALLEST]


def size(path: Path) -> tuple[int, int]:
    """Width and height, px."""
    with Image.open(path) as image:
        return image.size


def training_items(all_items: list[Item], held_out: int | None) -> list[int]:
    """Indices to train on when a fold is held out: other folds, less any repository that the held-out fold shares."""
    if held_out is None:
        return list(range(len(all_items)))
    seen = {i.repo for i in all_items if i.fold == held_out}
    return [k for k, i in enumerate(all_items) if i.fold != held_out and i.repo not in seen]


def pixels(path: Path) -> npt.NDArray[np.uint8]:
    """The decoded picture, (h, w, 3) uint8."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def size_bins(short: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Which of 16 bins of equal count each short side falls in, 0..15; (n,)."""
    edges = np.quantile(short, np.linspace(0, 1, 17)[1:-1])
    return np.asarray(np.searchsorted(edges, short), np.int64)


def size_matched(bins: npt.NDArray[np.int64], label: npt.NDArray[np.int64], seed: int = 3) -> npt.NDArray[np.int64]:
    """Indices of a subset with as many synthetic pictures as photographs in every bin of size, drawn at random."""
    rng, kept = np.random.default_rng(seed), []
    for b in np.unique(bins):
        both = [np.flatnonzero((bins == b) & (label == y)) for y in (0, 1)]
        count = min(len(k) for k in both)
        kept += [rng.choice(k, count, replace=False) for k in both]
    return np.sort(np.concatenate(kept))


def short_sides(all_items: list[Item]) -> npt.NDArray[np.int64]:
    """Short side of each picture, px (n,)."""
    return np.array([min(size(i.path)) for i in all_items])


def group_weights(chosen: list[Item]) -> npt.NDArray[np.float64]:
    """Sampling weight per item: classes alike; within a class each group by the square root of its size. Sums to 1."""
    sizes: dict[tuple[int, str], int] = {}
    for i in chosen:
        sizes[i.label, i.group] = sizes.get((i.label, i.group), 0) + 1
    w = np.array([sizes[i.label, i.group] ** -0.5 for i in chosen])
    label = np.array([i.label for i in chosen])
    for y in (0, 1):
        w[label == y] *= 0.5 / w[label == y].sum()
    return w
