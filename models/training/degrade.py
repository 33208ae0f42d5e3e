"""What happens to pictures on their way to people, done to both classes alike. NumPy and Pillow only.

Sizes are drawn from the photographs' own sizes for either class, so that size cannot give the label away.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

FILTERS = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.BOX)
SMALLEST = 160


def encode(image: Image.Image, kind: str, quality: int, subsampling: int = 2) -> bytes:
    """One lossy save. `kind` is JPEG or WEBP; `subsampling` is JPEG's (0 or 2)."""
    buffer = io.BytesIO()
    if kind == "JPEG":
        image.save(buffer, kind, quality=quality, subsampling=subsampling)
    else:
        image.save(buffer, kind, quality=quality, method=2)
    return buffer.getvalue()


def recode(image: Image.Image, kind: str, quality: int, subsampling: int = 2) -> Image.Image:
    """The picture after one lossy save, decoded again."""
    return Image.open(io.BytesIO(encode(image, kind, quality, subsampling))).convert("RGB")


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
        image = recode(image, "JPEG", int(rng.integers(75, 96)))
    image = to_long_side(image, draw_long_side(image, photo_sides, rng), rng)
    return encode(image, "JPEG", int(rng.integers(70, 93)))


def retouch(image: Image.Image, rng: Generator) -> Image.Image:
    """Skin-smoothing as portrait studios do it: fine detail of middle contrast mixed out, edges kept."""
    soft = image.filter(ImageFilter.MedianFilter(5 if rng.random() < 0.5 else 3))
    soft = soft.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.2)))
    edges = image.convert("L").filter(ImageFilter.FIND_EDGES).filter(ImageFilter.GaussianBlur(2))
    mask = edges.point([255 - min(255, 4 * v) for v in range(256)])
    return Image.blend(image, Image.composite(soft, image, mask), rng.uniform(0.3, 0.9))


def colour(image: Image.Image, rng: Generator) -> Image.Image:
    """Exposure, contrast and saturation as filters and cameras change them."""
    for kind in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = kind(image).enhance(rng.uniform(0.7, 1.3))
    return image


def noise(image: Image.Image, rng: Generator) -> Image.Image:
    """Grain: normal noise of 1 to 8 grey levels, the same in all channels in half of the cases."""
    shape = (image.height, image.width, 1 if rng.random() < 0.5 else 3)
    grain = rng.standard_normal(shape, np.float32) * rng.uniform(1, 8)
    return Image.fromarray((np.asarray(image, np.float32) + grain).clip(0, 255).astype(np.uint8))


def heavy(image: Image.Image, photo_sides: list[int], rng: Generator) -> Image.Image:
    """The training pass: flip, crop, resize, edit, save; each step at random, the same for both classes."""
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    if rng.random() < 0.5:
        keep = rng.uniform(0.65, 1.0)
        w, h = round(image.width * keep), round(image.height * keep)
        x, y = int(rng.integers(image.width - w + 1)), int(rng.integers(image.height - h + 1))
        image = image.crop((x, y, x + w, y + h))
    if rng.random() < 0.25:
        image = recode(image, "JPEG", int(rng.integers(60, 96)), 2 if rng.random() < 0.7 else 0)
    image = to_long_side(image, draw_long_side(image, photo_sides, rng), rng)
    for chance, step in ((0.12, retouch), (0.35, colour), (0.1, noise)):
        if rng.random() < chance:
            image = step(image, rng)
    if rng.random() < 0.12:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.1:
        image = image.filter(ImageFilter.UnsharpMask(rng.uniform(0.5, 2), int(rng.integers(50, 200)), 2))
    if rng.random() < 0.12:
        image = image.convert("L").convert("RGB")
    kind = rng.random()
    if kind < 0.8:
        return recode(image, "JPEG", int(rng.integers(60, 96)), 2 if rng.random() < 0.7 else 0)
    return recode(image, "WEBP", int(rng.integers(60, 91))) if kind < 0.92 else image
