"""What happens to pictures on their way to people, done to both classes alike. NumPy and Pillow only.

Sizes are drawn from the photographs' own sizes for either class, so that size cannot give the label away.
"""

from __future__ import annotations

import io

from numpy.random import Generator
from PIL import Image

FILTERS = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.BOX)
SMALLEST = 160


def jpeg(image: Image.Image, quality: int) -> bytes:
    """One save as JPEG with 4:2:0 chroma, as messengers do it."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=2)
    return buffer.getvalue()


def to_long_side(image: Image.Image, long_side: int, rng: Generator) -> Image.Image:
    """Shrunk to the given long side with a random filter; never enlarged."""
    scale = long_side / max(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, FILTERS[int(rng.integers(len(FILTERS)))])


def draw_long_side(image: Image.Image, photo_sides: list[int], rng: Generator) -> int:
    """A target size: a random photograph's long side, shrunk by up to 40 %; at least 160 px."""
    side = min(max(image.size), photo_sides[int(rng.integers(len(photo_sides)))])
    return max(SMALLEST, round(side * rng.uniform(0.6, 1.0)))


def messenger(image: Image.Image, photo_sides: list[int], rng: Generator) -> bytes:
    """One resize and one JPEG 70-92, in a third of the cases after another JPEG: the pass that figures are given for.

    Gives the file, as a messenger would.
    """
    if rng.random() < 1 / 3:
        image = Image.open(io.BytesIO(jpeg(image, int(rng.integers(75, 96))))).convert("RGB")
    image = to_long_side(image, draw_long_side(image, photo_sides, rng), rng)
    return jpeg(image, int(rng.integers(70, 93)))
