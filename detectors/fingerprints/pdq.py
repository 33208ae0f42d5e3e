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
KEPT = 16
_BASIS = np.sqrt(2 / GRID) * np.cos(np.pi / (2 * GRID) * np.outer(np.arange(1, KEPT + 1), 2 * np.arange(GRID) + 1))


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


def of_squares(luminance: npt.NDArray[np.float64], spans: npt.NDArray[np.float64]) -> list[tuple[str, int]]:
    """The PDQ (64 hex) and quality of many rectangles of one picture at once, in NumPy.

    `luminance`: (h, w), 0..255. `spans`: (n, 4), left, top, right, bottom as shares of width and height. The grid is
    the mean luminance of 64 x 64 equal cells, where the reference samples a smoothed picture, so the hashes differ
    from the reference's by some bits: they are for pictures that are all hashed by this code.
    """
    height, width = luminance.shape
    total = np.zeros((height + 1, width + 1))
    np.cumsum(np.cumsum(luminance, axis=0), axis=1, out=total[1:, 1:])
    steps = np.arange(GRID + 1) / GRID
    x = (spans[:, :1] + (spans[:, 2:3] - spans[:, :1]) * steps) * width
    y = (spans[:, 1:2] + (spans[:, 3:] - spans[:, 1:2]) * steps) * height
    x_floor, y_floor = np.minimum(x.astype(np.intp), width - 1), np.minimum(y.astype(np.intp), height - 1)
    x_part, y_part = (x - x_floor)[:, None, :], (y - y_floor)[:, :, None]
    rows = np.diff(total[y_floor] * (1 - y_part) + total[y_floor + 1] * y_part, axis=1)
    at = np.broadcast_to(x_floor[:, None, :], (len(spans), GRID, GRID + 1))
    sums = np.take_along_axis(rows, at, 2) * (1 - x_part) + np.take_along_axis(rows, at + 1, 2) * x_part
    cells = np.diff(sums, axis=2) / ((x[:, 1] - x[:, 0]) * (y[:, 1] - y[:, 0]))[:, None, None]
    frequencies = (_BASIS @ cells @ _BASIS.T).reshape(len(spans), -1)
    bits = frequencies > np.median(frequencies, axis=1, keepdims=True)
    # The reference's order: the highest frequency first.
    return [
        (row.tobytes().hex(), int(quality))
        for row, quality in zip(np.packbits(bits[:, ::-1], axis=1), _quality(cells), strict=True)
    ]


def _quality(cells: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """0..100 for each (64, 64) grid: the reference's sum of the steps between neighbours, in whole percent."""
    steps = [np.abs(np.trunc(np.diff(cells, axis=axis) * (100 / 255))).sum(axis=(1, 2)) for axis in (1, 2)]
    return np.asarray(np.minimum(100, (steps[0] + steps[1]) / 90), np.int64)
