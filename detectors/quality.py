"""How good is the copy of the picture that was checked? A coarse class, so that the error rate quoted is that of alike
pictures: the same function sorted the pictures that the rates in models/manifest.toml were measured on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detectors.inference.preprocess import VIEW, canonical

if TYPE_CHECKING:
    from PIL import Image

    from detectors.intake.picture import Picture

SMALL, COMPRESSED, GOOD = "small", "compressed", "good"
CLASSES = (SMALL, COMPRESSED, GOOD)

# px, short side of the canonical picture: below it the networks see an enlarged picture in place of its detail.
SMALLEST = VIEW
# Of 100, as libjpeg counts: half of what messengers send lies below.
ROUGH_JPEG = 80
# Variance of the Laplacian: about a tenth of photographs and of generated pictures, sent once, lie below.
BLURRED = 60.0
# A picture that is shrunk by more than this on the way to the networks has lost most traces of its last save.
SHRUNK = 2.0
# Grey levels between the channels of a pixel: more than JPEG leaves in a picture without colour.
NO_CHROMA = 3.0
# Sum of the brightness table at quality 50: Annex K.1 of ITU-T T.81, which almost every encoder scales.
_BASE_SUM = 3688


def quality_class(short_side: int, jpeg: int | None, sharp: float) -> str:
    """`small`, `compressed` (or blurred) or `good`.

    `short_side` of the canonical picture in px, `jpeg` as of `jpeg_quality`, None where that is not known or does not
    matter, `sharp` as of `sharpness`.
    """
    if short_side < SMALLEST:
        return SMALL
    return COMPRESSED if (jpeg is not None and jpeg < ROUGH_JPEG) or sharp < BLURRED else GOOD


def jpeg_quality(tables: Mapping[int, Sequence[int]]) -> int | None:
    """The quality, 1..100, at which libjpeg writes a brightness table of about this strength; None without tables.

    `tables` by id, 64 steps each; the first is for brightness.
    """
    if 0 not in tables:
        return None
    percent = 100 * sum(tables[0]) / _BASE_SUM
    return round(min(100.0, max(1.0, (200 - percent) / 2 if percent <= 100 else 5000 / percent)))


def sharpness(small: Image.Image) -> float:
    """Variance of the Laplacian (four neighbours) of a canonical picture's brightness, 0..255; 0 where it is too small.

    Blur lowers it: Pech-Pacheco and others, ICPR 2000.
    """
    grey = np.asarray(small.convert("L"), np.int32)
    if min(grey.shape) < 3:
        return 0.0
    inner = 4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    return float(inner.var())


def is_grey(rgb: npt.NDArray[np.uint8]) -> bool:
    """Whether the three channels of (h, w, 3) agree in all but one pixel of a hundred, up to what JPEG leaves."""
    return float(np.quantile(np.ptp(rgb.astype(np.int16), axis=2), 0.99)) <= NO_CHROMA


def of_picture(picture: Picture) -> str:
    """The class of a decoded picture."""

    def found() -> str:
        small = picture.once("canonical", lambda: canonical(picture.image))
        shrunk = max(picture.media.width, picture.media.height) / max(small.size)
        jpeg = jpeg_quality(picture.quantisation) if shrunk <= SHRUNK else None
        return quality_class(min(small.size), jpeg, sharpness(small))

    return picture.once("quality", found)
