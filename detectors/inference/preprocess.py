"""From pixels to network input: the product's one implementation, used by training as well. NumPy and Pillow only.

Each function is pinned by an id that models/manifest.toml names; a change of a single output value needs a new id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Tensor = npt.NDArray[np.float32]

LONG_SIDE = 512  # every picture is brought down to this, so that its original size says nothing
VIEW = 224
ABOVE_CENTRE = 0.4  # squares sit slightly above the centre, where heads are

CLIP_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
CLIP_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def canonical(picture: Pixels | Image.Image) -> Image.Image:
    """The picture, (h, w, 3) uint8, with its long side at most 512 px, as a Pillow image. Never enlarged."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    scale = LONG_SIDE / max(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def square(image: Image.Image, side: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a `side` px square, centred across and slightly above the centre."""
    left = (image.width - side) // 2
    top = round((image.height - side) * ABOVE_CENTRE)
    return left, top, left + side, top + side


def two_views(image: Image.Image) -> Pixels:
    """A canonical picture as (2, 224, 224, 3) uint8: its largest square shrunk, and a square at canonical scale.

    Pictures with a short side under 224 px are enlarged for the second view, which then shows the same as the first.
    """
    short = min(image.size)
    box = square(image, short)
    whole = image.resize((VIEW, VIEW), Image.Resampling.LANCZOS, box=box)
    detail = image.crop(square(image, VIEW)) if short > VIEW else whole
    return np.stack([np.asarray(whole), np.asarray(detail)])


def normalise(views: Pixels | Tensor, mean: Tensor | float, std: Tensor | float) -> Tensor:
    """(n, h, w, 3) in 0..255 -> (n, 3, h, w) float32, contiguous: (value - mean) / std, both in 0..255."""
    scaled = (views.astype(np.float32) - np.float32(mean)) / np.float32(std)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def for_lite(views: Pixels) -> Tensor:
    """`lite-two-views/1`: float32 (2, 3, 224, 224) in about -1..1, as EfficientNet-Lite expects."""
    return normalise(views, 127.0, 128.0)


def clip_whole(views: Pixels) -> Tensor:
    """`clip-whole/1`: the first view, float32 (1, 3, 224, 224) with CLIP's channel means and deviations."""
    return normalise(views[:1], CLIP_MEAN * 255, CLIP_STD * 255)


def halved(views: Pixels) -> Tensor:
    """`guard-two-views/1`: float32 (2, 3, 112, 112) in about -1..1: the first view at half its size, the second's
    middle."""
    edge = VIEW // 4
    rows = np.add(views[0, ::2], views[0, 1::2], dtype=np.uint16)
    whole = (rows[:, ::2] + rows[:, 1::2]) / np.float32(4)
    return normalise(np.stack([whole, views[1, edge:-edge, edge:-edge]]), 127.0, 128.0)


# Each takes `two_views` of the `canonical` picture: made once, they serve every network that looks at it.
PREPROCESS: Mapping[str, Callable[[Pixels], Tensor]] = {
    "lite-two-views/1": for_lite,
    "clip-whole/1": clip_whole,
    "guard-two-views/1": halved,
}
