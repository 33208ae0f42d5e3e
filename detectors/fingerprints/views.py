"""Views: the parts of a picture that are hashed on their own, so that an edited copy is found by one of them.

- `whole`: the picture as it is, by Meta's code.
- `trimmed`: without flat borders and bars; and once more without captions and a screenshot's surround.
- `region`: rectangles between pairs of corner points, of the picture before and after the last trimming. A copy that
  was cropped shows the same points, so some of its rectangles cut out the same part of the scene, to within a pixel or
  two. That is what PDQ needs: a rectangle that is off by 2 % of its side has moved half of the pairs beyond the
  distance of a match. A fixed grid of rectangles would have to be a hundred times finer.

Corners: Harris and Stephens, "A Combined Corner and Edge Detector", 1988, in the form of Noble, 1988 (no constant to
choose). Chosen so that they cover the picture: Brown, Szeliski and Winder, "Multi-Image Matching Using Multi-Scale
Oriented Patches", CVPR 2005, section 4 (adaptive non-maximal suppression).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from detectors.fingerprints.pdq import MINIMUM_SIDE, RELIABLE_QUALITY, of_squares, pdq
from detectors.report import View

MAX_REGIONS = 64

_Pixels = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.float64]
_Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels

# Where the picture lies in a screenshot is looked for at this size: one pixel is then less than PDQ notices.
_TRIM_SIDE = 640
# Grey levels that count as one colour: what JPEG does to a flat area.
_ONE_COLOUR = 9
# A line of pixels (a row or a column) belongs to a border when so much of it is of one colour, and to a caption or an
# app's surround when so much is; letters, icons and buttons are the rest.
_FLAT, _SURROUND = 0.97, 0.5
# The picture begins where, of so many lines (as a share of the side), at most so many are such lines. A line of text
# is lower than that, so it does not pass for a picture.
_RUN, _FLAT_IN_RUN = 0.12, 0.25
# What is left must be so much of each side, and something must have been cut off.
_LEAST_LEFT, _LEAST_CUT = 0.2, 0.01

_CORNER_SIDE = 256
_CORNERS = 32
_STRONGEST = 250
# In squared grey levels per pixel; and as a share of the strongest corner, so that the noise of a plain background
# is not taken for corners beside a person.
_LEAST_CORNER, _LEAST_SHARE = 0.3, 0.001
_STRONGER = 0.9
_AT_EDGE = 0.015
# A rectangle between two corners spans so much of each side: less would match pictures that share a logo or a
# background, and more would not be there in a cropped copy.
_LEAST_SPAN, _MOST_SPAN = 0.3, 0.85
_SQUARE = 256


def views(rgb: _Pixels, whole: tuple[str, int] | None = None) -> tuple[View, ...]:
    """The views of (h, w, 3) uint8 pixels whose PDQ has a quality of at least 50, the whole picture first.

    At most 2 * MAX_REGIONS + 5. Boxes are in pixels of `rgb`. Empty for a picture that is too small or shows too
    little.
    `whole`: the picture's PDQ (64 hex) and quality where they are known already.
    """
    height, width, _ = rgb.shape
    if min(height, width) < MINIMUM_SIDE:
        return ()
    found = [View("whole", (0, 0, width, height), *(whole or pdq(rgb)))]
    boxes = [(0, 0, width, height), *_trimmed(rgb)]
    for left, top, right, bottom in boxes[1:]:
        box = (left, top, right - left, bottom - top)
        found.append(View("trimmed", box, *pdq(np.ascontiguousarray(rgb[top:bottom, left:right]))))
    # What looks like a caption or a surround may be sky or a wall, in one crop and not in another.
    for inner in boxes[-2:]:
        found += _regions(rgb, inner)
    return tuple(v for v in found if v.quality >= RELIABLE_QUALITY)


def _regions(rgb: _Pixels, inner: _Box) -> list[View]:
    """The rectangles between corners of the picture inside `inner`, and `inner` as a whole by the same code."""
    left, top, right, bottom = inner
    image = Image.fromarray(rgb[top:bottom, left:right]).convert("L")
    width, height = image.size
    scale = _CORNER_SIDE / max(width, height)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    spans = [(0.0, 0.0, 1.0, 1.0), *_spans(_corners(_resized(image, small)), width, height)]
    luminance = _resized(image, (_SQUARE, _SQUARE)).astype(np.float64)
    views = []
    for (x0, y0, x1, y1), (value, quality) in zip(spans, of_squares(luminance, np.array(spans)), strict=True):
        box = (
            left + round(x0 * width),
            top + round(y0 * height),
            left + round(x1 * width),
            top + round(y1 * height),
        )
        views.append(View("region", _sized(box), value, quality))
    return views


def _resized(image: Image.Image, size: tuple[int, int]) -> _Pixels:
    """By averaging where it shrinks, by interpolation where it grows."""
    method = Image.Resampling.BOX if max(image.size) > max(size) else Image.Resampling.BILINEAR
    return np.asarray(image.resize(size, method, reducing_gap=3.0))


def _corners(grey: _Pixels) -> _Floats:
    """Corner points of (h, w) uint8 as (n, 2) shares of width and height, those that stand out over most first."""
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.2)
    dx, dy = cv2.Sobel(smooth, -1, 1, 0), cv2.Sobel(smooth, -1, 0, 1)
    xx, yy, xy = (cv2.GaussianBlur(v, (0, 0), 2.5) for v in (dx * dx, dy * dy, dx * dy))
    strength = (xx * yy - xy * xy) / (xx + yy + 1e-3)
    height, width = grey.shape
    edge_x, edge_y = int(np.ceil(_AT_EDGE * width)), int(np.ceil(_AT_EDGE * height))
    inside = np.zeros(grey.shape, bool)
    inside[max(1, edge_y) : height - max(1, edge_y), max(1, edge_x) : width - max(1, edge_x)] = True
    least = max(_LEAST_CORNER, _LEAST_SHARE * float(strength.max()))
    peaks = inside & (strength == cv2.dilate(strength, np.ones((7, 7), np.uint8))) & (strength > least)
    ys, xs = np.nonzero(peaks)
    strongest = np.argsort(-strength[ys, xs], kind="stable")[:_STRONGEST]
    xs, ys = xs[strongest], ys[strongest]
    value = strength[ys, xs]
    apart = (xs[:, None] - xs) ** 2 + (ys[:, None] - ys) ** 2
    reach = np.where(value * _STRONGER > value[:, None], apart, np.iinfo(np.int64).max).min(axis=1, initial=1 << 62)
    chosen = np.lexsort((-value, -reach))[:_CORNERS]
    xs, ys = xs[chosen], ys[chosen]
    x = xs + 0.5 + _between(strength[ys, xs - 1], strength[ys, xs], strength[ys, xs + 1])
    y = ys + 0.5 + _between(strength[ys - 1, xs], strength[ys, xs], strength[ys + 1, xs])
    return np.stack([x / width, y / height], axis=1)


def _between(before: npt.NDArray[np.float32], at: npt.NDArray[np.float32], after: npt.NDArray[np.float32]) -> _Floats:
    """Where the peak lies between pixels, -0.5..0.5, by a parabola through three values."""
    curve = np.minimum(before - 2 * at + after, -1e-6)
    return np.asarray(np.clip(0.5 * (before - after) / curve, -0.5, 0.5), np.float64)


def _spans(points: _Floats, width: int, height: int) -> list[tuple[float, float, float, float]]:
    """Rectangles (left, top, right, bottom as shares) between two corners, those of the first corners first."""
    least_x, least_y = max(_LEAST_SPAN, MINIMUM_SIDE / width), max(_LEAST_SPAN, MINIMUM_SIDE / height)
    spans = []
    for i in range(1, len(points)):
        low, high = np.minimum(points[:i], points[i]), np.maximum(points[:i], points[i])
        size = high - low
        fits = (size >= (least_x, least_y)).all(axis=1) & (size <= _MOST_SPAN).all(axis=1)
        spans += [(*low[j], *high[j]) for j in np.nonzero(fits)[0]]
    return spans[:MAX_REGIONS]


def _trimmed(rgb: _Pixels) -> list[_Box]:
    """The picture without flat borders, and the picture without captions and surround; only where they differ."""
    height, width, _ = rgb.shape
    scale = min(1.0, _TRIM_SIDE / max(width, height))
    image = Image.fromarray(rgb).convert("L")
    small = _resized(image, (max(1, round(width * scale)), max(1, round(height * scale)))) if scale < 1.0 else None
    grey = np.asarray(image) if small is None else small
    found: list[_Box] = []
    for share in (_FLAT, _SURROUND):
        left, top, right, bottom = _inner(grey, share)
        box = (
            round(left * width / grey.shape[1]),
            round(top * height / grey.shape[0]),
            round(right * width / grey.shape[1]),
            round(bottom * height / grey.shape[0]),
        )
        if _worth_it(box, found[-1] if found else (0, 0, width, height), width, height):
            found.append(box)
    return found


def _worth_it(box: _Box, before: _Box, width: int, height: int) -> bool:
    """Whether enough of the picture is left, and enough is cut off."""
    _, _, w, h = _sized(box)
    if w < max(MINIMUM_SIDE, _LEAST_LEFT * width) or h < max(MINIMUM_SIDE, _LEAST_LEFT * height):
        return False
    cut = (abs(box[0] - before[0]) + abs(box[2] - before[2])) / width
    return cut >= _LEAST_CUT or (abs(box[1] - before[1]) + abs(box[3] - before[3])) / height >= _LEAST_CUT


def _inner(grey: _Pixels, share: float) -> _Box:
    """The rectangle inside lines of which at least `share` is of one colour, in pixels of (h, w) uint8."""
    height, width = grey.shape
    left, top, right, bottom = 0, 0, width, height
    for _ in range(3):  # a bar above a picture with bars beside it is seen only once those are off
        before = (left, top, right, bottom)
        top, bottom = _ends(_one_colour(grey[top:bottom, left:right]) >= share, top, bottom)
        left, right = _ends(_one_colour(grey[top:bottom, left:right].T) >= share, left, right)
        if (left, top, right, bottom) == before:
            break
    return left, top, right, bottom


def _ends(flat: npt.NDArray[np.bool_], first: int, last: int) -> tuple[int, int]:
    """Where the picture begins and ends among lines `first` to `last`; the same two where there is no telling."""
    run = max(4, round(_RUN * len(flat)))
    if len(flat) < 2 * run:
        return first, last
    total = np.concatenate([[0], np.cumsum(flat)])
    few = (total[run:] - total[:-run]) <= _FLAT_IN_RUN * run
    begins = np.nonzero(~flat[: len(few)] & few)[0]
    ends = np.nonzero(~flat[run - 1 :] & few)[0]
    if not len(begins) or not len(ends):
        return first, last
    return first + int(begins[0]), first + int(ends[-1]) + run


def _one_colour(lines: _Pixels) -> _Floats:
    """For each row of (n, m) uint8, the largest share of it that lies within _ONE_COLOUR neighbouring grey levels."""
    n, m = lines.shape
    counts = np.bincount((np.arange(n)[:, None] * 256 + lines).ravel(), minlength=n * 256).reshape(n, 256)
    total = np.concatenate([np.zeros((n, 1), np.int64), np.cumsum(counts, axis=1)], axis=1)
    most = (total[:, _ONE_COLOUR:] - total[:, :-_ONE_COLOUR]).max(axis=1)
    return np.asarray(most / m, np.float64)


def _sized(box: _Box) -> tuple[int, int, int, int]:
    """From left, top, right, bottom to left, top, width, height."""
    return box[0], box[1], box[2] - box[0], box[3] - box[1]


__all__ = ["MAX_REGIONS", "View", "views"]
