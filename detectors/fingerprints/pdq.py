"""PDQ, the 256-bit hash that platforms exchange, through Meta's reference code (`pdqhash`).

Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", Facebook 2019, and
https://github.com/facebook/ThreatExchange/tree/main/pdq.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pdqhash

MINIMUM_SIDE = 64  # PDQ is made from a 64 x 64 grid: below that, the grid would be invented
RELIABLE_QUALITY = 50  # the reference's advice: do not match hashes of a lower quality

# Above this side the reference takes long (80 ms at 1600 x 1200), because it smooths the whole picture to look at
# 64 x 64 points of it; there the same points are made directly.
DIRECT_SIDE = 640
GRID = 64
KEPT = 16
_BASIS = np.sqrt(2 / GRID) * np.cos(np.pi / (2 * GRID) * np.outer(np.arange(1, KEPT + 1), 2 * np.arange(GRID) + 1))


def pdq(rgb: npt.NDArray[np.uint8]) -> tuple[str, int]:
    """The PDQ of (h, w, 3) uint8 pixels as 64 hex digits, and its quality, 0..100.

    Up to 640 px it is made by `pdqhash.compute`; above, it equals that but for the rounding of floats: a bit or two
    where a frequency lies next to the median.
    """
    if max(rgb.shape) > DIRECT_SIDE:
        return _hashed(_grid(rgb)[None])[0]
    bits, quality = pdqhash.compute(rgb)
    return np.packbits(bits.astype(np.uint8)).tobytes().hex(), int(quality)


def _grid(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The 64 x 64 luminances that the reference takes from the smoothed picture."""
    height, width, _ = rgb.shape
    bands = [
        weights @ rgb[start : start + len(weights)].reshape(len(weights), -1).astype(np.float32)
        for start, weights in _samples(height)
    ]
    columns = np.array(bands).reshape(GRID, width, 3) @ np.array([0.299, 0.587, 0.114])
    return np.stack([columns[:, start : start + len(w)] @ w for start, w in _samples(width)], axis=1)


@lru_cache(maxsize=64)
def _samples(side: int) -> tuple[tuple[int, npt.NDArray[np.float32]], ...]:
    """For each of the 64 points along a side, where the pixels that it is a mean of begin, and their weights.

    The mean is that of two passes of a window of side / 128 pixels, rounded up, cut off at the picture's edges. A
    window with an even number of pixels looks one pixel further ahead than behind.
    """
    window = -(-side // (2 * GRID))
    ahead = (window + 2) // 2
    behind = window - ahead
    found = []
    for point in range(GRID):
        at = int((point + 0.5) * side / GRID)
        first, last = max(0, at - behind), min(side, at + ahead)
        start = max(0, first - behind)
        weights = np.zeros(min(side, last - 1 + ahead) - start)
        for middle in range(first, last):
            low, high = max(0, middle - behind), min(side, middle + ahead)
            weights[low - start : high - start] += 1 / ((last - first) * (high - low))
        found.append((start, weights.astype(np.float32)))
    return tuple(found)


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
    cells = np.empty((len(spans), GRID, GRID))
    for number in range(len(spans)):  # one at a time: what one needs stays in the processor's cache
        rows = np.diff(_between_lines(total, y[number]), axis=0)
        cells[number] = np.diff(_between_lines(rows.T, x[number]), axis=0).T
    cells /= ((x[:, 1] - x[:, 0]) * (y[:, 1] - y[:, 0]))[:, None, None]
    return _hashed(cells)


def _between_lines(lines: npt.NDArray[np.float64], at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The values of (n, m) lines at the places `at`, 0..n-1, along the first axis, by linear interpolation."""
    floor = np.minimum(at.astype(np.intp), len(lines) - 2)
    part = (at - floor)[:, None]
    low = lines[floor]
    low += (lines[floor + 1] - low) * part
    return np.asarray(low, np.float64)


def _hashed(cells: npt.NDArray[np.float64]) -> list[tuple[str, int]]:
    """PDQ and quality of (n, 64, 64) luminances."""
    frequencies = (_BASIS @ cells @ _BASIS.T).reshape(len(cells), -1)
    bits = frequencies > np.median(frequencies, axis=1, keepdims=True)
    # The reference's order: the highest frequency first.
    packed = np.packbits(bits[:, ::-1], axis=1)
    return [(row.tobytes().hex(), int(quality)) for row, quality in zip(packed, _quality(cells), strict=True)]


def _quality(cells: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """0..100 for each (64, 64) grid: the reference's sum of the steps between neighbours, in whole percent."""
    steps = [np.abs(np.trunc(np.diff(cells, axis=axis) * (100 / 255))).sum(axis=(1, 2)) for axis in (1, 2)]
    return np.asarray(np.minimum(100, (steps[0] + steps[1]) / 90), np.int64)
