"""PDQ, the 256-bit hash that platforms exchange, through Meta's reference code (`pdqhash`).

Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", Facebook 2019, and
https://github.com/facebook/ThreatExchange/tree/main/pdq.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pdqhash
from PIL import Image

MINIMUM_SIDE = 64  # PDQ is made from a 64 x 64 grid: below that, the grid would be invented
RELIABLE_QUALITY = 50  # the reference's advice: do not match hashes of a lower quality

# Above this side a picture is shrunk first, because the filter's cost grows with the pixels (80 ms at 1600 x 1200).
# The reference's own file tools do the same, less gently: anything above 512 px to 512 x 512, nearest pixel.
DIRECT_SIDE = 640
SHRUNK_SIDES = (380, 384)
GRID = 64


def pdq(rgb: npt.NDArray[np.uint8]) -> tuple[str, int]:
    """The PDQ of (h, w, 3) uint8 pixels as 64 hex digits, and its quality, 0..100.

    Up to 640 px it equals `pdqhash.compute` bit for bit; above, it differs from it by a few bits.
    """
    height, width, _ = rgb.shape
    if max(height, width) > DIRECT_SIDE:
        # Each side on its own: the aspect ratio need not survive, since PDQ squeezes every picture to a square.
        size = (_shrunk(width), _shrunk(height))
        rgb = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0))
    bits, quality = pdqhash.compute(rgb)
    return np.packbits(bits.astype(np.uint8)).tobytes().hex(), int(quality)


def _shrunk(side: int) -> int:
    """The side to shrink to: the one whose grid sits most nearly where the full-size picture's grid sits."""
    return min(SHRUNK_SIDES, key=lambda s: abs(_grid_shift(s) - _grid_shift(side)))


@lru_cache(maxsize=1024)
def _grid_shift(side: int) -> float:
    """How far the reference samples its 64 x 64 grid off the true centres, on average, as a share of the side.

    Two roundings cause it, and both depend on the side alone: grid points fall on whole pixels, and each of the two
    passes of a window with an even number of pixels (side / 128, rounded up) looks half a pixel ahead. Shrinking to
    a side with another shift would move the picture under the grid and flip bits: 512, with 1.5 px, is such a side.
    """
    centres = (np.arange(GRID) + 0.5) * side / GRID
    rounding = float(np.mean(np.floor(centres) + 0.5 - centres))
    window = -(-side // (2 * GRID))
    return (rounding + (1.0 if window % 2 == 0 else 0.0)) / side
