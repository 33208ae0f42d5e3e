"""What happens to pictures on their way to people, done to both classes alike. NumPy and Pillow only.

Shape and size are drawn from the same distributions for either class, so that they cannot give the label away.
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


def framed(image: Image.Image, photo: tuple[int, int] | None, rng: Generator) -> Image.Image:
    """Cut by up to a tenth at a random place and, half of the time, shrunk by up to 40 %.

    `photo` is the width and height of a photograph whose shape and, where that is smaller, size the picture is first
    brought to; None for photographs, which keep their own. So neither can give the label away.
    """
    if photo is not None:
        image = cut(image, crop_size(image.size, photo[0] / photo[1]), rng)
    keep = rng.uniform(0.9, 1.0)
    image = cut(image, (round(image.width * keep), round(image.height * keep)), rng)
    side = max(image.size) if photo is None else min(max(image.size), round(max(photo) * keep))
    if rng.random() < 0.5:
        side = max(min(side, SMALLEST), round(side * rng.uniform(0.6, 1.0)))
    return to_long_side(image, side, rng)


def crop_size(size: tuple[int, int], aspect: float) -> tuple[int, int]:
    """The largest width and height with this aspect (width / height) inside a picture, px."""
    width, height = size
    return min(width, max(1, round(height * aspect))), min(height, max(1, round(width / aspect)))


def cut(image: Image.Image, size: tuple[int, int], rng: Generator) -> Image.Image:
    """A window of this width and height at a random place."""
    left, top = (int(rng.integers(old - new + 1)) for old, new in zip(image.size, size, strict=True))
    return image.crop((left, top, left + size[0], top + size[1]))


def messenger(image: Image.Image, photo: tuple[int, int] | None, rng: Generator) -> bytes:
    """Cropped, resized and saved as JPEG 70-92, in a third of the cases after another JPEG: the pass that figures are
    given for. Gives the file, as a messenger would. `photo`: see `framed`.
    """
    if rng.random() < 1 / 3:
        image = Image.open(io.BytesIO(jpeg(image, int(rng.integers(75, 96))))).convert("RGB")
    return jpeg(framed(image, photo, rng), int(rng.integers(70, 93)))
